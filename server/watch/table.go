package watch

import "zk/jute"

// Kind says how a watch is registered, and so in which of Java's two tables it lives.
type Kind uint8

const (
	// StandardData is the one-shot watch of getData and exists: created, changed, deleted.
	StandardData Kind = iota
	// StandardChild is the one-shot watch of getChildren: children changed, node deleted.
	StandardChild
	// Persistent is addWatch mode 0: all four events of that node, until removed.
	Persistent
	// PersistentRecursive is addWatch mode 1: created, changed and deleted of the node and of
	// everything below it, until removed; never children changed.
	PersistentRecursive
)

// Table holds the watches of one server. All methods may be called from any goroutine.
type Table struct{}

// New makes an empty table.
func New() *Table { return &Table{} }

// Add registers a watch of w on path. Registering the same again changes nothing. The path is taken as
// it is: it need not exist, nor be valid. The table keeps the string.
func (t *Table) Add(path string, w Watcher, kind Kind) { panic("watch: not written yet") }

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
// caller may spare itself looking up ACLs.
func (t *Table) Empty() bool { panic("watch: not written yet") }

// NodeCreated tells that path was created: NodeCreated for path, then NodeChildrenChanged for its
// parent. acl is that of the new node, parentACL of its parent.
func (t *Table) NodeCreated(path string, zxid jute.Zxid, acl, parentACL []jute.ACL) Hits {
	panic("watch: not written yet")
}

// NodeDeleted tells that path was deleted: NodeDeleted to the data watches of path, then to its child
// watches (not twice to one watcher), then NodeChildrenChanged for the parent. acl is what the node
// had, parentACL that of the parent.
func (t *Table) NodeDeleted(path string, zxid jute.Zxid, acl, parentACL []jute.ACL) Hits {
	panic("watch: not written yet")
}

// NodeDataChanged tells that the data of path was set (setData, reconfig).
func (t *Table) NodeDataChanged(path string, zxid jute.Zxid, acl []jute.ACL) Hits {
	panic("watch: not written yet")
}

// ValidType reports whether typ is a watcher type of checkWatches and removeWatches (1 to 5). Any
// other is answered with MarshallingError.
func ValidType(typ int32) bool {
	return typ >= jute.WatcherChildren && typ <= jute.WatcherPersistentRecursive
}

// Has reports whether w has a watch of the wire type typ on path: children and data mean standard
// watches only, any means any. It answers checkWatches; false is NoWatcher.
func (t *Table) Has(path string, w Watcher, typ int32) bool { panic("watch: not written yet") }

// Remove removes the watches of w on path that typ addresses (see Has), and reports whether there were
// any. It answers removeWatches; false is NoWatcher.
func (t *Table) Remove(path string, w Watcher, typ int32) bool { panic("watch: not written yet") }

// RemoveWatcher removes all watches of w, silently: its connection is closed. When it returns, w gets
// no more events. The watcher must not add watches any more (see Watcher).
func (t *Table) RemoveWatcher(w Watcher) { panic("watch: not written yet") }

// Count is the number of (watcher, path) pairs in both tables: watch_count. A persistent watch is in
// both. It takes no lock.
func (t *Table) Count() int { panic("watch: not written yet") }

// Summary is what wchs reports, over the data table only.
type Summary struct {
	Watchers int // connections that have, or since their last removal had, a data watch
	Paths    int // paths with a data watch
	Watches  int // (watcher, path) pairs
}

// Summary counts the data table.
func (t *Table) Summary() Summary { panic("watch: not written yet") }

// EachData calls f for every (path, watcher) pair of the data table, in no particular order, without a
// lock held (wchc, wchp). Watches that come and go during the walk may or may not be seen.
func (t *Table) EachData(f func(path string, w Watcher)) { panic("watch: not written yet") }
