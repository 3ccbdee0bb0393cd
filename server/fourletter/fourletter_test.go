package fourletter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"zk/jute"
	"zk/server/figures"
)

const javaVersion = "3.9.5-293c895a8d966a3ecb92872be4a1daf87d725da2, built on 2026-02-11 20:18 UTC"

// fakeServer answers from its fields.
type fakeServer struct {
	notServing, readOnly  bool
	stats                 figures.Stats
	conns                 []figures.Conn
	conf                  figures.Conf
	sessions              figures.Sessions
	ephemerals            map[jute.SessionID][]string
	connBuckets           []figures.ConnBucket
	digests               []figures.Digest
	monitorHead           []figures.KeyValue
	monitor               string
	watches               []figures.Watch
	summary               figures.WatchSummary
	statResets, connReset int
	mask                  int64
}

func (f *fakeServer) Serving() bool                           { return !f.notServing }
func (f *fakeServer) ReadOnly() bool                          { return f.readOnly }
func (f *fakeServer) Quorum() *figures.Quorum                 { return nil }
func (f *fakeServer) Version() string                         { return javaVersion }
func (f *fakeServer) Stats() figures.Stats                    { return f.stats }
func (f *fakeServer) Connections() []figures.Conn             { return f.conns }
func (f *fakeServer) Conf() figures.Conf                      { return f.conf }
func (f *fakeServer) Sessions() figures.Sessions              { return f.sessions }
func (f *fakeServer) Ephemerals() map[jute.SessionID][]string { return f.ephemerals }
func (f *fakeServer) ConnectionBuckets() []figures.ConnBucket { return f.connBuckets }
func (f *fakeServer) DirSizes() (dataBytes, logBytes int64)   { return 478, 67109342 }
func (f *fakeServer) Digests() []figures.Digest               { return f.digests }
func (f *fakeServer) Environment() []figures.KeyValue {
	return []figures.KeyValue{{Key: "a.b", Value: "c d"}, {Key: "e"}}
}
func (f *fakeServer) MonitorHead() []figures.KeyValue    { return f.monitorHead }
func (f *fakeServer) AppendMonitor(dst []byte) []byte    { return append(dst, f.monitor...) }
func (f *fakeServer) WatchSummary() figures.WatchSummary { return f.summary }
func (f *fakeServer) Rest()                              {}
func (f *fakeServer) ResetStats()                        { f.statResets++ }
func (f *fakeServer) ResetConnections()                  { f.connReset++ }
func (f *fakeServer) TraceMask() int64                   { return f.mask }
func (f *fakeServer) SetTraceMask(mask int64)            { f.mask = mask }
func (f *fakeServer) EachWatcher(do func(jute.SessionID)) {
	for _, w := range f.watches {
		do(w.Session)
	}
}
func (f *fakeServer) EachWatch(do func(string, jute.SessionID)) {
	for _, w := range f.watches {
		do(w.Path, w.Session)
	}
}

const (
	sessionA jute.SessionID = 0x100001bc5f40000
	sessionB jute.SessionID = 0x100001bc5f40001
)

