package quorum

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"zk/jute"
	"zk/quorum/election"
)

const (
	// electionWriteTimeout is how long a peer may not read before its connection is given up.
	electionWriteTimeout = 10 * time.Second
	// dialWarnPause is how often a peer that can't be reached is told at level warn.
	dialWarnPause = time.Minute
)

// electionLinks are the connections over which votes go: at most one to each server of the ensemble, kept
// open between elections. The server with the larger id is the one that dials it (QuorumCnxManager).
//
// Goroutines: one listener per own address; one per connection that is being identified, or dialled; one
// reader and one writer per established connection.
type electionLinks struct {
	o   *Options
	d   *Deps
	log *slog.Logger
	// receive takes a message; it may wait. reachable is told if messages get through to a server.
	receive   func(from jute.ServerID, m *election.Notification)
	reachable func(jute.ServerID, bool)

	ctx  context.Context // ends with the links
	work *sync.WaitGroup
	new  unidentified

	mu    sync.Mutex
	peers map[jute.ServerID]*electionPeer
}

// electionPeer is what is to be sent to a server, and the connection to it. Guarded by electionLinks.mu.
type electionPeer struct {
	conn    net.Conn      // nil: none
	wake    chan struct{} // wakes the writer of conn
	queued  []byte        // the newest message that was not sent; it takes the place of an older one
	last    []byte        // the newest message ever: sent again on a new connection
	dialing bool
	warned  time.Time // when a failed dial was told last
}

func newElectionLinks(ctx context.Context, work *sync.WaitGroup, o *Options, d *Deps, receive func(jute.ServerID, *election.Notification), reachable func(jute.ServerID, bool)) *electionLinks {
	return &electionLinks{
		o: o, d: d, log: d.Logger, receive: receive, reachable: reachable, ctx: ctx, work: work,
		peers: make(map[jute.ServerID]*electionPeer),
	}
}

// start listens; everything ends with the context.
func (e *electionLinks) start() {
	for _, addr := range e.o.listenAddresses(e.o.electionAddresses(e.o.Me)) {
		e.work.Go(func() { e.listen(addr) }) // ends with the context
	}
	e.work.Go(func() { // ends with the context, and closes what waits on the network
		<-e.ctx.Done()
		e.new.close()
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, p := range e.peers {
			p.drop()
		}
	})
}

// listen accepts connections on one address. A port that is taken is tried again as often as Java does
// (electionPortBindRetry); after that a server is of no use to its ensemble.
func (e *electionLinks) listen(addr string) {
	for tries := 1; ; tries++ {
		l, err := e.d.Listen(e.ctx, addr)
		if err == nil {
			e.log.Info("election port open", "addr", l.Addr())
			stop := context.AfterFunc(e.ctx, func() { _ = l.Close() })
			defer stop()
			accept(l, &e.new, e.work, e.log, e.identify)
			return
		}
		if e.ctx.Err() != nil {
			return
		}
		e.log.Warn("election port not open", "addr", addr, "tries", tries, "err", err)
		if e.o.ElectionPortBindRetry > 0 && tries >= e.o.ElectionPortBindRetry {
			e.d.Fatal(&PortError{Addr: addr, Err: err})
			return
		}
		if !sleep(e.ctx, electionBindPause) {
			return
		}
	}
}

// electionBindPause is the time between two attempts to bind the election port, as in Java.
const electionBindPause = time.Second

// PortError says that a port for other servers can't be opened.
type PortError struct {
	Addr string
	Err  error
}

func (e *PortError) Error() string { return fmt.Sprintf("quorum: listen on %s: %v", e.Addr, e.Err) }

func (e *PortError) Unwrap() error { return e.Err }

// ExitCode is the process's exit code (Java: ExitCode.UNABLE_TO_BIND_QUORUM_PORT).
func (*PortError) ExitCode() int { return 14 }

