package nodestore

import (
	"fmt"
	"sync"
	"testing"

	"zk/jute"
	"zk/server/tree"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestNoFreezeInsideTransactions: what is written is the tree at a zxid, also when the lock is let go in
// the middle of a transaction that counts a large subtree, or between transactions applied together.
func TestNoFreezeInsideTransactions(t *testing.T) {
	for _, inMulti := range []bool{false, true} {
		t.Run(fmt.Sprint("multi ", inMulti), func(t *testing.T) {
			fs := vfs.NewMem()
			r := openRig(t, fs, DefaultLimits())
			yields := 0
			r.tree = tree.New(r.nodes, tree.Saved{}, tree.Options{Digest: true, Yield: func() {
				yields++
				r.lock.Unlock()
				defer r.lock.Lock()
				if err := r.nodes.Flush(); err != nil {
					t.Error(err)
				}
			}})
			r.tree.Init()
			for i := range 5000 {
				path := "/a"
				if i > 0 {
					path = fmt.Sprintf("/a/n%d", i)
				}
				r.do(1, jute.Txn{Type: jute.OpCreate, Path: path, ACL: openACL(), ParentCversion: -1})
			}
			quota := tree.QuotaPath + "/a"
			r.do(1, jute.Txn{Type: jute.OpCreate, Path: quota, ACL: openACL(), ParentCversion: -1})
			stats := jute.Txn{Type: jute.OpCreate, Path: quota + "/" + tree.QuotaStatsNode, ACL: openACL(), ParentCversion: -1}
			if inMulti {
				stats = jute.Txn{Type: jute.OpMulti, Subs: []jute.Txn{
					{Type: jute.OpCreate, Path: "/b", ACL: openACL(), ParentCversion: -1}, stats}}
			}
			// Two transactions under one hold of the lock.
			r.lock.Lock()
			var res tree.Result
			for _, txn := range []jute.Txn{{Type: jute.OpSetData, Path: "/a", Data: []byte("x"), Version: 1}, stats} {
				r.zxid++
				r.tree.Apply(&jute.TxnHeader{ClientID: 1, Zxid: r.zxid, Type: txn.Type}, &txn, silent{}, &res)
			}
			at, digest := r.nodes.state.Applied(), r.tree.TreeDigest()
			r.lock.Unlock()
			if inMulti != (yields == 0) {
				t.Fatal("yields:", yields)
			}

			again := openRig(t, fsAt(t, r, fs), DefaultLimits())
			if err := again.nodes.EnsureTree("/"); err != nil {
				t.Fatal(err)
			}
			if got, want := again.digest(), again.tree.TreeDigest(); got != want {
				t.Errorf("on disk is a tree with digest %d, its figures at %v say %d; the tree in memory has %d", got, at, want, digest)
			}
			again.close()
		})
	}
}

// fsAt ends a store as a crash does, without writing what it holds.
func fsAt(t *testing.T, r *rig, fs vfs.FS) vfs.FS {
	t.Helper()
	if err := r.state.Close(); err != nil {
		t.Fatal(err)
	}
	return fs
}

// TestFlushBesideWriter: a Flush and the writer don't write the same set twice.
func TestFlushBesideWriter(t *testing.T) {
	fs := vfs.NewMem()
	r := openRig(t, fs, Limits{FreezeTxns: 10, FreezeBytes: 1 << 20, FreezeAge: DefaultLimits().FreezeAge})
	r.nodes.Start(func(err error) { t.Error(err) })
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if err := r.nodes.Flush(); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	for i := range 1500 {
		r.do(1, jute.Txn{Type: jute.OpCreate, Path: fmt.Sprintf("/n%d", i), ACL: openACL(), ParentCversion: -1})
	}
	close(stop)
	wg.Wait()
	want := r.dump()
	r.close()
	again := openRig(t, fs, DefaultLimits())
	if err := again.nodes.EnsureTree("/"); err != nil {
		t.Fatal(err)
	}
	if again.dump() != want {
		t.Error("the tree differs")
	}
	again.close()
}
