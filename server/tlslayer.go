package server

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"zk/server/nowait"
)

// sealBytes is how much output is encrypted in one piece, and the most that is encrypted by the goroutine that
// flushes, which may be the one that applies.
const sealBytes = 64 << 10

// sealedMax bounds encrypted bytes that nobody sends: answers of the protocol itself to a client that asks
// for them and reads nothing.
const sealedMax = 1 << 20

// tlsLayer lies between package tls and a socket, so that neither ever waits for the other: once the handshake
// is done, a read takes what the socket has and no more, and a write keeps its bytes for send. So an idle
// connection holds no buffer but what tls.Conn keeps, and encrypting for a client that does not read does
// not stop anybody.
type tlsLayer struct {
	net.Conn // the socket; read and written directly during the handshake
	tls      *tls.Conn
	raw      syscall.RawConn
	pool     *buffers
	open     bool    // the handshake is done; set by the reader before others see the layer
	fd       uintptr // owned by the reader, while it reads

	mu     sync.Mutex
	sealed []byte // guarded by mu; encrypted, in order, behind sending

	// sendMu is held by the goroutine that writes to the socket, which may wait for it. Order: sendMu, mu.
	sendMu  sync.Mutex
	sending []byte // guarded by sendMu; what of it is sent is cut off
	taken   []byte // guarded by sendMu; sending from its start, for the pool
	sendErr error  // guarded by sendMu; of the last try
	tryFn   func(fd uintptr) bool
}

func newTLSLayer(t *transport, config *tls.Config) *tlsLayer {
	l := &tlsLayer{Conn: t.nc, raw: t.raw, pool: t.pool}
	l.tls = tls.Server(l, config)
	l.tryFn = l.trySend
	return l
}

// errNothingYet tells package tls that the socket is empty. It is a temporary error, which tls.Conn passes on
// and forgets.
type errNothingYet struct{}

func (errNothingYet) Error() string   { return "server: nothing to read yet" }
func (errNothingYet) Timeout() bool   { return false }
func (errNothingYet) Temporary() bool { return true }

var _ net.Error = errNothingYet{}

// Read is called by tls.Conn.
func (l *tlsLayer) Read(p []byte) (int, error) {
	if !l.open {
		return l.Conn.Read(p)
	}
	n, err := nowait.Read(l.fd, p)
	if err == syscall.EAGAIN {
		return 0, errNothingYet{}
	}
	return n, err
}

// Write is called by tls.Conn.
func (l *tlsLayer) Write(p []byte) (int, error) {
	if !l.open {
		return l.Conn.Write(p)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.sealed)+len(p) > sealedMax {
		return 0, errors.New("server: the client asks for answers and does not read")
	}
	if l.sealed == nil {
		l.sealed = l.pool.getOut()
	}
	l.sealed = append(l.sealed, p...)
	return len(p), nil
}

// SetWriteDeadline is called by tls.Conn around its last alert, which never waits here.
func (l *tlsLayer) SetWriteDeadline(time.Time) error { return nil }

// Close is called by tls.Conn behind its last alert, which is sent if the socket takes it at once.
func (l *tlsLayer) Close() error {
	if l.open && l.sendMu.TryLock() {
		_ = l.send() // a goodbye; nobody may be there
		l.sendMu.Unlock()
	}
	return l.Conn.Close()
}

// read decrypts into b what the socket has, fd being its descriptor; done is false when there is nothing yet.
func (l *tlsLayer) read(fd uintptr, b []byte) (n int, err error, done bool) {
	l.fd = fd
	n, err = l.tls.Read(b)
	if n > 0 {
		return n, nil, true // an error comes again
	}
	_, nothing := err.(errNothingYet)
	return 0, err, !nothing
}

// write encrypts b and tries to send it without waiting, as transport.write does.
func (l *tlsLayer) write(b []byte) (n int, err error) {
	if len(b) > sealBytes {
		return 0, errWouldBlock
	}
	if _, err := l.tls.Write(b); err != nil {
		return 0, err
	}
	l.sendMu.Lock()
	defer l.sendMu.Unlock()
	return len(b), l.send()
}

// send sends what is encrypted as far as the socket takes it, else errWouldBlock. Called with sendMu held.
func (l *tlsLayer) send() error {
	for l.next() {
		l.sendErr = nil
		if err := l.raw.Write(l.tryFn); err != nil {
			return err
		}
		if l.sendErr != nil {
			return l.sendErr
		}
	}
	return nil
}

// next makes sending what is to be sent; false when there is nothing. Called with sendMu held.
func (l *tlsLayer) next() bool {
	if len(l.sending) > 0 {
		return true
	}
	l.pool.putOut(l.taken)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken, l.sending, l.sealed = l.sealed, l.sealed, nil
	return len(l.sending) > 0
}

func (l *tlsLayer) trySend(fd uintptr) bool {
	for len(l.sending) > 0 {
		n, err := nowait.Write(fd, l.sending)
		switch {
		case err == syscall.EAGAIN:
			l.sendErr = errWouldBlock
			return true
		case err != nil:
			l.sendErr = err
			return true
		default:
			l.sending = l.sending[n:]
		}
	}
	return true
}

// writeAll encrypts and sends b, and what waits before it, with waiting.
func (l *tlsLayer) writeAll(b []byte) error {
	for {
		if err := l.sendWait(); err != nil || len(b) == 0 {
			return err
		}
		n := min(len(b), sealBytes)
		if _, err := l.tls.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
}

func (l *tlsLayer) sendWait() error {
	l.sendMu.Lock()
	defer l.sendMu.Unlock()
	for l.next() {
		n, err := l.Conn.Write(l.sending)
		l.sending = l.sending[n:]
		if err != nil {
			return err
		}
	}
	return nil
}
