package zab

import (
	"errors"
	"fmt"

	"zk/jute"
)

// ControlPacketsMax bounds the control packets that wait for one learner. They are answers to what it asked
// and PINGs; a learner that doesn't read so many is hung up on.
const ControlPacketsMax = 4096

// ErrOutboxFull says that a learner doesn't take what it asked for.
var ErrOutboxFull = errors.New("zab: the learner doesn't read its answers")

// Reader gives the leader's log in order, proposals that aren't durable yet included.
type Reader interface {
	// After gives the entry that follows z, false while there is none. The data may be used until the
	// next call.
	After(z jute.Zxid) (Entry, bool, error)
}

// What is what an Outbox says comes next.
type What uint8

// What may come next.
const (
	// Nothing, until marks move on or a packet is queued.
	Nothing What = iota
	// APacket is to be written.
	APacket
	// ASnapshot is to be opened, and written with its header; then SnapshotSent must be called.
	ASnapshot
)

// control is a packet that waits until what its barrier covers has been sent.
type control struct {
	packet  jute.QuorumPacket
	barrier Marks
}

// Outbox decides the order of the packets to one learner:
//
//   - LEADERINFO, then the header of the sync
//   - the history up to the sync's end, as PROPOSAL and COMMIT of each transaction, for observers too
//   - live: to a follower PROPOSAL of all that is proposed and COMMIT of all that is committed, in zxid
//     order, each COMMIT behind its PROPOSAL; to an observer INFORM of what is committed
//   - a control packet as soon as its barrier has been sent: UPTODATE and SYNC vouch for the commits
//     before them, NEWLEADER for the history
//
// It belongs to one goroutine, the link's writer. The zero value is ready.
type Outbox struct {
	epoch int64
	sync  Sync
	// started: the header of the sync has been given out; waiting: the snapshot hasn't been written yet.
	started, waiting bool
	// marks are what may be sent; sent is what has been. An observer's sent.Proposed is its last INFORM.
	marks, sent Marks
	// queue holds control packets from head on.
	queue []control
	head  int
	// pingAt is 1 + the place of a waiting PING in queue, 0 for none.
	pingAt int
}

// Start hands in how the learner is synced, and the leader's epoch.
func (o *Outbox) Start(s Sync, epoch int64) {
	o.sync, o.epoch = s, epoch
	o.sent = Marks{Proposed: s.From, Committed: s.From}
}

// Queue takes a control packet with the barrier of its Send action. A PING is dropped while another waits.
func (o *Outbox) Queue(p jute.QuorumPacket, barrier Marks) error {
	if p.Type == jute.PacketPing && o.pingAt > 0 {
		return nil
	}
	if len(o.queue)-o.head >= ControlPacketsMax {
		return ErrOutboxFull
	}
	if o.head > 0 && len(o.queue) == cap(o.queue) {
		n := copy(o.queue, o.queue[o.head:])
		clear(o.queue[n:])
		o.queue = o.queue[:n]
		o.pingAt = max(o.pingAt-o.head, 0)
		o.head = 0
	}
	o.queue = append(o.queue, control{p, barrier})
	if p.Type == jute.PacketPing {
		o.pingAt = len(o.queue)
	}
	return nil
}

// Advance moves the leader's marks on. They never go back.
func (o *Outbox) Advance(m Marks) {
	o.marks.Proposed = max(o.marks.Proposed, m.Proposed)
	o.marks.Committed = max(o.marks.Committed, m.Committed)
}

// SnapshotSent says that the header and stream of a snapshot of the tree at z have been written.
func (o *Outbox) SnapshotSent(z jute.Zxid) {
	o.waiting = false
	o.sent = Marks{Proposed: z, Committed: z}
}

// Syncing reports if the history hasn't been sent to its end.
func (o *Outbox) Syncing() bool {
	return o.sync.Mode == NoSync || !o.started || o.waiting || o.sent.Committed < o.sync.UpTo
}

// Sent is what has been given out so far.
func (o *Outbox) Sent() Marks { return o.sent }

