package quorum

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"zk/jute"
	"zk/quorum/election"
	"zk/quorum/zab"
)

// leaderTerm is one stay as leader: the core, stepped under mu by whoever has an event, and what its
// actions need. Nothing is done under mu that waits for a disk or a socket, but the questions of the core
// to the log when a learner is synced.
type leaderTerm struct {
	p     *Peer
	tail  *tail
	apply *applier
	began time.Time
	ctx   context.Context
	stop  context.CancelCauseFunc // ends the term
	work  sync.WaitGroup
	new   unidentified

	// started is closed when the server serves: proposals may come.
	started chan struct{}
	// main is what run has to do: saves and the start of the server. The core waits for one of them at a
	// time.
	main chan zab.Action

	mu    sync.Mutex
	core  *zab.Leader
	links map[zab.Link]*leaderLink
	list  []*leaderLink // the same links
	ages  ages          // of the term's proposals
	// The servers that want to write, of a leader without room, and since when.
	asked      map[jute.ServerID]bool
	askedFirst time.Time

	// The core's marks, written under mu, read by the links' writers.
	proposed, committed atomic.Int64
	logged              atomic.Int64 // what durable was told
	epoch               atomic.Int64
	since               atomic.Int64 // when it was established, Unix milliseconds; 0 before
	snaps, diffs        atomic.Int64 // syncs under way
	bursts              bursts
}

// termEnd is the core's reason to end a term, and the epoch that this server promises itself to then; 0 for none.
type termEnd struct {
	reason  string
	promise int64
}

func (e *termEnd) Error() string { return e.reason }

func newLeaderTerm(ctx context.Context, p *Peer) *leaderTerm {
	o, log := p.o, p.d.Log
	t := &leaderTerm{
		p: p, began: time.Now(), tail: newTail(log.LastLogged(), o.TailBytesMax), started: make(chan struct{}), main: make(chan zab.Action, 4),
		apply: newApplier(p.d.StateMachine, log, o.PendingBytesMax, true), links: make(map[zab.Link]*leaderLink),
	}
	t.ctx, t.stop = context.WithCancelCause(ctx)
	t.core = zab.NewLeader(zab.LeaderOptions{
		Me: o.Me, Quorums: o.quorums(), AcceptedEpoch: log.AcceptedEpoch(), CurrentEpoch: log.CurrentEpoch(),
		History: log, InitLimit: o.InitLimit, SyncLimit: o.SyncLimit, DiffBytesMax: o.DiffBytesMax(), AdmitUnknown: o.AdmitUnknown,
		ForceSnapshot: o.ForceSnapshot, SnapSyncsMax: o.SnapSyncsMax, DiffSyncsMax: o.DiffSyncsMax,
	})
	t.proposed.Store(int64(t.core.Marks().Proposed))
	return t
}

// run leads until the term ends, and returns why. When it returns all goroutines of the term are gone.
func (t *leaderTerm) run() error {
	defer t.stop(nil)
	t.mu.Lock()
	t.core.Start() // before a learner can come
	t.act(nil)
	t.mu.Unlock()
	var listeners []net.Listener
	for _, addr := range t.p.o.listenAddresses(t.p.o.quorumAddresses(t.p.o.Me)) {
		l, err := t.p.d.Listen(t.ctx, addr)
		if err != nil {
			t.stop(&PortError{Addr: addr, Err: err})
			break
		}
		listeners = append(listeners, l)
		t.work.Go(func() { accept(l, &t.new, &t.work, t.p.d.Logger, t.serve) }) // ends with the listener
	}
	t.work.Go(func() { // ends with the term, or because the log can't be read
		if err := t.apply.run(); err != nil {
			t.stop(err)
		}
	})
	if t.ctx.Err() == nil {
		t.lead()
	}
	for _, l := range listeners {
		_ = l.Close()
	}
	t.apply.end()
	t.new.close()
	t.closeLinks()
	// Requests of learners may wait in the state machine: it has to end before their goroutines do.
	t.p.d.StateMachine.End()
	t.work.Wait()
	return context.Cause(t.ctx)
}

