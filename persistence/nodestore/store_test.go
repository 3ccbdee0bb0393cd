package nodestore

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"zk/jute"
	"zk/persistence"
	"zk/server/tree"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// rig is a tree over a store on an in-memory disk.
type rig struct {
	t     *testing.T
	fs    vfs.FS
	lock  sync.RWMutex
	state *persistence.State
	nodes *Store
	tree  *tree.Tree
	zxid  jute.Zxid
}

type silent struct{}

func (silent) NodeCreated(string, string, jute.Zxid, []jute.ACL, []jute.ACL) {}
func (silent) NodeDeleted(string, string, jute.Zxid, []jute.ACL, []jute.ACL) {}
func (silent) NodeDataChanged(string, jute.Zxid, []jute.ACL)                 {}

func openRig(t *testing.T, fs vfs.FS, limits Limits) *rig {
	t.Helper()
	return openRigOf(t, persistence.StateOptions{FS: fs}, limits)
}

func openRigOf(t *testing.T, o persistence.StateOptions, limits Limits) *rig {
	t.Helper()
	o.Dir = "state"
	r := &rig{t: t, fs: o.FS}
	var err error
	if r.state, err = persistence.OpenState(o); err != nil {
		t.Fatal(err)
	}
	var found tree.Saved
	var fresh bool
	if r.nodes, found, fresh, err = Open(r.state, &r.lock, limits); err != nil {
		t.Fatal(err)
	}
	r.tree = tree.New(r.nodes, found, tree.Options{Digest: true, ExtendedTypes: true})
	if fresh {
		r.tree.Init()
	}
	r.zxid = jute.Zxid(r.state.Applied())
	return r
}

func (r *rig) close() {
	r.t.Helper()
	if err := r.nodes.Close(); err != nil {
		r.t.Fatal(err)
	}
	if err := r.state.Close(); err != nil {
		r.t.Fatal(err)
	}
}

// do applies a transaction as the apply loop does.
func (r *rig) do(id jute.SessionID, txn jute.Txn) tree.Result {
	r.t.Helper()
	for _, p := range append(txn.Paths, txn.Path) {
		if err := r.nodes.Ensure(p); err != nil {
			r.t.Fatal(err)
		}
	}
	r.zxid++
	h := jute.TxnHeader{ClientID: id, Zxid: r.zxid, Time: int64(r.zxid) * 10, Type: txn.Type}
	var res tree.Result
	r.lock.Lock()
	r.tree.Apply(&h, &txn, silent{}, &res)
	r.nodes.Applied(1, r.zxid, func(b []byte) []byte { return tree.AppendCounts(b, r.tree.Counts()) })
	r.lock.Unlock()
	return res
}

// dump writes the whole tree as text, from memory.
func (r *rig) dump() string {
	r.lock.RLock()
	defer r.lock.RUnlock()
	var lines []string
	var walk func(ref tree.Ref, path string)
	walk = func(ref tree.Ref, path string) {
		var st jute.Stat
		r.tree.Stat(ref, &st)
		lines = append(lines, fmt.Sprintf("%s %v %v %q", path, st, r.tree.ACL(ref), fingerprint(r.tree.Data(ref))))
		r.tree.Children(ref, func(name []byte) {
			child := strings.TrimSuffix(path, "/") + "/" + string(name)
			walk(r.tree.Find(child), child)
		})
	}
	walk(r.tree.Find("/"), "/")
	slices.Sort(lines)
	return fmt.Sprintf("%+v\n%s", r.tree.Counts(), strings.Join(lines, "\n"))
}

func fingerprint(b []byte) string {
	if b == nil {
		return "null"
	}
	return fmt.Sprintf("%d:%08x", len(b), tree.DataCRC("", b))
}

// digest computes the digest of all nodes anew.
func (r *rig) digest() (sum int64) {
	r.lock.RLock()
	defer r.lock.RUnlock()
	var walk func(ref tree.Ref, path string)
	walk = func(ref tree.Ref, path string) {
		if tree.Digested(path) {
			sum += tree.NodeDigest(tree.DataCRC(path, r.tree.Data(ref)), &r.nodes.Node(ref).Stat)
		}
		for c := r.nodes.FirstChild(ref); c != tree.NoRef; c = r.nodes.NextSibling(c) {
			walk(c, strings.TrimSuffix(path, "/")+"/"+string(r.nodes.Name(c)))
		}
	}
	walk(r.tree.Find("/"), "/")
	return sum
}

func openACL() []jute.ACL { return []jute.ACL{{Perms: 31, ID: jute.ID{Scheme: "world", ID: "anyone"}}} }

