package server

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// turnsAtOnce is the number of connections that have a turn at once: prep takes one write at a time, and one
	// more connection is decoding its next.
	turnsAtOnce = 2
	// turnBytes is the cost of the writes that a connection may hand to prep in one turn.
	turnBytes = 32 << 10
	// turnsAhead is the number of writes in a row that connections without a request on its way get ahead of others.
	turnsAhead = 16
	// turnsSingle is the number of writes in a row with nothing else on their way that tell a client which waits
	// for its replies from one whose window has run empty.
	turnsSingle = 16

	// writeCost is what a write costs besides its own bytes, writeCostMax what it costs at most, so that large
	// ones go together too.
	writeCost    = 512
	writeCostMax = 128 << 10
)

// turns lets writes into prep in a fair order when more are asked for than the log takes. A few connections are at
// it at once; the others wait here, and not for a lock, for a processor, or in the log. Those that send one write
// behind the other take turns, in which each hands over several. The write of a connection with nothing on its way
// needs no turn: there is room for it also when the others have to wait. So a client that waits for each of its
// replies does not wait for the thousands of requests that others have sent, but for the sync under way and its own.
type turns struct {
	way     way
	active  atomic.Int32 // connections that have a turn
	waiting atomic.Int32 // connections in the lists
	firsts  atomic.Int32 // those of them in first
	ahead   atomic.Int32 // writes that went ahead of the connections in later since the last turn of one

	mu    sync.Mutex
	first turnList // guarded by mu; of connections with nothing on its way
	later turnList // guarded by mu
}

// turn is a connection's part in turns.
type turn struct {
	// Owned by the connection's reader.
	on     bool          // it has one
	credit int64         // what is left of it
	single int           // writes in a row that were alone, up to turnsSingle
	wake   chan struct{} // told when it has come; made when first needed

	first bool // guarded by turns.mu; it waits, or has waited, in that list
	gone  bool // guarded by turns.mu; nobody waits for it any more
}

// turnList is a queue of turns.
type turnList struct {
	list []*turn
	head int
}

func (l *turnList) push(u *turn) { l.list = append(l.list, u) }

// pop takes the next one out that is waited for, nil when there is none.
func (l *turnList) pop() *turn {
	for l.head < len(l.list) {
		u := l.list[l.head]
		l.list[l.head] = nil
		if l.head++; l.head == len(l.list) {
			l.list, l.head = l.list[:0], 0
		}
		if !u.gone {
			return u
		}
	}
	return nil
}

// costOf is what a write of some bytes takes of a turn and of the way.
func costOf(bytes int64) int64 { return min(bytes+writeCost, writeCostMax) }

// look notices clients that wait for each reply while others have sent more than there is room for.
func (t *turns) look(u *turn, alone bool) {
	switch {
	case !alone:
		u.single = 0
	case u.single < turnsSingle:
		u.single++
	case t.waiting.Load() > t.firsts.Load() && !t.way.shared.Load():
		t.way.shared.Store(true)
	}
}

// enter takes a write's cost from the turn at hand, or finds that it needs none. False means that a turn has to be
// waited for. alone tells that the connection has nothing else on its way.
func (t *turns) enter(u *turn, cost int64, alone bool) bool {
	if u.on {
		if u.credit > 0 { // whether the way is full or not: turns that were cut short would cost more than they do
			u.credit -= cost
			return true
		}
		t.leave(u)
	}
	if alone && t.slip() {
		return true
	}
	if t.waiting.Load() > 0 || !t.way.open() {
		return false
	}
	if t.active.Add(1) > turnsAtOnce {
		t.active.Add(-1)
		return false
	}
	u.on, u.credit = true, turnBytes-cost
	return true
}

// slip lets in the only write of a connection. Those who wait have theirs before too many such.
func (t *turns) slip() bool {
	if !t.way.passable() {
		return false
	}
	return t.waiting.Load() == 0 || t.firsts.Load() == 0 && t.ahead.Add(1) <= turnsAhead
}

// await waits for a turn, and takes a write's cost from it. alone tells that the connection has nothing else on
// its way: then the turn is for this write. The end of stop ends it without one.
func (t *turns) await(u *turn, cost int64, alone bool, stop <-chan struct{}) {
	if u.wake == nil {
		u.wake = make(chan struct{}, 1)
	}
	t.mu.Lock()
	u.first = alone
	if alone {
		t.first.push(u)
		t.firsts.Add(1)
	} else {
		t.later.push(u)
	}
	t.waiting.Add(1)
	t.mu.Unlock()
	t.admit() // there may be room by now
	select {
	case <-u.wake:
		u.on, u.credit = true, turnBytes-cost
		if alone {
			u.credit = 0
		}
	case <-stop:
		t.withdraw(u)
	}
}

// withdraw ends the wait for a turn, which may have come meanwhile.
func (t *turns) withdraw(u *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-u.wake:
		u.on = true
	default:
		u.gone = true
		t.unlist(u)
	}
}

// unlist takes a connection from the count of those that wait. mu is held.
func (t *turns) unlist(u *turn) {
	t.waiting.Add(-1)
	if u.first {
		t.firsts.Add(-1)
	}
}

// leave ends a turn.
func (t *turns) leave(u *turn) {
	u.on = false
	t.active.Add(-1)
	t.admit()
}