// lead drives the core's clock and does what it needs done on disk.
func (t *leaderTerm) lead() {
	tick := time.NewTicker(t.p.o.TickTime / 2)
	defer tick.Stop()
	for {
		select {
		case <-t.ctx.Done():
			return
		case <-tick.C:
			t.mu.Lock()
			t.progress()
			t.core.Tick()
			t.act(nil)
			t.mu.Unlock()
		case a := <-t.main:
			if err := t.do(&a); err != nil {
				t.stop(t.p.fatal(err))
				return
			}
		}
	}
}

// do is what the core waits for.
func (t *leaderTerm) do(a *zab.Action) error {
	var err error
	switch a.Kind {
	case zab.SaveAcceptedEpoch:
		err = t.p.d.Log.SetAcceptedEpoch(a.Epoch)
	case zab.SaveCurrentEpoch:
		err = t.p.d.Log.SetCurrentEpoch(a.Epoch)
		t.epoch.Store(a.Epoch)
	}
	if err != nil {
		return fmt.Errorf("quorum: %v %d: %w", a.Kind, a.Epoch, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.core.Saved()
	t.act(nil)
	return nil
}

// serveClients is the applier's task when the term is established and its history applied.
func (t *leaderTerm) serveClients(epoch int64) error {
	t.p.log.Info("leading", "epoch", epoch)
	if err := t.p.d.StateMachine.Lead(t); err != nil {
		return fmt.Errorf("quorum: begin to serve as leader: %w", err)
	}
	t.since.Store(time.Now().UnixMilli())
	t.p.available(Leading)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.core.Started()
	t.act(nil)
	close(t.started)
	return nil
}

// act does what a step of the core asks for; mu is held. Packets for the server are appended to deliver,
// which the caller sees to without the lock; only a link's reader gets any.
func (t *leaderTerm) act(deliver []zab.Action) []zab.Action {
	actions := t.core.Actions()
	for i := range actions {
		a := &actions[i]
		switch a.Kind {
		case zab.Send:
			if l := t.links[a.Link]; l != nil {
				l.queue(&a.Packet, a.Barrier)
			}
		case zab.Commit:
			// The marks are published below.
		case zab.Apply:
			t.apply.mark(a.Zxid)
		case zab.Deliver:
			deliver = append(deliver, *a)
		case zab.Synced:
			tag := a.Tag // the action's place is used again
			t.apply.after(0, func() error { t.p.d.StateMachine.Synced(tag); return nil })
		case zab.StartSync:
			t.startSync(a)
		case zab.Close:
			t.p.log.Warn("learner refused", "sid", a.SID, "reason", a.Reason)
			t.hangUp(a.Link)
		case zab.Refused:
			t.p.log.Warn("voter can't follow: it has promised itself to a later epoch", "sid", a.SID, "accepted_epoch", a.Epoch, "reason", a.Reason)
		case zab.GiveUp:
			t.stop(&termEnd{a.Reason, a.Epoch})
		case zab.Established:
			epoch := a.Epoch
			t.p.election.setPeerEpoch(epoch)
			t.apply.after(a.Zxid, func() error { return t.serveClients(epoch) })
		case zab.SaveAcceptedEpoch, zab.SaveCurrentEpoch:
			t.main <- *a // has room: the core waits for the answer
		default:
			panic("quorum: a leader's core asked for " + a.Kind.String())
		}
	}
	t.publish()
	return deliver
}

// publish tells the links' writers of the core's marks.
func (t *leaderTerm) publish() {
	m := t.core.Marks()
	committed := int64(m.Committed) != t.committed.Load()
	if committed {
		before, first := jute.Zxid(t.committed.Load()), jute.NewZxid(uint32(t.Epoch()), 0)
		if t.p.d.Hooks.Committed != nil && m.Committed > first {
			t.p.d.Hooks.Committed(int(m.Committed - max(before, first)))
		}
		t.ages.tell(t.p.d.Hooks.Ages.QuorumAcked, before, m.Committed)
		t.committed.Store(int64(m.Committed))
	}
	if int64(m.Proposed) != t.proposed.Load() {
		t.proposed.Store(int64(m.Proposed))
	} else if !committed {
		return
	}
	for _, l := range t.list {
		l.wakeUp()
	}
}

// progress tells the core which transfers move on; mu is held.
func (t *leaderTerm) progress() {
	for id, l := range t.links {
		if l.moved.Swap(false) {
			t.core.Progress(id)
		}
	}
}

// wavers is told that a server which has voted for this leader looks for one again.
func (t *leaderTerm) wavers(sid jute.ServerID) {
	limit := t.p.o.WaitForEpochMax
	if limit <= 0 || time.Since(t.began) <= limit {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.core.Disloyal(sid) && t.p.d.Hooks.Disloyal != nil {
		t.p.d.Hooks.Disloyal()
	}
	t.act(nil)
}

// looks is told that a voter looks for a leader.
func (t *leaderTerm) looks(sid jute.ServerID, v election.Vote) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.core.Looks(sid, v.Zxid, v.PeerEpoch)
	t.act(nil)
}

func (t *leaderTerm) end(reason error) { t.stop(reason) }

// durable is told of the log.
func (t *leaderTerm) durable(z jute.Zxid) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.core.Logged(z)
	t.act(nil)
	before := jute.Zxid(t.logged.Swap(int64(z)))
	t.bursts.logged(before, z)
	t.ages.tell(t.p.d.Hooks.Ages.Logged, before, z)
	t.acked(t.p.o.Me, before, z)
	for _, l := range t.list {
		if l.stalled.Load() {
			l.wakeUp() // a proposal too large for the tail is sent from the log
		}
	}
}

// acked takes a sample of the acknowledgements of a server, which are those in (after, upTo]; mu is held. (Java:
// Leader.processAck)
func (t *leaderTerm) acked(sid jute.ServerID, after, upTo jute.Zxid) {
	hook, every := t.p.d.Hooks.Ages.Acked, jute.Zxid(t.p.o.AckSample)
	if hook == nil || every <= 0 {
		return
	}
	if z := upTo - upTo%every; z > after {
		t.ages.tell(func(millis int64, _ int) { hook(sid, millis) }, z-1, z)
	}
}

// Role implements Term.
func (t *leaderTerm) Role() Role { return Leading }

// Epoch implements Term.
func (t *leaderTerm) Epoch() int64 { return t.epoch.Load() }

// Leader implements Term.
func (t *leaderTerm) Leader() jute.ServerID { return t.p.o.Me }

// Admit implements Term.
func (t *leaderTerm) Admit() error { return t.apply.admit() }

// Propose implements Term.
func (t *leaderTerm) Propose(e Entry) error {
	select {
	case <-t.started:
	case <-t.ctx.Done():
		return ErrTermOver
	}
	t.mu.Lock()
	if t.ctx.Err() != nil {
		t.mu.Unlock()
		return ErrTermOver
	}
	t.apply.add(e)
	t.tail.append(e.Zxid, e.Bytes)
	t.ages.add(e.Zxid, proposedAt(e.Bytes))
	t.core.Proposed(e.Zxid)
	t.act(nil)
	t.mu.Unlock()
	if t.p.d.Hooks.Proposed != nil {
		t.p.d.Hooks.Proposed(len(e.Bytes))
	}
	if err := t.p.d.Log.Append(e.Zxid, e.Bytes); err != nil {
		return t.p.fatal(fmt.Errorf("quorum: append %v: %w", e.Zxid, err))
	}
	return nil
}

// Exhausted implements Term.
func (t *leaderTerm) Exhausted() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.core.Exhausted()
	t.act(nil)
}

// Sync implements Term.
func (t *leaderTerm) Sync(_ *jute.ForwardedRequest, _ []jute.ID, tag any) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx.Err() != nil {
		return ErrTermOver
	}
	t.core.Sync(0, tag)
	t.act(nil)
	return nil
}

var errNotLearner = errors.New("quorum: a leader has nobody to forward to")

// Forward implements Term.
func (t *leaderTerm) Forward(*jute.ForwardedRequest, []jute.ID) error { return errNotLearner }

// Revalidate implements Term.
func (t *leaderTerm) Revalidate(jute.SessionTimeout) error { return errNotLearner }
