package rolling

import (
	"math/rand/v2"
	"testing"
	"time"

	"zk/compat/control"
	"zk/compat/harness"
)

// TestSoak goes on for SOAK_MINUTES: servers are replaced, killed, wiped and made to hand over the lead in random
// order, one at a time, while the clients work.
func TestSoak(t *testing.T) {
	control.Need(t)
	control.Seeds(t, random)
}

// random lets fifteen things happen to one ensemble and its clients.
func random(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	first := harness.Kind(rng.IntN(2))
	t.Logf("at first all are %s", first)
	roll(t, harness.MemberOptions{Kind: first}, func(r *run) {
		for n := range 15 {
			r.happen(n, rng)
		}
	})
}

// happen stops or kills one server, the leader more often than the others, and lets it come back: as what it was or
// as the other kind, with its folder or an empty one.
func (r *run) happen(n int, rng *rand.Rand) {
	r.t.Helper()
	s := r.e.Servers[rng.IntN(3)]
	if rng.IntN(3) == 0 {
		s = r.e.Leader()
	}
	kind, w, end := s.Kind, keep, "stopped"
	if rng.IntN(2) == 0 {
		kind = 1 - kind
	}
	if rng.IntN(4) == 0 {
		w = empty
	}
	if rng.IntN(2) == 0 {
		end = "killed"
	}
	r.t.Logf("step %d: server %d (%s, %s) is %s", n, s.ID(), s.Kind, s.Mode(), end)
	if end == "killed" {
		s.Kill()
	} else if err := s.Stop(); err != nil {
		r.t.Fatal(err)
	}
	r.e.Leader()                                                 // none comes back with nothing before the others have one that knows everything
	time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond) // of the clients' work
	r.comeBack(s, kind, w)
}
