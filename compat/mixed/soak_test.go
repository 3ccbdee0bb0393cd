package mixed

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"zk/compat/control"
	"zk/compat/harness"
)

// TestSoak goes on for SOAK_MINUTES: ensembles of random composition, to whose servers random things happen.
func TestSoak(t *testing.T) {
	control.Need(t)
	control.Seeds(t, random)
}

// random lets twenty things happen to one ensemble.
func random(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	compositions := []string{"jjg", "gjg", "ggg", "jgjG", "gjgJ"}
	letters := compositions[rng.IntN(len(compositions))]
	t.Logf("at first %s", letters)
	r := newRig(t, kinds(t, letters))
	holder := r.populate(r.e.Servers[0], 2000)
	defer holder.Close()
	for n := range 20 {
		if what := r.happen(rng); !t.Failed() {
			r.same(fmt.Sprintf("step %d, %s", n, what))
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	r.whole("at the end")
	r.finish()
}

// happen does something to one or all servers, waits until all serve again, and says what it was.
func (r *rig) happen(rng *rand.Rand) string {
	r.t.Helper()
	s := r.e.Servers[rng.IntN(len(r.e.Servers))]
	voter := r.e.Voters()[rng.IntN(3)]
	began := time.Now()
	what, was := "", s.Kind
	switch rng.IntN(8) {
	case 0:
		what = "killed"
		r.without(rng, s, func() {})
	case 1:
		what = "wiped"
		r.without(rng, s, func() { r.must(nil, s.Wipe()) })
	case 2, 3:
		what = "replaced"
		r.without(rng, s, func() { r.must(nil, s.Replace(1-s.Kind)) })
	case 4:
		what = "replaced, with an empty folder"
		r.without(rng, s, func() { r.must(nil, s.Wipe()); r.must(nil, s.Become(1-s.Kind)) })
	case 5:
		what, s = "made the leader", voter
		r.lead(s)
	case 6:
		what, s = "given a write that had to be cut", r.e.Leader()
		r.truncate(s)
	case 7:
		what = "stopped for a while, and then killed with all others"
		r.freeze(s)
		time.Sleep(time.Duration(rng.IntN(8)) * time.Second) // the syncLimit is 5 s
		s.Thaw()
		for _, one := range r.e.Servers {
			one.Kill()
		}
		r.e.StartAll()
	}
	what = fmt.Sprintf("server %d (%s) was %s", s.ID(), was, what)
	r.t.Logf("%s, %v", what, time.Since(began).Round(time.Millisecond))
	return what
}

// without takes a server away, in order or not, lets the others go on, does something with its folder, and lets it
// come back.
func (r *rig) without(rng *rand.Rand, s *harness.Server, do func()) {
	r.t.Helper()
	if rng.IntN(2) == 0 {
		s.Kill()
	} else if err := s.Stop(); err != nil {
		r.t.Fatal(err)
	}
	rest := r.othersVoting(s)
	r.e.Leader()
	r.write(rest[rng.IntN(len(rest))], 1+rng.IntN(200))
	do()
	r.launch(s)
	r.await(s)
}
