package embed_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
	"zk/server"
)

// left is what a server holds.
type left struct {
	goroutines, files                      int
	heap                                   int64
	sessions, watches, conns, nodes, inUse string
}

// figures are the values of mntr.
func (r *rig) figures() map[string]string {
	v := map[string]string{}
	for line := range strings.Lines(r.word("mntr")) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		v[strings.TrimPrefix(key, "zk_")] = value
	}
	return v
}

func (r *rig) left() left {
	m := r.figures()
	files, _ := os.ReadDir("/proc/self/fd") // where there is none the count is 0 each time
	v := left{
		goroutines: runtime.NumGoroutine(), files: len(files), sessions: m["global_sessions"], watches: m["watch_count"],
		conns: m["num_alive_connections"], nodes: m["znode_count"], inUse: m["outstanding_requests"],
	}
	runtime.GC()
	runtime.GC() // what pools hold goes with the second
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	v.heap = int64(ms.HeapAlloc)
	return v
}

// guest is a client that the test does not keep.
func (r *rig) guest(timeout int32) *client {
	c := &client{t: r.t, nc: r.dial()}
	if err := c.login(timeout); err != nil {
		r.t.Error("connect:", err)
	}
	return c
}

// bustle is a round of clients that do everything, and go in every way there is.
func (r *rig) bustle(round int) {
	const clients, watches = 60, 100
	owner := r.guest(30000)
	root := fmt.Sprintf("/round%d", round)
	owner.fill(root, 1500)
	name := root + "/" + strings.Repeat("n", 400_000)
	owner.ok(jute.OpCreate, create(name, "", 0))
	deaf := make([]*client, clients)
	together(clients, func(k int) {
		c := r.guest(3000)
		for i := range watches {
			path := fmt.Sprintf("%s/none/%d/%d", root, k, i)
			body := jute.PathTypeRequest{Path: path, Type: int32(i % 2)}
			if _, err := c.try(jute.OpAddWatch, body.Append(nil)); err != nil {
				r.t.Error(err)
				return
			}
		}
		mine := fmt.Sprintf("%s/c%d-", root, k)
		for _, p := range []part{
			{jute.OpCreate, create(mine, strings.Repeat("x", k*100), jute.FlagEphemeral|jute.FlagSequential)}, {jute.OpGetChildren2, read(root, true)},
			{jute.OpSetData, setData("/none", "", -1)}, {jute.OpGetAllChildrenNumber, onePath("/")}, {jute.OpExists, read(mine, true)},
			{jute.OpMulti, multi(part{jute.OpCreate, create(mine, "", jute.FlagEphemeral)}, part{jute.OpDelete, remove("/none")})},
			{jute.OpMultiRead, reads(part{jute.OpGetChildren, read(root, false)})},
		} {
			if _, err := c.try(p.op, p.body); err != nil {
				r.t.Error(p.op, err)
				return
			}
		}
		switch k % 6 {
		case 0: // in order
			_, _ = c.try(jute.OpCloseSession, nil)
		case 1: // without a word
		case 2: // in the middle of a frame
			_, _ = c.nc.Write([]byte{0, 0, 100, 0, 1})
		case 3: // with replies unread
			for range 30 {
				c.send(jute.OpGetChildren, read(root, false))
			}
		case 4: // with something that is no request
			c.send(jute.OpCode(77), nil)
		case 5: // with events unread
			body := jute.PathTypeRequest{Path: name, Type: jute.AddWatchPersistent}
			c.send(jute.OpAddWatch, body.Append(nil))
			deaf[k] = c
			return
		}
		_ = c.nc.Close()
	})
	for range server.OutputHardBytes/len(name) + 10 {
		owner.ok(jute.OpSetData, setData(name, "", -1))
	}
	owner.ok(jute.OpDelete, remove(name))
	for i := 0; i < 1500; {
		var parts []part
		for ; i < 1500 && len(parts) < 500; i++ {
			parts = append(parts, part{jute.OpDelete, remove(fmt.Sprintf("%s/n%06d", root, i))})
		}
		owner.ok(jute.OpMulti, multi(parts...))
	}
	await(r.t, "sessions to end", func() bool { return r.figures()["global_sessions"] == "1" })
	owner.ok(jute.OpDelete, remove(root))
	owner.ok(jute.OpCloseSession, nil)
	if err := owner.gone(); err != nil {
		r.t.Error(err)
	}
	_ = owner.nc.Close()
	for _, c := range deaf {
		if c != nil {
			_ = c.nc.Close()
		}
	}
	await(r.t, "connections to end", func() bool { return r.figures()["num_alive_connections"] == "1" }) // the one that asks
}

// aloneEnv marks the process in which a test runs alone.
const aloneEnv = "ZK_TEST_ALONE"

// alone runs the test in a process of its own, without what other tests have left behind (the stores of servers
// that failed, among others). False tells the caller to go on: this is that process.
func alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv(aloneEnv) != "" {
		return false
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", fmt.Sprintf("-test.short=%t", testing.Short()))
	cmd.Env = append(os.Environ(), aloneEnv+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("%v\n%s", err, out)
	}
	return true
}

// TestNothingLeaks: after clients of all kinds have gone the server holds what it held before: goroutines,
// descriptors, memory, watches, sessions, nodes.
func TestNothingLeaks(t *testing.T) {
	if alone(t) {
		return
	}
	state, txns := t.TempDir(), t.TempDir() // a disk in memory would count as memory
	r := newRig(t, vfs.Default, "tickTime=100", "minSessionTimeout=200", "maxSessionTimeout=60000")
	r.cfg.DataDir, r.cfg.DataLogDir = state, txns
	r.open()
	// Each round is held against the one before: caches and pools need some rounds to fill, a leak grows with all.
	before := r.round(t, 0, left{}, false)
	for i := range 8 {
		last := r.round(t, i+1, before, true)
		t.Logf("round %d: %+v", i+1, last)
		if last.heap <= before.heap+512<<10 {
			return
		}
		before = last
	}
	t.Fatal("the heap grows with every round")
}

// round is one bustle, and what is left of it once the server has come to rest: no more goroutines and files than
// before, except for those that the store has at times.
func (r *rig) round(t *testing.T, number int, before left, compare bool) (last left) {
	t.Helper()
	r.bustle(number)
	rest := func() bool {
		last = r.left()
		if compare && (last.goroutines > before.goroutines+4 || last.files > before.files+20 || last.nodes != before.nodes) {
			return false
		}
		return last.sessions == "0" && last.watches == "0" && last.conns == "1" && last.inUse == "0"
	}
	for end := time.Now().Add(patience); !rest(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after round %d %+v, before it %+v", number, last, before)
		}
	}
	return last
}
