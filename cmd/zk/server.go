package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"zk/conf"
)

// closeTimeout bounds an orderly end. It is shorter than the 30 s that Kubernetes leaves before SIGKILL.
const closeTimeout = 25 * time.Second

// failedTimeout bounds the end of a server that failed: its stores are not touched again, and who waits for them
// waits for ever.
const failedTimeout = 2 * time.Second

const serverUsage = "Usage: zk server [configfile | port datadir [ticktime] [maxcnxns]]"

// node is a running server.
type node interface {
	// Wait returns when the server has failed, with the reason, or has been closed.
	Wait() error
	// Close ends the server in order, within ctx.
	Close(ctx context.Context) error
}

func serverCommand(env environment, props []conf.Property) *cli.Command {
	return &cli.Command{
		Name:      "server",
		Usage:     "serve in the foreground",
		ArgsUsage: "[zoo.cfg | port datadir [ticktime] [maxcnxns]]",
		Description: "Without an argument: standalone on port 2181, data in ./zk-data, metrics on port 7000, AdminServer on port 8080.\n" +
			"-Dname=value, SERVER_JVMFLAGS and JVMFLAGS are read as Java's system properties are.\n" +
			"SIGTERM and SIGINT close the server in order, then the exit code is 0.\n" +
			"Exit codes: 0 done, 1 unexpected error, 2 bad invocation or configuration, 3 data folder not usable,\n" +
			"4 port of the AdminServer not free, 14 election port not free.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "log-level", Value: "info", Usage: "debug, info, warn or error"},
			&cli.StringFlag{Name: "log-format", Value: "text", Usage: "text or json"},
			&cli.BoolFlag{Name: "rejoin", Usage: "of an ensemble: give up what is in the data folders, take everything from the leader, have no vote until then"},
			&cli.BoolFlag{Name: "keys", Usage: "list the keys of zoo.cfg and end"},
		},
		Action: func(c *cli.Context) error {
			if c.Bool("keys") {
				_, err := io.WriteString(env.stdout, conf.Help())
				return err
			}
			logger, err := newLogger(env.stderr, c.String("log-level"), c.String("log-format"))
			if err != nil {
				return err
			}
			cfg, err := loadConfig(c.Args().Slice(), properties(env.getenv, "SERVER_JVMFLAGS", props))
			if err != nil {
				return configError(err)
			}
			if cfg.Rejoin = c.Bool("rejoin"); cfg.Rejoin && !cfg.Distributed() {
				return configError(errors.New("--rejoin is for a server of an ensemble"))
			}
			return serve(c.Context, env, cfg, logger)
		},
	}
}

// properties are all system properties, the strongest last. Java's scripts put the variable that is for one program,
// SERVER_JVMFLAGS or CLIENT_JVMFLAGS, before JVMFLAGS.
func properties(getenv func(string) string, own string, commandLine []conf.Property) []conf.Property {
	var props []conf.Property
	for _, name := range []string{own, "JVMFLAGS"} {
		props = append(props, conf.ParseFlags(getenv(name), name)...)
	}
	return append(props, commandLine...)
}

// loadConfig reads the configuration the arguments name.
func loadConfig(args []string, props []conf.Property) (*conf.Config, error) {
	opts := conf.Options{Properties: props, SystemProperty: systemProperty}
	switch len(args) {
	case 0:
		return conf.Default("", opts)
	case 1:
		return conf.Load(args[0], opts)
	default:
		return conf.LoadArgs(args, opts)
	}
}

// configError says what is wrong, with the lines that scripts know from Java.
func configError(err error) error {
	return &commandError{exitInvocation, err.Error() + "\nInvalid config, exiting abnormally\n" + serverUsage}
}

// newLogger logs to w.
func newLogger(w io.Writer, level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, &commandError{exitInvocation, fmt.Sprintf("zk: --log-level %s: must be debug, info, warn or error", level)}
	}
	opts := &slog.HandlerOptions{Level: l}
	switch strings.ToLower(format) {
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return nil, &commandError{exitInvocation, fmt.Sprintf("zk: --log-format %s: must be text or json", format)}
}

// serve runs a server until it fails or ctx ends.
func serve(ctx context.Context, env environment, cfg *conf.Config, logger *slog.Logger) error {
	for _, n := range cfg.Notes {
		logger.Info("configuration note", noteAttrs(n)...)
	}
	for _, n := range cfg.Warnings {
		logger.Warn("configuration warning", noteAttrs(n)...)
	}
	running, err := env.start(ctx, cfg, logger)
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			logger.Info("stopped while starting")
			return nil
		}
		return failed(logger, "server did not start", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- running.Wait() }() // ends with the server
	select {
	case err = <-ended:
	case <-ctx.Done():
		logger.Info("stopping on a signal")
	}
	timeout := closeTimeout
	if err != nil {
		timeout = failedTimeout
	}
	closeCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	closeErr := running.Close(closeCtx)
	switch {
	case err != nil:
		return failed(logger, "server failed", err)
	case closeErr != nil:
		return failed(logger, "server did not close in order", closeErr)
	}
	logger.Info("server stopped")
	return nil
}

func noteAttrs(n conf.Note) []any {
	attrs := []any{"key", n.Key, "text", n.Text}
	if n.Line > 0 {
		attrs = append(attrs, "line", n.Line)
	}
	return attrs
}

// failed logs an error and keeps its exit code; for a data folder it says on stderr what scripts look for.
func failed(logger *slog.Logger, message string, err error) error {
	logger.Error(message, "err", err)
	code, text := exitCode(err), ""
	switch code {
	case exitInvocation:
		text = "Invalid config, exiting abnormally"
	case exitDataDir:
		text = "Unable to access datadir, exiting abnormally"
	case exitAdminPort:
		text = "Unable to start AdminServer, exiting abnormally"
	}
	return &commandError{code, text}
}
