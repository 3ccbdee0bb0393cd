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
	runPytest(t, venv(t, "venv"), nil, "tests")
}

// TestOldKazoo runs tests/ with Kazoo 2.8, which sends other requests.
func TestOldKazoo(t *testing.T) {
	control.Need(t)
	t.Parallel()
	// This release knows no error codes of reconfig and never ends its wait for the answer, on Java too.
	runPytest(t, venv(t, "venv-old"), nil, "tests", "--deselect", "tests/test_crud.py::test_reconfig_of_a_standalone_server")
}

// runPytest starts a server and runs pytest with env added to the environment.
func runPytest(t *testing.T, python string, env []string, args ...string) {
	t.Helper()
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

// venv is the Python in which `make deps` has put Kazoo and pytest; name is its folder in .cache.
func venv(t *testing.T, name string) string {
	t.Helper()
	root, err := harness.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	python := filepath.Join(root, ".cache", name, "bin", "python")
	if _, err := os.Stat(python); err != nil {
		t.Fatalf("no Python with Kazoo, run `make deps`: %v", err)
	}
	return python
}
