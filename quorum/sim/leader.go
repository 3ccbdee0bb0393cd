package sim

import (
	"bytes"
	"time"

	"zk/jute"
	"zk/quorum/election"
	"zk/quorum/zab"
)

// leaderTerm is a process that leads: the core, its learners' links, and the pipeline in front of it.
type leaderTerm struct {
	p       *process
	term    int
	core    leaderCore
	epoch   int64
	links   []*leaderLink
	made    zab.Link
	last    jute.Zxid // the last proposal
	running bool
}

// leaderLink is the leader's end of a learner's connection, with what its writer owns.
type leaderLink struct {
	l       *leaderTerm
	id      zab.Link
	conn    *conn
	outbox  zab.Outbox
	marks   zab.Marks // of the leader, for the outbox
	syncing bool      // the log is pinned from where the outbox is
	snap    bool      // a snapshot is to come before the log is read
	stream  []packet
	planned bool
	window  int
	queue   []jute.QuorumPacket // of a leader of Java, in place of the outbox
}

// packet is what goes over a learner's connection: a packet, or a piece of a snapshot's stream.
type packet struct {
	jute.QuorumPacket
	piece bool
	end   bool // the last piece
	tree  tree // what the whole stream holds, with the last piece
}

func (p *process) lead() {
	l := &leaderTerm{p: p, term: p.term, last: p.server.disk.live.lastLogged()}
	if p.server.java {
		l.core = newJavaLeader(p)
	} else {
		l.core = p.newLeader()
	}
	p.leader = l
	l.core.Start()
	l.run()
	l.ticks()
}

func (p *process) newLeader() *zab.Leader {
	w, m := p.world, &p.server.disk.live
	return zab.NewLeader(zab.LeaderOptions{
		Me: p.server.sid, Quorums: w.quorums, AcceptedEpoch: m.acceptedEpoch, CurrentEpoch: m.currentEpoch,
		History: history{m}, InitLimit: w.initLimit, SyncLimit: w.syncLimit, DiffBytesMax: w.diffBytesMax,
		AdmitUnknown: true,
	})
}

func (l *leaderTerm) over() bool { return l.p.dead || l.p.term != l.term }

func (l *leaderTerm) ticks() {
	l.p.world.after(l.p.world.tick/2, l.p, func() {
		if !l.over() {
			l.core.Tick()
			l.run()
			l.ticks()
		}
	})
}

// accept takes a learner's connection.
func (l *leaderTerm) accept(c *conn) *leaderLink {
	l.made++
	link := &leaderLink{l: l, id: l.made, conn: c, window: 4 + l.p.world.pick(60)}
	c.ends[leaderEnd].gone = func() { l.gone(link) }
	c.ends[leaderEnd].room = link.kick
	c.ends[leaderEnd].received = func(q *packet) { l.received(link, q) }
	l.links = append(l.links, link)
	l.core.Connected(link.id)
	l.run()
	return link
}

func (l *leaderTerm) find(id zab.Link) *leaderLink {
	for _, link := range l.links {
		if link.id == id {
			return link
		}
	}
	return nil
}

func (l *leaderTerm) gone(link *leaderLink) {
	if l.over() {
		return
	}
	l.remove(link)
	l.core.Gone(link.id)
	l.run()
}

func (l *leaderTerm) remove(link *leaderLink) {
	for i, other := range l.links {
		if other == link {
			l.links = append(l.links[:i], l.links[i+1:]...)
			return
		}
	}
}

func (l *leaderTerm) received(link *leaderLink, q *packet) {
	if l.over() {
		return
	}
	lent := bytes.Clone(q.Data)
	q.Data = lent
	l.core.Received(link.id, &q.QuorumPacket)
	if l.run(); !l.running {
		spoil(lent)
	}
}

// run does what the core asks for, in order, until it asks for nothing more.
func (l *leaderTerm) run() {
	if l.running {
		return
	}
	l.running = true
	defer func() { l.running = false }()
	for !l.over() {
		actions := l.core.Actions()
		if len(actions) == 0 {
			return
		}
		for i := range actions {
			if l.over() {
				return
			}
			if w := l.p.world; w.tracing() && traced(&actions[i]) {
				w.trace(l.p.server, "leader: %s", actions[i].String())
			}
			l.do(&actions[i])
		}
	}
}

