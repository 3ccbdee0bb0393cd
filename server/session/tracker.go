package session

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"zk/jute"
)

// Session is one tracked session. Its methods may be called from any goroutine.
type Session struct {
	id jute.SessionID // immutable

	timeout  atomic.Int32 // milliseconds
	deadline atomic.Int64 // instant of the last touch plus the timeout
	closing  atomic.Bool
	told     atomic.Int64 // the deadline at the last TakeTouch
	owner    atomic.Pointer[any]

	// Guarded by Tracker.mu.
	bucketAt  int64 // the bucket it sits in, never later than it expires
	bucketPos int   // its place in that bucket, none when it is in no bucket
	allPos    int   // its place in Tracker.all
}

// none is the bucketPos of a session whose expiry isn't watched any more.
const none = -1

// ID is the session's id.
func (s *Session) ID() jute.SessionID { return s.id }

// TimeoutMillis is the timeout negotiated last.
func (s *Session) TimeoutMillis() int32 { return s.timeout.Load() }

// Touch puts the expiry off to now plus the timeout: one atomic store. It reports false, and does
// nothing, when the session is closing.
func (s *Session) Touch(now int64) bool {
	if s.closing.Load() {
		return false
	}
	s.deadline.Store(now + int64(s.timeout.Load()))
	return true
}

// TakeTouch reports whether the session was touched since the last call.
func (s *Session) TakeTouch() bool {
	deadline := s.deadline.Load()
	return s.told.Swap(deadline) != deadline
}

// SetClosing marks the session closing: no more requests (SessionExpired), no touches; Expire won't
// return it any more. It reports whether this call did it.
func (s *Session) SetClosing() bool { return s.closing.CompareAndSwap(false, true) }

// IsClosing reports whether the session is closing or has been removed.
func (s *Session) IsClosing() bool { return s.closing.Load() }

// SwapOwner makes owner, a pointer to a connection, the session's owner and returns the one
// before, nil if none: at a renewal the caller closes that one.
func (s *Session) SwapOwner(owner any) (old any) {
	if p := s.owner.Swap(&owner); p != nil {
		return *p
	}
	return nil
}

// CheckOwner reports whether owner is the session's owner; a session without owner takes it (as
// Java's checkSession). False means the session has moved.
func (s *Session) CheckOwner(owner any) bool {
	for {
		p := s.owner.Load()
		if p != nil {
			return *p == owner
		}
		taken := owner // a copy, so that only this rare case allocates
		if s.owner.CompareAndSwap(nil, &taken) {
			return true
		}
	}
}

// ReleaseOwner clears the owner if it is still the given one, so that a closed connection can be freed.
func (s *Session) ReleaseOwner(owner any) {
	if p := s.owner.Load(); p != nil && *p == owner {
		s.owner.CompareAndSwap(p, nil)
	}
}

// Owner is the owner, nil if none.
func (s *Session) Owner() any {
	if p := s.owner.Load(); p != nil {
		return *p
	}
	return nil
}

// Tracker holds the sessions of a server and their expiry times. Methods may be called from any
// goroutine.
//
// Expiry works on buckets: a session touched at time t expires at the end of the tick in which
// t + timeout falls, so between timeout and timeout + tick after its last touch (Java: ExpiryQueue).
// Java moves a session to another bucket at every touch; here it stays where it is until that bucket is
// due, and is then expired or put into the right one. Only a shorter timeout moves it at once.
type Tracker struct {
	tick  int64 // milliseconds; immutable
	count atomic.Int64

	mu      sync.RWMutex
	byID    map[jute.SessionID]*Session
	all     []*Session // the same sessions in one array, for walks that let go of mu
	buckets map[int64][]*Session
}

// NewTracker makes an empty tracker; tickMillis (tickTime) is the width of the expiry buckets and must
// be positive.
func NewTracker(tickMillis int64) *Tracker {
	if tickMillis <= 0 {
		panic("session: tick must be positive")
	}
	return &Tracker{
		tick:    tickMillis,
		byID:    make(map[jute.SessionID]*Session),
		buckets: make(map[int64][]*Session),
	}
}

// Add tracks a session from now on, with its full timeout. When the id is tracked already (replay, or
// apply after prep) that session is touched and returned, its timeout unchanged.
func (t *Tracker) Add(id jute.SessionID, timeoutMillis int32, now int64) *Session {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.byID[id]; s != nil {
		s.Touch(now)
		return s
	}
	s := &Session{id: id, allPos: len(t.all)}
	s.timeout.Store(timeoutMillis)
	s.deadline.Store(now + int64(timeoutMillis))
	t.byID[id] = s
	t.all = append(t.all, s)
	t.count.Store(int64(len(t.all)))
	t.enter(s)
	return s
}

// Get finds a session, nil when it is not tracked.
func (t *Tracker) Get(id jute.SessionID) *Session {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.byID[id]
}

