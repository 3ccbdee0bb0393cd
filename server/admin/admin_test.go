package admin

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"zk/conf"
	"zk/jute"
	"zk/server/auth"
	"zk/server/figures"
	"zk/server/metrics"
)

// replies are what a Java server of version 3.9.5 answered, each under its command. Arrays that Java has
// in the order of a hash table are sorted.
//
//go:embed testdata/replies.txt
var replies string

const javaVersion = "3.9.5-293c895a8d966a3ecb92872be4a1daf87d725da2, built on 2026-02-11 20:18 UTC"

// fakeServer answers what the recorded Java server did.
type fakeServer struct {
	figures.Server
	stopped    bool
	mask       int64
	statResets int
	connResets int
	acl        []jute.ACL
	watches    []figures.Watch
	quorum     *figures.Quorum
	gate       chan struct{} // EachWatch waits for it, unless nil
}

const (
	sessionA = jute.SessionID(72057636761894912)
	sessionB = sessionA + 1
)

func (f *fakeServer) Serving() bool           { return !f.stopped }
func (f *fakeServer) ReadOnly() bool          { return false }
func (f *fakeServer) Quorum() *figures.Quorum { return f.quorum }
func (f *fakeServer) Version() string         { return javaVersion }
func (f *fakeServer) Stats() figures.Stats {
	return figures.Stats{
		LatencyAvg: 3.3953, LatencyMax: 19, Received: 45, Sent: 45, Connections: 2, Zxid: 37, Mode: figures.ModeStandalone,
		NodeCount: 16, Responses: figures.Sizes{Last: 89, Min: 16, Max: 180}, UptimeMillis: 39997,
	}
}

func (f *fakeServer) Connections() []figures.Conn {
	conn := func(port uint16, packets int64, session jute.SessionID, established, cxid, response, last, avg, most int64) figures.Conn {
		return figures.Conn{
			Remote: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port), InterestOps: 1, Received: packets, Sent: packets,
			Session: session, LastOp: "GETD", Established: time.UnixMilli(established), TimeoutMillis: 10000, LastCxid: cxid,
			LastZxid: 37, LastResponseMillis: response, LastLatency: last, AvgLatency: avg, MaxLatency: most,
		}
	}
	return []figures.Conn{
		conn(43216, 9, sessionB, 1795636221500, 7, 690820, 0, 1, 7),
		conn(43210, 36, sessionA, 1795636221479, 32, 690814, 1, 3, 19),
	}
}

func (f *fakeServer) Conf() figures.Conf {
	return figures.Conf{
		ClientPort: 12811, DataDir: "/var/lib/zookeeper/version-2", DataLogDir: "/var/lib/zookeeper/version-2", TickTimeMillis: 2000,
		MaxClientCnxns: 60, MinSessionTimeoutMillis: 4000, MaxSessionTimeoutMillis: 40000, ListenBacklog: -1,
	}
}

func (f *fakeServer) Sessions() figures.Sessions {
	return figures.Sessions{Tracked: &figures.SessionBuckets{Count: 2, Buckets: []figures.SessionBucket{
		{AtMillis: 696000}, {AtMillis: 700000}, {AtMillis: 702000, IDs: []jute.SessionID{sessionB, sessionA}},
	}}}
}

func (f *fakeServer) Ephemerals() map[jute.SessionID][]string {
	return map[jute.SessionID][]string{sessionA: {"/p/e", "/p/es-0000000002", "/p/e2"}}
}

func (f *fakeServer) DirSizes() (dataBytes, logBytes int64) { return 67109358, 67109358 }
func (f *fakeServer) Digests() []figures.Digest             { return nil }
func (f *fakeServer) MonitorHead() []figures.KeyValue       { return nil }
func (f *fakeServer) AppendMonitor(dst []byte) []byte {
	return append(dst, "zk_avg_latency\t0.5\nzk_max_\"a\"_x\t-1\nzk_q{quantile=\"0.5\"}\tNaN\n"...)
}

func (f *fakeServer) Environment() []figures.KeyValue {
	return []figures.KeyValue{{Key: "host.name", Value: "\"quoted\"\n"}}
}

func (f *fakeServer) WatchSummary() figures.WatchSummary {
	return figures.WatchSummary{Watchers: 2, Paths: 2, Watches: 3}
}

func (f *fakeServer) EachWatch(do func(string, jute.SessionID)) {
	if f.gate != nil {
		<-f.gate
	}
	for _, w := range f.watches {
		do(w.Path, w.Session)
	}
}

func (f *fakeServer) EachWatcher(do func(jute.SessionID)) {
	for _, w := range f.watches {
		do(w.Session)
	}
}

