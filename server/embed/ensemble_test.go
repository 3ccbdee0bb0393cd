package embed_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"zk/jute"
)

// TestEnsembleServes has clients on a leader, two followers and an observer: what one writes the others read
// after a sync, errors come back with their codes, events arrive, and all trees are the same.
func TestEnsembleServes(t *testing.T) {
	g := startGroup(t, 3, 1)
	var clients []*client
	for _, r := range g.rigs {
		clients = append(clients, r.connect())
	}
	clients[0].ok(jute.OpCreate, create("/base", "", 0))
	for i, c := range clients {
		c.ok(jute.OpSync, onePath("/"))
		c.ok(jute.OpGetChildren, read("/base", true))
		path := fmt.Sprintf("/base/n%d", i)
		c.ok(jute.OpCreate, create(path, "one", 0))
		if ev, err := c.awaitEvent(); err != nil || ev.Type != jute.EventNodeChildrenChanged {
			t.Errorf("server %d: event %+v, %v", i+1, ev, err)
		}
		c.ok(jute.OpSetData, setData(path, "two", 0))
		if got := string(c.ok(jute.OpGetData, read(path, false)).Buffer()); got != "two" {
			t.Errorf("server %d reads %q after its own write", i+1, got)
		}
		for _, tt := range []struct {
			op   jute.OpCode
			body []byte
			want jute.Code
		}{
			{jute.OpCreate, create(path, "", 0), jute.CodeNodeExists},
			{jute.OpCreate, create("/none/n", "", 0), jute.CodeNoNode},
			{jute.OpSetData, setData(path, "", 7), jute.CodeBadVersion},
			{jute.OpDelete, remove("/base"), jute.CodeNotEmpty},
			{jute.OpCreate, create("bad", "", 0), jute.CodeBadArguments},
		} {
			if rep := c.call(tt.op, tt.body); rep.Err != tt.want {
				t.Errorf("server %d: %v answers %v, want %v", i+1, tt.op, rep.Err, tt.want)
			}
		}
		c.ok(jute.OpMulti, multi(part{jute.OpCreate, create(path+"/m", "", 0)}, part{jute.OpSetData, setData(path, "three", 1)}))
		if rep := c.call(jute.OpMulti, multi(part{jute.OpCreate, create(path+"/x", "", 0)}, part{jute.OpDelete, remove("/none")})); rep.Err != jute.CodeOk {
			t.Errorf("server %d: a multi that fails answers %v", i+1, rep.Err)
		}
		c.ok(jute.OpCreate, create("/base/seq-", "", jute.FlagEphemeralSequential))
	}
	for i, c := range clients {
		d := c.ok(jute.OpGetData, read("/zookeeper/config", false))
		text := string(d.Buffer())
		var st jute.Stat
		st.Decode(d)
		const want = "server.1=server1:2888:3888:participant\nserver.2=server2:2888:3888:participant\nserver.3=server3:2888:3888:participant\nserver.4=server4:2888:3888:observer\nversion=0"
		if text != want || st.Version != -1 || st.Mzxid != 0 {
			t.Errorf("server %d: /zookeeper/config is %q, %+v", i+1, text, st)
		}
	}
	g.same()
	for _, c := range clients[1:] {
		if rep := c.call(jute.OpCloseSession, nil); rep.Err != jute.CodeOk {
			t.Error("closeSession:", rep.Err)
		}
	}
	clients[0].ok(jute.OpSync, onePath("/"))
	names := clients[0].ok(jute.OpGetChildren, read("/base", false)).Strings()
	if n := strings.Count(strings.Join(names, " "), "seq-"); n != 1 {
		t.Errorf("%d ephemerals when one session is left: %q", n, names)
	}
	g.same()
}

