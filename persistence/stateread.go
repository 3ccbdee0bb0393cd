package persistence

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"zk/jute"
)

// reads are what a State and a StateSnapshot can be asked alike.
type reads struct {
	from pebble.Reader
	dir  string // of the store
}

// GetNode reads a node's record into buf, which grows as needed; rec is its memory. Root is "/".
func (s *reads) GetNode(path string, buf []byte) (rec []byte, ok bool, err error) {
	return s.getPath(keyNode, path, buf)
}

// GetData reads a node's data that is kept under its own key, likewise.
func (s *reads) GetData(path string, buf []byte) (data []byte, ok bool, err error) {
	return s.getPath(keyData, path, buf)
}

func (s *reads) getPath(kind byte, path string, buf []byte) ([]byte, bool, error) {
	key := appendPathKey(make([]byte, 0, 128), kind, path)
	v, closer, err := s.from.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return buf[:0], false, nil
	}
	if err != nil {
		return nil, false, readError(path, err)
	}
	buf = append(buf[:0], v...)
	if err := closer.Close(); err != nil {
		return nil, false, readError(path, err)
	}
	return buf, true, nil
}

// Cursor is a place in the key order of ScanNodes; nil is the beginning. It may be kept and copied.
type Cursor []byte

// ScanNodes calls fn for at most limit nodes after the cursor, parents before children, siblings
// together in name order; the slices are valid during the call. The root comes first with parent ""
// and name "". more tells whether there may be nodes after next. Each call sees the newest commits.
func (s *reads) ScanNodes(after Cursor, limit int, fn func(parent, name, rec []byte) error) (next Cursor, more bool, err error) {
	lower := []byte{keyNode}
	if after != nil {
		lower = append(append([]byte(nil), after...), 0) // the smallest key greater than after
	}
	var last []byte
	more, err = s.scan(lower, []byte{keyNode + 1}, limit, func(k, v []byte) error {
		parent, name, ok := splitPathKey(k)
		if !ok {
			return s.badKey(k)
		}
		if err := fn(parent, name, v); err != nil {
			return err
		}
		last = append(last[:0], k...)
		return nil
	})
	if last == nil {
		return after, more, err
	}
	return last, more, err
}

// ScanChildren calls fn for at most limit children of parent with names greater than afterName ("":
// from the first), in byte order of the names.
func (s *reads) ScanChildren(parent, afterName string, limit int, fn func(name, rec []byte) error) (more bool, err error) {
	prefix := appendChildrenKey(make([]byte, 0, 128), parent)
	lower := append([]byte(nil), prefix...)
	if afterName != "" {
		lower = append(append(lower, afterName...), 0)
	}
	return s.scan(lower, keyAfter(prefix), limit, func(k, v []byte) error {
		return fn(k[len(prefix):], v)
	})
}

// ForEachSession calls fn for every session in the order of ids.
func (s *reads) ForEachSession(fn func(id jute.SessionID, timeoutMillis int32) error) error {
	return s.forEach(keySession, func(k, v []byte) error {
		if len(k) != 9 || len(v) != 4 {
			return s.badKey(k)
		}
		return fn(jute.SessionID(binary.BigEndian.Uint64(k[1:])), int32(binary.BigEndian.Uint32(v)))
	})
}

// ForEachEphemeral calls fn for every ephemeral, in the order of session ids, then paths. path is valid
// during the call.
func (s *reads) ForEachEphemeral(fn func(id jute.SessionID, path []byte) error) error {
	return s.forEach(keyEphemeral, func(k, _ []byte) error {
		if len(k) < 10 {
			return s.badKey(k)
		}
		return fn(jute.SessionID(binary.BigEndian.Uint64(k[1:])), k[9:])
	})
}

// ForEachCandidate calls fn for every container and TTL node; the slices are valid during the call.
func (s *reads) ForEachCandidate(fn func(path, rec []byte) error) error {
	return s.forEach(keyCandidate, func(k, v []byte) error { return fn(k[1:], v) })
}

// ForEachACL calls fn for every ACL list, in the order of ids; rec is valid during the call.
func (s *reads) ForEachACL(fn func(id int64, rec []byte) error) error {
	return s.forEach(keyACL, func(k, v []byte) error {
		if len(k) != 9 {
			return s.badKey(k)
		}
		return fn(int64(binary.BigEndian.Uint64(k[1:])), v)
	})
}

func (s *reads) forEach(kind byte, fn func(k, v []byte) error) error {
	_, err := s.scan([]byte{kind}, []byte{kind + 1}, -1, fn)
	return err
}

// scan calls fn for the keys from lower up to upper, at most limit of them (negative: all).
func (s *reads) scan(lower, upper []byte, limit int, fn func(k, v []byte) error) (more bool, err error) {
	it, err := s.from.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return false, readError("", err)
	}
	defer func() {
		if cerr := it.Close(); err == nil && cerr != nil {
			err = readError("", cerr)
		}
	}()
	for it.First(); it.Valid(); it.Next() {
		if limit == 0 {
			return true, nil
		}
		limit--
		v, err := it.ValueAndErr()
		if err != nil {
			return false, readError(fmt.Sprintf("%q", it.Key()), err)
		}
		if err := fn(it.Key(), v); err != nil {
			return false, err
		}
	}
	if err := it.Error(); err != nil {
		return false, readError("", err)
	}
	return false, nil
}

func (s *reads) badKey(k []byte) error {
	return &CorruptionError{Path: s.dir, Key: fmt.Sprintf("%q", k), Err: errors.New("no key of this store")}
}

// Meta reads a meta value; ok is false when there is none.
func (s *reads) Meta(name string) (value []byte, ok bool, err error) { return getMeta(s.from, name) }
