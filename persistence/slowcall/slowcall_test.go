package slowcall

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestFiles: what is written, synced in every way, reused and removed is what the file system below has.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	asked := 0
	d := Disk(func(name string) bool {
		asked++
		return filepath.Ext(name) == ".held"
	})
	for _, name := range []string{"a.freed", "a.held"} {
		path := filepath.Join(dir, name)
		f, err := d.Create(path, vfs.WriteCategoryUnspecified)
		write(t, f, err)
		f, err = d.ReuseForWrite(path, path+"2", vfs.WriteCategoryUnspecified)
		write(t, f, err)
		f, err = d.OpenReadWrite(path+"2", vfs.WriteCategoryUnspecified)
		write(t, f, err)
		if b, err := os.ReadFile(path + "2"); err != nil || !bytes.HasPrefix(b, []byte("text")) {
			t.Errorf("%q, %v", b, err)
		}
		if err := d.Remove(path + "2"); err != nil {
			t.Error(err)
		}
		if err := d.Remove(path + "2"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("removed twice: %v", err)
		}
	}
	if runtime.GOOS == "linux" && asked != 6 {
		t.Errorf("asked %d times", asked)
	}
	f, err := d.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	full, err := f.SyncTo(1)
	if err = errors.Join(err, f.Sync(), f.SyncData(), f.Close()); err != nil || full {
		t.Error(full, err)
	}
	if err := d.Remove(dir); err != nil {
		t.Errorf("an empty folder: %v", err)
	}
	if root := vfs.Root(d); root != vfs.Default {
		t.Errorf("%v below", root)
	}
}

// write writes and syncs a file in every way, and closes it.
func write(t *testing.T, f vfs.File, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write([]byte("text"))
	_, errTo := f.SyncTo(4)
	if err := errors.Join(err, errTo, f.Sync(), f.SyncData(), f.Close()); err != nil {
		t.Error(err)
	}
}

// TestErrors: a sync or removal that fails says so.
func TestErrors(t *testing.T) {
	dir := t.TempDir()
	d := Disk(nil)
	f, err := d.Create(filepath.Join(dir, "f"), vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	_, errTo := f.SyncTo(1)
	for _, err := range []error{f.Sync(), f.SyncData(), errTo} {
		if err == nil {
			t.Error("a closed file was synced")
		}
	}
	if err := d.Remove(dir); err == nil {
		t.Error("a folder with a file in it was removed")
	}
	if err := d.Remove("a\x00b"); err == nil {
		t.Error("a name that can't be was removed")
	}
	if _, err := d.Create(filepath.Join(dir, "no", "f"), vfs.WriteCategoryUnspecified); err == nil {
		t.Error("a file in a folder that isn't there")
	}
}

// TestCollector: slow calls go on while stacks grow and shrink and memory is collected.
func TestCollector(t *testing.T) {
	dir := t.TempDir()
	d := Disk(nil)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 30 {
				path := filepath.Join(dir, strconv.Itoa(i)+"-"+strconv.Itoa(j))
				f, err := d.Create(path, vfs.WriteCategoryUnspecified)
				if err != nil {
					t.Error(err)
					return
				}
				if err := deep(100, func() error { return errors.Join(f.SyncData(), f.Close(), d.Remove(path)) }); err != nil {
					t.Error(err)
				}
				runtime.GC()
			}
		})
	}
	wg.Wait()
}

// deep calls f with a deep stack.
func deep(n int, f func() error) error {
	var room [256]byte
	if n == 0 {
		return f()
	}
	err := deep(n-1, f)
	runtime.KeepAlive(&room)
	return err
}

// BenchmarkSync: one sync after another, with nobody else at work.
func BenchmarkSync(b *testing.B) {
	for _, held := range []bool{true, false} {
		b.Run("held="+strconv.FormatBool(held), func(b *testing.B) {
			f, err := Disk(func(string) bool { return held }).Create(filepath.Join(b.TempDir(), "f"), vfs.WriteCategoryUnspecified)
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			for b.Loop() {
				if err := f.SyncData(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
