package snapshot

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"zk/compat/harness"
)

// zk runs a command of ours on the zoo.cfg of a server, and gives what it printed.
func (r *rig) zk(command string) string {
	r.t.Helper()
	bin, err := harness.OurBinary()
	if err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.Command(bin, command, filepath.Join(r.Dir, "zoo.cfg"), "-Dzookeeper.extendedTypesEnabled=true")
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("zk %s: %v\n%s", command, err, out)
	}
	return string(out)
}

// says wants a text to have all of these in it.
func says(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
}

// refuses wants a server not to start on folders, whether it is one of many or not.
func refuses(t *testing.T, k harness.Kind, want string, lines ...string) {
	t.Helper()
	_, err := harness.Start(t, k, harness.Options{Config: lines, Ready: harness.ReadyFourLetter})
	var exit *harness.ExitError
	if !errors.As(err, &exit) || exit.Code == 0 {
		t.Fatalf("%s on folders that are out of use: %v", k, err)
	}
	says(t, err.Error(), want)
}

// member are lines that make a server one of three.
func member(t *testing.T) (lines []string) {
	t.Helper()
	lines = []string{"initLimit=5", "syncLimit=2"}
	for id := 1; id <= 3; id++ {
		var ports [2]string
		for i := range ports {
			port, err := harness.FreePort()
			if err != nil {
				t.Fatal(err)
			}
			ports[i] = strconv.Itoa(port)
		}
		lines = append(lines, "server."+strconv.Itoa(id)+"="+net.JoinHostPort("127.0.0.1", ports[0])+":"+ports[1])
	}
	return lines
}

// TestFolders: a server of Java is filled and killed; ours starts on its folders, goes on with everything, is killed;
// Java starts on what is exported. Nobody starts on what has gone over to the other.
func TestFolders(t *testing.T) {
	if os.Getenv(harness.EnableEnv) != "1" {
		t.Skipf("set %s=1 to compare with Apache ZooKeeper", harness.EnableEnv)
	}
	dir := t.TempDir()
	folders := []string{"dataDir=" + filepath.Join(dir, "data"), "dataLogDir=" + filepath.Join(dir, "log"), "snapCount=100"}
	java := start(t, harness.Java, folders...)
	owner := java.fill()
	want := java.walk()
	java.Kill()

	ours := start(t, harness.Ours, folders...)
	if err := ours.AwaitLog(`msg="importing files of Java ZooKeeper"`, "msg=imported", "digest_mismatches=0", "Java's files are kept"); err != nil {
		t.Error(err)
	}
	same(t, "ours started on Java's folders", ours.walk(), want)
	held := ours.connect(owner)
	held.watch(t)
	refuses(t, harness.Java, "version-2", folders...)
	if err := os.WriteFile(filepath.Join(dir, "data", "myid"), []byte("1"), 0o644); err != nil {
		t.Fatal(err)
	}
	refuses(t, harness.Java, "version-2", append(folders, member(t)...)...)
	if err := os.Remove(filepath.Join(dir, "data", "myid")); err != nil {
		t.Fatal(err)
	}
	ours.more()
	want = ours.walk()
	ours.noMismatch()
	ours.Kill()

	says(t, ours.zk("export"), "exported up to zxid")
	if err := java.Restart(); err != nil {
		t.Fatal(err)
	}
	same(t, "Java started on our export", java.walk(), want)
	java.noMismatch()
	java.connect(owner)
	if err := java.Stop(); err != nil {
		t.Error(err)
	}

	says(t, ours.zk("import"), "imported up to zxid", "different: 0\n")
	if err := ours.Restart(); err != nil {
		t.Fatal(err)
	}
	same(t, "ours, after Java once more", ours.walk(), want)
	ours.connect(owner).watch(t)
	ours.noMismatch()
}
