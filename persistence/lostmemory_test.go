package persistence

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
)

// member are the options of a member of an ensemble.
func member(fs vfs.FS) Options {
	return Options{FS: fs, DataDir: "data", DataLogDir: "log", ServerID: 2, Ensemble: true}
}

// isLost opens and wants a server without memory whose reason has the text.
func isLost(t *testing.T, o Options, want string) *Recovered {
	t.Helper()
	r := both(t, o)
	if r.Lost == nil || !strings.Contains(r.Lost.Reason, want) || r.Log.LastLogged() != 0 || r.State.Applied() != 0 || r.Log.CurrentEpoch() != 0 {
		t.Fatalf("%+v at %v, want %q", r.Lost, r.Log.LastLogged(), want)
	}
	return r
}

// adoptAt gives a server a tree at a zxid.
func adoptAt(t *testing.T, r *Recovered, base jute.Zxid) {
	t.Helper()
	old, err := r.AdoptFromLeader(sideWith(t, r, "new"), base, 5, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Discard(old); err != nil {
		t.Fatal(err)
	}
}

func closed(t *testing.T, r *Recovered) {
	t.Helper()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestLostMemory goes through the ways to lose it. What was there is kept until a leader was established that has
// given it back; a tree from one that was not does not count at the next start.
func TestLostMemory(t *testing.T) {
	for name, c := range map[string]struct {
		lose func(t *testing.T, fs *vfs.MemFS, o *Options)
		want string
		kept []string
	}{
		"log gone": {func(t *testing.T, fs *vfs.MemFS, _ *Options) { removeTree(t, fs, "log/zk-log") }, "no log in log/zk-log", []string{"data/zk-state-1.lost"}},
		"state gone": {func(t *testing.T, fs *vfs.MemFS, _ *Options) { removeTree(t, fs, "data/zk-state-1") },
			"its state in data/zk-state-1 is missing", []string{"log/zk-log.lost"}},
		"state of another time": {func(t *testing.T, fs *vfs.MemFS, _ *Options) {
			removeTree(t, fs, "data/zk-state-1")
			other := Options{FS: fs, DataDir: "data", DataLogDir: "elsewhere", ServerID: 2, Rand: &countRand{n: 9}}
			runPair(t, other, 5, 5)
			removeTree(t, fs, "elsewhere")
		}, "has store id", []string{"data/zk-state-1.lost", "log/zk-log.lost"}},
		"rejoin": {func(_ *testing.T, _ *vfs.MemFS, o *Options) { o.Rejoin = true }, "--rejoin", []string{"data/zk-state-1.lost", "log/zk-log.lost"}},
		"damaged": {func(t *testing.T, fs *vfs.MemFS, _ *Options) {
			all, err := fs.List("log/zk-log")
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range all {
				if strings.HasPrefix(f, "MANIFEST") {
					putBytes(t, fs, "log/zk-log/"+f, []byte("nothing that a manifest begins with, and more of that"))
				}
			}
		}, "log/zk-log", []string{"data/zk-state-1.lost", "log/zk-log.lost"}},
	} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMem()
			o := member(fs)
			runPair(t, o, 40, 30)
			c.lose(t, fs, &o)
			if name != "rejoin" { // alone it is refused
				alone := o
				alone.Ensemble = false
				refused(t, alone, "")
			}
			r := isLost(t, o, c.want)
			slices.Sort(r.Lost.Kept)
			if !slices.Equal(r.Lost.Kept, c.kept) || r.Empty() && r.Lost == nil {
				t.Errorf("kept %v, want %v", r.Lost.Kept, c.kept)
			}
			adoptAt(t, r, 100)
			closed(t, r)
			o.Rejoin = false
			r = isLost(t, o, c.want) // nobody has said that the leader was one
			if len(r.Lost.Kept) != len(c.kept) {
				t.Errorf("kept %v", r.Lost.Kept)
			}
			alone := o
			alone.Ensemble = false
			closed(t, r)
			refused(t, alone, "lost its memory", c.want)
			r = isLost(t, o, c.want)
			adoptAt(t, r, 100)
			if err := errors.Join(r.Regained(), r.Regained()); err != nil || r.Lost != nil {
				t.Fatal(r.Lost, err)
			}
			closed(t, r)
			r = both(t, o)
			if r.Lost != nil || r.Log.LastLogged() != 100 || r.Log.CurrentEpoch() != 5 {
				t.Errorf("%+v at %v", r.Lost, r.Log.LastLogged())
			}
			checkRoot(t, r.State, "new")
			closed(t, r)
			if dirs, err := lostDirs(fs, "data", "log"); err != nil || len(dirs) != 0 {
				t.Errorf("left: %v %v", dirs, err)
			}
		})
	}
}

func removeTree(t *testing.T, fs vfs.FS, dir string) {
	t.Helper()
	if err := fs.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
}

