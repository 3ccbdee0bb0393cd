package snapshot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"zk/compat/harness"
	"zk/jute"
)

// patience is how long anything may take on a loaded machine; only a failure waits this long.
const patience = 60 * time.Second

// super is an identity that may do everything: super:test.
const super = "zookeeper.DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU="

func TestMain(m *testing.M) {
	code := m.Run()
	if os.Getenv(harness.EnableEnv) == "1" {
		harness.RemoveBinary()
	}
	os.Exit(code)
}

// rig is a server with an AdminServer.
type rig struct {
	*harness.Server
	t     *testing.T
	admin string // URL of the commands
}

func start(t *testing.T, k harness.Kind, lines ...string) *rig {
	t.Helper()
	port, err := harness.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	o := harness.Options{
		Config: append([]string{"admin.enableServer=true", "admin.serverAddress=127.0.0.1", "admin.serverPort=" + strconv.Itoa(port),
			"4lw.commands.whitelist=*", "admin.rateLimiterIntervalInMS=1"}, lines...),
		Props: []string{"zookeeper.extendedTypesEnabled=true", super, "znode.container.checkIntervalMs=3600000"},
		Ready: harness.ReadyFourLetter,
	}
	if k == harness.Ours {
		// Sessions are to go on at Java's server, which knows its own passwords only.
		o.Config = append(o.Config, "zk.sessionPassword=java")
	}
	s, err := harness.Start(t, k, o)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{Server: s, t: t, admin: "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) + "/commands/"}
}

// command does an HTTP request to the AdminServer, which may be up a little later than the client port.
func (r *rig) command(method, name string, body []byte) (*http.Response, []byte) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, method, r.admin+name, bytes.NewReader(body))
		if err != nil {
			r.t.Fatal(err)
		}
		req.Header.Set("Authorization", "digest super:test")
		req.Header.Set("Content-Type", "application/octet-stream")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			select {
			case <-ctx.Done():
				r.t.Fatalf("%s: %v", name, err)
			case <-time.After(50 * time.Millisecond):
			}
			continue
		}
		b, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			r.t.Fatalf("%s: %s %v\n%.2000s", name, resp.Status, err, b)
		}
		return resp, b
	}
}

// snapshot streams a snapshot and gives the zxid of its header.
func (r *rig) snapshot() (b []byte, zxid string) {
	r.t.Helper()
	resp, b := r.command(http.MethodGet, "snapshot?streaming=true", nil)
	if size := resp.Header.Get("snapshot_size"); size != strconv.Itoa(len(b)) {
		r.t.Errorf("snapshot of %d bytes, snapshot_size says %q", len(b), size)
	}
	return b, strings.TrimPrefix(resp.Header.Get("last_zxid"), "0x")
}

func (r *rig) restore(b []byte) string {
	r.t.Helper()
	_, out := r.command(http.MethodPost, "restore", b)
	var v struct {
		LastZxid int64 `json:"last_zxid"`
	}
	if err := json.Unmarshal(out, &v); err != nil {
		r.t.Fatalf("%v in %s", err, out)
	}
	return strconv.FormatInt(v.LastZxid, 16)
}

// node is what a walk sees of a znode.
type node struct {
	data []byte
	stat zk.Stat
	acl  []zk.ACL
}

// client opens a session of its own, which is not in a snapshot taken before.
func (r *rig) client(user string) *zk.Conn {
	r.t.Helper()
	c, _, err := zk.Connect([]string{r.Addr}, patience, zk.WithLogInfo(false), zk.WithLogger(quiet{}))
	if err != nil {
		r.t.Fatal(err)
	}
	if err := c.AddAuth("digest", []byte(user)); err != nil {
		r.t.Fatal(err)
	}
	return c
}

// quiet is a logger for the client, whose connections end with their servers.
type quiet struct{}

func (quiet) Printf(string, ...any) {}

