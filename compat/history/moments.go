package history

import (
	"cmp"
	"fmt"
	"slices"

	"zk/jute"
)

// A reply's zxid says which moment it is of: everything up to it, and nothing after. So whichever server answers a
// read, and however far it is behind, it has to show what the writes up to that zxid have left.

// step is an answered write of one node.
type step struct {
	zxid jute.Zxid
	cell cell
	by   *Record
}

// checkMoments checks that each read is of the moment that its zxid says.
func checkMoments(records []*Record) (wrong []string) {
	steps := map[string][]step{}
	for _, r := range records {
		if !r.Done() {
			continue
		}
		switch r.kind {
		case set, transfer:
			for _, c := range r.cells {
				steps[c.path] = append(steps[c.path], step{r.zxid, c, r})
			}
		case acquire, release:
			steps[r.path] = append(steps[r.path], step{r.zxid, cell{}, r})
		}
	}
	for _, list := range steps {
		slices.SortFunc(list, func(a, b step) int { return cmp.Compare(a.zxid, b.zxid) })
	}
	l := lossesOf(records)
	for _, r := range records {
		if !r.Known() {
			continue
		}
		switch {
		case (r.kind == get || r.kind == audit) && r.code == jute.CodeOk:
			for _, c := range r.cells {
				if last := lastStep(steps[c.path], r.zxid); last != nil && !agrees(c, last) {
					wrong = append(wrong, fmt.Sprintf("not of its moment: %v, after %v", r, last.by))
				}
			}
		case r.kind == holder && (r.code == jute.CodeOk || r.code == jute.CodeNoNode):
			if last := lastStep(steps[r.path], r.zxid); last != nil && !holds(r, last, l) {
				wrong = append(wrong, fmt.Sprintf("not of its moment: %v, after %v", r, last.by))
			}
		}
	}
	return wrong
}

// lastStep is the last one up to a zxid; nil when there is none.
func lastStep(list []step, zxid jute.Zxid) *step {
	i, found := slices.BinarySearchFunc(list, zxid, func(s step, z jute.Zxid) int { return cmp.Compare(s.zxid, z) })
	if found {
		return &list[i]
	}
	if i == 0 {
		return nil
	}
	return &list[i-1]
}

// agrees reports whether a node can be as it was read, when the last answered write of it is known. One without an
// answer may have followed.
func agrees(c cell, last *step) bool {
	if c.mzxid == last.zxid {
		return c.version == last.cell.version && c.value == last.cell.value
	}
	return c.mzxid > last.zxid && c.version > last.cell.version
}

// losses tells when locks may have been lost without an answered release.
type losses struct {
	ends     map[int]int64    // by client: from when on its session may have ended
	releases map[string]int64 // by lock: when the first release was sent that was not answered
}

func lossesOf(records []*Record) losses {
	l := losses{map[int]int64{}, map[string]int64{}}
	for _, r := range records {
		switch {
		case r.kind == end:
			l.ends[r.client] = r.call
		case r.kind == release && !r.Known():
			if at, ok := l.releases[r.path]; !ok || r.call < at {
				l.releases[r.path] = r.call
			}
		}
	}
	return l
}

// possible reports whether a client may have lost a lock by some time.
func (l losses) possible(client int, path string, by int64) bool {
	ended, ok := l.ends[client]
	released, maybe := l.releases[path]
	return ok && ended <= by || maybe && released <= by
}

// holds reports whether a lock can be as it was read, when the last answered write of it is known.
func holds(r *Record, last *step, l losses) bool {
	if r.code == jute.CodeOk {
		return r.mzxid > last.zxid || r.mzxid == last.zxid && last.by.kind == acquire
	}
	return last.by.kind == release || l.possible(last.by.client, r.path, r.ret)
}
