package sim

import (
	"slices"
	"time"

	"zk/jute"
)

// entry is a transaction in a log: as it is proposed, logged and sent.
type entry struct {
	zxid  jute.Zxid
	bytes []byte
}

// tree stands for the znode tree: which transactions, in which order, made it.
type tree struct {
	applied jute.Zxid
	count   int    // transactions applied
	digest  uint64 // over all of them, in order
}

func (t tree) apply(e entry) tree {
	const prime = 1099511628211 // FNV-1a
	d := t.digest
	for _, b := range e.bytes {
		d = (d ^ uint64(b)) * prime
	}
	return tree{applied: e.zxid, count: t.count + 1, digest: d}
}

// image is what a server's two stores hold: the log (with epochs and the base of its live state), and the
// state, a tree at its applied zxid.
type image struct {
	log           []entry
	completeFrom  jute.Zxid // the zxid before the first entry
	acceptedEpoch int64
	currentEpoch  int64
	folder        int // which state folder is live: grows with each adopted SNAP
	state         tree
	lost          bool // I9: the memory is lost until a SNAP is adopted
}

func (m *image) clone() image {
	c := *m
	c.log = slices.Clone(m.log)
	return c
}

// lastLogged is the last entry, or the zxid the log begins after.
func (m *image) lastLogged() jute.Zxid {
	if n := len(m.log); n > 0 {
		return m.log[n-1].zxid
	}
	return m.completeFrom
}

// empty is a server that may be new or wiped: it has neither a history nor a promise.
func (m *image) empty() bool {
	return !m.lost && m.lastLogged() == 0 && m.currentEpoch == 0 && m.acceptedEpoch == 0
}

// after is the index of the first entry after z.
func (m *image) after(z jute.Zxid) int {
	i, found := slices.BinarySearchFunc(m.log, z, func(e entry, z jute.Zxid) int {
		switch {
		case e.zxid < z:
			return -1
		case e.zxid > z:
			return 1
		}
		return 0
	})
	if found {
		i++
	}
	return i
}

// floor is the greatest entry, or the zxid the log begins after, that is not above z.
func (m *image) floor(z jute.Zxid) (jute.Zxid, bool) {
	if i := m.after(z); i > 0 {
		return m.log[i-1].zxid, true
	}
	return m.completeFrom, z >= m.completeFrom
}

// write is one atomic change of the log store. Writes reach the platter in the order they were made.
type write struct {
	kind  point
	entry entry // of an append, else none
	do    func(*image)
	mark  func() // tells the checker that it is durable, also when a crash has made it so; may be nil
	done  func() // tells the process; may be nil
}

func (d *disk) reach(w *write) {
	w.do(&d.durable)
	if w.mark != nil {
		w.mark()
	}
}

// disk is a server's stores: durable is what a crash leaves, live what the running process reads.
//
// The log store is a sequential write-ahead log: one sync makes all that was written before it durable, and
// a crash leaves any prefix of what was not synced, as the kernel may have written it anyway. The state has
// no log of its own: its batches arrive on their own, whole.
type disk struct {
	durable image
	live    image
	wal     []write // written, not synced
	syncing int     // so many of them are being synced
	latency time.Duration
	jitter  time.Duration
	lag     time.Duration // what a slow disk adds
	failing bool          // the next sync fails
	flushes int           // state batches on their way
}

// point is a boundary at which a process may be made to crash.
type point int

const (
	pointAppend point = iota
	pointAcceptedEpoch
	pointCurrentEpoch
	pointTruncate
	pointSnapshotBegin
	pointSnapshotEnd
	pointAdoptDiff
	pointAdoptSnap
	pointForget
	pointRemember
	pointStateFlush
	points // how many
)

func (p point) String() string {
	return [...]string{"append", "acceptedEpoch", "currentEpoch", "truncate", "snapshot begins", "snapshot read",
		"adopt diff", "adopt snap", "memory lost", "memory found", "state flush"}[p]
}

// put writes to the log store: at once in the live image, durable with the next sync but one.
func (p *process) put(w write) {
	d := &p.server.disk
	if p.dead || p.crashAt(w.kind, before) {
		return
	}
	if w.entry.bytes != nil {
		p.world.check.appended(p.server, w.entry, d.live.lastLogged())
	}
	w.do(&d.live)
	d.wal = append(d.wal, w)
	if p.crashAt(w.kind, written) {
		return
	}
	p.sync()
}

// sync starts a sync of all that waits, if none is under way.
func (p *process) sync() {
	d := &p.server.disk
	if d.syncing > 0 || len(d.wal) == 0 {
		return
	}
	n := len(d.wal)
	d.syncing = n
	took := d.latency + p.world.between(0, d.jitter) + d.lag
	p.world.after(took, p, func() { p.synced(n) })
}

func (p *process) synced(n int) {
	d := &p.server.disk
	d.syncing = 0
	failed := d.failing
	d.failing = false
	if failed && !p.mutated(MutantDiskErrorIgnored) {
		// Rule: a failed sync is final, nothing is tried again.
		p.crash(crashFault, "a sync failed")
		return
	}
	batch := slices.Clone(d.wal[:n])
	d.wal = slices.Delete(d.wal, 0, n)
	for i := range batch {
		if !failed {
			d.reach(&batch[i])
		}
	}
	for _, w := range batch {
		if p.crashAt(w.kind, durable) {
			return
		}
		if w.done != nil {
			w.done()
		}
		if p.dead {
			return
		}
	}
	p.sync()
}

// lose is a crash: what a prefix of the unsynced writes has become durable, the rest is gone.
func (d *disk) lose(w *world) {
	keep := 0
	switch n := len(d.wal); {
	case n == 0 || w.chance(0.3):
	case w.chance(0.3):
		keep = n
	default:
		keep = w.pick(n + 1)
	}
	for i := range d.wal[:keep] {
		d.reach(&d.wal[i])
	}
	d.wal, d.syncing, d.flushes = nil, 0, 0
}

// open is a start: what is durable is what there is.
func (d *disk) open() { d.live = d.durable.clone() }

// append writes an entry to the end of the log.
func (p *process) append(e entry, done func()) {
	s := p.server
	p.put(write{
		kind:  pointAppend,
		entry: e,
		do:    func(m *image) { m.log = slices.Insert(m.log, m.after(e.zxid), e) },
		mark:  func() { p.world.check.held(s, e.zxid) },
		done:  done,
	})
}

// flush writes the state behind apply: a batch that is frozen now and durable later.
func (p *process) flush() {
	d := &p.server.disk
	if p.server.java && (!p.serving || d.live.state.applied > d.durable.lastLogged()) {
		return // snapshots of what may yet be cut are left out (1549)
	}
	if d.flushes > 0 || d.live.state.applied == d.durable.state.applied {
		return
	}
	d.flushes++
	frozen, folder := d.live.state, d.live.folder
	p.world.after(d.latency*2+p.world.between(0, 20*d.jitter)+d.lag, p, func() {
		if p.crashAt(pointStateFlush, before) {
			return
		}
		d.flushes--
		if folder == d.durable.folder {
			d.durable.state = frozen
			p.world.check.flushed(p.server)
		}
		p.crashAt(pointStateFlush, durable)
	})
}
