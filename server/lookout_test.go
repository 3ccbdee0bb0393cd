package server

import (
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// TestLookout: with one processor, and a task that always has something to do, what comes to a socket is seen at the
// task's next pauses; with Gosched only the runtime's monitor would look, 10 ms later.
func TestLookout(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	here, there := connected(t)
	var seen atomic.Int32
	go func() { // ends when the connection does
		for b := make([]byte, 1); ; seen.Add(1) {
			if _, err := there.Read(b); err != nil {
				return
			}
		}
	}()
	var l lookout
	defer l.close()
	for n := int32(1); n <= 50; n++ {
		if _, err := here.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		looks := 0
		for ; seen.Load() < n && looks < 100; looks++ {
			l.last = time.Time{}
			l.pause()
		}
		if looks > 3 {
			t.Fatalf("byte %d was seen after %d looks", n, looks)
		}
	}
}

// TestLookoutDeadline: a wait that ends with nobody having looked leaves nothing behind that ends the next one.
func TestLookoutDeadline(t *testing.T) {
	var l lookout
	defer l.close()
	for range 20 {
		if !l.open() {
			t.Fatal("no pipe")
		}
		l.wait(time.Now().Add(-time.Second))
		l.wait(time.Now().Add(time.Minute))
		if l.asked || !l.woken {
			t.Fatalf("asked %v, woken %v", l.asked, l.woken)
		}
	}
}

// connected is a pair of sockets.
func connected(t *testing.T) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return a, b
}
