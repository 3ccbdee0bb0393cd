package ensemble

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/go-zookeeper/zk"

	"zk/compat/harness"
)

// TestRejoin starts a follower again that was killed a moment ago, and one whose folder is empty: the first gets
// what it has missed and no tree (DIFF), the second the tree (SNAP), since the others' logs don't go back to the
// beginning any more. Neither takes much memory for that.
func TestRejoin(t *testing.T) {
	needCompat(t)
	// Logs are cut short as soon as the state is on the disk, but for the last 500 transactions.
	e := harness.StartEnsemble(t, harness.EnsembleOptions{
		Members: members(harness.Ours, 3, 0), Common: harness.Options{Config: []string{"snapCount=2"}},
	})
	leader := e.Leader()
	follower := e.Others(leader)[0]
	c, err := connect(t.Context(), leader.Addr)
	if err != nil {
		t.Fatal(err)
	}
	create(t, c, "/small", 50)

	trees := leader.Figure("snap_count") // of a server that came late at the start
	follower.Kill()
	create(t, c, "/missed", 5)
	comeBack(t, follower)
	awaitNodes(t, follower, "/missed", 500)
	if now := leader.Figure("snap_count"); now != trees || now == "" {
		t.Errorf("the tree was sent: snap_count %q, before %q; the leader's log:\n%s", now, trees, leader.Log(16<<10))
	}

	for i := 0; !strings.Contains(leader.Log(64<<10), `"log purged"`); i++ {
		if i == 50 {
			t.Fatal("the leader's log is not purged")
		}
		large(t, c, i)
	}
	follower.Kill()
	if err := follower.Wipe(); err != nil {
		t.Fatal(err)
	}
	comeBack(t, follower)
	awaitNodes(t, follower, "/small", 5000)
	awaitNodes(t, follower, "/missed", 500)
	if now := leader.Figure("snap_count"); now == trees {
		t.Errorf("the tree was not sent: snap_count %q; the leader's log:\n%s", now, leader.Log(16<<10))
	}
	// The server itself, the tree, and a few times what it writes at once.
	const most = 256 << 20
	for _, s := range []*harness.Server{leader, follower} {
		if _, peak, err := s.RSS(); err != nil || peak > most {
			t.Errorf("server %d took %d MiB: %v", s.ID(), peak>>20, err)
		}
	}
}

// create makes a node with hundreds of children.
func create(t *testing.T, c *zk.Conn, parent string, hundreds int) {
	t.Helper()
	acl := zk.WorldACL(zk.PermAll)
	if _, err := c.Create(parent, nil, 0, acl); err != nil {
		t.Fatal(err)
	}
	data := bytes.Repeat([]byte("d"), 100)
	for i := range hundreds {
		ops := make([]any, 100)
		for k := range ops {
			ops[k] = &zk.CreateRequest{Path: fmt.Sprintf("%s/%d-%d", parent, i, k), Data: data, Acl: acl}
		}
		if _, err := c.Multi(ops...); err != nil {
			t.Fatal(err)
		}
	}
}

func comeBack(t *testing.T, s *harness.Server) {
	t.Helper()
	if err := s.Launch(); err != nil {
		t.Fatal(err)
	}
	if err := s.AwaitServing(); err != nil {
		t.Fatal(err)
	}
}

// awaitNodes looks for the children of a node on one server.
func awaitNodes(t *testing.T, s *harness.Server, parent string, n int) {
	t.Helper()
	c, err := connect(t.Context(), s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Sync("/"); err != nil {
		t.Fatal(err)
	}
	names, _, err := c.Children(parent)
	if err != nil || len(names) != n {
		t.Errorf("server %d has %d children of %s, want %d: %v", s.ID(), len(names), parent, n, err)
	}
}

// large makes some 10 MB of nodes in 640 transactions.
func large(t *testing.T, c *zk.Conn, round int) {
	t.Helper()
	data := bytes.Repeat([]byte("x"), 16000)
	var work sync.WaitGroup
	for k := range 16 {
		work.Go(func() {
			for i := range 40 {
				if _, err := c.Create(fmt.Sprintf("/large%d-%d-%d", round, k, i), data, 0, zk.WorldACL(zk.PermAll)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
	if t.Failed() {
		t.FailNow()
	}
}
