package prep

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"zk/jute"
	"zk/server/tree"
)

// TestScripts runs testdata/*.txt. A block is commands, a line of dashes, and what they print; with
// -rewrite the files are written anew. Commands:
//
//	new [ttl] [quota] [reconfig] [bare]     a fresh tree and Preparer with these options
//	<op> key=value ...                      prepare a request; prints its transaction
//	multi <op> ... ; <op> ...               a multi
//	apply [n]                               apply the n oldest proposals, or all; checks each digest
//	stat <path>                             the committed node
//	closing s=<n> | moved s=<n>             the state of a session
//	zxid                                    zxid given out last, nodes with changes in flight
//	time <ms>                               the clock
//
// Keys: path, data (- is null), acl (open, null, empty, bad, or scheme:id:perms), flags, ttl, v (version),
// s (session, 1), as (scheme:id, an identity), timeout, local.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) { runScript(t, f) })
	}
}

func runScript(t *testing.T, file string) {
	in, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &script{w: newWorld(Options{}), now: 1000}
	var out bytes.Buffer
	var printed []string
	skip := false
	for _, line := range strings.Split(strings.TrimSuffix(string(in), "\n"), "\n") {
		switch {
		case line == "----":
			fmt.Fprintln(&out, line)
			for _, p := range printed {
				fmt.Fprintln(&out, p)
			}
			printed, skip = nil, true
		case line == "":
			skip = false
			fmt.Fprintln(&out)
		case skip:
		default:
			fmt.Fprintln(&out, line)
			if !strings.HasPrefix(line, "#") {
				printed = append(printed, s.run(t, line))
			}
		}
	}
	if bytes.Equal(in, out.Bytes()) {
		return
	}
	if *rewrite {
		if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, want := strings.Split(out.String(), "\n"), strings.Split(string(in), "\n")
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("%s:%d: got\n%s\nwant\n%s", file, i+1, got[i], want[i])
		}
	}
	t.Fatalf("%s: other length", file)
}

var rewrite = flag.Bool("rewrite", false, "write the expectations of the scripts anew")

type script struct {
	w   *world
	now int64
}

func (s *script) run(t *testing.T, line string) string {
	t.Helper()
	cmd, args, _ := strings.Cut(line, " ")
	switch cmd {
	case "new":
		s.w = newWorld(Options{
			ExtendedTypes: strings.Contains(args, "ttl"), EnforceQuota: strings.Contains(args, "quota"),
			ReconfigEnabled: strings.Contains(args, "reconfig"), BareCloseSession: strings.Contains(args, "bare"),
		})
		return "ok"
	case "apply":
		n := len(s.w.pending)
		if args != "" {
			n, _ = strconv.Atoi(args)
		}
		for range n {
			if bad := s.w.applyNext(); bad != "" {
				t.Errorf("%s: %s", line, bad)
				return bad
			}
		}
		return fmt.Sprintf("ok %d", n)
	case "stat":
		var info tree.NodeInfo
		if !s.w.tree.Lookup(args, &info) {
			return "none"
		}
		st := info.Stat
		return fmt.Sprintf("c=%v m=%v p=%v v=%d cv=%d av=%d owner=%#x children=%d len=%d", st.Czxid, st.Mzxid, st.Pzxid, st.Version,
			st.Cversion, st.Aversion, uint64(st.EphemeralOwner), info.Children, info.DataLength)
	case "time":
		s.now, _ = strconv.ParseInt(args, 10, 64)
		return "ok"
	case "zxid":
		return fmt.Sprintf("%v, %d in flight", s.w.prep.LastZxid(), s.w.prep.InFlight())
	case "closing", "moved":
		r := s.request(t, cmd+" "+args)
		if cmd == "closing" {
			s.w.sessions.closing[r.SessionID] = true
		} else {
			s.w.sessions.moved[r.SessionID] = true
		}
		return "ok"
	}
	r := s.request(t, line)
	b, done := s.w.prepare(r, s.now)
	d := jute.NewDecoder(b, 0)
	var p jute.Proposal
	p.Decode(&d)
	if d.Err() != nil || p.Header.Zxid != done.Zxid || p.Header.Type != done.Type || p.Header.Time != s.now ||
		p.Header.ClientID != r.SessionID || p.Header.Cxid != r.Cxid || p.Txn.Err != done.Err {
		t.Errorf("%s: header %+v, prepared %+v, %v", line, p.Header, done, d.Err())
	}
	return done.Zxid.String() + " " + formatTxn(&p.Txn)
}

