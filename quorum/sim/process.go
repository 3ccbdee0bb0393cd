package sim

import (
	"fmt"
	"slices"
	"time"

	"zk/jute"
	"zk/quorum/election"
)

// process is one life of a server: from a start to a crash. It is the model of package quorum's peer loop:
// LOOKING, then a term as leader or learner, then LOOKING again.
type process struct {
	world        *world
	server       *server
	host         int
	dead         bool
	stoppedUntil time.Duration

	node  *election.Node
	timer time.Duration // when the election core is ticked; 0 not

	machineAt time.Duration // when the state machine's goroutine has done what it was given
	lagMax    time.Duration

	term         int // grows with each; what belongs to an older one is void
	leader       *leaderTerm
	learner      *learnerTerm
	led          jute.Zxid // of Java: epoch<<32 of the last epoch that it has led, while it counts
	forgot       bool      // MutantWipeUnmarked: lost memory that the disk doesn't know of
	wantSnapshot bool      // zab.LearnerOptions.WantSnapshot, for the next term
	serving      bool
	aside        bool // it has no room, and stays out
	clients      []*connection
}

// start begins a life.
func (s *server) start() {
	if s.proc != nil {
		return
	}
	w := s.w
	p := &process{world: w, server: s, host: s.host, lagMax: w.between(0, 2*time.Millisecond)}
	s.proc = p
	s.disk.open()
	if s.java {
		p.replay()
	}
	if w.tracing() {
		m := &s.disk.live
		w.trace(s, "starts: log %v..%v, applied %v, epochs %d/%d, lost %v", m.completeFrom, m.lastLogged(), m.state.applied, m.acceptedEpoch, m.currentEpoch, m.lost)
	}
	if w.mutant == MutantTailApplied {
		p.applyUpTo(s.disk.live.lastLogged())
	}
	p.node = election.New(election.Options{Me: s.sid, Observer: s.observer, Quorums: w.quorums, Empty: p.empty()})
	p.look()
}

// crashKind says what a crash leaves to others of the process.
type crashKind int

const (
	crashKill  crashKind = iota // the kernel closes its connections
	crashPower                  // its peers may hear nothing
	crashFault                  // the process ends itself
)

// crash ends a life. The disk keeps what is durable and a prefix of what was written; a new life begins
// later.
func (p *process) crash(kind crashKind, why string) {
	w, s := p.world, p.server
	if p.dead {
		return
	}
	if w.tracing() {
		w.trace(s, "crashes: %s", why)
	}
	w.stats.Crashes++
	p.dead = true
	s.proc = nil
	p.drop(kind == crashPower && w.chance(0.5))
	for _, pair := range w.net.pairs {
		for end, host := range pair.ends {
			if host == s.host {
				pair.boxes[end].pending, pair.boxes[end].last = nil, nil
				pair.down()
			}
		}
	}
	w.clients.leave(p)
	s.disk.lose(w)
	rest := w.between(0, 2*w.tick)
	if w.chance(0.2) {
		rest *= 10
	}
	if w.faults.over {
		rest = 0
	}
	w.after(rest, nil, s.start)
}

// drop ends the connections of the term that is under way, if one is.
func (p *process) drop(silently bool) {
	if l := p.leader; l != nil {
		for _, link := range l.links {
			link.end(silently)
		}
		p.leader = nil
	}
	if l := p.learner; l != nil {
		l.end(silently)
		p.learner = nil
	}
}

// look ends the term, if one is under way, and begins an election. Rule: nothing of a term is left when the
// next begins; its appends are durable or will be, in order, as the log is one.
func (p *process) look() {
	p.term++
	p.serving = false
	p.drop(false)
	p.world.clients.leave(p)
	if p.mutated(MutantLogOutlivesTerm) {
		p.leaveAppends()
	}
	// What was appended becomes durable first: a vote tells what is durable.
	p.drained(p.lookNow)
}

func (p *process) lookNow() {
	if p.aside && !p.mutated(MutantRoomVotes) {
		return
	}
	m := &p.server.disk.live
	zxid, epoch := m.lastLogged(), m.currentEpoch
	switch {
	case p.server.java:
		p.replay()
		zxid = p.lastProcessed()
	case (m.lost || p.forgot) && !p.mutated(MutantWipedVotes):
		zxid = -1
	case p.mutated(MutantVoteApplied):
		p.forgetTail()
		zxid = m.state.applied
	}
	if p.world.wild && !p.world.faults.over && !m.lost {
		p.guess()
		return
	}
	p.node.SetEmpty(p.empty())
	p.node.Look(p.world.now, zxid, epoch)
	p.elect()
}

