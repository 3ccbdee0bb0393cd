package sim

import (
	"math/rand/v2"
	"time"
)

// scheduler is the one clock, the one order of events and the one source of chance of a run. Two events of
// one moment happen in the order in which they were planned, so a seed is a whole run.
type scheduler struct {
	now   time.Duration
	seq   uint64
	queue []event // a heap by (at, seq)
	rng   *rand.Rand
}

// event is something that happens at a moment. One that belongs to a process is dropped when that process
// is dead, and waits while it is stopped.
type event struct {
	at   time.Duration
	seq  uint64
	proc *process
	run  func()
}

func newScheduler(seed uint64) *scheduler {
	return &scheduler{rng: rand.New(rand.NewPCG(seed, 0x7a6b))}
}

// after plans something; p may be nil.
func (s *scheduler) after(d time.Duration, p *process, run func()) { s.at(s.now+d, p, run) }

func (s *scheduler) at(t time.Duration, p *process, run func()) {
	s.seq++
	s.queue = append(s.queue, event{at: max(t, s.now), seq: s.seq, proc: p, run: run})
	for i := len(s.queue) - 1; i > 0; {
		parent := (i - 1) / 2
		if !s.queue[i].before(&s.queue[parent]) {
			break
		}
		s.queue[i], s.queue[parent] = s.queue[parent], s.queue[i]
		i = parent
	}
}

func (e *event) before(o *event) bool { return e.at < o.at || e.at == o.at && e.seq < o.seq }

func (s *scheduler) pop() event {
	top := s.queue[0]
	last := len(s.queue) - 1
	s.queue[0] = s.queue[last]
	s.queue[last] = event{}
	s.queue = s.queue[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if s.queue[child].before(&s.queue[least]) {
				least = child
			}
		}
		if least == i {
			return top
		}
		s.queue[i], s.queue[least] = s.queue[least], s.queue[i]
		i = least
	}
}

// step lets the next event happen; false when there is none.
func (s *scheduler) step() bool {
	for len(s.queue) > 0 {
		e := s.pop()
		s.now = e.at
		if e.proc != nil {
			if e.proc.dead {
				continue
			}
			if e.proc.stoppedUntil > s.now {
				s.at(e.proc.stoppedUntil, e.proc, e.run)
				continue
			}
		}
		e.run()
		return true
	}
	return false
}

// chance is true with a probability.
func (s *scheduler) chance(p float64) bool { return p > 0 && s.rng.Float64() < p }

// between is a duration of [low, high).
func (s *scheduler) between(low, high time.Duration) time.Duration {
	if high <= low {
		return low
	}
	return low + time.Duration(s.rng.Int64N(int64(high-low)))
}

// pick is one of n, from 0.
func (s *scheduler) pick(n int) int { return s.rng.IntN(n) }