// walk reads the whole tree as the super user.
func (r *rig) walk() map[string]node {
	r.t.Helper()
	c := r.client("super:test")
	defer c.Close()
	tree := map[string]node{}
	for todo := []string{"/"}; len(todo) > 0; {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		data, stat, err := c.Get(p)
		if err != nil {
			r.t.Fatal(p, err)
		}
		acl, _, err := c.GetACL(p)
		if err != nil {
			r.t.Fatal(p, err)
		}
		names, _, err := c.Children(p)
		if err != nil {
			r.t.Fatal(p, err)
		}
		tree[p] = node{data, *stat, acl}
		for _, name := range names {
			todo = append(todo, path.Join(p, name))
		}
	}
	return tree
}

// same compares two walks.
func same(t *testing.T, what string, got, want map[string]node) {
	t.Helper()
	for _, p := range slices.Sorted(maps.Keys(want)) {
		g, ok := got[p]
		w := want[p]
		switch {
		case !ok:
			t.Errorf("%s: %s is missing", what, p)
		case !bytes.Equal(g.data, w.data) || (g.data == nil) != (w.data == nil):
			t.Errorf("%s: data of %s: %.50q, want %.50q", what, p, g.data, w.data)
		case g.stat != w.stat:
			t.Errorf("%s: Stat of %s: %+v, want %+v", what, p, g.stat, w.stat)
		case !slices.Equal(g.acl, w.acl):
			t.Errorf("%s: ACL of %s: %v, want %v", what, p, g.acl, w.acl)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d nodes, want %d", what, len(got), len(want))
	}
}

// session is a session that owns an ephemeral, with a connection of its own.
type session struct {
	conn *harness.RawConn
	resp jute.ConnectResponse
}

func (r *rig) connect(old *session) *session {
	r.t.Helper()
	conn, err := harness.Dial(r.Addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(conn.Close)
	req := jute.ConnectRequest{TimeoutMillis: 40000, Passwd: make([]byte, 16), HasReadOnly: true}
	if old != nil {
		req.SessionID, req.Passwd = old.resp.SessionID, old.resp.Passwd
	}
	resp, err := conn.Connect(req)
	if err != nil || resp.SessionID == 0 {
		r.t.Fatalf("session %v: %+v %v", req.SessionID, resp, err)
	}
	return &session{conn, resp}
}

// fill writes a node of every kind.
func (r *rig) fill() *session {
	r.t.Helper()
	s := r.connect(nil)
	open := zk.WorldACL(zk.PermAll)
	cr := jute.CreateRequest{Path: "/ephemeral", Data: []byte("e"), ACL: []jute.ACL{{Perms: jute.PermAll, ID: jute.ID{Scheme: "world", ID: "anyone"}}},
		Flags: jute.FlagEphemeral}
	if err := s.conn.Send(1, jute.OpCreate, cr.Append(nil, jute.OpCreate)); err != nil {
		r.t.Fatal(err)
	}
	if _, err := s.conn.ReadFrame(patience); err != nil {
		r.t.Fatal(err)
	}
	c := r.client("bob:secret")
	defer c.Close()
	must := func(err error) {
		r.t.Helper()
		if err != nil {
			r.t.Fatal(err)
		}
	}
	create := func(p string, data []byte, acl []zk.ACL, flags int32) {
		r.t.Helper()
		_, err := c.Create(p, data, flags, acl)
		must(err)
	}
	create("/plain", []byte("data"), open, 0)
	create("/plain/empty", []byte{}, open, 0)
	create("/plain/null", nil, open, 0)
	create("/plain/large", bytes.Repeat([]byte{0, 1, 0xff}, 200_000), open, 0)
	create("/plain/ünïcode☃", []byte("ü"), open, 0)
	create("/plain/seq-", []byte("s"), open, zk.FlagSequence)
	create("/mine", []byte("m"), zk.AuthACL(zk.PermAll), 0)
	create("/mine/ip", nil, append(zk.WorldACL(zk.PermAll), zk.ACL{Perms: zk.PermRead, Scheme: "ip", ID: "127.0.0.1"}), 0)
	_, err := c.CreateContainer("/container", []byte("c"), zk.FlagContainer, open)
	must(err)
	_, err = c.CreateTTL("/ttl", []byte("t"), zk.FlagTTL, open, 1<<38*time.Millisecond)
	must(err)
	create("/quota", nil, open, 0)
	create("/zookeeper/quota/quota", nil, open, 0)
	create("/zookeeper/quota/quota/zookeeper_limits", []byte("count=100,bytes=-1=;byteHardLimit=1000;countHardLimit=-1"), open, 0)
	create("/zookeeper/quota/quota/zookeeper_stats", []byte("count=0,bytes=0"), open, 0)
	create("/quota/a", []byte("12345"), open, 0)
	for i := range 300 {
		create(fmt.Sprintf("/plain/n%03d", i), bytes.Repeat([]byte{byte(i)}, i*17), open, 0)
	}
	for i := range 100 {
		p := fmt.Sprintf("/plain/n%03d", i)
		if i%2 == 0 {
			must(c.Delete(p, -1))
			continue
		}
		_, err := c.Set(p, []byte("changed"), -1)
		must(err)
	}
	_, err = c.SetACL("/plain/n299", zk.WorldACL(zk.PermRead), -1)
	must(err)
	return s
}

// more writes what a restore takes back.
func (r *rig) more() {
	r.t.Helper()
	c := r.client("bob:secret")
	defer c.Close()
	for i := range 50 {
		if _, err := c.Create(fmt.Sprintf("/more%d", i), nil, 0, zk.WorldACL(zk.PermAll)); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := c.Delete("/plain/null", -1); err != nil {
		r.t.Fatal(err)
	}
}

// noMismatch asks a server whether a digest differed from what was told.
func (r *rig) noMismatch() {
	r.t.Helper()
	text, err := harness.FourLetter(r.Addr, "mntr")
	if err != nil || !strings.Contains(text, "digest_mismatches_count\t0") {
		r.t.Errorf("%s: %v\n%s", r.Kind, err, text)
	}
}

// lay puts a snapshot into a data folder.
func lay(t *testing.T, b []byte, zxid string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "version-2"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(snapshotFile(dir, zxid), b, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func snapshotFile(dir, zxid string) string { return filepath.Join(dir, "version-2", "snapshot."+zxid) }

// tool runs one of Java's command line tools.
func tool(t *testing.T, class string, args ...string) string {
	t.Helper()
	cp, err := harness.JavaClassPath()
	if err != nil {
		t.Fatal(err)
	}
	all := append([]string{"-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", cp, "org.apache.zookeeper.server." + class}, args...)
	out, err := exec.Command("java", all...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", class, err, out)
	}
	return string(out)
}

// TestBothWays: ours is filled and streamed; Java starts on that as a file; Java's own stream comes into
// another server of ours; and both, after more was written, are brought back by the stream of the first.
func TestBothWays(t *testing.T) {
	if os.Getenv(harness.EnableEnv) != "1" {
		t.Skipf("set %s=1 to compare with Apache ZooKeeper", harness.EnableEnv)
	}
	ours := start(t, harness.Ours)
	owner := ours.fill()
	b, zxid := ours.snapshot()
	want := ours.walk()

	dir := lay(t, b, zxid)
	java := start(t, harness.Java, "dataDir="+dir)
	java.noMismatch()
	same(t, "Java started on our snapshot", java.walk(), want)
	formatted(t, snapshotFile(dir, zxid), owner, len(want))

	stream, javaZxid := java.snapshot()
	back := start(t, harness.Ours)
	if got := back.restore(stream); got != javaZxid {
		t.Errorf("ours restored to %s, Java says %s", got, javaZxid)
	}
	same(t, "ours restored from Java's stream", back.walk(), want)
	back.noMismatch()
	if err := back.Stop(); err != nil {
		t.Error(err)
	}
	if err := back.Restart(); err != nil {
		t.Fatal(err)
	}
	same(t, "ours restarted after a restore", back.walk(), want)
	again, againZxid := back.snapshot()
	compared(t, snapshotFile(dir, zxid), snapshotFile(lay(t, again, againZxid), againZxid))

	for _, r := range []*rig{java, back} {
		held, late := r.connect(owner), r.connect(nil)
		held.watch(t)
		r.more()
		if got := r.restore(b); got != zxid {
			t.Errorf("%s restored to %s, the snapshot is at %s", r.Kind, got, zxid)
		}
		same(t, r.Kind.String()+" restored from our stream", r.walk(), want)
		r.noMismatch()
		held.goesOn(r)
		late.isOver(r)
	}
}

// formatted wants Java's SnapshotFormatter to find everything in a file.
func formatted(t *testing.T, file string, owner *session, nodes int) {
	t.Helper()
	text := tool(t, "SnapshotFormatter", file)
	for _, want := range []string{
		fmt.Sprintf("(count=%d)", nodes+1), // Java has the root twice
		strconv.FormatInt(int64(owner.resp.SessionID), 16), "/plain/n299", "/ephemeral",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("SnapshotFormatter doesn't say %q: %.3000s", want, text)
		}
	}
}

// compared wants Java's SnapshotComparer to find no difference.
func compared(t *testing.T, left, right string) {
	t.Helper()
	text := tool(t, "SnapshotComparer", "-l", left, "-r", right, "-b", "0", "-n", "0")
	if !strings.Contains(text, "All layers compared.") || strings.Contains(text, "only in") || strings.Contains(text, "Delta:") {
		t.Errorf("SnapshotComparer: %.3000s", text)
	}
}

// watch sets a data watch on /plain.
func (s *session) watch(t *testing.T) {
	t.Helper()
	r := jute.PathWatchRequest{Path: "/plain", Watch: true}
	if err := s.conn.Send(2, jute.OpGetData, r.Append(nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.conn.ReadFrame(patience); err != nil {
		t.Fatal(err)
	}
}

// goesOn is about a connection over a restore whose session is in the snapshot: it is served, and its
// watches are there, which Java loses.
func (s *session) goesOn(r *rig) {
	r.t.Helper()
	c := r.client("bob:secret")
	defer c.Close()
	if _, err := c.Set("/plain", []byte("after"), -1); err != nil {
		r.t.Error(err)
	}
	if err := s.conn.Send(jute.XidPing, jute.OpPing, nil); err != nil {
		r.t.Error(err)
	}
	event := false
	for {
		b, err := s.conn.ReadFrame(patience)
		if err != nil {
			r.t.Fatalf("%s: a connection over a restore: %v", r.Kind, err)
		}
		var h jute.ReplyHeader
		d := jute.NewDecoder(b, 0)
		if h.Decode(&d); h.Xid == jute.XidPing {
			break
		}
		event = true
	}
	if event != (r.Kind == harness.Ours) {
		r.t.Errorf("%s: an event after a restore: %t", r.Kind, event)
	}
}

// isOver is about a connection whose session is not in the snapshot. Java leaves its requests without an
// answer; here it is closed.
func (s *session) isOver(r *rig) {
	r.t.Helper()
	want, wait := harness.ErrClosed, patience
	if r.Kind == harness.Java {
		want, wait = harness.ErrTimeout, time.Second
	}
	read := jute.PathWatchRequest{Path: "/plain"}
	_ = s.conn.Send(1, jute.OpExists, read.Append(nil)) // fails where the connection is closed
	if _, err := s.conn.ReadFrame(wait); !errors.Is(err, want) {
		r.t.Errorf("%s: a session that is not in the snapshot: %v, want %v", r.Kind, err, want)
	}
}
