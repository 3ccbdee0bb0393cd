package quorum

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"zk/jute"
	"zk/quorum/election"
	"zk/quorum/zab"
)

// Peer is this server's part in its ensemble, from Start to Close.
type Peer struct {
	o   *Options
	d   *Deps
	log *slog.Logger

	stop context.CancelFunc
	work sync.WaitGroup

	election *electionLoop
	links    atomic.Uint64 // the last number of a learner link
	ended    sync.Once     // Fatal was told

	// wantSnapshot: the log couldn't be cut as a leader asked, so the next one that is reached is asked for
	// the tree. lostMemory: see Options; until a term is established.
	wantSnapshot, lostMemory atomic.Bool
	// wiped: the election has found that this server's empty log (Options.Empty) is not that of a new ensemble.
	wiped atomic.Bool

	low      atomic.Bool // room is not RoomEnough
	aside    atomic.Bool // this server stays out for that
	replaced time.Time   // when a leader without room went last; of the term, between terms of nobody

	mu      sync.Mutex
	term    term // nil while looking
	looking time.Time
	elected time.Duration // how long the last election took
	// unavailable is since when this server serves nobody, zero while it does.
	unavailable time.Time
	room        Room
	roomChanged chan struct{} // closed when room changes
}

// term is a leaderTerm or a learnerTerm.
type term interface {
	Term
	// run returns why it has ended.
	run() error
	durable(z jute.Zxid)
	status(s *Status)
	// end makes run return with the reason, soon.
	end(reason error)
	// needed reports if this term's ensemble is known to have no quorum without this server.
	needed() bool
}

// New makes a Peer. The log must be open, and everything in it durable.
func New(o Options, d Deps) (*Peer, error) {
	options, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Peer{o: options, d: &d, log: d.Logger, roomChanged: make(chan struct{})}
	p.lostMemory.Store(o.LostMemory)
	return p, nil
}

// Start begins: the election port opens, and an election begins. It ends with Close.
func (p *Peer) Start() {
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	p.election = newElectionLoop(ctx, p)
	p.election.links.start()
	p.work.Go(func() { p.election.run() }) // ends with Close
	p.work.Go(func() { p.run(ctx) })       // likewise
}

// Close ends the term, if there is one, and all connections.
func (p *Peer) Close() {
	p.stop()
	p.work.Wait()
}

// Durable says that everything up to z that was appended to the log is durable. The log's owner calls it, in
// order, also while a call of Log is under way.
func (p *Peer) Durable(z jute.Zxid) {
	if t := p.current(); t != nil {
		t.durable(z)
	}
}

func (p *Peer) current() term {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.term
}

// run is the peer loop: an election, the term that comes of it, again.
func (p *Peer) run(ctx context.Context) {
	for ctx.Err() == nil {
		decided, room, err := p.elect(ctx)
		if err != nil {
			_ = p.fatal(err)
			return
		}
		if ctx.Err() != nil {
			return
		}
		began := time.Now()
		var t term
		if decided.State == election.Leading {
			t = newLeaderTerm(ctx, p)
		} else {
			t = newLearnerTerm(ctx, p, Role(decided.State), decided.Vote.Leader)
		}
		p.mu.Lock()
		p.term = t
		lost := p.room > room
		p.mu.Unlock()
		if p.wiped.Load() {
			t.end(errWiped)
		}
		if lost {
			p.leave(t, errNoRoom)
		}
		err = t.run()
		if ctx.Err() == nil {
			p.log.Warn("term ended", "role", t.Role(), "sid", t.Leader(), "epoch", t.Epoch(), "reason", err)
		}
		if err := p.promise(err); err != nil {
			_ = p.fatal(err)
			return
		}
		if time.Since(began) < p.o.ConnectDelay {
			// Who has just been the leader and was started again would take it for a vote that this server still
			// follows, and would wait for followers until initLimit is over.
			p.election.withdraw()
			sleep(ctx, p.o.ConnectDelay) // what has failed at once would do so again
		}
		if t.Role() == Observing {
			sleepBelow(ctx, p.o.ObserverElectionDelay)
		}
	}
}

// promise makes the epoch durable to which this server promises itself with the end of a term, if it does. Nothing of
// the term is on its way into the log any more.
func (p *Peer) promise(ended error) error {
	var end *termEnd
	if !errors.As(ended, &end) || end.promise <= p.d.Log.AcceptedEpoch() {
		return nil
	}
	if err := p.d.Log.Drain(); err != nil {
		return fmt.Errorf("quorum: drain the log: %w", err)
	}
	if err := p.d.Log.SetAcceptedEpoch(end.promise); err != nil {
		return fmt.Errorf("quorum: promise epoch %d: %w", end.promise, err)
	}
	return nil
}

