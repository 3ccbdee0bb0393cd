package persistence

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"zk/jute"
)

// ErrNotHere answers a Truncate to a zxid that this log can't be cut at: it is not exactly an entry (or
// CompleteFrom), or what would be dropped is part of the tree already. Nothing was changed. A learner then
// asks for a SNAP.
var ErrNotHere = errors.New("persistence: the log can't be cut there")

// Truncate drops every entry after z (Java: FileTxnLog.truncate, for a leader's TRUNC). When it returns that
// is durable, and no crash brings one of them back; a crash before leaves them all. The owner of Append
// calls it, not from onDurable. applied is what the tree in memory has; z below it, or below what the state
// on the disk has, is ErrNotHere, as is a z that is neither an entry nor CompleteFrom: Java would keep one
// entry too many then. Cursors end with ErrCut.
//
// It is one step, as a purge is: Excise takes whole tables, and the ends of others, out of the manifest in
// one synced record. All that is in memtables and in the WAL becomes tables before, so that a later start
// has no entry to replay that was dropped, and no durable mark (checkWAL) that speaks of one. A step that
// fails is the log's failure: what is on the disk is then not known until the next start.
func (l *Log) Truncate(z jute.Zxid, applied Applied) error {
	if err := l.pipe.drain(); err != nil {
		return err
	}
	if l.applied != nil {
		applied = max(applied, l.applied())
	}
	h := &l.history
	h.purgeMu.Lock()
	defer h.purgeMu.Unlock()
	if err := l.cuttable(z, applied); err != nil {
		return err
	}
	if z == jute.Zxid(l.lastLogged.Load()) {
		return nil
	}
	err := l.fail.unlessFailed(func() error {
		if err := l.db.Flush(); err != nil {
			return err
		}
		h.truncate(z, func() { l.lastLogged.Store(int64(z)) })
		return l.db.Excise(context.Background(), pebble.KeyRange{Start: entryKey(z + 1), End: []byte{keyEntry + 1}})
	})
	if err != nil {
		err = fmt.Errorf("persistence: cut the log after %v: %w", z, err)
		l.fail.fail(err)
		return err
	}
	l.pipe.restart(z)
	return nil
}

// cuttable tells whether the log can end with z; purgeMu is held.
func (l *Log) cuttable(z jute.Zxid, applied Applied) error {
	last, complete := jute.Zxid(l.lastLogged.Load()), l.CompleteFrom()
	switch {
	case z > last:
		return fmt.Errorf("%w: %v, it ends with %v", ErrNotHere, z, last)
	case z < complete:
		return fmt.Errorf("%w: %v, it begins with %v", ErrNotHere, z, complete)
	case z < jute.Zxid(applied):
		return fmt.Errorf("%w: %v, the tree has all up to %v", ErrNotHere, z, jute.Zxid(applied))
	case z == complete, z == last:
		return nil
	}
	_, closer, err := l.db.Get(entryKey(z))
	if errors.Is(err, pebble.ErrNotFound) {
		return fmt.Errorf("%w: %v is no entry", ErrNotHere, z)
	}
	if err != nil {
		return readError(z.String(), err)
	}
	return closer.Close()
}

// truncate forgets what is after z; lower is called in the same step.
func (h *history) truncate(z jute.Zxid, lower func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.era++
	lower()
	if h.begin > z {
		h.begin, h.segs = 0, nil
		return
	}
	n := len(h.segs)
	for n > 0 && h.segs[n-1].first > z {
		n--
	}
	if h.segs = h.segs[:n]; n == 0 {
		return
	}
	s := &h.segs[n-1]
	if s.first.Epoch() == z.Epoch() {
		if left := int64(z-s.first) + 1; left < s.txns {
			s.bytes = s.bytes / s.txns * left
			s.txns = left
		}
	}
}