// randomTxn makes a transaction over a small set of paths, so that creates, deletes and re-creates meet.
func randomTxn(rnd *rand.Rand, sessions []jute.SessionID) (jute.SessionID, jute.Txn) {
	path := ""
	for range 1 + rnd.IntN(3) {
		path += fmt.Sprintf("/n%d", rnd.IntN(6))
	}
	data := make([]byte, []int{0, 1, 17, 100, 600, 3000, 9000}[rnd.IntN(7)])
	for i := range data {
		data[i] = byte(rnd.Uint32())
	}
	if rnd.IntN(10) == 0 {
		data = nil
	}
	id := sessions[rnd.IntN(len(sessions))]
	acl := openACL()
	if rnd.IntN(3) == 0 {
		acl = []jute.ACL{{Perms: 31, ID: jute.ID{Scheme: "ip", ID: fmt.Sprintf("10.0.0.%d", rnd.IntN(4))}}}
	}
	switch rnd.IntN(12) {
	case 0, 1, 2, 3:
		return id, jute.Txn{Type: jute.OpCreate, Path: path, Data: data, ACL: acl, ParentCversion: -1, Ephemeral: rnd.IntN(4) == 0}
	case 4:
		return id, jute.Txn{Type: jute.OpCreateContainer, Path: path, Data: data, ACL: acl, ParentCversion: -1}
	case 5, 6, 7:
		return id, jute.Txn{Type: jute.OpSetData, Path: path, Data: data, Version: int32(rnd.IntN(100))}
	case 8:
		return id, jute.Txn{Type: jute.OpSetACL, Path: path, ACL: acl, Version: int32(rnd.IntN(100))}
	case 9:
		return id, jute.Txn{Type: jute.OpCreateSession, TimeoutMillis: 4000}
	default:
		return id, jute.Txn{Type: jute.OpDelete, Path: path}
	}
}

// TestRestartsAndBatchesDontMatter applies one list of random transactions under different freeze
// limits, with restarts in between and cold nodes after them, and wants the same tree every time.
func TestRestartsAndBatchesDontMatter(t *testing.T) {
	for seed := range uint64(12) {
		want := ""
		for i, limits := range []Limits{{FreezeTxns: 1 << 30, FreezeBytes: 1 << 30, FreezeAge: 1e18}, {1, 1 << 30, 1e18}, {7, 1 << 30, 1e18}, {50, 4000, 1e18}} {
			rnd := rand.New(rand.NewPCG(seed, 1))
			chaos := rand.New(rand.NewPCG(seed, uint64(i)))
			fs := vfs.NewMem()
			r := openRig(t, fs, limits)
			sessions := []jute.SessionID{1 << 56, 1<<56 + 1, 1<<56 + 2}
			for n := range 600 {
				id, txn := randomTxn(rnd, sessions)
				r.do(id, txn)
				if i > 0 && chaos.IntN(3) == 0 {
					if err := r.nodes.writeFrozen(); err != nil {
						t.Fatal(err)
					}
				}
				if i > 0 && chaos.IntN(60) == 0 {
					r.close()
					r = openRig(t, fs, limits)
					if chaos.IntN(2) == 0 {
						if err := r.nodes.Warm(context.Background()); err != nil {
							t.Fatal(err)
						}
					}
				}
				if n%100 == 99 {
					if err := r.nodes.Warm(context.Background()); err != nil {
						t.Fatal(err)
					}
					if got := r.digest(); got != r.tree.Counts().Digest {
						t.Fatalf("seed %d limits %d: digest %d, computed anew %d", seed, i, r.tree.Counts().Digest, got)
					}
				}
			}
			if err := r.nodes.Warm(context.Background()); err != nil {
				t.Fatal(err)
			}
			got := r.dump()
			if want == "" {
				want = got
			} else if got != want {
				t.Fatalf("seed %d limits %d: trees differ:\n%s\nwant\n%s", seed, i, got, want)
			}
			r.close()
			r = openRig(t, fs, limits)
			if err := r.nodes.Warm(context.Background()); err != nil {
				t.Fatal(err)
			}
			if got := r.dump(); got != want {
				t.Fatalf("seed %d limits %d: after the restart:\n%s\nwant\n%s", seed, i, got, want)
			}
			r.close()
		}
	}
}

