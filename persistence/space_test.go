package persistence

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// fakeDisk is a disk with a size, whose ballast takes up room.
type fakeDisk struct {
	fs *vfs.MemFS

	mu      sync.Mutex
	total   int64
	others  int64 // taken by others
	ballast int64
	broken  error
}

func (d *fakeDisk) usage(dir string) (DiskUsage, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken != nil {
		return DiskUsage{}, d.broken
	}
	used := d.others
	if b, err := readWhole(d.fs, d.fs.PathJoin(dir, ballastName)); err == nil && string(b[:5]) == "whole" {
		used += d.ballast
	}
	return DiskUsage{Free: d.total - used, Total: d.total}, nil
}

func (d *fakeDisk) free(t *testing.T, bytes int64) {
	t.Helper()
	u, err := d.usage("data")
	if err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	d.others += u.Free - bytes
	d.mu.Unlock()
}

func newFakeDisk(t *testing.T, total, ballast int64) *fakeDisk {
	t.Helper()
	d := &fakeDisk{fs: vfs.NewMem(), total: total, ballast: ballast}
	if err := d.fs.MkdirAll("data", 0o755); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *fakeDisk) options() SpaceOptions {
	return SpaceOptions{Dirs: []string{"data", "data"}, FS: d.fs, Usage: d.usage, LowWaterBytes: 20 * mib, BallastBytes: d.ballast}
}

const mib = 1 << 20

// The whole way down and up: the mark, the hysteresis, the ballast given up and taken again.
func TestSpaceLevels(t *testing.T) {
	d := newFakeDisk(t, 1000*mib, 16*mib)
	s := OpenSpace(d.options())
	if s.Mark() != 20*mib || s.Level() != SpaceEnough || len(s.disks) != 1 {
		t.Fatal(s.Mark(), s.Level(), len(s.disks))
	}
	if _, err := d.fs.Stat("data/" + ballastName); err == nil {
		t.Fatal("a ballast before the stores are open")
	}
	for i, c := range []struct {
		free   int64 // when looked at
		want   SpaceLevel
		after  int64 // free afterwards
		action string
	}{
		{1000 * mib, SpaceEnough, 984 * mib, "ballast made"},
		{40*mib - 1, SpaceTight, 40*mib - 1, ""},
		{20 * mib, SpaceTight, 20 * mib, ""},
		{20*mib - 1, SpaceLow, 20*mib - 1, ""},
		{20 * mib, SpaceLow, 20 * mib, "not yet: hysteresis"},
		{25*mib - 1, SpaceLow, 25*mib - 1, ""},
		{25 * mib, SpaceTight, 25 * mib, ""},
		{6 * mib, SpaceLow, 6 * mib, ""},
		{3 * mib, SpaceLow, 19 * mib, "ballast given up"},
		{4 * mib, SpaceCritical, 4 * mib, "no ballast left"},
		{8 * mib, SpaceCritical, 8 * mib, "not yet"},
		{10 * mib, SpaceLow, 10 * mib, ""},
		{40 * mib, SpaceLow, 40 * mib, "the ballast has no place yet"},
		{41 * mib, SpaceTight, 25 * mib, "ballast made again"},
		{500 * mib, SpaceEnough, 500 * mib, ""},
	} {
		d.free(t, c.free)
		got := s.look(false)
		u, _ := d.usage("data")
		if got != c.want || u.Free != c.after || s.Level() != got {
			t.Fatalf("step %d, %d MiB free: level %v, then %d bytes free; want %v, %d %s", i, c.free/mib, got, u.Free, c.want, c.after, c.action)
		}
	}
	if free, ok := s.Free("data"); !ok || free != 500*mib {
		t.Fatal(free, ok)
	}
	s.Close() // was never started
}

// Without settings, mark and ballast follow the size of the disk.
func TestSpaceDefaults(t *testing.T) {
	for _, c := range []struct{ total, mark, ballast int64 }{
		{100 * mib, 48 * mib, 16 * mib},
		{2400 * mib, 48 * mib, 16 * mib},
		{10_000 * mib, 200 * mib, 50 * mib},
		{1 << 40, 1 << 30, 256 * mib},
	} {
		o := newFakeDisk(t, c.total, 0).options()
		o.LowWaterBytes, o.BallastBytes = -1, -1
		if d := OpenSpace(o).disks[0]; d.mark != c.mark || d.ballast != c.ballast {
			t.Errorf("a disk of %d MiB: mark %d, ballast %d; want %d, %d", c.total/mib, d.mark, d.ballast, c.mark, c.ballast)
		}
	}
}

