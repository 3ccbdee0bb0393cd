package faults

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zk/compat/harness"
	"zk/compat/history"
	"zk/jute"
)

const (
	// clientsEach is how many clients begin at each server.
	clientsEach = 2
	// sessionMillis is long, so that a session outlives a fault; doomedMillis short, for those that end without a word.
	sessionMillis = 60000
	doomedMillis  = 2000
	// replyWait is how long a client waits for a reply before it turns to another server.
	replyWait = 3 * time.Second
	// spell is the number of answered writes before and after a fault.
	spell = 150
	// A round with fewer answered writes than writesMin, or fewer a second than rateMin, says too little.
	writesMin = 3 * spell
	rateMin   = 5
)

// round is the clients and their history on the nodes of one round, while some faults happen.
type round struct {
	r     *rig
	t     *testing.T
	world history.World
	h     *history.History
	seed  uint64
	begun time.Time

	ids  atomic.Int64
	over atomic.Bool // no more new operations
	quit chan struct{}
	work sync.WaitGroup

	finished atomic.Int64 // clients that have done all but end their sessions

	mu      sync.Mutex
	live    map[jute.SessionID]int // client by session, of those with an own ephemeral; guarded by mu
	expired int                    // sessions lost; guarded by mu

	lingering []history.Span
}

// startRound makes the nodes and starts the clients.
func (r *rig) startRound() *round {
	r.t.Helper()
	r.settle()
	d := &round{
		r: r, t: r.t, h: history.New(), seed: r.rng.Uint64(), begun: time.Now(), quit: make(chan struct{}), live: map[jute.SessionID]int{},
		world: history.World{Root: fmt.Sprintf("/faults%d", r.rounds)},
	}
	r.rounds++
	r.round = d
	r.must(d.world.Make(r.leader().Addr))
	r.t.Cleanup(d.end)
	for i := range clientsEach * len(r.e.Servers) {
		d.work.Go(func() { d.client(uint64(i), d.addrs(i)) })
	}
	d.work.Go(d.doom)
	d.progress(spell)
	r.epoch = d.h.Newest().Epoch()
	return d
}

// end ends the clients, also of a test that failed.
func (d *round) end() {
	d.over.Store(true)
	select {
	case <-d.quit:
	default:
		close(d.quit)
	}
	d.work.Wait()
}

// addrs are the client ports of all servers from the i-th on.
func (d *round) addrs(i int) (list []string) {
	servers := d.r.e.Servers
	for k := range servers {
		list = append(list, servers[(i+k)%len(servers)].Addr)
	}
	return list
}

// client lives as long as the round, in one session after the other if it has to.
func (d *round) client(n uint64, addrs []string) {
	for life := uint64(0); ; life++ {
		err := d.oneSession(n, life, addrs)
		if err == nil {
			return
		}
		if !errors.Is(err, history.ErrExpired) {
			d.t.Error(err)
			return
		}
		d.mu.Lock()
		d.expired++
		d.mu.Unlock()
	}
}

// oneSession lives one session. It ends with ErrExpired when that is lost.
func (d *round) oneSession(n, life uint64, addrs []string) error {
	id := int(d.ids.Add(1))
	s, err := history.Login(d.h, id, history.Options{Addrs: addrs, Ensemble: true, TimeoutMillis: sessionMillis, Wait: replyWait})
	if err != nil {
		return err
	}
	w := history.NewWorker(d.world, id, rand.New(rand.NewPCG(d.seed, n<<32|life)), s.Do)
	err = d.use(s, w, id)
	if errors.Is(err, history.ErrExpired) {
		d.mu.Lock()
		delete(d.live, s.ID())
		d.mu.Unlock()
		s.Abandon()
	}
	return err
}

// use does what a session is for.
func (d *round) use(s *history.Session, w *history.Worker, id int) error {
	if err := d.own(s, id); err != nil {
		return err
	}
	for !d.over.Load() && !d.t.Failed() {
		if err := w.Step(); err != nil {
			return err
		}
	}
	if err := w.Finish(); err != nil {
		return err
	}
	d.finished.Add(1)
	for waiting := true; waiting; {
		select {
		case <-d.quit:
			waiting = false
		case <-time.After(time.Second):
			if err := w.Idle(); err != nil {
				return err
			}
		}
	}
	d.mu.Lock()
	delete(d.live, s.ID())
	d.mu.Unlock()
	return s.Quit()
}

// own makes the ephemeral that a client has as long as its session.
func (d *round) own(s *history.Session, id int) error {
	for {
		node := d.world.Own(id)
		if err := s.Do(node); err != nil {
			return err
		}
		if node.Done() || node.Exists() { // an earlier try may have been done
			d.mu.Lock()
			d.live[s.ID()] = id
			d.mu.Unlock()
			return nil
		}
		if d.t.Failed() {
			return nil
		}
	}
}

