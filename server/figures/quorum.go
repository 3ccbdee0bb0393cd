package figures

import (
	"time"

	"zk/jute"
)

// Quorum is what a member of an ensemble shows of it.
type Quorum struct {
	ServerID int64
	// Mode is ModeLeader, ModeFollower or ModeObserver; empty while there is no leader.
	Mode string
	// ZabState is how far this server is with its leader, in Java's words (QuorumPeer.ZabState).
	ZabState string
	// Epoch and LastZxid are those of the log: what this server votes with.
	Epoch    int64
	LastZxid jute.Zxid
	// Leader is the leader's id, 0 for none.
	Leader int64
	// Members are the servers of the config, in the order of their ids.
	Members []Member
	// Config is the text of the config, without a newline at its end.
	Config string

	// Of a leader.

	LeadingSince time.Time
	// Learners are connected, in the order of their ids.
	Learners     []Learner
	PendingSyncs int
}

// Member is a server of the config.
type Member struct {
	ID       int64
	Observer bool
	// QuorumAddresses and ElectionAddresses are where other servers reach it, "host:port".
	QuorumAddresses, ElectionAddresses []string
	// ClientAddress is where clients reach it, as far as the config tells; else empty.
	ClientAddress string
}

// Learner is a learner of this leader.
type Learner struct {
	ID       int64
	Remote   string // "ip:port"
	Observer bool
	// Voting is set for a follower whose votes count.
	Voting bool
	// Synced is set when it has everything and serves.
	Synced      bool
	Established time.Time
	// QueuedPackets and QueuedBytes wait to be sent.
	QueuedPackets, QueuedBytes   int64
	PacketsReceived, PacketsSent int64
	Requests                     int64 // of its clients
	LastZxid                     jute.Zxid
}

// Me is this server among the members; nil when it is not among them.
func (q *Quorum) Me() *Member { return q.Member(q.ServerID) }

// Member finds a server of the config, nil for a stranger.
func (q *Quorum) Member(id int64) *Member {
	for i := range q.Members {
		if q.Members[i].ID == id {
			return &q.Members[i]
		}
	}
	return nil
}

// Voters is how many members have a vote.
func (q *Quorum) Voters() (n int) {
	for i := range q.Members {
		if !q.Members[i].Observer {
			n++
		}
	}
	return n
}

// Synced counts the learners in sync: followers that vote, followers that don't, observers.
func (q *Quorum) Synced() (followers, nonVoting, observers int) {
	for i := range q.Learners {
		switch l := &q.Learners[i]; {
		case !l.Synced:
		case l.Observer:
			observers++
		case l.Voting:
			followers++
		default:
			nonVoting++
		}
	}
	return followers, nonVoting, observers
}

// PeerState is the line peer_state of mntr (Java: QuorumPeer.getDetailedStates).
func (q *Quorum) PeerState() string {
	role := map[string]string{ModeLeader: "leading", ModeFollower: "following", ModeObserver: "observing"}[q.Mode]
	if role == "" {
		return "looking"
	}
	return role + " - " + q.ZabState
}
