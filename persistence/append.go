package persistence

import (
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"zk/jute"
)

// flight is one write on its way to the disk. Flights are made once and go round, with their memory.
type flight struct {
	batch   *pebble.Batch
	entries []Entry
	bytes   int
	start   time.Time
}

// pipeline carries entries from Append to onDurable.
//
// There are two ways to Pebble. When entries come one by one, the last flight was one entry and is down, the
// owner hands its entry over itself inside Append: a lone writer then waits for a plain write and fdatasync and
// is spared the wake-up of the appender (8 us in place of 10 on a disk that takes no time). Otherwise the entry
// is queued, and the appender takes all that has gathered while a flight was not free; the busier the disk, the
// larger the writes.
//
// The processor time of a sync is that of many entries, so none is begun for the first of several. Clients whose
// writes went together are answered together and come back together: the appender, once woken, lets whoever can
// run go first, again while that brings more, and a flight is free again when those that it has carried are
// answered. (When the first of them had a sync to itself, that was a third of all syncs at 64 connections. Without
// it, sets and creates of 1 KiB at 64 connections: up to 13 % less processor time on one server, some 15 % on three;
// at 16 connections 11 and 7 %. BenchmarkAppend, 16 in flight: 16 entries a sync in place of 8.5.)
//
// Clients that wait for each answer would else stay in two crowds for ever, one in flight while the other waits. So
// after a flight the next one waits until most of those that were answered are back, for half the time that the
// flight took at most. (Sets of 1 KiB, one server, 4, 16 and 64 connections: 27, 5 to 9 and 3 to 4 % less processor
// time; at 4 a quarter more throughput, at the others the same.)
type pipeline struct {
	log *Log

	mu       sync.Mutex
	work     sync.Cond // the appender waits here: entries queued and a free flight, or stopping
	room     sync.Cond // the owner waits here for held to fall
	queue    []Entry   // queue[head:] waits; guarded by mu
	queued   int       // bytes that wait; guarded by mu
	head     int
	held     int       // bytes taken and not given back; guarded by mu
	waiting  bool      // the owner waits for room; guarded by mu
	idle     bool      // the appender waits for work; guarded by mu
	single   bool      // entries come one by one: the last flight was one; guarded by mu
	applying bool      // someone is in hand; guarded by mu
	stopping bool      // guarded by mu
	started  bool      // guarded by mu
	free     []*flight // guarded by mu
	spare    [][]Entry // memory for flights' entries; guarded by mu
	expected int       // entries that are worth waiting for before the next write; guarded by mu
	last     jute.Zxid // last entry taken; owned by the owner

	patience  *time.Timer  // ends the wait for what is expected
	flying    chan *flight // in order; closed by the appender at its end
	onDurable func([]Entry)
	done      sync.WaitGroup
}

func (p *pipeline) init(l *Log, last jute.Zxid) {
	p.log, p.last = l, last
	p.work.L, p.room.L = &p.mu, &p.mu
	l.fail.wake = p.wakeAll
	p.patience = time.AfterFunc(time.Hour, p.expectNoMore)
	p.patience.Stop()
	p.flying = make(chan *flight, flightsMax)
	for range flightsMax {
		p.free = append(p.free, &flight{})
	}
}

func (p *pipeline) start(onDurable func([]Entry)) {
	p.onDurable = onDurable
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.started || p.stopping {
		return
	}
	p.started = true
	p.done.Go(p.appendLoop)
	p.done.Go(p.syncLoop)
}

// append is Log.Append.
func (p *pipeline) append(e Entry) error {
	if !Follows(p.last, e.Zxid) {
		return fmt.Errorf("%w: %v after %v", ErrOrder, e.Zxid, p.last)
	}
	p.mu.Lock()
	for p.held > 0 && p.held+len(e.Bytes) > p.log.o.QueueBytesMax && !p.stopping && !p.log.fail.failed.Load() {
		p.waiting = true
		p.room.Wait()
	}
	if p.stopping {
		p.mu.Unlock()
		return ErrClosed
	}
	if err := p.log.fail.get(); err != nil {
		p.mu.Unlock()
		return err
	}
	p.last = e.Zxid
	p.held += len(e.Bytes)
	if p.started && !p.log.o.PlainCommit && !p.applying && p.single && p.head == len(p.queue) && len(p.free) == flightsMax {
		f := p.takeFlight()
		f.entries = append(f.entries, e)
		f.bytes = len(e.Bytes)
		p.applying = true
		p.mu.Unlock()
		p.hand(f)
		p.mu.Lock()
		p.applying = false
		wake := p.stopping
		p.mu.Unlock()
		if wake {
			p.work.Signal()
		}
		return nil
	}
	p.queue = append(p.queue, e)
	p.queued += len(e.Bytes)
	wake := p.idle && p.runnable()
	p.mu.Unlock()
	if wake {
		p.work.Signal()
	}
	return nil
}

