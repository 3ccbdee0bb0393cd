package quorum

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strconv"
	"time"

	"zk/jute"
	"zk/quorum/verifier"
)

// Options are the settings of a Peer. Where it says so the zero value means the default.
type Options struct {
	// Me is this server's id, a member of Config.
	Me jute.ServerID
	// Config is the ensemble.
	Config *verifier.Config

	TickTime time.Duration
	// InitLimit and SyncLimit are in ticks: how long a learner may take to connect and to get the history,
	// and how long the other side may be silent after that.
	InitLimit, SyncLimit int
	// ConnectToLearnerMasterLimit, in ticks, bounds a learner's attempts to connect; 0 takes InitLimit.
	ConnectToLearnerMasterLimit int
	// ConnectDelay is the time between two such attempts, but for the first ones, which follow each other more
	// quickly; 0 takes 100 ms (leaderConnectDelayDuringRetryMs).
	ConnectDelay time.Duration
	// CnxTimeout bounds the dialling of an election connection; 0 takes 5 s.
	CnxTimeout time.Duration
	// QuorumCnxnTimeout is how long an accepted election connection may be silent before it says who it
	// is; 0 takes SyncLimit ticks.
	QuorumCnxnTimeout time.Duration
	// ElectionPortBindRetry is how often the election port is tried; 0 is without end.
	ElectionPortBindRetry int
	// QuorumListenOnAllIPs opens both ports on all addresses, not only on the configured ones.
	QuorumListenOnAllIPs bool
	// FinalizeWait, NotificationIntervalMin and -Max time the election; 0 takes Java's 200 ms, 200 ms, 60 s.
	FinalizeWait, NotificationIntervalMin, NotificationIntervalMax time.Duration

	// PacketBytesMax bounds the data of a packet that comes in; 0 takes jute.maxbuffer's default with its
	// extra size.
	PacketBytesMax int
	// TailBytesMax bounds a leader's copies of its recent proposals; 0 takes 16 MiB.
	TailBytesMax int
	// PendingBytesMax bounds the transactions in memory that wait to be committed and applied; 0 takes
	// 64 MiB. Those of a learner's history wait in the log instead.
	PendingBytesMax int64
	// DiffBytesMax tells how many bytes of log a learner may lack before it gets the tree instead; nil
	// takes 64 MiB.
	DiffBytesMax func() int64
	// LostMemory is set for a server whose stores don't hold what it once acknowledged (I9): it takes no
	// part in votes until an established leader has given it the tree.
	LostMemory bool
	// Empty is set for a server that has no history and for which nobody vouches: it may be one of a new
	// ensemble, or its disk was wiped. It becomes one with lost memory when it hears that its ensemble has a
	// history.
	Empty bool
	// ForceSnapshot, SnapSyncsMax and DiffSyncsMax are those of zab.LeaderOptions.
	ForceSnapshot              bool
	SnapSyncsMax, DiffSyncsMax int
	// WaitForEpochMax is how long a leader that still waits for its quorum ignores that a server which voted for
	// it looks for another one; then it gives up. 0 is as long as InitLimit lets it wait.
	WaitForEpochMax time.Duration
	// An observer waits a random time below ObserverReconnectDelay before it connects to a leader, and below
	// ObserverElectionDelay before it looks for the next, so that many of them do not come all at once.
	ObserverReconnectDelay, ObserverElectionDelay time.Duration
	// ReachabilityTimeout: a server with several addresses is dialled at all of them at once, and the first to be
	// reached within this time is used. When there is none, and always if it is 0, they are tried in turn.
	ReachabilityTimeout time.Duration
	// AdmitUnknown lets in servers that are not in Config.
	AdmitUnknown bool
	// AckSample: Hooks.Acked is told of transactions whose zxid it divides; of none if it is not positive.
	AckSample int
}

// Deps are what a Peer works on. All but Forgotten, Regained and Hooks are needed.
type Deps struct {
	Log          Log
	StateMachine StateMachine
	Logger       *slog.Logger
	// Dial connects to "host:port"; a name is resolved at each call. A connection with TLS is one whose
	// handshake is done.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
	// Listen opens a port at "host:port". Accept must not wait for a peer: a TLS handshake belongs to the
	// first Read.
	Listen func(ctx context.Context, addr string) (net.Listener, error)
	// Fatal is told once, on a goroutine of the Peer, that this server can't go on: a log that fails, an
	// election port that can't be opened (*PortError). The Peer has ended its term or is about to; the process
	// should end.
	Fatal func(error)
	// Forgotten makes durable that a server with an empty log (Options.Empty) has lost its memory; nil where
	// that can't be found.
	Forgotten func() error
	// Regained makes durable that a server that had lost its memory has it again; nil where that can't be.
	Regained func() error
	// Hooks are told of events, for metrics; the zero value tells nobody.
	Hooks Hooks
}

