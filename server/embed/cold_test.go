package embed_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
	"zk/persistence/crashdisk"
	"zk/persistence/nodestore"
	"zk/server/embed"
	"zk/server/tree"
)

// figures is what verify finds.
type figures struct {
	embed.Figures
	dump []string // a line per node
}

// verify checks the data of a closed server, whose state must have all that the log has.
func verify(t testing.TB, r *rig) figures {
	t.Helper()
	f := recheck(t, r)
	if f.Redone > 0 {
		t.Errorf("the state of a closed server lacked %d transactions", f.Redone)
	}
	return f
}

// recheck checks the data of a server however it ended.
func recheck(t testing.TB, r *rig) (f figures) {
	t.Helper()
	var err error
	f.Figures, err = embed.Check(context.Background(), r.cfg, embed.Deps{FS: r.fs}, func(path string, n *tree.Node, data []byte) {
		f.dump = append(f.dump, nodeLine(path, n, data))
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(f.dump)
	return f
}

// nodeLine is a node without what differs from run to run: times and sessions.
func nodeLine(path string, n *tree.Node, data []byte) string {
	return fmt.Sprintf("%s v=%d cv=%d av=%d czxid=%d mzxid=%d pzxid=%d children=%d data=%.40q", path, n.Stat.Version,
		n.Stat.Cversion, n.Stat.Aversion, n.Stat.Czxid, n.Stat.Mzxid, n.Stat.Pzxid, n.Children, data)
}

// clone is a disk with the same content.
func clone(fs vfs.FS) vfs.FS {
	return fs.(*crashdisk.Disk).CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 2))})
}

// step is a request of a script; session says whose.
type step struct {
	session int
	op      jute.OpCode
	body    []byte
}

