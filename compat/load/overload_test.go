package load

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zk/compat/control"
	"zk/jute"
)

// TestOverload: hundreds of clients send far more writes than the server can do. It takes what it can,
// slows them down, answers everything in the end, and keeps within its memory; no session expires,
// because pings don't wait behind writes of others.
func TestOverload(t *testing.T) {
	if alone(t) {
		return
	}
	const clients, window = 300, 40
	const timeout = 10 * time.Second
	// Without the limit over all, under which nobody would have much before him anyway.
	r := start(t, "tickTime=500", "maxSessionTimeout=100000", "globalOutstandingLimit=1000000")
	p := r.startProbe(timeout)
	idle := gatherIdle(r, 100, timeout)
	empty, memory := r.base(), r.memory()
	p.mark()
	if control.Long(t) > 0 {
		p.more(40_000) // ten seconds: the disk's slower syncs are in it too
	}
	before := p.timed()

	p.mark()
	var done atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	end := began.Add(max(4*time.Second, control.Long(t)/4))
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
	during := p.timed()
	wg.Wait()
	rate := float64(done.Load()) / time.Since(began).Seconds()
	t.Logf("%d writes of %d clients with %d in flight; at most %d MiB, before %d MiB; others: %v; before: %v", done.Load(), clients, window, peak, memory, during, before)
	if peak > memory+500 {
		t.Errorf("%d MiB under overload, %d MiB before", peak, memory)
	}
	// A client that waits for each reply gets ahead of what those who don't have sent: no more are on their way than
	// get there in three times the time of a lone write, and a few hundred.
	if most := 500 + int(3*before.write.Seconds()*rate); during.ahead > most {
		t.Errorf("%d transactions were ahead of an ordinary client's write, %d at most should be", during.ahead, most)
	}
	// What is beyond a doubling are the disk's and the processors' own waits when both have all they can do (see
	// server/doc.go, Fair shares).
	p.compare("overload", before, during, loadSlack)
	// A write waits for its turn behind those of the others, but not for ever.
	if during.slowest > timeout {
		t.Errorf("a request of an ordinary client took %v", during.slowest)
	}
	r.back(empty)
	p.mark()
	after := p.timed()
	t.Logf("afterwards: %v, %d MiB", after, r.memory())
	p.compare("what is left of the overload", before, after, loadSlack)
	idle.end(t)
	if n := r.figure("stale_sessions_expired"); n != 0 {
		t.Errorf("%d sessions have expired", n)
	}
}

// press writes with many requests in flight until end, and then reads the rest of the replies. It spends as little
// as it can, so that it is the server that has too much to do: the same bytes again and again, half a window at a
// time.
func press(addr, path string, window int, end time.Time, done *atomic.Int64) error {
	c, err := connect(addr, 100*time.Second)
	if err != nil {
		return err
	}
	data := strings.Repeat("x", 1000)
	if _, err := c.call(jute.OpCreate, create(path, data, 0)); err != nil {
		return err
	}
	half := bytes.Repeat(c.request(jute.OpSetData, setData(path, data)), window/2)
	const replyBytes = 4 + jute.ReplyHeaderBytes + jute.StatBytes
	replies := make([]byte, window/2*replyBytes)
	for sent := 0; ; {
		for sent < 2 && time.Now().Before(end) {
			if _, err := c.nc.Write(half); err != nil {
				return fmt.Errorf("writing: %w", err)
			}
			sent++
		}
		if sent == 0 {
			return c.quit()
		}
		_ = c.nc.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.ReadFull(c.in, replies); err != nil {
			return fmt.Errorf("reading: %w", err)
		}
		sent--
		for at := 0; at < len(replies); at += replyBytes {
			d := jute.NewDecoder(replies[at+4:], jute.ReplyHeaderBytes)
			var h jute.ReplyHeader
			if h.Decode(&d); h.Xid != c.xid || h.Err != jute.CodeOk {
				return fmt.Errorf("%s: %+v", path, h)
			}
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
