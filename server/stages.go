package server

import (
	"time"

	"zk/server/metrics"
)

// Java's ensembles have two stages behind the agreement on a transaction, CommitProcessor and FinalRequestProcessor,
// and figures for each. Here Apply is both: what it waits for and how long it takes is told in their names, once
// for a batch. Java's standalone server has no CommitProcessor, so that those figures stay empty there.

// stages gathers what a batch tells.
type stages struct {
	propagated metrics.Run // propagation_latency
	waited     metrics.Run // write_commitproc_time_ms
	own        int         // transactions that this server has waited for: those of its clients, or a leader's
}

// wrote counts a write that has waited here for so long.
func (g *stages) wrote(m *metrics.Metrics, millis int64) {
	g.waited.Observe(m.WriteCommitProcTime, millis)
	g.own++
}

// inEnsemble reports if the server is one of an ensemble.
func (s *Server) inEnsemble() bool {
	t := s.term.Load()
	return t != nil && t.Role != Standalone
}

// noteCommits counts committed transactions that are handed to Apply at once.
func (s *Server) noteCommits(n int) {
	if !s.inEnsemble() {
		return
	}
	m := s.met
	m.RequestCommitQueued.Add(int64(n))
	m.CommitCommitProcReqQueued.Observe(int64(n))
	m.WriteCommitProcReqQueued.Observe(s.outstanding.Load())
}

// noteStages tells of a batch that was applied.
func (a *applier) noteStages(t *applyTimes, n int, flushed time.Time) {
	m, g := a.s.met, &a.stages
	g.propagated.Flush(m.PropagationLatency)
	if !a.s.inEnsemble() {
		g.waited, g.own = metrics.Run{}, 0
		return
	}
	g.waited.Flush(m.WriteCommitProcTime)
	m.WriteCommitProcIssued.Observe(int64(n))
	m.WriteBatchTimeInCommitProcessor.ObserveDuration(t.applied.Sub(t.free))
	m.CommitProcessTime.ObserveDuration(flushed.Sub(t.began))
	queued, held := metrics.Millis(t.locked.Sub(t.began)), metrics.Millis(t.applied.Sub(t.locked))
	m.LocalWriteCommittedTime.ObserveMany(queued, g.own)
	m.ServerWriteCommittedTime.ObserveMany(queued, n-g.own)
	m.WriteFinalProcTime.ObserveMany(held, n)
	g.own = 0
}
