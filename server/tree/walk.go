package tree

import "slices"

// Walk goes over many nodes in bounded steps, with the tree changing between them. The tree tells every
// open walk of nodes that come and go, so that a walk never holds a node that is gone.
//
// Open and Close are called under the write lock, Step under the read lock.
type Walk struct {
	t     *Tree
	top   Ref // of a list of children
	stack []Ref
	deep  bool
	names map[string]struct{} // of a list: the children, exact when Step says done
	count int
}

// OpenCount starts a count of all nodes below r.
func (t *Tree) OpenCount(r Ref) *Walk {
	w := &Walk{t: t, deep: true, stack: []Ref{t.store.FirstChild(r)}}
	t.walks = append(t.walks, w)
	return w
}

// OpenChildren starts a list of r's children.
func (t *Tree) OpenChildren(r Ref) *Walk {
	w := &Walk{t: t, top: r, stack: []Ref{t.store.FirstChild(r)}, names: map[string]struct{}{}}
	t.walks = append(t.walks, w)
	return w
}

// Close ends the walk.
func (w *Walk) Close() {
	if i := slices.Index(w.t.walks, w); i >= 0 {
		w.t.walks = slices.Delete(w.t.walks, i, i+1)
	}
}

// Step visits up to n nodes and reports whether the walk is at its end. At the end of a list Names is
// exactly what the node has; the caller must use it before it releases the lock.
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
		w.names[string(s.Name(r))] = struct{}{}
	}
	return len(w.stack) == 0
}

// Count is the number of nodes seen.
func (w *Walk) Count() int { return w.count }

// Names are the children seen.
func (w *Walk) Names() map[string]struct{} { return w.names }

// observe tells open walks of a node created, or about to be deleted.
func (t *Tree) observe(parent, r Ref, path string, created bool) {
	for _, w := range t.walks {
		if !created {
			for i := range w.stack {
				if w.stack[i] == r {
					w.stack[i] = t.store.NextSibling(r)
				}
			}
		}
		if w.names == nil || w.top != parent {
			continue
		}
		if created {
			w.names[nameOf(path)] = struct{}{}
		} else {
			delete(w.names, nameOf(path))
		}
	}
}
