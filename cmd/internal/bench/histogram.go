package bench

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// A histogram counts durations in buckets that are a 64th of their power of two wide: 1.6 % wide, from a
// nanosecond to hours. It may be used from many goroutines.
type histogram struct {
	counts [64 * (64 - subBits)]atomic.Uint64
	sum    atomic.Int64 // nanoseconds
	max    atomic.Int64 // nanoseconds
}

const subBits = 6

func bucketOf(nanos int64) int {
	v := uint64(max(nanos, 0))
	shift := max(bits.Len64(v)-1-subBits, 0)
	return shift<<subBits + int(v>>shift)
}

// upper is the largest number of nanoseconds that a bucket counts.
func upper(bucket int) int64 {
	shift := max(bucket>>subBits-1, 0)
	return (int64(bucket-shift<<subBits)+1)<<shift - 1
}

func (h *histogram) add(nanos int64) {
	h.counts[bucketOf(nanos)].Add(1)
	h.sum.Add(nanos)
	for {
		old := h.max.Load()
		if nanos <= old || h.max.CompareAndSwap(old, nanos) {
			return
		}
	}
}

// Latency is a distribution of times.
type Latency struct {
	Count uint64  `json:"count"`
	Mean  float64 `json:"mean_us"`
	P50   float64 `json:"p50_us"`
	P90   float64 `json:"p90_us"`
	P99   float64 `json:"p99_us"`
	P999  float64 `json:"p999_us"`
	Max   float64 `json:"max_us"`
	// Buckets are the requests by the power of two of microseconds that they took at most.
	Buckets []Bucket `json:"buckets,omitempty"`
}

// Bucket is a line of a histogram.
type Bucket struct {
	UpToMicros int64  `json:"up_to_us"`
	Count      uint64 `json:"count"`
}

func micros(nanos int64) float64 { return float64(nanos) / float64(time.Microsecond) }

// latency reads the histogram; nil when it is empty.
func (h *histogram) latency() *Latency {
	var counts [len(h.counts)]uint64
	var n uint64
	for i := range h.counts {
		counts[i] = h.counts[i].Load()
		n += counts[i]
	}
	if n == 0 {
		return nil
	}
	l := &Latency{Count: n, Mean: micros(h.sum.Load()) / float64(n), Max: micros(h.max.Load())}
	at := func(share float64) float64 {
		rank, seen := uint64(share*float64(n-1))+1, uint64(0)
		for i, c := range counts {
			if seen += c; seen >= rank {
				return min(micros(upper(i)), l.Max)
			}
		}
		return l.Max
	}
	l.P50, l.P90, l.P99, l.P999 = at(0.5), at(0.9), at(0.99), at(0.999)
	l.Buckets = buckets(counts[:])
	return l
}

// buckets adds the fine buckets up to one per power of two of microseconds.
func buckets(counts []uint64) []Bucket {
	var lines []Bucket
	limit := int64(1)
	var sum uint64
	for i, c := range counts {
		for upper(i) > limit*int64(time.Microsecond) {
			if sum > 0 || len(lines) > 0 {
				lines = append(lines, Bucket{limit, sum})
			}
			limit, sum = 2*limit, 0
			if limit > int64(time.Hour/time.Microsecond) {
				return trim(lines)
			}
		}
		sum += c
	}
	return trim(lines)
}

func trim(lines []Bucket) []Bucket {
	for len(lines) > 0 && lines[len(lines)-1].Count == 0 {
		lines = lines[:len(lines)-1]
	}
	return lines
}
