package watch

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"zk/jute"
)

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

// Each path has three lists of entries. Java's data table is listData and listRecursive together
// (apart, so that a change below a node doesn't walk its standard watches); its child table is
// listChild.
const (
	listData      uint8 = iota // standard and persistent
	listChild                  // standard and persistent
	listRecursive              // persistent recursive
	lists
)

// Modes of an entry; an entry has at least one.
const (
	modeStandard uint8 = 1 << iota
	modePersistent
	modeRecursive
)

// entry is one watcher in one list of one path: 32 bytes, no pointers. All links are entry numbers.
type entry struct {
	path, owner          uint32
	pathNext, pathPrev   uint32 // the path's list; pathNext chains free entries
	ownerNext, ownerPrev uint32 // all entries of the owner
	hashNext             uint32 // bucket of Table.byPair
	list                 uint8
	modes                uint8 // 0 in a free entry
}

// pathEntry is one watched path; it exists while it has an entry.
type pathEntry struct {
	path string
	hash uint32
	next uint32 // bucket of Table.byPath, or chain of free entries
	head [lists]uint32
}

// hasData reports whether the path is in Java's data table.
func (p *pathEntry) hasData() bool { return p.head[listData]|p.head[listRecursive] != 0 }

// owner is a watcher that has registered watches; it stays until RemoveWatcher, also with none left.
type owner struct {
	w         Watcher // nil while its watches are being removed, and in a free entry
	stamp     uint64  // the trigger that last met it: an event goes to a watcher once
	head      uint32  // its entries
	dataPairs uint32  // paths it watches in the data table
	next      uint32  // chain of free entries
	listed    bool    // counted by Summary
}

// Table holds the watches of one server. All methods may be called from any goroutine.
//
// A watch costs some 110 bytes when it is alone on its path (the path's bytes included), 40 when it is
// not. Memory of removed watches is used again for others; it is given back when the table is empty.
type Table struct {
	seed maphash.Seed // immutable

	// Written under mu, read without it.
	dataPairs, childPairs atomic.Int64

	mu        sync.Mutex
	owners    slab[owner]
	paths     slab[pathEntry]
	entries   slab[entry]
	byWatcher map[Watcher]uint32
	byPath    index
	byPair    index // entries by (path, owner, list)
	recursive int   // entries in recursive lists
	dataPaths int   // paths in the data table
	listed    int   // owners with listed set
	lastStamp uint64
	ev        Event // the event being delivered, here to save an allocation
}

// New makes an empty table.
func New() *Table {
	t := &Table{seed: maphash.MakeSeed(), byWatcher: make(map[Watcher]uint32)}
	t.reset()
	return t
}

// reset empties the slabs and indexes of paths and entries.
func (t *Table) reset() {
	t.paths, t.entries = slab[pathEntry]{}, slab[entry]{}
	t.byPath = newIndex(
		func(i uint32) *uint32 { return &t.paths.at(i).next },
		func(i uint32) uint32 { return t.paths.at(i).hash })
	t.byPair = newIndex(
		func(i uint32) *uint32 { return &t.entries.at(i).hashNext },
		func(i uint32) uint32 { e := t.entries.at(i); return pairHash(e.path, e.owner, e.list) })
}

// shrink gives the memory of a table back that once was large and is empty now.
func (t *Table) shrink() {
	if t.byPair.entries == 0 && len(t.entries.chunks) > 1 {
		t.reset()
	}
}

// pairHash spreads the key of an entry over 32 bits. (The multiplier is that of splitmix64.)
func pairHash(path, owner uint32, list uint8) uint32 {
	h := (uint64(path)<<34 ^ uint64(owner)<<2 ^ uint64(list)) * 0xbf58476d1ce4e5b9
	h ^= h >> 31
	h *= 0x94d049bb133111eb
	return uint32(h >> 32)
}

