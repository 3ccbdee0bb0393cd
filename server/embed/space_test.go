package embed_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
	"zk/persistence"
)

// shortOfSpace is a server on a disk of 1000 MiB, with the mark at 20 MiB, whose free space the test sets.
func shortOfSpace(t *testing.T, lines ...string) (r *rig, free *atomic.Int64) {
	free = &atomic.Int64{}
	free.Store(900 << 20)
	r = newRig(t, vfs.NewMem(), append(lines, "zk.diskBallastBytes=0", "zk.diskLowWaterBytes=20m")...)
	r.deps.DiskUsage = func(string) (persistence.DiskUsage, error) {
		return persistence.DiskUsage{Free: free.Load(), Total: 1000 << 20}, nil
	}
	r.open()
	return r, free
}

// awaitLevel waits until mntr shows a level of disk space.
func (r *rig) awaitLevel(level int) {
	r.t.Helper()
	want := fmt.Sprintf("zk_disk_space_level\t%d\n", level)
	await(r.t, "level "+want, func() bool { return strings.Contains(r.word("mntr"), want) })
}

// TestDiskLow: below the mark writes are refused with -119 and everything else goes on; above it all is as
// before, by itself.
func TestDiskLow(t *testing.T) {
	r, free := shortOfSpace(t, "minSessionTimeout=100")
	c, watcher := r.connect(), r.connect()
	c.ok(jute.OpCreate, create("/a", "one", 0))
	watcher.ok(jute.OpGetData, read("/a", true))
	leaver, sleeper := r.connect(), r.connectFor(100)
	leaver.ok(jute.OpCreate, create("/leaver", "", jute.FlagEphemeral))
	sleeper.ok(jute.OpCreate, create("/sleeper", "", jute.FlagEphemeral))
	if !strings.Contains(r.word("mntr"), "zk_disk_data_free_bytes\t943718400\n") || r.word("isro") != "rw" {
		t.Fatal(r.word("mntr"))
	}

	free.Store(20<<20 - 1)
	r.awaitLevel(2)
	zxid := c.zxid
	for _, w := range []step{
		{0, jute.OpCreate, create("/b", "", 0)},
		{0, jute.OpCreate2, create("/b", "", 0)},
		{0, jute.OpDelete, remove("/a")},
		{0, jute.OpSetData, setData("/a", "two", -1)},
		{0, jute.OpMulti, multi(part{jute.OpCreate, create("/b", "", 0)})},
	} {
		if rep := c.call(w.op, w.body); rep.Err != jute.CodeNotReadOnly {
			t.Errorf("%v: %v", w.op, rep.Err)
		}
	}
	if d := c.ok(jute.OpGetData, read("/a", true)); string(d.Buffer()) != "one" {
		t.Error("data changed")
	}
	c.ok(jute.OpSync, onePath("/"))
	if r.word("isro") != "ro" || !strings.Contains(r.word("srvr"), "READ-ONLY") {
		t.Error("isro", r.word("isro"))
	}
	// Sessions end, by themselves and by their clients, and new ones begin.
	leaver.ok(jute.OpCloseSession, nil)
	fresh := r.connect()
	if rep := fresh.call(jute.OpExists, read("/leaver", false)); rep.Err != jute.CodeNoNode {
		t.Error("an ephemeral of a closed session is there:", rep.Err)
	}
	await(t, "the expired session's node to go", func() bool {
		return fresh.call(jute.OpExists, read("/sleeper", false)).Err == jute.CodeNoNode
	})
	if c.zxid < zxid {
		t.Error("zxid went back")
	}

	free.Store(4 << 20)
	r.awaitLevel(3)
	refused := &client{t: t, nc: r.dial()}
	if err := refused.login(30000); err == nil {
		t.Error("a new session without any room")
	}
	again, ok := r.renew(c)
	if !ok {
		t.Fatal("a session could not be renewed")
	}
	again.ok(jute.OpGetData, read("/a", false))

	free.Store(500 << 20)
	r.awaitLevel(0)
	again.ok(jute.OpSetData, setData("/a", "two", 0))
	if ev, err := watcher.awaitEvent(); err != nil || ev.Path != "/a" {
		t.Error(ev, err)
	}
	r.connect()
	r.close()
	verify(t, r)
}

// TestDiskLowAtStart: a server that starts without room serves reads from the first moment.
func TestDiskLowAtStart(t *testing.T) {
	r, free := shortOfSpace(t)
	c := r.connect()
	c.ok(jute.OpCreate, create("/a", "one", 0))
	free.Store(1 << 20)
	r.restart()
	c, ok := r.renew(c)
	if !ok {
		t.Fatal("session lost")
	}
	c.ok(jute.OpGetData, read("/a", false))
	if rep := c.call(jute.OpSetData, setData("/a", "two", -1)); rep.Err != jute.CodeNotReadOnly {
		t.Fatal(rep.Err)
	}
}

// TestDiskTight: between twice the mark and the mark the log is purged down to what is needed, and writes
// go on.
func TestDiskTight(t *testing.T) {
	r, free := shortOfSpace(t, "commitLogCount=500")
	c := r.connect()
	c.ok(jute.OpCreate, create("/a", "", 0))
	data := strings.Repeat("x", 100_000)
	for range 200 { // more than a segment of the log
		c.ok(jute.OpSetData, setData("/a", data, -1))
	}
	for range 600 {
		c.ok(jute.OpSetData, setData("/a", "x", -1))
	}
	r.restart() // sorts the log into tables
	size := func() (sum int64) {
		names, err := r.fs.List("/data/zk-log")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if info, err := r.fs.Stat("/data/zk-log/" + name); err == nil && strings.HasSuffix(name, ".sst") {
				sum += info.Size()
			}
		}
		return sum
	}
	before := size()
	if before < 15<<20 {
		t.Fatal("the log has", before, "bytes in tables")
	}
	free.Store(30 << 20)
	r.awaitLevel(1)
	await(t, "the log to shrink", func() bool { return size() < before/2 })
	c, _ = r.renew(c)
	c.ok(jute.OpSetData, setData("/a", "last", -1))
	r.restart()
	c, _ = r.renew(c)
	if d := c.ok(jute.OpGetData, read("/a", false)); string(d.Buffer()) != "last" {
		t.Fatal("data lost")
	}
	r.close()
	verify(t, r)
}
