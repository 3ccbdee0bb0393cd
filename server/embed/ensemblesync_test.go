package embed_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"zk/jute"
	"zk/persistence/crashdisk"
	"zk/persistence/nodestore"
	"zk/server/embed"
)

// Writes and syncs of a member of an ensemble that fail though there is room. The member ends with the reason, nothing
// is tried again and nothing acknowledged that is not durable; the others go on; and as what it has acknowledged is all
// there, it comes back as one that remembers.

// brokenDisk is a disk in memory whose operations fail as the test says.
type brokenDisk struct {
	mem  *crashdisk.Disk
	fs   vfs.FS
	fail atomic.Pointer[func(op errorfs.Op) bool]
}

func newBrokenDisk(mem *crashdisk.Disk) *brokenDisk {
	d := &brokenDisk{mem: mem}
	d.fs = crashdisk.Injected(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if fail := d.fail.Load(); fail != nil && (*fail)(op) {
			return &os.PathError{Op: "sync", Path: op.Path, Err: syscall.EIO}
		}
		return nil
	}))
	return d
}

func isSync(op errorfs.Op) bool {
	return op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSyncTo
}

func isLog(op errorfs.Op) bool {
	return strings.HasPrefix(op.Path, logDir) && strings.HasSuffix(op.Path, ".log")
}

// changes reports if an operation changes the disk for good. What can't be removed is left for the next start, but the
// file that says that memory is lost.
func changes(op errorfs.Op) bool {
	switch op.Kind {
	case errorfs.OpFileWrite, errorfs.OpCreate, errorfs.OpRename, errorfs.OpMkdirAll:
		return true
	case errorfs.OpRemove:
		return op.Path == lostFile
	}
	return isSync(op)
}

// TestEnsembleFailedSync: the log's sync or write, or a sync of the state, fails on the leader and on a follower.
func TestEnsembleFailedSync(t *testing.T) {
	for name, fails := range map[string]func(op errorfs.Op) bool{ // from some moment on
		"log sync":   func(op errorfs.Op) bool { return isSync(op) && isLog(op) },
		"log write":  func(op errorfs.Op) bool { return op.Kind == errorfs.OpFileWrite && isLog(op) },
		"state sync": func(op errorfs.Op) bool { return isSync(op) && strings.HasPrefix(op.Path, stateDir) },
	} {
		for _, role := range []string{"leader", "follower"} {
			t.Run(name+" "+role, func(t *testing.T) { failedSync(t, role, strings.HasPrefix(name, "log"), fails) })
		}
	}
}

func failedSync(t *testing.T, role string, inLog bool, fails func(op errorfs.Op) bool) {
	g := newGroup(t, 3, 0)
	disks := make([]*brokenDisk, len(g.rigs))
	for i := range g.rigs {
		disks[i] = newBrokenDisk(crashdisk.New())
		r := g.put(i, disks[i].fs)
		r.deps.NodeLimits = nodestore.Limits{FreezeTxns: 5, FreezeBytes: 1 << 20, FreezeAge: 5 * time.Millisecond}
		r.deps.StateOptions.FlushTxns = 10
		r.open()
	}
	for i := range g.rigs {
		g.awaitServing(i)
	}
	leader, followers := g.leader()
	broken, other := leader, followers[1]
	if role == "follower" {
		broken = followers[0]
	}
	c := g.rigs[leader].connect()
	for i := range 20 {
		c.ok(jute.OpCreate, create(fmt.Sprintf("/n%d", i), "x", 0))
	}
	g.same()
	if role == "follower" && inLog { // so that nothing is committed without it
		g.rigs[other].close()
	}
	node, end := g.rigs[broken].node, make(chan error, 1)
	go func() { // ends with the server, which it ends as its process would
		err := node.Wait()
		kill(node)
		if broken == leader {
			_ = c.nc.Close()
		}
		end <- err
	}()
	disks[broken].fail.Store(&fails)
	acked := 20
	for ; acked < 1000 && len(end) == 0; acked++ {
		rep, err := c.try(jute.OpCreate, create(fmt.Sprintf("/n%d", acked), "x", 0))
		if err != nil || rep.Err != jute.CodeOk {
			break
		}
		if inLog {
			t.Fatalf("write %d is acknowledged, and a quorum can't have it", acked)
		}
	}
	select {
	case err := <-end:
		if !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), "/data/") {
			t.Errorf("the server has ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the server goes on, and says nothing")
	}
	mem := g.abandon(broken, disks[broken].mem)
	if exists(t, mem, lostFile) {
		t.Error("the server takes itself for one without memory")
	}
	if g.rigs[other].node == nil {
		g.rigs[other].open()
	}
	g.writes(t, other, "without the one that has failed")
	g.rigs[other].close()
	g.put(broken, newBrokenDisk(mem).fs).open() // with one other it is a quorum: it remembers
	g.writes(t, broken, "with the one that has failed")
	g.rigs[other].open()
	g.same()
	d := g.rigs[broken].connect()
	for i := range acked {
		if _, code := d.stat(fmt.Sprintf("/n%d", i)); code != jute.CodeOk {
			t.Errorf("write %d of %d is lost: %v", i, acked, code)
		}
	}
}

