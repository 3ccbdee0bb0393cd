package watch

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"zk/jute"
)

// fakeWatcher records what it gets, as text.
type fakeWatcher struct {
	name  string
	stale bool
	got   []string
}

func (w *fakeWatcher) Stale() bool { return w.stale }

func (w *fakeWatcher) Deliver(ev *Event) {
	d := jute.NewDecoder(ev.Frame, 0)
	length := d.Int32()
	var h jute.ReplyHeader
	h.Decode(&d)
	var e jute.WatcherEvent
	e.Decode(&d)
	good := d.Err() == nil && d.Remaining() == 0 && int(length) == len(ev.Frame)-4 &&
		h == jute.ReplyHeader{Xid: -1, Zxid: ev.Zxid} && e.State == 3 && e.Type == ev.Type && e.Path == ev.Path
	if !good {
		w.got = append(w.got, fmt.Sprintf("bad frame %x for %+v", ev.Frame, *ev))
		return
	}
	w.got = append(w.got, text(ev.Type, ev.Path, ev.Zxid, ev.ACL))
}

func text(typ jute.EventType, path string, zxid jute.Zxid, acl []jute.ACL) string {
	return fmt.Sprintf("%d %s %d %s", typ, path, zxid, acl[0].ID.ID)
}

// aclOf marks which node's ACL was handed over.
func aclOf(path string) []jute.ACL { return []jute.ACL{{ID: jute.ID{ID: "of " + path}}} }

// model is the table written for obviousness: Java's two tables of path -> watcher -> modes.
type model struct {
	data, child map[string]map[*fakeWatcher]uint8
	listed      map[*fakeWatcher]bool
	want        map[*fakeWatcher][]string
}

func newModel() *model {
	return &model{
		data: map[string]map[*fakeWatcher]uint8{}, child: map[string]map[*fakeWatcher]uint8{},
		listed: map[*fakeWatcher]bool{}, want: map[*fakeWatcher][]string{},
	}
}

func set(table map[string]map[*fakeWatcher]uint8, path string, w *fakeWatcher, mode uint8) {
	if table[path] == nil {
		table[path] = map[*fakeWatcher]uint8{}
	}
	table[path][w] |= mode
}

func unset(table map[string]map[*fakeWatcher]uint8, path string, w *fakeWatcher, mode uint8) bool {
	old := table[path][w]
	if old&mode == 0 {
		return false
	}
	if table[path][w] = old &^ mode; old&^mode == 0 {
		delete(table[path], w)
	}
	if len(table[path]) == 0 {
		delete(table, path)
	}
	return true
}

func (m *model) add(path string, w *fakeWatcher, kind Kind) {
	switch kind {
	case StandardData:
		set(m.data, path, w, modeStandard)
	case StandardChild:
		set(m.child, path, w, modeStandard)
		return
	case Persistent:
		set(m.data, path, w, modePersistent)
		set(m.child, path, w, modePersistent)
	case PersistentRecursive:
		set(m.data, path, w, modeRecursive)
	}
	m.listed[w] = true
}

const anyMode = modeStandard | modePersistent | modeRecursive

func (m *model) has(path string, w *fakeWatcher, typ int32) bool {
	data, child := m.data[path][w], m.child[path][w]
	switch typ {
	case 1:
		return child&modeStandard != 0
	case 2:
		return data&modeStandard != 0
	case 4:
		return data&modePersistent != 0
	case 5:
		return data&modeRecursive != 0
	default:
		return (data|child)&anyMode != 0
	}
}

func (m *model) remove(path string, w *fakeWatcher, typ int32) bool {
	data, child := false, false
	switch typ {
	case 1:
		child = unset(m.child, path, w, modeStandard)
	case 2:
		data = unset(m.data, path, w, modeStandard)
	case 3:
		child, data = unset(m.child, path, w, anyMode), unset(m.data, path, w, anyMode)
	case 4:
		child, data = unset(m.child, path, w, modePersistent), unset(m.data, path, w, modePersistent)
	case 5:
		data = unset(m.data, path, w, modeRecursive)
	}
	if data && !slices.ContainsFunc(m.paths(), func(p string) bool { return m.data[p][w] != 0 }) {
		delete(m.listed, w)
	}
	return data || child
}

func (m *model) paths() (paths []string) {
	for p := range m.data {
		paths = append(paths, p)
	}
	return paths
}

func (m *model) removeWatcher(w *fakeWatcher) {
	for p := range m.data {
		unset(m.data, p, w, anyMode)
	}
	for p := range m.child {
		unset(m.child, p, w, anyMode)
	}
	delete(m.listed, w)
}

// trigger is WatchManager.triggerWatch: the watchers hit, each told unless suppressed.
func (m *model) trigger(table map[string]map[*fakeWatcher]uint8, path, event string, suppress map[*fakeWatcher]bool) map[*fakeWatcher]bool {
	hit := map[*fakeWatcher]bool{}
	for w := range table[path] {
		hit[w] = true
		unset(table, path, w, modeStandard)
	}
	for at := path; at != "/"; {
		at = at[:strings.LastIndexByte(at, '/')]
		if at == "" {
			at = "/"
		}
		for w, modes := range table[at] {
			if modes&modeRecursive != 0 {
				hit[w] = true
			}
		}
	}
	for w := range hit {
		if !suppress[w] {
			m.want[w] = append(m.want[w], event)
		}
	}
	return hit
}

