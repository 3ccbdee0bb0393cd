package quorum

import (
	"context"
	"errors"
	"time"

	"zk/jute"
)

// Room is what a server's disks have room for. A server below its mark leaves its ensemble: a leader ends its
// term, so that another can lead; a learner ends its own, and its clients go to other servers; neither votes, nor
// answers those who do, as if it were down. So nobody needs to know why, Java's servers neither. What
// follows from that when many are short of room:
//
//   - A voter leaves only as long as the others are a quorum without it, which it asks them: an election
//     with the zxid -1 tells if there is a leader, and counts for nobody. When there has been none for
//     SyncLimit ticks, it takes part all the same. What it leads then takes no writes, but serves reads and
//     sessions (StateMachine sees to that); what it follows may.
//   - A leader without room goes when it learns that others have some: only servers that do forward writes
//     (others refuse them at once). With writes from a quorum of the other voters it goes at once, with fewer
//     it tries now and then.
//   - With RoomNone a server stays out in any case.
type Room int32

const (
	// RoomEnough is the ordinary case.
	RoomEnough Room = iota
	// RoomLow: no new writes.
	RoomLow
	// RoomNone: nothing at all.
	RoomNone
)

func (r Room) String() string { return [...]string{"enough", "low", "none"}[r] }

// retryFactor times the wait for the others' leader is how often a leader without room tries if the others can do
// without it.
const retryFactor = 30

var (
	errNoRoom   = errors.New("quorum: the disks of this server have no room for writes")
	errReplaced = errors.New("quorum: the disks of this server have no room for writes, and those of others have")
)

// SetRoom says what the disks have room for from now on. It doesn't wait. It reports if a term is under way that
// goes on: the server has to see to it then that it takes no writes without room.
func (p *Peer) SetRoom(r Room) (serving bool) {
	p.mu.Lock()
	before, t := p.room, p.term
	if r != before {
		p.room = r
		p.low.Store(r != RoomEnough)
		close(p.roomChanged)
		p.roomChanged = make(chan struct{})
	}
	p.mu.Unlock()
	switch {
	case t == nil:
		return false
	case r == RoomEnough || r == RoomLow && (before != RoomEnough || p.indispensable() || t.needed()):
		return true
	}
	p.leave(t, errNoRoom)
	return false
}

// leave ends a term of a server without room. Its vote for its leader is withdrawn before: others that look for a
// new one would follow the old one once more.
func (p *Peer) leave(t term, reason error) {
	p.election.do(func() {
		if p.current() == t { // else the next election may have begun, which must go on
			p.election.node.Withdraw()
			t.end(reason)
		}
	})
}

// roomNow gives the room, and what is closed when there is another.
func (p *Peer) roomNow() (Room, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.room, p.roomChanged
}

// indispensable tells that there is no quorum without this server.
func (p *Peer) indispensable() bool {
	return !p.o.observer() && !p.o.quorums().Contains(func(sid jute.ServerID) bool { return sid != p.o.Me })
}

// asideWait is how long the others may take to find a leader before a server without room comes to their help.
func (p *Peer) asideWait() time.Duration { return p.o.ticks(p.o.SyncLimit) }

// standAside keeps a server without room out of its ensemble. It returns when the room has changed, or with true
// when the others can't do without this server.
func (p *Peer) standAside(ctx context.Context, r Room, changed <-chan struct{}) (needed bool) {
	p.log.Warn("this server stays out of its ensemble: its disks lack room", "room", r)
	p.aside.Store(true)
	defer p.aside.Store(false)
	p.election.withdraw()
	if r == RoomNone || p.o.observer() {
		select {
		case <-changed:
		case <-ctx.Done():
		}
		return false
	}
	for {
		if led, going := p.othersLead(ctx, changed); !going {
			return false
		} else if !led {
			p.log.Error("the others have no leader: this server takes part in its ensemble again, though its disks lack room")
			return true
		}
		p.election.withdraw()
		select {
		case <-time.After(p.asideWait()):
		case <-changed:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// othersLead asks the others if they have a leader, once a tick until they have or have had time enough; going is
// false when the room changes or the peer ends before that is known.
func (p *Peer) othersLead(ctx context.Context, changed <-chan struct{}) (led, going bool) {
	enough := time.After(p.asideWait())
	tick := time.NewTicker(p.o.TickTime)
	defer tick.Stop()
	for {
		p.election.look(-1, p.d.Log.CurrentEpoch(), false)
		select {
		case d := <-p.election.decided:
			p.log.Debug("the others have a leader", "sid", d.Vote.Leader, "epoch", d.Vote.PeerEpoch)
			return true, true
		case <-tick.C:
		case <-enough:
			return false, true
		case <-changed:
			return false, false
		case <-ctx.Done():
			return false, false
		}
	}
}

// needed reports if the voters that have this leader's history are no quorum without it.
func (t *leaderTerm) needed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.others(func(jute.ServerID) bool { return true })
}

// needed: a learner's leader does not tell who else follows it.
func (*learnerTerm) needed() bool { return false }

// others reports if the synced voters that fit are a quorum without this server; mu is held.
func (t *leaderTerm) others(fit func(jute.ServerID) bool) bool {
	able := map[jute.ServerID]bool{}
	for _, l := range t.core.Learners() {
		if l.Voter && l.UpToDate && l.SID != t.p.o.Me {
			able[l.SID] = fit(l.SID)
		}
	}
	return t.p.o.quorums().Contains(func(sid jute.ServerID) bool { return able[sid] })
}

// writeAsked is told of each write that a learner forwards to a leader without room: that learner has some. The
// leader goes when a quorum has; now and then also with fewer, as who has room may have no client that writes.
func (t *leaderTerm) writeAsked(from jute.ServerID) {
	if t.replaceable(from) {
		t.p.leave(t, errReplaced)
	}
}

func (t *leaderTerm) replaceable(from jute.ServerID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, pause := time.Now(), retryFactor*t.p.asideWait()
	if t.asked == nil {
		t.asked, t.askedFirst = map[jute.ServerID]bool{}, now
	}
	t.asked[from] = true
	late := now.Sub(t.askedFirst) >= pause
	if now.Sub(t.p.replaced) < pause || !t.others(func(sid jute.ServerID) bool { return late || t.asked[sid] }) {
		return false
	}
	t.p.replaced = now
	return true
}
