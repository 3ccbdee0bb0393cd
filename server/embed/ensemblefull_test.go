package embed_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"zk/jute"
	"zk/persistence"
	"zk/persistence/crashdisk"
)

// smallDisk is a disk in memory that is full one day: what would be written beyond its size finds no space.
type smallDisk struct {
	mem  *crashdisk.Disk
	fs   vfs.FS
	size atomic.Int64 // bytes
}

func newSmallDisk(size int64, mem *crashdisk.Disk) *smallDisk {
	d := &smallDisk{mem: mem}
	d.size.Store(size)
	d.fs = crashdisk.Injected(d.mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		switch op.Kind {
		case errorfs.OpFileWrite, errorfs.OpFilePreallocate, errorfs.OpCreate, errorfs.OpReuseForWrite, errorfs.OpMkdirAll:
			if d.used("/data") >= d.size.Load() {
				return &os.PathError{Op: "write", Path: op.Path, Err: syscall.ENOSPC}
			}
		}
		return nil
	}))
	return d
}

// used is what the files below a folder take.
func (d *smallDisk) used(dir string) (sum int64) {
	names, _ := d.mem.List(dir)
	for _, name := range names {
		path := d.mem.PathJoin(dir, name)
		switch info, err := d.mem.Stat(path); {
		case err != nil: // removed meanwhile
		case info.IsDir():
			sum += d.used(path)
		default:
			sum += info.Size()
		}
	}
	return sum
}

// put gives server i the disk.
func (g *group) put(i int, fs vfs.FS, lines ...string) *rig {
	r := g.rig(i, fs, lines)
	g.rigs[i] = r
	return r
}

// counted is a logger that counts a message.
type counted struct {
	slog.Handler
	message string
	n       *atomic.Int64
}

func (h counted) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, h.message) {
		h.n.Add(1)
	}
	return nil
}

func (counted) Enabled(context.Context, slog.Level) bool { return true }

// noise is data that no store makes smaller.
func noise(bytes int) string {
	b := make([]byte, bytes)
	rng := rand.NewChaCha8([32]byte{})
	_, _ = rng.Read(b)
	return string(b)
}

// TestSnapDoesNotFit wipes a follower and gives it a disk that is too small for the tree: the tree is thrown away and
// not sent again and again; with a larger disk the server comes back with everything.
func TestSnapDoesNotFit(t *testing.T) {
	g := startGroup(t, 3, 0)
	leader, followers := g.leader()
	c := g.rigs[leader].connect()
	c.ok(jute.OpCreate, create("/big", "", 0))
	for i := range 8 {
		c.ok(jute.OpCreate, create(fmt.Sprint("/big/", i), noise(500_000), 0))
	}
	i := followers[0]
	g.rigs[i].close()
	r := g.rig(i, crashdisk.New(), []string{"zk.diskBallastBytes=0", "zk.diskLowWaterBytes=20m"})
	g.rigs[i] = r
	var free, refused atomic.Int64
	free.Store(plenty)
	const side = "/data/zk-state-2" // where the tree goes to
	r.deps.DiskUsage = func(string) (persistence.DiskUsage, error) {
		u := persistence.DiskUsage{Free: free.Load(), Total: 4 * plenty}
		if u.Free == plenty && exists(t, r.fs, side) {
			u.Free = little
		}
		return u, nil
	}
	r.deps.Logger = slog.New(counted{slog.DiscardHandler, "does not fit on the disk", &refused})
	r.open()
	await(t, "the tree not to fit", func() bool { return refused.Load() > 0 })
	await(t, "the server to stay out", func() bool { return g.out(i) })
	await(t, "what was sent to be removed", func() bool { return !exists(t, r.fs, side) })
	sent := g.rigs[leader].node.Metrics().SnapCount.Value()
	c.ok(jute.OpCreate, create("/meanwhile", "", 0))
	time.Sleep(1500 * time.Millisecond) // the disk is looked at every second, and there is as much room as before
	if n, again := refused.Load(), g.rigs[leader].node.Metrics().SnapCount.Value(); n != 1 || again != sent || !g.out(i) {
		t.Errorf("the tree was sent %d times", n)
	}
	free.Store(2 * plenty)
	g.awaitServing(i)
	g.same()
}

// TestEnsembleDiskFull: a disk that is full before anybody has looked at it, under writes and while a tree comes in: the
// server ends with the reason, the others go on, nothing acknowledged is lost, and with room it comes back.
func TestEnsembleDiskFull(t *testing.T) {
	g := newGroup(t, 3, 0)
	disks, ends := make([]*smallDisk, len(g.rigs)), make([]chan error, len(g.rigs))
	open := func(i int, d *smallDisk) {
		t.Helper()
		disks[i], ends[i] = d, make(chan error, 1)
		r := g.put(i, d.fs, "zk.diskLowWaterBytes=0")
		r.open()
		node, end := r.node, ends[i]
		go func() { end <- node.Wait() }() // ends with the server
	}
	for i := range g.rigs {
		open(i, newSmallDisk(1<<40, crashdisk.New()))
	}
	g.awaitServing(0)
	leader, followers := g.leader()
	c := g.rigs[leader].connect()
	c.ok(jute.OpCreate, create("/big", "", 0))
	n := 0
	fill := func(c *client, until func() bool) (failed bool) {
		for end := time.Now().Add(patience); time.Now().Before(end); {
			if until() {
				return false
			}
			if rep, err := c.try(jute.OpCreate, create(fmt.Sprint("/big/", n), noise(50_000), 0)); err != nil || rep.Err != jute.CodeOk {
				return true // not acknowledged
			}
			n++
		}
		t.Error("nothing has filled the disk")
		return false
	}
	ended := func(i int) func() bool { return func() bool { return len(ends[i]) > 0 } }
	restart := func(i int) {
		t.Helper()
		if err := <-ends[i]; !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("server %d has ended with %v", i+1, err)
		}
		open(i, newSmallDisk(1<<40, g.abandon(i, disks[i].mem)))
		g.awaitServing(i)
	}
	// A follower, under writes.
	i := followers[0]
	disks[i].size.Store(disks[i].used("/data") + 1<<20)
	if fill(c, ended(i)) {
		t.Error("the leader and a follower are a quorum, and a write failed")
	}
	restart(i)
	// A follower that gets the tree.
	g.rigs[i].close()
	open(i, newSmallDisk(1<<20, crashdisk.New()))
	await(t, "the tree to fill the disk", ended(i))
	restart(i)
	// The leader.
	disks[leader].size.Store(disks[leader].used("/data") + 1<<20)
	done := make(chan struct{})
	go func() { // ends with the connection
		defer close(done)
		fill(c, ended(leader))
	}()
	await(t, "the leader's end", ended(leader))
	_ = c.nc.Close() // as the process would
	<-done
	restart(leader)
	g.same()
	at, _ := g.leader()
	c, ok := g.rigs[at].renew(c)
	if !ok {
		t.Fatal("the session is lost")
	}
	for k := range n {
		if _, code := c.stat(fmt.Sprint("/big/", k)); code != jute.CodeOk {
			t.Errorf("write %d of %d is lost: %v", k, n, code)
		}
	}
}