// Hooks are called with what happens; each may be nil. They must not block.
type Hooks struct {
	// Looking: an election begins.
	Looking func()
	// Elected: it has ended after took, and this server is to be a leader or a follower. Java leaves observers out.
	Elected func(took time.Duration)
	// Disloyal: a leader has given up because of Options.WaitForEpochMax.
	Disloyal func()
	// Available: a term has begun to serve, after took without one.
	Available func(r Role, took time.Duration)
	// Closed: a connection between a leader and a learner was closed, which took so long.
	Closed func(took time.Duration)
	// Synced: this learner has the leader's history, after took.
	Synced func(r Role, took time.Duration)
	// Proposed: the leader has proposed a transaction of so many bytes.
	Proposed func(bytes int)
	// Committed: a quorum has so many more transactions.
	Committed func(n int)
	// SyncBegan and SyncEnded: a learner is sent a DIFF or TRUNC, or, with snap, the tree; so many are now
	// under way.
	SyncBegan, SyncEnded func(snap bool, underWay int)
	// Sending: so many packets wait for a learner, and the first transaction among them was made so many milliseconds
	// ago; less than 0 when there is none. It is told of one write in sendingSample.
	Sending func(sid jute.ServerID, waiting int, millis int64)
	// Forwarding: a learner sends so many requests, which have waited together, to its leader.
	Forwarding func(requests int)
	// ProposalReceived and CommitReceived: a learner got so many packets since it serves.
	ProposalReceived, CommitReceived func(n int)
	// Ages of transactions on their way.
	Ages AgeHooks
}

// AgeHooks tell how old transactions were when they had come so far: milliseconds since the leader made them, by two
// clocks if that was another server, and how many had that age.
type AgeHooks struct {
	// Received: a follower has the proposal.
	Received func(millis int64, n int)
	// Logged: it is durable here, on a leader or a follower, which acknowledge it now.
	Logged func(millis int64, n int)
	// Acked: the leader has the acknowledgement of a server, itself among them; see Options.AckSample.
	Acked func(sid jute.ServerID, millis int64)
	// QuorumAcked: the leader has those of a quorum.
	QuorumAcked func(millis int64, n int)
	// Committed: a learner has the COMMIT or INFORM.
	Committed func(millis int64, n int)
}

const (
	defaultTailBytes    = 16 << 20
	defaultPendingBytes = 64 << 20
	defaultDiffBytes    = 64 << 20
	defaultConnectDelay = 100 * time.Millisecond
	defaultCnxTimeout   = 5 * time.Second
	defaultWait         = 200 * time.Millisecond
	defaultIntervalMax  = time.Minute
)

// withDefaults checks and completes them.
func (o Options) withDefaults() (*Options, error) {
	me, ok := (*verifier.Server)(nil), false
	if o.Config != nil {
		me, ok = o.Config.Server(o.Me)
	}
	switch {
	case !ok:
		return nil, errors.New("quorum: this server, " + o.Me.String() + ", is not in the configuration")
	case len(me.Addresses) == 0:
		return nil, errors.New("quorum: this server has no address")
	case o.TickTime <= 0 || o.InitLimit <= 0 || o.SyncLimit <= 0:
		return nil, errors.New("quorum: tickTime, initLimit and syncLimit must be set")
	}
	orDefault(&o.ConnectToLearnerMasterLimit, o.InitLimit)
	orDefault(&o.ConnectDelay, defaultConnectDelay)
	orDefault(&o.CnxTimeout, defaultCnxTimeout)
	orDefault(&o.QuorumCnxnTimeout, o.ticks(o.SyncLimit))
	orDefault(&o.FinalizeWait, defaultWait)
	orDefault(&o.NotificationIntervalMin, defaultWait)
	orDefault(&o.NotificationIntervalMax, defaultIntervalMax)
	orDefault(&o.TailBytesMax, defaultTailBytes)
	orDefault(&o.PendingBytesMax, defaultPendingBytes)
	if o.DiffBytesMax == nil {
		o.DiffBytesMax = func() int64 { return defaultDiffBytes }
	}
	return &o, nil
}

func orDefault[T int | int64 | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// ticks is the length of so many ticks.
func (o *Options) ticks(n int) time.Duration { return time.Duration(n) * o.TickTime }

// addresses are a server's quorum or election addresses, nil for a stranger.
func (o *Options) addresses(sid jute.ServerID, port func(*verifier.Address) int) (v []string) {
	if s, ok := o.Config.Server(sid); ok {
		for i := range s.Addresses {
			v = append(v, net.JoinHostPort(s.Addresses[i].Host, strconv.Itoa(port(&s.Addresses[i]))))
		}
	}
	return v
}

func (o *Options) electionAddresses(sid jute.ServerID) []string {
	return o.addresses(sid, func(a *verifier.Address) int { return a.ElectionPort })
}

func (o *Options) quorumAddresses(sid jute.ServerID) []string {
	return o.addresses(sid, func(a *verifier.Address) int { return a.QuorumPort })
}

// listenAddresses are where to listen for these own addresses.
func (o *Options) listenAddresses(own []string) []string {
	if !o.QuorumListenOnAllIPs {
		return own
	}
	all := make([]string, 0, len(own))
	for _, addr := range own {
		_, port, _ := net.SplitHostPort(addr)
		all = append(all, ":"+port)
	}
	return all
}

// quorums are those of the one configuration there is.
func (o *Options) quorums() verifier.Quorums { return verifier.Quorums{Current: o.Config} }

// observer reports if this server has no vote.
func (o *Options) observer() bool { return !o.Config.IsVoter(o.Me) }
