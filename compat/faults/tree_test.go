package faults

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"zk/compat/harness"
	"zk/jute"
)

// readTree reads what lies below the root of a round on one server, and the way there, after a sync.
func (d *round) readTree(addr string) (map[string]harness.Node, error) {
	root := d.world.Root
	return harness.ReadTree(addr, "", harness.Part{
		Node: func(path string) bool {
			return path == "/" || strings.HasPrefix(root+"/", path+"/") || strings.HasPrefix(path, root+"/")
		},
		ACL: func(string) bool { return false },
	})
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
		var first map[string]harness.Node
		for _, s := range d.r.e.Servers {
			tree, err := d.readTree(s.Addr)
			if err != nil {
				return fmt.Errorf("%s: %w", server(s), err)
			}
			if err := d.ephemerals(tree); err != nil {
				return fmt.Errorf("%s: %w", server(s), err)
			}
			if first == nil {
				first = tree
			}
			if lines := harness.Differences(first, tree); len(lines) > 0 {
				return fmt.Errorf("%s: %s", server(s), strings.Join(lines, "\n"))
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
func (d *round) ephemerals(tree map[string]harness.Node) error {
	live := d.sessions()
	own := 0
	for path, n := range tree {
		if n.Stat.EphemeralOwner == 0 {
			continue
		}
		client, ok := live[jute.SessionID(n.Stat.EphemeralOwner)]
		if !ok {
			return fmt.Errorf("%s is of the session %#x, which is over", path, n.Stat.EphemeralOwner)
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

// gone checks that the ephemerals of sessions that were closed are gone everywhere, now.
func (d *round) gone(closed map[jute.SessionID]int) {
	d.t.Helper()
	for _, s := range d.r.e.Servers {
		tree, err := d.readTree(s.Addr)
		d.r.must(err)
		for path, n := range tree {
			if _, ok := closed[jute.SessionID(n.Stat.EphemeralOwner)]; ok {
				d.t.Errorf("%s: %s is there, and its session %#x is closed", server(s), path, n.Stat.EphemeralOwner)
			}
		}
	}
}

// pad makes enough writes for every server to note some digests.
func (d *round) pad() error {
	b, err := harness.OpenBulk(d.r.leader().Addr, "")
	if err != nil {
		return err
	}
	defer b.Close()
	q := jute.SetDataRequest{Path: d.world.Root, Data: []byte("pad"), Version: -1}
	return b.Do(slices.Repeat([]harness.Request{{Op: jute.OpSetData, Body: q.Append(nil)}}, 300), harness.Succeeds)
}
