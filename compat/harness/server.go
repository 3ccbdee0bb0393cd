package harness

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"zk/jute"
)

// Kind says whose server it is.
type Kind int

// The two servers that are compared.
const (
	Java Kind = iota // Apache ZooKeeper 3.9.5
	Ours             // cmd/zk of this project
)

func (k Kind) String() string {
	if k == Java {
		return "java"
	}
	return "ours"
}

// Options describe a standalone server. The zero value is a server with the defaults of zoo.cfg,
// tickTime 2000 and no AdminServer.
type Options struct {
	// Config are lines of zoo.cfg. clientPort, dataDir, tickTime and admin.enableServer have defaults
	// that a line here overrides.
	Config []string
	// Props are system properties, "name=value".
	Props []string
	// Ready is how to see that the server serves; the zero value opens and closes a session.
	Ready Ready
	// Accepts are more addresses that must take connections before the server counts as serving: Java opens
	// its secure port after the client port.
	Accepts []string
	// ClassPath is that of another release of Java's server; "" is the one everything is compared with.
	ClassPath string
	// JVM are options of the Java machine; nil is a small one, quick to start, and no sync of the log, for
	// comparing behaviour. A measurement brings its own.
	JVM []string
}

// T is what a server needs of the test it belongs to. A testing.TB is one; a program that measures brings
// its own.
type T interface {
	Name() string
	Helper()
	Cleanup(f func())
	Failed() bool
	Logf(format string, args ...any)
	Fatal(args ...any)
}

// Ready is a way to see that a server serves.
type Ready int

// The ways. A session costs two transactions and a token of the connection throttle; a four-letter word
// costs nothing but a packet in the statistics.
const (
	ReadySession Ready = iota
	ReadyFourLetter
)

// startTimeout bounds the start of a server, on a busy machine too.
const startTimeout = 3 * time.Minute

// probeTimeout bounds one question whether a starting server serves.
const probeTimeout = 500 * time.Millisecond

// stopTimeout is how long a server has to end after SIGTERM before it is killed.
const stopTimeout = 15 * time.Second

// Server is a running server process.
type Server struct {
	Kind Kind
	Addr string // "127.0.0.1:port" of the client port
	Port int    // of the client port
	Dir  string // holds zoo.cfg, the data and the log

	opts   Options
	member *member // nil for a standalone server
	log    *logFile
	mu     sync.Mutex
	cmd    *exec.Cmd     // guarded by mu; nil when not running
	exited chan struct{} // guarded by mu; closed when cmd has ended
}

// StartJava starts Apache ZooKeeper and fails the test if that is impossible. It ends with the test.
func StartJava(t T, o Options) *Server {
	t.Helper()
	return mustStart(t, Java, o)
}

// StartOurs starts this project's server and fails the test if that is impossible. It ends with the test.
func StartOurs(t T, o Options) *Server {
	t.Helper()
	return mustStart(t, Ours, o)
}

