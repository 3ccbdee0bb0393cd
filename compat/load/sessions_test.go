package load

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zk/compat/control"
	"zk/jute"
)

// crowd are very many sessions that are kept alive.
type crowd struct {
	conns  []atomic.Pointer[conn] // as far as they are there
	events atomic.Int64
	stop   atomic.Bool
	wg     sync.WaitGroup
}

// gather opens n sessions, each with some watches: one that all have, the others its own.
func gather(r *rig, n, watches int, timeout time.Duration) *crowd {
	r.t.Helper()
	g := &crowd{conns: make([]atomic.Pointer[conn], n)}
	g.wg.Go(func() { g.ping(timeout / 3) })
	var wg sync.WaitGroup
	const hands = 32
	for k := range hands {
		wg.Go(func() {
			for i := k; i < n && !r.t.Failed(); i += hands {
				c, err := connect(r.Addr, timeout)
				if err == nil {
					err = c.watch(i, watches)
				}
				if err != nil {
					r.t.Error(err)
					return
				}
				g.conns[i].Store(c)
				g.wg.Go(func() { g.read(r.t, c) })
			}
		})
	}
	wg.Wait()
	if r.t.Failed() {
		r.t.FailNow()
	}
	return g
}

// watch sets n watches, and reads the replies.
func (c *conn) watch(i, n int) error {
	out := c.request(jute.OpAddWatch, addWatch("/all", jute.AddWatchPersistent))
	for k := range n - 1 {
		out = append(out, c.request(jute.OpExists, read(fmt.Sprintf("/own/%d/%d", i, k), true))...)
	}
	if _, err := c.nc.Write(out); err != nil {
		return err
	}
	for range n {
		if h, _, _, err := c.reply(); err != nil || h.Err != jute.CodeOk && h.Err != jute.CodeNoNode {
			return fmt.Errorf("watch: %v %w", h.Err, err)
		}
	}
	return nil
}

// read counts events until the connection is closed.
func (g *crowd) read(t *testing.T, c *conn) {
	for {
		b, err := c.frame()
		if err != nil {
			if !g.stop.Load() {
				t.Errorf("session %v of the crowd: %v", c.id, err)
			}
			return
		}
		d := jute.NewDecoder(b, len(b))
		var h jute.ReplyHeader
		if h.Decode(&d); h.Xid == jute.XidNotification {
			g.events.Add(1)
		}
	}
}

// ping keeps the sessions alive, evenly spread.
func (g *crowd) ping(interval time.Duration) {
	const parts = 20
	for part := 0; !g.stop.Load(); part = (part + 1) % parts {
		for i := part; i < len(g.conns); i += parts {
			if c := g.conns[i].Load(); c != nil {
				_ = c.send(jute.OpPing, nil) // read tells when it is over
			}
		}
		time.Sleep(interval / parts)
	}
}

// leave ends all sessions but each share-th, which is taken up with a short timeout and left to expire.
func (g *crowd) leave(t *testing.T, addr string, share int) (left int) {
	t.Helper()
	g.stop.Store(true)
	for i := range g.conns {
		c := g.conns[i].Load()
		if i%share != 0 {
			_ = c.send(jute.OpCloseSession, nil)
			continue
		}
		left++
		again, err := renew(addr, c, time.Second)
		if err != nil {
			t.Error(err)
			continue
		}
		_ = again.nc.Close()
	}
	g.wg.Wait() // the server has closed all connections
	for i := range g.conns {
		_ = g.conns[i].Load().nc.Close()
	}
	return left
}

// TestManySessions: ten thousand sessions with twenty watches each fit into little memory; events to all
// of them reach all of them, while others hardly notice; nothing is left of them afterwards.
func TestManySessions(t *testing.T) {
	if alone(t) {
		return
	}
	const sessions, watches = 10000, 20
	const timeout = 40 * time.Second
	needFiles(t, sessions+1000)
	r := start(t, "tickTime=500", "maxSessionTimeout=100000")
	p := r.startProbe(10 * time.Second)
	writer, err := connect(r.Addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writer.call(jute.OpCreate, create("/all", "", 0)); err != nil {
		t.Fatal(err)
	}
	empty, memory := r.base(), r.memory()
	p.mark()
	before := p.timed()

	g := gather(r, sessions, watches, timeout)
	if n := r.figure("global_sessions"); n != sessions+empty.sessions {
		t.Errorf("%d sessions", n)
	}
	// A persistent watch stands in both tables.
	if n := r.figure("watch_count"); n != sessions*(watches+1) {
		t.Errorf("%d watches", n)
	}
	full := r.memory()
	t.Logf("%d sessions, %d watches: %d MiB, before %d MiB, %d files", sessions, sessions*watches, full, memory, r.files())
	if full > memory+250 {
		t.Errorf("%d MiB with the crowd, %d MiB without", full, memory)
	}

	p.mark()
	rounds, told := 0, int64(0)
	for end := time.Now().Add(max(2*time.Second, control.Long(t)/4)); rounds < 10 || time.Now().Before(end); rounds++ {
		if _, err := writer.call(jute.OpSetData, setData("/all", "x")); err != nil {
			t.Fatal(err)
		}
		told += sessions
		r.await("events to all", func() bool { return g.events.Load() >= told })
		p.more(leastTimed / 8)
	}
	during := p.timed()
	t.Logf("%d times %d events; others: %v; before: %v; stops of apply: %d, the longest %d ms", rounds, sessions, during, before,
		r.figure("cnt_apply_stop_time_ms"), r.figure("max_apply_stop_time_ms"))
	p.compare("events for all", before, during, hardSlack)
	if g.events.Load() != told {
		t.Errorf("%d events, %d changes told", g.events.Load(), told)
	}
	if peak := r.memory(); peak > memory+500 {
		t.Errorf("%d MiB after the events, %d MiB before all", peak, memory)
	}

	left := g.leave(t, r.Addr, 20)
	r.back(empty)
	p.mark()
	after := p.timed()
	t.Logf("afterwards: %v, %d MiB", after, r.memory())
	if n := r.figure("stale_sessions_expired"); n != left {
		t.Errorf("%d sessions have expired, %d were left to", n, left)
	}
	if err := writer.quit(); err != nil {
		t.Error(err)
	}
}
