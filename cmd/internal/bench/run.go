package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"zk/cmd/internal/client"
	"zk/jute"
)

const (
	// dialsMax bounds the sessions that are opened at once.
	dialsMax = 64
	// drainTimeout is how long replies are waited for after the end of the load.
	drainTimeout = 30 * time.Second
	// setupInFlight is how many znodes are made or removed at once.
	setupInFlight = 256
)

// Progress is how far a load is, about once a second.
type Progress struct {
	Phase  string // "setup", "warm-up", "measuring", "cleaning up"
	Took   time.Duration
	Ops    uint64  // replies so far in this phase
	Rate   float64 // replies a second since the last Progress
	Errors uint64
}

// run is a load that runs.
type run struct {
	spec *Spec
	work string // the znode below which everything is made
	keys string // prefix of the znodes that set, get and mixed use
	acl  []byte // as a request has it
	zero time.Time

	from, until atomic.Int64 // the measured time on the run's clock
	stop        atomic.Bool
	ended       atomic.Bool  // watch: this round is the last
	budget      atomic.Int64 // requests left when Spec.Ops is set
	replies     atomic.Uint64
	ops         atomic.Uint64 // replies in the measured time
	errors      atomic.Uint64
	lost        atomic.Uint64 // connections
	finished    atomic.Int64  // when the last reply came
	failures    sync.Map      // jute.Code -> *atomic.Uint64
	failure     atomic.Pointer[error]
	interrupted func() bool // from outside: connections that end then are not lost
	reads       histogram
	writes      histogram
	rounds      histogram // watch: from the change until all were told
}

func (r *run) now() int64 { return int64(time.Since(r.zero)) }

// more takes one request out of the budget.
func (r *run) more() bool {
	if r.stop.Load() {
		return false
	}
	return r.spec.Ops == 0 || r.budget.Add(-1) >= 0
}

func (r *run) measured(at int64) bool { return at >= r.from.Load() && at < r.until.Load() }

// done counts a reply.
func (r *run) done(q sent, now int64, code jute.Code) {
	r.replies.Add(1)
	if r.measured(now) {
		r.ops.Add(1)
	}
	if code != jute.CodeOk {
		r.errors.Add(1)
		n, _ := r.failures.LoadOrStore(code, new(atomic.Uint64))
		n.(*atomic.Uint64).Add(1)
	}
	if r.measured(q.at) {
		h := &r.writes
		if q.kind == read {
			h = &r.reads
		}
		h.add(now - q.at)
	}
	r.finished.Store(now)
}

func (r *run) value() []byte {
	v := make([]byte, r.spec.ValueBytes)
	for i := range v {
		v[i] = byte(rand.Uint32()) // incompressible
	}
	return v
}

// Run makes what the load needs, runs it, removes what it made and reports. A load that loses some of its
// connections still reports; it fails when it could not begin, or nothing was answered.
func Run(ctx context.Context, spec Spec, progress func(Progress)) (*Report, error) {
	if err := spec.Check(); err != nil {
		return nil, err
	}
	r := &run{spec: &spec, zero: time.Now(), acl: jute.AppendACLs(nil, client.OpenACL()), interrupted: func() bool { return ctx.Err() != nil }}
	r.from.Store(math.MaxInt64)
	r.until.Store(math.MaxInt64)
	r.budget.Store(int64(spec.Ops))
	r.work = fmt.Sprintf("%s/run-%08x", spec.Root, rand.Uint32())
	r.keys = r.work + "/k"
	connectCtx, cancel := context.WithTimeout(ctx, spec.SessionTimeout)
	c, err := client.Connect(connectCtx, strings.Join(spec.Servers, ","), client.Options{InFlightMax: 2 * setupInFlight})
	cancel()
	if err != nil {
		return nil, fmt.Errorf("bench: no session within %v: %w", spec.SessionTimeout, err)
	}
	defer func() { _ = c.Close(context.WithoutCancel(ctx)) }() // it has made nothing ephemeral
	watched := r.report(progress)
	defer watched("")
	watched("setup")
	if err := r.setUp(ctx, c); err != nil {
		return nil, err
	}
	report, made, err := r.load(ctx, c, watched)
	watched("cleaning up")
	if !spec.Keep {
		err = errors.Join(err, r.cleanUp(context.WithoutCancel(ctx), c, made))
	}
	return report, err
}

