package server

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// queueTurns lets connections wait for a turn while the way is full, and gives the order in which they get theirs.
func queueTurns(t *testing.T, alone func(i int) bool, n int) (order []int) {
	t.Helper()
	var s turns
	s.way.send(wayBytesMin)
	got := make(chan int)
	all := make([]turn, n)
	for i := range all {
		if s.enter(&all[i], 1) {
			t.Fatal("a turn on a full way")
		}
		go func() { // ends when its turn has come
			s.await(&all[i], 1, alone(i), nil)
			got <- i
		}()
		synctest.Wait() // so that they wait in order
	}
	s.active.Add(turnsAtOnce - 1) // one after the other
	s.way.arrive(wayBytesMin, 0, time.Time{})
	s.admit()
	for range all {
		i := <-got
		order = append(order, i)
		s.leave(&all[i])
	}
	if s.waiting.Load() != 0 || s.active.Load() != turnsAtOnce-1 {
		t.Errorf("%d wait, %d are active", s.waiting.Load(), s.active.Load())
	}
	return order
}

// TestTurnOrder: connections with nothing on their way go first, but not for ever; each kind in its order.
func TestTurnOrder(t *testing.T) { synctest.Test(t, testTurnOrder) }

func testTurnOrder(t *testing.T) {
	if got, want := queueTurns(t, func(i int) bool { return i >= 3 }, 6), []int{3, 4, 5, 0, 1, 2}; !slices.Equal(got, want) {
		t.Errorf("turns of %v, want %v", got, want)
	}
	want := []int{}
	for i := range turnsAhead {
		want = append(want, i+1)
	}
	want = append(want, 0, turnsAhead+1, turnsAhead+2)
	if got := queueTurns(t, func(i int) bool { return i > 0 }, turnsAhead+3); !slices.Equal(got, want) {
		t.Errorf("turns of %v, want %v", got, want)
	}
}

// TestTurnCredit: a turn is for so many bytes; then others have theirs, and a full way ends it too.
func TestTurnCredit(t *testing.T) {
	var s turns
	var a, b, c turn
	writes := 0
	for s.enter(&a, 1<<10) {
		if writes++; writes == 1 {
			for _, u := range []*turn{&b, &c} {
				if on := s.enter(u, 1<<10); on != (u == &b) {
					t.Fatalf("beside one turn: %v", on)
				}
			}
		}
		if writes == turnBytes>>10 {
			s.waiting.Store(1) // somebody waits: no turn behind this one
		}
	}
	if writes != turnBytes>>10 || a.on {
		t.Errorf("%d KiB in a turn of %d", writes, turnBytes>>10)
	}
	s.waiting.Store(0)
	if !s.enter(&a, 1) {
		t.Error("no turn where nobody waits")
	}
	s.way.send(wayBytesMin)
	if s.enter(&b, 1) || b.on {
		t.Error("a turn goes on when the way is full")
	}
}

// TestTurnWithdrawn: who ends waiting gets no turn, and nobody's is lost.
func TestTurnWithdrawn(t *testing.T) { synctest.Test(t, testTurnWithdrawn) }

func testTurnWithdrawn(t *testing.T) {
	var s turns
	s.way.send(wayBytesMin)
	var a, b turn
	stop := make(chan struct{})
	close(stop)
	s.await(&a, 1, true, stop)
	if a.on || s.waiting.Load() != 0 {
		t.Errorf("after the end: %+v, %d wait", &a, s.waiting.Load())
	}
	done := make(chan struct{})
	go func() { // ends when its turn has come
		s.await(&b, 1, true, nil)
		close(done)
	}()
	synctest.Wait()
	s.way.arrive(wayBytesMin, 0, time.Time{})
	s.admit()
	<-done
	s.leave(&b)
	if s.active.Load() != 0 {
		t.Errorf("%d turns are left", s.active.Load())
	}
}

// TestWay: the way takes what goes through it in twice the time of a lone write, at least wayBytesMin.
func TestWay(t *testing.T) {
	for _, c := range []struct {
		name    string
		trip    time.Duration // of a lone write
		perTurn int64         // cost that arrives every 10 ms
		want    int64
	}{
		{"fast disk", time.Millisecond, 100 << 10, wayBytesMin},
		{"fast disk, much load", time.Millisecond, 10 << 20, 5 << 20},
		{"slow disk", 20 * time.Millisecond, 1 << 20, 4403 << 10},
		{"far servers", 100 * time.Millisecond, 1 << 20, 20787 << 10},
		{"no end", time.Second, 10 << 20, wayBytesMax},
	} {
		var w way
		now := time.Unix(1, 0)
		for i := range 1000 {
			w.send(c.perTurn)
			trip := c.trip
			if i%2 == 1 {
				trip = 0 // many were before these
			}
			now = now.Add(10 * time.Millisecond)
			w.arrive(c.perTurn, trip, now)
		}
		got := max(w.limit.Load(), wayBytesMin)
		if diff := got - c.want; max(diff, -diff) > c.want/100 || w.taken.Load() != 0 {
			t.Errorf("%s: %d KiB with %d left, want %d KiB", c.name, got>>10, w.taken.Load(), c.want>>10)
		}
	}
}
