package ensemble

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"zk/compat/harness"
)

// patience bounds every wait; what is awaited takes a second or two.
const patience = 60 * time.Second

func needCompat(t *testing.T) {
	t.Helper()
	if os.Getenv(harness.EnableEnv) == "" {
		t.Skip("compat tests run with " + harness.EnableEnv + "=1")
	}
}

// members describes an ensemble of one kind: voters, and observers behind them.
func members(kind harness.Kind, voters, observers int) (list []harness.MemberOptions) {
	for i := range voters + observers {
		list = append(list, harness.MemberOptions{Kind: kind, Observer: i >= voters})
	}
	return list
}

// quiet drops what the client has to say: lost connections are what these tests are about.
type quiet struct{}

func (quiet) Printf(string, ...any) {}

// connect makes a client of some servers, which it tries in their order. It ends with the context.
func connect(ctx context.Context, servers ...string) (*zk.Conn, error) {
	c, _, err := zk.Connect(servers, 5*time.Second, zk.WithLogger(quiet{}), zk.WithLogInfo(false), zk.WithHostProvider(&inOrder{}))
	if err == nil {
		context.AfterFunc(ctx, c.Close)
	}
	return c, err
}

// inOrder is a zk.HostProvider that begins with the first server.
type inOrder struct {
	mu      sync.Mutex
	servers []string // guarded by mu
	next    int      // guarded by mu
	tried   int      // guarded by mu; since the last connection
}

func (h *inOrder) Init(servers []string) error { h.servers = servers; return nil }

func (h *inOrder) Len() int { return len(h.servers) }

// Next pauses after a round through all servers.
func (h *inOrder) Next() (server string, retryStart bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	server = h.servers[h.next%len(h.servers)]
	retryStart = h.tried > 0 && h.tried%len(h.servers) == 0
	h.next++
	h.tried++
	return server, retryStart
}

func (h *inOrder) Connected() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tried = 0
}

// load is clients that create nodes one after the other, and keep account of what was acknowledged.
type load struct {
	t     *testing.T
	stop  context.CancelFunc
	work  sync.WaitGroup
	acked atomic.Int64

	mu    sync.Mutex
	paths []string // guarded by mu
}

// startLoad starts n clients, each of which knows all servers and begins with another.
func startLoad(t *testing.T, e *harness.Ensemble, dir string, n int) *load {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	l := &load{t: t, stop: stop}
	t.Cleanup(l.end)
	setup, err := connect(ctx, e.Servers[0].Addr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := setup.Create(dir, nil, 0, zk.WorldACL(zk.PermAll)); err != nil {
		t.Fatal(err)
	}
	for k := range n {
		addrs := make([]string, 0, len(e.Servers))
		for i := range e.Servers {
			addrs = append(addrs, e.Servers[(i+k)%len(e.Servers)].Addr)
		}
		l.work.Go(func() { l.run(ctx, addrs, fmt.Sprintf("%s/c%d-", dir, k)) })
	}
	return l
}

// run creates nodes until the context ends. A create whose answer was lost is repeated: that the node exists is
// an acknowledgement, too.
func (l *load) run(ctx context.Context, servers []string, prefix string) {
	c, err := connect(ctx, servers...)
	if err != nil {
		l.t.Error(err)
		return
	}
	for i := 0; ctx.Err() == nil; {
		path := fmt.Sprint(prefix, i)
		if _, err := c.Create(path, []byte(path), 0, zk.WorldACL(zk.PermAll)); err == nil || errors.Is(err, zk.ErrNodeExists) {
			l.mu.Lock()
			l.paths = append(l.paths, path)
			l.mu.Unlock()
			l.acked.Add(1)
			i++
		}
	}
}

// progress waits until so many more writes are acknowledged.
func (l *load) progress(n int64) {
	l.t.Helper()
	want := l.acked.Load() + n
	for end := time.Now().Add(patience); l.acked.Load() < want; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			l.t.Fatalf("no progress: %d writes acknowledged, want %d", l.acked.Load(), want)
		}
	}
}

// end stops the clients; paths are what they were acknowledged.
func (l *load) end() {
	l.stop()
	l.work.Wait()
}

// check looks for everything acknowledged on every server, and compares their trees below dir.
func (l *load) check(e *harness.Ensemble, dir string) {
	l.t.Helper()
	var want string
	for _, s := range e.Servers {
		c, err := connect(l.t.Context(), s.Addr)
		if err != nil {
			l.t.Fatal(err)
		}
		if _, err := c.Sync("/"); err != nil {
			l.t.Fatal(err)
		}
		names, stat, err := c.Children(dir)
		if err != nil {
			l.t.Fatal(err)
		}
		slices.Sort(names)
		have := make(map[string]bool, len(names))
		for _, n := range names {
			have[dir+"/"+n] = true
		}
		lost := 0
		for _, p := range l.paths {
			if !have[p] {
				lost++
				l.t.Logf("server %d lacks %s", s.ID(), p)
			}
		}
		if lost > 0 {
			l.t.Errorf("server %d lacks %d of %d writes that were acknowledged", s.ID(), lost, len(l.paths))
		}
		tree := fmt.Sprintf("%+v %v", stat, names)
		if want == "" {
			want = tree
		}
		if tree != want {
			l.t.Errorf("server %d has another tree than server %d", s.ID(), e.Servers[0].ID())
		}
		if n := s.Figure("digest_mismatches_count"); n != "0" {
			l.t.Errorf("server %d: digest_mismatches_count %s", s.ID(), n)
		}
	}
}
