package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"zk/jute"
)

const (
	// writeBytes is how much of what waits goes into one system call.
	writeBytes = 256 << 10
	// readChunkBytes is what a frame's buffer starts with: it grows with what arrives, not with what
	// its length announces.
	readChunkBytes = 64 << 10
	// pingIntervalMax is the longest time between two pings (ClientCnxn: MAX_SEND_PING_INTERVAL).
	pingIntervalMax = 10 * time.Second
)

var (
	errExpired    = errors.New("client: session expired")
	errAuthFailed = errors.New("client: authentication failed")
)

// request is one operation on its way.
type request struct {
	xid   int32
	op    jute.OpCode
	frame []byte // complete but for the xid
	// note, when not nil, keeps the watch set in step with the answer, under Client.mu, and gives the
	// events that makes.
	note func(jute.Code) []Event
	done chan reply // capacity 1, gets exactly one reply
}

// reply is the end of a request.
type reply struct {
	header jute.ReplyHeader
	body   []byte // behind the header; owned by the receiver
}

// link is a connection on which a session is established.
type link struct {
	conn net.Conn
	wake chan struct{} // capacity 1: there is something to write
	dead chan struct{} // closed when the reader has ended

	// Guarded by Client.mu.
	urgent  [][]byte    // frames that go before all requests: credentials, watches
	authing []*authInfo // sent or in urgent, without an answer, in order
	pending []*request  // taken by the writer, without an answer, in order
}

func (l *link) wakeUp() {
	select {
	case l.wake <- struct{}{}:
	default: // it is awake
	}
}

// addAuth queues a credential. Called under Client.mu.
func (l *link) addAuth(info *authInfo) {
	p := jute.AuthPacket{Scheme: &info.scheme, Auth: info.data}
	l.urgent = append(l.urgent, frame(jute.XidAuth, jute.OpAuth, p.Append))
	l.authing = append(l.authing, info)
	l.wakeUp()
}

