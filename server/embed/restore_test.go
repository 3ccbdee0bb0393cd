package embed_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/adler32"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
	"zk/persistence/crashdisk"
	"zk/persistence/javafile"
	"zk/server/tree"
)

// snapshot takes a snapshot of the server.
func (r *rig) snapshot() []byte {
	r.t.Helper()
	b, err := r.trySnapshot()
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

func (r *rig) trySnapshot() ([]byte, error) {
	s, err := r.node.Snapshot(context.Background())
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	n, err := s.WriteTo(&b)
	if err == nil && (n != s.Size() || int64(b.Len()) != n) {
		err = fmt.Errorf("%d bytes announced, %d written, %d told", s.Size(), b.Len(), n)
	}
	return b.Bytes(), errors.Join(err, s.Close())
}

func (r *rig) restore(b []byte) jute.Zxid {
	r.t.Helper()
	zxid, err := r.node.Restore(context.Background(), bytes.NewReader(b))
	if err != nil {
		r.t.Fatal(err)
	}
	return zxid
}

// shot is a snapshot taken apart.
type shot struct {
	sessions map[jute.SessionID]int32
	acls     map[int64][]jute.ACL
	nodes    map[string]jute.SnapshotNode
	trailer  javafile.Trailer
	digest   int64 // of the nodes
}

func parse(t testing.TB, b []byte) *shot {
	t.Helper()
	s := &shot{sessions: map[jute.SessionID]int32{}, acls: map[int64][]jute.ACL{}, nodes: map[string]jute.SnapshotNode{}}
	tr, err := javafile.ReadSnapshot(bytes.NewReader(b), javafile.ReadOptions{}, javafile.Visitor{
		Session: func(v *jute.SnapshotSession) error { s.sessions[v.SessionID] = v.TimeoutMillis; return nil },
		ACL:     func(a *jute.SnapshotACL) error { s.acls[a.ID] = a.ACL; return nil },
		Node: func(n *jute.SnapshotNode) error {
			v := *n
			v.Data = bytes.Clone(n.Data)
			s.nodes[n.Path] = v
			if tree.Digested(n.Path) {
				s.digest += tree.NodeDigest(tree.DataCRC(n.Path, n.Data), &n.Stat)
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.trailer = tr
	return s
}

// sameTree compares two snapshots but for their ACL ids, and what Java counts anew.
func sameTree(t testing.TB, got, want *shot) {
	t.Helper()
	if len(got.nodes) != len(want.nodes) || len(got.sessions) != len(want.sessions) {
		t.Errorf("%d nodes, %d sessions; want %d and %d", len(got.nodes), len(got.sessions), len(want.nodes), len(want.sessions))
	}
	for path, w := range want.nodes {
		g, ok := got.nodes[path]
		switch {
		case !ok:
			t.Errorf("%q is missing", path)
			continue
		case g.Stat != w.Stat || (g.Data == nil) != (w.Data == nil):
			t.Errorf("%q: %+v, want %+v", path, g, w)
		case !bytes.Equal(g.Data, w.Data) && !strings.HasSuffix(path, "/"+tree.QuotaStatsNode):
			t.Errorf("%q: data %q, want %q", path, g.Data, w.Data)
		}
		if a, b := got.list(g.ACLID), want.list(w.ACLID); !slices.Equal(a, b) {
			t.Errorf("%q: ACL %v, want %v", path, a, b)
		}
	}
	for id, timeout := range want.sessions {
		if got.sessions[id] != timeout {
			t.Errorf("session %v: timeout %d, want %d", id, got.sessions[id], timeout)
		}
	}
	if got.digest != want.digest {
		t.Errorf("digest %d, want %d", got.digest, want.digest)
	}
}

func (s *shot) list(id int64) []jute.ACL {
	if id == jute.ACLIDOpen {
		return open
	}
	return s.acls[id]
}

// whole checks what a snapshot says of itself.
func (s *shot) whole(t testing.TB) {
	t.Helper()
	if !s.trailer.HasDigest || !s.trailer.HasLastZxid || s.trailer.Digest.Zxid != s.trailer.LastZxid || s.trailer.Digest.Digest.TreeDigest != s.digest {
		t.Errorf("trailer %+v, digest of the nodes %d", s.trailer, s.digest)
	}
}

// allKinds writes a node of every kind.
func (c *client) allKinds() {
	c.t.Helper()
	scheme := "digest"
	auth := jute.AuthPacket{Scheme: &scheme, Auth: []byte("bob:secret")}
	c.ok(jute.OpAuth, auth.Append(nil))
	c.ok(jute.OpCreate, create("/plain", "data", 0))
	c.ok(jute.OpCreate, create("/plain/empty", "", 0))
	null := jute.CreateRequest{Path: "/plain/null", ACL: open}
	c.ok(jute.OpCreate, null.Append(nil, jute.OpCreate))
	c.ok(jute.OpCreate, create("/plain/large", strings.Repeat("x", 100_000), 0))
	c.ok(jute.OpCreate, create("/plain/grown", "small", 0))
	c.ok(jute.OpSetData, setData("/plain/grown", strings.Repeat("y", 5000), -1))
	c.ok(jute.OpCreate, create("/plain/shrunk", strings.Repeat("z", 5000), 0))
	c.ok(jute.OpSetData, setData("/plain/shrunk", "z", -1))
	c.ok(jute.OpCreate, create("/plain/ünïcode☃", "ü", 0))
	c.ok(jute.OpCreate, create("/ephemeral", "e", jute.FlagEphemeral))
	c.ok(jute.OpCreate, create("/plain/seq-", "s", jute.FlagSequential))
	c.ok(jute.OpCreateContainer, create("/container", "c", 4))
	acl := jute.CreateRequest{Path: "/mine", Data: []byte("m"), ACL: []jute.ACL{{Perms: jute.PermAll, ID: jute.ID{Scheme: "auth"}}}}
	c.ok(jute.OpCreate, acl.Append(nil, jute.OpCreate))
	ip := jute.CreateRequest{Path: "/mine/ip", ACL: []jute.ACL{{Perms: jute.PermRead, ID: jute.ID{Scheme: "ip", ID: "127.0.0.1"}},
		{Perms: jute.PermAll, ID: jute.ID{Scheme: "world", ID: "anyone"}}}}
	c.ok(jute.OpCreate, ip.Append(nil, jute.OpCreate))
	c.ok(jute.OpCreate, create("/quota", "", 0))
	c.ok(jute.OpCreate, create("/zookeeper/quota/quota", "", 0))
	c.ok(jute.OpCreate, create("/zookeeper/quota/quota/zookeeper_limits", "count=100,bytes=-1", 0))
	c.ok(jute.OpCreate, create("/zookeeper/quota/quota/zookeeper_stats", "count=0,bytes=0", 0))
	c.ok(jute.OpCreate, create("/quota/a", "12345", 0))
	c.ok(jute.OpDelete, remove("/plain/empty"))
}

func TestSnapshot(t *testing.T) {
	r := start(t)
	empty := parse(t, r.snapshot())
	if len(empty.nodes) != 4 || empty.digest != 1371985504 || empty.trailer.Digest.Zxid != 0 || empty.trailer.LastZxid != 0 {
		t.Errorf("fresh tree: %+v", empty)
	}
	c := r.connect()
	c.allKinds()
	s := parse(t, r.snapshot())
	s.whole(t)
	if s.trailer.LastZxid != c.zxid || s.sessions[c.sid] != c.timeout {
		t.Errorf("zxid %v, want %v; sessions %v", s.trailer.LastZxid, c.zxid, s.sessions)
	}
	if n := s.nodes["/plain/null"]; n.Data != nil || n.ACLID != jute.ACLIDOpen {
		t.Errorf("null node %+v", n)
	}
	if n := s.nodes["/mine/ip"]; len(s.list(n.ACLID)) != 2 {
		t.Errorf("ACL %v", s.list(n.ACLID))
	}
	if n := s.nodes["/container"]; n.Stat.EphemeralOwner != tree.ContainerOwner {
		t.Errorf("container %+v", n)
	}
	if got := string(s.nodes["/zookeeper/quota/quota/zookeeper_stats"].Data); got != "count=2,bytes=5" {
		t.Errorf("quota %q", got)
	}
}

// TestSnapshotUnderLoad takes snapshots while clients write: each is the tree at its zxid.
func TestSnapshotUnderLoad(t *testing.T) {
	nodes, shots := 100_000, 5
	if testing.Short() {
		nodes, shots = 10_000, 3
	}
	r := start(t)
	seed := rand.Uint64()
	t.Log("seed", seed)
	r.connect().fill("/base", nodes)
	var stop atomic.Bool
	var writes atomic.Int64
	done := make(chan struct{})
	go func() { // ends with stop
		defer close(done)
		together(3, func(i int) {
			c := r.connect()
			rnd := rand.New(rand.NewPCG(seed, uint64(i)))
			own := fmt.Sprintf("/own%d", i)
			c.ok(jute.OpCreate, create(own, "", 0))
			for n := 0; !stop.Load(); n++ {
				writes.Add(1)
				c.ok(jute.OpSetData, setData(fmt.Sprintf("/base/n%06d", rnd.IntN(nodes)), strings.Repeat("v", rnd.IntN(3000)), -1))
				path := fmt.Sprintf("%s/%d", own, n)
				c.ok(jute.OpMulti, multi(part{jute.OpCreate, create(path, "", jute.FlagEphemeral)}, part{jute.OpCreate, create(path+"x", "", 0)}))
				if n%2 == 1 {
					c.ok(jute.OpDelete, remove(path))
				}
			}
		})
	}()
	last := jute.Zxid(0)
	for range shots {
		was := writes.Load()
		await(t, "writes", func() bool { return writes.Load() > was+100 })
		s := parse(t, r.snapshot())
		s.whole(t)
		if s.trailer.LastZxid <= last {
			t.Errorf("zxid %v after %v", s.trailer.LastZxid, last)
		}
		last = s.trailer.LastZxid
		if len(s.nodes) < nodes {
			t.Errorf("%d nodes", len(s.nodes))
		}
	}
	stop.Store(true)
	<-done
}

// TestRestore puts a snapshot back after more was written, with all that hangs on it.
func TestRestore(t *testing.T) {
	r := start(t)
	c := r.connect()
	c.allKinds()
	b := r.snapshot()
	want := parse(t, b)

	later := r.connect() // a session that the snapshot doesn't have
	later.ok(jute.OpCreate, create("/later", "", 0))
	c.ok(jute.OpSetData, setData("/plain", "changed", -1))
	c.ok(jute.OpDelete, remove("/plain/large"))
	c.ok(jute.OpDelete, remove("/ephemeral"))
	c.ok(jute.OpCreate, create("/quota/b", "123", 0))
	highest := c.zxid

	if zxid := r.restore(b); zxid != want.trailer.LastZxid {
		t.Errorf("restored to %v, want %v", zxid, want.trailer.LastZxid)
	}
	sameTree(t, parse(t, r.snapshot()), want)
	if err := later.gone(); err != nil {
		t.Error("a connection without a session:", err)
	}
	if _, ok := r.renew(later); ok {
		t.Error("a session that is not in the snapshot was renewed")
	}
	c.zxid = 0 // it goes back, as in Java
	d := c.ok(jute.OpGetData, read("/plain", false))
	if got := string(d.Buffer()); got != "data" || c.zxid != want.trailer.LastZxid {
		t.Errorf("data %q at %v", got, c.zxid)
	}
	// The next zxid was never given out.
	c.ok(jute.OpCreate, create("/after", "", 0))
	if c.zxid != highest+1 && c.zxid != highest+2 { // +2: the session of the renewal
		t.Errorf("next zxid %v, want %v", c.zxid, highest+1)
	}
	c.ok(jute.OpCreate, create("/quota/c", "1234567", 0))
	if got := string(c.ok(jute.OpGetData, read("/zookeeper/quota/quota/zookeeper_stats", false)).Buffer()); got != "count=3,bytes=12" {
		t.Errorf("quota %q", got)
	}
	if !strings.Contains(r.word("srvr"), "Zxid: "+fmt.Sprintf("%#x", uint64(c.zxid))) {
		t.Error(r.word("srvr"))
	}
	after := parse(t, r.snapshot())
	after.whole(t)
	for range 2 { // from the log, then from the state
		r.restart()
		sameTree(t, parse(t, r.snapshot()), after)
	}
	again, ok := r.renew(c)
	if !ok {
		t.Fatal("session lost")
	}
	again.ok(jute.OpCloseSession, nil)
	if n, ok := parse(t, r.snapshot()).nodes["/ephemeral"]; ok {
		t.Errorf("ephemeral of a closed session: %+v", n)
	}
}

// TestRestoreKeeps is about what a connection keeps over a restore: its session, its watches, its identities.
func TestRestoreKeeps(t *testing.T) {
	r := start(t)
	c := r.connect()
	c.allKinds()
	b := r.snapshot()
	c.ok(jute.OpGetData, read("/plain", true))
	c.ok(jute.OpGetChildren, read("/plain", true))
	r.restore(b)
	c.zxid = 0
	c.ok(jute.OpGetData, read("/mine", false)) // as bob
	other := r.connect()
	other.ok(jute.OpSetData, setData("/plain", "x", -1))
	other.ok(jute.OpCreate, create("/plain/child", "", 0))
	for _, want := range []event{{jute.EventNodeDataChanged, "/plain"}, {jute.EventNodeChildrenChanged, "/plain"}} {
		if ev, err := c.awaitEvent(); err != nil || ev != want {
			t.Errorf("event %+v %v, want %+v", ev, err, want)
		}
	}
}

// TestRestoreCold restores over a tree that is not in memory yet, while clients read it.
func TestRestoreCold(t *testing.T) {
	r := start(t)
	c := r.connect()
	c.allKinds()
	c.fill("/base", 2000)
	b := r.snapshot()
	want := parse(t, b)
	for _, cold := range []bool{true, false} {
		r.deps.Cold = cold
		r.restart()
		var stop atomic.Bool
		var ready sync.WaitGroup
		ready.Add(3)
		done := make(chan struct{})
		go func() { // ends with stop
			defer close(done)
			together(3, func(i int) {
				nc := r.dial()
				defer func() { _ = nc.Close() }()
				c := &client{t: t, nc: nc}
				if err := c.login(30000); err != nil {
					t.Error(err)
				}
				ready.Done()
				for n := i; !stop.Load(); n += 7 {
					c.zxid = 0
					v, err := c.try(jute.OpGetData, read(fmt.Sprintf("/base/n%06d", n%2000), false))
					if err != nil || v.Err == jute.CodeSessionExpired {
						return // its session is not in the snapshot; the server may say so before it hangs up
					}
					if v.Err != jute.CodeOk {
						t.Error(v.Err)
					}
				}
			})
		}()
		ready.Wait() // else a session comes after the restore
		r.restore(b)
		stop.Store(true)
		<-done
		sameTree(t, parse(t, r.snapshot()), want)
	}
}

// TestRestoreFromAhead restores a snapshot whose zxid is later than the server's.
func TestRestoreFromAhead(t *testing.T) {
	other := start(t)
	oc := other.connect()
	oc.fill("/x", 3000)
	oc.allKinds()
	b := other.snapshot()
	want := parse(t, b)
	r := start(t)
	c := r.connect()
	c.ok(jute.OpCreate, create("/mine", "", 0))
	if zxid := r.restore(b); zxid != oc.zxid {
		t.Errorf("restored to %v, want %v", zxid, oc.zxid)
	}
	if err := c.gone(); err != nil {
		t.Error(err)
	}
	r.restart()
	got := parse(t, r.snapshot())
	sameTree(t, got, want)
	got.whole(t)
	c = r.connect()
	c.ok(jute.OpCreate, create("/more", "", 0))
	if c.zxid != oc.zxid+2 {
		t.Errorf("zxid %v after %v", c.zxid, oc.zxid)
	}
	r.restore(b)
	r.restart()
	sameTree(t, parse(t, r.snapshot()), want)
}

// TestRestoreGolden restores what Java has written.
func TestRestoreGolden(t *testing.T) {
	dir := filepath.Join("..", "..", "persistence", "javafile", "testdata")
	for _, name := range []string{"snapshot.200000002", "snapshot.200000002.gz", "snapshot.200000002.snappy"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		r := start(t, "extendedTypesEnabled=true")
		if zxid := r.restore(b); zxid != 0x200000002 {
			t.Errorf("restored to %v", zxid)
		}
		got := parse(t, r.snapshot())
		got.whole(t)
		if got.digest != 110177880424 {
			t.Errorf("digest %d", got.digest)
		}
		if name == "snapshot.200000002" {
			sameTree(t, got, parse(t, b))
		}
	}
}

// TestRestoreRefuses is about snapshots that are none: nothing changes, and nothing is left behind.
func TestRestoreRefuses(t *testing.T) {
	r := start(t)
	c := r.connect()
	c.allKinds()
	before := r.snapshot()
	folders := dirs(t, r.fs, "/data")
	head := func() []byte {
		h := jute.FileHeader{Magic: jute.SnapshotMagic, Version: 2, DBID: -1}
		return jute.AppendInt32(jute.AppendInt32(h.Append(nil), 0), 0)
	}
	flipped := bytes.Clone(before)
	flipped[len(flipped)/2] ^= 1
	node := func(b []byte, path string, acl int64) []byte {
		n := jute.SnapshotNode{Path: path, ACLID: acl}
		return n.Append(b)
	}
	bad := map[string][]byte{
		"nothing":     nil,
		"cut":         before[:len(before)-30],
		"flipped":     flipped,
		"no root":     seal(jute.AppendString(head(), "/"), 7),
		"no parent":   seal(jute.AppendString(node(node(head(), "", -1), "/a/b", -1), "/"), 7),
		"twice":       seal(jute.AppendString(node(node(node(head(), "", -1), "/a", -1), "/a", -1), "/"), 7),
		"unknown ACL": seal(jute.AppendString(node(head(), "", 5), "/"), 7),
		"no zxid":     seal(jute.AppendString(node(head(), "", -1), "/"), -1),
	}
	for what, b := range bad {
		if zxid, err := r.node.Restore(context.Background(), bytes.NewReader(b)); err == nil {
			t.Errorf("%s: restored to %v", what, zxid)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := r.node.Restore(ctx, bytes.NewReader(before)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if after := r.snapshot(); !bytes.Equal(after, before) {
		t.Error("the tree has changed")
	}
	if got := dirs(t, r.fs, "/data"); !slices.Equal(got, folders) {
		t.Errorf("folders %v, want %v", got, folders)
	}
	c.ok(jute.OpCreate, create("/on", "", 0))
}

// seal ends a snapshot's body; lastZxid -1 leaves that section out.
func seal(body []byte, lastZxid int64) []byte {
	b := appendSeal(body)
	if lastZxid < 0 {
		return b
	}
	return appendSeal(jute.AppendInt64(b, lastZxid))
}

func appendSeal(b []byte) []byte {
	s := jute.SnapshotSeal{Adler32: int64(adler32.Checksum(b)), Text: jute.SnapshotEnd}
	return s.Append(b)
}

func dirs(t testing.TB, fs vfs.FS, dir string) []string {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// TestRestoreUnderLoad restores while clients read, list and write, and reads a snapshot of the tree
// that is replaced to its end.
func TestRestoreUnderLoad(t *testing.T) {
	r := start(t)
	c := r.connect()
	c.fill("/base", 3000)
	b := r.snapshot()
	want := parse(t, b)
	slow, err := r.node.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	done := make(chan struct{})
	go func() { // ends with stop
		defer close(done)
		together(4, func(i int) {
			for !stop.Load() {
				r.someWork(i)
			}
		})
	}()
	for range 5 {
		r.restore(b)
	}
	var old bytes.Buffer
	if _, err := slow.WriteTo(&old); err != nil {
		t.Error(err)
	}
	if err := slow.Close(); err != nil {
		t.Error(err)
	}
	sameTree(t, parse(t, old.Bytes()), want)
	stop.Store(true)
	<-done
	r.restore(b)
	sameTree(t, parse(t, r.snapshot()), want)
	await(t, "one state folder", func() bool { return len(states(t, r.fs)) == 1 })
	r.restart()
	sameTree(t, parse(t, r.snapshot()), want)
}

func states(t testing.TB, fs vfs.FS) (names []string) {
	t.Helper()
	for _, n := range dirs(t, fs, "/data") {
		if strings.HasPrefix(n, "zk-state-") {
			names = append(names, n)
		}
	}
	return names
}

// someWork is what a client does until its session is gone with the tree.
func (r *rig) someWork(i int) {
	nc := r.dial()
	defer func() { _ = nc.Close() }()
	c := &client{t: r.t, nc: nc}
	if c.login(30000) != nil || c.sid == 0 {
		return
	}
	for n := range 50 {
		path := fmt.Sprintf("/base/w%d-%x-%d", i, uint64(c.sid), n)
		for _, q := range []part{
			{jute.OpCreate, create(path, "x", jute.FlagEphemeral)}, {jute.OpGetChildren2, read("/base", false)},
			{jute.OpGetAllChildrenNumber, onePath("/")}, {jute.OpSetData, setData("/base/n000001", "y", -1)},
			{jute.OpGetData, read("/base/n000001", true)}, {jute.OpDelete, remove(path)},
		} {
			c.zxid = 0
			if _, err := c.try(q.op, q.body); err != nil {
				if !isCut(err) {
					r.t.Error(err)
				}
				return
			}
		}
	}
}

// isCut: a connection whose session is gone is closed, perhaps in the middle of a reply.
func isCut(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// TestOrphans: ephemerals whose session is in no table go.
func TestOrphans(t *testing.T) {
	r := start(t)
	c := r.connect()
	c.allKinds()
	s := parse(t, r.snapshot())
	delete(s.sessions, c.sid)
	r.restore(s.write(t))
	await(t, "the ephemeral to go", func() bool { _, there := parse(t, r.snapshot()).nodes["/ephemeral"]; return !there })
}

// write makes a snapshot again.
func (s *shot) write(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := javafile.WriteSnapshot(&b, source{s}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// source is a shot as javafile writes it.
type source struct{ s *shot }

func (v source) Counts() (sessions, acls int) { return len(v.s.sessions), len(v.s.acls) }
func (v source) Trailer() javafile.Trailer    { return v.s.trailer }

func (v source) EachSession(yield func(*jute.SnapshotSession) error) error {
	for id, timeout := range v.s.sessions {
		if err := yield(&jute.SnapshotSession{SessionID: id, TimeoutMillis: timeout}); err != nil {
			return err
		}
	}
	return nil
}

func (v source) EachACL(yield func(*jute.SnapshotACL) error) error {
	for id, acl := range v.s.acls {
		if err := yield(&jute.SnapshotACL{ID: id, ACL: acl}); err != nil {
			return err
		}
	}
	return nil
}

func (v source) EachNode(yield func(*jute.SnapshotNode) error) error {
	paths := make([]string, 0, len(v.s.nodes))
	for p := range v.s.nodes {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	for _, p := range paths {
		n := v.s.nodes[p]
		if err := yield(&n); err != nil {
			return err
		}
	}
	return nil
}

// TestRestoreCrash cuts the power at every step of a restore: what comes back is one of the two trees,
// whole, and goes on.
func TestRestoreCrash(t *testing.T) {
	mem := crashdisk.New()
	r := newRig(t, mem)
	r.open()
	c := r.connect()
	c.allKinds()
	old := r.snapshot()
	c.fill("/more", 1000)
	now := r.snapshot()
	r.close()
	want := map[jute.Zxid]*shot{}
	for _, b := range [][]byte{old, now} {
		s := parse(t, b)
		want[s.trailer.LastZxid] = s
	}
	base := mem.CrashClone(vfs.CrashCloneCfg{})
	ends := map[jute.Zxid]int{}
	stride := 1
	if testing.Short() {
		stride = 7
	}
	for _, percent := range []int{0, 50, 100} {
		for step := 1; ; step += stride {
			fs := &countingFS{FS: base.CrashClone(vfs.CrashCloneCfg{}), mem: nil}
			fs.mem = fs.FS.(*crashdisk.Disk)
			fs.cut = func(m *crashdisk.Disk) *crashdisk.Disk {
				return m.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(uint64(step), 1))})
			}
			v := newRig(t, fs)
			v.open()
			fs.at.Store(int64(step))
			v.restore(old)
			fs.at.Store(0)
			v.close()
			clone := fs.clone.Load()
			if clone == nil {
				if step < 20 {
					t.Errorf("only %d steps", step)
				}
				break
			}
			back := newRig(t, clone)
			back.open()
			got := parse(t, back.snapshot())
			got.whole(t)
			w := want[got.trailer.LastZxid]
			if w == nil {
				t.Fatalf("step %d, %d%%: zxid %v", step, percent, got.trailer.LastZxid)
			}
			sameTree(t, got, w)
			ends[got.trailer.LastZxid]++
			if names := states(t, clone); len(names) != 1 {
				t.Errorf("step %d, %d%%: folders %v", step, percent, names)
			}
			bc := back.connect()
			bc.ok(jute.OpCreate, create("/on", "", 0))
			back.restart()
			if s := parse(t, back.snapshot()); s.nodes["/on"].Path == "" {
				t.Errorf("step %d, %d%%: a write after the crash is lost", step, percent)
			}
			back.close()
		}
	}
	if len(ends) != 2 {
		t.Errorf("crashes end in %v", ends)
	}
	t.Log(ends)
}

// countingFS makes a clone of the disk as it would be after a power cut, at the n-th step that changes it.
type countingFS struct {
	vfs.FS
	mem   *crashdisk.Disk
	at    atomic.Int64 // steps left; 0: not counting
	cut   func(*crashdisk.Disk) *crashdisk.Disk
	clone atomic.Pointer[crashdisk.Disk]
}

func (fs *countingFS) step() {
	if fs.at.Load() > 0 && fs.at.Add(-1) == 0 {
		fs.clone.Store(fs.cut(fs.mem))
	}
}

func (fs *countingFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	fs.step()
	f, err := fs.FS.Create(name, c)
	return countingFile{f, fs}, err
}

func (fs *countingFS) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	fs.step()
	f, err := fs.FS.ReuseForWrite(from, to, c)
	return countingFile{f, fs}, err
}

func (fs *countingFS) OpenDir(name string) (vfs.File, error) {
	f, err := fs.FS.OpenDir(name)
	return countingFile{f, fs}, err
}

func (fs *countingFS) Rename(from, to string) error {
	fs.step()
	return fs.FS.Rename(from, to)
}

func (fs *countingFS) Remove(name string) error {
	fs.step()
	return fs.FS.Remove(name)
}

func (fs *countingFS) RemoveAll(name string) error {
	fs.step()
	return fs.FS.RemoveAll(name)
}

func (fs *countingFS) Unwrap() vfs.FS { return fs.FS }

// countingFile counts syncs; each is looked at before and after.
type countingFile struct {
	vfs.File
	fs *countingFS
}

func (f countingFile) Sync() error {
	f.fs.step()
	defer f.fs.step()
	return f.File.Sync()
}

func (f countingFile) SyncData() error {
	f.fs.step()
	defer f.fs.step()
	return f.File.SyncData()
}

func (f countingFile) SyncTo(n int64) (bool, error) {
	f.fs.step()
	defer f.fs.step()
	return f.File.SyncTo(n)
}
