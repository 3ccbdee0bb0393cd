package embed_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
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
	"zk/server/tree"
)

// The matrix of faults: each kind of damage, to each file of both stores, on the disk of a closed and of a
// killed server. Allowed outcomes: a refusal with exit code 3 that names the file or its folder; or all that was
// acknowledged, with every figure right. Of a killed server the very last write, which nothing
// else on the disk proves, may be cut as if it were torn; and when its newest write-ahead log is shorter than it was
// synced, what is left is served: no disk that keeps its word does that, and nothing else on it tells.

// damaged is a disk that a server left, and what it must hold.
type damaged struct {
	name string
	fs   *crashdisk.Disk
	want figures
	last bool // the last transaction may be missing
}

// lines are the settings of these servers: the log has a folder of its own.
func faultLines() []string { return []string{"dataLogDir=/log", "extendedTypesEnabled=true"} }

// leftDisks are the disks of one server, closed and killed.
func leftDisks(t *testing.T) []damaged {
	t.Helper()
	r := newRig(t, crashdisk.New(), faultLines()...)
	r.open()
	a, b := r.connect(), r.connect()
	growSmallTree(a, b)
	r.restart()
	a, _ = r.renew(a)
	for i := range 30 {
		a.ok(jute.OpSetData, setData("/t/big", strings.Repeat(fmt.Sprint(i%10), 3000), -1))
	}
	killed := clone(r.fs).(*crashdisk.Disk)
	r.close()
	closed := clone(r.fs).(*crashdisk.Disk)
	want := verify(t, r)
	return []damaged{{"closed", closed, want, false}, {"killed", killed, want, true}}
}

// growSmallTree makes a node of every kind.
func growSmallTree(a, b *client) {
	a.fill("/t", 300)
	a.ok(jute.OpCreate, create("/t/big", strings.Repeat("x", 5000), 0))
	a.ok(jute.OpCreate, create("/zookeeper/quota/t", "", 0))
	a.ok(jute.OpCreate, create("/zookeeper/quota/t/zookeeper_limits", "count=1000,bytes=-1", 0))
	a.ok(jute.OpCreate, create("/zookeeper/quota/t/zookeeper_stats", "count=0,bytes=0", 0))
	container := jute.CreateRequest{Path: "/t/c", ACL: open, Flags: jute.FlagContainer}
	a.ok(jute.OpCreateContainer, container.Append(nil, jute.OpCreateContainer))
	for range 10 {
		b.ok(jute.OpCreate, create("/t/e-", "", jute.FlagEphemeralSequential))
		a.ok(jute.OpDelete, remove(string(a.ok(jute.OpCreate, create("/t/s-", "", jute.FlagSequential)).String())))
	}
}

// check opens a disk; it fails the test when that does not end.
func check(t *testing.T, fs vfs.FS, tune func(*embed.Deps)) (f figures, err error) {
	t.Helper()
	r := newRig(t, fs, faultLines()...)
	if tune != nil {
		tune(&r.deps)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Figures, err = embed.Check(context.Background(), r.cfg, r.deps, func(path string, n *tree.Node, data []byte) {
			f.dump = append(f.dump, nodeLine(path, n, data))
		})
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("neither an error nor an end")
	}
	slices.Sort(f.dump)
	return f, err
}

// judge compares an outcome with what is allowed; file is what was damaged.
func (d *damaged) judge(file, fault string, f figures, err error) error {
	if err != nil {
		var exit interface{ ExitCode() int }
		if !errors.As(err, &exit) || exit.ExitCode() != 3 {
			return fmt.Errorf("refused without exit code 3: %T %w", err, err)
		}
		number, _, _ := strings.Cut(path.Base(file), ".")
		if !strings.Contains(err.Error(), number) && !strings.Contains(err.Error(), path.Dir(file)) {
			return fmt.Errorf("refused without naming %s: %w", file, err)
		}
		return nil
	}
	if f.LastZxid == d.want.LastZxid && slices.Equal(f.dump, d.want.dump) && f.Counts == d.want.Counts && f.Sessions == d.want.Sessions {
		return nil
	}
	if d.last && strings.HasSuffix(file, ".log") { // Check has compared the digest with the one proposed
		shorter := fault == "missing" || fault == "empty" || fault == "half"
		if f.LastZxid == d.want.LastZxid-1 || shorter && f.LastZxid < d.want.LastZxid {
			return nil
		}
	}
	return fmt.Errorf("served with something else: at %v with %d nodes, want %v with %d", f.LastZxid, len(f.dump), d.want.LastZxid, len(d.want.dump))
}