// TestEnsemblePipelines sends reads and writes through a follower without waiting: replies in order, each read
// after the writes before it.
func TestEnsemblePipelines(t *testing.T) {
	g := startGroup(t, 3, 0)
	_, followers := g.leader()
	together(4, func(k int) {
		c := g.rigs[followers[k%2]].connect()
		path := fmt.Sprintf("/p%d", k)
		c.ok(jute.OpCreate, create(path, "", 0))
		const n = 300
		var b []byte
		for i := range n {
			b = append(b, c.request(jute.OpSetData, setData(path, fmt.Sprint(i), int32(i)))...)
			b = append(b, c.request(jute.OpGetData, read(path, false))...)
			if i%50 == 0 {
				b = append(b, c.request(jute.OpSync, onePath(path))...)
			}
		}
		go func() { _, _ = c.nc.Write(b) }()
		xid := c.xid - 2*n - n/50
		for i := range n {
			for part := range 3 {
				if part == 2 && i%50 != 0 {
					continue
				}
				xid++
				rep, err := c.recv()
				if err != nil || rep.Xid != xid || rep.Err != jute.CodeOk {
					t.Errorf("client %d: %+v, %v; want the reply to %d", k, rep.ReplyHeader, err, xid)
					return
				}
				d := jute.NewDecoder(rep.body, 0)
				if part == 1 {
					if got := string(d.Buffer()); got != fmt.Sprint(i) {
						t.Errorf("client %d reads %s after it wrote %d", k, got, i)
					}
				}
			}
		}
	})
	g.same()
}

// TestSessionMoves takes a session from server to server: the leader is asked, the connection before loses it,
// and its writes end it. A wrong password and an unknown session are refused everywhere.
func TestSessionMoves(t *testing.T) {
	g := startGroup(t, 3, 1)
	leader, followers := g.leader()
	order := []int{followers[0], followers[1], leader, 3, followers[0], leader, followers[1]}
	c := g.rigs[order[0]].connect()
	c.ok(jute.OpCreate, create("/mine", "", jute.FlagEphemeral))
	for _, at := range order[1:] {
		next, ok := g.rigs[at].renew(c)
		if !ok || next.sid != c.sid {
			t.Fatalf("server %d does not take the session", at+1)
		}
		next.ok(jute.OpSetData, setData("/mine", "x", -1))
		if rep, err := c.try(jute.OpSetData, setData("/mine", "stale", -1)); err == nil {
			t.Errorf("the connection before is answered %v", rep.Err)
		}
		if got := string(next.ok(jute.OpGetData, read("/mine", false)).Buffer()); got != "x" {
			t.Errorf("a write of the connection before came through: %q", got)
		}
		c = next
	}
	for at := range g.rigs {
		wrong := &client{t: t, nc: g.rigs[at].dial(), sid: c.sid, passwd: make([]byte, 16)}
		if err := wrong.login(10000); err != nil || wrong.sid != 0 {
			t.Errorf("server %d: wrong password: session %v, %v", at+1, wrong.sid, err)
		}
		_ = wrong.nc.Close()
	}
	c.ok(jute.OpCloseSession, nil)
	for at := range g.rigs {
		if _, ok := g.rigs[at].renew(c); ok {
			t.Errorf("server %d takes a session that was closed", at+1)
		}
	}
	g.same()
}

// TestMovedXids: a client that goes to another server with writes on their way, and numbers its requests from 1
// there, gets the answers to these, and not to the ones with the same numbers that it left behind.
func TestMovedXids(t *testing.T) {
	g := startGroup(t, 3, 1)
	leader, followers := g.leader()
	const left, moves = 100, 12
	order := []int{followers[0], followers[1], 3, leader, 3, followers[0]}
	c := g.rigs[order[0]].connect()
	for move := range moves {
		var b []byte
		for i := range left {
			b = append(b, c.request(jute.OpCreate, create(fmt.Sprintf("/left%d-%d", move, i), "", 0))...)
		}
		if _, err := c.nc.Write(b); err != nil {
			t.Fatal(err)
		}
		at := order[(move+1)%len(order)]
		next, ok := g.rigs[at].renew(c)
		if !ok {
			t.Fatalf("server %d does not take the session", at+1)
		}
		for i := range left / 4 {
			path := fmt.Sprintf("/moved%d-%d", move, i)
			if got := next.ok(jute.OpCreate, create(path, "", 0)).String(); got != path {
				t.Fatalf("move %d to server %d: the answer to the create of %s says %s", move, at+1, path, got)
			}
		}
		c = next
	}
	g.same()
}

