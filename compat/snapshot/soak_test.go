package snapshot

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"zk/compat/control"
	"zk/compat/harness"
	"zk/jute"
	"zk/persistence/javafile"
)

const (
	soakNodes = 1_000_000
	// soakGrowthBytes is what streaming a snapshot may add to the server's memory, whatever the tree's size:
	// caches of the disk's blocks, buffers, garbage of the writes beside it.
	soakGrowthBytes = 96 << 20
)

// TestSoakLarge streams snapshots of a tree of a million nodes while a client writes, for as long as it
// is told: writes go on, memory does not grow with the tree, and each snapshot is whole.
func TestSoakLarge(t *testing.T) {
	control.Need(t)
	end := time.Now().Add(control.Soak(t))
	r := start(t, harness.Ours)
	r.fillMany()
	before := r.rss()
	var writes atomic.Int64
	var stop atomic.Bool
	done := make(chan struct{})
	go func() { // ends with stop
		defer close(done)
		r.keepWriting(&stop, &writes)
	}()
	rounds := 0
	for ; rounds == 0 || time.Now().Before(end); rounds++ {
		was := writes.Load()
		nodes, peak := r.streamMany()
		if nodes < soakNodes {
			t.Errorf("round %d: a snapshot of %d nodes", rounds, nodes)
		}
		if writes.Load() == was {
			t.Errorf("round %d: no write during the snapshot", rounds)
		}
		if peak-before > soakGrowthBytes {
			t.Errorf("round %d: %d MiB during the snapshot, %d before", rounds, peak>>20, before>>20)
		}
		t.Logf("round %d: %d nodes, %d writes meanwhile, %d MiB, %d before", rounds, nodes, writes.Load()-was, peak>>20, before>>20)
	}
	stop.Store(true)
	<-done
}

// fillMany creates the nodes, a thousand in each transaction.
func (r *rig) fillMany() {
	r.t.Helper()
	s := r.connect(nil)
	open := []jute.ACL{{Perms: jute.PermAll, ID: jute.ID{Scheme: "world", ID: "anyone"}}}
	data := bytes.Repeat([]byte("d"), 100)
	call := func(op jute.OpCode, body []byte) {
		r.t.Helper()
		if err := s.conn.Send(1, op, body); err != nil {
			r.t.Fatal(err)
		}
		b, err := s.conn.ReadFrame(patience)
		if err != nil {
			r.t.Fatal(err)
		}
		var h jute.ReplyHeader
		d := jute.NewDecoder(b, 0)
		if h.Decode(&d); h.Err != jute.CodeOk {
			r.t.Fatalf("%v: %v", op, h.Err)
		}
	}
	const each = 1000
	for i := range soakNodes / each {
		parent := jute.CreateRequest{Path: fmt.Sprintf("/p%04d", i), ACL: open}
		body := append(jute.MultiHeader{Type: jute.OpCreate, Err: -1}.Append(nil), parent.Append(nil, jute.OpCreate)...)
		for n := range each {
			c := jute.CreateRequest{Path: fmt.Sprintf("%s/n%03d", parent.Path, n), Data: data, ACL: open}
			body = append(jute.MultiHeader{Type: jute.OpCreate, Err: -1}.Append(body), c.Append(nil, jute.OpCreate)...)
		}
		call(jute.OpMulti, jute.MultiEnd.Append(body))
	}
}

// keepWriting sets data until stop, one request after another.
func (r *rig) keepWriting(stop *atomic.Bool, writes *atomic.Int64) {
	s := r.connect(nil)
	for i := 0; !stop.Load(); i++ {
		w := jute.SetDataRequest{Path: fmt.Sprintf("/p%04d/n%03d", i*7%1000, i%1000), Data: []byte(strings.Repeat("w", i%500)), Version: -1}
		err := s.conn.Send(1, jute.OpSetData, w.Append(nil))
		if err == nil {
			_, err = s.conn.ReadFrame(patience)
		}
		if err != nil {
			r.t.Error("writing:", err)
			return
		}
		writes.Add(1)
	}
}

// streamMany reads a snapshot as it comes, and watches the server's memory.
func (r *rig) streamMany() (nodes int, peak int64) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.admin+"snapshot", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "digest super:test")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(resp.Body)
		r.t.Fatalf("snapshot: %s\n%s", resp.Status, b)
	}
	_, err = javafile.ReadSnapshot(bufio.NewReader(resp.Body), javafile.ReadOptions{Name: "stream"}, javafile.Visitor{
		Session: func(*jute.SnapshotSession) error { return nil },
		ACL:     func(*jute.SnapshotACL) error { return nil },
		Node: func(*jute.SnapshotNode) error {
			if nodes++; nodes%20_000 == 0 {
				peak = max(peak, r.rss())
			}
			return nil
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return nodes, peak
}

// rss is the server's resident memory in bytes.
func (r *rig) rss() int64 {
	r.t.Helper()
	now, _, err := r.RSS()
	if err != nil {
		r.t.Skip("the system does not tell what a process takes:", err)
	}
	return now
}
