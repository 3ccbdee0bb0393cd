package diff

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"zk/jute"
)

// world is a sketch of the tree that a random run has made so far. It lets the generator draw operations
// that meet: parents that exist, versions that are right, nodes that somebody may read. What it leaves out
// (quotas, the finer rules) makes a draw less apt, never wrong: the servers are compared with each other.
type world struct {
	nodes map[string]*sketch // by path as in operation
	ids   map[string][]string
}

// sketch is what the world knows of a node.
type sketch struct {
	version, aversion int32
	created           int32  // children ever, which numbers sequential ones
	owner             string // slot of the session of an ephemeral
	acl               []string
}

const openACL = "world:anyone:cdrwa"

func newWorld() *world {
	return &world{nodes: map[string]*sketch{"": {acl: []string{openACL}}}, ids: map[string][]string{}}
}

// paths are all nodes below the root, sorted: a draw must not depend on the order of a map.
func (w *world) paths() []string {
	out := slices.Sorted(maps.Keys(w.nodes))
	return slices.DeleteFunc(out, func(p string) bool { return p == "" || strings.HasPrefix(p, "@") })
}

func parentOf(path string) string {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i]
	}
	return "!"
}

func (w *world) hasChildren(path string) bool {
	for p := range w.nodes {
		if p != path && parentOf(p) == path {
			return true
		}
	}
	return false
}

// may says whether a slot's identities have a permission on a node.
func (w *world) may(slot string, n *sketch, perm int32) bool {
	ids := w.ids[slot]
	if slices.Contains(ids, "super") {
		return true
	}
	for _, a := range acl(n.acl...) {
		if a.Perms&perm == 0 {
			continue
		}
		switch a.ID.Scheme {
		case "world":
			return true
		case "ip":
			if strings.HasPrefix(a.ID.ID, "127.") {
				return true
			}
		case "digest":
			user, _, _ := strings.Cut(a.ID.ID, ":")
			if slices.Contains(ids, user) {
				return true
			}
		}
	}
	return false
}

// grant is the ACL as it will be stored, nil if it is not valid for the slot.
func (w *world) grant(slot string, specs []string) []string {
	var out []string
	for _, spec := range specs {
		rest, isAuth := strings.CutPrefix(spec, "auth::")
		if !isAuth {
			out = append(out, spec)
			continue
		}
		if len(w.ids[slot]) == 0 {
			return nil
		}
		for _, id := range w.ids[slot] {
			out = append(out, fmt.Sprintf("digest:%s:%s:%s", id, "hash", rest))
		}
	}
	return out
}

// apply changes the sketch by an operation of a slot and says what it should be answered.
func (w *world) apply(slot string, o operation) jute.Code {
	switch o.op {
	case jute.OpCreate, jute.OpCreate2, jute.OpCreateContainer, jute.OpCreateTTL:
		return w.create(slot, o)
	case jute.OpDelete, jute.OpSetData, jute.OpSetACL, jute.OpCheck:
		return w.change(slot, o)
	case jute.OpMulti:
		before := w.copy()
		for _, part := range o.parts {
			if code := w.apply(slot, part); code != ok {
				w.nodes = before.nodes
				return code
			}
		}
	case jute.OpAuth:
		user, _, _ := strings.Cut(string(o.data), ":")
		if o.path == "digest" && !slices.Contains(w.ids[slot], user) {
			w.ids[slot] = append(w.ids[slot], user)
		}
	}
	return ok
}

func (w *world) create(slot string, o operation) jute.Code {
	if strings.HasPrefix(o.path, "!") {
		return badArguments
	}
	parent := w.nodes[parentOf(o.path)]
	if o.path == "@" {
		parent = &sketch{acl: []string{openACL}}
	}
	if parent == nil {
		return noNode
	}
	if !w.may(slot, parent, jute.PermCreate) {
		return noAuth
	}
	path := o.path
	if o.flags == 2 || o.flags == 3 || o.flags == 6 {
		path += fmt.Sprintf("%010d", parent.created)
	}
	granted := w.grant(slot, o.acl)
	switch {
	case w.nodes[path] != nil:
		return nodeExists
	case parent.owner != "":
		return noChildren
	case granted == nil:
		return invalidACL
	}
	n := &sketch{acl: granted}
	if o.flags&1 != 0 && o.op != jute.OpCreateTTL {
		n.owner = slot
	}
	w.nodes[path] = n
	parent.created++
	return ok
}

func (w *world) change(slot string, o operation) jute.Code {
	n := w.nodes[o.path]
	if n == nil {
		return noNode
	}
	perm, version := map[jute.OpCode]int32{
		jute.OpDelete: jute.PermDelete, jute.OpSetData: jute.PermWrite, jute.OpSetACL: jute.PermAdmin, jute.OpCheck: jute.PermRead,
	}[o.op], n.version
	asked := n
	if o.op == jute.OpDelete {
		if asked = w.nodes[parentOf(o.path)]; asked == nil {
			asked = &sketch{acl: []string{openACL}}
		}
	}
	if o.op == jute.OpSetACL {
		version = n.aversion
	}
	switch {
	case !w.may(slot, asked, perm):
		return noAuth
	case o.version != -1 && o.version != version:
		return badVersion
	}
	switch o.op {
	case jute.OpDelete:
		if w.hasChildren(o.path) {
			return notEmpty
		}
		delete(w.nodes, o.path)
	case jute.OpSetData:
		n.version++
	case jute.OpSetACL:
		granted := w.grant(slot, o.acl)
		if granted == nil {
			return invalidACL
		}
		n.acl, n.aversion = granted, n.aversion+1
	}
	return ok
}

// endSession removes the ephemerals of a slot's session.
func (w *world) endSession(slot string) {
	maps.DeleteFunc(w.nodes, func(_ string, n *sketch) bool { return n.owner == slot })
	delete(w.ids, slot)
}

// copy is a world that changes apart from w.
func (w *world) copy() *world {
	c := newWorld()
	for path, n := range w.nodes {
		copied := *n
		c.nodes[path] = &copied
	}
	for slot, ids := range w.ids {
		c.ids[slot] = slices.Clone(ids)
	}
	return c
}