// elect looks for a leader, when there is room; it gives the room it has found. The log is durable up to its end
// first: nothing of an earlier term may become so in the next.
func (p *Peer) elect(ctx context.Context) (d election.Decided, room Room, err error) {
	if err := p.d.Log.Drain(); err != nil {
		return d, room, fmt.Errorf("quorum: drain the log: %w", err)
	}
	p.mu.Lock()
	p.term, p.looking = nil, time.Now()
	if p.unavailable.IsZero() {
		p.unavailable = p.looking
	}
	p.mu.Unlock()
	if p.d.Hooks.Looking != nil {
		p.d.Hooks.Looking()
	}
	needed := p.indispensable()
	for ctx.Err() == nil {
		room, changed := p.roomNow()
		if room == RoomNone || room == RoomLow && !needed {
			needed = p.standAside(ctx, room, changed) || p.indispensable()
			continue
		}
		if d, ok, err := p.vote(ctx, room, changed); ok || err != nil {
			return d, room, err
		}
		needed = p.indispensable()
	}
	return d, room, nil
}

// vote takes part in an election, unless there is less room before it is decided.
func (p *Peer) vote(ctx context.Context, room Room, changed <-chan struct{}) (d election.Decided, ok bool, err error) {
	zxid, epoch := p.d.Log.LastLogged(), p.d.Log.CurrentEpoch()
	if err := p.forget(zxid, epoch); err != nil {
		return d, false, err
	}
	p.log.Info("looking for a leader", "zxid", zxid, "epoch", epoch, "lost_memory", p.lostMemory.Load())
	if p.lostMemory.Load() {
		zxid = -1
	}
	p.election.look(zxid, epoch, p.empty())
	for waiting := true; waiting; {
		select {
		case d = <-p.election.decided:
			waiting = false
		case <-changed:
			var now Room
			if now, changed = p.roomNow(); now > room {
				return d, false, nil
			}
		case <-ctx.Done():
			return d, false, nil
		}
	}
	if err := p.forget(zxid, epoch); err != nil {
		return d, false, err
	}
	p.mu.Lock()
	p.elected = time.Since(p.looking)
	took := p.elected
	p.mu.Unlock()
	p.log.Info("election decided", "state", d.State, "vote", d.Vote, "took", took)
	if p.d.Hooks.Elected != nil && d.State != election.Observing {
		p.d.Hooks.Elected(took)
	}
	return d, true, nil
}

// available notes that a term serves.
func (p *Peer) available(r Role) {
	p.mu.Lock()
	since := p.unavailable
	p.unavailable = time.Time{}
	p.mu.Unlock()
	if p.d.Hooks.Available != nil && !since.IsZero() {
		p.d.Hooks.Available(r, time.Since(since))
	}
}

// hangUp closes a connection between a leader and a learner.
func (p *Peer) hangUp(c net.Conn) {
	began := time.Now()
	_ = c.Close()
	if p.d.Hooks.Closed != nil {
		p.d.Hooks.Closed(time.Since(began))
	}
}

// errWiped ends a term of a server whose disk must have been wiped.
var errWiped = errors.New("quorum: this server has no history, but its ensemble has one")

// empty is Options.Empty as of now: a server that has promised an epoch has not been wiped before that. What its
// own promise has led to is a history that others may vote for, too.
func (p *Peer) empty() bool { return p.o.Empty && p.d.Log.AcceptedEpoch() == 0 }

// foundWiped takes the news that the ensemble of an empty server has a history.
func (p *Peer) foundWiped(by election.LostMemory) {
	if !p.empty() {
		return
	}
	p.log.Warn("this server is empty, but its ensemble has a history: it takes that from a leader before it votes again",
		"sid", by.From, "vote", by.Vote)
	p.wiped.Store(true)
	p.mu.Lock()
	t := p.term
	p.mu.Unlock()
	if t != nil {
		t.end(errWiped)
	}
}

// forget makes an empty server one with a lost memory, if the election has found it so; unless it has got a
// history meanwhile. That is durable before it promises or adopts anything: a start in between must not take
// what a leader was about to give it for what it remembers.
func (p *Peer) forget(zxid jute.Zxid, epoch int64) error {
	if !p.wiped.Swap(false) || zxid != 0 || epoch != 0 || !p.empty() {
		return nil
	}
	if p.d.Forgotten != nil {
		if err := p.d.Forgotten(); err != nil {
			return fmt.Errorf("quorum: note that this server's memory is lost: %w", err)
		}
	}
	p.lostMemory.Store(true)
	return nil
}

// sleepBelow waits a random time below d, or until ctx ends.
func sleepBelow(ctx context.Context, d time.Duration) {
	if d > 0 {
		sleep(ctx, rand.N(d))
	}
}

// nextLink numbers the connections of learners.
func (p *Peer) nextLink() zab.Link { return zab.Link(p.links.Add(1)) }

// errFatal ends a term with the whole peer.
var errFatal = errors.New("quorum: this server can't go on")

// fatal ends the peer; it returns err as the reason for the term.
func (p *Peer) fatal(err error) error {
	p.ended.Do(func() {
		p.log.Error("the server can't go on in its ensemble", "err", err)
		p.stop()
		p.d.Fatal(err)
	})
	return fmt.Errorf("%w: %w", errFatal, err)
}
