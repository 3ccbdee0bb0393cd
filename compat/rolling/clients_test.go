package rolling

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"zk/compat/harness"
)

// clients are a process of two clients of one kind.
type clients struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	out    *bufio.Scanner
	stderr bytes.Buffer
}

func startKazoo(t *testing.T, hosts string) *clients {
	t.Helper()
	root, err := harness.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	c := &clients{name: "Kazoo"}
	c.cmd = exec.Command(filepath.Join(root, ".cache", "venv", "bin", "python"), filepath.Join("src", "roller.py"), hosts, "/kazoo")
	c.start(t)
	return c
}

func startCurator(t *testing.T, hosts string) *clients {
	t.Helper()
	lib, err := harness.MavenJars("rolling")
	if err != nil {
		t.Fatal(err)
	}
	c := &clients{name: "Curator"}
	c.cmd = exec.Command("java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dcompat.log=WARN",
		"-cp", filepath.Join("..", "java")+string(os.PathListSeparator)+filepath.Join(lib, "*"), filepath.Join("src", "Roller.java"), hosts, "/curator")
	c.start(t)
	return c
}

func (c *clients) start(t *testing.T) {
	t.Helper()
	c.cmd.Stderr = &c.stderr
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.stdin, c.out = stdin, bufio.NewScanner(stdout)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	})
	for c.out.Scan() {
		if c.out.Text() == "working" {
			return
		}
	}
	t.Fatalf("%s has ended at once: %s", c.name, c.stderr.String())
}

// result is what a process of clients says at its end.
type result struct{ count, acked, made, missing, there, unsure, alive, expired int }

// finish ends the clients, and judges what they say.
func (c *clients) finish(t *testing.T) {
	t.Helper()
	if _, err := io.WriteString(c.stdin, "end\n"); err != nil {
		t.Errorf("%s has ended early: %s", c.name, tail(c.stderr.Bytes()))
		return
	}
	text := ""
	for c.out.Scan() {
		if strings.HasPrefix(c.out.Text(), "count=") { // the rest is logging
			text = c.out.Text()
		}
	}
	var r result
	if _, err := fmt.Sscanf(text, "count=%d acked=%d made=%d missing=%d there=%d unsure=%d alive=%d expired=%d",
		&r.count, &r.acked, &r.made, &r.missing, &r.there, &r.unsure, &r.alive, &r.expired); err != nil {
		t.Errorf("%s says %q: %s", c.name, text, tail(c.stderr.Bytes()))
		return
	}
	t.Logf("%s: %+v", c.name, r)
	switch {
	case r.acked == 0 || r.made == 0:
		t.Errorf("%s has done nothing", c.name)
	case r.count != r.acked:
		t.Errorf("%s: %d increments were acknowledged under the lock, the count is %d", c.name, r.acked, r.count)
	case r.missing > 0 || r.there < r.made || r.there > r.made+r.unsure:
		t.Errorf("%s: %d sequence nodes were acknowledged, %d without an answer, %d are there, %d missing", c.name, r.made, r.unsure, r.there, r.missing)
	case r.expired > 0 || r.alive != 2:
		t.Errorf("%s: %d sessions have expired, %d of 2 ephemerals are there", c.name, r.expired, r.alive)
	}
}

func tail(b []byte) []byte { return b[max(0, len(b)-4000):] }
