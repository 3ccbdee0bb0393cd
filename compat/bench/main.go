package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

// settings are the command line.
type settings struct {
	rows, skip     *regexp.Regexp
	rounds, nodes  int
	znodes         int
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
	fs.IntVar(&s.nodes, "nodes", 1, "servers of each kind; an ensemble from 3 up, which has rows of its own")
	fs.IntVar(&s.znodes, "znodes", 1_000_000, "znodes of 100 bytes that are there when a server of an ensemble comes back")
	fs.IntVar(&s.rounds, "rounds", 3, "rounds of each server and row")
	fs.DurationVar(&s.duration, "duration", 3*time.Second, "measured time of a round")
	fs.DurationVar(&s.warm, "warm", 20*time.Second, "load on each server before the first round")
	fs.StringVar(&s.heap, "heap", "2g", "Java's heap")
	fs.StringVar(&s.json, "json", "", "append every round to this file, a line of JSON each")
	fs.BoolVar(&s.list, "list", false, "list the rows")
	if err := fs.Parse(args); err != nil {
		return s, err
	}
	if fs.NArg() > 0 || s.rounds < 1 || s.duration <= 0 || s.znodes < 1 || s.nodes != 1 && s.nodes < 3 {
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

// run does what the settings say; err is also what a function of the harness gave up with.
func run(ctx context.Context, s settings) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case failure:
			err = errors.New(string(r))
		default:
			panic(r)
		}
	}()
	loads, events := s.todo()
	if s.list {
		for _, r := range loads {
			fmt.Println(r.name)
		}
		for _, e := range events {
			fmt.Println(e.name)
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
	groups, err := start(&o, s.heap, s.nodes)
	if err != nil {
		return err
	}
	if err := warmUp(ctx, groups, s.warm); err != nil {
		return err
	}
	b := &bed{settings: s, groups: groups, out: json.NewEncoder(out)}
	if len(loads) > 0 {
		if err := b.loads(ctx, loads); err != nil {
			return err
		}
	}
	return b.events(ctx, events)
}

// todo are the rows that were asked for.
func (s *settings) todo() (loads []row, list []event) {
	wanted := func(name string) bool { return s.rows.MatchString(name) && !s.skip.MatchString(name) }
	for _, r := range rows() {
		if wanted(r.name) {
			loads = append(loads, r)
		}
	}
	for _, e := range events() {
		if s.nodes > 1 && wanted(e.name) {
			list = append(list, e)
		}
	}
	return loads, list
}

// bed is a run: both kinds of servers, and where every round is written to.
type bed struct {
	settings
	groups []*group
	out    *json.Encoder
}

// loads measures the rows that are a load.
func (b *bed) loads(ctx context.Context, todo []row) error {
	printHead()
	for _, r := range todo {
		reports := make([][]*report, len(b.groups))
		for range b.rounds {
			for i, g := range b.groups {
				rep, err := g.round(ctx, b.duration, r.args)
				if err != nil {
					return err
				}
				reports[i] = append(reports[i], rep)
				if err := b.out.Encode(map[string]any{"row": r.name, "server": g.kind.String(), "report": rep.whole}); err != nil {
					return err
				}
			}
		}
		printRow(r.name, reports[0], reports[1])
	}
	return nil
}

// warmUp gives both servers every kind of load, so that Java has compiled what is measured.
func warmUp(ctx context.Context, groups []*group, d time.Duration) error {
	loads := [][]string{
		{"--in-flight", "64", "--value", "1024", "set"}, {"--in-flight", "64", "--value", "1024", "get"}, {"--in-flight", "16", "create"},
		{"--sessions", "64", "--ratio", "1:1", "mixed"}, {"connect"},
	}
	for _, g := range groups {
		for _, args := range loads {
			if d <= 0 {
				continue
			}
			if _, err := g.round(ctx, d/time.Duration(len(loads)), args); err != nil {
				return fmt.Errorf("warming up: %w", err)
			}
		}
	}
	return nil
}
