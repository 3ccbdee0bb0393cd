package persistence

import (
	"context"
	"fmt"
	"log/slog"
	"sort"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"zk/jute"
)

// Purge frees the space of the entries below the given zxid, as far as pins allow and never the last
// entry. It returns where the log now begins (0: it has no entry).
//
// It is one Excise: whole tables leave the manifest in one synced step, so a crash finds all of them
// or none. Open iterators keep theirs. The caller answers for I6: below is at most DurableApplied.
func (l *Log) Purge(below jute.Zxid) (first jute.Zxid, err error) {
	if err := l.fail.get(); err != nil {
		return 0, err
	}
	h := &l.history
	h.purgeMu.Lock()
	defer h.purgeMu.Unlock()
	next, err := l.anchorFrom(h.allowed(min(below, jute.Zxid(l.lastLogged.Load()))))
	if err != nil {
		return h.first(), err
	}
	if first, ok := h.cut(next); !ok {
		return first, nil
	}
	// The log begins with next from here on; a reader from before it has its iterator already.
	if err := l.db.Excise(context.Background(), pebble.KeyRange{Start: entryKey(0), End: entryKey(next)}); err != nil {
		return next, fmt.Errorf("persistence: purge the log below %v: %w", next, err)
	}
	return next, nil
}

// allowed lowers a purge to what pins allow.
func (h *history) allowed(below jute.Zxid) jute.Zxid {
	h.mu.Lock()
	defer h.mu.Unlock()
	for p := range h.pins {
		below = min(below, p.from)
	}
	return below
}

// cut makes the log begin with next, unless it does so already or a pin came in between.
func (h *history) cut(next jute.Zxid) (first jute.Zxid, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.begin == 0 || next <= h.begin {
		return h.begin, false
	}
	for p := range h.pins {
		if p.from < next {
			return h.begin, false
		}
	}
	h.begin = next
	cut := sort.Search(len(h.segs), func(i int) bool { return h.segs[i].first > next }) - 1
	if cut > 0 {
		h.segs = append(h.segs[:0], h.segs[cut:]...)
	}
	return next, true
}

// anchorFrom finds the entry that the log shall begin with: the first one at or after a zxid, unless that
// could also be the first one ever (it would then not show that anything was purged); then the one
// before it.
func (l *Log) anchorFrom(z jute.Zxid) (jute.Zxid, error) {
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: entryKey(l.base + 1), UpperBound: []byte{keyEntry + 1}})
	if err != nil {
		return 0, readError(z.String(), err)
	}
	defer func() { _ = it.Close() }()
	for ok := it.SeekGE(entryKey(z)); ok; ok = it.Prev() {
		if at, _ := entryZxid(it.Key()); !Follows(l.base, at) {
			return at, nil
		}
	}
	return 0, readError(z.String(), it.Error())
}

// Retention says how much of the log is kept; zero values mean the defaults.
type Retention struct {
	// SnapCount is zookeeper's snapCount (100,000). 3 times as many txns are kept, as a Java server
	// with autopurge.snapRetainCount=3 does.
	SnapCount int
	// CommitLogCount is zookeeper.commitLogCount (500): the least number of txns kept, whatever
	// their size, for learners to catch up with.
	CommitLogCount int
	// BytesMax is where the rest of what SnapCount wants ends (1 GiB).
	BytesMax int64
}

func (r Retention) withDefaults() Retention {
	if r.SnapCount <= 0 {
		r.SnapCount = 100_000
	}
	if r.CommitLogCount <= 0 {
		r.CommitLogCount = 500
	}
	if r.BytesMax <= 0 {
		r.BytesMax = 1 << 30
	}
	return r
}

// keepFrom is where what the retention keeps begins, and what a purge up to there would free.
func (h *history) keepFrom(r Retention) (from jute.Zxid, freeTxns, freeBytes int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var txns, bytes int64
	i := len(h.segs)
	for i > 0 {
		s := h.segs[i-1]
		enough := txns >= 3*int64(r.SnapCount) || bytes+s.bytes > r.BytesMax
		if enough && txns >= int64(r.CommitLogCount) {
			break
		}
		txns += s.txns
		bytes += s.bytes
		i--
	}
	if i == 0 || i == len(h.segs) {
		return 0, 0, 0
	}
	for _, s := range h.segs[:i] {
		freeTxns += s.txns
		freeBytes += s.bytes
	}
	return h.segs[i].first, freeTxns, freeBytes
}

// Purger purges the log after the state became durable. It has one goroutine, from StartPurger to
// Close, and works only when Durable says so: no timer.
type Purger struct {
	log    *Log
	keep   Retention
	logger *slog.Logger

	mu      sync.Mutex
	durable Applied       // guarded by mu
	squeeze bool          // guarded by mu; the next purge leaves out what is kept for comfort
	wake    chan struct{} // holds one wake-up
	stop    chan struct{}
	done    chan struct{}
	once    sync.Once
}

// StartPurger starts a purger for a log.
func StartPurger(l *Log, keep Retention, logger *slog.Logger) *Purger {
	p := &Purger{
		log: l, keep: keep.withDefaults(), logger: orDiscard(logger),
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	go p.run() // ended by Close
	return p
}

// Durable tells the purger how far the state is durable; State.Start's onDurable calls it. It does not
// block.
func (p *Purger) Durable(mark Applied) {
	p.mu.Lock()
	p.durable = max(p.durable, mark)
	p.mu.Unlock()
	p.awake()
}

func (p *Purger) awake() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// squeezed is what is kept while the disk is short of space: what learners and the state need.
func (p *Purger) squeezed() Retention {
	return Retention{SnapCount: 1, CommitLogCount: p.keep.CommitLogCount, BytesMax: 1}
}

// Squeezable is how many bytes Squeeze could free once the whole state is durable.
func (p *Purger) Squeezable() int64 {
	_, _, bytes := p.log.history.keepFrom(p.squeezed())
	return bytes
}

// Squeeze purges all but the last CommitLogCount entries and what is not durable in the state yet; the
// disk is short of space. It does not block.
func (p *Purger) Squeeze() {
	p.mu.Lock()
	p.squeeze = true
	p.mu.Unlock()
	p.awake()
}

// Close ends the purger and waits for a purge under way.
func (p *Purger) Close() {
	p.once.Do(func() { close(p.stop) })
	<-p.done
}

func (p *Purger) run() {
	defer close(p.done)
	for {
		select {
		case <-p.stop:
			return
		case <-p.wake:
		}
		p.mu.Lock()
		durable, squeeze := p.durable, p.squeeze
		p.squeeze = false
		p.mu.Unlock()
		if err := p.purge(durable, squeeze); err != nil {
			// The log goes on growing, and the next flush tries again.
			p.logger.Warn("log purge failed", "err", err)
		}
	}
}

// purge drops what retention does not keep, below the durable mark (I6). Each purge costs a synced
// manifest write, so it waits until an eighth of what is kept has gathered, or is in need of space.
func (p *Purger) purge(durable Applied, squeeze bool) error {
	keep := p.keep
	if squeeze {
		keep = p.squeezed()
	}
	from, txns, bytes := p.log.history.keepFrom(keep)
	if from == 0 || !squeeze && txns*8 < 3*int64(keep.SnapCount) && bytes*8 < keep.BytesMax {
		return nil
	}
	before := p.log.history.first()
	first, err := p.log.Purge(min(from, jute.Zxid(durable)))
	if err == nil && first != before {
		p.logger.Info("log purged", "first_zxid", first.String(), "durable_zxid", jute.Zxid(durable).String())
	}
	return err
}
