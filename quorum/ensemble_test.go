package quorum

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"zk/jute"
	"zk/quorum/verifier"
)

// ensemble is some peers over a network in memory.
type ensemble struct {
	t     testing.TB
	net   *memNet
	conf  *verifier.Config
	nodes []*node // by sid - 1
	set   func(*Options)
	level slog.Level
}

// node is a server that can be killed and started again with what it has on its disk.
type node struct {
	e      *ensemble
	sid    jute.ServerID
	log    *memLog
	server *memServer
	peer   *Peer
	stop   func() // ends the log's goroutine
}

const testTick = 100 * time.Millisecond

// newEnsemble starts voters and observers.
func newEnsemble(t testing.TB, voters, observers int) *ensemble {
	t.Helper()
	e := &ensemble{t: t, net: newMemNet(), level: slog.LevelWarn + 1}
	text := ""
	for i := 1; i <= voters+observers; i++ {
		role := "participant"
		if i > voters {
			role = "observer"
		}
		text += fmt.Sprintf("server.%d=s%d:2888:3888:%s\n", i, i, role)
	}
	conf, err := verifier.Parse(text + "version=0")
	if err != nil {
		t.Fatal(err)
	}
	e.conf = conf
	for i := 1; i <= voters+observers; i++ {
		e.nodes = append(e.nodes, &node{e: e, sid: jute.ServerID(i), log: newMemLog()})
	}
	return e
}

func (e *ensemble) startAll() {
	for _, n := range e.nodes {
		n.start()
	}
}

func (e *ensemble) closeAll() {
	for _, n := range e.nodes {
		n.kill()
	}
}

// start makes the server live: what was applied before counts as lost, it is redone from the log or, below
// the log's beginning, kept.
func (n *node) start() {
	e := n.e
	if n.server == nil {
		n.server = newMemServer(n.log)
	}
	o := Options{
		Me: n.sid, Config: e.conf, TickTime: testTick, InitLimit: 10, SyncLimit: 5, ElectionPortBindRetry: 3,
	}
	if e.set != nil {
		e.set(&o)
	}
	p, err := New(o, Deps{
		Log: n.log, StateMachine: n.server, Dial: e.net.dial(hostOf(n.sid)), Listen: e.net.listen,
		Logger: slog.New(slog.NewTextHandler(testWriter{e.t}, &slog.HandlerOptions{Level: e.level})).With("me", n.sid),
		Fatal:  func(err error) { e.t.Errorf("server %d: fatal: %v", n.sid, err) },
	})
	if err != nil {
		e.t.Fatal(err)
	}
	n.peer = p
	n.stop = n.log.start(p.Durable)
	p.Start()
}

// testWriter writes logs to the test.
type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(string(bytes.TrimSpace(b)))
	return len(b), nil
}

// kill ends the server; what was not durable is lost.
func (n *node) kill() {
	if n.peer == nil {
		return
	}
	n.peer.Close()
	n.stop()
	n.peer = nil
}

// wipe forgets everything.
func (n *node) wipe() { n.log, n.server = newMemLog(), nil }

// wait waits for a condition, in the bubble's time.
func (e *ensemble) wait(what string, cond func() bool) {
	e.t.Helper()
	for end := time.Now().Add(time.Minute); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			for _, n := range e.nodes {
				if n.peer != nil {
					e.t.Logf("server %d: %+v, log %v, applied %v", n.sid, n.peer.Status(), n.log.LastLogged(), n.server.Applied())
				}
			}
			e.t.Fatalf("waited for %s for a minute", what)
		}
	}
}

// leader waits until a server leads and all others that live follow it, and returns it.
func (e *ensemble) leader() (leader *node) {
	e.t.Helper()
	e.wait("a leader with all its learners", func() bool {
		leader = nil
		for _, n := range e.nodes {
			if n.peer == nil {
				continue
			}
			switch s := n.peer.Status(); {
			case s.Phase != Broadcast || s.Since.IsZero():
				return false
			case s.Role == Leading:
				leader = n
			}
		}
		if leader == nil {
			return false
		}
		s := leader.peer.Status()
		for _, n := range e.nodes {
			if n.peer != nil && n != leader && n.peer.Status().Leader != leader.sid {
				return false
			}
		}
		return s.SyncedFollowers()+s.SyncedObservers()+1 == e.living()
	})
	return leader
}

func (e *ensemble) living() (n int) {
	for _, node := range e.nodes {
		if node.peer != nil {
			n++
		}
	}
	return n
}

// write makes a write at a server and waits for its answer.
func (n *node) write(session int, cxid int32, data string) error {
	answer, err := n.server.write(memKey{jute.SessionID(session), cxid}, []byte(data))
	if err != nil {
		return err
	}
	return <-answer
}

// mustWrite writes so many, one after the other.
func (n *node) mustWrite(session, count int) {
	n.e.t.Helper()
	for i := range count {
		if err := n.write(session, int32(i), fmt.Sprintf("%d of %d", i, session)); err != nil {
			n.e.t.Fatalf("write %d of session %d at server %d: %v", i, session, n.sid, err)
		}
	}
}

// same waits until all living servers have applied the same, n transactions of it.
func (e *ensemble) same(count int) {
	e.t.Helper()
	e.wait(fmt.Sprintf("%d transactions everywhere", count), func() bool {
		for _, n := range e.nodes {
			if n.peer != nil && len(n.txns()) < count {
				return false
			}
		}
		return true
	})
	var first []Entry
	for _, n := range e.nodes {
		if n.peer == nil {
			continue
		}
		txns := n.txns()
		if first == nil {
			first = txns
		}
		if len(txns) != count {
			e.t.Errorf("server %d has %d transactions, not %d", n.sid, len(txns), count)
		}
		for i := range min(len(txns), len(first)) {
			if txns[i].Zxid != first[i].Zxid || !bytes.Equal(txns[i].Bytes, first[i].Bytes) {
				e.t.Fatalf("server %d has %v %q as number %d, another %v %q", n.sid, txns[i].Zxid, txns[i].Bytes, i, first[i].Zxid, first[i].Bytes)
			}
		}
	}
}

func (n *node) txns() []Entry {
	n.server.mu.Lock()
	defer n.server.mu.Unlock()
	return n.server.txns
}

// bubble runs a test in fake time.
func bubble(t *testing.T, voters, observers int, test func(*ensemble)) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnsemble(t, voters, observers)
		defer e.closeAll()
		test(e)
	})
}

// TestEnsemble forms an ensemble with an observer and writes at every server.
func TestEnsemble(t *testing.T) {
	bubble(t, 3, 1, func(e *ensemble) {
		e.startAll()
		leader := e.leader()
		for i, n := range e.nodes {
			n.mustWrite(100+i, 20)
		}
		e.same(80)
		if s := leader.peer.Status(); s.SyncedFollowers() != 2 || s.SyncedObservers() != 1 || s.QuorumSize != 3 || s.Epoch != 1 {
			t.Errorf("status of the leader: %+v", s)
		}
	})
}
