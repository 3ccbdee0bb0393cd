package quorum

import (
	"context"
	"encoding/binary"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"zk/jute"
)

// record counts what a server's hooks are told.
type record struct {
	mu                                         sync.Mutex
	received, logged, quorum, committed        int // transactions with an age
	proposals, commits, leaderCommits, sending int
	young                                      int // of them, with an age that can't be
	acked                                      map[jute.ServerID]int
	elected, available, closed, disloyal       int
}

// age is how old the test's transactions are when they are proposed.
const age = 50

func (r *record) hooks() Hooks {
	add := func(n *int) func(int64, int) {
		return func(millis int64, many int) {
			r.mu.Lock()
			defer r.mu.Unlock()
			*n += many
			if millis < age || millis > age+60_000 {
				r.young += many
			}
		}
	}
	count := func(n *int) func(int) {
		return func(many int) {
			r.mu.Lock()
			defer r.mu.Unlock()
			*n += many
		}
	}
	r.acked = map[jute.ServerID]int{}
	return Hooks{
		Elected:   func(time.Duration) { count(&r.elected)(1) },
		Available: func(Role, time.Duration) { count(&r.available)(1) },
		Closed:    func(time.Duration) { count(&r.closed)(1) },
		Disloyal:  func() { count(&r.disloyal)(1) },
		Committed: count(&r.leaderCommits), ProposalReceived: count(&r.proposals), CommitReceived: count(&r.commits),
		Sending: func(jute.ServerID, int, int64) { count(&r.sending)(1) },
		Ages: AgeHooks{
			Received: add(&r.received), Logged: add(&r.logged), QuorumAcked: add(&r.quorum), Committed: add(&r.committed),
			Acked: func(sid jute.ServerID, _ int64) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.acked[sid]++
			},
		},
	}
}

// TestHooks: everybody counts each transaction of the broadcast once at every station.
func TestHooks(t *testing.T) {
	bubble(t, 3, 1, func(e *ensemble) {
		e.set = func(o *Options) { o.AckSample = 10 }
		records := map[*node]*record{}
		for _, n := range e.nodes {
			records[n] = &record{}
			n.hooks = records[n].hooks()
		}
		e.startAll()
		leader := e.leader()
		const count = 100
		for i := range count {
			// Behind session and cxid: eight bytes of the header, then the time.
			data := binary.BigEndian.AppendUint64(make([]byte, 8), uint64(time.Now().UnixMilli()-age))
			if err := leader.write(1, int32(i), string(data)); err != nil {
				t.Fatal(err)
			}
		}
		e.same(count)
		e.wait("the last acknowledgements", func() bool {
			r := records[leader]
			r.mu.Lock()
			defer r.mu.Unlock()
			return len(r.acked) == 3 && r.acked[1] == count/10 && r.acked[2] == count/10 && r.acked[3] == count/10
		})
		for _, n := range e.nodes {
			r := records[n]
			r.mu.Lock()
			type figures struct{ received, logged, quorum, committed, proposals, commits, leaderCommits, elected int }
			got := figures{r.received, r.logged, r.quorum, r.committed, r.proposals, r.commits, r.leaderCommits, r.elected}
			want := figures{received: count, logged: count, committed: count, proposals: count, commits: count, elected: 1}
			switch n.peer.Status().Role {
			case Leading:
				want = figures{logged: count, quorum: count, leaderCommits: count, elected: 1}
				if r.sending == 0 {
					t.Error("nothing was told of what waits for learners")
				}
			case Observing:
				want = figures{committed: count, commits: count}
			}
			if got != want || r.young != 0 || r.available != 1 || r.closed != 0 {
				t.Errorf("server %d: %+v, want %+v; of impossible age %d, available %d, closed %d", n.sid, got, want, r.young, r.available, r.closed)
			}
			r.mu.Unlock()
		}
		leader.kill()
		next := e.leader()
		r := records[next]
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.available != 2 || r.closed == 0 {
			t.Errorf("the next leader, server %d, was available %d times and has closed %d connections", next.sid, r.available, r.closed)
		}
	})
}

