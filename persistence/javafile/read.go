package javafile

import (
	"errors"
	"fmt"
	"hash/adler32"
	"io"
	"strings"

	"zk/jute"
	"zk/persistence"
)

// Visitor takes in what is in a snapshot, in the order of the file: sessions, ACL lists, nodes. What it
// is given is valid during the call. An error of its functions ends the reading and is returned.
type Visitor struct {
	Session func(*jute.SnapshotSession) error
	ACL     func(*jute.SnapshotACL) error
	// Node gets the root first, with the path "". Other paths are well formed; that their parents have
	// come before is not checked here.
	Node func(*jute.SnapshotNode) error
}

// Trailer is what follows the nodes.
type Trailer struct {
	// HasDigest says that the digest section is there; its zxid may still be 0, for no digest.
	HasDigest bool
	Digest    jute.SnapshotDigest
	// HasLastZxid says that the section of the last zxid is there.
	HasLastZxid bool
	LastZxid    jute.Zxid
}

// ReadOptions are the settings of ReadSnapshot.
type ReadOptions struct {
	// Name is the file in error messages.
	Name string
	// BytesMax bounds each string, each node's data and each ACL list (jute.maxbuffer and its extra
	// size); 0 takes Java's default.
	BytesMax int
	// SessionsMax bounds the number of sessions, and ACLTableBytesMax what all ACL lists take together: a reader
	// holds both in memory before the first node comes. 0 is no bound, for files that are one's own.
	SessionsMax, ACLTableBytesMax int
}

// ReadSnapshot reads a whole snapshot from r, up to its end. Damage is a *persistence.CorruptionError
// with the offset in the uncompressed file; errors of r and of the visitor are passed on.
func ReadSnapshot(r io.Reader, o ReadOptions, v Visitor) (Trailer, error) {
	if o.BytesMax <= 0 {
		o.BytesMax = 2 * jute.MaxBufferDefault
	}
	s := &reader{o: o, v: v}
	t, err := s.read(r)
	if err != nil {
		return t, s.wrap(err)
	}
	return t, nil
}

// ReadTree reads the tree that a leader sends after SNAP (LearnerHandler, ZKDatabase.serializeSnapshot): what
// is in a snapshot between its header and its seals. It reads no byte behind it, and little at a time, so r
// should have a buffer. Errors are those of ReadSnapshot.
func ReadTree(r io.Reader, o ReadOptions, v Visitor) error {
	if o.BytesMax <= 0 {
		o.BytesMax = 2 * jute.MaxBufferDefault
	}
	s := &reader{o: o, v: v}
	s.w.init(r)
	s.w.exact = true
	if err := s.tree(); err != nil {
		return s.wrap(err)
	}
	return nil
}

// damage is what is wrong with the bytes of a file.
type damage string

func (d damage) Error() string { return string(d) }

// reader is one call of ReadSnapshot.
type reader struct {
	o ReadOptions
	v Visitor
	w window
}

// wrap tells damage, which gets its place, from errors of the input and of the visitor.
func (s *reader) wrap(err error) error {
	var d damage
	var jerr *jute.DecodeError
	switch {
	case errors.As(err, &d):
		err = d
	case errors.As(err, &jerr):
		err = errors.New(jerr.Reason)
	case isCompressionDamage(err):
	default:
		return err
	}
	return &persistence.CorruptionError{Path: s.o.Name, Offset: s.w.offset, Key: "snapshot", Err: err}
}

func (s *reader) read(r io.Reader) (Trailer, error) {
	plain, err := decompress(r)
	if err != nil {
		return Trailer{}, err
	}
	s.w.init(plain)
	s.w.adler = adler32.New()
	if err := s.header(); err != nil {
		return Trailer{}, err
	}
	if err := s.tree(); err != nil {
		return Trailer{}, err
	}
	if err := s.seal(); err != nil {
		return Trailer{}, err
	}
	return s.trailer()
}

// tree reads sessions, ACL lists and nodes.
func (s *reader) tree() error {
	if err := s.sessions(); err != nil {
		return err
	}
	if err := s.acls(); err != nil {
		return err
	}
	return s.nodes()
}

// decode hands the next n bytes to a record's decoder.
func (s *reader) decode(n int, record func(*jute.Decoder)) error {
	b, err := s.w.peek(n)
	if err != nil {
		return err
	}
	d := jute.NewDecoder(b, s.o.BytesMax)
	record(&d)
	if err := d.Err(); err != nil {
		return err
	}
	if d.Remaining() != 0 {
		return damage("a record shorter than its length")
	}
	s.w.take(n)
	return nil
}

func (s *reader) header() error {
	var h jute.FileHeader
	if err := s.decode(jute.FileHeaderBytes, h.Decode); err != nil {
		return err
	}
	if h.Magic != jute.SnapshotMagic {
		return damage(fmt.Sprintf("no snapshot: it begins with %08x", uint32(h.Magic)))
	}
	return nil // Java judges neither version nor dbid
}

// count reads the number of elements of a section.
func (s *reader) count() (n int, err error) {
	err = s.decode(4, func(d *jute.Decoder) { n = int(d.Int32()) })
	return n, err
}

