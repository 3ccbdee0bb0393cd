package nodestore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
	"zk/persistence"
)

// comeAndGo makes transactions that build whole trees and delete them from below, now and then not quite, or with
// something new in it at once.
func comeAndGo(rnd *rand.Rand) (txns []jute.Txn) {
	data := make([]byte, 2000)
	create := func(path string) {
		txns = append(txns, jute.Txn{Type: jute.OpCreate, Path: path, Data: data[:rnd.IntN(len(data))], ACL: openACL(), ParentCversion: -1})
	}
	for range 30 {
		top := []string{"/a", "/a!", "/a0", "/b"}[rnd.IntN(4)]
		var paths []string
		paths = append(paths, top)
		for i := range 1 + rnd.IntN(4) {
			folder := fmt.Sprintf("%s/f%d", top, i)
			paths = append(paths, folder)
			for k := range rnd.IntN(200) {
				paths = append(paths, fmt.Sprintf("%s/n%d", folder, k))
			}
		}
		for _, p := range paths {
			create(p)
		}
		for i := len(paths) - 1; i >= 0; i-- {
			if rnd.IntN(300) == 0 {
				continue // what is above can't be deleted then
			}
			txns = append(txns, jute.Txn{Type: jute.OpDelete, Path: paths[i]})
			if rnd.IntN(100) == 0 {
				create(paths[i] + "/new")
			}
			if strings.Count(paths[i], "/") < 3 && rnd.IntN(2) == 0 {
				create(paths[i])
			}
		}
	}
	return txns
}

// TestTreesComeAndGo: whatever of a deleted tree is dropped from the disk, and when, what is left is the same.
func TestTreesComeAndGo(t *testing.T) {
	for seed := range uint64(4) {
		want := ""
		for i, limits := range []Limits{{FreezeTxns: 1 << 30, FreezeBytes: 1 << 30, FreezeAge: 1e18}, {100, 1 << 30, 1e18}, {1 << 14, 300_000, 1e18}} {
			txns := comeAndGo(rand.New(rand.NewPCG(seed, 1)))
			chaos := rand.New(rand.NewPCG(seed, uint64(i)))
			o := persistence.StateOptions{FS: vfs.NewMem(), MemtableBytes: 16 << 10}
			r := openRigOf(t, o, limits)
			for _, txn := range txns {
				r.do(1, txn)
				if i > 0 && chaos.IntN(20) == 0 {
					if err := r.nodes.writeFrozen(); err != nil {
						t.Fatal(err)
					}
				}
				if i > 0 && chaos.IntN(1000) == 0 {
					r.close()
					r = openRigOf(t, o, limits)
				}
			}
			if err := r.nodes.Warm(context.Background()); err != nil {
				t.Fatal(err)
			}
			got := r.dump()
			r.close()
			r = openRigOf(t, o, limits)
			if err := r.nodes.Warm(context.Background()); err != nil {
				t.Fatal(err)
			}
			if again := r.dump(); again != got || r.digest() != r.tree.Counts().Digest {
				t.Fatalf("seed %d limits %d: after a restart it is another tree", seed, i)
			}
			if want == "" {
				want = got
			} else if got != want {
				t.Fatalf("seed %d limits %d: the trees differ", seed, i)
			}
			r.close()
		}
	}
}

// TestEmptiedDisk: the disk has its room back when a tree is deleted, without anything else to do.
func TestEmptiedDisk(t *testing.T) {
	r := openRig(t, vfs.NewMem(), DefaultLimits())
	defer r.close()
	r.nodes.Start(func(err error) { t.Error(err) })
	tables := func() (bytes int64) {
		names, err := r.fs.List("state")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if info, err := r.fs.Stat(r.fs.PathJoin("state", name)); err == nil && strings.HasSuffix(name, ".sst") {
				bytes += info.Size()
			}
		}
		return bytes
	}
	const nodes = 40_000
	data := make([]byte, 1000)
	r.do(1, jute.Txn{Type: jute.OpCreate, Path: "/all", ACL: openACL(), ParentCversion: -1})
	for i := range nodes {
		r.do(1, jute.Txn{Type: jute.OpCreate, Path: fmt.Sprintf("/all/n%d", i), Data: data, ACL: openACL(), ParentCversion: -1})
	}
	if err := r.nodes.Flush(); err != nil {
		t.Fatal(err)
	}
	if n := tables(); n < nodes*1000 {
		t.Fatalf("only %d bytes are on the disk", n)
	}
	for i := range nodes {
		r.do(1, jute.Txn{Type: jute.OpDelete, Path: fmt.Sprintf("/all/n%d", i)})
	}
	for end := time.Now().Add(time.Minute); tables() > nodes*100; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d bytes are still on the disk", tables())
		}
	}
}
