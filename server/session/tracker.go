package session

import "zk/jute"

// Session is one tracked session. Its methods may be called from any goroutine.
type Session struct{ id jute.SessionID }

// ID is the session's id.
func (s *Session) ID() jute.SessionID { return s.id }

// TimeoutMillis is the timeout negotiated last.
func (s *Session) TimeoutMillis() int32 { panic("session: not written yet") }

// Touch puts the expiry off to now plus the timeout: one atomic store. It reports false, and does
// nothing, when the session is closing.
func (s *Session) Touch(now int64) bool { panic("session: not written yet") }

// SetClosing marks the session closing: no more requests (SessionExpired), no touches; Expire won't
// return it any more. It reports whether this call did it.
func (s *Session) SetClosing() bool { panic("session: not written yet") }

// IsClosing reports whether the session is closing or has been removed.
func (s *Session) IsClosing() bool { panic("session: not written yet") }

// SwapOwner makes owner, a pointer to a connection, the session's owner and returns the one
// before, nil if none: at a renewal the caller closes that one.
func (s *Session) SwapOwner(owner any) (old any) { panic("session: not written yet") }

// CheckOwner reports whether owner is the session's owner; a session without owner takes it (as
// Java's checkSession). False means the session has moved.
func (s *Session) CheckOwner(owner any) bool { panic("session: not written yet") }

// ReleaseOwner clears the owner if it is still the given one, so that a closed connection can be freed.
func (s *Session) ReleaseOwner(owner any) { panic("session: not written yet") }

// Owner is the owner, nil if none.
func (s *Session) Owner() any { panic("session: not written yet") }

// Tracker holds the sessions of a server and their expiry times. Methods may be called from any
// goroutine.
type Tracker struct{}

// NewTracker makes an empty tracker; tickMillis (tickTime) is the width of the expiry buckets and must
// be positive.
func NewTracker(tickMillis int64) *Tracker { panic("session: not written yet") }

// Add tracks a session from now on, with its full timeout. When the id is tracked already (replay, or
// apply after prep) that session is touched and returned, its timeout unchanged.
func (t *Tracker) Add(id jute.SessionID, timeoutMillis int32, now int64) *Session {
	panic("session: not written yet")
}

// Get finds a session, nil when it is not tracked.
func (t *Tracker) Get(id jute.SessionID) *Session { panic("session: not written yet") }

// SetTimeout gives the session a newly negotiated timeout (renewal) and touches it.
func (t *Tracker) SetTimeout(s *Session, timeoutMillis int32, now int64) {
	panic("session: not written yet")
}

// Remove forgets a session: its closeSession was applied. It returns the session, marked closing, or nil.
func (t *Tracker) Remove(id jute.SessionID) *Session { panic("session: not written yet") }

// Expire marks every session closing whose time has come and returns their ids, each only once in the
// session's life.
func (t *Tracker) Expire(now int64) []jute.SessionID { panic("session: not written yet") }

// NextExpiry is the earliest instant at which Expire may have something to do; ok is false when there
// is none.
func (t *Tracker) NextExpiry() (at int64, ok bool) { panic("session: not written yet") }

// Count is the number of tracked sessions, closing ones included.
func (t *Tracker) Count() int { panic("session: not written yet") }

// ForEach calls f for every tracked session in no particular order, without a lock held. Sessions
// added meanwhile may be missed.
func (t *Tracker) ForEach(f func(*Session)) { panic("session: not written yet") }

// Bucket is the sessions that expire at one instant.
type Bucket struct {
	At  int64 // instant in milliseconds of the tracker's clock
	IDs []jute.SessionID
}

// Buckets lists the sessions by expiry instant, earliest first, ids ascending: the sessions part of dump.
func (t *Tracker) Buckets() []Bucket { panic("session: not written yet") }
