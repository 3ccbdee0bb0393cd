package javacli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"zk/compat/control"
	"zk/compat/harness"
)

// patience is how long a command may take on a loaded machine; only a failure
// waits this long.
const patience = 60 * time.Second

// shell is a running command line that reads commands from a pipe.
type shell struct {
	t     *testing.T
	in    io.Writer
	lines chan string
	// printed is what came since the last command, events left out, and marked
	// whether the mark after it has come.
	printed []string
	marked  bool
	// events are the watch events printed so far.
	events []string
}

// javaCommand is the command line's process. Standard error goes where standard
// output goes, so that the order of lines is what a user sees.
func javaCommand(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	classPath, err := harness.JavaClassPath()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	t.Cleanup(cancel)
	return exec.CommandContext(ctx, "java", append([]string{
		"-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Dcompat.log=OFF", "-Duser.timezone=UTC",
		"-Dzookeeper.extendedTypesEnabled=true", "-cp", classPath, "org.apache.zookeeper.ZooKeeperMain",
	}, args...)...)
}

// startShell starts a shell and waits until it is connected and has told so.
func startShell(t *testing.T, rig *control.Rig) *shell {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := javaCommand(t, "-server", rig.Server.Addr, "-waitforconnection")
	cmd.Stdout, cmd.Stderr = write, write
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	s := &shell{t: t, in: in, lines: make(chan string, 1000)}
	done := make(chan struct{})
	go func() { // ends with the process
		defer close(done)
		defer close(s.lines)
		for scanner := bufio.NewScanner(read); scanner.Scan(); {
			s.lines <- scanner.Text()
		}
	}()
	t.Cleanup(func() {
		_ = in.Close()
		go func() { // ends with the process
			for range s.lines {
			}
		}()
		<-done
		_ = read.Close()
		if err := cmd.Wait(); err != nil && !t.Failed() {
			t.Logf("the shell ended: %v", err) // with the last command's exit code
		}
	})
	return s
}

// mark is what a command prints that is sent after every other; it has no
// other effect.
const (
	markCommand = "printwatches"
	markLine    = "printwatches is on"
)

// run sends a command and returns what it prints, events left out.
func (s *shell) run(command string) (printed []string) {
	s.t.Helper()
	if _, err := fmt.Fprintf(s.in, "%s\n%s\n", command, markCommand); err != nil {
		s.t.Fatalf("%s: %v", command, err)
	}
	s.printed, s.marked = nil, false
	s.await(command, func() bool { return s.marked })
	return s.printed
}

// await takes lines until the condition is true.
func (s *shell) await(what string, condition func() bool) {
	s.t.Helper()
	for deadline := time.After(patience); !condition(); {
		select {
		case line, ok := <-s.lines:
			switch {
			case !ok:
				s.t.Fatalf("%s: the shell has ended after %q", what, s.printed)
			case line == markLine:
				s.marked = true
			case strings.HasPrefix(line, "WatchedEvent "):
				s.events = append(s.events, strings.TrimSpace(line))
			case line == "WATCHER::" || line == "":
			default:
				s.printed = append(s.printed, line)
			}
		case <-deadline:
			s.t.Fatalf("%s: not within %v; printed %q, events %q", what, patience, s.printed, s.events)
		}
	}
}

// once runs the command line for one command and returns what it prints and
// its exit code.
func once(t *testing.T, rig *control.Rig, args ...string) []string {
	t.Helper()
	cmd := javaCommand(t, append([]string{"-server", rig.Server.Addr, "-waitforconnection"}, args...)...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return append(strings.Split(string(out), "\n"), fmt.Sprintf("exit code %d", cmd.ProcessState.ExitCode()))
}

// difference is something that has to differ.
type difference struct {
	pattern *regexp.Regexp
	equal   string
}

func differences() []difference {
	return []difference{
		{regexp.MustCompile(`127\.0\.0\.1:\d+`), "SERVER"},
		{regexp.MustCompile(`^([cm]time = ).*`), "${1}TIME"},
		{regexp.MustCompile(`(ephemeralOwner = 0x)[1-9a-f][0-9a-f]*`), "${1}SESSION"},
		{regexp.MustCompile(`(?i)(session ?(id)?:? ?)0x[1-9a-f][0-9a-f]*`), "${1}SESSION"},
	}
}

func normalized(lines []string) []string {
	ds, out := differences(), make([]string, len(lines))
	for i, line := range lines {
		for _, d := range ds {
			line = d.pattern.ReplaceAllString(line, d.equal)
		}
		out[i] = line
	}
	return out
}
