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
	s.way.send(2 * wayBytesWide)
	got := make(chan int)
	all := make([]turn, n)
	for i := range all {
		if s.enter(&all[i], 1, alone(i)) {
			t.Fatal("a turn on a full way")
		}
		go func() { // ends when its turn has come
			s.await(&all[i], 1, alone(i), nil)
			got <- i
		}()
		synctest.Wait() // so that they wait in order
	}
	s.active.Add(turnsAtOnce - 1) // one after the other
	s.arrived(arrival{cost: 2 * wayBytesWide}, time.Time{})
	for range all {
		i := <-got
		order = append(order, i)
		if left := all[i].credit > 0; left == alone(i) {
			t.Errorf("connection %d may write more: %v", i, left)
		}
		s.leave(&all[i])
	}
	if s.waiting.Load() != 0 || s.firsts.Load() != 0 || s.active.Load() != turnsAtOnce-1 {
		t.Errorf("%d wait, %d of them first, %d are active", s.waiting.Load(), s.firsts.Load(), s.active.Load())
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

// TestTurnCredit: a turn is for so many bytes, however full the way becomes; then others have theirs.
func TestTurnCredit(t *testing.T) {
	var s turns
	var a, b, c turn
	writes := 0
	for s.enter(&a, 1<<10, false) {
		if writes++; writes == 1 {
			for _, u := range []*turn{&b, &c} {
				if on := s.enter(u, 1<<10, false); on != (u == &b) {
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
	if !s.enter(&a, 1, false) {
		t.Error("no turn where nobody waits")
	}
	s.way.send(2 * wayBytesWide)
	if !s.enter(&b, 1, false) || s.enter(&c, 1, false) {
		t.Error("on a full way a turn goes on, and none begins")
	}
}

// TestTurnSlip: the only write of a connection needs no turn, also where others wait for room, but for so many of
// them in a row, and up to twice what there is room for.
func TestTurnSlip(t *testing.T) { synctest.Test(t, testTurnSlip) }

func testTurnSlip(t *testing.T) {
	var s turns
	var pressing, single turn
	s.way.send(wayBytesWide)
	done := make(chan struct{})
	go func() { // ends when its turn has come
		s.await(&pressing, 1, false, nil)
		close(done)
	}()
	synctest.Wait()
	for i := range turnsAhead {
		if !s.enter(&single, 1, true) || single.on {
			t.Fatalf("write %d has to wait, or has a turn: %+v", i, &single)
		}
	}
	if s.enter(&single, 1, true) {
		t.Error("the others would wait for ever")
	}
	s.await(&single, 1, true, nil) // and gives them a turn
	<-done
	s.leave(&pressing)
	s.leave(&single)
	s.way.send(wayBytesWide)
	if s.enter(&single, 1, true) {
		t.Error("a write on a way that is full twice")
	}
}

// TestTurnShared: a client that waits for each reply is noticed when others wait for room.
func TestTurnShared(t *testing.T) {
	var s turns
	var u turn
	look := func(n int, alone bool) bool {
		for range n {
			s.look(&u, alone)
		}
		return s.way.shared.Swap(false)
	}
	s.waiting.Store(2)
	s.firsts.Store(1)
	if look(turnsSingle, true) {
		t.Error("the first writes of a connection tell nothing")
	}
	if !look(1, true) {
		t.Error("not noticed")
	}
	if look(1, false) || look(turnsSingle, true) {
		t.Error("a window that runs empty is taken for it")
	}
	s.firsts.Store(2)
	if look(1, true) {
		t.Error("noticed among its like")
	}
}

// TestTurnWithdrawn: who ends waiting gets no turn, and nobody's is lost.
func TestTurnWithdrawn(t *testing.T) { synctest.Test(t, testTurnWithdrawn) }

func testTurnWithdrawn(t *testing.T) {
	var s turns
	s.way.send(2 * wayBytesWide)
	var a, b turn
	stop := make(chan struct{})
	close(stop)
	s.await(&a, 1, true, stop)
	if a.on || s.waiting.Load() != 0 || s.firsts.Load() != 0 {
		t.Errorf("after the end: %+v, %d wait", &a, s.waiting.Load())
	}
	done := make(chan struct{})
	go func() { // ends when its turn has come
		s.await(&b, 1, true, nil)
		close(done)
	}()
	synctest.Wait()
	s.arrived(arrival{cost: 2 * wayBytesWide}, time.Time{})
	<-done
	s.leave(&b)
	if s.active.Load() != 0 {
		t.Errorf("%d turns are left", s.active.Load())
	}
}

// TestWay: the way takes what goes through it in two to three times the time of a lone write, at least wayBytesMin,
// while single writes come beside others; a while later it is wide.
func TestWay(t *testing.T) {
	for _, c := range []struct {
		name         string
		trip         time.Duration // of a lone write
		perTurn      int64         // cost that arrives every 10 ms
		narrow, wide int64
	}{
		{"fast disk", time.Millisecond / 2, 800 << 10, wayBytesMin, wayBytesWide},
		{"fast disk, much load", time.Millisecond, 10 << 20, 2 << 20, 5 << 20},
		{"slow disk", 20 * time.Millisecond, 1 << 20, 6042 << 10, 4403 << 10},
		{"far servers", 100 * time.Millisecond, 1 << 20, 30618 << 10, 20787 << 10},
		{"no end", time.Second, 10 << 20, wayBytesMax, wayBytesMax},
	} {
		var w way
		now := time.Unix(1, 0)
		run := func(lasts time.Duration, shared bool) int64 {
			for i := range int(lasts / (10 * time.Millisecond)) {
				w.shared.Store(shared)
				w.send(c.perTurn)
				v := arrival{cost: c.perTurn, alone: c.trip}
				if i%2 == 1 {
					v.alone = 0 // many were before these
				}
				now = now.Add(10 * time.Millisecond)
				w.arrive(v, now)
			}
			return w.room()
		}
		for _, step := range []struct {
			lasts  time.Duration
			shared bool
			want   int64
		}{
			{10 * time.Second, false, c.wide},
			{3 * time.Second, true, c.narrow},
			{wayNarrow - 2*time.Second, false, c.narrow},
			{4 * time.Second, false, c.wide},
		} {
			got := run(step.lasts, step.shared)
			if diff := got - step.want; max(diff, -diff) > step.want/100 || w.taken.Load() != 0 {
				t.Errorf("%s: %d KiB with %d left, want %d KiB", c.name, got>>10, w.taken.Load(), step.want>>10)
			}
		}
	}
}
