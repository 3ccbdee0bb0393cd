package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"zk/conf"
	"zk/server/embed"
)

// openTerminal makes a pseudo terminal: what the user has in hand, and what the program gets.
func openTerminal(t *testing.T) (user, program *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("this machine gives no pseudo terminals: %v", err)
	}
	t.Cleanup(func() { _ = user.Close() })
	// Not through Fd, which would make reads uninterruptible.
	raw, err := user.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	var unlockErr, numberErr, sizeErr error
	err = raw.Control(func(fd uintptr) {
		unlockErr = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0)
		n, numberErr = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		sizeErr = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 200})
	})
	if err := errors.Join(err, unlockErr, numberErr, sizeErr); err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Close() })
	return user, program
}

// screen is what a program has printed and the test has not looked at yet.
type screen struct {
	from *os.File
	seen string
}

// await reads until a text has come, and forgets everything up to it.
func (s *screen) await(t *testing.T, text string) {
	t.Helper()
	b := make([]byte, 1024)
	for {
		if _, rest, ok := strings.Cut(s.seen, text); ok {
			s.seen = rest
			return
		}
		n, err := s.from.Read(b)
		if err != nil {
			t.Fatalf("waiting for %q: %v; seen %q", text, err, s.seen)
		}
		s.seen += string(b[:n])
	}
}

// TestTerminal types at a shell: line editing, completion of commands and paths, history, end.
func TestTerminal(t *testing.T) {
	cfg, err := conf.Parse("test.cfg", []byte("dataDir="+t.TempDir()+"\nclientPort=0\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n"), conf.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n, err := embed.Start(context.Background(), cfg, embed.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close(context.Background()) })

	user, program := openTerminal(t)
	// A lost key press must not hang the tests.
	if err := user.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	code := make(chan int, 1)
	go func() {
		code <- run(context.Background(), []string{"cli", "-server", n.Addr().String()}, environment{
			getenv: os.Getenv, stdin: program, stdout: program, stderr: program,
		})
	}()
	shown := screen{from: user}
	for _, step := range []struct{ keys, want string }{
		{"", "(CONNECTED) 0] "},
		{"ls /x\x7f\r", "[zookeeper]"}, // one letter too much is taken back
		{"", "(CONNECTED) 1] "},
		{"ls /zo\t", "/zookeeper"},
		{"\r", "[config, quota]"},
		{"", "(CONNECTED) 2] "},
		{"getAl\t", "getAllChildrenNumber "},
		{"/\r", "3\r"},
		{"", "(CONNECTED) 3] "},
		{"nonsense\r", "Command not found nonsense"},
		{"", "(CONNECTED) 4] "},
		{"\x1b[A\x1b[A", "getAllChildrenNumber /"}, // two lines back
		{"\r", "3\r"},
		{"", "(CONNECTED) 5] "},
		{"\x04", "\n"},
	} {
		if _, err := user.WriteString(step.keys); err != nil {
			t.Fatal(err)
		}
		shown.await(t, step.want)
	}
	if c := <-code; c != 0 {
		t.Errorf("exit code %d", c)
	}
}
