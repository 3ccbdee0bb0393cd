package embed_test

import (
	"fmt"
	"testing"

	"zk/jute"
)

// TestLongListWatch: a list of children that takes several steps registers its watch with its reply. If
// it did so earlier, an event could go ahead of the reply, and clients drop an event of a watch they
// don't have yet: the watch would stay silent for ever.
func TestLongListWatch(t *testing.T) {
	r := start(t)
	w, c := r.connect(), r.connect()
	w.fill("/a", 5000)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := w.try(jute.OpCreate, create(fmt.Sprintf("/a/w%d", i), "", 0)); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for range 150 {
		c.ok(jute.OpGetChildren, read("/a", true))
		if len(c.events) > 0 {
			t.Fatalf("event %+v ahead of the reply that sets the watch", c.events[0])
		}
		ev, err := c.awaitEvent()
		if err != nil || ev != (event{jute.EventNodeChildrenChanged, "/a"}) {
			t.Fatal(ev, err)
		}
	}
	close(stop)
	<-done
}

// TestZxidsBehindLongRead: writes that were applied while a long read ran get their replies after it,
// and the reads between them must not say a later zxid.
func TestZxidsBehindLongRead(t *testing.T) {
	r := start(t)
	c := r.connect()
	c.fill("/a", 20000)
	for range 8 {
		var b []byte
		n := 0
		add := func(op jute.OpCode, body []byte) {
			b = append(b, c.request(op, body)...)
			n++
		}
		first := c.xid + 1
		for range 5 {
			add(jute.OpSetData, setData("/a", "x", -1))
			add(jute.OpGetAllChildrenNumber, onePath("/"))
			add(jute.OpExists, read("/a", false))
			add(jute.OpGetChildren, read("/a", false))
			add(jute.OpExists, read("/a", false))
		}
		if _, err := c.nc.Write(b); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			rep, err := c.recv()
			if err != nil {
				t.Fatal(err)
			}
			if rep.Err != jute.CodeOk || rep.Xid != first+int32(i) {
				t.Fatalf("reply %d: %+v", i, rep.ReplyHeader)
			}
		}
	}
}

// TestCloseBehindLongRead: the end of a session waits for its turn like every other request.
func TestCloseBehindLongRead(t *testing.T) {
	r := start(t)
	c := r.connect()
	c.fill("/a", 20000)
	for range 20 {
		d := r.connect()
		b := d.request(jute.OpSetData, setData("/a", "x", -1))
		b = append(b, d.request(jute.OpGetAllChildrenNumber, onePath("/"))...)
		b = append(b, d.request(jute.OpGetChildren, read("/a", false))...)
		b = append(b, d.request(jute.OpCloseSession, nil)...)
		if _, err := d.nc.Write(b); err != nil {
			t.Fatal(err)
		}
		for xid := int32(1); xid <= 4; xid++ {
			if rep, err := d.recv(); err != nil || rep.Xid != xid || rep.Err != jute.CodeOk {
				t.Fatalf("reply %d: %+v, %v", xid, rep.ReplyHeader, err)
			}
		}
		if err := d.gone(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestManyEphemerals: a session with very many ephemerals lists them in steps, at once or behind a write,
// while others come and go.
func TestManyEphemerals(t *testing.T) {
	r := start(t)
	c, other := r.connect(), r.connect()
	const n = 5000
	for i := 0; i < n; {
		var parts []part
		for ; i < n && len(parts) < 500; i++ {
			parts = append(parts, part{jute.OpCreate, create(fmt.Sprintf("/e%05d", i), "", jute.FlagEphemeral)})
		}
		c.ok(jute.OpMulti, multi(parts...))
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			_, err := other.try(jute.OpDelete, remove(fmt.Sprintf("/e%05d", i%1000)))
			if err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for i := range 30 {
		b := c.request(jute.OpGetEphemerals, onePath("/e04"))
		b = append(b, c.request(jute.OpCreate, create(fmt.Sprintf("/e04new%d", i), "", jute.FlagEphemeral))...)
		b = append(b, c.request(jute.OpGetEphemerals, onePath("/e04"))...)
		if _, err := c.nc.Write(b); err != nil {
			t.Fatal(err)
		}
		for k := range 3 {
			rep, err := c.recv()
			if err != nil || rep.Err != jute.CodeOk {
				t.Fatal(rep.Err, err)
			}
			if k == 1 {
				continue
			}
			d := jute.NewDecoder(rep.body, 1<<20)
			if got, want := len(d.Strings()), 1000+i+k/2; got != want {
				t.Fatalf("round %d: %d ephemerals, want %d", i, got, want)
			}
		}
	}
	r.word("dump")
	close(stop)
	<-done
}

// TestManyListsBehindWrite: lists that are short each, but many, get their replies all the same.
func TestManyListsBehindWrite(t *testing.T) {
	r := start(t)
	c := r.connect()
	c.ok(jute.OpCreate, create("/a", "", 0))
	for i := range 900 {
		c.ok(jute.OpCreate, create(fmt.Sprintf("/a/%0100d", i), "", 0))
	}
	b := c.request(jute.OpSetData, setData("/a", "x", -1))
	const lists = 500
	for range lists {
		b = append(b, c.request(jute.OpGetChildren, read("/a", false))...)
	}
	go func() { _, _ = c.nc.Write(b) }()
	for range lists + 1 {
		if rep, err := c.recv(); err != nil || rep.Err != jute.CodeOk {
			t.Fatal(rep.ReplyHeader, err)
		}
	}
}

// TestUnknownOpHasItsTurn: the answer that ends a connection comes after those that are on their way, or
// a client would learn nothing of writes that were done.
func TestUnknownOpHasItsTurn(t *testing.T) {
	r := start(t)
	for range 20 {
		c := r.connect()
		first := c.xid + 1
		var b []byte
		for i := range 10 {
			b = append(b, c.request(jute.OpCreate, create(fmt.Sprintf("/%d-%d", first, i), "x", jute.FlagSequential))...)
		}
		b = append(b, c.request(jute.OpCheck, onePath("/"))...)
		if _, err := c.nc.Write(b); err != nil {
			t.Fatal(err)
		}
		for i := range int32(11) {
			rep, err := c.recv()
			want := jute.CodeOk
			if i == 10 {
				want = jute.CodeUnimplemented
			}
			if err != nil || rep.Xid != first+i || rep.Err != want {
				t.Fatalf("reply %d: %+v, %v", i, rep.ReplyHeader, err)
			}
		}
		if err := c.gone(); err != nil {
			t.Fatal(err)
		}
	}
}
