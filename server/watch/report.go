package watch

// Count is the number of (watcher, path) pairs in both tables: watch_count. A persistent watch is in
// both. It takes no lock.
func (t *Table) Count() int { return int(t.dataPairs.Load() + t.childPairs.Load()) }

// Summary is what wchs reports, over the data table only.
type Summary struct {
	// Watchers is the number of connections that have a data watch, or whose last one fired: Java
	// forgets a connection only when it closes or removes its last watch itself.
	Watchers int
	Paths    int // paths with a data watch
	Watches  int // (watcher, path) pairs
}

// Summary counts the data table.
func (t *Table) Summary() Summary {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Summary{Watchers: t.listed, Paths: t.dataPaths, Watches: int(t.dataPairs.Load())}
}

// pair is a watch as a walk gathers it.
type pair struct {
	path string
	w    Watcher
}

// EachData calls f for every (path, watcher) pair of the data table, in no particular order, without a
// lock held (wchc, wchp). Watches that come and go during the walk may or may not be seen.
func (t *Table) EachData(f func(path string, w Watcher)) {
	t.walk(func() uint32 { return t.entries.used }, func(i uint32) (pair, bool) {
		e := t.entries.at(i)
		if e.modes == 0 || e.list == listChild {
			return pair{}, false
		}
		if e.list == listRecursive && t.find(e.path, e.owner, listData) != 0 {
			return pair{}, false // the pair's other entry stands for it
		}
		w := t.owners.at(e.owner).w
		return pair{t.paths.at(e.path).path, w}, w != nil
	}, f)
}

// EachWatcher calls f for every connection that Summary counts, as EachData does: wchc lists it even
// when it has no path left.
func (t *Table) EachWatcher(f func(w Watcher)) {
	t.walk(func() uint32 { return t.owners.used }, func(i uint32) (pair, bool) {
		own := t.owners.at(i)
		return pair{w: own.w}, own.listed
	}, func(_ string, w Watcher) { f(w) })
}

// walk visits the numbers of a slab from 1 to used, a step at a time under the mutex, and calls f for
// what get gathered after letting it go.
func (t *Table) walk(used func() uint32, get func(uint32) (pair, bool), f func(path string, w Watcher)) {
	var got []pair
	for i, more := uint32(1), true; more; {
		t.mu.Lock()
		end := used()
		if more = end-i >= removeStep && end >= i; more {
			end = i + removeStep - 1
		}
		for ; i <= end && i != 0; i++ {
			if p, ok := get(i); ok {
				got = append(got, p)
			}
		}
		t.mu.Unlock()
		for _, p := range got {
			f(p.path, p.w)
		}
		clear(got)
		got = got[:0]
	}
}