// SetTimeout gives the session a newly negotiated timeout (renewal) and touches it.
func (t *Tracker) SetTimeout(s *Session, timeoutMillis int32, now int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.timeout.Store(timeoutMillis)
	s.Touch(now)
	if s.bucketPos != none && t.expiry(s) < s.bucketAt {
		t.leave(s)
		t.enter(s)
	}
}

// Remove forgets a session: its closeSession was applied. It returns the session, marked closing, or nil.
func (t *Tracker) Remove(id jute.SessionID) *Session {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.byID[id]
	if s == nil {
		return nil
	}
	s.closing.Store(true)
	delete(t.byID, id)
	t.leave(s)
	last := t.all[len(t.all)-1]
	t.all[s.allPos], last.allPos = last, s.allPos
	t.all[len(t.all)-1] = nil
	t.all = t.all[:len(t.all)-1]
	t.count.Store(int64(len(t.all)))
	return s
}

// Replace makes the tracked sessions those of a table (id: timeout in milliseconds). A session in both
// goes on as it is, with its connection and its timeout; a new one has its full timeout from now on. The
// others are marked closing and returned.
func (t *Tracker) Replace(table map[jute.SessionID]int32, now int64) (gone []*Session) {
	t.mu.RLock()
	for id, s := range t.byID {
		if _, stays := table[id]; !stays {
			gone = append(gone, s)
		}
	}
	t.mu.RUnlock()
	for _, s := range gone {
		t.Remove(s.id)
	}
	for id, timeoutMillis := range table {
		t.Add(id, timeoutMillis, now)
	}
	return gone
}

// Reset makes the tracked sessions those of a table (id: timeout in milliseconds), each with its full timeout
// from now on and without an owner, as when nobody was served before.
func (t *Tracker) Reset(table map[jute.SessionID]int32, now int64) {
	t.mu.Lock()
	for _, s := range t.all {
		s.closing.Store(true)
	}
	clear(t.byID)
	clear(t.buckets)
	t.all = nil
	t.count.Store(0)
	t.mu.Unlock()
	for id, timeoutMillis := range table {
		t.Add(id, timeoutMillis, now)
	}
}

// Expire marks every session closing whose time has come and returns their ids, each only once in the
// session's life.
func (t *Tracker) Expire(now int64) []jute.SessionID {
	var due []jute.SessionID
	for more := true; more; {
		due, more = t.expireStep(now, due)
	}
	return due
}

// expireStep looks at a bounded number of sessions under one hold of the mutex, in the order of their
// buckets; more is false when no due bucket is left.
func (t *Tracker) expireStep(now int64, due []jute.SessionID) (_ []jute.SessionID, more bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	left := walkStep
	for _, at := range t.instants() {
		if at > now {
			break
		}
		for b := t.buckets[at]; len(b) > 0; b = t.buckets[at] {
			if left--; left < 0 {
				return due, true
			}
			s := b[len(b)-1]
			t.leave(s)
			switch {
			case s.IsClosing():
				// Out of the buckets for good; it stays tracked until its closeSession is applied.
			case t.expiry(s) > now:
				t.enter(s)
			case s.SetClosing():
				due = append(due, s.id)
			}
		}
	}
	return due, false
}

// NextExpiry is the earliest instant at which Expire may have something to do; ok is false when there
// is none.
func (t *Tracker) NextExpiry() (at int64, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	at = math.MaxInt64
	for b := range t.buckets {
		at = min(at, b)
	}
	return at, len(t.buckets) > 0
}

// instants are the buckets' instants in order. There are about as many as ticks in the longest timeout.
// Called with mu held.
func (t *Tracker) instants() []int64 {
	list := make([]int64, 0, len(t.buckets))
	for at := range t.buckets {
		list = append(list, at)
	}
	slices.Sort(list)
	return list
}

// expiry is the instant at which a session expires unless it is touched again.
func (t *Tracker) expiry(s *Session) int64 {
	return (s.deadline.Load()/t.tick + 1) * t.tick
}

// enter puts a session into the bucket in which it expires. Called with mu held.
func (t *Tracker) enter(s *Session) {
	at := t.expiry(s)
	s.bucketAt, s.bucketPos = at, len(t.buckets[at])
	t.buckets[at] = append(t.buckets[at], s)
}

// leave takes a session out of its bucket, if it is in one. Called with mu held.
func (t *Tracker) leave(s *Session) {
	if s.bucketPos == none {
		return
	}
	b := t.buckets[s.bucketAt]
	last := b[len(b)-1]
	b[s.bucketPos], last.bucketPos = last, s.bucketPos
	b[len(b)-1] = nil
	if b = b[:len(b)-1]; len(b) == 0 {
		delete(t.buckets, s.bucketAt)
	} else {
		t.buckets[s.bucketAt] = b
	}
	s.bucketPos = none
}