// coldScript touches nodes that no request before it has touched, with every kind of request.
func coldScript() []step {
	set := func(op jute.OpCode) []byte {
		w := jute.SetWatchesRequest{RelativeZxid: 1, Data: []string{"/t/d3/n1", "/t/none"}, Exist: []string{"/t/d3/n2", "/t/nope"},
			Child: []string{"/t/d4", "/t/gone"}, Persistent: []string{"/t/d5"}, PersistentRecur: []string{"/t/d6"}}
		return w.Append(nil, op)
	}
	acl := jute.SetACLRequest{Path: "/t/d7/n1", ACL: open, Version: -1}
	check := jute.PathVersionRequest{Path: "/t/d8/n1", Version: 0}
	ttl := jute.CreateRequest{Path: "/t/d23/ttl", ACL: open, Flags: jute.FlagTTL, TTL: 100000}
	container := jute.CreateRequest{Path: "/t/d24/c", ACL: open, Flags: jute.FlagContainer}
	watch := jute.PathTypeRequest{Path: "/t/d25/n1", Type: jute.AddWatchPersistent}
	var mr []byte
	for _, p := range []string{"/t/d20", "/t/d21/n3", "/t/d20/none"} {
		mr = append(jute.MultiHeader{Type: jute.OpGetChildren, Err: -1}.Append(mr), read(p, false)...)
		mr = append(jute.MultiHeader{Type: jute.OpGetData, Err: -1}.Append(mr), read(p, false)...)
	}
	mr = jute.MultiEnd.Append(mr)
	return []step{
		{0, jute.OpGetChildren2, read("/t/d0", true)},
		{0, jute.OpGetChildren, read("/t/wide", false)},
		{0, jute.OpGetData, read("/t/d1/n7", true)},
		{0, jute.OpGetData, read("/t/d1/none", true)},
		{0, jute.OpGetData, read("/none/none/none", false)},
		{0, jute.OpExists, read("/t/d2/n7", true)},
		{0, jute.OpExists, read("/t/d2/none", true)},
		{0, jute.OpSetWatches, set(jute.OpSetWatches)},
		{0, jute.OpSetWatches2, set(jute.OpSetWatches2)},
		{0, jute.OpGetACL, onePath("/t/d7/n0")},
		{0, jute.OpSetACL, acl.Append(nil)},
		{0, jute.OpMulti, multi(part{jute.OpCheck, check.Append(nil)}, part{jute.OpSetData, setData("/t/d8/n2", "new", 0)},
			part{jute.OpCreate, create("/t/d8/n5/x", "", 0)}, part{jute.OpDelete, remove("/t/d8/n6")})},
		{0, jute.OpMulti, multi(part{jute.OpDelete, remove("/t/d9/n0")}, part{jute.OpSetData, setData("/t/d9/n1", "new", 7)})},
		{0, jute.OpCreate, create("/t/d10/n3", "", 0)}, // there is one
		{0, jute.OpCreate, create("/t/d10/new", "", 0)},
		{0, jute.OpCreate2, create("/t/d11/n3/deep", "", 0)},
		{0, jute.OpCreate, create("/t/none/new", "", 0)},
		{0, jute.OpDelete, remove("/t/d12")}, // has children
		{0, jute.OpDelete, remove("/t/d12/n1")},
		{0, jute.OpDelete, remove("/t/d12/none")},
		{0, jute.OpSetData, setData("/t/d13/n1", strings.Repeat("y", 3000), -1)},
		{0, jute.OpSetData, setData("/t/d14/big", "small", -1)},
		{0, jute.OpCreate, create("/t/seq/s-", "", jute.FlagSequential)}, // a node with that name is there
		{0, jute.OpCreate, create("/t/seq/t-", "", jute.FlagSequential)},
		{0, jute.OpGetAllChildrenNumber, onePath("/t/d15")},
		{0, jute.OpMultiRead, mr},
		{0, jute.OpCreateTTL, ttl.Append(nil, jute.OpCreateTTL)},
		{0, jute.OpCreateContainer, container.Append(nil, jute.OpCreateContainer)},
		{0, jute.OpAddWatch, watch.Append(nil)},
		{0, jute.OpCreate, create("/t/d16/e", "", jute.FlagEphemeral)},
		{1, jute.OpGetEphemerals, onePath("/t")},
		{1, jute.OpCloseSession, nil},
		{0, jute.OpGetChildren2, read("/t/eph", false)},
		{0, jute.OpCreate, create("/zookeeper/quota/t", "", 0)},
		{0, jute.OpCreate, create("/zookeeper/quota/t/d17", "", 0)},
		{0, jute.OpCreate, create("/zookeeper/quota/t/d17/zookeeper_limits", "count=1000,bytes=-1", 0)},
		{0, jute.OpCreate, create("/zookeeper/quota/t/d17/zookeeper_stats", "count=0,bytes=0", 0)},
		{0, jute.OpGetData, read("/zookeeper/quota/t/d17/zookeeper_stats", false)},
		{0, jute.OpCreate, create("/t/d17/more", "abc", 0)},
		{0, jute.OpGetData, read("/zookeeper/quota/t/d17/zookeeper_stats", false)},
		{0, jute.OpCreate, create("/zookeeper/quota/t/d18", "", 0)},
		{0, jute.OpMulti, multi(part{jute.OpCreate, create("/zookeeper/quota/t/d18/zookeeper_limits", "count=1,bytes=-1", 0)},
			part{jute.OpCreate, create("/zookeeper/quota/t/d18/zookeeper_stats", "count=0,bytes=0", 0)})},
		{0, jute.OpGetAllChildrenNumber, onePath("/")},
		{0, jute.OpGetChildren, read("/t/d26/n1", false)},
	}
}

// growColdTree makes the tree of coldScript; the second client's session stays behind with ephemerals.
func growColdTree(a, b *client) {
	a.ok(jute.OpCreate, create("/t", "", 0))
	for d := range 30 {
		a.fill(fmt.Sprint("/t/d", d), 20)
		for i := range 10 { // names without zeros
			a.ok(jute.OpCreate, create(fmt.Sprintf("/t/d%d/n%d", d, i), fmt.Sprint("data ", i), 0))
		}
	}
	a.fill("/t/wide", 1200)
	a.ok(jute.OpCreate, create("/t/d14/big", strings.Repeat("x", 5000), 0))
	a.ok(jute.OpCreate, create("/t/seq", "", 0))
	a.ok(jute.OpCreate, create("/t/seq/s-0000000001", "", 0))
	a.ok(jute.OpCreate, create("/t/eph", "", 0))
	for i := range 20 {
		b.ok(jute.OpCreate, create(fmt.Sprintf("/t/eph/e%d", i), "", jute.FlagEphemeral))
		b.ok(jute.OpCreate, create(fmt.Sprintf("/t/d19/e%d", i), "", jute.FlagEphemeral))
	}
}

