package shell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"zk/cmd/internal/client"
	"zk/conf"
	"zk/server/embed"
)

// startServer starts a server of this project and returns its address.
func startServer(t *testing.T) string {
	t.Helper()
	text := fmt.Sprintf("dataDir=%s\nclientPort=0\nclientPortAddress=127.0.0.1\nextendedTypesEnabled=true\nadmin.enableServer=false\n", t.TempDir())
	cfg, err := conf.Parse("test.cfg", []byte(text), conf.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n, err := embed.Start(context.Background(), cfg, embed.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return n.Addr().String()
}

// script gives lines and prints prompts, as zkCli.sh does when it reads a pipe.
type script struct {
	lines []string
	out   io.Writer
}

func (s *script) ReadLine(prompt string) (string, error) {
	_, _ = io.WriteString(s.out, prompt)
	if len(s.lines) == 0 {
		return "", io.EOF
	}
	line := s.lines[0]
	s.lines = s.lines[1:]
	return line, nil
}

// runShell runs a shell with the lines as its input.
func runShell(t *testing.T, lines []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, err bytes.Buffer
	w := &lockedWriter{w: &out}
	s := New(Options{
		Out: w, Err: &err, Lines: &script{lines, w}, Version: "3.9.5-test", Zone: time.UTC,
		Client: client.Options{RetryDelay: time.Millisecond},
	})
	code = s.Main(context.Background(), args)
	return out.String(), err.String(), code
}

// plain takes out of a transcript what differs from run to run.
func plain(text, addr string) string {
	text = strings.ReplaceAll(text, addr, "HOST")
	for _, r := range []struct{ pattern, with string }{
		{`zxid: \d+`, "zxid: N"},
		{`Zxid = 0x[0-9a-f]+`, "Zxid = H"},
		{`(ctime|mtime) = \w{3} \w{3} \d\d \d\d:\d\d:\d\d UTC \d{4}`, "$1 = T"},
		{`ephemeralOwner = 0x[1-9a-f][0-9a-f]*`, "ephemeralOwner = 0xS"},
		{`3\.9\.5-.*`, "3.9.5"},
	} {
		text = regexp.MustCompile(r.pattern).ReplaceAllString(text, r.with)
	}
	return text
}

// TestTranscripts runs the scripts in testdata against a server of this project. What is expected was
// printed by zkCli.sh 3.9.5 connected to a Java server, with a chroot in the place of the fresh tree.
func TestTranscripts(t *testing.T) {
	for _, name := range []string{"nodes", "session", "quota", "watches"} {
		t.Run(name, func(t *testing.T) {
			addr := startServer(t)
			// In a chroot, as recorded: / has no /zookeeper there.
			_, stderr, code := runShell(t, nil, "-server", addr, "create", "/r")
			if code != 0 {
				t.Fatalf("creating the chroot: %s", stderr)
			}
			read := func(ext string) string {
				b, err := os.ReadFile("testdata/" + name + ext)
				if err != nil {
					t.Fatal(err)
				}
				return string(b)
			}
			lines := strings.Split(strings.TrimSuffix(read(".txt"), "\n"), "\n")
			stdout, stderr, code := runShell(t, lines, "-server", addr+"/r")
			stdout, events := splitEvents(plain(stdout, addr+"/r"))
			wantOut, wantEvents := splitEvents(plain(read(".out"), "HOST"))
			compare(t, "stdout", stdout, wantOut)
			compare(t, "events", events, wantEvents)
			compare(t, "stderr", plain(stderr, addr+"/r"), plain(read(".err"), "HOST"))
			if want := map[string]int{"nodes": 1}[name]; code != want {
				t.Errorf("exit code %d, want %d", code, want)
			}
		})
	}
}

// splitEvents takes the events out of a transcript: when Java prints them is a matter of luck.
func splitEvents(text string) (rest, events string) {
	event := regexp.MustCompile(`\nWATCHER::\n\n(WatchedEvent .*\n)`)
	for _, m := range event.FindAllStringSubmatch(text, -1) {
		events += m[1]
	}
	return event.ReplaceAllString(text, ""), events
}

func compare(t *testing.T, what, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		switch {
		case i >= len(g):
			t.Errorf("%s line %d is missing: %q", what, i+1, w[i])
		case i >= len(w):
			t.Errorf("%s line %d is too much: %q", what, i+1, g[i])
		case g[i] != w[i]:
			t.Errorf("%s line %d:\n got %q\nwant %q", what, i+1, g[i], w[i])
		default:
			continue
		}
		return
	}
}

func TestSingleCommand(t *testing.T) {
	addr := startServer(t)
	const connected = "\nWATCHER::\n\nWatchedEvent state:SyncConnected type:None path:null zxid: -1\n"
	for _, tt := range []struct {
		args           []string
		stdout, stderr string
		code           int
	}{
		{[]string{"ls", "/"}, connected + "[zookeeper]\n", "", 0},
		{[]string{"-timeout", "5000", "-waitforconnection", "-unknown", "get", "/nope"}, connected, "Node does not exist: /nope\n", 1},
		{[]string{"create", "/a b", "x"}, connected, "Created /a b\n", 0},
	} {
		stdout, stderr, code := runShell(t, nil, append([]string{"-server", addr}, tt.args...)...)
		if stdout != "Connecting to "+addr+"\n"+tt.stdout || stderr != tt.stderr || code != tt.code {
			t.Errorf("%q: exit code %d\n%s\n%s", tt.args, code, stdout, stderr)
		}
	}
	if _, stderr, code := runShell(t, nil, "-server", addr, "bogus"); code != 127 ||
		!strings.HasSuffix(stderr, "\twhoami \nCommand not found: Command not found bogus\n") {
		t.Errorf("unknown command: exit code %d\n%s", code, stderr)
	}
	if stdout, _, _ := runShell(t, []string{"connect " + addr, "ls /nope", "redo 1"}, "-server", addr); !strings.HasSuffix(stdout, "(CONNECTED) 3] \n") {
		t.Errorf("end of input:\n%s", stdout)
	}
}

func TestNoServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	if _, stderr, code := runShell(t, nil, "-server", addr, "ls", "/"); code != 1 || stderr != "KeeperErrorCode = ConnectionLoss for /\n" {
		t.Errorf("exit code %d, %q", code, stderr)
	}
	if _, stderr, code := runShell(t, nil, "-server", addr, "-timeout", "30", "-waitforconnection", "ls", "/"); code != 1 ||
		stderr != "KeeperErrorCode = ConnectionLoss\n" {
		t.Errorf("waiting: exit code %d, %q", code, stderr)
	}
	for _, args := range [][]string{
		{"-timeout", "x"}, {"-client-configuration", "f", "ls", "/"},
	} {
		if _, _, code := runShell(t, nil, args...); code != exitInvocation {
			t.Errorf("%q: exit code %d", args, code)
		}
	}
	if _, _, code := runShell(t, nil, "-server", "host:port", "ls", "/"); code != 1 {
		t.Errorf("bad connect string: exit code %d", code)
	}
}

