package tree_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
	"zk/persistence"
	"zk/persistence/nodestore"
	"zk/server/tree"
)

// world is a fresh tree over a node store.
type world struct {
	*tree.Tree
	t      testing.TB
	lock   sync.RWMutex
	nodes  *nodestore.Store
	zxid   jute.Zxid
	now    int64
	events []string
}

func newWorld(t testing.TB, opt tree.Options) *world {
	t.Helper()
	state, err := persistence.OpenState(persistence.StateOptions{Dir: "state", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, now: 1000}
	nodes, saved, fresh, err := nodestore.Open(state, &w.lock, nodestore.DefaultLimits())
	if err != nil || !fresh {
		t.Fatal(fresh, err)
	}
	w.nodes = nodes
	w.Tree = tree.New(nodes, saved, opt)
	w.Init()
	t.Cleanup(func() {
		nodes.Abandon()
		if err := state.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// NodeCreated implements tree.Events.
func (w *world) NodeCreated(path, parent string, zxid jute.Zxid, _, _ []jute.ACL) {
	w.events = append(w.events, fmt.Sprintf("created %s below %s at %d", path, parent, zxid))
}

// NodeDeleted implements tree.Events.
func (w *world) NodeDeleted(path, parent string, zxid jute.Zxid, _, _ []jute.ACL) {
	w.events = append(w.events, fmt.Sprintf("deleted %s below %s at %d", path, parent, zxid))
}

// NodeDataChanged implements tree.Events.
func (w *world) NodeDataChanged(path string, zxid jute.Zxid, _ []jute.ACL) {
	w.events = append(w.events, fmt.Sprintf("changed %s at %d", path, zxid))
}

// do applies a transaction of a session.
func (w *world) do(id jute.SessionID, txn jute.Txn) tree.Result {
	w.zxid++
	var res tree.Result
	w.Apply(&jute.TxnHeader{ClientID: id, Zxid: w.zxid, Time: w.now, Type: txn.Type}, &txn, w, &res)
	w.nodes.Applied(1, w.zxid, func(b []byte) []byte { return tree.AppendCounts(b, w.Counts()) })
	return res
}

var open = []jute.ACL{{Perms: jute.PermAll, ID: jute.ID{Scheme: "world", ID: "anyone"}}}

func (w *world) create(path, data string) tree.Result {
	w.t.Helper()
	res := w.do(1, jute.Txn{Type: jute.OpCreate, Path: path, Data: []byte(data), ACL: open, ParentCversion: -1})
	if res.Code != jute.CodeOk {
		w.t.Fatal(path, res.Code)
	}
	return res
}

func (w *world) remove(path string) jute.Code {
	return w.do(1, jute.Txn{Type: jute.OpDelete, Path: path}).Code
}

func (w *world) set(path, data string) jute.Code {
	return w.do(1, jute.Txn{Type: jute.OpSetData, Path: path, Data: []byte(data)}).Code
}

func (w *world) data(path string) string {
	w.t.Helper()
	r := w.Find(path)
	if r == tree.NoRef {
		w.t.Fatal(path, "is not there")
	}
	return string(w.Data(r))
}

// recomputed is the digest from the nodes alone.
func (w *world) recomputed() (sum int64) {
	var walk func(path string)
	walk = func(path string) {
		r := w.Find(path)
		if tree.Digested(path) {
			sum += tree.NodeDigest(tree.DataCRC(path, w.Data(r)), &w.nodes.Node(r).Stat)
		}
		var names []string
		w.Children(r, func(name []byte) { names = append(names, string(name)) })
		for _, n := range names {
			walk(path[:len(path)*min(len(path)-1, 1)] + "/" + n)
		}
	}
	walk(tree.RootPath)
	return sum
}

// TestFreshTree compares the tree of a new server with Java's.
func TestFreshTree(t *testing.T) {
	w := newWorld(t, tree.Options{Digest: true})
	if got := w.TreeDigest(); got != 1371985504 {
		t.Error("digest", got)
	}
	if c := w.Counts(); c.Nodes != 4 || c.LastZxid != 0 || c.Ephemerals != 0 {
		t.Errorf("%+v", c)
	}
	var st jute.Stat
	w.Stat(w.Find(tree.ConfigPath), &st)
	if st.Aversion != -1 {
		t.Error("aversion of the config node", st.Aversion)
	}
}

// javaLogs reads what an ensemble of Java servers logged, by zxid.
func javaLogs(t *testing.T) map[jute.Zxid][]byte {
	t.Helper()
	files, err := filepath.Glob("../../jute/testdata/golden/n*.log.*")
	if err != nil || len(files) == 0 {
		t.Fatal("no logs", err)
	}
	all := map[jute.Zxid][]byte{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		b = b[jute.FileHeaderBytes:]
		for len(b) >= jute.TxnLogEntryHeaderBytes {
			d := jute.NewDecoder(b, 0)
			var e jute.TxnLogEntryHeader
			if e.Decode(&d); e.LengthBytes == 0 {
				break
			}
			payload := b[jute.TxnLogEntryHeaderBytes:][:e.LengthBytes]
			b = b[jute.TxnLogEntryHeaderBytes+int(e.LengthBytes)+1:]
			h := jute.NewDecoder(payload, 0)
			var header jute.TxnHeader
			header.Decode(&h)
			all[header.Zxid] = payload
		}
	}
	return all
}

// TestJavaLogs replays the whole history of an ensemble of Java 3.9.5, epoch by epoch, and compares the
// digest after each transaction with the one in the log.
func TestJavaLogs(t *testing.T) {
	w := newWorld(t, tree.Options{Digest: true, ExtendedTypes: true})
	all := javaLogs(t)
	zxids := make([]jute.Zxid, 0, len(all))
	for z := range all {
		zxids = append(zxids, z)
	}
	slices.Sort(zxids)
	if zxids[0] != 0x100000001 {
		t.Fatal("the history begins at", zxids[0])
	}
	last := int64(0)
	for i, z := range zxids {
		if i > 0 && !persistence.Follows(zxids[i-1], z) {
			t.Fatalf("gap before %v", z)
		}
		d := jute.NewDecoder(all[z], 0)
		var p jute.Proposal
		if p.Decode(&d); d.Err() != nil {
			t.Fatal(z, d.Err())
		}
		var res tree.Result
		w.Apply(&p.Header, &p.Txn, w, &res)
		if p.HasDigest {
			last = p.Digest.TreeDigest
			if got := w.TreeDigest(); got != last {
				t.Fatalf("%v %v: digest %d, in the log %d", z, p.Txn.Type, got, last)
			}
		}
	}
	if got := w.recomputed(); got != w.TreeDigest() || got != 110177880424 {
		t.Errorf("at the end: %d recomputed, %d kept", got, w.TreeDigest())
	}
}

// TestTolerantReplay applies transactions to a tree that has their effect already, or lacks what they
// need: counts and digest stay those of the nodes.
func TestTolerantReplay(t *testing.T) {
	w := newWorld(t, tree.Options{Digest: true})
	w.create("/a", "x")
	read := []jute.ACL{{Perms: jute.PermRead, ID: jute.ID{Scheme: "world", ID: "anyone"}}}
	for _, op := range []jute.OpCode{jute.OpCreate, jute.OpCreate2} {
		before := w.Counts()
		res := w.do(1, jute.Txn{Type: op, Path: "/a", Data: []byte("y"), ACL: read, ParentCversion: 9})
		if res.Code != jute.CodeNodeExists || w.data("/a") != "x" || !slices.Equal(w.ACL(w.Find("/a")), read) {
			t.Error(op, res.Code, w.data("/a"), w.ACL(w.Find("/a")))
		}
		if c := w.nodes.Node(w.Find("/")).Stat.Cversion; c != 9 {
			t.Error(op, "cversion of the parent", c)
		}
		if c := w.Counts(); c.Nodes != before.Nodes || c.DataBytes != before.DataBytes {
			t.Errorf("%v: %+v, before %+v", op, c, before)
		}
	}
	for _, txn := range []jute.Txn{
		{Type: jute.OpCreate, Path: "/no/b", ACL: open}, {Type: jute.OpDelete, Path: "/no"}, {Type: jute.OpDelete, Path: "/no/b"},
		{Type: jute.OpSetData, Path: "/no", Data: []byte("z")}, {Type: jute.OpSetACL, Path: "/no", ACL: open},
	} {
		if res := w.do(1, txn); res.Code != jute.CodeNoNode {
			t.Error(txn.Type, txn.Path, res.Code)
		}
	}
	if pzxid := w.nodes.Node(w.Find("/")).Stat.Pzxid; pzxid != w.zxid-3 {
		t.Errorf("pzxid %v: a delete raises it also when the child is gone", pzxid)
	}
	// A multi with an error in it does nothing.
	res := w.do(1, jute.Txn{Type: jute.OpMulti, Subs: []jute.Txn{
		{Type: jute.OpSetData, Path: "/a", Data: []byte("z")}, {Type: jute.OpError, Err: jute.CodeBadVersion}, {Type: jute.OpDelete, Path: "/a"}}})
	codes := []jute.Code{res.Subs[0].Code, res.Subs[1].Code, res.Subs[2].Code}
	if !slices.Equal(codes, []jute.Code{jute.CodeOk, jute.CodeBadVersion, jute.CodeRuntimeInconsistency}) || w.data("/a") != "x" {
		t.Error(codes, w.data("/a"))
	}
	if w.recomputed() != w.TreeDigest() {
		t.Error("digest")
	}
}

// TestCloseSession deletes what the transaction names and what the session still has, in one zxid.
func TestCloseSession(t *testing.T) {
	w := newWorld(t, tree.Options{Digest: true})
	w.do(7, jute.Txn{Type: jute.OpCreateSession, TimeoutMillis: 4000})
	for _, p := range []string{"/e1", "/e2", "/e3"} {
		w.do(7, jute.Txn{Type: jute.OpCreate, Path: p, ACL: open, Ephemeral: true, ParentCversion: -1})
	}
	w.do(8, jute.Txn{Type: jute.OpCreate, Path: "/other", ACL: open, Ephemeral: true, ParentCversion: -1})
	w.events = nil
	w.do(7, jute.Txn{Type: jute.OpCloseSession, Paths: []string{"/e2", "/gone"}})
	if w.HasSession(7) || len(w.Ephemerals(7, nil)) != 0 || w.Counts().Ephemerals != 1 || len(w.events) != 3 {
		t.Error(w.HasSession(7), w.Ephemerals(7, nil), w.Counts(), w.events)
	}
	if w.events[0] != fmt.Sprintf("deleted /e2 below / at %d", w.zxid) {
		t.Error(w.events)
	}
	if w.recomputed() != w.TreeDigest() {
		t.Error("digest")
	}
}

// TestQuotas follows the usage through creates, sets and deletes, and tells of limits.
func TestQuotas(t *testing.T) {
	var told []tree.Quota
	w := newWorld(t, tree.Options{Digest: true, OnQuotaExceeded: func(q tree.Quota) { told = append(told, q) }})
	w.create("/q", "1234")
	w.create("/q/a", "12")
	w.create("/q/a/b", "1")
	w.create("/qq", "not below the quota")
	quota := tree.QuotaPath + "/q"
	w.create(quota, "")
	w.create(quota+"/"+tree.LimitsNode, "count=5,bytes=-1=;byteHardLimit=10;countHardLimit=-1")
	w.create(quota+"/"+tree.QuotaStatsNode, "count=0,bytes=0")
	stats := quota + "/" + tree.QuotaStatsNode
	want := func(text string) {
		t.Helper()
		if got := w.data(stats); got != text {
			t.Errorf("stats %q, want %q", got, text)
		}
	}
	want("count=3,bytes=7")
	mzxid, _ := w.Zxids(w.Find(stats))
	w.create("/q/c", "")
	want("count=4,bytes=7")
	w.set("/q/a", "12345")
	want("count=4,bytes=10")
	if len(told) != 0 {
		t.Error(told)
	}
	w.set("/q/a", "123456")
	want("count=4,bytes=11")
	if len(told) != 1 || told[0].Path != "/q" || told[0].Bytes != 11 || told[0].BytesHardLimit != 10 || told[0].CountLimit != 5 {
		t.Error(told)
	}
	w.remove("/q/a/b")
	want("count=3,bytes=10")
	w.set("/qq", "")
	want("count=3,bytes=10")
	if m, _ := w.Zxids(w.Find(stats)); m != mzxid {
		t.Error("mzxid of the stats node moved")
	}
	if q, ok := w.QuotaOf("/q/a/deep/er"); !ok || q.Path != "/q" || q.Count != 3 {
		t.Error(q, ok)
	}
	if _, ok := w.QuotaOf("/qq"); ok {
		t.Error("/qq has a quota")
	}
	// A quota inside: the deepest counts.
	w.create(tree.QuotaPath+"/q/a", "")
	w.create(tree.QuotaPath+"/q/a/"+tree.LimitsNode, "count=1,bytes=1")
	w.create(tree.QuotaPath+"/q/a/"+tree.QuotaStatsNode, "count=0,bytes=0")
	w.create("/q/a/x", "123")
	want("count=3,bytes=10")
	if got := w.data(tree.QuotaPath + "/q/a/" + tree.QuotaStatsNode); got != "count=2,bytes=9" {
		t.Error(got)
	}
	w.set(quota+"/"+tree.LimitsNode, "count=50,bytes=50")
	if q, _ := w.QuotaOf("/q"); q.CountLimit != 50 || q.BytesHardLimit != -1 {
		t.Error(q)
	}
	w.remove(quota + "/" + tree.LimitsNode)
	w.create("/q/d", "1")
	want("count=3,bytes=10")
	if w.recomputed() != w.TreeDigest() {
		t.Error("digest")
	}
}

// TestExpired is the table of what the cleaner may delete.
func TestExpired(t *testing.T) {
	w := newWorld(t, tree.Options{Digest: true, ExtendedTypes: true})
	w.do(1, jute.Txn{Type: jute.OpCreateContainer, Path: "/unused", ACL: open, ParentCversion: -1})
	w.do(1, jute.Txn{Type: jute.OpCreateContainer, Path: "/used", ACL: open, ParentCversion: -1})
	w.create("/used/x", "")
	w.do(1, jute.Txn{Type: jute.OpCreateContainer, Path: "/empty", ACL: open, ParentCversion: -1})
	w.create("/empty/x", "")
	w.remove("/empty/x")
	w.do(1, jute.Txn{Type: jute.OpCreateTTL, Path: "/ttl", ACL: open, TTL: 500, ParentCversion: -1})
	w.do(1, jute.Txn{Type: jute.OpCreateTTL, Path: "/parent", ACL: open, TTL: 500, ParentCversion: -1})
	w.create("/parent/x", "")
	w.create("/plain", "")
	candidates := w.Candidates()
	slices.Sort(candidates)
	if !slices.Equal(candidates, []string{"/empty", "/parent", "/ttl", "/unused", "/used"}) {
		t.Error(candidates)
	}
	for _, c := range []struct {
		path           string
		now, neverUsed int64
		want           bool
	}{
		{"/unused", math.MaxInt32, 0, false}, {"/unused", 1100, 100, false}, {"/unused", 1101, 100, true},
		{"/used", math.MaxInt32, 1, false}, {"/empty", 1000, 0, true},
		{"/ttl", 1500, 0, false}, {"/ttl", 1501, 0, true}, {"/parent", math.MaxInt32, 0, false},
		{"/plain", math.MaxInt32, 1, false}, {"/gone", math.MaxInt32, 1, false},
	} {
		if got := w.Expired(c.path, c.now, c.neverUsed); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	var st jute.Stat
	if w.Stat(w.Find("/ttl"), &st); st.EphemeralOwner != 0 {
		t.Error("clients see the marker of a TTL node")
	}
	w.do(1, jute.Txn{Type: jute.OpDeleteContainer, Path: "/empty"})
	if slices.Contains(w.Candidates(), "/empty") {
		t.Error("a candidate that is gone")
	}
	if w.recomputed() != w.TreeDigest() {
		t.Error("digest")
	}
}

// TestWalks takes walks in small steps while nodes come and go: a list of children is exactly what the
// node has at the end, or known to be stale; a count is of nodes that were there at some time.
func TestWalks(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		w := newWorld(t, tree.Options{Digest: true})
		w.create("/a", "")
		var there []string
		n := 0
		add := func() {
			path := fmt.Sprintf("/a/n%d", n)
			if len(there) > 0 && rng.IntN(4) == 0 {
				path = fmt.Sprintf("%s/n%d", there[rng.IntN(len(there))], n)
			}
			n++
			w.create(path, "")
			there = append(there, path)
		}
		drop := func() {
			if len(there) == 0 {
				return
			}
			i := rng.IntN(len(there))
			if w.remove(there[i]) == jute.CodeOk {
				there = slices.Delete(there, i, i+1)
			}
		}
		for range rng.IntN(40) {
			add()
		}
		top := w.Find("/a")
		list, count := w.OpenChildren(top), w.OpenCount(top)
		low, high := len(there), len(there)
		for done := 0; done < 2; {
			for range rng.IntN(3) {
				if rng.IntN(3) > 0 {
					add()
					high++
				} else if before := len(there); true {
					drop()
					low -= before - len(there)
				}
			}
			done = 0
			for _, walk := range []*tree.Walk{list, count} {
				if walk.Step(1 + rng.IntN(6)) {
					done++
				}
			}
		}
		for list.NeedsIndex() {
			list.Index(1 + rng.IntN(4))
		}
		for !list.Settle() {
		}
		k := list.Count()
		if pieces, ok := list.Names(); ok {
			d := jute.NewDecoder(slices.Concat(pieces...), 0)
			var got, want []string
			for d.Remaining() > 0 {
				got = append(got, d.String())
			}
			w.Children(top, func(name []byte) { want = append(want, string(name)) })
			slices.Sort(got)
			slices.Sort(want)
			if k != len(got) || !slices.Equal(got, want) {
				t.Fatalf("seed %d: %d %v, want %v", seed, k, got, want)
			}
		}
		if c := count.Count(); c < low || c > high {
			t.Fatalf("seed %d: counted %d, between %d and %d were there", seed, c, low, high)
		}
		list.Close()
		count.Close()
	}
}

// TestWalkOfGoneNode: the node itself is deleted while its children are listed.
func TestWalkOfGoneNode(t *testing.T) {
	w := newWorld(t, tree.Options{Digest: true})
	w.create("/a", "")
	w.create("/a/b", "")
	list := w.OpenChildren(w.Find("/a"))
	w.remove("/a/b")
	w.remove("/a")
	w.create("/a", "")
	for !list.Step(1) {
	}
	if list.Node() != tree.NoRef {
		t.Error("the walk holds a node that is gone")
	}
	list.Close()
}
