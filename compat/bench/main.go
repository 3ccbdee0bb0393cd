package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"time"

	"zk/compat/harness"
)

// settings are the command line.
type settings struct {
	rows, skip     *regexp.Regexp
	rounds         int
	duration, warm time.Duration
	heap           string
	json           string
	list           bool
}

func main() {
	s, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		err = run(ctx, s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parse(args []string, usage io.Writer) (settings, error) {
	var s settings
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(usage)
	only := fs.String("rows", "", "regular expression of the rows to run")
	not := fs.String("skip", "^$", "regular expression of rows to leave out")
	fs.IntVar(&s.rounds, "rounds", 3, "rounds of each server and row")
	fs.DurationVar(&s.duration, "duration", 3*time.Second, "measured time of a round")
	fs.DurationVar(&s.warm, "warm", 20*time.Second, "load on each server before the first round")
	fs.StringVar(&s.heap, "heap", "2g", "Java's heap")
	fs.StringVar(&s.json, "json", "", "append every round to this file, a line of JSON each")
	fs.BoolVar(&s.list, "list", false, "list the rows")
	if err := fs.Parse(args); err != nil {
		return s, err
	}
	if fs.NArg() > 0 || s.rounds < 1 || s.duration <= 0 {
		return s, fmt.Errorf("can't use %q; see -help", args)
	}
	var err error
	if s.rows, err = regexp.Compile(*only); err != nil {
		return s, err
	}
	s.skip, err = regexp.Compile(*not)
	return s, err
}

// row is a load.
type row struct {
	name string
	args []string
}

// rows are the loads of the README's table: cN is N sessions with one request in flight each, 16x64 is 16
// with 64.
func rows() []row {
	shapes := []struct{ name, sessions, inFlight string }{
		{"c1", "1", "1"}, {"c16", "16", "1"}, {"c64", "64", "1"}, {"c256", "256", "1"}, {"16x64", "16", "64"},
	}
	var all []row
	for _, l := range []struct{ load, value, name string }{{"create", "100", "100"}, {"set", "1024", "1k"}, {"get", "1024", "1k"}} {
		for _, s := range shapes {
			all = append(all, row{l.load + l.name + "-" + s.name, []string{"--sessions", s.sessions, "--in-flight", s.inFlight, "--value", l.value, l.load}})
		}
	}
	return append(all,
		row{"mixed10:1-c64", []string{"--sessions", "64", "--value", "1024", "--ratio", "10:1", "mixed"}},
		row{"mixed10:1-16x64", []string{"--sessions", "16", "--in-flight", "64", "--value", "1024", "--ratio", "10:1", "mixed"}},
		row{"ephemeral-c16", []string{"--sessions", "16", "ephemeral"}},
		row{"connect-c16", []string{"--sessions", "16", "connect"}},
		row{"watch-1000", []string{"--sessions", "1000", "watch"}},
		row{"watch-5000", []string{"--sessions", "5000", "watch"}},
	)
}

// owner stands for the test that servers of the harness belong to.
type owner struct{ cleanups []func() }

func (*owner) Name() string            { return "bench" }
func (*owner) Helper()                 {}
func (o *owner) Cleanup(f func())      { o.cleanups = append(o.cleanups, f) }
func (*owner) Failed() bool            { return false }
func (*owner) Logf(f string, a ...any) { fmt.Fprintf(os.Stderr, f+"\n", a...) }
func (*owner) Fatal(args ...any)       { panic(fmt.Sprint(args...)) } // only of functions not used here
func (o *owner) end() {
	for _, f := range slices.Backward(o.cleanups) {
		f()
	}
}

// start starts both servers with the same zoo.cfg; Java first, ours second.
func start(o *owner, heap string) ([]*harness.Server, error) {
	var servers []*harness.Server
	for _, kind := range []harness.Kind{harness.Java, harness.Ours} {
		s, err := harness.Start(o, kind, harness.Options{
			Config: []string{"maxClientCnxns=0", "preAllocSize=65536", "4lw.commands.whitelist=*"},
			JVM:    []string{"-Xms" + heap, "-Xmx" + heap},
		})
		if err != nil {
			return nil, err
		}
		servers = append(servers, s)
	}
	return servers, nil
}

func run(ctx context.Context, s settings) error {
	var todo []row
	for _, r := range rows() {
		if s.rows.MatchString(r.name) && !s.skip.MatchString(r.name) {
			todo = append(todo, r)
		}
	}
	if s.list {
		for _, r := range todo {
			fmt.Println(r.name)
		}
		return nil
	}
	out := io.Discard
	if s.json != "" {
		f, err := os.OpenFile(s.json, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // every line was written or reported
		out = f
	}
	var o owner
	defer o.end()
	servers, err := start(&o, s.heap)
	if err != nil {
		return err
	}
	if err := warmUp(ctx, servers, s.warm); err != nil {
		return err
	}
	printHead()
	for _, r := range todo {
		reports := make([][]*report, len(servers))
		for range s.rounds {
			for i, server := range servers {
				rep, err := load(ctx, server, s.duration, r.args)
				if err != nil {
					return fmt.Errorf("%s on %v: %w", r.name, server.Kind, err)
				}
				reports[i] = append(reports[i], rep)
				if err := json.NewEncoder(out).Encode(map[string]any{"row": r.name, "server": server.Kind.String(), "report": rep.whole}); err != nil {
					return err
				}
			}
		}
		printRow(r.name, reports[0], reports[1])
	}
	return nil
}

// warmUp gives both servers every kind of load, so that Java has compiled what is measured.
func warmUp(ctx context.Context, servers []*harness.Server, d time.Duration) error {
	loads := [][]string{
		{"--in-flight", "64", "--value", "1024", "set"}, {"--in-flight", "64", "--value", "1024", "get"}, {"--in-flight", "16", "create"},
		{"--sessions", "64", "--ratio", "1:1", "mixed"}, {"connect"},
	}
	for _, server := range servers {
		for _, args := range loads {
			if d <= 0 {
				continue
			}
			if _, err := load(ctx, server, d/time.Duration(len(loads)), args); err != nil {
				return fmt.Errorf("warming up %v: %w", server.Kind, err)
			}
		}
	}
	return nil
}

// load runs zk bench once.
func load(ctx context.Context, server *harness.Server, d time.Duration, args []string) (*report, error) {
	bin, err := harness.OurBinary()
	if err != nil {
		return nil, err
	}
	args = append([]string{
		"bench", "--server", server.Addr, "--json", "--quiet", "--warmup", "500ms", "--duration", d.String(), "--pid", strconv.Itoa(server.PID()),
	}, args...)
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var rep report
	if err := json.Unmarshal(out, &rep); err != nil {
		return nil, fmt.Errorf("report %q: %w", out, err)
	}
	rep.whole = out
	return &rep, nil
}
