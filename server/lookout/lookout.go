// Package lookout lets a long task make way for what comes to sockets.
package lookout

import (
	"cmp"
	"os"
	"runtime"
	"syscall"
	"time"
)

const (
	// every is how long a long task goes on before it waits for a look at the sockets, which takes some 5 us.
	every = 250 * time.Microsecond
	// longest bounds that wait: where other work keeps the processors busy, a long task is work like any.
	longest = 2 * time.Millisecond
)

// Lookout makes a long task wait now and then until a processor has looked at the sockets.
//
// A processor of the Go runtime looks at them when no goroutine is left that can run. With runtime.Gosched a task stays
// one that can: with as many such tasks as processors, requests lie in their sockets until the runtime's monitor
// looks, every 10 ms. So the task waits as those do who read from sockets: for one end of a pipe, with a byte written
// into the other.
//
// It belongs to one goroutine at a time. The zero value works, without a pipe until it is needed.
type Lookout struct {
	// Longest bounds a wait; 0 is two milliseconds. A task that must get on has to have a shorter one.
	Longest time.Duration

	in, out *os.File
	raw     syscall.RawConn // of in; nil without a pipe
	none    bool            // there is no pipe, and none is made
	asked   bool            // a byte is in the pipe
	woken   bool            // this wait has begun
	last    time.Time       // when it ended
	b       [8]byte
}

// Pause lets others run. It is called every 100 us or so.
func (l *Lookout) Pause() {
	if now := time.Now(); now.Sub(l.last) >= every && l.open() {
		l.wait(now.Add(cmp.Or(l.Longest, longest)))
		l.last = time.Now()
		return
	}
	runtime.Gosched()
}

// open reports whether there is a pipe. Where none is to be had, for want of descriptors, it does without.
func (l *Lookout) open() bool {
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
func (l *Lookout) wait(deadline time.Time) {
	_ = l.in.SetReadDeadline(deadline)
	l.woken = false
	_ = l.raw.Read(l.step) // fails at the deadline
}

// step asks for the look, after which it is called again.
func (l *Lookout) step(fd uintptr) (done bool) {
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

// Close gives the pipe up; from then on Pause does without.
func (l *Lookout) Close() {
	if l.raw != nil {
		_, _ = l.in.Close(), l.out.Close()
		l.raw = nil
	}
	l.none = true
}
