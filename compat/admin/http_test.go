package admin

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"zk/compat/harness"
	"zk/jute"
)

// request is a row of the table.
type request struct {
	method, path string
	headers      []string // "name: value"
	body         string
	// ours is the status of ours where it differs on purpose, and why.
	ours int
	why  string
	pace time.Duration // before the request: the rate of snapshots
}

func (s *server) send(r request) (reply, error) {
	req, err := http.NewRequest(r.method, fmt.Sprintf("http://127.0.0.1:%d", s.adminPort), strings.NewReader(r.body))
	if err != nil {
		return reply{}, err
	}
	path, query, _ := strings.Cut(r.path, "?")
	req.URL.Opaque, req.URL.RawQuery = path, query // as it is written
	for _, h := range r.headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header[name] = []string{value}
	}
	// A connection for each: Jetty keeps heads it has seen on one, and takes "Digest" for "digest" then.
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return reply{}, err
	}
	if n := resp.Header.Get("Content-Length"); len(body) > 0 && n != strconv.Itoa(len(body)) {
		return reply{}, fmt.Errorf("Content-Length %q for %d bytes", n, len(body))
	}
	return reply{resp.StatusCode, resp.Header, string(body)}, nil
}

// headers are those that are compared.
func headers() []string { return []string{"Content-Type", "Allow", "Cache-Control", "Last_zxid"} }

// requests is the table: every command by every name, methods, errors, the Authorization header.
func requests() []request {
	var rows []request
	get := func(path string) request { return request{method: "GET", path: path} }
	for _, names := range []string{
		"configuration conf config", "connections cons", "dirs", "dump", "get_trace_mask gtmk", "hash", "initial_configuration icfg",
		"is_read_only isro", "last_snapshot lsnp", "leader lead", "observers obsr", "ruok", "server_stats srvr", "stats stat", "voting_view",
		"watch_summary wchs", "watches wchc", "watches_by_path wchp", "zabstate", "environment env envi", "monitor mntr",
		"observer_connection_stat_reset orst", "connection_stat_reset crst", "stat_reset srst",
	} {
		for name := range strings.FieldsSeq(names) {
			rows = append(rows, get("/commands/"+name))
		}
	}
	for _, path := range []string{
		"/commands", "/commands/", "/commands/ruok/", "/commands/ruok/x", "/commands//ruok", "/commands/ru%6fk", "/commands/RUOK", "/commands/a%22b%3Cc%C3%A9%01",
		"/commands/stmk?traceMask=7&traceMask=8", "/commands/set_trace_mask?traceMask=%2B9", "/commands/stmk?traceMask=+7", "/commands/stmk?traceMask=",
		"/commands/stmk?traceMask=0x10", "/commands/stmk?traceMask=9223372036854775808", "/commands/stmk?traceMask=-5", "/commands/stmk?tracemask=1",
		"/commands/gtmk?x=%20&y", "/", "/foo", "/commandsx", "/Commands",
	} {
		rows = append(rows, get(path))
	}
	for method := range strings.FieldsSeq("HEAD POST PUT DELETE PATCH TRACE OPTIONS BREW") {
		for _, path := range []string{"/commands/ruok", "/commands", "/commands/nope", "/commands/restore", "/foo"} {
			r := request{method: method, path: path}
			switch {
			case method == "POST" && path == "/commands/ruok":
				r.ours, r.why = 405, "Java fails with an HTML page"
			case method == "HEAD" && path == "/commands/restore":
				r.ours, r.why = 405, "Java looks at the Authorization header first, and fails later"
			}
			rows = append(rows, r)
		}
	}
	wrong := request{method: "GET", path: "/commands/restore", ours: 405, why: "as above"}
	rows = append(rows, wrong)
	for _, header := range []string{
		"", "digest", "Digest bob:pw", "digest  bob:pw", "digest bob:pw x", "ip x y", "x509", "x509 y", "world anyone", "super x", "nope x", "sasl x", "auth x",
		"digest bob", "digest bob:pw", "ip", "ip x",
	} {
		rows = append(rows,
			request{method: "GET", path: "/commands/snap?streaming=false", headers: []string{"Authorization: " + header}, pace: 30 * time.Millisecond})
	}
	return append(rows,
		get("/commands/snapshot"),
		request{method: "POST", path: "/commands/restore"},
		request{method: "POST", path: "/commands/rest", headers: []string{"Authorization: nope"}},
		request{method: "GET", path: "/commands/snapshot?streaming=maybe", headers: []string{"Authorization: ip"}, pace: 30 * time.Millisecond},
		request{method: "HEAD", path: "/commands/snapshot", headers: []string{"Authorization: ip"}, pace: 30 * time.Millisecond},
		request{method: "GET", path: "/commands/snapshot", headers: []string{"Authorization: ip"}, pace: 30 * time.Millisecond},
		request{method: "POST", path: "/commands/restore", headers: []string{"Authorization: ip", "Content-Type: application/octet-stream"}, body: "garbage"},
		request{method: "POST", path: "/commands/restore", headers: []string{"Authorization: ip", "Content-Type: application/octet-stream"}, body: "garbage"},
	)
}

