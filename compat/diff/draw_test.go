package diff

import (
	"slices"
	"strings"

	"zk/jute"
)

// The parts of operations that a generator draws.

// depthMax bounds the depth of a random tree, widthMax the number of its nodes by making deletes likelier.
const (
	depthMax = 4
	widthMax = 45
)

// existing is a node of the sketch, sometimes the root.
func (g *generator) existing() string {
	paths := g.w.paths()
	if g.IntN(2) == 0 { // where quotas and ACLs are
		paths = slices.DeleteFunc(paths, func(p string) bool { return strings.HasPrefix(p, "/home-") })
	}
	if len(paths) == 0 || g.IntN(20) == 0 {
		return ""
	}
	return paths[g.IntN(len(paths))]
}

// absent is a path below a node of the sketch that most likely is not there.
func (g *generator) absent() string {
	parent := g.existing()
	for strings.Count(parent, "/") >= depthMax {
		parent = parentOf(parent)
	}
	return parent + []string{"/x", "/y", "/z", "/w", "/ü", "/c"}[g.IntN(6)]
}

// leaf is a node without children, if a few tries find one.
func (g *generator) leaf() string {
	p := g.existing()
	for range 5 {
		if p != "" && !g.w.hasChildren(p) {
			break
		}
		p = g.existing()
	}
	return p
}

// path is most often a node that exists.
func (g *generator) path() string {
	switch n := g.IntN(40); {
	case n < 28:
		return g.existing()
	case n < 36:
		return g.absent()
	case n < 38:
		return g.absent() + "/x" // without a parent
	case n == 38:
		return []string{"/a//x", "/a/", "/.", "/a/..", "/\x01", "/a/\x7f"}[g.IntN(6)]
	}
	return []string{"!/", "!/zookeeper", "!/zookeeper/config", "!/zookeeper/quota", "!none", "!/nosuch", "!"}[g.IntN(7)]
}

// writable is path without nodes that are not the run's own.
func (g *generator) writable() string {
	for {
		if p := g.path(); !strings.HasPrefix(p, "!/") && p != "!" {
			return p
		}
	}
}

func (g *generator) version(o operation) int32 {
	n := g.w.nodes[o.path]
	switch k := g.IntN(10); {
	case k < 3 || n == nil && k < 8:
		return -1
	case k < 8 && o.op == jute.OpSetACL:
		return n.aversion
	case k < 8:
		return n.version
	}
	return int32(g.IntN(4)) - 2
}

// acl draws an ACL for a path. Only below /c there may be nodes that not everybody can read: see lists.
func (g *generator) acl(path string) []string {
	joe, sue := "digest:joe:"+digestOf("joe:secret"), "digest:sue:"+digestOf("sue:pw")
	closed := strings.HasPrefix(path, "/c") && g.IntN(2) == 0
	if !closed && g.IntN(4) > 0 {
		return []string{openACL}
	}
	if closed {
		return [][]string{
			{joe + ":cdrwa"}, {sue + ":cdrwa"}, {"auth::cdrwa"}, {"world:anyone:cdwa"}, {joe + ":r", sue + ":cdwa"}, {"ip:10.0.0.0/8:cdrwa"}, {"auth::ra"},
		}[g.IntN(7)]
	}
	return [][]string{
		{"world:anyone:r", joe + ":cdrwa"}, {"world:anyone:ra", "auth::cdw"}, {"world:anyone:r", "ip:127.0.0.1:cdwa"}, {"world:anyone:r", "ip:10.1.2.3:cdwa"},
		{"world:anyone:cdra"}, {"world:anyone:crwa"}, {"world:anyone:drwa"}, {openACL, openACL, joe + ":r"}, {}, {"nosuch:x:r"}, {"digest:nocolon:r"}, {"world:somebody:r"},
	}[g.IntN(12)]
}

func (g *generator) data() []byte {
	return [][]byte{nil, {}, []byte("x"), []byte("something longer"), make([]byte, 300)}[g.IntN(5)]
}

// create draws one of the four creates with flags that fit: see container-as-ephemeral and createTTL-flags
// in allowed_test.go.
func (g *generator) create() operation {
	o := operation{op: []jute.OpCode{jute.OpCreate, jute.OpCreate, jute.OpCreate2, jute.OpCreate2, jute.OpCreateContainer, jute.OpCreateTTL}[g.IntN(6)], data: g.data()}
	switch o.op {
	case jute.OpCreateContainer:
		o.flags = jute.FlagContainer
	case jute.OpCreateTTL:
		o.flags = 5 + int32(g.IntN(2))
	default:
		o.flags = []int32{0, 0, 0, 1, 1, 2, 3, 4}[g.IntN(8)]
	}
	o.path = g.absent()
	if g.IntN(4) == 0 {
		o.path = g.writable()
	}
	if o.path == "" {
		o.path = "/a" // a sequential root would be a node beside it
	}
	o.acl = g.acl(o.path)
	return o
}

