package server

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"zk/server/nowait"
)

const (
	inputBytes  = 32 << 10 // a pooled input buffer
	outputBytes = 4 << 10  // a fresh output buffer
	eventBytes  = 512      // one for an event: thousands are needed at once, and hold little
	// outputKeepMax is the largest output buffer that goes back to the pool.
	outputKeepMax = 128 << 10
)

// buffers are the pools of one server.
type buffers struct {
	in  sync.Pool // *[inputBytes]byte
	out sync.Pool // *[]byte
}

func (b *buffers) getIn() *[inputBytes]byte {
	if p, ok := b.in.Get().(*[inputBytes]byte); ok {
		return p
	}
	return new([inputBytes]byte)
}

func (b *buffers) getOut() []byte { return b.getOutFor(outputBytes) }

// getOutFor gives a pooled buffer, or a fresh one of n bytes.
func (b *buffers) getOutFor(n int) []byte {
	if p, ok := b.out.Get().(*[]byte); ok {
		return (*p)[:0]
	}
	return make([]byte, 0, n)
}

func (b *buffers) putOut(p []byte) {
	if cap(p) >= outputBytes && cap(p) <= outputKeepMax {
		b.out.Put(&p)
	}
}

// transport moves bytes to and from a socket. Reading takes a buffer from the pool only while there is
// something to read, so that an idle connection holds none; writing can be tried without waiting.
// Connections that are not sockets (tests, tunnels) work through plain Read and Write. TLS comes between when
// its handshake is done.
type transport struct {
	nc   net.Conn
	raw  syscall.RawConn // nil for a connection that is not a socket
	pool *buffers
	tls  atomic.Pointer[tlsLayer] // nil without TLS, and before it; set once, by the reader

	// Owned by the reader.
	in      *[inputBytes]byte // what the last fill gave, until it is consumed
	rn      int
	rerr    error
	readFn  func(fd uintptr) bool
	partial []byte // the begin of a frame that is not complete

	// unsure is set while the reader waits without having seen the socket empty.
	unsure atomic.Bool

	// Owned by the goroutine that flushes.
	wbuf    []byte
	wn      int
	werr    error
	writeFn func(fd uintptr) bool
}

func (t *transport) init(nc net.Conn, pool *buffers) {
	t.nc, t.pool = nc, pool
	if sc, ok := nc.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			t.raw = raw
			t.readFn = t.tryRead
			t.writeFn = t.tryWrite
		}
	}
}

// fill waits for input and gives all bytes that are not consumed yet, valid until the next keep.
func (t *transport) fill() ([]byte, error) {
	if len(t.partial) > inputBytes/2 {
		return t.fillLarge()
	}
	t.rn, t.rerr = 0, nil
	if t.raw == nil {
		t.in = t.pool.getIn()
		k := copy(t.in[:], t.partial)
		t.rn, t.rerr = t.nc.Read(t.in[k:])
	} else if err := t.raw.Read(t.readFn); err != nil {
		t.rerr = err
	}
	if t.rerr != nil && t.rn == 0 {
		return nil, t.rerr
	}
	return t.in[:len(t.partial)+t.rn], nil
}

// tryReadTLS is tryRead for a connection with TLS.
func (t *transport) tryReadTLS(fd uintptr) bool {
	t.in = t.pool.getIn()
	k := copy(t.in[:], t.partial)
	var done bool
	if t.rn, t.rerr, done = t.tls.Load().read(fd, t.in[k:]); done {
		return true
	}
	t.rerr = nil
	t.release()
	return false
}

// secured takes a TLS layer into use whose handshake is done.
func (t *transport) secured(l *tlsLayer) {
	l.open = true
	t.readFn = t.tryReadTLS
	t.tls.Store(l)
}

// tryRead reads once without waiting; false means there is nothing yet.
func (t *transport) tryRead(fd uintptr) bool {
	t.in = t.pool.getIn()
	t.rn, t.rerr = nowait.Read(fd, t.in[copy(t.in[:], t.partial):])
	if t.rerr == syscall.EAGAIN {
		t.rerr = nil
		t.release()
		return false
	}
	return true
}

// release gives the input buffer back to the pool.
func (t *transport) release() {
	if t.in != nil {
		t.pool.in.Put(t.in)
		t.in = nil
	}
}

// pumps tells whether pump works for this connection.
func (t *transport) pumps() bool { return t.raw != nil && t.tls.Load() == nil }

// pump gives all input to handle, as fill does, until that says no or reading fails; then the error is not
// nil.
//
// It waits inside a single call of the poller. There no edge is lost between two reads, so that a read which
// did not fill its buffer need not be followed by one that finds nothing: that is a system call less for a
// client that waits for every reply. Such a read does not tell of an end that came together with its bytes,
// though; see unsure.
func (t *transport) pump(handle func(in []byte) bool) (err error) {
	werr := t.raw.Read(func(fd uintptr) (done bool) {
		t.unsure.Store(false)
		for {
			b := t.space()
			t.rn, err = nowait.Read(fd, b)
			if err != nil {
				t.release()
				if err == syscall.EAGAIN {
					err = nil
					return false
				}
				return true
			}
			in := t.partial[:cap(t.partial)]
			if t.in != nil {
				in = t.in[:]
			}
			if !handle(in[:len(t.partial)+t.rn]) {
				return true
			}
			if t.rn < len(b) {
				t.unsure.Store(true)
				return false
			}
		}
	})
	if werr != nil {
		return werr
	}
	return err
}

