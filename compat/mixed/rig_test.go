package mixed

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/go-zookeeper/zk"

	"zk/compat/harness"
)

// patience bounds every wait; only a failure waits so long.
const patience = 3 * time.Minute

// sessionTimeout is the longest that servers take here: a session must outlive the absence of its only server.
const sessionTimeout = 60 * time.Second

const (
	superPassword = "super:mixed"
	superDigest   = "super:C50XsPTNn5/Wr5s6XOdZC8UdPyQ="
)

// rig is an ensemble with a client at work on each server.
type rig struct {
	t       *testing.T
	e       *harness.Ensemble
	workers []*worker
	root    string
	moves   int
	size    int // znodes that populate has made, at least
}

// kinds reads a composition: j is Java, g is ours; J and G are observers.
func kinds(t *testing.T, letters string) (members []harness.MemberOptions) {
	t.Helper()
	for _, l := range letters {
		m := harness.MemberOptions{Kind: harness.Java, Observer: unicode.IsUpper(l)}
		switch unicode.ToLower(l) {
		case 'j':
		case 'g':
			m.Kind = harness.Ours
		default:
			t.Fatalf("%q is no composition", letters)
		}
		members = append(members, m)
	}
	return members
}

func newRig(t *testing.T, members []harness.MemberOptions, config ...string) *rig {
	t.Helper()
	root, err := harness.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	e := harness.StartEnsemble(t, harness.EnsembleOptions{Members: members, Common: harness.Options{
		Config: config,
		Props:  []string{"zookeeper.DigestAuthenticationProvider.superDigest=" + superDigest, "zookeeper.extendedTypesEnabled=true"},
	}})
	r := &rig{t: t, e: e, root: root}
	for i, s := range e.Servers {
		r.workers = append(r.workers, r.startWorker(s, fmt.Sprintf("/worker%d", s.ID()), i))
	}
	return r
}

// connect is a session with the super user's rights on one server.
func (r *rig) connect(s *harness.Server) *zk.Conn {
	r.t.Helper()
	c, _, err := zk.Connect([]string{s.Addr}, sessionTimeout, zk.WithLogger(silent{}))
	if err == nil {
		err = eventually(func() error { return c.AddAuth("digest", []byte(superPassword)) })
	}
	if err != nil {
		r.t.Fatalf("server %d (%s): %v", s.ID(), s.Kind, err)
	}
	return c
}

// silent drops what the client has to say of lost connections.
type silent struct{}

func (silent) Printf(string, ...any) {}

// worker is a process of a client that counts up a znode of its own.
type worker struct {
	path   string
	name   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	out    *bufio.Scanner
	stderr bytes.Buffer
}

// startWorker starts a client on a server: Kazoo's on every second one, Java's on the others.
func (r *rig) startWorker(s *harness.Server, path string, number int) *worker {
	r.t.Helper()
	w := &worker{path: path, name: "Java's client"}
	if number%2 == 0 {
		w.name = "Kazoo"
		w.cmd = exec.Command(filepath.Join(r.root, ".cache", "venv", "bin", "python"), filepath.Join("src", "worker.py"), s.Addr, path)
	} else {
		cp, err := harness.JavaClassPath()
		if err != nil {
			r.t.Fatal(err)
		}
		w.cmd = exec.Command("java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dcompat.log=OFF", "-cp", cp,
			filepath.Join("src", "Worker.java"), s.Addr, path)
	}
	w.cmd.Stderr = &w.stderr
	stdin, err := w.cmd.StdinPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	stdout, err := w.cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	w.stdin, w.out = stdin, bufio.NewScanner(stdout)
	if err := w.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		_ = w.cmd.Process.Kill()
		_ = w.cmd.Wait()
	})
	if !w.out.Scan() || w.out.Text() != "working" {
		r.t.Fatalf("%s on server %d says %q; %s", w.name, s.ID(), w.out.Text(), w.stderr.String())
	}
	return w
}

// finish ends a client and returns what it says.
func (w *worker) finish() (acked, sent int, err error) {
	if _, err := io.WriteString(w.stdin, "end\n"); err != nil {
		return 0, 0, fmt.Errorf("%s has ended early: %s", w.name, w.stderr.String())
	}
	text := ""
	for w.out.Scan() {
		text = w.out.Text()
	}
	var lost int
	if _, err := fmt.Sscanf(text, "acked=%d sent=%d lost=%d", &acked, &sent, &lost); err != nil {
		return 0, 0, fmt.Errorf("%s says %q: %s", w.name, text, w.stderr.String())
	}
	return acked, sent, nil
}