func (f *fakeServer) Rest()                                     {}
func (f *fakeServer) ResetStats()                               { f.statResets++ }
func (f *fakeServer) ResetConnections()                         { f.connResets++ }
func (f *fakeServer) TraceMask() int64                          { return f.mask }
func (f *fakeServer) SetTraceMask(mask int64)                   { f.mask = mask }
func (f *fakeServer) SystemProperties() []figures.KeyValue      { return f.Environment() }
func (f *fakeServer) RootACL() []jute.ACL                       { return f.acl }
func (f *fakeServer) LastSnapshot() (z jute.Zxid, at time.Time) { return 0, time.Unix(1795636187, 0) }
func (f *fakeServer) InitialConfiguration() string {
	return "clientPort=12811\ndataDir=/var/lib/zookeeper\ntickTime=2000\n"
}

// openACL is the usual ACL of the root.
func openACL() []jute.ACL {
	return []jute.ACL{{Perms: jute.PermAll, ID: jute.ID{Scheme: "world", ID: "anyone"}}}
}

// fakeSnapshots keeps what is restored and gives it as a snapshot.
type fakeSnapshots struct {
	data    string
	err     error // of both
	cut     int   // bytes after which a stream breaks; 0 for never
	streams int   // made
	closed  int
}

func (f *fakeSnapshots) Snapshot(context.Context) (SnapshotStream, error) {
	if f.err != nil {
		return nil, f.err
	}
	f.streams++
	return &fakeStream{f}, nil
}

func (f *fakeSnapshots) Restore(_ context.Context, r io.Reader) (jute.Zxid, error) {
	b, err := io.ReadAll(r)
	if err = errors.Join(err, f.err); err != nil {
		return 0, err
	}
	f.data = string(b)
	return 0x27, nil
}

type fakeStream struct{ f *fakeSnapshots }

func (s *fakeStream) Zxid() jute.Zxid { return 0x27 }
func (s *fakeStream) Size() int64     { return int64(len(s.f.data)) }
func (s *fakeStream) Close() error    { s.f.closed++; return nil }
func (s *fakeStream) WriteTo(w io.Writer) (int64, error) {
	data := s.f.data
	if s.f.cut > 0 {
		data = data[:s.f.cut]
	}
	n, err := io.WriteString(w, data)
	if s.f.cut > 0 {
		err = errors.New("torn")
	}
	return int64(n), err
}

// rig is a Handler over fakes.
type rig struct {
	*Handler
	server    *fakeServer
	snapshots *fakeSnapshots
	met       *metrics.Metrics
}

// newRig lets change alter the options.
func newRig(t *testing.T, change func(*Options)) *rig {
	t.Helper()
	providers, err := auth.New(auth.Options{SuperDigest: "super:xQJmxLMiHGwaqBvst5y6rkB6HQs="})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{server: &fakeServer{mask: figures.DefaultTraceMask, acl: openACL(), watches: []figures.Watch{
		{Path: "/p", Session: sessionB}, {Path: "/later", Session: sessionB}, {Path: "/p", Session: sessionA},
	}}, snapshots: &fakeSnapshots{data: strings.Repeat("ZKSN", 10000)}, met: metrics.New(time.Now())}
	o := Options{
		Config: conf.Admin{CommandURL: "/commands", SnapshotEnabled: true, RestoreEnabled: true, Sensitive: "closed", RateLimiterInterval: 5 * time.Minute},
		Server: r.server, Auth: providers, Snapshots: r.snapshots, Metrics: r.met, Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&o)
	}
	r.Handler = New(o)
	return r
}

// do sends a request from the machine itself, with headers "name: value".
func (r *rig) do(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, "http://localhost:8080"+path, strings.NewReader(body))
	req.RemoteAddr = "127.0.0.1:5000"
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "from" {
			req.RemoteAddr = value
			continue
		}
		req.Header[http.CanonicalHeaderKey(name)] = []string{value}
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	return w
}

// TestReplies: byte for byte what Java answers.
func TestReplies(t *testing.T) {
	r := newRig(t, nil)
	for section := range strings.SplitSeq(replies, "== ") {
		head, want, found := strings.Cut(section, "\n")
		if !found {
			continue
		}
		status, command, _ := strings.Cut(head, " ")
		got := r.do("GET", "/commands/"+command, "")
		if fmt.Sprint(got.Code) != status || got.Body.String() != strings.TrimSuffix(want, "\n") {
			t.Errorf("%s: %d\n%s\nwant %s\n%s", command, got.Code, got.Body, status, want)
		}
		if h := got.Header(); h.Get("Content-Type") != "application/json" || h.Get("Content-Length") != fmt.Sprint(got.Body.Len()) {
			t.Errorf("%s: head %v", command, h)
		}
	}
	if r.server.statResets != 1 || r.server.connResets != 1 || r.server.mask != 5 {
		t.Errorf("resets %d, %d, trace mask %d", r.server.statResets, r.server.connResets, r.server.mask)
	}
}

