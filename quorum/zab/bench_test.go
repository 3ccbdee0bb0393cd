package zab

import (
	"testing"

	"zk/jute"
	"zk/quorum/verifier"
)

// oneEntry is a log whose entries are made up as they are read.
type oneEntry struct {
	data []byte
	last jute.Zxid
}

func (r *oneEntry) After(z jute.Zxid) (Entry, bool, error) {
	return Entry{next(z, 1), r.data}, z < r.last, nil
}

// broadcastLeader is a leader of five voters that serves three of them and an observer, with their outboxes.
type broadcastLeader struct {
	l        *Leader
	log      *oneEntry
	outboxes [4]Outbox
	sent     int
	last     jute.Zxid
}

func newBroadcastLeader(tb testing.TB) *broadcastLeader {
	b := &broadcastLeader{log: &oneEntry{data: make([]byte, 1024)}}
	b.l = NewLeader(LeaderOptions{
		Me: 1, Quorums: verifier.Quorums{Current: ensemble("1,2,3,4,5", "6", 0)}, History: &memLog{}, InitLimit: 10, SyncLimit: 5, DiffBytesMax: 1 << 20,
	})
	b.l.Start()
	for i, sid := range []jute.ServerID{2, 3, 4, 6} {
		info := jute.LearnerInfo{ServerID: sid, ProtocolVersion: jute.ZabProtocolVersion}
		link := Link(i + 1)
		b.l.Connected(link)
		t := jute.PacketFollowerInfo
		if sid == 6 {
			t = jute.PacketObserverInfo
		}
		b.l.Received(link, &jute.QuorumPacket{Type: t, Data: info.Append(nil)})
	}
	b.drain()
	for _, p := range []jute.QuorumPacket{{Type: jute.PacketAckEpoch, Data: make([]byte, 4)}, {Type: jute.PacketAck, Zxid: firstOf(1)}, {Type: jute.PacketAck, Zxid: firstOf(1)}} {
		for i := range b.outboxes {
			b.l.Received(Link(i+1), &p)
			b.drain()
		}
	}
	b.write(tb)
	if !b.l.Established() {
		tb.Fatal("not established")
	}
	b.last, b.log.last, b.sent = firstOf(1), firstOf(1), 0
	return b
}

func (b *broadcastLeader) drain() {
	for actions := b.l.Actions(); len(actions) > 0; actions = b.l.Actions() {
		for i := range actions {
			switch a := &actions[i]; a.Kind {
			case SaveAcceptedEpoch, SaveCurrentEpoch:
				b.l.Saved()
			case Established:
				b.l.Started()
			case StartSync:
				b.outboxes[a.Link-1].Start(a.Sync, a.Epoch)
			case Send:
				if err := b.outboxes[a.Link-1].Queue(a.Packet, a.Barrier); err != nil {
					panic(err)
				}
			}
		}
	}
}

func (b *broadcastLeader) write(tb testing.TB) {
	for i := range b.outboxes {
		b.outboxes[i].Advance(b.l.Marks())
		for {
			_, what, err := b.outboxes[i].Next(b.log)
			if err != nil {
				tb.Fatal(err)
			}
			if what == Nothing {
				break
			}
			b.sent++
		}
	}
}

// txn takes one transaction from its proposal to its COMMIT on all links.
func (b *broadcastLeader) txn(tb testing.TB) {
	b.last++
	b.log.last = b.last
	b.l.Proposed(b.last)
	b.drain()
	b.write(tb)
	ack := jute.QuorumPacket{Type: jute.PacketAck, Zxid: b.last}
	for link := Link(1); link <= 2; link++ {
		b.l.Received(link, &ack)
		b.drain()
	}
	b.l.Logged(b.last)
	b.drain()
	b.write(tb)
	b.l.Received(3, &ack)
	b.drain()
}

// BenchmarkLeader is all that the cores do for a transaction of a leader with three followers and an observer.
func BenchmarkLeader(b *testing.B) {
	b.ReportAllocs()
	l := newBroadcastLeader(b)
	for b.Loop() {
		l.txn(b)
	}
	if l.l.Marks().Committed != l.last {
		b.Fatal(l.l.Marks())
	}
}

func newBroadcastLearner(tb testing.TB) *Learner {
	l := NewLearner(LearnerOptions{Me: 2, InitLimit: 10, SyncLimit: 5})
	l.Start()
	l.Received(&jute.QuorumPacket{Type: jute.PacketLeaderInfo, Zxid: firstOf(1), Data: jute.AppendInt32(nil, jute.ZabProtocolVersion)})
	l.Saved()
	l.Received(&jute.QuorumPacket{Type: jute.PacketDiff})
	l.Received(&jute.QuorumPacket{Type: jute.PacketNewLeader, Zxid: firstOf(1)})
	l.Adopted()
	l.Received(&jute.QuorumPacket{Type: jute.PacketUpToDate, Zxid: -1})
	l.Actions()
	if !l.Established() {
		tb.Fatal("not established")
	}
	return l
}

// learn takes a transaction through a follower; it returns how many actions there were.
func learn(l *Learner, z jute.Zxid, data []byte) int {
	l.Received(&jute.QuorumPacket{Type: jute.PacketProposal, Zxid: z, Data: data})
	n := len(l.Actions())
	l.Logged(z)
	n += len(l.Actions())
	l.Received(&jute.QuorumPacket{Type: jute.PacketCommit, Zxid: z})
	return n + len(l.Actions())
}

// BenchmarkLearner is all that a follower's core does for a transaction.
func BenchmarkLearner(b *testing.B) {
	b.ReportAllocs()
	l, z, data := newBroadcastLearner(b), firstOf(1), make([]byte, 1024)
	for b.Loop() {
		z++
		if learn(l, z, data) != 3 {
			b.Fatal("actions are missing")
		}
	}
}

// TestNoAllocation: a transaction costs the collector nothing in either core. A growing queue's first steps are taken
// before.
func TestNoAllocation(t *testing.T) {
	leader := newBroadcastLeader(t)
	leader.txn(t)
	leader.txn(t)
	if n := testing.AllocsPerRun(1000, func() { leader.txn(t) }); n != 0 {
		t.Errorf("leader: %v allocations", n)
	}
	// Three PROPOSALs, three COMMITs and an INFORM for each.
	if want := 7 * int(leader.last-firstOf(1)); leader.sent != want {
		t.Errorf("%d packets, want %d", leader.sent, want)
	}
	learner, z, data := newBroadcastLearner(t), firstOf(1), make([]byte, 1024)
	step := func() {
		z++
		if learn(learner, z, data) != 3 {
			t.Error("actions are missing")
		}
	}
	step()
	step()
	if n := testing.AllocsPerRun(1000, step); n != 0 {
		t.Errorf("learner: %v allocations", n)
	}
}