// drain waits until everything that was appended has been given back, and returns the failure that keeps
// it from that. The owner calls it, so nothing is appended meanwhile.
func (p *pipeline) drain() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.held > 0 && !p.stopping && !p.log.fail.failed.Load() {
		p.waiting = true
		p.room.Wait()
	}
	if p.stopping {
		return ErrClosed
	}
	return p.log.fail.get()
}

// restart makes base the entry before the next one; nothing is on its way.
func (p *pipeline) restart(base jute.Zxid) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = base
}

// takeFlight takes a free flight; mu is held and there is one.
func (p *pipeline) takeFlight() *flight {
	f := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	if n := len(p.spare); n > 0 {
		f.entries, p.spare = p.spare[n-1], p.spare[:n-1]
	}
	return f
}

// appendLoop is the appender: it ends when stopping and all that was queued is handed over, which it
// tells the syncer by closing flying; or at a failure, when the owner may still be about to send there.
func (p *pipeline) appendLoop() {
	for {
		p.mu.Lock()
		p.await()
		if p.log.fail.failed.Load() {
			p.mu.Unlock()
			return
		}
		if p.head == len(p.queue) {
			p.mu.Unlock()
			close(p.flying)
			return
		}
		f := p.takeFlight()
		p.fill(f)
		p.applying = true
		p.mu.Unlock()

		p.hand(f)

		p.mu.Lock()
		p.applying = false
		p.mu.Unlock()
	}
}

// await returns when the appender may go on; mu is held.
func (p *pipeline) await() {
	for {
		for !p.runnable() {
			p.idle = true
			p.work.Wait()
		}
		if !p.idle {
			return
		}
		p.idle = false
		for range yieldsMax { // for those that come together with the first
			n := p.queued
			p.mu.Unlock()
			runtime.Gosched()
			p.mu.Lock()
			if p.queued == n {
				break
			}
		}
	}
}

// runnable tells whether the appender may go on: to write what is queued, or to end. mu is held.
func (p *pipeline) runnable() bool {
	switch {
	case p.log.fail.failed.Load():
		return true
	case p.applying:
		return false
	case p.head < len(p.queue):
		if p.queued >= gatherBytes || p.stopping {
			return len(p.free) > 0
		}
		// While another is under way little is left to gather: each write costs a sync of its own.
		return len(p.free) == flightsMax && len(p.queue)-p.head >= p.expected
	}
	return p.stopping
}

// fill moves what is queued into a flight, up to BatchBytesMax; mu is held.
func (p *pipeline) fill(f *flight) {
	n := p.head
	for n < len(p.queue) && (n == p.head || f.bytes+len(p.queue[n].Bytes) <= p.log.o.BatchBytesMax) {
		f.bytes += len(p.queue[n].Bytes)
		n++
	}
	f.entries = append(f.entries, p.queue[p.head:n]...)
	p.queued -= f.bytes
	clear(p.queue[p.head:n]) // the memory of entries must not hang on the queue
	p.head = n
	if p.head == len(p.queue) {
		p.queue, p.head = p.queue[:0], 0
	} else if p.head > cap(p.queue)/2 {
		rest := copy(p.queue, p.queue[p.head:])
		clear(p.queue[rest:])
		p.queue, p.head = p.queue[:rest], 0
	}
}

// hand builds the batch and gives it to Pebble and then to the syncer. Only one goroutine is here at a
// time, as applying says.
func (p *pipeline) hand(f *flight) {
	if f.batch == nil {
		f.batch = p.log.db.NewBatch(pebble.WithInitialSizeBytes(8<<10), pebble.WithMaxRetainedSizeBytes(2*defaultBatchBytesMax))
	}
	var mark [durableMarkLen]byte
	putDurableMark(mark[:], uint64(p.log.lastLogged.Load()))
	_ = f.batch.LogData(mark[:], nil) // into memory: never fails
	for i := range f.entries {
		e := &f.entries[i]
		op := f.batch.SetDeferred(entryKeyLen, len(e.Bytes))
		putEntryKey(op.Key, e.Zxid)
		copy(op.Value, e.Bytes)
		_ = op.Finish() // a batch without index: never fails
	}
	f.start = time.Now()
	if err := p.apply(f.batch); err != nil {
		p.log.fail.fail(fmt.Errorf("persistence: append %v: %w", f.entries[0].Zxid, err))
		return
	}
	p.flying <- f
}

