package load

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"zk/compat/control"
	"zk/jute"
)

const (
	// probers is the number of ordinary clients whose requests are timed.
	probers = 4
	// leastTimed is the number of requests without which a figure is none.
	leastTimed = 1200
	// probeEnv makes a process of this test binary the probe: "address timeout".
	probeEnv = "ZK_LOAD_PROBE"
)

// probe are ordinary clients that set and get nodes of their own and ping. They are a process of their own, which
// the load, a nicer one, does not keep from the processors: what they wait for is the server, and what the machine
// lets nobody do at once.
type probe struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
	// elsewhere are as many clients of a server of their own, which nobody else uses. They tell what the machine makes of
	// requests while the load has its processors and its disk. Nil in the probe that is it.
	elsewhere *probe
}

// timing is what the probe's clients waited since the last mark.
type timing struct {
	p50, p99, slowest time.Duration
	elsewhere         time.Duration // the 99th percentile of those elsewhere
	n                 int
	write             time.Duration // the median of writes
	// ahead is how many transactions went ahead of a write, those between the last one known when it was sent and
	// itself: 9 in 10 writes had at most so many. Unlike the times it says little of the machine.
	ahead int
}

func (f timing) String() string {
	return fmt.Sprintf("p50 %v, p99 %v (elsewhere %v), slowest %v of %d, a write %v with %d ahead", f.p50, f.p99, f.elsewhere, f.slowest, f.n, f.write, f.ahead)
}

// startProbe sets the clients going, with sessions that expire when the server keeps them waiting for so
// long. From here on this process is nice to the probe and the server.
func (r *rig) startProbe(timeout time.Duration) *probe {
	r.t.Helper()
	elsewhere := start(r.t).listen(timeout)
	p := r.listen(timeout)
	p.elsewhere = elsewhere
	if err := beNice(); err != nil {
		r.t.Log("the load runs with the priority of the server:", err)
	}
	return p
}

// listen starts the probe's process.
func (r *rig) listen(timeout time.Duration) *probe {
	r.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		r.t.Fatal(err)
	}
	p := &probe{t: r.t, cmd: exec.Command(exe)}
	p.cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s", probeEnv, r.Addr, timeout))
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	p.in, p.out = in, bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(p.end)
	p.ask("ready")
	return p
}

// beNice lowers the priority of this process: of all its threads, from which later ones have it.
func beNice() error {
	threads, err := os.ReadDir("/proc/self/task")
	for _, f := range threads {
		var id int
		if _, serr := fmt.Sscan(f.Name(), &id); serr == nil {
			err = errors.Join(err, syscall.Setpriority(syscall.PRIO_PROCESS, id, 19))
		}
	}
	return err
}

// ask sends the probe a command and gives its answer.
func (p *probe) ask(format string, args ...any) string {
	p.t.Helper()
	if _, err := fmt.Fprintf(p.in, format+"\n", args...); err != nil {
		p.t.Fatal("the probe: ", err)
	}
	if !p.out.Scan() {
		p.t.Fatal("the probe has ended: ", p.out.Err())
	}
	return p.out.Text()
}

// mark forgets what was timed so far.
func (p *probe) mark() {
	p.t.Helper()
	p.elsewhere.ask("mark")
	p.ask("mark")
}

// more waits until n more requests are answered.
func (p *probe) more(n int) { p.t.Helper(); p.ask("more %d", n) }

// timed waits until there is enough since the mark.
func (p *probe) timed() (f timing) {
	p.t.Helper()
	if p.elsewhere != nil {
		f.elsewhere = p.elsewhere.timed().p99
	}
	answer := p.ask("timed")
	if _, err := fmt.Sscan(answer, (*int64)(&f.p50), (*int64)(&f.p99), (*int64)(&f.slowest), &f.n, (*int64)(&f.write), &f.ahead); err != nil {
		p.t.Fatal(answer, err)
	}
	return f
}

// end stops the clients, who must not have met an error.
func (p *probe) end() {
	_ = p.in.Close() // it may have ended
	if err := p.cmd.Wait(); err != nil {
		p.t.Error("the probe: ", err)
	}
}

