package embed

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"zk/jute"
	"zk/persistence"
	"zk/quorum"
	"zk/server/metrics"
	"zk/server/nowait"
)

// An ensemble's server starts like one that stands alone, but for three things: what its log has beyond the
// stored tree is not redone, since nobody knows yet if it was committed (I4); clients are served when its
// quorum.Peer begins a term; and what is durable goes to the Peer, which tells when it is committed.

// diffBytesMin is what a learner may always lack before it gets the tree in place of the log.
const diffBytesMin = 64 << 20

// newPeer makes this server one of its ensemble; Start makes it take part.
func (n *Node) newPeer() error {
	c := n.cfg
	n.members = c.Members
	var err error
	n.peer, err = quorum.New(quorum.Options{
		Me: jute.ServerID(c.ServerID), Config: c.Members, TickTime: c.TickTime, InitLimit: c.InitLimit, SyncLimit: c.SyncLimit,
		ConnectToLearnerMasterLimit: c.ConnectToLearnerMasterLimit, ConnectDelay: c.LeaderConnectDelayDuringRetry,
		CnxTimeout: c.CnxTimeout, QuorumCnxnTimeout: c.QuorumCnxnTimeout, ElectionPortBindRetry: c.ElectionPortBindRetry,
		QuorumListenOnAllIPs: c.QuorumListenOnAllIPs, NotificationIntervalMin: c.MinNotificationInterval,
		NotificationIntervalMax: c.MaxNotificationInterval, PacketBytesMax: c.JuteMaxBuffer + c.JuteMaxBufferExtraSize,
		ForceSnapshot: c.ForceSnapshotSync, SnapSyncsMax: c.MaxConcurrentSnapSyncs, DiffSyncsMax: c.MaxConcurrentDiffSyncs,
		WaitForEpochMax: n.waitForEpochMax(), ObserverReconnectDelay: c.ObserverReconnectDelay, ObserverElectionDelay: c.ObserverElectionDelay,
		ReachabilityTimeout: n.reachabilityTimeout(), AckSample: c.AckLoggingFrequency, DiffBytesMax: n.diffBytesMax, LostMemory: n.stores.Lost != nil, Empty: n.stores.Lost == nil && n.stores.Empty(),
	}, quorum.Deps{
		Log: quorumLog{n.stores.Log, n}, StateMachine: machine{n}, Logger: n.log, Dial: n.dialPeer, Listen: n.listenPeer,
		Fatal: n.fail, Forgotten: n.foundWiped, Regained: n.stores.Regained, Hooks: quorumHooks(n.met),
	})
	if err != nil {
		return &configError{fmt.Errorf("embed: %w", err)}
	}
	return nil
}

// reachabilityTimeout is how long the addresses of a server that has several are probed, 0 for never.
func (n *Node) reachabilityTimeout() time.Duration {
	if !n.cfg.MultiAddressReachabilityCheckEnabled {
		return 0
	}
	return n.cfg.MultiAddressReachabilityCheckTimeout
}

// waitForEpochMax is Java's key, of which -1 means without end and 0 not at all.
func (n *Node) waitForEpochMax() time.Duration {
	if n.cfg.MaxTimeToWaitForEpoch < 0 {
		return 0
	}
	return max(n.cfg.MaxTimeToWaitForEpoch, time.Nanosecond)
}

// foundWiped notes that the folders were not empty because the ensemble is new.
func (n *Node) foundWiped() error {
	return n.stores.Forget("its data folders were empty, and its ensemble has a history")
}

// forget makes the next start of an ensemble's server one without memory, if data on its disk is damaged: its peers
// have all of it.
func (n *Node) forget(err error) {
	var corrupt *persistence.CorruptionError
	if !n.cfg.Distributed() || !errors.As(err, &corrupt) {
		return
	}
	if ferr := n.stores.Forget(err.Error()); ferr != nil {
		n.log.Error("the loss of memory is not noted", "err", ferr)
		return
	}
	n.log.Error("the next start takes everything from the leader", "err", err)
}

// diffBytesMax is how much log is sent to a learner rather than the tree: sending it must not cost more.
func (n *Node) diffBytesMax() int64 {
	counts, _ := n.server.Usage()
	return max(diffBytesMin, int64(float64(counts.DataBytes)*n.cfg.SnapshotSizeFactor))
}

func (n *Node) dialPeer(ctx context.Context, address string) (net.Conn, error) {
	c, err := n.deps.Dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return nowait.Wrap(c), nil
}

func (n *Node) listenPeer(_ context.Context, address string) (net.Listener, error) {
	l, err := n.deps.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	return peerListener{l}, nil
}

// peerListener accepts connections of peers.
type peerListener struct{ net.Listener }

func (l peerListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return nowait.Wrap(c), nil
}

// quorumHooks count what happens between the servers.
func quorumHooks(m *metrics.Metrics) quorum.Hooks {
	return quorum.Hooks{
		Looking: m.LookingCount.Inc,
		Elected: m.ElectionTime.ObserveDuration,
		Synced: func(r quorum.Role, took time.Duration) {
			if r == quorum.Observing {
				m.ObserverSyncTime.ObserveDuration(took)
			} else {
				m.FollowerSyncTime.ObserveDuration(took)
			}
		},
		Proposed: func(bytes int) {
			m.ProposalCount.Inc()
			m.Server.ProposalSizes.Observe(int64(bytes))
		},
		Committed: func(n int) { m.CommitCount.Add(int64(n)) },
		SyncBegan: func(snap bool, underWay int) {
			if snap {
				m.SnapCount.Inc()
				m.InflightSnapCount.Observe(int64(underWay))
			} else {
				m.DiffCount.Inc()
				m.InflightDiffCount.Observe(int64(underWay))
			}
		},
		SyncEnded: func(snap bool, underWay int) {
			if snap {
				m.InflightSnapCount.Observe(int64(underWay))
			} else {
				m.InflightDiffCount.Observe(int64(underWay))
			}
		},
		Sending: func(sid jute.ServerID, waiting int, millis int64) {
			m.LearnerHandlerQPSize.Observe(sid.String(), int64(waiting))
			if millis >= 0 {
				m.LearnerHandlerQPTime.Observe(sid.String(), millis)
			}
		},
		Forwarding: func(requests int) { m.LearnerRequestProcessorQueueSize.Observe(int64(requests)) },
		Disloyal:   m.QuitLeadingDueToDisloyalVoter.Inc,
		Available: func(r quorum.Role, took time.Duration) {
			m.UnavailableTime.ObserveDuration(took)
			if r == quorum.Leading {
				m.LeaderUnavailableTime.ObserveDuration(took)
			}
		},
		Closed:           m.SocketClosingTime.ObserveDuration,
		ProposalReceived: func(n int) { m.LearnerProposalReceivedCount.Add(int64(n)) },
		CommitReceived:   func(n int) { m.LearnerCommitReceivedCount.Add(int64(n)) },
		Ages: quorum.AgeHooks{
			Received: m.ProposalLatency.ObserveMany, Logged: m.ProposalAckCreationLatency.ObserveMany,
			Acked:       func(sid jute.ServerID, millis int64) { m.AckLatency.Observe(sid.String(), millis) },
			QuorumAcked: m.QuorumAckLatency.ObserveMany, Committed: m.CommitPropagationLatency.ObserveMany,
		},
	}
}

func hostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
