package embed_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"zk/jute"
)

// TestWatchStress: one writer changes nodes as fast as it can; readers watch them, each with reads of
// other kinds pipelined between. No watch stays silent, and no reply shows a change before the event that
// tells of it.
func TestWatchStress(t *testing.T) {
	r := start(t)
	w := r.connect()
	const nodes = 4
	for i := range nodes {
		w.ok(jute.OpCreate, create(fmt.Sprintf("/d%d", i), "", 0))
	}
	w.fill("/wide", 1100)
	var last atomic.Int64 // version after the last write; 0 while it is not known
	written := make(chan struct{})
	go func() {
		defer close(written)
		end := time.Now().Add(2 * time.Second)
		round := int32(1)
		write := func() bool {
			for i := range nodes {
				if _, err := w.try(jute.OpSetData, setData(fmt.Sprintf("/d%d", i), "x", -1)); err != nil {
					t.Error(err)
					return false
				}
			}
			// One child more in an odd round, one less in an even one.
			body, op := create("/wide/new", "", 0), jute.OpCreate
			if round%2 == 0 {
				body, op = remove("/wide/new"), jute.OpDelete
			}
			if rep, err := w.try(op, body); err != nil || rep.Err != jute.CodeOk {
				t.Error(rep.Err, err)
				return false
			}
			round++
			return true
		}
		for time.Now().Before(end) {
			if !write() {
				return
			}
		}
		last.Store(int64(round)) // what one more round makes of it
		write()
	}()
	together(12, func(k int) {
		c := r.connect()
		if k%3 == 2 {
			watchChildren(t, c, &last)
		} else {
			watchNode(t, c, []jute.OpCode{jute.OpGetData, jute.OpExists}[k%3], fmt.Sprintf("/d%d", k%nodes), &last)
		}
	})
	<-written
}

// watchNode watches a node until it has seen its last version.
func watchNode(t *testing.T, c *client, op jute.OpCode, path string, last *atomic.Int64) {
	version := func(rep reply) int64 {
		d := jute.NewDecoder(rep.body, 1<<20)
		if op == jute.OpGetData {
			d.Buffer()
		}
		var st jute.Stat
		st.Decode(&d)
		return int64(st.Version)
	}
	events := 0
	for {
		// The first read sets the watch; the others must not show more than it before an event.
		b := c.request(op, read(path, true))
		for range 3 {
			b = append(b, c.request(op, read(path, false))...)
		}
		_, _ = c.nc.Write(b)
		armed := int64(-1)
		for range 4 {
			rep, err := c.recv()
			if err != nil || rep.Err != jute.CodeOk {
				t.Error(path, rep.Err, err)
				return
			}
			v := version(rep)
			switch {
			case armed < 0:
				if len(c.events) > 0 {
					t.Errorf("%s: event %v ahead of the reply that sets its watch", path, c.events[0])
					return
				}
				armed = v
			case v > armed && len(c.events) == 0:
				t.Errorf("%s: version %d shown before the event, watched since %d", path, v, armed)
				return
			}
		}
		if n := last.Load(); n > 0 && armed >= n {
			if events == 0 {
				t.Error(path, "no events at all")
			}
			return
		}
		if ev, err := c.awaitEvent(); err != nil || ev != (event{jute.EventNodeDataChanged, path}) {
			t.Errorf("%s: silent since version %d: %v %v", path, armed, ev, err)
			return
		}
		events++
		if len(c.events) > 0 {
			t.Errorf("%s: a second event %v", path, c.events)
			return
		}
	}
}

// watchChildren does the same for a node with so many children that they are listed in steps.
func watchChildren(t *testing.T, c *client, last *atomic.Int64) {
	for {
		rep, err := c.try(jute.OpGetChildren2, read("/wide", true))
		if err != nil || rep.Err != jute.CodeOk || len(c.events) > 0 {
			t.Error(rep.Err, err, c.events)
			return
		}
		d := jute.NewDecoder(rep.body, 1<<20)
		names := d.Strings()
		var st jute.Stat
		st.Decode(&d)
		if len(names) != int(st.NumChildren) {
			t.Errorf("%d children, the stat says %d", len(names), st.NumChildren)
		}
		// 1100 creates, then one change a round; creates and deletes both count.
		changes := int64(st.Cversion) - 1100
		if n := last.Load(); n > 0 && changes >= n {
			return
		}
		if ev, err := c.awaitEvent(); err != nil || ev != (event{jute.EventNodeChildrenChanged, "/wide"}) {
			t.Errorf("silent since change %d: %v %v", changes, ev, err)
			return
		}
	}
}

// TestReadYourWrites pipelines reads of every kind behind writes: each shows the writes in front of it and
// none behind it.
func TestReadYourWrites(t *testing.T) {
	r := start(t)
	setup := r.connect()
	setup.fill("/wide", 1200)
	together(4, func(k int) {
		c := r.connect()
		dir := fmt.Sprintf("/wide/n%06d", k)
		var out []byte
		add := func(op jute.OpCode, body []byte) { out = append(out, c.request(op, body)...) }
		const rounds = 40
		for i := range rounds {
			add(jute.OpCreate, create(fmt.Sprintf("%s/c%d", dir, i), "", 0))
			add(jute.OpGetAllChildrenNumber, onePath(dir))
			add(jute.OpSetData, setData(dir, fmt.Sprint(i), int32(i)))
			add(jute.OpGetData, read(dir, false))
			add(jute.OpGetChildren, read("/wide", false))
			mr := append(jute.MultiHeader{Type: jute.OpGetData, Err: -1}.Append(nil), read(dir, false)...)
			add(jute.OpMultiRead, jute.MultiEnd.Append(mr))
			add(jute.OpGetChildren2, read(dir, false))
			w := jute.SetWatchesRequest{RelativeZxid: 1 << 40, Data: []string{dir}, Exist: []string{fmt.Sprintf("%s/c%d", dir, i+1)}, Child: []string{}}
			add(jute.OpSetWatches, w.Append(nil, jute.OpSetWatches))
		}
		go func() { _, _ = c.nc.Write(out) }()
		next := func(i int) *jute.Decoder {
			rep, err := c.recv()
			if err != nil || rep.Err != jute.CodeOk {
				t.Errorf("round %d: %+v %v", i, rep.ReplyHeader, err)
				return nil
			}
			d := jute.NewDecoder(rep.body, 1<<20)
			return &d
		}
		for i := range rounds {
			c.events = nil
			var got [8]*jute.Decoder
			for n := range got {
				if got[n] = next(i); got[n] == nil {
					return
				}
			}
			if n := int(got[1].Int32()); n != i+1 {
				t.Errorf("round %d: %d below %s", i, n, dir)
			}
			if b := string(got[3].Buffer()); b != fmt.Sprint(i) {
				t.Errorf("round %d: data %q", i, b)
			}
			if n := len(got[4].Strings()); n != 1200 {
				t.Errorf("round %d: %d wide", i, n)
			}
			var h jute.MultiHeader
			h.Decode(got[5])
			if b := string(got[5].Buffer()); b != fmt.Sprint(i) {
				t.Errorf("round %d: multiRead %q", i, b)
			}
			if n := len(got[6].Strings()); n != i+1 {
				t.Errorf("round %d: %d children", i, n)
			}
			// The watches of the round before told of this round's create and set.
			want := 2
			if i == 0 {
				want = 0
			}
			if len(c.events) != want {
				t.Errorf("round %d: events %v", i, c.events)
			}
		}
	})
}