func TestMonitorAndEnvironment(t *testing.T) {
	r := newRig(t, nil)
	want := "{\n  \"version\" : \"" + javaVersion + "\",\n  \"server_state\" : \"standalone\",\n  \"avg_latency\" : 0.5,\n" +
		"  \"max_\\\"a\\\"_x\" : -1,\n  \"q{quantile=\\\"0.5\\\"}\" : \"NaN\",\n  \"command\" : \"monitor\",\n  \"error\" : null\n}"
	if got := r.do("GET", "/commands/mntr", "").Body.String(); got != want {
		t.Errorf("%s", got)
	}
	want = "{\n  \"host.name\" : \"\\\"quoted\\\"\\n\",\n  \"command\" : \"environment\",\n  \"error\" : null\n}"
	if got := r.do("GET", "/commands/envi", "").Body.String(); got != want {
		t.Errorf("%s", got)
	}
}

func TestHTTP(t *testing.T) {
	r := newRig(t, nil)
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
		body         string // a part of it; "" for none at all
	}{
		{"GET", "/commands", 200, "", "<a href=\"/commands/configuration\">configuration</a>\n<br/>\n<a href=\"/commands/connection_stat_reset\">"},
		{"POST", "/commands/", 200, "", "zabstate</a>\n<br/>\n"},
		{"GET", "/commands/ruok/", 200, "", `"error" : "Unknown command: ruok/"`},
		{"GET", "/commands//ruok", 200, "", `"command" : "/ruok"`},
		{"GET", "/commands/ru%6fk", 200, "", `"command" : "ruok"`},
		{"GET", "/commands/RUOK", 200, "", "Unknown command: RUOK"},
		{"GET", "/commands/a%22b%3Cc%C3%A9%01%FF", 200, "", `"a\"b<cé\u0001` + "\ufffd\""},
		{"GET", "/", 404, "", "404"},
		{"GET", "/commandsx", 404, "", "404"},
		{"POST", "/nothing", 405, "GET, HEAD, TRACE, OPTIONS", ""},
		{"POST", "/commands/ruok", 405, "GET, HEAD", "ruok needs the method GET"},
		{"GET", "/commands/rest", 405, "POST", `"command" : "rest"`},
		{"HEAD", "/commands/restore", 405, "POST", "needs the method POST"}, // net/http leaves the body out
		{"POST", "/commands/nope", 200, "", "Unknown command: nope"},
		{"PUT", "/commands/ruok", 405, allowed, ""},
		{"DELETE", "/x", 405, allowed, ""},
		{"PATCH", "/commands/ruok", 501, "", ""},
		{"TRACE", "/commands/ruok", 403, "", ""},
		{"OPTIONS", "/commands/ruok", 200, allowed, ""},
		{"OPTIONS", "/x", 200, "GET, HEAD, TRACE, OPTIONS", ""},
		{"GET", "/commands/stmk?traceMask=7&traceMask=8", 200, "", `"tracemask" : 7,`},
		{"GET", "/commands/stmk?traceMask=%2B9", 200, "", `"tracemask" : 9,`},
		{"GET", "/commands/stmk?traceMask=", 200, "", `argument, got ",`},
		{"GET", "/commands/stmk?traceMask=0x10", 200, "", "got 0x10"},
		{"GET", "/commands/stmk?traceMask=9223372036854775808", 200, "", "got 9223372036854775808"},
	} {
		got := r.do(c.method, c.path, "")
		body := got.Body.String()
		if got.Code != c.status || got.Header().Get("Allow") != c.allow || !strings.Contains(body, c.body) || c.body == "" && body != "" {
			t.Errorf("%s %s: %d, Allow %q\n%s", c.method, c.path, got.Code, got.Header().Get("Allow"), body)
		}
	}
	r.server.stopped = true
	if got := r.do("GET", "/commands/srvr", "").Body.String(); !strings.Contains(got, `"command" : "srvr",`) ||
		!strings.Contains(got, "This ZooKeeper instance is not currently serving requests") {
		t.Errorf("not serving: %s", got)
	}
	if got := r.do("GET", "/commands/gtmk", "").Body.String(); !strings.Contains(got, `"error" : null`) {
		t.Errorf("not serving: %s", got)
	}
	other := newRig(t, func(o *Options) { o.Config.CommandURL = "ops/zk/" })
	if got := other.do("GET", "/ops/zk/ruok", ""); got.Code != 200 || !strings.Contains(other.do("GET", "/ops/zk", "").Body.String(), `"/ops/zk/ruok"`) {
		t.Errorf("another commandURL: %d %s", got.Code, got.Body)
	}
}
