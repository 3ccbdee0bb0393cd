package server

import (
	"log/slog"
	"time"
)

const (
	// applyStopMin is how long apply may stand still without being told of: a stop is counted in the metric
	// apply_stop_time_ms and, for debugging, logged with its cause.
	applyStopMin = 10 * time.Millisecond
	// applyStopWarn is how long it may stand still without a warning.
	applyStopWarn = time.Second
)

// applyTimes are the moments of one turn of the applier.
type applyTimes struct {
	began   time.Time // before it waited for the state store
	free    time.Time // after that
	locked  time.Time // it had the tree lock
	applied time.Time // it gave the lock back
}

// lockTree takes the tree lock and gives the time, which is asked for only when others had it.
func (s *Server) lockTree(began time.Time) time.Time {
	if s.lock.TryLock() {
		return began
	}
	s.lock.Lock()
	return time.Now()
}

// noteStop tells of a turn that took long: what the stop of apply consisted of, and what was applied last.
// Its parts are throttled (the state store is behind), waited (readers had the tree lock), held (the
// transactions themselves) and flushed (system calls, and waiting for an earlier wide fan-out).
func (a *applier) noteStop(t *applyTimes, batch []Proposal, flushed time.Time) {
	took := flushed.Sub(t.began)
	if took < applyStopMin {
		return
	}
	s := a.s
	s.met.ApplyStopTime.ObserveDuration(took)
	level := slog.LevelDebug
	if took >= applyStopWarn {
		level = slog.LevelWarn
	}
	if !s.log.Enabled(s.ctx, level) {
		return
	}
	s.log.Log(s.ctx, level, "apply stood still", "took", took, "throttled", t.free.Sub(t.began), "waited", t.locked.Sub(t.free),
		"held", t.applied.Sub(t.locked), "flushed", flushed.Sub(t.applied), "txns", len(batch), "zxid", batch[len(batch)-1].Zxid,
		"op", a.prop.Header.Type, "told", a.flushed)
}
