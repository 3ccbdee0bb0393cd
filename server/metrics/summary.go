package metrics

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"

	"zk/server/metrics/javatext"
)

const (
	// quantileWindow is the age up to which Prometheus quantiles look back, in windowParts parts of
	// which one is dropped at a time: the defaults of the Java client library (Summary.Builder).
	quantileWindow = 10 * time.Minute
	windowParts    = 5

	// A value below 2*chunkLen has a counter of its own, each larger octave is cut in chunkLen equal
	// parts: a reported value is within 1.6 percent of a recorded one.
	chunkBits = 5
	chunkLen  = 1 << chunkBits
	// valueBits limits recorded values to 2^42-1 (139 years in ms, 4 TiB); larger ones count as that.
	valueBits = 42
	valueMax  = 1<<valueBits - 1
	chunks    = valueBits - chunkBits + 1
)

// basics is count, sum, smallest and largest of observed values. It is not read as one: a reader may
// see a count that is one ahead of the sum. The zero basics is ready.
type basics struct {
	count atomic.Int64
	sum   atomic.Int64
	// Smallest and largest, both plus one: 0 stands for none yet. Values are never negative.
	smallest atomic.Int64
	largest  atomic.Int64
	_        [cacheLineBytes - 4*8]byte
}

// observe records v >= 0.
func (b *basics) observe(v int64) { b.observeMany(v, 1) }

// observeMany records v >= 0 n times.
func (b *basics) observeMany(v, n int64) {
	b.count.Add(n)
	b.sum.Add(v * n)
	v++
	for m := b.smallest.Load(); m == 0 || v < m; m = b.smallest.Load() {
		if b.smallest.CompareAndSwap(m, v) {
			break
		}
	}
	for m := b.largest.Load(); v > m; m = b.largest.Load() {
		if b.largest.CompareAndSwap(m, v) {
			break
		}
	}
}

func (b *basics) snapshot() snapshot {
	return snapshot{
		count: b.count.Load(), sum: b.sum.Load(),
		min: max(0, b.smallest.Load()-1), max: max(0, b.largest.Load()-1),
	}
}

func (b *basics) reset() {
	b.count.Store(0)
	b.sum.Store(0)
	b.smallest.Store(0)
	b.largest.Store(0)
}

// snapshot is what basics held; all 0 before the first value.
type snapshot struct{ count, sum, min, max int64 }

// average has four decimals, and is 0 without values.
func (s snapshot) average() float64 {
	if s.count <= 0 {
		return 0
	}
	return javatext.Round4(float64(s.sum) / float64(s.count))
}

// Summary keeps the distribution of a value: milliseconds, bytes or a number of things. Observe is
// meant for hot paths. The zero Summary is ready and belongs to no clock; those of a Metrics share its
// window clock. All methods are safe for concurrent use.
type Summary struct {
	basics
	clock *windowClock
	// advanced asks for three quantiles instead of one, and for the percentiles of mntr.
	advanced bool
	// parts are the windows of the last ten minutes, by number modulo windowParts; retired is the sum
	// of all that left the window, so that mntr can tell percentiles since the start.
	parts   [windowParts]histogram
	retired histogram
}

// windowClock says which part is filled now. Its owner is Metrics, which moves it under its lock.
type windowClock struct{ current atomic.Uint32 }

// Observe records v; a negative value (clocks of two machines were compared) counts as 0.
func (s *Summary) Observe(v int64) { s.ObserveMany(v, 1) }

// ObserveMany records v n times, at the cost of once. It does nothing when n is 0.
func (s *Summary) ObserveMany(v int64, n int) {
	if n <= 0 {
		return
	}
	v = min(max(v, 0), valueMax)
	s.observeMany(v, int64(n))
	part := uint32(0)
	if s.clock != nil {
		part = s.clock.current.Load()
	}
	s.parts[part%windowParts].add(v, uint64(n))
}

// ObserveDuration records d in whole milliseconds.
func (s *Summary) ObserveDuration(d time.Duration) { s.Observe(Millis(d)) }

// Run records values of which many in a row are the same, at the cost of one for each row. It belongs to one
// goroutine. The zero Run is ready; Flush must be called at the end.
type Run struct {
	value int64
	n     int
}

// Observe takes a value for s; all of a Run are for the same summary.
func (r *Run) Observe(s *Summary, v int64) {
	if v != r.value {
		r.Flush(s)
		r.value = v
	}
	r.n++
}

// Flush records what was taken.
func (r *Run) Flush(s *Summary) {
	s.ObserveMany(r.value, r.n)
	r.n = 0
}

// Count is the number of values since the start or the last Reset.
func (s *Summary) Count() int64 { return s.count.Load() }

