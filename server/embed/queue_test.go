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
