package client

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"zk/jute"
)

// peers is the server side of a test: the client's dials arrive here and the test plays the server.
type peers struct {
	t        *testing.T
	accepted chan *peer
	mu       sync.Mutex
	refuse   map[string]bool // guarded by mu; addresses that don't answer
	dialed   []string        // guarded by mu
}

// peer is one connection, seen from the server.
type peer struct {
	t    *testing.T
	addr string
	conn net.Conn
	r    *bufio.Reader
}

func newPeers(t *testing.T) *peers {
	return &peers{t: t, accepted: make(chan *peer, 8), refuse: map[string]bool{}}
}

func (s *peers) dial(_ context.Context, _, addr string) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dialed = append(s.dialed, addr)
	if s.refuse[addr] {
		return nil, io.ErrUnexpectedEOF
	}
	ours, theirs := net.Pipe()
	s.accepted <- &peer{t: s.t, addr: addr, conn: theirs, r: bufio.NewReader(theirs)}
	return ours, nil
}

func (s *peers) addrs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.dialed)
}

// open starts a client and logs it in.
func (s *peers) open(servers string, opts Options) (*Client, *peer) {
	s.t.Helper()
	opts.Dial, opts.InOrder = s.dial, true
	c, err := New(servers, opts)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		_ = c.Close(ctx)
	})
	p := <-s.accepted
	p.login(0x1001, 6000)
	if err := c.WaitConnected(context.Background()); err != nil {
		s.t.Fatal(err)
	}
	return c, p
}

func (p *peer) readFrame() []byte {
	p.t.Helper()
	b, err := readFrame(p.r, 1<<20)
	if err != nil {
		p.t.Fatalf("peer: reading a frame: %v", err)
	}
	return b
}

func (p *peer) send(body []byte) {
	p.t.Helper()
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	if _, err := p.conn.Write(append(b, body...)); err != nil {
		p.t.Fatalf("peer: writing: %v", err)
	}
}

// login reads the ConnectRequest and grants the session.
func (p *peer) login(id jute.SessionID, timeoutMillis int32) jute.ConnectRequest {
	p.t.Helper()
	var req jute.ConnectRequest
	b := p.readFrame()
	d := jute.NewDecoder(b, 0)
	if req.Decode(&d); d.Err() != nil {
		p.t.Fatal(d.Err())
	}
	resp := jute.ConnectResponse{
		TimeoutMillis: timeoutMillis, SessionID: id, Passwd: []byte("0123456789abcdef"), HasReadOnly: true,
	}
	p.send(resp.Append(nil))
	return req
}

// expect reads the next request that is not a ping and checks its kind.
func (p *peer) expect(op jute.OpCode) (xid int32, d jute.Decoder) {
	p.t.Helper()
	for {
		d = jute.NewDecoder(p.readFrame(), 0)
		var h jute.RequestHeader
		if h.Decode(&d); h.Type == jute.OpPing && op != jute.OpPing {
			p.reply(jute.XidPing, 0, 0, nil)
			continue
		}
		if d.Err() != nil || h.Type != op {
			p.t.Fatalf("peer: got a request of type %v (%v), want %v", h.Type, d.Err(), op)
		}
		return h.Xid, d
	}
}

func (p *peer) reply(xid int32, zxid jute.Zxid, code jute.Code, body []byte) {
	p.t.Helper()
	h := jute.ReplyHeader{Xid: xid, Zxid: zxid, Err: code}
	p.send(append(h.Append(nil), body...))
}

func (p *peer) event(t jute.EventType, zxid jute.Zxid, path string) {
	p.t.Helper()
	w := jute.WatcherEvent{Type: t, State: jute.StateSyncConnected, Path: path}
	p.reply(jute.XidNotification, zxid, 0, w.Append(nil))
}

// recorder keeps events.
type recorder struct {
	mu     sync.Mutex
	events []string // guarded by mu
}

func (r *recorder) add(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e.String())
}

// take returns what came since the last call.
func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	events := r.events
	r.events = nil
	return events
}
