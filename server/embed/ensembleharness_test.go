package embed_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
	"zk/persistence/crashdisk"
	"zk/quorum/verifier"
)

// ensembleLines are the settings of the servers of these tests: ticks so long that a busy machine does not end
// a term, and an election that does not wait for them.
var ensembleLines = []string{"tickTime=500", "initLimit=60", "syncLimit=30", "minSessionTimeout=100", "maxSessionTimeout=60000"}

// group is an ensemble in this process: servers on disks in memory, joined by a network that can be cut. Server
// n has the id n+1.
type group struct {
	t       testing.TB
	rigs    []*rig
	members *verifier.Config
	net     *fabric
}

// startGroup starts n voters and some observers behind them.
func startGroup(t testing.TB, voters, observers int, lines ...string) *group {
	t.Helper()
	g := newGroup(t, voters, observers, lines...)
	for i := range g.rigs {
		g.rigs[i].open()
	}
	for i := range g.rigs {
		g.awaitServing(i)
	}
	return g
}

func newGroup(t testing.TB, voters, observers int, lines ...string) *group {
	t.Helper()
	g := &group{t: t, net: &fabric{addrs: map[string]string{}, cut: map[int]bool{}, open: map[net.Conn][2]int{}}}
	var list verifier.Builder
	for i := range voters + observers {
		role := "participant"
		if i >= voters {
			role = "observer"
		}
		if err := list.Add(fmt.Sprint("server.", i+1), hostOf(i)+":2888:3888:"+role, false); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if g.members, err = list.Config(); err != nil {
		t.Fatal(err)
	}
	for i := range voters + observers {
		g.rigs = append(g.rigs, g.rig(i, crashdisk.New(), lines))
	}
	return g
}

func hostOf(i int) string { return fmt.Sprintf("server%d", i+1) }

func (g *group) rig(i int, fs vfs.FS, lines []string) *rig {
	r := newRig(g.t, fs, slices.Concat(ensembleLines, lines)...)
	r.cfg.ServerID, r.cfg.Members = int64(i+1), g.members
	if !g.members.IsVoter(jute.ServerID(i + 1)) {
		r.cfg.PeerType = "observer"
	}
	r.deps.Listen = g.net.listen
	r.deps.Dial = func(ctx context.Context, _, address string) (net.Conn, error) { return g.net.dial(ctx, i, address) }
	return r
}

// crash ends a server as a power cut would: its disk keeps what was synced. It can be opened again.
func (g *group) crash(i int) {
	g.t.Helper()
	r := g.rigs[i]
	g.net.isolate(i, true)
	fs := r.fs.(*crashdisk.Disk).CrashClone(vfs.CrashCloneCfg{RNG: rand.New(rand.NewPCG(uint64(i), 2))})
	r.close()
	g.net.isolate(i, false)
	next := g.rig(i, fs, nil)
	next.cfg = r.cfg
	g.rigs[i] = next
}

func (g *group) serving(i int) bool {
	return g.rigs[i].node != nil && strings.HasPrefix(g.rigs[i].word("srvr"), "Zookeeper")
}

func (g *group) awaitServing(i int) {
	g.t.Helper()
	await(g.t, hostOf(i)+" serves", func() bool { return g.serving(i) })
}

func (g *group) mode(i int) string {
	_, after, _ := strings.Cut(g.rigs[i].word("srvr"), "Mode: ")
	mode, _, _ := strings.Cut(after, "\n")
	return mode
}

// leader waits for one, and gives its place; followers are the other voters that serve.
func (g *group) leader() (leader int, followers []int) {
	g.t.Helper()
	await(g.t, "a leader", func() bool {
		leader, followers = -1, nil
		for i, r := range g.rigs {
			if r.node == nil {
				continue
			}
			switch g.mode(i) {
			case "leader":
				leader = i
			case "follower":
				followers = append(followers, i)
			}
		}
		return leader >= 0
	})
	return leader, followers
}

// same waits until every server that runs serves, and compares their trees at the same transaction.
func (g *group) same() {
	g.t.Helper()
	var running []*rig
	for i, r := range g.rigs {
		if r.node != nil {
			g.awaitServing(i)
			running = append(running, r)
		}
	}
	zxid := func(r *rig) string {
		c := r.connect()
		defer func() { _ = c.nc.Close() }()
		c.ok(jute.OpSync, onePath("/"))
		return listing(c, "/")
	}
	want := zxid(running[0])
	for _, r := range running[1:] {
		if got := zxid(r); got != want {
			g.t.Errorf("server %d has\n%s\nserver %d has\n%s", r.cfg.ServerID, got, running[0].cfg.ServerID, want)
		}
	}
	for _, r := range running {
		if n := r.node.Metrics().DigestMismatchesCount.Value(); n > 0 {
			g.t.Errorf("server %d: %d digests differ", r.cfg.ServerID, n)
		}
	}
}

// listing is the tree below path as a client reads it, but for /zookeeper.
func listing(c *client, path string) string {
	d := c.ok(jute.OpGetData, read(path, false))
	data := d.Buffer()
	var st jute.Stat
	st.Decode(d)
	text := fmt.Sprintf("%s %q %+v\n", path, data, st)
	children := c.ok(jute.OpGetChildren, read(path, false)).Strings()
	slices.Sort(children)
	for _, name := range children {
		if child := strings.TrimSuffix(path, "/") + "/" + name; child != "/zookeeper" {
			text += listing(c, child)
		}
	}
	return text
}

// fabric is the network between servers: addresses by name, and connections that can be cut.
type fabric struct {
	mu    sync.Mutex
	addrs map[string]string   // guarded by mu; name to the socket that listens
	cut   map[int]bool        // guarded by mu; servers that reach nobody
	open  map[net.Conn][2]int // guarded by mu; dialled connections, and between whom
}

var errCut = errors.New("cut off")

func (f *fabric) listen(network, address string) (net.Listener, error) {
	if !strings.HasPrefix(address, "server") { // a port for clients
		return net.Listen(network, address)
	}
	l, err := net.Listen(network, "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.addrs[address] = l.Addr().String()
	return l, nil
}

func (f *fabric) dial(ctx context.Context, from int, address string) (net.Conn, error) {
	var to int
	_, _ = fmt.Sscanf(address, "server%d:", &to)
	to--
	f.mu.Lock()
	real, ok := f.addrs[address]
	cut := f.cut[from] || f.cut[to]
	f.mu.Unlock()
	if !ok || cut {
		return nil, errCut
	}
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", real)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open[nc] = [2]int{from, to}
	return nc, nil
}

// isolate cuts a server off from the others, or lets it back.
func (f *fabric) isolate(i int, off bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut[i] = off
	if !off {
		return
	}
	for nc, ends := range f.open {
		if ends[0] == i || ends[1] == i {
			_ = nc.Close()
			delete(f.open, nc)
		}
	}
}