// TestEnsembleExpiry: silent clients of every server lose their sessions, which the leader alone ends; those that
// ping keep theirs, for longer than their timeout.
func TestEnsembleExpiry(t *testing.T) {
	g := startGroup(t, 3, 1, "tickTime=200")
	const timeout = 1500
	done, stopped := make(chan struct{}), make(chan error, len(g.rigs))
	var silent, alive []*client
	for i, r := range g.rigs {
		s, a := r.connectFor(timeout), r.connectFor(timeout)
		s.ok(jute.OpCreate, create(fmt.Sprintf("/silent%d", i), "", jute.FlagEphemeral))
		a.ok(jute.OpCreate, create(fmt.Sprintf("/alive%d", i), "", jute.FlagEphemeral))
		silent, alive = append(silent, s), append(alive, a)
		go func() {
			tick := time.NewTicker(timeout / 6 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-done:
					stopped <- nil
					return
				case <-tick.C:
					if _, err := a.try(jute.OpPing, nil); err != nil {
						stopped <- fmt.Errorf("server %d: ping: %w", i+1, err)
						return
					}
				}
			}
		}()
	}
	for i, c := range silent {
		if err := c.gone(); err != nil {
			t.Errorf("server %d: %v", i+1, err)
		}
	}
	time.Sleep(timeout * time.Millisecond) // by now those that ping have outlived their timeout twice
	close(done)
	for range alive {
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	}
	for i := range g.rigs {
		c := g.rigs[i].connect()
		c.ok(jute.OpSync, onePath("/"))
		names := strings.Join(c.ok(jute.OpGetChildren, read("/", false)).Strings(), " ")
		if strings.Contains(names, "silent") || strings.Count(names, "alive") != len(alive) {
			t.Errorf("server %d has %s", i+1, names)
		}
	}
	leader, _ := g.leader()
	for i := range g.rigs {
		n := g.rigs[i].node.Metrics().StaleSessionsExpired.Value()
		if (n > 0) != (i == leader) {
			t.Errorf("server %d expired %d sessions; the leader is %d", i+1, n, leader+1)
		}
	}
	g.same()
}

// TestLeaderLost crashes the leader: all clients are cut off, the others go on without it, every write that was
// acknowledged is there, and the one that comes back catches up.
func TestLeaderLost(t *testing.T) {
	g := startGroup(t, 3, 0)
	for round := range 3 {
		leader, followers := g.leader()
		c := g.rigs[followers[0]].connect()
		idle := g.rigs[followers[1]].connect()
		for i := range 20 {
			c.ok(jute.OpCreate, create(fmt.Sprintf("/r%d-%d", round, i), "x", 0))
		}
		g.crash(leader)
		if err := idle.gone(); err != nil {
			t.Error("a client of a follower that lost its leader:", err)
		}
		next, _ := g.leader()
		d, ok := g.rigs[next].renew(c)
		if !ok {
			t.Fatal("the session has not survived the leader")
		}
		for i := range 20 {
			if _, code := d.stat(fmt.Sprintf("/r%d-%d", round, i)); code != jute.CodeOk {
				t.Errorf("round %d: write %d is lost: %v", round, i, code)
			}
		}
		d.ok(jute.OpCreate, create(fmt.Sprintf("/r%d-after", round), "", 0))
		g.rigs[leader].open()
		g.awaitServing(leader)
	}
	g.same()
}

// TestNoQuorum: a server without a quorum refuses clients and answers operators as one that does not serve.
func TestNoQuorum(t *testing.T) {
	g := startGroup(t, 3, 0)
	leader, followers := g.leader()
	c := g.rigs[leader].connect()
	for _, i := range followers {
		g.crash(i)
	}
	if err := c.gone(); err != nil {
		t.Error(err)
	}
	r := g.rigs[leader]
	const refused = "This ZooKeeper instance is not currently serving requests\n"
	await(t, "the words of a server that looks for a leader", func() bool { return r.word("srvr") == refused })
	for word, want := range map[string]string{"ruok": "imok", "isro": "null", "mntr": refused, "conf": refused} {
		if got := r.word(word); got != want {
			t.Errorf("%s answers %q, want %q", word, got, want)
		}
	}
	d := &client{t: t, nc: r.dial()}
	if err := d.login(10000); err == nil {
		t.Error("a server without a quorum takes a client")
	}
	for _, i := range followers {
		g.rigs[i].open()
	}
	g.same()
}

