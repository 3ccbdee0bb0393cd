//go:build race || !linux

package nowait

import "syscall"

// Under the race detector the calls are those of package syscall, which tell it that what one goroutine has
// written comes before what another reads, also when both ends of a connection are in one process. Other systems
// than Linux make their calls through their C library, which package syscall knows.

func read(fd uintptr, b []byte) (int, error) { return syscall.Read(int(fd), b) }

func write(fd uintptr, b []byte) (int, error) { return syscall.Write(int(fd), b) }