// A start on a full disk gives up the ballast first, and the next one knows that it is owed.
func TestSpaceStartOnFullDisk(t *testing.T) {
	d := newFakeDisk(t, 1000*mib, 16*mib)
	OpenSpace(d.options()).look(false)
	d.free(t, 1*mib)
	s := OpenSpace(d.options())
	if u, _ := d.usage("data"); s.Level() != SpaceLow || u.Free != 17*mib {
		t.Fatal(s.Level(), u)
	}
	d.free(t, 40*mib) // enough for writes, but not with the ballast
	s = OpenSpace(d.options())
	if s.Level() != SpaceLow || s.look(false) != SpaceLow {
		t.Fatal(s.Level())
	}
	d.free(t, 60*mib)
	s = OpenSpace(d.options())
	if s.Level() != SpaceEnough || s.look(false) != SpaceEnough {
		t.Fatal(s.Level())
	}
	if u, _ := d.usage("data"); u.Free != 44*mib {
		t.Fatal(u)
	}
	// Deleted by hand in need: its room counts.
	d.free(t, 10*mib)
	if s.look(false) != SpaceLow {
		t.Fatal(s.Level())
	}
	if err := d.fs.Remove("data/" + ballastName); err != nil {
		t.Fatal(err)
	}
	if got := s.look(false); got != SpaceTight {
		t.Fatal(got)
	}
}

// A disk too small for a ballast serves without one; an unknown usage or a mark of 0 watches nothing.
func TestSpaceOff(t *testing.T) {
	d := newFakeDisk(t, 30*mib, 16*mib)
	s := OpenSpace(d.options())
	if s.look(false) != SpaceTight {
		t.Fatal(s.Level())
	}
	if u, _ := d.usage("data"); u.Free != 30*mib {
		t.Fatal(u)
	}
	d.broken = errors.New("no such call")
	if s := OpenSpace(d.options()); s.look(false) != SpaceEnough || s.Mark() != 0 || s.Total() != 0 {
		t.Fatal(s.Level(), s.Mark())
	}
	o := d.options()
	o.LowWaterBytes = 0
	s = OpenSpace(o)
	s.Start(nil, func(SpaceLevel) {})
	s.Wrote(1 << 30)
	if s.Level() != SpaceEnough {
		t.Fatal(s.Level())
	}
	s.Close()
}

// The disks are looked at each second, and at once when much was written.
func TestSpaceLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFakeDisk(t, 1000*mib, 0)
		s := OpenSpace(d.options())
		levels := make(chan SpaceLevel, 10)
		s.Start(nil, func(l SpaceLevel) { levels <- l })
		if l := <-levels; l != SpaceEnough {
			t.Fatal(l)
		}
		d.free(t, 10*mib)
		s.Wrote(int(s.Mark()/8 - 1))
		synctest.Wait()
		if len(levels) != 0 || s.Level() != SpaceEnough {
			t.Fatal("looked too early")
		}
		s.Wrote(1)
		if l := <-levels; l != SpaceLow {
			t.Fatal(l)
		}
		d.free(t, 500*mib)
		if l := <-levels; l != SpaceEnough { // by the clock
			t.Fatal(l)
		}
		s.Close()
		s.Close()
	})
}

// On a real disk: the usage of a folder that is still to be made, and the file.
func TestSpaceRealDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	s := OpenSpace(SpaceOptions{Dirs: []string{dir}, LowWaterBytes: 1, BallastBytes: 1 * mib})
	if s.Total() == 0 {
		t.Fatal("the usage is not known")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s.look(false)
	held, owed := s.readBallast(dir)
	if held != 1*mib || owed != 0 {
		t.Skipf("no ballast on the file system of the temporary folder: held %d, owed %d", held, owed)
	}
	s.disks[0].usage.Free, s.o.LowWaterBytes = 0, 1<<62
	s.Release()
	if held, owed := s.readBallast(dir); held != 0 || owed != 1*mib {
		t.Fatal(held, owed)
	}
}
