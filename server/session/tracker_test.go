package session

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"zk/jute"
)

// TestExpiryInstant has the bucket rule's figures for tick 2000: what a server shows as the time to
// expiry depends on where in a tick the touch falls.
func TestExpiryInstant(t *testing.T) {
	for _, c := range []struct{ now, timeout, want int64 }{
		{0, 4000, 6000}, {1, 4000, 6000}, {1999, 4000, 6000}, {2000, 4000, 8000}, {1999, 4001, 8000},
		{0, 0, 2000}, {0, 5000, 6000}, {1500, 7000, 10000},
	} {
		tr := NewTracker(2000)
		tr.Add(1, int32(c.timeout), c.now)
		if at, ok := tr.NextExpiry(); at != c.want || !ok {
			t.Errorf("now %d, timeout %d: expires at %d, want %d", c.now, c.timeout, at, c.want)
		}
		if due := tr.Expire(c.want - 1); due != nil {
			t.Errorf("now %d, timeout %d: expired early", c.now, c.timeout)
		}
		if due := tr.Expire(c.want); !slices.Equal(due, []jute.SessionID{1}) {
			t.Errorf("now %d, timeout %d: not expired at %d", c.now, c.timeout, c.want)
		}
	}
}

// modelSession is a session of a tracker that moves its sessions at every touch, as Java's does.
type modelSession struct {
	timeout, expires int64
	closing          bool
}

func TestAgainstModel(t *testing.T) {
	const tick = 10
	rapid.Check(t, func(rt *rapid.T) {
		tr, model := NewTracker(tick), map[jute.SessionID]*modelSession{}
		now := int64(1000)
		anyID := rapid.Custom(func(rt *rapid.T) jute.SessionID { return jute.SessionID(rapid.IntRange(1, 5).Draw(rt, "id")) })
		anyTimeout := rapid.Int32Range(0, 60)
		touch := func(m *modelSession) { m.expires = ((now+m.timeout)/tick + 1) * tick }
		rt.Repeat(map[string]func(*rapid.T){
			"add": func(rt *rapid.T) {
				id, timeout := anyID.Draw(rt, "id"), anyTimeout.Draw(rt, "timeout")
				tr.Add(id, timeout, now)
				if model[id] == nil {
					model[id] = &modelSession{timeout: int64(timeout)}
				}
				if !model[id].closing {
					touch(model[id])
				}
			},
			"touch": func(rt *rapid.T) {
				id := anyID.Draw(rt, "id")
				s, m := tr.Get(id), model[id]
				if (s == nil) != (m == nil) {
					rt.Fatalf("session %v tracked: %v, want %v", id, s != nil, m != nil)
				}
				if m != nil && s.Touch(now) == m.closing {
					rt.Fatalf("touched %v", !m.closing)
				}
				if m != nil && !m.closing {
					touch(m)
				}
			},
			"set timeout": func(rt *rapid.T) {
				id, timeout := anyID.Draw(rt, "id"), anyTimeout.Draw(rt, "timeout")
				if m := model[id]; m != nil {
					tr.SetTimeout(tr.Get(id), timeout, now)
					if m.timeout = int64(timeout); !m.closing {
						touch(m)
					}
				}
			},
			"close": func(rt *rapid.T) {
				if id := anyID.Draw(rt, "id"); model[id] != nil {
					if tr.Get(id).SetClosing() == model[id].closing {
						rt.Fatalf("set closing: %v", model[id].closing)
					}
					model[id].closing = true
				}
			},
			"remove": func(rt *rapid.T) {
				id := anyID.Draw(rt, "id")
				if s := tr.Remove(id); (s != nil) != (model[id] != nil) || s != nil && !s.IsClosing() {
					rt.Fatalf("removed %v", s)
				}
				delete(model, id)
			},
			"wait": func(rt *rapid.T) {
				now += rapid.Int64Range(1, 35).Draw(rt, "milliseconds")
				want := []jute.SessionID{}
				for id, m := range model {
					if !m.closing && m.expires <= now {
						want, m.closing = append(want, id), true
					}
				}
				slices.Sort(want)
				if got := slices.Sorted(slices.Values(tr.Expire(now))); !slices.Equal(got, want) {
					rt.Fatalf("at %d expired %v, want %v", now, got, want)
				}
			},
			"": func(rt *rapid.T) { compare(rt, tr, model) },
		})
	})
}