// admit gives turns as long as there is room.
func (t *turns) admit() {
	if t.waiting.Load() == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.active.Load() < turnsAtOnce {
		u := t.next()
		if u == nil {
			return
		}
		t.unlist(u)
		t.active.Add(1)
		u.wake <- struct{}{}
	}
}

// next chooses whose turn it is, nil when there is no room or nobody waits. mu is held.
func (t *turns) next() *turn {
	if !t.way.passable() {
		return nil
	}
	due := t.ahead.Load() >= turnsAhead
	if !due {
		if u := t.first.pop(); u != nil {
			t.ahead.Add(1)
			return u
		}
	}
	if due || t.way.open() {
		t.ahead.Store(0)
		if u := t.later.pop(); u != nil {
			return u
		}
	}
	return t.first.pop()
}

// takeTurn waits until the connection may hand a write to prep, or to the leader. alone tells that it has nothing
// else on its way.
func (c *conn) takeTurn(cost int64, alone bool) {
	t := &c.srv.turns
	t.look(&c.turn, alone)
	if !t.enter(&c.turn, cost, alone) {
		c.flush()
		t.await(&c.turn, cost, alone, c.term.over())
	}
}

// pause is for the reader before it waits, or works for long: what it has answered is sent, and another
// connection may have its turn.
func (c *conn) pause() {
	c.flush()
	c.leaveTurn()
}

func (c *conn) leaveTurn() {
	if c.turn.on {
		c.srv.turns.leave(&c.turn)
	}
}

const (
	// wayBytesMin is the cost of the writes that may be on their way in any case, some 80 small ones: one sync's
	// worth and as much that gathers for the next.
	wayBytesMin = 128 << 10
	// wayBytesWide is the same while all that wait are connections with many writes on their way: what covers the
	// time in which a woken goroutine waits for a processor.
	wayBytesWide = 1 << 20
	// wayBytesMax is what it may become where syncs, or the other servers of an ensemble, take long.
	wayBytesMax = 64 << 20
	// wayFree is the cost on its way up to which a write counts as one that had nothing before it.
	wayFree = 32 << 10
	// wayQuick is what a lone write takes where waiting for its sync is most of it. On slower disks bytes take
	// time too, and a sync has to take more of them along.
	wayQuick = time.Millisecond
	// waySlack is how much longer writes may take on a wide way.
	waySlack = 3 * time.Millisecond
	// wayNarrow is how long a way stays narrow after a write for which it has to be.
	wayNarrow = 5 * time.Second
	// wayMeasured is how long the rate of writes is measured at least.
	wayMeasured = 50 * time.Millisecond
)

// way is what is between prep and Apply: the log, and the other servers of an ensemble; on a learner the leader too.
// Writes wait there ahead of all that come later, so it is open for few: for those that take twice the time there
// that one takes which is alone, up to three times where that is long. It is passable, for single writes of
// connections that have no other, until there are twice as many.
//
// That costs up to a fifth of the throughput where the server and its clients fight for processors. So the way is wide, for
// several times as many, as long as nobody has anything from a narrow one: while no client that waits for each reply
// writes beside those that don't.
type way struct {
	taken  atomic.Int64 // cost of the writes on it
	limit  atomic.Int64 // of taken; 0 before the first measurement: wayBytesWide
	shared atomic.Bool  // a single write has come beside others that had to wait; since the measurement began

	// Owned by Apply.
	alone   time.Duration // the least that a write takes with hardly any before it; follows slowly when it grows
	since   time.Time     // begin of the measurement at hand
	arrived int64         // cost since then
	narrow  time.Time     // until when it is not wide
}

func (w *way) room() int64 {
	if limit := w.limit.Load(); limit > 0 {
		return limit
	}
	return wayBytesWide
}

func (w *way) open() bool { return w.taken.Load() < w.room() }

func (w *way) passable() bool { return w.taken.Load() < 2*w.room() }

// send puts a write on the way. It reports whether there is hardly any before it.
func (w *way) send(cost int64) (free bool) { return w.taken.Add(cost)-cost <= wayFree }

// arrival is what has come to the end of the way at a time.
type arrival struct {
	cost  int64
	alone time.Duration // what a write took that had hardly any before it, 0 when there was none
}

func (v *arrival) add(r *request, now time.Time) {
	v.cost += r.cost
	if !r.sent.IsZero() {
		v.alone = now.Sub(r.sent)
	}
}

// arrived gives back what was held on the way, and to others.
func (t *turns) arrived(v arrival, now time.Time) {
	if v.cost > 0 {
		t.way.arrive(v, now)
		t.admit()
	}
}

func (w *way) arrive(v arrival, now time.Time) {
	w.taken.Add(-v.cost)
	if v.alone > 0 {
		if w.alone == 0 || v.alone < w.alone {
			w.alone = v.alone
		}
		w.alone += (v.alone - w.alone) / 64
	}
	w.arrived += v.cost
	took := now.Sub(w.since)
	if took < max(wayMeasured, w.alone) {
		return
	}
	if w.shared.Load() {
		w.shared.Store(false)
		w.narrow = now.Add(wayNarrow)
	}
	least, trip := int64(wayBytesMin), 2*w.alone+max(w.alone-wayQuick, 0)
	if !now.Before(w.narrow) {
		least, trip = wayBytesWide, 2*w.alone+waySlack
	}
	cost := int64(float64(w.arrived) / float64(took) * float64(trip))
	w.limit.Store(max(least, min(cost, wayBytesMax)))
	w.since, w.arrived = now, 0
}
