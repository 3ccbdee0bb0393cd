package crash

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"zk/compat/control"
	"zk/compat/harness"
	"zk/jute"
)

// mount mounts something for the test, or skips it with the reason.
func mount(t *testing.T, args ...string) (dir string) {
	t.Helper()
	dir, err := harness.Mount(t, args...)
	if err != nil {
		t.Skip(err)
	}
	return dir
}

// fill takes the room of a disk but for so many bytes.
func fill(t *testing.T, dir string, leave int64) (remove func()) {
	t.Helper()
	removed, err := harness.FillDisk(dir, leave)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := removed(); err != nil {
			t.Fatal(err)
		}
	}
}

// client is a writer used by hand.
func client(t *testing.T, addr string) *writer {
	t.Helper()
	w := &writer{name: "client"}
	if err := w.login(addr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.conn.Close() })
	return w
}

// try sends a request and gives the answer's code.
func (w *writer) try(t *testing.T, code jute.OpCode, body []byte) jute.Code {
	t.Helper()
	a, err := w.call(code, body)
	if err != nil {
		t.Fatal(err)
	}
	return a.code
}

func create(path, data string) []byte {
	r := jute.CreateRequest{Path: path, Data: []byte(data), ACL: open}
	return r.Append(nil, jute.OpCreate)
}

func setData(path, data string) []byte {
	r := jute.SetDataRequest{Path: path, Data: []byte(data), Version: -1}
	return r.Append(nil)
}

func getData(path string) []byte {
	r := jute.PathWatchRequest{Path: path}
	return r.Append(nil)
}

// await tries until a write is answered with the code wanted.
func (w *writer) await(t *testing.T, want jute.Code) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		code := w.try(t, jute.OpSetData, setData("/a", "x"))
		if code == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("writes are answered with %v, not %v", code, want)
		}
	}
}

// TestFullDisk fills a small disk beside a server and empties it again, several times; one of the times the
// server is killed and started on the full disk.
func TestFullDisk(t *testing.T) {
	control.Need(t)
	dir := mount(t, "-t", "tmpfs", "-o", "size=128m", "zk-crash")
	s := harness.StartOurs(t, settings("dataDir="+dir+"/data"))
	c := client(t, s.Addr)
	if code := c.try(t, jute.OpCreate, create("/a", "")); code != jute.CodeOk {
		t.Fatal(code)
	}
	l := newLoad(t, s.Addr, 2, 5)
	l.start()
	l.awaitProgress(t, 500)
	l.halt(t)
	for round, leave := range []int64{10 << 20, 3 << 20, 0} {
		remove := fill(t, dir, leave)
		c.await(t, jute.CodeNotReadOnly)
		if code := c.try(t, jute.OpGetData, getData("/a")); code != jute.CodeOk {
			t.Fatal("read:", code)
		}
		if leave > 0 { // a session ends and another begins
			other := client(t, s.Addr)
			if code := other.try(t, jute.OpCloseSession, nil); code != jute.CodeOk {
				t.Fatal("close:", code)
			}
		}
		if round > 0 {
			s.Kill()
			if err := s.Restart(); err != nil {
				t.Fatal(err)
			}
			if err := c.login(s.Addr); err != nil || c.sid == 0 {
				t.Fatal("session lost on a full disk", err)
			}
			if code := c.try(t, jute.OpGetData, getData("/a")); code != jute.CodeOk {
				t.Fatal("read after a restart:", code)
			}
			c.await(t, jute.CodeNotReadOnly)
		}
		remove()
		c.await(t, jute.CodeOk)
	}
	l.check(t)
	l.start()
	l.awaitProgress(t, 200)
	s.Kill()
	l.halt(t)
	checkOffline(t, dir+"/data")
}

// TestDiskFillsItself lets a load fill a small disk at full speed: the log is purged as far as it goes, then
// writes are refused before the disk is full, and the server lives. It is killed just then, and has room to start.
func TestDiskFillsItself(t *testing.T) {
	control.Need(t)
	dir := mount(t, "-t", "tmpfs", "-o", "size=128m", "zk-crash")
	s := harness.StartOurs(t, settings("dataDir="+dir+"/data"))
	c := client(t, s.Addr)
	data := strings.Repeat("x", 100_000)
	made, code := 0, jute.CodeOk
	for made < 3000 && code == jute.CodeOk { // more than the disk has room for
		for range window {
			if err := c.conn.Send(1, jute.OpCreate, create(fmt.Sprintf("/n%d", made), data)); err != nil {
				t.Fatal(err)
			}
			made++
		}
		for range window {
			a, err := c.recv()
			if err != nil {
				t.Fatalf("the server ended: %v\n%s", err, s.Log(2000))
			}
			if a.code != jute.CodeOk {
				code = a.code
			}
		}
	}
	if code != jute.CodeNotReadOnly {
		t.Fatal(made, "creates and then", code)
	}
	if code := c.try(t, jute.OpGetData, getData("/zookeeper")); code != jute.CodeOk {
		t.Fatal(code)
	}
	s.Kill()
	checkOffline(t, dir+"/data")
}

