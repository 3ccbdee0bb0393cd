package admin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

const (
	// requestHeadBytesMax bounds the head of a request, its query included.
	requestHeadBytesMax = 16 << 10
	// requestTime bounds the way of a request to the server, but for the body of a restore.
	requestTime = 30 * time.Second
	// connsMax and connsPerAddressMax bound the open connections, in all and from one address. More are
	// closed at once, so that whoever holds many shuts out nobody but itself.
	connsMax           = 256
	connsPerAddressMax = 32
)

// Port is where commands are taken.
type Port struct {
	Listener net.Listener
	// TLS is what HTTPS goes by; nil for HTTP alone.
	TLS *tls.Config
	// Plain takes HTTP beside HTTPS (admin.portUnification).
	Plain bool
	// DetectTimeout is the wait for the first byte of a connection that may be either.
	DetectTimeout time.Duration
	// IdleTimeout closes a connection without a request on its way (admin.idleTimeout).
	IdleTimeout time.Duration
}

// Serve answers until ctx ends, then closes the listener and open connections and returns nil. Any other
// end is an error. The listener belongs to Serve from the call on.
func (p Port) Serve(ctx context.Context, h http.Handler, log *slog.Logger) error {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: requestTime,
		ReadTimeout:       requestTime,
		WriteTimeout:      requestTime, // long replies go on as long as they move: see call.send
		IdleTimeout:       p.IdleTimeout,
		MaxHeaderBytes:    requestHeadBytesMax,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug), // what callers do wrong
		// What TLS negotiates is HTTP/1.1, as in Java.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	var listener net.Listener = &limitedListener{Listener: p.Listener, from: map[netip.Addr]int{}}
	switch {
	case p.TLS != nil && p.Plain:
		listener = unify(ctx, listener, p.TLS, p.DetectTimeout)
	case p.TLS != nil:
		listener = tls.NewListener(listener, p.TLS)
	}
	err := server.Serve(listener)
	if ctx.Err() != nil && (errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed)) {
		return nil
	}
	return fmt.Errorf("admin: serving on %s: %w", p.Listener.Addr(), err)
}

// limitedListener closes connections beyond connsMax and connsPerAddressMax.
type limitedListener struct {
	net.Listener
	mu   sync.Mutex
	all  int                // guarded by mu
	from map[netip.Addr]int // guarded by mu
}

// Accept implements net.Listener.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		addr := source(nc)
		if l.enter(addr) {
			return &limitedConn{Conn: nc, leave: sync.OnceFunc(func() { l.exit(addr) })}, nil
		}
		_ = nc.Close() // refused: nothing to be said about it
	}
}

// source is where a connection comes from; the zero Addr for one that is no TCP connection.
func source(nc net.Conn) netip.Addr {
	a, err := netip.ParseAddrPort(nc.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap()
}

func (l *limitedListener) enter(addr netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= connsMax || l.from[addr] >= connsPerAddressMax {
		return false
	}
	l.all++
	l.from[addr]++
	return true
}

func (l *limitedListener) exit(addr netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.from[addr]--; l.from[addr] == 0 {
		delete(l.from, addr)
	}
}

// limitedConn gives its place back when it is closed.
type limitedConn struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *limitedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}
