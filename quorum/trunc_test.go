package quorum

import (
	"bufio"
	"context"
	"net"
	"slices"
	"testing"
	"time"

	"zk/jute"
)

// scriptedLeader is a leader that a test plays to one learner.
type scriptedLeader struct {
	t    testing.TB
	conn net.Conn
	r    *jute.PacketReader
	end  func() // ends the learner's term
}

// script has a server join a leader that the test plays.
func (n *node) script(leader jute.ServerID) *scriptedLeader {
	t := n.e.t
	t.Helper()
	l, err := n.e.net.listen(context.Background(), hostOf(leader)+":2888")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	term := newLearnerTerm(ctx, n.peer, Following, leader)
	go func() { ended <- term.run() }() // ends with ctx
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	end := func() {
		cancel()
		<-ended
		_ = c.Close()
		_ = l.Close()
	}
	return &scriptedLeader{t, c, jute.NewPacketReader(bufio.NewReader(c), 1<<20), end}
}

func (l *scriptedLeader) send(t jute.PacketType, z jute.Zxid, data []byte) {
	l.t.Helper()
	if _, err := l.conn.Write(packet(t, z, data)); err != nil {
		l.t.Fatal(err)
	}
}

// expect takes packets of the learner.
func (l *scriptedLeader) expect(t jute.PacketType, zxids ...jute.Zxid) {
	l.t.Helper()
	for _, z := range zxids {
		var q jute.QuorumPacket
		if _, err := l.r.Read(&q, nil); err != nil || q.Type != t || q.Zxid != z {
			l.t.Fatalf("the learner sent %v %v, not %v %v: %v", q.Type, q.Zxid, t, z, err)
		}
	}
}

// TestTruncOfOwnEpoch has a follower come again to a leader that has neither committed nor applied all that the
// follower has acknowledged, and has not applied what the follower has: as Java's does, it sends TRUNC, and all of that once
// more. Nothing is cut, or applied twice, or before it is committed, and each proposal is acknowledged.
func TestTruncOfOwnEpoch(t *testing.T) {
	z := func(counter uint32) jute.Zxid { return jute.NewZxid(2, counter) }
	bubble(t, 3, 0, func(e *ensemble) {
		t, n := e.t, e.nodes[0]
		var entries []Entry
		for i := range uint32(5) {
			entries = append(entries, Entry{Zxid: z(i + 1), Bytes: memTxn(memKey{7, int32(i)}, nil)})
		}
		n.log.entries, n.log.durable, n.log.accepted, n.log.current = slices.Clone(entries[:4]), 4, 2, 2
		n.server = newMemServer(n.log)
		n.server.Apply(entries[:3])
		n.start()
		l := n.script(3)
		defer l.end()
		state := func(when string, logged, applied jute.Zxid) {
			t.Helper()
			time.Sleep(20 * time.Millisecond)
			if n.log.LastLogged() != logged || n.server.Applied() != applied {
				t.Fatalf("%s: the log ends at %v, applied is %v; want %v and %v", when, n.log.LastLogged(), n.server.Applied(), logged, applied)
			}
		}
		l.expect(jute.PacketFollowerInfo, z(0))
		l.send(jute.PacketLeaderInfo, z(0), jute.AppendInt32(nil, jute.ZabProtocolVersion))
		l.expect(jute.PacketAckEpoch, z(4))
		l.send(jute.PacketTrunc, z(2), nil)
		state("behind TRUNC", z(4), z(3))
		l.send(jute.PacketProposal, z(3), entries[2].Bytes)
		l.send(jute.PacketCommit, z(3), nil)
		l.send(jute.PacketProposal, z(4), entries[3].Bytes)
		l.send(jute.PacketProposal, z(5), entries[4].Bytes)
		l.send(jute.PacketNewLeader, z(0), e.conf.Append(nil))
		l.expect(jute.PacketAck, z(0))
		state("behind NEWLEADER", z(5), z(3))
		l.send(jute.PacketUpToDate, -1, nil)
		l.expect(jute.PacketAck, z(0), z(4), z(5))
		l.send(jute.PacketCommit, z(4), nil)
		state("behind a COMMIT", z(5), z(4))
		l.send(jute.PacketCommit, z(5), nil)
		state("behind the last COMMIT", z(5), z(5))
		if got := n.txns(); len(got) != len(entries) {
			t.Errorf("%d transactions were applied, not %d", len(got), len(entries))
		}
	})
}
