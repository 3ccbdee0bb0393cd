package persistence

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"zk/jute"
	"zk/persistence/crashdisk"
)

// A store of these options makes a table of each batch above 32 KiB.
func tablesOptions() StateOptions {
	return StateOptions{MemtableBytes: 64 << 10, FlushTxns: -1, FlushBytes: -1}
}

// contents is all that a store holds.
func contents(t *testing.T, s *State) string {
	t.Helper()
	it, err := s.db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for ok := it.First(); ok; ok = it.Next() {
		fmt.Fprintf(&b, "%q %q\n", it.Key(), it.Value())
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func tables(t *testing.T, s *State) (n int64) {
	t.Helper()
	m := s.db.Metrics()
	for _, l := range m.Levels {
		n += int64(l.TablesIngested)
	}
	return n
}

// Whether a batch becomes a table or goes through a memtable, the store holds the same, also after a restart in
// between, with keys that are set and deleted several times in a batch and over batches.
func TestTablesAndMemtables(t *testing.T) {
	run := func(o StateOptions, restarts bool) (string, int64) {
		fs, rng := vfs.NewMem(), rand.New(rand.NewPCG(5, 6))
		s := openTestState(t, fs, o)
		var made int64
		for k := Applied(1); k <= 60; k++ {
			n := 1 + rng.IntN(20)
			if k%3 == 0 {
				n = 200
			}
			commit(t, s, k, func(b *StateBatch) {
				for range n {
					path := fmt.Sprintf("/f%d/n%d", rng.IntN(3), rng.IntN(300))
					switch rng.IntN(5) {
					case 0:
						b.DeleteNode(path)
					case 1:
						b.SetData(path, value(jute.Zxid(k), 700))
					case 2:
						b.SetEphemeral(jute.SessionID(rng.Int64()), path)
					default:
						b.SetNode(path, value(jute.Zxid(k), 300+rng.IntN(300)))
					}
				}
			})
			if restarts && k%7 == 0 {
				made += tables(t, s)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = openTestState(t, fs, o)
			}
		}
		defer s.Close()
		return contents(t, s), made + tables(t, s)
	}
	want, none := run(StateOptions{}, false)
	got, some := run(tablesOptions(), false)
	again, more := run(tablesOptions(), true)
	if none != 0 || some < 10 || more < 10 {
		t.Fatalf("%d, %d and %d tables were made", none, some, more)
	}
	if got != want || again != want {
		t.Fatal("the stores differ")
	}
}

// The file system that servers have, and one that can't be compared, take tables too, without a copy of them.
func TestTableOnDisk(t *testing.T) {
	for name, fs := range map[string]vfs.FS{"default": nil, "uncomparable": uncomparableFS{vfs.Default, nil}} {
		t.Run(name, func(t *testing.T) {
			o := tablesOptions()
			o.Dir, o.FS = t.TempDir(), fs
			s, err := OpenState(o)
			if err != nil {
				t.Fatal(err)
			}
			for k := Applied(1); k <= 3; k++ {
				commit(t, s, k, func(b *StateBatch) { b.SetNode("/large", value(jute.Zxid(k), 100_000)) })
			}
			want := contents(t, s)
			if n := tables(t, s); n != 2*3 { // the marks are in one of their own
				t.Fatalf("%d tables", n)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if s, err = OpenState(o); err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if s.Applied() != 3 || contents(t, s) != want {
				t.Fatalf("after a restart at %v", s.Applied())
			}
		})
	}
}

type uncomparableFS struct {
	vfs.FS
	_ func()
}

// A power cut at any file operation of a batch that becomes a table, with batches in the memtable before: the state is
// as before it or after it, what was durable is there, and nothing is left of a table that did not count.
func TestTablePowerCut(t *testing.T) {
	const before, small, large, later = 3, 5, 9, 12
	c, fs := newCrashes()
	s := openTestState(t, fs, tablesOptions())
	fill := func(k Applied, nodes int) {
		t.Helper()
		commit(t, s, k, func(b *StateBatch) {
			for i := range nodes {
				b.SetNode(fmt.Sprintf("/n%d", i), value(jute.Zxid(k), 1000))
			}
		})
	}
	fill(before, 100)
	if s.DurableApplied() != before && durableSoon(s) != before {
		t.Fatal(s.DurableApplied())
	}
	fill(small, 2)
	stages := []Applied{before, large, later} // what is durable at least
	c.at(0)
	fill(large, 100)
	c.at(1)
	fill(later, 200)
	c.at(2)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	nodes := map[Applied]map[int]Applied{ // at a mark: the nodes below a number, and when they were set
		before: {100: before}, small: {2: small, 100: before}, large: {100: large}, later: {200: later},
	}
	c.check(t, len(stages), func(t *testing.T, fs vfs.FS, stage int) {
		s := openTestState(t, fs, tablesOptions())
		defer s.Close()
		want := nodes[s.Applied()]
		if s.Applied() < stages[stage] || want == nil {
			t.Fatalf("state at %v, at least %v was durable", s.Applied(), stages[stage])
		}
		for i := range 201 {
			set := Applied(0)
			for below, k := range want {
				if i < below && k > set {
					set = k
				}
			}
			rec, ok, err := s.GetNode(fmt.Sprintf("/n%d", i), nil)
			if err != nil || ok != (set > 0) || ok && string(rec) != string(value(jute.Zxid(set), 1000)) {
				t.Fatalf("node %d at %v: %.10q %v %v", i, s.Applied(), rec, ok, err)
			}
		}
		names, err := fs.List("state")
		if err != nil || slices.ContainsFunc(names, func(name string) bool { return isNextTable(fs, name) }) {
			t.Fatalf("a table that does not count is left: %v %v", names, err)
		}
	})
}

// durableSoon gives the durable mark when all flushes asked for are noticed.
func durableSoon(s *State) Applied {
	if done, err := s.FlushAsync(); err == nil {
		<-done
	}
	return s.DurableApplied()
}

// An operation that fails while a batch becomes a table fails the store, which is left as it was before.
func TestTableFails(t *testing.T) {
	for n, failed := 1, true; failed; n++ {
		left := 0 // operations until the one that fails; 0: none does
		mem := crashdisk.New()
		fs := crashdisk.Injected(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if !isNextTable(mem, op.Path) || left == 0 || op.Kind == errorfs.OpRemove {
				return nil
			}
			if left--; left == 0 {
				return errorfs.ErrInjected
			}
			return nil
		}))
		s := openTestState(t, fs, tablesOptions())
		big := func(b *StateBatch) {
			for i := range 2000 {
				b.SetNode(fmt.Sprintf("/n%d", i), value(1, 1000))
			}
		}
		commit(t, s, 1, big)
		left = n
		b := s.NewBatch(0)
		big(b)
		b.SetNode("/later", nil)
		err := b.Commit(2)
		if failed = err != nil; failed && !errors.Is(err, errorfs.ErrInjected) {
			t.Fatalf("operation %d: %v", n, err)
		}
		left = 0
		if failed && (s.Applied() != 1 || s.NewBatch(0).Commit(3) == nil) {
			t.Fatalf("operation %d: the store is at %v after a failure", n, s.Applied())
		}
		again := openTestState(t, mem.CrashClone(vfs.CrashCloneCfg{}), tablesOptions())
		_, later, err := again.GetNode("/later", nil)
		if err != nil || later == failed || again.Applied() != s.Applied() {
			t.Fatalf("operation %d: failed %v; after a restart at %v: %v %v", n, failed, again.Applied(), later, err)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
		if !failed && n < 2*4 {
			t.Fatalf("only %d operations", n)
		}
	}
}
