package server

import (
	"context"
	"time"

	"zk/jute"
	"zk/server/prep"
)

// expire closes sessions whose time has come, until ctx ends.
func (s *Server) expire(ctx context.Context) {
	if err := s.closeOrphans(); err != nil {
		return // closing, or failed and said so
	}
	tick := s.cfg.TickTime
	for {
		wait := tick
		if at, ok := s.tracker.NextExpiry(); ok {
			wait = min(max(time.Duration(at-s.nowMillis())*time.Millisecond, time.Millisecond), tick)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		for _, id := range s.tracker.Expire(s.nowMillis()) {
			s.met.StaleSessionsExpired.Inc()
			s.log.Info("session expired", "session", id)
			if err := s.closeSession(id); err != nil {
				return // closing, or failed and said so
			}
		}
		s.met.Rotate(time.Now())
	}
}

// closeSession proposes the end of a session.
func (s *Server) closeSession(id jute.SessionID) error {
	if !s.store.Warmed() {
		if err := s.pinEphemerals(id); err != nil {
			s.fail(err)
			return err
		}
	}
	return s.propose(&request{op: jute.OpCloseSession, write: true},
		&prep.Request{Body: prep.Body{Op: jute.OpCloseSession}, SessionID: id})
}

// clean deletes containers that have become empty and TTL nodes that are too old, until ctx ends
// (Java: ContainerManager; reference client-protocol, section 18).
func (s *Server) clean(ctx context.Context) {
	if s.cfg.ContainerCheckInterval <= 0 {
		return
	}
	tick := time.NewTicker(s.cfg.ContainerCheckInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if s.refusesWrites() { // the nodes are cleaned away later
				continue
			}
			if !s.cleanOnce(ctx) {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// cleanOnce looks at every candidate, and spaces the deletes evenly.
func (s *Server) cleanOnce(ctx context.Context) bool {
	pause := time.Minute / time.Duration(max(s.cfg.ContainerMaxPerMinute, 1))
	s.lock.RLock()
	candidates := s.tree.Candidates()
	s.lock.RUnlock()
	for _, path := range candidates {
		if ctx.Err() != nil {
			return false
		}
		if err := s.store.Ensure(path); err != nil {
			s.fail(err)
			return false
		}
		s.lock.RLock()
		due := s.tree.Expired(path, time.Now().UnixMilli(), s.cfg.ContainerMaxNeverUsedInterval.Milliseconds())
		s.lock.RUnlock()
		if !due {
			continue
		}
		err := s.propose(&request{op: jute.OpDeleteContainer, write: true},
			&prep.Request{Body: prep.Body{Op: jute.OpDeleteContainer, Path: path}})
		if err != nil {
			return false
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return false
		}
	}
	return true
}
