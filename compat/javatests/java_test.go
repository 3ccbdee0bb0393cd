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

// TestSuite runs the Maven project with the Java client 3.9.5, all but Curator.
func TestSuite(t *testing.T) {
	runMaven(t, "-Dtest=!Curator*,!OldClientTest")
}

// TestCurator runs the tests of Curator's framework and recipes.
func TestCurator(t *testing.T) {
	runMaven(t, "-Dtest=Curator*")
}

// TestOldClients runs, with older Java clients, what those can do.
func TestOldClients(t *testing.T) {
	control.Need(t)
	t.Parallel()
	for version, profiles := range map[string]string{"3.4.12": "old,one-jar", "3.6.4": "old"} {
		t.Run(version, func(t *testing.T) {
			runMaven(t, "-P"+profiles, "-Dzookeeper.version="+version)
		})
	}
}

// runMaven starts a server and runs the project's tests with args.
func runMaven(t *testing.T, args ...string) {
	t.Helper()
	control.Need(t)
	t.Parallel() // much of it is waiting
	root, err := harness.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	rig := control.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	args = append([]string{
		"-B", "-Dstyle.color=never", "-f", filepath.Join(root, "compat", "javatests", "pom.xml"), "test",
		"-Dclasses=" + t.TempDir(),
		"-Dzk.hosts=" + rig.Server.Addr,
		"-Dzk.proxy=" + rig.Proxy.Addr(),
		"-Dzk.restart.hosts=" + rig.RestartHosts(),
		"-Dzk.control=" + rig.Serve(t),
		"-Dzk.super=" + control.SuperPassword,
	}, args...)
	// `make deps` leaves this file when Maven has all it needs.
	if _, err := os.Stat(filepath.Join(root, ".cache", "maven.done")); err == nil {
		args = append(args, "-o")
	}
	if only := os.Getenv("JAVA_TESTS"); only != "" {
		args = append(args, "-Dtest="+only, "-Dsurefire.failIfNoSpecifiedTests=false")
	}
	control.Run(t, exec.CommandContext(ctx, "mvn", args...))
}