// identify reads who has connected. A server with a smaller id is dialled back, as the connection is to be
// dialled by the larger one. (QuorumCnxManager.receiveConnection)
func (e *electionLinks) identify(c net.Conn) {
	hello, err := e.readHello(c)
	if !e.new.remove(c) && err == nil {
		err = errPushedOut
	}
	addresses := e.o.electionAddresses(hello.ServerID)
	log := e.log.With("peer", c.RemoteAddr(), "sid", hello.ServerID)
	switch {
	case err != nil:
		if e.ctx.Err() == nil {
			log.Warn("election connection refused", "err", err)
		}
	case hello.ServerID == e.o.Me:
		log.Warn("election connection refused: it has this server's own id")
	case addresses == nil && !e.o.AdmitUnknown:
		log.Warn("election connection refused: no server of the configuration")
	case hello.ServerID > e.o.Me:
		e.attach(hello.ServerID, c)
		return
	default:
		_ = c.Close()
		for i := range hello.Addresses {
			addresses = slices.Insert(addresses, i, hello.Addresses[i].String())
		}
		e.dialBack(hello.ServerID, addresses)
		return
	}
	_ = c.Close()
}

var errPushedOut = errors.New("quorum: too many connections wait to be identified")

// readHello reads the initial message. An authentication by SASL would follow it here.
func (e *electionLinks) readHello(c net.Conn) (election.InitialMessage, error) {
	_ = c.SetDeadline(time.Now().Add(e.o.QuorumCnxnTimeout)) // a socket without deadlines is a closed one
	hello, err := election.ReadInitialMessage(c)
	_ = c.SetDeadline(time.Time{})
	return hello, err
}

// send queues a message to a server, in place of one that has not gone out yet. Without a connection one
// is dialled.
func (e *electionLinks) send(to jute.ServerID, m []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := e.peer(to)
	p.queued, p.last = m, m
	if p.conn != nil {
		p.wakeUp()
	} else if addresses := e.o.electionAddresses(to); addresses != nil {
		e.dialLocked(to, p, addresses)
	}
}

// peer is called with mu held.
func (e *electionLinks) peer(sid jute.ServerID) *electionPeer {
	p := e.peers[sid]
	if p == nil {
		p = &electionPeer{}
		e.peers[sid] = p
	}
	return p
}

func (p *electionPeer) wakeUp() {
	select {
	case p.wake <- struct{}{}:
	default: // it was woken already
	}
}

// drop ends the connection; its goroutines see that it is closed.
func (p *electionPeer) drop() {
	if p.conn != nil {
		_ = p.conn.Close()
		p.conn = nil
		p.wakeUp()
	}
}

// dialBack dials a server that has asked for it: it has no connection to this one any more, whatever this
// one believes.
func (e *electionLinks) dialBack(sid jute.ServerID, addresses []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := e.peer(sid)
	if !p.dialing {
		p.drop()
	}
	e.dialLocked(sid, p, addresses)
}

// dialLocked begins to dial, if nobody does. mu is held.
func (e *electionLinks) dialLocked(sid jute.ServerID, p *electionPeer, addresses []string) {
	if p.dialing || e.ctx.Err() != nil {
		return
	}
	p.dialing = true
	e.work.Go(func() { // ends after the connect timeouts
		c, err := e.dial(addresses)
		e.mu.Lock()
		p.dialing = false
		warn := err != nil && e.ctx.Err() == nil && time.Since(p.warned) >= dialWarnPause
		if warn {
			p.warned = time.Now()
		}
		connected := p.conn != nil
		e.mu.Unlock()
		e.reachable(sid, err == nil || connected)
		switch {
		case warn:
			e.log.Warn("server can't be reached for the election", "sid", sid, "addr", addresses, "err", err)
		case err != nil:
			e.log.Debug("server can't be reached for the election", "sid", sid, "addr", addresses, "err", err)
		case sid > e.o.Me:
			_ = c.Close() // it dials back
		default:
			e.attach(sid, c)
		}
	})
}