// finish ends the clients, and looks for what they were told was written.
func (r *rig) finish() {
	r.t.Helper()
	for i, w := range r.workers {
		c := r.connect(r.e.Servers[(i+1)%len(r.e.Servers)]) // another one than its own
		if found, _, err := c.Exists(w.path + "/alive"); err != nil || !found {
			r.t.Errorf("%s: its ephemeral is there: %v, %v", w.name, found, err)
		}
		acked, sent, err := w.finish()
		if err != nil {
			r.t.Error(err)
			c.Close()
			continue
		}
		value, err := r.counter(c, w.path)
		c.Close()
		if err != nil || value < acked || value > sent {
			r.t.Errorf("%s: %s is %d (%v); %d was acknowledged, %d the last sent", w.name, w.path, value, err, acked, sent)
		}
		if acked == 0 {
			r.t.Errorf("%s has done nothing", w.name)
		}
	}
}

func (r *rig) counter(c *zk.Conn, path string) (int, error) {
	if _, err := c.Sync(path); err != nil {
		return 0, err
	}
	data, _, err := c.Get(path)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(data))
}

// write makes some writes through a server, all acknowledged.
func (r *rig) write(s *harness.Server, n int) {
	r.t.Helper()
	c := r.connect(s)
	defer c.Close()
	r.moves++
	root := fmt.Sprintf("/moves-%d", r.moves)
	if err := eventually(func() error {
		_, err := c.Create(root, nil, 0, open())
		if errors.Is(err, zk.ErrNodeExists) {
			err = nil
		}
		return err
	}); err != nil {
		r.t.Fatalf("server %d (%s): %v", s.ID(), s.Kind, err)
	}
	var wg sync.WaitGroup
	errs := make(chan error, n)
	for k := range min(n, 32) {
		wg.Go(func() {
			for i := k; i < n; i += 32 {
				_, err := c.Create(fmt.Sprintf("%s/%05d", root, i), []byte(root), 0, open())
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		r.t.Fatalf("server %d (%s): %v", s.ID(), s.Kind, err)
	}
}

func open() []zk.ACL { return zk.WorldACL(zk.PermAll) }

// eventually tries again while a connection comes up.
func eventually(f func() error) (err error) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if err = f(); err == nil {
			return nil
		}
	}
	return err
}

// othersVoting are the voters besides one server.
func (r *rig) othersVoting(but *harness.Server) []*harness.Server {
	return slices.DeleteFunc(r.e.Voters(), func(s *harness.Server) bool { return s == but })
}

// lead makes a server the leader: it alone has the last write when it votes with another one.
func (r *rig) lead(s *harness.Server) {
	r.t.Helper()
	others := r.othersVoting(s)
	others[0].Kill()
	r.awaitQuorum(s, others[1])
	r.write(s, 1)
	others[1].Kill()
	r.launch(others[0])
	r.awaitQuorum(s, others[0])
	if r.e.Leader() != s {
		r.t.Fatalf("server %d (%s) leads, not %d (%s)", r.e.Leader().ID(), r.e.Leader().Kind, s.ID(), s.Kind)
	}
	r.launch(others[1])
	r.await(others[1])
}

func (r *rig) launch(s *harness.Server) {
	r.t.Helper()
	if err := s.Launch(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) await(s *harness.Server) {
	r.t.Helper()
	if err := s.AwaitServing(); err != nil {
		r.t.Fatalf("server %d (%s): %v", s.ID(), s.Kind, err)
	}
}

// awaitQuorum waits until two servers serve, one of them as the leader.
func (r *rig) awaitQuorum(a, b *harness.Server) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		one, two := a.Mode(), b.Mode()
		if one == "leader" && two == "follower" || one == "follower" && two == "leader" {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("server %d (%s) is %q, server %d (%s) is %q", a.ID(), a.Kind, one, b.ID(), b.Kind, two)
		}
	}
}

// freeze stops the process of a server, and waits until none of its threads does anything.
func (r *rig) freeze(s *harness.Server) {
	r.t.Helper()
	if err := s.Freeze(); err != nil {
		r.t.Fatal(err)
	}
}
