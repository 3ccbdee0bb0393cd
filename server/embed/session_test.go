package embed_test

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
	"zk/persistence/crashdisk"
)

// fast are settings under which sessions end within a fraction of a second.
var fast = []string{"tickTime=50", "minSessionTimeout=100", "maxSessionTimeout=60000"}

func (c *client) stat(path string) (st jute.Stat, code jute.Code) {
	c.t.Helper()
	rep := c.call(jute.OpExists, read(path, false))
	d := jute.NewDecoder(rep.body, 0)
	if rep.Err == jute.CodeOk {
		st.Decode(&d)
	}
	return st, rep.Err
}

// TestExpiry: the session of a client that is silent ends, with one transaction that deletes its
// ephemerals; its connection is closed, and it can't be renewed. A client that pings keeps its own.
func TestExpiry(t *testing.T) {
	r := start(t, fast...)
	c, pinging, watcher := r.connectFor(100), r.connectFor(300), r.connect()
	watcher.ok(jute.OpCreate, create("/e", "", 0))
	for i := range 10 {
		c.ok(jute.OpCreate, create(fmt.Sprintf("/e/n%d", i), "", jute.FlagEphemeral))
	}
	pinging.ok(jute.OpCreate, create("/mine", "", jute.FlagEphemeral))
	w := jute.PathTypeRequest{Path: "/e", Type: jute.AddWatchPersistentRecursive}
	watcher.ok(jute.OpAddWatch, w.Append(nil))
	watcher.stat("/e")
	before := watcher.zxid
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				if _, err := pinging.try(jute.OpPing, nil); err != nil {
					t.Error("ping:", err)
					return
				}
			}
		}
	}()
	for range 10 {
		if ev, err := watcher.awaitEvent(); err != nil || ev.Type != jute.EventNodeDeleted || !strings.HasPrefix(ev.Path, "/e/n") {
			t.Fatal(ev, err)
		}
	}
	after, _ := watcher.stat("/e")
	if after.NumChildren != 0 || after.Pzxid != before+1 {
		t.Errorf("children %d, pzxid %v after %v: not one transaction", after.NumChildren, after.Pzxid, before)
	}
	if err := c.gone(); err != nil {
		t.Error(err)
	}
	if d, ok := r.renew(c); ok {
		t.Errorf("session %v was renewed", d.sid)
	}
	close(done)
	<-stopped
	if _, code := watcher.stat("/mine"); code != jute.CodeOk {
		t.Error("the session that pinged:", code)
	}
	r.close()
	verify(t, r)
}

// TestRenewal: a renewal needs the password, closes the connection before, which can no longer write, and
// keeps ephemerals.
func TestRenewal(t *testing.T) {
	r := start(t)
	c := r.connect()
	c.ok(jute.OpCreate, create("/e", "", jute.FlagEphemeral))
	wrong := &client{t: t, sid: c.sid, passwd: slices.Clone(c.passwd)}
	wrong.passwd[3] ^= 1
	if _, ok := r.renew(wrong); ok {
		t.Fatal("renewed with a wrong password")
	}
	c.ok(jute.OpSetData, setData("/e", "still mine", -1))
	if _, ok := r.renew(&client{t: t, sid: c.sid + 1, passwd: c.passwd}); ok {
		t.Fatal("renewed a session that never was")
	}
	d, ok := r.renew(c)
	if !ok || d.sid != c.sid {
		t.Fatal("not renewed")
	}
	c.send(jute.OpSetData, setData("/e", "moved", -1))
	if err := c.gone(); err != nil {
		t.Fatal(err)
	}
	if b := d.ok(jute.OpGetData, read("/e", false)).Buffer(); string(b) != "still mine" {
		t.Errorf("data %q", b)
	}
	// Its end, by its client: the reply comes, then the connection is closed.
	d.ok(jute.OpCloseSession, nil)
	if err := d.gone(); err != nil {
		t.Fatal(err)
	}
	if _, ok := r.renew(d); ok {
		t.Fatal("renewed after its end")
	}
	if _, code := r.connect().stat("/e"); code != jute.CodeNoNode {
		t.Error("the ephemeral:", code)
	}
}

// TestRenewalAtTheEnd: a renewal that meets the end of its session is refused or closed, never left
// without an answer.
func TestRenewalAtTheEnd(t *testing.T) {
	r := start(t, fast...)
	together(4, func(int) {
		for range 40 {
			c := r.connect()
			c.send(jute.OpCloseSession, nil)
			d := &client{t: t, nc: r.dial(), sid: c.sid, passwd: c.passwd}
			defer func() { _ = d.nc.Close() }()
			var ne net.Error
			switch err := d.login(30000); {
			case errors.As(err, &ne) && ne.Timeout():
				t.Error("no answer to the login, and no end")
				return
			case err != nil || d.sid == 0:
				continue
			}
			// Its requests are answered, or its connection is closed.
			for range 3 {
				_, err := d.try(jute.OpExists, read("/", false))
				if errors.As(err, &ne) && ne.Timeout() {
					t.Error("no answer, and no end")
					return
				}
			}
		}
	})
}

// TestSessionsOverRestart: sessions are there after a restart with their full timeout; who comes back in
// time keeps his ephemerals, who doesn't loses them.
func TestSessionsOverRestart(t *testing.T) {
	for _, crash := range []bool{false, true} {
		t.Run(fmt.Sprint("crash ", crash), func(t *testing.T) {
			r := newRig(t, crashdisk.New(), fast...)
			r.open()
			back, lost := r.connectFor(2000), r.connectFor(400)
			back.ok(jute.OpCreate, create("/back", "", jute.FlagEphemeral))
			lost.ok(jute.OpCreate, create("/lost", "", jute.FlagEphemeral))
			if crash {
				fs := r.fs.(*crashdisk.Disk).CrashClone(vfs.CrashCloneCfg{})
				r.close()
				r.fs, r.deps.FS = fs, fs
				r.open()
			} else {
				r.restart()
			}
			began := time.Now()
			c := r.connect()
			if _, code := c.stat("/lost"); code != jute.CodeOk {
				t.Error("/lost right after the restart:", code)
			}
			d, ok := r.renew(back)
			if !ok {
				t.Fatal("not renewed")
			}
			await(t, "the other session to end", func() bool { _, code := c.stat("/lost"); return code == jute.CodeNoNode })
			if took := time.Since(began); took < 350*time.Millisecond {
				t.Error("ended after", took)
			}
			if st, code := d.stat("/back"); code != jute.CodeOk || jute.SessionID(st.EphemeralOwner) != d.sid {
				t.Error(st, code)
			}
			if _, ok := r.renew(lost); ok {
				t.Error("renewed an expired session")
			}
			r.close()
			verify(t, r)
		})
	}
}
