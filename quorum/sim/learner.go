package sim

import (
	"bytes"
	"slices"
	"time"

	"zk/jute"
	"zk/quorum/zab"
)

// learnerTerm is a process that follows or observes: the dial, the core, and what waits for it.
type learnerTerm struct {
	p       *process
	term    int
	leader  jute.ServerID
	core    learnerCore
	conn    *conn
	tries   int
	inbox   []*packet    // read, not handled: the core waits for an answer
	pending []zab.Action // not done: an action before them takes its time
	waiting bool         // for that action
	running bool
	loading bool
	side    tree      // the side store
	snap    bool      // Adopt is about the side store
	syncs   []int32   // asked of the leader, not answered to the client
	answers int       // SYNC packets of these that have come
	told    jute.Zxid // the last COMMIT or INFORM
}

// dialTries and dialPause are how often a learner tries to reach its leader before it looks for another.
const (
	dialTries = 5
	dialPause = 100 * time.Millisecond
)

func (p *process) learn(leader jute.ServerID) {
	p.learner = &learnerTerm{p: p, term: p.term, leader: leader}
	p.learner.dial()
}

func (l *learnerTerm) over() bool { return l.p.dead || l.p.term != l.term }

// dial reaches the leader, when that listens and the way is open.
func (l *learnerTerm) dial() {
	p, w := l.p, l.p.world
	if l.tries++; l.tries > dialTries {
		p.look()
		return
	}
	host := int(l.leader) - 1
	w.after(w.net.delay(p.host, host), p, func() {
		if l.over() {
			return
		}
		to := w.servers[host].proc
		if to == nil || to.leader == nil || to.stoppedUntil > w.now || !w.net.open(p.host, host) {
			w.after(dialPause, p, func() {
				if !l.over() {
					l.dial()
				}
			})
			return
		}
		l.connect(to)
	})
}

func (l *learnerTerm) connect(to *process) {
	p, w := l.p, l.p.world
	m := &p.server.disk.live
	lost := (m.lost || p.forgot) && !p.mutated(MutantWipedVotes) && !p.mutated(MutantWipedAcks)
	o := zab.LearnerOptions{
		Me: p.server.sid, Observer: p.server.observer, AcceptedEpoch: m.acceptedEpoch, CurrentEpoch: m.currentEpoch, LastLogged: m.lastLogged(),
		WantSnapshot: p.wantSnapshot, LostMemory: lost, InitLimit: w.initLimit, SyncLimit: w.syncLimit,
	}
	if p.server.java {
		o.LastLogged = p.lastProcessed()
		l.core = &javaLearner{o: o}
	} else {
		l.core = zab.NewLearner(o)
	}
	p.wantSnapshot = false
	l.conn = w.net.connect(p, to)
	e := &l.conn.ends[learnerEnd]
	e.received = l.received
	e.gone = func() {
		if !l.over() {
			p.look()
		}
	}
	to.leader.accept(l.conn)
	l.core.Start()
	l.run()
	l.ticks()
}

func (l *learnerTerm) ticks() {
	l.p.world.after(l.p.world.tick/2, l.p, func() {
		if !l.over() {
			l.core.Tick()
			l.run()
			l.ticks()
		}
	})
}

func (l *learnerTerm) end(silently bool) {
	switch {
	case l.conn == nil:
	case silently:
		l.conn.vanish(learnerEnd)
	default:
		l.conn.close(learnerEnd)
	}
}

func (l *learnerTerm) received(q *packet) {
	if l.over() {
		return
	}
	l.inbox = append(l.inbox, q)
	l.run()
}

// run does what the core asks for, in order, and hands it packets as long as it may have any. Rule: while an
// answer is awaited (Busy) only the stream of the snapshot is read.
func (l *learnerTerm) run() {
	if l.running {
		return
	}
	l.running = true
	defer func() { l.running = false }()
	var lent []byte
	for !l.over() {
		if !l.act() {
			return
		}
		spoil(lent)
		lent = nil
		if len(l.inbox) == 0 || l.core.Busy() && !(l.loading && l.inbox[0].piece) {
			return
		}
		q := l.inbox[0]
		l.inbox[0] = nil
		l.inbox = l.inbox[1:]
		if q.piece {
			l.piece(q)
			continue
		}
		l.order(q)
		lent = bytes.Clone(q.Data)
		q.Data = lent
		l.core.Received(&q.QuorumPacket)
		if l.p.mutated(MutantApplyEarly) && l.p.serving && q.Type == jute.PacketCommit {
			l.p.machine(func() { l.p.applyUpTo(q.Zxid) })
		}
	}
}

