package prep

import (
	"fmt"
	"testing"

	"zk/jute"
	"zk/server/tree"
)

// benchPrepare prepares requests that are applied, as far as prep is concerned, 100 later.
func benchPrepare(b *testing.B, reqs []Request) {
	w := newWorld(Options{EnforceQuota: true})
	for _, p := range []string{"/bench"} {
		w.prepare(&Request{SessionID: 1, Body: Body{Op: jute.OpCreate, Path: p, ACL: openACL()}}, 1)
	}
	for i := range 1000 {
		w.prepare(&Request{SessionID: 1, Body: Body{Op: jute.OpCreate, Path: fmt.Sprintf("/bench/node-%04d", i), ACL: openACL()}}, 1)
	}
	for len(w.pending) > 0 {
		if bad := w.applyNext(); bad != "" {
			b.Fatal(bad)
		}
	}
	buf := make([]byte, 0, 4096)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		_, done := w.prep.Prepare(buf, &reqs[i%len(reqs)], 1)
		if done.Err != 0 {
			b.Fatal(done.Err)
		}
		w.prep.Applied(done.Zxid - 100)
		i++
	}
}

func BenchmarkSetData(b *testing.B) {
	reqs := make([]Request, 1000)
	for i := range reqs {
		reqs[i] = Request{SessionID: 1, Body: Body{
			Op: jute.OpSetData, Path: fmt.Sprintf("/bench/node-%04d", i), Data: make([]byte, 1024), Version: -1,
		}}
	}
	benchPrepare(b, reqs)
}

func BenchmarkCreateSequential(b *testing.B) {
	benchPrepare(b, []Request{{SessionID: 1, Body: Body{
		Op: jute.OpCreate, Path: "/bench/seq-", Data: make([]byte, 1024), ACL: openACL(), Flags: jute.FlagSequential,
	}}})
}

func BenchmarkMulti(b *testing.B) {
	benchPrepare(b, []Request{{SessionID: 1, Body: Body{Op: jute.OpMulti}, Subs: []Body{
		{Op: jute.OpCheck, Path: "/bench/node-0001", Version: -1},
		{Op: jute.OpSetData, Path: "/bench/node-0002", Data: make([]byte, 100), Version: -1},
		{Op: jute.OpSetData, Path: "/bench/node-0003", Data: make([]byte, 100), Version: -1},
	}}})
}

func BenchmarkCRC1KiB(b *testing.B) {
	data := make([]byte, 1024)
	for b.Loop() {
		tree.DataCRC("/bench/node-0001", data)
	}
}
