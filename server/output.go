package server

import (
	"encoding/binary"
	"sync"
	"time"

	"zk/jute"
	"zk/server/tree"
)

const (
	// OutputSoftBytes is how much unsent output stops the reading of a connection.
	OutputSoftBytes = 256 << 10
	// OutputHardBytes is how much unsent output closes a connection that more events are to be sent to. The
	// session lives on, and setWatches catches up after the reconnect. The one long reply that may be on its
	// way does not count: a client that lists a million children and watches them would be cut off each time.
	OutputHardBytes = 16 << 20
	// sharedBytes is the length from which on data of nodes and events are sent without a copy for each client: such
	// bytes are changed by nobody, and are too long for the pool of buffers.
	sharedBytes = max(outputKeepMax, tree.LargeDataBytes)
	// apartBytes is the output which Apply does not write itself.
	apartBytes = 128 << 10
	// closeDeadline bounds how long a client may take for the last replies.
	closeDeadline = 5 * time.Second
)

// output is the bytes on their way to a client. Anyone may append; one goroutine at a time flushes.
type output struct {
	mu sync.Mutex
	// Guarded by mu.
	full     [][]byte // goes before buf: what stood before long replies and events, and their pieces
	buf      []byte
	queued   int  // bytes in full
	long     int  // bytes of long replies among all that is unsent, about
	flushing bool // somebody writes, and will write what is appended meanwhile
	closing  bool // close when all is written
	dead     bool // the socket is gone: drop what comes
	inFlight int  // bytes the flusher has taken
	drained  *sync.Cond
}

// frame appends one frame whose content fill appends, and gives its size. It holds the output's lock
// only for itself, so that a panic in fill leaves nothing locked.
func (c *conn) frame(fill func([]byte) []byte) (size int) {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.buf == nil {
		o.buf = c.srv.pool.getOut()
	}
	at := len(o.buf)
	b := fill(append(o.buf, 0, 0, 0, 0))
	size = len(b) - at - 4
	binary.BigEndian.PutUint32(b[at:], uint32(size))
	if o.dead {
		b = b[:at]
	}
	o.buf = b
	return size
}

// longFrame appends a frame that begins with what fill appends, goes on with pieces, which it takes as
// they are, and ends with end: little is copied under the tree lock, however long it is. bytes is the
// length of the pieces.
func (c *conn) longFrame(fill func([]byte) []byte, pieces [][]byte, bytes int, end []byte) (size int) {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.buf == nil {
		o.buf = c.srv.pool.getOut()
	}
	at := len(o.buf)
	b := fill(append(o.buf, 0, 0, 0, 0))
	size = len(b) - at - 4 + bytes + len(end)
	binary.BigEndian.PutUint32(b[at:], uint32(size))
	if o.dead {
		return size
	}
	o.full = append(append(o.full, b), pieces...)
	o.queued += len(b) + bytes
	o.long += bytes
	o.buf = append(c.srv.pool.getOut(), end...)
	return size
}

// appendFrame appends a complete frame, an event. It reports false when the client has too much unread.
func (c *conn) appendFrame(frame []byte) bool {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.dead {
		return true
	}
	if o.unsent()-o.long+len(frame) > OutputHardBytes {
		return false
	}
	if len(frame) > sharedBytes {
		o.seal()
		o.full = append(o.full, frame)
		o.queued += len(frame)
		return true
	}
	if o.buf == nil {
		o.buf = c.srv.pool.getOutFor(max(eventBytes, len(frame)))
	}
	o.buf = append(o.buf, frame...)
	return true
}

// seal ends the buffer at hand: what comes next goes behind it in a piece of its own. Called with mu held.
func (o *output) seal() {
	if len(o.buf) > 0 {
		o.full = append(o.full, o.buf)
		o.queued += len(o.buf)
		o.buf = nil
	}
}

// appendHeader appends a reply header.
func appendHeader(b []byte, xid int32, zxid jute.Zxid, code jute.Code) []byte {
	h := jute.ReplyHeader{Xid: xid, Zxid: zxid, Err: code}
	return h.Append(b)
}

