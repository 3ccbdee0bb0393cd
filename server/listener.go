package server

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"
)

// acceptPause is how long the accept loop rests when the system refuses more sockets.
const acceptPause = 50 * time.Millisecond

// Port is a listener for clients.
type Port struct {
	net.Listener
	TLS TLSMode
}

// TLSMode says whether the clients of a port speak TLS.
type TLSMode int

// The modes of a port.
const (
	TLSNone   TLSMode = iota
	TLSAlways         // secureClientPort
	TLSMaybe          // client.portUnification: the first byte tells
)

func (m TLSMode) String() string { return [...]string{"no", "yes", "both"}[m] }

// accept takes connections until the listener is closed.
func (s *Server) accept(ctx context.Context, l Port) {
	for {
		nc, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			s.log.Warn("accept failed", "err", err)
			select {
			case <-time.After(acceptPause):
			case <-ctx.Done():
				return
			}
			continue
		}
		s.open(nc, l.TLS)
	}
}

// open starts a connection, or closes it at once when there are too many.
func (s *Server) open(nc net.Conn, mode TLSMode) {
	remote := remoteAddr(nc)
	if tcp, ok := nc.(*net.TCPConn); ok {
		_ = tcp.SetNoDelay(true) // an option that fails is an option the socket doesn't have
		_ = tcp.SetKeepAlive(s.cfg.ClientTCPKeepAlive)
	}
	ip := remote.Addr().String()
	s.mu.Lock()
	tooMany := s.cfg.MaxClientCnxns > 0 && s.perIP[ip] >= s.cfg.MaxClientCnxns ||
		s.cfg.MaxCnxns > 0 && len(s.conns) >= s.cfg.MaxCnxns
	if s.closed || tooMany {
		s.mu.Unlock()
		if tooMany {
			s.met.ConnectionRejected.Inc()
			s.log.Warn("too many connections", "addr", remote, "max_client_cnxns", s.cfg.MaxClientCnxns, "max_cnxns", s.cfg.MaxCnxns)
		}
		_ = nc.Close() // refused: nothing to be said about it
		return
	}
	c := newConn(s, nc, remote, ip, mode)
	s.conns[c] = struct{}{}
	s.perIP[ip]++
	s.work.Add(1)
	s.mu.Unlock()
	go func() { // ends when the socket is closed, by either side
		defer s.work.Done()
		c.run()
	}()
}

// forget takes a closed connection out of the tables.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.perIP[c.ip]--; s.perIP[c.ip] <= 0 {
		delete(s.perIP, c.ip)
	}
}

// endsPause is the time between two looks for connections that their clients have ended.
const endsPause = 500 * time.Millisecond

// watchEnds finds connections whose end came together with their last bytes and so did not wake their
// readers (transport.pump), until ctx ends. Most of them are known before: what is still sent to a client
// that is gone comes back as a reset.
func (s *Server) watchEnds(ctx context.Context) {
	tick := time.NewTicker(endsPause)
	defer tick.Stop()
	var unsure []*conn
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		clear(unsure)
		unsure = unsure[:0]
		s.mu.Lock()
		for c := range s.conns {
			if c.tr.unsure.Load() {
				unsure = append(unsure, c)
			}
		}
		s.mu.Unlock()
		for _, c := range unsure {
			if c.tr.ended() {
				_ = c.nc.SetReadDeadline(time.Now()) // wakes the reader; a socket without deadlines is a closed one
			}
		}
	}
}

// connections lists the open connections.
func (s *Server) connections() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		v = append(v, c)
	}
	return v
}

func remoteAddr(nc net.Conn) netip.AddrPort {
	if tcp, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		a := tcp.AddrPort()
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	}
	return netip.AddrPort{}
}
