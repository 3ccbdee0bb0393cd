package ensemble

import (
	"testing"

	"zk/compat/harness"
)

// TestLeaderKilled kills the leader under load, again and again: the others go on, and the one that was killed
// catches up.
func TestLeaderKilled(t *testing.T) {
	needCompat(t)
	e := harness.StartEnsemble(t, harness.EnsembleOptions{Members: members(harness.Ours, 3, 1)})
	l := startLoad(t, e, "/load", 8)
	for range 2 {
		l.progress(200)
		leader := e.Leader()
		leader.Kill()
		l.progress(200)
		if err := leader.Launch(); err != nil {
			t.Fatal(err)
		}
		if err := leader.AwaitServing(); err != nil {
			t.Fatal(err)
		}
	}
	l.progress(200)
	l.end()
	l.check(e, "/load")
	t.Logf("%d writes", len(l.paths))
}

// TestAllKilled kills all servers at once, under load, and starts them again.
func TestAllKilled(t *testing.T) {
	needCompat(t)
	e := harness.StartEnsemble(t, harness.EnsembleOptions{Members: members(harness.Ours, 3, 0)})
	l := startLoad(t, e, "/load", 8)
	for range 2 {
		l.progress(200)
		for _, s := range e.Servers {
			s.Kill()
		}
		e.StartAll()
	}
	l.progress(200)
	l.end()
	l.check(e, "/load")
	t.Logf("%d writes", len(l.paths))
}
