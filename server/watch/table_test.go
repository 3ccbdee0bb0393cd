package watch

import (
	"encoding/hex"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"zk/jute"
)

// countingWatcher counts deliveries; any goroutine may read it.
type countingWatcher struct{ n atomic.Int64 }

func (w *countingWatcher) Deliver(*Event) { w.n.Add(1) }

func TestFrame(t *testing.T) {
	// NodeDataChanged of /a, zxid 0x100000002, as a Java server sends it.
	want := "00000022" + "ffffffff" + "0000000100000002" + "00000000" + "00000003" + "00000003" + "00000002" + "2f61"
	want = strings.Replace(want, "00000022", fmt.Sprintf("%08x", (len(want)-8)/2), 1)
	got := AppendFrame(nil, jute.EventNodeDataChanged, "/a", 0x100000002)
	if hex.EncodeToString(got) != want || len(got) != frameBytes("/a") {
		t.Errorf("frame %x, want %s", got, want)
	}
}

func TestOrderOfDelete(t *testing.T) {
	table, w := New(), &fakeWatcher{}
	table.Add("/p", w, StandardChild)
	table.Add("/p/n", w, StandardData)
	table.Add("/p/n", w, StandardChild)
	fire(table, jute.EventNodeDeleted, "/p/n", 9)
	want := []string{"2 /p/n 9 of /p/n", "4 /p 9 of /p"}
	if !slices.Equal(w.got, want) || !table.Empty() {
		t.Errorf("got %q, want %q", w.got, want)
	}
}

func TestFrameIsShared(t *testing.T) {
	table := New()
	var frames [][]byte
	for range 3 {
		table.Add("/a", &frameWatcher{&frames}, StandardData)
	}
	table.NodeDataChanged("/a", 1, nil)
	if len(frames) != 3 || &frames[0][0] != &frames[1][0] || &frames[1][0] != &frames[2][0] {
		t.Errorf("%d frames, not one shared by 3", len(frames))
	}
}

type frameWatcher struct{ frames *[][]byte }

func (w *frameWatcher) Deliver(ev *Event) { *w.frames = append(*w.frames, ev.Frame) }

func TestStaleWatcherIsNotAdded(t *testing.T) {
	table, w := New(), &fakeWatcher{}
	table.Add("/a", w, StandardData)
	w.stale = true
	table.RemoveWatcher(w)
	table.Add("/a", w, StandardData)
	if !table.Empty() {
		t.Error("a closed connection left a watch")
	}
}

func TestValidType(t *testing.T) {
	for typ, want := range map[int32]bool{-1: false, 0: false, 1: true, 5: true, 6: false} {
		if ValidType(typ) != want {
			t.Errorf("type %d: %v", typ, !want)
		}
	}
}

// TestManyWatches drives the slabs and indexes through growth, reuse and giving back.
func TestManyWatches(t *testing.T) {
	table := New()
	const n = 5*1<<chunkBits + 7
	watchers := make([]*countingWatcher, 50)
	for i := range watchers {
		watchers[i] = new(countingWatcher)
	}
	for round := range 3 {
		for i := range n {
			w := watchers[i%len(watchers)]
			table.Add(fmt.Sprintf("/n%d", i), w, StandardData)
			table.Add("/fan", w, Persistent)
			table.Add(fmt.Sprintf("/own%d", i%len(watchers)), w, StandardChild)
		}
		want := n + 2*len(watchers) + len(watchers)
		if got := table.Count(); got != want {
			t.Fatalf("round %d: %d watches, want %d", round, got, want)
		}
		for i := range n / 2 {
			if h := table.NodeDataChanged(fmt.Sprintf("/n%d", i), 1, nil); h.Data != 1 {
				t.Fatalf("round %d, path %d: %+v", round, i, h)
			}
		}
		if h := table.NodeDataChanged("/fan", 1, nil); h.Data != len(watchers) {
			t.Fatalf("fan-out: %+v", h)
		}
		for i, w := range watchers {
			if !table.Has("/fan", w, jute.WatcherPersistent) || !table.Has(fmt.Sprintf("/own%d", i), w, jute.WatcherChildren) {
				t.Fatalf("round %d: watch of %d is gone", round, i)
			}
			table.RemoveWatcher(w)
		}
		if !table.Empty() || table.Summary() != (Summary{}) || len(table.entries.chunks) > 1 || len(table.paths.chunks) > 1 {
			t.Fatalf("round %d: something is left: %+v, %d chunks", round, table.Summary(), len(table.entries.chunks))
		}
	}
}

