package load

import (
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"zk/compat/control"
	"zk/jute"
)

// TestSlowReaders: clients that ask for much and read nothing, or a byte now and then, cost little and
// nobody else; those who don't read their events are cut off. Nothing is left of any of them.
func TestSlowReaders(t *testing.T) {
	if alone(t) {
		return
	}
	const readers, asked, watchers = 100, 40, 8
	const timeout = 10 * time.Second
	r := start(t, "tickTime=500", "maxSessionTimeout=100000")
	p := r.startProbe(timeout)
	writer, err := connect(r.Addr, 100*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	name := "/" + strings.Repeat("n", 300_000)
	for _, body := range [][]byte{create("/big", strings.Repeat("x", 900_000), 0), create(name, "", 0)} {
		if _, err := writer.call(jute.OpCreate, body); err != nil {
			t.Fatal(err)
		}
	}
	empty, memory := r.base(), r.memory()
	p.mark()
	before := p.timed()

	p.mark()
	var slow []*conn
	for range readers + watchers {
		c, err := connect(r.Addr, 100*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		slow = append(slow, c)
	}
	for _, c := range slow[:readers] {
		var out []byte
		for range asked {
			out = append(out, c.request(jute.OpGetData, read("/big", false))...)
		}
		if _, err := c.nc.Write(out); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range slow[readers:] {
		if err := c.send(jute.OpAddWatch, addWatch(name, jute.AddWatchPersistent)); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() { drip(slow[:readers/2], done) })
	peak := 0
	// First as fast as it goes, until those who don't read their events are cut off; a client that writes as much is a
	// load of its own. Then events come now and then, to nobody.
	for r.figure("num_alive_connections") > empty.connections+readers {
		for range 3 * (16 << 20) / len(name) / 10 { // three times the bytes of events that a connection may owe its client
			if _, err := writer.call(jute.OpSetData, setData(name, "x")); err != nil {
				t.Fatal(err)
			}
		}
		peak = max(peak, r.memory())
	}
	piling := p.timed()
	p.compare("events that nobody reads", before, piling, hardSlack)
	p.mark()
	for end := time.Now().Add(max(time.Second, control.Long(t)/4)); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if _, err := writer.call(jute.OpSetData, setData(name, "x")); err != nil {
			t.Fatal(err)
		}
		peak = max(peak, r.memory())
	}
	during := p.timed()
	t.Logf("at most %d MiB, before %d MiB; others: %v; while events were piled up: %v; before: %v", peak, memory, during, piling, before)
	p.compare("slow readers", before, during, loadSlack)
	if peak > memory+250 {
		t.Errorf("%d MiB for %d slow readers and %d watchers, %d MiB before", peak, readers, watchers, memory)
	}
	if n := r.figure("global_sessions"); n != empty.sessions+readers+watchers {
		t.Errorf("%d sessions, there were %d before", n, empty.sessions)
	}

	close(done)
	wg.Wait()
	for _, c := range slow {
		again, err := renew(r.Addr, c, time.Second) // cuts the old connection, if it is there
		if err == nil {
			err = again.quit()
		}
		if err != nil {
			t.Error(err)
		}
		_ = c.nc.Close()
	}
	r.back(empty)
	if n := r.figure("stale_sessions_expired"); n != 0 {
		t.Errorf("%d sessions have expired", n)
	}
	if err := writer.quit(); err != nil {
		t.Error(err)
	}
}

// drip reads a byte of each connection a few times a second.
func drip(list []*conn, done chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-time.After(200 * time.Millisecond):
		}
		for _, c := range list {
			_ = c.nc.SetReadDeadline(time.Now().Add(time.Second))
			if _, err := c.nc.Read(make([]byte, 1)); errors.Is(err, net.ErrClosed) {
				return
			}
		}
	}
}