// apply is the one place that knows the experimental way: the batch is in Pebble when it returns, in
// order, and wait tells when it is durable.
func (p *pipeline) apply(b *pebble.Batch) error {
	if p.log.o.PlainCommit {
		return p.log.db.Apply(b, pebble.Sync)
	}
	return p.log.db.ApplyNoSyncWait(b, pebble.Sync)
}

func (p *pipeline) wait(b *pebble.Batch) error {
	if p.log.o.PlainCommit {
		return nil
	}
	return b.SyncWait()
}

// syncLoop is the syncer: it ends when the appender has ended and all flights are down, or at a
// failure.
func (p *pipeline) syncLoop() {
	var before time.Time
	for {
		var f *flight
		select {
		case f = <-p.flying:
		case <-p.log.fail.done:
			return
		}
		if f == nil {
			return
		}
		err := p.wait(f.batch)
		if err == nil {
			err = p.log.fail.get()
		}
		if err != nil {
			p.log.fail.fail(fmt.Errorf("persistence: sync %v: %w", f.entries[0].Zxid, err))
			return
		}
		p.land(f, &before)
	}
}

// land acknowledges a durable flight and puts it back.
func (p *pipeline) land(f *flight, before *time.Time) {
	l := p.log
	last := f.entries[len(f.entries)-1].Zxid
	l.history.add(f.entries[0].Zxid, last, f.bytes)
	l.lastLogged.Store(int64(last))
	if l.o.OnSync != nil {
		now := time.Now()
		start := f.start
		if before.After(start) {
			start = *before
		}
		l.o.OnSync(now.Sub(start), len(f.entries), f.bytes)
		*before = now
	}
	entries, bytes := f.entries, f.bytes
	took := time.Since(f.start)
	single := len(entries) == 1
	if single { // the next may be here before the callee is done, and shall find nothing in flight
		p.giveBack(f, entries, took)
	}
	if p.onDurable != nil {
		p.onDurable(entries)
	}
	if !single {
		p.giveBack(f, entries, took)
	}
	clear(entries)

	p.mu.Lock()
	p.spare = append(p.spare, entries[:0])
	p.held -= bytes
	wake := p.waiting
	p.waiting = false
	p.mu.Unlock()
	if wake {
		p.room.Signal()
	}
}

// giveBack makes a flight free that took so long; the entries that it had are not its any more.
func (p *pipeline) giveBack(f *flight, landed []Entry, took time.Duration) {
	f.batch.Reset()
	f.entries, f.bytes = nil, 0
	p.mu.Lock()
	p.free = append(p.free, f)
	p.single = len(landed) == 1
	p.expect(landed, took)
	wake := p.idle && p.runnable()
	p.mu.Unlock()
	if wake {
		p.work.Signal()
	}
}

// expect has the next write wait for clients that were just answered, together with those whose entries wait
// already. mu is held.
func (p *pipeline) expect(landed []Entry, took time.Duration) {
	p.expected = 0
	if len(landed) == 1 || len(p.free) < flightsMax {
		return
	}
	waiting := len(p.queue) - p.head
	back := waiting
	for i := range landed {
		if landed[i].Awaited {
			back++
		}
	}
	if back = back * expectedShare / 8; back > waiting {
		p.expected = back
		p.patience.Reset(min(took/2, patienceMax))
	}
}

// expectNoMore ends the wait of expect.
func (p *pipeline) expectNoMore() {
	p.mu.Lock()
	p.expected = 0
	wake := p.idle && p.runnable()
	p.mu.Unlock()
	if wake {
		p.work.Signal()
	}
}

// wakeAll lets every waiter look at the failure.
func (p *pipeline) wakeAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.work.Broadcast()
	p.room.Broadcast()
}

// stop lets the goroutines finish what was appended, and waits for them; after a failure it does not
// wait, since they may be held.
func (p *pipeline) stop() {
	p.mu.Lock()
	p.stopping = true
	started := p.started
	p.mu.Unlock()
	p.work.Broadcast()
	p.room.Broadcast()
	if !started {
		return
	}
	ended := make(chan struct{})
	go func() { // ends with the loops, or with the process after a failure
		p.done.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-p.log.fail.done:
	}
}
