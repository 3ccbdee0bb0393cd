package embed_test

import (
	"fmt"
	"strings"
	"testing"

	"zk/jute"
)

// reads encodes a multiRead.
func reads(parts ...part) []byte {
	var b []byte
	for _, p := range parts {
		b = append(jute.MultiHeader{Type: p.op, Err: -1}.Append(b), p.body...)
	}
	return jute.MultiEnd.Append(b)
}

// TestMultiReadIsOneMoment: a multiRead shows both nodes that a multi changes together, or neither, though
// one of them would do between its parts.
func TestMultiReadIsOneMoment(t *testing.T) {
	r := start(t)
	w := r.connect()
	const nodes = 50
	var names []string
	for i := range nodes {
		names = append(names, fmt.Sprintf("/n%02d", i))
		w.ok(jute.OpCreate, create(names[i], "0", 0))
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 400 {
			var parts []part
			for _, n := range names {
				parts = append(parts, part{jute.OpSetData, setData(n, fmt.Sprint(i), -1)})
			}
			if rep, err := w.try(jute.OpMulti, multi(parts...)); err != nil || rep.Err != jute.CodeOk {
				t.Error(rep.Err, err)
				return
			}
		}
	}()
	c := r.connect()
	var parts []part
	for _, n := range names {
		parts = append(parts, part{jute.OpGetData, read(n, false)})
	}
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		d := c.ok(jute.OpMultiRead, reads(parts...))
		seen := map[string]bool{}
		for range names {
			var h jute.MultiHeader
			h.Decode(d)
			seen[string(d.Buffer())] = true
			var st jute.Stat
			st.Decode(d)
		}
		if len(seen) != 1 || d.Err() != nil {
			t.Fatal("from several moments:", seen, d.Err())
		}
	}
}

// TestWideMultiRead: lists of very many children in a multiRead, and one that is too long.
func TestWideMultiRead(t *testing.T) {
	r := start(t)
	c := r.connect()
	c.fill("/wide", 3000)
	d := c.ok(jute.OpMultiRead, reads(part{jute.OpGetData, read("/", false)}, part{jute.OpGetChildren, read("/wide", false)},
		part{jute.OpGetChildren, read("/none", false)}, part{jute.OpGetChildren, read("/", false)}))
	var h jute.MultiHeader
	h.Decode(d)
	d.Buffer()
	var st jute.Stat
	st.Decode(d)
	h.Decode(d)
	if n := len(d.Strings()); n != 3000 {
		t.Error(n, "children")
	}
	h.Decode(d)
	if code := jute.Code(d.Int32()); h.Type != jute.OpError || code != jute.CodeNoNode {
		t.Error(h, code)
	}
	h.Decode(d)
	if got := strings.Join(d.Strings(), " "); got != "wide zookeeper" && got != "zookeeper wide" {
		t.Error(got)
	}
	if h.Decode(d); !h.Done || d.Err() != nil || d.Remaining() != 0 {
		t.Error(h, d.Err(), d.Remaining())
	}
	var many []part
	for range 2500 { // some 75 MB of names
		many = append(many, part{jute.OpGetChildren, read("/wide", false)})
	}
	c.send(jute.OpMultiRead, reads(many...))
	if err := c.gone(); err != nil {
		t.Fatal(err)
	}
	r.connect().ok(jute.OpSync, onePath("/"))
}