func TestOptionOddities(t *testing.T) {
	options := []option{{name: "s"}, {name: "w"}, {name: "v", arg: true}, {name: "file", arg: true}}
	for _, tt := range []struct{ line, want string }{
		{"x -sw /a", "[x /a] map[s: w:]"},
		{"x -v 5 /a", "[x /a] map[v:5]"},
		{"x -v5", "[x] map[v:5]"},
		{"x -v=5", "[x] map[v:5]"},
		{"x -v -5", "[x] map[v:-5]"},
		{"x -v -s", "Missing argument for option: v"},
		{"x -v -z", "[x] map[v:-z]"},
		{"x -v 1 -v 2", "[x] map[v:1]"},
		{"x -sv7 /a", "[x /a] map[s: v:7]"},
		{"x -file f -s", "[x] map[file:f s:]"},
		{"x -s=1", "Unrecognized option: -s=1"},
		{"x -sz", "Unrecognized option: -sz"},
		{"x - /a", "[x - /a] map[]"},
		{"x -- -s", "[x -s] map[]"},
		{"x --s", "Unrecognized option: --s"},
	} {
		p := parser{options: options}
		out, err := p.parse(strings.Fields(tt.line))
		got := ""
		if err != nil {
			_, got, _ = strings.Cut(err.Error(), ": ")
		} else {
			got = fmt.Sprint(out.args, out.values)
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.line, got, tt.want)
		}
	}
}

func TestSplitLine(t *testing.T) {
	for line, want := range map[string][]string{
		`create /a "b c" 'd "e' ""`: {"create", "/a", "b c", `d "e`, ""},
		`  ls   /  `:                {"ls", "/"},
		`ls "/q`:                    {"ls", "/q"},
		`set /a x"y z"`:             {"set", "/a", `x"y`, `z"`},
	} {
		if got := splitLine(line); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestHexDump(t *testing.T) {
	got := hexDump([]byte("0123456789abcdef\x00\x7f\xffx"))
	want := `         +-------------------------------------------------+
         |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |
+--------+-------------------------------------------------+----------------+
|00000000| 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 |0123456789abcdef|
|00000010| 00 7f ff 78                                     |...x            |
+--------+-------------------------------------------------+----------------+`
	if got != want {
		t.Errorf("got\n%s", got)
	}
	if hexDump(nil) != "" {
		t.Error("no data makes a dump")
	}
}

func TestConnectString(t *testing.T) {
	config := "server.1=a:2888:3888:participant;0.0.0.0:2181\nserver.2=[::2]:2888:3888;2182\nserver.3=c:1:2\nversion=100000000"
	if got, want := connectString(config), "100000000 0.0.0.0:2181,::2:2182,"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := membership("# x\nserver.1=a\ndataDir=/d\n weight.1=2\ngroup.1=1\n"), "server.1=a\nweight.1=2\ngroup.1=1"; got != want {
		t.Errorf("membership %q, want %q", got, want)
	}
}

func TestTrack(t *testing.T) {
	for in, want := range map[string]string{
		"":                "count=-1,bytes=-1",
		"count=5,bytes=7": "count=5,bytes=7",
		"count=,bytes=1=;countHardLimit=6;byteHardLimit=-1": "count=-1,bytes=1=;byteHardLimit=-1;countHardLimit=6",
		"count=x": "error",
	} {
		got := "error"
		if tr, err := parseTrack(in); err == nil {
			got = tr.String()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestComplete(t *testing.T) {
	addr := startServer(t)
	ctx := context.Background()
	s := New(Options{Out: io.Discard, Err: io.Discard})
	if err := s.connect(ctx, addr); err != nil {
		t.Fatal(err)
	}
	defer s.leave()
	if !s.awaitConnection(ctx, time.Minute) {
		t.Fatal("no connection")
	}
	for word, want := range map[string][]string{
		"getA":          {"getAcl", "getAllChildrenNumber"},
		"/":             {"/zookeeper"},
		"/zoo":          {"/zookeeper"},
		"/zookeeper/":   {"/zookeeper/config", "/zookeeper/quota"},
		"/zookeeper/qu": {"/zookeeper/quota"},
		"/nope/":        nil,
		"x":             {},
	} {
		if got := s.Complete(ctx, word); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

func TestMessages(t *testing.T) {
	if got := message(errors.New("x")); got != "x" {
		t.Error(got)
	}
	if got := message(&client.PathError{Path: "a", Reason: "why"}); got != "why" {
		t.Error(got)
	}
}
