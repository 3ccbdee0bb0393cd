package cclient

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"zk/compat/control"
)

// TestSuite compiles src/client.c and runs its cases, one process each.
func TestSuite(t *testing.T) {
	control.Need(t)
	program := filepath.Join(t.TempDir(), "client")
	compile := exec.Command("gcc", "-std=gnu11", "-O1", "-Wall", "-Werror", "-o", program, "src/client.c", "-lzookeeper_mt", "-lpthread")
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("compiling, run `make deps`: %v\n%s", err, out)
	}
	rig := control.Start(t)
	for _, name := range []string{
		"synchronous", "asynchronous", "multi", "watches", "auth", "reconnect", "restart", "crash", "expiry", "session-moves",
	} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(func() {
				if err := rig.Up(); err != nil {
					t.Error(err)
				}
				rig.Proxy.Heal()
			})
			runCase(t, rig, program, name)
		})
	}
}

// runCase runs one case and does what it asks for.
func runCase(t *testing.T, rig *control.Rig, program, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program,
		rig.Server.Addr, rig.Proxy.Addr(), rig.RestartHosts(), control.SuperPassword, name)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if err := rig.Do(lines.Text()); err != nil {
			t.Error(err)
		}
		if _, err := fmt.Fprintln(in, "done"); err != nil {
			t.Error(err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, stderr.String())
	}
}
