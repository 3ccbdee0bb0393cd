package quorum

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"zk/jute"
)

// memNet is a network in memory: hosts are "s1", "s2" and so on, and can be cut off from each other.
type memNet struct {
	mu        sync.Mutex
	listeners map[string]*memListener
	conns     map[*memConn]struct{}
	cut       map[[2]string]bool
}

func newMemNet() *memNet {
	return &memNet{listeners: map[string]*memListener{}, conns: map[*memConn]struct{}{}, cut: map[[2]string]bool{}}
}

type memListener struct {
	n     *memNet
	addr  string
	queue chan net.Conn
	over  chan struct{}
	once  sync.Once
}

type memConn struct {
	net.Conn
	n        *memNet
	from, to string
}

func (c *memConn) Close() error {
	c.n.mu.Lock()
	delete(c.n.conns, c)
	c.n.mu.Unlock()
	return c.Conn.Close()
}

type memAddr string

func (a memAddr) Network() string { return "mem" }
func (a memAddr) String() string  { return string(a) }

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.over:
		return nil, net.ErrClosed
	}
}

func (l *memListener) Close() error {
	l.once.Do(func() {
		close(l.over)
		l.n.mu.Lock()
		defer l.n.mu.Unlock()
		delete(l.n.listeners, l.addr)
		for {
			select {
			case c := <-l.queue:
				_ = c.Close()
			default:
				return
			}
		}
	})
	return nil
}

func (l *memListener) Addr() net.Addr { return memAddr(l.addr) }

var errRefused = errors.New("connection refused")

func (n *memNet) listen(_ context.Context, addr string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[addr] != nil {
		return nil, fmt.Errorf("%s: address in use", addr)
	}
	l := &memListener{n: n, addr: addr, queue: make(chan net.Conn, 64), over: make(chan struct{})}
	n.listeners[addr] = l
	return l, nil
}

func (n *memNet) dial(from string) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, addr string) (net.Conn, error) {
		to, _, _ := strings.Cut(addr, ":")
		n.mu.Lock()
		defer n.mu.Unlock()
		l := n.listeners[addr]
		if n.cut[[2]string{from, to}] || n.cut[[2]string{to, from}] || l == nil || ctx.Err() != nil {
			return nil, errRefused
		}
		here, there := net.Pipe()
		c := &memConn{here, n, from, to}
		n.conns[c] = struct{}{}
		select {
		case l.queue <- there:
			return c, nil
		default:
			return nil, errRefused
		}
	}
}

// partition cuts a host off from others, or joins it again. Connections break.
func (n *memNet) partition(cut bool, host string, others ...string) {
	n.mu.Lock()
	var broken []*memConn
	for _, other := range others {
		n.cut[[2]string{host, other}] = cut
		for c := range n.conns {
			if cut && (c.from == host && c.to == other || c.from == other && c.to == host) {
				broken = append(broken, c)
			}
		}
	}
	n.mu.Unlock()
	for _, c := range broken {
		_ = c.Close()
	}
}

func hostOf(sid jute.ServerID) string { return fmt.Sprintf("s%d", sid) }
