package mixed

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"zk/compat/control"
	"zk/compat/harness"
)

// TestCompositions: whoever leads, whoever follows, all hold the same.
func TestCompositions(t *testing.T) {
	control.Need(t)
	sizes := map[string]int{"jjg": 100_000, "gjg": 2000}
	if letters := os.Getenv("ZK_COMPAT_KINDS"); letters != "" {
		sizes = map[string]int{letters: 100_000}
	}
	for letters, size := range sizes {
		t.Run(letters, func(t *testing.T) { compose(t, letters, size) })
	}
}

func compose(t *testing.T, letters string, size int) {
	r := newRig(t, kinds(t, letters))
	holder := r.populate(r.e.Servers[0], size)
	defer holder.Close()
	r.whole("at first")
	for _, s := range r.e.Servers {
		r.lead(s)
		r.same(fmt.Sprintf("server %d (%s) leads", s.ID(), s.Kind))
		r.syncs(s)
	}
	r.finish()
}

// syncs brings every other server up to date in each way, with one leader.
func (r *rig) syncs(leader *harness.Server) {
	r.t.Helper()
	for _, s := range r.e.Others(leader) {
		r.diff(leader, s)
	}
	r.snap(leader, r.e.Others(leader)[r.moves%2])
	r.truncate(leader)
}

// diff stops a server, and lets the leader send it what it has missed.
func (r *rig) diff(leader, s *harness.Server) {
	r.t.Helper()
	s.Kill()
	r.write(leader, 50)
	r.synced(leader, s, "diff_count")
	r.same(fmt.Sprintf("server %d (%s) has had a DIFF of server %d (%s)", s.ID(), s.Kind, leader.ID(), leader.Kind))
}

// snap wipes a server's disk, and lets the leader send it everything.
func (r *rig) snap(leader, s *harness.Server) {
	r.t.Helper()
	s.Kill()
	if err := s.Wipe(); err != nil {
		r.t.Fatal(err)
	}
	r.synced(leader, s, "snap_count")
	r.whole(fmt.Sprintf("server %d (%s) has had a SNAP of server %d (%s)", s.ID(), s.Kind, leader.ID(), leader.Kind))
}

// synced starts a server, and looks whether the leader has brought it up to date in the way that its figure counts.
func (r *rig) synced(leader, s *harness.Server, figure string) {
	r.t.Helper()
	count := func() int {
		n, err := strconv.Atoi(leader.Figure(figure))
		if err != nil {
			r.t.Fatalf("server %d (%s): %s: %v", leader.ID(), leader.Kind, figure, err)
		}
		return n
	}
	before := count()
	r.launch(s)
	r.await(s)
	if n := count() - before; n < 1 {
		r.t.Errorf("server %d (%s) has joined server %d (%s), whose %s has grown by %d", s.ID(), s.Kind, leader.ID(), leader.Kind, figure, n)
	}
}

// truncate makes the leader write what nobody else gets, kills it, and lets it come back: the write is gone.
func (r *rig) truncate(leader *harness.Server) {
	r.t.Helper()
	others := r.othersVoting(leader)
	c := r.connect(leader)
	for _, s := range others {
		r.freeze(s)
	}
	answer := make(chan error, 1)
	go func() { // ends with the connection
		_, err := c.Create("/ghost", []byte("of "+leader.Kind.String()), 0, open())
		answer <- err
	}()
	select {
	case err := <-answer:
		r.t.Errorf("a write without a quorum was answered: %v", err)
	case <-time.After(time.Second): // on the leader's disk by now
	}
	for _, s := range others {
		s.Kill() // with what has reached their sockets
	}
	leader.Kill()
	c.Close()
	for _, s := range others {
		r.launch(s)
	}
	r.awaitQuorum(others[0], others[1])
	r.write(others[0], 20)
	r.launch(leader)
	r.await(leader)
	r.same(fmt.Sprintf("server %d (%s) had to cut its log", leader.ID(), leader.Kind))
	back := r.connect(leader)
	defer back.Close()
	if found, _, err := back.Exists("/ghost"); err != nil || found {
		r.t.Errorf("server %d (%s): the write of a lost term is there: %v %v", leader.ID(), leader.Kind, found, err)
	}
}
