package server

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
)

const (
	inputBytes  = 32 << 10 // a pooled input buffer
	outputBytes = 4 << 10  // a fresh output buffer
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

func (b *buffers) getOut() []byte {
	if p, ok := b.out.Get().(*[]byte); ok {
		return (*p)[:0]
	}
	return make([]byte, 0, outputBytes)
}

func (b *buffers) putOut(p []byte) {
	if cap(p) > 0 && cap(p) <= outputKeepMax {
		b.out.Put(&p)
	}
}

// transport moves bytes to and from a socket. Reading takes a buffer from the pool only while there is
// something to read, so that an idle connection holds none; writing can be tried without waiting.
// Connections that are not sockets (tests, tunnels) work through plain Read and Write.
type transport struct {
	nc   net.Conn
	raw  syscall.RawConn // nil for a connection that is not a socket
	pool *buffers

	// Owned by the reader.
	in      *[inputBytes]byte // what the last fill gave, until it is consumed
	rn      int
	rerr    error
	readFn  func(fd uintptr) bool
	partial []byte // the begin of a frame that is not complete

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

// tryRead reads once without waiting; false means there is nothing yet.
func (t *transport) tryRead(fd uintptr) bool {
	t.in = t.pool.getIn()
	k := copy(t.in[:], t.partial)
	for {
		n, err := syscall.Read(int(fd), t.in[k:])
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			t.pool.in.Put(t.in)
			t.in = nil
			return false
		case err != nil:
			t.rerr = err
		case n == 0:
			t.rerr = io.EOF
		}
		t.rn = max(n, 0)
		return true
	}
}

// fillLarge reads on into the begin of a large frame. The buffer grows with what has come, not with
// what was announced.
func (t *transport) fillLarge() ([]byte, error) {
	if len(t.partial) == cap(t.partial) {
		grown := make([]byte, len(t.partial), 2*cap(t.partial))
		copy(grown, t.partial)
		t.partial = grown
	}
	n, err := t.nc.Read(t.partial[len(t.partial):cap(t.partial)])
	t.rn = n
	if n == 0 && err != nil {
		return nil, err
	}
	t.partial = t.partial[:len(t.partial)+n]
	return t.partial, nil
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
	if t.in != nil {
		t.pool.in.Put(t.in)
		t.in = nil
	}
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
	t.wbuf, t.wn, t.werr = b, 0, nil
	if err := t.raw.Write(t.writeFn); err != nil {
		return 0, err
	}
	t.wbuf = nil
	return t.wn, t.werr
}

func (t *transport) tryWrite(fd uintptr) bool {
	for t.wn < len(t.wbuf) {
		n, err := syscall.Write(int(fd), t.wbuf[t.wn:])
		switch {
		case err == syscall.EINTR:
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
