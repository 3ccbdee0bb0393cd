package election

import (
	"bytes"
	"time"

	"zk/jute"
	"zk/quorum/verifier"
)

// Receive takes a notification of another server; m may be used again when it returns. Copies and old ones do
// no harm. (FastLeaderElection.Messenger.WorkerReceiver.run, lookForLeader)
func (n *Node) Receive(now time.Duration, from jute.ServerID, m *Notification) {
	if from == n.o.Me {
		return
	}
	if n.received == nil { // a connection may bring its message once only
		if n.early != nil && n.o.Quorums.IsVoter(from) {
			kept := *m
			kept.Config = bytes.Clone(m.Config)
			n.early[from] = kept
		}
		return
	}
	if !n.o.Quorums.IsVoter(from) {
		if m.State != Looking {
			return // it answers those who look, and answers to that would have no end
		}
		v := n.vote
		v.ElectionEpoch = n.round
		n.send(from, n.state, v)
		return
	}
	n.compareConfig(from, m)
	if n.empty && (m.Vote.PeerEpoch > 0 || m.Vote.Zxid > 0) {
		n.loseMemory(from, m.Vote)
	}
	switch {
	case m.State < Looking || m.State > Observing:
	case n.state == Looking:
		n.look(now, from, m)
	case m.State == Looking:
		n.send(from, n.state, n.vote)
		if b, ok := n.received[from]; ok && n.state == Leading && b.vote.Leader == n.o.Me {
			n.actions = append(n.actions, Wavers{from})
		}
		if n.state == Leading && m.Vote.Leader == from {
			n.actions = append(n.actions, Looks{from, m.Vote})
		}
	}
}

// loseMemory is for a server without a history in an ensemble that has one: its votes count no more.
func (n *Node) loseMemory(from jute.ServerID, v Vote) {
	n.empty = false
	n.actions = append(n.actions, LostMemory{from, v})
	if n.state == Looking {
		n.lost, n.agreed = true, false
		n.own.Zxid = -1
		n.proposal = n.own
		n.proposal.ElectionEpoch = n.round
		delete(n.received, n.o.Me)
	}
}

// compareConfig tells of a voter whose config is not this server's.
func (n *Node) compareConfig(from jute.ServerID, m *Notification) {
	if m.Version < notificationVersion || n.configTold[from] || bytes.Equal(m.Config, n.config) {
		return
	}
	theirs, err := verifier.Parse(string(m.Config))
	ours := n.o.Quorums.Current
	if err != nil || !theirs.SameServers(ours) || theirs.Version() > ours.Version() {
		n.configTold[from] = true
		n.actions = append(n.actions, ConfigDiffers{from, theirs, err})
	}
}

// look goes on with the election.
func (n *Node) look(now time.Duration, from jute.ServerID, m *Notification) {
	if m.State == Looking && m.Vote.ElectionEpoch < n.round && m.Vote.ElectionEpoch >= 0 {
		n.tell(from)
		return
	}
	if !n.o.Quorums.IsVoter(m.Vote.Leader) {
		return
	}
	switch m.State {
	case Looking:
		n.receiveLooking(now, from, m)
	case Following, Leading:
		n.receiveDecided(now, from, m)
	}
}

// tell sends the own proposal to a voter that is behind. One that is no voter doesn't: a voter answers it at
// once with its vote, and that would have no end.
func (n *Node) tell(to jute.ServerID) {
	if n.o.Quorums.IsVoter(n.o.Me) {
		n.send(to, Looking, n.proposal)
	}
}

// receiveLooking takes the vote of a server that looks for a leader too, in this round or a later one.
func (n *Node) receiveLooking(now time.Duration, from jute.ServerID, m *Notification) {
	v := m.Vote
	if n.lost || v.Zxid == -1 || v.ElectionEpoch < n.round || v.ElectionEpoch > roundMax {
		return
	}
	_, heard := n.received[from]
	switch {
	case v.ElectionEpoch > n.round:
		n.round = v.ElectionEpoch
		clear(n.received)
		if n.better(v, n.own) {
			n.propose(v)
		} else {
			n.propose(n.own)
		}
	case n.better(v, n.proposal):
		n.propose(v)
	case !heard || n.better(n.proposal, v):
		n.tell(from)
	}
	n.received[from] = ballot{vote: v}
	n.count(now)
}

// count looks for a quorum of votes equal to the proposal, and decides if there is nothing to wait for.
func (n *Node) count(now time.Duration) {
	if n.lost || !n.o.Quorums.Contains(func(id jute.ServerID) bool {
		b, ok := n.received[id]
		return ok && b.vote == n.proposal
	}) {
		n.agreed = false
		return
	}
	if !n.agreed {
		n.agreed, n.agreedFrom = true, now
	}
	if n.wait() == 0 {
		n.decide(n.proposal)
	}
}

// receiveDecided takes the word of a server that follows or leads. In the same round its vote counts with
// those of the servers that look; otherwise a quorum of decided ones is needed, their leader among them.
// (FastLeaderElection.receivedFollowingNotification)
func (n *Node) receiveDecided(now time.Duration, from jute.ServerID, m *Notification) {
	b := ballot{m.Vote, m.State, m.Version}
	if m.Vote.ElectionEpoch == n.round {
		stored := b
		stored.version = 0 // as in Java, and so only the leader is compared with votes of a later version
		n.received[from] = stored
		if n.follows(n.received, b) {
			n.decide(m.Vote)
			return
		}
	}
	n.outside[from] = b
	if n.follows(n.outside, b) {
		n.round = m.Vote.ElectionEpoch
		n.decide(m.Vote)
		return
	}
	if n.agreed { // the sender's vote may have been one of those
		n.count(now)
	}
}

// follows reports if a quorum has the same vote as b and its leader says that it leads.
func (n *Node) follows(votes map[jute.ServerID]ballot, b ballot) bool {
	return n.leads(votes, b.vote) && n.o.Quorums.Contains(func(id jute.ServerID) bool {
		other, ok := votes[id]
		return ok && b.same(other)
	})
}

// leads reports if the leader of a vote has said so itself. This server knows best if it leads: it may only
// find that out in its own round. (FastLeaderElection.checkLeader)
func (n *Node) leads(votes map[jute.ServerID]ballot, v Vote) bool {
	if v.Leader == n.o.Me {
		return v.ElectionEpoch == n.round && !n.lost
	}
	b, ok := votes[v.Leader]
	return ok && b.state == Leading
}

// same reports if two votes are for the same leader. Those of servers that have decided are compared without
// zxid and round, which may differ between them, and without epoch where one of them is from before 3.4.6.
// (Java: Vote.equals)
func (b ballot) same(other ballot) bool {
	switch {
	case b.state == Looking || other.state == Looking:
		return b.vote == other.vote
	case (b.version > 0) != (other.version > 0):
		return b.vote.Leader == other.vote.Leader
	}
	return b.vote.Leader == other.vote.Leader && b.vote.PeerEpoch == other.vote.PeerEpoch
}

// better reports if a vote beats another: by epoch, then zxid, then server id. A server without weight can't
// be elected. (FastLeaderElection.totalOrderPredicate)
func (n *Node) better(v, than Vote) bool {
	if n.o.Quorums.Current.IsVoter(v.Leader) && n.o.Quorums.Current.Weight(v.Leader) == 0 {
		return false
	}
	if v.PeerEpoch != than.PeerEpoch {
		return v.PeerEpoch > than.PeerEpoch
	}
	if v.Zxid != than.Zxid {
		return v.Zxid > than.Zxid
	}
	return v.Leader > than.Leader
}
