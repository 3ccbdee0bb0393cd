//go:build linux && (amd64 || arm64)

package slowcall

import (
	"os"
	"runtime"
	"slices"
	"unsafe"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sys/unix"
)

func disk(fs vfs.FS, hold func(name string) bool) vfs.FS {
	return &diskFS{fs, hold, newTurn(), newPieces()}
}

type diskFS struct {
	vfs.FS
	hold   func(name string) bool // may be nil
	turn   *turn
	pieces pieces
}

// Unwrap is how Pebble finds the file system below.
func (d diskFS) Unwrap() vfs.FS { return d.FS }

func (d diskFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.Create(name, c)
	if err != nil {
		return nil, err
	}
	if isTable(name) {
		return newTable(d.file(name, f), c, d.pieces), nil
	}
	return d.file(name, f), nil
}

// Open gives those who read a table from its begin to its end one with pauses.
func (d diskFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := d.FS.Open(name, opts...)
	if err == nil && isTable(name) && slices.Contains(opts, vfs.SequentialReadsOption) {
		f = &scan{f, d.turn}
	}
	return f, err
}

func (d diskFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := d.FS.OpenReadWrite(name, c, opts...)
	return d.wrap(name, f, err)
}

func (d diskFS) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.ReuseForWrite(from, to, c)
	return d.wrap(to, f, err)
}

func (d diskFS) OpenDir(name string) (vfs.File, error) {
	f, err := d.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &folder{file{File: f, name: name}}, nil
}

// Remove leaves it to the file system to say why a file can't be removed, and to remove a folder.
func (d diskFS) Remove(name string) error {
	path, err := unix.BytePtrFromString(name)
	if err != nil {
		return d.FS.Remove(name)
	}
	dir := unix.AT_FDCWD
	errno := call(unix.SYS_UNLINKAT, uintptr(dir), uintptr(unsafe.Pointer(path)), 0, 0)
	runtime.KeepAlive(path)
	if errno != 0 {
		return d.FS.Remove(name)
	}
	return nil
}

// file is a file that is written.
type file struct {
	vfs.File
	name string
	part bool                   // a part of it can be synced
	hold func(name string) bool // may be nil
}

func (d diskFS) wrap(name string, f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return d.file(name, f), nil
}

func (d diskFS) file(name string, f vfs.File) *file {
	var s unix.Statfs_t
	part := unix.Fstatfs(int(f.Fd()), &s) == nil && s.Type == unix.EXT4_SUPER_MAGIC // on others it may do nothing
	return &file{f, name, part, d.hold}
}

func (f *file) Sync() error { return f.sync(unix.SYS_FSYNC) }

func (f *file) SyncData() error {
	if f.hold != nil && f.hold(f.name) {
		return f.File.SyncData()
	}
	return f.sync(unix.SYS_FDATASYNC)
}

func (f *file) sync(trap uintptr) error {
	errno := call(trap, f.Fd(), 0, 0, 0)
	runtime.KeepAlive(f.File)
	if errno != 0 {
		return &os.PathError{Op: "sync", Path: f.name, Err: errno}
	}
	return nil
}

// SyncTo starts the writing of what is not on its way to the disk yet, after the end of what is. Where only a whole
// file can be synced, it is. Pebble's own file does the same.
func (f *file) SyncTo(length int64) (fullSync bool, err error) {
	if !f.part {
		return true, f.SyncData()
	}
	errno := call(unix.SYS_SYNC_FILE_RANGE, f.Fd(), 0, uintptr(length), unix.SYNC_FILE_RANGE_WAIT_BEFORE|unix.SYNC_FILE_RANGE_WRITE)
	runtime.KeepAlive(f.File)
	if errno != 0 {
		return false, &os.PathError{Op: "sync_file_range", Path: f.name, Err: errno}
	}
	return false, nil
}

// folder is a folder: the names in it are synced.
type folder struct{ file }

func (f *folder) SyncData() error                         { return f.Sync() }
func (f *folder) SyncTo(int64) (fullSync bool, err error) { return false, nil }
