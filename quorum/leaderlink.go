package quorum

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"zk/jute"
	"zk/quorum/zab"
)

const (
	linkReadBytes = 64 << 10
	// firstPacketMax bounds what a connection may send before it is known whose it is.
	firstPacketMax = 4 << 10
	// packetsMax is how many packets a reader takes to the core at once.
	packetsMax = 256
	// requestBytesMax bounds the requests of one learner that wait because too much is proposed.
	requestBytesMax = 64 << 20
)

// leaderLink is one connection of a learner. Its reader takes what has come to the core; its writer
// (linkwriter.go) goes through the log at the learner's pace.
type leaderLink struct {
	t     *leaderTerm
	id    zab.Link
	sid   jute.ServerID
	conn  net.Conn
	since time.Time

	// Owned by the reader.
	packets []jute.QuorumPacket
	data    []byte
	deliver []zab.Action
	acked   jute.Zxid // the last proposal it has acknowledged

	mailbox linkMailbox
	writer  linkWriter
	// moved: bytes of a sync have been written since the core was told last.
	moved atomic.Bool
	// stalled: the writer waits for the log to be durable, to read on.
	stalled atomic.Bool

	requests requestQueue
}

// link is how the server knows it.
func (l *leaderLink) link() Link { return Link{SID: l.sid, Number: uint64(l.id)} }

// serve reads a connection to the quorum port from its first packet to its end.
func (t *leaderTerm) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	_ = c.SetReadDeadline(time.Now().Add(t.p.o.ticks(t.p.o.InitLimit))) // a socket without deadlines is a closed one
	r := bufio.NewReaderSize(c, linkReadBytes)
	l := &leaderLink{t: t, conn: c, since: time.Now()}
	l.mailbox.wake = make(chan struct{}, 1)
	err := l.first(jute.NewPacketReader(r, firstPacketMax))
	if !t.new.remove(c) && err == nil {
		err = errPushedOut
	}
	if err != nil {
		t.p.log.Warn("connection to the quorum port refused", "peer", c.RemoteAddr(), "err", err)
		return
	}
	_ = c.SetReadDeadline(time.Time{}) // from here on the core has the clock
	if !t.connected(l) {
		return
	}
	t.work.Go(func() { // ends when the connection is closed, as below
		defer func() { _ = c.Close() }()
		if err := l.write(); err != nil {
			t.p.log.Info("writing to a learner ended", "sid", l.sid, "err", err)
		}
	})
	err = l.read(r, jute.NewPacketReader(r, t.p.o.PacketBytesMax))
	t.gone(l, err)
}

// first reads the packet that says who it is.
func (l *leaderLink) first(packets *jute.PacketReader) error {
	l.packets = append(l.packets[:0], jute.QuorumPacket{})
	p := &l.packets[0]
	var err error
	if l.data, err = packets.Read(p, l.data[:0]); err != nil {
		return err
	}
	if p.Type != jute.PacketFollowerInfo && p.Type != jute.PacketObserverInfo {
		return fmt.Errorf("quorum: first packet is %s, not FOLLOWERINFO or OBSERVERINFO", zab.Describe(p))
	}
	var info jute.LearnerInfo
	d := jute.NewDecoder(p.Data, len(p.Data))
	if info.Decode(&d); d.Err() != nil {
		return fmt.Errorf("quorum: read LearnerInfo: %w", d.Err())
	}
	l.sid = info.ServerID
	return nil
}

// connected makes it a link of the term, with its first packet; false when the term is over.
func (t *leaderTerm) connected(l *leaderLink) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx.Err() != nil {
		return false
	}
	t.p.log.Info("learner connected", "sid", l.sid, "peer", l.conn.RemoteAddr())
	l.id = t.p.nextLink()
	t.links[l.id] = l
	t.list = append(t.list, l)
	t.core.Connected(l.id)
	t.core.Received(l.id, &l.packets[0])
	t.act(nil)
	return true
}

// gone forgets a link that has ended.
func (t *leaderTerm) gone(l *leaderLink, err error) {
	t.mu.Lock()
	_, open := t.links[l.id]
	t.hangUp(l.id)
	t.core.Gone(l.id)
	t.act(nil)
	t.mu.Unlock()
	if open && t.ctx.Err() == nil {
		t.p.log.Info("learner gone", "sid", l.sid, "err", err)
	}
}

// hangUp ends a link; mu is held.
func (t *leaderTerm) hangUp(id zab.Link) {
	if l := t.links[id]; l != nil {
		delete(t.links, id)
		t.list = slices.DeleteFunc(t.list, func(other *leaderLink) bool { return other == l })
		t.p.hangUp(l.conn)
		l.mailbox.close()
		l.requests.close()
	}
}

func (t *leaderTerm) closeLinks() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id := range t.links {
		t.hangUp(id)
	}
}

// read takes packets until the connection ends: all that have come at once go to the core together.
func (l *leaderLink) read(r *bufio.Reader, packets *jute.PacketReader) (err error) {
	for {
		l.packets, l.data = l.packets[:0], l.data[:0]
		if cap(l.data) > 4*linkReadBytes {
			l.data = nil
		}
		for len(l.packets) == 0 || len(l.packets) < packetsMax && len(l.data) < linkReadBytes && buffered(r) {
			l.packets = append(l.packets, jute.QuorumPacket{})
			if l.data, err = packets.Read(&l.packets[len(l.packets)-1], l.data); err != nil {
				return err
			}
		}
		l.step()
		for i := range l.deliver {
			if err = l.give(&l.deliver[i].Packet); err != nil {
				return err
			}
		}
		clear(l.deliver)
	}
}

