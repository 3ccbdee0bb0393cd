package crash

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"zk/jute"
)

// node is a znode as the model knows it.
type node struct {
	data              string
	version, aversion int32
	creates           int32 // children ever created: the next sequence number
	children          int32
	ephemeral         bool
}

// model is the subtree of one writer.
type model struct {
	root  string
	nodes map[string]*node
}

func newModel(root string) *model { return &model{root: root, nodes: map[string]*node{root: {}}} }

func (m *model) clone() *model {
	c := &model{root: m.root, nodes: make(map[string]*node, len(m.nodes))}
	for path, n := range m.nodes {
		copied := *n
		c.nodes[path] = &copied
	}
	return c
}

func parentOf(path string) string { return path[:strings.LastIndexByte(path, '/')] }

// put makes a node whose parent is there.
func (m *model) put(path string, n node) {
	m.nodes[path] = &n
	if up := m.nodes[parentOf(path)]; up != nil {
		up.creates++
		up.children++
	}
}

func (m *model) remove(path string) {
	delete(m.nodes, path)
	if up := m.nodes[parentOf(path)]; up != nil {
		up.children--
	}
}

// closeSession drops the ephemerals.
func (m *model) closeSession() {
	for path, n := range m.nodes {
		if n.ephemeral {
			m.remove(path)
		}
	}
}

// quota is what zookeeper_stats must say.
func (m *model) quota() (count, bytes int64) {
	for _, n := range m.nodes {
		count++
		bytes += int64(len(n.data))
	}
	return count, bytes
}

// dump is the subtree as lines, one a node.
func (m *model) dump(sid int64) []string {
	lines := make([]string, 0, len(m.nodes))
	for path, n := range m.nodes {
		owner := int64(0) // also of containers and TTL nodes: Stats don't show their marks
		if n.ephemeral {
			owner = sid
		}
		lines = append(lines, line(path, n.data, n.version, 2*n.creates-n.children, n.aversion, n.children, owner))
	}
	slices.Sort(lines)
	return lines
}

func line(path, data string, version, cversion, aversion, children int32, owner int64) string {
	return fmt.Sprintf("%s v=%d cv=%d av=%d children=%d owner=%x %d bytes %.20q", path, version, cversion, aversion, children, owner, len(data), data)
}

// op is one request and what it does to the model.
type op struct {
	code  jute.OpCode
	body  []byte
	reply jute.Code      // expected
	path  string         // expected in the reply of a create
	apply func(m *model) // nil: nothing
	fails bool           // a multi that is rolled back
}

var open = []jute.ACL{{Perms: jute.PermAll, ID: jute.ID{Scheme: "world", ID: "anyone"}}}

// generator makes requests that fit the model after everything sent.
type generator struct {
	rng *rand.Rand
	m   *model
	n   int
}

// next makes a request and applies it to the generator's model.
func (g *generator) next() op {
	g.n++
	o := g.pick()
	if o.apply != nil {
		o.apply(g.m)
	}
	return o
}

func (g *generator) pick() op {
	leaves := g.paths(func(_ string, n *node) bool { return n.children == 0 })
	k := g.rng.IntN(100)
	if len(g.m.nodes) > 60 && k < 50 {
		k = 85
	}
	switch {
	case k < 20:
		return g.create(jute.OpCreate, 0)
	case k < 26:
		return g.create(jute.OpCreate2, 0)
	case k < 34:
		return g.create(jute.OpCreate, jute.FlagSequential)
	case k < 40:
		return g.create(jute.OpCreate, jute.FlagEphemeral)
	case k < 44:
		return g.create(jute.OpCreate2, jute.FlagEphemeralSequential)
	case k < 48:
		return g.create(jute.OpCreateContainer, jute.FlagContainer)
	case k < 52:
		return g.create(jute.OpCreateTTL, jute.FlagTTL)
	case k < 72:
		return g.set(g.any(), -1)
	case k < 76:
		return g.setACL(g.any())
	case k < 88 && len(leaves) > 0:
		return g.delete(leaves[g.rng.IntN(len(leaves))])
	case k < 95:
		return g.multi()
	}
	return g.failing()
}

// paths are nodes below the root, in an order that only the seed tells.
func (g *generator) paths(want func(path string, n *node) bool) []string {
	var found []string
	for path, n := range g.m.nodes {
		if path != g.m.root && want(path, n) {
			found = append(found, path)
		}
	}
	slices.Sort(found)
	return found
}

