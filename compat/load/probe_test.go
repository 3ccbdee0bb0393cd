package load

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zk/jute"
)

// probers is the number of ordinary clients whose requests are timed.
const probers = 4

// probe are ordinary clients that set and get nodes of their own and ask a long list now and then.
type probe struct {
	t    *testing.T
	stop atomic.Bool
	dead atomic.Bool // a request has failed
	wg   sync.WaitGroup

	mu    sync.Mutex
	times []time.Duration // guarded by mu; since the last mark
}

// startProbe sets the clients going, with sessions that expire when the server keeps them waiting for so
// long.
func (r *rig) startProbe(timeout time.Duration) *probe {
	r.t.Helper()
	p := &probe{t: r.t}
	for i := range probers {
		c, err := connect(r.Addr, timeout)
		if err != nil {
			r.t.Fatal(err)
		}
		path := fmt.Sprintf("/probe%d", i)
		if _, err := c.call(jute.OpCreate, create(path, "", 0)); err != nil {
			r.t.Fatal(err)
		}
		p.wg.Go(func() { p.run(c, path) })
	}
	r.t.Cleanup(p.end)
	return p
}

func (p *probe) run(c *conn, path string) {
	for i := 0; !p.stop.Load(); i++ {
		for _, op := range []struct {
			op   jute.OpCode
			body []byte
		}{{jute.OpSetData, setData(path, fmt.Sprint(i))}, {jute.OpGetData, read(path, false)}, {jute.OpPing, nil}} {
			from := time.Now()
			if _, err := c.call(op.op, op.body); err != nil {
				p.dead.Store(true)
				p.t.Errorf("an ordinary client: %v", err)
				return
			}
			took := time.Since(from)
			p.mu.Lock()
			p.times = append(p.times, took)
			p.mu.Unlock()
		}
		time.Sleep(time.Millisecond) // a load, but not one that counts
	}
	if err := c.quit(); err != nil {
		p.t.Error(err)
	}
}

// mark forgets what was timed so far.
func (p *probe) mark() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.times = nil
}

// leastTimed is the number of requests without which a figure is none.
const leastTimed = 600

func (p *probe) timed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.times)
}

// more waits until n more requests are answered.
func (p *probe) more(n int) {
	p.t.Helper()
	from := p.timed()
	for end := time.Now().Add(patience); p.timed() < from+n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) || p.dead.Load() {
			p.t.Fatalf("only %d of %d requests of ordinary clients were answered", p.timed()-from, n)
		}
	}
}

// p99 waits until there is enough since the mark, and gives what 99 in 100 requests took at most, the
// slowest, and the number.
func (p *probe) p99() (p99, slowest time.Duration, n int) {
	p.t.Helper()
	p.more(max(leastTimed-p.timed(), 0))
	p.mu.Lock()
	n = len(p.times)
	defer p.mu.Unlock()
	slices.Sort(p.times)
	return p.times[n*99/100], p.times[n-1], n
}

// end stops the clients.
func (p *probe) end() {
	p.stop.Store(true)
	p.wg.Wait()
}

// compare judges what ordinary clients notice: at most a doubling, as far as the machine lets that be
// seen. slack is added, as the load takes the processors from the clients too; a plain run, which may share
// the machine with others, sees no more than that nobody is stopped.
func (p *probe) compare(what string, before, during, slack time.Duration) {
	p.t.Helper()
	factor := time.Duration(2)
	if long(p.t) == 0 {
		factor, slack = 4, 2*time.Second
	}
	if during > factor*before+slack {
		p.t.Errorf("%s: 99 in 100 requests of others take up to %v, before %v", what, during, before)
	}
}
