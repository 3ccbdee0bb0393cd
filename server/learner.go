package server

import (
	"sync"
	"time"

	"zk/jute"
	"zk/server/session"
)

// learning is what a learner has sent to its leader and waits for.
type learning struct {
	mu       sync.Mutex
	waiting  map[jute.SessionID]waiting  // guarded by mu; requests forwarded, by session
	renewals map[jute.SessionID][]*login // guarded by mu; questions about sessions, oldest first
}

// waiting is the requests of a session in the order in which they were forwarded, through request.later.
// It outlives their connection: when the client comes again at once, the answers to what it sent before must
// not be taken for those to what it sends then.
//
// Nor those to what it sent to another server before: transactions don't tell whose they are, and many a client
// numbers its requests from 1 again on each connection. So what comes on a connection that has taken up a session is
// forwarded under numbers of its own, which go on from a random one (conn.cxids): the transaction has another cxid than
// the client gave, and only the servers notice. Java forwards the client's, and would answer with another request's
// outcome.
type waiting struct{ first, last *request }

func (l *learning) init() {
	l.waiting, l.renewals = map[jute.SessionID]waiting{}, map[jute.SessionID][]*login{}
}

func (l *learning) push(id jute.SessionID, r *request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.waiting[id]
	if w.first == nil {
		w.first = r
	} else {
		w.last.later = r
	}
	w.last = r
	l.waiting[id] = w
}

// take gives the request that a transaction came of, nil when it is none of this server's: its session's
// oldest one that waits, if that has the transaction's cxid (Java: CommitProcessor).
func (l *learning) take(h *jute.TxnHeader) *request {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.waiting[h.ClientID]
	r := w.first
	// The end of a session that expired has no cxid; a request may have any.
	if r == nil || r.cxid != h.Cxid || h.Type == jute.OpCloseSession && r.op != jute.OpCloseSession {
		return nil
	}
	if w.first = r.later; w.first == nil {
		delete(l.waiting, h.ClientID)
	} else {
		l.waiting[h.ClientID] = w
	}
	r.later = nil
	return r
}

// forward sends a request to the leader. r waits for the transaction that comes of it.
func (t *term) forward(s *Server, r *request, f *jute.ForwardedRequest, ids []jute.ID) error {
	s.outstanding.Add(1)
	if r.cost > 0 && s.turns.way.send(r.cost) {
		r.sent = time.Now()
	}
	t.learning.push(f.SessionID, r)
	if r.op != jute.OpCreateSession {
		r.c.queue.push(r)
	}
	return t.Ensemble.Forward(f, ids)
}

// answered finds the request of this server that a committed transaction came of. Called by Apply.
func (t *term) answered(p *jute.Proposal) *request {
	r := t.learning.take(&p.Header)
	if r == nil {
		return nil
	}
	if p.Header.Type == jute.OpError {
		r.code = p.Txn.Err
	}
	return r
}

// forwardWrite sends a client's write to the leader. What it is was decoded already: nothing undecodable
// leaves this server.
func (c *conn) forwardWrite(r *request, body []byte, ids []jute.ID) error {
	if !c.session.CheckOwner(c) {
		return errMoved
	}
	r.cxid = r.xid + c.cxids
	c.forwarded = jute.ForwardedRequest{SessionID: c.session.ID(), Cxid: r.cxid, Type: r.op, Body: body}
	if r.op == jute.OpCloseSession {
		c.forwarded.Body = nil
	}
	err := c.term.forward(c.srv, r, &c.forwarded, ids)
	c.forwarded.Body = nil
	return err
}

// sync answers a client when all that the leader has proposed by now is applied here (Java: SYNC, in
// FollowerRequestProcessor and Leader.processSync). In the connection's queue it is like a write.
func (c *conn) sync(r *request, body []byte) bool {
	q := *r
	q.write = true
	c.limitOutstanding()
	c.awaitHeavy()
	c.srv.outstanding.Add(1)
	c.queue.push(&q)
	c.forwarded = jute.ForwardedRequest{SessionID: c.session.ID(), Cxid: r.xid, Type: r.op, Body: body}
	err := c.term.Ensemble.Sync(&c.forwarded, r.local.ids, &q)
	c.forwarded.Body = nil
	return err == nil
}

