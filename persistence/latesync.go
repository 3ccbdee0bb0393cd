package persistence

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// lateSync is the file system of a state that counts for nothing yet: one that is filled in a side folder
// (see adopt.go). What is written to it has to be durable once, before the log names it, and until then a
// crash removes it; so nobody waits for the disk while it is filled. Tables are synced behind the filling, one
// at a time; settle syncs the rest, and from then on every sync is done when it is asked for.
type lateSync struct {
	vfs.FS
	dir string

	settled atomic.Bool // changed with mu held

	mu      sync.Mutex      // guards what is below
	late    map[string]bool // files made and not synced; true: whole, so that it may be synced
	running bool            // the goroutine of tables
	err     error           // its first
	work    sync.WaitGroup  // it
}

func newLateSync(fs vfs.FS, dir string) *lateSync {
	return &lateSync{FS: fs, dir: dir, late: map[string]bool{}}
}

// Create implements vfs.FS.
func (fs *lateSync) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f, err := fs.FS.Create(name, c)
	if err != nil || fs.settled.Load() {
		return f, err
	}
	fs.late[name] = false
	return &lateFile{File: f, fs: fs, name: name}, nil
}

// OpenDir implements vfs.FS.
func (fs *lateSync) OpenDir(name string) (vfs.File, error) {
	f, err := fs.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &lateFile{File: f, fs: fs}, nil
}

// Remove implements vfs.FS.
func (fs *lateSync) Remove(name string) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	delete(fs.late, name)
	return fs.FS.Remove(name)
}

// Rename implements vfs.FS.
func (fs *lateSync) Rename(from, to string) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if whole, ok := fs.late[from]; ok {
		delete(fs.late, from)
		fs.late[to] = whole
	}
	return fs.FS.Rename(from, to)
}

// Unwrap is how Pebble finds the file system below.
func (fs *lateSync) Unwrap() vfs.FS { return fs.FS }

// deferring reports if syncs wait for settle.
func (fs *lateSync) deferring() bool { return !fs.settled.Load() }

// wanted notes a sync that was asked for; false when it has to be done at once.
func (fs *lateSync) wanted(name string) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.settled.Load() {
		return false
	}
	if !strings.HasSuffix(name, ".sst") {
		return true // the folder, or a file that grows: settle's
	}
	fs.late[name] = true
	if !fs.running {
		fs.running = true
		fs.work.Go(fs.syncTables) // ends when no table is left
	}
	return true
}

// syncTables syncs the tables that are whole.
func (fs *lateSync) syncTables() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for {
		name := ""
		for n, whole := range fs.late {
			if whole {
				name = n
			}
		}
		if name == "" || fs.err != nil {
			fs.running = false
			return
		}
		delete(fs.late, name)
		fs.mu.Unlock()
		err := fs.syncFile(name)
		fs.mu.Lock()
		fs.err = err
	}
}

// settle makes durable what was written without a sync. An error is final.
func (fs *lateSync) settle() error {
	fs.mu.Lock()
	fs.settled.Store(true) // what is asked for from here on is done at once, by whoever asks
	fs.mu.Unlock()
	fs.work.Wait()
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for name := range fs.late {
		if fs.err == nil {
			fs.err = fs.syncFile(name)
		}
	}
	clear(fs.late)
	if fs.err == nil {
		fs.err = syncDir(fs.FS, fs.dir)
	}
	return fs.err
}

// syncFile syncs a file, unless it is gone.
func (fs *lateSync) syncFile(name string) error {
	f, err := fs.FS.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = errors.Join(f.Sync(), f.Close())
	}
	if err != nil {
		return fmt.Errorf("persistence: sync %s: %w", name, err)
	}
	return nil
}

// lateFile is a file, or a folder, of a lateSync.
type lateFile struct {
	vfs.File
	fs   *lateSync
	name string // "" for a folder
}

func (f *lateFile) Sync() error {
	if f.fs.wanted(f.name) {
		return nil
	}
	return f.File.Sync()
}

func (f *lateFile) SyncData() error {
	if f.fs.wanted(f.name) {
		return nil
	}
	return f.File.SyncData()
}

// SyncTo only keeps the disk busy.
func (f *lateFile) SyncTo(length int64) (fullSync bool, err error) {
	if f.fs.deferring() {
		return false, nil
	}
	return f.File.SyncTo(length)
}
