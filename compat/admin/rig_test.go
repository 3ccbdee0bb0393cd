package admin

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"zk/compat/harness"
	"zk/jute"
)

// patience bounds every wait.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	code := m.Run()
	if os.Getenv(harness.EnableEnv) == "1" {
		harness.RemoveBinary()
	}
	os.Exit(code)
}

// needCompat skips a test where the suites are off.
func needCompat(t *testing.T) {
	t.Helper()
	if os.Getenv(harness.EnableEnv) != "1" {
		t.Skipf("needs Java and Maven; switch on with %s=1", harness.EnableEnv)
	}
}

// server is one of the two, with clients that did the same on both.
type server struct {
	*harness.Server
	t         *testing.T
	adminPort int
	audit     string // file of our audit log
	clients   []*client
}

// startBoth starts both servers with an AdminServer and the audit log.
func startBoth(t *testing.T, lines ...string) [2]*server {
	t.Helper()
	var both [2]*server
	var wg sync.WaitGroup
	for i, kind := range []harness.Kind{harness.Java, harness.Ours} {
		port, err := harness.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		s := &server{t: t, adminPort: port, audit: filepath.Join(t.TempDir(), "audit.log")}
		both[i] = s
		config := append([]string{
			"admin.enableServer=true", "admin.serverPort=" + strconv.Itoa(port), "audit.enable=true", "extendedTypesEnabled=true", "enforceQuota=true",
			"4lw.commands.whitelist=*", "DigestAuthenticationProvider.superDigest=super:xQJmxLMiHGwaqBvst5y6rkB6HQs=",
		}, lines...)
		if kind == harness.Ours {
			config = append(config, "zk.audit.file="+s.audit)
		}
		wg.Go(func() {
			if s.Server, err = harness.Start(t, kind, harness.Options{Config: config, Ready: harness.ReadyFourLetter}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return both
}

// reply is what came back over HTTP.
type reply struct {
	status int
	header http.Header
	body   string
}

// client speaks the client protocol to one server.
type client struct {
	t   *testing.T
	nc  *harness.RawConn
	sid int64
	xid int32
}

func (s *server) connect() *client {
	s.t.Helper()
	nc, err := harness.Dial(s.Addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(nc.Close)
	resp, err := nc.Connect(jute.ConnectRequest{TimeoutMillis: 30000, Passwd: make([]byte, 16), HasReadOnly: true})
	if err != nil {
		s.t.Fatal(err)
	}
	c := &client{t: s.t, nc: nc, sid: int64(resp.SessionID)}
	s.clients = append(s.clients, c)
	return c
}

// do sends a request and gives the error code and the body of its reply; events are passed over.
func (c *client) do(op jute.OpCode, body []byte) (jute.Code, []byte) {
	c.t.Helper()
	c.xid++
	xid := c.xid
	if op == jute.OpAuth {
		xid = -4
	}
	if err := c.nc.Send(xid, op, body); err != nil {
		c.t.Fatal(err)
	}
	for {
		b, err := c.nc.ReadFrame(patience)
		if err != nil {
			c.t.Fatalf("%v: %v", op, err)
		}
		d := jute.NewDecoder(b, 0)
		var h jute.ReplyHeader
		if h.Decode(&d); d.Err() != nil {
			c.t.Fatal(d.Err())
		}
		if h.Xid == xid {
			return h.Err, d.Rest()
		}
	}
}

// ok is do for what succeeds.
func (c *client) ok(op jute.OpCode, body []byte) {
	c.t.Helper()
	if code, _ := c.do(op, body); code != jute.CodeOk {
		c.t.Fatalf("%v %q: %v", op, body, code)
	}
}

// open is the ACL that lets everybody do everything.
func open() []jute.ACL {
	return []jute.ACL{{Perms: jute.PermAll, ID: jute.ID{Scheme: "world", ID: "anyone"}}}
}

// create encodes a create of any kind.
func create(op jute.OpCode, path, data string, flags int32, acl []jute.ACL) []byte {
	r := jute.CreateRequest{Path: path, Data: []byte(data), ACL: acl, Flags: flags, TTL: 3600000}
	return r.Append(nil, op)
}

func setData(path, data string, version int32) []byte {
	return jute.AppendInt32(jute.AppendBuffer(jute.AppendString(nil, path), []byte(data)), version)
}

func remove(path string, version int32) []byte {
	return jute.AppendInt32(jute.AppendString(nil, path), version)
}

func read(path string, watch bool) []byte {
	return jute.AppendBool(jute.AppendString(nil, path), watch)
}

func setACL(path string, version int32, acl ...jute.ACL) []byte {
	r := jute.SetACLRequest{Path: path, ACL: acl, Version: version}
	return r.Append(nil)
}

func digest(user string) []byte {
	scheme := "digest"
	p := jute.AuthPacket{Scheme: &scheme, Auth: []byte(user)}
	return p.Append(nil)
}

// part is one operation of a multi.
type part struct {
	op   jute.OpCode
	body []byte
}

func multi(parts ...part) []byte {
	var b []byte
	for _, p := range parts {
		b = append(jute.MultiHeader{Type: p.op, Err: -1}.Append(b), p.body...)
	}
	return jute.MultiEnd.Append(b)
}

// prepare gives a server sessions, watches, ephemerals, quotas and TTL nodes.
func (s *server) prepare() {
	if _, err := harness.FourLetter(s.Addr, "srst"); err != nil { // what it took to see that it serves
		s.t.Fatal(err)
	}
	a, b := s.connect(), s.connect()
	a.ok(jute.OpAuth, digest("bob:pw"))
	a.ok(jute.OpCreate, create(jute.OpCreate, "/app", "data", 0, open()))
	a.ok(jute.OpCreate, create(jute.OpCreate, `/app/a"b é`, "", 0, open()))
	for i := range 2 {
		a.ok(jute.OpCreate, create(jute.OpCreate, fmt.Sprint("/app/e", i), "x", jute.FlagEphemeral, open()))
	}
	b.ok(jute.OpCreate, create(jute.OpCreate, "/app/e2", "x", jute.FlagEphemeral, open()))
	a.ok(jute.OpCreateTTL, create(jute.OpCreateTTL, "/ttl", "", jute.FlagTTL, open()))
	a.ok(jute.OpCreateContainer, create(jute.OpCreateContainer, "/container", "", jute.FlagContainer, open()))
	quota := "/zookeeper/quota/app"
	a.ok(jute.OpCreate, create(jute.OpCreate, quota, "", 0, open()))
	a.ok(jute.OpCreate, create(jute.OpCreate, quota+"/zookeeper_limits", "count=100,bytes=-1=;byteHardLimit=7000;countHardLimit=-1", 0, open()))
	a.ok(jute.OpCreate, create(jute.OpCreate, quota+"/zookeeper_stats", "count=0,bytes=0", 0, open()))
	// Beyond the hard limits, alone and in a multi, and beyond soft ones.
	large := strings.Repeat("x", 7001)
	if code, _ := a.do(jute.OpCreate, create(jute.OpCreate, "/app/large", large, 0, open())); code != jute.CodeQuotaExceeded {
		s.t.Fatal(code)
	}
	if code, _ := a.do(jute.OpSetData, setData("/app", large, -1)); code != jute.CodeQuotaExceeded {
		s.t.Fatal(code)
	}
	a.do(jute.OpMulti, multi(part{jute.OpCreate, create(jute.OpCreate, "/app/m", "", 0, open())}, part{jute.OpSetData, setData("/app", large, -1)}))
	a.ok(jute.OpCreate, create(jute.OpCreate, "/soft", "", 0, open()))
	a.ok(jute.OpCreate, create(jute.OpCreate, "/soft/deep", "", 0, open()))
	a.ok(jute.OpCreate, create(jute.OpCreate, "/zookeeper/quota/soft", "", 0, open()))
	a.ok(jute.OpCreate, create(jute.OpCreate, "/zookeeper/quota/soft/zookeeper_limits", "count=2,bytes=5", 0, open()))
	a.ok(jute.OpCreate, create(jute.OpCreate, "/zookeeper/quota/soft/zookeeper_stats", "count=0,bytes=0", 0, open()))
	a.ok(jute.OpCreate, create(jute.OpCreate, "/soft/deep/x", "more than five", 0, open()))
	a.ok(jute.OpGetData, read("/app", true))
	b.ok(jute.OpGetData, read("/app", true))
	b.ok(jute.OpGetData, read(`/app/a"b é`, true))
	if code, _ := b.do(jute.OpExists, read("/later", true)); code != jute.CodeNoNode {
		s.t.Fatal(code)
	}
	for i := range 150 { // a digest is kept every 128 transactions
		a.ok(jute.OpSetData, setData("/app", strings.Repeat("x", i%7), -1))
	}
	a.ok(jute.OpGetData, read("/app", true)) // the events have taken the watches
	b.ok(jute.OpGetData, read("/app", true))
}