// Next tells what to write now. The packet's data may be used until the next call. An error ends the link:
// the log can't be read, or has a hole.
func (o *Outbox) Next(r Reader) (jute.QuorumPacket, What, error) {
	if !o.started {
		// Of all control packets LEADERINFO alone comes before the sync.
		if o.head < len(o.queue) && o.queue[o.head].packet.Type == jute.PacketLeaderInfo {
			return o.pop(), APacket, nil
		}
		if o.sync.Mode == NoSync {
			return jute.QuorumPacket{}, Nothing, nil
		}
		return o.begin()
	}
	if o.waiting {
		return jute.QuorumPacket{}, ASnapshot, nil
	}
	if o.head < len(o.queue) {
		b := o.queue[o.head].barrier
		switch {
		case o.covers(b):
			return o.pop(), APacket, nil
		case o.sent.Committed >= b.Committed:
			// A later COMMIT must not overtake the packet: a learner whose client has sent a sync and then a write
			// takes the write's for the answer that is next (Java: CommitProcessor).
			return o.proposal(r)
		}
	}
	if p, ok := o.commit(); ok {
		return p, APacket, nil
	}
	return o.proposal(r)
}

// begin gives the header of the sync.
func (o *Outbox) begin() (jute.QuorumPacket, What, error) {
	o.started = true
	switch o.sync.Mode {
	case Diff:
		return jute.QuorumPacket{Type: jute.PacketDiff, Zxid: o.sync.UpTo}, APacket, nil
	case Trunc:
		return jute.QuorumPacket{Type: jute.PacketTrunc, Zxid: o.sync.From}, APacket, nil
	}
	o.waiting = true
	return jute.QuorumPacket{}, ASnapshot, nil
}

// covers reports if a barrier lies behind. Observers get no proposal that isn't committed.
func (o *Outbox) covers(b Marks) bool {
	return o.sent.Committed >= b.Committed && (o.sync.Observer || o.sent.Proposed >= b.Proposed)
}

// commit gives the COMMIT that is due.
func (o *Outbox) commit() (jute.QuorumPacket, bool) {
	if o.sent.Proposed <= o.sent.Committed {
		return jute.QuorumPacket{}, false
	}
	if o.sent.Proposed <= o.sync.UpTo {
		// History: each PROPOSAL is followed by its COMMIT.
		o.sent.Committed = o.sent.Proposed
		return jute.QuorumPacket{Type: jute.PacketCommit, Zxid: o.sent.Committed}, true
	}
	// Behind the history there are proposals of this term only, without gaps.
	z := next(o.sent.Committed, o.epoch)
	if z > o.marks.Committed || z > o.sent.Proposed {
		return jute.QuorumPacket{}, false
	}
	o.sent.Committed = z
	return jute.QuorumPacket{Type: jute.PacketCommit, Zxid: z}, true
}

// proposal gives the PROPOSAL or INFORM that is due.
func (o *Outbox) proposal(r Reader) (jute.QuorumPacket, What, error) {
	limit := max(o.marks.Proposed, o.sync.UpTo)
	history := o.sent.Proposed < o.sync.UpTo
	if o.sync.Observer {
		limit = max(o.marks.Committed, o.sync.UpTo)
	}
	if o.sent.Proposed >= limit {
		return jute.QuorumPacket{}, Nothing, nil
	}
	e, ok, err := r.After(o.sent.Proposed)
	if err != nil || !ok || e.Zxid > limit {
		return jute.QuorumPacket{}, Nothing, err
	}
	if !follows(o.sent.Proposed, e.Zxid) {
		return jute.QuorumPacket{}, Nothing, fmt.Errorf("zab: hole in the log: %s follows %s", e.Zxid, o.sent.Proposed)
	}
	o.sent.Proposed = e.Zxid
	p := jute.QuorumPacket{Type: jute.PacketProposal, Zxid: e.Zxid, Data: e.Data}
	if o.sync.Observer && !history {
		p.Type = jute.PacketInform
		o.sent.Committed = e.Zxid
	}
	return p, APacket, nil
}

// pop gives the control packet at the head.
func (o *Outbox) pop() jute.QuorumPacket {
	p := o.queue[o.head].packet
	o.queue[o.head] = control{}
	o.head++
	if o.head >= o.pingAt {
		o.pingAt = 0
	}
	if o.head == len(o.queue) {
		o.queue, o.head = o.queue[:0], 0
	}
	return p
}
