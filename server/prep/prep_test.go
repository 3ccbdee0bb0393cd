package prep

import (
	"bytes"
	"fmt"
	"math"
	"math/rand"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"zk/jute"
	"zk/server/tree"
)

// randomRequest draws from few names, so that requests meet.
func randomRequest(r *rand.Rand) *Request {
	req := &Request{SessionID: jute.SessionID(1 + r.Intn(3)), Cxid: int32(r.Int31())}
	if r.Intn(4) == 0 {
		req.IDs = []jute.ID{{Scheme: "u", ID: "me"}}
	}
	switch n := r.Intn(40); {
	case n == 0:
		req.Op = jute.OpCloseSession
	case n == 1:
		req.Op, req.TimeoutMillis = jute.OpCreateSession, 4000
	case n == 2:
		req.Body = randomBody(r)
		req.Op = jute.OpSetACL
	case n == 3:
		req.Body = randomBody(r)
		req.Op = jute.OpDeleteContainer
	case n < 12:
		req.Op = jute.OpMulti
		for range r.Intn(5) {
			req.Subs = append(req.Subs, randomBody(r))
		}
	default:
		for req.Body = randomBody(r); req.Op == jute.OpCheck; req.Body = randomBody(r) {
		}
	}
	return req
}

func randomBody(r *rand.Rand) Body {
	names := []string{"", "/a", "/b", "/zookeeper", "/zookeeper/x", "/a/b", "/a/c", "/a/b/c", "/a/", "/b/s"}
	ops := []jute.OpCode{
		jute.OpCreate, jute.OpCreate, jute.OpCreate2, jute.OpCreateContainer, jute.OpCreateTTL, jute.OpDelete, jute.OpDelete,
		jute.OpSetData, jute.OpSetData, jute.OpCheck,
	}
	b := Body{Op: ops[r.Intn(len(ops))], Path: names[r.Intn(len(names))], Version: -1, ACL: openACL()}
	if r.Intn(3) == 0 {
		b.Version = int32(r.Intn(3))
	}
	if r.Intn(5) > 0 {
		b.Data = bytes.Repeat([]byte{'x'}, r.Intn(4))
	}
	if r.Intn(12) == 0 {
		b.ACL = []jute.ACL{{Perms: int32(r.Intn(32)), ID: jute.ID{Scheme: "u", ID: "me"}}}
	}
	if b.Path == "" && r.Intn(2) == 0 {
		b.Path = "/"
	}
	if r.Intn(2) == 0 {
		b.Flags = int32(r.Intn(4))
	}
	if b.Op == jute.OpCreateTTL {
		b.Flags, b.TTL = 5+int32(r.Intn(2)), int64(r.Intn(100))
	}
	return b
}

// TestLag prepares the same requests over a tree that is applied at once and over trees that lag
// behind by random numbers of transactions. The proposals must be the same bytes, and each digest the
// tree's. When all is applied no change may be left.
func TestLag(t *testing.T) {
	codes := map[jute.Code]int{}
	for seed := range int64(60) {
		r := rand.New(rand.NewSource(seed))
		opt := Options{ExtendedTypes: seed%2 == 0, BareCloseSession: seed%5 == 4}
		now, lagging := newWorld(opt), newWorld(opt)
		var log []string
		for i := range 500 {
			req := randomRequest(r)
			ms := int64(1000 + i)
			a, done := now.prepare(req, ms)
			b, _ := lagging.prepare(req, ms)
			log = append(log, fmt.Sprintf("%+v", req))
			if !bytes.Equal(a, b) {
				t.Fatalf("seed %d: request %d depends on the lag (%d behind):\n%x\n%x\n%s", seed, i, len(lagging.pending), a, b,
					strings.Join(log[max(0, len(log)-20):], "\n"))
			}
			codes[done.Err]++
			if bad := now.applyNext(); bad != "" {
				t.Fatalf("seed %d: request %d %+v: %s", seed, i, req, bad)
			}
			if now.prep.InFlight() != 0 {
				t.Fatalf("seed %d: request %d: %d changes left", seed, i, now.prep.InFlight())
			}
			for range r.Intn(3) * r.Intn(2) * (1 + i%50/48*40) {
				if len(lagging.pending) == 0 {
					break
				}
				if bad := lagging.applyNext(); bad != "" {
					t.Fatalf("seed %d: lagging, before request %d: %s", seed, i, bad)
				}
			}
			if req.Op == jute.OpCloseSession && r.Intn(2) == 0 { // the session may come again
				delete(now.sessions.closing, req.SessionID)
				delete(lagging.sessions.closing, req.SessionID)
			}
			checkChanges(t, lagging.prep)
		}
		for len(lagging.pending) > 0 {
			if bad := lagging.applyNext(); bad != "" {
				t.Fatalf("seed %d: %s", seed, bad)
			}
		}
		if p := lagging.prep; p.InFlight() != 0 || len(p.inflight.queue) != 0 || len(p.inflight.byOwner) != 0 {
			t.Fatalf("seed %d: %d changes left, %d queued, %d sessions", seed, p.InFlight(), len(p.inflight.queue), len(p.inflight.byOwner))
		}
		if now.tree.TreeDigest() != lagging.tree.TreeDigest() {
			t.Fatalf("seed %d: digests differ", seed)
		}
	}
	for _, c := range []jute.Code{
		jute.CodeOk, jute.CodeBadArguments, jute.CodeNoNode, jute.CodeNoAuth, jute.CodeBadVersion, jute.CodeNoChildrenForEphemerals,
		jute.CodeNodeExists, jute.CodeNotEmpty, jute.CodeSessionExpired, jute.CodeUnimplemented,
	} {
		if codes[c] == 0 {
			t.Errorf("no request ended with %v", c)
		}
	}
}

