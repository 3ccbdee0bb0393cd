package embed_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"zk/jute"
	"zk/persistence/crashdisk"
	"zk/persistence/nodestore"
	"zk/server/embed"
)

// load is writers that keep book of what was acknowledged.
type load struct {
	r    *rig
	stop atomic.Bool
	wg   sync.WaitGroup

	mu    sync.Mutex
	acked []int  // by writer: the last round acknowledged
	ended string // why a writer ended by itself
}

// startLoad starts n writers. Round k of writer i is one multi: it creates /w<i>/a<k> and /w<i>/b<k> and sets
// /w<i>, whose version is k then; some of the nodes are ephemeral, some larger.
func startLoad(r *rig, n int) *load {
	l := &load{r: r, acked: make([]int, n)}
	for i := range n {
		c := r.connect()
		c.ok(jute.OpCreate, create(fmt.Sprintf("/w%d", i), "", 0))
		l.wg.Go(func() {
			for k := 1; !l.stop.Load(); k++ {
				rep, err := c.try(jute.OpMulti, round(i, k))
				l.mu.Lock()
				if err != nil || rep.Err != jute.CodeOk {
					l.ended = fmt.Sprint(rep.Err, err)
					l.mu.Unlock()
					return
				}
				l.acked[i] = k
				l.mu.Unlock()
			}
		})
	}
	return l
}

func round(i, k int) []byte {
	dir := fmt.Sprintf("/w%d", i)
	data := fmt.Sprint(k)
	if k%7 == 0 {
		data = strings.Repeat("x", 700)
	}
	return multi(
		part{jute.OpCreate, create(fmt.Sprintf("%s/a%d", dir, k), data, int32(k%3%2))},
		part{jute.OpSetData, setData(dir, fmt.Sprint(k), int32(k-1))},
		part{jute.OpCreate, create(fmt.Sprintf("%s/b%d", dir, k), data, 0)})
}

func (l *load) progress() (acked []int, sum int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.acked {
		sum += k
	}
	return slices.Clone(l.acked), sum
}

// check compares a server with the book.
func (l *load) check(t *testing.T, r *rig, acked []int) {
	t.Helper()
	c := r.connect()
	for i, least := range acked {
		dir := fmt.Sprintf("/w%d", i)
		d := c.ok(jute.OpGetData, read(dir, false))
		data := string(d.Buffer())
		var st jute.Stat
		st.Decode(d)
		if int(st.Version) < least {
			t.Errorf("%s: round %d was acknowledged, the version is %d", dir, least, st.Version)
		}
		if st.Version > 0 && data != fmt.Sprint(st.Version) {
			t.Errorf("%s: data %q at version %d", dir, data, st.Version)
		}
		names := c.ok(jute.OpGetChildren, read(dir, false)).Strings()
		slices.Sort(names)
		var want []string
		for k := 1; k <= int(st.Version); k++ {
			want = append(want, fmt.Sprint("a", k), fmt.Sprint("b", k))
		}
		slices.Sort(want)
		if !slices.Equal(names, want) {
			t.Errorf("%s: children don't fit version %d: %d of %d", dir, st.Version, len(names), len(want))
		}
	}
}

// TestPowerCuts cuts the power in the middle of a load. What was acknowledged before is there afterwards,
// no multi is there by half, and every figure fits.
func TestPowerCuts(t *testing.T) {
	for _, unsynced := range []int{0, 50, 100} {
		t.Run(fmt.Sprint("unsynced ", unsynced), func(t *testing.T) {
			fs := crashdisk.New()
			r := newRig(t, fs)
			r.deps.NodeLimits = nodestore.Limits{FreezeTxns: 40, FreezeBytes: 1 << 20, FreezeAge: 5 * time.Millisecond}
			r.open()
			l := startLoad(r, 4)
			rng := rand.New(rand.NewPCG(7, uint64(unsynced)))
			type cut struct {
				acked []int
				disk  vfs.FS
			}
			var cuts []cut
			for n := range 4 {
				await(t, "progress", func() bool { _, sum := l.progress(); return sum > 150*(n+1) })
				acked, _ := l.progress()
				cuts = append(cuts, cut{acked, fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: unsynced, RNG: rng})})
			}
			l.stop.Store(true)
			l.wg.Wait()
			if l.ended != "" {
				t.Error(l.ended)
			}
			r.close()
			verify(t, r)
			for _, c := range cuts {
				again := newRig(t, c.disk)
				again.open()
				l.check(t, again, c.acked)
				again.close()
				verify(t, again)
			}
		})
	}
}

// TestFailedSync: a sync of the log that fails ends the server with the reason, and nothing is
// acknowledged after it.
func TestFailedSync(t *testing.T) {
	mem := crashdisk.New()
	var failing atomic.Bool
	inject := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if failing.Load() && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSyncTo) &&
			strings.Contains(op.Path, "zk-log") {
			return errorfs.ErrInjected
		}
		return nil
	})
	r := newRig(t, crashdisk.Injected(mem, inject))
	r.open()
	node := r.node
	r.node = nil // a server that failed has nothing to close: its process ends
	l := startLoad(&rig{t: t, node: node}, 3)
	await(t, "progress", func() bool { _, sum := l.progress(); return sum > 100 })
	failing.Store(true)
	ended := make(chan error, 1)
	go func() { ended <- node.Wait() }()
	select {
	case err := <-ended:
		if !errors.Is(err, errorfs.ErrInjected) {
			t.Error("ended with", err)
		}
	case <-time.After(patience):
		t.Fatal("the server goes on")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = node.Close(ctx) // ends the connections at least
	l.wg.Wait()
	// What is on the disk, synced, has all that was ever acknowledged.
	acked, _ := l.progress()
	again := newRig(t, mem.CrashClone(vfs.CrashCloneCfg{}))
	again.open()
	l.check(t, again, acked)
	again.close()
	verify(t, again)
}

// TestFailedStart: a start that fails after the redo leaves nothing behind.
func TestFailedStart(t *testing.T) {
	fs := crashdisk.New()
	r := newRig(t, fs)
	r.open()
	r.connect().fill("/a", 100)
	dead := clone(fs)
	r.close()

	before := runtime.NumGoroutine()
	bad := newRig(t, dead)
	bad.cfg.DigestAlg = "ROT13"
	bad.deps.NodeLimits = nodestore.Limits{FreezeTxns: 1 << 30, FreezeBytes: 1 << 40, FreezeAge: time.Millisecond}
	if _, err := embed.Start(context.Background(), bad.cfg, bad.deps); err == nil {
		t.Fatal("started")
	}
	await(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
	bad.cfg.DigestAlg = r.cfg.DigestAlg
	bad.open()
	bad.close()
	verify(t, bad)
}