// TestSameAsJava sends the table to both servers.
func TestSameAsJava(t *testing.T) {
	needCompat(t)
	t.Parallel()
	both := startBoth(t, "admin.rateLimiterIntervalInMS=20000")
	for _, s := range both {
		s.prepare()
	}
	for _, r := range requests() {
		time.Sleep(r.pace)
		var got [2]reply
		for i, s := range both {
			var err error
			if got[i], err = s.send(r); err != nil {
				t.Fatalf("%s: %s %s: %v", s.Kind, r.method, r.path, err)
			}
		}
		compare(t, both, r, got)
	}
	rootACL(t, both)
	t.Run("audit", func(t *testing.T) { compareAudit(t, both) })
}

// compare tells how two replies differ.
func compare(t *testing.T, both [2]*server, r request, got [2]reply) {
	t.Helper()
	what := fmt.Sprintf("%s %s %q", r.method, r.path, r.headers)
	java, ours := got[0], got[1]
	if r.ours != 0 {
		if ours.status != r.ours || java.status == r.ours {
			t.Errorf("%s: Java %d, ours %d, want %d as %s", what, java.status, ours.status, r.ours, r.why)
		}
		return
	}
	if java.status != ours.status {
		t.Errorf("%s: Java %d, ours %d\n%s", what, java.status, ours.status, ours.body)
		return
	}
	if java.status == 404 || java.status == 405 && r.method != "OPTIONS" {
		return // Jetty's own pages, and no Allow where HTTP wants one
	}
	for _, name := range headers() {
		if a, b := java.header.Get(name), ours.header.Get(name); a != b && name != "Last_zxid" || (a == "") != (b == "") {
			t.Errorf("%s: %s: Java %q, ours %q", what, name, a, b)
		}
	}
	if java.header.Get("Content-Type") == "application/octet-stream" {
		if r.method == "GET" && (!strings.HasPrefix(ours.body, "ZKSN") || ours.header.Get("snapshot_size") != strconv.Itoa(len(ours.body))) {
			t.Errorf("%s: ours sent %d bytes, %v", what, len(ours.body), ours.header)
		}
		return
	}
	a, b := both[0].normal(r, java.body), both[1].normal(r, ours.body)
	if strings.Contains(r.path, "mntr") || strings.Contains(r.path, "monitor") {
		b = onlyIn(a, b)
	}
	if a != b {
		t.Errorf("%s: (- Java, + ours)\n%s", what, difference(a, b))
	}
}

// difference shows the lines that only one has.
func difference(a, b string) string {
	var out strings.Builder
	for _, side := range []struct{ sign, these, others string }{{"-", a, b}, {"+", b, a}} {
		for line := range strings.Lines(side.these) {
			if !strings.Contains("\n"+side.others+"\n", "\n"+strings.TrimSuffix(line, "\n")+"\n") {
				out.WriteString(side.sign + strings.TrimSuffix(line, "\n") + "\n")
			}
		}
	}
	return out.String()
}

