package server

import (
	"context"
	"sync"
	"time"

	"zk/jute"
	"zk/server/figures"
	"zk/server/tree"
)

// Role is what a server is during a term.
type Role int32

// The roles.
const (
	Standalone Role = iota
	Leader
	Follower
	Observer
)

func (r Role) String() string {
	return [...]string{figures.ModeStandalone, figures.ModeLeader, figures.ModeFollower, figures.ModeObserver}[r]
}

// learner reports whether writes go to another server.
func (r Role) learner() bool { return r >= Follower }

// Replicator makes proposals durable and committed, and hands them to Server.Apply in zxid order from
// one goroutine.
type Replicator interface {
	// Propose takes a proposal; its Bytes belong to the replicator until Apply has had it. Calls come in
	// zxid order, one at a time. It may block when too much is on its way.
	Propose(p Proposal) error
}

// Ensemble is the way from a member of an ensemble to the others. All calls give an error when the term is
// over or about to end; none waits after that.
type Ensemble interface {
	Replicator
	// Admit waits while too much is on its way. It is called before a client's write, without a lock.
	Admit() error
	// Exhausted gives up the term: no zxid of the leader's epoch is left. It does not wait.
	Exhausted()
	// Forward sends a request of a client to the leader, with the client's identities; those of createSession
	// are nil. Nothing of it is used after the return.
	Forward(r *jute.ForwardedRequest, ids []jute.ID) error
	// Sync asks for a call of Server.Synced with the tag, when all that the leader has proposed by now is
	// applied here. r is the client's request, of which nothing is used after the return.
	Sync(r *jute.ForwardedRequest, ids []jute.ID, tag any) error
	// Revalidate asks the leader if a session is alive: Server.Revalidated brings the answer.
	Revalidate(s jute.SessionTimeout) error
}

// Term is one stay of a server in a role.
type Term struct {
	Role Role
	// Replicator takes what is proposed, standalone; nil in an ensemble.
	Replicator Replicator
	// Ensemble is nil standalone.
	Ensemble Ensemble
	// Zxid is the last one that was ever given out: the next proposal follows it. For a leader it is
	// epoch<<32. It may be later than the tree's last, where that was restored from an older one. A learner
	// has the one that its leader began with.
	Zxid jute.Zxid
	// Config is the list of servers with its version, for /zookeeper/config; empty standalone.
	Config        string
	ConfigVersion int64
}

// term is a Term while it lasts.
type term struct {
	Term
	ctx    context.Context // ends with the term
	cancel context.CancelFunc
	work   sync.WaitGroup // readers of the connections that belong to it, expiry, cleaner
	began  time.Time

	remote   request  // the tag of proposals for learners' clients
	learning learning // of learners
}

// over is closed when the term ends.
func (t *term) over() <-chan struct{} { return t.ctx.Done() }

// Begin begins a term: from now on clients are served. The tree has everything that was committed before.
// Sessions get their full timeouts from now on, and have no owner.
func (s *Server) Begin(o Term) {
	t := &term{Term: o, began: time.Now()}
	if t.Replicator == nil {
		t.Replicator = o.Ensemble
	}
	t.ctx, t.cancel = context.WithCancel(s.ctx)
	t.remote = request{op: jute.OpError, write: true}
	t.learning.init()
	s.setConfig(o.Config, o.ConfigVersion)
	s.resetSessions()
	s.outstanding.Store(0)
	s.large.Store(0)
	s.turns.way.taken.Store(0) // what was dropped with the last term won't arrive
	s.prepMu.Lock()
	s.follow(o.Zxid)
	s.prepMu.Unlock()
	if !o.Role.learner() {
		t.work.Go(func() { s.expire(t.ctx) }) // ends with the term
		t.work.Go(func() { s.clean(t.ctx) })  // ends with the term
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		t.cancel()
		return
	}
	s.term.Store(t)
	s.serving.Store(o.Role != Leader || s.cfg.LeaderServes)
}

// setConfig shows the list of servers to clients.
func (s *Server) setConfig(text string, version int64) {
	if text == "" {
		return
	}
	if err := s.store.Ensure(tree.ConfigPath); err != nil {
		s.fail(err)
		return
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.tree.SetConfig(text, jute.Zxid(version), time.Now().UnixMilli()) {
		s.store.Applied(1, s.tree.LastZxid(), func(b []byte) []byte { return tree.AppendCounts(b, s.tree.Counts()) })
	}
	s.met.WritePerNamespace.Observe(namespace(tree.ConfigPath), int64(len(tree.ConfigPath)+len(text))) // Java writes it each time
}

// resetSessions makes the sessions known those of the tree.
func (s *Server) resetSessions() {
	s.lock.RLock()
	defer s.lock.RUnlock()
	table := make(map[jute.SessionID]int32, s.tree.SessionCount())
	s.tree.Sessions(func(id jute.SessionID, timeoutMillis int32) {
		table[id] = timeoutMillis
		s.ids.Observe(id)
	})
	s.tracker.Reset(table, s.nowMillis())
}

// End ends the term, if there is one: the connections of its clients are closed, and what waits for an
// answer gets none. When it returns nothing is proposed or forwarded any more. In an ensemble it is not
// called together with Apply, and the term's Ensemble refuses what comes by then. Until the next term clients
// are refused; operators' words are answered as by a server that does not serve.
func (s *Server) End() {
	s.mu.Lock()
	s.serving.Store(false)
	t := s.term.Swap(nil)
	var conns []*conn
	for c := range s.conns {
		if c.term != nil {
			conns = append(conns, c)
		}
	}
	s.mu.Unlock()
	if t == nil {
		return
	}
	t.cancel()
	for _, c := range conns {
		c.shutdown()
	}
	t.work.Wait()
	s.prepMu.Lock() // a learner's request may be on its way through
	defer s.prepMu.Unlock()
}

// join makes a connection one of the term's: it ends with it. False when there is no term, or it takes no
// clients.
func (s *Server) join(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.term.Load()
	if t == nil || !s.serving.Load() {
		return false
	}
	c.term = t
	t.work.Add(1)
	return true
}
