package metrics

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"go.uber.org/goleak"
)

// newStandalone has what the recorded Java server had: all gauges of a standalone server and the same
// keys in the labelled families.
func newStandalone() *Metrics {
	m := New(time.Unix(0, 0))
	constant := func(v int64) func() int64 { return func() int64 { return v } }
	m.OutstandingRequests.Set(constant(0))
	m.NumAliveConnections.Set(constant(3))
	m.GlobalSessions.Set(constant(2))
	m.ZnodeCount.Set(constant(46))
	m.EphemeralsCount.Set(constant(6))
	m.ApproximateDataSize.Set(constant(2200))
	m.WatchCount.Set(constant(8))
	keyed := func(v int64) func() map[string]int64 {
		return func() map[string]int64 { return map[string]int64{"load": v} }
	}
	m.QuotaCountLimitPerNamespace.Set(keyed(1000))
	m.QuotaBytesLimitPerNamespace.Set(keyed(100000))
	m.QuotaCountUsagePerNamespace.Set(keyed(34))
	m.QuotaBytesUsagePerNamespace.Set(keyed(601))
	m.ReadPerNamespace.Observe("load", 77)
	for _, key := range []string{"load", "other", "zookeeper"} {
		m.WritePerNamespace.Observe(key, 19)
	}
	return m
}

// mntrLines splits "key\tvalue" lines.
func mntrLines(t *testing.T, text string) map[string]string {
	t.Helper()
	lines := make(map[string]string)
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !ok || !strings.HasSuffix(line, "\n") || lines[key] != "" {
			t.Errorf("bad or double line %q", line)
		}
		lines[key] = value
	}
	return lines
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// ours reports whether a name is that of a figure which Java has not.
func ours(name string) bool {
	return strings.Contains(name, "apply_stop_time_ms") || strings.Contains(name, "ephemerals_refused_count")
}

// TestMntrMatchesJava compares with the replies of a standalone 3.9.5 server, once per provider: the
// same keys, and each value written as the same kind of number.
func TestMntrMatchesJava(t *testing.T) {
	for form, file := range map[Form]string{
		FormDefault:    "testdata/java-standalone-mntr-default.txt",
		FormPrometheus: "testdata/java-standalone-mntr-prometheus.txt",
	} {
		want := mntrLines(t, readFile(t, file))
		delete(want, "zk_version") // these two lines are package fourletter's
		delete(want, "zk_server_state")
		got := mntrLines(t, string(newStandalone().AppendMntr(nil, form, time.Unix(1, 0))))
		for key, value := range want {
			if other, ok := got[key]; !ok {
				t.Errorf("%s: %s is missing", file, key)
			} else if isFloat(value) != isFloat(other) {
				t.Errorf("%s: %s is written %q, Java writes %q", file, key, other, value)
			}
		}
		for key := range got {
			if _, ok := want[key]; !ok && !ours(key) {
				t.Errorf("%s: %s is not Java's", file, key)
			}
		}
	}
}

func isFloat(s string) bool { return s == "NaN" || strings.Contains(s, ".") }