// TestFrozenRecordsKeepTheirImage changes records while their set waits to be written.
func TestFrozenRecordsKeepTheirImage(t *testing.T) {
	fs := vfs.NewMem()
	r := openRig(t, fs, Limits{FreezeTxns: 1 << 30, FreezeBytes: 1 << 30, FreezeAge: 1e18})
	r.do(1, jute.Txn{Type: jute.OpCreate, Path: "/a", Data: []byte("one"), ACL: openACL(), ParentCversion: -1})
	r.do(1, jute.Txn{Type: jute.OpCreate, Path: "/b", Data: make([]byte, 5000), ACL: openACL(), ParentCversion: -1})
	want := r.dump()
	r.lock.Lock()
	r.nodes.freeze()
	r.lock.Unlock()
	r.do(1, jute.Txn{Type: jute.OpSetData, Path: "/a", Data: []byte("two"), Version: 1})
	r.do(1, jute.Txn{Type: jute.OpDelete, Path: "/b"})
	r.do(1, jute.Txn{Type: jute.OpCreate, Path: "/b", Data: []byte("new"), ACL: openACL(), ParentCversion: -1})
	if err := r.nodes.writeFrozen(); err != nil {
		t.Fatal(err)
	}
	if got := r.state.Applied(); got != 2 {
		t.Fatalf("applied mark on disk is %d, want 2", got)
	}
	// What is on disk is the tree at zxid 2, whatever memory has.
	other := &rig{t: t, state: r.state}
	nodes, found, _, err := Open(r.state, &other.lock, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	other.nodes, other.tree = nodes, tree.New(nodes, found, tree.Options{Digest: true, ExtendedTypes: true})
	if err := nodes.Warm(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := other.dump(); got != want {
		t.Fatalf("on disk:\n%s\nwant\n%s", got, want)
	}
	r.close()
}

// TestStaleReadIsNotInstalled lets a node be deleted, written and forgotten between a cold read and its
// installation.
func TestStaleReadIsNotInstalled(t *testing.T) {
	fs := vfs.NewMem()
	limits := Limits{FreezeTxns: 1 << 30, FreezeBytes: 1 << 30, FreezeAge: 1e18}
	r := openRig(t, fs, limits)
	r.do(1, jute.Txn{Type: jute.OpCreate, Path: "/a", Data: []byte("x"), ACL: openACL(), ParentCversion: -1})
	r.close()
	r = openRig(t, fs, limits)
	gen := r.nodes.generation()
	rec, ok, err := r.state.GetNode("/a", nil)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	v, err := r.nodes.decode("/a", rec)
	if err != nil {
		t.Fatal(err)
	}
	r.do(1, jute.Txn{Type: jute.OpDelete, Path: "/a"})
	if err := r.nodes.Flush(); err != nil {
		t.Fatal(err)
	}
	if r.nodes.settle(gen, func() { r.nodes.adopt("/a", &v) }) {
		t.Fatal("a record read before its delete was installed after it")
	}
	if err := r.nodes.Ensure("/a"); err != nil {
		t.Fatal(err)
	}
	if r.nodes.Find("/a") != tree.NoRef {
		t.Fatal("deleted node is back")
	}
	r.close()
}

func TestArenaReusesMemory(t *testing.T) {
	var a arena
	defer a.close()
	rnd := rand.New(rand.NewPCG(1, 2))
	held := map[handle]int{}
	for range 20000 {
		if len(held) > 500 {
			for h := range maps.Keys(held) {
				a.release(h, held[h])
				delete(held, h)
				break
			}
		}
		n := 1 + rnd.IntN(bigBytes)
		if rnd.IntN(500) == 0 {
			n = 100 << 10
		}
		h := a.alloc(n)
		for other, size := range held {
			if h < other+handle(unitsOf(size)) && other < h+handle(unitsOf(n)) {
				t.Fatalf("allocation %d+%d overlaps %d+%d", h, n, other, size)
			}
		}
		held[h] = n
	}
	if len(a.chunks) > 8 {
		t.Fatalf("%d chunks for about a million bytes", len(a.chunks))
	}
}

// TestBytesOfASet: of data that changes again before it is written the last counts alone.
func TestBytesOfASet(t *testing.T) {
	r := openRig(t, vfs.NewMem(), Limits{FreezeTxns: 1 << 20, FreezeBytes: 1 << 30, FreezeAge: 1e18})
	defer r.close()
	r.do(1, jute.Txn{Type: jute.OpCreate, Path: "/a", ACL: openACL(), ParentCversion: -1})
	if err := r.nodes.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{100, 100_000, 0, 900, 901} {
		r.do(1, jute.Txn{Type: jute.OpSetData, Path: "/a", Data: make([]byte, n)})
	}
	if got, want := r.nodes.current.bytes, recordBytes+901; got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
}

// TestDeletedMemory deletes nodes that wait to be written and fills their memory with data at once: what
// is written must not be read from there.
func TestDeletedMemory(t *testing.T) {
	fs := vfs.NewMem()
	r := openRig(t, fs, Limits{FreezeTxns: 1 << 20, FreezeBytes: 1 << 30})
	set := func(path string, n int) {
		r.do(1, jute.Txn{Type: jute.OpSetData, Path: path, Data: []byte(strings.Repeat("\xff", n))})
	}
	for _, p := range []string{"/a", "/b", "/keep"} {
		r.do(1, jute.Txn{Type: jute.OpCreate, Path: p, ACL: openACL(), ParentCversion: -1})
	}
	r.do(1, jute.Txn{Type: jute.OpDelete, Path: "/a"}) // in the current set
	set("/keep", recordBytes+1)
	r.lock.Lock()
	r.nodes.freeze()
	r.lock.Unlock()
	set("/b", 1) // its image is taken
	r.do(1, jute.Txn{Type: jute.OpDelete, Path: "/b"})
	r.do(1, jute.Txn{Type: jute.OpCreate, Path: "/c", Data: []byte(strings.Repeat("\xff", recordBytes+1)), ACL: openACL(), ParentCversion: -1})
	want := r.dump()
	used := r.nodes.records.used
	if err := r.nodes.Flush(); err != nil {
		t.Fatal(err)
	}
	if r.nodes.records.used >= used {
		t.Error("the memory of deleted nodes did not come back")
	}
	r.close()
	again := openRig(t, fs, DefaultLimits())
	defer again.close()
	if err := again.nodes.Warm(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := again.dump(); got != want || again.digest() != again.tree.TreeDigest() {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
