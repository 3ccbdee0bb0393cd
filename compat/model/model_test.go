package model

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zk/compat/control"
	"zk/compat/harness"
	"zk/compat/history"
)

// TestMain deletes the server that was built.
func TestMain(m *testing.M) {
	code := m.Run()
	if os.Getenv(harness.EnableEnv) != "" {
		harness.RemoveBinary()
	}
	os.Exit(code)
}

const (
	clients = 10
	// spell is the number of replies between two faults, and leastReplies what a round must have in all.
	spell        = 1500
	leastReplies = 8 * spell
	// sessionMillis is long, so that no worker's session expires; doomedMillis short, for those who are
	// left to.
	sessionMillis = 60000
	doomedMillis  = 1000
	// patience bounds every wait, on a loaded machine too.
	patience = 60 * time.Second
)

// options are those of a client of one server.
func options(addr string, timeoutMillis int32) history.Options {
	return history.Options{Addrs: []string{addr}, TimeoutMillis: timeoutMillis, Wait: patience}
}

// TestConsistency makes a few histories on a server that is stopped, killed, and cut off, and judges them.
func TestConsistency(t *testing.T) {
	control.Need(t)
	histories(t, func(done int) bool { return done < 6 })
}

// TestConsistencySoak goes on for SOAK_MINUTES.
func TestConsistencySoak(t *testing.T) {
	control.Need(t)
	end := time.Now().Add(control.Soak(t))
	histories(t, func(int) bool { return time.Now().Before(end) })
}

func histories(t *testing.T, more func(done int) bool) {
	server, err := harness.Start(t, control.Kind(), harness.Options{
		Config: []string{"tickTime=200", "maxSessionTimeout=60000", "maxClientCnxns=0"}, Ready: harness.ReadyFourLetter,
	})
	if err != nil {
		t.Fatal(err)
	}
	proxy := control.NewProxy(t, server.Addr)
	seed := uint64(time.Now().UnixNano())
	for n := 0; more(n) && !t.Failed(); n++ {
		t.Run(fmt.Sprint("round ", n), func(t *testing.T) {
			t.Logf("seed %d of the load; times are not repeated", seed+uint64(n))
			r := &round{t: t, server: server, proxy: proxy, world: history.World{Root: fmt.Sprintf("/model%d", n)}, h: history.New(), seed: seed + uint64(n)}
			r.run()
		})
	}
}

// round is one history in the making.
type round struct {
	t      *testing.T
	server *harness.Server
	proxy  *control.Proxy
	world  history.World
	h      *history.History
	seed   uint64

	ids  atomic.Int64 // clients so far
	cuts atomic.Int64 // connections lost
	over atomic.Bool  // no more new operations
}

func (r *round) run() {
	if err := r.world.Make(r.server.Addr); err != nil {
		r.t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range clients {
		addr := r.server.Addr
		if i%2 == 0 {
			addr = r.proxy.Addr()
		}
		wg.Go(func() { r.work(uint64(i), addr) })
	}
	wg.Go(r.doom)
	r.trouble()
	r.over.Store(true)
	wg.Wait()
	if r.t.Failed() {
		return
	}
	queue, err := r.world.ReadQueue(r.server.Addr)
	if err != nil {
		r.t.Fatal(err)
	}
	wrong := history.Judge(r.h, r.world, queue, history.Rules{})
	for _, what := range wrong[:min(len(wrong), 10)] {
		r.t.Error(what)
	}
	r.t.Logf("%d replies, %d connections lost, %s", r.h.Replies(), r.cuts.Load(), r.h.Summary())
	if r.h.Replies() < leastReplies || r.cuts.Load() < clients {
		r.t.Errorf("too little happened: %d replies, %d connections lost", r.h.Replies(), r.cuts.Load())
	}
}

// work is one client's life in the round.
func (r *round) work(n uint64, addr string) {
	client := int(r.ids.Add(1))
	s, err := history.Login(r.h, client, options(addr, sessionMillis))
	if err != nil {
		r.t.Error(err)
		return
	}
	w := history.NewWorker(r.world, client, rand.New(rand.NewPCG(r.seed, n)), s.Do)
	for !r.over.Load() && !r.t.Failed() {
		if err := w.Step(); err != nil {
			r.t.Error(err)
			return
		}
	}
	if err := errors.Join(w.Finish(), s.Quit()); err != nil {
		r.t.Error(err)
	}
	r.cuts.Add(int64(s.Cuts()))
}

// doom opens sessions that take a lock and vanish.
func (r *round) doom() {
	for n := 0; !r.over.Load() && !r.t.Failed(); n++ {
		s, err := history.Login(r.h, int(r.ids.Add(1)), options(r.server.Addr, doomedMillis))
		if err != nil {
			r.t.Error(err)
			return
		}
		path := r.world.Lock(n % history.Locks)
		for !r.over.Load() {
			take := history.Acquire(path)
			if err = s.Do(take); err != nil || take.Done() || !take.Known() {
				break // it has the lock, or perhaps
			}
		}
		if err != nil && !errors.Is(err, history.ErrExpired) {
			r.t.Error(err)
			return
		}
		s.Abandon()
		// It is to lose the lock before the next one comes for it.
		r.await(r.h.Replies() + spell)
	}
}

// await waits until the history has some number of replies, or the round is over.
func (r *round) await(replies int64) {
	for end := time.Now().Add(patience); r.h.Replies() < replies && !r.over.Load() && !r.t.Failed(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			r.t.Errorf("%d replies in %v, waiting for %d", r.h.Replies(), patience, replies)
			return
		}
	}
}

// trouble does to the server what happens to servers, with some load in between.
func (r *round) trouble() {
	rng := rand.New(rand.NewPCG(r.seed, clients))
	list := []func() error{
		r.drop, r.drop, r.drop,
		func() error { return errors.Join(r.server.Stop(), r.server.Restart()) },
		func() error { r.server.Kill(); return r.server.Restart() },
		func() error { r.server.Kill(); return r.server.Restart() },
	}
	rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	for _, act := range list {
		r.await(r.h.Replies() + int64(spell/2+rng.IntN(spell)))
		if err := act(); err != nil {
			r.t.Error(err)
			return
		}
	}
	// What follows the last fault is part of the history too.
	r.await(max(r.h.Replies()+spell, leastReplies))
}

func (r *round) drop() error {
	r.proxy.Drop()
	return nil
}
