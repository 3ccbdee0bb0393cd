package server

import (
	"os"
	"runtime"
	"syscall"
	"time"
)

const (
	// lookEvery is how long a long task goes on before it waits for a look at the sockets, which takes some 5 us.
	lookEvery = 250 * time.Microsecond
	// lookLongest bounds that wait: where other work keeps the processors busy, a long task is work like any.
	lookLongest = 2 * time.Millisecond
)

// lookout makes a long task wait now and then until a processor has looked at the sockets.
//
// A processor of the Go runtime looks at them when no goroutine is left that can run. With runtime.Gosched a task stays
// one that can: with as many such tasks as processors, requests lie in their sockets until the runtime's monitor
// looks, every 10 ms. So the task waits as those do who read from sockets: for one end of a pipe, with a byte written
// into the other.
//
// It belongs to one goroutine at a time. The zero value works, without a pipe until it is needed.
type lookout struct {
	in, out *os.File
	raw     syscall.RawConn // of in; nil without a pipe
	none    bool            // there is no pipe, and none is made
	asked   bool            // a byte is in the pipe
	woken   bool            // this wait has begun
	last    time.Time       // when it ended
	b       [8]byte
}

// pause lets others run. It is called every 100 us or so.
func (l *lookout) pause() {
	if now := time.Now(); now.Sub(l.last) >= lookEvery && l.open() {
		l.wait(now.Add(lookLongest))
		l.last = time.Now()
		return
	}
	runtime.Gosched()
}

// open reports whether there is a pipe. Where none is to be had, for want of descriptors, it does without.
func (l *lookout) open() bool {
	if l.raw != nil || l.none {
		return l.raw != nil
	}
	l.none = true
	in, out, err := os.Pipe()
	if err != nil {
		return false
	}
	raw, err := in.SyscallConn()
	if err != nil || in.SetReadDeadline(time.Time{}) != nil { // not one that is waited for as for sockets
		_, _ = in.Close(), out.Close()
		return false
	}
	l.in, l.out, l.raw = in, out, raw
	return true
}

// wait returns after a look at the sockets, or at the deadline.
func (l *lookout) wait(deadline time.Time) {
	_ = l.in.SetReadDeadline(deadline)
	l.woken = false
	_ = l.raw.Read(l.step) // fails at the deadline
}

// step asks for the look, after which it is called again.
func (l *lookout) step(fd uintptr) (done bool) {
	if l.asked {
		_, _ = syscall.Read(int(fd), l.b[:])
		l.asked = false
	}
	if l.woken {
		return true
	}
	_, err := l.out.Write(l.b[:1])
	l.asked, l.woken = err == nil, true
	return err != nil
}

// close gives the pipe up; from then on pause does without.
func (l *lookout) close() {
	if l.raw != nil {
		_, _ = l.in.Close(), l.out.Close()
		l.raw = nil
	}
	l.none = true
}
