package nowait

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// pair is a connection with both ends wrapped.
func pair(t *testing.T) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	a, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	a, b = Wrap(a), Wrap(b)
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return a, b
}

func TestConn(t *testing.T) {
	a, b := pair(t)
	if _, ok := a.(*Conn); !ok {
		t.Fatalf("a TCP connection is wrapped as %T", a)
	}
	// More than the socket's buffers hold, so that both wait for each other, and than one system call takes.
	sent := make([]byte, 16<<20)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(sent)
	wrote := make(chan error, 1)
	go func() {
		n, err := a.Write(sent)
		if err == nil && n != len(sent) {
			err = io.ErrShortWrite
		}
		wrote <- errors.Join(err, a.(*Conn).CloseWrite())
	}()
	got, err := io.ReadAll(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, sent) {
		t.Fatalf("%d bytes were sent, %d came, or other ones", len(sent), len(got))
	}
	if n, err := b.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Fatalf("read at the end: %d, %v", n, err)
	}
	if n, err := b.Read(nil); n != 0 || err != nil {
		t.Fatalf("read of nothing: %d, %v", n, err)
	}
	if n, err := b.Write(nil); n != 0 || err != nil {
		t.Fatalf("write of nothing: %d, %v", n, err)
	}
}

// TestDeadline: a read that waits, and a write that nobody reads, end at their deadlines and may be tried again.
func TestDeadline(t *testing.T) {
	a, b := pair(t)
	_ = a.SetDeadline(time.Now().Add(20 * time.Millisecond))
	if n, err := a.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read without input: %d, %v", n, err)
	}
	large := make([]byte, 64<<20)
	_ = a.SetDeadline(time.Now().Add(time.Second))
	n, err := a.Write(large)
	if n == 0 || n == 64<<20 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("write that nobody reads: %d, %v", n, err)
	}
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Fatalf("%v is no timeout", err)
	}
	_ = a.SetDeadline(time.Time{})
	if _, err := b.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if n, err := a.Read(make([]byte, 8)); n != 1 || err != nil {
		t.Fatalf("read behind the deadline: %d, %v", n, err)
	}
}

// TestClose: closing ends what waits, and both sides are told.
func TestClose(t *testing.T) {
	a, b := pair(t)
	read := make(chan error, 1)
	go func() {
		_, err := a.Read(make([]byte, 1))
		read <- err
	}()
	_ = a.Close()
	if err := <-read; !errors.Is(err, net.ErrClosed) && err != io.EOF {
		t.Fatalf("read of a closed connection: %v", err)
	}
	if _, err := a.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("write to a closed connection: %v", err)
	}
	if _, err := b.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("read where the other side has closed: %v", err)
	}
	// The other side answers the first write with a reset.
	for range 1000 {
		if _, err := b.Write([]byte("x")); err != nil {
			if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
				t.Fatalf("write where the other side has closed: %v", err)
			}
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("writes to nobody succeed")
}

// TestCopy: io.Copy in both directions goes through Read and Write.
func TestCopy(t *testing.T) {
	a, b := pair(t)
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(a, bytes.NewReader(make([]byte, 1<<20)))
		copied <- errors.Join(err, a.(*Conn).CloseWrite())
	}()
	var got bytes.Buffer
	if n, err := io.Copy(&got, b); n != 1<<20 || err != nil {
		t.Fatalf("copied %d bytes, %v", n, err)
	}
	if err := <-copied; err != nil {
		t.Fatal(err)
	}
}

// TestNothingYet: neither direction waits.
func TestNothingYet(t *testing.T) {
	a, b := pair(t)
	raw, err := a.(*Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) {
		if n, err := Read(fd, make([]byte, 8)); n != 0 || err != syscall.EAGAIN {
			t.Errorf("read without input: %d, %v", n, err)
		}
		chunk := make([]byte, 1<<20)
		for n := 0; n < 1<<30; {
			k, err := Write(fd, chunk)
			if k > writeBytesMax {
				t.Errorf("one call wrote %d bytes", k)
			}
			if n += k; err == syscall.EAGAIN {
				return
			}
			if err != nil {
				t.Errorf("write after %d bytes: %v", n, err)
				return
			}
		}
		t.Error("a socket takes everything")
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = b.Close()
	if c, _ := net.Pipe(); Wrap(c) != c {
		t.Error("a connection that is no socket is wrapped")
	}
}

// TestReadAll: a read that does not fill its buffer has emptied the socket, however large the buffer is.
func TestReadAll(t *testing.T) {
	a, b := pair(t)
	if err := a.(*Conn).SetReadBuffer(4 << 20); err != nil {
		t.Fatal(err)
	}
	sent := make(chan error, 1)
	go func() {
		_, err := b.Write(make([]byte, 8<<20))
		sent <- errors.Join(err, b.(*Conn).CloseWrite())
	}()
	largest, buf := 0, make([]byte, 4<<20)
	for {
		time.Sleep(time.Millisecond) // something gathers
		n, err := a.Read(buf)
		if largest = max(largest, n); err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if largest <= writeBytesMax {
		t.Errorf("no read gave more than %d bytes", largest)
	}
}

// TestAllocations: a read and a write make no garbage.
func TestAllocations(t *testing.T) {
	a, b := pair(t)
	buf := make([]byte, 16)
	if n := testing.AllocsPerRun(100, func() {
		_, _ = a.Write(buf)
		_, _ = io.ReadFull(b, buf)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
