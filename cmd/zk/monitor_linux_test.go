package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asServer is the environment variable that makes the test binary the program itself.
const asServer = "ZK_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		main()
	}
	os.Exit(m.Run())
}

// TestMonitorIsCalm: of a server's threads the runtime's monitor alone may sleep longer, whoever it has as a parent, and
// the second start changes nothing that can be seen from outside.
func TestMonitorIsCalm(t *testing.T) {
	if runtime.GOMAXPROCS(0) == 1 {
		t.Skip("with one processor nothing is changed")
	}
	for _, c := range []struct {
		name string
		from int64
		calm bool
	}{
		{"Linux's slack", defaultSlackNanos, true},
		{"a slack of the operator's", 2 * defaultSlackNanos, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			pid, end := startProgram(t, c.from)
			var counts map[string]int
			for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
				counts = slacks(t, pid)
				if counts[fmt.Sprint(defaultSlackNanos)] >= spareThreads || !c.calm && counts[fmt.Sprint(c.from)] > 0 {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("timer slack of the threads: %v", counts)
				}
			}
			// The monitor may have made another thread by now, and a binary with C code makes one before main, which
			// makes others.
			if n := counts[fmt.Sprint(monitorSlackNanos)]; c.calm != (n > 0) || n > 2 && !withC() {
				t.Errorf("timer slack of the threads: %v", counts)
			}
			end()
		})
	}
}

// withC reports if the test binary has C code, which what ships has not.
func withC() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.ContainsFunc(info.Settings, func(s debug.BuildSetting) bool {
		return s.Key == "CGO_ENABLED" && s.Value == "1"
	})
}

// startProgram starts a server in a process with some timer slack. end ends it in order.
func startProgram(t *testing.T, slack int64) (pid int, end func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	dir := t.TempDir()
	cfg := filepath.Join(dir, "zoo.cfg")
	text := fmt.Sprintf("dataDir=%s\nclientPort=%d\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n", dir, port)
	if err := os.WriteFile(cfg, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command(exe, "server", cfg)
	cmd.Env = append(os.Environ(), asServer+"=1")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := withSlack(slack, cmd.Start); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // ends with the process
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			_ = c.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no server: ", log.String())
		}
	}
	return cmd.Process.Pid, func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil || !strings.Contains(log.String(), "server stopped") {
			t.Errorf("%v: %s", err, log.String())
		}
	}
}

// withSlack does something on a thread with some timer slack.
func withSlack(nanos int64, do func() error) error {
	ended := make(chan error, 1)
	go func() { // its thread ends with it
		runtime.LockOSThread()
		if err := setSlack(nanos); err != nil {
			ended <- err
			return
		}
		ended <- do()
	}()
	return <-ended
}

// slacks counts the threads of a process by their timer slack.
func slacks(t *testing.T, pid int) map[string]int {
	t.Helper()
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, thread := range threads {
		b, err := os.ReadFile("/proc/" + thread.Name() + "/timerslack_ns")
		switch {
		case os.IsNotExist(err):
		case err != nil:
			t.Skip("the timer slack of another process can't be read here: ", err)
		default:
			counts[strings.TrimSpace(string(b))]++
		}
	}
	return counts
}
