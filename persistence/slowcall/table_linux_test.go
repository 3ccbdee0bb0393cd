//go:build linux && (amd64 || arm64)

package slowcall

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sys/unix"
)

// someBytes gives bytes that differ from one place to another.
func someBytes(n int) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return b
}

// TestTable: tables of all lengths are what was written, in whatever parts, through the page cache and past it.
func TestTable(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	all := someBytes(3 * pieceBytes)
	for _, c := range []vfs.DiskWriteCategory{vfs.WriteCategoryUnspecified, SeldomRead} {
		for _, length := range []int{0, 1, pieceAlign, pieceBytes - 1, pieceBytes, pieceBytes + 1, 2*pieceBytes - pieceAlign, 2*pieceBytes + 12345} {
			name := filepath.Join(t.TempDir(), "000001.sst")
			f, err := Disk(nil).Create(name, c)
			if err != nil {
				t.Fatal(err)
			}
			for from := 0; from < length; {
				to := min(length, from+1+rnd.IntN(100_000))
				if n, err := f.Write(all[from:to]); err != nil || n != to-from {
					t.Fatal(n, err)
				}
				if _, err := f.SyncTo(int64(from)); err != nil {
					t.Fatal(err)
				}
				from = to
			}
			if err := f.Sync(); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(name) // before it is closed
			if err != nil || !bytes.Equal(got, all[:length]) {
				t.Errorf("%s, %d bytes: %d read, %v", c, length, len(got), err)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestTableClosed: a table that is closed without a sync is written, too.
func TestTableClosed(t *testing.T) {
	name := filepath.Join(t.TempDir(), "000001.sst")
	f, err := Disk(nil).Create(name, SeldomRead)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write([]byte("text"))
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(name); err != nil || string(got) != "text" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestScan: a table that is read from its begin to its end is what it is.
func TestScan(t *testing.T) {
	name := filepath.Join(t.TempDir(), "000001.sst")
	if _, err := Disk(nil).Open(name, vfs.SequentialReadsOption); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	all := someBytes(200_000)
	if err := os.WriteFile(name, all, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Disk(nil).Open(name, vfs.SequentialReadsOption)
	if err != nil {
		t.Fatal(err)
	}
	if _, is := f.(*scan); !is {
		t.Errorf("%T", f)
	}
	got, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
	if err = errors.Join(err, f.Close()); err != nil || !bytes.Equal(got, all) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// TestTableFull: what a full disk hasn't taken is written when there is room again, once.
func TestTableFull(t *testing.T) {
	name := filepath.Join(t.TempDir(), "000001.sst")
	f, err := vfs.Default.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	ro, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer ro.Close()
	full := &fullFile{File: f, fd: ro.Fd()}
	released := 0
	w, err := vfs.OnDiskFull(oneFile{vfs.Default, newTable(&file{File: full, name: name}, SeldomRead, newPieces())}, func() {
		released++
		full.room += pieceBytes / 3
	}).Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	want := someBytes(pieceBytes + 1600)
	for from := 0; from < len(want); from += 1 << 10 {
		// The disk is full again soon after: it takes a few tries.
		for b := want[from:min(from+1<<10, len(want))]; len(b) > 0; {
			n, err := w.Write(b)
			if err != nil && !errors.Is(err, unix.ENOSPC) {
				t.Fatal(err)
			}
			b = b[n:]
		}
	}
	for err = w.Sync(); errors.Is(err, unix.ENOSPC); err = w.Sync() {
		full.room += pieceBytes / 3
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(got, want) || released == 0 {
		t.Errorf("%d bytes for %d, full %d times, %v", len(got), len(want), released, err)
	}
}

// oneFile creates a file that is there.
type oneFile struct {
	vfs.FS
	f vfs.File
}

func (o oneFile) Create(string, vfs.DiskWriteCategory) (vfs.File, error) { return o.f, nil }

// fullFile has room for so many bytes more. It can be written by Write alone, as where nothing goes past the page
// cache.
type fullFile struct {
	vfs.File
	fd   uintptr // open to read
	room int
}

func (f *fullFile) Fd() uintptr { return f.fd }

func (f *fullFile) Write(b []byte) (int, error) {
	if k := min(len(b), f.room); k < len(b) {
		n, err := f.File.Write(b[:k])
		f.room -= n
		if err == nil {
			err = unix.ENOSPC
		}
		return n, err
	}
	n, err := f.File.Write(b)
	f.room -= n
	return n, err
}

// BenchmarkTable: tables of 8 MiB in blocks of 32 KiB with their trailers.
func BenchmarkTable(b *testing.B) {
	block := make([]byte, 32<<10)
	for _, c := range []vfs.DiskWriteCategory{"blocks", "pieces", SeldomRead} {
		b.Run(string(c), func(b *testing.B) {
			name := filepath.Join(b.TempDir(), "000001.sst")
			d := Disk(nil)
			if c == "blocks" {
				d = vfs.Default
			}
			b.SetBytes(8 << 20)
			used := processorTime()
			for b.Loop() {
				f, err := d.Create(name, c)
				if err != nil {
					b.Fatal(err)
				}
				for range (8 << 20) / len(block) {
					_, err = f.Write(block)
					_, errTrailer := f.Write(block[:5])
					if err := errors.Join(err, errTrailer); err != nil {
						b.Fatal(err)
					}
				}
				if err := errors.Join(f.Sync(), f.Close(), d.Remove(name)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(processorTime()-used)/float64(b.N)/8192, "cpu-ns/KiB")
		})
	}
}

func processorTime() int64 {
	var r unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &r) // doesn't fail for oneself
	return r.Utime.Nano() + r.Stime.Nano()
}
