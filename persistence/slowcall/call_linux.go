//go:build linux && (amd64 || arm64)

package slowcall

import (
	"syscall"
	_ "unsafe" // for go:linkname
)

//go:linkname entersyscallblock runtime.entersyscallblock
func entersyscallblock()

//go:linkname exitsyscall runtime.exitsyscall
func exitsyscall()

// call makes a system call that is known to take long, again when a signal has ended it early. Between the two calls
// of the runtime nothing may grow the stack or allocate; they must be made from one frame.
func call(trap, a1, a2, a3, a4 uintptr) syscall.Errno {
	for {
		if _, errno := callOnce(trap, a1, a2, a3, a4); errno != syscall.EINTR {
			return errno
		}
	}
}

// callFor is call for one with a result.
func callFor(trap, a1, a2, a3 uintptr) (result uintptr, errno syscall.Errno) {
	for {
		if result, errno = callOnce(trap, a1, a2, a3, 0); errno != syscall.EINTR {
			return result, errno
		}
	}
}

//go:nosplit
func callOnce(trap, a1, a2, a3, a4 uintptr) (uintptr, syscall.Errno) {
	entersyscallblock()
	r, _, errno := syscall.RawSyscall6(trap, a1, a2, a3, a4, 0, 0)
	exitsyscall()
	return r, errno
}
