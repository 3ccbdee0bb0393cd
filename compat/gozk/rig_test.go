package gozk

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"zk/compat/control"
)

// patience is how long anything may take on a loaded machine; only a failure
// waits this long.
const patience = 20 * time.Second

// rig is one server for all tests of the package, a client and a znode of the
// test's own.
type rig struct {
	*control.Rig
	t    *testing.T
	zk   *zk.Conn
	root string
}

// TestSuite starts the server once; each test of the suite has its own root.
func TestSuite(t *testing.T) {
	control.Need(t)
	server := control.Start(t)
	for _, test := range []struct {
		name string
		run  func(*rig)
	}{
		{"create, get, set, delete", testCRUD},
		{"errors", testErrors},
		{"sequences", testSequences},
		{"children", testChildren},
		{"large values", testLargeValues},
		{"container and TTL", testContainerAndTTL},
		{"sync, four-letter words", testSyncAndWords},
		{"pipelined requests", testPipelined},
		{"multi", testMulti},
		{"multi that fails", testMultiFails},
		{"auth and ACLs", testAuth},
		{"data watch", testDataWatch},
		{"child watch", testChildWatch},
		{"exists watch", testExistsWatch},
		{"watch fan-out", testFanOut},
		{"ephemerals", testEphemerals},
		{"protected ephemeral sequential", testProtected},
		{"lock", testLock},
		{"lock without waiting holder", testLockOrder},
		{"reconnect", testReconnect},
		{"many watches over a reconnect", testManyWatches},
		{"session expiry", testExpiry},
		{"restart", testRestart},
		{"crash", testCrash},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := &rig{Rig: server, t: t}
			r.zk = r.connect(server.Server.Addr, 10*time.Second)
			name := strings.NewReplacer(" ", "-", ",", "").Replace(test.name)
			root, err := r.zk.Create("/gozk-"+name+"-", nil, zk.FlagSequence, zk.WorldACL(zk.PermAll))
			if err != nil {
				t.Fatal(err)
			}
			r.root = root
			t.Cleanup(func() {
				if err := server.Up(); err != nil {
					t.Error(err)
				}
				server.Proxy.Heal()
			})
			test.run(r)
		})
	}
}

// connect returns a client that has a session; it is closed in the end.
func (r *rig) connect(addr string, timeout time.Duration) *zk.Conn {
	r.t.Helper()
	c, _ := r.connectEvents(addr, timeout)
	return c
}

// connectEvents also returns the client's events, as they come.
func (r *rig) connectEvents(addr string, timeout time.Duration) (*zk.Conn, *events) {
	r.t.Helper()
	seen := &events{t: r.t, ch: make(chan zk.Event, 10000)}
	c, _, err := zk.Connect([]string{addr}, timeout,
		zk.WithLogInfo(false), zk.WithLogger(quiet{}), zk.WithEventCallback(func(e zk.Event) { seen.ch <- e }))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(c.Close)
	seen.state(zk.StateHasSession)
	return c, seen
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}

// events are a client's session and watch events.
type events struct {
	t  *testing.T
	ch chan zk.Event
}

// state waits for a session event and drops all before it.
func (e *events) state(want zk.State) {
	e.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case got := <-e.ch:
			if got.Type == zk.EventSession && got.State == want {
				return
			}
		case <-deadline:
			e.t.Fatalf("no %v within %v", want, patience)
		}
	}
}

// next waits for the event of a watch.
func (r *rig) next(ch <-chan zk.Event) string {
	r.t.Helper()
	select {
	case e := <-ch:
		return fmt.Sprintf("%v %s", e.Type, strings.TrimPrefix(e.Path, r.root))
	case <-time.After(patience):
		r.t.Fatalf("no event within %v", patience)
		return ""
	}
}

func (r *rig) expect(ch <-chan zk.Event, want string) {
	r.t.Helper()
	if got := r.next(ch); got != want {
		r.t.Fatalf("event %q, want %q", got, want)
	}
}

// silent checks that a watch has not fired. A sync's reply comes after all
// events before it.
func (r *rig) silent(c *zk.Conn, ch <-chan zk.Event) {
	r.t.Helper()
	if _, err := c.Sync("/"); err != nil {
		r.t.Fatal(err)
	}
	select {
	case e := <-ch:
		r.t.Fatalf("unexpected event %v", e)
	default:
	}
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) fails(err, want error) {
	r.t.Helper()
	if !errors.Is(err, want) {
		r.t.Fatalf("error %v, want %v", err, want)
	}
}

func (r *rig) create(path, data string, flags int32) string {
	r.t.Helper()
	got, err := r.zk.Create(r.root+path, []byte(data), flags, zk.WorldACL(zk.PermAll))
	r.must(err)
	return got
}

// eventually waits until the condition is true.
func (r *rig) eventually(what string, condition func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// retried repeats a call that fails while there is no connection.
func (r *rig) retried(call func() error) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		err := call()
		if err == nil {
			return
		}
		if !errors.Is(err, zk.ErrConnectionClosed) && !errors.Is(err, zk.ErrNoServer) || time.Now().After(deadline) {
			r.t.Fatal(err)
		}
	}
}
