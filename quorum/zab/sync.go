package zab

import (
	"fmt"

	"zk/jute"
)

// startSync chooses how a learner gets the history, fixes the point where that ends and live traffic
// begins, and queues NEWLEADER behind it, all in one step: no proposal falls between. (Java:
// LearnerHandler.syncFollower, Leader.startForwarding)
func (l *Leader) startSync(p *peer) {
	upTo := l.tail
	if l.Established() {
		upTo = l.marks.Committed
	}
	s := decide(l.o.History, p.last, upTo, l.epoch, l.o.DiffBytesMax)
	if l.o.ForceSnapshot {
		s = Sync{Mode: Snap, UpTo: upTo}
	}
	s.Observer = p.observer
	if p.observer && l.tooManySyncs(s.Mode) {
		l.drop(p, fmt.Sprintf("as many learners as may be are sent a %v", s.Mode))
		return
	}
	p.state, p.mode, p.deadline = peerSyncing, s.Mode, l.now+2*int64(l.o.InitLimit)
	a := l.add()
	a.Kind, a.Link, a.SID, a.Epoch, a.Sync = StartSync, p.link, p.sid, l.epoch, s
	config := l.o.Quorums.LastSeen
	if config == nil {
		config = l.o.Quorums.Current
	}
	// NEWLEADER vouches for the history, so it comes behind all of it (ZOOKEEPER-3104).
	l.sendBehind(p, jute.QuorumPacket{Type: jute.PacketNewLeader, Zxid: firstOf(l.epoch), Data: config.Append(nil)},
		Marks{Proposed: l.marks.Proposed, Committed: upTo})
}

// tooManySyncs reports if no other observer may be synced in this way. (Java: LearnerSyncThrottler)
func (l *Leader) tooManySyncs(m Mode) bool {
	limit, n := l.o.DiffSyncsMax, 0
	if m == Snap {
		limit = l.o.SnapSyncsMax
	}
	for _, p := range l.peers {
		if p.state == peerSyncing && (p.mode == Snap) == (m == Snap) {
			n++
		}
	}
	return limit > 0 && n >= limit
}

// ackNewLeader takes the ACK of NEWLEADER. (Java: Leader.waitForNewLeaderAck)
func (l *Leader) ackNewLeader(p *peer, q *jute.QuorumPacket) {
	if q.Type != jute.PacketAck {
		l.drop(p, fmt.Sprintf("sent %s in place of the ACK of NEWLEADER", Describe(q)))
		return
	}
	p.state, p.deadline = peerSynced, 0
	// An ACK of something else counts as an answer, not as a vote: a learner that has lost its memory
	// answers so. It is served once there is a quorum without it.
	p.hasHistory = q.Zxid == firstOf(l.epoch)
	switch l.phase {
	case synchronizing:
		l.establish()
	case broadcasting:
		l.upToDate(p)
	}
}

// establish ends synchronization when a quorum of every configuration has this leader's history: it is
// committed from now on.
func (l *Leader) establish() {
	if l.phase != synchronizing || !l.o.Quorums.Contains(l.counting(hasHistory)) {
		return
	}
	l.setPhase(starting)
	l.marks.Committed = l.tail
	a := l.add()
	a.Kind, a.Zxid = Commit, l.tail
	l.apply()
	a = l.add()
	a.Kind, a.Epoch, a.Zxid = Established, l.epoch, l.tail
}

// Started says that the server serves, with everything applied that Established told.
func (l *Leader) Started() {
	if l.phase != starting {
		return
	}
	l.setPhase(broadcasting)
	for _, p := range l.peers {
		if p.state == peerSynced {
			l.upToDate(p)
		}
	}
}

// upToDate lets a learner serve, behind everything committed so far.
func (l *Leader) upToDate(p *peer) {
	p.upToDate = true
	p.deadline = l.now + 2*int64(l.o.InitLimit+l.o.SyncLimit)
	l.send(p, jute.QuorumPacket{Type: jute.PacketUpToDate, Zxid: -1})
}
