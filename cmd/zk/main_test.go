package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"zk/conf"
)

// fakeNode is a server that does what a test tells it.
type fakeNode struct {
	failed   chan error
	closed   chan struct{}
	closeErr error
}

func (n *fakeNode) Wait() error {
	select {
	case err := <-n.failed:
		return err
	case <-n.closed:
		return nil
	}
}

func (n *fakeNode) Close(context.Context) error {
	close(n.closed)
	return n.closeErr
}

// codedError is an error of another package that knows its exit code.
type codedError int

func (e codedError) Error() string { return fmt.Sprintf("coded %d", int(e)) }
func (e codedError) ExitCode() int { return int(e) }

// rig runs command lines without an operating system.
type rig struct {
	t       *testing.T
	vars    map[string]string
	stdin   string
	cfg     *conf.Config // what the server was started with
	node    *fakeNode
	err     error // of start
	started func()
}

func newRig(t *testing.T) *rig {
	return &rig{t: t, vars: map[string]string{}, node: &fakeNode{failed: make(chan error, 1), closed: make(chan struct{})}}
}

func (r *rig) run(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	r.t.Helper()
	var out, err bytes.Buffer
	code = run(ctx, args, environment{
		getenv: func(name string) string { return r.vars[name] },
		stdin:  strings.NewReader(r.stdin), stdout: &out, stderr: &err,
		start: func(_ context.Context, cfg *conf.Config, logger *slog.Logger) (node, error) {
			r.cfg = cfg
			if r.started != nil {
				r.started()
			}
			if r.err != nil {
				return nil, r.err
			}
			logger.Info("started", "port", cfg.ClientPort)
			return r.node, nil
		},
	})
	return code, out.String(), err.String()
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestServerSettings(t *testing.T) {
	dir := t.TempDir()
	file := writeFile(t, "zoo.cfg", "dataDir="+dir+"\nclientPort=2999\nbogusKey=1\n")
	for _, tt := range []struct {
		name  string
		args  []string
		check func(c *conf.Config) bool
	}{
		{"file", []string{"server", file}, func(c *conf.Config) bool { return c.ClientPort == 2999 && c.DataDir == dir }},
		{"embedded default", []string{"server"}, func(c *conf.Config) bool { return c.ClientPort == 2181 && c.DataDir == "./zk-data" }},
		{"arguments", []string{"server", "2998", dir, "3000", "7"}, func(c *conf.Config) bool {
			return c.ClientPort == 2998 && c.DataDir == dir && c.TickTime == 3*time.Second && c.MaxClientCnxns == 7
		}},
		{"property before", []string{"-Djute.maxbuffer=777777", "server", file}, func(c *conf.Config) bool { return c.JuteMaxBuffer == 777777 }},
		{"property behind", []string{"server", file, "-Djute.maxbuffer=777777", "-Xmx1g"}, func(c *conf.Config) bool { return c.JuteMaxBuffer == 777777 }},
		{"flag behind", []string{"server", file, "--log-level", "debug", "--log-format=json"}, func(c *conf.Config) bool { return c.ClientPort == 2999 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			ctx, cancel := context.WithCancel(context.Background())
			r.started = cancel
			code, _, stderr := r.run(ctx, tt.args...)
			if code != exitDone || r.cfg == nil || !tt.check(r.cfg) {
				t.Errorf("exit code %d, config %+v\n%s", code, r.cfg, stderr)
			}
		})
	}
}

func TestEnvironmentOrder(t *testing.T) {
	file := writeFile(t, "zoo.cfg", "dataDir=/nowhere\nclientPort=2999\n")
	for _, tt := range []struct {
		server, all, line string
		want              int
	}{
		{"-Djute.maxbuffer=500001", "", "", 500001},
		{"-Djute.maxbuffer=500001", "-Xmx1g -Djute.maxbuffer=500002", "", 500002},
		{"-Djute.maxbuffer=500001", "-Djute.maxbuffer=500002", "-Djute.maxbuffer=500003", 500003},
	} {
		r := newRig(t)
		r.vars["SERVER_JVMFLAGS"], r.vars["JVMFLAGS"] = tt.server, tt.all
		ctx, cancel := context.WithCancel(context.Background())
		r.started = cancel
		args := []string{"server", file}
		if tt.line != "" {
			args = append(args, tt.line)
		}
		if code, _, stderr := r.run(ctx, args...); code != exitDone || r.cfg.JuteMaxBuffer != tt.want {
			t.Errorf("%+v: exit code %d, %+v\n%s", tt, code, r.cfg, stderr)
		}
	}
}

func TestServerExitCodes(t *testing.T) {
	good := writeFile(t, "zoo.cfg", "dataDir=/nowhere\nclientPort=2999\nbogusKey=1\n")
	bad := writeFile(t, "bad.cfg", "dataDir=/nowhere\nclientPort=x\n")
	for _, tt := range []struct {
		name    string
		prepare func(r *rig, cancel func())
		args    []string
		code    int
		stderr  []string
	}{
		{"signal", func(r *rig, cancel func()) { r.started = cancel }, []string{"server", good}, 0,
			[]string{"configuration warning", "bogusKey", "stopping on a signal", "server stopped"}},
		{"signal while starting", func(r *rig, cancel func()) { r.started, r.err = cancel, context.Canceled },
			[]string{"server", good}, 0, []string{"stopped while starting"}},
		{"failure", func(r *rig, _ func()) { r.node.failed <- errors.New("disk broke") }, []string{"server", good}, 1,
			[]string{"server failed", "disk broke"}},
		{"failure with a code", func(r *rig, _ func()) { r.node.failed <- fmt.Errorf("embed: %w", codedError(10)) },
			[]string{"server", good}, 10, []string{"coded 10"}},
		{"closing fails", func(r *rig, cancel func()) { r.started, r.node.closeErr = cancel, errors.New("stuck") },
			[]string{"server", good}, 1, []string{"did not close in order", "stuck"}},
		{"data folder", func(r *rig, _ func()) { r.err = fmt.Errorf("persistence: %w", codedError(3)) },
			[]string{"server", good}, 3, []string{"Unable to access datadir, exiting abnormally"}},
		{"port in use", func(r *rig, _ func()) { r.err = errors.New("address already in use") },
			[]string{"server", good}, 1, []string{"server did not start", "address already in use"}},
		{"wrong value", nil, []string{"server", bad}, 2,
			[]string{"bad.cfg:2: clientPort=x: ", "\nInvalid config, exiting abnormally\n", "\nUsage: zk server "}},
		{"no file", nil, []string{"server", "/nowhere/zoo.cfg"}, 2, []string{"/nowhere/zoo.cfg", "Invalid config, exiting abnormally"}},
		{"too many arguments", nil, []string{"server", "1", "/d", "3", "4", "5"}, 2, []string{"Invalid config"}},
		{"unknown flag", nil, []string{"server", "--bogus"}, 2, []string{"bogus"}},
		{"log level", nil, []string{"server", "--log-level", "loud"}, 2, []string{"--log-level loud"}},
		{"log format", nil, []string{"server", "--log-format", "xml"}, 2, []string{"--log-format xml"}},
		{"unknown command", nil, []string{"serve"}, 2, []string{`no command "serve"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if tt.prepare != nil {
				tt.prepare(r, cancel)
			}
			code, _, stderr := r.run(ctx, tt.args...)
			if code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			for _, want := range tt.stderr {
				if !strings.Contains(stderr, want) {
					t.Errorf("stderr has no %q:\n%s", want, stderr)
				}
			}
		})
	}
}

func TestHelpAndVersion(t *testing.T) {
	for _, args := range [][]string{{}, {"--help"}, {"server", "--help"}, {"server", "--keys"}, {"cli", "--help"}, {"version"}} {
		code, stdout, stderr := newRig(t).run(context.Background(), args...)
		if code != 0 || stdout == "" || stderr != "" {
			t.Errorf("%q: exit code %d, stdout %q, stderr %q", args, code, stdout, stderr)
		}
	}
	got := versionText("3.9.5-0123abc, built on 2026-01-02 03:04 UTC")
	if !strings.HasPrefix(got, "zk, compatible with Apache ZooKeeper, version 3.9.5 2026-01-02 03:04 UTC\nrevision 0123abc, go") {
		t.Errorf("version %q", got)
	}
}

// words answers every connection with a text.
func words(t *testing.T, answer string) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() { // ends when the listener is closed
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			word := make([]byte, 4)
			if _, err := io.ReadFull(conn, word); err == nil && string(word) == "srvr" {
				_, _ = io.WriteString(conn, answer)
			}
			_ = conn.Close()
		}
	}()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

func TestStatus(t *testing.T) {
	port := words(t, "Zookeeper version: 3.9.5\nLatency: 0\nMode: standalone\nNode count: 5\n")
	silent := words(t, "This ZooKeeper instance is not currently serving requests\n")
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, "myid"), []byte("3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	dynamic := writeFile(t, "zoo.cfg.dynamic", "server.3=h:1:2;127.0.0.1:"+port+"\n")
	found := func(address string) string {
		return "Client port found: " + port + ". Client address: " + address + ". Client SSL: false.\nMode: standalone\n"
	}
	const inDynamic = "Client port not found in static config file. Looking in dynamic config file.\n"
	for _, tt := range []struct {
		name, config, stdout string
		code                 int
	}{
		{"clientPort", "# clientPort=1\n clientPort=" + port + "\nclientPortAddress=127.0.0.1\n", found("127.0.0.1"), 0},
		{"own line", "dataDir=" + data + "\nserver.3=h:1:2;" + port + "\nserver.31=h:1:2;1\n", found("localhost"), 0},
		{"own line with address", "dataDir=" + data + "\nserver.3=h:1:2:participant;[::1]:1\n",
			"Client port found: 1. Client address: ::1. Client SSL: false.\nError contacting service. It is probably not running.\n", 1},
		{"dynamic file", "dataDir=" + data + "\ndynamicConfigFile=" + dynamic + "\n", inDynamic + found("127.0.0.1"), 0},
		{"not serving", "clientPort=" + silent + "\nclientPortAddress=127.0.0.1\n",
			"Client port found: " + silent + ". Client address: 127.0.0.1. Client SSL: false.\n" +
				"Error contacting service. It is probably not running.\n", 1},
		{"TLS", "dataDir=/nowhere\nsecureClientPort=2281\n",
			"myid could not be determined, will not able to locate clientPort in the server configs.\n" +
				"Client port not found. Looking for secureClientPort in the static config.\n" +
				"Client port found: 2281. Client address: localhost. Client SSL: true.\n" +
				"Error contacting service. It is probably not running.\n", 1},
		{"nothing", "dataDir=" + data + "\n", inDynamic + "Client port not found in the server configs\n" +
			"Client port not found. Looking for secureClientPort in the static config.\n" +
			"Unable to find either secure or unsecure client port in any configs. Terminating.\n", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := writeFile(t, "zoo.cfg", tt.config)
			code, stdout, stderr := newRig(t).run(context.Background(), "status", path)
			if code != tt.code || stdout != tt.stdout || stderr != "Using config: "+path+"\n" {
				t.Errorf("exit code %d, stdout:\n%sstderr:\n%s", code, stdout, stderr)
			}
		})
	}
	if code, _, _ := newRig(t).run(context.Background(), "status", "/nowhere/zoo.cfg"); code != 1 {
		t.Errorf("no file: exit code %d", code)
	}
}

func TestCLI(t *testing.T) {
	port := words(t, "") // answers nothing a session could live on
	r := newRig(t)
	code, stdout, stderr := r.run(context.Background(), "-Dx=y", "cli", "-server", "127.0.0.1:"+port, "set", "/a", "-Dx=y")
	if code != 1 || stdout != "Connecting to 127.0.0.1:"+port+"\n" || !strings.Contains(stderr, "Unrecognized option: -Dx=y") {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	r.stdin = "version\n\nhistory"
	code, stdout, stderr = r.run(context.Background(), "cli", "-server", "127.0.0.1:"+port)
	if code != 0 || stderr != "" || !strings.Contains(stdout, "(CONNECTING) 0] ZooKeeper CLI version: 3.9.5-") ||
		!strings.Contains(stdout, "1 - history\n") {
		t.Errorf("script: exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	if code, _, _ := r.run(context.Background(), "cli", "-server", "127.0.0.1:"+port, "bogus"); code != 127 {
		t.Errorf("unknown command: exit code %d", code)
	}
}