// leaveForRoom takes a server's room for a while (quorum.RoomNone): its term ends, and it is as if it were down. Rule:
// its vote is withdrawn before, else those who look for a leader follow the one that goes once more.
func (p *process) leaveForRoom(lasting time.Duration) bool {
	if p.aside || p.server.java {
		return false
	}
	if p.world.tracing() {
		p.world.trace(p.server, "has no room")
	}
	p.aside = true
	if !p.mutated(MutantRoomAnswers) {
		p.node.Withdraw()
	}
	if p.leader == nil || !p.mutated(MutantRoomLeads) {
		p.look()
	}
	p.world.after(lasting, p, p.comeBack)
	return true
}

// comeBack has a server that has room again look for its ensemble.
func (p *process) comeBack() {
	if !p.aside {
		return
	}
	if p.world.tracing() {
		p.world.trace(p.server, "has room again")
	}
	p.aside = false
	p.look()
}

// forgetTail is a bug: what is logged and not applied is taken for nothing, in votes and all that follows.
func (p *process) forgetTail() {
	s, z := p.server, p.server.disk.live.state.applied
	tail := slices.Clone(s.disk.live.log[s.disk.live.after(z):])
	p.put(write{
		kind: pointTruncate,
		do:   func(m *image) { m.log = m.log[:m.after(z)] },
		mark: func() { p.world.check.dropped(s, tail) },
	})
}

// empty says if this server may be new or wiped.
func (p *process) empty() bool {
	m := &p.server.disk.live
	if p.server.java {
		return false
	}
	return m.empty() || p.mutated(MutantPromiseUncounted) && !m.lost && m.lastLogged() == 0 && m.currentEpoch == 0
}

// guess is an election that knows nothing: whatever it comes to, Zab has to be safe.
func (p *process) guess() {
	w, term := p.world, p.term
	w.after(w.between(0, w.tick), p, func() {
		if p.term != term {
			return
		}
		var voters []*server
		for _, s := range w.servers {
			if s.voter && (s.proc == nil || s.proc.leader == nil || w.chance(0.3)) || s.proc != nil && s.proc.leader != nil {
				voters = append(voters, s)
			}
		}
		leader := voters[w.pick(len(voters))]
		for _, s := range voters {
			if s.proc != nil && s.proc.leader != nil && w.chance(0.7) {
				leader = s
			}
		}
		p.decided(leader.sid)
	})
}

// decided begins a term.
func (p *process) decided(leader jute.ServerID) {
	p.term++
	p.drained(func() {
		if leader == p.server.sid {
			p.lead()
		} else {
			p.learn(leader)
		}
	})
}

// wiped is what the election tells a server that has nothing, in an ensemble that has a history: nobody knows what
// it once had. Rule: that is durable before it does anything else.
func (p *process) wiped() {
	if !p.empty() {
		return // it has promised an epoch since its election began: the history is that of its own ensemble
	}
	if p.mutated(MutantWipeUnmarked) {
		p.forgot = true
	} else {
		p.put(write{kind: pointForget, do: func(m *image) { m.lost = true }})
	}
	if !p.dead && (p.leader != nil || p.learner != nil) {
		p.look()
	}
}

// elect does what the election core asks for.
func (p *process) elect() {
	w := p.world
	for _, a := range p.node.Actions() {
		switch a := a.(type) {
		case election.Decided:
			if w.tracing() {
				w.trace(p.server, "election: %v, %v", a.State, a.Vote)
			}
			p.decided(a.Vote.Leader)
		case election.LostMemory:
			if w.tracing() {
				w.trace(p.server, "election: memory lost: %v votes for %v", a.From, a.Vote)
			}
			p.wiped()
		case election.Looks:
			if p.leader != nil && !p.mutated(MutantLookingUntold) {
				p.leader.looks(a.From, a.Vote)
			}
		case election.Send:
			w.check.takesPart(p.server, "answers in an election")
			if v := a.Notification.Vote; v.Leader == p.server.sid {
				w.check.votes(p.server, v.Zxid)
			}
			message := a.Notification.Append(nil)
			if w.tracing() {
				w.trace(p.server, "notifies %v: %v, %v", a.To, a.Notification.State, a.Notification.Vote)
			}
			w.notify(p.host, int(a.To)-1, func(to *process) { to.notified(p.server.sid, message) })
		}
	}
	if p.dead {
		return
	}
	at, ok := p.node.Deadline()
	if !ok || p.timer != 0 && p.timer <= at {
		return
	}
	p.timer = at
	w.at(at, p, func() {
		if p.timer == at {
			p.timer = 0
			p.node.Tick(w.now)
			p.elect()
		}
	})
}

