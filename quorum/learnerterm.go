package quorum

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"zk/jute"
	"zk/quorum/zab"
)

// A learner tries to reach its leader, which may not have opened its port yet, for as long as Java does, which
// waits connectWaits times for ConnectDelay (Learner.connectToLeader). But the leader has been elected at about the
// same moment as this server has decided, so the first wait is a connectFirst-th of that, and each is twice the
// one before.
const (
	connectWaits = 4
	connectFirst = 32
)

// learnerTerm is one stay as follower or observer: the core, stepped under mu by whoever has an event. What
// the core needs done on disk is done by the reader, before it takes the next packet.
type learnerTerm struct {
	p      *Peer
	role   Role
	leader jute.ServerID
	apply  *applier
	ctx    context.Context
	stop   context.CancelCauseFunc // ends the term
	work   sync.WaitGroup
	began  time.Time

	conn net.Conn
	out  sendBuffer
	// moved: bytes have come since the core was told last.
	moved atomic.Bool

	mu   sync.Mutex
	core *zab.Learner
	// What has come since this server serves: the last of each, and how old it was. Guarded by mu.
	received, committed, logged jute.Zxid
	ages                        ages

	syncMu sync.Mutex // taken before out's
	syncs  []any      // tags of Sync without an answer; guarded by syncMu

	epoch atomic.Int64
	since atomic.Int64 // when it was established, Unix milliseconds; 0 before

	// Owned by the reader.
	stream   *bufio.Reader
	todo     []zab.Action
	incoming Incoming // between LoadSnapshot and Adopt
	chunk    []byte   // room for the bytes of proposals
	touched  []jute.SessionTimeout
}

func newLearnerTerm(ctx context.Context, p *Peer, role Role, leader jute.ServerID) *learnerTerm {
	o, log := p.o, p.d.Log
	t := &learnerTerm{
		p: p, role: role, leader: leader, began: time.Now(),
		apply: newApplier(p.d.StateMachine, log, o.PendingBytesMax, false),
	}
	t.ctx, t.stop = context.WithCancelCause(ctx)
	t.out.init()
	t.core = zab.NewLearner(zab.LearnerOptions{
		Me: o.Me, Observer: role == Observing, AcceptedEpoch: log.AcceptedEpoch(), CurrentEpoch: log.CurrentEpoch(),
		LastLogged: log.LastLogged(), WantSnapshot: p.wantSnapshot.Load(), LostMemory: p.lostMemory.Load(),
		ConfigVersion: o.Config.Version(), InitLimit: o.InitLimit, SyncLimit: o.SyncLimit,
	})
	return t
}

// run follows until the term ends, and returns why. When it returns all goroutines of the term are gone.
func (t *learnerTerm) run() error {
	defer t.stop(nil)
	conn, err := t.connect()
	if err != nil {
		return err
	}
	t.conn = conn
	// One term each: an answer that asks for the tree doesn't count for a leader that is not established, and
	// this server's may be the one that such a leader needs.
	t.p.wantSnapshot.Store(false)
	t.p.log.Info("connected to the leader", "sid", t.leader, "peer", conn.RemoteAddr())
	t.work.Go(func() { // ends with the term: what waits on the connection then fails
		<-t.ctx.Done()
		t.p.hangUp(conn)
		t.out.close()
		t.apply.end()
	})
	t.work.Go(t.write) // ends when the connection is closed
	t.work.Go(t.tick)  // ends with the term
	t.work.Go(func() { // ends with the term, or because the log can't be read
		if err := t.apply.run(); err != nil {
			t.stop(err)
		}
	})
	t.mu.Lock()
	t.core.Start()
	t.act()
	t.mu.Unlock()
	t.stop(t.read())
	t.p.d.StateMachine.End()
	t.work.Wait()
	if t.incoming != nil {
		t.incoming.Discard()
	}
	return context.Cause(t.ctx)
}

// connect dials the leader. Its name is resolved each time.
func (t *learnerTerm) connect() (net.Conn, error) {
	o := t.p.o
	addresses := o.quorumAddresses(t.leader)
	if addresses == nil {
		return nil, fmt.Errorf("quorum: leader %v is not in the configuration", t.leader)
	}
	if t.role == Observing {
		sleepBelow(t.ctx, o.ObserverReconnectDelay)
	}
	ctx, cancel := context.WithTimeout(t.ctx, o.ticks(o.ConnectToLearnerMasterLimit))
	defer cancel()
	var err error
	for wait, waited := o.ConnectDelay/connectFirst, time.Duration(0); ; wait = min(2*wait, o.ConnectDelay) {
		var c net.Conn
		if c, err = o.dialAny(ctx, t.p.d.Dial, addresses, o.ticks(o.ConnectToLearnerMasterLimit)); err == nil {
			return c, nil
		}
		if waited >= connectWaits*o.ConnectDelay || !sleep(ctx, wait) {
			return nil, fmt.Errorf("quorum: connect to leader %v: %w", t.leader, err)
		}
		waited += wait
	}
}

