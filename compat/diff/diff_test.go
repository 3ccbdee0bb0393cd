package diff

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"zk/compat/harness"
)

// secondEnv set to "java" makes the second server Java too, to prove that the cases are deterministic.
const secondEnv = "DIFF_SECOND"

// printEnv set to anything prints the transcript of every case as Java gave it.
const printEnv = "DIFF_PRINT"

// group is a set of cases that need the same settings.
type group struct {
	name  string
	opts  harness.Options
	cases []testCase
	// cleanup is sent on a renewed session before it is closed, where closing needs an identity.
	cleanup []req
	// saslCleanup authenticates with SASL for the same purpose.
	saslCleanup bool
	// bare groups make no root node and no session before a case.
	bare bool
}

// testCase is one case; its name is part of its root's path.
type testCase struct {
	name string
	run  func(*script)
}

func TestMain(m *testing.M) {
	code := m.Run()
	if os.Getenv(harness.EnableEnv) == "1" && os.Getenv(secondEnv) != "java" {
		harness.RemoveBinary()
	}
	os.Exit(code)
}

// TestSameAsJava runs every case on both servers and compares what came back.
func TestSameAsJava(t *testing.T) {
	if os.Getenv(harness.EnableEnv) != "1" {
		t.Skipf("needs Java, Maven and minutes; switch on with %s=1", harness.EnableEnv)
	}
	for _, g := range groups() {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			runGroup(t, g)
		})
	}
}

// TestRefusesToStartAsJava has settings with which neither server may start; the exit code is the same.
func TestRefusesToStartAsJava(t *testing.T) {
	if os.Getenv(harness.EnableEnv) != "1" {
		t.Skipf("needs Java, Maven and minutes; switch on with %s=1", harness.EnableEnv)
	}
	taken, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	for _, tc := range []struct {
		name string
		opts harness.Options
	}{
		{"sasl required without a login", harness.Options{Config: []string{"sessionRequireClientSASLAuth=true"}}},
		{"enforced scheme without a provider", harness.Options{Config: []string{"enforce.auth.enabled=true", "enforce.auth.schemes=nosuch"}}},
		{"no number", harness.Options{Config: []string{"tickTime=often"}}},
		{"no boolean", harness.Options{Config: []string{"reconfigEnabled=maybe"}}},
		{"sessions upside down", harness.Options{Config: []string{"minSessionTimeout=9000", "maxSessionTimeout=8000"}}},
		{"electionAlg", harness.Options{Config: []string{"electionAlg=1"}}},
		{"data folder that cannot be", harness.Options{Config: []string{"dataDir=/proc/nosuch"}}},
		{"data folder that must exist", harness.Options{Config: []string{"datadir.autocreate=false"}}},
		{"syncLimit without a number", harness.Options{Config: []string{"syncLimit=x"}}},
		{"dynamic file that is not there", harness.Options{Config: []string{"dynamicConfigFile=/proc/nosuch"}}},
		{"port of another server", harness.Options{Config: []string{"clientPort=" + port}}},
		{"port out of range", harness.Options{Config: []string{"clientPort=99999"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var codes []int
			for _, kind := range []harness.Kind{harness.Java, secondKind()} {
				_, err := harness.Start(t, kind, tc.opts)
				var exit *harness.ExitError
				if !errors.As(err, &exit) {
					t.Fatalf("the %v server did not refuse: %v", kind, err)
				}
				codes = append(codes, exit.Code)
			}
			if codes[0] != codes[1] {
				t.Errorf("exit code %d, Java's is %d", codes[1], codes[0])
			}
		})
	}
}

func secondKind() harness.Kind {
	if os.Getenv(secondEnv) == "java" {
		return harness.Java
	}
	return harness.Ours
}

func runGroup(t *testing.T, g group) {
	second := secondKind()
	var servers [2]*harness.Server
	var errs [2]error
	var wg sync.WaitGroup
	for i, kind := range []harness.Kind{harness.Java, second} {
		wg.Go(func() { servers[i], errs[i] = harness.Start(t, kind, g.opts) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range g.cases {
		t.Run(tc.name, func(t *testing.T) {
			var runs [2]*script
			var wg sync.WaitGroup
			for i, srv := range servers {
				wg.Go(func() { runs[i] = runCase(g, tc, srv) })
			}
			wg.Wait()
			compare(t, runs[0], runs[1], second)
		})
	}
}

// runCase runs one case on one server.
func runCase(g group, tc testCase, srv *harness.Server) (s *script) {
	s = newScript(srv.Addr, "/"+strings.ReplaceAll(tc.name, "/", "-"), srv.Kind == harness.Ours)
	s.cleanup, s.saslCleanup, s.server = g.cleanup, g.saslCleanup, srv
	defer s.finish()
	defer func() {
		if e := recover(); e != nil && e != errStop {
			panic(e)
		}
	}()
	if !g.bare {
		setup := newScript(srv.Addr, s.root, s.ours)
		setup.cleanup, setup.saslCleanup = g.cleanup, g.saslCleanup
		c := setup.conn("setup")
		if g.saslCleanup {
			c.login("bob", "secret")
		}
		for _, r := range g.cleanup {
			c.call(r)
		}
		c.call(create(s.root, 0))
		c.end()
		setup.finish()
		if len(setup.problems) > 0 {
			s.stop("setup: %v", setup.problems)
		}
	}
	s.base = s.lastZxid()
	tc.run(s)
	return s
}

// compare reports unmet expectations and differences. The report holds the case up to its first
// difference, which is what reproduces it, and the differing steps after that.
func compare(t *testing.T, java, other *script, kind harness.Kind) {
	t.Helper()
	for _, p := range java.problems {
		t.Errorf("the protocol as Java speaks it: %s", p)
	}
	if kind == harness.Ours {
		for _, p := range other.problems {
			t.Errorf("ours: %s", p)
		}
	}
	if os.Getenv(printEnv) != "" {
		t.Logf("transcript:\n%s", strings.Join(java.text(), "\n"))
	}
	var report []string
	differing := 0
	for i := range max(len(java.steps), len(other.steps)) {
		a, b := at(java.steps, i), at(other.steps, i)
		if same(a, b) {
			if differing == 0 {
				report = append(report, a.text()...)
			}
			continue
		}
		if differing == 0 && len(report) > 60 {
			report = append([]string{"  ..."}, report[len(report)-60:]...)
		}
		if differing++; differing > differingMax {
			continue
		}
		report = append(report, "* "+a.did)
		if a.did != b.did {
			report = append(report, "* (other) "+b.did)
		}
		for _, g := range a.got {
			report = append(report, "    java: "+g)
		}
		for _, g := range b.got {
			report = append(report, fmt.Sprintf("    %v: %s", kind, g))
		}
	}
	if differing > differingMax {
		report = append(report, fmt.Sprintf("* and %d more steps", differing-differingMax))
	}
	if differing > 0 {
		t.Errorf("transcripts differ:\n%s", strings.Join(report, "\n"))
	}
}

// differingMax is how many differing steps of a case are shown; the first is the one that matters.
const differingMax = 12

func at(steps []step, i int) step {
	if i < len(steps) {
		return steps[i]
	}
	return step{did: "(nothing)"}
}

func same(a, b step) bool {
	if a.did != b.did {
		return false
	}
	if a.anyOrder && b.anyOrder {
		return slices.Equal(sorted(a.got), sorted(b.got))
	}
	return slices.Equal(a.got, b.got)
}

func sorted(v []string) []string {
	v = slices.Clone(v)
	slices.Sort(v)
	return v
}
