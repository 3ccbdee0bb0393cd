package server

import (
	"time"

	"zk/jute"
	"zk/server/prep"
	"zk/server/session"
)

// connect handles the first frame: a ConnectRequest. False closes the connection.
//
// The order of checks is Java's (ZooKeeperServer.processConnectRequest): throttle, lastZxidSeen,
// timeout, then a new session or a renewal. The session's password is checked before anything happens
// to its live connection, where Java closes that first.
func (c *conn) connect(b []byte) bool {
	s := c.srv
	if !s.join(c) {
		s.met.CnxnClosedWithoutZKServerRunning.Inc()
		return false
	}
	var req jute.ConnectRequest
	d := jute.NewDecoder(b, 0)
	req.Decode(&d)
	if d.Err() != nil {
		s.log.Debug("connect request refused", "addr", c.remote, "err", d.Err())
		return false
	}
	s.met.ConnectionRequestCount.Inc()
	s.met.ConnectionTokenDeficit.Observe(s.throttle.deficit())
	if !s.throttle.admit(req.SessionID != 0, s.nowMillis()) {
		s.met.ConnectionRejected.Inc()
		return false
	}
	// What was given out before a restore is this server's history too, though its tree is older.
	if req.LastZxidSeen > max(s.LastProcessedZxid(), jute.Zxid(s.floor.Load())) {
		s.log.Info("client has seen a later zxid than this server", "addr", c.remote, "seen", req.LastZxidSeen, "zxid", s.LastProcessedZxid())
		return false
	}
	timeout := s.clampTimeout(req.TimeoutMillis)
	c.timeout.Store(timeout)
	if req.SessionID != 0 {
		return c.renew(&req, timeout)
	}
	return c.createSession(&req, timeout)
}

// login is a session on its way through the pipeline.
type login struct {
	req     jute.ConnectRequest
	done    chan struct{} // closed when ses is set: by Apply with the response in the output, by Revalidated without
	ses     *session.Session
	c       *conn // of a renewal on a learner
	timeout int32 // of that, in milliseconds
}

// createSession proposes a session and waits for it: nothing else of this connection is handled before.
func (c *conn) createSession(req *jute.ConnectRequest, timeout int32) bool {
	s := c.srv
	if s.refusesSessions() {
		s.met.ConnectionRejected.Inc()
		return false
	}
	id := s.ids.Next(time.Now().UnixMilli())
	l := &login{req: *req, done: make(chan struct{})}
	r := &request{c: c, op: jute.OpCreateSession, received: c.batch, login: l}
	err := c.term.admit()
	switch {
	case err != nil:
	case c.term.Role.learner():
		f := jute.ForwardedRequest{SessionID: id, Type: jute.OpCreateSession, Body: jute.AppendInt32(nil, timeout)}
		err = c.term.forward(s, r, &f, nil)
	default:
		err = s.propose(r, &prep.Request{Body: prep.Body{Op: jute.OpCreateSession}, SessionID: id, TimeoutMillis: timeout})
	}
	if err != nil {
		return false
	}
	select {
	case <-l.done:
	case <-c.term.over():
		return false
	}
	return c.begun(l.ses)
}

// begun makes the reader's side of the connection belong to the session.
func (c *conn) begun(ses *session.Session) bool {
	if ses == nil {
		return false
	}
	c.session = ses
	c.sid.Store(int64(ses.ID()))
	// A shutdown marks the connection before it sets the deadline that wakes the reader: either it is seen here,
	// or that deadline comes after this one.
	_ = c.nc.SetReadDeadline(time.Time{}) // a closed socket tells at the next read
	return !c.gone.Load()
}

// renew takes up a session again.
func (c *conn) renew(req *jute.ConnectRequest, timeout int32) bool {
	s := c.srv
	s.met.ConnectionRevalidateCount.Inc()
	learner := c.term.Role.learner()
	ses := s.tracker.Get(req.SessionID)
	if !learner && (ses == nil || ses.IsClosing()) || !s.passwords.Check(req.SessionID, req.Passwd) {
		s.log.Info("session can't be renewed", "addr", c.remote, "session", req.SessionID)
		c.respond(req, nil, 0)
		return false
	}
	if learner {
		return c.revalidate(req, timeout)
	}
	s.takeUp(c, ses, timeout)
	if ses.IsClosing() {
		// Its end may have been applied just before this connection became the owner: nobody would close it.
		c.respond(req, nil, 0)
		return false
	}
	c.respond(req, ses, timeout)
	return c.begun(ses)
}

// respond appends the ConnectResponse; no session means: expired.
func (c *conn) respond(req *jute.ConnectRequest, ses *session.Session, timeout int32) {
	resp := jute.ConnectResponse{HasReadOnly: req.HasReadOnly, Passwd: make([]byte, session.PasswdBytes)}
	if ses != nil {
		passwd := c.srv.passwords.Make(ses.ID())
		resp.Passwd = passwd[:]
		resp.SessionID = ses.ID()
		resp.TimeoutMillis = timeout
	}
	c.frame(resp.Append)
	c.srv.met.Server.PacketsSent.Inc()
	c.stats.sent.Add(1)
}