// TestDiskRunsOut: without a mark a full disk ends the process, with the reason and an exit code; nothing
// acknowledged is lost, and a start on the full disk works or says what is missing.
func TestDiskRunsOut(t *testing.T) {
	control.Need(t)
	dir := mount(t, "-t", "tmpfs", "-o", "size=96m", "zk-crash")
	s := harness.StartOurs(t, settings("dataDir="+dir+"/data", "zk.diskLowWaterBytes=0"))
	l := newLoad(t, s.Addr, 2, 9)
	l.start()
	l.awaitProgress(t, 200)
	big := client(t, s.Addr) // now: the load alone may end the server as soon as the disk is full
	remove := fill(t, dir, 0)
	// It soon uses up what the log has of room taken before.
	data := strings.Repeat("x", 500_000)
	for err := error(nil); err == nil; {
		_, err = big.call(jute.OpSetData, setData("/zookeeper", data))
	}
	code, err := s.Wait(patience)
	if err != nil {
		t.Fatal("a server without room goes on: ", err)
	}
	if code != 1 || !strings.Contains(s.Log(8000), "no space left on device") {
		t.Fatalf("exit code %d, and says\n%s", code, s.Log(8000))
	}
	l.halt(t)
	if err := s.Restart(); err != nil {
		var exit *harness.ExitError
		if !errors.As(err, &exit) || exit.Code != 3 || !strings.Contains(s.Log(2000), "no space is left on the disk") || !strings.Contains(s.Log(2000), "MiB of room") {
			t.Fatalf("%v\n%s", err, s.Log(4000))
		}
	} else {
		s.Kill()
	}
	remove()
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	l.check(t)
}

// TestPowerCut copies the image of a mounted disk while a load runs, and serves from the copy: that is what a
// power cut would have left. The process is stopped for the copy, so that all of it is of one instant; what was
// not synced by then is in the memory of this machine and not in the image.
func TestPowerCut(t *testing.T) {
	control.Need(t)
	powerCuts(t, 3, 3, 0)
}

// TestPowerCutSoak is the long form.
func TestPowerCutSoak(t *testing.T) {
	control.Need(t)
	powerCuts(t, uint64(time.Now().UnixNano()), 20, control.Soak(t))
}

func powerCuts(t *testing.T, seed uint64, rounds int, least time.Duration) {
	t.Log("seed", seed)
	work := t.TempDir()
	image := filepath.Join(work, "disk")
	if err := harness.MakeExt4(image, 128<<20); err != nil {
		t.Skip(err)
	}
	dir := mount(t, "-o", "loop", image)
	s := harness.StartOurs(t, settings("dataDir="+dir+"/data", "zk.diskLowWaterBytes=1m"))
	l := newLoad(t, s.Addr, 3, seed)
	rng := rand.New(rand.NewPCG(seed, 98))
	end := time.Now().Add(least)
	for i := 0; i < rounds || time.Now().Before(end); i++ {
		l.start()
		l.awaitProgress(t, 100+rng.IntN(1000))
		cut := filepath.Join(work, "cut")
		after := copyStopped(t, s, image, cut, l)
		t.Run(fmt.Sprint("cut ", i), func(t *testing.T) {
			again := harness.StartOurs(t, settings("dataDir="+mount(t, "-o", "loop", cut)+"/data", "zk.diskLowWaterBytes=1m"))
			after.addr = again.Addr
			after.check(t)
			for _, w := range after.writers {
				w.conn.Close()
			}
		})
		if t.Failed() {
			return
		}
		l.halt(t)
	}
}

// copyStopped stops the server, copies the image, and lets the server go on. The load as it was at that
// moment is returned. A copy during which the kernel wrote to the image is made again.
func copyStopped(t *testing.T, s *harness.Server, image, to string, l *load) *load {
	t.Helper()
	loop, err := exec.Command("losetup", "-n", "-O", "NAME", "-j", image).Output()
	if err != nil {
		t.Fatal(err)
	}
	stat := "/sys/block/" + filepath.Base(strings.TrimSpace(string(loop))) + "/stat"
	defer s.Thaw()
	if err := s.Freeze(); err != nil {
		t.Fatal(err)
	}
	// All that was acknowledged so far was durable before; what is sent from now on can't be in the copy.
	after := l.copyOf("")
	for range 50 {
		before, quiet := writes(t, stat)
		copyFile(t, image, to)
		if now, _ := writes(t, stat); quiet && now == before {
			return after
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Skip("the kernel writes to the disk without a pause")
	return nil
}

// writes are the writes that a block device has finished, and whether none is under way.
func writes(t *testing.T, stat string) (done string, quiet bool) {
	t.Helper()
	b, err := os.ReadFile(stat)
	if err != nil {
		t.Skip("the writes to the disk can't be counted:", err)
	}
	f := strings.Fields(string(b))
	return f[4], f[8] == "0"
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }() // was only read
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
