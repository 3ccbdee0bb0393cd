package quorum

import (
	"context"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"zk/jute"
)

// BenchmarkEnsemble is the cost of a transaction of 1 KiB in an ensemble of three over TCP on one machine, with
// logs and trees that cost nothing: what is measured is this package, with the cores and the system calls of
// the links, on the leader and both followers together. inflight transactions are on their way at once.
func BenchmarkEnsemble(b *testing.B) {
	for _, inflight := range []int{1, 16, 1024} {
		b.Run(map[int]string{1: "inflight=1", 16: "inflight=16", 1024: "inflight=1024"}[inflight], func(b *testing.B) {
			benchmarkEnsemble(b, inflight)
		})
	}
}

// instantLog is a memLog that is durable at once, and keeps no more than the newest entries.
type instantLog struct {
	*memLog
	mu   sync.Mutex
	last jute.Zxid
}

func (l *instantLog) LastLogged() jute.Zxid { l.mu.Lock(); defer l.mu.Unlock(); return l.last }
func (l *instantLog) Drain() error          { return nil }

func (l *instantLog) Append(z jute.Zxid, _ []byte) error {
	l.mu.Lock()
	l.last = z
	l.mu.Unlock()
	l.told(z)
	return nil
}

// tcpNet is loopback TCP behind the names of the ensemble.
type tcpNet struct {
	mu    sync.Mutex
	ports map[string]string
}

func (n *tcpNet) listen(_ context.Context, addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		n.mu.Lock()
		n.ports[addr] = l.Addr().String()
		n.mu.Unlock()
	}
	return l, err
}

func (n *tcpNet) dial(ctx context.Context, addr string) (net.Conn, error) {
	n.mu.Lock()
	to := n.ports[addr]
	n.mu.Unlock()
	var d net.Dialer
	return d.DialContext(ctx, "tcp", to)
}

func benchmarkEnsemble(b *testing.B, inflight int) {
	e := newEnsemble(b, 3, 0)
	tcp := &tcpNet{ports: map[string]string{}}
	var leader *node
	for _, n := range e.nodes {
		n.server = newMemServer(n.log)
		n.server.count = true
		log := &instantLog{memLog: n.log}
		n.server.logged = log.LastLogged
		p, err := New(Options{Me: n.sid, Config: e.conf, TickTime: time.Second, InitLimit: 10, SyncLimit: 5}, Deps{
			Log: log, StateMachine: n.server, Dial: tcp.dial, Listen: tcp.listen,
			Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Fatal: func(err error) { b.Error(err) },
		})
		if err != nil {
			b.Fatal(err)
		}
		log.told = p.Durable
		n.peer = p
		p.Start()
		defer p.Close()
	}
	leader = e.leader()
	txn := make([]byte, 1024)
	slots := make(chan struct{}, inflight)
	leader.server.applies = func(n int) {
		for range n {
			<-slots
		}
	}
	term := leader.server.term
	b.ReportAllocs()
	b.SetBytes(int64(len(txn)))
	for b.Loop() {
		slots <- struct{}{}
		if err := leader.server.propose(term, txn); err != nil {
			b.Fatal(err)
		}
	}
	for range inflight {
		slots <- struct{}{}
	}
}
