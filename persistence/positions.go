package persistence

import (
	"sort"

	"github.com/cockroachdb/pebble/v2"

	"zk/jute"
)

// What a leader asks its log to choose between DIFF, TRUNC and SNAP for a learner (Java:
// LearnerHandler.syncFollower, which asks a list of the last 500 transactions).

// Floor is the greatest durable entry up to z, or CompleteFrom when there is none in between. ok is false for
// a z below CompleteFrom, of which this log knows nothing; at is CompleteFrom then.
func (l *Log) Floor(z jute.Zxid) (at jute.Zxid, ok bool, err error) {
	it, err := l.history.iterator(func() (*pebble.Iterator, error) {
		if at = jute.Zxid(l.lastLogged.Load()); z >= at {
			ok = true
			return nil, nil
		}
		if at = l.history.completeFromLocked(); z <= at {
			ok = z == at
			return nil, nil
		}
		return l.db.NewIter(&pebble.IterOptions{LowerBound: entryKey(at + 1), UpperBound: entryKey(z + 1)})
	})
	if err != nil || it == nil {
		return at, ok, err
	}
	if it.Last() {
		at, _ = entryZxid(it.Key())
	}
	err = it.Error()
	if cerr := it.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return at, false, readError(z.String(), err)
	}
	return at, true, nil
}

// BytesAfter is about how many bytes of durable entries follow z; more rather than less.
func (l *Log) BytesAfter(z jute.Zxid) (bytes int64) {
	h := &l.history
	h.mu.Lock()
	defer h.mu.Unlock()
	n := sort.Search(len(h.segs), func(i int) bool { return h.segs[i].first > z })
	for _, s := range h.segs[n:] {
		bytes += s.bytes
	}
	if n == 0 || z >= jute.Zxid(l.lastLogged.Load()) {
		return bytes
	}
	s := h.segs[n-1]
	if s.first.Epoch() != z.Epoch() {
		return bytes + s.bytes
	}
	before := min(int64(z-s.first)+1, s.txns)
	return bytes + s.bytes - s.bytes/max(s.txns, 1)*before
}
