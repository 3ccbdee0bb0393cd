package quorum

import (
	"fmt"
	"sync"

	"zk/jute"
)

const (
	// applyMax and applyBytesMax bound what is handed to StateMachine.Apply in one call.
	applyMax      = 512
	applyBytesMax = 1 << 20
)

// applier brings committed transactions to the state machine, in zxid order, on one goroutine that lives as
// long as its term. Transactions come with add, in the order of the log; mark says how far they are
// committed and durable. What doesn't fit into memory is read from the log when its turn comes: a history
// that is being received, the tail of the log from before the term, what is proposed while no quorum acks.
type applier struct {
	sm  StateMachine
	log Log
	// max is how many bytes may be in memory; a leader's applier keeps all the same, because it has the
	// clients' tags, and the bound is up to those who propose (admit).
	max  int64
	keep bool

	mu   sync.Mutex
	more sync.Cond // to the goroutine: mark, tasks or over has changed
	room sync.Cond // to Admit: less is pending, or over
	// queue holds transactions in order. Where spilled is after applied some are in the log alone, spilled
	// being the last of them: behind tells that the queue's come behind these, else they come first.
	// Guarded by mu, as all below.
	queue   entryQueue
	spilled jute.Zxid
	behind  bool
	bytes   int64 // in the queue, and of it on the way to the state machine
	onWay   int64 // the latter alone
	target  jute.Zxid
	applied jute.Zxid
	tasks   []applyTask
	over    bool
}

// applyTask is done when everything up to at has been applied. at never goes down from one to the next.
type applyTask struct {
	at  jute.Zxid
	run func() error
}

// newApplier begins with what the state machine has; the log's tail behind that is not in memory.
func newApplier(sm StateMachine, log Log, maxBytes int64, keep bool) *applier {
	a := &applier{sm: sm, log: log, max: maxBytes, keep: keep}
	a.more.L, a.room.L = &a.mu, &a.mu
	a.reset()
	return a
}

// reset begins anew after the log or the tree were exchanged or cut: nothing in memory counts any more.
func (a *applier) reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queue, a.bytes = entryQueue{}, 0
	a.applied = a.sm.Applied()
	a.target = a.applied
	a.spilled, a.behind = a.log.LastLogged(), true
}

// add takes the next transaction of the log. Its bytes must not change until it is applied.
func (a *applier) add(e Entry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fits := a.bytes+int64(len(e.Bytes)) <= a.max || a.keep
	switch {
	case a.inLog() && !a.behind:
		a.spilled = e.Zxid // what comes first is in the queue, this comes after what is in the log alone
	case fits:
		a.queue.push(e)
		a.bytes += int64(len(e.Bytes))
	case a.inLog():
		a.queue, a.bytes, a.spilled = entryQueue{}, a.onWay, e.Zxid
	default:
		a.spilled, a.behind = e.Zxid, a.queue.len() == 0
	}
}

// inLog reports if a transaction that is not applied has to be read from the log.
func (a *applier) inLog() bool { return a.spilled > a.applied }

// mark says that everything up to z is committed and durable here.
func (a *applier) mark(z jute.Zxid) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if z > a.target {
		a.target = z
		a.more.Signal()
	}
}

// after has run called on the goroutine when everything up to z, or up to the last mark, is applied. An
// error ends the term.
func (a *applier) after(z jute.Zxid, run func() error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tasks = append(a.tasks, applyTask{max(z, a.target), run})
	a.more.Signal()
}

// admit waits while too much is pending.
func (a *applier) admit() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.bytes > a.max/2 && !a.over {
		a.room.Wait()
	}
	if a.over {
		return ErrTermOver
	}
	return nil
}

// crowded reports if admit would wait.
func (a *applier) crowded() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.bytes > a.max/2
}

// end stops the goroutine after the call of the state machine that is under way.
func (a *applier) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	a.more.Broadcast()
	a.room.Broadcast()
}

// pending tells how many transactions are not applied yet, as far as they are in memory, and their bytes.
func (a *applier) pending() (n int, bytes int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.queue.len(), a.bytes
}

// applyWork is what the goroutine does next: transactions, or a task, or neither when it is over.
type applyWork struct {
	batch   []Entry
	fromLog bool // the batch was read from the log
	task    func() error
}

// run applies until end is called. An error is the log's, or a task's.
func (a *applier) run() error {
	var w applyWork
	var reader catchUp
	defer reader.close()
	for {
		if err := a.take(&w, &reader); err != nil {
			return err
		}
		switch {
		case w.task != nil:
			if err := w.task(); err != nil {
				return err
			}
		case len(w.batch) == 0:
			return nil
		default:
			a.sm.Apply(w.batch)
			a.done(&w)
		}
	}
}