// TestMntrValues feeds the figures that Java reported and expects its text.
func TestMntrValues(t *testing.T) {
	m := newStandalone()
	for range 78 {
		m.FsyncTime.Observe(0)
	}
	for range 94 {
		m.FsyncTime.Observe(1)
	}
	m.FsyncTime.Observe(1)
	for _, v := range []int64{1, 2, 2, 2, 3, 3, 40} {
		m.UpdateLatency.Observe(v)
	}
	m.ConnectionRequestCount.Add(2)
	m.QuotaExceededErrorPerNamespace.Add("load", 3)
	m.ConnectionDropProbability.SetFloat(func() float64 { return 0.25 })
	got := mntrLines(t, string(m.AppendMntr(nil, FormDefault, time.Unix(1, 0))))
	for key, value := range map[string]string{
		"zk_avg_fsynctime": "0.5491", "zk_min_fsynctime": "0", "zk_max_fsynctime": "1",
		"zk_cnt_fsynctime": "173", "zk_sum_fsynctime": "95",
		"zk_avg_updatelatency": "7.5714", "zk_p50_updatelatency": "2", "zk_p95_updatelatency": "40",
		"zk_p999_updatelatency":                      "40",
		"zk_connection_request_count":                "2",
		"zk_load_quota_exceeded_error_per_namespace": "3",
		"zk_load_quota_count_limit_per_namespace":    "1000",
		"zk_avg_zookeeper_write_per_namespace":       "19.0",
		"zk_avg_readlatency":                         "0.0", "zk_p99_readlatency": "0",
		"zk_connection_drop_probability": "0.25",
		"zk_last_client_response_size":   "-1",
	} {
		if got[key] != value {
			t.Errorf("%s is %q, want %q", key, got[key], value)
		}
	}
	if _, ok := got["zk_p50_fsynctime"]; ok {
		t.Error("fsynctime has percentiles")
	}
	got = mntrLines(t, string(m.AppendMntr(nil, FormPrometheus, time.Unix(1, 0))))
	for key, value := range map[string]string{
		`zk_fsynctime{quantile="0.5"}`: "1.0", "zk_fsynctime_count": "173.0", "zk_fsynctime_sum": "95.0",
		`zk_readlatency{quantile="0.99"}`:                   "NaN",
		`zk_quota_exceeded_error_per_namespace{key="load"}`: "3.0",
		`zk_write_per_namespace{key="load",quantile="0.5"}`: "19.0",
		`zk_write_per_namespace_count{key="load"}`:          "1.0",
		"zk_last_client_response_size":                      "-1.0",
	} {
		if got[key] != value {
			t.Errorf("%s is %q, want %q", key, got[key], value)
		}
	}
}

// TestMntrOrder: gauges, gauge sets, counters, counter sets, summaries, summary sets.
func TestMntrOrder(t *testing.T) {
	m := newStandalone()
	m.QuotaExceededErrorPerNamespace.Add("load", 1)
	text := string(m.AppendMntr(nil, FormDefault, time.Unix(1, 0)))
	last := -1
	for _, key := range []string{
		"zk_avg_latency\t", "zk_load_quota_count_limit_per_namespace\t", "zk_connection_request_count\t",
		"zk_load_quota_exceeded_error_per_namespace\t", "zk_avg_fsynctime\t", "zk_avg_load_write_per_namespace\t",
	} {
		i := strings.Index(text, key)
		if i <= last {
			t.Errorf("%q is at %d, the one before it at %d", key, i, last)
		}
		last = i
	}
}

// TestRoleGauges: absent until set, and again after Unset.
func TestRoleGauges(t *testing.T) {
	m := New(time.Unix(0, 0))
	gauges := map[string]*Gauge{
		"quorum_size": m.QuorumSize, "learners": m.Learners, "synced_followers": m.SyncedFollowers,
		"synced_non_voting_followers": m.SyncedNonVotingFollowers, "synced_observers": m.SyncedObservers,
		"pending_syncs": m.PendingSyncs, "leader_uptime": m.LeaderUptime,
		"last_proposal_size": m.LastProposalSize, "min_proposal_size": m.MinProposalSize,
		"max_proposal_size": m.MaxProposalSize,
	}
	count := func() (n int) {
		text := string(m.AppendMntr(nil, FormDefault, time.Unix(0, 0)))
		for name := range gauges {
			n += strings.Count(text, "zk_"+name+"\t4\n")
		}
		return n
	}
	if n := count(); n != 0 {
		t.Errorf("%d are there before they are set", n)
	}
	for _, g := range gauges {
		g.Set(func() int64 { return 4 })
	}
	if n := count(); n != len(gauges) {
		t.Errorf("%d of %d are there", n, len(gauges))
	}
	for _, g := range gauges {
		g.Unset()
	}
	if n := count(); n != 0 {
		t.Errorf("%d are there after Unset", n)
	}
}

// exposition is a parsed text of /metrics: family to type, and the names of all samples with labels.
type exposition struct {
	types   map[string]string
	samples map[string]string
}

func parseExposition(text string) exposition {
	e := exposition{types: make(map[string]string), samples: make(map[string]string)}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		line := strings.ReplaceAll(lines.Text(), ",}", "}") // the old Java client ends label lists so
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, kind, _ := strings.Cut(rest, " ")
			e.types[name] = kind
		} else if line != "" && line[0] != '#' {
			i := strings.LastIndexByte(line, ' ')
			e.samples[line[:i]] = line[i+1:]
		}
	}
	return e
}

