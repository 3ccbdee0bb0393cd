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

// runPytest starts a server and runs pytest with env added to the environment.
func runPytest(t *testing.T, env []string, args ...string) {
	t.Helper()
	python := venv(t)
	rig := control.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, pytestArgs(args...)...)
	control.Run(t, cmd, append(env,
		"ZK_HOSTS="+rig.Server.Addr,
		"ZK_PROXY="+rig.Proxy.Addr(),
		"ZK_RESTART_HOSTS="+rig.RestartHosts(),
		"ZK_CONTROL="+rig.Serve(t),
		"ZK_SUPER="+control.SuperPassword,
		"PYTHONDONTWRITEBYTECODE=1",
	)...)
}

// pytestArgs are the arguments with which Python runs pytest.
func pytestArgs(args ...string) []string {
	args = append([]string{"-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore", "--durations=3", "-rs"}, args...)
	if only := os.Getenv("KAZOO_TESTS"); only != "" {
		args = append(args, "-k", only)
	}
	return args
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