func (m *model) fire(typ jute.EventType, path string, zxid jute.Zxid) (h Hits) {
	event := text(typ, path, zxid, aclOf(path))
	hit := m.trigger(m.data, path, event, nil)
	h.Data = len(hit)
	if typ == jute.EventNodeDeleted {
		h.Child = len(m.trigger(m.child, path, event, hit))
	}
	if typ != jute.EventNodeDataChanged {
		parent := parentOf(path)
		h.Parent = len(m.trigger(m.child, parent, text(jute.EventNodeChildrenChanged, parent, zxid, aclOf(parent)), nil))
	}
	return h
}

func pairs(table map[string]map[*fakeWatcher]uint8) (n int) {
	for _, ws := range table {
		n += len(ws)
	}
	return n
}

func fire(t *Table, typ jute.EventType, path string, zxid jute.Zxid) Hits {
	switch typ {
	case jute.EventNodeCreated:
		return t.NodeCreated(path, zxid, aclOf(path), aclOf(parentOf(path)))
	case jute.EventNodeDeleted:
		return t.NodeDeleted(path, zxid, aclOf(path), aclOf(parentOf(path)))
	default:
		return t.NodeDataChanged(path, zxid, aclOf(path))
	}
}

// TestAgainstModel does the same random calls to the table and to the model and compares everything that
// can be seen after each.
func TestAgainstModel(t *testing.T) {
	paths := []string{"/", "/a", "/a/b", "/a/b/c", "/a/d", "/e", "", "/a/", "no slash"}
	rapid.Check(t, func(rt *rapid.T) {
		table, m := New(), newModel()
		watchers := []*fakeWatcher{{name: "u"}, {name: "v"}, {name: "w"}}
		anyPath, anyWatcher := rapid.SampledFrom(paths), rapid.SampledFrom(watchers)
		zxid := jute.Zxid(0)
		rt.Repeat(map[string]func(*rapid.T){
			"add": func(rt *rapid.T) {
				p, w := anyPath.Draw(rt, "path"), anyWatcher.Draw(rt, "watcher")
				kind := Kind(rapid.IntRange(0, 3).Draw(rt, "kind"))
				table.Add(p, w, kind)
				m.add(p, w, kind)
			},
			"fire": func(rt *rapid.T) {
				typ := jute.EventType(rapid.IntRange(1, 3).Draw(rt, "type"))
				p := rapid.SampledFrom(paths[1:6]).Draw(rt, "path")
				zxid++
				if got, want := fire(table, typ, p, zxid), m.fire(typ, p, zxid); got != want {
					rt.Fatalf("hits %+v, want %+v", got, want)
				}
			},
			"remove": func(rt *rapid.T) {
				p, w := anyPath.Draw(rt, "path"), anyWatcher.Draw(rt, "watcher")
				typ := int32(rapid.IntRange(1, 5).Draw(rt, "type"))
				if got, want := table.Remove(p, w, typ), m.remove(p, w, typ); got != want {
					rt.Fatalf("removed %v, want %v", got, want)
				}
			},
			"close": func(rt *rapid.T) {
				w := anyWatcher.Draw(rt, "watcher")
				table.RemoveWatcher(w)
				m.removeWatcher(w)
			},
			"": func(rt *rapid.T) { compare(rt, table, m, watchers, paths) },
		})
	})
}

func compare(rt *rapid.T, table *Table, m *model, watchers []*fakeWatcher, paths []string) {
	for _, w := range watchers {
		if !slices.Equal(w.got, m.want[w]) {
			rt.Fatalf("%s got %q, want %q", w.name, w.got, m.want[w])
		}
		w.got, m.want[w] = nil, nil
		for _, p := range paths {
			for typ := int32(1); typ <= 5; typ++ {
				if got, want := table.Has(p, w, typ), m.has(p, w, typ); got != want {
					rt.Fatalf("has %q %s %d: %v, want %v", p, w.name, typ, got, want)
				}
			}
		}
	}
	if got, want := table.Count(), pairs(m.data)+pairs(m.child); got != want || table.Empty() != (want == 0) {
		rt.Fatalf("count %d, want %d", got, want)
	}
	want := Summary{Watchers: len(m.listed), Paths: len(m.data), Watches: pairs(m.data)}
	if got := table.Summary(); got != want {
		rt.Fatalf("summary %+v, want %+v", got, want)
	}
	seen := map[pair]bool{}
	table.EachData(func(path string, w Watcher) {
		if p := (pair{path, w}); seen[p] || m.data[path][w.(*fakeWatcher)] == 0 {
			rt.Fatalf("walk gave %q %s", path, w.(*fakeWatcher).name)
		} else {
			seen[p] = true
		}
	})
	listed := 0
	table.EachWatcher(func(w Watcher) {
		if listed++; !m.listed[w.(*fakeWatcher)] {
			rt.Fatalf("walk of watchers gave %s", w.(*fakeWatcher).name)
		}
	})
	if len(seen) != want.Watches || listed != want.Watchers {
		rt.Fatalf("walks gave %d pairs, %d watchers, want %+v", len(seen), listed, want)
	}
}
