package kazoo

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

// TestSuite runs tests/ with pytest against a fresh server.
func TestSuite(t *testing.T) {
	control.Need(t)
	t.Parallel()
	runPytest(t, nil, "tests")
}

// TestReleasedSuite runs the tests that come in Kazoo's package.
func TestReleasedSuite(t *testing.T) {
	control.Need(t)
	t.Parallel() // much of either suite is waiting
	upstream, err := filepath.Abs("upstream")
	if err != nil {
		t.Fatal(err)
	}
	// CI means Kazoo's own machines to these tests.
	runPytest(t, []string{"PYTHONPATH=" + upstream, "CI="}, "-p", "one_server", "--pyargs", "kazoo.tests")
}

// runPytest starts a server and runs pytest with env added to the environment.
func runPytest(t *testing.T, env []string, args ...string) {
	t.Helper()
	python := venv(t)
	rig := control.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	args = append([]string{"-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore", "--durations=3"}, args...)
	if only := os.Getenv("KAZOO_TESTS"); only != "" {
		args = append(args, "-k", only)
	}
	cmd := exec.CommandContext(ctx, python, args...)
	control.Run(t, cmd, append(env,
		"ZK_HOSTS="+rig.Server.Addr,
		"ZK_PROXY="+rig.Proxy.Addr(),
		"ZK_RESTART_HOSTS="+rig.RestartHosts(),
		"ZK_CONTROL="+rig.Serve(t),
		"ZK_SUPER="+control.SuperPassword,
		"PYTHONDONTWRITEBYTECODE=1",
	)...)
}

// venv is the Python in which `make deps` has put Kazoo and pytest.
func venv(t *testing.T) string {
	t.Helper()
	root, err := harness.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	python := filepath.Join(root, ".cache", "venv", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		t.Fatalf("no Python with Kazoo, run `make deps`: %v", err)
	}
	return python
}