// Add registers a watch of w on path. Registering the same again changes nothing. The path is taken as
// it is: it need not exist, nor be valid. The table keeps the string.
func (t *Table) Add(path string, w Watcher, kind Kind) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.byWatcher[w]
	if o == 0 {
		if s, ok := w.(interface{ Stale() bool }); ok && s.Stale() {
			return
		}
		o = t.newOwner(w)
	}
	p := t.pathNumber(path)
	if p == 0 {
		p = t.newPath(path)
	}
	switch kind {
	case StandardData:
		t.put(p, o, listData, modeStandard)
	case StandardChild:
		t.put(p, o, listChild, modeStandard)
	case Persistent:
		t.put(p, o, listData, modePersistent)
		t.put(p, o, listChild, modePersistent)
	case PersistentRecursive:
		t.put(p, o, listRecursive, modeRecursive)
	default:
		panic("watch: unknown kind of watch")
	}
}

func (t *Table) newOwner(w Watcher) uint32 {
	i := t.owners.free
	if i != 0 {
		t.owners.free = t.owners.at(i).next
	} else {
		i = t.owners.extend()
	}
	*t.owners.at(i) = owner{w: w}
	t.byWatcher[w] = i
	return i
}

// pathNumber finds a watched path, 0 when it isn't one.
func (t *Table) pathNumber(path string) uint32 {
	h := uint32(maphash.String(t.seed, path))
	for i := *t.byPath.head(h); i != 0; {
		p := t.paths.at(i)
		if p.hash == h && p.path == path {
			return i
		}
		i = p.next
	}
	return 0
}

func (t *Table) newPath(path string) uint32 {
	i := t.paths.free
	if i != 0 {
		t.paths.free = t.paths.at(i).next
	} else {
		i = t.paths.extend()
	}
	h := uint32(maphash.String(t.seed, path))
	*t.paths.at(i) = pathEntry{path: path, hash: h}
	t.byPath.insert(i, h)
	return i
}

// releasePath frees a path that has no entry any more.
func (t *Table) releasePath(i uint32) {
	p := t.paths.at(i)
	if p.head != [lists]uint32{} {
		return
	}
	t.byPath.remove(i, p.hash)
	*p = pathEntry{next: t.paths.free}
	t.paths.free = i
}

// find is the entry of owner o in a list of path p, 0 when there is none.
func (t *Table) find(p, o uint32, list uint8) uint32 {
	if t.paths.at(p).head[list] == 0 {
		return 0
	}
	for i := *t.byPair.head(pairHash(p, o, list)); i != 0; {
		e := t.entries.at(i)
		if e.path == p && e.owner == o && e.list == list {
			return i
		}
		i = e.hashNext
	}
	return 0
}

// put adds a mode to the entry of owner o in a list of path p, making the entry if there is none.
func (t *Table) put(p, o uint32, list, mode uint8) {
	if i := t.find(p, o, list); i != 0 {
		t.entries.at(i).modes |= mode
		return
	}
	t.countPair(p, o, list, 1)
	i := t.entries.free
	if i != 0 {
		t.entries.free = t.entries.at(i).pathNext
	} else {
		i = t.entries.extend()
	}
	path, own := t.paths.at(p), t.owners.at(o)
	*t.entries.at(i) = entry{path: p, owner: o, pathNext: path.head[list], ownerNext: own.head, list: list, modes: mode}
	if next := path.head[list]; next != 0 {
		t.entries.at(next).pathPrev = i
	}
	path.head[list] = i
	if own.head != 0 {
		t.entries.at(own.head).ownerPrev = i
	}
	own.head = i
	t.byPair.insert(i, pairHash(p, o, list))
}

// drop removes an entry. It doesn't release the path.
func (t *Table) drop(i uint32) {
	e := t.entries.at(i)
	path, own := t.paths.at(e.path), t.owners.at(e.owner)
	t.byPair.remove(i, pairHash(e.path, e.owner, e.list))
	if e.pathPrev != 0 {
		t.entries.at(e.pathPrev).pathNext = e.pathNext
	} else {
		path.head[e.list] = e.pathNext
	}
	if e.pathNext != 0 {
		t.entries.at(e.pathNext).pathPrev = e.pathPrev
	}
	if e.ownerPrev != 0 {
		t.entries.at(e.ownerPrev).ownerNext = e.ownerNext
	} else {
		own.head = e.ownerNext
	}
	if e.ownerNext != 0 {
		t.entries.at(e.ownerNext).ownerPrev = e.ownerPrev
	}
	p, o, list := e.path, e.owner, e.list
	*e = entry{pathNext: t.entries.free}
	t.entries.free = i
	t.countPair(p, o, list, -1)
}