// flush writes what is there without waiting; what the socket does not take is left to a goroutine of
// its own.
func (c *conn) flush() {
	o := &c.out
	o.mu.Lock()
	if o.flushing || o.empty() {
		shut := o.closing && (!o.flushing || o.dead)
		o.mu.Unlock()
		if shut {
			c.shutdown()
		}
		return
	}
	o.flushing = true
	for {
		buf := o.take()
		o.mu.Unlock()
		n, err := c.tr.write(buf)
		if err == errWouldBlock {
			go c.drain(buf, n) // ends when the socket has taken all or is closed
			return
		}
		if c.sent(buf, err) {
			return
		}
	}
}

// flushApart is flush for Apply: what takes long to copy into a socket is left to a goroutine of its own.
func (c *conn) flushApart() {
	o := &c.out
	o.mu.Lock()
	if o.flushing || o.unsent() < apartBytes {
		o.mu.Unlock()
		c.flush()
		return
	}
	o.flushing = true
	buf := o.take()
	o.mu.Unlock()
	go c.drain(buf, 0) // ends when the socket has taken all or is closed
}

// empty reports whether there is nothing to write. Called with mu held.
func (o *output) empty() bool { return len(o.full) == 0 && len(o.buf) == 0 }

// drop forgets what is not written. Called with mu held.
func (o *output) drop() { o.full, o.buf, o.queued, o.long = nil, nil, 0, 0 }

// take hands the next bytes to the flusher. Called with mu held.
func (o *output) take() []byte {
	buf := o.buf
	if len(o.full) > 0 {
		buf, o.full[0] = o.full[0], nil
		o.full = o.full[1:]
		o.queued -= len(buf)
	} else {
		o.buf, o.full = nil, nil
	}
	o.inFlight = len(buf)
	return buf
}

// sent ends the write of buf; it returns with mu held when there is more to write, else true.
func (c *conn) sent(buf []byte, err error) (done bool) {
	o := &c.out
	o.mu.Lock()
	o.inFlight = 0
	if o.long == 0 { // else it may be a piece of a long reply, much larger than most replies need
		c.srv.pool.putOut(buf)
	}
	if o.long -= len(buf); len(o.full) == 0 || o.long < 0 {
		o.long = 0
	}
	if err != nil {
		o.dead = true
		o.drop()
	}
	if !o.empty() {
		return false
	}
	o.flushing = false
	shut := o.closing || o.dead
	if o.drained != nil {
		o.drained.Broadcast()
	}
	o.mu.Unlock()
	if shut {
		c.shutdown()
	}
	return true
}

// drain writes with waiting.
func (c *conn) drain(buf []byte, n int) {
	for {
		err := c.tr.writeAll(buf[n:])
		if c.sent(buf, err) {
			return
		}
		buf = c.out.take()
		n = 0
		c.out.mu.Unlock()
	}
}

// await stops the reader, or a long read, while the client has too much unread output.
func (c *conn) await() { c.awaitBelow(OutputSoftBytes) }

// awaitBelow waits until less than n bytes are unsent, or nobody writes them.
func (c *conn) awaitBelow(n int) {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.unsent() >= n && o.flushing && !o.dead {
		if o.drained == nil {
			o.drained = sync.NewCond(&o.mu)
		}
		o.drained.Wait()
	}
}

// unsent is the number of bytes the socket has not taken. Called with mu held.
func (o *output) unsent() int { return o.queued + len(o.buf) + o.inFlight }

// stuffed reports whether the reader has to stop for the client to read.
func (o *output) stuffed() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.unsent() >= OutputSoftBytes
}

// usable reports whether replies still can reach the client. Replies of reads that waited in the queue
// may take it beyond the hard bound, when nodes have grown meanwhile: then they end here, and the next
// flush closes the socket.
func (o *output) usable() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.unsent()-o.long > OutputHardBytes {
		o.dead, o.closing = true, true
		o.drop()
	}
	return !o.dead
}

// finishOutput closes the connection at the next flush that leaves nothing to write. A client that
// doesn't read has until closeDeadline.
func (c *conn) finishOutput() {
	c.out.mu.Lock()
	c.out.closing = true
	c.out.mu.Unlock()
	_ = c.nc.SetWriteDeadline(time.Now().Add(closeDeadline)) // a socket without deadlines is a closed one
}

// shutdown closes the socket; the reader notices and cleans up.
func (c *conn) shutdown() {
	o := &c.out
	o.mu.Lock()
	o.dead = true
	if o.drained != nil {
		o.drained.Broadcast()
	}
	o.mu.Unlock()
	c.release()
	c.tr.close()
}
