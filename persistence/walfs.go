package persistence

import (
	"fmt"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/persistence/slowcall"
)

// markerFS is the file system both stores see. Pebble names the manifest that counts by an empty file
// "marker.*" and syncs the folder only after making the new marker and removing the old one (vfs/atomicfs).
// A file system that does not keep the order of such steps could then show, after a power cut, a
// marker whose manifest is missing, or no marker at all. So the folder is synced before each of them.
//
// A sync of the folder that fails does not return, as a failed write of walFS: Pebble answers it by a panic.
type markerFS struct {
	vfs.FS
	fail *failure
}

func (fs markerFS) isMarker(name string) bool {
	return strings.HasPrefix(fs.PathBase(name), "marker.")
}

func (fs markerFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if fs.isMarker(name) {
		if err := syncDir(fs.FS, fs.PathDir(name)); err != nil {
			return nil, err
		}
	}
	return fs.FS.Create(name, c)
}

func (fs markerFS) Remove(name string) error {
	if fs.isMarker(name) {
		if err := syncDir(fs.FS, fs.PathDir(name)); err != nil {
			return err
		}
	}
	return fs.FS.Remove(name)
}

func (fs markerFS) OpenDir(name string) (vfs.File, error) {
	d, err := fs.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &folder{File: d, fail: fs.fail, name: name}, nil
}

// Unwrap is how Pebble finds the file system below.
func (fs markerFS) Unwrap() vfs.FS { return fs.FS }

// folder is an open folder of a store.
type folder struct {
	vfs.File
	fail *failure
	name string
}

func (f *folder) Sync() error {
	if err := f.File.Sync(); err != nil {
		f.fail.fail(fmt.Errorf("persistence: sync folder %s: %w", f.name, err))
		select {}
	}
	return nil
}

// walFS is the file system the log's store sees. Tables go past the page cache. It watches the WAL files alone: it times their
// syncs, leaves them out with NoSync (a plain Pebble write without sync would keep up to 32 KiB in
// the process, so that a killed process lost them; Java's forceSync=no loses only at a power cut), and
// stops the store at the first failed write or sync.
//
// A failed call does not return: at a WAL rotation Pebble answers an error by panicking with its locks
// in a state that ends the whole process without our message (db.go rotateWAL). The failure is
// reported first, and the process ends through that.
type walFS struct {
	vfs.FS
	fail    *failure
	noSync  bool
	onFsync func(time.Duration) // may be nil
}

func isWAL(name string) bool { return strings.HasSuffix(name, ".log") }

func (fs *walFS) stop(op, name string, err error) {
	fs.fail.fail(fmt.Errorf("persistence: log: %s %s: %w", op, name, err))
	select {}
}

func (fs *walFS) wrap(op, name string, f vfs.File, err error) (vfs.File, error) {
	if !isWAL(name) {
		return f, err
	}
	if err != nil {
		fs.stop(op, name, err)
	}
	return &walFile{File: f, fs: fs, name: name}, nil
}

func (fs *walFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if !isWAL(name) {
		c = slowcall.SeldomRead // by learners that are behind, and a part of it after a crash
	}
	f, err := fs.FS.Create(name, c)
	return fs.wrap("create", name, f, err)
}

func (fs *walFS) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.ReuseForWrite(from, to, c)
	return fs.wrap("reuse", to, f, err)
}

// Unwrap is how Pebble finds the file system below.
func (fs *walFS) Unwrap() vfs.FS { return fs.FS }

// walFile is one WAL file.
type walFile struct {
	vfs.File
	fs   *walFS
	name string
}

func (f *walFile) Write(b []byte) (int, error) {
	n, err := f.File.Write(b)
	if err != nil {
		f.fs.stop("write", f.name, err)
	}
	return n, nil
}

func (f *walFile) sync(op string, sync func() error) error {
	if f.fs.noSync {
		return nil
	}
	start := time.Now()
	if err := sync(); err != nil {
		f.fs.stop(op, f.name, err)
	}
	if f.fs.onFsync != nil {
		f.fs.onFsync(time.Since(start))
	}
	return nil
}

func (f *walFile) Sync() error     { return f.sync("sync", f.File.Sync) }
func (f *walFile) SyncData() error { return f.sync("sync", f.File.SyncData) }

func (f *walFile) SyncTo(length int64) (fullSync bool, err error) {
	if f.fs.noSync {
		return false, nil
	}
	fullSync, err = f.File.SyncTo(length)
	if err != nil {
		f.fs.stop("sync", f.name, err)
	}
	return fullSync, nil
}
