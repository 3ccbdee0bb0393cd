package quorum

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"zk/jute"
)

// TestTail holds the ring against a list that keeps everything: what the ring gives is right, and it keeps
// the newest up to its size.
func TestTail(t *testing.T) {
	const maxBytes = 200 << 10
	rnd := rand.New(rand.NewPCG(1, 2))
	last := jute.NewZxid(3, 17) // of the log
	first := jute.NewZxid(4, 1)
	tl := newTail(last, maxBytes)
	var all [][]byte
	for i := range 5000 {
		n := rnd.IntN(3000)
		switch {
		case i%700 == 600:
			n = 150 << 10
		case i%1300 == 1200:
			n = maxBytes + 1 // can't be kept
		}
		b := make([]byte, n)
		for j := range b {
			b[j] = byte(i + j)
		}
		all = append(all, b)
		tl.append(first+jute.Zxid(i), b)
		checkTail(t, tl, last, first, all)
	}
	if len(tl.ring) > maxBytes {
		t.Errorf("the ring has %d bytes", len(tl.ring))
	}
}

func checkTail(t *testing.T, tl *tail, logged, first jute.Zxid, all [][]byte) {
	t.Helper()
	tl.mu.Lock()
	defer tl.mu.Unlock()
	kept := 0
	for i := len(all) - 1; i >= 0; i-- {
		after := first + jute.Zxid(i) - 1
		if i == 0 {
			after = logged
		}
		z, b, ok := tl.afterLocked(after)
		if !ok {
			break
		}
		if kept++; z != first+jute.Zxid(i) || !bytes.Equal(b, all[i]) {
			t.Fatalf("entry %v: found %v with %d bytes", first+jute.Zxid(i), z, len(b))
		}
	}
	if kept != tl.n {
		t.Fatalf("%d found, %d kept", kept, tl.n)
	}
	if z, _, ok := tl.afterLocked(first + jute.Zxid(len(all)-1)); ok {
		t.Fatalf("%v after the last", z)
	}
	if _, _, ok := tl.afterLocked(logged - 1); ok {
		t.Fatal("the tail answers for the log")
	}
	if newest := len(all[len(all)-1]); kept == 0 && newest <= tl.max {
		t.Fatal("the newest is not kept")
	}
	if kept < len(all) && kept < 30 && tl.n > 0 && len(all) > 100 {
		size := 0
		for _, b := range all[len(all)-kept-1:] {
			size += len(b)
		}
		if size < tl.max/4 {
			t.Fatalf("only %d entries of %d bytes are kept", kept, size)
		}
	}
}

func TestTailEmpty(t *testing.T) {
	tl := newTail(0, 0)
	if _, _, ok := tl.afterLocked(0); ok {
		t.Error("an empty tail has an entry")
	}
	tl.append(jute.NewZxid(1, 1), nil)
	if z, b, ok := tl.afterLocked(jute.NewZxid(1, 0)); !ok || z != jute.NewZxid(1, 1) || len(b) != 0 {
		t.Errorf("after the epoch's zero: %v %x %v", z, b, ok)
	}
}

func BenchmarkTail(b *testing.B) {
	tl := newTail(0, 16<<20)
	body := make([]byte, 1100)
	z := jute.NewZxid(1, 0)
	b.ReportAllocs()
	for b.Loop() {
		z++
		tl.append(z, body)
		tl.mu.Lock()
		if _, _, ok := tl.afterLocked(z - 1); !ok {
			b.Fatal("not there")
		}
		tl.mu.Unlock()
	}
}
