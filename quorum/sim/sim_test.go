package sim

import (
	"fmt"
	"hash/fnv"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// What `make sim` sets.
const (
	seedVariable    = "SIM_SEED"     // one run, told in full
	seedsVariable   = "SIM_SEEDS"    // as many runs, from seed 0
	minutesVariable = "SOAK_MINUTES" // new seeds until they are over
)

// TestSim runs ensembles; how many, and which, is said by the environment. Without it: some hundred.
func TestSim(t *testing.T) {
	if text := os.Getenv(seedVariable); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", seedVariable, err)
		}
		replay(t, seed)
		return
	}
	first, seeds := uint64(0), uint64(300)
	var end time.Time
	switch {
	case os.Getenv(seedsVariable) != "":
		n, err := strconv.ParseUint(os.Getenv(seedsVariable), 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", seedsVariable, err)
		}
		seeds = n
	case os.Getenv(minutesVariable) != "":
		minutes, err := strconv.Atoi(os.Getenv(minutesVariable))
		if err != nil {
			t.Fatalf("%s: %v", minutesVariable, err)
		}
		end = time.Now().Add(time.Duration(minutes) * time.Minute)
		first, seeds = uint64(time.Now().UnixMilli()), 1<<62
	case testing.Short():
		seeds = 40
	}
	all := runSeeds(t, first, seeds, end)
	report(t, &all)
	enough(t, &all)
}

// runSeeds runs seeds on all processors, until there are no more, or time is up, or some have failed.
func runSeeds(t *testing.T, first, seeds uint64, end time.Time) (all Stats) {
	var (
		mu     sync.Mutex
		next   = first
		failed int
		work   sync.WaitGroup
	)
	take := func() (seed uint64, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		next++
		return next - 1, next-first <= seeds && failed < 5 && (end.IsZero() || time.Now().Before(end))
	}
	for range runtime.GOMAXPROCS(0) {
		work.Go(func() {
			for seed, ok := take(); ok; seed, ok = take() {
				r := Run(Options{Seed: seed})
				mu.Lock()
				all.Add(&r.Stats)
				if r.Violation != "" {
					failed++
				}
				mu.Unlock()
				if r.Violation != "" {
					t.Errorf("seed %d: %s\n%s\nagain: make sim SEED=%d\n%s", seed, r.Violation, r.Ensemble, seed, lastLines(seed, NoMutant, 40))
				}
			}
		})
	}
	work.Wait()
	return all
}

// replay runs one seed, with all that happens in it when it fails or is asked for with -v.
func replay(t *testing.T, seed uint64) {
	var lines []string
	r := Run(Options{Seed: seed, Trace: func(line string) { lines = append(lines, line) }})
	if testing.Verbose() {
		fmt.Println(strings.Join(lines, "\n"))
	}
	t.Log(r.Ensemble)
	report(t, &r.Stats)
	if r.Violation != "" {
		t.Errorf("seed %d: %s", seed, r.Violation)
	}
}

// lastLines is the end of a run's story, without the pings.
func lastLines(seed uint64, m Mutant, n int) string {
	var lines []string
	Run(Options{Seed: seed, Mutant: m, Trace: func(line string) {
		if !strings.Contains(line, "PING") {
			lines = append(lines, line)
		}
	}})
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// report prints what was run.
func report(t *testing.T, s *Stats) {
	var b strings.Builder
	total := 0
	for k := range faults {
		fmt.Fprintf(&b, ", %v %d", k, s.Faults[k])
		if k != faultPurge {
			total += s.Faults[k]
		}
	}
	fmt.Fprintf(&b, "\ncrashes at writes (before, written, durable):")
	for at := range points {
		fmt.Fprintf(&b, " %v %v;", at, s.Points[at])
	}
	t.Logf("%d runs, %.1f simulated hours, %d events, %d faults, %d crashes, %d terms, %d leader changes, %d transactions (%d acknowledged, %d in doubt), syncs by DIFF %d, TRUNC %d, SNAP %d; equal %v after the last fault at the latest\nfaults: %s",
		s.Runs, s.Virtual.Hours(), s.Events, total, s.Crashes, s.Terms, s.Changes, s.Txns, s.Acked, s.Maybe, s.Syncs[1], s.Syncs[2], s.Syncs[3], s.Converged, b.String()[2:])
}

// enough fails when runs have shown too little to count.
func enough(t *testing.T, s *Stats) {
	if s.Runs == 0 || s.Txns < 200*s.Runs || s.Changes < 3*s.Runs {
		t.Errorf("%d transactions and %d leader changes in %d runs: fewer than 200 and 3 each", s.Txns, s.Changes, s.Runs)
	}
	if s.Runs < 1000 {
		return
	}
	for k := range faults {
		if s.Faults[k] == 0 {
			t.Errorf("no fault of kind %v", k)
		}
	}
	for at := range points {
		for moment := range phases {
			// A snapshot is read, not written, and the state's batches arrive whole.
			can := moment == before || moment == durable && at != pointSnapshotBegin || at != pointSnapshotBegin && at != pointSnapshotEnd && at != pointStateFlush
			if can != (s.Points[at][moment] > 0) {
				t.Errorf("%d crashes at %v, %v", s.Points[at][moment], at, moment)
			}
		}
	}
}

// TestReplay: a seed is a run, event by event.
func TestReplay(t *testing.T) {
	for seed := range uint64(5) {
		story := func() uint64 {
			h := fnv.New64a()
			Run(Options{Seed: seed, Trace: func(line string) { _, _ = h.Write([]byte(line)) }})
			return h.Sum64()
		}
		if first, again := story(), story(); first != again {
			t.Errorf("seed %d: two runs differ", seed)
		}
	}
}

// TestMutants plants each bug and looks for a run in which a check fails. Most are seen within a dozen seeds. Two
// take crashes in a row and then an election that the wrong server wins, or that nobody can win; when this was
// written: "promise does not count" by seed 52, where an ensemble hangs at its first start, and "epoch before the
// transactions" by seed 223, where a server with a high epoch and a short history has a committed transaction
// cut from the logs of a majority.
//
// Bugs planted by hand in the cores were seen as well (the seed, before there was a lack of room): learners that are ahead of the leader accepted
// (42), an ACK of a lost memory that counts (2), nothing shared in a DIFF taken for committed (0), NEWLEADER before
// the history (1), proposals taken for history (1), an epoch older than the promise followed (570).
// Since then: a cut of what the leader has proposed in its own epoch (26).
func TestMutants(t *testing.T) {
	for m := NoMutant + 1; m < mutants; m++ {
		rare := m == MutantEpochEarly || m == MutantPromiseUncounted
		t.Run(strings.ReplaceAll(m.String(), " ", "-"), func(t *testing.T) {
			if rare && testing.Short() {
				t.Skip("takes hundreds of runs")
			}
			t.Parallel()
			const seeds = 3000
			for seed := range uint64(seeds) {
				if r := Run(Options{Seed: seed, Mutant: m}); r.Violation != "" {
					t.Logf("seed %d: %.200s", seed, r.Violation)
					return
				}
			}
			t.Errorf("not seen in %d runs", seeds)
		})
	}
}
