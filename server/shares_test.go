package server

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"zk/server/lookout"
)

// TestShares: however many long reads there are, those that go on are half as many as there are processors; the first
// step of a read waits for nobody, and a panic keeps nothing.
func TestShares(t *testing.T) {
	s := &Server{lock: &TreeLock{}, shares: newShares()}
	defer s.shares.close()
	var running, most atomic.Int32
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range 20 {
				s.read(false, func() {
					most.Store(max(most.Load(), running.Add(1)))
					runtime.Gosched()
					running.Add(-1)
				})
			}
		})
	}
	wg.Wait()
	if limit := int32(max(1, runtime.GOMAXPROCS(0)/2)); most.Load() < 1 || most.Load() > limit {
		t.Errorf("%d long reads at once, %d at most should be", most.Load(), limit)
	}
	var all []*lookout.Lookout
	for range cap(s.shares) {
		all = append(all, s.shares.take())
	}
	first := false
	s.read(true, func() { first = true })
	for _, l := range all {
		s.shares.give(l)
	}
	func() {
		defer func() { _ = recover() }()
		s.read(false, func() { panic("a bug") })
	}()
	if !first || len(s.shares) != cap(s.shares) || !s.lock.TryLock() {
		t.Errorf("first step %v, %d shares of %d, or the lock is taken", first, len(s.shares), cap(s.shares))
	}
	s.lock.Unlock()
	s.shares.close()
	s.read(false, func() { first = false })
	if first {
		t.Error("no long read after close")
	}
}
