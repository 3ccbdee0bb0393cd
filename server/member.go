package server

import (
	"cmp"
	"net"
	"slices"
	"strconv"
	"strings"

	"zk/jute"
	"zk/server/figures"
	"zk/server/session"
)

// What operators see of a member of an ensemble.

func (o operator) Quorum() *figures.Quorum {
	if o.s.opt.Quorum == nil {
		return nil
	}
	return o.s.opt.Quorum()
}

// mode is that of the term; Java's servers say follower while they have none.
func (s *Server) mode() string {
	if t := s.term.Load(); t != nil {
		return t.Role.String()
	}
	return figures.ModeFollower
}

// shownZxid is the last zxid as words show it: a leader begins with the epoch's own, as Java's does. Clients
// are never told of that one: they could not go to a follower then.
func (s *Server) shownZxid(last jute.Zxid) jute.Zxid {
	if t := s.term.Load(); t != nil && t.Role == Leader {
		return max(last, t.Zxid)
	}
	return last
}

func (o operator) MonitorHead() []figures.KeyValue {
	q := o.Quorum()
	if q == nil {
		return nil
	}
	head := []figures.KeyValue{{Key: "peer_state", Value: q.PeerState()}}
	if q.Mode == figures.ModeObserver {
		head = append(head, figures.KeyValue{Key: "observer_master_id", Value: strconv.FormatInt(q.Leader, 10)})
	}
	return head
}

// serverID is 0 standalone, whatever myid says.
func (o operator) serverID() int64 {
	if q := o.Quorum(); q != nil {
		return q.ServerID
	}
	return 0
}

// quorumConf is what conf shows of a member (Java: QuorumZooKeeperServer.dumpConf).
func (o operator) quorumConf() *figures.QuorumConf {
	q := o.Quorum()
	if q == nil {
		return nil
	}
	v := &figures.QuorumConf{
		InitLimit: int64(o.s.cfg.InitLimit), SyncLimit: int64(o.s.cfg.SyncLimit), ElectionAlg: o.s.cfg.ElectionAlg, Membership: q.Config,
	}
	if me := q.Me(); me != nil {
		v.ElectionPort, v.QuorumPort, v.Observer = ports(me.ElectionAddresses), ports(me.QuorumAddresses), me.Observer
	}
	return v
}

// ports are those of some addresses, joined as Java joins them.
func ports(addresses []string) string {
	list := make([]string, 0, len(addresses))
	for _, a := range addresses {
		if _, port, err := net.SplitHostPort(a); err == nil {
			list = append(list, port)
		}
	}
	return strings.Join(list, "|")
}

// globalSessions are the sessions as a learner knows them.
func (s *Server) globalSessions() []figures.GlobalSession {
	var list []figures.GlobalSession
	s.tracker.ForEach(func(ses *session.Session) {
		list = append(list, figures.GlobalSession{ID: ses.ID(), TimeoutMillis: ses.TimeoutMillis()})
	})
	slices.SortFunc(list, func(a, b figures.GlobalSession) int { return cmp.Compare(a.ID, b.ID) })
	return list
}
