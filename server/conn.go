package server

import (
	"encoding/binary"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"zk/jute"
	"zk/server/auth/digestmd5"
	"zk/server/fourletter"
	"zk/server/session"
	"zk/server/watch"
)

// loginBytesMax bounds the first frame, a ConnectRequest: 45 bytes from every client known. Java takes up
// to jute.maxbuffer from anybody.
const loginBytesMax = 16 << 10

// conn is one client connection.
type conn struct {
	srv    *Server
	nc     net.Conn
	tr     transport
	remote netip.AddrPort
	ip     string // remote's address, as perIP counts it
	since  time.Time
	mode   TLSMode // of its port

	// term is the one it was let in by, nil before the ConnectRequest; written once by the reader, with
	// Server.mu held.
	term *term

	// Owned by the reader.
	greeted bool             // the first bytes were seen: no four-letter word any more
	session *session.Session // nil before the ConnectResponse
	req     request          // scratch for reads that run at once
	batch   time.Time        // when the input in hand was read
	reads   int64            // reads done of the input in hand
	turn    turn             // of its writes

	forwarded jute.ForwardedRequest // scratch for a learner's writes
	cxids     int32                 // what is added to their xids on the way to the leader; see learning

	exchange  *digestmd5.Server // the SASL exchange; nil until the client begins it
	saslNoted bool              // a failure of it is in the log

	ids     atomic.Pointer[[]jute.ID] // replaced, never changed in place; written by the reader
	sid     atomic.Int64              // the session's id once there is one
	timeout atomic.Int32              // negotiated, in milliseconds
	gone    atomic.Bool               // about to be closed: counts no more, watches may no longer be added

	queue         queue
	out           output
	touched, told bool // in the applier's lists of connections to flush; owned by Apply

	stats connStats
}

// connStats is what cons shows of a connection.
type connStats struct {
	received, sent   atomic.Int64
	lastOp           atomic.Int32 // op code of the last reply
	named            atomic.Bool  // lastOp is set
	lastCxid         atomic.Int64
	lastZxid         atomic.Int64
	lastResponse     atomic.Int64 // server clock, milliseconds
	lastLat, maxLat  atomic.Int64
	minLat, totalLat atomic.Int64
	count            atomic.Int64
}

func newConn(s *Server, nc net.Conn, remote netip.AddrPort, ip string, mode TLSMode) *conn {
	c := &conn{srv: s, nc: nc, remote: remote, ip: ip, mode: mode, since: time.Now()}
	c.tr.init(nc, &s.pool)
	ids := s.auth.InitialIDs(remote.Addr())
	c.ids.Store(&ids)
	c.stats.reset()
	c.stats.lastCxid.Store(0) // as in Java: -1 only after crst, and the zxid likewise
	c.stats.lastZxid.Store(0)
	return c
}

func (st *connStats) reset() {
	st.received.Store(0)
	st.sent.Store(0)
	st.named.Store(false)
	st.lastCxid.Store(-1)
	st.lastZxid.Store(-1)
	st.lastResponse.Store(0)
	st.lastLat.Store(0)
	st.maxLat.Store(0)
	st.minLat.Store(-1)
	st.totalLat.Store(0)
	st.count.Store(0)
}

// Stale tells the watch table that this connection is closed. It implements the optional part of
// watch.Watcher.
func (c *conn) Stale() bool { return c.gone.Load() }

// Deliver implements watch.Watcher: it queues an event unless this client may not read the node.
func (c *conn) Deliver(ev *watch.Event) {
	if !c.srv.auth.Check(ev.ACL, jute.PermRead, *c.ids.Load()) {
		return
	}
	if !c.appendFrame(ev.Frame) {
		c.srv.applier.overflow(c)
		return
	}
	c.srv.met.WatchBytes.Add(int64(len(ev.Frame) - 4)) // without the length, as Java counts
	c.srv.met.Server.PacketsSent.Inc()
	c.stats.sent.Add(1)
	c.srv.applier.tell(c)
}

// run reads until the connection ends, then cleans up.
func (c *conn) run() {
	defer c.cleanup()
	defer c.recoverPanic()
	// The deadline of the login; cleared when there is a session.
	_ = c.nc.SetReadDeadline(c.since.Add(c.srv.cfg.SessionlessCnxnTimeout))
	if !c.handshake() {
		return
	}
	if err := c.readAll(); err != nil {
		switch {
		case c.gone.Load(): // closed by this side
		case c.session == nil && isTimeout(err):
			c.srv.met.SessionlessConnectionsExpired.Inc()
		default:
			c.srv.met.ConnectionDropCount.Inc()
		}
	}
}

// readAll handles all input; nil when this side ends the connection.
func (c *conn) readAll() error {
	for c.session == nil || !c.tr.pumps() {
		in, err := c.tr.fill()
		if err != nil {
			return err
		}
		if !c.input(in) {
			return nil
		}
	}
	return c.tr.pump(c.input)
}

// input handles the bytes in hand. False closes the connection.
func (c *conn) input(in []byte) bool {
	c.srv.met.BytesReceivedCount.Add(int64(c.tr.rn))
	c.batch = time.Now()
	used, ok := c.consume(in)
	c.leaveTurn()
	c.endBatch()
	c.tr.keep(in[used:])
	if ok {
		c.await()
	}
	return ok
}

func isTimeout(err error) bool {
	ne, ok := err.(net.Error)
	return ok && ne.Timeout()
}

// recoverPanic keeps a bug that one client's bytes show from stopping the others.
func (c *conn) recoverPanic() {
	if r := recover(); r != nil {
		c.srv.met.UnrecoverableErrorCount.Inc()
		c.srv.log.Error("connection failed", "addr", c.remote, "session", jute.SessionID(c.sid.Load()), "panic", r, "stack", string(debug.Stack()))
		c.shutdown()
	}
}