// checkChanges checks the lists inside: each change is in the list of the session that owns its node.
func checkChanges(t *testing.T, p *Preparer) {
	t.Helper()
	listed := map[*change]bool{}
	for id, c := range p.inflight.byOwner {
		for prev := (*change)(nil); c != nil; prev, c = c, c.next {
			if c.prev != prev || c.owner != id || listed[c] {
				t.Fatalf("list of session %v is broken at %s", id, c.path)
			}
			listed[c] = true
		}
	}
	for path, c := range p.inflight.byPath {
		want := jute.SessionID(0)
		if c.exists {
			want = p.nodeOwner(&c.info)
		}
		if c.path != path || c.owner != want || listed[c] != (want != 0) {
			t.Fatalf("change of %s: path %s, owner %v, want %v", path, c.path, c.owner, want)
		}
	}
}

// goldenTxns gives the transactions of the logs Java 3.9.5 wrote, of all servers, in zxid order.
func goldenTxns(t *testing.T) [][]byte {
	files, err := filepath.Glob("../../jute/testdata/golden/*.log.*")
	if err != nil || len(files) == 0 {
		t.Fatal("no recordings", err)
	}
	byZxid := map[jute.Zxid][]byte{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		d := jute.NewDecoder(b[jute.FileHeaderBytes:], 0)
		for {
			var e jute.TxnLogEntryHeader
			if e.Decode(&d); e.LengthBytes == 0 {
				break
			}
			payload := d.Rest()[:e.LengthBytes]
			for range e.LengthBytes + 1 {
				d.Bool()
			}
			var h jute.TxnHeader
			hd := jute.NewDecoder(payload, 0)
			h.Decode(&hd)
			byZxid[h.Zxid] = payload
		}
	}
	var zxids []jute.Zxid
	for z := range byZxid {
		zxids = append(zxids, z)
	}
	slices.Sort(zxids)
	var out [][]byte
	for _, z := range zxids {
		out = append(out, byZxid[z])
	}
	return out
}

// TestGoldenTxns turns each recorded transaction back into a request that leads to it, and prepares that:
// it must come out as Java 3.9.5 wrote it, digest included, with nothing applied in between and with all.
func TestGoldenTxns(t *testing.T) {
	for _, lag := range []int{0, 7, 1000} {
		w := newWorld(Options{ExtendedTypes: true})
		prepared, verified := 0, 0
		for _, payload := range goldenTxns(t) {
			d := jute.NewDecoder(payload, 0)
			var want jute.Proposal
			want.Decode(&d)
			if d.Err() != nil {
				t.Fatal(d.Err())
			}
			h := &want.Header
			if want.Txn.Type == jute.OpReconfig || h.Zxid != w.prep.LastZxid()+1 {
				w.catchUp(t) // a reconfig is not prep's yet; nor is the first zxid of an epoch
				w.prep.Reset(h.Zxid - 1)
			}
			if want.Txn.Type == jute.OpReconfig {
				w.pending = append(w.pending, payload)
				w.catchUp(t)
				w.prep.Reset(h.Zxid)
				continue
			}
			got, _ := w.prepare(w.requestFor(t, &want), h.Time)
			prepared++
			if want.Txn.Type == jute.OpCloseSession { // Java's order of the paths is a hash table's
				d := jute.NewDecoder(got, 0)
				var p jute.Proposal
				p.Decode(&d)
				slices.Sort(want.Txn.Paths)
				if !reflect.DeepEqual(p, want) {
					t.Fatalf("lag %d: got %+v\nwant %+v", lag, p, want)
				}
			} else if !bytes.Equal(got, payload) {
				t.Fatalf("lag %d, zxid %v: got\n%x, want\n%x\n%+v", lag, h.Zxid, got, payload, want)
			}
			for len(w.pending) > lag {
				if bad := w.applyNext(); bad != "" {
					t.Fatalf("lag %d: %s", lag, bad)
				}
				verified++
			}
		}
		w.catchUp(t)
		if prepared < 80 || lag == 0 && verified != prepared {
			t.Errorf("lag %d: %d prepared, %d verified", lag, prepared, verified)
		}
	}
}

