package faults

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"zk/compat/harness"
	"zk/jute"
)

// znode is what a client sees of a node.
type znode struct {
	data string
	stat jute.Stat
}

// readTree reads what lies below a path on one server, after a sync.
func readTree(addr, root string) (map[string]znode, error) {
	c, err := harness.Dial(addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	r, err := c.ConnectIn(patience, jute.ConnectRequest{TimeoutMillis: 30000, Passwd: make([]byte, 16), HasReadOnly: true})
	if err != nil {
		return nil, err
	}
	if r.SessionID == 0 {
		return nil, errors.New("no session")
	}
	t := &reader{conn: c, nodes: map[string]znode{}}
	if _, err := t.ask(jute.OpSync, jute.AppendString(nil, root)); err != nil {
		return nil, err
	}
	if err := t.read([]string{root}); err != nil {
		return nil, err
	}
	_, err = t.ask(jute.OpCloseSession, nil)
	return t.nodes, err
}

// reader reads a tree level by level, with the requests of many nodes on the way at once.
type reader struct {
	conn  *harness.RawConn
	xid   int32
	nodes map[string]znode
}

func (t *reader) ask(op jute.OpCode, body []byte) (*jute.Decoder, error) {
	t.xid++
	if err := t.conn.Send(t.xid, op, body); err != nil {
		return nil, err
	}
	return t.answer()
}

func (t *reader) answer() (*jute.Decoder, error) {
	b, err := t.conn.ReadFrame(patience)
	if err != nil {
		return nil, err
	}
	d := jute.NewDecoder(b, len(b))
	var h jute.ReplyHeader
	h.Decode(&d)
	if h.Err != jute.CodeOk {
		return nil, h.Err
	}
	return &d, d.Err()
}

func (t *reader) read(paths []string) error {
	const most = 500 // requests on the way
	for len(paths) > 0 {
		some := paths[:min(len(paths), most)]
		paths = paths[len(some):]
		var out []byte
		for _, p := range some {
			q := jute.PathWatchRequest{Path: p}
			out = append(out, harness.RequestFrame(t.xid+1, jute.OpGetData, q.Append(nil))...)
			out = append(out, harness.RequestFrame(t.xid+2, jute.OpGetChildren, q.Append(nil))...)
			t.xid += 2
		}
		if err := t.conn.Write(out); err != nil {
			return err
		}
		for _, p := range some {
			below, err := t.node(p)
			if err != nil {
				return fmt.Errorf("%s: %w", p, err)
			}
			paths = append(paths, below...)
		}
	}
	return nil
}

// node takes the two answers about a node. One that is gone by now is left out.
func (t *reader) node(path string) (below []string, err error) {
	d, err := t.answer()
	if err == nil {
		n := znode{data: string(d.Buffer())}
		n.stat.Decode(d)
		err = d.Err()
		t.nodes[path] = n
	}
	d, err2 := t.answer()
	if err2 == nil {
		for _, name := range d.Strings() {
			below = append(below, path+"/"+name)
		}
		err2 = d.Err()
	}
	for _, e := range []error{err, err2} {
		if e != nil && !errors.Is(e, jute.CodeNoNode) {
			return nil, e
		}
	}
	return below, nil
}

// eventually tries until it works. What is to come is the expiry of sessions; a difference that stays fails.
func (d *round) eventually(f func() error) {
	d.t.Helper()
	var err error
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
		if time.Now().After(end) {
			d.t.Fatal(err)
		}
	}
}

// compare reads the tree on every server while the clients do nothing: it has to be the same one, with the
// ephemerals of all sessions that live and no other. Then it looks at digests.
func (d *round) compare() {
	d.t.Helper()
	d.eventually(func() error {
		var first map[string]znode
		for _, s := range d.r.e.Servers {
			tree, err := readTree(s.Addr, d.world.Root)
			if err != nil {
				return fmt.Errorf("%s: %w", server(s), err)
			}
			if err := d.ephemerals(tree); err != nil {
				return fmt.Errorf("%s: %w", server(s), err)
			}
			if first == nil {
				first = tree
			}
			if !maps.Equal(first, tree) {
				return fmt.Errorf("%s: %s", server(s), difference(first, tree))
			}
		}
		return nil
	})
	d.r.must(d.pad())
	d.eventually(func() error {
		shared, err := d.r.e.SameDigests()
		if err == nil && shared == 0 {
			err = errors.New("no zxid whose digest all servers have noted")
		}
		return err
	})
	for _, s := range d.r.e.Servers {
		if n := s.Figure("digest_mismatches_count"); n != "0" {
			d.t.Errorf("%s: digest_mismatches_count %q", server(s), n)
		}
	}
}

// ephemerals checks that the sessions that live have theirs, and that there are no others.
func (d *round) ephemerals(tree map[string]znode) error {
	live := d.sessions()
	own := 0
	for path, n := range tree {
		if n.stat.EphemeralOwner == 0 {
			continue
		}
		client, ok := live[jute.SessionID(n.stat.EphemeralOwner)]
		if !ok {
			return fmt.Errorf("%s is of the session %#x, which is over", path, n.stat.EphemeralOwner)
		}
		if path == d.world.OwnPath(client) {
			own++
		}
	}
	if own != len(live) {
		return fmt.Errorf("%d of %d sessions have their ephemeral", own, len(live))
	}
	return nil
}

// difference names a node that differs.
func difference(a, b map[string]znode) string {
	for path, n := range a {
		if m, ok := b[path]; !ok || n != m {
			return fmt.Sprintf("%s is %+v here (%v), and elsewhere %+v", path, m, ok, n)
		}
	}
	for path := range b {
		if _, ok := a[path]; !ok {
			return path + " is here and not elsewhere"
		}
	}
	return "nothing"
}

// gone checks that the ephemerals of sessions that were closed are gone everywhere, now.
func (d *round) gone(closed map[jute.SessionID]int) {
	d.t.Helper()
	for _, s := range d.r.e.Servers {
		tree, err := readTree(s.Addr, d.world.Root)
		d.r.must(err)
		for path, n := range tree {
			if _, ok := closed[jute.SessionID(n.stat.EphemeralOwner)]; ok {
				d.t.Errorf("%s: %s is there, and its session %#x is closed", server(s), path, n.stat.EphemeralOwner)
			}
		}
	}
}

// pad makes enough writes for every server to note some digests.
func (d *round) pad() error {
	const writes = 300
	c, err := harness.Dial(d.r.leader().Addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.ConnectIn(patience, jute.ConnectRequest{TimeoutMillis: 30000, Passwd: make([]byte, 16), HasReadOnly: true}); err != nil {
		return err
	}
	t := &reader{conn: c}
	q := jute.SetDataRequest{Path: d.world.Root, Data: []byte("pad"), Version: -1}
	body := q.Append(nil)
	var out []byte
	for range writes {
		t.xid++
		out = append(out, harness.RequestFrame(t.xid, jute.OpSetData, body)...)
	}
	if err := c.Write(out); err != nil {
		return err
	}
	for range writes {
		if _, err := t.answer(); err != nil {
			return err
		}
	}
	_, err = t.ask(jute.OpCloseSession, nil)
	return err
}
