package election

import (
	"math"
	"time"

	"zk/jute"
	"zk/quorum/verifier"
)

// Defaults of Options, as in Java where it has them.
const (
	FinalizeWaitDefault = 200 * time.Millisecond
	AgreedWaitDefault   = 20 * time.Millisecond
	MinIntervalDefault  = 200 * time.Millisecond
	MaxIntervalDefault  = 60 * time.Second
)

// roundMax is the last round of a notification that is believed.
const roundMax = 1 << 62

// Options are what a Node is made of.
type Options struct {
	// Me is this server. One that is no voter of Quorums takes part without a vote.
	Me jute.ServerID
	// Observer says that this server will observe a leader, not follow it.
	Observer bool
	// Quorums are the ensemble.
	Quorums verifier.Quorums
	// Empty says that this server has no history and has promised no epoch, and that nobody vouches for that: it may be new, or its
	// disk was wiped. It votes with its zxid 0 until a voter shows that the ensemble has a history, and from
	// then on as one that has lost its memory (I9). It counts only for a Look with zxid and epoch 0.
	Empty bool
	// FinalizeWait is how long a quorum must stand before it decides; 0 is FinalizeWaitDefault.
	FinalizeWait time.Duration
	// AgreedWait is the same when all voters agree that can be reached; 0 is AgreedWaitDefault, at
	// most FinalizeWait.
	AgreedWait time.Duration
	// MinInterval is the time until the own vote is sent again, MaxInterval what that grows to by
	// doubling; 0 is the default. (zookeeper.fastleader.minNotificationInterval and maxNotificationInterval)
	MinInterval, MaxInterval time.Duration
}

// Action is what a Node wants done: a Send, a Decided, a LostMemory, a Wavers, a Looks or a ConfigDiffers.
type Action interface{ action() }

// Send is a notification for another server. The newest to a server replaces one that is still waiting, and
// where there is no connection it is the reason to make one.
type Send struct {
	To           jute.ServerID
	Notification Notification
}

// Decided ends the election that Look began: this server has the State and Vote.Leader leads.
type Decided struct {
	State State
	Vote  Vote
}

// LostMemory tells that this server, whose Options said Empty, is in an ensemble with a history: From has
// voted for one. If it looks it goes on as if Look had been given -1; if it is in a term, that must end.
type LostMemory struct {
	From jute.ServerID
	Vote Vote
}

// Wavers tells that a server whose vote has made this one the leader looks for a leader again.
type Wavers struct{ From jute.ServerID }

// Looks tells a leader that a voter looks for a leader and votes for itself: From has the history that Vote says.
type Looks struct {
	From jute.ServerID
	Vote Vote
}

// ConfigDiffers tells, once for each voter and election, that a voter has another config than this server:
// other servers, a newer version, or one that can't be read, and then Err says why. It is for the log.
type ConfigDiffers struct {
	From   jute.ServerID
	Theirs *verifier.Config
	Err    error
}

func (Send) action()          {}
func (Decided) action()       {}
func (LostMemory) action()    {}
func (Wavers) action()        {}
func (Looks) action()         {}
func (ConfigDiffers) action() {}

// Node is one server's part in elections.
type Node struct {
	o      Options
	voters []jute.ServerID // of all configs, ascending
	config []byte          // text of the current one

	state State
	vote  Vote  // Decided at last, with the epoch of SetPeerEpoch; before that the own one
	round int64 // logical clock: number of the election

	// What follows counts while Looking.

	own      Vote // for this server; its ElectionEpoch is not used
	proposal Vote // best so far; its ElectionEpoch is round
	lost     bool // this server's memory is lost
	// received has the votes of this round, decided servers' included; the own one too, if there is any.
	received map[jute.ServerID]ballot
	// outside has the votes of servers that have decided, of all rounds.
	outside    map[jute.ServerID]ballot
	interval   time.Duration
	resendAt   time.Duration
	agreed     bool // a quorum has voted for proposal
	agreedFrom time.Duration

	empty       bool                           // Options.Empty, and no term was established since
	early       map[jute.ServerID]Notification // of voters, before the first Look; nil after it
	unreachable map[jute.ServerID]bool         // voters only
	configTold  map[jute.ServerID]bool         // voters of which ConfigDiffers has been told
	actions     []Action
}

// ballot is a vote as its sender has cast it.
type ballot struct {
	vote    Vote
	state   State
	version int32
}

// New makes a Node. It answers nobody until the first Look.
func New(o Options) *Node {
	n := &Node{
		o: o, voters: o.Quorums.AppendVoters(nil), config: o.Quorums.Current.Append(nil), state: Looking,
		early: map[jute.ServerID]Notification{}, unreachable: map[jute.ServerID]bool{},
	}
	defaults := func(d *time.Duration, def time.Duration) {
		if *d <= 0 {
			*d = def
		}
	}
	defaults(&n.o.FinalizeWait, FinalizeWaitDefault)
	defaults(&n.o.AgreedWait, AgreedWaitDefault)
	defaults(&n.o.MinInterval, MinIntervalDefault)
	defaults(&n.o.MaxInterval, MaxIntervalDefault)
	n.o.AgreedWait = min(n.o.AgreedWait, n.o.FinalizeWait)
	return n
}

