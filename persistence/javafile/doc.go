// Package javafile reads and writes the files of Java's ZooKeeper: snapshots, transaction logs, epochs.
//
// What it does: ReadSnapshot takes a snapshot apart from a stream, plain, gz or snappy, with every
// length checked before memory is taken for it and every checksum compared; WriteSnapshot makes one
// from a Source. ReadTree and WriteTree do it with what a leader sends to a learner: a snapshot without header and
// seals. LogReader and LogWriter do the same for a transaction log. A Folder is all of a server's files: which
// snapshot comes first, the entries of all logs after it, the epochs. All of them hold a bounded amount of memory
// whatever the size of the tree. What it does not: it knows no tree and no store. Whether parents come before
// children, whether ACL ids are known and whether the digest is that of the nodes is the business of whoever takes
// the nodes in (tree.Loader); records are encoded and decoded by package jute.
//
//	file:    header | sessions | ACL lists | nodes, "/" | seal | digest | seal | last zxid | seal
//	seal:    Adler-32 over every byte before it | "/"
//
// The sections digest and last zxid are optional, each with its seal, and nothing in the file says which
// of them follow: a reader tells from the number of bytes that are left.
//
//	log:     header | entries | zeros
//	entry:   Adler-32 of the payload | its length | payload, a jute.Proposal | 'B'
//
// What a crash leaves at the end of a log is judged as Java judges it: see LogEnd. Everything else that is wrong is a
// *persistence.CorruptionError with file and offset.
//
// The rules come from the reference on disk formats, sections 2, 3, 4 and 6, and from Java's FileSnap, SnapStream,
// SerializeUtils, FileTxnLog, FileTxnSnapLog, QuorumPeer and DataTree (Apache ZooKeeper 3.9.5).
package javafile
