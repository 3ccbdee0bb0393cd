package embed_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
)

// stopLog collects what the server says of stops of apply.
type stopLog struct {
	slog.Handler
	mu    sync.Mutex
	lines []string // guarded by mu
}

func (l *stopLog) Enabled(context.Context, slog.Level) bool { return true }

func (l *stopLog) Handle(_ context.Context, r slog.Record) error {
	if r.Message != "apply stood still" {
		return nil
	}
	var text string
	r.Attrs(func(a slog.Attr) bool {
		text += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, text)
	return nil
}

// BenchmarkStops is the figure "stops of apply": 5,000 sets a second for a while on a tree of a million
// nodes, on a real disk, evenly spread. It reports what sets took, and prints the longest stops of apply
// with their cause.
func BenchmarkStops(b *testing.B) {
	const nodes, rate, clients = 1_000_000, 5000, 20
	const length = 20 * time.Second
	log := &stopLog{Handler: slog.DiscardHandler}
	state, txns := b.TempDir(), b.TempDir() // here, so that they outlive the server
	r := newRig(b, vfs.Default)
	r.cfg.DataDir, r.cfg.DataLogDir = state, txns
	r.deps.Logger = slog.New(log)
	r.open()
	filler := r.connect()
	for i := range nodes / 10000 {
		filler.fill(fmt.Sprintf("/d%d", i), 10000)
	}
	for b.Loop() {
		log.lines = nil
		var mu sync.Mutex
		var times []time.Duration
		began := time.Now()
		together(clients, func(k int) {
			mine := setsPaced(r, k, clients, rate, began, length)
			mu.Lock()
			defer mu.Unlock()
			times = append(times, mine...)
		})
		slices.Sort(times)
		at := func(share float64) float64 {
			return float64(times[int(share*float64(len(times)-1))].Microseconds()) / 1000
		}
		b.ReportMetric(at(0.5), "ms-p50")
		b.ReportMetric(at(0.99), "ms-p99")
		b.ReportMetric(at(0.999), "ms-p99.9")
		b.ReportMetric(at(1), "ms-max")
		b.ReportMetric(float64(len(times))/length.Seconds(), "sets/s")
		b.ReportMetric(float64(len(log.lines)), "stops")
		for _, line := range log.lines {
			b.Log(line)
		}
	}
}

// setsPaced sends a client's part of the sets when their time has come, whether others have been answered
// or not, and gives how long after its time each was answered.
func setsPaced(r *rig, k, clients, rate int, began time.Time, length time.Duration) []time.Duration {
	c := r.connect()
	interval := time.Duration(clients) * time.Second / time.Duration(rate)
	n := int(length / interval)
	due := func(i int) time.Time {
		return began.Add(time.Duration(i)*interval + time.Duration(k)*interval/time.Duration(clients))
	}
	go func() {
		data := string(make([]byte, 100))
		for i := 0; i < n; {
			time.Sleep(time.Until(due(i)))
			var out []byte
			for ; i < n && !due(i).After(time.Now()); i++ {
				at := (i*clients + k) * 7919 % 1_000_000
				out = append(out, c.request(jute.OpSetData, setData(fmt.Sprintf("/d%d/n%06d", at/10000, at%10000), data, -1))...)
			}
			_, _ = c.nc.Write(out) // the reader tells
		}
	}()
	times := make([]time.Duration, 0, n)
	for i := range n {
		if rep, err := c.recv(); err != nil || rep.Err != jute.CodeOk {
			r.t.Error(rep.Err, err)
			return times
		}
		times = append(times, time.Since(due(i)))
	}
	return times
}
