package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"zk/conf"
)

// Exit codes; see the package comment.
const (
	exitDone       = 0
	exitUnexpected = 1
	exitInvocation = 2
	exitDataDir    = 3
	exitAdminPort  = 4
)

// environment is what a command gets from the operating system; tests bring their own.
type environment struct {
	getenv func(string) string
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	// start starts a server; not embed.Start itself, so that tests need no ports.
	start func(context.Context, *conf.Config, *slog.Logger) (node, error)
}

func main() {
	calmMonitor(os.Args[1:])
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	// The first signal asks for an orderly end; with the handler gone the second one kills.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], environment{
		getenv: os.Getenv, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, start: startEmbedded,
	}))
}

// run executes a command line and returns the exit code.
func run(ctx context.Context, args []string, env environment) int {
	props, args := splitProperties(args)
	app := &cli.App{
		Name:            "zk",
		Usage:           "a server of the ZooKeeper protocol, and its tools",
		HideHelpCommand: true,
		Writer:          env.stdout,
		ErrWriter:       env.stderr,
		Reader:          env.stdin,
		// Errors are printed and turned into exit codes below, for all commands alike.
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   usageError,
		Commands: []*cli.Command{
			serverCommand(env, props), statusCommand(env, props), cliCommand(env, props), benchCommand(env), importCommand(env, props),
			exportCommand(env, props), versionCommand(env),
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return &commandError{exitInvocation, fmt.Sprintf("zk: no command %q; see zk --help", c.Args().First())}
			}
			return cli.ShowAppHelp(c)
		},
	}
	for _, c := range app.Commands {
		c.OnUsageError = usageError
		c.HideHelpCommand = true
	}
	err := app.RunContext(ctx, append([]string{"zk"}, flagsFirst(app, args)...))
	if err == nil {
		return exitDone
	}
	if text := err.Error(); text != "" {
		_, _ = fmt.Fprintln(env.stderr, text)
	}
	return exitCode(err)
}

// commandError ends the process with a code and a message; "" when everything has been said.
type commandError struct {
	code int
	text string
}

func (e *commandError) Error() string { return e.text }

// ExitCode makes commandError say its code.
func (e *commandError) ExitCode() int { return e.code }

func usageError(_ *cli.Context, err error, _ bool) error {
	return &commandError{exitInvocation, "zk: " + err.Error()}
}

// exitCode asks an error for its code: any error in the chain may have the method ExitCode.
func exitCode(err error) int {
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) {
		return coded.ExitCode()
	}
	return exitUnexpected
}

// splitProperties takes -Dname=value and the options of a JVM out of the arguments. What follows the word
// "cli" is left alone: there it is data.
func splitProperties(args []string) (props []conf.Property, rest []string) {
	end := len(args)
	if i := slices.IndexFunc(args, func(a string) bool { return !strings.HasPrefix(a, "-") }); i >= 0 && args[i] == "cli" {
		end = i
	}
	props, rest = conf.ParseArgs(args[:end])
	return props, append(rest, args[end:]...)
}

// flagsFirst moves the flags of a command before its arguments, where the flag parser wants them, so
// that "zk server zoo.cfg --log-level debug" does what it says.
func flagsFirst(app *cli.App, args []string) []string {
	if len(args) == 0 {
		return args
	}
	command := app.Command(args[0])
	if command == nil || command.SkipFlagParsing {
		return args
	}
	flags, rest := []string{args[0]}, []string(nil)
	for i := 1; i < len(args); i++ {
		a := args[i]
		if a == "--" {
			rest = append(rest, args[i:]...)
			break
		}
		if !strings.HasPrefix(a, "-") {
			rest = append(rest, a)
			continue
		}
		flags = append(flags, a)
		if takesValue(command, a) && i+1 < len(args) {
			i++
			flags = append(flags, args[i])
		}
	}
	return append(flags, rest...)
}

// takesValue reports if the word is a flag whose value is the next word.
func takesValue(command *cli.Command, word string) bool {
	name := strings.TrimLeft(word, "-")
	for _, f := range command.Flags {
		if g, ok := f.(cli.DocGenerationFlag); ok && slices.Contains(f.Names(), name) {
			return g.TakesValue()
		}
	}
	return false
}
