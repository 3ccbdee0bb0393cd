package mixed

import (
	"fmt"
	"os"
	"testing"
	"time"

	"zk/compat/control"
	"zk/compat/harness"
)

// TestCompositions: whoever leads, whoever follows, all hold the same.
func TestCompositions(t *testing.T) {
	control.Need(t)
	for _, letters := range []string{"jjg", "gjg"} {
		if !only(letters) {
			continue
		}
		t.Run(letters, func(t *testing.T) { compose(t, letters) })
	}
	if letters := os.Getenv("ZK_COMPAT_KINDS"); letters != "" && letters != "jjg" && letters != "gjg" {
		compose(t, letters)
	}
}

func compose(t *testing.T, letters string) {
	r := newRig(t, kinds(t, letters))
	holder := r.populate(r.e.Servers[0], 2000)
	defer holder.Close()
	r.same("at first")
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
		s.Kill()
		r.write(leader, 50)
		r.launch(s)
		r.await(s)
		r.same(fmt.Sprintf("server %d (%s) has had a DIFF of server %d (%s)", s.ID(), s.Kind, leader.ID(), leader.Kind))
	}
	s := r.e.Others(leader)[r.moves%2]
	s.Kill()
	if err := s.Wipe(); err != nil {
		r.t.Fatal(err)
	}
	r.launch(s)
	r.await(s)
	r.same(fmt.Sprintf("server %d (%s) has had a SNAP of server %d (%s)", s.ID(), s.Kind, leader.ID(), leader.Kind))
	r.truncate(leader)
}

// truncate makes the leader write what nobody else gets, kills it, and lets it come back: the write is gone.
func (r *rig) truncate(leader *harness.Server) {
	r.t.Helper()
	others := r.e.Others(leader)
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
