package kazoo

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"zk/compat/control"
	"zk/compat/harness"
)

// shares is how many parts of the released suite run at the same time.
const shares = 4

// TestReleasedSuite runs the tests that come in Kazoo's package, with Kazoo's own
// harness: it starts, stops and kills the servers itself, each with a TLS port
// on a JKS store, a JAAS file and system properties. All it needs of us is
// upstream/java, in which it finds our server for Java's.
func TestReleasedSuite(t *testing.T) {
	control.Need(t)
	t.Parallel() // much of either suite is waiting
	upstream, err := filepath.Abs("upstream")
	if err != nil {
		t.Fatal(err)
	}
	n := shares
	if os.Getenv("KAZOO_TESTS") != "" {
		n = 1 // a share without tests would be a failure to pytest
	}
	env := []string{
		"PYTHONPATH=" + upstream, "PYTHONDONTWRITEBYTECODE=1", "CI=", // CI means Kazoo's own machines to these tests
		"ZOOKEEPER_VERSION=" + harness.JavaVersion, "ZOOKEEPER_CLUSTER_SIZE=1", "KAZOO_SHARES=" + strconv.Itoa(n),
	}
	if control.Kind() == harness.Java {
		classPath, err := harness.JavaClassPath()
		if err != nil {
			t.Fatal(err)
		}
		env = append(env, "ZOOKEEPER_CLASSPATH="+classPath)
	} else {
		binary, err := harness.OurBinary()
		if err != nil {
			t.Fatal(err)
		}
		env = append(env, "ZOOKEEPER_CLASSPATH=unused", "ZK_BINARY="+binary, "PATH="+upstream+":"+os.Getenv("PATH"))
	}
	python := venv(t, "venv")
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	var running sync.WaitGroup
	for share := range n {
		cmd := exec.CommandContext(ctx, python, pytestArgs("-p", "left_out", "--pyargs", "kazoo.tests")...)
		// What it leaves running ends with it.
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		cmd.Dir = t.TempDir() // in this one pytest would find tests/
		mine := append(env[:len(env):len(env)],
			"KAZOO_SHARE="+strconv.Itoa(share), "ZOOKEEPER_PORT_OFFSET="+strconv.Itoa(freePorts(t)), "TMPDIR="+cmd.Dir)
		running.Go(func() { control.Run(t, cmd, mine...) })
	}
	running.Wait()
}

// portsMax is how many ports from ZOOKEEPER_PORT_OFFSET on the harness uses for
// one server.
const portsMax = 5

// freePorts finds that many free ports in a row.
func freePorts(t *testing.T) int {
	t.Helper()
	for range 100 {
		first, err := harness.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		free := 0
		for ; free < portsMax; free++ {
			l, err := net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(first+free)))
			if err != nil {
				break
			}
			_ = l.Close()
		}
		if free == portsMax {
			return first
		}
	}
	t.Fatal("no free ports in a row")
	return 0
}