func mustStart(t T, k Kind, o Options) *Server {
	t.Helper()
	s, err := Start(t, k, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ExitError says that a server ended while it was starting.
type ExitError struct {
	Kind Kind
	Code int // of the process, -1 if a signal ended it
}

func (e *ExitError) Error() string {
	return fmt.Sprintf("harness: the %s server ended at its start with code %d", e.Kind, e.Code)
}

// Start starts a server of the given kind. Unlike StartJava and StartOurs it may be called from any
// goroutine of the test. The server ends, and its folder goes, with the test; if the test failed, the
// end of the server's output is logged first.
func Start(t T, k Kind, o Options) (*Server, error) {
	s, err := newServer(t, k, o, "")
	if err != nil {
		return nil, err
	}
	// A port that was free a moment ago may be taken when the server binds it.
	for try := 0; ; try++ {
		if err := s.writeConfig(); err != nil {
			return nil, err
		}
		err := s.launch()
		if err == nil {
			return s, nil
		}
		if try == 2 || !strings.Contains(s.log.tail(64<<10), "ddress already in use") {
			return nil, fmt.Errorf("%w\n%s", err, s.log.tail(4<<10))
		}
		s.log.reset()
	}
}

// newServer makes a server's folder, unless it has one, and arranges for its end.
func newServer(t T, k Kind, o Options, dir string) (*Server, error) {
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "zk-compat-"+k.String()+"-"); err != nil {
			return nil, fmt.Errorf("harness: making a folder: %w", err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
	}
	s := &Server{Kind: k, Dir: dir, opts: o, log: &logFile{}}
	t.Cleanup(func() {
		s.Kill()
		s.keepLog(t)
		if t.Failed() {
			t.Logf("output of the %s server (%s):\n%s", s.Kind, s.Addr, s.log.tail(8<<10))
		}
	})
	return s, nil
}

// LogsEnv names a folder that gets the output of every server, whether its test failed or not.
const LogsEnv = "ZK_COMPAT_LOGS"

func (s *Server) keepLog(t T) {
	dir := os.Getenv(LogsEnv)
	if dir == "" {
		return
	}
	name := strings.NewReplacer("/", "-", ":", "-").Replace(t.Name()+"-"+s.Kind.String()+"-"+s.Addr) + ".log"
	if err := os.WriteFile(filepath.Join(dir, name), []byte(s.log.tail(logBytesMax)), 0o644); err != nil {
		t.Logf("keeping the log: %v", err)
	}
}

func (s *Server) writeConfig() error {
	if s.member != nil {
		if err := s.memberConfig(); err != nil {
			return err
		}
	} else {
		port, err := FreePort()
		if err != nil {
			return err
		}
		s.Port = port
		s.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	}
	// Later lines win, so the caller's come last. Java keeps log files small for a test this way; we
	// ignore the key.
	lines := []string{
		"clientPort=" + strconv.Itoa(s.Port), "dataDir=" + filepath.Join(s.Dir, "data"), "tickTime=2000",
		"admin.enableServer=false", "preAllocSize=1024",
	}
	if s.member != nil {
		lines = append(lines, s.member.lines()...)
	}
	lines = append(lines, s.opts.Config...)
	text := strings.Join(lines, "\n") + "\n"
	if err := writeSynced(filepath.Join(s.Dir, "zoo.cfg"), text); err != nil {
		return fmt.Errorf("harness: writing zoo.cfg: %w", err)
	}
	return nil
}

// writeSynced writes a file that a failure of its disk must not take away: it is the operator's.
func writeSynced(path, text string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) { // the folder may be new, too
		d, err := os.Open(dir)
		if err != nil {
			return err
		}
		if err := errors.Join(d.Sync(), d.Close()); err != nil || dir == filepath.Dir(filepath.Dir(path)) {
			return err
		}
	}
}

// command builds the process of the server.
func (s *Server) command() (*exec.Cmd, error) {
	zooCfg := filepath.Join(s.Dir, "zoo.cfg")
	if s.Kind == Java {
		cp := s.opts.ClassPath
		if cp == "" {
			var err error
			if cp, err = JavaClassPath(); err != nil {
				return nil, err
			}
		}
		args := s.opts.JVM
		if args == nil {
			args = []string{"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Dzookeeper.forceSync=no"}
		}
		args = append(slices.Clone(args), strings.Fields(s.properties())...)
		args = append(args, "-cp", cp, "org.apache.zookeeper.server.quorum.QuorumPeerMain", zooCfg)
		return exec.Command("java", args...), nil
	}
	bin, err := OurBinary()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(bin, "server", zooCfg)
	cmd.Env = append(os.Environ(), "SERVER_JVMFLAGS="+s.properties())
	return cmd, nil
}

// properties are the system properties as they stand on Java's command line.
func (s *Server) properties() string {
	var b strings.Builder
	for _, p := range s.opts.Props {
		b.WriteString("-D" + p + " ")
	}
	return b.String()
}

// launch starts the process and waits until the server serves.
func (s *Server) launch() error {
	if err := s.Launch(); err != nil {
		return err
	}
	if err := s.AwaitServing(); err != nil {
		s.Kill()
		return err
	}
	return nil
}

// Launch starts the process and does not wait: a member of an ensemble serves with others only.
func (s *Server) Launch() error {
	if s.PID() != 0 {
		return errors.New("harness: start of a running server")
	}
	cmd, err := s.command()
	if err != nil {
		return err
	}
	if s.member != nil && s.member.network != nil {
		cmd = s.member.network.enter(s.member.id, cmd)
	}
	cmd.Dir = s.Dir
	cmd.Stdout, cmd.Stderr = s.log, s.log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("harness: starting the %s server: %w", s.Kind, err)
	}
	exited := make(chan struct{})
	s.mu.Lock()
	s.cmd, s.exited = cmd, exited
	s.mu.Unlock()
	go func() { // ends with the process
		_ = cmd.Wait()
		close(exited)
	}()
	return nil
}

