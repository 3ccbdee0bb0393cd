package embed_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
	"zk/persistence"
	"zk/persistence/crashdisk"
	"zk/persistence/nodestore"
	"zk/server/embed"
)

// Damage that a member of an ensemble meets while it serves. Whatever meets it, the member ends and says which file it
// is; nobody is answered with it; the others go on; and the next start is one without memory, which does not vote, and
// has everything from a leader in the end.

const logDir, stateDir = "/data/zk-log", "/data/zk-state-1"

// spoil flips a byte in the middle of each table of a store that has so many bytes and is not among those spoilt. It
// does so in place, so that who has the file open meets it, too.
func spoil(t *testing.T, fs vfs.FS, dir string, least int64, spoilt map[string]bool) {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		path := fs.PathJoin(dir, name)
		if info, err := fs.Stat(path); err == nil && strings.HasSuffix(name, ".sst") && info.Size() >= least && !spoilt[path] {
			spoilt[path] = true
			flipInPlace(t, fs, path)
		}
	}
}

// largeTable is the size of a table that has entries or nodes, and not just a few figures that each start reads.
const largeTable = 10_000

func flipInPlace(t *testing.T, fs vfs.FS, path string) {
	t.Helper()
	f, err := fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if b := make([]byte, 1); err == nil && info.Size() > 0 { // else a compaction has just removed it
		_, err = f.ReadAt(b, info.Size()/2)
		b[0] ^= 4
		if err == nil {
			_, err = f.WriteAt(b, info.Size()/2)
		}
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// end is told of a server's end, which Wait gives.
func (g *group) end(i int) <-chan error {
	end, node := make(chan error, 1), g.rigs[i].node
	go func() { end <- node.Wait() }() // ends with the server
	return end
}

// kill ends a server that has failed, as its process would.
func kill(node *embed.Node) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = node.Close(ctx) // goes on behind: a store that has failed is not closed
}

// abandon ends a server that has failed, as its process would, and gives its disk: what was synced.
func (g *group) abandon(i int, mem *crashdisk.Disk) *crashdisk.Disk {
	g.t.Helper()
	kill(g.rigs[i].node)
	g.rigs[i].node = nil
	return mem.CrashClone(vfs.CrashCloneCfg{RNG: rand.New(rand.NewPCG(1, 2))})
}

// losesMemory waits for the end of a server that has met damage in a store, and gives its disk.
func (g *group) losesMemory(t *testing.T, i int, end <-chan error, dir string) *crashdisk.Disk {
	t.Helper()
	var err error
	select {
	case err = <-end:
	case <-time.After(patience):
		t.Fatal("the server goes on, and says nothing of the damage")
	}
	var corrupt *persistence.CorruptionError
	if !errors.As(err, &corrupt) || corrupt.ExitCode() != 3 {
		t.Fatalf("server %d has ended with %v", i+1, err)
	}
	mem := g.abandon(i, g.rigs[i].fs.(*crashdisk.Disk))
	if !namesFile(t, mem, dir, err.Error()) {
		t.Errorf("no file of %s is named: %v", dir, err)
	}
	if !exists(t, mem, lostFile) {
		t.Error("the loss is not noted")
	}
	return mem
}

// namesFile tells if a text has the number of one of a folder's files.
func namesFile(t *testing.T, fs vfs.FS, dir, text string) bool {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if number, _, _ := strings.Cut(name, "."); len(number) == 6 && strings.Contains(text, number) {
			return true
		}
	}
	return false
}

// rejoins has the others go on, starts a server on a disk that marks it as one without memory, and waits until it has
// everything.
func (g *group) rejoins(t *testing.T, i int, mem *crashdisk.Disk) {
	t.Helper()
	g.writes(t, (i+1)%3, "without the damaged one")
	g.put(i, mem).open()
	g.awaitServing(i)
	if exists(t, mem, lostFile) {
		t.Error("a server that serves is marked as one without memory")
	}
	g.writes(t, i, "with all")
	g.same()
}

// rejoinsWithoutVote is rejoins, but first the server is the second of three, which is no quorum without its memory;
// and last it is once more, which is one.
func (g *group) rejoinsWithoutVote(t *testing.T, i int, mem *crashdisk.Disk) {
	t.Helper()
	stays, goes := (i+1)%3, (i+2)%3
	g.writes(t, stays, "without the damaged one")
	g.rigs[goes].close()
	g.put(i, mem).open()
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if path, ok := g.tries(stays); ok {
			t.Fatal("a server without memory has made a quorum for write ", path)
		}
		if g.serving(i) || !exists(t, mem, lostFile) {
			t.Fatal("a server without memory serves, or takes itself for whole")
		}
	}
	g.rigs[goes].open()
	g.awaitServing(i)
	g.same()
	g.rigs[goes].close()
	g.writes(t, stays, "with the one that was damaged")
	g.rigs[goes].open()
	g.same()
}

