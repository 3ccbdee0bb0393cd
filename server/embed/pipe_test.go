package embed_test

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
)

// pipes is a listener whose connections are no sockets.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// Accept implements net.Listener.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// Addr implements net.Listener.
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// TestPlainConnections serves connections that are no sockets, whose writes go through whole or not at all
// and only when the other end reads: small and large frames, pipelined, events.
func TestPlainConnections(t *testing.T) {
	p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	r := newRig(t, vfs.NewMem())
	r.deps.Listen = func(string, string) (net.Listener, error) { return p, nil }
	r.open()
	together(4, func(k int) {
		near, far := net.Pipe()
		defer func() { _ = near.Close() }()
		p.conns <- far
		c := &client{t: t, nc: near}
		if err := c.login(10000); err != nil {
			t.Error(err)
			return
		}
		path := fmt.Sprint("/n", k)
		big := strings.Repeat("x", 300_000)
		var b []byte
		b = append(b, c.request(jute.OpCreate, create(path, "", 0))...)
		b = append(b, c.request(jute.OpExists, read(path, true))...)
		for range 10 {
			b = append(b, c.request(jute.OpSetData, setData(path, big, -1))...)
			b = append(b, c.request(jute.OpGetData, read(path, false))...)
		}
		go func() { _, _ = near.Write(b) }()
		for i := range 22 {
			rep, err := c.recv()
			if err != nil || rep.Err != jute.CodeOk || rep.Xid != int32(i+1) {
				t.Errorf("reply %d: %+v %v", i, rep.ReplyHeader, err)
				return
			}
		}
		if len(c.events) != 1 {
			t.Error(c.events)
		}
		c.ok(jute.OpCloseSession, nil)
		if err := c.gone(); err != nil {
			t.Error(err)
		}
	})
	r.close()
	verify(t, r)
}