// TestAllCrash crashes all servers at once, more than once: what was acknowledged is there afterwards.
func TestAllCrash(t *testing.T) {
	g := startGroup(t, 3, 0)
	n := 0
	for range 3 {
		for i := range g.rigs {
			c := g.rigs[i].connect()
			for range 15 {
				c.ok(jute.OpCreate, create(fmt.Sprintf("/n%d", n), "x", 0))
				n++
			}
		}
		for i := range g.rigs {
			g.net.isolate(i, true)
		}
		for i := range g.rigs {
			g.crash(i)
		}
		for i := range g.rigs {
			g.rigs[i].open()
		}
		for i := range g.rigs {
			g.awaitServing(i)
		}
	}
	c := g.rigs[0].connect()
	c.ok(jute.OpSync, onePath("/"))
	for i := range n {
		if _, code := c.stat(fmt.Sprintf("/n%d", i)); code != jute.CodeOk {
			t.Errorf("write %d is lost: %v", i, code)
		}
	}
	g.same()
}

// TestLeaderServesNot: with leaderServes=no the leader takes no clients, and the others do.
func TestLeaderServesNot(t *testing.T) {
	g := newGroup(t, 3, 0, "leaderServes=no")
	for i := range g.rigs {
		g.rigs[i].open()
	}
	serving := func() (n int) {
		for i := range g.rigs {
			if g.serving(i) {
				n++
			}
		}
		return n
	}
	await(t, "two servers serve", func() bool { return serving() == 2 })
	for i := range g.rigs {
		c := &client{t: t, nc: g.rigs[i].dial()}
		err := c.login(10000)
		if served := g.serving(i); (err == nil) != served {
			t.Errorf("server %d: login %v, words served %v", i+1, err, served)
		}
		if err == nil {
			c.ok(jute.OpCreate, create(fmt.Sprintf("/n%d", i), "", 0))
		}
		_ = c.nc.Close()
	}
}

// TestSessionTooLarge: a session gets no more ephemerals than one closeSession can name that every server can read.
// Others go on, what is refused is counted, and the session can be closed.
func TestSessionTooLarge(t *testing.T) {
	g := startGroup(t, 3, 0, "jute.maxbuffer=2000", "jute.maxbuffer.extrasize=2000")
	_, followers := g.leader()
	c, other := g.rigs[followers[0]].connect(), g.rigs[followers[1]].connect()
	c.ok(jute.OpCreate, create("/e", "", 0))
	made, refused := 0, 0
	for i := range 60 {
		switch rep := c.call(jute.OpCreate, create(fmt.Sprintf("/e/%0100d", i), "", jute.FlagEphemeral)); rep.Err {
		case jute.CodeOk:
			made++
		case jute.CodeQuotaExceeded:
			refused++
		default:
			t.Fatal(rep.Err)
		}
	}
	if limit := (2000 + 2000 - 128) / (4 + 103); made != limit || made+refused != 60 {
		t.Errorf("%d made, %d refused; %d fit", made, refused, limit)
	}
	c.ok(jute.OpCreate, create("/e/plain", "", 0))
	c.ok(jute.OpDelete, remove(fmt.Sprintf("/e/%0100d", 0)))
	await(t, "room for another one", func() bool { // when the leader has applied the delete
		return c.call(jute.OpCreate, create(fmt.Sprintf("/e/%0100d", 100), "", jute.FlagEphemeral)).Err == jute.CodeOk
	})
	other.ok(jute.OpCreate, create("/e/other", "", jute.FlagEphemeral))
	leader, _ := g.leader()
	if n := g.rigs[leader].node.Metrics().EphemeralsRefused.Value(); n < int64(refused) {
		t.Errorf("%d counted, %d refused", n, refused)
	}
	c.ok(jute.OpCloseSession, nil)
	other.ok(jute.OpSync, onePath("/"))
	if names := other.ok(jute.OpGetChildren, read("/e", false)).Strings(); len(names) != 2 {
		t.Errorf("%d nodes are left", len(names))
	}
	g.same()
}
