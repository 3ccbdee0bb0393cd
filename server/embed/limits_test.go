package embed_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"zk/jute"
	"zk/server"
)

// heapPeak samples the heap until stop is called, which gives by how many bytes it grew at most.
func heapPeak() (stop func() int64) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	base, peak := int64(m.HeapInuse), int64(m.HeapInuse)
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				runtime.ReadMemStats(&m)
				peak = max(peak, int64(m.HeapInuse))
			}
		}
	}()
	return func() int64 {
		close(quit)
		<-done
		return peak - base
	}
}

// TestUnreadReplies: a client that sends hundreds of requests for large nodes and doesn't read costs
// little more than the soft bound, whether its reads run at once or behind a write of its own; nobody
// else notices, and when it reads on it gets everything.
func TestUnreadReplies(t *testing.T) { bothWays(t, testUnreadReplies) }

func testUnreadReplies(t *testing.T, start starter) {
	const requests = 120
	data := strings.Repeat("x", 900_000)
	for _, behind := range []bool{false, true} {
		t.Run(fmt.Sprint("behind write ", behind), func(t *testing.T) {
			r := start(t)
			other, c := r.connect(), r.connect()
			other.ok(jute.OpCreate, create("/big", data, 0))
			var b []byte
			want := requests
			for i := range requests {
				if behind && i%50 == 0 {
					b = append(b, c.request(jute.OpSetData, setData("/big", data, -1))...)
					want++
				}
				b = append(b, c.request(jute.OpGetData, read("/big", false))...)
			}
			stop := heapPeak()
			sent := make(chan error, 1)
			go func() {
				_, err := c.nc.Write(b)
				sent <- err
			}()
			for i := range 100 { // the writes of others go on
				other.ok(jute.OpSetData, setData("/", fmt.Sprint(i), -1))
			}
			if got := stop(); got > 48<<20 {
				t.Errorf("heap grew by %d MiB", got>>20)
			}
			for i := range want {
				if rep, err := c.recv(); err != nil || rep.Err != jute.CodeOk || rep.Xid != int32(i+1) {
					t.Fatal(i, rep.ReplyHeader, err)
				}
			}
			if err := <-sent; err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestBusyAtTheEnd: a connection that ends while its client reads nothing doesn't outlive its server,
// and its socket does not stay for ever.
func TestBusyAtTheEnd(t *testing.T) { bothWays(t, testBusyAtTheEnd) }

func testBusyAtTheEnd(t *testing.T, start starter) {
	r := start(t)
	c := r.connect()
	c.ok(jute.OpCreate, create("/big", strings.Repeat("x", 900_000), 0))
	var b []byte
	for range 40 {
		b = append(b, c.request(jute.OpGetData, read("/big", false))...)
	}
	b = append(b, c.request(jute.OpCode(77), nil)...) // ends the connection
	before := runtime.NumGoroutine()
	if _, err := c.nc.Write(b); err != nil {
		t.Fatal(err)
	}
	r.connect().ok(jute.OpSync, onePath("/")) // the server is alive
	r.close()
	await(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}

// TestExpiredSlowReader: the connection of an expired session is closed although its client reads
// nothing.
func TestExpiredSlowReader(t *testing.T) { bothWays(t, testExpiredSlowReader) }

func testExpiredSlowReader(t *testing.T, start starter) {
	t.Parallel() // it waits, most of the time
	r := start(t, "tickTime=50", "minSessionTimeout=100")
	c := r.connectFor(100)
	c.ok(jute.OpCreate, create("/big", strings.Repeat("x", 900_000), 0))
	var b []byte
	for range 40 {
		b = append(b, c.request(jute.OpGetData, read("/big", false))...)
	}
	if _, err := c.nc.Write(b); err != nil {
		t.Fatal(err)
	}
	await(t, "the connection to go", func() bool { return !strings.Contains(r.word("cons"), c.nc.LocalAddr().String()) })
}

// TestOperatorLingers: a client that keeps its connection after a four-letter word doesn't hold up the
// end of the server.
func TestOperatorLingers(t *testing.T) { bothWays(t, testOperatorLingers) }

func testOperatorLingers(t *testing.T, start starter) {
	r := start(t)
	nc := r.dial()
	defer func() { _ = nc.Close() }()
	_, _ = io.WriteString(nc, "ruok")
	if b, err := io.ReadAll(nc); err != nil || string(b) != "imok" {
		t.Fatalf("%q, %v", b, err)
	}
	from := time.Now()
	r.close()
	if took := time.Since(from); took > 3*time.Second {
		t.Fatal("closing took", took)
	}
}

// TestUnreadEvents: a client that doesn't read its events is cut off at the hard bound; its session
// lives on, other watchers get theirs, and the writer isn't held up.
func TestUnreadEvents(t *testing.T) { bothWays(t, testUnreadEvents) }

func testUnreadEvents(t *testing.T, start starter) {
	r := start(t, "maxSessionTimeout=600000")
	// Nobody pings: on a slow machine, with the race detector, this takes a minute.
	w, slow, good := r.connectFor(600_000), r.connectFor(600_000), r.connectFor(600_000)
	name := "/" + strings.Repeat("n", 400_000)
	w.ok(jute.OpCreate, create(name, "", 0))
	watch := jute.PathTypeRequest{Path: name, Type: jute.AddWatchPersistent}
	slow.ok(jute.OpAddWatch, watch.Append(nil))
	good.ok(jute.OpAddWatch, watch.Append(nil))
	const writes = 3 * server.OutputHardBytes / 400_000
	var wg sync.WaitGroup
	wg.Go(func() {
		for range writes {
			if ev, err := good.awaitEvent(); err != nil || ev.Type != jute.EventNodeDataChanged {
				t.Error(ev.Type, err)
				return
			}
		}
	})
	for range writes {
		w.ok(jute.OpSetData, setData(name, "", -1))
	}
	wg.Wait()
	if err := slow.gone(); err != nil {
		t.Fatal(err)
	}
	if _, ok := r.renew(slow); !ok {
		t.Fatal("the session is gone")
	}
}

// TestGlobalOutstandingLimit: clients that pipeline more than the server takes are slowed down, not
// stopped.
func TestGlobalOutstandingLimit(t *testing.T) {
	for _, limit := range []int{1, 10} {
		r := start(t, fmt.Sprint("globalOutstandingLimit=", limit))
		r.connect().fill("/a", 1500)
		together(4, func(int) {
			c := r.connect()
			var b []byte
			const rounds = 60
			for range rounds {
				b = append(b, c.request(jute.OpSetData, setData("/a", "x", -1))...)
				b = append(b, c.request(jute.OpGetChildren, read("/a", false))...)
				b = append(b, c.request(jute.OpGetData, read("/a", false))...)
			}
			go func() { _, _ = c.nc.Write(b) }()
			for range 3 * rounds {
				if rep, err := c.recv(); err != nil || rep.Err != jute.CodeOk {
					t.Error(rep.ReplyHeader, err)
					return
				}
			}
		})
		r.close()
	}
}

// TestConnectionLimits: connections beyond maxClientCnxns and maxCnxns are closed at once, and one that
// ends makes room.
func TestConnectionLimits(t *testing.T) {
	for _, line := range []string{"maxClientCnxns=3", "maxCnxns=3"} {
		r := start(t, line)
		a := r.connect()
		r.connect()
		r.connect()
		extra := r.dial()
		if _, err := io.ReadAll(extra); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Error(line, err)
		}
		_ = extra.Close()
		a.ok(jute.OpCloseSession, nil)
		if err := a.gone(); err != nil {
			t.Fatal(err)
		}
		r.connect().ok(jute.OpSync, onePath("/"))
		r.close()
	}
}

// TestConnectionThrottle: with an empty token bucket a login is refused by closing the connection.
func TestConnectionThrottle(t *testing.T) {
	r := start(t, "connection_throttle_tokens=2", "connection_throttle_fill_time=1000000")
	r.connect()
	r.connect()
	c := &client{t: t, nc: r.dial()}
	defer func() { _ = c.nc.Close() }()
	if err := c.login(30000); err == nil {
		t.Fatal("the third login was let in")
	}
}

// TestJuteMaxBuffer: a frame as large as jute.maxbuffer works, the next byte costs the connection.
func TestJuteMaxBuffer(t *testing.T) {
	r := start(t, "jute.maxbuffer=20000")
	c := r.connect()
	c.ok(jute.OpCreate, create("/a", "", 0))
	over := jute.RequestHeaderBytes + len(setData("/a", "", -1))
	c.ok(jute.OpSetData, setData("/a", strings.Repeat("x", 20000-over), -1))
	c.send(jute.OpSetData, setData("/a", strings.Repeat("y", 20001-over), -1))
	if err := c.gone(); err != nil {
		t.Fatal(err)
	}
	d := r.connect()
	if dec := d.ok(jute.OpGetData, read("/a", false)); !bytes.Equal(dec.Buffer(), bytes.Repeat([]byte("x"), 20000-over)) {
		t.Fatal("data has changed")
	}
}

// TestLargeRequests: what large requests count is given back, whatever becomes of them.
func TestLargeRequests(t *testing.T) {
	r := start(t, "largeRequestThreshold=1000", "largeRequestMaxBytes=5000")
	c := r.connect()
	c.ok(jute.OpCreate, create("/a", "", 0))
	big := strings.Repeat("x", 2000)
	for range 20 {
		c.ok(jute.OpSetData, setData("/a", big, -1))
		if rep := c.call(jute.OpSetData, setData("/a", big, 999999)); rep.Err != jute.CodeBadVersion {
			t.Fatal(rep.Err)
		}
	}
	// A write of a connection whose session has moved is dropped.
	for range 10 {
		moved, ok := r.renew(c)
		if !ok {
			t.Fatal("expired")
		}
		c.send(jute.OpSetData, setData("/a", big, -1))
		if err := c.gone(); err != nil {
			t.Fatal(err)
		}
		c = moved
	}
	c.ok(jute.OpSetData, setData("/a", big, -1))
}

// TestStalledLogins: connections that declare a long first frame and send no more, or a little now and
// then, cost next to nothing, and are dropped when the time to log in is over. One that declares more
// than a login needs is dropped at once.
func TestStalledLogins(t *testing.T) {
	const conns = 1000
	r := start(t, "nio.sessionlessCnxnTimeout=3000")
	c := r.connect()
	nc := r.dial()
	defer func() { _ = nc.Close() }()
	_, _ = nc.Write([]byte{0, 0x0f, 0, 0, 0})
	_ = nc.SetReadDeadline(time.Now().Add(2 * time.Second))
	if _, err := nc.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Error("a login of 960 KiB is waited for:", err)
	}
	inUse := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapInuse + m.StackInuse)
	}
	before := inUse()
	list := make([]net.Conn, conns)
	for i := range list {
		list[i] = r.dial()
		_, _ = list[i].Write([]byte{0, 0, 0x3f, 0xff}) // 16 KiB to come
	}
	for n := range 3 { // slow drip
		for i, nc := range list {
			if i%2 == 0 {
				_, _ = nc.Write(make([]byte, 1+n))
			}
		}
		c.ok(jute.OpSetData, setData("/", "x", -1))
	}
	if got := inUse() - before; got > 20<<20 {
		t.Errorf("%d connections take %d MiB", conns, got>>20)
	}
	together(8, func(k int) {
		for i := k; i < conns; i += 8 {
			_ = list[i].SetReadDeadline(time.Now().Add(patience))
			if n, err := list[i].Read(make([]byte, 1)); n != 0 || err == nil || strings.Contains(err.Error(), "timeout") {
				t.Errorf("connection %d: read %d, %v", i, n, err)
				return
			}
			_ = list[i].Close()
		}
	})
	c.ok(jute.OpSync, onePath("/"))
}
