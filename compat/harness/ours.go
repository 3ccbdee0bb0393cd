package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// OursEnv names a ready binary of cmd/zk to test instead of one built from the tree.
const OursEnv = "ZK_COMPAT_BINARY"

// ourBinary builds cmd/zk once per test binary. The folder outlives the single test, so the operating
// system's temporary folder holds it; RemoveBinary deletes it.
var ourBinary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv(OursEnv); path != "" {
		return path, nil
	}
	root, err := ModuleRoot()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "zk-compat-bin-")
	if err != nil {
		return "", fmt.Errorf("harness: building cmd/zk: %w", err)
	}
	path := filepath.Join(dir, "zk")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/zk")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		_ = os.RemoveAll(dir)
		return "", fmt.Errorf("harness: building cmd/zk: %w\n%s", err, out)
	}
	return path, nil
})

// OurBinary is the path of the zk binary under test, built at the first call.
func OurBinary() (string, error) { return ourBinary() }

// RemoveBinary deletes the binary that OurBinary built. For TestMain, after the tests; it would build
// one only to delete it if nothing was built, so call it only when servers of ours were started.
func RemoveBinary() {
	if os.Getenv(OursEnv) != "" {
		return
	}
	if path, err := ourBinary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
}
