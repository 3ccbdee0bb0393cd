package server

import (
	"slices"
	"syscall"
	"time"

	"zk/jute"
	"zk/server/auth"
	"zk/server/secure/x500"
)

// handshake makes the connection speak TLS if its port, or on a port for both its first byte, says so, and
// gives it the identity of its certificate. False closes the connection. All of it, with the login, has
// SessionlessCnxnTimeout; a client that is slow or silent holds a goroutine and some kilobytes for so long.
func (c *conn) handshake() bool {
	s := c.srv
	if c.mode == TLSNone {
		c.plain()
		return true
	}
	if c.tr.raw == nil {
		s.log.Error("TLS needs a socket", "addr", c.remote)
		return false
	}
	n := s.handshakes.Add(1)
	defer s.handshakes.Add(-1)
	if limit := int64(s.cfg.OutstandingHandshakeLimit); limit > 0 && n > limit {
		s.met.TLSHandshakeExceeded.Inc()
		s.log.Warn("too many TLS handshakes", "addr", c.remote, "limit", limit)
		return false
	}
	login := c.since.Add(s.cfg.SessionlessCnxnTimeout)
	if c.mode == TLSMaybe {
		detect := c.since.Add(s.cfg.ClientTLS.HandshakeDetectionTimeout)
		if detect.Before(login) {
			_ = c.nc.SetReadDeadline(detect) // a closed socket tells at the next read
		}
		first, ok := c.tr.peek()
		_ = c.nc.SetReadDeadline(login)
		if !ok || first != recordHandshake {
			c.plain() // silence too; a socket that has ended tells at the next read
			return true
		}
	}
	_ = c.nc.SetWriteDeadline(login)
	l := newTLSLayer(&c.tr, s.opt.TLS)
	if err := l.tls.Handshake(); err != nil {
		s.met.UnsuccessfulHandshake.Inc()
		s.met.Server.AuthFailed.Inc()
		s.log.Warn("TLS handshake failed", "addr", c.remote, "err", err)
		return false
	}
	_ = c.nc.SetWriteDeadline(time.Time{})
	if !c.identify(l) {
		s.met.Server.AuthFailed.Inc()
		return false
	}
	c.tr.secured(l)
	return true
}

// recordHandshake begins the first record of TLS. No frame and no four-letter word begins with it.
const recordHandshake = 0x16

// plain counts a connection without TLS where others have it. (Java's default, without TLS, does not count them.)
func (c *conn) plain() {
	if c.srv.opt.TLS == nil {
		return
	}
	if c.remote.Addr().IsLoopback() {
		c.srv.met.Server.NonMTLSLocal.Inc()
	} else {
		c.srv.met.Server.NonMTLSRemote.Inc()
	}
}

// identify adds the identity of the client's certificate, if it has one.
func (c *conn) identify(l *tlsLayer) bool {
	certs := l.tls.ConnectionState().PeerCertificates
	if len(certs) == 0 {
		return true
	}
	name, err := x500.Name(certs[0].RawSubject)
	if err != nil {
		c.srv.log.Warn("certificate refused", "addr", c.remote, "err", err)
		return false
	}
	granted := c.srv.auth.CertificateIDs(name)
	ids, _ := auth.AddIDs(granted, *c.ids.Load()) // three at most
	c.ids.Store(&ids)
	return true
}

// certified reports whether an auth packet asks for what the handshake has given already. Called by the reader.
func (c *conn) certified(scheme *string) bool {
	return scheme != nil && *scheme == auth.SchemeX509 && slices.ContainsFunc(*c.ids.Load(), func(id jute.ID) bool { return id.Scheme == auth.SchemeX509 })
}

// peek waits for the first byte and leaves it where it is; ok is false when none comes in time.
func (t *transport) peek() (first byte, ok bool) {
	var b [1]byte
	n := 0
	err := t.raw.Read(func(fd uintptr) bool {
		for {
			var err error
			n, _, err = syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
			if err != syscall.EINTR {
				return err != syscall.EAGAIN
			}
		}
	})
	return b[0], err == nil && n == 1
}
