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
	// turnsAhead is the number of turns in a row that connections without a request on its way get ahead of others.
	turnsAhead = 16

	// writeCost is what a write costs besides its own bytes, writeCostMax what it costs at most, so that large
	// ones go together too.
	writeCost    = 512
	writeCostMax = 128 << 10
)

// turns lets writes into prep in a fair order when more are asked for than the log takes. A few connections are at
// it at once; the others wait here, and not for a lock, for a processor, or in the log: a connection with no request
// on its way goes ahead, and those that send one write behind the other take turns. So a client that waits for
// each of its replies does not wait for the thousands of requests that others have sent.
type turns struct {
	way     way
	active  atomic.Int32 // connections that have a turn
	waiting atomic.Int32 // connections in the lists

	mu    sync.Mutex
	first turnList // guarded by mu; of connections with nothing on its way
	later turnList // guarded by mu
	ahead int      // guarded by mu; turns of first since the last one of later
}

// turn is a connection's part in turns.
type turn struct {
	// Owned by the connection's reader.
	on     bool          // it has one
	credit int64         // what is left of it
	wake   chan struct{} // told when it has come; made when first needed

	gone bool // guarded by turns.mu; nobody waits for it any more
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

// enter takes a write's cost from the turn at hand. False means that another turn has to be waited for.
func (t *turns) enter(u *turn, cost int64) bool {
	if u.on {
		if u.credit > 0 && t.way.open() {
			u.credit -= cost
			return true
		}
		t.leave(u)
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

// await waits for a turn, and takes a write's cost from it. alone tells that the connection has nothing else on
// its way. The end of stop ends it without one.
func (t *turns) await(u *turn, cost int64, alone bool, stop <-chan struct{}) {
	if u.wake == nil {
		u.wake = make(chan struct{}, 1)
	}
	t.mu.Lock()
	if alone {
		t.first.push(u)
	} else {
		t.later.push(u)
	}
	t.waiting.Add(1)
	t.mu.Unlock()
	t.admit() // there may be room by now
	select {
	case <-u.wake:
		u.on, u.credit = true, turnBytes-cost
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
		t.waiting.Add(-1)
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
	for t.active.Load() < turnsAtOnce && t.way.open() {
		u := t.next()
		if u == nil {
			return
		}
		t.waiting.Add(-1)
		t.active.Add(1)
		u.wake <- struct{}{}
	}
}

// next chooses whose turn it is, nil when nobody waits. mu is held.
func (t *turns) next() *turn {
	if t.ahead < turnsAhead {
		if u := t.first.pop(); u != nil {
			t.ahead++
			return u
		}
	}
	t.ahead = 0
	if u := t.later.pop(); u != nil {
		return u
	}
	return t.first.pop()
}

// takeTurn waits until the connection may hand a write to prep. alone tells that it has nothing else on its way.
func (c *conn) takeTurn(cost int64, alone bool) {
	t := &c.srv.turns
	if !t.enter(&c.turn, cost) {
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
	// wayBytesMin is the cost of the writes that may be on their way in any case: some hundred small ones, several
	// times what a sync of a fast disk takes along.
	wayBytesMin = 1 << 20
	// wayBytesMax is what it may become where syncs, or the other servers of an ensemble, take long.
	wayBytesMax = 64 << 20
	// wayFree is the cost on its way up to which a write counts as one that had nothing before it.
	wayFree = 32 << 10
	// waySlack is how much longer than twice its time a write may take among many.
	waySlack = 3 * time.Millisecond
	// wayMeasured is how long the rate of writes is measured at least.
	wayMeasured = 50 * time.Millisecond
)

// way is what is between prep and Apply: the log, and the other servers of an ensemble. It is open for as many
// writes as take twice the time there that one takes which is alone, and a little. More would only wait there,
// ahead of others, and gain nothing.
type way struct {
	taken atomic.Int64 // cost of the writes on it
	limit atomic.Int64 // of taken; 0 before the first measurement: wayBytesMin

	// Owned by Apply.
	alone   time.Duration // the least that a write takes with hardly any before it; follows slowly when it grows
	since   time.Time     // begin of the measurement at hand
	arrived int64         // cost since then
}

func (w *way) open() bool { return w.taken.Load() < max(w.limit.Load(), wayBytesMin) }

// send puts a write on the way. It reports whether there is hardly any before it.
func (w *way) send(cost int64) (free bool) { return w.taken.Add(cost)-cost <= wayFree }

// arrive ends the way of writes of some cost at a time. alone is what those took which had hardly any before them,
// 0 when there was none of these.
func (w *way) arrive(cost int64, alone time.Duration, now time.Time) {
	w.taken.Add(-cost)
	if alone > 0 {
		if w.alone == 0 || alone < w.alone {
			w.alone = alone
		}
		w.alone += (alone - w.alone) / 64
	}
	w.arrived += cost
	took := now.Sub(w.since)
	if took < max(wayMeasured, w.alone) {
		return
	}
	bytes := float64(w.arrived) / float64(took) * float64(2*w.alone+waySlack)
	w.limit.Store(min(int64(bytes), wayBytesMax))
	w.since, w.arrived = now, 0
}
