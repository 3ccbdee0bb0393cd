package figures

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// version is what a Java server says.
const version = "3.9.5-293c895a8d966a3ecb92872be4a1daf87d725da2, built on 2026-02-11 20:18 UTC"

func TestVersion(t *testing.T) {
	revision := "293c895a8d966a3ecb92872be4a1daf87d725da2"
	built := time.Date(2026, 2, 11, 21, 18, 59, 0, time.FixedZone("CET", 3600))
	if got := FullVersion(revision, built); got != version {
		t.Error(got)
	}
	form := regexp.MustCompile(`^3\.9\.5-[0-9a-f]{40}, built on \d{4}-\d\d-\d\d \d\d:\d\d UTC$`)
	for _, v := range []string{FullVersion("", time.Time{}), FullVersion("dirty tree, no commit at all, forty digits", built), BuildVersion()} {
		if !form.MatchString(v) {
			t.Errorf("%q", v)
		}
	}
}

// TestHostEnvironment: Java's keys in Java's order, all inside the first 8192 bytes, which is what Kazoo
// reads.
func TestHostEnvironment(t *testing.T) {
	want := "zookeeper.version host.name java.version java.vendor java.home java.class.path java.library.path " +
		"java.io.tmpdir java.compiler os.name os.arch os.version user.name user.home user.dir " +
		"os.memory.free os.memory.max os.memory.total"
	var keys []string
	size := 0
	for _, e := range HostEnvironment(version) {
		keys = append(keys, e.Key)
		size += len(e.Key) + len(e.Value) + 2
		if e.Value == "" || strings.ContainsAny(e.Value, "\n\r") {
			t.Errorf("%s is %q", e.Key, e.Value)
		}
		if strings.HasPrefix(e.Key, "os.memory.") && !regexp.MustCompile(`^\d+MB$`).MatchString(e.Value) {
			t.Errorf("%s is %q", e.Key, e.Value)
		}
	}
	if got := strings.Join(keys, " "); got != want {
		t.Errorf("keys: %s", got)
	}
	if size > 8192 {
		t.Errorf("%d bytes", size)
	}
}
