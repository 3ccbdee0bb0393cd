package node

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

// TestSuite runs tests/ with Node's test runner against a fresh server. Its
// files run one after another: they share the server, and restart it.
func TestSuite(t *testing.T) {
	control.Need(t)
	root, err := harness.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	modules := filepath.Join(root, ".cache", "node", "node_modules")
	if _, err := os.Stat(modules); err != nil {
		t.Fatalf("no Node packages, run `make deps`: %v", err)
	}
	rig := control.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	url := rig.Serve(t)
	for _, file := range []string{"calls.test.js", "sessions.test.js"} {
		control.Run(t, exec.CommandContext(ctx, "node", "--test", filepath.Join("tests", file)),
			"NODE_PATH="+modules,
			"ZK_HOSTS="+rig.Server.Addr,
			"ZK_PROXY="+rig.Proxy.Addr(),
			"ZK_RESTART_HOSTS="+rig.RestartHosts(),
			"ZK_CONTROL="+url,
			"ZK_SUPER="+control.SuperPassword,
		)
	}
}
