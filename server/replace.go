package server

import (
	"zk/jute"
	"zk/server/tree"
)

// Replace puts another tree in the place of the one that is served (Java:
// ZooKeeperServer.restoreFromSnapshot). Connections stay open, with their watches.
//
// No write is proposed while install runs, and what was proposed before has to be applied: install waits
// for that, makes the other tree durable, and puts it into the server's tree and store under the tree
// lock, where it calls swapped. It returns the zxid that the next one follows. Reads go on, of the old
// tree, then of the new one.
//
// Sessions become those of the new tree. One that is in both goes on; the connection of one that is not
// is closed, so that its client learns at once that it has expired. (Java drops the requests of such a
// connection without an answer.) Ephemerals whose session is in no table are deleted, as Java does at
// its next start.
func (s *Server) Replace(install func(swapped func()) (logged jute.Zxid, err error)) error {
	lost, err := s.replace(install)
	for _, c := range lost {
		c.shutdown()
	}
	if err != nil {
		return err
	}
	return s.closeOrphans()
}

// Install is Replace for a server that serves nobody: a learner that gets the whole tree from its leader before
// its term begins.
func (s *Server) Install(install func(swapped func()) error) error {
	s.prepMu.Lock()
	defer s.prepMu.Unlock()
	return install(func() { s.swapped() })
}

func (s *Server) replace(install func(func()) (jute.Zxid, error)) (lost []*conn, err error) {
	s.prepMu.Lock()
	defer s.prepMu.Unlock()
	if s.term.Load() == nil {
		return nil, errStopping
	}
	logged, err := install(func() { lost = s.swapped() })
	if err == nil {
		s.follow(logged)
	}
	return lost, err
}

// follow makes prep go on after the zxid given out last, with nothing in flight. prepMu is held, or nobody
// serves yet.
func (s *Server) follow(logged jute.Zxid) {
	logged = max(logged, s.LastProcessedZxid())
	s.floor.Store(int64(logged))
	s.prep.Reset(logged)
}

// swapped follows a tree that was replaced. It gives the connections whose session is no more. Called
// under the tree lock.
func (s *Server) swapped() (lost []*conn) {
	s.applied.Store(int64(s.tree.LastZxid()))
	s.digests.reset()
	table := make(map[jute.SessionID]int32, s.tree.SessionCount())
	s.tree.Sessions(func(id jute.SessionID, timeoutMillis int32) {
		table[id] = timeoutMillis
		s.ids.Observe(id)
	})
	for _, ses := range s.tracker.Replace(table, s.nowMillis()) {
		if c, ok := ses.Owner().(*conn); ok && c != nil {
			lost = append(lost, c)
		}
	}
	return lost
}

// closeOrphans ends the sessions that own ephemerals and are in no table. A snapshot that Java took while
// it was writing may have some: its sessions are written before its nodes.
func (s *Server) closeOrphans() error {
	var orphans []jute.SessionID
	s.lock.RLock()
	s.tree.EphemeralSessions(func(id jute.SessionID, _ int) {
		if !s.tree.HasSession(id) {
			orphans = append(orphans, id)
		}
	})
	s.lock.RUnlock()
	for _, id := range orphans {
		s.log.Info("ephemerals of a session that is in no table are deleted", "session", id)
		if err := s.closeSession(id); err != nil {
			return err
		}
	}
	return nil
}

// Usage is what a log line about a tree tells.
func (s *Server) Usage() (counts tree.Counts, sessions int) {
	s.lock.RLock()
	defer s.lock.RUnlock()
	return s.tree.Counts(), s.tree.SessionCount()
}
