package persistence

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"zk/jute"
)

// emptiedShare times the size of a memtable is how much has to lie under a node to be dropped as a whole. Less isn't
// worth the synced step that this takes.
const emptiedShare = 4

// Emptied tells that there is no node under path as of the last Commit. What the store still has of earlier ones is of no
// use then, but would only go when it is next merged with the deletes: if it is much, it is dropped at once, the deletes
// with it. The disk has its room again, and nothing of it is merged any more. Nobody may commit meanwhile.
func (s *State) Emptied(path string) error {
	if s.filling() {
		return nil
	}
	spans, size, err := s.spansUnder(path)
	if err != nil || size < uint64(emptiedShare*s.o.MemtableBytes) {
		return err
	}
	s.shownMu.Lock()
	defer s.shownMu.Unlock()
	if s.shown > 0 {
		return nil // snapshots, unlike iterators, would lose it
	}
	// What is dropped is gone for good at once, so the deletes must be there for good before. (Pebble flushes what it
	// meets in memory by itself; this is not left to it.)
	if s.DurableApplied() < s.Applied() {
		if err := s.Flush(); err != nil {
			return err
		}
	}
	for _, span := range spans {
		err := s.fail.unlessFailed(func() error { return s.db.Excise(context.Background(), span) })
		if err != nil {
			err = fmt.Errorf("persistence: drop what was under %s at %v: %w", path, jute.Zxid(s.Applied()), err)
			if !errors.Is(err, ErrClosed) {
				s.fail.fail(err)
			}
			return err
		}
	}
	return nil
}

// spansUnder are the ranges of keys of records and data of what lies under path, without those that are empty, and about
// what they take on the disk.
func (s *State) spansUnder(path string) (spans []pebble.KeyRange, size uint64, err error) {
	for _, kind := range []byte{keyNode, keyData} {
		for _, separator := range []byte{0, '/'} { // children, and what is below them
			start := append(append([]byte{kind}, path...), separator)
			span := pebble.KeyRange{Start: start, End: keyAfter(start)}
			n, err := s.db.EstimateDiskUsage(span.Start, span.End)
			if err != nil {
				return nil, 0, readError(path, err)
			}
			if n > 0 {
				spans = append(spans, span)
				size += n
			}
		}
	}
	return spans, size, nil
}
