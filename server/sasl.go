package server

import (
	"crypto/rand"
	"errors"

	"zk/conf"
	"zk/jute"
	"zk/server/auth"
	"zk/server/auth/digestmd5"
)

// What Java's servers call themselves in SASL, whatever host they run on; clients have it built in.
const (
	saslRealm = "zk-sasl-md5"
	saslURI   = "zookeeper/" + saslRealm
)

// saslUsers are who can authenticate; nil when there is no SASL login.
func saslUsers(cfg *conf.Config) *digestmd5.Users {
	if !cfg.SASL.Enabled {
		return nil
	}
	return digestmd5.NewUsers(saslRealm, cfg.SASL.Users)
}

// sasl takes a token of the one SASL exchange that a connection can have. Like that of an auth packet its
// reply does not wait for earlier requests. Source: ZooKeeperServer.processSasl.
//
// Without a SASL login the answer is no error and no token, and the client goes on unauthenticated.
func (c *conn) sasl(h *jute.RequestHeader, d *jute.Decoder) bool {
	token := d.Buffer()
	if token == nil || d.Err() != nil {
		return false
	}
	s := c.srv
	if s.saslUsers == nil {
		c.answerSASL(h.Xid, jute.CodeOk, nil)
		return true
	}
	if c.exchange == nil {
		var seed [digestmd5.SeedBytes]byte
		_, _ = rand.Read(seed[:]) // never fails: crypto/rand ends the process itself
		c.exchange = digestmd5.NewServer(s.saslUsers, saslURI, seed)
	}
	reply, err := c.exchange.Evaluate(token)
	if err != nil {
		return c.saslFailed(h, err)
	}
	if c.exchange.Complete() && !c.saslDone(c.exchange.User()) {
		return false
	}
	c.answerSASL(h.Xid, jute.CodeOk, reply)
	return true
}

// saslDone gives the connection the user's identities. Java throws, and so closes the connection, where the
// name is none of Kerberos.
func (c *conn) saslDone(user string) bool {
	granted, ok := c.srv.auth.SASLIDs(user)
	if !ok {
		c.srv.log.Info("SASL user has a name that no Kerberos principal can have", "addr", c.remote, "session", c.session.ID())
		return false
	}
	all, ok := auth.AddIDs(*c.ids.Load(), granted)
	if ok {
		c.ids.Store(&all)
		c.srv.log.Debug("SASL authentication", "addr", c.remote, "session", c.session.ID(), "user", user)
	}
	return ok
}

// saslFailed answers a token that was refused. False closes the connection.
func (c *conn) saslFailed(h *jute.RequestHeader, err error) bool {
	s := c.srv
	required := s.auth.Enforces(auth.SchemeSASL)
	goesOn := s.cfg.AllowSaslFailedClients && !required
	// A client that may go on could fill the log; it has one failure that counts.
	note := s.log.Info
	if goesOn && c.saslNoted {
		note = s.log.Debug
	}
	c.saslNoted = true
	note("SASL authentication failed", "addr", c.remote, "session", c.session.ID(), "err", err)
	var e *digestmd5.Error
	switch {
	case errors.As(err, &e) && e.Abort:
		return false
	case goesOn:
		c.answerSASL(h.Xid, jute.CodeOk, nil)
		return true
	case required:
		c.answerSASL(h.Xid, jute.CodeSessionClosedRequireSaslAuth, nil)
	default:
		c.answerSASL(h.Xid, jute.CodeAuthFailed, nil)
	}
	return false
}

// answerSASL appends a reply, which has its token also after an error.
func (c *conn) answerSASL(xid int32, code jute.Code, token []byte) {
	c.frame(func(b []byte) []byte { return jute.AppendBuffer(appendHeader(b, xid, 0, code), token) })
	c.srv.met.Server.PacketsSent.Inc()
	c.stats.sent.Add(1)
}