// tick is the core's clock.
func (t *learnerTerm) tick() {
	tick := time.NewTicker(t.p.o.TickTime / 2)
	defer tick.Stop()
	for {
		select {
		case <-t.ctx.Done():
			return
		case <-tick.C:
			t.mu.Lock()
			if t.moved.Swap(false) {
				t.core.Progress()
			}
			t.core.Tick()
			t.act()
			t.mu.Unlock()
		}
	}
}

// Read implements io.Reader over the connection, and notes that bytes come.
func (t *learnerTerm) Read(b []byte) (int, error) {
	n, err := t.conn.Read(b)
	if n > 0 {
		t.moved.Store(true)
	}
	return n, err
}

// read takes packets until the connection ends: all that have come at once go to the core together.
func (t *learnerTerm) read() error {
	t.stream = bufio.NewReaderSize(t, linkReadBytes)
	reader := jute.NewPacketReader(t.stream, t.p.o.PacketBytesMax)
	var packets []jute.QuorumPacket
	var data []byte
	for {
		packets, data = packets[:0], data[:0]
		if cap(data) > 4*linkReadBytes {
			data = nil
		}
		for len(packets) == 0 || len(packets) < packetsMax && len(data) < linkReadBytes && !t.header(packets) && buffered(t.stream) {
			packets = append(packets, jute.QuorumPacket{})
			var err error
			if data, err = reader.Read(&packets[len(packets)-1], data); err != nil {
				return fmt.Errorf("quorum: read from leader %v: %w", t.leader, err)
			}
		}
		if err := t.step(packets); err != nil {
			return err
		}
	}
}

// header reports if the last packet may have a snapshot behind it, which is no packet.
func (t *learnerTerm) header(packets []jute.QuorumPacket) bool {
	return packets[len(packets)-1].Type == jute.PacketSnap
}

// arrivals are packets of the broadcast: how many have come, and the last of each kind.
type arrivals struct {
	proposals, commits  int
	received, committed jute.Zxid
}

// note takes a packet into account; mu is held. (Java: Follower.processPacket, Observer.processPacket)
func (t *learnerTerm) note(p *jute.QuorumPacket, n *arrivals) {
	if !t.core.Established() {
		return
	}
	switch p.Type {
	case jute.PacketProposal:
		t.ages.add(p.Zxid, proposedAt(p.Data))
		n.proposals++
		n.received = p.Zxid
	case jute.PacketInform:
		t.ages.add(p.Zxid, proposedAt(p.Data))
		n.commits++
		n.committed = p.Zxid
	case jute.PacketCommit:
		n.commits++
		n.committed = p.Zxid
	}
}

// tell tells the hooks; mu is held.
func (t *learnerTerm) tell(n *arrivals) {
	hooks := &t.p.d.Hooks
	if n.proposals > 0 {
		if hooks.ProposalReceived != nil {
			hooks.ProposalReceived(n.proposals)
		}
		t.ages.tell(hooks.Ages.Received, t.received, n.received)
		t.received = max(t.received, n.received)
	}
	if n.commits > 0 {
		if hooks.CommitReceived != nil {
			hooks.CommitReceived(n.commits)
		}
		t.ages.tell(hooks.Ages.Committed, t.committed, n.committed)
		t.committed = max(t.committed, n.committed)
	}
}

// step takes packets to the core, as many as it goes without the disk under one hold of its lock, and does
// what it asks for.
func (t *learnerTerm) step(packets []jute.QuorumPacket) error {
	for len(packets) > 0 {
		t.mu.Lock()
		var n arrivals
		for len(packets) > 0 && !t.core.Busy() {
			t.note(&packets[0], &n)
			t.core.Received(&packets[0])
			packets = packets[1:]
			t.act()
		}
		t.tell(&n)
		t.mu.Unlock()
		// What is done may give the core's next wish.
		for len(t.todo) > 0 {
			todo := t.todo
			t.todo = nil
			for i := range todo {
				if err := t.do(&todo[i]); err != nil {
					return err
				}
			}
			clear(todo)
			if t.todo == nil {
				t.todo = todo[:0]
			}
		}
		if t.ctx.Err() != nil {
			return context.Cause(t.ctx)
		}
	}
	return nil
}