func storeFiles(t *testing.T, fs vfs.FS, dirs ...string) (files []string) {
	t.Helper()
	for _, dir := range dirs {
		names, err := fs.List(dir)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(names)
		for _, name := range names {
			files = append(files, path.Join(dir, name))
		}
	}
	return files
}

func readFile(t *testing.T, fs vfs.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t *testing.T, fs vfs.FS, name string, b []byte) {
	t.Helper()
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err == nil {
		_, err = f.Write(b)
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestDamagedFiles is the matrix on files.
func TestDamagedFiles(t *testing.T) {
	flips := 6
	if testing.Short() {
		flips = 0
	}
	for _, d := range leftDisks(t) {
		rng := rand.New(rand.NewPCG(1, 2))
		outcomes := map[string]int{}
		for _, file := range storeFiles(t, d.fs, "/log/zk-log", "/data/zk-state-1") {
			whole := readFile(t, d.fs, file)
			try := func(fault string, damage func(fs vfs.FS)) {
				t.Run(d.name+file+" "+fault, func(t *testing.T) {
					fs := clone(d.fs)
					damage(fs)
					f, err := check(t, fs, nil)
					if bad := d.judge(file, fault, f, err); bad != nil {
						t.Error(bad)
					}
					if err != nil {
						outcomes["refused"]++
					} else {
						outcomes["served"]++
					}
				})
			}
			try("missing", func(fs vfs.FS) {
				if err := fs.Remove(file); err != nil {
					t.Fatal(err)
				}
			})
			if len(whole) == 0 {
				continue
			}
			try("empty", func(fs vfs.FS) { writeFile(t, fs, file, nil) })
			try("half", func(fs vfs.FS) { writeFile(t, fs, file, whole[:len(whole)/2]) })
			ats := []int{0, len(whole) / 2, len(whole) - 1}
			for range flips {
				ats = append(ats, rng.IntN(len(whole)))
			}
			for _, at := range ats {
				try(fmt.Sprint("byte ", at), func(fs vfs.FS) {
					b := slices.Clone(whole)
					b[at] ^= 1 << (at % 8)
					writeFile(t, fs, file, b)
				})
			}
		}
		t.Log(d.name, outcomes)
		if outcomes["refused"] == 0 || outcomes["served"] == 0 {
			t.Error("one kind of outcome never came")
		}
	}
}

// TestFolders swaps, removes and ages whole folders.
func TestFolders(t *testing.T) {
	const log, state = "/log/zk-log", "/data/zk-state-1"
	mine, other := newRig(t, crashdisk.New(), faultLines()...), newRig(t, crashdisk.New(), faultLines()...)
	mine.open()
	other.open()
	c := mine.connect()
	growSmallTree(c, mine.connect())
	other.connect().fill("/o", 10)
	other.close()
	mine.close()
	old := clone(mine.fs)
	mine.open()
	c, _ = mine.renew(c)
	c.ok(jute.OpSetData, setData("/t/big", "newer", -1))
	mine.close()
	want := verify(t, mine)
	d := damaged{"folders", clone(mine.fs).(*crashdisk.Disk), want, false}
	for _, c := range []struct {
		name, dir string
		from      vfs.FS
		serves    bool
		want      string
	}{
		{"log missing", log, nil, false, "no log in"},
		{"state missing", state, nil, false, "is missing"},
		{"log of another server", log, other.fs, false, "store id"},
		{"state of another server", state, other.fs, false, "store id"},
		{"older log", log, old, false, "restore the newer log folder"},
		{"older state", state, old, true, ""}, // the log has what it lacks
	} {
		t.Run(c.name, func(t *testing.T) {
			fs := clone(d.fs)
			replaceFolder(t, fs, c.dir, c.from)
			f, err := check(t, fs, nil)
			if bad := d.judge(path.Join(c.dir, "x"), "", f, err); bad != nil {
				t.Fatal(bad)
			}
			if (err == nil) != c.serves || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Fatal(err)
			}
		})
	}
}

// replaceFolder gives a folder the files that it has elsewhere; nil removes it.
func replaceFolder(t *testing.T, fs vfs.FS, dir string, from vfs.FS) {
	t.Helper()
	if err := fs.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if from == nil {
		return
	}
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	names, err := from.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		writeFile(t, fs, path.Join(dir, name), readFile(t, from, path.Join(dir, name)))
	}
}

