package harness

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"zk/jute"
)

// Node is a znode as a client sees it.
type Node struct {
	Data []byte // nil is another value than an empty one
	Stat jute.Stat
	ACL  []jute.ACL
}

func (n Node) String() string {
	if n.Data == nil {
		return fmt.Sprintf("null %+v %v", n.Stat, n.ACL)
	}
	return fmt.Sprintf("%q %+v %v", n.Data, n.Stat, n.ACL)
}

// Equal tells whether two servers show the same znode.
func (n Node) Equal(m Node) bool {
	return bytes.Equal(n.Data, m.Data) && (n.Data == nil) == (m.Data == nil) && n.Stat == m.Stat && slices.Equal(n.ACL, m.ACL)
}

// Differences are the first znodes, by their paths, in which two trees differ; none when they are the same.
func Differences(a, b map[string]Node) (lines []string) {
	const most = 10
	for path, n := range a {
		if m, ok := b[path]; !ok {
			lines = append(lines, fmt.Sprintf("%s is in the first tree alone: %v", path, n))
		} else if !n.Equal(m) {
			lines = append(lines, fmt.Sprintf("%s is %v in the first tree and %v in the second", path, n, m))
		}
	}
	for path, m := range b {
		if _, ok := a[path]; !ok {
			lines = append(lines, fmt.Sprintf("%s is in the second tree alone: %v", path, m))
		}
	}
	slices.Sort(lines)
	if len(lines) > most {
		lines = append(lines[:most], fmt.Sprintf("%d others", len(lines)-most))
	}
	return lines
}

// Part says which of a server's znodes are read, and of which the ACL too: it costs more than all the rest, since
// only one can be asked for at a time. A nil function is yes for all.
type Part struct{ Node, ACL func(path string) bool }

// ReadTree reads the znodes of a part through one server, after a sync; what lies below one that is left out is left
// out too. With the digest of the super user no ACL is in the way. What is deleted meanwhile is missing.
func ReadTree(addr, digest string, part Part) (map[string]Node, error) {
	b, err := OpenBulk(addr, digest)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	if err := b.Do([]Request{{jute.OpSync, jute.AppendString(nil, "/")}}, Succeeds); err != nil {
		return nil, fmt.Errorf("harness: sync through %s: %w", addr, err)
	}
	all := map[string]Node{}
	for level := []string{"/"}; len(level) > 0; {
		parents, err := b.readNodes(level, all)
		if err == nil {
			err = b.readACLs(level, part.ACL, all)
		}
		if err == nil {
			level, err = b.readChildren(parents, part.Node)
		}
		if err != nil {
			return nil, fmt.Errorf("harness: reading the tree through %s: %w", addr, err)
		}
	}
	return all, nil
}

// readNodes reads data and Stat of some znodes, many in one request, and returns those that have children.
func (b *Bulk) readNodes(paths []string, all map[string]Node) (parents []string, err error) {
	const each = 100
	var requests []Request
	for some := range slices.Chunk(paths, each) {
		var body []byte
		for _, p := range some {
			read := jute.PathWatchRequest{Path: p}
			body = read.Append(jute.MultiHeader{Type: jute.OpGetData, Err: -1}.Append(body))
		}
		requests = append(requests, Request{jute.OpMultiRead, jute.MultiEnd.Append(body)})
	}
	err = b.Do(requests, func(i int, code jute.Code, body []byte) error {
		if err := Succeeds(i, code, body); err != nil {
			return err
		}
		d := jute.NewDecoder(body, 0)
		for _, path := range paths[i*each : min((i+1)*each, len(paths))] {
			var h jute.MultiHeader
			h.Decode(&d)
			if h.Type == jute.OpError && d.Err() == nil {
				if code := jute.Code(d.Int32()); code != jute.CodeNoNode {
					return fmt.Errorf("%s: %w", path, code)
				}
				continue
			}
			n := Node{Data: d.Buffer()}
			n.Stat.Decode(&d)
			if n.Stat.NumChildren > 0 {
				parents = append(parents, path)
			}
			all[path] = n
		}
		return d.Err()
	})
	return parents, err
}

// readACLs reads the ACLs of some znodes.
func (b *Bulk) readACLs(paths []string, which func(string) bool, all map[string]Node) error {
	var some []string
	var requests []Request
	for _, p := range paths {
		if which == nil || which(p) {
			some = append(some, p)
			requests = append(requests, Request{jute.OpGetACL, jute.AppendString(nil, p)})
		}
	}
	return b.Do(requests, func(i int, code jute.Code, body []byte) error {
		n, ok := all[some[i]]
		switch {
		case !ok, code == jute.CodeNoNode:
			delete(all, some[i])
			return nil
		case code != 0:
			return fmt.Errorf("%s: %w", some[i], code)
		}
		d := jute.NewDecoder(body, 0)
		n.ACL = d.ACLs()
		all[some[i]] = n
		return d.Err()
	})
}

// readChildren returns the paths of the children of some znodes.
func (b *Bulk) readChildren(parents []string, which func(string) bool) (children []string, err error) {
	var requests []Request
	for _, p := range parents {
		read := jute.PathWatchRequest{Path: p}
		requests = append(requests, Request{jute.OpGetChildren, read.Append(nil)})
	}
	err = b.Do(requests, func(i int, code jute.Code, body []byte) error {
		switch code {
		case 0:
		case jute.CodeNoNode:
			return nil
		default:
			return fmt.Errorf("%s: %w", parents[i], code)
		}
		d := jute.NewDecoder(body, 0)
		for _, name := range d.Strings() {
			if path := strings.TrimSuffix(parents[i], "/") + "/" + name; which == nil || which(path) {
				children = append(children, path)
			}
		}
		return d.Err()
	})
	return children, err
}