// order notes how far the leader has told of commits, and checks that the answer to a sync is not overtaken by a
// later COMMIT: a Java learner would lose the answer to the write behind the sync.
func (l *learnerTerm) order(q *packet) {
	switch q.Type {
	case jute.PacketCommit, jute.PacketInform:
		l.told = max(l.told, q.Zxid)
	case jute.PacketSync:
		l.p.world.check.syncAnswer(l.p.server, l.syncs[l.answers], l.told)
		l.answers++
	}
}

// spoil overwrites what was lent to a core: it must have kept a copy if it needs it.
func spoil(b []byte) {
	for i := range b {
		b[i] = 0xdb
	}
}

// act does actions until there are none; false when the term is over, or one of them takes its time.
func (l *learnerTerm) act() bool {
	for {
		for len(l.pending) > 0 {
			if l.over() || l.waiting {
				return false
			}
			a := l.pending[0]
			l.pending = l.pending[1:]
			if w := l.p.world; w.tracing() && a.Kind != zab.Send {
				w.trace(l.p.server, "learner: %s", a.String())
			}
			l.do(&a)
		}
		if l.over() || l.waiting {
			return false
		}
		actions := l.core.Actions()
		if len(actions) == 0 {
			return true
		}
		l.pending = append(l.pending[:0], actions...)
	}
}

// answer gives the core an answer later, if the term is still there.
func (l *learnerTerm) answer(give func()) func() {
	return func() {
		if !l.over() {
			give()
			l.run()
		}
	}
}

func (l *learnerTerm) do(a *zab.Action) {
	p := l.p
	switch a.Kind {
	case zab.SaveAcceptedEpoch:
		epoch := a.Epoch
		p.world.check.promises(p.server, epoch)
		if p.mutated(MutantPromiseForgotten) {
			l.core.Saved()
			return
		}
		p.put(write{kind: pointAcceptedEpoch, do: func(m *image) { m.acceptedEpoch = epoch }, done: l.answer(l.core.Saved)})
	case zab.Send:
		l.send(a.Packet)
	case zab.Truncate:
		l.truncate(a.Zxid)
	case zab.LoadSnapshot:
		if !p.crashAt(pointSnapshotBegin, before) {
			l.loading, l.snap = true, true
		}
	case zab.Append:
		l.append(entry{a.Zxid, bytes.Clone(a.Data)})
	case zab.ApplySnapshot:
		l.side = l.side.apply(entry{a.Zxid, a.Data})
	case zab.Adopt:
		l.adopt(a)
	case zab.Apply:
		z := a.Zxid
		if !p.mutated(MutantTailForgotten) || p.serving {
			p.machine(func() { p.applyUpTo(z) })
		}
	case zab.Established:
		l.established(a)
	case zab.Deliver:
		l.deliver(a.Packet)
	case zab.GiveUp:
		p.wantSnapshot = a.WantSnapshot
		p.look()
	}
}

func (l *learnerTerm) send(q jute.QuorumPacket) {
	p := l.p
	if q.Type == jute.PacketAck && q.Zxid != 0 {
		if q.Zxid.Counter() == 0 {
			p.world.check.acksNewLeader(p.server, q.Zxid.Epoch())
		} else {
			p.world.check.acks(p.server, q.Zxid)
		}
	}
	if p.world.tracing() {
		p.world.trace(p.server, "sends %s", zab.Describe(&q))
	}
	l.conn.send(learnerEnd, packet{QuorumPacket: q})
}

func (l *learnerTerm) forward(r jute.ForwardedRequest) {
	l.send(jute.QuorumPacket{Type: jute.PacketRequest, Zxid: -1, Data: r.Append(nil)})
}

// truncate cuts the log. Rule: not below what the tree has, and only where an entry is; else nothing changes.
func (l *learnerTerm) truncate(z jute.Zxid) {
	p, s := l.p, l.p.server
	m := &s.disk.live
	if s.java {
		l.truncateJava(z)
		return
	}
	if f, ok := m.floor(z); !ok || f != z || z < m.state.applied {
		l.core.Truncated(false)
		return
	}
	p.world.check.truncates(s, z)
	cut := slices.Clone(m.log[m.after(z):])
	do := func(m *image) { m.log = m.log[:m.after(z)] }
	done := l.answer(func() { l.core.Truncated(true) })
	if p.mutated(MutantTruncateForgotten) {
		do(m)
		p.world.after(0, p, done)
		return
	}
	p.put(write{kind: pointTruncate, do: do, mark: func() { p.world.check.dropped(s, cut) }, done: done})
}