// write draws an operation that may stand alone or in a multi.
func (g *generator) write() operation {
	n := g.IntN(10)
	if len(g.w.nodes) > widthMax {
		n += 3
	}
	switch {
	case n < 5:
		return g.create()
	case n < 8:
		o := operation{op: jute.OpSetData, path: g.writable(), data: g.data()}
		o.version = g.version(o)
		return o
	}
	o := operation{op: jute.OpDelete, path: g.leaf()}
	if g.IntN(4) == 0 {
		o.path = g.writable()
	}
	if strings.Count(o.path, "/") == 1 && (len(o.path) == 2 || strings.HasPrefix(o.path, "/home-")) || o.path == "" {
		o.path += "/x" // the root, homes, and where quotas and ACLs are stay
	}
	o.version = g.version(o)
	return o
}

// multi draws parts that build on each other half of the time.
func (g *generator) multi(slot string) operation {
	o := operation{op: jute.OpMulti}
	before := g.w.copy()
	for range g.IntN(6) {
		part := g.write()
		switch n := g.IntN(6); {
		case n == 0:
			part = operation{op: jute.OpCheck, path: g.writable()}
			part.version = g.version(part)
		case n == 1 && len(o.parts) > 0:
			part = operation{op: jute.OpSetData, path: o.parts[len(o.parts)-1].path, version: -1, data: g.data()}
		}
		if code := g.w.apply(slot, part); code != ok && g.IntN(4) > 0 {
			continue // most multis succeed
		}
		o.parts = append(o.parts, part)
	}
	g.w.nodes = before.nodes
	return o
}

func (g *generator) read() operation {
	o := operation{path: g.path(), watch: g.IntN(2) == 0}
	o.op = []jute.OpCode{jute.OpExists, jute.OpGetData, jute.OpGetChildren, jute.OpGetChildren2}[g.IntN(4)]
	return o
}

// operation draws any request.
func (g *generator) operation(slot string) operation {
	switch n := g.IntN(100); {
	case n < 38:
		return g.write()
	case n < 58:
		return g.read()
	case n < 70:
		return g.multi(slot)
	case n < 74:
		o := operation{op: jute.OpMultiRead}
		for range g.IntN(4) {
			part := operation{op: []jute.OpCode{jute.OpGetData, jute.OpGetChildren}[g.IntN(2)], path: g.path()}
			o.parts = append(o.parts, part)
		}
		return o
	case n < 80:
		o := operation{op: jute.OpSetACL, path: g.writable()}
		o.acl, o.version = g.acl(o.path), g.version(o)
		return o
	case n < 87:
		return g.watching(slot)
	case n < 90:
		return operation{op: jute.OpAddWatch, path: g.path(), kind: int32(g.IntN(2))}
	case n < 98:
		return g.rare(slot)
	}
	return g.proof()
}

// watching asks for, about or against a watch, most often one that is there.
func (g *generator) watching(slot string) operation {
	o := operation{op: jute.OpRemoveWatches, kind: 1 + int32(g.IntN(5)), path: g.path()}
	if g.IntN(2) == 0 {
		o.op = jute.OpCheckWatches
	}
	kinds := []string{"data", "exist", "child", "persistent", "recursive"}
	kind := g.IntN(len(kinds))
	if known := g.clients[slot].watched[kinds[kind]]; len(known) > 0 && g.IntN(4) > 0 {
		o.path = known[g.IntN(len(known))]
		o.kind = []int32{2, 2, 1, 4, 5}[kind]
	}
	return o
}

func (g *generator) rare(slot string) operation {
	switch g.IntN(8) {
	case 0, 1:
		return operation{op: jute.OpGetACL, path: g.path()}
	case 2:
		return operation{op: jute.OpGetEphemerals, path: g.existing()}
	case 3:
		return operation{op: jute.OpGetAllChildrenNumber, path: g.path()}
	case 4:
		return operation{op: jute.OpWhoAmI}
	case 5:
		if g.IntN(8) == 0 {
			return operation{op: jute.OpCheck, path: g.existing(), version: -1}
		}
		return operation{op: jute.OpGetEphemerals, path: ""}
	case 6:
		return operation{op: []jute.OpCode{jute.OpSync, jute.OpReconfig}[g.IntN(2)], path: g.path()}
	}
	return operation{op: jute.OpSetWatches2, lists: g.lists(slot)}
}

// proof is an auth packet; some cost the connection.
func (g *generator) proof() operation {
	o := operation{op: jute.OpAuth, path: "digest"}
	switch n := g.IntN(12); {
	case n == 0:
		o.data = []byte(superUser)
	case n == 1:
		o.path, o.data = "nosuch", []byte("x")
	case n == 2:
		o.path, o.data = "world", []byte("anyone")
	case n < 5:
		o.path, o.data = "ip", []byte("10.1.2.3")
	case n < 8:
		o.data = []byte("jim:x")
	default:
		o.data = []byte([]string{"joe:secret", "sue:pw"}[g.IntN(2)])
	}
	return o
}
