package server

import (
	"strings"
	"time"

	"zk/jute"
	"zk/server/auth"
	"zk/server/prep"
)

// request is one request on its way: a write from its proposal to its reply, or a local one (a read, a
// ping, an answer that only has to wait for its turn).
type request struct {
	c        *conn
	xid      int32
	op       jute.OpCode
	received time.Time
	next     *request // in the connection's queue
	later    *request // on a learner, in its session's list of forwarded ones
	amount   int64    // bytes of the frame

	cxid  int32 // under which it was forwarded to a leader; 0 of a createSession
	write bool
	heavy bool // a local one that runs in steps, on a goroutine of its own when it had to wait

	// Of writes.
	path  string    // that the client sent, "" of a multi
	code  jute.Code // what prep answered
	login *login    // of a createSession
	large int64     // bytes counted against largeRequestMaxBytes
	cost  int64     // see turns; 0 of a request that goes without a turn
	alone bool      // nothing else of its connection was on its way
	sent  time.Time // when it was proposed, if hardly any was on its way then
	audit *auditNote

	// Of local requests.
	bytes int // of its reply, about, when it has to wait
	local localOp
}

// localOp is what runs without a transaction. What it needs is decoded.
type localOp struct {
	path  string
	watch bool
	mode  int32
	ids   []jute.ID // identities when the request was read
	code  jute.Code // an answer known at the edge
	set   *jute.SetWatchesRequest
	multi []readOp
}

// request handles a frame of an established session. False closes the connection.
func (c *conn) request(b []byte) bool {
	if len(b) < jute.RequestHeaderBytes {
		return false
	}
	s := c.srv
	d := jute.NewDecoder(b, s.cfg.JuteMaxBuffer+s.cfg.JuteMaxBufferExtraSize)
	var h jute.RequestHeader
	h.Decode(&d)
	switch h.Type {
	case jute.OpAuth:
		return c.auth(&h, &d)
	case jute.OpSASL:
		return c.sasl(&h, &d)
	}
	ids := *c.ids.Load()
	if !s.auth.MayRequest(ids) {
		c.answerNow(h.Xid, 0, jute.CodeSessionClosedRequireSaslAuth)
		return false
	}
	if !c.session.Touch(s.nowMillis()) && s.tracker.Get(c.session.ID()) == nil {
		return true // dropped without an answer: the session is gone, and the connection soon
	}
	if s.requests.limited() && !s.requests.enter(c, &h) {
		return true
	}
	return c.dispatch(&h, &d, b, ids)
}

func (c *conn) dispatch(h *jute.RequestHeader, d *jute.Decoder, b []byte, ids []jute.ID) bool {
	switch h.Type {
	case jute.OpCreate, jute.OpCreate2, jute.OpCreateContainer, jute.OpCreateTTL, jute.OpDelete, jute.OpSetData,
		jute.OpSetACL, jute.OpMulti, jute.OpReconfig, jute.OpCloseSession:
		return c.submit(h, d.Rest(), len(b), ids)
	case jute.OpExists, jute.OpGetData, jute.OpGetACL, jute.OpGetChildren, jute.OpGetChildren2, jute.OpSync, jute.OpPing,
		jute.OpCheckWatches, jute.OpRemoveWatches, jute.OpSetWatches, jute.OpSetWatches2, jute.OpAddWatch, jute.OpMultiRead,
		jute.OpGetEphemerals, jute.OpGetAllChildrenNumber, jute.OpWhoAmI:
		return c.local(h, d, ids)
	}
	// Unknown, or one that only servers originate. The answer is the connection's last, and has its turn
	// behind those that are still on their way.
	c.pause()
	c.queue.wait(c.term.over(), func(q *queue) bool { return q.n == 0 })
	c.queue.empty() // not before whoever took the last one out has answered it
	c.answerNow(h.Xid, -1, jute.CodeUnimplemented)
	return false
}