// piece is a part of a snapshot's stream. It goes to the side store, which is durable before the core is told.
func (l *learnerTerm) piece(q *packet) {
	p := l.p
	if !l.loading {
		return // MutantSnapEarly has not waited for it
	}
	l.core.Progress()
	if !q.end && !p.mutated(MutantSnapEarly) {
		return
	}
	l.loading = false
	l.side = q.tree
	if p.crashAt(pointSnapshotEnd, before) {
		return
	}
	p.world.after(p.server.disk.latency+p.server.disk.lag, p, func() {
		p.led = 0
		if !p.crashAt(pointSnapshotEnd, durable) {
			l.answer(l.core.SnapshotLoaded)()
		}
	})
}

func (l *learnerTerm) append(e entry) {
	p := l.p
	logged := l.answer(func() { l.core.Logged(e.zxid) })
	if p.append(e, logged); p.mutated(MutantAckEarly) && !p.dead {
		l.core.Logged(e.zxid)
	}
}

// adopt makes the history of the sync durable, with its epoch.
func (l *learnerTerm) adopt(a *zab.Action) {
	p, epoch := l.p, a.Epoch
	if l.snap {
		l.adoptSnap(a)
		return
	}
	set := func(m *image) { m.currentEpoch = epoch }
	switch {
	case p.mutated(MutantEpochEarly):
		set(&p.server.disk.durable)
		fallthrough
	default:
		p.put(write{kind: pointAdoptDiff, do: set, done: l.answer(l.core.Adopted)})
	case p.mutated(MutantEpochAlone):
		set(&p.server.disk.live)
		set(&p.server.disk.durable)
		l.core.Adopted()
	}
}

// adoptSnap takes the side store into use. Rule: one batch names it as live, drops the log before, has the
// proposals behind it, and the epoch.
func (l *learnerTerm) adoptSnap(a *zab.Action) {
	p, s, w := l.p, l.p.server, l.p.world
	base, epoch := l.side, a.Epoch
	w.check.adopts(s, base)
	rest := make([]entry, 0, len(a.Entries))
	last := base.applied
	for _, e := range a.Entries {
		rest = append(rest, entry{e.Zxid, e.Data})
		w.check.appended(s, rest[len(rest)-1], last)
		last = e.Zxid
	}
	old := slices.Clone(s.disk.live.log)
	p.put(write{
		kind: pointAdoptSnap,
		do: func(m *image) {
			m.folder++
			m.log, m.completeFrom, m.state, m.currentEpoch = slices.Clone(rest), base.applied, base, epoch
		},
		mark: func() { w.check.replaced(s, old, base.applied, rest) },
		done: l.answer(l.core.Adopted),
	})
}

// established begins to serve. Rule: what was lost is found when that is durable, which it is before anything
// else is sent.
func (l *learnerTerm) established(a *zab.Action) {
	p, epoch := l.p, a.Epoch
	serve := func() {
		p.forgot, p.server.wiped = false, false
		p.node.SetPeerEpoch(epoch)
		p.elect()
		p.machine(func() {
			p.serving = true
			p.world.check.serves(p.server, epoch)
		})
	}
	if !p.server.disk.live.lost {
		serve()
		return
	}
	l.waiting = true
	p.put(write{
		kind: pointRemember,
		do:   func(m *image) { m.lost = false },
		mark: func() { p.server.wiped = false },
		done: func() {
			if !l.over() {
				l.waiting = false
				serve()
				l.run()
			}
		},
	})
}

// deliver is what the leader has for the server.
func (l *learnerTerm) deliver(q jute.QuorumPacket) {
	switch q.Type {
	case jute.PacketPing:
		l.send(jute.QuorumPacket{Type: jute.PacketPing, Zxid: q.Zxid})
	case jute.PacketSync:
		request := l.syncs[0]
		l.syncs = l.syncs[1:]
		l.answers--
		l.p.machine(func() { l.p.world.check.synced(l.p.server, request) })
	}
}
