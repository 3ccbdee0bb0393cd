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

// javaClassPath returns the class path of the Java server, fetching its jars with Maven if the cache
// does not hold them. Concurrent test binaries may both fetch: the folder is put in place by a rename.
var javaClassPath = sync.OnceValues(func() (string, error) {
	root, err := ModuleRoot()
	if err != nil {
		return "", err
	}
	conf := filepath.Join(root, "compat", "java")
	pom, err := os.ReadFile(filepath.Join(conf, "pom.xml"))
	if err != nil {
		return "", fmt.Errorf("harness: reading the list of jars: %w", err)
	}
	// The folder is named after the list, so that a longer list is fetched anew.
	lib := filepath.Join(root, ".cache", "java-zk-"+JavaVersion, fmt.Sprintf("lib-%x", sha256.Sum256(pom))[:16])
	classPath := conf + string(os.PathListSeparator) + filepath.Join(lib, "*")
	if _, err := os.Stat(filepath.Join(lib, "zookeeper-"+JavaVersion+".jar")); err == nil {
		return classPath, nil
	}
	if err := os.MkdirAll(filepath.Dir(lib), 0o755); err != nil {
		return "", fmt.Errorf("harness: making the jar cache: %w", err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(lib), "lib-")
	if err != nil {
		return "", fmt.Errorf("harness: making the jar cache: %w", err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	if err := os.Chmod(tmp, 0o755); err != nil {
		return "", fmt.Errorf("harness: making the jar cache: %w", err)
	}
	cmd := exec.Command("mvn", "-q", "-B", "-f", filepath.Join(conf, "pom.xml"), "dependency:copy-dependencies",
		"-DincludeScope=runtime", "-DoutputDirectory="+tmp)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("harness: fetching Apache ZooKeeper %s with Maven: %w\n%s", JavaVersion, err, out)
	}
	if err := os.Rename(tmp, lib); err != nil && !errors.Is(err, os.ErrExist) {
		if _, serr := os.Stat(filepath.Join(lib, "zookeeper-"+JavaVersion+".jar")); serr != nil {
			return "", fmt.Errorf("harness: keeping the jars: %w", err)
		}
	}
	return classPath, nil
})

// JavaClassPath is the class path of an Apache ZooKeeper server and client, for suites that run Java
// programs of their own. The first call may fetch jars with Maven.
func JavaClassPath() (string, error) { return javaClassPath() }