// dial connects at one of the addresses and says who calls. Names are resolved anew each time.
func (e *electionLinks) dial(addresses []string) (net.Conn, error) {
	c, err := e.o.dialAny(e.ctx, e.d.Dial, addresses, e.o.CnxTimeout)
	if err != nil {
		return nil, err
	}
	me, _ := e.o.Config.Server(e.o.Me)
	hello := election.InitialMessage{Protocol: election.ProtocolV1, ServerID: e.o.Me, Addresses: []election.HostPort{
		{Host: me.Addresses[0].Host, Port: me.Addresses[0].ElectionPort},
	}}
	_ = c.SetDeadline(time.Now().Add(e.o.CnxTimeout)) // a socket without deadlines is a closed one
	// In one write: Java reads the address with a single read.
	if _, err := c.Write(hello.Append(nil)); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("quorum: write initial message: %w", err)
	}
	_ = c.SetDeadline(time.Time{})
	return c, nil
}

// attach makes c the connection to a server, in place of an older one.
func (e *electionLinks) attach(sid jute.ServerID, c net.Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ctx.Err() != nil {
		_ = c.Close()
		return
	}
	p := e.peer(sid)
	p.drop()
	wake := make(chan struct{}, 1)
	p.conn, p.wake, p.warned = c, wake, time.Time{}
	if p.queued == nil {
		p.queued = p.last
	}
	e.log.Debug("election connection", "sid", sid, "peer", c.RemoteAddr())
	e.work.Go(func() { e.reachable(sid, true) })   // ends when that is known; not under the lock
	e.work.Go(func() { e.read(sid, p, c) })        // ends when the connection is closed
	e.work.Go(func() { e.write(sid, p, c, wake) }) // likewise
}

// detach forgets a connection that has ended, if it is still the one to its server.
func (e *electionLinks) detach(sid jute.ServerID, p *electionPeer, c net.Conn) {
	e.mu.Lock()
	mine := p.conn == c
	if mine {
		p.drop()
	}
	e.mu.Unlock()
	_ = c.Close()
	if mine {
		e.reachable(sid, false)
	}
}

// write sends what is queued until the connection ends.
func (e *electionLinks) write(sid jute.ServerID, p *electionPeer, c net.Conn, wake chan struct{}) {
	defer e.detach(sid, p, c)
	var frame []byte
	for {
		e.mu.Lock()
		m, mine := p.queued, p.conn == c
		if mine {
			p.queued = nil
		}
		e.mu.Unlock()
		switch {
		case !mine:
			return
		case m == nil:
			<-wake
			continue
		}
		frame = append(binary.BigEndian.AppendUint32(frame[:0], uint32(len(m))), m...)
		_ = c.SetWriteDeadline(time.Now().Add(electionWriteTimeout))
		if _, err := c.Write(frame); err != nil {
			e.log.Debug("election connection ended", "sid", sid, "err", err)
			return
		}
	}
}

// read takes messages until the connection ends. One that can't be read ends it.
func (e *electionLinks) read(sid jute.ServerID, p *electionPeer, c net.Conn) {
	defer e.detach(sid, p, c)
	r := bufio.NewReader(c)
	for {
		frame, err := readFrame(r)
		var n election.Notification
		if err == nil {
			err = n.Decode(frame)
		} else if !errors.Is(err, errFrameLength) {
			e.log.Debug("election connection ended", "sid", sid, "peer", c.RemoteAddr(), "err", err)
			return
		}
		if err != nil {
			e.log.Warn("election connection closed: what came is no notification", "sid", sid, "peer", c.RemoteAddr(), "err", err)
			return
		}
		e.receive(sid, &n)
	}
}

var errFrameLength = errors.New("quorum: unreasonable length of an election message")

// readFrame reads a message with its length before it. What it allocates grows with what has come.
func readFrame(r *bufio.Reader) ([]byte, error) {
	head, err := r.Peek(4)
	if err != nil {
		return nil, err
	}
	n := int32(binary.BigEndian.Uint32(head))
	if n <= 0 || n > election.MessageBytesMax {
		return nil, fmt.Errorf("%w: %d", errFrameLength, n)
	}
	if _, err := r.Discard(4); err != nil {
		return nil, err
	}
	if int(n) <= r.Size() {
		frame := make([]byte, n)
		_, err := io.ReadFull(r, frame)
		return frame, err
	}
	frame, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err == nil && len(frame) < int(n) {
		err = io.ErrUnexpectedEOF
	}
	return frame, err
}
