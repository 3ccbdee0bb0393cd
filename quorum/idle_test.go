package quorum

import (
	"bufio"
	"context"
	"testing"

	"zk/jute"
)

// TestIdlePing: a learner whose clients are silent answers a PING with no sessions, which is not null: a Java
// leader fails over null, and closes the link.
func TestIdlePing(t *testing.T) {
	bubble(t, 3, 0, func(e *ensemble) {
		n := e.nodes[0]
		n.start()
		l, err := e.net.listen(context.Background(), "s3:2888")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		answers := make(chan jute.QuorumPacket, 1)
		go func() { // ends with the connection
			defer close(answers)
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			r := jute.NewPacketReader(bufio.NewReader(c), 0)
			for _, b := range [][]byte{
				packet(jute.PacketLeaderInfo, jute.NewZxid(1, 0), jute.AppendInt32(nil, jute.ZabProtocolVersion)),
				append(packet(jute.PacketDiff, 0, nil), packet(jute.PacketNewLeader, jute.NewZxid(1, 0), nil)...),
				packet(jute.PacketUpToDate, -1, nil),
				packet(jute.PacketPing, jute.NewZxid(1, 0), nil),
			} {
				var q jute.QuorumPacket
				if _, err := r.Read(&q, nil); err != nil { // FOLLOWERINFO, ACKEPOCH, and twice ACK
					return
				}
				if _, err := c.Write(b); err != nil {
					return
				}
			}
			var q jute.QuorumPacket
			if _, err := r.Read(&q, nil); err == nil {
				answers <- q
			}
		}()
		if err := newLearnerTerm(context.Background(), n.peer, Following, 3).run(); err == nil {
			t.Error("the term has ended without a reason")
		}
		if q, ok := <-answers; !ok || q.Type != jute.PacketPing || q.Data == nil || len(q.Data) != 0 {
			t.Errorf("the answer to PING is %+v (%v)", q, ok)
		}
	})
}
