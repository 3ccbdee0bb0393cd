package harness_test

import (
	"os"
	"slices"
	"testing"

	"zk/compat/harness"
)

// TestJavaEnsemble: two voters and an observer of Java elect a leader, and go on when one voter is restarted.
func TestJavaEnsemble(t *testing.T) {
	if os.Getenv(harness.EnableEnv) != "1" {
		t.Skip("needs Java; switched on by " + harness.EnableEnv + "=1")
	}
	e := harness.StartEnsemble(t, harness.EnsembleOptions{Members: []harness.MemberOptions{{}, {}, {Observer: true}}})
	modes := func() (list []string) {
		for _, s := range e.Servers {
			list = append(list, s.Mode())
		}
		return list
	}
	if got := modes(); !slices.Contains(got, "leader") || !slices.Contains(got, "follower") || got[2] != "observer" {
		t.Errorf("the modes are %q", got)
	}
	e.Leader().Kill()
	e.StartAll()
	if got := modes(); !slices.Contains(got, "leader") || !slices.Contains(got, "follower") || got[2] != "observer" {
		t.Errorf("after a restart the modes are %q", got)
	}
	if synced := e.Leader().Figure("synced_followers"); synced != "1" {
		t.Errorf("the leader has %q synced followers", synced)
	}
}
