package embed_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
	"zk/persistence"
	"zk/persistence/crashdisk"
	"zk/server/embed"
)

// What the start of a member finds, whose ensemble goes on. Allowed outcomes: it has everything that it has
// acknowledged; or it has lost its memory, and says why; or it refuses to start, with exit code 3 and the name of
// what is wrong. In each case it has the ensemble's tree in the end.

// outcome is what a start has found.
type outcome string

const (
	whole   outcome = "whole"
	lost    outcome = "lost"
	refused outcome = "refused"
)

// startLog hears what a start says: memory is lost, the tree is in memory.
type startLog struct {
	slog.Handler
	lost, warm atomic.Bool
}

func (*startLog) Enabled(context.Context, slog.Level) bool { return true }

func (l *startLog) Handle(_ context.Context, r slog.Record) error {
	switch {
	case strings.Contains(r.Message, "takes part without a vote"):
		l.lost.Store(true)
	case r.Message == "tree is in memory":
		l.warm.Store(true)
	case r.Message == "recovered":
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "fresh" && a.Value.Bool() { // nothing is on the disk but the log
				l.warm.Store(true)
			}
			return true
		})
	}
	return nil
}

// starts starts server i on a disk. One that remembers has all of its tree in memory then, or has met damage in it.
func (g *group) starts(t *testing.T, i int, fs vfs.FS) (outcome, error) {
	t.Helper()
	r := g.put(i, fs)
	said := &startLog{Handler: slog.DiscardHandler}
	r.deps.Logger = slog.New(said)
	node, err := embed.Start(context.Background(), r.cfg, r.deps)
	if err != nil {
		var exit interface{ ExitCode() int }
		if !errors.As(err, &exit) || exit.ExitCode() != 3 {
			t.Errorf("refused without exit code 3: %v", err)
		}
		return refused, err
	}
	r.node = node
	if said.lost.Load() {
		return lost, nil
	}
	end := g.end(i)
	await(t, "the tree to be in memory", func() bool { return said.warm.Load() || len(end) > 0 })
	if len(end) == 0 {
		return whole, nil
	}
	err = <-end
	var corrupt *persistence.CorruptionError
	if !errors.As(err, &corrupt) {
		t.Errorf("ended with %v", err)
	}
	r.fs = g.abandon(i, r.fs.(*crashdisk.Disk))
	return refused, err
}

// joins waits until server i has the ensemble's tree, and closes it. Damage in the end of the log comes up when that is
// applied, before the server serves.
func (g *group) joins(t *testing.T, i int) {
	t.Helper()
	end := g.end(i)
	await(t, "the server to serve, or to meet damage", func() bool { return len(end) > 0 || g.serving(i) })
	if len(end) > 0 {
		var corrupt *persistence.CorruptionError
		if err := <-end; !errors.As(err, &corrupt) {
			t.Errorf("ended with %v", err)
		}
		g.put(i, g.abandon(i, g.rigs[i].fs.(*crashdisk.Disk))).open()
	}
	g.awaitServing(i)
	g.same()
	if exists(t, g.rigs[i].fs, lostFile) {
		t.Error("a server that serves is marked as one without memory")
	}
	g.rigs[i].close()
}

// startWithDisks starts an ensemble and gives the disk of one that can be spared, as it was when it was closed and as
// a kill has left it. Then the others write something.
func startWithDisks(t *testing.T) (g *group, i int, c *client, disks map[string]*crashdisk.Disk) {
	t.Helper()
	g = startGroup(t, 3, 0)
	leader, followers := g.leader()
	i, c = followers[0], g.rigs[leader].connect()
	c.createPages("/p", pages(30, 1000))
	c.ok(jute.OpCreate, create("/e", "", jute.FlagEphemeral))
	g.same()
	disks = map[string]*crashdisk.Disk{}
	g.crash(i)
	g.rigs[i].open() // tables of what was in the write-ahead log
	g.awaitServing(i)
	c.createPages("/q", pages(30, 1000))
	g.same()
	disks["killed"] = clone(g.rigs[i].fs).(*crashdisk.Disk)
	g.rigs[i].close()
	disks["closed"] = clone(g.rigs[i].fs).(*crashdisk.Disk)
	c.ok(jute.OpCreate, create("/meanwhile", "", 0))
	return g, i, c, disks
}