// AwaitServing waits until the server serves. An ExitError says that its process has ended.
func (s *Server) AwaitServing() error {
	cmd, exited := s.process()
	if cmd == nil {
		return errors.New("harness: waiting for a server that is not running")
	}
	deadline := time.Now().Add(startTimeout)
	for {
		err := s.probe()
		if err == nil {
			return nil
		}
		select {
		case <-exited:
			return &ExitError{Kind: s.Kind, Code: cmd.ProcessState.ExitCode()}
		case <-time.After(30 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("harness: the %s server does not serve after %v: %w", s.Kind, startTimeout, err)
		}
	}
}

// probe reports nil when the server serves.
func (s *Server) probe() error {
	// The word first: it leaves no trace, and what reaches Java while it is starting can stay unanswered.
	out, err := fourLetter(s.Addr, "srvr", probeTimeout)
	if err == nil && !s.serves(out) {
		err = fmt.Errorf("harness: srvr says %q", out)
	}
	for i := 0; i < len(s.opts.Accepts) && err == nil; i++ {
		err = accepts(s.opts.Accepts[i])
	}
	if err != nil || s.opts.Ready == ReadyFourLetter {
		return err
	}
	c, err := Dial(s.Addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Connect(jute.ConnectRequest{TimeoutMillis: 10000, Passwd: make([]byte, 16), HasReadOnly: true}); err != nil {
		return err
	}
	if err := c.Send(1, jute.OpCloseSession, nil); err != nil {
		return err
	}
	_, err = c.ReadFrame(5 * time.Second)
	return err
}

// accepts reports nil when somebody takes connections at the address.
func accepts(addr string) error {
	c, err := net.DialTimeout("tcp", addr, probeTimeout)
	if err != nil {
		return err
	}
	return c.Close()
}

// serves tells whether the answer to srvr is that of a server in office.
func (s *Server) serves(answer string) bool {
	if s.member == nil {
		return strings.Contains(answer, "Mode: standalone")
	}
	return strings.Contains(answer, "Mode: leader") || strings.Contains(answer, "Mode: follower") || strings.Contains(answer, "Mode: observer")
}

// Stop asks the server to end (SIGTERM) and waits until it has; a server that does not is killed and
// an error returned.
func (s *Server) Stop() error {
	cmd, exited := s.process()
	if cmd == nil {
		return nil
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-exited:
		s.gone()
		return nil
	case <-time.After(stopTimeout):
		s.Kill()
		return fmt.Errorf("harness: the %s server did not end within %v of SIGTERM", s.Kind, stopTimeout)
	}
}

// Wait waits until the server has ended by itself, and gives the exit code of its process (-1 if a signal ended
// it).
func (s *Server) Wait(timeout time.Duration) (code int, err error) {
	cmd, exited := s.process()
	if cmd == nil {
		return 0, errors.New("harness: waiting for a server that is not running")
	}
	select {
	case <-exited:
		s.gone()
		return cmd.ProcessState.ExitCode(), nil
	case <-time.After(timeout):
		return 0, fmt.Errorf("harness: the %s server has not ended in %v", s.Kind, timeout)
	}
}

// Kill ends the server at once (SIGKILL) and waits until it is gone. Killing a server that is not
// running does nothing.
func (s *Server) Kill() {
	cmd, exited := s.process()
	if cmd == nil {
		return
	}
	_ = cmd.Process.Kill()
	<-exited
	s.gone()
}

// Freeze stops the process (SIGSTOP) and waits until none of its threads does anything: one may be inside a sync.
func (s *Server) Freeze() error {
	pid := s.PID()
	if pid == 0 {
		return errors.New("harness: freezing a server that is not running")
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return fmt.Errorf("harness: stopping a server: %w", err)
	}
	for end := time.Now().Add(startTimeout); ; time.Sleep(time.Millisecond) {
		running, err := runningThreads(pid)
		if err != nil || running == 0 {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("harness: %d threads of a server don't stop", running)
		}
	}
}

// runningThreads counts the threads of a process that are not stopped.
func runningThreads(pid int) (n int, err error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(threads) == 0 {
		return 0, errors.Join(errors.New("harness: a server ended when it was stopped"), err)
	}
	for _, thread := range threads {
		text, err := os.ReadFile(thread)
		if err != nil {
			continue // it has ended
		}
		if _, state, _ := strings.Cut(string(text), ") "); !strings.HasPrefix(state, "T") {
			n++
		}
	}
	return n, nil
}

// Thaw lets a frozen process go on. One that is gone by now is left alone.
func (s *Server) Thaw() {
	if pid := s.PID(); pid != 0 {
		_ = syscall.Kill(pid, syscall.SIGCONT) // it may have just ended
	}
}

// Restart starts a server that was stopped or killed again, on the same port and data.
func (s *Server) Restart() error {
	if cmd, _ := s.process(); cmd != nil {
		return errors.New("harness: restart of a running server")
	}
	return s.launch()
}

// PID is the process id, 0 when the server is not running.
func (s *Server) PID() int {
	cmd, _ := s.process()
	if cmd == nil {
		return 0
	}
	return cmd.Process.Pid
}

// Log is the end of what the server has printed, at most n bytes.
func (s *Server) Log(n int) string { return s.log.tail(n) }

// AwaitLog waits until all texts are in what the server has printed, which arrives through a pipe, so perhaps
// later than what else the server does.
func (s *Server) AwaitLog(texts ...string) error {
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(10 * time.Millisecond) {
		log := s.Log(logBytesMax)
		missing := slices.DeleteFunc(slices.Clone(texts), func(text string) bool { return strings.Contains(log, text) })
		if len(missing) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("harness: %s has not printed %q but\n%s", s.Kind, missing, log)
		}
	}
}

func (s *Server) process() (*exec.Cmd, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cmd, s.exited
}

func (s *Server) gone() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cmd, s.exited = nil, nil
}

