package metrics

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestBucketsAreContiguousAndTight(t *testing.T) {
	previous := -1
	check := func(v int64) {
		t.Helper()
		c, place := bucketOf(v)
		if c < 0 || c >= chunks || place < 0 || place >= chunkLen {
			t.Fatalf("value %d falls in bucket %d/%d", v, c, place)
		}
		if i := c*chunkLen + place; i < previous {
			t.Fatalf("value %d falls below the bucket of a smaller one", v)
		} else {
			previous = i
		}
		mid := bucketValue(c, place)
		if v < 2*chunkLen && mid != v {
			t.Fatalf("small value %d is reported as %d", v, mid)
		}
		if diff := math.Abs(float64(mid - v)); diff > float64(v)/(2*chunkLen) {
			t.Fatalf("value %d is reported as %d", v, mid)
		}
	}
	for v := range int64(1 << 16) {
		check(v)
	}
	for shift := 16; shift < valueBits; shift++ {
		for i := range int64(100) {
			check(int64(1)<<shift + i*(int64(1)<<shift)/100)
		}
	}
	check(valueMax)
}

// TestQuantilesAgainstSorting uses small values, which the histogram keeps exactly.
func TestQuantilesAgainstSorting(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		s := &Summary{advanced: true}
		var all []int64
		for range 1 + r.IntN(200) {
			v := r.Int64N(2 * chunkLen)
			s.Observe(v)
			all = append(all, v)
		}
		slices.Sort(all)
		d := s.total()
		for _, q := range []float64{0.5, 0.9, 0.95, 0.99, 0.999} {
			k := int(math.Ceil(q * float64(len(all))))
			if got, want := d.quantile(q), float64(all[k-1]); got != want {
				t.Fatalf("quantile %v of %v: got %v, want %v", q, all, got, want)
			}
			if got, want := d.percentile(q), slowPercentile(all, q); got != want {
				t.Fatalf("percentile %v of %v: got %v, want %v", q, all, got, want)
			}
		}
	}
}

// slowPercentile is the formula of com.codahale.metrics.UniformSnapshot on sorted values, rounded as
// Math.round does.
func slowPercentile(sorted []int64, q float64) int64 {
	position := q * float64(len(sorted)+1)
	i := int(position)
	switch {
	case i < 1:
		return sorted[0]
	case i >= len(sorted):
		return sorted[len(sorted)-1]
	}
	low, high := float64(sorted[i-1]), float64(sorted[i])
	return int64(math.Floor(low + (position-math.Floor(position))*(high-low) + 0.5))
}

func TestSummaryFigures(t *testing.T) {
	s := &Summary{}
	if got := s.snapshot(); got != (snapshot{}) || got.average() != 0 {
		t.Errorf("empty: %+v", got)
	}
	if q := s.windowed().quantile(0.5); !math.IsNaN(q) {
		t.Errorf("quantile of nothing is %v", q)
	}
	for _, v := range []int64{7, 3, 12, -5} {
		s.Observe(v)
	}
	if got := s.snapshot(); got != (snapshot{count: 4, sum: 22, min: 0, max: 12}) {
		t.Errorf("%+v", got)
	}
	s.ObserveDuration(1999 * time.Microsecond)
	if s.Count() != 5 || s.Sum() != 23 {
		t.Errorf("count %d sum %d", s.Count(), s.Sum())
	}
	s.Observe(math.MaxInt64)
	if got := s.snapshot().max; got != valueMax {
		t.Errorf("largest is %d", got)
	}
}

func TestWindowForgets(t *testing.T) {
	start := time.Unix(1000, 0)
	m := New(start)
	m.ReadLatency.Observe(50)
	median := func() float64 { return m.ReadLatency.windowed().quantile(0.5) }
	for minute := range 8 {
		m.Rotate(start.Add(time.Duration(minute) * time.Minute))
		if got := median(); got != 50 {
			t.Fatalf("after %d minutes: %v", minute, got)
		}
	}
	m.ReadLatency.Observe(9)
	m.ReadLatency.Observe(9)
	if got := median(); got != 9 {
		t.Errorf("both parts: %v", got)
	}
	m.Rotate(start.Add(11 * time.Minute))
	if d := m.ReadLatency.windowed(); d.n != 2 {
		t.Errorf("%d values after 11 minutes, want 2", d.n)
	}
	// A long silence empties everything, but not the figures since the start.
	m.Rotate(start.Add(24 * time.Hour))
	if got := median(); !math.IsNaN(got) {
		t.Errorf("after a day: %v", got)
	}
	if d := m.ReadLatency.total(); d.n != 3 || d.percentile(0.999) != 50 || m.ReadLatency.Count() != 3 {
		t.Errorf("since the start: %d values", d.n)
	}
	m.Rotate(start) // a clock that went back does nothing
	m.Reset()
	if d := m.ReadLatency.total(); d.n != 0 || m.ReadLatency.snapshot() != (snapshot{}) {
		t.Errorf("after reset: %d values", d.n)
	}
}

