package quorum

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
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
	// listen is that of the network, unless a test puts another in its place.
	listen func(context.Context, string) (net.Listener, error)
	level  slog.Level
	watch  *logWatch
}

// node is a server that can be killed and started again with what it has on its disk.
type node struct {
	e      *ensemble
	sid    jute.ServerID
	log    *memLog
	server *memServer
	peer   *Peer
	stop   func() // ends the log's goroutine
	fatal  func(error)

	lost     bool // Options.LostMemory
	empty    bool // Options.Empty
	regained func() error
	hooks    Hooks
	dial     dialer // nil: the network's
}

const testTick = 100 * time.Millisecond

// newEnsemble starts voters and observers.
func newEnsemble(t testing.TB, voters, observers int) *ensemble {
	t.Helper()
	e := &ensemble{t: t, net: newMemNet(), level: slog.LevelWarn + 1}
	e.listen = e.net.listen
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
	o.LostMemory, o.Empty = n.lost, n.empty
	if e.set != nil {
		e.set(&o)
	}
	var to io.Writer = testWriter{e.t}
	level := e.level
	if e.watch != nil {
		to, level = e.watch, slog.LevelInfo
	}
	dial := n.dial
	if dial == nil {
		dial = e.net.dial(hostOf(n.sid))
	}
	p, err := New(o, Deps{
		Log: n.log, StateMachine: n.server, Dial: dial, Listen: e.listen,
		Logger: slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: level})).With("me", n.sid),
		Fatal: func(err error) {
			if n.fatal == nil {
				e.t.Errorf("server %d: fatal: %v", n.sid, err)
				return
			}
			n.fatal(err)
		},
		Regained: n.regained, Hooks: n.hooks,
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

// TestEarlyLearner: learners come to a leader's first address while it has not opened its second.
func TestEarlyLearner(t *testing.T) {
	bubble(t, 3, 0, func(e *ensemble) {
		conf, err := verifier.Parse("server.1=s1:2888:3888\nserver.2=s2:2888:3888\nserver.3=s3:2888:3888|s3:2889:3889\nversion=0")
		if err != nil {
			t.Fatal(err)
		}
		e.conf = conf
		e.listen = func(ctx context.Context, addr string) (net.Listener, error) {
			if addr == "s3:2889" {
				time.Sleep(5 * testTick)
			}
			return e.net.listen(ctx, addr)
		}
		e.startAll()
		if leader := e.leader(); leader.sid != 3 {
			t.Fatalf("server %d leads", leader.sid)
		}
		e.nodes[0].mustWrite(1, 3)
		e.same(3)
	})
}

// TestLeaderKilled kills each leader in turn under writes, and starts it again.
func TestLeaderKilled(t *testing.T) {
	bubble(t, 3, 1, func(e *ensemble) {
		e.startAll()
		count := 0
		for round := range 5 {
			leader := e.leader()
			for i, n := range e.nodes {
				n.mustWrite(1000*round+i, 10)
				count += 10
			}
			leader.kill()
			e.leader().mustWrite(1000*round+99, 10)
			count += 10
			leader.start()
		}
		e.leader()
		e.same(count)
	})
}

// TestFailoverTime: with disks and a network that take no time, a leader that is killed is replaced within the wait
// of the election for other votes and a few milliseconds until the new one's port is found open. The other learner
// may come as soon as the port is open: a leader that was not ready then ended the process (1 of 60).
func TestFailoverTime(t *testing.T) {
	for range 20 {
		bubble(t, 3, 0, func(e *ensemble) {
			e.startAll()
			leader := e.leader()
			leader.mustWrite(1, 10)
			time.Sleep(time.Second) // else the end of the term is taken for a failure to begin
			began := time.Now()
			leader.kill()
			next := e.leader()
			if took := time.Since(began); took > 50*time.Millisecond {
				t.Errorf("server %d leads with all its learners after %v", next.sid, took)
			}
			next.mustWrite(2, 10)
		})
	}
}

// logWatch keeps the lines that are logged.
type logWatch struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (w *logWatch) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lines.Write(b)
}

