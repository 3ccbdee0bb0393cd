package embed_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"zk/jute"
)

// stuckDisk is a disk whose syncs of the log wait while it is shut.
func stuckDisk(t *testing.T) (fs vfs.FS, shut, release func()) {
	var mu sync.RWMutex
	inject := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasSuffix(op.Path, ".log") && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSyncTo) {
			mu.RLock()
			defer mu.RUnlock()
		}
		return nil
	})
	var once sync.Once
	release = func() { once.Do(mu.Unlock) }
	return errorfs.Wrap(vfs.NewMem(), inject), mu.Lock, release
}

// TestQueueBehindStuckDisk: while the disk does not take writes, a client that goes on sending is stopped
// when it has 16 MiB in flight, whether what it sends are writes or reads that have to wait behind one; other
// clients are served, and when the disk goes on everything is answered.
func TestQueueBehindStuckDisk(t *testing.T) {
	for _, op := range []jute.OpCode{jute.OpSetData, jute.OpSetWatches} {
		t.Run(op.String(), func(t *testing.T) {
			fs, shut, release := stuckDisk(t)
			r := newRig(t, fs)
			r.open()
			c, other := r.connect(), r.connect()
			c.ok(jute.OpCreate, create("/a", "", 0))
			shut()
			defer release()
			body := setData("/a", strings.Repeat("x", 900_000), -1)
			if op == jute.OpSetWatches {
				w := jute.SetWatchesRequest{Data: []string{"/" + strings.Repeat("y", 900_000)}, Exist: []string{}, Child: []string{}}
				body = w.Append(nil, op)
			}
			const requests = 200 // 180 MB
			peak := heapPeak()
			sent := make(chan error, 1)
			go func() {
				c.send(jute.OpSetData, setData("/a", "", -1))
				for range requests {
					if _, err := c.nc.Write(c.request(op, body)); err != nil {
						sent <- err
						return
					}
				}
				sent <- nil
			}()
			for range 200 {
				other.ok(jute.OpGetData, read("/a", false))
			}
			select {
			case err := <-sent:
				t.Fatal("all was taken:", err)
			case <-time.After(300 * time.Millisecond): // it is stopped, or not yet: then the memory tells
			}
			if grown := peak(); grown > 120<<20 {
				t.Errorf("the heap grew by %d MiB", grown>>20)
			}
			release()
			for i := range requests + 1 {
				rep, err := c.recv()
				if err != nil || rep.Xid != int32(2+i) {
					t.Fatal(i, rep.ReplyHeader, err)
				}
			}
			if err := <-sent; err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestSlowSync: a write is neither answered nor shown to anybody while its sync is under way, however long that
// takes, and a sync that takes too long is counted.
func TestSlowSync(t *testing.T) {
	fs, shut, release := stuckDisk(t)
	const threshold = 20 * time.Millisecond
	r := newRig(t, fs, "fsync.warningthresholdms=20")
	r.open()
	c, other := r.connect(), r.connect()
	c.ok(jute.OpCreate, create("/a", "old", 0))
	shut()
	defer release()
	answered := make(chan error, 1)
	go func() { // ends with the reply
		rep, err := c.try(jute.OpSetData, setData("/a", "new", -1))
		if err == nil && rep.Err != jute.CodeOk {
			err = rep.Err
		}
		answered <- err
	}()
	for since := time.Now(); time.Since(since) < 2*threshold; {
		if data := string(other.ok(jute.OpGetData, read("/a", false)).Buffer()); data != "old" {
			t.Fatalf("a write that is not durable shows: %q", data)
		}
		select {
		case err := <-answered:
			t.Fatal("answered before its sync:", err)
		default:
		}
	}
	before := r.node.Metrics().Server.FsyncThresholdExceeded.Value()
	release()
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
	if data := string(other.ok(jute.OpGetData, read("/a", false)).Buffer()); data != "new" {
		t.Errorf("%q after the answer", data)
	}
	if n := r.node.Metrics().Server.FsyncThresholdExceeded.Value(); n <= before {
		t.Errorf("%d syncs over the threshold, %d before", n, before)
	}
}