// step takes the packets to the core, under one hold of its lock.
func (l *leaderLink) step() {
	t := l.t
	t.mu.Lock()
	l.deliver = l.deliver[:0]
	for i := range l.packets {
		t.core.Received(l.id, &l.packets[i])
		l.deliver = t.act(l.deliver)
		if p := &l.packets[i]; p.Type == jute.PacketAck && p.Zxid > l.acked {
			t.acked(l.sid, l.acked, p.Zxid)
			l.acked = p.Zxid
		}
	}
	t.mu.Unlock()
}

// buffered reports if a whole packet has come, so that reading it doesn't wait.
func buffered(r *bufio.Reader) bool {
	const head, count = 16, 4 // type, zxid and length; then, behind the data, the number of ids
	n := r.Buffered()
	if n < head+count {
		return false
	}
	b, err := r.Peek(n)
	if err != nil {
		return false
	}
	at := head + max(int(int32(binary.BigEndian.Uint32(b[head-4:]))), 0)
	if n < at+count {
		return false
	}
	strings := 2 * int64(int32(binary.BigEndian.Uint32(b[at:])))
	at += count
	for ; strings > 0; strings-- {
		if n < at+4 {
			return false
		}
		at += 4 + max(int(int32(binary.BigEndian.Uint32(b[at:]))), 0)
	}
	return n >= at
}

// give hands a packet to the server, or has its answer sent.
func (l *leaderLink) give(p *jute.QuorumPacket) error {
	t := l.t
	switch p.Type {
	case jute.PacketRequest:
		return l.request(p)
	case jute.PacketPing:
		if len(p.Data)%jute.SessionTimeoutBytes != 0 {
			return fmt.Errorf("quorum: PING of %d bytes", len(p.Data))
		}
		d := jute.NewDecoder(p.Data, len(p.Data))
		for d.Remaining() > 0 {
			var s jute.SessionTimeout
			s.Decode(&d)
			t.p.d.StateMachine.Touch(l.link(), s)
		}
	case jute.PacketRevalidate:
		var s jute.SessionTimeout
		d := jute.NewDecoder(p.Data, len(p.Data))
		if s.Decode(&d); d.Err() != nil {
			return fmt.Errorf("quorum: read REVALIDATE: %w", d.Err())
		}
		answer := jute.RevalidateAnswer{SessionID: s.SessionID, Valid: t.p.d.StateMachine.Revalidate(l.link(), s)}
		t.mu.Lock()
		defer t.mu.Unlock()
		t.core.Answer(l.id, jute.QuorumPacket{Type: jute.PacketRevalidate, Zxid: -1, Data: answer.Append(nil)})
		t.act(nil)
	}
	return nil
}

// request runs a learner's request on the reader, unless too much is proposed: then it, and all behind it,
// wait on a goroutine of their own, as the reader has to go on: the acks that everybody waits for may come
// on its very connection.
func (l *leaderLink) request(p *jute.QuorumPacket) error {
	if l.requests.running() || l.t.apply.crowded() {
		begin, err := l.requests.put(p)
		if begin {
			l.t.work.Go(l.runRequests) // ends when the queue is empty or closed
		}
		return err
	}
	return l.runRequest(p)
}

func (l *leaderLink) runRequest(p *jute.QuorumPacket) error {
	var r jute.ForwardedRequest
	d := jute.NewDecoder(p.Data, len(p.Data))
	if r.Decode(&d); d.Err() != nil {
		return fmt.Errorf("quorum: read REQUEST: %w", d.Err())
	}
	if r.Type == jute.OpSync {
		l.t.mu.Lock()
		defer l.t.mu.Unlock()
		l.t.core.Sync(l.id, nil)
		l.t.act(nil)
		return nil
	}
	if l.t.p.low.Load() && r.Type != jute.OpCreateSession && r.Type != jute.OpCloseSession {
		l.t.writeAsked(l.sid)
	}
	if err := l.t.p.d.StateMachine.Request(l.link(), &r, p.AuthInfo); err != nil && !errors.Is(err, ErrTermOver) {
		return fmt.Errorf("quorum: request of session %v: %w", r.SessionID, err)
	}
	return nil
}

func (l *leaderLink) runRequests() {
	for {
		p, ok := l.requests.next()
		if !ok {
			return
		}
		err := l.t.apply.admit()
		if err == nil {
			err = l.runRequest(&p)
		}
		if err != nil {
			l.t.p.log.Warn("learner's request failed", "sid", l.sid, "err", err)
			_ = l.conn.Close() // the reader ends the link
			l.requests.close()
			return
		}
	}
}

// requestQueue holds requests of a learner that wait.
type requestQueue struct {
	mu      sync.Mutex
	packets []jute.QuorumPacket
	bytes   int
	active  bool // a goroutine runs them
	closed  bool
}

func (q *requestQueue) running() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.active
}

var errRequests = errors.New("quorum: the learner's requests don't fit into memory")

// put queues a copy; begin tells to start the goroutine.
func (q *requestQueue) put(p *jute.QuorumPacket) (begin bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false, io.ErrClosedPipe
	}
	if q.bytes += len(p.Data); q.bytes > requestBytesMax {
		return false, errRequests
	}
	q.packets = append(q.packets, jute.QuorumPacket{Type: p.Type, Zxid: p.Zxid, Data: append([]byte(nil), p.Data...), AuthInfo: p.AuthInfo})
	begin = !q.active
	q.active = true
	return begin, nil
}

// next takes the oldest; false ends the goroutine.
func (q *requestQueue) next() (jute.QuorumPacket, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.packets) == 0 || q.closed {
		q.active = false
		return jute.QuorumPacket{}, false
	}
	p := q.packets[0]
	q.packets[0] = jute.QuorumPacket{}
	q.packets = q.packets[1:]
	q.bytes -= len(p.Data)
	return p, true
}

func (q *requestQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed, q.packets = true, nil
}