// Sum is their sum.
func (s *Summary) Sum() int64 { return s.sum.Load() }

// retire moves the part's figures to the total since the start; the part is empty after that.
// Called under the lock of Metrics, for the oldest part, which nobody fills any more.
func (s *Summary) retire(part uint32) { s.parts[part%windowParts].moveTo(&s.retired) }

func (s *Summary) reset() {
	s.basics.reset()
	s.retired.reset()
	for i := range s.parts {
		s.parts[i].reset()
	}
}

// windowed is the distribution of the last ten minutes.
func (s *Summary) windowed() *distribution {
	d := &distribution{}
	for i := range s.parts {
		d.addHistogram(&s.parts[i])
	}
	return d
}

// total is the distribution since the start or the last Reset.
func (s *Summary) total() *distribution {
	d := s.windowed()
	d.addHistogram(&s.retired)
	return d
}

// histogram counts values in log-linear buckets. Chunks come into being with the first value that
// falls in them and stay.
type histogram struct {
	chunk [chunks]atomic.Pointer[[chunkLen]atomic.Uint64]
}

// bucketOf gives the chunk and the place in it: values below chunkLen are in chunk 0, those below
// 2*chunkLen in chunk 1, each later chunk is one octave.
func bucketOf(v int64) (chunk, place int) {
	octave := max(0, bits.Len64(uint64(v))-chunkBits)
	if octave == 0 {
		return 0, int(v)
	}
	return octave, int(v>>(octave-1)) & (chunkLen - 1)
}

// bucketValue is the middle of a bucket, the inverse of bucketOf.
func bucketValue(chunk, place int) int64 {
	if chunk == 0 {
		return int64(place)
	}
	low := int64(chunkLen+place) << (chunk - 1)
	return low + (int64(1)<<(chunk-1)-1)/2
}

func (h *histogram) add(v int64, n uint64) {
	c, place := bucketOf(v)
	chunk := h.chunk[c].Load()
	if chunk == nil {
		chunk = h.grow(c)
	}
	chunk[place].Add(n)
}

// grow is kept out of add so that add stays small; the loser of a race uses the winner's chunk.
func (h *histogram) grow(c int) *[chunkLen]atomic.Uint64 {
	h.chunk[c].CompareAndSwap(nil, new([chunkLen]atomic.Uint64))
	return h.chunk[c].Load()
}

func (h *histogram) moveTo(to *histogram) {
	for c := range h.chunk {
		chunk := h.chunk[c].Load()
		if chunk == nil {
			continue
		}
		for i := range chunk {
			if n := chunk[i].Swap(0); n > 0 {
				target := to.chunk[c].Load()
				if target == nil {
					target = to.grow(c)
				}
				target[i].Add(n)
			}
		}
	}
}

func (h *histogram) reset() {
	for c := range h.chunk {
		h.chunk[c].Store(nil)
	}
}

// distribution is a sum of histograms at one moment.
type distribution struct {
	n      uint64
	counts [chunks * chunkLen]uint64
}

func (d *distribution) addHistogram(h *histogram) {
	for c := range h.chunk {
		chunk := h.chunk[c].Load()
		if chunk == nil {
			continue
		}
		for i := range chunk {
			v := chunk[i].Load()
			d.counts[c*chunkLen+i] += v
			d.n += v
		}
	}
}

// rank gives the value of the k-th smallest, counted from 1; k must be within 1 and n.
func (d *distribution) rank(k uint64) int64 {
	seen := uint64(0)
	for i, c := range d.counts {
		if seen += c; seen >= k {
			return bucketValue(i/chunkLen, i%chunkLen)
		}
	}
	panic("metrics: rank beyond the number of values")
}

// quantile is the smallest value with at least the share q of all values at or below it, NaN when
// there are none: what the Prometheus client library of Java gives, within its tolerated error.
func (d *distribution) quantile(q float64) float64 {
	if d.n == 0 {
		return math.NaN()
	}
	k := uint64(math.Ceil(q * float64(d.n)))
	return float64(d.rank(min(max(k, 1), d.n)))
}

// percentile interpolates between neighbours and rounds, 0 without values: what mntr shows. Source:
// com.codahale.metrics.UniformSnapshot.getValue, rounded as in AvgMinMaxPercentileCounter.
func (d *distribution) percentile(q float64) int64 {
	if d.n == 0 {
		return 0
	}
	position := q * float64(d.n+1)
	switch {
	case position < 1:
		return d.rank(1)
	case position >= float64(d.n):
		return d.rank(d.n)
	}
	k := uint64(position)
	low := float64(d.rank(k))
	high := float64(d.rank(k + 1))
	return int64(math.Floor(low + (position-float64(k))*(high-low) + 0.5))
}
