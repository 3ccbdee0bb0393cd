package tree

import (
	"slices"

	"zk/jute"
)

// Walk goes over many nodes in bounded steps, with the tree changing between them. The tree tells every
// open walk of nodes that come and go, so that a walk never holds a node that is gone.
//
// Open and Close are called under the write lock, Step and what follows it under the read lock.
type Walk struct {
	t     *Tree
	top   Ref   // of a list of children: their parent, NoRef once it is gone
	stack []Ref // next nodes to visit, one per level
	deep  bool
	names []byte // of a list: the children seen, as ustrings
	count int
	stale bool // a child was deleted: names can't be trusted
	lost  bool // the tree was replaced
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
		w.count++
		if w.deep {
			w.stack = append(w.stack, s.FirstChild(r))
			continue
		}
		w.add(s.Name(r))
	}
	return false
}

func (w *Walk) add(name []byte) {
	w.names = append(jute.AppendInt32(w.names, int32(len(name))), name...)
}

// Lost reports that the tree was replaced: what the walk has seen is no more, and it sees nothing else.
func (w *Walk) Lost() bool { return w.lost }

// Count is the number of nodes seen.
func (w *Walk) Count() int { return w.count }

// Node is the node whose children are listed, NoRef when it was deleted meanwhile.
func (w *Walk) Node() Ref { return w.top }

// Names are the children as an encoded vector of ustrings without its count. At the end of the walk
// they are exactly what the node has, unless ok is false: then a child was deleted meanwhile, and the
// list has to be made in one go.
func (w *Walk) Names() (names []byte, count int, ok bool) { return w.names, w.count, !w.stale }

// observe tells open walks of a node created, or about to be deleted. New children stand before those
// that are there, so a walk that has begun doesn't meet them.
func (t *Tree) observe(parent, r Ref, path string, created bool) {
	for _, w := range t.walks {
		if created {
			if w.top == parent {
				w.count++
				w.add([]byte(nameOf(path)))
			}
			continue
		}
		for i := range w.stack {
			if w.stack[i] == r {
				w.stack[i] = t.store.NextSibling(r)
			}
		}
		if w.top == parent {
			w.stale = true
		}
		if w.top == r {
			w.top = NoRef
		}
	}
}
