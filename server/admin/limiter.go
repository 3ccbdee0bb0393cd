package admin

import (
	"sync"
	"time"
)

// limiter lets one call through per interval. The interval begins anew with the first call after its
// end, and the first one with the limiter, as in Java's RateLimiter.
type limiter struct {
	interval time.Duration
	mu       sync.Mutex
	began    time.Time // guarded by mu
	used     bool      // guarded by mu
}

func newLimiter(interval time.Duration) *limiter {
	return &limiter{interval: interval, began: time.Now()}
}

// allow counts a call and reports if it may go on.
func (l *limiter) allow() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); now.Sub(l.began) > l.interval {
		l.began, l.used = now, false
	}
	first := !l.used
	l.used = true
	return first
}

// snapshotInterval is the interval in force between snapshots: Java 3.9.5 takes the milliseconds of
// admin.rateLimiterIntervalInMS for microseconds there, and whole milliseconds of them (5 minutes become
// 0.3 s). Backup scripts depend on it by now.
func snapshotInterval(set time.Duration) time.Duration {
	return (set / 1000).Truncate(time.Millisecond)
}
