package rolling

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"zk/compat/control"
	"zk/compat/harness"
)

// way is how a server becomes one of another kind.
type way int

const (
	keep  way = iota // the same folder: imported, or taken as it is
	empty            // an empty folder: a SNAP follows
)

func (w way) String() string { return [...]string{"same folder", "empty folder"}[w] }

// TestJavaAlone: what Java's own rolling restart does to clients.
func TestJavaAlone(t *testing.T) {
	control.Need(t)
	roll(t, harness.MemberOptions{Kind: harness.Java}, func(r *run) {
		for _, s := range r.e.Servers {
			r.replace(s, harness.Java, keep)
		}
	})
}

// TestThereAndBack: Java's folders are imported, and exported again.
func TestThereAndBack(t *testing.T) {
	control.Need(t)
	roll(t, harness.MemberOptions{Kind: harness.Java}, func(r *run) {
		for _, s := range r.e.Servers {
			r.replace(s, harness.Ours, keep)
		}
		for _, s := range r.e.Servers {
			r.replace(s, harness.Java, keep)
		}
	})
}

// TestEmptyFolders: every server begins with nothing.
func TestEmptyFolders(t *testing.T) {
	control.Need(t)
	roll(t, harness.MemberOptions{Kind: harness.Java}, func(r *run) {
		for _, s := range r.e.Servers {
			r.replace(s, harness.Ours, empty)
		}
		for _, s := range r.e.Servers {
			r.replace(s, harness.Java, empty)
		}
	})
}

// TestOlderJava: from the releases that many still run.
func TestOlderJava(t *testing.T) {
	control.Need(t)
	for _, release := range []string{"java38", "java36"} {
		t.Run(release, func(t *testing.T) {
			lib, err := harness.MavenJars("rolling/" + release)
			if err != nil {
				t.Fatal(err)
			}
			roll(t, harness.MemberOptions{Kind: harness.Java, ClassPath: filepath.Join(lib, "*")}, func(r *run) {
				for _, s := range r.e.Servers {
					r.replace(s, harness.Ours, keep)
				}
			})
		})
	}
}

// run is an ensemble with its clients.
type run struct {
	t *testing.T
	e *harness.Ensemble
}

// roll starts three servers of one kind and the clients, lets do replace servers, and judges.
func roll(t *testing.T, m harness.MemberOptions, do func(r *run)) {
	t.Helper()
	r := &run{t: t, e: harness.StartEnsemble(t, harness.EnsembleOptions{Members: []harness.MemberOptions{m, m, m}})}
	all := []*clients{startKazoo(t, r.e.ConnectString()), startCurator(t, r.e.ConnectString())}
	do(r)
	for _, c := range all {
		c.finish(t)
	}
}

// replace stops a server, makes another of it, and waits until that one has caught up.
func (r *run) replace(s *harness.Server, k harness.Kind, w way) {
	r.t.Helper()
	from := s.Kind
	if err := s.Stop(); err != nil {
		r.t.Fatal(err)
	}
	switch {
	case w == empty:
		if err := s.Wipe(); err != nil {
			r.t.Fatal(err)
		}
	case from == harness.Ours && k == harness.Java:
		if err := s.Export(); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := s.Become(k); err != nil {
		r.t.Fatal(err)
	}
	began := time.Now()
	if err := s.Launch(); err != nil {
		r.t.Fatal(err)
	}
	if err := s.AwaitServing(); err != nil {
		r.t.Fatalf("server %d, %s after %s, %s: %v", s.ID(), k, from, w, err)
	}
	r.awaitSynced()
	r.t.Logf("server %d is %s after %s (%s), %s, in %v", s.ID(), k, from, w, s.Mode(), time.Since(began).Round(time.Millisecond))
}

// awaitSynced waits until the leader has both others behind it: only then may the next one be stopped.
func (r *run) awaitSynced() {
	r.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		synced := r.e.Leader().Figure("synced_followers")
		if synced == fmt.Sprint(len(r.e.Servers)-1) {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("the leader has %q synced followers", synced)
		}
	}
}
