package audit

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"zk/jute"
)

func TestLines(t *testing.T) {
	acl := []jute.ACL{
		{Perms: jute.PermAll, ID: jute.ID{Scheme: "world", ID: "anyone"}},
		{Perms: jute.PermRead, ID: jute.ID{Scheme: "ip", ID: "127.0.0.1"}},
	}
	for _, c := range []struct {
		entry Entry
		line  string
	}{
		{Entry{Session: 0x1000009f28c0000, User: "bob,127.0.0.1", IP: "127.0.0.1", Operation: Create, Znode: "/p", ZnodeType: "persistent", Result: Success},
			"session=0x1000009f28c0000\tuser=bob,127.0.0.1\tip=127.0.0.1\toperation=create\tznode=/p\tznode_type=persistent\tresult=success"},
		{Entry{Session: -1, User: "u", IP: "::1", Operation: SetACL, Znode: "/p", ACL: ACLText(acl), Result: Failure},
			"session=0xffffffffffffffff\tuser=u\tip=::1\toperation=setAcl\tznode=/p\tacl=world:anyone:cdrwaip:127.0.0.1:r\tresult=failure"},
		{Entry{User: "root", Operation: ServerStop, Result: Invoked}, "user=root\toperation=serverStop\tresult=invoked"},
		{Entry{User: "a\nsession=0x1\tuser=root", Operation: Delete, Znode: "/\x7fé \\u", Result: Failure},
			`user=a\u000asession=0x1\u0009user=root` + "\toperation=delete\t" + `znode=/\u007fé \u` + "\tresult=failure"},
	} {
		if got := string(c.entry.AppendText(nil)); got != c.line {
			t.Errorf("%q\nwant %q", got, c.line)
		}
	}
	for flags, want := range map[int32]string{0: "persistent", 3: "ephemeral_sequential", 6: "persistent_sequential_with_ttl", 7: "", -1: ""} {
		if got, ok := ZnodeType(flags); got != want || ok != (want != "") {
			t.Errorf("%d: %q", flags, got)
		}
	}
}

// sink keeps the operations written, and waits for gate before each batch.
type sink struct {
	gate  chan struct{}
	lines []string
	err   error
}

func (s *sink) Write(entries []Entry) (int, error) {
	<-s.gate
	for i := range entries {
		s.lines = append(s.lines, string(entries[i].AppendText(nil)))
	}
	return 0, s.err
}

func (s *sink) Close() error { return nil }

// TestOverflow: Add never waits; Await does, for a second at most; what has no room is counted and said.
func TestOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		s := &sink{gate: make(chan struct{})}
		l := Start(s, "me", slog.New(slog.NewTextHandler(&said, nil)))
		add := func(n int) {
			for range n {
				l.Add(Entry{User: "u", Operation: Create, Znode: strings.Repeat("x", 1<<20), Result: Success})
			}
		}
		add(1)
		synctest.Wait() // the writer has it
		l.Await(nil)    // nothing to wait for
		add(40)
		if n := l.Lost(); n < 8 || n > 10 {
			t.Errorf("%d lines lost", n)
		}
		begin := time.Now()
		l.Await(nil)
		if took := time.Since(begin); took != time.Second {
			t.Errorf("a writer waited %v", took)
		}
		stop := make(chan struct{})
		close(stop)
		l.Await(stop)
		waited := make(chan struct{})
		go func() { l.Await(nil); close(waited) }()
		synctest.Wait()
		s.gate <- struct{}{}
		<-waited // there is room
		if took := time.Since(begin); took != time.Second {
			t.Errorf("%v", took)
		}
		close(s.gate)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		lost := l.Lost()
		want := fmt.Sprintf("user=me\toperation=linesLost\tresult=failure\tcount=%d", lost)
		if len(s.lines) != 42-int(lost) || s.lines[len(s.lines)-1] != want || !strings.Contains(said.String(), fmt.Sprintf("lines=%d", lost)) {
			t.Errorf("%d lines, the last one %.80q; said %q", len(s.lines), s.lines[len(s.lines)-1], said.String())
		}
		l.Add(Entry{}) // too late, but harmless
	})
}

func TestFailingSink(t *testing.T) {
	var said bytes.Buffer
	s := &sink{gate: make(chan struct{}), err: errors.New("disk full")}
	close(s.gate)
	l := Start(s, "me", slog.New(slog.NewTextHandler(&said, nil)))
	l.Add(Entry{Operation: ServerStart, Result: Success})
	if err := l.Close(); err != nil || l.Lost() != 1 || !strings.Contains(said.String(), "disk full") || s.lines[0] != "user=me\toperation=serverStart\tresult=success" {
		t.Errorf("%v, %d lost, said %q, %q", err, l.Lost(), said.String(), s.lines)
	}
}

func TestFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(name, []byte("what was there\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := OpenFile(name)
	if err != nil {
		t.Fatal(err)
	}
	f.max = 1000
	batch := []Entry{{User: "root", Operation: ServerStart, Result: Success}, {User: "u", Operation: Delete, Znode: "/x", Result: Failure}}
	form := regexp.MustCompile(`^what was there\n(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO|ERROR) audit.Slf4jAuditLogger: user=.*\n){2}$`)
	if n, err := f.Write(batch); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if text, err := os.ReadFile(name); err != nil || !form.Match(text) || !strings.Contains(string(text), "ERROR audit.Slf4jAuditLogger: user=u\toperation=delete") {
		t.Errorf("%s %v", text, err)
	}
	for i := range 100 {
		batch[1].Znode = fmt.Sprint("/", i)
		if n, err := f.Write(batch); n != 2 || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(name + "*")
	if err != nil || len(found) != 1+filesMax {
		t.Errorf("%v %v", found, err)
	}
	for _, name := range found {
		if info, err := os.Stat(name); err != nil || info.Size() > 1000 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	if text, err := os.ReadFile(name); err != nil || !strings.HasSuffix(string(text), "znode=/99\tresult=failure\n") {
		t.Errorf("%s %v", text, err)
	}
	if _, err := OpenFile(filepath.Join(name, "x")); err == nil {
		t.Error("a file below a file was opened")
	}
}

func TestToLogger(t *testing.T) {
	var out bytes.Buffer
	s := ToLogger(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})))
	if n, err := s.Write([]Entry{{Session: 5, User: "bob", IP: "::1", Operation: Delete, Znode: "/a b", Result: Failure}}); n != 1 || err != nil {
		t.Error(n, err)
	}
	if want := "level=ERROR msg=audit session=0x5 user=bob ip=::1 operation=delete znode=\"/a b\" result=failure\n"; out.String() != want {
		t.Errorf("%s", out.String())
	}
}