// act does what a step of the core asks for; mu is held. What waits for the disk or for the server is put
// into todo: only steps of the reader ask for such, but SYNC.
func (t *learnerTerm) act() {
	actions := t.core.Actions()
	for i := range actions {
		a := &actions[i]
		switch a.Kind {
		case zab.Send:
			t.out.add(&a.Packet)
		case zab.Apply:
			t.apply.mark(a.Zxid)
		case zab.Append:
			a.Data = t.keep(a.Data)
			t.apply.add(Entry{Zxid: a.Zxid, Bytes: a.Data})
			t.todo = append(t.todo, *a)
		case zab.Deliver:
			if a.Packet.Type == jute.PacketSync {
				t.apply.after(0, t.synced)
			} else {
				t.todo = append(t.todo, *a)
			}
		case zab.Established:
			epoch := a.Epoch
			t.epoch.Store(epoch)
			t.p.election.setPeerEpoch(epoch)
			if err := t.settle(); err != nil {
				t.stop(t.p.fatal(err))
				return // and nothing is sent
			}
			t.apply.after(a.Zxid, func() error { return t.serveClients(epoch) })
		case zab.GiveUp:
			if a.WantSnapshot {
				t.p.wantSnapshot.Store(true)
			}
			t.stop(&termEnd{reason: a.Reason})
		case zab.SaveAcceptedEpoch, zab.Truncate, zab.LoadSnapshot, zab.ApplySnapshot, zab.Adopt:
			t.todo = append(t.todo, *a)
		default:
			panic("quorum: a learner's core asked for " + a.Kind.String())
		}
	}
	t.out.flush()
}

// settle forgets what was wrong with this server's memory: a leader has given it all of it. A lost memory is
// marked on disk, and must not be any more before the ACKs that follow go out.
func (t *learnerTerm) settle() error {
	if !t.p.lostMemory.Load() {
		return nil
	}
	if t.p.d.Regained != nil {
		if err := t.p.d.Regained(); err != nil {
			return fmt.Errorf("quorum: note that this server has its memory again: %w", err)
		}
	}
	t.p.lostMemory.Store(false)
	return nil
}

// keep copies bytes that outlive the packet.
func (t *learnerTerm) keep(b []byte) []byte {
	const chunkBytes = 64 << 10
	if len(b) > chunkBytes/4 {
		return append([]byte(nil), b...)
	}
	if cap(t.chunk)-len(t.chunk) < len(b) {
		t.chunk = make([]byte, 0, chunkBytes)
	}
	at := len(t.chunk)
	t.chunk = append(t.chunk, b...)
	return t.chunk[at:len(t.chunk):len(t.chunk)]
}

// do is the reader's part of an action.
func (t *learnerTerm) do(a *zab.Action) error {
	switch a.Kind {
	case zab.Append:
		if err := t.p.d.Log.Append(a.Zxid, a.Data); err != nil {
			return t.p.fatal(fmt.Errorf("quorum: append %v: %w", a.Zxid, err))
		}
		return nil
	case zab.Deliver:
		return t.give(&a.Packet)
	case zab.SaveAcceptedEpoch:
		if err := t.p.d.Log.SetAcceptedEpoch(a.Epoch); err != nil {
			return t.p.fatal(fmt.Errorf("quorum: %v %d: %w", a.Kind, a.Epoch, err))
		}
		return t.answer(t.core.Saved)
	case zab.Truncate:
		return t.truncate(a.Zxid)
	case zab.LoadSnapshot:
		return t.loadSnapshot(a.Zxid)
	case zab.ApplySnapshot:
		return t.incoming.Apply(Entry{Zxid: a.Zxid, Bytes: a.Data})
	default: // Adopt
		return t.adopt(a)
	}
}

// answer tells the core that something is done.
func (t *learnerTerm) answer(event func()) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	event()
	t.act()
	return nil
}

