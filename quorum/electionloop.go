package quorum

import (
	"context"
	"sync/atomic"
	"time"

	"zk/jute"
	"zk/quorum/election"
)

// electionQueueMax is how many notifications may wait. Beyond that the connections' readers do.
const electionQueueMax = 64

// electionLoop is the one goroutine that steps the election's Node, for as long as the peer lives: also
// while this server leads or follows it answers those who look for a leader.
type electionLoop struct {
	p     *Peer
	ctx   context.Context // the peer's
	node  *election.Node
	links *electionLinks
	start time.Time

	received chan received
	commands chan func() // to run on the goroutine
	decided  chan election.Decided
	epoch    atomic.Int64 // for the vote, once newEpoch is told
	newEpoch chan struct{}
}

type received struct {
	from jute.ServerID
	*election.Notification
}

func newElectionLoop(ctx context.Context, p *Peer) *electionLoop {
	o := p.o
	e := &electionLoop{
		p: p, ctx: ctx, start: time.Now(), received: make(chan received, electionQueueMax), commands: make(chan func(), electionQueueMax),
		decided: make(chan election.Decided, 1), newEpoch: make(chan struct{}, 1),
		node: election.New(election.Options{
			Me: o.Me, Observer: o.observer(), Quorums: o.quorums(), Empty: o.Empty, FinalizeWait: o.FinalizeWait,
			MinInterval: o.NotificationIntervalMin, MaxInterval: o.NotificationIntervalMax,
		}),
	}
	e.links = newElectionLinks(ctx, &p.work, o, p.d, func(from jute.ServerID, n *election.Notification) {
		select {
		case e.received <- received{from, n}:
		case <-ctx.Done():
		}
	}, func(sid jute.ServerID, reachable bool) {
		e.do(func() { e.node.SetReachable(sid, reachable) })
	})
	return e
}

// do runs f on the goroutine, later.
func (e *electionLoop) do(f func()) {
	select {
	case e.commands <- f:
	case <-e.ctx.Done():
	}
}

// look begins an election in place of the one before; decided gets its outcome. empty is Options.Empty as of now.
func (e *electionLoop) look(zxid jute.Zxid, currentEpoch int64, empty bool) {
	e.anew(func() {
		e.node.SetEmpty(empty)
		e.node.Look(e.now(), zxid, currentEpoch)
	})
}

// withdraw ends the election, or the answering after it: nobody hears of this server until it looks again.
func (e *electionLoop) withdraw() { e.anew(e.node.Withdraw) }

// anew runs f on the goroutine. When it returns, decided has nothing of what was before f.
func (e *electionLoop) anew(f func()) {
	done := make(chan struct{})
	e.do(func() {
		defer close(done)
		select {
		case <-e.decided:
		default:
		}
		f()
	})
	select {
	case <-done:
	case <-e.ctx.Done():
	}
}

func (e *electionLoop) now() time.Duration { return time.Since(e.start) }

// run ends with the peer.
func (e *electionLoop) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if at, ok := e.node.Deadline(); ok {
			timer.Reset(at - e.now())
		} else {
			timer.Stop()
		}
		select {
		case <-e.ctx.Done():
			return
		case f := <-e.commands:
			f()
		case <-e.newEpoch:
			e.node.SetPeerEpoch(e.epoch.Load())
		case n := <-e.received:
			e.p.log.Debug("notification", "sid", n.from, "state", n.State, "vote", n.Vote)
			e.node.Receive(e.now(), n.from, n.Notification)
		case <-timer.C:
			e.node.Tick(e.now())
		}
		e.act()
	}
}

func (e *electionLoop) act() {
	for _, a := range e.node.Actions() {
		switch a := a.(type) {
		case election.Send:
			e.links.send(a.To, a.Notification.Append(nil))
		case election.Decided:
			e.decided <- a // has room: the one before was taken, or thrown away by anew
		case election.LostMemory:
			e.p.foundWiped(a)
		case election.Wavers:
			if t, ok := e.p.current().(*leaderTerm); ok {
				t.wavers(a.From)
			}
		case election.Looks:
			if t, ok := e.p.current().(*leaderTerm); ok {
				t.looks(a.From, a.Vote)
			}
		case election.ConfigDiffers:
			e.p.log.Warn("another server has another configuration", "sid", a.From, "config", a.Theirs, "err", a.Err)
		}
	}
}

// setPeerEpoch gives the vote that this server answers with the epoch of its term. It may be called with a
// lock held: it doesn't wait.
func (e *electionLoop) setPeerEpoch(epoch int64) {
	e.epoch.Store(epoch)
	select {
	case e.newEpoch <- struct{}{}:
	default: // it will look
	}
}
