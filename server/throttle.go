package server

import (
	"sync"
	"time"

	"zk/conf"
	"zk/jute"
)

// connThrottle is the token bucket for new connections (connection_throttle_*; Java: BlueThrottle).
type connThrottle struct {
	cfg  *conf.ConnectionThrottle
	rand func() uint64

	mu     sync.Mutex
	tokens int     // guarded by mu
	filled int64   // guarded by mu; server clock, milliseconds
	drop   float64 // guarded by mu; probability to refuse although there are tokens
	frozen int64   // guarded by mu; when drop was last changed
}

func (t *connThrottle) init(cfg *conf.ConnectionThrottle, rand func() uint64) {
	t.cfg, t.rand = cfg, rand
	t.tokens = t.max()
}

func (t *connThrottle) weight() int {
	if t.cfg.WeightEnabled {
		return t.cfg.GlobalSessionWeight
	}
	return 1
}

func (t *connThrottle) max() int { return t.cfg.Tokens * t.weight() }

// admit takes the tokens of one connection; false refuses it. now is in milliseconds.
func (t *connThrottle) admit(renew bool, now int64) bool {
	if t.cfg.Tokens <= 0 {
		return true
	}
	need := 1
	if t.cfg.WeightEnabled {
		need = t.cfg.GlobalSessionWeight
		if renew {
			need = t.cfg.RenewSessionWeight
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refill(now)
	if t.cfg.FreezeTime >= 0 && !t.lucky(now) {
		return false
	}
	if t.tokens < need {
		return false
	}
	t.tokens -= need
	return true
}

func (t *connThrottle) refill(now int64) {
	every := max(t.cfg.FillTime.Milliseconds(), 1)
	if n := (now - t.filled) / every; n > 0 {
		add := min(n, int64(t.max())) * int64(t.cfg.FillCount*t.weight())
		t.tokens = int(min(int64(t.tokens)+add, int64(t.max())))
		t.filled += n * every
	}
}

// lucky adapts the drop probability to how full the bucket is, and casts the die.
func (t *connThrottle) lucky(now int64) bool {
	if now-t.frozen >= t.cfg.FreezeTime.Milliseconds() {
		t.frozen = now
		switch {
		case t.tokens <= 0:
			t.drop = min(t.drop+t.cfg.DropIncrease, 1)
		case float64(t.tokens) > float64(t.max())*t.cfg.DecreaseRatio:
			t.drop = max(t.drop-t.cfg.DropDecrease, 0)
		}
	}
	return t.drop == 0 || float64(t.rand()>>11)/(1<<53) >= t.drop
}

func (t *connThrottle) dropProbability() float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.drop
}

func (t *connThrottle) deficit() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return int64(t.max() - t.tokens)
}

// requestThrottle holds requests back while too many are in the pipeline (request_throttle_*; Java:
// RequestThrottler).
type requestThrottle struct{ s *Server }

func (t *requestThrottle) init(s *Server) { t.s = s }

func (t *requestThrottle) limited() bool { return t.s.cfg.RequestThrottleMaxRequests > 0 }

// enter waits until the request may go on. False means it was answered or dropped here.
func (t *requestThrottle) enter(c *conn, h *jute.RequestHeader) bool {
	s := t.s
	from := time.Now()
	for s.outstanding.Load() >= int64(s.cfg.RequestThrottleMaxRequests) {
		c.pause()
		s.met.RequestThrottleWaitCount.Inc()
		select {
		case <-time.After(max(s.cfg.RequestThrottleStallTime, time.Millisecond)):
		case <-c.term.over():
			return false
		}
	}
	waited := time.Since(from)
	s.met.RequestThrottleQueueTime.ObserveDuration(waited)
	if t.stale(c, waited) {
		s.met.StaleRequests.Inc()
		if s.cfg.RequestThrottleDropStale {
			s.met.StaleRequestsDropped.Inc()
			c.shutdown()
			return false
		}
	}
	exempt := h.Type == jute.OpPing || h.Type == jute.OpCloseSession
	if limit := s.cfg.ThrottledOpWaitTime; limit > 0 && waited > limit && !exempt {
		s.met.ThrottledOps.Inc()
		c.refuse(h, jute.CodeThrottledOp)
		return false
	}
	return true
}

// stale reports whether nobody waits for the request any more.
func (t *requestThrottle) stale(c *conn, waited time.Duration) bool {
	cfg := t.s.cfg
	if cfg.RequestStaleLatencyCheck && waited.Milliseconds() > int64(c.timeout.Load()) {
		return true
	}
	if !cfg.RequestStaleConnectionCheck {
		return false
	}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.dead
}

// admitLarge counts a large request; false when the large ones in flight would be too many bytes
// (largeRequestMaxBytes).
func (s *Server) admitLarge(size int64) bool {
	if s.large.Add(size) <= int64(s.cfg.LargeRequestMaxBytes) {
		return true
	}
	s.large.Add(-size)
	s.met.LargeRequestsRejected.Inc()
	return false
}