// onlyIn leaves out the lines of b whose key a has not: figures of our own.
func onlyIn(a, b string) string {
	known := map[string]bool{}
	for line := range strings.Lines(a) {
		key, _, _ := strings.Cut(line, " : ")
		known[key] = true
	}
	var kept strings.Builder
	for line := range strings.Lines(b) {
		if key, _, _ := strings.Cut(line, " : "); known[key] {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// varies are members whose values differ from run to run.
const varies = "established|last_response_time|last_latency|min_latency|avg_latency|max_latency|uptime|data_dir_size|log_dir_size|datadir_size|logdir_size|timestamp|" +
	"data_dir|data_log_dir|digest|version|last_buffer_size"

// normal puts names in the place of what differs between two runs, and an order where Java has none.
func (s *server) normal(r request, body string) string {
	for i, c := range s.clients {
		body = strings.ReplaceAll(body, strconv.FormatInt(c.sid, 10), fmt.Sprint("session-", i))
	}
	body = strings.NewReplacer(s.Dir, "DIR", s.audit, "AUDIT").Replace(body)
	replace := func(pattern, by string) { body = regexp.MustCompile(pattern).ReplaceAllString(body, by) }
	for port, name := range map[int]string{s.Port: "PORT", s.adminPort: "ADMINPORT"} {
		replace(fmt.Sprintf(`\b%d\b`, port), name) // whole numbers: a time may begin like one
	}
	replace(`("(?:`+varies+`)" : )("[^"]*"|[-0-9.]+)`, "$1#")
	replace(`("remote_socket_address" : "127.0.0.1:)\d+`, "$1#")
	replace(`(?m)^(    )"\d+" : \[ `, `$1"AT" : [ `) // expiry
	replace(`(?m)^    "AT" : \[ \],?\n`, "")         // empty buckets
	name := strings.Split(strings.TrimPrefix(r.path, "/commands/"), "?")[0]
	switch name {
	case "environment", "env", "envi":
		replace(`(" : ").*(",?\n)`, "$1#$2")
	case "initial_configuration", "icfg":
		replace(`\\nzk\.audit\.file=AUDIT`, "")
		replace(`xQJmxLMiHGwaqBvst5y6rkB6HQs=|super:xQ\S*?=|\*\*\*`, "SECRET")
		replace(`super:SECRET`, "SECRET")
	case "last_snapshot", "lsnp":
		replace(`"zxid" : "[0-9a-f]+"`, `"zxid" : "#"`)
	case "monitor", "mntr":
		// Figures of requests and of the machine; those of the tree stay. The size of the data does not: Java
		// counts the letters of a path, we its bytes.
		replace(`(?m)^(  "(?:[a-z_0-9]*(?:znode_count|ephemerals_count|watch_count|global_sessions|local_sessions|quota_[a-z_]*)|server_state|command|error)" : .*)$`, "=$1")
		replace(`(?m)^(  "[^"]+" : ).*$`, "$1#,")
		replace(`(?m)^=`, "")
	}
	body = regexp.MustCompile(`\[ ([^\[\]{}]+) \]`).ReplaceAllStringFunc(body, func(m string) string {
		items := strings.Split(strings.Trim(m, "[ ]"), ", ")
		slices.Sort(items)
		return "[ " + strings.Join(items, ", ") + " ]"
	})
	return sortLines(sortObjects(body), name)
}

// sortObjects puts the objects of arrays in order.
func sortObjects(body string) string {
	objects := regexp.MustCompile(`\{\n(    .*\n)+  \}, \{\n(?s:.*?)\n  \} \]`)
	return objects.ReplaceAllStringFunc(body, func(m string) string {
		items := strings.Split(strings.TrimSuffix(m, " ]"), "}, {")
		for i := range items {
			items[i] = strings.Trim(items[i], "{}")
		}
		slices.Sort(items)
		return "{" + strings.Join(items, "}, {") + "} ]"
	})
}

// sortLines puts members in order whose order is that of a hash table: those of inner objects, and of
// monitor.
func sortLines(body, name string) string {
	depth := "    \""
	if name == "monitor" || name == "mntr" {
		depth = "  \""
	}
	lines := strings.Split(body, "\n")
	for i := 0; i < len(lines); i++ {
		end := i
		for end < len(lines) && strings.HasPrefix(lines[end], depth) && !strings.HasSuffix(lines[end], "{") {
			lines[end] = strings.TrimSuffix(lines[end], ",")
			end++
		}
		slices.Sort(lines[i:end])
		i = max(i, end)
	}
	return strings.Join(lines, "\n")
}

// rootACL compares who may take a snapshot when the root's ACL is closed, and who is asked for a password.
func rootACL(t *testing.T, both [2]*server) {
	bob := jute.ID{Scheme: "digest", ID: "bob:ikIaKsbtGweaHnb/jKn7OHqbunM="}
	for _, acl := range [][]jute.ACL{
		{{Perms: jute.PermAll, ID: bob}},
		{{Perms: jute.PermAll &^ jute.PermAdmin, ID: jute.ID{Scheme: "ip", ID: "127.0.0.1"}}, {Perms: jute.PermAdmin, ID: bob}},
	} {
		for _, s := range both {
			s.clients[0].ok(jute.OpSetACL, setACL("/", -1, acl...))
		}
		for _, header := range []string{"digest bob:pw", "digest bob:no", "digest super:admin", "ip"} {
			r := request{method: "GET", path: "/commands/snapshot?streaming=false", headers: []string{"Authorization: " + header}}
			time.Sleep(30 * time.Millisecond) // both servers are set to one snapshot in 20 ms
			var got [2]reply
			for i, s := range both {
				var err error
				if got[i], err = s.send(r); err != nil {
					t.Fatal(err)
				}
			}
			compare(t, both, r, got)
		}
		for _, s := range both {
			s.clients[0].ok(jute.OpSetACL, setACL("/", -1, open()...))
		}
		// The second list has no entry that lets bob restore it: that is done by the address.
	}
}

// TestNoPort: a standalone server whose AdminServer can't listen ends, with the same code.
func TestNoPort(t *testing.T) {
	needCompat(t)
	t.Parallel()
	for _, kind := range []harness.Kind{harness.Java, harness.Ours} {
		// An address that no machine has: for one in use the harness would try again.
		_, err := harness.Start(t, kind, harness.Options{Config: []string{"admin.enableServer=true", "admin.serverAddress=203.0.113.1"}})
		var ended *harness.ExitError
		if !errors.As(err, &ended) || ended.Code != 4 {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
