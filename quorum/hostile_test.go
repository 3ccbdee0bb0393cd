package quorum

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"zk/jute"
	"zk/quorum/election"
)

// knock opens a connection to a port of a server, as a stranger.
func (e *ensemble) knock(addr string) net.Conn {
	e.t.Helper()
	c, err := e.net.dial("stranger")(context.Background(), addr)
	if err != nil {
		e.t.Fatal(err)
	}
	return c
}

// TestSilent opens 100 silent connections to both ports of every server: no election and no join takes longer,
// and they don't stay open.
func TestSilent(t *testing.T) {
	bubble(t, 3, 0, func(e *ensemble) {
		e.startAll()
		leader := e.leader()
		var silent []net.Conn
		knock := func(ports ...string) {
			for range 100 {
				for _, port := range ports {
					silent = append(silent, e.knock(port))
				}
				time.Sleep(time.Microsecond) // the port's own backlog is not what is tested
			}
		}
		knock(hostOf(leader.sid)+":2888", "s1:3888", "s2:3888", "s3:3888")
		leader.kill()
		began := time.Now()
		next := e.leader()
		if took := time.Since(began); took > time.Second {
			t.Errorf("an election took %v", took)
		}
		knock(hostOf(next.sid) + ":2888")
		leader.start()
		began = time.Now()
		e.leader()
		if took := time.Since(began); took > time.Second {
			t.Errorf("a join took %v", took)
		}
		for range 100 {
			next.mustWrite(1, 1)
		}
		time.Sleep(10 * testTick)
		for i, c := range silent {
			_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
			if _, err := c.Read(make([]byte, 1)); err != io.EOF {
				t.Fatalf("silent connection %d is still open: %v", i, err)
			}
		}
	})
}

func initial(sid jute.ServerID) []byte {
	m := election.InitialMessage{Protocol: election.ProtocolV1, ServerID: sid, Addresses: []election.HostPort{{Host: "s9", Port: 3888}}}
	return m.Append(nil)
}

func packet(t jute.PacketType, z jute.Zxid, data []byte) []byte {
	p := jute.QuorumPacket{Type: t, Zxid: z, Data: data}
	return p.Append(nil)
}

func learnerInfo(sid jute.ServerID) []byte {
	info := jute.LearnerInfo{ServerID: sid, ProtocolVersion: jute.ZabProtocolVersion}
	return info.Append(nil)
}

// hostileElection are first bytes for an election port.
func hostileElection() map[string][]byte {
	return map[string][]byte{
		"nothing":            {},
		"zeros":              make([]byte, 64),
		"unknown protocol":   jute.AppendInt64(jute.AppendInt64(nil, -1), 2),
		"negative length":    jute.AppendInt32(jute.AppendInt64(jute.AppendInt64(nil, election.ProtocolV1), 3), -1),
		"huge length":        jute.AppendInt32(jute.AppendInt64(jute.AppendInt64(nil, election.ProtocolV1), 3), 1<<30),
		"a stranger":         initial(9),
		"its own id":         initial(1),
		"a huge message":     jute.AppendInt32(initial(3), 1<<30),
		"a negative message": jute.AppendInt32(initial(3), -5),
		"a short message":    append(jute.AppendInt32(initial(3), 5), 1, 2, 3, 4, 5),
		"a broken config":    append(jute.AppendInt32(initial(3), 44), bytes.Repeat([]byte{0, 0, 0, 2}, 11)...),
		"http":               []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
	}
}

// hostileQuorum are first bytes for a leader's quorum port.
func hostileQuorum() map[string][]byte {
	info := packet(jute.PacketFollowerInfo, 0, learnerInfo(2))
	return map[string][]byte{
		"nothing":         {},
		"zeros":           make([]byte, 64),
		"an ACK first":    packet(jute.PacketAck, 1, nil),
		"no info":         packet(jute.PacketFollowerInfo, 0, nil),
		"huge data":       jute.AppendInt32(jute.AppendInt64(jute.AppendInt32(nil, 11), 0), 1<<30),
		"huge ids":        jute.AppendInt32(packet(jute.PacketFollowerInfo, 0, learnerInfo(2))[:32], 1<<30),
		"a stranger":      packet(jute.PacketFollowerInfo, 0, learnerInfo(9)),
		"the leader's id": packet(jute.PacketFollowerInfo, 0, learnerInfo(3)),
		"an old protocol": packet(jute.PacketFollowerInfo, 0, jute.AppendInt64(nil, 2)),
		"a late epoch":    packet(jute.PacketFollowerInfo, jute.NewZxid(0x7fffffff, 0), learnerInfo(2)),
		"a request":       append(bytes.Clone(info), packet(jute.PacketRequest, -1, make([]byte, 40))...),
		"info twice":      append(bytes.Clone(info), info...),
		"a wrong ACK":     append(append(bytes.Clone(info), packet(jute.PacketAckEpoch, 5, make([]byte, 4))...), packet(jute.PacketPing, 1, nil)...),
		"a short epoch":   append(bytes.Clone(info), packet(jute.PacketAckEpoch, 5, nil)...),
		"http":            []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
	}
}