func scrape(t *testing.T, h http.Handler, url string) string {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, url, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%s: status %d: %s", url, w.Code, w.Body)
	}
	if got := w.Header().Get("Content-Type"); got != "text/plain; version=0.0.4; charset=utf-8" {
		t.Errorf("content type %q", got)
	}
	return w.Body.String()
}

// TestPrometheusMatchesJava compares with /metrics of a standalone 3.9.5 server.
func TestPrometheusMatchesJava(t *testing.T) {
	want := parseExposition(readFile(t, "testdata/java-standalone-metrics.txt"))
	text := scrape(t, newStandalone().Handler(false), "/metrics")
	got := parseExposition(text)
	for sample := range want.samples {
		if _, ok := got.samples[sample]; !ok {
			t.Errorf("%s is missing", sample)
		}
	}
	for sample := range got.samples {
		if _, ok := want.samples[sample]; !ok && !ours(sample) {
			t.Errorf("%s is not Java's", sample)
		}
	}
	for name, kind := range got.types {
		if want.types[name] != kind && !ours(name) {
			t.Errorf("%s is a %s, Java's a %s", name, kind, want.types[name])
		}
		if !strings.Contains(text, fmt.Sprintf("# HELP %s %s\n", name, name)) {
			t.Errorf("%s: the help text is not the name", name)
		}
	}
	// A labelled family without keys has no samples; Java prints its head all the same.
	empty := []string{"ack_latency", "learner_handler_qp_size", "learner_handler_qp_time_ms", "quota_exceeded_error_per_namespace"}
	for name := range want.types {
		if _, ok := got.types[name]; !ok && !slices.Contains(empty, name) {
			t.Errorf("family %s is missing", name)
		}
	}
	if v := got.samples[`readlatency{quantile="0.5"}`]; v != "NaN" {
		t.Errorf("quantile of an empty summary is %s", v)
	}
}

// TestFilter expects what the Java server answered to the same query.
func TestFilter(t *testing.T) {
	m := newStandalone()
	m.FsyncTime.Observe(1)
	h := m.Handler(true)
	want := `# HELP fsynctime fsynctime
# TYPE fsynctime summary
fsynctime_count 1
# HELP readlatency readlatency
# TYPE readlatency summary
readlatency{quantile="0.5"} NaN
readlatency{quantile="0.9"} NaN
readlatency{quantile="0.99"} NaN
# HELP znode_count znode_count
# TYPE znode_count gauge
znode_count 46
`
	if got := scrape(t, h, "/metrics?name[]=readlatency&name[]=fsynctime_count&name[]=znode_count"); got != want {
		t.Errorf("got:\n%s", got)
	}
	if got := scrape(t, h, "/metrics?name%5B%5D=nothing"); got != "" {
		t.Errorf("got:\n%s", got)
	}
}

func TestRuntimeFigures(t *testing.T) {
	got := parseExposition(scrape(t, New(time.Unix(0, 0)).Handler(true), "/metrics"))
	for _, sample := range []string{
		`jvm_memory_bytes_used{area="heap"}`, `jvm_memory_bytes_max{area="heap"}`, "go_goroutines",
	} {
		if v, ok := got.samples[sample]; !ok || v == "0" {
			t.Errorf("%s is %q", sample, v)
		}
	}
	if runtime.GOOS == "linux" {
		for _, sample := range []string{"process_open_fds", "process_resident_memory_bytes", "process_start_time_seconds"} {
			if _, ok := got.samples[sample]; !ok {
				t.Errorf("%s is missing", sample)
			}
		}
		if openFiles() < 3 || openFilesMax() < openFiles() {
			t.Errorf("%d of %d files are open", openFiles(), openFilesMax())
		}
	}
}

func TestOnlyGetOfMetrics(t *testing.T) {
	h := New(time.Unix(0, 0)).Handler(false)
	for _, c := range []struct {
		method, url string
		status      int
	}{
		{http.MethodGet, "/", http.StatusNotFound},
		{http.MethodHead, "/metrics", http.StatusOK},
		{http.MethodPost, "/metrics", http.StatusMethodNotAllowed},
		{http.MethodTrace, "/metrics", http.StatusMethodNotAllowed},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(c.method, c.url, nil))
		if w.Code != c.status {
			t.Errorf("%s %s: status %d, want %d", c.method, c.url, w.Code, c.status)
		}
	}
}

