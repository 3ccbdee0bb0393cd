package main

import (
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// The monitor thread of the Go runtime (sysmon) sleeps for 20 us again and again while any goroutine runs or is in a
// system call. A server that has a few requests a millisecond never lets it rest, and on a virtual machine
// each of these short sleeps costs more than the request's own work: with one create in flight the monitor and what
// it sets going took a third of the processor time of a server, with 64 an eighth.
//
// The runtime has no setting for it, but Linux has: how late a thread's sleep may end, its timer slack (prctl(2)).
// A thread has it from the one that made it, and a program from the one before an exec, so the server starts itself
// once more with a large slack for the monitor to inherit, and then gives all other threads what they had: their
// short sleeps are part of looking for work.
//
// What the monitor is for can wait that long: it takes processors from goroutines whose system calls last (the long
// ones give theirs away by themselves, see persistence/slowcall), from those that run for 10 ms, and polls the network
// when nobody else has for 10 ms. Where there is one processor only nothing is changed: a write to a file, which is
// not announced, would keep everybody waiting for longer.

const (
	// defaultSlackNanos is Linux's timer slack, monitorSlackNanos that of the monitor.
	defaultSlackNanos = 50_000
	monitorSlackNanos = 1_000_000
	// spareThreads are threads beyond one for each processor that are there from the start: those made later may be
	// the monitor's children.
	spareThreads = 8
	// startedAgain is the environment variable that says which process is at its second start: a process id.
	startedAgain = "ZK_STARTED_AGAIN"
)

// calmMonitor lets the runtime's monitor thread wake less often, if these are the arguments of a server. It is for the
// very begin of main: the process starts anew in it, and signals must not be caught before. What can't be done is
// left: it is a matter of processor time alone.
func calmMonitor(args []string) {
	first := slices.IndexFunc(args, func(a string) bool { return !strings.HasPrefix(a, "-") })
	if first < 0 || args[first] != "server" || runtime.GOMAXPROCS(0) == 1 {
		return
	}
	pid := strconv.Itoa(os.Getpid())
	if os.Getenv(startedAgain) == pid {
		_ = os.Unsetenv(startedAgain) // it is a valid name
		restoreSlack(runtime.GOMAXPROCS(0) + spareThreads)
		return
	}
	runtime.LockOSThread() // the slack is the thread's that execs
	defer runtime.UnlockOSThread()
	if slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0); err != nil || slack != defaultSlackNanos {
		return // it is somebody's wish
	}
	path, err := os.Executable()
	if err != nil || setSlack(monitorSlackNanos) != nil {
		return
	}
	_ = syscall.Exec(path, os.Args, append(os.Environ(), startedAgain+"="+pid))
	_ = setSlack(defaultSlackNanos) // no exec: as before
}

// restoreSlack gives n threads, and with them all that run goroutines so far, the default slack.
func restoreSlack(n int) {
	// The first to lock its thread makes one that makes threads for those, and that can't be reached later.
	_ = setSlack(defaultSlackNanos)
	runtime.LockOSThread()
	runtime.UnlockOSThread()
	var all sync.WaitGroup
	all.Add(n)
	for range n {
		go func() { // on a thread of its own until all have one
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			_ = setSlack(defaultSlackNanos)
			all.Done()
			all.Wait()
		}()
	}
	all.Wait()
}

// setSlack gives the calling thread a timer slack.
func setSlack(nanos int64) error {
	return unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(nanos), 0, 0, 0)
}
