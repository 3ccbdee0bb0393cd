package embed_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"zk/jute"
	"zk/server"
)

// TestEventBesideLongList: a list of more bytes than the bound of unread events may wait to be read, and an event
// behind it, without costing the connection.
func TestEventBesideLongList(t *testing.T) { bothWays(t, testEventBesideLongList) }

func testEventBesideLongList(t *testing.T, start starter) {
	r := start(t, "maxSessionTimeout=600000")
	w, slow := r.connectFor(600_000), r.connectFor(600_000)
	w.ok(jute.OpCreate, create("/wide", "", 0))
	const nameBytes, together = 4000, 200
	const children = (server.OutputHardBytes + 4<<20) / nameBytes / together * together // the socket takes some
	filler := strings.Repeat("n", nameBytes-5)
	for i := 0; i < children; {
		var parts []part
		for ; len(parts) < together; i++ {
			parts = append(parts, part{jute.OpCreate, create(fmt.Sprintf("/wide/%05d%s", i, filler), "", 0)})
		}
		w.ok(jute.OpMulti, multi(parts...))
	}
	slow.send(jute.OpGetChildren, read("/wide", true))
	await(t, "the list", func() bool { return r.figures()["watch_count"] == "1" }) // the watch comes with the reply
	w.ok(jute.OpDelete, remove("/wide/00000"+filler))
	w.ok(jute.OpCreate, create("/wide/more", "", 0)) // no watch is left
	rep, err := slow.recv()
	if err != nil {
		t.Fatal("the list:", err)
	}
	d := jute.NewDecoder(rep.body, len(rep.body))
	if names := d.Strings(); d.Err() != nil || len(names) != children {
		t.Errorf("%d names: %v", len(names), d.Err())
	}
	if ev, err := slow.awaitEvent(); err != nil || ev != (event{jute.EventNodeChildrenChanged, "/wide"}) {
		t.Error(ev, err)
	}
	slow.ok(jute.OpPing, nil)
}

// TestLongDataUnread: replies with much data that wait to be read show the node as it was when they were made,
// whatever is written to it meanwhile.
func TestLongDataUnread(t *testing.T) { bothWays(t, testLongDataUnread) }

func testLongDataUnread(t *testing.T, start starter) {
	r := start(t, "maxSessionTimeout=600000")
	w, slow := r.connectFor(600_000), r.connectFor(600_000)
	const bytesEach, versions, reads = 600_000, 20, 40
	data := func(version int) string { return strings.Repeat(string(rune('a'+version)), bytesEach+version) }
	w.ok(jute.OpCreate, create("/big", data(0), 0))
	var asked []byte
	for range reads {
		asked = append(asked, slow.request(jute.OpGetData, read("/big", false))...)
	}
	_, _ = slow.nc.Write(asked) // an error shows at the read
	done := make(chan struct{})
	go func() { // ends with the last version
		defer close(done)
		for v := 1; v <= versions; v++ {
			if _, err := w.try(jute.OpSetData, setData("/big", data(v), -1)); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for i := range reads {
		if i == 5 {
			<-done
		}
		rep, err := slow.recv()
		if err != nil {
			t.Fatal(err)
		}
		d := jute.NewDecoder(rep.body, len(rep.body))
		got := d.Buffer()
		var st jute.Stat
		if st.Decode(&d); d.Err() != nil {
			t.Fatal(d.Err())
		}
		if want := data(int(st.Version)); !bytes.Equal(got, []byte(want)) {
			t.Fatalf("reply %d: version %d with %d bytes, from %.1q to %.1q", i, st.Version, len(got), got[:1], got[len(got)-1:])
		}
		if i == reads-1 && st.Version != versions {
			t.Errorf("the last read shows version %d", st.Version)
		}
	}
}