// TestDisloyalVoter: a leader whose voters can't reach it gives up when they look for another one, long before its
// own patience ends.
func TestDisloyalVoter(t *testing.T) {
	bubble(t, 3, 0, func(e *ensemble) {
		e.set = func(o *Options) {
			o.InitLimit, o.WaitForEpochMax = 1000, 300*time.Millisecond // else 100 s
			o.ConnectToLearnerMasterLimit = 10
		}
		records := map[*node]*record{}
		var mu sync.Mutex
		blocked := true
		for _, n := range e.nodes {
			records[n] = &record{}
			n.hooks = records[n].hooks()
			dial := e.net.dial(hostOf(n.sid))
			n.dial = func(ctx context.Context, addr string) (net.Conn, error) {
				mu.Lock()
				defer mu.Unlock()
				if blocked && strings.HasSuffix(addr, ":2888") {
					return nil, errRefused
				}
				return dial(ctx, addr)
			}
		}
		e.startAll()
		e.wait("a leader that gives up", func() bool {
			for _, r := range records {
				r.mu.Lock()
				n := r.disloyal
				r.mu.Unlock()
				if n > 0 {
					return true
				}
			}
			return false
		})
		mu.Lock()
		blocked = false
		mu.Unlock()
		e.leader()
	})
}

// TestObserverDelay: an observer that has lost its leader takes its time.
func TestObserverDelay(t *testing.T) {
	bubble(t, 3, 1, func(e *ensemble) {
		e.set = func(o *Options) { o.ObserverElectionDelay = 1e6 * time.Hour }
		e.startAll()
		e.leader().kill()
		observer := e.nodes[3]
		e.wait("the voters' next leader", func() bool {
			for _, n := range e.nodes[:3] {
				if n.peer != nil && n.peer.Status().Role == Leading && n.peer.Status().Phase == Broadcast {
					return true
				}
			}
			return false
		})
		time.Sleep(10 * time.Second)
		if s := observer.peer.Status(); s.Role != Observing || !s.LookingSince.IsZero() {
			t.Errorf("the observer doesn't wait: %+v", s)
		}
		if s := observer.server; !s.idle() {
			t.Error("the observer serves while it waits")
		}
	})
}

// TestDialAny: of several addresses the first that answers is used; without probes they are tried in turn.
func TestDialAny(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := map[string]time.Duration{"fast": 10 * time.Millisecond, "slow": 3 * time.Second} // "dead" never does
		open := 0
		var mu sync.Mutex
		dial := func(ctx context.Context, addr string) (net.Conn, error) {
			after, ok := answers[addr]
			if !ok {
				after = time.Hour
			}
			select {
			case <-time.After(after):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			mu.Lock()
			defer mu.Unlock()
			open++
			return countedConn{addr: addr, close: func() { mu.Lock(); defer mu.Unlock(); open-- }}, nil
		}
		for _, c := range []struct {
			probe     time.Duration
			addresses string
			want      string
			took      time.Duration
		}{
			{time.Second, "dead fast slow", "fast", 10 * time.Millisecond},
			{time.Second, "fast fast", "fast", 10 * time.Millisecond},
			{time.Second, "dead slow", "slow", time.Second + 5*time.Second + 3*time.Second},
			{time.Second, "slow", "slow", 3 * time.Second}, // one alone is not probed
			{0, "dead fast", "fast", 5*time.Second + 10*time.Millisecond},
			{time.Second, "dead dead", "", time.Second + 10*time.Second},
		} {
			began := time.Now()
			o := &Options{ReachabilityTimeout: c.probe}
			conn, err := o.dialAny(t.Context(), dial, strings.Fields(c.addresses), 5*time.Second)
			got := ""
			if err == nil {
				got = conn.(countedConn).addr
				_ = conn.Close()
			}
			if took := time.Since(began); got != c.want || took != c.took {
				t.Errorf("%s: %q after %v, want %q after %v", c.addresses, got, took, c.want, c.took)
			}
			synctest.Wait()
			if open != 0 {
				t.Errorf("%s: %d connections are left", c.addresses, open)
			}
		}
	})
}

// countedConn is nothing but an address and an end.
type countedConn struct {
	net.Conn
	addr  string
	close func()
}

func (c countedConn) Close() error { c.close(); return nil }