// answerNow appends a reply without a body ahead of what is still on its way.
func (c *conn) answerNow(xid int32, zxid jute.Zxid, code jute.Code) {
	c.frame(func(b []byte) []byte { return appendHeader(b, xid, zxid, code) })
	c.srv.met.Server.PacketsSent.Inc()
	c.stats.sent.Add(1)
}

// auth adds identities to the connection. Its reply does not wait for earlier requests.
func (c *conn) auth(h *jute.RequestHeader, d *jute.Decoder) bool {
	var p jute.AuthPacket
	p.Decode(d)
	if d.Err() != nil {
		return false
	}
	granted, ok := c.srv.auth.HandleAuth(c.remote.Addr(), p.Scheme, p.Auth)
	if ok || c.certified(p.Scheme) {
		var all []jute.ID
		if all, ok = auth.AddIDs(*c.ids.Load(), granted); ok {
			c.ids.Store(&all)
			c.answerNow(h.Xid, 0, jute.CodeOk)
			return true
		}
	}
	c.srv.log.Info("authentication failed", "addr", c.remote, "session", c.session.ID())
	if c.srv.auth.RefusesSilently(p.Scheme) {
		return false
	}
	c.answerNow(h.Xid, 0, jute.CodeAuthFailed)
	return false
}

// submit hands a write to prep.
func (c *conn) submit(h *jute.RequestHeader, body []byte, size int, ids []jute.ID) bool {
	s := c.srv
	if s.refusesWrites() && h.Type != jute.OpCloseSession {
		return c.refuse(h, jute.CodeNotReadOnly)
	}
	var w prep.Request
	if err := w.Decode(h.Type, body, s.cfg.JuteMaxBuffer+s.cfg.JuteMaxBufferExtraSize); err != nil {
		return c.refuse(h, jute.CodeMarshallingError)
	}
	w.SessionID, w.Cxid, w.IDs, w.Owner = c.session.ID(), h.Xid, ids, c
	learner := c.term.Role.learner()
	if !learner {
		if err := s.pin(&w); err != nil {
			s.fail(err)
			return false
		}
	}
	r := &request{c: c, xid: h.Xid, op: h.Type, received: c.batch, write: true, amount: int64(size), path: w.Path}
	if s.cfg.LargeRequestThreshold > 0 && size > s.cfg.LargeRequestThreshold {
		if !s.admitLarge(int64(size)) {
			return false
		}
		r.large = int64(size)
	}
	if s.opt.Audit != nil {
		r.audit = c.noteForAudit(&w)
		s.opt.Audit.Await(c.term.over())
	}
	r.alone = c.limitOutstanding()
	c.awaitHeavy()
	err := c.term.admit()
	if err == nil {
		r.cost = costOf(r.amount)
		c.takeTurn(r.cost, r.alone)
		if learner {
			err = c.forwardWrite(r, body, ids)
		} else {
			err = s.propose(r, &w)
		}
	}
	if err != nil {
		s.large.Add(-r.large) // nobody else will give it back
		return false
	}
	return true
}

// admit waits for the ensemble, if there is one.
func (t *term) admit() error {
	if t.Ensemble == nil {
		return nil
	}
	return t.Ensemble.Admit()
}

// refuse answers a request that goes no further than here, in its turn.
func (c *conn) refuse(h *jute.RequestHeader, code jute.Code) bool {
	c.req = request{c: c, xid: h.Xid, op: h.Type, received: c.batch, local: localOp{code: code}}
	c.runLocal(&c.req)
	return true
}

// What one connection may have in flight, whatever globalOutstandingLimit says.
const (
	queueMax      = 10000    // requests
	queueBytesMax = 16 << 20 // bytes of them; one more may be begun below it
)

