package zab

import (
	"fmt"

	"zk/jute"
)

// follow takes a packet of a leader that serves. (Java: Follower.processPacket, Observer.processPacket)
func (l *Learner) follow(q *jute.QuorumPacket) {
	switch q.Type {
	case jute.PacketProposal:
		if !l.o.Observer {
			l.propose(q.Zxid, q.Data)
		}
	case jute.PacketCommit, jute.PacketCommitAndActivate:
		if !l.o.Observer {
			l.commitNext(q.Zxid)
		}
	case jute.PacketInform, jute.PacketInformAndActivate:
		if l.o.Observer {
			l.inform(q)
			l.apply()
		}
	case jute.PacketSync:
		// It vouches for the commits before it, so it waits until they are applied.
		l.syncs = append(l.syncs, l.committed)
		l.answerSyncs()
	case jute.PacketPing, jute.PacketRevalidate:
		a := l.add()
		a.Kind, a.Packet = Deliver, *q
	case jute.PacketUpToDate, jute.PacketNewLeader:
		l.giveUp(fmt.Sprintf("the leader sent %s again", Describe(q)))
	}
	// Java passes over unknown types with a warning; so do we.
}

// commitNext takes a COMMIT, which must be for the oldest proposal that has none. A Java server ends at
// anything else; here the link does, and the next sync settles it. Repeated ones are passed over.
func (l *Learner) commitNext(z jute.Zxid) {
	if z <= l.committed {
		return
	}
	if want := next(l.committed, l.epoch); z != want || z > l.received {
		l.giveUp(fmt.Sprintf("the leader committed %s, but next is %s of proposals up to %s", z, want, l.received))
		return
	}
	l.committed = z
	l.apply()
}

// Logged says that the own log is durable up to z.
func (l *Learner) Logged(z jute.Zxid) {
	if z <= l.logged || l.phase < catchingUp || l.phase == ended {
		return
	}
	l.logged = z
	switch l.phase {
	case following:
		l.acknowledge()
		l.apply()
	case awaitingUpToDate:
		l.serve()
	}
}

// acknowledge sends an ACK for each proposal that has become durable: a Java leader counts one by one.
func (l *Learner) acknowledge() {
	if l.o.Observer {
		return
	}
	for z := next(l.acked, l.epoch); z <= l.logged; z++ {
		l.acked = z
		l.ack(z)
	}
}

// apply lets the state machine go on to what is committed and durable here.
func (l *Learner) apply() {
	z := min(l.committed, l.logged)
	for z > l.applied && l.phase == following {
		// What was committed behind a SYNC is applied behind its answer.
		l.applied = z
		if len(l.syncs) > 0 {
			l.applied = min(z, l.syncs[0])
		}
		a := l.add()
		a.Kind, a.Zxid = Apply, l.applied
		l.answerSyncs()
	}
}

// answerSyncs hands on the SYNC packets whose commits are applied.
func (l *Learner) answerSyncs() {
	n := 0
	for n < len(l.syncs) && l.syncs[n] <= l.applied {
		n++
		a := l.add()
		a.Kind, a.Packet = Deliver, jute.QuorumPacket{Type: jute.PacketSync}
	}
	if n > 0 {
		l.syncs = l.syncs[:copy(l.syncs, l.syncs[n:])]
	}
}
