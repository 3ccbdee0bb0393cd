package persistence

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
)

// adoptRig is a pair of stores with entries 1 to n in the log, the state at n.
func adoptRig(t *testing.T, fs vfs.FS, n int) *Recovered {
	t.Helper()
	r, err := Open(Options{DataDir: "data", FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	r.Log.Start(nil, func(err error) { t.Error(err) })
	for z := 1; z <= n; z++ {
		if err := r.Log.Append(Entry{Zxid: jute.Zxid(z), Bytes: []byte(strings.Repeat("e", 1000))}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Log.Drain(); err != nil {
		t.Fatal(err)
	}
	b := r.State.NewBatch(0)
	b.SetNode("/", []byte("old"))
	if err := b.Commit(Applied(n)); err != nil {
		t.Fatal(err)
	}
	return r
}

func sideWith(t *testing.T, r *Recovered, text string) *State {
	t.Helper()
	side, err := r.NewSide(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := side.NewBatch(0)
	b.SetNode("/", []byte(text))
	if err := b.Commit(side.Applied()); err != nil {
		t.Fatal(err)
	}
	return side
}

// entries reads the log from a zxid on.
func entries(t *testing.T, l *Log, from jute.Zxid) (list []jute.Zxid) {
	t.Helper()
	err := l.Read(from, func(z jute.Zxid, _ []byte) error { list = append(list, z); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func checkRoot(t *testing.T, s *State, want string) {
	t.Helper()
	if rec, _, err := s.GetNode("/", nil); err != nil || string(rec) != want {
		t.Errorf("root %q, want %q: %v", rec, want, err)
	}
}

func TestAdopt(t *testing.T) {
	for _, base := range []jute.Zxid{100, 150, 5<<32 | 7} {
		t.Run(fmt.Sprint(base), func(t *testing.T) {
			fs := vfs.NewMem()
			r := adoptRig(t, fs, 100)
			side := sideWith(t, r, "new")
			old, err := r.Adopt(side, base)
			if err != nil {
				t.Fatal(err)
			}
			checkRoot(t, r.State, "new")
			checkRoot(t, old, "old")
			if err := r.Discard(old); err != nil {
				t.Error(err)
			}
			if got := r.Log.LastLogged(); got != Logged(base) || r.Log.CompleteFrom() != base {
				t.Errorf("log at %v from %v", got, r.Log.CompleteFrom())
			}
			if err := r.Log.Read(base, nil); !errors.Is(err, ErrPurged) {
				t.Error("read of what was dropped:", err)
			}
			if err := r.Log.Append(Entry{Zxid: 101 + 1000<<32, Bytes: []byte("x")}); !errors.Is(err, ErrOrder) {
				t.Error("entry out of order:", err)
			}
			for z := base + 1; z <= base+10; z++ {
				if err := r.Log.Append(Entry{Zxid: z, Bytes: []byte("new")}); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.Log.Drain(); err != nil {
				t.Fatal(err)
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				r, err = Open(Options{DataDir: "data", FS: fs})
				if err != nil {
					t.Fatal(err)
				}
				checkRoot(t, r.State, "new")
				if got := entries(t, r.Log, base+1); len(got) != 10 || got[0] != base+1 || r.State.Applied() != Applied(base) {
					t.Errorf("entries %v, state at %v", got, jute.Zxid(r.State.Applied()))
				}
				if err := r.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if names := stateNames(t, fs); !slices.Equal(names, []string{"zk-state-2"}) {
				t.Errorf("folders %v", names)
			}
		})
	}
}

func stateNames(t *testing.T, fs vfs.FS) (names []string) {
	t.Helper()
	all, err := fs.List("data")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range all {
		if strings.HasPrefix(n, stateDirPrefix) {
			names = append(names, n)
		}
	}
	return names
}

// TestAdoptRefuses: a state older than the log's end would lose entries.
func TestAdoptRefuses(t *testing.T) {
	fs := vfs.NewMem()
	r := adoptRig(t, fs, 100)
	side := sideWith(t, r, "new")
	if _, err := r.Adopt(side, 99); err == nil {
		t.Error("adopted")
	}
	checkRoot(t, r.State, "old")
	if err := r.Discard(side); err != nil {
		t.Error(err)
	}
	if names := stateNames(t, fs); !slices.Equal(names, []string{"zk-state-1"}) {
		t.Errorf("folders %v", names)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// TestLeftovers: folders of states that don't count go at a start, others stay; and a state without its
// log is refused whatever its number.
func TestLeftovers(t *testing.T) {
	fs := vfs.NewMem()
	r := adoptRig(t, fs, 10)
	old, err := r.Adopt(sideWith(t, r, "new"), 10)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(old.Close(), r.Close()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"zk-state-3", "zk-state-9.new", "zk-state-1.bak", "zk-state-01"} {
		if err := fs.MkdirAll("data/"+name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r, err = Open(Options{DataDir: "data", FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	checkRoot(t, r.State, "new")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	names := stateNames(t, fs)
	slices.Sort(names)
	if !slices.Equal(names, []string{"zk-state-01", "zk-state-1.bak", "zk-state-2"}) {
		t.Errorf("folders %v", names)
	}
	if err := fs.RemoveAll("data/zk-log"); err != nil {
		t.Fatal(err)
	}
	var refused *StartError
	if _, err := Open(Options{DataDir: "data", FS: fs}); !errors.As(err, &refused) {
		t.Error("a state without its log:", err)
	}
	if err := fs.RemoveAll("data/zk-state-2"); err != nil {
		t.Fatal(err)
	}
}

// TestAdoptedStateMissing: the log names a folder that is gone.
func TestAdoptedStateMissing(t *testing.T) {
	fs := vfs.NewMem()
	r := adoptRig(t, fs, 0)
	old, err := r.Adopt(sideWith(t, r, "new"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Discard(old), r.Close()); err != nil {
		t.Fatal(err)
	}
	if err := fs.RemoveAll("data/zk-state-2"); err != nil {
		t.Fatal(err)
	}
	var refused *StartError
	if _, err := Open(Options{DataDir: "data", FS: fs}); !errors.As(err, &refused) {
		t.Error("started without its state:", err)
	}
}

// TestStateSnapshot: what is committed later is not in it.
func TestStateSnapshot(t *testing.T) {
	r := adoptRig(t, vfs.NewMem(), 10)
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	commit := func(change func(*StateBatch)) {
		b := r.State.NewBatch(0)
		change(b)
		if err := b.Commit(r.State.Applied()); err != nil {
			t.Fatal(err)
		}
	}
	commit(func(b *StateBatch) {
		for _, p := range []string{"/b", "/a", "/a/x", "/a-b"} {
			b.SetNode(p, []byte(p))
		}
		b.SetData("/a/x", []byte("apart"))
		b.SetData("/b", nil)
	})
	snap, err := r.State.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	commit(func(b *StateBatch) {
		b.DeleteNode("/a/x")
		b.DeleteData("/a/x")
		b.SetNode("/c", []byte("c"))
	})
	var got []string
	err = snap.EachNode(func(parent, name, rec, data []byte) error {
		got = append(got, fmt.Sprintf("%s %s %q %t", parent, name, data, data != nil))
		return nil
	})
	want := []string{`  "" false`, `/ a "" false`, `/ a-b "" false`, `/ b "" true`, `/a x "apart" true`}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, want %q: %v", got, want, err)
	}
	if err := snap.Close(); err != nil {
		t.Error(err)
	}
	commit(func(b *StateBatch) { b.SetData("/nobody", []byte("x")) })
	if snap, err = r.State.Snapshot(); err != nil {
		t.Fatal(err)
	}
	var damage *CorruptionError
	if err := snap.EachNode(func(_, _, _, _ []byte) error { return nil }); !errors.As(err, &damage) {
		t.Error("data without a node:", err)
	}
	if err := snap.Close(); err != nil {
		t.Error(err)
	}
}
