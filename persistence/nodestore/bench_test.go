package nodestore

import (
	"fmt"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"zk/jute"
	"zk/persistence"
	"zk/server/tree"
)

// BenchmarkApply applies transactions to a tree over a store on the temporary folder's disk. ns/op is what
// the apply loop takes for one, cpu-ns/op what the whole process takes: the rest is the write-behind.
func BenchmarkApply(b *testing.B) {
	acl := []jute.ACL{{Perms: 31, ID: jute.ID{Scheme: "world", ID: "anyone"}}}
	paths := make([]string, 10000)
	for i := range paths {
		paths[i] = fmt.Sprintf("/bench/k%010d", i)
	}
	data := make([]byte, 1024)
	for _, load := range []struct {
		name string
		txn  func(i int, t *jute.Txn)
	}{
		{"set1k", func(i int, t *jute.Txn) {
			*t = jute.Txn{Type: jute.OpSetData, Path: paths[i%len(paths)], Data: data, Version: int32(i)}
		}},
		{"create100", func(i int, t *jute.Txn) {
			*t = jute.Txn{Type: jute.OpCreate, Path: fmt.Sprintf("/bench/s%010d", i), Data: data[:100], ACL: acl, ParentCversion: int32(i)}
		}},
	} {
		b.Run(load.name, func(b *testing.B) {
			var lock sync.RWMutex
			state, err := persistence.OpenState(persistence.StateOptions{Dir: filepath.Join(b.TempDir(), "state")})
			if err != nil {
				b.Fatal(err)
			}
			fail := func(err error) { b.Error(err) }
			state.Start(func(persistence.Applied) {}, fail)
			nodes, found, _, err := Open(state, &lock, DefaultLimits())
			if err != nil {
				b.Fatal(err)
			}
			t := tree.New(nodes, found, tree.Options{Digest: true})
			t.Init()
			nodes.Start(fail)
			zxid := jute.Zxid(0)
			var res tree.Result
			apply := func(txn *jute.Txn) {
				if err := nodes.Throttle(); err != nil {
					b.Fatal(err)
				}
				zxid++
				h := jute.TxnHeader{ClientID: 1, Zxid: zxid, Time: int64(zxid), Type: txn.Type}
				lock.Lock()
				t.Apply(&h, txn, silent{}, &res)
				nodes.Applied(1, zxid, func(b []byte) []byte { return tree.AppendCounts(b, t.Counts()) })
				lock.Unlock()
			}
			apply(&jute.Txn{Type: jute.OpCreate, Path: "/bench", ACL: acl, ParentCversion: 1})
			for _, p := range paths {
				apply(&jute.Txn{Type: jute.OpCreate, Path: p, Data: data, ACL: acl, ParentCversion: 1})
			}
			var txn jute.Txn
			i := 0
			b.ReportAllocs()
			before := processCPU(b)
			for b.Loop() {
				load.txn(i, &txn)
				apply(&txn)
				i++
			}
			b.StopTimer()
			if err := nodes.Close(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(processCPU(b)-before)/float64(i), "cpu-ns/op")
			if err := state.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func processCPU(b *testing.B) time.Duration {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		b.Fatal(err)
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}