// TestEnsembleDamagedFiles damages each file of both stores of a member, of a closed and of a killed one.
func TestEnsembleDamagedFiles(t *testing.T) {
	g, i, c, disks := startWithDisks(t)
	for name, disk := range disks {
		seen := map[outcome]int{}
		for _, file := range storeFiles(t, disk, logDir, stateDir) {
			b := readFile(t, disk, file)
			damages := map[string]func(fs vfs.FS) error{
				"missing": func(fs vfs.FS) error { return fs.Remove(file) },
			}
			if len(b) > 0 {
				damages["half"] = func(fs vfs.FS) error { writeFile(t, fs, file, b[:len(b)/2]); return nil }
				ats := []int{len(b) / 2}
				if !testing.Short() {
					ats = append(ats, 0, len(b)/4, len(b)-1)
				}
				for _, at := range ats {
					damages[fmt.Sprint("byte ", at)] = func(fs vfs.FS) error {
						bad := slices.Clone(b)
						bad[at] ^= 1 << (at % 8)
						writeFile(t, fs, file, bad)
						return nil
					}
				}
			}
			for fault, damage := range damages {
				t.Run(name+file+" "+fault, func(t *testing.T) {
					fs := clone(disk).(*crashdisk.Disk)
					if err := damage(fs); err != nil {
						t.Fatal(err)
					}
					c.ok(jute.OpSetData, setData("/meanwhile", file+fault, -1))
					found, err := g.starts(t, i, fs)
					seen[found]++
					if found == refused {
						if number, _, _ := strings.Cut(path.Base(file), "."); !strings.Contains(err.Error(), number) && !strings.Contains(err.Error(), path.Dir(file)) {
							t.Errorf("%s is not named: %v", file, err)
						}
						if found, err = g.starts(t, i, g.rigs[i].fs); found == refused {
							t.Fatal("refused once more: ", err)
						}
					}
					g.joins(t, i)
				})
			}
		}
		t.Log(name, seen)
		if seen[whole] == 0 || seen[lost] == 0 {
			t.Error("one kind of outcome never came")
		}
	}
}

// TestEnsembleFolders removes, exchanges and ages the folders of a member. Those of another are a mistake that costs
// nothing: put right, the server goes on where it was.
func TestEnsembleFolders(t *testing.T) {
	g, i, c, disks := startWithDisks(t)
	old := disks["closed"]
	g.put(i, clone(old)).open()
	g.awaitServing(i)
	g.same()
	g.rigs[i].close()
	mine := clone(g.rigs[i].fs)
	other := 0
	for at := range g.members.Voters() {
		if leader, _ := g.leader(); at != i && at != leader {
			other = at
		}
	}
	g.rigs[other].close()
	theirs := clone(g.rigs[other].fs)
	g.rigs[other].open()
	g.awaitServing(other)
	g.leader()
	c = g.rigs[other].connect()
	for _, k := range []struct {
		name, dir string
		from      vfs.FS
		want      outcome
		text      string
	}{
		{"log missing", logDir, nil, lost, ""},
		{"state missing", stateDir, nil, lost, ""},
		{"older log", logDir, old, lost, ""},
		{"older state", stateDir, old, whole, ""},
		{"log of another", logDir, theirs, refused, fmt.Sprintf("of server %d, this is server %d", other+1, i+1)},
		{"state of another", stateDir, theirs, refused, fmt.Sprintf("of server %d, this is server %d", other+1, i+1)},
	} {
		t.Run(k.name, func(t *testing.T) {
			fs := clone(mine)
			replaceFolder(t, fs, k.dir, k.from)
			c.ok(jute.OpCreate, create("/n-", "", jute.FlagSequential))
			found, err := g.starts(t, i, fs)
			if found != k.want || err != nil && !strings.Contains(err.Error(), k.text) {
				t.Fatalf("%s, want %s: %v", found, k.want, err)
			}
			if found == refused {
				replaceFolder(t, fs, k.dir, mine)
				if found, err = g.starts(t, i, fs); found != whole {
					t.Fatalf("%s after it was put right: %v", found, err)
				}
			}
			g.joins(t, i)
		})
	}
}
