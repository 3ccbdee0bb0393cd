package persistence

import (
	"fmt"
	"sort"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"zk/jute"
)

// run is what one table holds.
type run struct {
	first, last jute.Zxid // first is 0 where a meta key begins the table
	bytes       int64
}

// segment is a run of entries as the purge counts them.
type segment struct {
	first jute.Zxid
	txns  int64
	bytes int64
}

// A segment is closed at either size, so the list stays short: 1 GiB of log is some 250 of them.
const (
	segmentTxns  = 4096
	segmentBytes = 4 << 20
)

// history is what the log knows of its old end: the runs of entries, the pins, the purge. All guarded
// by mu, which is never held over I/O: the syncer takes it for every write.
type history struct {
	purgeMu sync.Mutex // one purge at a time; before mu
	mu      sync.Mutex
	segs    []segment
	base    jute.Zxid // Log.base
	begin   jute.Zxid // first entry, 0: none
	era     uint64    // counts the cuts of the new end: Truncate, Adopt
	pins    map[*Pin]struct{}
}

// load learns the runs from the tables Pebble has: one flush made one table. It also checks that the
// tables follow each other, so that a table lost with a damaged manifest does not go unseen.
func (h *history) load(db *pebble.DB, base, first jute.Zxid) error {
	h.pins = map[*Pin]struct{}{}
	h.base, h.begin = base, first
	levels, err := db.SSTables()
	if err != nil {
		return readError("tables", err)
	}
	var runs []run
	for _, level := range levels {
		for _, t := range level {
			z, ok := entryZxid(t.Largest.UserKey)
			if !ok {
				continue // meta only
			}
			r := run{last: z, bytes: int64(t.Size)}
			r.first, _ = entryZxid(t.Smallest.UserKey)
			runs = append(runs, r)
		}
	}
	sort.Slice(runs, func(i, j int) bool { return runs[i].last < runs[j].last })
	prev := jute.Zxid(0)
	for _, r := range runs {
		if r.first != 0 && prev != 0 && !Follows(prev, r.first) {
			return &CorruptionError{Key: r.first.String(), Err: fmt.Errorf("gap in the log: a table begins with %v, the one before ends at %v", r.first, prev)}
		}
		begin := r.first
		if begin == 0 {
			begin = max(prev+1, first)
		}
		txns := int64(r.last - begin + 1)
		if begin.Epoch() != r.last.Epoch() {
			txns = int64(r.last.Counter()) + 1 // at least so many: then more is kept, not less
		}
		h.segs = append(h.segs, segment{first: begin, txns: txns, bytes: r.bytes})
		prev = r.last
	}
	return nil
}

// restart forgets everything: the log begins after base. move is called in the same step.
func (h *history) restart(base jute.Zxid, move func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.era++
	move()
	h.base, h.begin, h.segs = base, 0, nil
}

// add counts a durable write.
func (h *history) add(first, last jute.Zxid, bytes int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.begin == 0 {
		h.begin = first
	}
	n := len(h.segs) - 1
	if n < 0 || h.segs[n].txns >= segmentTxns || h.segs[n].bytes >= segmentBytes {
		h.segs = append(h.segs, segment{first: first})
		n++
	}
	txns := int64(last - first + 1)
	if last.Epoch() != first.Epoch() {
		txns = int64(last.Counter()) + 1
	}
	h.segs[n].txns += txns
	h.segs[n].bytes += int64(bytes)
}

func (h *history) first() jute.Zxid {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.begin
}

// completeFrom is Log.CompleteFrom.
func (h *history) completeFrom() jute.Zxid {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.completeFromLocked()
}

func (h *history) completeFromLocked() jute.Zxid {
	if h.begin <= h.base || Follows(h.base, h.begin) {
		return h.base
	}
	return h.begin
}

// goneLocked tells whether a reader from the given zxid would miss something.
func (h *history) goneLocked(from jute.Zxid) error {
	complete := h.completeFromLocked()
	if from <= complete && (from != h.begin || complete == h.base) {
		return fmt.Errorf("%w: %v wanted, the log begins with %v", ErrPurged, from, h.begin)
	}
	return nil
}

// iterator makes an iterator, or none, with no purge and no cut in between. make holds mu, and is one look into
// the memory of the store.
func (h *history) iterator(make func() (*pebble.Iterator, error)) (*pebble.Iterator, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	it, err := make()
	if err != nil {
		return nil, readError("", err)
	}
	return it, nil
}

// Pin keeps the entries from a zxid on against Purge, for a reader that comes back.
type Pin struct {
	h    *history
	era  uint64    // of the history when it was made
	from jute.Zxid // guarded by h.mu
}

// Pin keeps everything from the given zxid on; ErrPurged when it is gone already.
func (l *Log) Pin(from jute.Zxid) (*Pin, error) {
	h := &l.history
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.goneLocked(from); err != nil {
		return nil, err
	}
	p := &Pin{h: h, era: h.era, from: from}
	h.pins[p] = struct{}{}
	return p, nil
}

// Advance moves the pin forward; back it does not go.
func (p *Pin) Advance(from jute.Zxid) {
	p.h.mu.Lock()
	defer p.h.mu.Unlock()
	p.from = max(p.from, from)
}

// Release ends the pin. More than once does no harm.
func (p *Pin) Release() {
	p.h.mu.Lock()
	defer p.h.mu.Unlock()
	delete(p.h.pins, p)
}
