package gozk

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"
)

func testDataWatch(r *rig) {
	watching := r.connect(r.Server.Addr, 10*time.Second)
	r.create("/a", "0", 0)
	_, _, ch, err := watching.GetW(r.root + "/a")
	r.must(err)
	_, err = r.zk.Set(r.root+"/a", []byte("1"), -1)
	r.must(err)
	r.expect(ch, "EventNodeDataChanged /a")
	_, _, ch, err = watching.GetW(r.root + "/a")
	r.must(err)
	r.must(r.zk.Delete(r.root+"/a", -1))
	r.expect(ch, "EventNodeDeleted /a")
}

func testChildWatch(r *rig) {
	watching := r.connect(r.Server.Addr, 10*time.Second)
	_, _, ch, err := watching.ChildrenW(r.root)
	r.must(err)
	_, err = r.zk.Set(r.root, nil, -1)
	r.must(err)
	r.silent(watching, ch)
	r.create("/a", "", 0)
	r.expect(ch, "EventNodeChildrenChanged ")
	_, _, ch, err = watching.ChildrenW(r.root + "/a")
	r.must(err)
	r.must(r.zk.Delete(r.root+"/a", -1))
	r.expect(ch, "EventNodeDeleted /a")
}

func testExistsWatch(r *rig) {
	watching := r.connect(r.Server.Addr, 10*time.Second)
	for _, step := range []struct {
		do   func()
		want string
	}{
		{func() { r.create("/a", "", 0) }, "EventNodeCreated /a"},
		{func() { _, err := r.zk.Set(r.root+"/a", nil, -1); r.must(err) }, "EventNodeDataChanged /a"},
		{func() { r.must(r.zk.Delete(r.root+"/a", -1)) }, "EventNodeDeleted /a"},
	} {
		_, _, ch, err := watching.ExistsW(r.root + "/a")
		r.must(err)
		step.do()
		r.expect(ch, step.want)
	}
}

func testFanOut(r *rig) {
	r.create("/a", "", 0)
	var all []<-chan zk.Event
	for range 20 {
		_, _, ch, err := r.connect(r.Server.Addr, 30*time.Second).GetW(r.root + "/a")
		r.must(err)
		all = append(all, ch)
	}
	_, err := r.zk.Set(r.root+"/a", nil, -1)
	r.must(err)
	for _, ch := range all {
		r.expect(ch, "EventNodeDataChanged /a")
	}
}