// release takes the connection out of the server's tables. It comes before the socket is closed: a client
// that has seen the end may dial again at once, and must not be counted twice.
func (c *conn) release() {
	if !c.gone.Swap(true) {
		c.srv.forget(c)
		c.srv.watches.RemoveWatcher(c)
	}
}

func (c *conn) cleanup() {
	if c.session != nil {
		c.session.ReleaseOwner(c)
	}
	c.finishOutput()
	c.flush()       // what was answered before a refusal
	c.awaitBelow(1) // here, as the server waits for readers and can shut down their connections
	c.shutdown()
	c.tr.free()
	if c.term != nil {
		c.term.work.Done()
	}
}

// consume handles the complete frames of in. ok is false when the connection is to be closed.
func (c *conn) consume(in []byte) (used int, ok bool) {
	for {
		rest := in[used:]
		if len(rest) < 4 {
			return used, true
		}
		if !c.greeted {
			if word, is := fourletter.Lookup([4]byte(rest)); is {
				return c.fourLetter(word, rest, used)
			}
			c.greeted = true
		}
		n := int(int32(binary.BigEndian.Uint32(rest)))
		limit := c.srv.cfg.JuteMaxBuffer
		if c.session == nil {
			limit = min(limit, loginBytesMax)
		}
		if n < 0 || n > limit {
			c.srv.log.Debug("frame length refused", "addr", c.remote, "length", n)
			return used, false
		}
		if len(rest)-4 < n {
			return used, true
		}
		frame := rest[4 : 4+n : 4+n]
		if !c.handle(frame) {
			return used, false
		}
		used += 4 + n
		if c.out.stuffed() {
			c.flush()
			c.await()
		}
	}
}

// handle handles one frame.
func (c *conn) handle(b []byte) bool {
	c.stats.received.Add(1)
	c.srv.met.Server.PacketsReceived.Inc()
	if c.session == nil {
		return c.connect(b)
	}
	return c.request(b)
}

// endBatch sends the replies of the input in hand and counts the reads among them.
func (c *conn) endBatch() {
	c.flush()
	if c.reads == 0 {
		return
	}
	millis := time.Since(c.batch).Milliseconds()
	for range c.reads {
		c.srv.met.ObserveRequest(millis, false)
	}
	c.answered(c.reads, millis)
	c.reads = 0
}

// answered keeps the figures of n requests that were answered after millis.
func (c *conn) answered(n, millis int64) {
	st := &c.stats
	st.sent.Add(n)
	st.count.Add(n)
	st.totalLat.Add(n * millis)
	st.lastLat.Store(millis)
	if millis > st.maxLat.Load() {
		st.maxLat.Store(millis)
	}
	if least := st.minLat.Load(); least < 0 || millis < least {
		st.minLat.Store(millis)
	}
	st.lastResponse.Store(c.srv.nowMillis())
	c.srv.met.Server.PacketsSent.Add(n)
}

// noteReply keeps what cons shows of the last reply.
func (c *conn) noteReply(op jute.OpCode, xid int32, zxid jute.Zxid, size int) {
	st := &c.stats
	st.lastOp.Store(int32(op))
	st.named.Store(true)
	if xid >= 0 { // the special xids don't count
		st.lastCxid.Store(int64(xid))
	}
	st.lastZxid.Store(int64(zxid))
	c.srv.met.ResponseBytes.Add(int64(size))
	c.srv.met.Server.ResponseSizes.Observe(int64(size))
}

// queue is the requests of a connection that are not answered yet, in order: writes on their way through
// the log, and what came after them.
type queue struct {
	mu      sync.Mutex
	head    *request          // guarded by mu
	tail    *request          // guarded by mu
	n       int               // guarded by mu
	held    int64             // guarded by mu; bytes of the frames they came in
	heavy   int               // guarded by mu; heavy reads among them
	bytes   int               // guarded by mu; of the replies to the others, about
	largest int               // guarded by mu; the largest write among them, or more
	busy    bool              // guarded by mu; the head is a heavy read that runs on a goroutine of its own
	waiter  chan struct{}     // guarded by mu; the reader waits
	until   func(*queue) bool // guarded by mu; for this
}

func (q *queue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.head == nil
}

func (q *queue) push(r *request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.head == nil {
		q.head = r
	} else {
		q.tail.next = r
	}
	q.tail = r
	q.n++
	q.held += r.amount
	switch {
	case r.heavy:
		q.heavy++
	case r.write:
		q.largest = max(q.largest, int(r.amount))
	default:
		q.bytes += r.bytes
	}
}

// pop takes the head out. Called with mu held.
func (q *queue) pop() *request {
	r := q.head
	q.head = r.next
	r.next = nil
	q.n--
	q.held -= r.amount
	switch {
	case r.heavy:
		q.heavy--
	case r.write:
	default:
		q.bytes -= r.bytes
	}
	if q.head == nil {
		q.largest = 0
	}
	if q.waiter != nil && q.until(q) {
		close(q.waiter)
		q.waiter, q.until = nil, nil
	}
	return r
}

// wait blocks the reader until the queue is as wanted, or stop is closed.
func (q *queue) wait(stop <-chan struct{}, until func(*queue) bool) {
	q.mu.Lock()
	if until(q) {
		q.mu.Unlock()
		return
	}
	w := make(chan struct{})
	q.waiter, q.until = w, until
	q.mu.Unlock()
	select {
	case <-w:
	case <-stop:
	}
}