// runSteps sends the script and gives what came back, without what differs from run to run: times, and
// the order of children.
func runSteps(t *testing.T, r *rig, steps []step, clients ...*client) (out []string) {
	for i, s := range steps {
		c := clients[s.session]
		rep := c.call(s.op, s.body)
		line := fmt.Sprintf("%d %v %v zxid %v", i, s.op, rep.Err, rep.Zxid)
		d := jute.NewDecoder(rep.body, 1<<20)
		switch s.op {
		case jute.OpGetChildren, jute.OpGetChildren2, jute.OpGetEphemerals:
			names := d.Strings()
			slices.Sort(names)
			line += fmt.Sprint(len(names), names)
		case jute.OpGetData:
			line += fmt.Sprintf("%.60q", d.Buffer())
		case jute.OpGetAllChildrenNumber:
			line += fmt.Sprint(d.Int32())
		case jute.OpCreate:
			if rep.Err == jute.CodeOk {
				line += d.String()
			}
		default:
			line += fmt.Sprint(len(rep.body))
		}
		for _, ev := range c.events {
			line += fmt.Sprint(" ", ev)
		}
		c.events = nil
		out = append(out, line)
	}
	return out
}

// TestColdNodes runs a script of every request on a server whose tree is in memory, and on one with the
// same data that has nothing but the root in memory: the answers and the tree afterwards are the same.
func TestColdNodes(t *testing.T) {
	first := newRig(t, crashdisk.New(), "extendedTypesEnabled=true")
	first.open()
	a, b := first.connect(), first.connect()
	growColdTree(a, b)
	first.close()
	verify(t, first)

	var answers [2][]string
	var after [2]figures
	for i, cold := range []bool{false, true} {
		r := newRig(t, clone(first.fs), "extendedTypesEnabled=true")
		r.deps.Cold = cold
		r.open()
		c, ok := r.renew(a)
		d, ok2 := r.renew(b)
		if !ok || !ok2 {
			t.Fatal("sessions are gone")
		}
		answers[i] = runSteps(t, r, coldScript(), c, d)
		r.close()
		after[i] = verify(t, r)
	}
	for i := range answers[0] {
		if answers[0][i] != answers[1][i] {
			t.Errorf("warm: %.400s\ncold: %.400s", answers[0][i], answers[1][i])
		}
	}
	if w, c := after[0], after[1]; !slices.Equal(w.dump, c.dump) {
		for i := range min(len(w.dump), len(c.dump)) {
			if w.dump[i] != c.dump[i] {
				t.Fatalf("warm: %s\ncold: %s", w.dump[i], c.dump[i])
			}
		}
		t.Fatalf("%d nodes warm, %d cold", len(w.dump), len(c.dump))
	}
}

// TestColdRedo: redo of a log over a cold tree, and requests that race with the warm-up.
func TestColdRedo(t *testing.T) {
	first := newRig(t, crashdisk.New(), "extendedTypesEnabled=true")
	first.open()
	a, b := first.connect(), first.connect()
	growColdTree(a, b)
	first.close()

	// The script runs on a server that dies without writing its state.
	second := newRig(t, clone(first.fs), "extendedTypesEnabled=true")
	second.deps.Cold = true
	second.deps.NodeLimits = nodestore.Limits{FreezeTxns: 1 << 30, FreezeBytes: 1 << 40, FreezeAge: time.Hour}
	second.open()
	c, _ := second.renew(a)
	d, _ := second.renew(b)
	runSteps(t, second, coldScript(), c, d)
	dead := clone(second.fs)
	second.close()
	want := verify(t, second)

	for i := range 10 {
		third := newRig(t, dead.(*crashdisk.Disk).CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 2))}), "extendedTypesEnabled=true")
		third.deps.Cold = i == 0
		third.open()
		e, ok := third.renew(c)
		if !ok {
			t.Fatal("session is gone")
		}
		for k := range 20 { // while the tree comes in
			e.ok(jute.OpGetData, read(fmt.Sprintf("/t/d%d/n%06d", 29-k, k), false))
		}
		third.close()
		if got := verify(t, third); !slices.Equal(got.dump, want.dump) {
			t.Fatal("the tree differs after the redo")
		}
	}
}

// TestColdDeepPath: a path of very many components that does not exist is no work.
func TestColdDeepPath(t *testing.T) {
	r := newRig(t, vfs.NewMem())
	r.open()
	c := r.connect()
	c.ok(jute.OpCreate, create("/a", "", 0))
	r.close()
	r.deps.Cold = true
	r.open()
	c, _ = r.renew(c)
	path := string(bytes.Repeat([]byte("/a"), 400_000))
	from := time.Now()
	for range 5 {
		if rep := c.call(jute.OpExists, read(path, false)); rep.Err != jute.CodeNoNode {
			t.Fatal(rep.Err)
		}
	}
	if took := time.Since(from); took > 5*time.Second {
		t.Fatal("took", took)
	}
}
