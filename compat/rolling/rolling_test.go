package rolling

import (
	"errors"
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
	r.same()
}

// replace stops a server, makes another of it, and waits until that one has caught up.
func (r *run) replace(s *harness.Server, k harness.Kind, w way) {
	r.t.Helper()
	if err := s.Stop(); err != nil {
		r.t.Fatal(err)
	}
	r.comeBack(s, k, w)
}

// comeBack starts a server that was stopped as one of a kind, and waits until it has caught up: only then may the
// next one be stopped.
func (r *run) comeBack(s *harness.Server, k harness.Kind, w way) {
	r.t.Helper()
	from := s.Kind
	began := time.Now()
	var err error
	if w == empty {
		err = errors.Join(s.Wipe(), s.Become(k))
	} else {
		err = s.Replace(k)
	}
	if err == nil {
		err = s.Launch()
	}
	if err == nil {
		err = s.AwaitServing()
	}
	if err != nil {
		r.t.Fatalf("server %d, %s after %s, %s: %v", s.ID(), k, from, w, err)
	}
	r.e.AwaitAll()
	r.t.Logf("server %d is %s after %s (%s), %s, in %v", s.ID(), k, from, w, s.Mode(), time.Since(began).Round(time.Millisecond))
}

// same compares the trees of the servers, which nobody changes any more.
func (r *run) same() {
	r.t.Helper()
	var first map[string]harness.Node
	for _, s := range r.e.Servers {
		tree, err := harness.ReadTree(s.Addr, "", harness.Part{Node: func(path string) bool {
			return path != "/zookeeper/config" // has the time at which its server has started
		}})
		if err != nil {
			r.t.Fatalf("server %d (%s): %v", s.ID(), s.Kind, err)
		}
		if first == nil {
			first = tree
		}
		for _, line := range harness.Differences(first, tree) {
			r.t.Errorf("server 1 (%s) and server %d (%s): %s", r.e.Servers[0].Kind, s.ID(), s.Kind, line)
		}
	}
	if len(first) < 10 {
		r.t.Errorf("the tree has %d znodes only", len(first))
	}
}