// notified takes an election message.
func (p *process) notified(from jute.ServerID, message []byte) {
	var n election.Notification
	if err := n.Decode(message); err != nil {
		panic(err)
	}
	p.node.Receive(p.world.now, from, &n)
	p.elect()
}

// reachable says if the election connection to a peer is there.
func (p *process) reachable(peer *server, yes bool) {
	if !p.dead {
		p.node.SetReachable(peer.sid, yes)
	}
}

// drained calls back when all that was written is durable.
func (p *process) drained(then func()) {
	d := &p.server.disk
	if len(d.wal) == 0 {
		then()
		return
	}
	last := &d.wal[len(d.wal)-1]
	term, done := p.term, last.done
	last.done = func() {
		if done != nil {
			done()
		}
		if !p.dead && p.term == term {
			then()
		}
	}
}

// leaveAppends is a bug: what the term has queued for the log reaches it later, whatever is there by then.
func (p *process) leaveAppends() {
	d := &p.server.disk
	left := slices.Clone(d.wal[d.syncing:])
	if len(left) == 0 {
		return
	}
	d.wal = d.wal[:d.syncing]
	d.live = d.durable.clone()
	for i := range d.wal {
		d.wal[i].do(&d.live)
	}
	p.world.after(p.world.between(0, 4*p.world.tick), p, func() {
		for _, w := range left {
			w.done = nil
			p.put(w)
		}
	})
}

// machine runs something on the state machine's goroutine: in order, a little later, and not when the term
// is over by then.
func (p *process) machine(run func()) {
	term := p.term
	p.machineAt = max(p.machineAt, p.world.now+p.world.between(0, p.lagMax))
	p.world.at(p.machineAt, p, func() {
		if p.term == term {
			run()
		}
	})
}

// request takes a write of a client.
func (p *process) request(session jute.SessionID, cxid int32) {
	switch {
	case p.leader != nil:
		p.leader.propose(session, cxid)
	case p.learner != nil:
		p.learner.forward(jute.ForwardedRequest{SessionID: session, Cxid: cxid, Type: jute.OpSetData})
	}
}

// askSync takes a sync of a client.
func (p *process) askSync(request int32) {
	switch {
	case p.leader != nil:
		p.world.check.syncs[request] = p.leader.last
		p.leader.core.Sync(0, request)
		p.leader.run()
	case p.learner != nil:
		p.learner.syncs = append(p.learner.syncs, request)
		p.learner.forward(jute.ForwardedRequest{Cxid: request, Type: jute.OpSync})
	}
}

// standing tells what a process does, for the report of a run that gets nowhere.
func (p *process) standing() string {
	switch {
	case p.leader != nil:
		return fmt.Sprintf("leading epoch %d, serving %v, links %d", p.leader.epoch, p.serving, len(p.leader.links))
	case p.learner != nil:
		return fmt.Sprintf("learner of %v, serving %v", p.learner.leader, p.serving)
	}
	return "looking"
}

// applyUpTo is the state machine: it takes what is committed, in order.
func (p *process) applyUpTo(z jute.Zxid) {
	d := &p.server.disk
	m := &d.live
	for i := m.after(m.state.applied); i < len(m.log) && m.log[i].zxid <= z; i++ {
		e := m.log[i]
		m.state = m.state.apply(e)
		p.world.check.apply(p.server, e, m.state)
		p.world.clients.reply(p, headerOf(e.bytes))
	}
	if p.world.chance(0.05) {
		p.flush()
	}
}

// purge drops a part of the log that the state on disk and the links no longer need (I6).
func (p *process) purge() bool {
	d := &p.server.disk
	limit := d.durable.state.applied
	if l := p.leader; l != nil {
		for _, link := range l.links {
			limit = min(limit, link.reads())
		}
	}
	n := d.live.after(limit)
	if n == 0 {
		return false
	}
	cut := d.live.log[p.world.pick(n)].zxid
	for _, m := range []*image{&d.live, &d.durable} {
		if i := m.after(cut); i > 0 {
			m.log, m.completeFrom = append([]entry(nil), m.log[i:]...), cut
		}
	}
	return true
}