// want looks for a line with this text, and forgets all before.
func (w *logWatch) want(t testing.TB, text string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !bytes.Contains(w.lines.Bytes(), []byte(text)) {
		t.Errorf("%q is not among the lines logged:\n%s", text, &w.lines)
	}
	w.lines.Reset()
}

// watchLog keeps the lines of all servers that are started from here on.
func (e *ensemble) watchLog() *logWatch {
	w := &logWatch{}
	e.watch = w
	return w
}

// TestRejoin brings servers back that were away: by DIFF, by TRUNC of what was never committed, and by
// SNAP from a leader whose log is too short.
func TestRejoin(t *testing.T) {
	bubble(t, 3, 0, func(e *ensemble) {
		lines := e.watchLog()
		e.startAll()
		leader := e.leader()
		follower := e.nodes[0]
		leader.mustWrite(1, 10)
		follower.kill()
		leader.mustWrite(2, 2000)
		follower.start()
		e.leader()
		e.same(2010)
		lines.want(t, "mode=DIFF from=0x10000000a to=0x1000007da")

		// What a leader proposes alone is never committed.
		old := leader
		e.net.partition(true, hostOf(old.sid), "s1", "s2")
		for i := range 7 {
			if _, err := old.server.write(memKey{3, int32(i)}, nil); err != nil {
				t.Fatal(err)
			}
		}
		e.wait("the old leader to give up", func() bool { return old.peer.Status().Role == Looking })
		if z := old.log.LastLogged(); z != jute.NewZxid(1, 2017) {
			t.Fatalf("the old leader's log ends at %v", z)
		}
		e.wait("a new leader", func() bool {
			return e.nodes[1].peer.Status().Role == Leading && e.nodes[1].peer.Status().Phase == Broadcast
		})
		e.nodes[1].mustWrite(4, 10)
		e.net.partition(false, hostOf(old.sid), "s1", "s2")
		leader = e.leader()
		e.same(2020)
		lines.want(t, "mode=TRUNC from=0x1000007da to=0x20000000a")

		follower.kill()
		leader.mustWrite(5, 10)
		leader.log.purge(leader.log.LastLogged() - 3)
		follower.start()
		e.leader()
		e.same(2030)
		lines.want(t, "mode=SNAP")
		if follower.log.base != jute.NewZxid(2, 20) || len(follower.log.entries) != 0 {
			t.Errorf("after SNAP the log begins at %v with %d entries", follower.log.base, len(follower.log.entries))
		}
		leader.mustWrite(6, 10)
		e.same(2040)
	})
}

// TestWiped brings an empty server back while the others go on, with a proposal of each size on its way.
func TestWiped(t *testing.T) {
	bubble(t, 3, 0, func(e *ensemble) {
		e.set = func(o *Options) { o.TailBytesMax = tailBytesMin; o.PendingBytesMax = 256 << 10 }
		e.startAll()
		leader := e.leader()
		leader.mustWrite(1, 100)
		follower := e.nodes[0]
		follower.kill()
		follower.wipe()
		var answers []chan error
		for i := range 200 {
			answer, err := leader.server.write(memKey{2, int32(i)}, make([]byte, (i%20)*(i%20)*300))
			if err != nil {
				t.Fatal(err)
			}
			if answers = append(answers, answer); i == 100 {
				follower.start()
			}
		}
		for _, answer := range answers {
			if err := <-answer; err != nil {
				t.Fatal(err)
			}
		}
		e.leader()
		e.same(300)
	})
}

// TestLostMemory lets no server vote that has forgotten what it acknowledged, until a leader has given it
// the tree.
func TestLostMemory(t *testing.T) {
	bubble(t, 3, 0, func(e *ensemble) {
		e.startAll()
		leader := e.leader()
		leader.mustWrite(1, 10)
		lost, other := e.nodes[0], e.nodes[1]
		other.kill()
		leader.mustWrite(2, 10) // on the leader and the one that will forget
		lost.kill()
		leader.kill()
		lost.wipe()
		var regained atomic.Bool
		lost.lost, lost.regained = true, func() error { regained.Store(true); return nil }
		lost.start()
		other.start()
		time.Sleep(20 * time.Second)
		for _, n := range []*node{lost, other} {
			if s := n.peer.Status(); s.Phase == Broadcast {
				t.Errorf("server %d is %v without the last writes", n.sid, s.Role)
			}
		}
		leader.start()
		e.leader()
		e.same(20)
		if !regained.Load() {
			t.Error("the server doesn't know that it has its memory again")
		}
	})
}