// doom opens sessions that take a lock and end without a word.
func (d *round) doom() {
	for n := 0; !d.over.Load() && !d.t.Failed(); n++ {
		o := history.Options{Addrs: d.addrs(n), Ensemble: true, TimeoutMillis: doomedMillis, Wait: replyWait}
		s, err := history.Login(d.h, int(d.ids.Add(1)), o)
		if err != nil {
			d.t.Error(err)
			return
		}
		path := d.world.Lock(n % history.Locks)
		for !d.over.Load() && !d.t.Failed() {
			take := history.Acquire(path)
			if err = s.Do(take); err != nil || take.Done() || !take.Known() {
				break // it has the lock, or perhaps
			}
		}
		if err != nil && !errors.Is(err, history.ErrExpired) {
			d.t.Error(err)
			return
		}
		s.Abandon()
		for end, begin := d.h.Writes()+spell, time.Now(); d.h.Writes() < end && !d.over.Load() && time.Since(begin) < patience; {
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// progress waits until so many more writes are answered.
func (d *round) progress(n int64) {
	d.t.Helper()
	want := d.h.Writes() + n
	d.r.await(fmt.Sprintf("%d more writes", n), func() bool { return d.h.Writes() >= want })
}

// succeeded waits until a leader that was elected after an epoch has committed writes of clients.
func (d *round) succeeded(epoch uint32) {
	d.t.Helper()
	d.r.await(fmt.Sprintf("a write by a leader after epoch %d", epoch), func() bool { return d.h.Newest().Epoch() > epoch })
	d.progress(spell)
}

// hold lets a state of the network last for a few writes, or a tick.
func (d *round) hold() {
	want := d.h.Writes() + 20
	for end := time.Now().Add(500 * time.Millisecond); d.h.Writes() < want && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
	}
}

// happen lets a fault happen, and waits until the ensemble has come over it.
func (d *round) happen(f fault) {
	d.t.Helper()
	d.note()
	from, before := d.h.Now(), d.h.Writes()
	begin := time.Now()
	d.r.must(f.run(d.r, d))
	d.r.settle()
	d.progress(spell)
	if f.lingers {
		d.lingering = append(d.lingering, history.Span{From: from, To: d.h.Now()})
		d.r.epoch = d.h.Newest().Epoch()
	} else {
		d.noteSince(from, 1)
	}
	d.t.Logf("%-45s %5.1f s, %d writes", f.name, time.Since(begin).Seconds(), d.h.Writes()-before)
}

// note looks for an election that no fault explains, as a machine that is too slow has.
func (d *round) note() { d.noteSince(0, 0) }

// noteSince looks for more elections since some time than there had to be: in another a leader may have lingered.
func (d *round) noteSince(from int64, expected uint32) {
	now := d.h.Newest().Epoch()
	if now > d.r.epoch+expected {
		d.lingering = append(d.lingering, history.Span{From: from, To: d.h.Now()})
	}
	d.r.epoch = now
}

// finish ends the round, and judges it.
func (d *round) finish() {
	d.t.Helper()
	d.over.Store(true)
	d.r.await("the end of the clients", func() bool { return d.finished.Load() == int64(clientsEach*len(d.r.e.Servers)) })
	d.note()
	took := time.Since(d.begun)
	d.compare()
	closed := d.sessions()
	close(d.quit)
	d.work.Wait()
	d.gone(closed)
	if d.t.Failed() {
		return
	}
	queue, err := d.world.ReadQueue(d.r.leader().Addr)
	d.r.must(err)
	wrong := history.Judge(d.h, d.world, queue, history.Rules{Ensemble: true, Lingering: d.lingering})
	for _, what := range wrong[:min(len(wrong), 10)] {
		d.t.Error(what)
	}
	rate := float64(d.h.Writes()) / took.Seconds()
	d.t.Logf("round %d: %d replies, %.0f writes/s, %d sessions expired; %s", d.r.rounds-1, d.h.Replies(), rate, d.expired, d.h.Summary())
	if d.h.Writes() < writesMin || rate < rateMin {
		d.t.Errorf("did not count: %d writes, %.1f a second; a round needs %d, and %d a second", d.h.Writes(), rate, writesMin, rateMin)
	}
}

// sessions are those that are alive, by client.
func (d *round) sessions() map[jute.SessionID]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := make(map[jute.SessionID]int, len(d.live))
	for id, client := range d.live {
		m[id] = client
	}
	return m
}

// server is one of the ensemble's, for messages.
func server(s *harness.Server) string { return fmt.Sprintf("server %d", s.ID()) }