// TestConcurrent has connections that add, remove and close while one goroutine triggers and another
// reads reports; with the race detector on it proves the locking, without it the invariants.
func TestConcurrent(t *testing.T) {
	table := New()
	const rounds = 60
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for r := range rounds {
				w := new(countingWatcher)
				for i := range 20 {
					table.Add(fmt.Sprintf("/p/%d", (g+i)%7), w, Kind(i%4))
				}
				table.Remove("/p/1", w, jute.WatcherAny)
				table.Has("/p/2", w, jute.WatcherAny)
				if r%10 == 0 {
					for i := range 2 * removeStep {
						table.Add(fmt.Sprintf("/q/%d", i%50), w, StandardData)
					}
				}
				table.RemoveWatcher(w)
				at := w.n.Load()
				table.NodeDataChanged("/p/3", 1, nil)
				if w.n.Load() != at {
					t.Error("an event after RemoveWatcher")
				}
			}
		})
	}
	wg.Go(func() {
		for i := range 10 * rounds {
			p := fmt.Sprintf("/p/%d", i%7)
			table.NodeCreated(p, 1, nil, nil)
			table.NodeDataChanged(p, 2, nil)
			table.NodeDeleted(p, 3, nil, nil)
		}
	})
	wg.Go(func() {
		for range rounds {
			table.EachData(func(path string, w Watcher) {
				if path == "" || w == nil {
					t.Error("walk gave an empty pair")
				}
			})
			table.Summary()
		}
	})
	wg.Wait()
	if !table.Empty() || table.Summary() != (Summary{}) {
		t.Errorf("left: %d, %+v", table.Count(), table.Summary())
	}
}

func TestMissAllocatesNothing(t *testing.T) {
	table := New()
	table.Add("/elsewhere", &countingWatcher{}, Persistent)
	table.Add("/elsewhere", &countingWatcher{}, PersistentRecursive)
	n := testing.AllocsPerRun(100, func() {
		table.NodeCreated("/a/b/c", 1, nil, nil)
		table.NodeDataChanged("/a/b/c", 2, nil)
		table.NodeDeleted("/a/b/c", 3, nil, nil)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAddAndFire(b *testing.B) {
	table, w := New(), new(countingWatcher)
	paths := make([]string, 1024)
	for i := range paths {
		paths[i] = fmt.Sprintf("/bench/node-%010d", i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p := paths[i%len(paths)]
		table.Add(p, w, StandardData)
		table.NodeDataChanged(p, jute.Zxid(i), nil)
	}
}

func BenchmarkMiss(b *testing.B) {
	table := New()
	table.Add("/elsewhere", new(countingWatcher), StandardData)
	b.ReportAllocs()
	for b.Loop() {
		table.NodeDataChanged("/bench/node-0000000001", 1, nil)
	}
}

func BenchmarkFanOut1000(b *testing.B) {
	table := New()
	for range 1000 {
		table.Add("/fan", new(countingWatcher), Persistent)
	}
	b.ReportAllocs()
	for b.Loop() {
		table.NodeDataChanged("/fan", 1, nil)
	}
}

// BenchmarkMemory reports the bytes per watch of 200 connections with 1000 watches each, one per path.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		table := New()
		const n = 200_000
		for c := range 200 {
			w := new(countingWatcher)
			for i := range n / 200 {
				table.Add(fmt.Sprintf("/bench/node-%03d-%06d", c, i), w, StandardData)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "bytes/watch")
		runtime.KeepAlive(table)
	}
}