// TestEmpty makes an ensemble of empty servers, and then wipes one of them: it finds out by itself that it has
// forgotten what it acknowledged.
func TestEmpty(t *testing.T) {
	bubble(t, 3, 0, func(e *ensemble) {
		for _, n := range e.nodes {
			n.empty = true
		}
		e.startAll()
		leader := e.leader()
		leader.mustWrite(1, 10)
		wiped, other := e.nodes[0], e.nodes[1]
		other.kill()
		leader.mustWrite(2, 10) // on the leader and the one that is wiped
		wiped.kill()
		leader.kill()
		wiped.wipe()
		wiped.start()
		other.start()
		time.Sleep(20 * time.Second)
		for _, n := range []*node{wiped, other} {
			if s := n.peer.Status(); s.Phase == Broadcast {
				t.Errorf("server %d is %v without the last writes", n.sid, s.Role)
			}
		}
		leader.start()
		e.leader()
		e.same(20)
	})
}

// TestAnswers sends the packets besides proposals both ways: syncs, sessions.
func TestAnswers(t *testing.T) {
	bubble(t, 3, 1, func(e *ensemble) {
		e.startAll()
		leader := e.leader()
		for _, n := range e.nodes {
			n.mustWrite(int(n.sid), 5)
			tag := make(chan error, 1)
			if err := n.server.term.Sync(&jute.ForwardedRequest{Type: jute.OpSync}, nil, tag); err != nil {
				t.Fatal(err)
			}
			if err := <-tag; err != nil {
				t.Fatal(err)
			}
			if got := n.server.Applied(); got.Counter() < uint32(5*n.sid) {
				t.Errorf("server %d has applied %v behind a sync", n.sid, got)
			}
			if n == leader {
				continue
			}
			for session := range jute.SessionID(2) {
				if err := n.server.term.Revalidate(jute.SessionTimeout{SessionID: session, TimeoutMillis: 1000}); err != nil {
					t.Fatal(err)
				}
				if a := <-n.server.answers; a.SessionID != session || a.Valid != (session == 0) {
					t.Errorf("revalidated: %+v", a)
				}
			}
			n.server.mu.Lock()
			n.server.touched = []jute.SessionTimeout{{SessionID: jute.SessionID(70 + n.sid)}, {SessionID: 700}}
			n.server.mu.Unlock()
		}
		e.wait("touched sessions", func() bool {
			leader.server.mu.Lock()
			defer leader.server.mu.Unlock()
			for _, n := range e.nodes {
				if n != leader && leader.server.sees[jute.SessionID(70+n.sid)].SID != n.sid {
					return false
				}
			}
			return true
		})
	})
}

