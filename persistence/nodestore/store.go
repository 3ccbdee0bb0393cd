package nodestore

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"zk/persistence"
	"zk/server/tree"
)

// RWLocker is the tree lock.
type RWLocker interface {
	sync.Locker
	RLock()
	RUnlock()
}

// record is a node in memory; its name follows it. It holds no Go pointers.
type record struct {
	node    tree.Node
	parent  tree.Ref
	first   tree.Ref // child
	prev    tree.Ref // sibling
	sib     tree.Ref // next sibling
	data    handle   // or the number of a big allocation
	dataLen int32    // -1 is null
	nameLen uint32
	flags   uint32
}

const recordBytes = int(unsafe.Sizeof(record{}))

// shortBytes is the length up to which data lies among the records: it is at hand when the record is. Longer data
// lies elsewhere, so that records stay close together, and those of more nodes in the processor's caches. (With each
// before its data, sets on 10,000 nodes of 1 KiB had Find wait for memory for a twentieth of all processor time.)
const shortBytes = 128

// Flags of a record. The dirty bits exist twice; Store.parity says which pair belongs to the current
// dirty set, the other belongs to the frozen one.
const (
	flagNodeDirty uint32 = 1 << iota // parity 0, then 1
	_
	flagDataDirty // parity 0, then 1
	_
	flagComplete // all children are in memory
	flagApart    // the state store may hold data under its own key
)

// Store implements tree.Store.
type Store struct {
	// The state is changed by Adopt alone, with writing, cold and the tree lock held: any of them will do
	// to use it.
	state *persistence.State
	lock  RWLocker

	// Guarded by the tree lock.
	seed     maphash.Seed
	records  arena // and short data
	values   arena // data of more than shortBytes
	index    index
	root     tree.Ref
	big      [][]byte // data above bigBytes
	bigFree  []handle
	bigBytes int64
	current  *dirtySet
	frozen   *dirtySet // nil when everything frozen is written
	parity   uint32
	gen      uint64 // moves when tombstones are dropped
	spare    *dirtySet
	open     bool // changed since the last call of Applied: current is not the tree at a zxid

	writing  sync.Mutex   // of the frozen set; taken before the tree lock
	cold     sync.RWMutex // held for reading by whoever reads nodes from the disk; taken before the tree lock
	warm     atomic.Bool  // everything is in memory
	wake     chan struct{}
	written  *sync.Cond // on throttle: a frozen set was written
	throttle sync.Mutex
	limits   Limits
	failed   atomic.Pointer[error]
	quit     chan struct{}
	done     sync.WaitGroup
}

func (s *Store) rec(r tree.Ref) *record { return (*record)(s.records.at(handle(r))) }

func (rec *record) name() []byte {
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(rec), recordBytes)), rec.nameLen)
}

// Find implements tree.Store.
func (s *Store) Find(path string) tree.Ref {
	if path == "" || path == tree.RootPath {
		return s.root
	}
	if path[0] != '/' {
		return tree.NoRef
	}
	hash := s.hash(path)
	for b := s.index.bucket(hash); b != nil; b = s.index.after(b) {
		for i, r := range b.refs {
			if r == tree.NoRef {
				return r
			}
			if b.hashes[i] == hash && s.is(s.rec(r), path) {
				return r
			}
		}
	}
	return tree.NoRef
}

func (s *Store) hash(path string) uint32 { return uint32(maphash.String(s.seed, path)) }

// is reports whether rec is the node at path.
func (s *Store) is(rec *record, path string) bool {
	for {
		name := rec.name()
		cut := len(path) - len(name)
		if cut < 1 || path[cut-1] != '/' || path[cut:] != string(name) {
			return false
		}
		path = path[:cut-1]
		if rec.parent == s.root {
			return path == ""
		}
		rec = s.rec(rec.parent)
	}
}

// appendPath appends the node's path; the root's is "/".
func (s *Store) appendPath(b []byte, r tree.Ref) []byte {
	if r == s.root {
		return append(b, '/')
	}
	rec := s.rec(r)
	if rec.parent != s.root {
		b = s.appendPath(b, rec.parent)
	}
	return append(append(b, '/'), rec.name()...)
}

// Node implements tree.Store.
func (s *Store) Node(r tree.Ref) *tree.Node { return &s.rec(r).node }

// Edit implements tree.Store.
func (s *Store) Edit(r tree.Ref) *tree.Node {
	rec := s.rec(r)
	s.touch(r, rec, flagNodeDirty)
	return &rec.node
}

// Data implements tree.Store.
func (s *Store) Data(r tree.Ref) []byte { return s.data(s.rec(r)) }

func (s *Store) data(rec *record) []byte {
	switch n := int(rec.dataLen); {
	case n < 0:
		return nil
	case n == 0:
		return []byte{}
	case n > bigBytes:
		return s.big[rec.data]
	default:
		return unsafe.Slice((*byte)(s.arenaFor(n).at(rec.data)), n)
	}
}

// arenaFor is the arena of data of n bytes.
func (s *Store) arenaFor(n int) *arena {
	if n > shortBytes {
		return &s.values
	}
	return &s.records
}

