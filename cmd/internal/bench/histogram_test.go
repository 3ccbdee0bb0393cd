package bench

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestBuckets checks that buckets follow one another without a gap, and that none is wider than promised.
func TestBuckets(t *testing.T) {
	for b := range 40 << subBits {
		top := upper(b)
		if got := bucketOf(top); got != b {
			t.Fatalf("bucket %d ends at %d, which is in bucket %d", b, top, got)
		}
		if got := bucketOf(top + 1); got != b+1 {
			t.Fatalf("bucket %d ends at %d, but %d is in bucket %d", b, top, top+1, got)
		}
		if b > 0 {
			if width := top - upper(b-1); float64(width) > math.Max(1, float64(top)/(1<<subBits)*1.01) {
				t.Fatalf("bucket %d up to %d is %d wide", b, top, width)
			}
		}
	}
	if b := bucketOf(math.MaxInt64); b >= 64*(64-subBits) {
		t.Fatalf("the longest time is in bucket %d", b)
	}
}

// TestPercentiles compares with sorted values.
func TestPercentiles(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var h histogram
	var all []int64
	for range 20000 {
		v := int64(math.Exp(r.Float64()*20) * 10)
		all = append(all, v)
		h.add(v)
	}
	slices.Sort(all)
	l := h.latency()
	for _, c := range []struct {
		share float64
		got   float64
	}{{0.5, l.P50}, {0.9, l.P90}, {0.99, l.P99}, {0.999, l.P999}} {
		want := micros(all[int(c.share*float64(len(all)-1))])
		if c.got < want || c.got > want*1.02 {
			t.Errorf("p%v is %v, want %v to 2 %% more", c.share*100, c.got, want)
		}
	}
	if l.Max != micros(all[len(all)-1]) || l.Count != uint64(len(all)) {
		t.Errorf("max %v count %d", l.Max, l.Count)
	}
	var sum uint64
	for i, b := range l.Buckets {
		sum += b.Count
		if i > 0 && b.UpToMicros != 2*l.Buckets[i-1].UpToMicros {
			t.Errorf("bucket %d follows %d", b.UpToMicros, l.Buckets[i-1].UpToMicros)
		}
	}
	if sum != l.Count {
		t.Errorf("buckets hold %d of %d", sum, l.Count)
	}
}