// TestDamageMetLater: a byte of the tree's table that no start reads is met by the warm-up, and ends the server
// with the file's name.
func TestDamageMetLater(t *testing.T) {
	d := leftDisks(t)[0]
	fs := clone(d.fs)
	biggest, size := "", 0
	for _, file := range storeFiles(t, fs, "/data/zk-state-1") {
		if b := readFile(t, fs, file); strings.HasSuffix(file, ".sst") && len(b) > size {
			biggest, size = file, len(b)
		}
	}
	b := readFile(t, fs, biggest)
	b[size/2] ^= 4
	writeFile(t, fs, biggest, b)
	r := newRig(t, fs, faultLines()...)
	node, err := embed.Start(context.Background(), r.cfg, r.deps)
	if err == nil {
		err = node.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = node.Close(ctx) // a server that failed leaves its data as it is
	}
	number := strings.TrimSuffix(path.Base(biggest), ".sst")
	if err == nil || !strings.Contains(err.Error(), number) {
		t.Fatal(biggest, err)
	}
}

// TestOneListOfOperations runs the same operations under different settings: the tree is the same, node by
// node, whatever is gathered, frozen, flushed and restarted in between.
func TestOneListOfOperations(t *testing.T) {
	var first figures
	var dead vfs.FS
	for i, c := range []struct {
		name     string
		limits   nodestore.Limits
		flush    int64 // transactions between flushes of the state
		batch    int   // bytes of one write of the log
		restarts int
		kill     bool
		cold     bool
	}{
		{"nothing written behind", nodestore.Limits{FreezeTxns: 1 << 30, FreezeBytes: 1 << 40, FreezeAge: time.Hour}, -1, 0, 0, true, false},
		{"defaults", nodestore.DefaultLimits(), 0, 0, 0, false, false},
		{"each transaction", nodestore.Limits{FreezeTxns: 1, FreezeBytes: 1, FreezeAge: time.Millisecond}, 1, 1, 0, true, false},
		{"small, restarts", nodestore.Limits{FreezeTxns: 7, FreezeBytes: 1 << 20, FreezeAge: time.Millisecond}, 20, 100, 3, false, true},
		{"small, restarts, killed", nodestore.Limits{FreezeTxns: 50, FreezeBytes: 1 << 12, FreezeAge: time.Hour}, 100, 1000, 2, true, true},
	} {
		r := newRig(t, crashdisk.New(), faultLines()...)
		r.deps.NodeLimits, r.deps.Cold = c.limits, c.cold
		r.deps.StateOptions.FlushTxns, r.deps.LogOptions.BatchBytesMax = c.flush, c.batch
		r.open()
		clients := []*client{r.connect(), r.connect()}
		growColdTree(clients[0], clients[1])
		steps := coldScript()
		for n := range c.restarts + 1 {
			share := len(steps) / (c.restarts + 1)
			part := steps[n*share : (n+1)*share]
			if n == c.restarts {
				part = steps[n*share:]
			}
			if n > 0 {
				r.restart()
				for k := range clients {
					if renewed, ok := r.renew(clients[k]); ok {
						clients[k] = renewed
					}
				}
			}
			runSteps(t, r, part, clients...)
		}
		if c.kill {
			fs := clone(r.fs)
			r.close()
			r.fs = fs
		} else {
			r.close()
		}
		if dead == nil {
			dead = clone(r.fs)
		}
		got := recheck(t, r)
		if i == 0 {
			first = got
		} else if !slices.Equal(got.dump, first.dump) || got.LastZxid != first.LastZxid {
			t.Errorf("%s: another tree than with %q", c.name, "nothing written behind")
		}
	}
	// The very same log, redone under different settings: the same digest.
	for _, limits := range []nodestore.Limits{nodestore.DefaultLimits(), {FreezeTxns: 1, FreezeBytes: 1, FreezeAge: time.Millisecond}, {FreezeTxns: 33, FreezeBytes: 1 << 30, FreezeAge: time.Hour}} {
		for _, flush := range []int64{-1, 1, 50} {
			f, err := check(t, clone(dead), func(d *embed.Deps) { d.NodeLimits, d.StateOptions.FlushTxns = limits, flush })
			if err != nil || f.Digest != first.Digest || f.Redone == 0 {
				t.Error(limits, flush, f.Digest, first.Digest, f.Redone, err)
			}
		}
	}
}

