package load

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zk/jute"
)

// TestOverload: hundreds of clients send far more writes than the server can do. It takes what it can,
// slows them down, answers everything in the end, and keeps within its memory; no session expires,
// because pings don't wait behind writes of others.
func TestOverload(t *testing.T) {
	const clients, window = 300, 40
	const timeout = 10 * time.Second
	r := start(t, "tickTime=500", "maxSessionTimeout=100000")
	p := r.startProbe(timeout)
	idle := gatherIdle(r, 100, timeout)
	empty, memory := r.base(), r.memory()
	p.mark()
	before, _, _ := p.p99()

	p.mark()
	var done atomic.Int64
	var wg sync.WaitGroup
	end := time.Now().Add(max(4*time.Second, long(t)/4))
	for i := range clients {
		wg.Go(func() {
			if err := press(r.Addr, fmt.Sprintf("/press%d", i), window, end, &done); err != nil {
				t.Error(err)
			}
		})
	}
	peak := 0
	for time.Now().Before(end) {
		peak = max(peak, r.memory())
		time.Sleep(50 * time.Millisecond)
	}
	during, slowest, n := p.p99()
	wg.Wait()
	t.Logf("%d writes of %d clients with %d in flight; at most %d MiB, before %d MiB; others: p99 %v, before %v; slowest %v of %d", done.Load(), clients, window, peak, memory, during, before, slowest, n)
	if peak > memory+500 {
		t.Errorf("%d MiB under overload, %d MiB before", peak, memory)
	}
	// A write waits for its turn behind those of the others, but not for ever.
	if slowest > timeout {
		t.Errorf("a request of an ordinary client took %v", slowest)
	}
	r.back(empty)
	p.mark()
	after, _, _ := p.p99()
	t.Logf("afterwards: p99 %v, %d MiB", after, r.memory())
	p.compare("what is left of the overload", before, after, 100*time.Millisecond)
	idle.end(t)
	if n := r.figure("stale_sessions_expired"); n != 0 {
		t.Errorf("%d sessions have expired", n)
	}
}

// press writes with many requests in flight until end, and then reads the rest of the replies.
func press(addr, path string, window int, end time.Time, done *atomic.Int64) error {
	c, err := connect(addr, 100*time.Second)
	if err != nil {
		return err
	}
	data := strings.Repeat("x", 1000)
	if _, err := c.call(jute.OpCreate, create(path, data, 0)); err != nil {
		return err
	}
	for n := 0; ; {
		more := time.Now().Before(end)
		var out []byte
		for more && n < window {
			out = append(out, c.request(jute.OpSetData, setData(path, data))...)
			n++
		}
		if _, err := c.nc.Write(out); err != nil {
			return fmt.Errorf("writing: %w", err)
		}
		if n == 0 {
			return c.quit()
		}
		// Half of them at once, so that writes of the client go together.
		for range max(n/2, 1) {
			h, _, _, err := c.reply()
			if err != nil || h.Err != jute.CodeOk {
				return fmt.Errorf("%s: %v, %w", path, h.Err, err)
			}
			n--
			done.Add(1)
		}
	}
}

// idlers are sessions that only ping.
type idlers struct {
	stop atomic.Bool
	wg   sync.WaitGroup
}

func gatherIdle(r *rig, n int, timeout time.Duration) *idlers {
	r.t.Helper()
	g := &idlers{}
	for range n {
		c, err := connect(r.Addr, timeout)
		if err != nil {
			r.t.Fatal(err)
		}
		g.wg.Go(func() {
			for !g.stop.Load() {
				if _, err := c.call(jute.OpPing, nil); err != nil {
					r.t.Error("an idle session:", err)
					return
				}
				time.Sleep(timeout / 6)
			}
			if err := c.quit(); err != nil {
				r.t.Error(err)
			}
		})
	}
	return g
}

func (g *idlers) end(t *testing.T) {
	t.Helper()
	g.stop.Store(true)
	g.wg.Wait()
}