func TestServe(t *testing.T) {
	defer goleak.VerifyNone(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- newStandalone().Serve(ctx, listener, true) }()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get("http://" + listener.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || !strings.Contains(string(body), "\nznode_count 46\n") {
		t.Errorf("%v: %s", err, body)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	if err := newStandalone().Serve(context.Background(), closed, false); err == nil {
		t.Error("no error from a closed listener")
	}
}

func TestServerStats(t *testing.T) {
	m := newStandalone()
	m.ObserveRequest(3, true)
	m.ObserveRequest(0, false)
	m.ObserveRequest(-1, false)
	m.Server.PacketsReceived.Add(5)
	m.Server.PacketsSent.Inc()
	for _, size := range []int64{20, 0, 30, 16} {
		m.Server.ResponseSizes.Observe(size)
	}
	check := func(what string, want map[string]string) {
		t.Helper()
		got := mntrLines(t, string(m.AppendMntr(nil, FormDefault, time.Unix(0, 0))))
		for key, value := range want {
			if got["zk_"+key] != value {
				t.Errorf("%s: %s is %q, want %q", what, key, got["zk_"+key], value)
			}
		}
	}
	check("before", map[string]string{
		"avg_latency": "1.5", "min_latency": "0", "max_latency": "3", "packets_received": "5", "packets_sent": "1",
		"last_client_response_size": "16", "min_client_response_size": "0", "max_client_response_size": "30",
		"cnt_readlatency": "1", "cnt_updatelatency": "1",
	})
	m.Server.Reset()
	check("after a reset of the server's figures", map[string]string{
		"avg_latency": "0.0", "max_latency": "0", "packets_received": "0", "packets_sent": "0",
		"last_client_response_size": "-1", "min_client_response_size": "-1", "max_client_response_size": "-1",
		"cnt_readlatency": "1", "max_updatelatency": "3",
	})
	m.CommitCount.Inc()
	m.QuotaExceededErrorPerNamespace.Add("load", 4)
	m.Reset()
	check("after a reset of all", map[string]string{
		"cnt_readlatency": "0", "max_updatelatency": "0", "sum_load_write_per_namespace": "0", "commit_count": "0",
		"load_quota_exceeded_error_per_namespace": "0", "znode_count": "46",
	})
}

// TestKeysAreBounded: a client that makes up names costs no memory beyond the bound.
func TestKeysAreBounded(t *testing.T) {
	m := New(time.Unix(0, 0))
	for i := range 3 * setKeysMax {
		m.WritePerNamespace.Observe(fmt.Sprintf("name-%d", i), 1)
		m.QuotaExceededErrorPerNamespace.Add(fmt.Sprintf("name-%d", i), 1)
	}
	keys := 0
	m.WritePerNamespace.each(func(string, *Summary) { keys++ })
	if keys != setKeysMax+1 {
		t.Errorf("%d keys", keys)
	}
	if n := m.WritePerNamespace.With(OtherKey).Count(); n != 2*setKeysMax {
		t.Errorf("%d values were folded into one key", n)
	}
	long := strings.Repeat("x", 1<<20)
	bad := New(time.Unix(0, 0))
	bad.ReadPerNamespace.Observe(long, 1)
	bad.ReadPerNamespace.Observe("bad\xff\"\n", 1)
	got := parseExposition(scrape(t, bad.Handler(false), "/metrics"))
	if _, ok := got.samples[`read_per_namespace_count{key="bad?\"\n"}`]; !ok {
		t.Error("a key with odd bytes is not there")
	}
	if _, ok := got.samples[`read_per_namespace_count{key="`+long[:keyBytesMax]+`"}`]; !ok {
		t.Error("a long key is not cut")
	}
}

// TestHistogramIsBounded: no value makes a summary larger than the package comment says.
func TestHistogramIsBounded(t *testing.T) {
	s := &Summary{clock: &windowClock{}}
	for v := int64(1); v > 0; v *= 2 {
		s.Observe(v)
	}
	s.Observe(math.MaxInt64)
	size := 0
	for c := range s.parts[0].chunk {
		if s.parts[0].chunk[c].Load() != nil {
			size += chunkLen * 8
		}
	}
	size += int(unsafe.Sizeof(histogram{}))
	if size > 12<<10 {
		t.Errorf("one histogram has grown to %d bytes", size)
	}
}