func formatTxn(x *jute.Txn) string {
	s := x.Type.String()
	switch x.Type {
	case jute.OpError:
		return s + " " + x.Err.Error()
	case jute.OpCreateSession:
		return fmt.Sprint(s, " timeout=", x.TimeoutMillis)
	case jute.OpCloseSession:
		if x.Paths == nil {
			return s + " bare"
		}
		return fmt.Sprint(s, " ", x.Paths)
	case jute.OpMulti:
		for i := range x.Subs {
			s += " ; " + formatTxn(&x.Subs[i])
		}
		return s
	}
	s += fmt.Sprintf(" %q", x.Path)
	switch x.Type {
	case jute.OpCreate, jute.OpCreate2, jute.OpCreateContainer, jute.OpCreateTTL:
		s += fmt.Sprint(" pcv=", x.ParentCversion)
		if x.Ephemeral {
			s += " ephemeral"
		}
		if x.TTL != 0 {
			s += fmt.Sprint(" ttl=", x.TTL)
		}
	case jute.OpSetData, jute.OpSetACL, jute.OpCheck:
		s += fmt.Sprint(" v=", x.Version)
	}
	return s
}

func (s *script) request(t *testing.T, line string) *Request {
	t.Helper()
	r := &Request{SessionID: 1, Cxid: 7}
	if rest, ok := strings.CutPrefix(line, "multi"); ok {
		r.Op = jute.OpMulti
		for i, part := range strings.Split(rest, ";") {
			part = strings.TrimSpace(part)
			if part == "" {
				continue
			}
			if i == 0 && strings.Contains(strings.Fields(part)[0], "=") {
				s.fields(t, part, &r.Body, r)
				continue
			}
			var b Body
			s.fields(t, part, &b, r)
			r.Subs = append(r.Subs, b)
		}
		return r
	}
	s.fields(t, line, &r.Body, r)
	return r
}

func (s *script) fields(t *testing.T, line string, b *Body, r *Request) {
	t.Helper()
	for i, f := range strings.Fields(line) {
		k, v, ok := strings.Cut(f, "=")
		if i == 0 && !ok {
			b.Op = opByName(k)
			b.Version, b.ACL = -1, openACL()
			continue
		}
		n, _ := strconv.ParseInt(v, 0, 64)
		switch k {
		case "path":
			b.Path = v
			if u, err := strconv.Unquote(v); err == nil {
				b.Path = u
			}
		case "data":
			if v != "-" {
				b.Data = []byte(v)
			}
		case "acl":
			b.ACL = aclByName(v)
		case "flags":
			b.Flags = int32(n)
		case "ttl":
			b.TTL = n
		case "v":
			b.Version = int32(n)
		case "s":
			r.SessionID = jute.SessionID(n)
		case "as":
			scheme, id, _ := strings.Cut(v, ":")
			r.IDs = append(r.IDs, jute.ID{Scheme: scheme, ID: id})
		case "timeout":
			r.TimeoutMillis = int32(n)
		case "local":
			r.LocalSession = true
		default:
			t.Fatalf("%s: unknown key %s", line, k)
		}
	}
}

func opByName(name string) jute.OpCode {
	for op := jute.OpCode(-11); op < 110; op++ {
		if op.String() == name {
			return op
		}
	}
	return 0
}

func aclByName(name string) []jute.ACL {
	switch name {
	case "open":
		return openACL()
	case "null":
		return nil
	case "empty":
		return []jute.ACL{}
	case "bad":
		return []jute.ACL{{Perms: 31}}
	}
	f := strings.Split(name, ":")
	perms, _ := strconv.Atoi(f[2])
	return []jute.ACL{{Perms: int32(perms), ID: jute.ID{Scheme: f[0], ID: f[1]}}}
}