// limitOutstanding stops reading a connection that has requests in flight while the server has too many
// (globalOutstandingLimit), or the connection itself. It reports whether there is none in flight.
func (c *conn) limitOutstanding() (alone bool) {
	c.queue.mu.Lock()
	n, held := c.queue.n, c.queue.held
	c.queue.mu.Unlock()
	limit := int64(c.srv.cfg.GlobalOutstandingLimit)
	if n < queueMax && held < queueBytesMax && (limit <= 0 || c.srv.outstanding.Load() < limit) {
		return n == 0
	}
	c.pause()
	half := n / 2
	c.queue.wait(c.term.over(), func(q *queue) bool { return q.n <= half && q.held <= queueBytesMax/2 || q.n == 0 })
	return n == 0
}

// awaitHeavy keeps a write back while a long read of the same connection waits or runs: the read must
// not see it. Only those who send writes behind long reads pay for it.
func (c *conn) awaitHeavy() {
	c.queue.mu.Lock()
	heavy := c.queue.heavy
	c.queue.mu.Unlock()
	if heavy == 0 {
		return
	}
	c.pause()
	c.queue.wait(c.term.over(), func(q *queue) bool { return q.heavy == 0 })
}

// pin brings what a write touches into memory, so that neither prep nor Apply reads from disk.
func (s *Server) pin(w *prep.Request) error {
	if s.store.Warmed() {
		return nil
	}
	if w.Op == jute.OpCloseSession {
		return s.pinEphemerals(w.SessionID)
	}
	if err := s.pinTarget(&w.Body); err != nil {
		return err
	}
	for i := range w.Subs {
		if err := s.pinTarget(&w.Subs[i]); err != nil {
			return err
		}
	}
	return nil
}

// pinTarget brings the node of one operation into memory. A sequential name is made up in prep only, and
// a node may have it: then all its siblings-to-be are needed.
func (s *Server) pinTarget(b *prep.Body) error {
	switch b.Op {
	case jute.OpCreate, jute.OpCreate2, jute.OpCreateContainer, jute.OpCreateTTL:
		if i := strings.LastIndexByte(b.Path, '/'); i >= 0 && b.Flags >= jute.FlagSequential {
			if err := s.store.EnsureChildren(b.Path[:i]); err != nil {
				return err
			}
		}
	}
	return s.pinPath(b.Path)
}

// propose gives a request its zxid and its place in the order, and hands it to the replicator. A
// session that has moved to another connection is an error, which closes this one.
func (s *Server) propose(r *request, w *prep.Request) error {
	buf := s.pool.getOut()
	s.outstanding.Add(1)
	s.prepMu.Lock()
	defer s.prepMu.Unlock()
	t := s.term.Load()
	if err := s.mayPropose(t, r); err != nil {
		s.outstanding.Add(-1)
		return err
	}
	s.prep.Applied(jute.Zxid(s.applied.Load()))
	prepared := false
	defer func() {
		if !prepared { // a panic, which costs a connection its life elsewhere; here order and changes in flight are lost
			s.fail(errPrep)
		}
	}()
	now := time.Now()
	buf, p := s.prep.Prepare(buf, w, now.UnixMilli())
	prepared = true
	if r.cost > 0 && s.turns.way.send(r.cost) {
		r.sent = now
	}
	if r.c != nil {
		r.code = p.Err
		if r.write {
			r.c.queue.push(r)
		}
	}
	return t.Replicator.Propose(Proposal{Zxid: p.Zxid, Bytes: buf, Tag: r})
}

// mayPropose tells why a request can't have a zxid. prepMu is held.
func (s *Server) mayPropose(t *term, r *request) error {
	switch {
	case t == nil:
		return errStopping
	case r.c != nil && r.write && !r.c.session.CheckOwner(r.c):
		return errMoved
	case t.Ensemble != nil && s.prep.LastZxid().Counter() >= lastCounter:
		t.Ensemble.Exhausted()
		return errExhausted
	}
	return nil
}

// lastCounter is the last one of an epoch: 0xffffffff is never given out (Java: PrepRequestProcessor and
// Leader.propose, ZOOKEEPER-1277).
const lastCounter = 0xfffffffe