// TestSyncsOnTheWay asks for syncs between writes, many at once, at every server: each is answered, once, with
// everything before it applied.
func TestSyncsOnTheWay(t *testing.T) {
	bubble(t, 3, 1, func(e *ensemble) {
		e.startAll()
		e.leader()
		for _, n := range e.nodes {
			n.log.delay = 20 * time.Millisecond
		}
		for _, n := range e.nodes {
			var tags, answers []chan error
			for i := range 100 {
				answer, err := n.server.write(memKey{jute.SessionID(n.sid), int32(i)}, nil)
				if err != nil {
					t.Fatal(err)
				}
				tag := make(chan error, 1)
				if err := n.server.term.Sync(&jute.ForwardedRequest{Type: jute.OpSync}, nil, tag); err != nil {
					t.Fatal(err)
				}
				if tags, answers = append(tags, tag), append(answers, answer); i%10 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
			for i, tag := range tags {
				if err := <-tag; err != nil {
					t.Fatal(err)
				}
				select {
				case <-answers[i]:
				default:
					t.Errorf("server %d: sync %d was answered before the write before it", n.sid, i)
				}
			}
		}
	})
}

// TestCrowded fills a leader with more proposals than it may hold while it has no quorum for them, from
// clients of its own and of a learner: nothing stops for good.
func TestCrowded(t *testing.T) {
	bubble(t, 3, 0, func(e *ensemble) {
		e.set = func(o *Options) { o.PendingBytesMax = 64 << 10; o.SyncLimit = 100 }
		e.startAll()
		leader := e.leader()
		for _, n := range e.nodes {
			n.log.delay = 200 * time.Millisecond // nobody acks for a while
		}
		var answers []chan error
		for i := range 300 {
			for _, n := range e.nodes[:1] {
				answer, err := n.server.write(memKey{jute.SessionID(n.sid), int32(i)}, make([]byte, 2000))
				if err != nil {
					t.Fatal(err)
				}
				answers = append(answers, answer)
			}
		}
		leader.mustWrite(9, 50)
		for _, answer := range answers {
			if err := <-answer; err != nil {
				t.Fatal(err)
			}
		}
		e.same(350)
	})
}

// TestLogFails ends the peer of a server whose log fails; the others go on.
func TestLogFails(t *testing.T) {
	bubble(t, 3, 0, func(e *ensemble) {
		follower := e.nodes[0]
		var fatal atomic.Bool
		follower.fatal = func(error) { fatal.Store(true) }
		e.startAll()
		leader := e.leader()
		follower.log.mu.Lock()
		follower.log.fail = errors.New("no space")
		follower.log.mu.Unlock()
		leader.mustWrite(1, 5)
		e.wait("the peer to end", fatal.Load)
		follower.kill()
		leader.mustWrite(2, 5)
		e.same(10)
	})
}

// TestPartitions cuts servers off at random while clients write; in the end everything that was answered is
// everywhere.
func TestPartitions(t *testing.T) {
	seeds := uint64(3)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble(t, 5, 1, func(e *ensemble) { partitions(t, e, rand.New(rand.NewPCG(seed, 7))) })
		})
	}
}

func partitions(t *testing.T, e *ensemble, rnd *rand.Rand) {
	e.startAll()
	e.leader()
	var mu sync.Mutex
	answered := map[memKey]bool{}
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for i, n := range e.nodes {
		clients.Go(func() {
			for cxid := int32(0); ; cxid++ {
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond):
				}
				if n.write(i+1, cxid, "x") == nil {
					mu.Lock()
					answered[memKey{jute.SessionID(i + 1), cxid}] = true
					mu.Unlock()
				}
			}
		})
	}
	hosts := []string{"s1", "s2", "s3", "s4", "s5", "s6"}
	for range 12 {
		h := hosts[rnd.IntN(len(hosts))]
		others := slices.DeleteFunc(slices.Clone(hosts), func(o string) bool { return o == h || rnd.IntN(4) == 0 })
		e.net.partition(true, h, others...)
		time.Sleep(time.Duration(rnd.IntN(2000)) * time.Millisecond)
		e.net.partition(false, h, hosts...)
		time.Sleep(time.Duration(rnd.IntN(500)) * time.Millisecond)
	}
	close(stop)
	e.leader()
	for _, n := range e.nodes {
		n.server.mu.Lock()
		for _, answer := range n.server.waiting {
			answer <- ErrTermOver // a request that was lost with its link's leader
		}
		clear(n.server.waiting)
		n.server.mu.Unlock()
	}
	clients.Wait()
	leader := e.leader()
	leader.mustWrite(99, 1)
	e.wait("all to be the same", func() bool {
		for _, n := range e.nodes {
			if len(n.txns()) != len(leader.txns()) {
				return false
			}
		}
		return true
	})
	e.same(len(leader.txns()))
	have := map[memKey]bool{}
	for _, txn := range leader.txns() {
		have[txnKey(txn.Bytes)] = true
	}
	for k := range answered {
		if !have[k] {
			t.Errorf("%v was answered and is lost", k)
		}
	}
	if len(answered) < 200 {
		t.Errorf("only %d writes were answered", len(answered))
	}
	t.Logf("%d answered, %d terms", len(answered), leader.peer.Status().Epoch)
}