// space is where the next read goes: behind what is left of the one before.
func (t *transport) space() []byte {
	if len(t.partial) > inputBytes/2 {
		t.grow()
		return t.partial[len(t.partial):cap(t.partial)]
	}
	t.in = t.pool.getIn()
	return t.in[copy(t.in[:], t.partial):]
}

// ended looks whether a client has ended its connection with bytes that were read before. It costs a system
// call for a connection that was read from since the last look, and is safe beside the reader.
func (t *transport) ended() bool {
	if !t.unsure.Load() {
		return false
	}
	var b [1]byte
	n, err := 0, error(nil)
	if cerr := t.raw.Control(func(fd uintptr) {
		n, _, err = syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
	}); cerr != nil {
		return false // closed already
	}
	if err == syscall.EAGAIN {
		t.unsure.Store(false) // an end that comes from now on wakes the reader
	}
	return err == nil && n == 0 || err != nil && err != syscall.EAGAIN && err != syscall.EINTR
}

// grow makes room behind the begin of a large frame. The buffer grows with what has come, not with what was
// announced.
func (t *transport) grow() {
	if len(t.partial) == cap(t.partial) {
		grown := make([]byte, len(t.partial), 2*cap(t.partial))
		copy(grown, t.partial)
		t.partial = grown
	}
}

// fillLarge reads on into the begin of a large frame.
func (t *transport) fillLarge() ([]byte, error) {
	t.grow()
	n, err := t.read(t.partial[len(t.partial):cap(t.partial)])
	t.rn = n
	if n == 0 && err != nil {
		return nil, err
	}
	t.partial = t.partial[:len(t.partial)+n]
	return t.partial, nil
}

// read waits for input.
func (t *transport) read(b []byte) (n int, err error) {
	l := t.tls.Load()
	if l == nil {
		return t.nc.Read(b)
	}
	waitErr := t.raw.Read(func(fd uintptr) (done bool) {
		n, err, done = l.read(fd, b)
		return done
	})
	if waitErr != nil {
		return 0, waitErr
	}
	return n, err
}

// keep ends the use of what fill gave; rest is its unconsumed tail.
func (t *transport) keep(rest []byte) {
	switch {
	case t.in == nil: // rest lies in partial
		if len(rest) <= inputBytes/2 {
			rest = append([]byte(nil), rest...)
		}
		t.partial = rest
	case len(rest) == 0:
		t.partial = t.partial[:0]
		if cap(t.partial) > 1024 {
			t.partial = nil
		}
	default:
		t.partial = append(t.partial[:0], rest...)
	}
	t.release()
	if len(t.partial) == 0 {
		t.partial = nil
	}
}

var errWouldBlock = errors.New("server: socket is full")

// write tries to write b without waiting. n bytes went; the error is errWouldBlock when the rest needs
// waiting for.
func (t *transport) write(b []byte) (n int, err error) {
	if t.raw == nil {
		return 0, errWouldBlock
	}
	if l := t.tls.Load(); l != nil {
		return l.write(b)
	}
	t.wbuf, t.wn, t.werr = b, 0, nil
	if err := t.raw.Write(t.writeFn); err != nil {
		return 0, err
	}
	t.wbuf = nil
	return t.wn, t.werr
}

func (t *transport) tryWrite(fd uintptr) bool {
	for t.wn < len(t.wbuf) {
		n, err := nowait.Write(fd, t.wbuf[t.wn:])
		switch {
		case err == syscall.EAGAIN:
			t.werr = errWouldBlock
			return true
		case err != nil:
			t.werr = err
			return true
		default:
			t.wn += n
		}
	}
	return true
}

// writeAll writes b with waiting.
func (t *transport) writeAll(b []byte) error {
	if l := t.tls.Load(); l != nil {
		return l.writeAll(b)
	}
	_, err := t.nc.Write(b)
	return err
}

// Write is writeAll for an io.Writer.
func (t *transport) Write(b []byte) (int, error) {
	if err := t.writeAll(b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// closeWrite tells the client that nothing more comes.
func (t *transport) closeWrite(tcp *net.TCPConn) error {
	if l := t.tls.Load(); l != nil {
		if err := errors.Join(l.tls.CloseWrite(), l.sendWait()); err != nil {
			return err
		}
	}
	return tcp.CloseWrite()
}

// close ends the connection in both directions without waiting, and wakes its reader; a client with TLS is
// told before, if it can be. The reader frees the socket: net.Conn.Close waits for a reader that is in pump,
// and whoever closes a connection may hold what that one waits for.
func (t *transport) close() {
	if l := t.tls.Load(); l != nil {
		_ = l.tls.Close() // closes the socket too, and never waits: see tlsLayer
		return
	}
	if t.raw == nil {
		t.free()
		return
	}
	_ = t.raw.Control(func(fd uintptr) { // the socket is done with either way
		_ = syscall.Shutdown(int(fd), syscall.SHUT_RDWR)
	})
	// That wakes nobody when the client has reset the connection before, and the reader has had the edge of it.
	_ = t.nc.SetDeadline(time.Unix(1, 0))
}

// free gives the socket back to the system.
func (t *transport) free() { _ = t.nc.Close() }