func TestObserveFromManyGoroutines(t *testing.T) {
	m := New(time.Unix(0, 0))
	const writers, each = 4, 5000
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(5, uint64(w)))
			for i := range each {
				m.UpdateLatency.Observe(r.Int64N(1 << 20))
				m.WritePerNamespace.Observe([]string{"a", "b", "c"}[i%3], 1)
				m.CommitCount.Inc()
			}
		})
	}
	wg.Go(func() {
		for i := range 40 {
			m.AppendMntr(nil, FormDefault, time.Unix(int64(i)*120, 0))
		}
	})
	wg.Wait()
	if n := m.UpdateLatency.total().n; n != writers*each {
		t.Errorf("%d values of %d arrived", n, writers*each)
	}
	if n := m.CommitCount.Value(); n != writers*each {
		t.Errorf("counted %d", n)
	}
	if n := m.WritePerNamespace.With("b").Count(); n != writers*((each+1)/3) {
		t.Errorf("b has %d", n)
	}
}

func TestObserveDoesNotAllocate(t *testing.T) {
	m := New(time.Unix(0, 0))
	v := int64(0)
	observe := func() {
		v = (v*7 + 3) % 10000
		m.UpdateLatency.Observe(v)
		m.WritePerNamespace.Observe("load", v)
		m.CommitCount.Inc()
		m.Server.ResponseSizes.Observe(v)
	}
	for range 20000 {
		observe()
	}
	if n := testing.AllocsPerRun(1000, observe); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCounterInc(b *testing.B) {
	m := New(time.Unix(0, 0))
	for b.Loop() {
		m.CommitCount.Inc()
	}
}

func BenchmarkSummaryObserve(b *testing.B) {
	m := New(time.Unix(0, 0))
	b.ReportAllocs()
	v := int64(0)
	for b.Loop() {
		v = (v + 13) & 1023
		m.ReadLatency.Observe(v)
	}
}

func BenchmarkSummaryObserveParallel(b *testing.B) {
	m := New(time.Unix(0, 0))
	b.RunParallel(func(p *testing.PB) {
		v := int64(0)
		for p.Next() {
			v = (v + 13) & 1023
			m.ReadLatency.Observe(v)
		}
	})
}

func BenchmarkSummarySetObserve(b *testing.B) {
	m := New(time.Unix(0, 0))
	b.ReportAllocs()
	for b.Loop() {
		m.ReadPerNamespace.Observe("load", 100)
	}
}

func BenchmarkObserveRequest(b *testing.B) {
	m := New(time.Unix(0, 0))
	for b.Loop() {
		m.ObserveRequest(1, false)
	}
}

func BenchmarkAppendMntr(b *testing.B) {
	m := New(time.Unix(0, 0))
	m.ReadLatency.Observe(3)
	var dst []byte
	for b.Loop() {
		dst = m.AppendMntr(dst[:0], FormDefault, time.Unix(0, 0))
	}
}

// TestRun: a row of equal values is as good as each alone.
func TestRun(t *testing.T) {
	m := New(time.Unix(0, 0))
	var r Run
	values := []int64{5, 5, 5, 0, 0, 7, 5, -3, -3}
	for _, v := range values {
		r.Observe(m.UpdateLatency, v)
		m.ReadLatency.Observe(v)
	}
	if n := m.UpdateLatency.Count(); n == int64(len(values)) {
		t.Error("nothing was kept for the end")
	}
	r.Flush(m.UpdateLatency)
	r.Flush(m.UpdateLatency)
	m.UpdateLatency.ObserveMany(1000, 0)
	if got, want := m.UpdateLatency.snapshot(), m.ReadLatency.snapshot(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got, want := *m.UpdateLatency.total(), *m.ReadLatency.total(); got != want {
		t.Error("the distributions differ")
	}
}