// Synced answers the sync that Ensemble.Sync was called for with the tag. It is called by the goroutine that
// calls Apply.
func (s *Server) Synced(tag any) {
	r := tag.(*request)
	r.c.synced(r)
	r.c.flush()
}

func (c *conn) synced(r *request) {
	s := c.srv
	s.lock.RLock()
	defer s.lock.RUnlock()
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	s.outstanding.Add(-1)
	if c.queue.head != r {
		c.disordered(r)
		return
	}
	c.queue.pop()
	c.reply(r)
	millis := time.Since(r.received).Milliseconds()
	s.met.ObserveRequest(millis, false)
	c.answered(1, millis)
	c.runQueue()
}

// disordered ends a connection whose next answer is due to another request: the leader has confused them.
// The session lives, and its client asks again.
func (c *conn) disordered(r *request) {
	c.srv.log.Error("the leader answers out of order", "session", jute.SessionID(c.sid.Load()), "op", r.op, "xid", r.xid)
	c.finishOutput()
}

// revalidate takes up a session that the leader has to be asked about.
func (c *conn) revalidate(req *jute.ConnectRequest, timeout int32) bool {
	s, t := c.srv, c.term
	l := &login{req: *req, done: make(chan struct{}), c: c, timeout: timeout}
	t.learning.mu.Lock()
	t.learning.renewals[req.SessionID] = append(t.learning.renewals[req.SessionID], l)
	err := t.Ensemble.Revalidate(jute.SessionTimeout{SessionID: req.SessionID, TimeoutMillis: timeout})
	t.learning.mu.Unlock()
	if err != nil {
		return false
	}
	select {
	case <-l.done:
	case <-t.over():
		return false
	}
	if l.ses == nil || l.ses.IsClosing() {
		s.log.Info("session can't be renewed", "addr", c.remote, "session", req.SessionID)
		c.respond(req, nil, 0)
		return false
	}
	c.cxids = int32(s.opt.Rand())
	c.respond(req, l.ses, timeout)
	return c.begun(l.ses)
}

// Revalidated brings the leader's answer about a session. What the leader commits after it must come to
// Apply after it: the end of the session closes the connection.
func (s *Server) Revalidated(id jute.SessionID, valid bool) {
	t := s.term.Load()
	if t == nil {
		return
	}
	t.learning.mu.Lock()
	list := t.learning.renewals[id]
	if len(list) == 0 {
		t.learning.mu.Unlock()
		s.log.Warn("the leader tells of a session that it was not asked about", "session", id)
		return
	}
	l := list[0]
	if list = list[1:]; len(list) == 0 {
		delete(t.learning.renewals, id)
	} else {
		t.learning.renewals[id] = list
	}
	t.learning.mu.Unlock()
	if valid {
		l.ses = s.tracker.Add(id, l.timeout, s.nowMillis()) // its creation may not be applied here yet
		s.takeUp(l.c, l.ses, l.timeout)
	}
	close(l.done)
}

// takeUp makes owner, a connection or the link of a learner, that of a live session. A connection that had it
// before is closed.
func (s *Server) takeUp(owner any, ses *session.Session, timeout int32) {
	s.tracker.SetTimeout(ses, timeout, s.nowMillis())
	if old, ok := ses.SwapOwner(owner).(*conn); ok && old != nil && old != owner {
		old.shutdown()
	}
}

// Touched appends the sessions that clients of this server have used since the last call: a learner's answer
// to PING, by which the leader knows that they live. It is called by one goroutine at a time.
func (s *Server) Touched(dst []jute.SessionTimeout) []jute.SessionTimeout {
	limit := s.cfg.JuteMaxBuffer / jute.SessionTimeoutBytes // what is beyond is told next time
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		id := jute.SessionID(c.sid.Load())
		if id == 0 {
			continue
		}
		ses := s.tracker.Get(id)
		if ses == nil || !ses.TakeTouch() {
			continue
		}
		dst = append(dst, jute.SessionTimeout{SessionID: id, TimeoutMillis: ses.TimeoutMillis()})
		if len(dst) >= limit {
			break
		}
	}
	return dst
}
