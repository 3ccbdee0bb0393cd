package load

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zk/compat/control"
	"zk/compat/harness"
	"zk/jute"
)

// TestWideReads: clients that list a node of very many children in a loop while children come and go,
// count all nodes, list very many ephemerals, watch everything, and ask for operators' longest words, hold
// nobody up. Each list is what the node had at one moment.
func TestWideReads(t *testing.T) {
	if alone(t) {
		return
	}
	wide, ephemerals := pick(t, 100_000, 1_000_000), pick(t, 10_000, 50_000)
	const timeout = 10 * time.Second
	r := start(t, "tickTime=500", "maxSessionTimeout=100000")
	p := r.startProbe(timeout)
	owner, err := connect(r.Addr, 100*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(owner.fill("/wide", wide, 0), owner.fill("/mine", ephemerals, jute.FlagEphemeral)); err != nil {
		t.Fatal(err)
	}
	empty, memory := r.base(), r.memory()
	p.mark()
	before := p.timed()

	session := func() *conn {
		c, err := connect(r.Addr, 100*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	lister, counter, churner, watcher := session(), session(), session(), session()
	lasts := max(4*time.Second, control.Long(t)/4)
	// One client that lists, and nothing else.
	p.mark()
	whole := 0
	for end := time.Now().Add(lasts); time.Now().Before(end) || whole < 5; whole++ {
		if err := lister.listWhole(); err != nil {
			t.Fatal(err)
		}
	}
	during := p.timed()
	t.Logf("one client: %d lists of %d; others: %v; before: %v", whole, wide, during, before)
	p.compare("one client that lists", before, during, loadSlack)

	p.mark()
	var over atomic.Bool
	var lists, words atomic.Int64
	var wg sync.WaitGroup
	run := func(f func() error) {
		wg.Go(func() {
			for !over.Load() {
				if err := f(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	run(func() error { lists.Add(1); return lister.listWhole() })
	run(func() error {
		_, err := counter.call(jute.OpGetAllChildrenNumber, jute.AppendString(nil, "/"))
		return err
	})
	run(func() error { _, err := owner.call(jute.OpGetEphemerals, jute.AppendString(nil, "/")); return err })
	run(func() error {
		for _, word := range []string{"dump", "wchp", "wchc", "cons", "mntr"} {
			if _, err := harness.FourLetter(r.Addr, word); err != nil {
				return fmt.Errorf("%s: %w", word, err)
			}
			words.Add(1)
		}
		return nil
	})
	n := 0
	run(func() error { n++; return churner.churn(n, wide) })
	if err := watcher.send(jute.OpAddWatch, addWatch("/", jute.AddWatchPersistentRecursive)); err != nil {
		t.Fatal(err)
	}
	wg.Go(func() { // ends when the connection is closed
		for {
			if _, err := watcher.frame(); err != nil {
				return
			}
		}
	})
	peak := 0
	for end := time.Now().Add(lasts); time.Now().Before(end) || lists.Load() < 5; time.Sleep(50 * time.Millisecond) {
		peak = max(peak, r.memory())
		if t.Failed() {
			break
		}
	}
	during = p.timed()
	over.Store(true)
	_ = watcher.nc.Close()
	wg.Wait()
	t.Logf("%d lists of %d, %d words, %d changes; at most %d MiB, before %d MiB; others: %v; before: %v; stops of apply: %d, the longest %d ms",
		lists.Load(), wide, words.Load(), n, peak, memory, during, before, r.figure("cnt_apply_stop_time_ms"), r.figure("max_apply_stop_time_ms"))
	p.compare("wide reads", before, during, hardSlack)
	if peak > memory+pick(t, 250, 600) {
		t.Errorf("%d MiB while listing, %d MiB before", peak, memory)
	}
	again, err := renew(r.Addr, watcher, time.Second)
	if err == nil {
		err = errors.Join(again.quit(), lister.quit(), counter.quit(), churner.quit())
	}
	if err != nil {
		t.Error(err)
	}
	r.back(empty)
	if err := owner.quit(); err != nil { // with all its ephemerals
		t.Error(err)
	}
	if n := r.figure("ephemerals_count"); n != 0 {
		t.Errorf("%d ephemerals are left", n)
	}
	if n := r.figure("stale_sessions_expired"); n != 0 {
		t.Errorf("%d sessions have expired", n)
	}
}

// listWhole lists the wide node and compares the list with the Stat in the same reply.
func (c *conn) listWhole() error {
	b, err := c.call(jute.OpGetChildren2, read("/wide", false))
	if err != nil {
		return err
	}
	d := jute.NewDecoder(b, len(b))
	names := d.Strings()
	var st jute.Stat
	if st.Decode(&d); d.Err() != nil {
		return d.Err()
	}
	there := make(map[string]bool, len(names))
	for _, n := range names {
		there[n] = true
	}
	if len(there) != int(st.NumChildren) || len(names) != len(there) {
		return fmt.Errorf("a list of %d names, %d of them different; the node has %d", len(names), len(there), st.NumChildren)
	}
	return nil
}

// churn takes some of the wide node's children away, and makes them again and another one.
func (c *conn) churn(n, wide int) error {
	var b []byte
	part := func(op jute.OpCode, body []byte) { b = append(jute.MultiHeader{Type: op, Err: -1}.Append(b), body...) }
	for k := range 20 {
		path := fmt.Sprintf("/wide/n%07d", (n*7919+k*104729)%wide)
		part(jute.OpDelete, remove(path))
		if k%2 == 0 {
			part(jute.OpCreate, create(path, strings.Repeat("y", k), 0))
		} else {
			part(jute.OpCreate, create(path+"+", "", 0))
			part(jute.OpDelete, remove(path+"+"))
			part(jute.OpCreate, create(path, "", 0))
		}
	}
	h := jute.MultiEnd.Append(b)
	_, err := c.call(jute.OpMulti, h)
	return err
}