// unmap gives all memory back to the system.
func (s *Store) unmap() {
	s.records.close()
	s.values.close()
}

// SetData implements tree.Store.
func (s *Store) SetData(r tree.Ref, b []byte) {
	rec := s.rec(r)
	if rec.flags&(flagDataDirty<<s.parity) != 0 { // only the last counts
		s.current.bytes -= max(int(rec.dataLen), 0)
	}
	s.touch(r, rec, flagNodeDirty|flagDataDirty)
	s.current.bytes += len(b)
	s.replaceData(rec, b)
}

func (s *Store) replaceData(rec *record, b []byte) {
	old := int(rec.dataLen)
	if old > 0 && old <= bigBytes && len(b) > 0 && len(b) <= bigBytes && unitsOf(old) == unitsOf(len(b)) {
		rec.dataLen = int32(len(b))
		copy(s.data(rec), b)
		return
	}
	s.freeData(rec)
	s.putData(rec, b)
}

func (s *Store) putData(rec *record, b []byte) {
	rec.dataLen = int32(len(b))
	switch {
	case b == nil:
		rec.dataLen = -1
	case len(b) == 0:
	case len(b) <= bigBytes:
		rec.data = s.arenaFor(len(b)).alloc(len(b))
		copy(s.data(rec), b)
	default:
		if n := len(s.bigFree); n > 0 {
			rec.data = s.bigFree[n-1]
			s.bigFree = s.bigFree[:n-1]
		} else {
			rec.data = handle(len(s.big))
			s.big = append(s.big, nil)
		}
		s.big[rec.data] = append([]byte(nil), b...)
		s.bigBytes += int64(len(b))
	}
}

func (s *Store) freeData(rec *record) {
	switch n := int(rec.dataLen); {
	case n <= 0:
	case n <= bigBytes:
		s.arenaFor(n).release(rec.data, n)
	default:
		s.bigBytes -= int64(n)
		s.big[rec.data] = nil
		s.bigFree = append(s.bigFree, rec.data)
	}
	rec.dataLen = -1
}

// Create implements tree.Store.
func (s *Store) Create(parent tree.Ref, path string, n *tree.Node, data []byte) tree.Ref {
	r := s.install(parent, path, n, data)
	s.touch(r, s.rec(r), flagNodeDirty|flagDataDirty)
	s.touch(parent, s.rec(parent), flagNodeDirty)
	s.rec(r).flags |= flagComplete
	s.rec(parent).node.Children++
	s.current.bytes += recordBytes + len(path) + len(data)
	return r
}

// install puts a node into memory without touching the dirty sets or the parent's count.
func (s *Store) install(parent tree.Ref, path string, n *tree.Node, data []byte) tree.Ref {
	name := path[strings.LastIndexByte(path, '/')+1:]
	h := s.records.alloc(recordBytes + len(name))
	r := tree.Ref(h)
	rec := s.rec(r)
	*rec = record{node: *n, dataLen: -1, nameLen: uint32(len(name))}
	copy(rec.name(), name)
	s.putData(rec, data)
	if parent == tree.NoRef {
		return r
	}
	s.index.insert(s.hash(path), r)
	rec.parent = parent
	p := s.rec(parent)
	rec.sib = p.first
	if p.first != tree.NoRef {
		s.rec(p.first).prev = r
	}
	p.first = r
	return r
}

// Delete implements tree.Store.
func (s *Store) Delete(r tree.Ref, path string) {
	rec := s.rec(r)
	s.captureFrozen(r, rec)
	apart := rec.flags&(flagApart|flagDataDirty|flagDataDirty<<1) != 0
	s.current.bury(path, apart)
	p := s.rec(rec.parent)
	s.touch(rec.parent, p, flagNodeDirty)
	if p.node.Children--; p.node.Children == 0 {
		s.noteEmptied(path[:strings.LastIndexByte(path, '/')])
	}
	if rec.prev != tree.NoRef {
		s.rec(rec.prev).sib = rec.sib
	} else {
		p.first = rec.sib
	}
	if rec.sib != tree.NoRef {
		s.rec(rec.sib).prev = rec.prev
	}
	s.index.remove(s.hash(path), r)
	s.freeData(rec)
	n := recordBytes + int(rec.nameLen)
	dirty := rec.flags & (flagNodeDirty << s.parity)
	*rec = record{}
	if dirty == 0 && s.frozen == nil {
		s.records.release(handle(r), n)
		return
	}
	s.current.gone = append(s.current.gone, goneRecord{handle(r), n})
}

// FirstChild implements tree.Store.
func (s *Store) FirstChild(r tree.Ref) tree.Ref { return s.rec(r).first }

// NextSibling implements tree.Store.
func (s *Store) NextSibling(r tree.Ref) tree.Ref { return s.rec(r).sib }

// Name implements tree.Store.
func (s *Store) Name(r tree.Ref) []byte { return s.rec(r).name() }

// MemoryBytes is what the nodes take: records, data and the table.
func (s *Store) MemoryBytes() int64 {
	return s.records.used + s.values.used + s.bigBytes + s.index.bytes()
}