func (g *generator) any() string {
	all := g.paths(func(string, *node) bool { return true })
	if len(all) == 0 {
		return g.m.root
	}
	return all[g.rng.IntN(len(all))]
}

// parent is where a create goes: not below ephemerals, not too deep.
func (g *generator) parent() string {
	fit := g.paths(func(path string, n *node) bool { return !n.ephemeral && strings.Count(path, "/") < 4 })
	if len(fit) == 0 || g.rng.IntN(3) == 0 {
		return g.m.root
	}
	return fit[g.rng.IntN(len(fit))]
}

func (g *generator) data() string {
	switch g.rng.IntN(20) {
	case 0:
		return strings.Repeat(string(rune('a'+g.n%26)), 700)
	case 1:
		return strings.Repeat(string(rune('a'+g.n%26)), 20_000)
	}
	return fmt.Sprintf("data %d", g.n)
}

const ttlMillis = 24 * 3600 * 1000

func (g *generator) create(code jute.OpCode, flags int32) op {
	path := fmt.Sprintf("%s/n%d", g.parent(), g.n)
	data := g.data()
	r := jute.CreateRequest{Path: path, Data: []byte(data), ACL: open, Flags: flags}
	n := node{data: data}
	switch flags {
	case jute.FlagEphemeral, jute.FlagEphemeralSequential:
		n.ephemeral = true
	case jute.FlagTTL:
		r.TTL = ttlMillis
	}
	if flags == jute.FlagSequential || flags == jute.FlagEphemeralSequential {
		path = fmt.Sprintf("%s%010d", path, g.m.nodes[parentOf(path)].creates)
	}
	return op{code: code, body: r.Append(nil, code), path: path, apply: func(m *model) { m.put(path, n) }}
}

func (g *generator) set(path string, version int32) op {
	data := g.data()
	r := jute.SetDataRequest{Path: path, Data: []byte(data), Version: version}
	return op{code: jute.OpSetData, body: r.Append(nil), apply: func(m *model) {
		m.nodes[path].data = data
		m.nodes[path].version++
	}}
}

func (g *generator) setACL(path string) op {
	acl := append(slices.Clone(open), jute.ACL{Perms: jute.PermRead, ID: jute.ID{Scheme: "ip", ID: fmt.Sprintf("10.0.0.%d", g.n%200)}})
	r := jute.SetACLRequest{Path: path, ACL: acl, Version: -1}
	return op{code: jute.OpSetACL, body: r.Append(nil), apply: func(m *model) { m.nodes[path].aversion++ }}
}

func (g *generator) delete(path string) op {
	r := jute.PathVersionRequest{Path: path, Version: -1}
	return op{code: jute.OpDelete, body: r.Append(nil), apply: func(m *model) { m.remove(path) }}
}

// multi makes a node, writes it and another, and checks one; every third fails at its last part.
func (g *generator) multi() op {
	made := g.create(jute.OpCreate, 0)
	set := g.set(made.path, 0)
	other := g.set(g.any(), -1)
	version := int32(1)
	if g.n%3 == 0 {
		version = 7
	}
	check := jute.PathVersionRequest{Path: made.path, Version: version}
	o := op{code: jute.OpMulti, fails: version == 7}
	for _, p := range []op{made, set, other, {code: jute.OpCheck, body: check.Append(nil)}} {
		o.body = append(jute.MultiHeader{Type: p.code, Err: -1}.Append(o.body), p.body...)
	}
	o.body = jute.MultiEnd.Append(o.body)
	if !o.fails {
		o.apply = func(m *model) {
			made.apply(m)
			set.apply(m)
			other.apply(m)
		}
	}
	return o
}

// failing is a request that changes nothing, but takes its place in the log.
func (g *generator) failing() op {
	path := g.any()
	var o op
	switch g.n % 3 {
	case 0:
		o = g.set(path, g.m.nodes[path].version+1)
		o.reply = jute.CodeBadVersion
	case 1:
		r := jute.CreateRequest{Path: path, ACL: open}
		o = op{code: jute.OpCreate, body: r.Append(nil, jute.OpCreate), reply: jute.CodeNodeExists}
	default:
		o = g.delete(path + "/none")
		o.reply = jute.CodeNoNode
	}
	o.apply, o.path = nil, ""
	return o
}