// State is this server's state.
func (n *Node) State() State { return n.state }

// Vote is what this server answers to those who look for a leader.
func (n *Node) Vote() Vote { return n.vote }

// Actions gives what has gathered since the last call.
func (n *Node) Actions() []Action {
	a := n.actions
	n.actions = nil
	return a
}

// Look begins an election. zxid is the last one in this server's log and currentEpoch the last epoch it has
// adopted. A zxid of -1 stands for lost memory (I9): such a server is not counted by others and decides only
// for a leader that is already one. (FastLeaderElection.lookForLeader)
func (n *Node) Look(now time.Duration, zxid jute.Zxid, currentEpoch int64) {
	n.state = Looking
	n.lost = zxid == -1
	n.empty = n.o.Empty && zxid == 0 && currentEpoch == 0 && !n.o.Observer
	if n.received == nil { // the vote an observer answers with before it has found a leader
		n.vote = Vote{Leader: n.o.Me, Zxid: zxid, PeerEpoch: currentEpoch}
	}
	n.own = Vote{Leader: n.o.Me, Zxid: zxid, PeerEpoch: currentEpoch}
	if !n.o.Quorums.Current.IsVoter(n.o.Me) {
		n.own.Leader = math.MinInt64
	}
	if n.o.Observer {
		n.own.Zxid, n.own.PeerEpoch, n.lost = math.MinInt64, math.MinInt64, false
	}
	n.round++
	n.received, n.outside = map[jute.ServerID]ballot{}, map[jute.ServerID]ballot{}
	n.configTold = map[jute.ServerID]bool{}
	n.agreed = false
	n.interval = n.o.MinInterval
	n.resendAt = now + n.interval
	n.propose(n.own)
	n.count(now)
	early := n.early
	n.early = nil
	for _, from := range n.voters {
		if m, ok := early[from]; ok {
			n.Receive(now, from, &m)
		}
	}
}

// SetEmpty says anew what Options.Empty said, for the Look to come: a server that has promised an epoch since is
// known to be no wiped one.
func (n *Node) SetEmpty(empty bool) { n.o.Empty = empty }

// Withdraw ends an election, or the answering after one: until the next Look this server says nothing and hears
// nothing, as one that is down.
func (n *Node) Withdraw() {
	n.state, n.agreed = Looking, false
	n.received, n.outside, n.early = nil, nil, nil
}

// SetPeerEpoch sets the epoch of the vote that this server answers with, once it leads or has been brought up
// to date. Without it those who come late never see equal votes. (QuorumPeer.updateElectionVote)
func (n *Node) SetPeerEpoch(epoch int64) {
	n.vote.PeerEpoch = epoch
	n.empty = false
}

// SetReachable says if messages get through to a voter. All count as reachable at first; one that is not
// need not be waited for.
func (n *Node) SetReachable(id jute.ServerID, reachable bool) {
	if !reachable && n.o.Quorums.IsVoter(id) {
		n.unreachable[id] = true
	} else {
		delete(n.unreachable, id)
	}
}

// Deadline is when Tick is due; ok is false when it is not.
func (n *Node) Deadline() (at time.Duration, ok bool) {
	if n.state != Looking || n.received == nil {
		return 0, false
	}
	if n.agreed {
		return min(n.resendAt, n.agreedFrom+n.wait()), true
	}
	return n.resendAt, true
}

// Tick lets time pass. It does nothing before the Deadline.
func (n *Node) Tick(now time.Duration) {
	if n.state != Looking || n.received == nil {
		return
	}
	if n.agreed && now >= n.agreedFrom+n.wait() {
		n.decide(n.proposal)
		return
	}
	if now >= n.resendAt {
		n.interval = min(2*n.interval, n.o.MaxInterval)
		n.resendAt = now + n.interval
		n.broadcast()
	}
}

// wait is how long the quorum for the proposal must stand.
func (n *Node) wait() time.Duration {
	wait := time.Duration(0)
	for _, id := range n.voters {
		if b, ok := n.received[id]; ok && b.vote == n.proposal {
			continue
		}
		if !n.unreachable[id] {
			return n.o.FinalizeWait
		}
		wait = n.o.AgreedWait
	}
	return wait
}

// propose changes the own vote and tells all.
func (n *Node) propose(v Vote) {
	v.ElectionEpoch = n.round
	n.proposal = v
	n.broadcast()
}

// broadcast sends the own vote to all voters. This server is one of them, and to it the vote comes at once.
func (n *Node) broadcast() {
	for _, id := range n.voters {
		if id != n.o.Me {
			n.send(id, Looking, n.proposal)
		} else if !n.lost {
			n.received[id] = ballot{vote: n.proposal}
		}
	}
}

func (n *Node) send(to jute.ServerID, s State, v Vote) {
	n.actions = append(n.actions, Send{to, Notification{State: s, Vote: v, Version: notificationVersion, Config: n.config}})
}

// decide ends the election. (FastLeaderElection.setPeerState, leaveInstance)
func (n *Node) decide(v Vote) {
	switch {
	case v.Leader == n.o.Me:
		n.state = Leading
	case n.o.Observer:
		n.state = Observing
	default:
		n.state = Following
	}
	n.vote = v
	n.actions = append(n.actions, Decided{n.state, v})
}