// tries writes at a server, if it takes a client and if there is a quorum.
func (g *group) tries(i int) (path string, ok bool) {
	c := &client{t: g.t, nc: g.rigs[i].dial()}
	defer func() { _ = c.nc.Close() }()
	if c.login(10000) != nil || c.sid == 0 {
		return "", false
	}
	rep, err := c.try(jute.OpCreate, create("/w-", "", jute.FlagSequential))
	if err != nil || rep.Err != jute.CodeOk {
		return "", false
	}
	d := jute.NewDecoder(rep.body, 0)
	return d.String(), true
}

// writes waits until a write at a server is answered: its ensemble may be between two leaders.
func (g *group) writes(t *testing.T, i int, what string) {
	t.Helper()
	await(t, "a write "+what, func() bool {
		_, ok := g.tries(i)
		return ok
	})
}

// pages are different data of the same length, which no store makes smaller.
func pages(n, bytes int) []string {
	all := noise(n * bytes)
	var p []string
	for ; all != ""; all = all[bytes:] {
		p = append(p, all[:bytes])
	}
	return p
}

// createPages creates a node for each page, pipelined.
func (c *client) createPages(dir string, p []string) {
	c.t.Helper()
	c.ok(jute.OpCreate, create(dir, "", 0))
	for i, data := range p {
		c.send(jute.OpCreate, create(fmt.Sprintf("%s/n%04d", dir, i), data, 0))
	}
	for range p {
		if rep, err := c.recv(); err != nil || rep.Err != jute.CodeOk {
			c.t.Fatal(rep.Err, err)
		}
	}
}

// restartAll closes all servers, which have everything by then, and starts those that are given.
func (g *group) restartAll(open ...int) {
	g.t.Helper()
	for i, r := range g.rigs {
		if r.node != nil {
			g.awaitServing(i)
			r.connect().ok(jute.OpSync, onePath("/"))
		}
	}
	for _, r := range g.rigs {
		r.close()
	}
	for _, i := range open {
		g.rigs[i].open()
	}
	for _, i := range open {
		g.awaitServing(i)
	}
}

// TestDamagedLogReadForLearner: a leader reads its log for a follower that lacks a part of it.
func TestDamagedLogReadForLearner(t *testing.T) {
	g := startGroup(t, 3, 0)
	leader, followers := g.leader()
	g.writes(t, followers[0], "that it has") // who has nothing gets the tree
	g.rigs[followers[0]].close()
	g.rigs[leader].connect().createPages("/p", pages(300, 1000))
	g.restartAll(leader, followers[1])
	leader, _ = g.leader()
	end := g.end(leader)
	c := g.rigs[leader].connect()
	spoil(t, g.rigs[leader].fs, logDir, largeTable, map[string]bool{})
	g.rigs[followers[0]].open()
	g.rejoinsWithoutVote(t, leader, g.losesMemory(t, leader, end, logDir))
	_ = c.nc.Close() // as the process would
}

// TestDamagedStateReadForLearner: a leader reads its state for an observer that gets the whole tree.
func TestDamagedStateReadForLearner(t *testing.T) {
	g := newGroup(t, 3, 1)
	for _, r := range g.rigs {
		r.deps.Cold = true // what is read at a start is in a cache
		r.open()
	}
	g.awaitServing(0)
	at, _ := g.leader()
	g.rigs[at].connect().createPages("/p", pages(300, 1000))
	g.restartAll(0, 1, 2)
	leader, _ := g.leader()
	end := g.end(leader)
	spoil(t, g.rigs[leader].fs, stateDir, largeTable, map[string]bool{})
	observer := g.put(3, crashdisk.New())
	observer.cfg.Rejoin = true
	observer.open()
	g.rejoinsWithoutVote(t, leader, g.losesMemory(t, leader, end, stateDir))
}

// TestDamagedTail: the end of its log, which a server does not apply before it knows that it is committed, can't be
// read. As leader it must not serve then, and as follower neither.
func TestDamagedTail(t *testing.T) {
	for _, role := range []string{"leader", "follower"} {
		t.Run(role, func(t *testing.T) {
			g := newGroup(t, 3, 0)
			for _, r := range g.rigs { // nothing is written to the state
				r.deps.NodeLimits = nodestore.Limits{FreezeTxns: 1 << 30, FreezeBytes: 1 << 40, FreezeAge: time.Hour}
				r.open()
			}
			g.awaitServing(0)
			leader, _ := g.leader()
			g.rigs[leader].connect().createPages("/p", pages(300, 1000))
			g.same() // all logs end alike, so the greatest id leads
			crashAll := func() {
				for i := range g.rigs {
					g.net.isolate(i, true)
				}
				for i, r := range g.rigs {
					g.crash(i)
					g.rigs[i].deps.NodeLimits = r.deps.NodeLimits
				}
			}
			crashAll()
			for i := range g.rigs { // a start makes tables of the write-ahead logs
				g.rigs[i].open()
			}
			for i := range g.rigs {
				g.awaitServing(i)
			}
			crashAll()
			damaged := map[string]int{"leader": 2, "follower": 0}[role]
			spoil(t, g.rigs[damaged].fs, logDir, largeTable, map[string]bool{})
			g.rigs[damaged].open()
			end := g.end(damaged)
			g.rigs[1].open()
			if role == "follower" {
				g.rigs[2].open()
			}
			await(t, "the end", func() bool {
				if g.serving(damaged) {
					t.Fatal("a server whose log can't be read serves")
				}
				return len(end) > 0
			})
			if role == "leader" {
				g.rigs[0].open()
			}
			g.rejoinsWithoutVote(t, damaged, g.losesMemory(t, damaged, end, logDir))
		})
	}
}

