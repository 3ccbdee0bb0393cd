//go:build linux && (amd64 || arm64)

package slowcall

import (
	"runtime"
	"strings"
	"sync"
	"unsafe"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sys/unix"
)

const (
	// pieceBytes is the length of the pieces in which a table is written. Pebble leaves the last MiB alone when it
	// has the begin of a table written out (vfs.NewSyncingFile), so that no more may wait here.
	pieceBytes = 1 << 20
	// pieceAlign is what memory and offset of a piece are a multiple of: more than any disk asks for.
	pieceAlign = 4 << 10
)

// pieces has memory for pieces, each *[]byte of pieceBytes.
var pieces = sync.Pool{New: func() any {
	b := make([]byte, pieceBytes+pieceAlign)
	from := -uintptr(unsafe.Pointer(&b[0])) & (pieceAlign - 1)
	b = b[from : from+pieceBytes]
	return &b
}}

func isTable(name string) bool { return strings.HasSuffix(name, ".sst") }

// table is a table that is written from its begin to its end, by one goroutine at a time. It is written in pieces: of
// two writes for each block, neither of whole pages, most of the time went into the file system's bookkeeping.
type table struct {
	file
	direct bool    // whole pieces go past the page cache
	piece  *[]byte // nil while nothing waits
	waits  int     // bytes in piece that are not written
}

// newTable makes a table of a new file.
func newTable(f *file, c vfs.DiskWriteCategory) *table {
	t := &table{file: *f}
	if c == SeldomRead {
		t.setDirect(true) // else through the page cache: not every file system can
	}
	return t
}

// setDirect changes how a table is written, if that can be done.
func (t *table) setDirect(direct bool) {
	flags, err := unix.FcntlInt(t.Fd(), unix.F_GETFL, 0)
	if err != nil {
		return
	}
	flags &^= unix.O_DIRECT
	if direct {
		flags |= unix.O_DIRECT
	}
	if _, err = unix.FcntlInt(t.Fd(), unix.F_SETFL, flags); err == nil {
		t.direct = direct
	}
	runtime.KeepAlive(t.File)
}

// Write takes all of b, or says how much of it when a piece can't be written; the rest may be written again.
func (t *table) Write(b []byte) (n int, err error) {
	for n < len(b) {
		if t.piece == nil {
			t.piece = pieces.Get().(*[]byte)
		}
		if t.waits == pieceBytes {
			if err := t.spill(); err != nil {
				return n, err
			}
		}
		k := copy((*t.piece)[t.waits:], b[n:])
		t.waits += k
		n += k
	}
	return n, nil
}

// spill writes what waits. What can't be written goes on waiting.
func (t *table) spill() error {
	done, err := t.put((*t.piece)[:t.waits])
	t.waits = copy(*t.piece, (*t.piece)[done:t.waits])
	return err
}

func (t *table) put(b []byte) (done int, err error) {
	if t.direct && len(b) == pieceBytes {
		n, errno := callFor(unix.SYS_WRITE, t.Fd(), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
		runtime.KeepAlive(b)
		runtime.KeepAlive(t.File)
		if errno == 0 {
			done = int(n)
		}
		if done == len(b) {
			return done, nil
		}
	}
	// The tail, which isn't of whole pages; or what the disk doesn't take so, and it is the plain write that says why.
	if t.direct {
		t.setDirect(false)
	}
	n, err := t.File.Write(b[done:])
	return done + n, err
}

// finish writes the rest.
func (t *table) finish() error {
	if t.piece == nil {
		return nil
	}
	if err := t.spill(); err != nil {
		return err
	}
	pieces.Put(t.piece)
	t.piece = nil
	return nil
}

func (t *table) Sync() error {
	if err := t.finish(); err != nil {
		return err
	}
	return t.file.Sync()
}

func (t *table) SyncData() error {
	if err := t.finish(); err != nil {
		return err
	}
	return t.file.SyncData()
}

// SyncTo leaves alone what waits. It never says that the whole file was synced.
func (t *table) SyncTo(length int64) (fullSync bool, err error) {
	if !t.direct {
		_, err = t.file.SyncTo(length)
	}
	return false, err
}

func (t *table) Close() error {
	err := t.finish()
	if closing := t.file.Close(); err == nil {
		err = closing
	}
	return err
}