func putBytes(t *testing.T, fs vfs.FS, path string, b []byte) {
	t.Helper()
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err == nil {
		_, err = f.Write(b)
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestNotLost: what is an operator's mistake, or can't be got at, is refused as ever, and nothing is moved.
func TestNotLost(t *testing.T) {
	fs := vfs.NewMem()
	o := member(fs)
	runPair(t, o, 40, 30)
	o.ServerID = 3
	refused(t, o, "of server 2, this is server 3")
	removeTree(t, fs, "data/zk-state-1")
	refused(t, o, "of server 2, this is server 3")
	o.ServerID = 2
	r := isLost(t, o, "is missing")
	refused(t, o, "in use by another server")
	closed(t, r)
	putBytes(t, fs, "data/zk-lost-memory", nil) // of no meaning here
	if r = isLost(t, o, "is missing"); len(r.Lost.Kept) != 1 {
		t.Errorf("kept %v", r.Lost.Kept)
	}
	closed(t, r)
}

// TestEmpty: a server that never had anything is empty until it has, or somebody vouches for it; and when its
// ensemble turns out to have a history it has lost its memory for good.
func TestEmpty(t *testing.T) {
	fs := vfs.NewMem()
	o := member(fs)
	r := both(t, o)
	if !r.Empty() || r.Lost != nil {
		t.Error("not empty")
	}
	if err := r.Regained(); err != nil {
		t.Error(err)
	}
	if err := r.Log.SetAcceptedEpoch(1); err != nil || r.Empty() {
		t.Error("it has promised something:", err)
	}
	if err := errors.Join(r.Forget("its ensemble has a history"), r.Forget("again")); err != nil {
		t.Fatal(err)
	}
	adoptAt(t, r, 100)
	closed(t, r)
	r = isLost(t, o, "its ensemble has a history")
	closed(t, r)

	fs = vfs.NewMem()
	o = member(fs)
	o.NoDBAutoCreate = true
	closed(t, isLost(t, o, "zookeeper.db.autocreate is false"))

	for _, dir := range []string{"data", "log"} {
		fs = vfs.NewMem()
		o = member(fs)
		if err := errors.Join(fs.MkdirAll("data", 0o755), fs.MkdirAll("log", 0o755)); err != nil {
			t.Fatal(err)
		}
		putBytes(t, fs, dir+"/initialize", nil)
		for range 2 {
			o.NoDBAutoCreate = !o.NoDBAutoCreate
			if r = both(t, o); r.Empty() || r.Lost != nil {
				t.Errorf("%s: %+v", dir, r.Lost)
			}
			closed(t, r)
		}
		if _, err := fs.Stat(dir + "/initialize"); err == nil {
			t.Error("the file is still there")
		}
	}
}

// TestLostMemoryCrash cuts the power at every disk operation from the start that finds the loss to the end of
// what follows: a server is never taken for one that remembers before a leader was established, and what
// was there first is kept until then.
func TestLostMemoryCrash(t *testing.T) {
	c, fs := newCrashes()
	o := member(fs)
	runPair(t, o, 40, 30)
	o.Rejoin = true
	c.at(0)
	r := isLost(t, o, "--rejoin")
	c.at(1) // it is known
	adoptAt(t, r, 100)
	c.at(2) // a tree is there
	if err := r.Regained(); err != nil {
		t.Fatal(err)
	}
	c.at(3) // and it counts
	closed(t, r)
	c.check(t, 4, func(t *testing.T, fs vfs.FS, stage int) {
		o := member(fs)
		r := both(t, o)
		defer closed(t, r)
		switch at := r.Log.LastLogged(); {
		case r.Lost != nil:
			if stage == 3 || at != 0 || len(r.Lost.Kept) != 2 {
				t.Errorf("lost at %v, kept %v", jute.Zxid(at), r.Lost.Kept)
			}
		case at == 40:
			if stage != 0 {
				t.Error("the old stores are back")
			}
		case at != 100 || stage < 2 || r.Log.CurrentEpoch() != 5:
			t.Errorf("at %v in epoch %d", jute.Zxid(at), r.Log.CurrentEpoch())
		}
	})
}

// TestDamageMetInTheBackground: what a compaction finds, while the stores are opened or later, is damage: it refuses a
// start, and costs a member of an ensemble its memory. It ends nothing that Pebble still waits for.
func TestDamageMetInTheBackground(t *testing.T) {
	for _, ensemble := range []bool{false, true} {
		t.Run(fmt.Sprint("ensemble ", ensemble), func(t *testing.T) {
			fs := vfs.NewMem()
			o := member(fs)
			o.Ensemble = ensemble
			runPair(t, o, 20, 0)
			r := both(t, o)
			r.State.held.Store(true) // tables gather
			flushes(t, r.State, 1, 20)
			closed(t, r)
			damageTables(t, fs, "data/zk-state-1")
			var corrupt *CorruptionError
			r, err := Open(o)
			switch {
			case err != nil:
				if ensemble || !errors.As(err, &corrupt) {
					t.Fatal(err)
				}
				return
			case r.Lost == nil: // it comes a little later
				failed := make(chan error, 2)
				r.Log.Start(nil, nil)
				r.State.Start(nil, func(err error) { failed <- err })
				if err := <-failed; !errors.As(err, &corrupt) {
					t.Fatal(err)
				}
				if err := r.Close(); !errors.As(err, &corrupt) {
					t.Fatal(err)
				}
			default:
				closed(t, r)
			}
			// The folders are free.
			for _, dir := range []string{"log/zk-log", "data/zk-state-1"} {
				lock, err := pebble.LockDirectory(dir, fs)
				if err != nil {
					t.Fatal(err)
				}
				if err := lock.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// damageTables flips a byte at the beginning of each table, where its entries are.
func damageTables(t *testing.T, fs vfs.FS, dir string) {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		f, err := fs.Open(dir + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		b[5] ^= 1
		putBytes(t, fs, dir+"/"+name, b)
	}
}
