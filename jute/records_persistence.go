package jute

// Records of Java's files (reference disk-formats, sections 2 and 3). The files themselves - order of
// sections, seals, framing, padding, compression - are read and written elsewhere.

// Magic numbers that start Java's files.
const (
	SnapshotMagic int32 = 0x5a4b534e // "ZKSN"
	TxnLogMagic   int32 = 0x5a4b4c47 // "ZKLG"
)

// FileVersion is the version in both kinds of file since ZooKeeper 3.3.
const FileVersion int32 = 2

// TxnLogEntryEnd is the byte behind each entry of a transaction log.
const TxnLogEntryEnd byte = 'B'

// SnapshotEnd is the path that ends the nodes of a snapshot, and the text in each of its seals.
const SnapshotEnd = "/"

// ACLIDOpen is the id in a DataNode that stands for world:anyone with all permissions. Other ids are
// keys of the snapshot's ACL cache and mean nothing outside it.
const ACLIDOpen int64 = -1

// FileHeaderBytes is the encoded size of a FileHeader.
const FileHeaderBytes = 16

// FileHeader starts a snapshot and a transaction log.
type FileHeader struct {
	Magic   int32
	Version int32
	DBID    int64 // -1 in snapshots, 0 in logs; ignored
}

// Append appends the record.
func (h *FileHeader) Append(b []byte) []byte {
	return AppendInt64(AppendInt32(AppendInt32(b, h.Magic), h.Version), h.DBID)
}

// Decode reads the record. It does not judge the magic.
func (h *FileHeader) Decode(d *Decoder) {
	h.Magic = d.Int32()
	h.Version = d.Int32()
	h.DBID = d.Int64()
}

// SnapshotSession is a session in a snapshot. (Java: SerializeUtils.serializeSnapshot)
type SnapshotSession = SessionTimeout

// SnapshotACL is an entry of a snapshot's ACL cache. (Java: ReferenceCountedACLCache)
type SnapshotACL struct {
	ID  int64
	ACL []ACL
}

// Append appends the record.
func (a *SnapshotACL) Append(b []byte) []byte { return AppendACLs(AppendInt64(b, a.ID), a.ACL) }

// Decode reads the record. A null list fails: Java does not load such a file either.
func (a *SnapshotACL) Decode(d *Decoder) {
	a.ID = d.Int64()
	if a.ACL = d.ACLs(); a.ACL == nil {
		d.Fail("null ACL in the cache")
	}
}

// SnapshotNode is a znode in a snapshot, with its path. The root's path is "".
type SnapshotNode struct {
	Path  string
	Data  []byte // nil and empty differ
	ACLID int64
	Stat  StatPersisted
}

// Append appends the record.
func (n *SnapshotNode) Append(b []byte) []byte {
	b = AppendString(b, n.Path)
	b = AppendBuffer(b, n.Data)
	b = AppendInt64(b, n.ACLID)
	return n.Stat.Append(b)
}

// Decode reads a node. end is true when the path that ends the nodes was read instead, and then n
// holds nothing. Data aliases the input.
func (n *SnapshotNode) Decode(d *Decoder) (end bool) {
	*n = SnapshotNode{Path: d.String()}
	if n.Path == SnapshotEnd {
		return true
	}
	n.Data = d.Buffer()
	n.ACLID = d.Int64()
	n.Stat.Decode(d)
	return false
}

// SnapshotSealBytes is the encoded size of a SnapshotSeal with the text every snapshot has.
const SnapshotSealBytes = 13

// SnapshotSeal ends a part of a snapshot.
type SnapshotSeal struct {
	Adler32 int64 // over every byte of the file before it, earlier seals included
	Text    string
}

// Append appends the record.
func (s *SnapshotSeal) Append(b []byte) []byte {
	return AppendString(AppendInt64(b, s.Adler32), s.Text)
}

// Decode reads the record. It does not judge the checksum.
func (s *SnapshotSeal) Decode(d *Decoder) {
	s.Adler32 = d.Int64()
	s.Text = d.String()
}

// SnapshotDigestBytes is the encoded size of a SnapshotDigest.
const SnapshotDigestBytes = 20

// SnapshotDigest is the digest of the tree when the writing of a snapshot ended. A zero Zxid means that
// there is none.
type SnapshotDigest struct {
	Zxid   Zxid
	Digest Digest
}

// Append appends the record.
func (g *SnapshotDigest) Append(b []byte) []byte {
	return g.Digest.Append(AppendInt64(b, int64(g.Zxid)))
}

// Decode reads the record.
func (g *SnapshotDigest) Decode(d *Decoder) {
	g.Zxid = Zxid(d.Int64())
	g.Digest.Decode(d)
}

// TxnLogEntryHeaderBytes is the encoded size of a TxnLogEntryHeader.
const TxnLogEntryHeaderBytes = 12

// TxnLogEntryHeader stands before each entry of a transaction log. Behind it come LengthBytes bytes of
// payload, a Proposal, and TxnLogEntryEnd. A zero length is the padding behind the last entry.
type TxnLogEntryHeader struct {
	Adler32     int64 // over the payload
	LengthBytes int32
}

// Append appends the record.
func (h *TxnLogEntryHeader) Append(b []byte) []byte {
	return AppendInt32(AppendInt64(b, h.Adler32), h.LengthBytes)
}

// Decode reads the record.
func (h *TxnLogEntryHeader) Decode(d *Decoder) {
	h.Adler32 = d.Int64()
	h.LengthBytes = d.Int32()
}
