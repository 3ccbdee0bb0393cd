package persistence

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"zk/jute"
	"zk/persistence/crashdisk"
)

func openTestState(t testing.TB, fs vfs.FS, o StateOptions) *State {
	t.Helper()
	o.FS, o.Dir = fs, "state"
	s, err := OpenState(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func commit(t testing.TB, s *State, applied Applied, change func(b *StateBatch)) {
	t.Helper()
	b := s.NewBatch(0)
	change(b)
	if err := b.Commit(applied); err != nil {
		t.Fatal(err)
	}
}

func TestStateContents(t *testing.T) {
	fs := vfs.NewMem()
	s := openTestState(t, fs, StateOptions{})
	paths := []string{"/", "/a", "/a/b", "/a/c", "/a/b/x", "/a/b/y", "/a-", "/a.b", "/zookeeper", "/a/b-"}
	commit(t, s, 5, func(b *StateBatch) {
		for _, p := range paths {
			b.SetNode(p, []byte("rec "+p))
			b.SetData(p, []byte("data "+p))
		}
		b.SetNode("/gone", []byte("x"))
		b.SetSession(7, 30_000)
		b.SetSession(-2, 4000)
		b.SetSession(9, 1)
		b.SetEphemeral(7, "/a/b")
		b.SetEphemeral(7, "/a/c")
		b.SetEphemeral(-2, "/a")
		b.SetCandidate("/a", []byte{1})
		b.SetACL(1, []byte("acl"))
		b.SetMeta("secret", []byte("s"))
	})
	commit(t, s, 6, func(b *StateBatch) {
		b.DeleteNode("/gone")
		b.DeleteData("/a/c")
		b.DeleteSession(9)
		b.DeleteEphemeral(7, "/a/c")
		b.SetCandidate("/t", nil)
		b.DeleteCandidate("/a")
		b.SetACL(2, nil)
		b.DeleteACL(1)
	})
	check := func() {
		t.Helper()
		for _, p := range paths {
			if rec, ok, err := s.GetNode(p, nil); err != nil || !ok || string(rec) != "rec "+p {
				t.Fatalf("%s: %q %v %v", p, rec, ok, err)
			}
			data, ok, err := s.GetData(p, make([]byte, 3))
			if err != nil || ok != (p != "/a/c") || ok && string(data) != "data "+p {
				t.Fatalf("%s: %q %v %v", p, data, ok, err)
			}
		}
		if _, ok, err := s.GetNode("/gone", nil); ok || err != nil {
			t.Fatal(ok, err)
		}
		// All nodes, parents first, siblings together, in chunks of any size.
		want := "[. /.a /.a- /.a.b /.zookeeper /a.b /a.b- /a.c /a/b.x /a/b.y]"
		for limit := 1; limit < 12; limit++ {
			var got []string
			var at Cursor
			for more := true; more; {
				var err error
				at, more, err = s.ScanNodes(at, limit, func(parent, name, rec []byte) error {
					got = append(got, string(parent)+"."+string(name))
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if fmt.Sprint(got) != want {
				t.Fatalf("limit %d: %v", limit, got)
			}
		}
		var got []string
		more, err := s.ScanChildren("/a", "b", 1, func(name, rec []byte) error { got = append(got, string(name), string(rec)); return nil })
		if err != nil || !more || fmt.Sprint(got) != "[b- rec /a/b-]" {
			t.Fatal(got, more, err)
		}
		got = nil
		more, err = s.ScanChildren("/", "", 10, func(name, rec []byte) error { got = append(got, string(name)); return nil })
		if err != nil || more || fmt.Sprint(got) != "[a a- a.b zookeeper]" {
			t.Fatal(got, more, err)
		}
		got = nil
		err = errors.Join(
			s.ForEachSession(func(id jute.SessionID, ms int32) error { got = append(got, fmt.Sprint(int64(id), ms)); return nil }),
			s.ForEachEphemeral(func(id jute.SessionID, p []byte) error {
				got = append(got, fmt.Sprint(int64(id), string(p)))
				return nil
			}),
			s.ForEachCandidate(func(p, rec []byte) error { got = append(got, string(p)); return nil }),
			s.ForEachACL(func(id int64, rec []byte) error { got = append(got, fmt.Sprint(id)); return nil }),
		)
		if err != nil || fmt.Sprint(got) != "[7 30000 -2 4000 7/a/b -2/a /t 2]" {
			t.Fatal(got, err)
		}
		if v, ok, err := s.Meta("secret"); err != nil || !ok || string(v) != "s" {
			t.Fatal(v, ok, err)
		}
		if s.Applied() != 6 {
			t.Fatal(s.Applied())
		}
	}
	check()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openTestState(t, fs, StateOptions{})
	check()
	if s.DurableApplied() != 6 {
		t.Fatal(s.DurableApplied())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// I3 and I6: after a power cut the state is exactly what it was after one of its batches, and not
// before the durable mark. Each batch k sets every key to k, so a mix would show.
func TestStatePowerCut(t *testing.T) {
	for _, percent := range []int{0, 50, 100} {
		for round := range 5 {
			fs := crashdisk.New()
			s := openTestState(t, fs, StateOptions{FlushTxns: 7, MemtableBytes: 1 << 20})
			var mu sync.Mutex
			var told Applied
			s.Start(func(a Applied) {
				mu.Lock()
				defer mu.Unlock()
				if a <= told {
					t.Errorf("durable mark went from %v to %v", told, a)
				}
				told = a
			}, nil)
			rng := rand.New(rand.NewPCG(uint64(percent), uint64(round)))
			n := Applied(20 + rng.IntN(80))
			for k := Applied(1); k <= n; k++ {
				commit(t, s, k, func(b *StateBatch) {
					for i := range 20 {
						b.SetNode(fmt.Sprintf("/n%d", i), value(jute.Zxid(k), 2000))
					}
					b.SetSession(jute.SessionID(k), 1)
				})
			}
			durable := s.DurableApplied()
			after := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
			s2 := openTestState(t, after, StateOptions{})
			k := s2.Applied()
			if k < durable || k > n {
				t.Fatalf("%d%% round %d: state at %v, durable was %v", percent, round, k, durable)
			}
			for i := range 20 {
				rec, ok, err := s2.GetNode(fmt.Sprintf("/n%d", i), nil)
				if err != nil || ok != (k > 0) || ok && string(rec) != string(value(jute.Zxid(k), 2000)) {
					t.Fatalf("%d%% round %d: node %d at %v: %.10q %v %v", percent, round, i, k, rec, ok, err)
				}
			}
			sessions := Applied(0)
			if err := s2.ForEachSession(func(jute.SessionID, int32) error { sessions++; return nil }); err != nil || sessions != k {
				t.Fatal(sessions, k, err)
			}
			if err := errors.Join(s.Close(), s2.Close()); err != nil {
				t.Fatal(err)
			}
			if s.DurableApplied() != n {
				t.Fatal(s.DurableApplied())
			}
		}
	}
}

// A returned Commit means nothing: only a finished flush moves the durable mark.
func TestStateDurableMark(t *testing.T) {
	fs := crashdisk.New()
	s := openTestState(t, fs, StateOptions{FlushTxns: -1, FlushBytes: -1})
	defer s.Close()
	commit(t, s, 10, func(b *StateBatch) { b.SetNode("/", nil) })
	if s.DurableApplied() != 0 || s.Applied() != 10 {
		t.Fatal(s.DurableApplied(), s.Applied())
	}
	done, err := s.FlushAsync()
	if err != nil {
		t.Fatal(err)
	}
	<-done
	if s.DurableApplied() != 10 {
		t.Fatal(s.DurableApplied())
	}
	commit(t, s, 11, func(b *StateBatch) { b.SetNode("/", []byte("later")) })
	s2 := openTestState(t, fs.CrashClone(vfs.CrashCloneCfg{}), StateOptions{})
	defer s2.Close()
	if s2.Applied() != 10 {
		t.Fatal(s2.Applied())
	}
}

func TestStateMarksPanic(t *testing.T) {
	s := openTestState(t, vfs.NewMem(), StateOptions{})
	defer s.Close()
	s.logged = func() Logged { return 20 }
	commit(t, s, 20, func(b *StateBatch) {})
	for _, bad := range []Applied{19, 21} { // back; ahead of the log (I8)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("commit at %v taken", bad)
				}
			}()
			_ = s.NewBatch(0).Commit(bad)
		}()
	}
}

// A flush that can't be written fails the store once, and the durable mark stays.
func TestStateFailedFlush(t *testing.T) {
	var fail errorfs.Toggle
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpCreate {
			return fail.MaybeError(op)
		}
		return nil
	}))
	fail.Injector = errorfs.ErrInjected
	s := openTestState(t, fs, StateOptions{})
	failed := make(chan error, 2)
	s.Start(nil, func(err error) { failed <- err })
	commit(t, s, 1, func(b *StateBatch) { b.SetNode("/", nil) })
	fail.On()
	done, err := s.FlushAsync()
	if err != nil {
		t.Fatal(err)
	}
	if err := <-failed; !errors.Is(err, errorfs.ErrInjected) {
		t.Fatal(err)
	}
	fail.Off()
	<-done
	if s.DurableApplied() != 0 {
		t.Fatal(s.DurableApplied())
	}
	if err := s.NewBatch(0).Commit(2); !errors.Is(err, errorfs.ErrInjected) {
		t.Fatal(err)
	}
	if err := s.Close(); !errors.Is(err, errorfs.ErrInjected) {
		t.Fatal(err)
	}
	if len(failed) != 0 {
		t.Fatal("told twice")
	}
}

// flushes makes a table for each mark of a range.
func flushes(t *testing.T, s *State, from, to Applied) {
	t.Helper()
	for z := from; z <= to; z++ {
		commit(t, s, z, func(b *StateBatch) { b.SetNode("/", bytes.Repeat([]byte("x"), 500)) })
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestHeldCompactions: while there is no room for one none begins, however many flushes pile up, and then they go on.
func TestHeldCompactions(t *testing.T) {
	s := openTestState(t, vfs.NewMem(), StateOptions{})
	s.held.Store(true)
	const n = 60
	flushes(t, s, 1, n)
	if m := s.db.Metrics(); m.Compact.Count != 0 || m.Levels[0].TablesCount != n {
		t.Errorf("%d compactions, %d tables in level 0", m.Compact.Count, m.Levels[0].TablesCount)
	}
	s.held.Store(false)
	flushes(t, s, n+1, n+1)
	for end := time.Now().Add(time.Minute); s.db.Metrics().Levels[0].TablesCount > n/2; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no compaction")
		}
	}
}
