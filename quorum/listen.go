package quorum

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"
)

const (
	// unidentifiedMax is how many connections of a port may wait at once for their first message. One more
	// closes the oldest: who has something to say says it at once, so silent ones keep nobody out.
	unidentifiedMax = 64
	// acceptPause is how long an accept loop rests when the system refuses more sockets.
	acceptPause = 50 * time.Millisecond
)

// unidentified holds the connections of a port whose peer has not said who it is.
type unidentified struct {
	mu     sync.Mutex
	conns  []net.Conn // oldest first
	closed bool
}

// add takes a connection; false when the port is closed.
func (u *unidentified) add(c net.Conn) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return false
	}
	if len(u.conns) >= unidentifiedMax {
		_ = u.conns[0].Close() // its reader sees it
		u.conns = append(u.conns[:0], u.conns[1:]...)
	}
	u.conns = append(u.conns, c)
	return true
}

// remove forgets a connection that is identified or closed. It reports false for one that was pushed out.
func (u *unidentified) remove(c net.Conn) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i, other := range u.conns {
		if other == c {
			u.conns = append(u.conns[:i], u.conns[i+1:]...)
			return true
		}
	}
	return false
}

// close closes all of them, and those to come.
func (u *unidentified) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closed = true
	for _, c := range u.conns {
		_ = c.Close()
	}
	u.conns = nil
}

// accept gives every connection of a listener a goroutine of its own, until the listener is closed; serve
// begins with a connection that is in u.
func accept(l net.Listener, u *unidentified, work *sync.WaitGroup, log *slog.Logger, serve func(net.Conn)) {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			log.Warn("accept failed", "addr", l.Addr(), "err", err)
			time.Sleep(acceptPause)
			continue
		}
		if !u.add(c) {
			_ = c.Close()
			continue
		}
		work.Go(func() { serve(c) }) // ends with its connection
	}
}

// sleep waits, or returns false when ctx ends before.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