// frame builds a request: length, header, body.
func frame(xid int32, op jute.OpCode, body func([]byte) []byte) []byte {
	b := make([]byte, 4, 64)
	h := jute.RequestHeader{Xid: xid, Type: op}
	b = h.Append(b)
	if body != nil {
		b = body(b)
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// run keeps the session on some server until a final state.
func (c *Client) run(ctx context.Context) {
	defer close(c.done)
	defer c.cancel()
	tried := 0 // servers without success since the last connection
	for i := 0; ; i++ {
		established, err := c.visit(ctx, c.addrs[i%len(c.addrs)])
		c.mu.Lock()
		closing := c.closing
		c.mu.Unlock()
		switch {
		case errors.Is(err, errExpired):
			c.setState(Expired)
			c.failAll(Expired)
			return
		case errors.Is(err, errAuthFailed):
			c.setState(AuthFailed)
			c.failAll(AuthFailed)
			return
		case closing || ctx.Err() != nil:
			c.failAll(Closed)
			return
		}
		if tried++; established {
			tried = 0
			c.failAll(Connecting)
			c.setState(Connecting)
		}
		if tried > 0 && tried%len(c.addrs) == 0 {
			c.failAll(Connecting)
		}
		if tried%len(c.addrs) == 0 && !pause(ctx, c.opts.RetryDelay) {
			c.failAll(Closed)
			return
		}
	}
}

// pause waits; false means that ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// visit connects to a server, renews or makes the session, and serves the connection until it breaks.
// established tells if it came to a session.
func (c *Client) visit(ctx context.Context, addr string) (established bool, err error) {
	c.mu.Lock()
	limit := max(c.timeout/time.Duration(len(c.addrs)), time.Millisecond)
	c.mu.Unlock()
	dialCtx, cancel := context.WithTimeout(ctx, limit)
	conn, err := c.opts.Dial(dialCtx, "tcp", addr)
	cancel()
	if err != nil {
		return false, fmt.Errorf("client: dialing %s: %w", addr, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer func() { _ = conn.Close() }()

	r := bufio.NewReaderSize(conn, 16<<10)
	_ = conn.SetDeadline(time.Now().Add(limit))
	state, err := c.login(conn, r)
	if err != nil {
		return false, fmt.Errorf("client: session on %s: %w", addr, err)
	}
	_ = conn.SetDeadline(time.Time{})
	return true, c.serve(conn, r, state)
}

// login exchanges ConnectRequest and ConnectResponse.
func (c *Client) login(conn net.Conn, r *bufio.Reader) (State, error) {
	c.mu.Lock()
	req := jute.ConnectRequest{
		LastZxidSeen: c.lastZxid, TimeoutMillis: int32(c.opts.SessionTimeout.Milliseconds()),
		SessionID: c.sessionID, Passwd: c.passwd, ReadOnly: c.opts.ReadOnly, HasReadOnly: true,
	}
	c.mu.Unlock()
	if req.Passwd == nil {
		req.Passwd = make([]byte, 16)
	}
	b := req.Append(make([]byte, 4, 64))
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	if _, err := conn.Write(b); err != nil {
		return 0, err
	}
	body, err := readFrame(r, c.opts.ReplyBytesMax)
	if err != nil {
		return 0, err
	}
	var resp jute.ConnectResponse
	d := jute.NewDecoder(body, len(body))
	if resp.Decode(&d); d.Err() != nil {
		return 0, d.Err()
	}
	if resp.SessionID == 0 || resp.TimeoutMillis <= 0 {
		return 0, errExpired
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timeout = time.Duration(resp.TimeoutMillis) * time.Millisecond
	if resp.ReadOnly {
		// Such a session is local to its server. The one we may have is kept for a server that can renew it.
		return ConnectedReadOnly, nil
	}
	c.sessionID, c.passwd = resp.SessionID, slices.Clone(resp.Passwd)
	return Connected, nil
}

// serve runs an established connection until it breaks.
func (c *Client) serve(conn net.Conn, r *bufio.Reader, state State) error {
	l := &link{conn: conn, wake: make(chan struct{}, 1), dead: make(chan struct{})}
	c.mu.Lock()
	for _, info := range c.auths {
		l.addAuth(info)
	}
	l.urgent = append(l.urgent, c.watches.frames(c.lastZxid)...)
	timeout := c.timeout
	c.link = l // from here on AddAuth and submit use it; nothing is sent before write runs
	c.mu.Unlock()
	// The event goes out before any request can be answered.
	c.setState(state)
	l.wakeUp()

	written := make(chan struct{})
	go func() { // ends when l.dead is closed or a write fails
		defer close(written)
		c.write(l, timeout)
	}()
	err := c.read(l, r, timeout*2/3)
	_ = conn.Close()
	close(l.dead)
	<-written
	c.mu.Lock()
	c.link = nil
	// They are failed together with what waits behind them.
	c.waiting = append(l.pending, c.waiting...)
	c.mu.Unlock()
	return err
}

// write sends what waits, and a ping when nothing was sent for a third of the session's timeout.
func (c *Client) write(l *link, timeout time.Duration) {
	interval := min(timeout/3, pingIntervalMax)
	ping := frame(jute.XidPing, jute.OpPing, nil)
	timer := time.NewTimer(interval)
	defer timer.Stop()
	var b []byte
	for {
		idle := false
		select {
		case <-l.wake:
		case <-timer.C:
			idle = true
		case <-l.dead:
			return
		}
		var more bool
		if b, more = c.take(l, b[:0]); more {
			l.wakeUp()
		}
		if len(b) == 0 {
			if !idle {
				continue
			}
			b = append(b, ping...)
		}
		_ = l.conn.SetWriteDeadline(time.Now().Add(timeout))
		if _, err := l.conn.Write(b); err != nil {
			_ = l.conn.Close() // the reader finds out
			return
		}
		if cap(b) > 4*writeBytes {
			b = nil
		}
		timer.Reset(interval)
	}
}

// take moves requests from waiting to pending and appends their bytes to b; more tells that some are left.
func (c *Client) take(l *link, b []byte) (_ []byte, more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range l.urgent {
		b = append(b, f...)
	}
	l.urgent = nil
	n := 0
	for n < len(c.waiting) && len(b) < writeBytes {
		b = append(b, c.waiting[n].frame...)
		c.waiting[n].frame = nil
		n++
	}
	l.pending = append(l.pending, c.waiting[:n]...)
	c.waiting = slices.Delete(c.waiting, 0, n)
	return b, len(c.waiting) > 0
}

// read takes frames off the connection until it breaks. silence is how long the server may say nothing.
func (c *Client) read(l *link, r *bufio.Reader, silence time.Duration) error {
	for {
		_ = l.conn.SetReadDeadline(time.Now().Add(silence))
		body, err := readFrame(r, c.opts.ReplyBytesMax)
		if err != nil {
			return err
		}
		d := jute.NewDecoder(body, len(body))
		var h jute.ReplyHeader
		h.Decode(&d)
		if d.Err() != nil {
			return d.Err()
		}
		switch h.Xid {
		case jute.XidPing, jute.XidSetWatches:
		case jute.XidAuth:
			err = c.authAnswer(l, h.Err)
		case jute.XidNotification:
			err = c.event(h, &d)
		default:
			err = c.answer(l, reply{header: h, body: d.Rest()})
		}
		if err != nil {
			return err
		}
	}
}

// event handles a watch event.
func (c *Client) event(h jute.ReplyHeader, d *jute.Decoder) error {
	var w jute.WatcherEvent
	if w.Decode(d); d.Err() != nil {
		return d.Err()
	}
	c.mu.Lock()
	c.watches.fired(w.Type, w.Path)
	state := c.state
	c.mu.Unlock()
	c.emit(Event{Type: w.Type, State: state, Path: c.clientPath(w.Path), Zxid: h.Zxid})
	return nil
}

// authAnswer handles the answer to the oldest credential without one.
func (c *Client) authAnswer(l *link, code jute.Code) error {
	c.mu.Lock()
	var info *authInfo
	if len(l.authing) > 0 {
		info, l.authing = l.authing[0], l.authing[1:]
	}
	c.mu.Unlock()
	if info == nil {
		return errors.New("client: answer to a credential that was not sent")
	}
	if code == jute.CodeAuthFailed {
		c.setState(AuthFailed)
	}
	select {
	case info.answered <- code:
	default: // had its answer on an earlier connection
	}
	if code == jute.CodeAuthFailed {
		return errAuthFailed
	}
	return nil
}

// answer handles the reply to the oldest request without one.
func (c *Client) answer(l *link, rep reply) error {
	c.mu.Lock()
	if len(l.pending) == 0 || l.pending[0].xid != rep.header.Xid {
		c.mu.Unlock()
		return fmt.Errorf("client: reply with xid %d out of order", rep.header.Xid)
	}
	q := l.pending[0]
	l.pending = slices.Delete(l.pending, 0, 1)
	if rep.header.Zxid > 0 {
		c.lastZxid = rep.header.Zxid
	}
	var events []Event
	if q.note != nil {
		events = q.note(rep.header.Err)
	}
	c.mu.Unlock()
	c.emit(events...)
	c.finish(q, rep)
	return nil
}

// finish hands a request its reply and frees its place.
func (c *Client) finish(q *request, rep reply) {
	q.done <- rep
	<-c.slots
}

// failAll ends every request, sent or not, with the code of a state.
func (c *Client) failAll(s State) {
	c.mu.Lock()
	failed := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	for _, q := range failed {
		c.finish(q, reply{header: jute.ReplyHeader{Xid: q.xid, Err: lostCode(s)}})
	}
}

// submit queues a request; its reply comes on the channel. An error is ctx's.
func (c *Client) submit(ctx context.Context, op jute.OpCode, body func([]byte) []byte,
	note func(jute.Code) []Event,
) (<-chan reply, error) {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	q := &request{op: op, frame: frame(0, op, body), note: note, done: make(chan reply, 1)}
	c.mu.Lock()
	if c.state.final() || c.closing && op != jute.OpCloseSession {
		state := c.state
		if !state.final() {
			state = Closed
		}
		c.mu.Unlock()
		c.finish(q, reply{header: jute.ReplyHeader{Err: lostCode(state)}})
		return q.done, nil
	}
	if c.xid++; c.xid <= 0 {
		c.xid = 1 // the others have meanings of their own
	}
	q.xid = c.xid
	binary.BigEndian.PutUint32(q.frame[4:], uint32(q.xid))
	c.waiting = append(c.waiting, q)
	l := c.link
	c.mu.Unlock()
	if l != nil {
		l.wakeUp()
	}
	return q.done, nil
}

// do sends a request and waits for its reply. The error is an *OpError with the path given, or ctx's; the
// request is not taken back when ctx ends.
func (c *Client) do(ctx context.Context, op jute.OpCode, path string, body func([]byte) []byte,
	note func(jute.Code) []Event,
) (reply, error) {
	done, err := c.submit(ctx, op, body, note)
	if err != nil {
		return reply{}, err
	}
	select {
	case rep := <-done:
		if rep.header.Err != jute.CodeOk {
			return rep, &OpError{Op: op, Path: path, Code: rep.header.Err}
		}
		return rep, nil
	case <-ctx.Done():
		return reply{}, ctx.Err()
	}
}

// readFrame reads a frame's payload, at most limitBytes of it.
func readFrame(r *bufio.Reader, limitBytes int) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := int(int32(binary.BigEndian.Uint32(head[:])))
	if n < 0 || n > limitBytes {
		return nil, fmt.Errorf("client: frame of %d bytes, %d are allowed", n, limitBytes)
	}
	if n <= readChunkBytes {
		b := make([]byte, n)
		_, err := io.ReadFull(r, b)
		return b, err
	}
	var buf bytes.Buffer
	buf.Grow(readChunkBytes)
	if _, err := io.CopyN(&buf, r, int64(n)); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}
