package watch

import (
	"strings"

	"zk/jute"
)

// Hits says how many watchers a transaction hit, as Java counts them for its watch count metrics. A
// figure of 0 is no sample.
type Hits struct {
	// Data is the number of watchers hit in the data table of the path.
	Data int
	// Child is the number hit in the child table of the path (NodeDeleted only). Those already told
	// through the data table are in it, though they get no second event.
	Child int
	// Parent is the number hit in the child table of the parent (NodeChildrenChanged).
	Parent int
}

// Empty reports, without a lock, that no watch is registered at all: a trigger would do nothing, and its
// caller may spare itself looking up ACLs. It is exact for a caller that holds the tree's write lock.
func (t *Table) Empty() bool { return t.Count() == 0 }

// NodeCreated tells that path was created: NodeCreated for path, then NodeChildrenChanged for its
// parent. acl is that of the new node, parentACL of its parent.
func (t *Table) NodeCreated(path string, zxid jute.Zxid, acl, parentACL []jute.ACL) Hits {
	if t.Empty() {
		return Hits{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var h Hits
	t.begin(jute.EventNodeCreated, path, zxid, acl)
	h.Data = t.fireData()
	h.Parent = t.fireParent(path, zxid, parentACL)
	t.end()
	return h
}

// NodeDeleted tells that path was deleted: NodeDeleted to the data watches of path, then to its child
// watches (not twice to one watcher), then NodeChildrenChanged for the parent. acl is what the node
// had, parentACL that of the parent.
func (t *Table) NodeDeleted(path string, zxid jute.Zxid, acl, parentACL []jute.ACL) Hits {
	if t.Empty() {
		return Hits{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var h Hits
	t.begin(jute.EventNodeDeleted, path, zxid, acl)
	h.Data = t.fireData()
	h.Child = t.fireChild() // under the same stamp, so watchers told above are passed over
	h.Parent = t.fireParent(path, zxid, parentACL)
	t.end()
	return h
}

// NodeDataChanged tells that the data of path was set (setData, reconfig).
func (t *Table) NodeDataChanged(path string, zxid jute.Zxid, acl []jute.ACL) Hits {
	if t.Empty() {
		return Hits{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.begin(jute.EventNodeDataChanged, path, zxid, acl)
	h := Hits{Data: t.fireData()}
	t.end()
	return h
}

// begin starts a new event; its frame is encoded when the first receiver is met.
func (t *Table) begin(typ jute.EventType, path string, zxid jute.Zxid, acl []jute.ACL) {
	t.lastStamp++
	t.ev = Event{Type: typ, Path: path, Zxid: zxid, ACL: acl}
}

func (t *Table) end() {
	t.ev = Event{}
	t.shrink()
}

// fireData delivers the event to Java's data table: the watches on the path itself, and the recursive
// ones on the path and all its ancestors. It returns the number of watchers hit.
func (t *Table) fireData() (hits int) {
	path := t.ev.Path
	if p := t.pathNumber(path); p != 0 {
		hits = t.fireList(p, listData)
		t.releasePath(p)
	}
	if t.recursive == 0 {
		return hits
	}
	for {
		if p := t.pathNumber(path); p != 0 {
			hits += t.fireList(p, listRecursive)
		}
		if len(path) <= 1 {
			return hits
		}
		path = parentOf(path)
	}
}

// fireChild delivers the event to the child table of its path. It returns the number of watchers
// there.
func (t *Table) fireChild() (hits int) {
	p := t.pathNumber(t.ev.Path)
	if p == 0 {
		return 0
	}
	for i := t.paths.at(p).head[listChild]; i != 0; i = t.entries.at(i).pathNext {
		if t.owners.at(t.entries.at(i).owner).w != nil {
			hits++
		}
	}
	t.fireList(p, listChild)
	t.releasePath(p)
	return hits
}

// fireParent delivers NodeChildrenChanged for the parent of path.
func (t *Table) fireParent(path string, zxid jute.Zxid, acl []jute.ACL) int {
	parent := parentOf(path)
	p := t.pathNumber(parent)
	if p == 0 {
		return 0
	}
	t.begin(jute.EventNodeChildrenChanged, parent, zxid, acl)
	hits := t.fireList(p, listChild)
	t.releasePath(p)
	return hits
}

// fireList delivers the event to one list of a path, but to no watcher that got it already, and uses up
// the standard watches in it. It returns the number of deliveries.
func (t *Table) fireList(p uint32, list uint8) (hits int) {
	for i := t.paths.at(p).head[list]; i != 0; {
		e := t.entries.at(i)
		next := e.pathNext
		own := t.owners.at(e.owner)
		if e.modes &^= modeStandard; e.modes == 0 {
			t.drop(i)
		}
		i = next
		if own.w == nil || own.stamp == t.lastStamp {
			continue
		}
		own.stamp = t.lastStamp
		if t.ev.Frame == nil {
			t.ev.Frame = AppendFrame(make([]byte, 0, frameBytes(t.ev.Path)), t.ev.Type, t.ev.Path, t.ev.Zxid)
		}
		own.w.Deliver(&t.ev)
		hits++
	}
	return hits
}

// parentOf is the parent of a path other than the root.
func parentOf(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return "/"
}
