package persistence

import (
	"syscall"
	_ "unsafe" // for go:linkname

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A sync takes a disk's time, which the scheduler does not know of: it takes the call for a short one, keeps a
// processor for it, and has its monitor thread wake up every 20 us to see if it is over. At one transaction at a
// time that was a third of all the processor time of a server. These two functions of package runtime, which
// it keeps for callers outside (go.dev/issue/67401), announce a call that does block.

//go:linkname entersyscallblock runtime.entersyscallblock
func entersyscallblock()

//go:linkname exitsyscall runtime.exitsyscall
func exitsyscall()

// syncData is f.SyncData for a file of the machine.
func syncData(f vfs.File) error {
	for {
		switch errno := fdatasync(f.Fd()); errno {
		case 0:
			return nil
		case syscall.EINTR:
		default:
			return errno
		}
	}
}

// fdatasync must not grow its stack between the two, and so can't be checked for races either.
//
//go:nosplit
//go:norace
func fdatasync(fd uintptr) syscall.Errno {
	entersyscallblock()
	_, _, errno := syscall.RawSyscall(syscall.SYS_FDATASYNC, fd, 0, 0)
	exitsyscall()
	return errno
}
