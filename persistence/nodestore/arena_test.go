package nodestore

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
)

// TestLongNamesComeAndGo: nodes with long names that come and go don't use up the arena, and a name may
// be longer than a chunk.
func TestLongNamesComeAndGo(t *testing.T) {
	r := openRig(t, vfs.NewMem(), DefaultLimits())
	defer r.close()
	rng := rand.New(rand.NewPCG(1, 1))
	before := r.nodes.MemoryBytes()
	for i := range 120 {
		n := 1 + rng.IntN(1<<20)
		if i%50 == 0 {
			n = 9 << 20
		}
		name := make([]byte, n)
		for k := range name {
			name[k] = 'a' + byte((i+k)%26)
		}
		path := "/" + string(name)
		r.do(1, jute.Txn{Type: jute.OpCreate, Path: path, ACL: openACL(), ParentCversion: -1})
		r.do(1, jute.Txn{Type: jute.OpCreate, Path: "/short", ACL: openACL(), ParentCversion: -1})
		if got := string(r.tree.Data(r.tree.Find("/short"))); got != "" || string(r.nodes.Name(r.tree.Find(path))) != string(name) {
			t.Fatal("the name is not what it was")
		}
		r.do(1, jute.Txn{Type: jute.OpDelete, Path: path})
		r.do(1, jute.Txn{Type: jute.OpDelete, Path: "/short"})
		if err := r.nodes.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if after := r.nodes.MemoryBytes(); after != before {
		t.Errorf("%d bytes in use, %d before", after, before)
	}
	if mapped := (len(r.nodes.records.chunks) + len(r.nodes.values.chunks)) * chunkBytes; mapped > 64<<20 {
		t.Errorf("%d MiB mapped", mapped>>20)
	}
}

// TestArenaPieces allocates and frees at random; no two pieces overlap.
func TestArenaPieces(t *testing.T) {
	var a arena
	defer a.close()
	a.alloc(1)
	base := a.used
	rng := rand.New(rand.NewPCG(2, 2))
	type piece struct {
		h    handle
		n    int
		fill byte
	}
	bytesOf := func(p piece) []byte { return unsafe.Slice((*byte)(a.at(p.h)), p.n) }
	var list []piece
	for i := range 20000 {
		if rng.IntN(2) == 0 || len(list) == 0 {
			n := 1 + rng.IntN(1<<(1+rng.IntN(17)))
			p := piece{a.alloc(n), n, byte(i)}
			b := bytesOf(p)
			for k := range b {
				b[k] = p.fill
			}
			list = append(list, p)
			continue
		}
		k := rng.IntN(len(list))
		p := list[k]
		b := bytesOf(p)
		for at := range b {
			if b[at] != p.fill {
				t.Fatalf("step %d: a piece of %d bytes was overwritten at %d", i, p.n, at)
			}
		}
		a.release(p.h, p.n)
		list[k] = list[len(list)-1]
		list = list[:len(list)-1]
	}
	for _, p := range list {
		a.release(p.h, p.n)
	}
	if a.used != base {
		t.Errorf("%d bytes in use, %d before", a.used, base)
	}
}

// TestGivenBack: the memory of nodes that are gone goes back to the system, and is taken again before more is.
func TestGivenBack(t *testing.T) {
	r := openRig(t, vfs.NewMem(), DefaultLimits())
	defer r.close()
	r.do(1, jute.Txn{Type: jute.OpCreate, Path: "/all", ACL: openACL(), ParentCversion: -1})
	data := bytes.Repeat([]byte{0xff}, 900)
	a := &r.nodes.values
	chunks := 0
	for round := range 3 {
		const nodes = 30_000
		for i := range nodes {
			r.do(1, jute.Txn{Type: jute.OpCreate, Path: fmt.Sprintf("/all/n%d", i), Data: data, ACL: openACL(), ParentCversion: -1})
		}
		if err := r.nodes.Flush(); err != nil {
			t.Fatal(err)
		}
		if chunks == 0 {
			chunks = len(a.chunks)
		}
		if n := len(a.chunks); n < 6 || n > chunks+1 || len(a.given) > 1 {
			t.Errorf("round %d: %d chunks, %d at first, %d of them given back", round, n, chunks, len(a.given))
		}
		for i := range nodes {
			r.do(1, jute.Txn{Type: jute.OpDelete, Path: fmt.Sprintf("/all/n%d", i)})
		}
		if err := r.nodes.Flush(); err != nil {
			t.Fatal(err)
		}
		for before := -1; before < len(a.given); {
			before = len(a.given)
			if err := r.nodes.tick(); err != nil {
				t.Fatal(err)
			}
			if n := len(a.given) - before; n > 1+len(a.chunks)/surplusShare {
				t.Errorf("round %d: %d chunks were given back at a time", round, n)
			}
		}
		// The current chunk and the one with the first node stay, and some that may soon be wanted.
		if n := len(a.chunks) - len(a.given); n > emptyKept+2 {
			t.Errorf("round %d: %d of %d chunks are kept", round, n, len(a.chunks))
		}
		for _, i := range a.given {
			for at, b := range unsafe.Slice((*byte)(a.chunks[i]), chunkBytes) {
				if b != 0 {
					t.Fatalf("round %d: byte %d of chunk %d is still there", round, at, i)
				}
			}
		}
	}
}
