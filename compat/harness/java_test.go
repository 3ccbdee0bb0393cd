package harness

import (
	"os"
	"path/filepath"
	"testing"
)

// TestMavenJars fetches what the suites run in a JVM, unless it is there:
// `make deps` calls it, so that no suite has to wait for it.
func TestMavenJars(t *testing.T) {
	if os.Getenv(EnableEnv) == "" {
		t.Skipf("fetches jars: switched on by %s=1", EnableEnv)
	}
	for name, jar := range map[string]string{
		"java": "zookeeper-" + JavaVersion + ".jar", "kafka": "kafka_2.13-*.jar",
		"operators": "zookeeper-prometheus-metrics-*.jar",
		"rolling":   "curator-recipes-*.jar", "rolling/java38": "zookeeper-3.8.*.jar", "rolling/java36": "zookeeper-3.6.*.jar",
	} {
		lib, err := MavenJars(name)
		if err != nil {
			t.Fatal(err)
		}
		if found, _ := filepath.Glob(filepath.Join(lib, jar)); len(found) != 1 {
			t.Errorf("%s holds %q, want one %s", lib, found, jar)
		}
	}
}
