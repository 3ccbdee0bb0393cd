package embed_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"zk/jute"
	"zk/persistence"
	"zk/server/metrics"
)

// plenty and little are free bytes on the disks of these tests, of 1000 MiB with the mark at 20 MiB.
const plenty, little, nothing = 900 << 20, 20<<20 - 1, 1 << 20

// startSpaceGroup starts an ensemble whose servers' free space the test sets.
func startSpaceGroup(t *testing.T, voters, observers int, lines ...string) (g *group, free []atomic.Int64) {
	t.Helper()
	g = newGroup(t, voters, observers, append(lines, "zk.diskBallastBytes=0")...)
	free = make([]atomic.Int64, len(g.rigs))
	for i, r := range g.rigs {
		free[i].Store(plenty)
		r.deps.DiskUsage = func(string) (persistence.DiskUsage, error) {
			return persistence.DiskUsage{Free: free[i].Load(), Total: 1000 << 20}, nil
		}
		r.open()
	}
	for i := range g.rigs {
		g.awaitServing(i)
	}
	return g, free
}

// out tells whether a server stays out of its ensemble, by its metrics.
func (g *group) out(i int) bool {
	text := g.rigs[i].node.Metrics().AppendMntr(nil, metrics.FormDefault, time.Now())
	return strings.Contains(string(text), "zk_disk_space_out_of_quorum\t1\n")
}

// TestEnsembleDiskLow takes the room of the leader, of a follower and of an observer: it leaves, its clients go to
// the others, which go on; when there is room it comes back by itself and has everything.
func TestEnsembleDiskLow(t *testing.T) {
	g, free := startSpaceGroup(t, 3, 1)
	leader, followers := g.leader()
	for round, i := range []int{leader, followers[0], 3} {
		c := g.rigs[i].connect()
		c.ok(jute.OpCreate, create(fmt.Sprintf("/r%d", round), "one", 0))
		free[i].Store([]int64{little, nothing, little}[round])
		if err := c.gone(); err != nil {
			t.Errorf("a client of server %d: %v", i+1, err)
		}
		await(t, "the server to say that it is out", func() bool { return g.out(i) })
		const refused = "This ZooKeeper instance is not currently serving requests\n"
		if got := g.rigs[i].word("srvr"); got != refused {
			t.Errorf("server %d without room answers %q", i+1, got)
		}
		at, _ := g.leader()
		g.awaitServing(at)
		d, ok := g.rigs[at].renew(c)
		if !ok {
			t.Fatal("the session has not survived the move")
		}
		for n := range 20 {
			d.ok(jute.OpCreate, create(fmt.Sprintf("/r%d/n%d", round, n), "", 0))
		}
		if !g.out(i) {
			t.Errorf("server %d has come back without room", i+1)
		}
		free[i].Store(plenty)
		g.awaitServing(i)
		if g.out(i) {
			t.Errorf("server %d serves and says that it is out", i+1)
		}
		g.same()
	}
}

// TestEnsembleAllLow: without a quorum that has room one without serves: reads, sessions and their ends go on, writes
// are refused, also those of a server that has room again. When a quorum has, it takes over.
func TestEnsembleAllLow(t *testing.T) {
	g, free := startSpaceGroup(t, 3, 0, "tickTime=200", "syncLimit=10")
	leader, _ := g.leader()
	c := g.rigs[leader].connect()
	c.ok(jute.OpCreate, create("/a", "one", 0))
	c.ok(jute.OpCreate, create("/mine", "", jute.FlagEphemeral))
	for i := range free {
		free[i].Store(little)
	}
	if err := c.gone(); err != nil {
		t.Error(err)
	}
	// Two may be enough: the third stays out then.
	leader, followers := -1, []int(nil)
	await(t, "a quorum that serves though it has no room", func() bool {
		leader, followers = g.leader()
		return len(followers) > 0 && g.rigs[leader].word("isro") == "ro"
	})
	g.refusesWrites(leader)
	g.refusesWrites(followers[0])
	c, ok := g.rigs[leader].renew(c)
	if !ok {
		t.Fatal("the session is lost")
	}
	third := 3 - leader - followers[0]
	free[third].Store(plenty)
	await(t, "a server with room", func() bool { return g.rigs[third].word("isro") == "rw" })
	g.refusesWrites(third)
	if now, _ := g.leader(); now != leader {
		t.Errorf("server %d has taken over from %d without a quorum that has room", now+1, leader+1)
	}
	c.ok(jute.OpCloseSession, nil)
	free[followers[0]].Store(plenty)
	await(t, "writes at two servers", func() bool { // both are tried: the leader hears of their room by that
		a, b := g.takesWrites(third), g.takesWrites(followers[0])
		return a && b
	})
	await(t, "the leader without room to stay out", func() bool { return g.out(leader) })
	free[leader].Store(plenty)
	g.same()
	if d := g.rigs[leader].connect(); d.call(jute.OpExists, read("/mine", false)).Err != jute.CodeNoNode {
		t.Error("an ephemeral has outlived its session")
	}
}

// refusesWrites has a client at a server that serves, and whose ensemble has /a with the data "one".
func (g *group) refusesWrites(i int) {
	g.t.Helper()
	c := g.rigs[i].connect()
	for _, w := range []step{
		{0, jute.OpCreate, create("/b", "", 0)},
		{0, jute.OpSetData, setData("/a", "two", -1)},
		{0, jute.OpMulti, multi(part{jute.OpCreate, create("/b", "", 0)})},
	} {
		if rep := c.call(w.op, w.body); rep.Err != jute.CodeNotReadOnly {
			g.t.Errorf("server %d: %v answers %v", i+1, w.op, rep.Err)
		}
	}
	c.ok(jute.OpSync, onePath("/"))
	if got := string(c.ok(jute.OpGetData, read("/a", false)).Buffer()); got != "one" {
		g.t.Errorf("server %d reads %q", i+1, got)
	}
	c.ok(jute.OpCloseSession, nil)
}

// takesWrites tries one; the ensemble may be between two leaders.
func (g *group) takesWrites(i int) bool {
	c := &client{t: g.t, nc: g.rigs[i].dial()}
	defer func() { _ = c.nc.Close() }()
	if c.login(10000) != nil || c.sid == 0 {
		return false
	}
	rep, err := c.try(jute.OpSetData, setData("/a", "two", -1))
	return err == nil && rep.Err == jute.CodeOk
}