// probeMain is the probe's process.
func probeMain(how string) error {
	var addr, timeout string
	if _, err := fmt.Sscan(how, &addr, &timeout); err != nil {
		return err
	}
	lasts, err := time.ParseDuration(timeout)
	if err != nil {
		return err
	}
	var l listener
	for i := range probers {
		c, err := connect(addr, lasts)
		if err != nil {
			return err
		}
		path := fmt.Sprintf("/probe%d", i)
		if _, err := c.call(jute.OpCreate, create(path, "", 0)); err != nil {
			return err
		}
		l.wg.Go(func() { // ends at stop
			if err := l.run(c, path); err != nil {
				fmt.Fprintln(os.Stderr, "an ordinary client:", err)
				os.Exit(1)
			}
		})
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		word, rest, _ := strings.Cut(in.Text(), " ")
		if err := l.obey(word, rest); err != nil {
			return err
		}
	}
	l.stop.Store(true)
	l.wg.Wait()
	return nil
}

// listener are the clients in the probe's process.
type listener struct {
	stop atomic.Bool
	wg   sync.WaitGroup

	mu    sync.Mutex
	times []time.Duration // guarded by mu; since the last mark
	sets  []time.Duration // guarded by mu; those of writes
	ahead []int           // guarded by mu; of each write since then, the transactions ahead
}

// obey does what a line of the test says and answers with a line.
func (l *listener) obey(word, rest string) error {
	switch word {
	case "mark":
		l.mu.Lock()
		l.times, l.sets, l.ahead = nil, nil, nil
		l.mu.Unlock()
	case "more":
		n := 0
		if _, err := fmt.Sscan(rest, &n); err != nil {
			return err
		}
		if err := l.await(l.count() + n); err != nil {
			return err
		}
	case "timed":
		if err := l.await(leastTimed); err != nil {
			return err
		}
		l.mu.Lock()
		n := len(l.times)
		slices.Sort(l.times)
		slices.Sort(l.sets)
		slices.Sort(l.ahead)
		sets := len(l.sets)
		fmt.Println(int64(l.times[n/2]), int64(l.times[n*99/100]), int64(l.times[n-1]), n, int64(l.sets[sets/2]), l.ahead[sets*9/10])
		l.mu.Unlock()
		return nil
	}
	fmt.Println("done")
	return nil
}

func (l *listener) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.times)
}

// await waits for n requests since the last mark.
func (l *listener) await(n int) error {
	for end := time.Now().Add(patience); l.count() < n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("only %d of %d requests of ordinary clients were answered", l.count(), n)
		}
	}
	return nil
}

func (l *listener) run(c *conn, path string) error {
	for i := 0; !l.stop.Load(); i++ {
		for _, op := range []struct {
			op   jute.OpCode
			body []byte
		}{{jute.OpGetData, read(path, false)}, {jute.OpSetData, setData(path, fmt.Sprint(i))}, {jute.OpPing, nil}} {
			from, known := time.Now(), c.zxid
			if _, err := c.call(op.op, op.body); err != nil {
				return err
			}
			took := time.Since(from)
			l.mu.Lock()
			l.times = append(l.times, took)
			if op.op == jute.OpSetData {
				l.sets = append(l.sets, took)
				l.ahead = append(l.ahead, int(c.zxid-known)-1)
			}
			l.mu.Unlock()
		}
		time.Sleep(time.Millisecond) // a load, but not one that counts
	}
	return c.quit()
}

const (
	// loadSlack is what a figure of a load that the server has to bear may be off.
	loadSlack = 2 * time.Millisecond
	// hardSlack is for loads beyond that, several at once.
	hardSlack = 5 * time.Millisecond
)

// compare judges what ordinary clients notice: at most a doubling of what they waited before the load, or wait elsewhere
// beside it, whichever is more, and some milliseconds, since neither is exact. A plain run, which may share the machine
// with others, sees no more than that nobody is stopped.
func (p *probe) compare(what string, before, during timing, slack time.Duration) {
	p.t.Helper()
	factor := time.Duration(2)
	if control.Long(p.t) == 0 {
		factor, slack = 4, time.Second
	}
	if during.p99 > factor*max(before.p99, during.elsewhere)+slack {
		p.t.Errorf("%s: others: %v; before: %v", what, during, before)
	}
}
