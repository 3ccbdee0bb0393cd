package quorum

import (
	"time"

	"zk/jute"
)

// Phase is how far a server has come with its leader (Java: QuorumPeer.ZabState).
type Phase int32

// The phases.
const (
	Election Phase = iota
	Discovery
	Synchronization
	Broadcast
)

func (p Phase) String() string {
	return [...]string{"election", "discovery", "synchronization", "broadcast"}[p]
}

// Status is what a peer tells of itself. It is a copy.
type Status struct {
	Role  Role
	Phase Phase
	// Leader and Epoch are those of the term, Epoch 0 before it is settled; both 0 while looking.
	Leader jute.ServerID
	Epoch  int64
	// QuorumSize is the number of voters.
	QuorumSize int
	// Election is how long the last one took.
	Election time.Duration
	// LookingSince is when the present election began, zero in a term.
	LookingSince time.Time
	// Since is when the term was established, zero before.
	Since time.Time
	// Aside: this server stays out of its ensemble, as its disks lack room (Peer.SetRoom).
	Aside bool

	// What follows is a leader's.

	Learners []LearnerStatus
	// Proposed and Committed are its marks.
	Proposed, Committed jute.Zxid
	// Pending are the proposals that are not applied yet, with their bytes.
	Pending      int
	PendingBytes int64
	// PendingSyncs are sync requests that wait for a commit.
	PendingSyncs int
	// Snapshots and Diffs are the transfers of history under way.
	Snapshots, Diffs int
}

// LearnerStatus is a learner as its leader sees it.
type LearnerStatus struct {
	SID  jute.ServerID
	Link uint64
	// Addr is where its connection comes from.
	Addr string
	// Observer as it says; Voter if its acks count.
	Observer, Voter bool
	// Synced: it has the history, and was told so.
	Synced bool
	// Acked is the last proposal it has acknowledged.
	Acked jute.Zxid
	// Since is when it connected.
	Since time.Time
}

// SyncedFollowers, SyncedNonVoting and SyncedObservers count learners that serve
// (Leader.getForwardingFollowers and the like).
func (s *Status) SyncedFollowers() int {
	return s.count(func(l *LearnerStatus) bool { return !l.Observer && l.Voter })
}

// SyncedNonVoting counts followers that are no voters of the configuration.
func (s *Status) SyncedNonVoting() int {
	return s.count(func(l *LearnerStatus) bool { return !l.Observer && !l.Voter })
}

// SyncedObservers counts observers.
func (s *Status) SyncedObservers() int {
	return s.count(func(l *LearnerStatus) bool { return l.Observer })
}

func (s *Status) count(fits func(*LearnerStatus) bool) (n int) {
	for i := range s.Learners {
		if l := &s.Learners[i]; l.Synced && fits(l) {
			n++
		}
	}
	return n
}

// Status tells how the peer is.
func (p *Peer) Status() Status {
	p.mu.Lock()
	t := p.term
	s := Status{QuorumSize: len(p.o.Config.Voters()), Election: p.elected, Aside: p.aside.Load()}
	if t == nil {
		s.LookingSince = p.looking
	}
	p.mu.Unlock()
	if t != nil {
		s.Role, s.Leader, s.Epoch, s.Phase = t.Role(), t.Leader(), t.Epoch(), Discovery
		t.status(&s)
	}
	return s
}

func (t *learnerTerm) status(s *Status) {
	s.Since = unixMilli(t.since.Load())
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.core.Established():
		s.Phase = Broadcast
	case t.core.Mode() != 0:
		s.Phase = Synchronization
	}
}

func (t *leaderTerm) status(s *Status) {
	s.Since = unixMilli(t.since.Load())
	s.Snapshots, s.Diffs = int(t.snaps.Load()), int(t.diffs.Load())
	s.Pending, s.PendingBytes = t.apply.pending()
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.core.Marks()
	s.Proposed, s.Committed = m.Proposed, m.Committed
	s.PendingSyncs = t.core.PendingSyncs()
	switch {
	case t.core.Established():
		s.Phase = Broadcast
	case s.Epoch != 0:
		s.Phase = Synchronization
	}
	for _, l := range t.core.Learners() {
		link := t.links[l.Link]
		if link == nil {
			continue
		}
		s.Learners = append(s.Learners, LearnerStatus{
			SID: l.SID, Link: uint64(l.Link), Addr: link.conn.RemoteAddr().String(), Observer: l.Observer, Voter: l.Voter,
			Synced: l.UpToDate, Acked: l.Acked, Since: link.since,
		})
	}
}

func unixMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