func (l *leaderTerm) do(a *zab.Action) {
	p := l.p
	switch a.Kind {
	case zab.SaveAcceptedEpoch:
		l.epoch = a.Epoch
		p.world.check.promises(p.server, a.Epoch)
		l.save(pointAcceptedEpoch, a.Epoch, func(m *image, epoch int64) { m.acceptedEpoch = epoch })
	case zab.SaveCurrentEpoch:
		l.save(pointCurrentEpoch, a.Epoch, func(m *image, epoch int64) { m.currentEpoch = epoch })
	case zab.Send:
		if link := l.find(a.Link); link != nil && l.p.server.java {
			link.queue = append(link.queue, a.Packet)
			link.kick()
		} else if link != nil {
			if err := link.outbox.Queue(a.Packet, a.Barrier); err != nil {
				link.fail(err)
				return
			}
			link.kick()
		}
	case zab.StartSync:
		p.world.stats.Syncs[a.Sync.Mode]++
		if link := l.find(a.Link); link != nil {
			link.outbox.Start(a.Sync, a.Epoch)
			link.marks = l.core.Marks()
			link.syncing, link.snap = true, a.Sync.Mode == zab.Snap
			link.kick()
		}
	case zab.Commit:
		if p.serving {
			p.world.check.commitUpTo(p.server, a.Zxid)
		}
		l.advance(zab.Marks{Committed: a.Zxid})
	case zab.Apply:
		z := a.Zxid
		p.machine(func() { p.applyUpTo(z) })
	case zab.Established:
		p.world.check.establish(p.server, uint32(a.Epoch))
		if p.server.java {
			p.led = jute.NewZxid(uint32(a.Epoch), 0)
		}
		p.node.SetPeerEpoch(a.Epoch)
		p.elect()
		p.machine(l.serve)
	case zab.Synced:
		request := a.Tag.(int32)
		p.machine(func() { p.world.check.synced(p.server, request) })
	case zab.Deliver:
		l.deliver(a)
	case zab.Close:
		if link := l.find(a.Link); link != nil {
			l.remove(link)
			link.end(false)
		}
	case zab.GiveUp:
		if epoch := a.Epoch; epoch > p.server.disk.live.acceptedEpoch {
			// Rule: that is durable before this server looks for a leader.
			p.put(write{
				kind: pointAcceptedEpoch, do: func(m *image) { m.acceptedEpoch = epoch },
				mark: func() { p.world.check.gaveWay(p.server, epoch) },
			})
		}
		if !p.dead {
			p.look()
		}
	}
}

// looks tells the core that a voter looks for a leader; Java's wants to know nothing of it.
func (l *leaderTerm) looks(sid jute.ServerID, v election.Vote) {
	if core, ok := l.core.(*zab.Leader); ok {
		core.Looks(sid, v.Zxid, v.PeerEpoch)
		l.run()
	}
}

// save makes an epoch durable and tells the core.
func (l *leaderTerm) save(at point, epoch int64, set func(*image, int64)) {
	saved := func() {
		if !l.over() {
			l.core.Saved()
			l.run()
		}
	}
	if at == pointAcceptedEpoch && l.p.mutated(MutantPromiseForgotten) {
		l.p.world.after(0, l.p, saved)
		return
	}
	l.p.put(write{kind: at, do: func(m *image) { set(m, epoch) }, done: saved})
}

// serve begins the pipeline: everything of the history is applied.
func (l *leaderTerm) serve() {
	l.p.serving = true
	l.p.world.check.serves(l.p.server, l.epoch)
	l.core.Started()
	l.run()
}

// advance tells every outbox how far it may go.
func (l *leaderTerm) advance(m zab.Marks) {
	for _, link := range l.links {
		link.marks.Proposed, link.marks.Committed = max(link.marks.Proposed, m.Proposed), max(link.marks.Committed, m.Committed)
		link.kick()
	}
}

// deliver is what a learner has for the server.
func (l *leaderTerm) deliver(a *zab.Action) {
	if a.Packet.Type != jute.PacketRequest {
		return
	}
	var r jute.ForwardedRequest
	d := jute.NewDecoder(a.Packet.Data, 0)
	r.Decode(&d)
	if d.Err() != nil {
		panic(d.Err())
	}
	if r.Type == jute.OpSync {
		l.p.world.check.syncs[r.Cxid] = l.last
		l.core.Sync(a.Link, nil)
		return
	}
	l.propose(r.SessionID, r.Cxid)
}

// propose is the pipeline: a request becomes a transaction of this epoch. Rule: the log has it before the
// core and the outboxes know of it.
func (l *leaderTerm) propose(session jute.SessionID, cxid int32) {
	p, w := l.p, l.p.world
	z := jute.NewZxid(uint32(l.epoch), 1)
	if int64(l.last.Epoch()) == l.epoch {
		z = l.last + 1
	}
	if z.Counter() > w.counterMax {
		l.core.Exhausted()
		l.run()
		return
	}
	h := jute.TxnHeader{ClientID: session, Cxid: cxid, Zxid: z, Time: w.now.Milliseconds(), Type: jute.OpSetData}
	e := entry{z, h.Append(make([]byte, 0, jute.TxnHeaderBytes))}
	w.check.proposed(p.server, e, l.last)
	l.last = z
	if p.append(e, func() { l.logged(z) }); p.dead {
		return
	}
	l.core.Proposed(z)
	l.advance(zab.Marks{Proposed: z})
	if p.mutated(MutantAckEarly) {
		l.core.Logged(z)
	}
	if p.mutated(MutantCommitAlone) {
		w.check.commitUpTo(p.server, z)
	}
	l.run()
}

