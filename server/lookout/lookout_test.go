package lookout

import (
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestLookout: with one processor, and a task that always has something to do, what comes to a socket is seen at the
// task's next pauses; with Gosched only the runtime's monitor would look, 10 ms later. The socket is a pipe here, where
// what is written is there at once, and is read as from a socket.
func TestLookout(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	there, here, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	defer here.Close()
	raw, err := there.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var seen atomic.Int32
	go func() { // ends when the pipe does
		b := make([]byte, 1)
		_ = raw.Read(func(fd uintptr) bool {
			for {
				if _, err := syscall.Read(int(fd), b); err != nil {
					return err != syscall.EAGAIN
				}
				seen.Add(1)
			}
		})
	}()
	var l Lookout
	defer l.Close()
	const bytes = 50
	soon := 0
	for n := int32(1); n <= bytes; n++ {
		if _, err := here.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		looks := 0
		for ; seen.Load() < n; looks++ {
			l.last = time.Time{}
			l.Pause()
		}
		if looks <= 3 {
			soon++
		}
	}
	if soon < bytes/2 { // not all: the system may take the reader's thread off its processor
		t.Errorf("%d bytes of %d were seen within three looks", soon, bytes)
	}
}

// TestLookoutDeadline: a wait that ends with nobody having looked leaves nothing behind that ends the next one.
func TestLookoutDeadline(t *testing.T) {
	var l Lookout
	defer l.Close()
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
