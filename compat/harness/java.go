package harness

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// EnableEnv is the environment variable that switches the compatibility suites on when it is "1".
// They need Java, Maven and minutes, which a plain `go test ./...` should not.
const EnableEnv = "ZK_COMPAT"

// JavaVersion is the release of Apache ZooKeeper everything is compared with; compat/java/pom.xml names
// the same.
const JavaVersion = "3.9.5"

// ModuleRoot is the folder of go.mod, found upwards from the working folder, which for a test is its
// package's.
func ModuleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("harness: finding the module: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("harness: no go.mod above the working folder")
		}
		dir = up
	}
}

// javaClassPath is the class path of the Java server.
var javaClassPath = sync.OnceValues(func() (string, error) {
	root, err := ModuleRoot()
	if err != nil {
		return "", err
	}
	lib, err := MavenJars("java")
	if err != nil {
		return "", err
	}
	return filepath.Join(root, "compat", "java") + string(os.PathListSeparator) + filepath.Join(lib, "*"), nil
})

// JavaClassPath is the class path of an Apache ZooKeeper server and client, for suites that run Java
// programs of their own. The first call may fetch jars with Maven.
func JavaClassPath() (string, error) { return javaClassPath() }

// MavenJars returns a folder of the jars that compat/<name>/pom.xml needs at run time. They are fetched
// with Maven unless the cache holds them for this very pom. Concurrent test binaries may both fetch: the
// folder is put in place by a rename.
func MavenJars(name string) (string, error) {
	root, err := ModuleRoot()
	if err != nil {
		return "", err
	}
	pom := filepath.Join(root, "compat", name, "pom.xml")
	text, err := os.ReadFile(pom)
	if err != nil {
		return "", fmt.Errorf("harness: reading a pom: %w", err)
	}
	lib := filepath.Join(root, ".cache", "jars", fmt.Sprintf("%s-%.6x", name, sha256.Sum256(text)))
	if _, err := os.Stat(lib); err == nil {
		return lib, nil
	}
	if err := os.MkdirAll(filepath.Dir(lib), 0o755); err != nil {
		return "", fmt.Errorf("harness: making the jar cache: %w", err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(lib), "new-")
	if err != nil {
		return "", fmt.Errorf("harness: making the jar cache: %w", err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	if err := os.Chmod(tmp, 0o755); err != nil {
		return "", fmt.Errorf("harness: making the jar cache: %w", err)
	}
	cmd := exec.Command("mvn", "-q", "-B", "-f", pom, "dependency:copy-dependencies",
		"-DincludeScope=runtime", "-DoutputDirectory="+tmp)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("harness: fetching what compat/%s/pom.xml needs with Maven: %w\n%s", name, err, out)
	}
	if err := os.Rename(tmp, lib); err != nil {
		if _, gone := os.Stat(lib); gone != nil {
			return "", fmt.Errorf("harness: keeping the jars: %w", err)
		}
	}
	return lib, nil
}