func (s *reader) sessions() error {
	n, err := s.count()
	if err != nil {
		return err
	}
	if s.o.SessionsMax > 0 && n > s.o.SessionsMax {
		return damage(fmt.Sprintf("%d sessions, more than %d", n, s.o.SessionsMax))
	}
	var ses jute.SnapshotSession
	for range n {
		if err := s.decode(SessionBytes, ses.Decode); err != nil {
			return err
		}
		if err := s.v.Session(&ses); err != nil {
			return err
		}
	}
	return nil
}

func (s *reader) acls() error {
	n, err := s.count()
	if err != nil {
		return err
	}
	var a jute.SnapshotACL
	total := 0
	for range n {
		size, err := s.aclBytes()
		if err != nil {
			return err
		}
		if total += size; s.o.ACLTableBytesMax > 0 && total > s.o.ACLTableBytesMax {
			return damage(fmt.Sprintf("ACL lists of more than %d bytes", s.o.ACLTableBytesMax))
		}
		if err := s.decode(size, a.Decode); err != nil {
			return err
		}
		if err := s.v.ACL(&a); err != nil {
			return err
		}
	}
	return nil
}

// aclBytes measures the next entry of the ACL cache.
func (s *reader) aclBytes() (int, error) {
	const idBytes = 8
	n, err := s.w.int32At(idBytes)
	if err != nil {
		return 0, err
	}
	at := idBytes + 4
	for range max(n, 0) {
		at += 4 // permissions
		for range 2 {
			k, err := s.lengthAt(at)
			if err != nil {
				return 0, err
			}
			at += 4 + k
		}
		if at > s.o.BytesMax {
			return 0, damage("unreasonable length of an ACL list")
		}
	}
	return at, nil
}

// lengthAt reads the length of a string or buffer that lies at bytes ahead; a null one is 0 long.
func (s *reader) lengthAt(at int) (int, error) {
	n, err := s.w.int32At(at)
	if err != nil {
		return 0, err
	}
	if n < -1 || n > s.o.BytesMax {
		return 0, damage(fmt.Sprintf("unreasonable length %d", n))
	}
	return max(n, 0), nil
}

func (s *reader) nodes() error {
	var n jute.SnapshotNode
	for first := true; ; first = false {
		size, err := s.nodeBytes()
		if err != nil {
			return err
		}
		end := false
		begin := s.w.offset
		if err := s.decode(size, func(d *jute.Decoder) { end = n.Decode(d) }); err != nil {
			return err
		}
		switch {
		case first != (n.Path == "" && !end):
			s.w.offset = begin
			return damage("the root has to be the first node, and no other")
		case end:
			return nil
		case !first && !validPath(n.Path):
			s.w.offset = begin
			return damage(fmt.Sprintf("no path of a node: %.100q", n.Path))
		}
		if err := s.v.Node(&n); err != nil {
			return err
		}
	}
}

// nodeBytes measures the next node, or the path that ends the nodes.
func (s *reader) nodeBytes() (int, error) {
	path, err := s.lengthAt(0)
	if err != nil {
		return 0, err
	}
	b, err := s.w.peek(4 + path)
	if err != nil {
		return 0, err
	}
	if string(b[4:]) == jute.SnapshotEnd {
		return 4 + path, nil
	}
	data, err := s.lengthAt(4 + path)
	if err != nil {
		return 0, err
	}
	return 4 + path + 4 + data + 8 + jute.StatPersistedBytes, nil
}

// validPath tells whether a path is absolute and each of its names has at least one character.
func validPath(p string) bool {
	return len(p) > 1 && p[0] == '/' && p[len(p)-1] != '/' && !strings.Contains(p, "//") && strings.IndexByte(p, 0) < 0
}

// seal reads a seal and compares its checksum.
func (s *reader) seal() error {
	sum := int64(s.w.adler.Sum32())
	var seal jute.SnapshotSeal
	begin := s.w.offset
	if err := s.decode(jute.SnapshotSealBytes, seal.Decode); err != nil {
		return err
	}
	if seal.Adler32 != sum || seal.Text != jute.SnapshotEnd {
		s.w.offset = begin
		return damage(fmt.Sprintf("the seal has the checksum %08x, the bytes before it have %08x", seal.Adler32, sum))
	}
	return nil
}

// trailer reads the optional sections, and the end of the file.
func (s *reader) trailer() (Trailer, error) {
	const lastZxidBytes = 8
	const digest = jute.SnapshotDigestBytes + jute.SnapshotSealBytes
	const lastZxid = lastZxidBytes + jute.SnapshotSealBytes
	var t Trailer
	left, err := s.w.left(digest + lastZxid + 1)
	if err != nil {
		return t, err
	}
	switch left {
	case 0:
	case lastZxid:
		t.HasLastZxid = true
	case digest:
		t.HasDigest = true
	case digest + lastZxid:
		t.HasDigest, t.HasLastZxid = true, true
	default:
		return t, damage("the end is neither of the sections that may be there")
	}
	if t.HasDigest {
		if err := s.decode(jute.SnapshotDigestBytes, t.Digest.Decode); err != nil {
			return t, err
		}
		if err := s.seal(); err != nil {
			return t, err
		}
	}
	if t.HasLastZxid {
		if err := s.decode(lastZxidBytes, func(d *jute.Decoder) { t.LastZxid = jute.Zxid(d.Int64()) }); err != nil {
			return t, err
		}
		return t, s.seal()
	}
	return t, nil
}