func (l *leaderTerm) logged(z jute.Zxid) {
	if !l.over() {
		l.core.Logged(z)
		l.run()
	}
}

// kick lets the writer look what there is to send.
func (k *leaderLink) kick() {
	if k.planned {
		return
	}
	k.planned = true
	w := k.l.p.world
	w.after(w.between(0, 20*time.Microsecond), k.l.p, func() {
		k.planned = false
		k.write()
	})
}

// write sends what the outbox gives, until the socket is full or there is nothing.
func (k *leaderLink) write() {
	l, w := k.l, k.l.p.world
	if l.p.server.java {
		k.writeJava()
		return
	}
	if w.chance(0.1) {
		k.kick() // it has looked at the marks before this step
	} else {
		k.outbox.Advance(k.marks)
	}
	for !l.over() && k.conn.ends[leaderEnd].open && k.conn.unread(leaderEnd) < k.window {
		if len(k.stream) > 0 {
			k.send(k.stream[0])
			k.stream = k.stream[1:]
			l.core.Progress(k.id)
			continue
		}
		q, what, err := k.outbox.Next(k)
		switch {
		case err != nil:
			k.fail(err)
			return
		case what == zab.Nothing:
			return
		case what == zab.APacket:
			k.send(packet{QuorumPacket: q})
		case what == zab.ASnapshot:
			k.snap = false
			k.outbox.SnapshotSent(k.beginSnapshot(w))
		}
	}
}

// beginSnapshot sends SNAP and prepares the stream behind it. Rule: the tree is taken when the stream begins, exactly as
// applied.
func (k *leaderLink) beginSnapshot(w *world) jute.Zxid {
	t := k.l.p.server.disk.live.state
	k.send(packet{QuorumPacket: jute.QuorumPacket{Type: jute.PacketSnap, Zxid: max(t.applied, k.l.p.led)}})
	k.stream = make([]packet, 1+w.pick(10))
	for i := range k.stream {
		k.stream[i].piece = true
	}
	end := &k.stream[len(k.stream)-1]
	end.end, end.tree = true, t
	return t.applied
}

func (k *leaderLink) send(q packet) {
	if w := k.l.p.world; w.tracing() {
		w.trace(k.l.p.server, "link %d sends %s", k.id, describe(&q))
	}
	k.conn.send(leaderEnd, q)
}

func (k *leaderLink) fail(err error) {
	if w := k.l.p.world; w.tracing() {
		w.trace(k.l.p.server, "link %d: %v", k.id, err)
	}
	k.end(false)
	k.l.gone(k)
}

func (k *leaderLink) end(silently bool) {
	if silently {
		k.conn.vanish(leaderEnd)
	} else {
		k.conn.close(leaderEnd)
	}
}

// After gives the outbox what is in the log, or only proposed: a learner may have it before this server's
// disk does.
func (k *leaderLink) After(z jute.Zxid) (zab.Entry, bool, error) {
	m := &k.l.p.server.disk.live
	if z < m.completeFrom {
		k.l.p.world.check.fail("%v has purged what link %d still reads: %v, the log begins after %v", k.l.p.server, k.id, z, m.completeFrom)
	}
	i := m.after(z)
	if k.l.p.mutated(MutantHoleInDiff) && i+1 < len(m.log) && m.log[i+1].zxid.Counter() == 1 {
		i++
	}
	if i == len(m.log) {
		return zab.Entry{}, false, nil
	}
	return zab.Entry{Zxid: m.log[i].zxid, Data: m.log[i].bytes}, true, nil
}

// reads is the zxid after which the link still needs the log.
func (k *leaderLink) reads() jute.Zxid {
	if !k.syncing || k.snap {
		return 1<<63 - 1
	}
	return k.outbox.Sent().Proposed
}

// history is the leader's log as the core sees it.
type history struct{ *image }

func (h history) LastLogged() jute.Zxid               { return h.lastLogged() }
func (h history) CompleteFrom() jute.Zxid             { return h.completeFrom }
func (h history) Floor(z jute.Zxid) (jute.Zxid, bool) { return h.floor(z) }
func (h history) BytesAfter(z jute.Zxid) int64 {
	return int64(len(h.log)-h.after(z)) * jute.TxnHeaderBytes
}

// traced leaves out what every write asks for.
func traced(a *zab.Action) bool { return a.Kind != zab.Send || a.Packet.Type != jute.PacketPing }

func describe(q *packet) string {
	switch {
	case q.end:
		return "the end of the snapshot"
	case q.piece:
		return "a piece of the snapshot"
	}
	return zab.Describe(&q.QuorumPacket)
}