func utc(t *testing.T, clock string) time.Time {
	t.Helper()
	at, err := time.Parse("2006-01-02 15:04:05", "2026-11-23 "+clock)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// standalone holds what a Java 3.9.5 server reported after a small load by two sessions.
func standalone(t *testing.T) *fakeServer {
	addr := netip.MustParseAddrPort
	return &fakeServer{
		mask: figures.DefaultTraceMask,
		stats: figures.Stats{
			LatencyAvg: 2.1557, LatencyMax: 46, Received: 218, Sent: 219, Connections: 3,
			Zxid: 0xad, Mode: figures.ModeStandalone, NodeCount: 46,
		},
		conns: []figures.Conn{
			{
				Remote: addr("127.0.0.1:37930"), InterestOps: 1, Received: 170, Sent: 170, Session: sessionB, LastOp: "SETD",
				Established: time.UnixMilli(1795473959608), TimeoutMillis: 10000, LastCxid: 0xa9, LastZxid: 0xad,
				LastResponseMillis: 1972153, LastLatency: 1, AvgLatency: 1, MaxLatency: 46,
			},
			{
				Remote: addr("127.0.0.1:37944"), InterestOps: 1, Received: 42, Sent: 42, Session: sessionA, LastOp: "GETD",
				Established: time.UnixMilli(1795473959609), TimeoutMillis: 10000, LastCxid: 0x29, LastZxid: 0x49,
				LastResponseMillis: 1971961, LastLatency: 1, AvgLatency: 3, MaxLatency: 28,
			},
			{Remote: addr("127.0.0.1:37968"), Received: 1, LastCxid: -1},
		},
		conf: figures.Conf{
			ClientPort: 24881, SecureClientPort: -1, DataDir: "/data/version-2", DataDirBytes: 478,
			DataLogDir: "/log/version-2", DataLogDirBytes: 67109342, TickTimeMillis: 2000, MaxClientCnxns: 60,
			MinSessionTimeoutMillis: 4000, MaxSessionTimeoutMillis: 40000, ListenBacklog: -1,
		},
		sessions: figures.Sessions{Tracked: &figures.SessionBuckets{Count: 2, Buckets: []figures.SessionBucket{
			{At: utc(t, "22:46:10"), IDs: []jute.SessionID{sessionA}},
			{At: utc(t, "22:46:12"), IDs: []jute.SessionID{sessionB}},
		}}},
		ephemerals: map[jute.SessionID][]string{
			sessionB: {"/load/e-0000000031", "/load/e-0000000032", "/load/e-0000000030"},
			sessionA: {"/other/e-0000000001", "/other/e-0000000000", "/other/e-0000000002"},
		},
		connBuckets: []figures.ConnBucket{{At: utc(t, "22:46:18"), Conns: []figures.ConnRef{
			{Remote: addr("127.0.0.1:37930"), Session: sessionB},
			{Remote: addr("127.0.0.1:37976")},
			{Remote: addr("127.0.0.1:37944"), Session: sessionA},
		}}},
		digests: []figures.Digest{{Zxid: 0x80, Value: 78189931867}, {Zxid: 0x100000100, Value: -5}},
		monitor: "zk_avg_latency\t2.1557\nzk_znode_count\t46\n",
		watches: []figures.Watch{
			{Path: "/load/n01", Session: sessionB}, {Path: "/load/n01", Session: sessionA}, {Path: "/load/n00", Session: sessionA},
			{Path: "/load/n03", Session: sessionB}, {Path: "/load/n02", Session: sessionB}, {Path: "/load/n02", Session: sessionA},
		},
		summary: figures.WatchSummary{Watchers: 2, Paths: 4, Watches: 6},
	}
}

// run looks the word up and runs it.
func run(t *testing.T, srv figures.Server, word string, allowed bool, extra ...byte) string {
	t.Helper()
	w, ok := Lookup([4]byte([]byte(word)))
	if !ok {
		t.Fatalf("%q is not known", word)
	}
	var out bytes.Buffer
	if err := w.Run(&out, srv, allowed, extra); err != nil {
		t.Fatalf("%s: %v", word, err)
	}
	return out.String()
}

// TestRepliesOfStandalone expects the bytes that the Java server sent; only the order inside hash
// tables (wchc, wchp, ephemeral nodes) is ours.
func TestRepliesOfStandalone(t *testing.T) {
	srvr := `Latency min/avg/max: 0/2.1557/46
Received: 218
Sent: 219
Connections: 3
Outstanding: 0
Zxid: 0xad
Mode: standalone
Node count: 46
`
	for word, want := range map[string]string{
		"ruok": "imok",
		"isro": "rw",
		"gtmk": "306",
		"srvr": "Zookeeper version: " + javaVersion + "\n" + srvr,
		"stat": "Zookeeper version: " + javaVersion + `
Clients:
 /127.0.0.1:37930[1](queued=0,recved=170,sent=170)
 /127.0.0.1:37944[1](queued=0,recved=42,sent=42)
 /127.0.0.1:37968[0](queued=0,recved=1,sent=0)

` + srvr,
		"cons": ` /127.0.0.1:37930[1](queued=0,recved=170,sent=170,sid=0x100001bc5f40001,lop=SETD,est=1795473959608,to=10000,lcxid=0xa9,lzxid=0xad,lresp=1972153,llat=1,minlat=0,avglat=1,maxlat=46)
 /127.0.0.1:37944[1](queued=0,recved=42,sent=42,sid=0x100001bc5f40000,lop=GETD,est=1795473959609,to=10000,lcxid=0x29,lzxid=0x49,lresp=1971961,llat=1,minlat=0,avglat=3,maxlat=28)
 /127.0.0.1:37968[0](queued=0,recved=1,sent=0)

`,
		"conf": `clientPort=24881
secureClientPort=-1
dataDir=/data/version-2
dataDirSize=478
dataLogDir=/log/version-2
dataLogSize=67109342
tickTime=2000
maxClientCnxns=60
minSessionTimeout=4000
maxSessionTimeout=40000
clientPortListenBacklog=-1
serverId=0
`,
		"dirs": "datadir_size: 478\nlogdir_size: 67109342\n",
		"envi": "Environment:\na.b=c d\ne=\n",
		"hash": "80: 78189931867\n100000100: -5\n",
		"crst": "Connection stats reset.\n",
		"srst": "Server stats reset.\n",
		"wchs": "2 connections watching 4 paths\nTotal watches:6\n",
		"wchc": `0x100001bc5f40000
	/load/n00
	/load/n01
	/load/n02
0x100001bc5f40001
	/load/n01
	/load/n02
	/load/n03

`,
		"wchp": `/load/n00
	0x100001bc5f40000
/load/n01
	0x100001bc5f40000
	0x100001bc5f40001
/load/n02
	0x100001bc5f40000
	0x100001bc5f40001
/load/n03
	0x100001bc5f40001

`,
		"dump": `SessionTracker dump:
Session Sets (2)/(2):
1 expire at Mon Nov 23 22:46:10 UTC 2026:
	0x100001bc5f40000
1 expire at Mon Nov 23 22:46:12 UTC 2026:
	0x100001bc5f40001
ephemeral nodes dump:
Sessions with Ephemerals (2):
0x100001bc5f40000:
	/other/e-0000000000
	/other/e-0000000001
	/other/e-0000000002
0x100001bc5f40001:
	/load/e-0000000030
	/load/e-0000000031
	/load/e-0000000032
Connections dump:
Connections Sets (1)/(3):
3 expire at Mon Nov 23 22:46:18 UTC 2026:
	ip: /127.0.0.1:37930 sessionId: 0x100001bc5f40001
	ip: /127.0.0.1:37976 sessionId: 0x0
	ip: /127.0.0.1:37944 sessionId: 0x100001bc5f40000
`,
		"mntr":             "zk_version\t" + javaVersion + "\nzk_server_state\tstandalone\nzk_avg_latency\t2.1557\nzk_znode_count\t46\n",
		"\xff\xf4\xff\xfd": "",
		"stmk":             "",
	} {
		if got := run(t, standalone(t), word, true); got != want {
			t.Errorf("%s answers\n%s\nwant\n%s", word, got, want)
		}
	}
}

// TestRepliesWhenEmpty: a fresh server.
func TestRepliesWhenEmpty(t *testing.T) {
	fresh := func() *fakeServer {
		return &fakeServer{stats: figures.Stats{Connections: 1, Mode: figures.ModeStandalone, NodeCount: 5, Received: 1}, sessions: figures.Sessions{Tracked: &figures.SessionBuckets{}}}
	}
	for word, want := range map[string]string{
		"cons": "\n", "hash": "", "wchc": "\n", "wchp": "\n",
		"wchs": "0 connections watching 0 paths\nTotal watches:0\n",
		"dump": "SessionTracker dump:\nSession Sets (0)/(0):\nephemeral nodes dump:\nSessions with Ephemerals (0):\nConnections dump:\nConnections Sets (0)/(0):\n",
		"srvr": "Zookeeper version: " + javaVersion + "\nLatency min/avg/max: 0/0.0/0\nReceived: 1\nSent: 0\nConnections: 1\nOutstanding: 0\nZxid: 0x0\nMode: standalone\nNode count: 5\n",
	} {
		if got := run(t, fresh(), word, true); got != want {
			t.Errorf("%s answers %q, want %q", word, got, want)
		}
	}
}

func TestNotServing(t *testing.T) {
	const line = "This ZooKeeper instance is not currently serving requests"
	for w := WordConf; w < WordTelnetClose; w++ {
		want := line + "\n"
		switch w {
		case WordRuok:
			want = "imok"
		case WordIsro:
			want = "null"
		case WordEnvi:
			want = "Environment:\na.b=c d\ne=\n"
		case WordGtmk:
			want = "0"
		case WordStmk:
			want = ""
		case WordHash:
			want = line
		}
		srv := &fakeServer{notServing: true}
		if got := run(t, srv, w.String(), true); got != want {
			t.Errorf("%s answers %q, want %q", w, got, want)
		}
		if srv.statResets+srv.connReset > 0 {
			t.Errorf("%s resets something", w)
		}
	}
}

func TestNotAllowed(t *testing.T) {
	srv := standalone(t)
	for w := WordConf; w <= WordTelnetClose; w++ {
		var out bytes.Buffer
		if err := w.Run(&out, srv, false, nil); err != nil {
			t.Fatal(err)
		}
		if want := w.String() + " is not executed because it is not in the whitelist.\n"; out.String() != want {
			t.Errorf("%s answers %q", w, out.String())
		}
		if w.ExtraBytes(false) != 0 {
			t.Errorf("%s asks for more bytes", w)
		}
	}
	if srv.statResets+srv.connReset > 0 {
		t.Error("something was reset")
	}
}

func TestResetsAndTraceMask(t *testing.T) {
	srv := standalone(t)
	run(t, srv, "srst", true)
	run(t, srv, "crst", true)
	if srv.statResets != 1 || srv.connReset != 1 {
		t.Errorf("%d and %d resets", srv.statResets, srv.connReset)
	}
	if n := WordStmk.ExtraBytes(true); n != 8 {
		t.Errorf("stmk takes %d bytes", n)
	}
	for _, mask := range []int64{306, 1, -9223372036854775502} {
		want := fmt.Sprint(mask)
		if got := run(t, srv, "stmk", true, binary.BigEndian.AppendUint64(nil, uint64(mask))...); got != want {
			t.Errorf("stmk answers %q, want %q", got, want)
		}
		if got := run(t, srv, "gtmk", true); got != want {
			t.Errorf("gtmk answers %q, want %q", got, want)
		}
	}
	if got := run(t, srv, "stmk", true, 1, 2, 3); got != "" || srv.mask == 0 {
		t.Errorf("a short stmk answers %q", got)
	}
}

// TestRepliesOfQuorum expects the replies that are recorded in the reference for a leader, an observer
// and a read-only server.
func TestRepliesOfQuorum(t *testing.T) {
	membership := `server.1=127.0.0.1:24101:24111:participant;0.0.0.0:24001
server.2=127.0.0.1:24102:24112:participant;0.0.0.0:24002
version=100000000`
	leader := &fakeServer{
		stats: figures.Stats{
			LatencyAvg: 1.6886, LatencyMax: 25, Received: 712, Sent: 1044, Connections: 2, Zxid: 0x100000446,
			Mode: figures.ModeLeader, NodeCount: 375, Proposals: figures.Sizes{Last: 103, Min: 48, Max: 209},
		},
		conf: figures.Conf{ServerID: 1, Quorum: &figures.QuorumConf{
			InitLimit: 10, SyncLimit: 5, ElectionAlg: 3, ElectionPort: "24111", QuorumPort: "24101|24201", Membership: membership,
		}},
		monitorHead: []figures.KeyValue{{Key: "peer_state", Value: "leading - broadcast"}},
		monitor:     "zk_ephemerals_count\t240\n",
	}
	want := `Zookeeper version: 3.9.5-293c895a8d966a3ecb92872be4a1daf87d725da2, built on 2026-02-11 20:18 UTC
Latency min/avg/max: 0/1.6886/25
Received: 712
Sent: 1044
Connections: 2
Outstanding: 0
Zxid: 0x100000446
Mode: leader
Node count: 375
Proposal sizes last/min/max: 103/48/209
`
	if got := run(t, leader, "srvr", true); got != want {
		t.Errorf("leader, srvr:\n%s", got)
	}
	want = "zk_version\t" + javaVersion + "\nzk_server_state\tleader\nzk_peer_state\tleading - broadcast\nzk_ephemerals_count\t240\n"
	if got := run(t, leader, "mntr", true); got != want {
		t.Errorf("leader, mntr:\n%s", got)
	}
	want = "serverId=1\ninitLimit=10\nsyncLimit=5\nelectionAlg=3\nelectionPort=24111\nquorumPort=24101|24201\npeerType=0\nmembership: \n" + membership
	if got := run(t, leader, "conf", true); !strings.HasSuffix(got, want) {
		t.Errorf("leader, conf:\n%s", got)
	}

	observer := &fakeServer{
		conf: figures.Conf{Quorum: &figures.QuorumConf{Observer: true}},
		sessions: figures.Sessions{
			Local:  &figures.SessionBuckets{Count: 1, Buckets: []figures.SessionBucket{{At: utc(t, "01:02:03"), IDs: []jute.SessionID{5}}, {At: utc(t, "01:02:05")}}},
			Global: []figures.GlobalSession{{ID: sessionA, TimeoutMillis: 10000}, {ID: -1, TimeoutMillis: 4000}},
		},
	}
	want = `SessionTracker dump:
Local Session Sets (2)/(1):
1 expire at Mon Nov 23 01:02:03 UTC 2026:
	0x5
0 expire at Mon Nov 23 01:02:05 UTC 2026:
Global Sessions(2):
0x100001bc5f40000	10000ms
0xffffffffffffffff	4000ms
ephemeral nodes dump:
`
	if got := run(t, observer, "dump", true); !strings.HasPrefix(got, want) {
		t.Errorf("observer, dump:\n%s", got)
	}
	if got := run(t, observer, "conf", true); !strings.HasSuffix(got, "\npeerType=1\n") {
		t.Errorf("without a membership, conf:\n%s", got)
	}
	leader.sessions = figures.Sessions{Local: &figures.SessionBuckets{}, Tracked: &figures.SessionBuckets{}}
	if got := run(t, leader, "dump", true); !strings.Contains(got, "\nLocal Session Sets (0)/(0):\nGlobal Session Sets (0)/(0):\n") {
		t.Errorf("leader with local sessions, dump:\n%s", got)
	}

	readOnly := &fakeServer{readOnly: true, stats: figures.Stats{Mode: figures.ModeReadOnly}}
	if got := run(t, readOnly, "isro", true); got != "ro" {
		t.Errorf("isro answers %q", got)
	}
	got := run(t, readOnly, "srvr", true)
	if !strings.Contains(got, " UTC\nREAD-ONLY mode; serving only read-only clients\nLatency") || !strings.Contains(got, "\nMode: read-only\n") {
		t.Errorf("read-only, srvr:\n%s", got)
	}
	if got := run(t, readOnly, "dump", true); !strings.Contains(got, "\nGlobal Sessions(0):\n") {
		t.Errorf("read-only, dump:\n%s", got)
	}
}

// TestConnectionLines: addresses as Java's InetSocketAddress prints them, and fields that come and go.
func TestConnectionLines(t *testing.T) {
	for want, remote := range map[string]netip.AddrPort{
		"null":                          {},
		"/10.1.2.3:5":                   netip.MustParseAddrPort("10.1.2.3:5"),
		"/1.2.3.4:123":                  netip.MustParseAddrPort("[::ffff:1.2.3.4]:123"),
		"/[0:0:0:0:0:0:0:1]:65535":      netip.MustParseAddrPort("[::1]:65535"),
		"/[2001:db8:0:0:0:ab:0:5]:123":  netip.MustParseAddrPort("[2001:db8::ab:0:5]:123"),
		"/[fe80:0:0:0:0:0:0:1%eth0]:12": netip.MustParseAddrPort("[fe80::1%eth0]:12"),
	} {
		srv := &fakeServer{conns: []figures.Conn{{
			Remote: remote, InterestOps: 5, Session: -2, LastOp: figures.OpNone, LastCxid: -1, LastZxid: -1,
			Established: time.UnixMilli(7),
		}}}
		want = " " + want + "[5](queued=0,recved=0,sent=0,sid=0xfffffffffffffffe,lop=NA,est=7,to=0,lzxid=0xffffffffffffffff,lresp=0,llat=0,minlat=0,avglat=0,maxlat=0)\n\n"
		if got := run(t, srv, "cons", true); got != want {
			t.Errorf("got  %swant %s", got, want)
		}
	}
}

func TestLookup(t *testing.T) {
	words := []string{
		"conf", "cons", "crst", "dirs", "dump", "envi", "gtmk", "hash", "isro", "mntr", "ruok",
		"srst", "srvr", "stat", "stmk", "wchc", "wchp", "wchs",
	}
	for _, word := range words {
		if w, ok := Lookup([4]byte([]byte(word))); !ok || w.String() != word {
			t.Errorf("%q is found as %q, %v", word, w, ok)
		}
	}
	if w, ok := Lookup([4]byte{0xff, 0xf4, 0xff, 0xfd}); !ok || w != WordTelnetClose {
		t.Error("telnet's close is not known")
	}
	for _, other := range []string{"RUOK", "ruo\n", "kill", "\x00\x00\x00\x2c", "reqs"} {
		if w, ok := Lookup([4]byte([]byte(other))); ok {
			t.Errorf("%q is taken for %q", other, w)
		}
	}
}

func TestWhitelist(t *testing.T) {
	for _, c := range []struct {
		setting  string
		readOnly bool
		allowed  string
	}{
		{"", false, "srvr"},
		{"", true, "isro srvr"},
		{"stat, ruok , conf", false, "conf ruok srvr stat"},
		{" mntr,,bogus,RUOK", false, "mntr srvr"},
		{"telnet close", false, "srvr telnet close"},
		{"ruok, *", false, "conf cons crst dirs dump envi gtmk hash isro mntr ruok srst srvr stat stmk wchc wchp wchs telnet close"},
		{"r*", false, "srvr"},
	} {
		list := ParseWhitelist(c.setting, c.readOnly)
		var allowed []string
		for w := WordConf; w <= WordTelnetClose; w++ {
			if list.Allows(w) {
				allowed = append(allowed, w.String())
			}
		}
		if got := strings.Join(allowed, " "); got != c.allowed {
			t.Errorf("%q allows %s, want %s", c.setting, got, c.allowed)
		}
	}
}

// writes records each Write, and fails after some.
type writes struct {
	sizes []int
	left  int
}

var errGone = errors.New("gone")

func (w *writes) Write(p []byte) (int, error) {
	if w.left == 0 {
		return 0, errGone
	}
	w.left--
	w.sizes = append(w.sizes, len(p))
	return len(p), nil
}

// TestLargeRepliesLeaveInChunks: a small reply is one Write; a large one takes no memory as a whole, and
// a client that has gone stops the writing.
func TestLargeRepliesLeaveInChunks(t *testing.T) {
	out := &writes{left: -1}
	if err := WordDump.Run(out, standalone(t), true, nil); err != nil || len(out.sizes) != 1 {
		t.Errorf("dump: %v, %d writes", err, len(out.sizes))
	}
	srv := &fakeServer{}
	for i := range 20000 {
		srv.watches = append(srv.watches, figures.Watch{Path: fmt.Sprintf("/some/longer/path/of/a/node-%d", i), Session: 1})
	}
	out = &writes{left: -1}
	if err := WordWchp.Run(out, srv, true, nil); err != nil || len(out.sizes) < 5 {
		t.Errorf("wchp: %v, %d writes", err, len(out.sizes))
	}
	for _, size := range out.sizes {
		if size > chunkBytes+1000 {
			t.Errorf("a write of %d bytes", size)
		}
	}
	out = &writes{left: 2}
	if err := WordWchc.Run(out, srv, true, nil); !errors.Is(err, errGone) || len(out.sizes) != 2 {
		t.Errorf("wchc to a client that has gone: %v, %d writes", err, len(out.sizes))
	}
}

// FuzzRun: whatever four bytes and argument come, there is an answer or none, but no panic.
func FuzzRun(f *testing.F) {
	f.Add([]byte("ruok"), []byte(nil), true)
	f.Add([]byte("stmk"), []byte("\x00\x00\x00\x00\x00\x00\x01\x32"), true)
	f.Add([]byte{0xff, 0xf4, 0xff, 0xfd}, []byte(nil), false)
	f.Fuzz(func(t *testing.T, first, extra []byte, allowed bool) {
		if len(first) < 4 {
			return
		}
		w, ok := Lookup([4]byte(first))
		if !ok {
			return
		}
		var out bytes.Buffer
		if err := w.Run(&out, standalone(t), allowed, extra); err != nil || out.Len() == 0 && allowed && w < WordStmk {
			t.Errorf("%s: %v, %d bytes", w, err, out.Len())
		}
	})
}
