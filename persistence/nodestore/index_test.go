package nodestore

import (
	"math/rand/v2"
	"testing"

	"zk/server/tree"
)

// has looks a record up.
func (x *index) has(hash uint32, r tree.Ref) bool {
	for b := x.bucket(hash); b != nil; b = x.after(b) {
		if b.slot(r) >= 0 {
			return true
		}
	}
	return false
}

// TestIndex: records come and go; hashes that are the same, and that crowd in a few buckets, are among them.
func TestIndex(t *testing.T) {
	for _, hashOf := range map[string]func(r uint32) uint32{
		"spread": func(r uint32) uint32 { return r * 2654435761 },
		"same":   func(r uint32) uint32 { return r % 3 },
		"crowd":  func(r uint32) uint32 { return r << 20 },
	} {
		rnd := rand.New(rand.NewPCG(3, 4))
		x := newIndex()
		in := map[uint32]bool{}
		for step, span := 0, uint32(1); step < 40_000; step++ {
			if step%2_000 == 0 {
				span = 1 + rnd.Uint32N(5_000)
			}
			r := 1 + rnd.Uint32N(span)
			if in[r] {
				x.remove(hashOf(r), tree.Ref(r))
				delete(in, r)
			} else {
				x.insert(hashOf(r), tree.Ref(r))
				in[r] = true
			}
		}
		x.remove(hashOf(9_999), 9_999) // which isn't there
		if x.count != len(in) {
			t.Errorf("%d records for %d", x.count, len(in))
		}
		for r := uint32(1); r <= 5_000; r++ {
			if x.has(hashOf(r), tree.Ref(r)) != in[r] {
				t.Fatalf("record %d: %v", r, !in[r])
			}
		}
		for r := range in {
			x.remove(hashOf(r), tree.Ref(r))
		}
		spare := uint32(0)
		for more := x.spare; more != 0; more = x.over(more).more {
			spare++
		}
		if x.count != 0 || spare != x.made {
			t.Errorf("%d records left, %d of %d overflow buckets free", x.count, spare, x.made)
		}
	}
}
