package figures

import (
	"os"
	"os/user"
	"runtime"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"strconv"
	"strings"
	"time"
)

// compatibleVersion is the release of ZooKeeper whose behaviour and protocol this server has. Agents
// and Kazoo decide by its digits what a server can do.
const compatibleVersion = "3.9.5"

// FullVersion puts a version text together in the form of Java's: the compatible release, the 40 hex
// digits that name the sources, and the minute of the build or of the sources. A revision of another
// form is replaced by zeros, because agents match the text with patterns.
func FullVersion(revision string, built time.Time) string {
	const digits = 40
	if len(revision) != digits || strings.Trim(revision, "0123456789abcdef") != "" {
		revision = strings.Repeat("0", digits)
	}
	return compatibleVersion + "-" + revision + ", built on " + built.UTC().Format("2006-01-02 15:04 UTC")
}

// BuildVersion is the FullVersion of this program: the commit that it was built from, where the Go
// tool has recorded it.
func BuildVersion() string {
	revision, built := "", time.Unix(0, 0)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				revision = s.Value
			case "vcs.time":
				if t, err := time.Parse(time.RFC3339, s.Value); err == nil {
					built = t
				}
			}
		}
	}
	return FullVersion(revision, built)
}

// notAvailable is what Java shows for a property that is not set.
const notAvailable = "<NA>"

// HostEnvironment lists what envi shows, in Java's order: version, host, the Java machine (not
// available here), system, user and memory. Memory is that of the Go runtime in MB: unused parts of
// the heap, the memory limit or else all that is held, all that is held. Source: Environment.list.
func HostEnvironment(version string) []KeyValue {
	host, err := os.Hostname()
	if err != nil {
		host = notAvailable
	}
	name, home := notAvailable, notAvailable
	if u, err := user.Current(); err == nil {
		name, home = u.Username, u.HomeDir
	}
	dir, err := os.Getwd()
	if err != nil {
		dir = notAvailable
	}
	list := []KeyValue{{"zookeeper.version", version}, {"host.name", host}}
	for _, key := range []string{
		"java.version", "java.vendor", "java.home", "java.class.path",
		"java.library.path", "java.io.tmpdir", "java.compiler",
	} {
		list = append(list, KeyValue{key, notAvailable})
	}
	free, limit, total := memoryMegabytes()
	return append(list,
		KeyValue{"os.name", osName()}, KeyValue{"os.arch", runtime.GOARCH}, KeyValue{"os.version", osVersion()},
		KeyValue{"user.name", name}, KeyValue{"user.home", home}, KeyValue{"user.dir", dir},
		KeyValue{"os.memory.free", megabytes(free)},
		KeyValue{"os.memory.max", megabytes(limit)},
		KeyValue{"os.memory.total", megabytes(total)})
}

func memoryMegabytes() (free, limit, total uint64) {
	samples := []runtimemetrics.Sample{
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
		{Name: "/memory/classes/total:bytes"},
	}
	runtimemetrics.Read(samples)
	const megabyte = 1 << 20
	free = (samples[0].Value.Uint64() + samples[1].Value.Uint64()) / megabyte
	total = (samples[3].Value.Uint64() - samples[2].Value.Uint64()) / megabyte
	limit = total
	const noLimit = 1<<63 - 1
	if set := debug.SetMemoryLimit(-1); set != noLimit {
		limit = uint64(set) / megabyte
	}
	return free, limit, total
}

func megabytes(n uint64) string { return strconv.FormatUint(n, 10) + "MB" }

// osName is the name Java gives: that of uname.
func osName() string {
	switch runtime.GOOS {
	case "linux":
		return "Linux"
	case "darwin":
		return "Mac OS X"
	}
	return runtime.GOOS
}

// osVersion is the release of the kernel where /proc tells.
func osVersion() string {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return notAvailable
	}
	return strings.TrimSpace(string(release))
}
