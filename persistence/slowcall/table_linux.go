//go:build linux && (amd64 || arm64)

package slowcall

import (
	"runtime"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sys/unix"

	"zk/server/lookout"
)

const (
	// pieceBytes is the length of the pieces in which a table is written. Pebble leaves the last MiB alone when it
	// has the begin of a table written out (vfs.NewSyncingFile), so that no more may wait here.
	pieceBytes = 512 << 10
	// pieceAlign is what memory and offset of a piece are a multiple of: more than any disk asks for.
	pieceAlign = 4 << 10
)

// pieces keeps memory for pieces: that of the few tables which are written at a time.
type pieces chan []byte

func newPieces() pieces { return make(pieces, 4) }

func (p pieces) take() []byte {
	select {
	case b := <-p:
		return b
	default:
	}
	b := make([]byte, pieceBytes+pieceAlign)
	from := -uintptr(unsafe.Pointer(&b[0])) & (pieceAlign - 1)
	return b[from : from+pieceBytes]
}

func (p pieces) keep(b []byte) {
	select {
	case p <- b:
	default:
	}
}

func isTable(name string) bool { return strings.HasSuffix(name, ".sst") }

// table is a table that is written from its begin to its end, by one goroutine at a time.
type table struct {
	file
	pieces pieces
	direct bool   // past the page cache
	piece  []byte // nil while nothing waits
	waits  int    // bytes in piece that are not written
}

// newTable makes a table of a new file.
func newTable(f *file, c vfs.DiskWriteCategory, p pieces) *table {
	return &table{file: *f, pieces: p, direct: c == SeldomRead && setDirect(f, true)}
}

// setDirect changes whether a file is written past the page cache. Not every file system can.
func setDirect(f vfs.File, direct bool) bool {
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	if err != nil {
		return false
	}
	flags &^= unix.O_DIRECT
	if direct {
		flags |= unix.O_DIRECT
	}
	_, err = unix.FcntlInt(f.Fd(), unix.F_SETFL, flags)
	runtime.KeepAlive(f)
	return err == nil
}

// Write takes all of b, or says how much of it when a piece can't be written; the rest may be written again.
func (t *table) Write(b []byte) (n int, err error) {
	for n < len(b) {
		if t.piece == nil {
			t.piece = t.pieces.take()
		}
		if t.waits == pieceBytes {
			if err := t.spill(); err != nil {
				return n, err
			}
		}
		k := copy(t.piece[t.waits:], b[n:])
		t.waits += k
		n += k
	}
	return n, nil
}

// spill writes what waits. What can't be written goes on waiting.
func (t *table) spill() error {
	done, err := t.put(t.piece[:t.waits])
	t.waits = copy(t.piece, t.piece[done:t.waits])
	return err
}

func (t *table) put(b []byte) (done int, err error) {
	if whole := len(b) &^ (pieceAlign - 1); t.direct && whole > 0 {
		n, errno := callFor(unix.SYS_WRITE, t.Fd(), uintptr(unsafe.Pointer(&b[0])), uintptr(whole))
		runtime.KeepAlive(b)
		runtime.KeepAlive(t.File)
		if errno == 0 {
			done = int(n)
		}
		if done == len(b) {
			return done, nil
		}
	}
	// The end, which isn't a whole page; or what the disk doesn't take so, and it is the plain write that says why.
	if t.direct {
		setDirect(t.File, false)
		t.direct = false
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
	t.pieces.keep(t.piece)
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

// scan reads a table for a merge.
type scan struct {
	vfs.File
	turn *turn
}

func (s *scan) ReadAt(b []byte, at int64) (n int, err error) {
	s.turn.pause()
	return s.File.ReadAt(b, at)
}

// turn is where merges make way for requests: one at a time, and others don't wait for it.
type turn struct {
	mu   sync.Mutex
	look lookout.Lookout // guarded by mu
}

// turnLongest is short: a merge can't be put off for long, as writes wait when too many are due.
const turnLongest = 250 * time.Microsecond

func newTurn() *turn { return &turn{look: lookout.Lookout{Longest: turnLongest}} }

func (t *turn) pause() {
	if t.mu.TryLock() {
		defer t.mu.Unlock()
		t.look.Pause()
	}
}