func compare(rt *rapid.T, tr *Tracker, model map[jute.SessionID]*modelSession) {
	buckets, earliest := map[int64][]jute.SessionID{}, int64(1<<62)
	for _, id := range slices.Sorted(maps.Keys(model)) {
		if m := model[id]; !m.closing {
			buckets[m.expires] = append(buckets[m.expires], id)
			earliest = min(earliest, m.expires)
		}
	}
	if at, ok := tr.NextExpiry(); len(buckets) > 0 && (!ok || at > earliest) {
		rt.Fatalf("next expiry %d %v, later than %d", at, ok, earliest)
	}
	got := tr.Buckets()
	for i, b := range got {
		if !slices.Equal(b.IDs, buckets[b.At]) || i > 0 && got[i-1].At >= b.At {
			rt.Fatalf("buckets %v, want %v", got, buckets)
		}
	}
	if tr.Count() != len(model) || len(got) != len(buckets) {
		rt.Fatalf("%d sessions in %d buckets, want %d in %d", tr.Count(), len(got), len(model), len(buckets))
	}
}

// TestMany takes Expire, ForEach and Remove through several steps of their walks.
func TestMany(t *testing.T) {
	tr := NewTracker(100)
	const n = 3*walkStep + 5
	for id := range jute.SessionID(n) {
		tr.Add(id, 1000, 0)
	}
	for id := range jute.SessionID(n) {
		if id%3 == 0 {
			tr.Get(id).Touch(500)
		}
	}
	if due := tr.Expire(1100); len(due) != n-(n+2)/3 {
		t.Errorf("%d expired", len(due))
	} else {
		for _, id := range due {
			tr.Remove(id)
		}
	}
	seen := 0
	tr.ForEach(func(s *Session) {
		if seen++; s.ID()%3 != 0 {
			t.Errorf("session %d is still there", s.ID())
		}
		tr.Remove(s.ID())
	})
	if seen != (n+2)/3 || tr.Count() != 0 {
		t.Errorf("saw %d of %d, %d left", seen, (n+2)/3, tr.Count())
	}
	if at, ok := tr.NextExpiry(); ok {
		t.Errorf("an empty tracker expires at %d", at)
	}
}

func TestOwner(t *testing.T) {
	s, a, b := NewTracker(1).Add(1, 1, 1), new(int), new(int)
	if s.Owner() != nil || !s.CheckOwner(a) || !s.CheckOwner(a) || s.CheckOwner(b) || s.Owner() != a {
		t.Error("the first to ask is not the owner")
	}
	if old := s.SwapOwner(b); old != a || s.CheckOwner(a) || !s.CheckOwner(b) {
		t.Errorf("after the swap from %v", old)
	}
	if s.ReleaseOwner(a); s.Owner() != b {
		t.Error("released by a stranger")
	}
	if s.ReleaseOwner(b); s.Owner() != nil || s.SwapOwner(a) != nil {
		t.Error("not released")
	}
}

func TestTouchAllocatesNothing(t *testing.T) {
	s, owner := NewTracker(1).Add(1, 1, 1), new(int)
	s.SwapOwner(owner)
	if n := testing.AllocsPerRun(100, func() { s.Touch(5); s.CheckOwner(owner) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestConcurrent is for the race detector: what apply, connections, expiry and reports do at once. No
// session may be returned twice.
func TestConcurrent(t *testing.T) {
	tr := NewTracker(3)
	var wg sync.WaitGroup
	for g := range int64(3) {
		wg.Go(func() {
			for i := range int64(500) {
				s := tr.Add(jute.SessionID(g<<32|i), int32(i%20), i)
				s.Touch(i)
				tr.SetTimeout(s, int32(i%7), i)
				if i%3 == 0 {
					tr.Remove(s.ID())
				}
			}
		})
	}
	expired := map[jute.SessionID]bool{}
	wg.Go(func() {
		for now := range int64(1000) {
			for _, id := range tr.Expire(now) {
				if expired[id] {
					t.Errorf("session %v expired twice", id)
				}
				expired[id] = true
			}
			tr.NextExpiry()
		}
	})
	wg.Go(func() {
		for range 50 {
			tr.Buckets()
		}
	})
	wg.Wait()
}

func BenchmarkTouch(b *testing.B) {
	s := NewTracker(2000).Add(1, 30000, 0)
	b.ReportAllocs()
	for b.Loop() {
		s.Touch(1)
	}
}

func BenchmarkExpireMoves(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			tr, now := NewTracker(2000), int64(0)
			for id := range n {
				tr.Add(jute.SessionID(id), 30000, 0)
			}
			for b.Loop() {
				b.StopTimer()
				at, _ := tr.NextExpiry()
				now = at
				tr.ForEach(func(s *Session) { s.Touch(now) })
				b.StartTimer()
				if tr.Expire(now) != nil {
					b.Fatal("expired")
				}
			}
		})
	}
}
