package zab

import (
	"fmt"

	"zk/jute"
)

// SyncRequestsMax bounds the sync requests of one learner that wait for a commit.
const SyncRequestsMax = ControlPacketsMax

// Proposed says that the pipeline, which begins with Established, has proposed everything up to z, in this
// epoch and without gaps.
// Outboxes may send it as soon as their marks are moved.
func (l *Leader) Proposed(z jute.Zxid) {
	switch {
	case l.phase == over:
		return
	case !l.Established(), int64(z.Epoch()) != l.epoch, z <= l.marks.Proposed, z.Counter() == 0xffffffff:
		panic(fmt.Sprintf("zab: proposal %s in phase %d of epoch %d, after %s", z, l.phase, l.epoch, l.marks.Proposed))
	}
	l.marks.Proposed = z
}

// Logged says that the own log is durable up to z. It is the leader's own ack, and not earlier than that.
func (l *Leader) Logged(z jute.Zxid) {
	if l.phase == over || z <= l.logged {
		return
	}
	l.logged = z
	l.commit()
	l.apply()
}

// serve takes the packets of a learner that has the history. (Java: LearnerHandler.run, its last loop)
func (l *Leader) serve(p *peer, q *jute.QuorumPacket) {
	switch q.Type {
	case jute.PacketAck:
		l.ack(p, q.Zxid)
	case jute.PacketPing, jute.PacketRevalidate, jute.PacketRequest:
		if !p.upToDate {
			l.drop(p, fmt.Sprintf("sent %s before UPTODATE", Describe(q)))
			return
		}
		a := l.add()
		a.Kind, a.Link, a.SID, a.Packet = Deliver, p.link, p.sid, *q
	}
	// Java passes over unknown types with a warning; so do we.
}

// ack takes the ACK of a proposal. Learners' logs are sequential: what is acknowledged covers all before it.
// Java learners send one for each proposal, ours may leave some out.
func (l *Leader) ack(p *peer, z jute.Zxid) {
	switch {
	case z.Counter() == 0:
		// The ACK of UPTODATE, which stands for no transaction.
		if p.upToDate && !p.live {
			p.live, p.base = true, l.marks.Committed
		}
		return
	case z > l.marks.Proposed:
		l.drop(p, fmt.Sprintf("acknowledged %s, but the last proposal is %s", z, l.marks.Proposed))
		return
	case z <= p.acked:
		return
	}
	p.acked = z
	if p.voter && z > l.marks.Committed {
		l.commit()
		l.apply()
	}
}

// commit looks for the last transaction that a quorum has. Everything before it is committed with it,
// hence in order.
func (l *Leader) commit() {
	if !l.Established() {
		return
	}
	z := l.o.Quorums.Reached(l.reached)
	if z <= l.marks.Committed {
		return
	}
	l.marks.Committed = z
	a := l.add()
	a.Kind, a.Zxid = Commit, z
	l.answerSyncs()
}

// apply lets the state machine go on to what is committed and durable here.
func (l *Leader) apply() {
	z := min(l.marks.Committed, l.logged)
	for z > l.applied {
		// What comes behind a sync of an own client is applied behind its answer.
		l.applied = z
		for _, s := range l.syncs {
			if s.link == 0 && s.after < z {
				l.applied = s.after
				break
			}
		}
		a := l.add()
		a.Kind, a.Zxid = Apply, l.applied
		l.answerSyncs()
	}
}

// Sync asks to be told when everything proposed by now is committed: the answer to a learner's sync is a
// SYNC packet, to an own client's (link 0) a Synced action with the tag, behind its Apply. The request must
// have come through the pipeline, behind the writes before it. (Java: Leader.processSync)
func (l *Leader) Sync(link Link, tag any) {
	if l.phase == over {
		return
	}
	if link != 0 {
		p := l.byLink[link]
		if p == nil {
			return
		}
		if p.syncs >= SyncRequestsMax {
			l.drop(p, "too many sync requests wait")
			return
		}
		p.syncs++
	}
	l.syncs = append(l.syncs, pendingSync{after: l.marks.Proposed, link: link, tag: tag})
	l.answerSyncs()
}

// answerSyncs answers what waits no longer. Requests of learners wait for a commit only, own ones until it is
// applied here.
func (l *Leader) answerSyncs() {
	if len(l.syncs) == 0 || l.syncs[0].after > l.marks.Committed {
		return
	}
	kept := l.syncs[:0]
	for _, s := range l.syncs {
		switch {
		case s.link != 0 && s.after <= l.marks.Committed:
			p := l.byLink[s.link]
			p.syncs--
			// Not behind later commits: the learner's client may have sent more since.
			l.sendBehind(p, jute.QuorumPacket{Type: jute.PacketSync}, Marks{Committed: s.after})
		case s.link == 0 && s.after <= l.applied:
			a := l.add()
			a.Kind, a.Tag = Synced, s.tag
		default:
			kept = append(kept, s)
		}
	}
	clear(l.syncs[len(kept):])
	l.syncs = kept
}

// Answer sends a learner the server's answer to a Deliver, behind everything committed so far.
func (l *Leader) Answer(link Link, q jute.QuorumPacket) {
	if p := l.byLink[link]; p != nil && l.phase != over {
		l.send(p, q)
	}
}
