package persistence

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestSyncData: files of the machine are synced, from many goroutines while others collect garbage and grow
// their stacks, and errors come back as they are.
func TestSyncData(t *testing.T) {
	dir := t.TempDir()
	var work sync.WaitGroup
	for i := range 4 {
		work.Go(func() {
			f, err := vfs.Default.Create(filepath.Join(dir, string(rune('a'+i))), vfs.WriteCategoryUnspecified)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = f.Close() }()
			for range 25 {
				if _, err := f.Write(make([]byte, 512)); err != nil {
					t.Error(err)
				}
				if err := deep(50, func() error { return syncData(f) }); err != nil {
					t.Error(err)
				}
				runtime.GC()
			}
		})
	}
	work.Wait()

	// A pipe can't be synced.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = r.Close(), w.Close() }()
	if err := syncData(noFile{fd: w.Fd()}); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("sync of a pipe: %v", err)
	}
}

// deep calls fn on a stack that has grown.
func deep(n int, fn func() error) error {
	var room [1024]byte
	if n == 0 {
		return fn()
	}
	err := deep(n-1, fn)
	runtime.KeepAlive(&room)
	return err
}

type noFile struct {
	vfs.File
	fd uintptr
}

func (f noFile) Fd() uintptr { return f.fd }

// TestMachineFS: the WAL of a store on the machine's disk is synced by syncData, its other files are left alone.
func TestMachineFS(t *testing.T) {
	fs := vfs.OnDiskFull(orDefaultFS(nil), func() {}) // as a server has it
	for name, wal := range map[string]bool{"000001.log": true, "000001.sst": false, "MANIFEST-000001": false} {
		path := filepath.Join(t.TempDir(), name)
		for _, open := range []func() (vfs.File, error){
			func() (vfs.File, error) { return MachineFS().Create(path, vfs.WriteCategoryUnspecified) },
			func() (vfs.File, error) { return MachineFS().ReuseForWrite(path, path, vfs.WriteCategoryUnspecified) },
		} {
			f, err := open()
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := f.(diskWAL); ok != wal {
				t.Errorf("%s is opened as %T", name, f)
			}
			_ = f.Close()
		}
		f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.SyncData(); err != nil {
			t.Error(err)
		}
		_ = f.Close()
		if wal { // of a closed file
			if err := f.SyncData(); err == nil {
				t.Error("sync of a closed file succeeds")
			}
		}
	}
}
