package shell

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"zk/cmd/internal/client"
	"zk/jute"
)

const (
	// exitNotFound is CommandNotFoundException's exit code.
	exitNotFound = 127
	// exitInvocation is the exit code for options that can't be used.
	exitInvocation = 2
	// firstPromptWait is how long a prompt waits for a connection to be made.
	firstPromptWait = time.Second
	// historyShown is how many commands before the last "history" prints.
	historyShown = 10
	// closeWait bounds the end of a session.
	closeWait = 5 * time.Second
)

// LineReader gives the lines of an interactive session or a script.
type LineReader interface {
	// ReadLine prints the prompt and returns the next line without its end; io.EOF at the end.
	ReadLine(prompt string) (string, error)
}

// Options are where a Shell reads and prints, and what it says of itself.
type Options struct {
	Out, Err io.Writer
	// Lines is used when the command line has no command.
	Lines LineReader
	// Version is printed by the version command.
	Version string
	// Zone is the time zone of printed times; nil means local.
	Zone *time.Location
	// Client is copied for each session; its timeout, read-only mode and OnEvent are the Shell's.
	Client client.Options
	// Configure completes Client with the file that -client-configuration names, "" without. nil: there is
	// nothing to complete, and the option is refused.
	Configure func(file string, o *client.Options) error
}

// Shell runs commands on one session at a time.
type Shell struct {
	opts  Options
	out   io.Writer
	err   io.Writer
	table []command // sorted by name, immutable

	printWatches atomic.Bool

	// Owned by the goroutine that runs commands.
	zk       *client.Client
	servers  string
	timeout  time.Duration
	readOnly bool
	wait     bool // -waitforconnection
	history  []string
	exitCode int
	quit     bool
}

// New makes a shell without a session.
func New(opts Options) *Shell {
	if opts.Zone == nil {
		opts.Zone = time.Local
	}
	s := &Shell{
		opts: opts, out: &lockedWriter{w: opts.Out}, err: &lockedWriter{w: opts.Err}, table: commands(),
		servers: "localhost:2181", timeout: 30 * time.Second,
	}
	s.printWatches.Store(true)
	return s
}

// lockedWriter lets commands and events print at once.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer // guarded by mu
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// println prints a line on the standard output.
func (s *Shell) println(text string) { _, _ = io.WriteString(s.out, text+"\n") }

// errln prints a line on the standard error.
func (s *Shell) errln(text string) { _, _ = io.WriteString(s.err, text+"\n") }

// Main runs zkCli.sh's command line: options, then a command or nothing, and returns the exit code.
func (s *Shell) Main(ctx context.Context, args []string) int {
	words, err := s.parseOptions(args)
	if err != nil {
		s.errln(err.Error())
		return exitInvocation
	}
	s.println("Connecting to " + s.servers)
	if err := s.connect(ctx, s.servers); err != nil {
		s.errln(message(err))
		return 1
	}
	defer s.leave()
	if words != nil {
		s.process(ctx, words)
		return s.exitCode
	}
	// zkCli.sh says so whenever the library is there, also when it reads a file.
	s.println("Welcome to ZooKeeper!")
	s.println("JLine support is enabled")
	s.awaitConnection(ctx, firstPromptWait)
	for !s.quit {
		line, err := s.opts.Lines.ReadLine(s.prompt())
		if err != nil {
			s.println("")
			break
		}
		s.Execute(ctx, line)
	}
	return s.exitCode
}

// parseOptions reads the options before the command; words is nil without one. As in Java an option that
// is not known is passed over, and so is what is behind an option that lacks its value.
func (s *Shell) parseOptions(args []string) (words []string, err error) {
	words, file, err := s.scanOptions(args)
	switch {
	case err != nil:
	case s.opts.Configure != nil:
		err = s.opts.Configure(file, &s.opts.Client)
	case file != "":
		err = errors.New("zk cli: -client-configuration is not supported here")
	}
	return words, err
}

// scanOptions is parseOptions but for the client configuration, whose file it gives.
func (s *Shell) scanOptions(args []string) (words []string, file string, err error) {
	for i := 0; i < len(args); i++ {
		opt := args[i]
		switch opt {
		case "-server", "-timeout", "-client-configuration":
			if i++; i == len(args) {
				s.errln("Error: no argument found for option " + opt)
				return nil, file, nil
			}
		}
		switch opt {
		case "-server":
			s.servers = args[i]
		case "-timeout":
			millis, err := strconv.ParseInt(args[i], 10, 32)
			if err != nil || millis <= 0 {
				return nil, file, fmt.Errorf("zk cli: -timeout %s: must be a number of milliseconds", args[i])
			}
			s.timeout = time.Duration(millis) * time.Millisecond
		case "-r":
			s.readOnly = true
		case "-waitforconnection":
			s.wait = true
		case "-client-configuration":
			file = args[i]
		default:
			if !strings.HasPrefix(opt, "-") {
				return args[i:], file, nil
			}
		}
	}
	return nil, file, nil
}

// connect ends the session there is and starts one with other servers.
func (s *Shell) connect(ctx context.Context, servers string) error {
	if s.alive() {
		s.close(ctx)
	}
	o := s.opts.Client
	o.SessionTimeout, o.ReadOnly = s.timeout, s.readOnly
	o.OnEvent = s.event
	zk, err := client.New(servers, o)
	if err != nil {
		return err
	}
	s.zk, s.servers = zk, servers
	if s.wait && !s.awaitConnection(ctx, s.timeout) {
		s.close(ctx)
		return &client.OpError{Code: jute.CodeConnectionLoss}
	}
	return nil
}

// awaitConnection waits until the session is established, and tells if it is.
func (s *Shell) awaitConnection(ctx context.Context, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return s.zk.WaitConnected(ctx) == nil
}

