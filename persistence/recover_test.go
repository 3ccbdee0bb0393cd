package persistence

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"go.uber.org/goleak"

	"zk/jute"
	"zk/persistence/crashdisk"
)

// countRand gives store ids that count, so that two stores differ.
type countRand struct{ n byte }

func (r *countRand) Read(b []byte) (int, error) {
	r.n++
	for i := range b {
		b[i] = r.n
	}
	return len(b), nil
}

// both opens folders and fails the test if that fails.
func both(t *testing.T, o Options) *Recovered {
	t.Helper()
	r, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// runPair makes a pair with n entries, the state at applied.
func runPair(t *testing.T, o Options, n jute.Zxid, applied Applied) {
	t.Helper()
	r := both(t, o)
	a := newAcks()
	r.Log.Start(a.durable, a.failed)
	r.State.Start(nil, nil)
	appendRange(t, r.Log, jute.Zxid(r.Log.LastLogged())+1, n, 50)
	if err := a.wait(n); err != nil {
		t.Fatal(err)
	}
	commit(t, r.State, applied, func(b *StateBatch) { b.SetNode("/", nil) })
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOpenFreshAndAgain(t *testing.T) {
	for _, dirs := range [][2]string{{"data", "log"}, {"data", ""}, {"a/b/data", "a/b/log"}} {
		fs := vfs.NewMem()
		o := Options{FS: fs, DataDir: dirs[0], DataLogDir: dirs[1]}
		r := both(t, o)
		if !r.Fresh || r.State.Applied() != 0 || r.Log.LastLogged() != 0 || r.StoreID == (StoreID{}) {
			t.Fatal(r)
		}
		id := r.StoreID
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		runPair(t, o, 10, 7)
		r = both(t, o)
		if r.Fresh || r.StoreID != id || r.State.Applied() != 7 || r.Log.LastLogged() != 10 {
			t.Fatal(r.Fresh, r.StoreID, r.State.Applied(), r.Log.LastLogged())
		}
		readRange(t, r.Log, jute.Zxid(r.State.Applied())+1, 10, 50)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A crash at any file operation of an Open, the first or a later one, leaves folders that the next start
// can use, with all that was in them.
func TestCrashDuringOpen(t *testing.T) {
	for _, had := range []jute.Zxid{0, 40} {
		for stopAt, crashed := 1, true; crashed; stopAt++ {
			fs := crashdisk.New()
			o := Options{FS: fs, DataDir: "data", DataLogDir: "log"}
			if had > 0 {
				runPair(t, o, had, 30)
			}
			if crashed = crashOpen(t, fs, o, stopAt, had); !crashed && stopAt < 20 {
				t.Fatalf("only %d operations", stopAt)
			}
		}
	}
}

// crashOpen opens the pair, crashes it at a file operation and looks at what is left; false when there are
// fewer operations.
func crashOpen(t *testing.T, fs *crashdisk.Disk, o Options, stopAt int, had jute.Zxid) bool {
	t.Helper()
	var mu sync.Mutex
	var after *crashdisk.Disk
	n := 0
	o.FS = errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		switch op.Kind {
		case errorfs.OpFileWrite, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpCreate, errorfs.OpRename, errorfs.OpMkdirAll, errorfs.OpRemove:
			mu.Lock()
			defer mu.Unlock()
			if n++; n == stopAt {
				after = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(1, uint64(stopAt)))})
			}
		}
		return nil
	}))
	if err := both(t, o).Close(); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if after == nil {
		return false
	}
	o.FS = after
	r := both(t, o)
	if r.Log.LastLogged() != Logged(had) || had > 0 && r.State.Applied() != 30 {
		t.Fatalf("crash at operation %d: log at %v, state at %v", stopAt, r.Log.LastLogged(), r.State.Applied())
	}
	if had > 0 {
		readRange(t, r.Log, 1, had, 50)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	runPair(t, o, had+5, Applied(had+5))
	return true
}