func testEphemerals(r *rig) {
	owner := r.connect(r.Server.Addr, 10*time.Second)
	_, err := owner.Create(r.root+"/e", nil, zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
	r.must(err)
	ok, stat, ch, err := r.zk.ExistsW(r.root + "/e")
	r.must(err)
	if !ok || stat.EphemeralOwner != owner.SessionID() {
		r.t.Fatalf("exists %v, %+v", ok, stat)
	}
	owner.Close()
	r.expect(ch, "EventNodeDeleted /e")
}

func testProtected(r *rig) {
	path, err := r.zk.CreateProtectedEphemeralSequential(r.root+"/p-", nil, zk.WorldACL(zk.PermAll))
	r.must(err)
	ok, stat, err := r.zk.Exists(path)
	r.must(err)
	if !ok || stat.EphemeralOwner != r.zk.SessionID() {
		r.t.Fatalf("exists %v, %+v", ok, stat)
	}
}

func testLock(r *rig) {
	var inside, total atomic.Int32
	var wg sync.WaitGroup
	for range 5 {
		c := r.connect(r.Server.Addr, 30*time.Second)
		wg.Go(func() {
			for range 5 {
				lock := zk.NewLock(c, r.root+"/lock", zk.WorldACL(zk.PermAll))
				if err := lock.Lock(); err != nil {
					r.t.Error(err)
					return
				}
				if n := inside.Add(1); n != 1 {
					r.t.Errorf("%d hold the lock", n)
				}
				total.Add(1)
				inside.Add(-1)
				if err := lock.Unlock(); err != nil {
					r.t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if total.Load() != 25 {
		r.t.Fatalf("%d times locked", total.Load())
	}
}

func testLockOrder(r *rig) {
	acl := zk.WorldACL(zk.PermAll)
	dying := r.connect(r.Server.Addr, 10*time.Second)
	r.must(zk.NewLock(dying, r.root+"/lock", acl).Lock())
	waiting := make(chan error, 1)
	next := zk.NewLock(r.zk, r.root+"/lock", acl)
	go func() { waiting <- next.Lock() }() // ends when the holder goes
	r.eventually("two in the queue", func() bool {
		names, _, err := r.zk.Children(r.root + "/lock")
		r.must(err)
		return len(names) == 2
	})
	dying.Close()
	select {
	case err := <-waiting:
		r.must(err)
	case <-time.After(patience):
		r.t.Fatal("the lock was not handed on")
	}
	r.must(next.Unlock())
}

func testReconnect(r *rig) {
	c, seen := r.connectEvents(r.Proxy.Addr(), 10*time.Second)
	session := c.SessionID()
	_, err := c.Create(r.root+"/e", nil, zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
	r.must(err)
	r.create("/changed", "", 0)
	r.create("/later", "", 0)
	_, _, changed, err := c.GetW(r.root + "/changed")
	r.must(err)
	_, _, later, err := c.GetW(r.root + "/later")
	r.must(err)
	_, _, created, err := c.ExistsW(r.root + "/created")
	r.must(err)
	r.Proxy.Partition()
	seen.state(zk.StateDisconnected)
	_, err = r.zk.Set(r.root+"/changed", nil, -1)
	r.must(err)
	r.create("/created", "", 0)
	r.Proxy.Heal()
	seen.state(zk.StateHasSession)
	if c.SessionID() != session {
		r.t.Fatalf("session %x, was %x", c.SessionID(), session)
	}
	r.expect(changed, "EventNodeDataChanged /changed")
	r.expect(created, "EventNodeCreated /created")
	_, err = r.zk.Set(r.root+"/later", nil, -1)
	r.must(err)
	r.expect(later, "EventNodeDataChanged /later")
	ok, _, err := r.zk.Exists(r.root + "/e")
	r.must(err)
	if !ok {
		r.t.Fatal("the ephemeral is gone")
	}
}

// testManyWatches sets more watches again than fit one setWatches request.
func testManyWatches(r *rig) {
	c, seen := r.connectEvents(r.Proxy.Addr(), 30*time.Second)
	const count = 2000
	path := func(i int) string {
		return fmt.Sprintf("/a-rather-long-name-so-that-the-client-has-to-send-several-requests-for-all-%d", i)
	}
	watches := make([]<-chan zk.Event, count)
	var wg sync.WaitGroup
	for part := range 20 {
		wg.Go(func() {
			for i := part; i < count; i += 20 {
				_, _, ch, err := c.ExistsW(r.root + path(i))
				if err != nil {
					r.t.Error(err)
				}
				watches[i] = ch
			}
		})
	}
	wg.Wait()
	r.Proxy.Drop()
	seen.state(zk.StateHasSession)
	for i := 0; i < count; i += 333 {
		r.create(path(i), "", 0)
		r.expect(watches[i], "EventNodeCreated "+path(i))
	}
}

func testExpiry(r *rig) {
	c, seen := r.connectEvents(r.Proxy.Addr(), time.Second)
	session := c.SessionID()
	_, err := c.Create(r.root+"/e", nil, zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
	r.must(err)
	_, _, gone, err := r.zk.ExistsW(r.root + "/e")
	r.must(err)
	r.Proxy.Partition()
	seen.state(zk.StateDisconnected)
	r.expect(gone, "EventNodeDeleted /e")
	r.Proxy.Heal()
	seen.state(zk.StateExpired)
	seen.state(zk.StateHasSession)
	if c.SessionID() == session {
		r.t.Fatal("the expired session has come back")
	}
}

func testRestart(r *rig) { restarted(r, r.Restart) }
func testCrash(r *rig)   { restarted(r, r.Crash) }

// restarted checks that session, data, watches and sequences outlive a restart.
func restarted(r *rig, restart func() error) {
	c, seen := r.connectEvents(r.RestartHosts(), 30*time.Second)
	session := c.SessionID()
	acl := zk.WorldACL(zk.PermAll)
	_, err := c.Create(r.root+"/e", []byte("mine"), zk.FlagEphemeral, acl)
	r.must(err)
	for i := range 100 {
		_, err := c.Create(r.root+"/s-", fmt.Appendf(nil, "%d", i), zk.FlagSequence, acl)
		r.must(err)
	}
	_, before, ch, err := c.GetW(r.root + "/e")
	r.must(err)
	_, parent, err := c.Exists(r.root)
	r.must(err)
	r.must(restart())
	seen.state(zk.StateDisconnected)
	seen.state(zk.StateHasSession)
	if c.SessionID() != session {
		r.t.Fatalf("session %x, was %x", c.SessionID(), session)
	}
	r.retried(func() error {
		data, stat, err := c.Get(r.root + "/e")
		if err == nil && (string(data) != "mine" || *stat != *before) {
			err = fmt.Errorf("%q, %+v, want %+v", data, stat, before)
		}
		return err
	})
	_, now, err := c.Exists(r.root)
	r.must(err)
	if *now != *parent {
		r.t.Fatalf("parent %+v, was %+v", now, parent)
	}
	path, err := c.Create(r.root+"/s-", nil, zk.FlagSequence, acl)
	r.must(err)
	if want := r.root + "/s-0000000101"; path != want {
		r.t.Fatalf("created %s, want %s", path, want)
	}
	stat, err := c.Set(r.root+"/e", []byte("1"), 0)
	r.must(err)
	if stat.Mzxid <= parent.Pzxid {
		r.t.Fatalf("zxid %x after %x", stat.Mzxid, parent.Pzxid)
	}
	r.expect(ch, "EventNodeDataChanged /e")
}
