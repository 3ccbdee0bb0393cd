package persistence

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
)

// What is appended while earlier entries are being answered goes to the disk in one write, once they are; entries
// that come one by one wait for nobody.
func TestLogWritesTogether(t *testing.T) {
	l, err := OpenLog(LogOptions{Dir: "log", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	landed, answered := make(chan int), make(chan struct{})
	l.Start(func(es []Entry) {
		landed <- len(es)
		<-answered
	}, func(err error) { t.Error(err) })
	var writes []int
	next := jute.Zxid(1)
	during := func(n int) { // the callee has a write's entries, n more come
		select {
		case n := <-landed:
			writes = append(writes, n)
		case <-time.After(time.Minute):
			t.Fatalf("entries per write %v, and no more", writes)
		}
		for p := &l.pipe; ; runtime.Gosched() { // the appender is done with the write, too
			p.mu.Lock()
			idle := p.idle && !p.applying
			p.mu.Unlock()
			if idle {
				break
			}
		}
		appendRange(t, l, next, next+jute.Zxid(n)-1, 100)
		next += jute.Zxid(n)
		answered <- struct{}{}
	}
	appendRange(t, l, next, next, 100)
	next++
	during(4) // the first of them is on its way at once, the others are when that is durable
	during(0)
	during(2) // while several are answered the next wait
	during(1)
	during(0)
	if want := []int{1, 1, 3, 2, 1}; !slices.Equal(writes, want) {
		t.Errorf("entries per write %v, want %v", writes, want)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