// close ends the session; its event is printed.
func (s *Shell) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWait)
	defer cancel()
	_ = s.zk.Close(ctx) // a session that can't be closed expires
}

// leave ends the session without a word.
func (s *Shell) leave() {
	s.printWatches.Store(false)
	if s.zk != nil {
		s.close(context.Background())
	}
}

// event prints a watch event or a change of state.
func (s *Shell) event(e client.Event) {
	if s.printWatches.Load() {
		s.println("\nWATCHER::\n\n" + e.String())
	}
}

func (s *Shell) alive() bool {
	if s.zk == nil {
		return false
	}
	switch s.zk.State() {
	case client.Closed, client.Expired, client.AuthFailed:
		return false
	}
	return true
}

func (s *Shell) prompt() string {
	return fmt.Sprintf("[zk: %s(%v) %d] ", s.servers, s.zk.State(), len(s.history))
}

// Execute runs a line; an empty one does nothing and is not counted.
func (s *Shell) Execute(ctx context.Context, line string) {
	if line == "" {
		return
	}
	s.history = append(s.history, line)
	s.process(ctx, splitLine(line))
}

// process runs a command and keeps its exit code.
func (s *Shell) process(ctx context.Context, words []string) {
	err := s.run(ctx, words)
	if err == nil {
		if !s.quit { // which ends with the code of the command before it
			s.exitCode = 0
		}
		return
	}
	s.exitCode = 1
	var f *failure
	if errors.As(err, &f) {
		s.exitCode = f.code
	}
	s.errln(message(err))
}

// run finds and runs a command.
func (s *Shell) run(ctx context.Context, words []string) error {
	if len(words) == 0 {
		s.usage()
		return fail("No command entered")
	}
	i, found := slices.BinarySearchFunc(s.table, words[0], func(c command, name string) int {
		return strings.Compare(c.name, name)
	})
	if !found {
		s.usage()
		return &failure{"Command not found: Command not found " + words[0], exitNotFound}
	}
	c := &s.table[i]
	if c.builtin != nil {
		if err := c.builtin(ctx, s, words); err != nil || s.quit {
			return err
		}
	}
	// Java asks after these too.
	if !s.alive() {
		s.println("Not connected")
		return nil
	}
	if c.run == nil {
		return nil
	}
	call, err := c.parse(words)
	if err != nil {
		return err
	}
	call.Shell = s
	return c.run(ctx, call)
}

// usage lists the commands.
func (s *Shell) usage() {
	var b strings.Builder
	b.WriteString("ZooKeeper -server host:port -client-configuration properties-file cmd args\n")
	for i := range s.table {
		b.WriteString("\t" + s.table[i].name + " " + s.table[i].usage + "\n")
	}
	_, _ = io.WriteString(s.err, b.String())
}

// Commands are the names of all commands, sorted.
func (s *Shell) Commands() []string {
	names := make([]string, len(s.table))
	for i := range s.table {
		names[i] = s.table[i].name
	}
	return names
}

// Complete gives what the last word of a line could become: commands, or paths of znodes if it begins with
// '/'. (JLineZNodeCompleter)
func (s *Shell) Complete(ctx context.Context, word string) []string {
	candidates := s.Commands()
	if strings.HasPrefix(word, "/") {
		dir := word[:strings.LastIndexByte(word, '/')]
		if !s.alive() || s.zk.State() == client.Connecting {
			return nil
		}
		children, err := s.zk.Children(ctx, cmp.Or(dir, "/"), false)
		if err != nil {
			return nil
		}
		slices.Sort(children)
		candidates = candidates[:0]
		for _, name := range children {
			candidates = append(candidates, dir+"/"+name)
		}
	}
	return slices.DeleteFunc(candidates, func(c string) bool { return !strings.HasPrefix(c, word) })
}

// runConnect starts a session with other servers, or with the same again.
func runConnect(ctx context.Context, s *Shell, words []string) error {
	servers := s.servers
	if len(words) >= 2 {
		servers = words[1]
	}
	err := s.connect(ctx, servers)
	if err == nil {
		s.awaitConnection(ctx, firstPromptWait)
	}
	return err
}

func runQuit(ctx context.Context, s *Shell, _ []string) error {
	s.close(ctx)
	s.quit = true
	return nil
}

// runHistory prints the last commands, itself included.
func runHistory(_ context.Context, s *Shell, _ []string) error {
	last := len(s.history) - 1
	for i := max(last-historyShown, 0); i <= last; i++ {
		s.println(strconv.Itoa(i) + " - " + s.history[i])
	}
	return nil
}

// runRedo runs a command of the history again, in whose place it then stands.
func runRedo(ctx context.Context, s *Shell, words []string) error {
	if len(words) < 2 {
		return nil
	}
	n, err := strconv.ParseInt(words[1], 0, 32)
	if err != nil {
		return fail("For input string: \"" + words[1] + "\"")
	}
	if n < 0 || int(n) >= len(s.history)-1 {
		return fail("Command index out of range")
	}
	again := splitLine(s.history[n])
	if len(again) > 0 && again[0] == "redo" {
		return fail("No redoing redos")
	}
	s.history[len(s.history)-1] = s.history[n]
	s.process(ctx, again)
	return nil
}

func runPrintWatches(_ context.Context, s *Shell, words []string) error {
	if len(words) > 1 {
		s.printWatches.Store(words[1] == "on")
		return nil
	}
	state := "off"
	if s.printWatches.Load() {
		state = "on"
	}
	s.println("printwatches is " + state)
	return nil
}

// readFile reads a small file that a command names.
func readFile(name string) ([]byte, error) {
	const bytesMax = 1 << 20
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, bytesMax))
}
