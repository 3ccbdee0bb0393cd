package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"zk/compat/harness"
)

// failure is what a function of the harness says that can't go on.
type failure string

// owner stands for the test that servers of the harness belong to.
type owner struct{ cleanups []func() }

func (*owner) Name() string            { return "bench" }
func (*owner) Helper()                 {}
func (o *owner) Cleanup(f func())      { o.cleanups = append(o.cleanups, f) }
func (*owner) Failed() bool            { return false }
func (*owner) Logf(f string, a ...any) { fmt.Fprintf(os.Stderr, f+"\n", a...) }
func (*owner) Fatal(args ...any)       { panic(failure(fmt.Sprint(args...))) }
func (o *owner) end() {
	for _, f := range slices.Backward(o.cleanups) {
		f()
	}
}

// group is one server that stands alone, or an ensemble of one kind.
type group struct {
	kind     harness.Kind
	servers  []*harness.Server
	ensemble *harness.Ensemble // nil for a server that stands alone
	filled   bool              // has the znodes of fill
}

// start starts both with the same zoo.cfg; Java first, ours second.
func start(o *owner, heap string, nodes int) ([]*group, error) {
	opts := harness.Options{
		Config: []string{"tickTime=2000", "initLimit=10", "syncLimit=5", "maxClientCnxns=0", "preAllocSize=65536", "4lw.commands.whitelist=*"},
		JVM:    []string{"-Xms" + heap, "-Xmx" + heap},
	}
	var groups []*group
	for _, kind := range []harness.Kind{harness.Java, harness.Ours} {
		g := &group{kind: kind}
		if nodes == 1 {
			s, err := harness.Start(o, kind, opts)
			if err != nil {
				return nil, err
			}
			g.servers = []*harness.Server{s}
		} else {
			g.ensemble = harness.StartEnsemble(o, harness.EnsembleOptions{Common: opts, Members: slices.Repeat([]harness.MemberOptions{{Kind: kind}}, nodes)})
			g.servers = g.ensemble.Servers
		}
		groups = append(groups, g)
	}
	return groups, nil
}

// bench is the command line of a load on some of the servers, on all when none is named.
func (g *group) bench(args []string, servers ...*harness.Server) ([]string, error) {
	if len(servers) == 0 {
		servers = g.servers
	}
	bin, err := harness.OurBinary()
	if err != nil {
		return nil, err
	}
	line, addrs := []string{bin, "bench", "--json"}, []string(nil)
	for _, s := range servers {
		addrs = append(addrs, s.Addr)
		line = append(line, "--pid", strconv.Itoa(s.PID()))
	}
	return append(append(line, "--server", strings.Join(addrs, ",")), args...), nil
}

// load runs zk bench once.
func (g *group) load(ctx context.Context, args []string, servers ...*harness.Server) (*report, error) {
	line, err := g.bench(append([]string{"--quiet"}, args...), servers...)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("zk bench %q on %v: %w", args, g.kind, err)
	}
	return parseReport(out)
}

// round is a load of a measured time.
func (g *group) round(ctx context.Context, d time.Duration, args []string, servers ...*harness.Server) (*report, error) {
	return g.load(ctx, append([]string{"--warmup", "500ms", "--duration", d.String()}, args...), servers...)
}

// running is a load that goes on until it is ended.
type running struct {
	cmd      *exec.Cmd
	out      bytes.Buffer
	progress *progress
}

// background starts a load that is ended by end. It returns when the measured time has begun.
func (g *group) background(ctx context.Context, args []string, servers ...*harness.Server) (*running, error) {
	line, err := g.bench(append([]string{"--warmup", "1s", "--duration", "1h"}, args...), servers...)
	if err != nil {
		return nil, err
	}
	r := &running{cmd: exec.CommandContext(ctx, line[0], line[1:]...), progress: &progress{measuring: make(chan struct{})}}
	r.cmd.Stdout, r.cmd.Stderr = &r.out, r.progress
	if err := r.cmd.Start(); err != nil {
		return nil, fmt.Errorf("zk bench %q on %v: %w", args, g.kind, err)
	}
	select {
	case <-r.progress.measuring:
		return r, nil
	case <-time.After(time.Minute):
	case <-ctx.Done():
	}
	_ = r.cmd.Process.Kill()
	return nil, errors.Join(errors.New("the load does not begin"), r.cmd.Wait())
}

// end ends the load, and gives what it was.
func (r *running) end() (*report, error) {
	if err := r.cmd.Process.Signal(os.Interrupt); err != nil {
		return nil, err
	}
	err := r.cmd.Wait()
	if r.out.Len() == 0 { // it also says that it was interrupted
		return nil, fmt.Errorf("zk bench: %w", err)
	}
	return parseReport(r.out.Bytes())
}

// progress looks into what zk bench says about once a second.
type progress struct {
	line      []byte
	begun     bool
	measuring chan struct{} // closed when the measured time has begun
}

func (p *progress) Write(b []byte) (int, error) {
	p.line = append(p.line, b...)
	if !p.begun && bytes.Contains(p.line, []byte("measuring")) {
		p.begun = true
		close(p.measuring)
	}
	p.line = p.line[bytes.LastIndexByte(p.line, '\n')+1:]
	return len(b), nil
}

func parseReport(out []byte) (*report, error) {
	var rep report
	if err := json.Unmarshal(out, &rep); err != nil {
		return nil, fmt.Errorf("report %q: %w", out, err)
	}
	rep.whole = out
	return &rep, nil
}
