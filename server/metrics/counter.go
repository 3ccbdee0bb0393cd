package metrics

import (
	"sync/atomic"
	"time"
)

// cacheLineBytes keeps two counters that are written by different cores off one line.
const cacheLineBytes = 64

// Counter only grows, except for Reset. The zero Counter is ready; all methods are safe for concurrent
// use. Source: server.metric.SimpleCounter.
type Counter struct {
	n atomic.Int64
	_ [cacheLineBytes - 8]byte
}

// Inc adds one.
func (c *Counter) Inc() { c.n.Add(1) }

// Add adds delta, which must not be negative.
func (c *Counter) Add(delta int64) { c.n.Add(delta) }

// Value is the count since the start or the last Reset.
func (c *Counter) Value() int64 { return c.n.Load() }

func (c *Counter) reset() { c.n.Store(0) }

// Gauge is a function that is called when somebody asks for the value. Until it is set, and after
// Unset, the family is absent from every output, as in Java for the families of another role.
// All methods are safe for concurrent use; the function must be too, and must not block.
type Gauge struct {
	fn atomic.Pointer[gaugeFunc]
}

// gaugeFunc is one of the two: mntr prints integers plainly and floats with a fraction.
type gaugeFunc struct {
	integer func() int64
	float   func() float64
}

// Set makes the gauge answer with whole numbers.
func (g *Gauge) Set(fn func() int64) { g.fn.Store(&gaugeFunc{integer: fn}) }

// SetFloat makes the gauge answer with a floating point number, which mntr always prints with a
// fraction ("0.0").
func (g *Gauge) SetFloat(fn func() float64) { g.fn.Store(&gaugeFunc{float: fn}) }

// Unset removes the family from the output.
func (g *Gauge) Unset() { g.fn.Store(nil) }

// GaugeSet is a family of gauges with the label "key", computed as a whole when somebody asks.
type GaugeSet struct {
	fn atomic.Pointer[func() map[string]int64]
}

// Set installs the function; the map it returns belongs to the caller. No more than setKeysMax entries
// of it, the first in order of their keys, are shown.
func (g *GaugeSet) Set(fn func() map[string]int64) { g.fn.Store(&fn) }

// Unset removes the family from the output.
func (g *GaugeSet) Unset() { g.fn.Store(nil) }

// Latency keeps count, sum, smallest and largest of a duration in milliseconds. It is what srvr and
// the *_latency gauges show, and unlike a Summary it is set back by srst whatever provider is on. The
// zero Latency is ready. Source: server.metric.AvgMinMaxCounter in ServerStats and ServerCnxn.
type Latency struct {
	basics
}

// Observe records one value in milliseconds; a negative one (a clock set back) is ignored.
func (l *Latency) Observe(millis int64) {
	if millis >= 0 {
		l.observe(millis)
	}
}

// Snapshot gives smallest, average (four decimals) and largest; all 0 before the first value.
func (l *Latency) Snapshot() (minimum int64, average float64, maximum int64) {
	s := l.snapshot()
	return s.min, s.average(), s.max
}

// Reset forgets everything.
func (l *Latency) Reset() { l.reset() }

// Sizes keeps the last, smallest and largest size in bytes, each -1 before the first. The zero Sizes is
// ready. Source: server.quorum.BufferStats.
type Sizes struct {
	// Stored plus one, so that the zero value means "none yet".
	last, min, max atomic.Int64
}

// Observe records one size, which must not be negative. It is not atomic as a whole: of two calls at
// the same moment either may be the last.
func (s *Sizes) Observe(bytes int64) {
	v := bytes + 1
	s.last.Store(v)
	for m := s.min.Load(); m == 0 || v < m; m = s.min.Load() {
		if s.min.CompareAndSwap(m, v) {
			break
		}
	}
	for m := s.max.Load(); v > m; m = s.max.Load() {
		if s.max.CompareAndSwap(m, v) {
			break
		}
	}
}

// Last is the newest size, or -1.
func (s *Sizes) Last() int64 { return s.last.Load() - 1 }

// Min is the smallest size, or -1.
func (s *Sizes) Min() int64 { return s.min.Load() - 1 }

// Max is the largest size, or -1.
func (s *Sizes) Max() int64 { return s.max.Load() - 1 }

// Reset forgets everything.
func (s *Sizes) Reset() {
	s.last.Store(0)
	s.min.Store(0)
	s.max.Store(0)
}

// Millis is the unit of every time in this package: whole milliseconds, rounded down as Java's clock
// differences are.
func Millis(d time.Duration) int64 { return d.Milliseconds() }