func (w *world) catchUp(t *testing.T) {
	t.Helper()
	for len(w.pending) > 0 {
		if bad := w.applyNext(); bad != "" {
			t.Fatal(bad)
		}
	}
}

// requestFor makes a request that prep should turn into p.
func (w *world) requestFor(t *testing.T, p *jute.Proposal) *Request {
	t.Helper()
	r := &Request{
		SessionID: p.Header.ClientID, Cxid: p.Header.Cxid, IDs: []jute.ID{{Scheme: "super"}},
		TimeoutMillis: p.Txn.TimeoutMillis,
	}
	delete(w.sessions.closing, r.SessionID)
	r.Body = bodyFor(t, &p.Txn)
	if p.Txn.Type != jute.OpMulti {
		return r
	}
	for i := range p.Txn.Subs {
		r.Subs = append(r.Subs, bodyFor(t, &p.Txn.Subs[i]))
	}
	return r
}

func bodyFor(t *testing.T, x *jute.Txn) Body {
	t.Helper()
	b := Body{Op: x.Type, Path: x.Path, Data: x.Data, ACL: x.ACL, TTL: x.TTL, Version: -1}
	switch x.Type {
	case jute.OpCreate, jute.OpCreate2:
		if x.Ephemeral {
			b.Flags = jute.FlagEphemeral
		}
	case jute.OpCreateContainer:
		b.Flags = jute.FlagContainer
	case jute.OpCreateTTL:
		b.Flags = jute.FlagTTL
	case jute.OpSetData, jute.OpSetACL, jute.OpCheck:
		b.Version = x.Version - 1
	case jute.OpError:
		switch x.Err {
		case jute.CodeNoNode:
			return Body{Op: jute.OpDelete, Path: "/none", Version: -1}
		case jute.CodeBadVersion:
			return Body{Op: jute.OpCheck, Path: "/", Version: 99}
		case jute.CodeNodeExists:
			return Body{Op: jute.OpCreate, Path: "/", ACL: openACL()}
		case jute.CodeNotEmpty:
			return Body{Op: jute.OpDelete, Path: "/golden", Version: -1}
		case jute.CodeRuntimeInconsistency:
			return Body{Op: jute.OpCheck, Path: "/", Version: -1} // behind a part that failed
		default:
			t.Fatalf("no request for error %v", x.Err)
		}
	}
	return b
}

// TestCversionEnd has a parent whose creations have reached the last int.
func TestCversionEnd(t *testing.T) {
	for _, start := range []int32{math.MaxInt32 - 1, -3} {
		w := newWorld(Options{})
		w.prepare(&Request{SessionID: 1, Body: Body{Op: jute.OpCreate, Path: "/p", ACL: openACL()}}, 1)
		w.catchUp(t)
		// The cversion can't be reached by requests; a transaction may carry any.
		x := jute.Proposal{Header: jute.TxnHeader{Zxid: 2, Type: jute.OpCreate}}
		x.Txn = jute.Txn{Type: jute.OpCreate, Path: "/p/x", ACL: openACL(), ParentCversion: start}
		if start < 0 {
			w = negativeWorld(t, start) // no transaction leads there
		} else {
			var res tree.Result
			w.tree.Apply(&x.Header, &x.Txn, noEvents{}, &res)
			w.prep.Reset(2)
		}
		seq := Body{Op: jute.OpCreate, Path: "/p/s", ACL: openACL(), Flags: jute.FlagSequential}
		var got []string
		for range 4 {
			b, done := w.prepare(&Request{SessionID: 1, Body: seq}, 1)
			d := jute.NewDecoder(b, 0)
			var p jute.Proposal
			p.Decode(&d)
			got = append(got, strings.TrimSpace(p.Txn.Path+" "+map[bool]string{true: done.Err.Error()}[done.Err != 0]))
		}
		w.catchUp(t)
		want := []string{"/p/s2147483646", "/p/s2147483647", "NodeExists", "NodeExists"}
		if start < 0 {
			want = []string{"/p/s-000000003", "/p/s-000000002", "/p/s-000000001", "/p/s0000000000"}
		}
		if !slices.Equal(got, want) {
			t.Errorf("from %d: got %q, want %q", start, got, want)
		}
	}
}

