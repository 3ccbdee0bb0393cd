package session

import (
	"slices"

	"zk/jute"
)

// walkStep bounds the sessions copied under one hold of the mutex: apply waits for it too.
const walkStep = 1024

// Count is the number of tracked sessions, closing ones included. It takes no lock.
func (t *Tracker) Count() int { return int(t.count.Load()) }

// ForEach calls f once for every tracked session in no particular order, without a lock held. Sessions
// added meanwhile may be missed.
func (t *Tracker) ForEach(f func(*Session)) {
	// From the end down: a removal moves the last session into the hole, so one may come twice, but
	// none that stays is missed.
	seen := make(map[*Session]struct{}, t.Count())
	step := make([]*Session, 0, min(walkStep, t.Count()))
	for end := -1; end != 0; {
		t.mu.RLock()
		if end < 0 || end > len(t.all) {
			end = len(t.all)
		}
		start := max(0, end-walkStep)
		step = append(step[:0], t.all[start:end]...)
		t.mu.RUnlock()
		end = start
		for _, s := range step {
			if _, twice := seen[s]; !twice {
				seen[s] = struct{}{}
				f(s)
			}
		}
	}
}

// Bucket is the sessions that expire at one instant.
type Bucket struct {
	At  int64 // instant in milliseconds of the tracker's clock
	IDs []jute.SessionID
}

// Buckets lists the sessions by expiry instant, earliest first, ids ascending: the sessions part of
// dump. Closing sessions that expired are not in it, as in Java.
func (t *Tracker) Buckets() []Bucket {
	byInstant := make(map[int64]*Bucket)
	t.ForEach(func(s *Session) {
		if s.IsClosing() {
			return
		}
		at := t.expiry(s)
		b := byInstant[at]
		if b == nil {
			b = &Bucket{At: at}
			byInstant[at] = b
		}
		b.IDs = append(b.IDs, s.id)
	})
	list := make([]Bucket, 0, len(byInstant))
	for _, b := range byInstant {
		slices.Sort(b.IDs)
		list = append(list, *b)
	}
	slices.SortFunc(list, func(a, b Bucket) int { return int(min(1, max(-1, a.At-b.At))) })
	return list
}
