package persistence

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// StateSnapshot is the state as it was after one Commit, whatever is committed meanwhile. It keeps what
// it shows on the disk, not in memory, so it is not meant to be held for ever. Its methods may be called
// from any goroutine, but Close.
type StateSnapshot struct {
	reads
	snap  *pebble.Snapshot
	state *State
}

// Snapshot fixes the state as the last Commit left it. Nothing waits for it: commits, flushes and
// compactions go on.
func (s *State) Snapshot() (*StateSnapshot, error) {
	if err := s.fail.get(); err != nil {
		return nil, err
	}
	s.shownMu.Lock()
	defer s.shownMu.Unlock()
	s.shown++
	snap := s.db.NewSnapshot()
	return &StateSnapshot{reads: reads{from: snap, dir: s.o.Dir}, snap: snap, state: s}, nil
}

// EachNode calls fn for every node, parents before children, with its record and, where it lies under a
// key of its own, its data, else nil. The slices are valid during the call.
func (s *StateSnapshot) EachNode(fn func(parent, name, rec, data []byte) error) (err error) {
	// Nodes and their data have the same order of keys, so both are walked through once.
	d, err := s.from.NewIter(&pebble.IterOptions{LowerBound: []byte{keyData}, UpperBound: []byte{keyData + 1}})
	if err != nil {
		return readError("", err)
	}
	defer func() {
		if cerr := d.Close(); err == nil && cerr != nil {
			err = readError("", cerr)
		}
	}()
	d.First()
	err = s.forEach(keyNode, func(k, rec []byte) error {
		parent, name, ok := splitPathKey(k)
		if !ok {
			return s.badKey(k)
		}
		var data []byte
		if d.Valid() && bytes.Equal(d.Key()[1:], k[1:]) {
			v, err := d.ValueAndErr()
			if err != nil {
				return readError(fmt.Sprintf("%q", d.Key()), err)
			}
			if data = v; data == nil {
				data = []byte{}
			}
		}
		if err := fn(parent, name, rec, data); err != nil {
			return err
		}
		if data != nil {
			d.Next()
		}
		return nil
	})
	if err == nil {
		err = readError("", d.Error())
	}
	if err == nil && d.Valid() {
		err = &CorruptionError{Path: s.dir, Key: fmt.Sprintf("%q", d.Key()), Err: errors.New("data of a node that is not there")}
	}
	return err
}

// Close lets go of it.
func (s *StateSnapshot) Close() error {
	s.state.shownMu.Lock()
	defer s.state.shownMu.Unlock()
	s.state.shown--
	return s.snap.Close()
}