// negativeWorld has a node /p with this cversion.
func negativeWorld(t *testing.T, cversion int32) *world {
	t.Helper()
	store := newMemStore()
	w := &world{tree: tree.New(store, tree.Saved{}, tree.Options{Digest: true}), sessions: newTestSessions()}
	w.tree.Init()
	w.prep = New(w.tree, testAuth{}, w.sessions, Options{})
	w.prepare(&Request{SessionID: 1, Body: Body{Op: jute.OpCreate, Path: "/p", ACL: openACL()}}, 1)
	w.catchUp(t)
	n := store.Edit(store.Find("/p"))
	n.Stat.Cversion = cversion
	// The digest of the node and of the tree follow with the next change through Apply.
	w.prepare(&Request{SessionID: 1, Body: Body{Op: jute.OpSetACL, Path: "/p", ACL: openACL(), Version: -1}}, 1)
	d := jute.NewDecoder(w.pending[0], 0)
	var p jute.Proposal
	p.Decode(&d)
	var res tree.Result
	w.tree.Apply(&p.Header, &p.Txn, noEvents{}, &res)
	w.pending = nil
	w.prep.Reset(p.Header.Zxid)
	return w
}

// TestVersionWraps: a version goes from the last int to the first, and at -1 an expected -1 is any.
func TestVersionWraps(t *testing.T) {
	for _, c := range []struct {
		current, expected, next int32
		code                    jute.Code
	}{
		{0, -1, 1, 0},
		{0, 0, 1, 0},
		{0, 1, 0, jute.CodeBadVersion},
		{0, -2, 0, jute.CodeBadVersion},
		{-2, -2, -1, 0},
		{-1, -1, 0, 0},
		{math.MaxInt32, math.MaxInt32, math.MinInt32, 0},
		{math.MinInt32, -1, math.MinInt32 + 1, 0},
	} {
		if next, code := nextVersion(c.current, c.expected); next != c.next || code != c.code {
			t.Errorf("%d, %d: got %d, %v", c.current, c.expected, next, code)
		}
	}
}

// slowValidatePath goes over UTF-16 units, one rule after the other.
func slowValidatePath(path string) bool {
	u := utf16.Encode([]rune(path))
	if len(u) == 0 || u[0] != '/' {
		return false
	}
	if len(u) == 1 {
		return true
	}
	for _, part := range strings.Split(path, "/")[1:] {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	for _, c := range u {
		for _, bad := range [][2]uint16{{0, 0x1f}, {0x7f, 0x9f}, {0xd800, 0xf8ff}, {0xfff0, 0xffff}} {
			if c >= bad[0] && c <= bad[1] {
				return false
			}
		}
	}
	return true
}

func TestValidatePath(t *testing.T) {
	for path, want := range map[string]bool{
		"": false, "/": true, "a": false, "/a": true, "/a/": false, "//": false, "/a//b": false, "/.": false, "/..": false,
		"/a/.": false, "/a/..": false, "/./a": false, "/../a": false, "/...": true, "/..a": true, "/a.": true, "/a..": true,
		"/\x00": false, "/\x1f": false, "/ ": true, "/\x7f": false, "/\u009f": false, "/\u00a0": true, "/\ud7ff": true,
		"/\ue000": false, "/\uf8ff": false, "/\uf900": true, "/\uffef": true, "/\ufff0": false, "/\uffff": false, "/😀": false,
		"/ä/.": false, "/ä/../b": false, "/ä//b": false, "/ä/": false, "/ä/b.": true, "/./ä": false, "/\xff": false,
	} {
		if got := ValidatePath(path); got != want {
			t.Errorf("%q: got %v", path, got)
		}
	}
}

func FuzzValidatePath(f *testing.F) {
	for _, s := range []string{"/", "/a/b", "/ä/.", "/\x7f", "/😀", "/..", "/a..", "//"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if got, want := ValidatePath(path), slowValidatePath(path); got != want {
			t.Errorf("%q: got %v, want %v", path, got, want)
		}
	})
}

func TestSuffix(t *testing.T) {
	for n, want := range map[int32]string{
		0: "p0000000000", 7: "p0000000007", math.MaxInt32: "p2147483647", -1: "p-000000001", math.MinInt32: "p-2147483648",
		-123456789: "p-123456789",
	} {
		if got := appendSuffix("p", n); got != want || got != fmt.Sprintf("p%010d", n) {
			t.Errorf("%d: got %s", n, got)
		}
	}
}
