package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"zk/cmd/internal/bench"
	"zk/cmd/internal/client"
	"zk/conf"
	"zk/server/embed"
)

// benchServer starts a real server on a free port of loopback.
func benchServer(t *testing.T) (addr string) {
	t.Helper()
	file := writeFile(t, "zoo.cfg", "clientPort=0\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\nforceSync=no\ndataDir="+filepath.Join(t.TempDir(), "data")+"\n")
	cfg, err := conf.Load(file, conf.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n, err := embed.Start(t.Context(), cfg, embed.Deps{})
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

// TestBench runs every load and looks for what it left behind.
func TestBench(t *testing.T) {
	addr := benchServer(t)
	for _, tt := range []struct {
		load  string
		flags string
		ops   uint64 // counted at least
	}{
		{"create", "--ops 500", 500},
		{"create", "--ops 2000 -p 64 --value 0", 2000},
		{"set", "--ops 500 --keys 7", 500},
		{"get", "--ops 500 --keys 7 -c 1", 500},
		{"mixed", "--ops 500 --keys 7 --ratio 1:1 -p 8", 500},
		{"ephemeral", "--ops 501", 501},
		{"connect", "--ops 50", 50},
		{"watch", "--ops 20", 16 * 20},
		{"set", "--ops 300 --rate 3000 --keys 7", 300},
		{"get", "-d 100ms --warmup 10ms --keys 7", 1},
		{"sessions", "-d 600ms --warmup 0s --session-timeout 1s -c 50", 50},
	} {
		t.Run(tt.load+" "+tt.flags, func(t *testing.T) {
			args := append([]string{"bench", "--server", addr, "--json", "-q"}, strings.Fields(tt.flags)...)
			code, out, errs := newRig(t).run(t.Context(), append(args, tt.load)...)
			if code != exitDone {
				t.Fatalf("code %d: %s", code, errs)
			}
			var rep bench.Report
			if err := json.Unmarshal([]byte(out), &rep); err != nil {
				t.Fatalf("%v in %q", err, out)
			}
			if rep.Ops < tt.ops || rep.Errors != 0 || rep.Lost != 0 || rep.Load != tt.load {
				t.Errorf("report %+v", rep)
			}
			for _, l := range []*bench.Latency{rep.Reads, rep.Writes} {
				if l != nil && (l.P50 <= 0 || l.P50 > l.P99 || l.P99 > l.Max) {
					t.Errorf("latency %+v", l)
				}
			}
			if tt.load == "mixed" && (rep.Reads == nil || rep.Writes == nil || rep.Reads.Count+rep.Writes.Count != rep.Ops) {
				t.Errorf("mixed: %+v", rep)
			}
		})
	}
	c, err := client.Connect(t.Context(), addr, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(context.Background()) }()
	children, err := c.Children(t.Context(), "/", false)
	if err != nil || fmt.Sprint(children) != "[zookeeper]" {
		t.Errorf("left behind: %v, %v", children, err)
	}
}

// TestBenchErrors shows what a load says that can't run.
func TestBenchErrors(t *testing.T) {
	for _, tt := range []struct {
		args string
		code int
		text string
	}{
		{"bench", exitInvocation, "Usage: zk bench"},
		{"bench nonsense", exitInvocation, "no load"},
		{"bench --ratio 3 mixed", exitInvocation, "reads:writes"},
		{"bench --sessions 0 get", exitInvocation, "sessions is 0"},
		{"bench --root / get", exitInvocation, "root"},
		{"bench --server host:1/chroot get", exitInvocation, "chroot"},
		{"bench --server 127.0.0.1:1 --session-timeout 1s get", exitUnexpected, "no session within 1s"},
	} {
		code, _, errs := newRig(t).run(t.Context(), strings.Fields(tt.args)...)
		if code != tt.code || !strings.Contains(errs, tt.text) {
			t.Errorf("%s: code %d, %q", tt.args, code, errs)
		}
	}
}
