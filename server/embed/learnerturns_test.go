package embed

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"zk/jute"
	"zk/server"
)

// farLeader is the way to a leader who makes sessions, but answers writes only when it is told to: they fail.
type farLeader struct {
	alone
	log   solo
	asked chan jute.ForwardedRequest // the writes, without their bodies

	mu   sync.Mutex
	zxid jute.Zxid // guarded by mu
}

func (l *farLeader) Forward(r *jute.ForwardedRequest, _ []jute.ID) error {
	q := *r
	q.Body = nil
	if r.Type == jute.OpCreateSession {
		return l.commit(&q)
	}
	l.asked <- q
	return nil
}

// commit sends what comes of a request through the log.
func (l *farLeader) commit(r *jute.ForwardedRequest) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.zxid++
	p := jute.Proposal{
		Header: jute.TxnHeader{ClientID: r.SessionID, Cxid: r.Cxid, Zxid: l.zxid, Time: 1, Type: jute.OpError},
		Txn:    jute.Txn{Type: jute.OpError, Err: jute.CodeNoNode},
	}
	if r.Type == jute.OpCreateSession {
		p.Header.Type, p.Txn = r.Type, jute.Txn{Type: r.Type, TimeoutMillis: 30000}
	}
	return l.log.Propose(server.Proposal{Zxid: l.zxid, Bytes: p.Append(nil)})
}

// next is the next write that comes.
func (l *farLeader) next(t *testing.T) *jute.ForwardedRequest {
	t.Helper()
	select {
	case r := <-l.asked:
		return &r
	case <-time.After(20 * time.Second):
		t.Fatal("no more writes come")
		return nil
	}
}

// frame puts a length before a packet.
func frame(b []byte) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...) }

// login opens a session of a client without a library.
func login(t *testing.T, n *Node) (net.Conn, jute.SessionID) {
	t.Helper()
	nc, err := net.Dial("tcp", n.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	req := jute.ConnectRequest{TimeoutMillis: 30000, Passwd: make([]byte, 16), HasReadOnly: true}
	if _, err := nc.Write(frame(req.Append(nil))); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 4)
	_, err = io.ReadFull(nc, head)
	b := make([]byte, binary.BigEndian.Uint32(head))
	if _, berr := io.ReadFull(nc, b); err != nil || berr != nil {
		t.Fatal(err, berr)
	}
	d := jute.NewDecoder(b, 0)
	var resp jute.ConnectResponse
	if resp.Decode(&d); d.Err() != nil {
		t.Fatal(d.Err())
	}
	return nc, resp.SessionID
}

// write is a set of 1,000 bytes, as a client sends it.
func write() []byte {
	h := jute.RequestHeader{Xid: 1, Type: jute.OpSetData}
	r := jute.SetDataRequest{Path: "/a", Data: []byte(strings.Repeat("x", 1000)), Version: -1}
	return frame(r.Append(h.Append(nil)))
}

// ping sends a ping and awaits its answer.
func ping(t *testing.T, nc net.Conn) {
	t.Helper()
	h := jute.RequestHeader{Xid: -2, Type: jute.OpPing}
	_, err := nc.Write(frame(h.Append(nil)))
	if _, rerr := io.ReadFull(nc, make([]byte, 4+jute.ReplyHeaderBytes)); err != nil || rerr != nil {
		t.Fatal(err, rerr)
	}
}

// TestLearnerTurns: a learner forwards so many writes of clients that send one behind the other as the leader can be
// busy with; the others wait here, and the write of a client that has no other goes ahead of them.
func TestLearnerTurns(t *testing.T) {
	n := between(t)
	const epoch = 0x100000000
	l := &farLeader{log: solo{n.stores.Log}, zxid: epoch, asked: make(chan jute.ForwardedRequest, 10000)}
	n.server.Begin(server.Term{Role: server.Follower, Ensemble: l, Zxid: epoch})
	pressing, busy := login(t, n)
	single, id := login(t, n)
	const writes = 2000
	go func() { _, _ = pressing.Write(bytes.Repeat(write(), writes)) }() // ends when all are read, or the socket is closed
	go func() { _, _ = io.Copy(io.Discard, pressing) }()                 // ends with the socket

	const full = 512          // writes: less than may be on their way in any case
	const most = full * 3 / 2 // more than a turn goes beyond that
	var sent []*jute.ForwardedRequest
	for len(sent) < full {
		sent = append(sent, l.next(t))
	}
	for range 20 { // meanwhile the others would go on if they might
		ping(t, single)
	}
	if _, err := single.Write(write()); err != nil {
		t.Fatal(err)
	}
	for sent = append(sent, l.next(t)); sent[len(sent)-1].SessionID != id; sent = append(sent, l.next(t)) {
	}
	if ahead := len(sent) - 1; ahead > most {
		t.Errorf("%d of %d writes of session %s went ahead", ahead, writes, busy)
	}
	answered := 0
	for ; answered <= writes; answered++ { // what comes out of the way lets others on it
		if answered == len(sent) {
			sent = append(sent, l.next(t))
		}
		if err := l.commit(sent[answered]); err != nil {
			t.Fatal(err)
		}
	}
}
