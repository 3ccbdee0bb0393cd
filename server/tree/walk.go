package tree

import (
	"encoding/binary"
	"hash/maphash"
	"slices"

	"zk/jute"
)

// NamesBytes is the size of the pieces in which a list of children is made.
const NamesBytes = 64 << 10

// settleMax bounds the changes that one call of Settle works in, as each may cost a pass over a piece.
const settleMax = 64

// Walk goes over many nodes in bounded steps, with the tree changing between them. The tree tells every
// open walk of nodes that come and go, so that a walk never holds a node that is gone.
//
// Open and Close are called under the write lock, Step and what follows it under the read lock, Index
// without one.
type Walk struct {
	t     *Tree
	top   Ref   // of a list of children: their parent, NoRef once it is gone
	stack []Ref // next nodes to visit, one per level
	deep  bool
	count int
	lost  bool // the tree was replaced

	// Of a list: the children seen, as ustrings, in pieces of about NamesBytes, and what has changed since
	// the walk began. A child that is created stands before those that are there, so that the walk doesn't
	// meet it: the children at the end are those seen, with the changes made to them in their order.
	names   [][]byte
	bytes   int
	changes []nameChange // changes[settled:] are still to be worked in
	settled int
	deleted bool // there is a deletion among them

	seed    maphash.Seed
	index   map[uint64]int // the piece in which a name is, by its hash; nil without deletions
	at      place          // how far Index has come
	indexed bool           // all names are in the index
	damaged bool           // two names had one hash
}

// place is one in the list of names.
type place struct {
	piece, offset int
}

// nameChange is a child that came or went.
type nameChange struct {
	name    string
	created bool
}

// OpenCount starts a count of all nodes below r.
func (t *Tree) OpenCount(r Ref) *Walk {
	w := &Walk{t: t, deep: true, stack: []Ref{t.store.FirstChild(r)}}
	t.walks = append(t.walks, w)
	return w
}

// OpenChildren starts a list of r's children.
func (t *Tree) OpenChildren(r Ref) *Walk {
	w := &Walk{t: t, top: r, stack: []Ref{t.store.FirstChild(r)}}
	t.walks = append(t.walks, w)
	return w
}

// Close ends the walk.
func (w *Walk) Close() {
	if i := slices.Index(w.t.walks, w); i >= 0 {
		w.t.walks = slices.Delete(w.t.walks, i, i+1)
	}
}

// Step visits up to n nodes and reports whether the walk is at its end.
func (w *Walk) Step(n int) (done bool) {
	s := w.t.store
	for ; n > 0; n-- {
		for len(w.stack) > 0 && w.stack[len(w.stack)-1] == NoRef {
			w.stack = w.stack[:len(w.stack)-1]
		}
		if len(w.stack) == 0 {
			return true
		}
		at := &w.stack[len(w.stack)-1]
		r := *at
		*at = s.NextSibling(r)
		if w.deep {
			w.count++
			w.stack = append(w.stack, s.FirstChild(r))
			continue
		}
		w.add(s.Name(r))
	}
	return false
}

// add puts a name at the end of the list.
func (w *Walk) add(name []byte) {
	last := len(w.names) - 1
	if last < 0 || len(w.names[last])+4+len(name) > cap(w.names[last]) {
		w.names = append(w.names, make([]byte, 0, max(NamesBytes, 4+len(name))))
		last++
	}
	w.names[last] = append(jute.AppendInt32(w.names[last], int32(len(name))), name...)
	w.bytes += 4 + len(name)
	w.count++
	if w.indexed {
		w.note(name, last)
	}
}

// Lost reports that the tree was replaced: what the walk has seen is no more, and it sees nothing else.
func (w *Walk) Lost() bool { return w.lost }

func (w *Walk) note(name []byte, piece int) {
	h := maphash.Bytes(w.seed, name)
	if _, ok := w.index[h]; ok {
		w.damaged = true
	}
	w.index[h] = piece
}

// NeedsIndex reports whether children were deleted, so that Index has to be called, until it is done, before Settle.
func (w *Walk) NeedsIndex() bool { return w.deleted && !w.indexed }

// Index makes ready to take names out of the list, up to n of them further at each call, and reports whether it is
// done. It touches nothing but the walk's own, so that it needs no lock. The map grows as it is filled: one made for
// a million names would be a step of its own, and a long one.
func (w *Walk) Index(n int) (done bool) {
	if w.index == nil {
		w.seed = maphash.MakeSeed()
		w.index = map[uint64]int{}
	}
	for ; w.at.piece < len(w.names); w.at = (place{w.at.piece + 1, 0}) {
		for piece := w.names[w.at.piece]; w.at.offset < len(piece); n-- {
			if n == 0 {
				return false
			}
			from := w.at.offset + 4
			w.at.offset = from + int(binary.BigEndian.Uint32(piece[w.at.offset:]))
			w.note(piece[from:w.at.offset], w.at.piece)
		}
	}
	w.indexed = true
	return true
}

// Settle works a bounded number of the changes since the walk began into the list, and reports whether
// none is left: then the list is exactly what the node has. Changes come more slowly than they are worked
// in.
func (w *Walk) Settle() (done bool) {
	for n := 0; n < settleMax && w.settled < len(w.changes) && !w.NeedsIndex(); n++ {
		c := &w.changes[w.settled]
		w.settled++
		if c.created {
			w.add([]byte(c.name))
		} else {
			w.take(c.name)
		}
	}
	if w.settled < len(w.changes) {
		return false
	}
	w.changes, w.settled = w.changes[:0], 0
	return true
}

// take removes a name from the list, if it is in it: the child may have gone before the walk came to it.
func (w *Walk) take(name string) {
	h := maphash.String(w.seed, name)
	i, ok := w.index[h]
	if !ok {
		return
	}
	delete(w.index, h)
	piece := w.names[i]
	for at := 0; at < len(piece); {
		end := at + 4 + int(binary.BigEndian.Uint32(piece[at:]))
		if string(piece[at+4:end]) == name {
			w.names[i] = slices.Delete(piece, at, end)
			w.bytes -= end - at
			w.count--
			return
		}
		at = end
	}
	w.damaged = true
}

// Count is the number of nodes seen, or the length of the list.
func (w *Walk) Count() int { return w.count }

// Node is the node whose children are listed, NoRef when it was deleted meanwhile.
func (w *Walk) Node() Ref { return w.top }

// Names are the children as an encoded vector of ustrings without its count, in pieces that belong to the
// caller. After Settle has said so they are exactly what the node has. In the odd case that two names have
// one hash ok is false: then the list has to be made in one go.
func (w *Walk) Names() (pieces [][]byte, ok bool) { return w.names, !w.damaged }

// observe tells open walks of a node created, or about to be deleted.
func (t *Tree) observe(parent, r Ref, path string, created bool) {
	for _, w := range t.walks {
		if w.top == parent && !w.deep {
			w.changes = append(w.changes, nameChange{nameOf(path), created})
			w.deleted = w.deleted || !created
		}
		if created {
			continue
		}
		for i := range w.stack {
			if w.stack[i] == r {
				w.stack[i] = t.store.NextSibling(r)
			}
		}
		if w.top == r {
			w.top = NoRef
		}
	}
}
