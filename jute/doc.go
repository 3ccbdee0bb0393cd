// Package jute is ZooKeeper's wire format: append encoders and bounded decoders for every record of
// the client protocol, of the quorum port, of the transaction log and of Java's snapshots, with the op
// codes, error codes and zxids they carry. A PacketReader takes the packets of the quorum port, which have
// no frames, from a stream.
//
// It does not open connections or files, keeps no state and uses no reflection. An encoder appends to
// a caller's slice and cannot fail. A Decoder reads from a caller's slice, checks each length against
// the bytes that are really there before it allocates, and keeps the first error; what it returns as
// []byte aliases the input and lives as long as that does, what it returns as string is a copy.
//
// Null and empty are different on the wire (length -1 and 0) and stay different here: a null buffer or
// vector is a nil slice, an empty one is a non-nil slice of length 0.
//
// The rules come from org.apache.jute (BinaryInputArchive, BinaryOutputArchive) and zookeeper.jute of
// Apache ZooKeeper 3.9.5; recordings made from that server are in testdata.
package jute
