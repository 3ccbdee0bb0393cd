package mixed

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"zk/compat/control"
)

// TestLaterPromise: a voter of Java that was chosen leader, saved acceptedEpoch and died before it told anybody follows a leader
// of ours again, when that has ended its term for it.
func TestLaterPromise(t *testing.T) {
	control.Need(t)
	r := newRig(t, kinds(t, "jgg"))
	java := r.e.Servers[0]
	if r.e.Leader() == java {
		java.Kill()
		r.awaitQuorum(r.e.Servers[1], r.e.Servers[2])
		r.launch(java)
		r.await(java)
	}
	leader := r.e.Leader()
	r.write(java, 10)
	java.Kill()
	const more = 5
	path := filepath.Join(java.DataDir(), "version-2", "acceptedEpoch")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	epoch, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(epoch+more)), 0o644); err != nil {
		t.Fatal(err)
	}
	r.write(leader, 10)
	r.launch(java)
	if err := leader.AwaitLog("voter can't follow", "a later epoch must begin"); err != nil {
		t.Fatal(err)
	}
	r.await(java)
	r.same("a voter with a later promise")
	if text, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	if got, err := strconv.Atoi(strings.TrimSpace(string(text))); err != nil || got <= epoch+more {
		t.Errorf("the epoch is %q, not later than %d (%v)", text, epoch+more, err)
	}
	r.finish()
}