func (t *learnerTerm) truncate(z jute.Zxid) error {
	t.p.log.Info("cutting the log", "zxid", z, "last", t.p.d.Log.LastLogged())
	err := t.p.d.Log.Truncate(z)
	if err != nil && !errors.Is(err, ErrNotHere) {
		return t.p.fatal(fmt.Errorf("quorum: cut the log behind %v: %w", z, err))
	}
	if err != nil {
		t.p.log.Warn("the log can't be cut there: the whole tree is needed", "zxid", z, "err", err)
	} else {
		t.apply.reset()
	}
	return t.answer(func() { t.core.Truncated(err == nil) })
}

func (t *learnerTerm) loadSnapshot(z jute.Zxid) error {
	t.p.log.Info("receiving the tree", "sid", t.leader, "zxid", z)
	incoming, err := t.p.d.StateMachine.Receive(t.stream, z)
	if err != nil {
		return fmt.Errorf("quorum: receive the tree of leader %v: %w", t.leader, err)
	}
	t.incoming = incoming
	signature := make([]byte, 4+len(jute.SnapSignature))
	if _, err := io.ReadFull(t.stream, signature); err != nil {
		return fmt.Errorf("quorum: read the tree's signature: %w", err)
	}
	if string(signature) != string(jute.AppendString(nil, jute.SnapSignature)) {
		return fmt.Errorf("quorum: the tree of leader %v ends with %q in place of its signature", t.leader, signature)
	}
	return t.answer(t.core.SnapshotLoaded)
}

// adopt makes everything received durable, with the epoch.
func (t *learnerTerm) adopt(a *zab.Action) error {
	log := t.p.d.Log
	if t.incoming != nil {
		incoming, entries := t.incoming, make([]Entry, 0, len(a.Entries))
		for i := range a.Entries {
			entries = append(entries, Entry{Zxid: a.Entries[i].Zxid, Bytes: a.Entries[i].Data})
		}
		t.incoming = nil
		if err := incoming.Adopt(a.Epoch, entries); err != nil {
			return t.p.fatal(fmt.Errorf("quorum: adopt the tree of leader %v: %w", t.leader, err))
		}
		t.apply.reset() // the entries are in the log
		return t.adopted(a.Epoch)
	}
	err := log.Drain()
	if err == nil {
		err = log.SetCurrentEpoch(a.Epoch)
	}
	if err != nil {
		return t.p.fatal(fmt.Errorf("quorum: make the history of epoch %d durable: %w", a.Epoch, err))
	}
	return t.adopted(a.Epoch)
}

func (t *learnerTerm) adopted(epoch int64) error {
	t.p.log.Info("history of the leader is durable", "sid", t.leader, "epoch", epoch, "zxid", t.p.d.Log.LastLogged())
	return t.answer(t.core.Adopted)
}

// serveClients is the applier's task when the leader has said UPTODATE and everything up to there is
// applied.
func (t *learnerTerm) serveClients(epoch int64) error {
	took := time.Since(t.began)
	t.p.available(t.role)
	t.p.log.Info(t.role.String(), "sid", t.leader, "epoch", epoch, "took", took)
	if hook := t.p.d.Hooks.Synced; hook != nil {
		hook(t.role, took)
	}
	t.since.Store(time.Now().UnixMilli())
	if err := t.p.d.StateMachine.Follow(t); err != nil {
		return fmt.Errorf("quorum: begin to serve as learner: %w", err)
	}
	return nil
}

// give hands the leader's packet to the server.
func (t *learnerTerm) give(p *jute.QuorumPacket) error {
	switch p.Type {
	case jute.PacketPing:
		data := []byte{} // a Java leader closes a link on which null comes
		t.touched = t.p.d.StateMachine.Touched(t.touched[:0])
		for i := range t.touched {
			data = t.touched[i].Append(data)
		}
		t.out.add(&jute.QuorumPacket{Type: jute.PacketPing, Zxid: p.Zxid, Data: data})
		t.out.flush()
	case jute.PacketRevalidate:
		var r jute.RevalidateAnswer
		d := jute.NewDecoder(p.Data, len(p.Data))
		if r.Decode(&d); d.Err() != nil {
			return fmt.Errorf("quorum: read REVALIDATE: %w", d.Err())
		}
		t.p.d.StateMachine.Revalidated(r.SessionID, r.Valid)
	}
	return nil
}

func (t *learnerTerm) end(reason error) { t.stop(reason) }

// durable is told of the log.
func (t *learnerTerm) durable(z jute.Zxid) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.core.Logged(z)
	t.act()
	t.out.bursts.logged(t.logged, z)
	if t.role == Following {
		t.ages.tell(t.p.d.Hooks.Ages.Logged, t.logged, z)
	}
	t.logged = z
}
