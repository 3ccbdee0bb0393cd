package zab

import (
	"slices"

	"zk/jute"
)

// peerState is how far a learner has come on its link.
type peerState uint8

const (
	// peerConnected has sent nothing yet.
	peerConnected peerState = iota
	// peerKnown has sent its LearnerInfo and waits for LEADERINFO.
	peerKnown
	// peerAnnounced has been sent LEADERINFO; ACKEPOCH is to come.
	peerAnnounced
	// peerInTheKnow has sent ACKEPOCH and waits for a quorum to do so.
	peerInTheKnow
	// peerSyncing is sent the history; ACK(NEWLEADER) is to come.
	peerSyncing
	// peerSynced has the history. UPTODATE is sent as soon as the leader serves.
	peerSynced
)

// peer is a learner as the leader sees it. (Java: LearnerHandler)
type peer struct {
	link  Link
	sid   jute.ServerID
	state peerState
	// mode is how it gets the history, from peerSyncing on.
	mode Mode
	// observer as it said; voter if its votes count in one of the configurations.
	observer, voter bool
	// accepted is its acceptedEpoch as it came, last its zxid in ACKEPOCH. countsEpoch: its ACKEPOCH is an answer, and it isn't ahead.
	accepted    int64
	last        jute.Zxid
	countsEpoch bool
	// hasHistory: its ACK of NEWLEADER was for this epoch. upToDate: UPTODATE has been sent; live: it
	// has acknowledged that.
	hasHistory, upToDate, live bool
	// acked is the last proposal it acknowledged on this link; it has all before. What was committed when
	// it became live, up to base, it may never acknowledge.
	acked, base jute.Zxid
	// syncs counts its sync requests that wait.
	syncs int
	// deadline is the half tick at which it must have been heard, 0 without limit.
	deadline int64
	// It must have acknowledged everything up to behindOf, 0 for nothing, before half tick behindUntil.
	behindOf    jute.Zxid
	behindUntil int64
}

// forget drops a link without a word.
func (l *Leader) forget(p *peer) {
	delete(l.byLink, p.link)
	l.peers = slices.DeleteFunc(l.peers, func(q *peer) bool { return q == p })
	if p.syncs > 0 {
		l.syncs = slices.DeleteFunc(l.syncs, func(s pendingSync) bool { return s.link == p.link })
	}
}

// bySID finds the link of a learner that has told its id. There is one at most.
func (l *Leader) bySID(sid jute.ServerID) *peer {
	for _, p := range l.peers {
		if p.sid == sid && p.state != peerConnected {
			return p
		}
	}
	return nil
}

// counting makes a question for a quorum: this server, and the learners that vote and fit.
func (l *Leader) counting(fits func(*peer) bool) func(jute.ServerID) bool {
	return func(sid jute.ServerID) bool {
		if sid == l.o.Me {
			return true
		}
		p := l.bySID(sid)
		return p != nil && p.voter && fits(p)
	}
}

// reachedBy is the last transaction of this term that a server has durable.
func (l *Leader) reachedBy(sid jute.ServerID) jute.Zxid {
	if sid == l.o.Me {
		return l.logged
	}
	if p := l.bySID(sid); p != nil && p.voter {
		return p.acked
	}
	return 0
}

// counted lists who is counted, for the log.
func (l *Leader) counted(fits func(*peer) bool) []jute.ServerID {
	return slices.DeleteFunc(l.o.Quorums.AppendVoters(nil), func(sid jute.ServerID) bool { return !l.counting(fits)(sid) })
}

// What learners are counted for, phase by phase.
func isKnown(p *peer) bool    { return p.state >= peerKnown }
func isNotAhead(p *peer) bool { return p.state >= peerInTheKnow && p.countsEpoch }
func hasHistory(p *peer) bool { return p.hasHistory }