// take waits for work.
func (a *applier) take(w *applyWork, reader *catchUp) error {
	w.batch, w.fromLog, w.task = w.batch[:0], false, nil
	a.mu.Lock()
	defer a.mu.Unlock()
	for {
		upTo := a.target
		if len(a.tasks) > 0 { // what comes behind a task waits for it
			upTo = min(upTo, a.tasks[0].at)
		}
		switch {
		case a.over:
			return nil
		case len(a.tasks) > 0 && a.tasks[0].at <= a.applied:
			w.task = a.tasks[0].run
			a.tasks[0] = applyTask{}
			a.tasks = a.tasks[1:]
			return nil
		case upTo > a.applied && a.inLog() && (a.behind || a.queue.len() == 0):
			a.behind, w.fromLog = true, true
			after, upTo := a.applied, min(upTo, a.spilled)
			a.mu.Unlock()
			batch, err := reader.read(a.log, w.batch, after, upTo)
			a.mu.Lock()
			w.batch = batch
			return err
		case upTo > a.applied:
			a.fromQueue(w, upTo)
			return nil
		}
		a.more.Wait()
	}
}

// fromQueue takes what may be applied of the queue, up to a zxid. Its bytes count as pending until done.
func (a *applier) fromQueue(w *applyWork, upTo jute.Zxid) {
	for bytes := 0; a.queue.len() > 0 && len(w.batch) < applyMax && bytes < applyBytesMax; {
		if a.queue.front().Zxid > upTo {
			break
		}
		e := a.queue.pop()
		bytes += len(e.Bytes)
		a.onWay += int64(len(e.Bytes))
		w.batch = append(w.batch, e)
	}
	if len(w.batch) == 0 {
		panic(fmt.Sprintf("quorum: all up to %v may be applied, but nothing behind %v is there", upTo, a.applied))
	}
}

// done counts what was applied.
func (a *applier) done(w *applyWork) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.applied = w.batch[len(w.batch)-1].Zxid
	if w.fromLog {
		return
	}
	a.bytes -= a.onWay
	a.onWay = 0
	clear(w.batch)
	if a.bytes <= a.max/2 {
		a.room.Broadcast()
	}
}

// catchUp reads runs of the log for the applier.
type catchUp struct {
	cursor Cursor
	at     jute.Zxid // what the cursor has read up to
	bytes  []byte
}

// read takes the entries in (after, upTo], or the first of them.
func (c *catchUp) read(log Log, batch []Entry, after, upTo jute.Zxid) ([]Entry, error) {
	if c.cursor == nil || c.at != after {
		c.close()
		cursor, err := log.Cursor(after)
		if err != nil {
			return batch, fmt.Errorf("quorum: read the log after %v: %w", after, err)
		}
		c.cursor, c.at = cursor, after
	}
	c.bytes = c.bytes[:0]
	for len(batch) < applyMax && len(c.bytes) < applyBytesMax && c.at < upTo {
		z, b, ok, err := c.cursor.Next()
		if err == nil && (!ok || z > upTo) {
			err = fmt.Errorf("no entry up to %v", upTo)
		}
		if err != nil {
			return batch, fmt.Errorf("quorum: read the log after %v: %w", c.at, err)
		}
		start := len(c.bytes)
		c.bytes = append(c.bytes, b...) // growing leaves what was sliced before where it is
		batch = append(batch, Entry{Zxid: z, Bytes: c.bytes[start:len(c.bytes):len(c.bytes)]})
		c.at = z
	}
	return batch, nil
}

func (c *catchUp) close() {
	if c.cursor != nil {
		_ = c.cursor.Close() // what was read from it is good
		c.cursor = nil
	}
}

// entryQueue is a first-in first-out queue that reuses its memory.
type entryQueue struct {
	ring    []Entry // a power of two
	head, n int
}

func (q *entryQueue) len() int { return q.n }

func (q *entryQueue) front() *Entry { return &q.ring[q.head] }

func (q *entryQueue) push(e Entry) {
	if q.n == len(q.ring) {
		ring := make([]Entry, max(64, 2*len(q.ring)))
		for i := range q.n {
			ring[i] = q.ring[(q.head+i)&(len(q.ring)-1)]
		}
		q.ring, q.head = ring, 0
	}
	q.ring[(q.head+q.n)&(len(q.ring)-1)] = e
	q.n++
}

func (q *entryQueue) pop() Entry {
	e := q.ring[q.head]
	q.ring[q.head] = Entry{}
	q.head = (q.head + 1) & (len(q.ring) - 1)
	q.n--
	return e
}