// FreePort returns a TCP port that is free on loopback at this moment, another one at each call: it stays free until
// somebody listens on it. It lies below the range from which the system gives ports to clients: one of those, dialling
// a server that is down, could meet itself.
func FreePort() (int, error) {
	const low, high, tries = 10000, 32000, 200
	err := errors.New("those that were tried are given")
	for range tries {
		port := low + rand.IntN(high-low)
		if _, given := portsGiven().LoadOrStore(port, true); given {
			continue
		}
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("harness: finding a free port: %w", err)
}

// portsGiven are the ports that this process was given.
var portsGiven = sync.OnceValue(func() *sync.Map { return new(sync.Map) })

// logBytesMax bounds what is kept of a server's output.
const logBytesMax = 1 << 20

// logFile keeps the last logBytesMax bytes written to it.
type logFile struct {
	mu  sync.Mutex
	buf []byte // guarded by mu
}

func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = append(l.buf, p...)
	if len(l.buf) > 2*logBytesMax {
		l.buf = append(l.buf[:0], l.buf[len(l.buf)-logBytesMax:]...)
	}
	return len(p), nil
}

func (l *logFile) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = l.buf[:0]
}

func (l *logFile) tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buf
	if len(b) > n {
		b = b[len(b)-n:]
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			b = b[i+1:]
		}
	}
	return string(b)
}
