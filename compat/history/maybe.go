package history

import (
	"slices"
	"strconv"
	"strings"

	"zk/jute"
)

// What nobody has an answer to may have been done or not, and a search through all choices takes for ever
// when there are twenty of them. Most can be told from what others saw: versions grow by one, so that
// each change of a node from one version to the next was made by one write. What was not done is left
// out here; what was is marked, so that it has to take effect. The rest stays open.

// change is a step of a node from a version to the next.
type change struct {
	path string
	from int32
}

// settleWrites decides on the maybes among conditional sets of nodes.
func settleWrites(records []*Record) []*Record {
	values := map[change]string{} // what a node has after the change, as seen
	by := map[change]bool{}       // changes by answered writes
	last := map[string]int32{}
	see := func(c cell) {
		values[change{c.path, c.version - 1}] = c.value
		last[c.path] = max(last[c.path], c.version)
	}
	for _, r := range records {
		if !r.Known() || r.code != jute.CodeOk {
			continue
		}
		for _, c := range r.cells {
			see(c)
			if r.write() {
				by[change{c.path, c.version - 1}] = true
			}
		}
	}
	could := func(c cell) bool {
		if c.wanted == -1 {
			return true
		}
		at := change{c.path, c.wanted}
		value, seen := values[at]
		return c.wanted < last[c.path] && !by[at] && (!seen || value == c.value)
	}
	var kept []*Record
	candidates := map[change]int{}
	for _, r := range records {
		if !r.Known() && slices.ContainsFunc(r.cells, func(c cell) bool { return !could(c) }) {
			continue
		}
		if !r.Known() {
			r = settleBlind(r, values)
			for _, c := range r.cells {
				candidates[change{c.path, c.wanted}]++
			}
		}
		kept = append(kept, r)
	}
	// A change that was seen and has one candidate was made by that one. A set on any version may have
	// made it too, unless its own place is known.
	blind := slices.ContainsFunc(kept, func(r *Record) bool { return !r.Known() && r.cells[0].wanted == -1 })
	for i, r := range kept {
		if r.Known() || blind {
			continue
		}
		if slices.ContainsFunc(r.cells, func(c cell) bool { return candidates[change{c.path, c.wanted}] == 1 }) {
			kept[i] = sure(r)
		}
	}
	return kept
}

// settleBlind gives a set on any version whose value was seen the version that it met.
func settleBlind(r *Record, values map[change]string) *Record {
	c := r.cells[0]
	if r.kind != set || c.wanted != -1 {
		return r
	}
	for at, value := range values {
		if at.path == c.path && value == c.value {
			r = sure(r)
			r.cells[0].wanted = at.from
			return r
		}
	}
	return r
}

// sure is a copy of a maybe that is known to have been done.
func sure(r *Record) *Record {
	made := *r
	made.cells = slices.Clone(r.cells)
	made.sure = true
	return &made
}

// taken gives the numbers in the queue that no answered create has.
func taken(records []*Record, queue []string) map[int]bool {
	all := map[int]bool{}
	for _, name := range queue {
		if n, err := strconv.Atoi(strings.TrimPrefix(name, "n-")); err == nil {
			all[n] = true
		}
	}
	for _, r := range records {
		if r.Known() {
			if n, err := strconv.Atoi(r.name[strings.LastIndexByte(r.name, '-')+1:]); err == nil {
				delete(all, n)
			}
		}
	}
	return all
}

// settleEnds decides what the ends of sessions mean for a lock: nothing where the client can't have had
// it.
func settleEnds(records []*Record) (kept []*Record) {
	const no, perhaps, yes = 0, 1, 2
	holds := map[int]int{}
	list := slices.Clone(records)
	slices.SortStableFunc(list, func(a, b *Record) int {
		if a.kind == end || b.kind == end { // the last thing that a client does
			return int(min(max(int64(a.kind)-int64(b.kind), -1), 1))
		}
		return int(min(max(a.call-b.call, -1), 1))
	})
	for _, r := range list {
		switch {
		case r.kind == end && holds[r.client] == no:
			continue
		case r.kind == end && holds[r.client] == yes:
			r = sure(r)
		case r.kind != acquire && r.kind != release:
		case !r.Known():
			holds[r.client] = perhaps
		case r.kind == release:
			holds[r.client] = no
		case r.code == jute.CodeOk:
			holds[r.client] = yes
		}
		kept = append(kept, r)
	}
	return kept
}
