package diff

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"zk/compat/control"
	"zk/compat/harness"
	"zk/jute"
)

const (
	// seedsEnv is a range of seeds, "100-400", or one, instead of those of CI.
	seedsEnv = "DIFF_SEEDS"
	// shrinkEnv set to 0 reports a difference as it was met: for planted bugs, of which only the catch counts.
	shrinkEnv = "DIFF_SHRINK"
)

// What CI runs, and how long a run is.
const (
	seedsInCI   = 6
	actionsEach = 1500
	restartEach = 2
	shrinkTime  = 3 * time.Minute
)

// randomOptions are the settings of random runs. The cleaner, which takes zxids at times of its own, is
// off, and so are limits that depend on time.
func randomOptions() harness.Options {
	return harness.Options{
		Config: []string{
			"tickTime=200", "maxSessionTimeout=3600000", "4lw.commands.whitelist=*", "maxClientCnxns=0", "extendedTypesEnabled=true", "enforceQuota=true",
			"DigestAuthenticationProvider.superDigest=" + superDigest,
		},
		Props: []string{"znode.container.checkIntervalMs=86400000"},
		Ready: harness.ReadyFourLetter,
	}
}

// pair is the two servers that runs are compared on.
type pair struct {
	servers [2]*harness.Server
	tries   int
	cover   coverage
}

func startPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{cover: coverage{}}
	var errs [2]error
	var wg sync.WaitGroup
	for i, kind := range []harness.Kind{harness.Java, secondKind()} {
		wg.Go(func() { p.servers[i], errs[i] = harness.Start(t, kind, randomOptions()) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// renew starts both servers again with nothing in them: after a difference they may stay different.
func (p *pair) renew(t *testing.T) {
	t.Helper()
	var wg sync.WaitGroup
	for _, srv := range p.servers {
		wg.Go(func() {
			srv.Kill()
			if err := os.RemoveAll(filepath.Join(srv.Dir, "data")); err != nil {
				t.Error(err)
			}
			if err := srv.Restart(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// run plays actions below a fresh root on both servers. failed says that they differ, first is the
// action after which they do.
func (p *pair) run(as []action) (runs [2]*script, first int, failed bool) {
	p.tries++
	var wg sync.WaitGroup
	var covers [2]coverage
	for i, srv := range p.servers {
		wg.Go(func() { runs[i], covers[i] = playOn(srv, fmt.Sprintf("/random-%d", p.tries), as) })
	}
	wg.Wait()
	for i := range max(len(runs[0].steps), len(runs[1].steps)) {
		a, b := at(runs[0].steps, i), at(runs[1].steps, i)
		if !same(a, b) {
			return runs, max(a.action, b.action), true
		}
	}
	if len(runs[0].problems)+len(runs[1].problems) > 0 {
		return runs, len(as), true
	}
	p.cover.add(covers[0])
	return runs, 0, false
}

// playOn plays actions on one server, which is started again if the run before has ended it.
func playOn(srv *harness.Server, root string, as []action) (*script, coverage) {
	s := newScript(srv.Addr, root, srv.Kind == harness.Ours)
	s.server = srv
	p := newPlayer(s)
	func() {
		defer s.finish()
		defer func() {
			if e := recover(); e != nil && e != errStop {
				panic(e)
			}
		}()
		if _, err := harness.FourLetter(srv.Addr, "ruok"); err != nil {
			srv.Kill()
			if err := srv.Restart(); err != nil {
				s.stop("restart: %v", err)
			}
		}
		c := s.conn("setup")
		c.quiet(create(root, 0))
		c.end()
		s.steps = nil
		s.base = s.lastZxid()
		p.play(as)
	}()
	defer func() { _ = recover() }() // a server that is gone has nothing to sweep
	n := len(s.steps)
	p.sweep()
	s.steps = s.steps[:n]
	return s, p.cover
}

// check runs a seed and reports a difference with the shortest case that shows it.
func (p *pair) check(t *testing.T, seed uint64) {
	t.Helper()
	as := generate(seed, actionsEach, restartEach)
	runs, first, failed := p.run(as)
	if !failed {
		return
	}
	t.Errorf("seed %d differs; replay it with ZK_COMPAT=1 %s=%d go test -run TestRandom ./compat/diff", seed, seedsEnv, seed)
	p.renew(t)
	if os.Getenv(shrinkEnv) == "0" {
		compare(t, runs[0], runs[1], secondKind())
		return
	}
	deadline := time.Now().Add(shrinkTime)
	fails := func(as []action) bool {
		again, _, failed := p.run(as)
		if failed {
			runs = again
			p.renew(t)
		}
		return failed
	}
	short := as
	if head := as[:min(len(as), first+1)]; fails(head) {
		short = head
	}
	short = shrink(short, deadline, fails)
	t.Logf("%d of %d actions show a difference, as a case:\n%s", len(short), len(as), caseSource(fmt.Sprintf("found/seed-%d", seed), short))
	compare(t, runs[0], runs[1], secondKind())
}

// TestRandom plays the fixed seeds, or those of DIFF_SEEDS, and states what they must have met.
func TestRandom(t *testing.T) {
	if os.Getenv(harness.EnableEnv) != "1" {
		t.Skipf("needs Java, Maven and minutes; switch on with %s=1", harness.EnableEnv)
	}
	t.Parallel()
	from, to, given := seedRange()
	p := startPair(t)
	for seed := from; seed <= to && !t.Failed(); seed++ {
		p.check(t, seed)
	}
	t.Logf("what happened on Java:\n%s", p.cover.text())
	if given || t.Failed() {
		return
	}
	for what, least := range reached() {
		if p.cover[what] < least {
			t.Errorf("the seeds reach %q %d times, want %d: they prove less than they should", what, p.cover[what], least)
		}
	}
}

func seedRange() (from, to uint64, given bool) {
	first, last, isRange := strings.Cut(os.Getenv(seedsEnv), "-")
	if !isRange {
		last = first
	}
	from, errA := strconv.ParseUint(first, 10, 63)
	to, errB := strconv.ParseUint(last, 10, 63)
	if errA != nil || errB != nil {
		return 1, seedsInCI, false
	}
	return from, to, true
}

// TestSoakRandom plays new seeds for SOAK_MINUTES, or until one fails.
func TestSoakRandom(t *testing.T) {
	control.Need(t)
	end := time.Now().Add(control.Soak(t))
	seed := uint64(time.Now().UnixMilli())
	t.Logf("seeds from %d", seed)
	p := startPair(t)
	n := 0
	for ; time.Now().Before(end) && !t.Failed(); n++ {
		p.check(t, seed+uint64(n))
	}
	t.Logf("%d seeds; what happened on Java:\n%s", n, p.cover.text())
}

// randomCases are sequences of mangled requests.
func randomCases() []testCase {
	var cases []testCase
	for seed := uint64(1); seed <= 6; seed++ {
		cases = append(cases, testCase{fmt.Sprintf("random/bytes-%d", seed), func(s *script) { randomBytes(s, seed) }})
	}
	return cases
}

// randomBytes sends requests with bytes changed, cut and added.
func randomBytes(s *script, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 2))
	g := newGenerator(seed)
	c := s.conn("a")
	for range 150 {
		o := g.operation("a")
		if o.op == jute.OpAuth {
			continue // a broken one costs the connection; see auth/decode
		}
		g.w.apply("a", o)
		// Only the present is safe to ask for: catch-up events pass our READ filter, not Java's.
		o.lists = watchLists{persistent: o.lists.persistent, recursive: o.lists.recursive}
		q := o.req(s, 1<<61)
		q.body = slices.Clone(q.body)
		for range 1 + r.IntN(3) {
			switch {
			case len(q.body) == 0 || r.IntN(5) == 0:
				q.body = append(q.body, byte(r.IntN(256)))
			case r.IntN(4) == 0:
				q.body = q.body[:r.IntN(len(q.body))]
			default:
				q.body[r.IntN(len(q.body))] = []byte{0, 1, 0x7f, 0xff, '/', '.', byte(r.IntN(128))}[r.IntN(7)]
			}
		}
		q.text = fmt.Sprintf("%v with body %x", q.op, q.body)
		s.edge(func() { c.call(q) })
	}
	c.look(allChildren(s.root))
	c.endAnyOrder()
}
