package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"zk/cmd/internal/bench"
)

func benchCommand(env environment) *cli.Command {
	return &cli.Command{
		Name:      "bench",
		Usage:     "put load on a server and measure it",
		ArgsUsage: "create|set|get|mixed|ephemeral|connect|watch|sessions",
		Description: "Makes a znode below --root, runs the load for --duration after --warmup, removes what it made, and prints\n" +
			"throughput and latencies. Works on any server of the ZooKeeper protocol.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "server", Value: "localhost:2181", Usage: "host:port[,host:port...]; sessions are spread over them"},
			&cli.IntFlag{Name: "sessions", Aliases: []string{"c"}, Value: 16, Usage: "sessions, each on a connection of its own"},
			&cli.IntFlag{Name: "in-flight", Aliases: []string{"p"}, Usage: "requests each session keeps in flight (default: 1; with --rate at most 1024)"},
			&cli.IntFlag{Name: "value", Value: 100, Usage: "bytes of data per znode"},
			&cli.IntFlag{Name: "keys", Value: 10000, Usage: "znodes that set, get and mixed use"},
			&cli.StringFlag{Name: "ratio", Value: "10:1", Usage: "reads:writes of mixed"},
			&cli.Float64Flag{Name: "rate", Usage: "requests a second in all, sent when due; latency counts from then (default: as fast as replies come)"},
			&cli.DurationFlag{Name: "warmup", Value: time.Second, Usage: "load before the measured time"},
			&cli.DurationFlag{Name: "duration", Aliases: []string{"d"}, Value: 10 * time.Second, Usage: "measured time"},
			&cli.IntFlag{Name: "ops", Usage: "end after so many requests, without a warm-up (default: by time only)"},
			&cli.DurationFlag{Name: "session-timeout", Value: 30 * time.Second, Usage: "session timeout asked for"},
			&cli.StringFlag{Name: "root", Value: "/zk-bench", Usage: "znode below which everything is made"},
			&cli.BoolFlag{Name: "keep", Usage: "leave what was made in place"},
			&cli.IntSliceFlag{Name: "pid", Usage: "process id of a server that is on this machine, may be repeated: adds their CPU time and memory"},
			&cli.BoolFlag{Name: "histogram", Usage: "print the distribution of latencies"},
			&cli.BoolFlag{Name: "json", Usage: "print the report as JSON"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "no progress"},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return &commandError{exitInvocation, "Usage: zk bench [flags] create|set|get|mixed|ephemeral|connect|watch|sessions"}
			}
			return runBench(c, env)
		},
	}
}

// benchSpec reads the flags.
func benchSpec(c *cli.Context) (bench.Spec, error) {
	spec := bench.Spec{
		Load: c.Args().First(), Root: c.String("root"), Sessions: c.Int("sessions"), InFlight: c.Int("in-flight"),
		ValueBytes: c.Int("value"), Keys: c.Int("keys"), Rate: c.Float64("rate"), Warmup: c.Duration("warmup"),
		Duration: c.Duration("duration"), Ops: c.Int("ops"), SessionTimeout: c.Duration("session-timeout"),
		Keep: c.Bool("keep"), PIDs: c.IntSlice("pid"),
	}
	var err error
	if spec.Servers, err = bench.ParseServers(c.String("server")); err != nil {
		return spec, err
	}
	spec.Reads, spec.Writes, err = bench.ParseRatio(c.String("ratio"))
	return spec, err
}

func runBench(c *cli.Context, env environment) error {
	spec, err := benchSpec(c)
	if err == nil {
		err = spec.Check()
	}
	if err != nil {
		return &commandError{exitInvocation, "zk: " + err.Error()}
	}
	var progress func(bench.Progress)
	if !c.Bool("quiet") {
		progress = func(p bench.Progress) {
			_, _ = fmt.Fprintf(env.stderr, "%-11s %5.1f s %12d done %10.0f/s %8d errors\n", p.Phase, p.Took.Seconds(), p.Ops, p.Rate, p.Errors)
		}
	}
	report, err := bench.Run(c.Context, spec, progress)
	if report != nil && report.Ops > 0 {
		if perr := printReport(c, env, report); perr != nil {
			return perr
		}
	}
	if err != nil {
		return &commandError{exitUnexpected, "zk: " + err.Error()}
	}
	return nil
}

func printReport(c *cli.Context, env environment, report *bench.Report) error {
	if !c.Bool("json") {
		return report.Print(env.stdout, c.Bool("histogram"))
	}
	return json.NewEncoder(env.stdout).Encode(report)
}