// TestFailedWrites lets each write, sync, create, rename of a run fail in turn, with no space left and with an I/O
// error: a start that meets it is refused with exit code 3, a server that meets it ends with the reason, and the disk
// holds all that was acknowledged.
func TestFailedWrites(t *testing.T) {
	stride := 5
	if testing.Short() {
		stride = 29
	}
	for _, cause := range []error{syscall.ENOSPC, syscall.EIO, syscall.EROFS} {
		met := 0
		for at := 1; ; at += stride {
			mem := crashdisk.New()
			ended, err := failingRun(t, mem, at, cause)
			if !ended {
				break // fewer operations than that
			}
			met++
			if err != nil {
				t.Errorf("%v at operation %d: %v", cause, at, err)
			}
		}
		if met < 3 {
			t.Errorf("%v: only %d places", cause, met)
		}
	}
}

// failingRun runs a small load on a disk whose operations fail from one on. ended is false when none did.
func failingRun(t *testing.T, mem *crashdisk.Disk, at int, cause error) (ended bool, err error) {
	var ops, hit atomic.Int64
	hit.Store(-1)
	fs := crashdisk.Injected(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		switch op.Kind {
		case errorfs.OpFileWrite, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo, errorfs.OpCreate, errorfs.OpRename, errorfs.OpMkdirAll, errorfs.OpReuseForWrite:
			if n := ops.Add(1); n >= int64(at) {
				hit.CompareAndSwap(-1, n)
				return &os.PathError{Op: "write", Path: op.Path, Err: cause}
			}
		}
		return nil
	}))
	r := newRig(t, fs, faultLines()...)
	r.deps.NodeLimits = nodestore.Limits{FreezeTxns: 20, FreezeBytes: 1 << 20, FreezeAge: 5 * time.Millisecond}
	r.deps.StateOptions.FlushTxns = 40
	node, err := embed.Start(context.Background(), r.cfg, r.deps)
	if err != nil {
		var exit interface{ ExitCode() int }
		if !errors.As(err, &exit) || exit.ExitCode() != 3 || !errors.Is(err, cause) {
			return true, fmt.Errorf("start: %T %w", err, err)
		}
		return true, recheckAfter(t, mem, 0)
	}
	failed := make(chan error, 1)
	go func() { // ends with the server, and ends the connections
		err := node.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = node.Close(ctx) // a server that failed leaves its data as it is
		failed <- err
	}()
	acked := createSome(t, node)
	if hit.Load() < 0 {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = node.Close(ctx) // what fails now is another test's
		return false, nil
	}
	select {
	case err := <-failed:
		if !errors.Is(err, cause) {
			return true, fmt.Errorf("ended with %w", err)
		}
	case <-time.After(patience):
		return true, errors.New("the server goes on and says nothing")
	}
	return true, recheckAfter(t, mem, acked)
}

// createSome creates nodes until it has enough, or the server ends, and tells the last zxid acknowledged.
func createSome(t *testing.T, node *embed.Node) (acked jute.Zxid) {
	nc, err := net.Dial("tcp", node.Addr().String())
	if err != nil {
		return 0 // it has ended already
	}
	defer func() { _ = nc.Close() }()
	c := &client{t: t, nc: nc}
	if c.login(30000) != nil {
		return 0
	}
	for i := range 150 {
		rep, err := c.try(jute.OpCreate, create(fmt.Sprint("/n", i), strings.Repeat("x", 2000), 0))
		if err != nil {
			break
		}
		acked = rep.Zxid
	}
	return acked
}

