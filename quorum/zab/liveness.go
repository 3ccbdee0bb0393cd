package zab

import (
	"fmt"

	"zk/jute"
)

// Tick is called twice per tickTime. (Java: the last loop of Leader.lead; LearnerHandler.ping, synced)
func (l *Leader) Tick() {
	if l.phase == over {
		return
	}
	l.now++
	l.dropSilent()
	if l.deadline != 0 && l.now >= l.deadline {
		l.giveUp(l.timeoutReason())
		return
	}
	if l.phase >= starting && l.now%2 == 0 && !l.o.Quorums.Contains(l.counting(isKnown)) {
		l.giveUp(fmt.Sprintf("no quorum follows any more, only servers %v", l.counted(isKnown)))
		return
	}
	for _, p := range l.peers {
		if p.state >= peerSyncing {
			// It vouches for nothing.
			l.sendBehind(p, jute.QuorumPacket{Type: jute.PacketPing, Zxid: l.marks.Proposed}, Marks{})
		}
	}
}

// Disloyal says that a server whose vote has made this one the leader looks for a leader again. It ends a term that
// still waits for its first quorum, and reports whether it has. (Java: Leader.reportLookingSid, quitLeading)
func (l *Leader) Disloyal(sid jute.ServerID) bool {
	if l.phase != discovering || l.deadline == 0 { // not yet, or no longer
		return false
	}
	l.giveUp(fmt.Sprintf("server %v, which voted for this leader, looks for a leader again", sid))
	return true
}

// dropSilent hangs up on learners that haven't been heard in time, or are too far behind.
func (l *Leader) dropSilent() {
	for i := 0; i < len(l.peers); {
		p := l.peers[i]
		switch {
		case p.deadline != 0 && l.now >= p.deadline:
			l.drop(p, "nothing was heard in time")
		case l.tooSlow(p):
			l.drop(p, fmt.Sprintf("proposal %s wasn't acknowledged in time", p.behindOf))
		default:
			i++
		}
	}
}

// tooSlow reports if a learner has left a proposal unacknowledged for syncLimit ticks. (Java: SyncLimitCheck)
// It counts from when the learner serves: before that it may have a long way to go.
func (l *Leader) tooSlow(p *peer) bool {
	if !p.live || p.observer {
		return false
	}
	if p.behindOf != 0 && p.acked < p.behindOf {
		return l.now >= p.behindUntil
	}
	p.behindOf = 0
	if l.marks.Proposed > max(p.acked, p.base) {
		p.behindOf, p.behindUntil = l.marks.Proposed, l.now+2*int64(l.o.SyncLimit)
	}
	return false
}

// heard moves on the time at which a learner must be heard again.
func (l *Leader) heard(p *peer) {
	if p.state == peerSynced && p.upToDate {
		p.deadline = l.now + 2*int64(l.o.SyncLimit)
	}
}

// Progress says that bytes of a sync are moving to a learner. It is to be called at least once per tick
// while that is so: neither the link nor the term ends over a long transfer.
func (l *Leader) Progress(link Link) {
	p := l.byLink[link]
	if p == nil || p.state != peerSyncing {
		return
	}
	p.deadline = l.now + 2*int64(l.o.InitLimit)
	if l.phase == synchronizing && p.voter {
		l.deadline = p.deadline
	}
}

func (l *Leader) timeoutReason() string {
	var what string
	var has func(*peer) bool
	switch l.phase {
	case discovering:
		what, has = "FOLLOWERINFO", isKnown
	case electing:
		what, has = "ACKEPOCH", isNotAhead
	default:
		what, has = "the ACK of NEWLEADER", hasHistory
	}
	return fmt.Sprintf("a quorum didn't send %s in time, only servers %v", what, l.counted(has))
}
