package persistence

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"zk/jute"
)

// After a write of several entries the next one waits for clients that were just answered, if they had nothing else
// on their way: until most are back, or for a while.
func TestLogExpectsThoseAnswered(t *testing.T) {
	for _, c := range []struct {
		name    string
		awaited bool
		back    bool // one of those that were answered comes soon
		want    []string
	}{
		{"back", true, true, []string{"1 after 10ms", "3 after 20ms", "3 after 30.5ms"}},
		{"not back", true, false, []string{"1 after 10ms", "3 after 20ms", "1 after 31ms"}},
		{"pipelined", false, true, []string{"1 after 10ms", "3 after 20ms", "1 after 30ms", "2 after 40ms"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slow := errorfs.InjectorFunc(func(op errorfs.Op) error {
					if op.Kind == errorfs.OpFileSyncData {
						time.Sleep(10 * time.Millisecond)
					}
					return nil
				})
				l, err := OpenLog(LogOptions{Dir: "log", FS: errorfs.Wrap(vfs.NewMem(), slow)})
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				var landed []string
				l.Start(func(es []Entry) {
					landed = append(landed, fmt.Sprint(len(es), " after ", time.Since(began)))
				}, func(err error) { t.Error(err) })
				next := jute.Zxid(1)
				send := func(n int) {
					for range n {
						if err := l.Append(Entry{Zxid: next, Bytes: value(next, 100), Awaited: c.awaited}); err != nil {
							t.Error(err)
						}
						next++
					}
					synctest.Wait()
				}
				send(1)
				send(3)
				time.Sleep(15 * time.Millisecond) // the three are in flight
				send(1)
				time.Sleep(5500 * time.Microsecond) // and were answered half a millisecond ago
				if c.back {
					send(2)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if !slices.Equal(landed, c.want) {
					t.Errorf("writes: %q, want %q", landed, c.want)
				}
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