// TestDamagedNode: a node that is not in memory can't be read, for a client's read and for a write, on the leader and
// on a follower. Every answer there is is a right one.
func TestDamagedNode(t *testing.T) {
	const n = 1000
	for _, role := range []string{"leader", "follower"} {
		for _, op := range []jute.OpCode{jute.OpGetData, jute.OpSetData} {
			t.Run(role+" "+op.String(), func(t *testing.T) {
				g := newGroup(t, 3, 0)
				for _, r := range g.rigs {
					r.deps.Cold = true
					r.open()
				}
				g.awaitServing(0)
				at, _ := g.leader()
				data := pages(n, 300)
				g.rigs[at].connect().createPages("/p", data)
				g.restartAll(0, 1, 2)
				leader, followers := g.leader()
				damaged := leader
				if role == "follower" {
					damaged = followers[0]
				}
				c := g.rigs[damaged].connect()
				if op == jute.OpSetData {
					c = g.rigs[leader].connect()
				}
				end := g.end(damaged)
				spoil(t, g.rigs[damaged].fs, stateDir, largeTable, map[string]bool{})
				cutAt := -1
				for i := range n {
					path := fmt.Sprintf("/p/n%04d", i)
					body := read(path, false)
					if op == jute.OpSetData {
						body = setData(path, "new", 0)
					}
					if len(end) > 0 && damaged == leader {
						cutAt = i
						break
					}
					rep, err := c.try(op, body)
					if err != nil {
						cutAt = i
						break
					}
					d := jute.NewDecoder(rep.body, 0)
					if rep.Err != jute.CodeOk || op == jute.OpGetData && string(d.Buffer()) != data[i] {
						t.Fatalf("%v of node %d: %v", op, i, rep.Err)
					}
				}
				if others := op == jute.OpSetData && role == "follower"; (cutAt < 0) != others {
					t.Errorf("the client was cut off at node %d", cutAt)
				}
				_ = c.nc.Close() // as the process would
				g.rejoins(t, damaged, g.losesMemory(t, damaged, end, stateDir))
				if op == jute.OpSetData { // what was answered is there
					last := cutAt
					if last < 0 {
						last = n
					}
					d := g.rigs[damaged].connect()
					for i := range last {
						if st, code := d.stat(fmt.Sprintf("/p/n%04d", i)); code != jute.CodeOk || st.Version != 1 {
							t.Fatalf("write %d of %d is lost: %v at version %d", i, last, code, st.Version)
						}
					}
				}
			})
		}
	}
}

// TestDamageInTheBackground: a compaction of the state meets the damage.
func TestDamageInTheBackground(t *testing.T) {
	for _, role := range []string{"leader", "follower"} {
		t.Run(role, func(t *testing.T) {
			g := newGroup(t, 3, 0)
			for _, r := range g.rigs {
				r.deps.NodeLimits = nodestore.Limits{FreezeTxns: 5, FreezeBytes: 1 << 20, FreezeAge: 5 * time.Millisecond}
				r.deps.StateOptions.FlushTxns = 10
				r.open()
			}
			g.awaitServing(0)
			leader, followers := g.leader()
			damaged, at := leader, followers[0]
			if role == "follower" {
				damaged, at = followers[0], leader
			}
			end := g.end(damaged)
			c := g.rigs[at].connect()
			spoilt := map[string]bool{}
			data := pages(12, 1000)
			for k := 0; len(end) == 0 && k < 1000; k++ {
				spoil(t, g.rigs[damaged].fs, stateDir, 1, spoilt)
				if _, err := c.try(jute.OpCreate, create(fmt.Sprint("/w", k), "", 0)); err != nil {
					break // its leader has ended
				}
				for i := range data {
					c.send(jute.OpCreate, create(fmt.Sprintf("/w%d/n%d", k, i), data[i], 0))
				}
				for range data {
					if _, err := c.recv(); err != nil {
						break
					}
				}
			}
			_ = c.nc.Close()
			g.rejoins(t, damaged, g.losesMemory(t, damaged, end, stateDir))
		})
	}
}