// report calls progress about once a second; the function it gives names the phase, "" is the end.
func (r *run) report(progress func(Progress)) func(phase string) {
	if progress == nil {
		return func(string) {}
	}
	phases := make(chan string)
	done := make(chan struct{})
	go func() { // ends with the phase ""
		defer close(done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		phase, began, first, last, lastAt := "", time.Now(), uint64(0), uint64(0), time.Now()
		for {
			select {
			case p := <-phases:
				if p == "" {
					return
				}
				phase, began, first = p, time.Now(), r.replies.Load()
				last, lastAt = first, began
			case now := <-tick.C:
				n := r.replies.Load()
				progress(Progress{phase, now.Sub(began), n - first, float64(n-last) / now.Sub(lastAt).Seconds(), r.errors.Load()})
				last, lastAt = n, now
			}
		}
	}()
	var once sync.Once
	return func(phase string) {
		if phase == "" {
			once.Do(func() {
				close(phases)
				<-done
			})
			return
		}
		phases <- phase
	}
}

// load opens the sessions, runs and measures. made are the requests of each session, by which create's
// znodes are known.
func (r *run) load(ctx context.Context, c *client.Client, phase func(string)) (*Report, []uint64, error) {
	sessions, err := r.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	loadCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	if r.spec.Ops > 0 {
		r.from.Store(r.now())
	}
	var work sync.WaitGroup
	begun := r.begin(loadCtx, c, &work, sessions, cancel)
	done := make(chan struct{})
	go func() { // ends with the load
		begun()
		work.Wait()
		close(done)
	}()
	if r.spec.Ops == 0 {
		phase("warm-up")
		wait(ctx, r.spec.Warmup, done)
	}
	before := r.usage()
	from := min(r.from.Load(), r.now())
	r.from.Store(from)
	phase("measuring")
	wait(ctx, r.spec.Duration, done)
	until := r.now()
	select {
	case <-done: // by number of requests: the time ends with the last reply
		until = max(min(until, r.finished.Load()+1), from+1)
	default:
	}
	r.until.Store(until)
	r.stop.Store(true)
	after := r.usage()
	if r.spec.Load == "sessions" {
		cancel()
	}
	wait(ctx, drainTimeout, done)
	cancel()
	made := r.end(sessions, done)
	rep := r.result(time.Duration(until-from), before, after)
	if rep.Ops == 0 {
		err = errors.New("bench: nothing was answered in the measured time")
		if p := r.failure.Load(); p != nil {
			err = *p
		}
		return rep, made, err
	}
	return rep, made, ctx.Err()
}

// begin starts the goroutines of the load; the function it gives does what is left to do by one.
func (r *run) begin(ctx context.Context, c *client.Client, work *sync.WaitGroup, sessions []*session, cancel func()) func() {
	f := &fanout{path: r.work + "/watched", registered: newGate(r.spec.Sessions), told: newGate(r.spec.Sessions)}
	for i := range r.spec.Sessions {
		work.Add(1)
		go func() { // ends with the load, or with its connection
			defer work.Done()
			var err error
			switch {
			case r.spec.Load == "connect":
				err = r.connects(ctx, i)
			case r.spec.Load == "sessions":
				err = sessions[i].pings(ctx)
			case r.spec.Load == "watch":
				if err = sessions[i].watches(f); err != nil {
					cancel() // the others would wait for this one
				}
			case r.spec.Rate > 0:
				err = sessions[i].open(ctx)
			default:
				err = sessions[i].closed()
			}
			r.lose(err)
		}()
	}
	if r.spec.Load != "watch" {
		return func() {}
	}
	return func() {
		if err := r.change(ctx, c, f); err != nil {
			r.lose(err)
			for _, s := range sessions {
				_ = s.nc.Close() // ends their waiting
			}
		}
	}
}

// lose notes the end of a connection; the first reason is kept.
func (r *run) lose(err error) {
	if err != nil && !errors.Is(err, context.Canceled) && !r.interrupted() {
		r.lost.Add(1)
		r.failure.CompareAndSwap(nil, &err)
	}
}

// wait returns after d, or when the load is done or ctx ends.
func wait(ctx context.Context, d time.Duration, done <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-done:
	case <-ctx.Done():
	}
}

// open opens the sessions; connect opens its own.
func (r *run) open(ctx context.Context) ([]*session, error) {
	if r.spec.Load == "connect" {
		return nil, nil
	}
	sessions := make([]*session, r.spec.Sessions)
	err := each(ctx, r.spec.Sessions, dialsMax, func(ctx context.Context, i int) error {
		s, err := r.dial(ctx, i)
		if err != nil {
			return err
		}
		s.rng = rand.New(rand.NewPCG(uint64(i), 0))
		s.value = r.value()
		s.prefix = fmt.Sprintf("%s/c%d/", r.work, i)
		sessions[i] = s
		return nil
	})
	if err != nil {
		for _, s := range sessions {
			if s != nil {
				_ = s.nc.Close()
			}
		}
		return nil, err
	}
	return sessions, nil
}

// end closes the sessions.
func (r *run) end(sessions []*session, done <-chan struct{}) []uint64 {
	made := make([]uint64, len(sessions))
	select {
	case <-done:
		_ = each(context.Background(), len(sessions), dialsMax, func(_ context.Context, i int) error {
			_ = sessions[i].bye() // the session's timeout ends it too
			made[i] = sessions[i].made
			return nil
		})
		return made
	default: // replies that never came
	}
	for _, s := range sessions {
		_ = s.nc.Close() // ends the reader
	}
	<-done
	for i, s := range sessions {
		made[i] = s.made
	}
	return made
}

// each calls f for 0 to n-1, some at once, and returns the first error.
func each(ctx context.Context, n, atOnce int, f func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var work sync.WaitGroup
	for range min(n, atOnce) {
		work.Go(func() { // ends when nothing is left, or at an error
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := f(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	work.Wait()
	return context.Cause(ctx)
}
