package load

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"zk/compat/control"
	"zk/compat/harness"
)

// patience bounds every wait, on a loaded machine too.
const patience = 90 * time.Second

// TestMain deletes the server that was built. In the process of a probe it is that.
func TestMain(m *testing.M) {
	if how := os.Getenv(probeEnv); how != "" {
		if err := probeMain(how); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	if os.Getenv(harness.EnableEnv) != "" && os.Getenv(aloneEnv) == "" {
		harness.RemoveBinary()
	}
	os.Exit(code)
}

// aloneEnv marks the process in which a test runs alone.
const aloneEnv = "ZK_LOAD_ALONE"

// alone runs the test in a process of its own, which can be nice without making the servers of other tests so. False
// tells the caller to go on: this is that process.
func alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv(aloneEnv) != "" {
		return false
	}
	control.Need(t)
	binary, err := harness.OurBinary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), aloneEnv+"=1", harness.OursEnv+"="+binary)
	out, err := cmd.CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("--- FAIL: ")) {
		t.Errorf("%v\n%s", err, out)
		return true
	}
	t.Logf("%s", out)
	if bytes.Contains(out, []byte("--- SKIP: "+t.Name())) {
		t.Skip()
	}
	return true
}

// pick is a in a plain run and b in the long form.
func pick[T any](t *testing.T, a, b T) T {
	if control.Long(t) > 0 {
		return b
	}
	return a
}

// needFiles skips the test where a process may not have so many files open.
func needFiles(t *testing.T, n uint64) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Max < n {
		t.Skipf("a process may have %d files open here (%v), %d are needed: see ulimit -Hn", limit.Max, err, n)
	}
}

// rig is a server process.
type rig struct {
	t *testing.T
	*harness.Server
}

func start(t *testing.T, lines ...string) *rig {
	t.Helper()
	control.Need(t)
	config := append([]string{"maxClientCnxns=0", "4lw.commands.whitelist=*"}, lines...)
	s, err := harness.Start(t, harness.Ours, harness.Options{Config: config, Ready: harness.ReadyFourLetter})
	if err != nil {
		t.Fatal(err)
	}
	return &rig{t: t, Server: s}
}

// figure is a value of mntr.
func (r *rig) figure(name string) int {
	r.t.Helper()
	out, err := harness.FourLetter(r.Addr, "mntr")
	if err != nil {
		r.t.Fatal(err)
	}
	for line := range strings.Lines(out) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if key == "zk_"+name {
			f, err := strconv.ParseFloat(value, 64)
			if err != nil {
				r.t.Fatal(line)
			}
			return int(f)
		}
	}
	r.t.Fatalf("mntr has no %s", name)
	return 0
}

// memory is what the process has in memory, in MiB.
func (r *rig) memory() int {
	r.t.Helper()
	now, _, err := r.RSS()
	if err != nil {
		r.t.Skip("the system does not tell what a process takes:", err)
	}
	return int(now >> 20)
}

// files is the number of file descriptors that the process has open.
func (r *rig) files() int {
	r.t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", r.PID()))
	if err != nil {
		r.t.Fatal(err)
	}
	return len(list)
}

// await waits until cond holds.
func (r *rig) await(what string, cond func() bool) {
	r.t.Helper()
	for end := time.Now().Add(patience); !cond(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatal("waited in vain: " + what)
		}
	}
}

// base is what a server has when nobody uses it.
type base struct{ sessions, watches, connections, files int }

func (r *rig) base() base {
	return base{r.figure("global_sessions"), r.figure("watch_count"), r.figure("num_alive_connections"), r.files()}
}

// back waits until the server has no more than it had. Files of the stores come and go.
func (r *rig) back(b base) {
	r.t.Helper()
	const stores = 40
	var now base
	defer func() {
		if r.t.Failed() {
			r.t.Logf("it had %+v and has %+v", b, now)
		}
	}()
	r.await("everything to be given back", func() bool {
		now = r.base()
		return now.sessions <= b.sessions && now.watches <= b.watches && now.connections <= b.connections && now.files <= b.files+stores
	})
}
