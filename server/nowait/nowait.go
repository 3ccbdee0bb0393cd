// Package nowait reads and writes sockets that never block, without telling the Go scheduler.
//
// A system call of package syscall or net is announced to the scheduler, as it may hold its thread. The first
// one after the process was idle wakes the scheduler's monitor thread, which then looks again and again,
// every 20 us, until the process is idle once more. A server that works in short bursts, a request, a
// packet of a peer, pays that at each of them: a second thread for a millionth of a second of work. Sockets of
// package net are non-blocking, so their reads and writes hold nobody and need no monitor.
//
// What it does not: it waits for nothing by itself; Conn waits in the poller of package net, with its
// deadlines. Nor does it know TLS or any protocol.
package nowait

import (
	"io"
	"net"
	"sync"
	"syscall"
)

// writeBytesMax bounds one system call: no goroutine of this process can be stopped while it runs, for the
// collector say, and copying this takes some 50 us. A read is bounded by its buffer: one that leaves it short has
// emptied the socket, which callers rely on.
const writeBytesMax = 256 << 10

// Read reads once from a non-blocking socket: syscall.EAGAIN when there is nothing yet, io.EOF at the end.
func Read(fd uintptr, b []byte) (int, error) {
	for {
		n, err := read(fd, b)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return 0, err
		case n == 0 && len(b) > 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// Write writes once to a non-blocking socket, part of b perhaps: syscall.EAGAIN when it takes nothing now.
func Write(fd uintptr, b []byte) (int, error) {
	for {
		n, err := write(fd, b[:min(len(b), writeBytesMax)])
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return 0, err
		default:
			return n, nil
		}
	}
}

// Conn is a TCP connection whose Read and Write don't tell the scheduler. All else is that of the
// connection below.
type Conn struct {
	*net.TCPConn
	raw         syscall.RawConn
	read, write transfer
}

// transfer is the state of one direction, and the function that is called when the socket may be ready.
type transfer struct {
	mu  sync.Mutex // one call at a time, as package net has it
	b   []byte
	n   int
	err error
	try func(fd uintptr) (done bool)
}

// Wrap gives a TCP connection as a Conn, and any other as it is.
func Wrap(c net.Conn) net.Conn {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return c
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return c // closed already: its first use says so
	}
	w := &Conn{TCPConn: tcp, raw: raw}
	w.read.try, w.write.try = w.read.once, w.write.all
	return w
}

// Read implements net.Conn.
func (c *Conn) Read(b []byte) (int, error) {
	t := &c.read
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b, t.n, t.err = b, 0, nil
	if err := c.raw.Read(t.try); err != nil {
		t.err = err
	}
	t.b = nil
	return t.n, t.err
}

// Write implements net.Conn.
func (c *Conn) Write(b []byte) (int, error) {
	t := &c.write
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b, t.n, t.err = b, 0, nil
	if err := c.raw.Write(t.try); err != nil {
		t.err = err
	}
	t.b = nil
	return t.n, t.err
}

// ReadFrom implements io.ReaderFrom, which that of the TCP connection would else do its own way.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) { return io.Copy(onlyWriter{c}, r) }

// WriteTo implements io.WriterTo, likewise.
func (c *Conn) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, onlyReader{c}) }

type onlyWriter struct{ io.Writer }

type onlyReader struct{ io.Reader }

// once reads what there is.
func (t *transfer) once(fd uintptr) bool {
	t.n, t.err = Read(fd, t.b)
	if t.err == syscall.EAGAIN {
		t.err = nil
		return false
	}
	return true
}

// all writes until nothing is left.
func (t *transfer) all(fd uintptr) bool {
	for t.n < len(t.b) {
		n, err := Write(fd, t.b[t.n:])
		if err == syscall.EAGAIN {
			return false
		}
		if err != nil {
			t.err = err
			return true
		}
		t.n += n
	}
	return true
}
