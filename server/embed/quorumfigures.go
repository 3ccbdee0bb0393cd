package embed

import (
	"cmp"
	"slices"
	"time"

	"zk/jute"
	"zk/quorum"
	"zk/quorum/verifier"
	"zk/server"
	"zk/server/figures"
)

// quorumFigures is what the server shows of its ensemble; nil standalone.
func (n *Node) quorumFigures() *figures.Quorum {
	if n.peer == nil {
		return nil
	}
	st := n.peer.Status()
	q := &figures.Quorum{
		ServerID: n.cfg.ServerID, ZabState: st.Phase.String(), Leader: int64(st.Leader), Config: n.members.String(),
		LeadingSince: st.Since, PendingSyncs: st.PendingSyncs, LastZxid: jute.Zxid(n.stores.Log.LastLogged()),
		Mode: modeOf(st.Role), Members: n.memberFigures(),
	}
	for i := range st.Learners {
		l := &st.Learners[i]
		q.Learners = append(q.Learners, figures.Learner{
			ID: int64(l.SID), Remote: l.Addr, Observer: l.Observer, Voting: l.Voter, Synced: l.Synced, Established: l.Since, LastZxid: l.Acked,
		})
	}
	slices.SortFunc(q.Learners, func(a, b figures.Learner) int { return cmp.Compare(a.ID, b.ID) })
	return q
}

func modeOf(r quorum.Role) string {
	switch r {
	case quorum.Leading:
		return figures.ModeLeader
	case quorum.Following:
		return figures.ModeFollower
	case quorum.Observing:
		return figures.ModeObserver
	}
	return ""
}

func (n *Node) memberFigures() []figures.Member {
	servers := n.members.Servers()
	list := make([]figures.Member, 0, len(servers))
	for i := range servers {
		list = append(list, n.memberFigure(&servers[i]))
	}
	return list
}

func (n *Node) memberFigure(s *verifier.Server) figures.Member {
	m := figures.Member{ID: int64(s.ID), Observer: s.Observer}
	for i := range s.Addresses {
		a := &s.Addresses[i]
		m.QuorumAddresses = append(m.QuorumAddresses, hostPort(a.Host, a.QuorumPort))
		m.ElectionAddresses = append(m.ElectionAddresses, hostPort(a.Host, a.ElectionPort))
	}
	const all = "0.0.0.0"
	switch {
	case s.HasClientPort:
		m.ClientAddress = hostPort(cmp.Or(s.ClientAddress, all), s.ClientPort)
	case int64(s.ID) == n.cfg.ServerID && n.cfg.ClientPort >= 0: // the others' are in their own files
		m.ClientAddress = hostPort(cmp.Or(n.cfg.ClientPortAddress, all), n.cfg.ClientPort)
	}
	return m
}

// showRole sets the gauges that a server has for its role in the ensemble (Java: the registerMetrics of
// Leader, QuorumZooKeeperServer and LeaderZooKeeperServer).
func (n *Node) showRole(role server.Role) {
	m := n.met
	m.QuorumSize.Set(func() int64 { return int64(len(n.members.Voters())) })
	if role != server.Leader {
		return
	}
	began := time.Now()
	learners := func(count func(quorum.Status) int) func() int64 {
		return func() int64 { return int64(count(n.peer.Status())) }
	}
	m.Learners.Set(learners(func(s quorum.Status) int { return len(s.Learners) }))
	m.SyncedFollowers.Set(learners(func(s quorum.Status) int { return s.SyncedFollowers() }))
	m.SyncedNonVotingFollowers.Set(learners(func(s quorum.Status) int { return s.SyncedNonVoting() }))
	m.SyncedObservers.Set(learners(func(s quorum.Status) int { return s.SyncedObservers() }))
	m.PendingSyncs.Set(learners(func(s quorum.Status) int { return s.PendingSyncs }))
	m.LeaderUptime.Set(func() int64 { return time.Since(began).Milliseconds() })
	sizes := &m.Server.ProposalSizes
	m.LastProposalSize.Set(sizes.Last)
	m.MinProposalSize.Set(sizes.Min)
	m.MaxProposalSize.Set(sizes.Max)
}

// hideRole takes the leader's gauges away.
func (n *Node) hideRole() {
	m := n.met
	for _, g := range []interface{ Unset() }{
		m.Learners, m.SyncedFollowers, m.SyncedNonVotingFollowers, m.SyncedObservers, m.PendingSyncs, m.LeaderUptime,
		m.LastProposalSize, m.MinProposalSize, m.MaxProposalSize,
	} {
		g.Unset()
	}
}
