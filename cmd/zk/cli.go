package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"zk/cmd/internal/client"
	"zk/cmd/internal/shell"
	"zk/conf"
	"zk/server/figures"
)

// completeTimeout bounds what the Tab key asks of the server.
const completeTimeout = 2 * time.Second

const cliUsage = `zk cli [-server host:port[,...][/chroot]] [-timeout ms] [-r] [-waitforconnection]
       [-client-configuration file] [command args]

With a command: run it, exit code 0, or 1 after an error, 127 for a command that there is not.
Without: read commands from the terminal, or line by line from a file or pipe.
-server              default localhost:2181
-timeout             session timeout in milliseconds, default 30000
-r                   accept a read-only server
-waitforconnection   fail if there is no connection within the timeout
-client-configuration  a file of properties over those of CLIENT_JVMFLAGS and JVMFLAGS. For TLS:
                     zookeeper.client.secure=true, zookeeper.ssl.trustStore.location and .password,
                     zookeeper.ssl.keyStore.location and .password when the server wants a certificate
"zk cli bogus" lists the commands.
`

func cliCommand(env environment, props []conf.Property) *cli.Command {
	return &cli.Command{
		Name:      "cli",
		Usage:     "look at znodes and change them, as zkCli.sh",
		UsageText: cliUsage,
		// Options are Java's, and those of the shell's commands look like flags.
		SkipFlagParsing: true,
		Action: func(c *cli.Context) error {
			args := c.Args().Slice()
			if len(args) > 0 && slices.Contains([]string{"-h", "-help", "--help"}, args[0]) {
				_, err := io.WriteString(env.stdout, cliUsage)
				return err
			}
			if code := runShell(c.Context, env, props, args); code != exitDone {
				return &commandError{code, ""}
			}
			return nil
		},
	}
}

// runShell runs zk cli on a terminal, when both ends are one, or on plain streams.
func runShell(ctx context.Context, env environment, props []conf.Property, args []string) int {
	opts := shell.Options{Out: env.stdout, Err: env.stderr, Version: figures.BuildVersion(), Configure: func(file string, o *client.Options) error {
		dial, err := clientDial(env, props, file)
		o.Dial = dial
		return err
	}}
	in, _ := env.stdin.(*os.File)
	out, _ := env.stdout.(*os.File)
	if !isTerminal(in) || !isTerminal(out) {
		opts.Lines = &scriptReader{out: env.stdout, in: bufio.NewReader(env.stdin)}
		return mainUntil(ctx, shell.New(opts), args)
	}
	t := &terminalReader{fd: int(in.Fd()), terminal: term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{in, out}, "")}
	// Everything goes through the terminal, which keeps what is being typed below what is printed.
	opts.Out, opts.Lines = t.terminal, t
	if isTerminal(env.stderr) {
		opts.Err = t.terminal
	}
	s := shell.New(opts)
	t.terminal.AutoCompleteCallback = func(line string, pos int, key rune) (string, int, bool) {
		return complete(ctx, s, line, pos, key)
	}
	defer t.restore()
	return mainUntil(ctx, s, args)
}

// isTerminal reports if a stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && f != nil && term.IsTerminal(int(f.Fd()))
}

// mainUntil runs a shell, but not longer than ctx: a command or a read from the terminal that waits must
// not keep a signal from ending the process.
func mainUntil(ctx context.Context, s *shell.Shell, args []string) int {
	done := make(chan int, 1)
	go func() { done <- s.Main(ctx, args) }() // ends with the process at the latest
	select {
	case code := <-done:
		return code
	case <-ctx.Done():
		return exitUnexpected
	}
}

// scriptReader reads commands from a file or pipe. Prompts are printed, as zkCli.sh does there too.
type scriptReader struct {
	out io.Writer
	in  *bufio.Reader
}

// ReadLine implements shell.LineReader.
func (r *scriptReader) ReadLine(prompt string) (string, error) {
	_, _ = io.WriteString(r.out, prompt)
	line, err := r.in.ReadString('\n')
	if err != nil && line == "" {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// terminalReader edits lines on a terminal, which is in raw mode only while a line is read: during a
// command the interrupt key works.
type terminalReader struct {
	fd       int
	terminal *term.Terminal
	saved    *term.State // not nil in raw mode
}

// ReadLine implements shell.LineReader. The interrupt key and the end of input both end the session.
func (r *terminalReader) ReadLine(prompt string) (string, error) {
	// Some terminals say that they have no size at all.
	if width, height, err := term.GetSize(r.fd); err == nil && width > 0 && height > 0 {
		_ = r.terminal.SetSize(width, height) // a new size is used as it is; nothing is drawn yet
	}
	saved, err := term.MakeRaw(r.fd)
	if err != nil {
		return "", fmt.Errorf("zk cli: preparing the terminal: %w", err)
	}
	r.saved = saved
	defer r.restore()
	r.terminal.SetPrompt(prompt)
	line, err := r.terminal.ReadLine()
	if errors.Is(err, term.ErrPasteIndicator) {
		err = nil
	}
	r.terminal.SetPrompt("")
	return line, err
}

// restore leaves raw mode.
func (r *terminalReader) restore() {
	if r.saved != nil {
		_ = term.Restore(r.fd, r.saved)
		r.saved = nil
	}
}

// complete answers the Tab key: what all candidates for the last word have in common, and a blank when
// there is only one.
func complete(ctx context.Context, s *shell.Shell, line string, pos int, key rune) (string, int, bool) {
	if key != '\t' || pos != len(line) {
		return "", 0, false
	}
	ctx, cancel := context.WithTimeout(ctx, completeTimeout)
	defer cancel()
	start := strings.LastIndexByte(line, ' ') + 1
	candidates := s.Complete(ctx, line[start:])
	if len(candidates) == 0 {
		return "", 0, false
	}
	common := candidates[0]
	for _, c := range candidates[1:] {
		for !strings.HasPrefix(c, common) {
			common = common[:len(common)-1]
		}
	}
	if len(candidates) == 1 && !strings.HasPrefix(common, "/") {
		common += " "
	}
	line = line[:start] + common
	return line, len(line), true
}
