package client

import (
	"slices"

	"zk/jute"
)

// setWatchesBytes bounds the paths in one setWatches request, so that it stays below the largest request
// a server takes (ClientCnxn.SET_WATCHES_MAX_LENGTH).
const setWatchesBytes = 128 * 1024

// watchKind numbers the lists of a setWatches request, in its order.
type watchKind int

const (
	dataWatch watchKind = iota
	existWatch
	childWatch
	persistentWatch
	recursiveWatch
	watchKinds
)

// watchSet is the watches that a client has set and must set again on a new connection. Paths are the
// server's. Guarded by Client.mu.
type watchSet [watchKinds]map[string]struct{}

func (w *watchSet) add(kind watchKind, path string) {
	if w[kind] == nil {
		w[kind] = make(map[string]struct{})
	}
	w[kind][path] = struct{}{}
}

func (w *watchSet) has(kind watchKind, path string) bool {
	_, ok := w[kind][path]
	return ok
}

// fired takes off the one-shot watches that an event has used up.
func (w *watchSet) fired(t EventType, path string) {
	switch t {
	case jute.EventNodeCreated, jute.EventNodeDataChanged:
		delete(w[dataWatch], path)
		delete(w[existWatch], path)
	case jute.EventNodeChildrenChanged:
		delete(w[childWatch], path)
	case jute.EventNodeDeleted:
		delete(w[dataWatch], path)
		delete(w[existWatch], path)
		delete(w[childWatch], path)
	}
}

// kindsOf are the lists that a watcher type of removeWatches takes from.
func kindsOf(watcherType int32) []watchKind {
	switch watcherType {
	case jute.WatcherChildren:
		return []watchKind{childWatch}
	case jute.WatcherData:
		return []watchKind{dataWatch, existWatch}
	case jute.WatcherPersistent:
		return []watchKind{persistentWatch}
	case jute.WatcherPersistentRecursive:
		return []watchKind{recursiveWatch}
	default:
		return []watchKind{dataWatch, existWatch, childWatch, persistentWatch, recursiveWatch}
	}
}

// contains reports if a watch of the type is set.
func (w *watchSet) contains(watcherType int32, path string) bool {
	return slices.ContainsFunc(kindsOf(watcherType), func(k watchKind) bool { return w.has(k, path) })
}

// remove takes watches off and tells which events that makes, one of each type.
func (w *watchSet) remove(watcherType int32, path string) []EventType {
	var types []EventType
	for _, kind := range kindsOf(watcherType) {
		if !w.has(kind, path) {
			continue
		}
		delete(w[kind], path)
		t := EventPersistentWatchRemoved
		switch kind {
		case dataWatch, existWatch:
			t = EventDataWatchRemoved
		case childWatch:
			t = EventChildWatchRemoved
		}
		if !slices.Contains(types, t) {
			types = append(types, t)
		}
	}
	return types
}

// frames are the requests that set all watches again, each with at most setWatchesBytes of paths and one
// more. Servers without persistent watches get the older form when there are none.
func (w *watchSet) frames(seen jute.Zxid) [][]byte {
	var frames [][]byte
	var lists [watchKinds][]string
	size := 0
	flush := func() {
		if size == 0 {
			return
		}
		op := jute.OpSetWatches
		if len(lists[persistentWatch])+len(lists[recursiveWatch]) > 0 {
			op = jute.OpSetWatches2
		}
		for i := range lists {
			if lists[i] == nil {
				lists[i] = []string{}
			}
		}
		r := jute.SetWatchesRequest{
			RelativeZxid: seen, Data: lists[dataWatch], Exist: lists[existWatch], Child: lists[childWatch],
			Persistent: lists[persistentWatch], PersistentRecur: lists[recursiveWatch],
		}
		frames = append(frames, frame(jute.XidSetWatches, op,
			func(b []byte) []byte { return r.Append(b, op) }))
		lists, size = [watchKinds][]string{}, 0
	}
	for kind := range w {
		for path := range w[kind] {
			lists[kind] = append(lists[kind], path)
			if size += len(path); size >= setWatchesBytes {
				flush()
			}
		}
	}
	flush()
	return frames
}