// recheckAfter looks at what is synced on a disk.
func recheckAfter(t *testing.T, mem *crashdisk.Disk, acked jute.Zxid) error {
	f, err := check(t, mem.CrashClone(vfs.CrashCloneCfg{}), nil)
	if err == nil && f.LastZxid < acked {
		err = fmt.Errorf("acknowledged up to %v, there up to %v", acked, f.LastZxid)
	}
	return err
}

// TestPersistPoints cuts the power before each kind of operation on each kind of file, with none, half and all of what
// is not synced kept: the disk opens, every figure fits, and all that was acknowledged by then is there.
func TestPersistPoints(t *testing.T) {
	perPoint, writes := 6, 300
	if testing.Short() {
		perPoint, writes = 2, 120
	}
	type cut struct {
		point string
		acked jute.Zxid
		disk  *crashdisk.Disk
	}
	mem := crashdisk.New()
	var mu sync.Mutex
	var cuts []cut
	var acked atomic.Int64
	seen := map[string]int{}
	rng := rand.New(rand.NewPCG(4, 5))
	fs := crashdisk.Injected(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		point := persistPoint(op)
		if point == "" {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		n := seen[point]
		seen[point]++
		if n&(n-1) != 0 && n > 0 || n >= 1<<perPoint { // the 1st, 2nd, 3rd, 5th, 9th ... time
			return nil
		}
		for _, keep := range []int{0, 50, 100} {
			a := jute.Zxid(acked.Load()) // before the clone: all of it is durable
			cuts = append(cuts, cut{fmt.Sprint(point, " time ", n, " unsynced kept ", keep), a, mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: keep, RNG: rng})})
		}
		return nil
	}))
	r := newRig(t, fs, faultLines()...)
	r.deps.NodeLimits = nodestore.Limits{FreezeTxns: 20, FreezeBytes: 1 << 20, FreezeAge: 5 * time.Millisecond}
	r.deps.StateOptions.FlushTxns, r.deps.StateOptions.MemtableBytes = 40, 256<<10
	for run := range 2 { // a fresh start, and one on what is there
		r.open()
		c := r.connect()
		for i := range writes {
			rep := c.call(jute.OpMulti, multi(part{jute.OpCreate, create(fmt.Sprintf("/r%dn%d", run, i), strings.Repeat("x", 16000), int32(i%7/6))},
				part{jute.OpSetData, setData("/", fmt.Sprint(i), -1)}))
			if rep.Err != jute.CodeOk {
				t.Fatal(rep.Err)
			}
			acked.Store(int64(rep.Zxid))
		}
		r.close()
	}
	for _, c := range cuts {
		f, err := check(t, c.disk, nil)
		if err != nil || f.LastZxid < c.acked {
			t.Errorf("%s: acknowledged up to %v, there up to %v: %v", c.point, c.acked, f.LastZxid, err)
		}
	}
	for _, want := range []string{"log wal sync", "log wal create", "log table sync", "log manifest sync", "log marker create", "state table sync", "state manifest sync", "state marker create", "log folder sync", "state folder sync", "log store rename", "state store rename"} {
		if seen[want] == 0 {
			t.Errorf("point %q was never passed: %v", want, seen)
		}
	}
}

// persistPoint names an operation that makes something last: the store, the kind of file, what is done. "" for all
// others.
func persistPoint(op errorfs.Op) string {
	done := ""
	switch op.Kind {
	case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
		done = "sync"
	case errorfs.OpCreate, errorfs.OpReuseForWrite:
		done = "create"
	case errorfs.OpRename:
		done = "rename"
	case errorfs.OpRemove:
		done = "remove"
	default:
		return ""
	}
	store := "log"
	if strings.Contains(op.Path, "zk-state") {
		store = "state"
	}
	base := path.Base(op.Path)
	kind := "folder"
	for part, name := range map[string]string{".log": "wal", ".sst": "table", "MANIFEST": "manifest", "OPTIONS": "options", "LOCK": "lock"} {
		if strings.Contains(base, part) {
			kind = name
		}
	}
	if strings.HasPrefix(base, "marker.") {
		kind = "marker"
	}
	if strings.HasPrefix(base, "zk-") && done == "rename" {
		kind = "store"
	}
	return store + " " + kind + " " + done
}
