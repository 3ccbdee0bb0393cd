package persistence

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
	"zk/persistence/crashdisk"
)

// copyFiles puts a mem disk's store onto a real one, as a crash left it.
func copyFiles(t *testing.T, fs *crashdisk.Disk, from, to string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	names, err := fs.List(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := readWhole(fs, fs.PathJoin(from, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func flip(t *testing.T, path string, at int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[at] ^= 0x20
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// crashedLog is a folder as a kill in the middle of n acknowledged writes left it, all in one WAL.
func crashedLog(t *testing.T, n jute.Zxid, size, inFlight int) (dir, wal string) {
	t.Helper()
	fs := crashdisk.New()
	l, a := openTestLog(t, fs, LogOptions{})
	for z := jute.Zxid(1); z <= n; z++ {
		appendRange(t, l, z, z, size)
		if int(z)%inFlight == 0 {
			if err := a.wait(z); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := a.wait(n); err != nil {
		t.Fatal(err)
	}
	after := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 2))})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(t.TempDir(), "log")
	copyFiles(t, after, "log", dir)
	name, _, err := newestWAL(vfs.Default, dir)
	if err != nil || name == "" {
		t.Fatal(name, err)
	}
	return dir, filepath.Join(dir, name)
}

// A byte flipped anywhere before the last write is an error naming the file, and the folder stays as it
// is, so that the next start says the same. Only the last write, which nothing on the disk proves, may
// be cut like a torn one.
func TestFlippedByteInWAL(t *testing.T) {
	for _, c := range []struct{ size, inFlight, rounds int }{{100, 1, 25}, {1000, 1, 25}, {1000, 64, 4}, {70_000, 4, 1}} { // Pebble searches long in large chunks
		n := jute.Zxid(120)
		dir, wal := crashedLog(t, n, c.size, c.inFlight)
		whole, err := os.ReadFile(wal)
		if err != nil {
			t.Fatal(err)
		}
		before := files(t, dir)
		end, _ := recordsEnd(whole, mustLogNum(t, dir))
		rng := rand.New(rand.NewPCG(3, uint64(c.size)))
		proven := end - 2*(c.size+64)*c.inFlight
		for range c.rounds {
			at := rng.IntN(end)
			flip(t, wal, at)
			var corrupt *CorruptionError
			for range 2 { // the first must not change what the second sees
				l, err := OpenLog(LogOptions{Dir: dir})
				if err == nil {
					if at < proven {
						t.Fatalf("%+v: byte %d of %d flipped, opened with %v", c, at, end, l.LastLogged())
					}
					if err := l.Close(); err != nil {
						t.Fatal(err)
					}
					break
				}
				if !errors.As(err, &corrupt) || !strings.HasPrefix(corrupt.Path, dir) {
					t.Fatalf("%+v: byte %d: %v", c, at, err)
				}
			}
			if corrupt == nil {
				restore(t, dir, before) // that open changed the folder
				continue
			}
			if err := os.WriteFile(wal, whole, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// files reads a folder, and restore puts it back.
func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = b
	}
	return all
}

func restore(t *testing.T, dir string, all map[string][]byte) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, b := range all {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func mustLogNum(t *testing.T, dir string) uint32 {
	t.Helper()
	_, n, err := newestWAL(vfs.Default, dir)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A torn end is cut by itself: what was written before it is served.
func TestTornTail(t *testing.T) {
	const size = 1000
	for _, lost := range []int{1, 500, size + 20} {
		dir, wal := crashedLog(t, 100, size, 1)
		b, err := os.ReadFile(wal)
		if err != nil {
			t.Fatal(err)
		}
		end, _ := recordsEnd(b, mustLogNum(t, dir))
		clear(b[end-lost:]) // the pages of the last write never reached the disk
		if err := os.WriteFile(wal, b, 0o644); err != nil {
			t.Fatal(err)
		}
		l, a := openTestLog(t, vfs.Default, LogOptions{Dir: dir})
		if l.LastLogged() < 98 || l.LastLogged() > 99 {
			t.Fatalf("%d bytes lost: log at %v", lost, l.LastLogged())
		}
		next := jute.Zxid(l.LastLogged()) + 1
		appendRange(t, l, next, 150, size)
		if err := a.wait(150); err != nil {
			t.Fatal(err)
		}
		readRange(t, l, 1, 150, size)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// After a clean close even the last entry is proven.
func TestFlippedByteAfterClose(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l, a := openTestLog(t, vfs.Default, LogOptions{Dir: dir})
	appendRange(t, l, 1, 5, 1000)
	if err := a.wait(5); err != nil { // the rest is another record of the file
		t.Fatal(err)
	}
	appendRange(t, l, 6, 10, 1000)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	name, n, err := newestWAL(vfs.Default, dir)
	if err != nil {
		t.Fatal(err)
	}
	wal := filepath.Join(dir, name)
	b, err := os.ReadFile(wal)
	if err != nil {
		t.Fatal(err)
	}
	end, cut := recordsEnd(b, n)
	if cut {
		t.Fatal("unclean end")
	}
	flip(t, wal, end-500)
	var corrupt *CorruptionError
	if _, err := OpenLog(LogOptions{Dir: dir}); !errors.As(err, &corrupt) || corrupt.Path != wal || corrupt.Offset == 0 {
		t.Fatal(err)
	}
}

// A flipped byte in the manifest may not bring an earlier set of tables back.
func TestFlippedByteInManifest(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l, a := openTestLog(t, vfs.Default, LogOptions{Dir: dir})
	for z := jute.Zxid(1); z <= 50; z += 10 {
		appendRange(t, l, z, z+9, 100)
		if err := a.wait(z + 9); err != nil {
			t.Fatal(err)
		}
		if err := l.db.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	desc, err := pebble.Peek(dir, vfs.Default)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(desc.ManifestFilename)
	if err != nil {
		t.Fatal(err)
	}
	end, cut := recordsEnd(whole, 0)
	if cut || end != len(whole) {
		t.Fatal(end, len(whole), cut)
	}
	last := lastRecord(whole)
	for at := 0; at < last; at++ {
		flip(t, desc.ManifestFilename, at)
		l, err := OpenLog(LogOptions{Dir: dir})
		var corrupt *CorruptionError
		if err == nil {
			t.Fatalf("byte %d of %d flipped: opened with %v", at, len(whole), l.LastLogged())
		}
		if !errors.As(err, &corrupt) || corrupt.Path != desc.ManifestFilename {
			t.Fatalf("byte %d of %d: %v", at, len(whole), err)
		}
		if err := os.WriteFile(desc.ManifestFilename, whole, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l, err = OpenLog(LogOptions{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	readRange(t, l, 1, 50, 100)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// lastRecord is where the last record of a manifest begins.
func lastRecord(b []byte) int {
	last := 0
	for n := len(b) - 1; n > 0; n-- {
		if end, _ := recordsEnd(b[:n], 0); end != last {
			return end
		}
	}
	return last
}

// A flipped byte in a table is an error of the read that meets it.
func TestFlippedByteInTable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l, a := openTestLog(t, vfs.Default, LogOptions{Dir: dir})
	appendRange(t, l, 1, 500, 1000)
	if err := a.wait(500); err != nil {
		t.Fatal(err)
	}
	if err := l.db.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatal(tables, err)
	}
	biggest, size := "", int64(0)
	for _, path := range tables {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > size {
			biggest, size = path, info.Size()
		}
	}
	flip(t, biggest, int(size/3))
	l, err = OpenLog(LogOptions{Dir: dir})
	if err == nil {
		err = l.Read(1, func(jute.Zxid, []byte) error { return nil })
		if cerr := l.Close(); cerr != nil {
			t.Fatal(cerr)
		}
	}
	var corrupt *CorruptionError
	if !errors.As(err, &corrupt) || !strings.Contains(err.Error(), strings.TrimSuffix(filepath.Base(biggest), ".sst")) {
		t.Fatal(err)
	}
}