// refused opens and wants a refusal with exit code 3 whose text has all of want.
func refused(t *testing.T, o Options, want ...string) {
	t.Helper()
	r, err := Open(o)
	if err == nil {
		_ = r.Close()
		t.Fatal("opened")
	}
	var exit interface{ ExitCode() int }
	if !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Fatalf("%T %v", err, err)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Fatalf("%q lacks %q", err, w)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	const zkState = "data/zk-state-1"
	type pair struct {
		name   string
		damage func(t *testing.T, fs *vfs.MemFS, o *Options)
		want   []string
	}
	edit := func(fs vfs.FS, dir string, change func(b *pebble.Batch) error) error {
		db, err := pebble.Open(dir, &pebble.Options{FS: fs, FormatMajorVersion: formatMajor, Logger: pebbleLogger{orDiscard(nil), newFailure(orDiscard(nil), nil)}})
		if err != nil {
			return err
		}
		b := db.NewBatch()
		return errors.Join(change(b), db.Apply(b, pebble.Sync), db.Close())
	}
	set := func(dir, name string, v []byte) func(*testing.T, *vfs.MemFS, *Options) {
		return func(t *testing.T, fs *vfs.MemFS, _ *Options) {
			if err := edit(fs, dir, func(b *pebble.Batch) error { return b.Set(metaKey(name), v, nil) }); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(dir string) func(*testing.T, *vfs.MemFS, *Options) {
		return func(t *testing.T, fs *vfs.MemFS, _ *Options) {
			if err := fs.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []pair{
		{"log lost", remove("log/zk-log"), []string{"no log in log/zk-log", "dataDir data", "dataLogDir log", "restore"}},
		{"state lost", remove(zkState), []string{"entries up to 0x64", "missing", "restore"}},
		{"state of another store", set(zkState, metaStoreID, make([]byte, 16)), []string{"store id 00000000000000000000000000000000", "01010101"}},
		{"log of another store", set("log/zk-log", metaStoreID, make([]byte, 16)), []string{"store id"}},
		{"log marker lost", func(t *testing.T, fs *vfs.MemFS, o *Options) {
			removeMatching(t, fs, "log/zk-log", "marker.manifest")
		}, []string{"corrupt", "log/zk-log"}},
		{"state marker lost", func(t *testing.T, fs *vfs.MemFS, o *Options) { removeMatching(t, fs, zkState, "marker.manifest") }, []string{"corrupt", zkState}},
		{"log manifest lost", func(t *testing.T, fs *vfs.MemFS, o *Options) { removeMatching(t, fs, "log/zk-log", "MANIFEST") }, []string{"MANIFEST"}},
		{"state tables lost", func(t *testing.T, fs *vfs.MemFS, o *Options) { removeMatching(t, fs, zkState, "0") }, []string{zkState}},
		{"newer log", set("log/zk-log", metaFormat, encodeUint32(2)), []string{"log/zk-log has format 2", "newer"}},
		{"newer state", set(zkState, metaFormat, encodeUint32(9)), []string{"format 9"}},
		{"older log", set("log/zk-log", metaFormat, encodeUint32(0)), []string{"too old"}},
		{"state ahead of log", set(zkState, metaApplied, encodeInt64(101)), []string{"ends at zxid 0x64", "is at 0x65", "newer log folder"}},
		{"state behind log", set("log/zk-log", metaCompleteFrom, encodeInt64(91)), []string{"begins after", "ends at zxid 0x5a"}},
		{"server id of the log", set("log/zk-log", metaServerID, encodeInt64(3)), []string{"of server 3", "of server 1"}},
		{"meta too short", set("log/zk-log", metaStoreID, []byte{1}), []string{"corrupt", "storeID"}},
		{"live state elsewhere", set("log/zk-log", metaLiveState, []byte("../../etc")), []string{"corrupt", "liveState"}},
		{"other server id", func(t *testing.T, fs *vfs.MemFS, o *Options) { o.ServerID = 2 }, []string{"of server 1", "this is server 2", "myid"}},
		{"java files", func(t *testing.T, fs *vfs.MemFS, o *Options) { touch(t, fs, "data/version-2", "snapshot.64") }, []string{"data/version-2/snapshot.64", "Java"}},
		{"java log", func(t *testing.T, fs *vfs.MemFS, o *Options) { touch(t, fs, "log/version-2", "log.1") }, []string{"log/version-2/log.1", "Java"}},
		{"missing and no autocreate", func(t *testing.T, fs *vfs.MemFS, o *Options) { o.DataDir, o.NoAutoCreate = "nowhere", true }, []string{"nowhere is missing", "autocreate"}},
		{"a file", func(t *testing.T, fs *vfs.MemFS, o *Options) {
			touch(t, fs, "x", "file")
			o.DataLogDir = "x/file"
		}, []string{"x/file is not a folder"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			fs := vfs.NewMem()
			o := Options{FS: fs, DataDir: "data", DataLogDir: "log", ServerID: 1, Rand: &countRand{}}
			runPair(t, o, 100, 90)
			c.damage(t, fs, &o)
			refused(t, o, c.want...)
			refused(t, o, c.want...) // and so it stays
		})
	}
}

func removeMatching(t *testing.T, fs vfs.FS, dir, prefix string) {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, name := range names {
		if strings.HasPrefix(name, prefix) {
			n++
			if err := fs.Remove(fs.PathJoin(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n == 0 {
		t.Fatal("nothing to remove")
	}
}

func touch(t *testing.T, fs vfs.FS, dir, name string) {
	t.Helper()
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := fs.Create(fs.PathJoin(dir, name), vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// Folders that can't be used are refused before anything is written into them.
func TestOpenTouchesNothing(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	refused(t, Options{DataDir: file}, "is not a folder")
	refused(t, Options{DataDir: filepath.Join(dir, "new"), DataLogDir: file}, "is not a folder")
	refused(t, Options{DataDir: filepath.Join(file, "below")}, "can't be")
	refused(t, Options{DataDir: filepath.Join(dir, "new"), DataLogDir: filepath.Join(dir, "new2"), NoAutoCreate: true}, "missing")
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	denied := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpMkdirAll && strings.HasPrefix(op.Path, "data") {
			return &os.PathError{Op: "mkdir", Path: op.Path, Err: os.ErrPermission}
		}
		return nil
	}))
	refused(t, Options{FS: denied, DataDir: "data", DataLogDir: "log"}, "permission denied", "data")
}

func TestOpenTwice(t *testing.T) {
	dir := t.TempDir()
	r := both(t, Options{DataDir: dir})
	refused(t, Options{DataDir: dir}, "in use by another server", filepath.Join(dir, "zk-log"))
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := both(t, Options{DataDir: dir}).Close(); err != nil {
		t.Fatal(err)
	}
}

// A standalone store takes on the first id; from then on no other.
func TestOpenTakesServerID(t *testing.T) {
	o := Options{FS: vfs.NewMem(), DataDir: "data"}
	runPair(t, o, 3, 3)
	for _, id := range []int64{4, 4, 0} {
		o.ServerID = id
		if err := both(t, o).Close(); err != nil {
			t.Fatal(err)
		}
	}
	o.ServerID = 5
	refused(t, o, "of server 4")
}

// Close ends every goroutine.
func TestCloseEndsAll(t *testing.T) {
	before := goleak.IgnoreCurrent() // earlier tests leave failed stores behind on purpose
	r := both(t, Options{FS: vfs.NewMem(), DataDir: "data"})
	p := StartPurger(r.Log, Retention{}, nil)
	r.Log.Start(nil, nil)
	r.State.Start(p.Durable, nil)
	appendRange(t, r.Log, 1, 100, 10)
	p.Close()
	if err := errors.Join(r.Close(), r.Close()); err != nil {
		t.Fatal(err)
	}
	goleak.VerifyNone(t, before)
}

func TestOpenNeedsRandom(t *testing.T) {
	_, err := Open(Options{FS: vfs.NewMem(), DataDir: "data", Rand: strings.NewReader("short")})
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
}

// I8 and I9 together: whatever a power cut takes from both disks at once, the pair opens, every
// acknowledged entry is there, and the state is not ahead of the log.
func TestPairPowerCut(t *testing.T) {
	for _, percent := range []int{0, 50, 100} {
		for round := range 6 {
			fs := crashdisk.New()
			o := Options{FS: fs, DataDir: "data", DataLogDir: "log", State: StateOptions{FlushTxns: 50}}
			r := both(t, o)
			a := newAcks()
			purger := StartPurger(r.Log, Retention{SnapCount: 20, CommitLogCount: 10}, nil)
			r.State.Start(purger.Durable, nil)
			r.Log.Start(func(es []Entry) {
				b := r.State.NewBatch(0)
				for _, e := range es {
					b.SetNode(fmt.Sprintf("/n%d", int64(e.Zxid)%50), e.Bytes)
				}
				if err := b.Commit(Applied(es[len(es)-1].Zxid)); err != nil {
					t.Error(err)
				}
				a.durable(es)
			}, a.failed)
			rng := rand.New(rand.NewPCG(uint64(percent), uint64(round)))
			n := jute.Zxid(100 + rng.IntN(400))
			appendRange(t, r.Log, 1, 2*n, 500)
			if err := a.wait(n); err != nil {
				t.Fatal(err)
			}
			acked := a.last()
			after := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
			purger.Close()
			o.FS = after
			r2 := both(t, o)
			logged, applied := jute.Zxid(r2.Log.LastLogged()), jute.Zxid(r2.State.Applied())
			if logged < acked || applied > logged {
				t.Fatalf("%d%% round %d: acknowledged %v, logged %v, applied %v", percent, round, acked, logged, applied)
			}
			readRange(t, r2.Log, applied+1, logged, 500)
			// The log first: what is still on its way goes to the state.
			if err := errors.Join(r.Log.Close(), r.Close(), r2.Close()); err != nil {
				t.Fatal(err)
			}
		}
	}
}
