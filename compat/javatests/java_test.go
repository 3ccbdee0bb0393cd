package javatests

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"zk/compat/control"
	"zk/compat/harness"
)

// TestSuite runs the Maven project against a fresh server.
func TestSuite(t *testing.T) {
	control.Need(t)
	root, err := harness.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	rig := control.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	args := []string{
		"-B", "-Dstyle.color=never", "-f", filepath.Join(root, "compat", "javatests", "pom.xml"), "test",
		"-Dzk.hosts=" + rig.Server.Addr,
		"-Dzk.proxy=" + rig.Proxy.Addr(),
		"-Dzk.restart.hosts=" + rig.RestartHosts(),
		"-Dzk.control=" + rig.Serve(t),
		"-Dzk.super=" + control.SuperPassword,
	}
	// `make deps` leaves this file when Maven has all it needs.
	if _, err := os.Stat(filepath.Join(root, ".cache", "maven.done")); err == nil {
		args = append(args, "-o")
	}
	if only := os.Getenv("JAVA_TESTS"); only != "" {
		args = append(args, "-Dtest="+only)
	}
	control.Run(t, exec.CommandContext(ctx, "mvn", args...))
}
