package admin

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"
)

// recordHandshake is the first byte of a TLS connection, and of no HTTP request. Source:
// UnifiedConnectionFactory.
const recordHandshake = 0x16

// acceptPause is the rest after a failed accept.
const acceptPause = 50 * time.Millisecond

// unified is a listener whose connections may begin with TLS or without. The first byte is awaited by a
// goroutine per connection, as http.Server has to see what kind it is; limitedListener bounds them.
type unified struct {
	net.Listener
	ctx    context.Context
	config *tls.Config
	wait   time.Duration
	ready  chan net.Conn // connections whose kind is known
	failed chan error    // the end of the listener
}

// unify starts to take connections, until the listener is closed.
func unify(ctx context.Context, l net.Listener, config *tls.Config, wait time.Duration) net.Listener {
	u := &unified{Listener: l, ctx: ctx, config: config, wait: wait, ready: make(chan net.Conn), failed: make(chan error, 1)}
	go func() { // ends when the listener is closed
		for {
			nc, err := l.Accept()
			switch {
			case err == nil:
			case ctx.Err() != nil || errors.Is(err, net.ErrClosed):
				u.failed <- err
				return
			default: // the system refuses more sockets
				time.Sleep(acceptPause)
				continue
			}
			go u.detect(nc) // ends with the first byte, or wait
		}
	}()
	return u
}

// Accept implements net.Listener.
func (u *unified) Accept() (net.Conn, error) {
	select {
	case nc := <-u.ready:
		return nc, nil
	case err := <-u.failed:
		return nil, err
	}
}

// detect hands a connection on when its kind is known.
func (u *unified) detect(nc net.Conn) {
	p := &peeked{Conn: nc}
	_ = nc.SetReadDeadline(time.Now().Add(u.wait)) // a closed connection tells below
	if n, err := nc.Read(p.first[:]); n == 0 || err != nil {
		_ = nc.Close() // nothing was asked
		return
	}
	_ = nc.SetReadDeadline(time.Time{})
	p.held = true
	var out net.Conn = p
	if p.first[0] == recordHandshake {
		out = tls.Server(p, u.config)
	}
	select {
	case u.ready <- out:
	case <-u.ctx.Done():
		_ = nc.Close() // the server ends
	}
}

// peeked is a connection whose first byte was read.
type peeked struct {
	net.Conn
	first [1]byte
	held  bool // first was not given back yet; owned by the reader
}

// Read implements net.Conn.
func (p *peeked) Read(b []byte) (int, error) {
	if !p.held || len(b) == 0 {
		return p.Conn.Read(b)
	}
	p.held = false
	b[0] = p.first[0]
	return 1, nil
}