// TestHostile sends bytes that no peer would to both ports: they cost their connection, and at most that of
// the server whose id they claim, which comes again.
func TestHostile(t *testing.T) {
	for port, cases := range map[string]map[string][]byte{"s1:3888": hostileElection(), "s3:2888": hostileQuorum()} {
		for name, b := range cases {
			t.Run(port+"/"+name, func(t *testing.T) {
				bubble(t, 3, 0, func(e *ensemble) {
					e.startAll()
					if leader := e.leader(); leader.sid != 3 {
						t.Fatalf("server %d leads", leader.sid)
					}
					c := e.knock(port)
					if len(b) > 0 {
						_ = c.SetWriteDeadline(time.Now().Add(time.Second))
						_, _ = c.Write(b) // the server may hang up before the end
					}
					_ = c.SetReadDeadline(time.Now().Add(time.Minute))
					// Answers may come, but then it is hung up on: at the latest by the timeouts.
					if _, err := io.Copy(io.Discard, c); err != nil {
						t.Errorf("the connection is still open: %v", err)
					}
					_ = c.Close()
					e.leader().mustWrite(1, 3)
					e.same(3)
				})
			})
		}
	}
}

// TestHostileLeader has a follower join a leader that sends rubbish: it looks for another.
func TestHostileLeader(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for i := range 20 {
		b := packet(jute.PacketLeaderInfo, jute.NewZxid(1, 0), jute.AppendInt32(nil, jute.ZabProtocolVersion))
		for range rnd.IntN(4) {
			data := make([]byte, rnd.IntN(30))
			for k := range data {
				data[k] = byte(rnd.Uint32())
			}
			b = append(b, packet(jute.PacketType(rnd.IntN(22)), jute.Zxid(rnd.IntN(3)), data)...)
		}
		if i%2 == 0 {
			b = append(b, 0, 0, 0, 15, 0, 0)
		}
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			bubble(t, 3, 0, func(e *ensemble) {
				n := e.nodes[0]
				n.fatal = func(error) {}
				n.start()
				term := newLearnerTerm(context.Background(), n.peer, Following, 3)
				l, err := e.net.listen(context.Background(), "s3:2888")
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				go func() {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go func() { _, _ = io.Copy(io.Discard, c) }() // ends with the connection
					_, _ = c.Write(b)
					time.Sleep(time.Hour)
					_ = c.Close()
				}()
				if err := term.run(); err == nil {
					t.Error("the term has ended without a reason")
				}
				if z := n.server.Applied(); z != 0 {
					t.Errorf("%v was applied", z)
				}
				time.Sleep(2 * time.Hour)
			})
		})
	}
}

// FuzzReadFrame reads frames of the election port: none is longer than was sent.
func FuzzReadFrame(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 7})
	f.Add([]byte{0, 7, 255, 255, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReader(bytes.NewReader(b))
		for at := 0; ; {
			frame, err := readFrame(r)
			if err != nil {
				return
			}
			if n := binary.BigEndian.Uint32(b[at:]); int(n) != len(frame) || !bytes.Equal(frame, b[at+4:at+4+len(frame)]) {
				t.Fatalf("frame of %d bytes for a length of %d", len(frame), n)
			}
			at += 4 + len(frame)
		}
	})
}

// FuzzBuffered holds the look for whole packets in a buffer against reading them.
func FuzzBuffered(f *testing.F) {
	f.Add(packet(jute.PacketAck, 1, nil))
	f.Add(append(packet(jute.PacketPing, 1, make([]byte, 12)), packet(jute.PacketRequest, 1, nil)[:7]...))
	p := jute.QuorumPacket{Type: jute.PacketRequest, Data: []byte{1}, AuthInfo: []jute.ID{{Scheme: "ip", ID: "::1"}}}
	f.Add(p.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReaderSize(bytes.NewReader(b), 1<<16)
		if _, err := r.Peek(min(len(b), r.Size())); err != nil {
			return
		}
		packets := jute.NewPacketReader(r, 1<<16)
		for buffered(r) {
			before := r.Buffered()
			var p jute.QuorumPacket
			if _, err := packets.Read(&p, nil); err == io.EOF || err == io.ErrUnexpectedEOF {
				t.Fatalf("a packet of %d bytes was said to be whole: %v", before, err)
			} else if err != nil {
				return
			}
		}
	})
}