// TestEnsembleFailedStarts lets each operation that changes the disk of a member fail from one on, from its start until
// it serves, with its memory and without: it refuses to start or ends with the reason, and the next start goes on
// from what is on the disk. One that has lost its memory knows it until it has it again.
func TestEnsembleFailedStarts(t *testing.T) {
	stride := 1
	if testing.Short() {
		stride = 7
	}
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprint("lost ", lost), func(t *testing.T) {
			g := startGroup(t, 3, 0)
			leader, followers := g.leader()
			i, c := followers[0], g.rigs[leader].connect()
			c.createPages("/p", pages(50, 1000))
			g.awaitServing(i)
			g.rigs[i].close()
			mem, failed, marked := clone(g.rigs[i].fs).(*crashdisk.Disk), 0, false
			for at := 1; ; at += stride {
				c.ok(jute.OpCreate, create("/n-", "", jute.FlagSequential))
				d := newBrokenDisk(mem)
				served, regained := g.failingStart(t, c, i, d, lost && !marked, at)
				if served {
					break
				}
				failed++
				mem = d.mem.CrashClone(vfs.CrashCloneCfg{})
				marked = (marked || exists(t, mem, lostFile)) && !regained
				if marked && !exists(t, mem, lostFile) {
					t.Fatalf("operation %d: the loss is forgotten", at)
				}
			}
			if failed < 3 {
				t.Errorf("only %d operations have failed", failed)
			}
			g.same()
		})
	}
}

// failingStart starts server i on a disk that fails from an operation on. served is true when none did until it served;
// regained when its loss of memory is not noted any more. c is a client of the leader.
func (g *group) failingStart(t *testing.T, c *client, i int, d *brokenDisk, rejoin bool, at int) (served, regained bool) {
	t.Helper()
	var ops atomic.Int64
	var removed, over atomic.Bool
	fail := func(op errorfs.Op) bool {
		if over.Load() || !changes(op) {
			return false
		}
		failing := ops.Add(1) >= int64(at)
		if op.Kind == errorfs.OpRemove && op.Path == lostFile && !failing {
			removed.Store(true)
		}
		return failing
	}
	d.fail.Store(&fail)
	r := g.put(i, d.fs)
	r.cfg.Rejoin = rejoin
	node, err := embed.Start(t.Context(), r.cfg, r.deps)
	if err != nil {
		var exit interface{ ExitCode() int }
		if !errors.As(err, &exit) || exit.ExitCode() != 3 || !errors.Is(err, syscall.EIO) {
			t.Errorf("operation %d: start: %v", at, err)
		}
		return false, removed.Load()
	}
	r.node = node
	end := g.end(i)
	await(t, "the server to serve or to end", func() bool { return len(end) > 0 || g.serving(i) })
	if len(end) == 0 && ops.Load() < int64(at) {
		over.Store(true)
		return true, false
	}
	c.ok(jute.OpCreate, create("/n-", "", jute.FlagSequential)) // should nothing of what has failed be needed to serve
	select {
	case err = <-end:
	case <-time.After(patience):
		t.Fatalf("operation %d: the server goes on, and says nothing", at)
	}
	if !errors.Is(err, syscall.EIO) {
		t.Errorf("operation %d: ended with %v", at, err)
	}
	d.mem = g.abandon(i, d.mem)
	return false, removed.Load()
}
