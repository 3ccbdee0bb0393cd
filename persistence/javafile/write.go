package javafile

import (
	"fmt"
	"hash"
	"hash/adler32"
	"io"

	"zk/jute"
)

// Source is a tree to be written as a snapshot. Each method is called once, in the order of the file.
type Source interface {
	// Counts are the numbers of sessions and ACL lists, which stand before them.
	Counts() (sessions, acls int)
	EachSession(yield func(*jute.SnapshotSession) error) error
	EachACL(yield func(*jute.SnapshotACL) error) error
	// EachNode yields the root first, with the path "", and parents before their children.
	EachNode(yield func(*jute.SnapshotNode) error) error
	// Trailer is what follows the nodes.
	Trailer() Trailer
}

// Sizes of the parts of a snapshot, in bytes.
const (
	// SessionBytes is what a session takes.
	SessionBytes = 12
	// NodeBytes is what a node takes besides the bytes of its path and of its data.
	NodeBytes = 4 + 4 + 8 + jute.StatPersistedBytes
	// TreeBytes is what a tree takes besides its sessions, ACL lists and nodes: two counts, and the path
	// that ends the nodes.
	TreeBytes = 4 + 4 + 4 + len(jute.SnapshotEnd)
	// fixedBytes are the header, the same, and the first seal.
	fixedBytes = jute.FileHeaderBytes + TreeBytes + jute.SnapshotSealBytes
)

// Size is the size of a snapshot without its sessions, ACL lists and nodes.
func (t *Trailer) Size() int64 {
	n := fixedBytes
	if t.HasDigest {
		n += jute.SnapshotDigestBytes + jute.SnapshotSealBytes
	}
	if t.HasLastZxid {
		n += 8 + jute.SnapshotSealBytes
	}
	return int64(n)
}

// writeBytes is how much is gathered before it goes to the writer.
const writeBytes = 64 << 10

// WriteSnapshot writes a whole snapshot, uncompressed, and gives the number of bytes written. Errors of
// the source and of w are passed on.
func WriteSnapshot(w io.Writer, src Source) (int64, error) {
	s := &writer{w: w, adler: adler32.New()}
	h := jute.FileHeader{Magic: jute.SnapshotMagic, Version: jute.FileVersion, DBID: -1}
	s.buf = h.Append(s.buf)
	err := s.tree(src)
	if err == nil {
		err = s.trailer(src.Trailer())
	}
	return s.written, err
}

// WriteTree writes what a leader sends after SNAP: see ReadTree. It gives the number of bytes written.
func WriteTree(w io.Writer, src Source) (int64, error) {
	s := &writer{w: w}
	err := s.tree(src)
	if err == nil {
		err = s.flush()
	}
	return s.written, err
}

// writer is one call of WriteSnapshot.
type writer struct {
	w       io.Writer
	buf     []byte      // not written yet
	adler   hash.Hash32 // of all before buf; nil without seals
	written int64
}

// tree writes sessions, ACL lists and nodes.
func (s *writer) tree(src Source) error {
	sessions, acls := src.Counts()
	s.buf = jute.AppendInt32(s.buf, int32(sessions))
	n := 0
	err := src.EachSession(func(ses *jute.SnapshotSession) error {
		n++
		s.buf = ses.Append(s.buf)
		return s.flushFull()
	})
	if err == nil {
		err = announced("sessions", sessions, n)
	}
	if err != nil {
		return err
	}
	s.buf = jute.AppendInt32(s.buf, int32(acls))
	n = 0
	err = src.EachACL(func(a *jute.SnapshotACL) error {
		n++
		s.buf = a.Append(s.buf)
		return s.flushFull()
	})
	if err == nil {
		err = announced("ACL lists", acls, n)
	}
	if err != nil {
		return err
	}
	err = src.EachNode(func(n *jute.SnapshotNode) error {
		s.buf = n.Append(s.buf)
		return s.flushFull()
	})
	if err != nil {
		return err
	}
	s.buf = jute.AppendString(s.buf, jute.SnapshotEnd)
	return nil
}

func announced(what string, want, got int) error {
	if want != got {
		return fmt.Errorf("javafile: write snapshot: %d %s announced, %d came", want, what, got)
	}
	return nil
}

func (s *writer) trailer(t Trailer) error {
	if err := s.seal(); err != nil {
		return err
	}
	if t.HasDigest {
		s.buf = t.Digest.Append(s.buf)
		if err := s.seal(); err != nil {
			return err
		}
	}
	if t.HasLastZxid {
		s.buf = jute.AppendInt64(s.buf, int64(t.LastZxid))
		if err := s.seal(); err != nil {
			return err
		}
	}
	return s.flush()
}

// seal appends a seal over all that was written.
func (s *writer) seal() error {
	if err := s.flush(); err != nil {
		return err
	}
	seal := jute.SnapshotSeal{Adler32: int64(s.adler.Sum32()), Text: jute.SnapshotEnd}
	s.buf = seal.Append(s.buf)
	return nil
}

func (s *writer) flushFull() error {
	if len(s.buf) < writeBytes {
		return nil
	}
	return s.flush()
}

func (s *writer) flush() error {
	if s.adler != nil {
		_, _ = s.adler.Write(s.buf) // never fails
	}
	n, err := s.w.Write(s.buf)
	s.written += int64(n)
	s.buf = s.buf[:0]
	return err
}