// countPair keeps the counts when an entry comes or goes; it is called when the entry isn't linked.
func (t *Table) countPair(p, o uint32, list uint8, delta int) {
	if list == listChild {
		t.childPairs.Add(int64(delta))
		return
	}
	if !t.paths.at(p).hasData() {
		t.dataPaths += delta
	}
	other := listRecursive
	if list == listRecursive {
		t.recursive += delta
		other = listData
	}
	if t.find(p, o, other) != 0 {
		return // the pair is counted already, or still
	}
	t.dataPairs.Add(int64(delta))
	own := t.owners.at(o)
	own.dataPairs += uint32(delta)
	if delta > 0 && !own.listed {
		own.listed = true
		t.listed++
	}
}

// unlist takes an owner off the connections that Summary counts.
func (t *Table) unlist(own *owner) {
	if own.listed {
		own.listed = false
		t.listed--
	}
}

// ValidType reports whether typ is a watcher type of checkWatches and removeWatches (1 to 5). Any
// other is answered with MarshallingError.
func ValidType(typ int32) bool {
	return typ >= jute.WatcherChildren && typ <= jute.WatcherPersistentRecursive
}

// addressed says what a wire type addresses: modes by list. A persistent watch is in two lists.
func addressed(typ int32) (modes [lists]uint8) {
	switch typ {
	case jute.WatcherChildren:
		modes[listChild] = modeStandard
	case jute.WatcherData:
		modes[listData] = modeStandard
	case jute.WatcherPersistent:
		modes[listData], modes[listChild] = modePersistent, modePersistent
	case jute.WatcherPersistentRecursive:
		modes[listRecursive] = modeRecursive
	case jute.WatcherAny:
		all := modeStandard | modePersistent | modeRecursive
		modes = [lists]uint8{all, all, all}
	}
	return modes
}

// Has reports whether w has a watch of the wire type typ on path: children and data mean standard
// watches only, any means any. It answers checkWatches; false is NoWatcher.
func (t *Table) Has(path string, w Watcher, typ int32) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.byWatcher[w]
	if o == 0 {
		return false
	}
	p := t.pathNumber(path)
	if p == 0 {
		return false
	}
	for list, modes := range addressed(typ) {
		if i := t.find(p, o, uint8(list)); i != 0 && t.entries.at(i).modes&modes != 0 {
			return true
		}
	}
	return false
}

// Remove removes the watches of w on path that typ addresses (see Has), and reports whether there were
// any. It answers removeWatches; false is NoWatcher.
func (t *Table) Remove(path string, w Watcher, typ int32) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.byWatcher[w]
	if o == 0 {
		return false
	}
	p := t.pathNumber(path)
	if p == 0 {
		return false
	}
	removed, data := false, false
	for list, modes := range addressed(typ) {
		i := t.find(p, o, uint8(list))
		if i == 0 || t.entries.at(i).modes&modes == 0 {
			continue
		}
		removed, data = true, data || uint8(list) != listChild
		e := t.entries.at(i)
		if e.modes &^= modes; e.modes == 0 {
			t.drop(i)
		}
	}
	// Java forgets a connection whose last watch was removed by request, not one whose last watch fired.
	if own := t.owners.at(o); data && own.dataPairs == 0 {
		t.unlist(own)
	}
	t.releasePath(p)
	t.shrink()
	return removed
}

// removeStep bounds the entries removed or visited under one hold of the mutex (some 0.1 ms).
const removeStep = 1024

// RemoveWatcher removes all watches of w, silently: its connection is closed. When it returns, w gets
// no more events. The watcher must not add watches any more (see Watcher).
func (t *Table) RemoveWatcher(w Watcher) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.byWatcher[w]
	if o == 0 {
		return
	}
	delete(t.byWatcher, w)
	own := t.owners.at(o)
	own.w = nil // from here on triggers pass over it
	t.unlist(own)
	for n := 1; own.head != 0; n++ {
		p := t.entries.at(own.head).path
		t.drop(own.head)
		t.releasePath(p)
		if n%removeStep == 0 {
			t.mu.Unlock() // let a trigger through; nothing but this call can free the owner
			t.mu.Lock()
		}
	}
	*own = owner{next: t.owners.free}
	t.owners.free = o
	t.shrink()
}
