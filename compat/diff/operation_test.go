package diff

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"zk/jute"
)

// operation is a request as data, so that a sequence of them can be replayed below another root, cut
// down, and printed as source. Which fields count depends on op.
type operation struct {
	op      jute.OpCode
	path    string // see place
	data    []byte
	acl     []string // as acl takes them
	flags   int32    // of a create
	version int32
	kind    int32 // the mode of addWatch, the type of removeWatches and checkWatches
	watch   bool
	parts   []operation // of multi and multiRead
	lists   watchLists  // of setWatches and setWatches2, as path
}

// place is the path that an operation's path stands for: "/a" is below the root of the run, "@/a" is the
// quota node of that, "!/a" is "/a" itself.
func (s *script) place(path string) string {
	switch {
	case strings.HasPrefix(path, "!"):
		return path[1:]
	case strings.HasPrefix(path, "@"):
		return "/zookeeper/quota" + s.root + path[1:]
	}
	return s.root + path
}

// counts tells whether it may change what a quota counts, or be refused by one: see generator.quota.
func (o operation) counts() bool {
	switch o.op {
	case jute.OpCreate, jute.OpCreate2, jute.OpCreateContainer, jute.OpCreateTTL, jute.OpDelete, jute.OpSetData:
		return strings.HasPrefix(o.path, "/a") || strings.HasPrefix(o.path, "/b")
	case jute.OpMulti:
		return slices.ContainsFunc(o.parts, operation.counts)
	}
	return false
}

func (s *script) places(paths []string) []string {
	out := make([]string, 0, len(paths))
	for _, p := range paths {
		out = append(out, s.place(p))
	}
	return out
}

// req is the request for the script's root. seen is the zxid that setWatches starts from.
func (o operation) req(s *script, seen jute.Zxid) req {
	path := s.place(o.path)
	switch o.op {
	case jute.OpCreate, jute.OpCreate2, jute.OpCreateContainer, jute.OpCreateTTL:
		return createAs(o.op, path, o.data, acl(o.acl...), o.flags, longTTL)
	case jute.OpDelete:
		return del(path, o.version)
	case jute.OpCheck:
		return check(path, o.version)
	case jute.OpSetData:
		return setBytes(path, o.data, o.version)
	case jute.OpSetACL:
		return setACL(path, acl(o.acl...), o.version)
	case jute.OpExists, jute.OpGetData, jute.OpGetChildren, jute.OpGetChildren2:
		return pathBool(o.op, path, o.watch)
	case jute.OpGetACL, jute.OpSync, jute.OpGetEphemerals, jute.OpGetAllChildrenNumber:
		return pathOnly(o.op, path)
	case jute.OpAddWatch:
		return addWatch(path, o.kind)
	case jute.OpRemoveWatches:
		return removeWatches(path, o.kind)
	case jute.OpCheckWatches:
		return checkWatches(path, o.kind)
	case jute.OpWhoAmI:
		return whoAmI()
	case jute.OpReconfig:
		return reconfig(null, null, null, -1)
	case jute.OpAuth:
		return auth(o.path, o.data)
	case jute.OpMulti, jute.OpMultiRead:
		parts := make([]req, 0, len(o.parts))
		for _, p := range o.parts {
			parts = append(parts, p.req(s, seen))
		}
		return multiOf(o.op, parts...)
	case jute.OpSetWatches, jute.OpSetWatches2:
		l := o.lists
		return setWatchesAs(o.op, s, seen, watchLists{
			data: s.places(l.data), exist: s.places(l.exist), child: s.places(l.child), persistent: s.places(l.persistent), recursive: s.places(l.recursive),
		})
	}
	panic(fmt.Sprintf("operation %v has no request", o.op))
}

// source is the Go expression of the request in a case, where p is the player and slot has the connection.
func (o operation) source(slot string) string {
	path := placeSource(o.path)
	switch o.op {
	case jute.OpCreate, jute.OpCreate2, jute.OpCreateContainer, jute.OpCreateTTL:
		if o.op == jute.OpCreate && string(o.data) == "x" && len(o.acl) == 1 && o.acl[0] == openACL {
			return fmt.Sprintf("create(%s, %d)", path, o.flags)
		}
		return fmt.Sprintf("createAs(jute.Op%s, %s, %s, %s, %d, longTTL)", goName(o.op), path, bytesSource(o.data), aclSource(o.acl), o.flags)
	case jute.OpDelete:
		return fmt.Sprintf("del(%s, %d)", path, o.version)
	case jute.OpSetData:
		return fmt.Sprintf("setBytes(%s, %s, %d)", path, bytesSource(o.data), o.version)
	case jute.OpSetACL:
		return fmt.Sprintf("setACL(%s, %s, %d)", path, aclSource(o.acl), o.version)
	case jute.OpCheck:
		return fmt.Sprintf("check(%s, %d)", path, o.version)
	case jute.OpExists, jute.OpGetData, jute.OpGetChildren, jute.OpGetChildren2:
		return fmt.Sprintf("pathBool(jute.Op%s, %s, %v)", goName(o.op), path, o.watch)
	case jute.OpGetACL, jute.OpSync, jute.OpGetEphemerals, jute.OpGetAllChildrenNumber:
		return fmt.Sprintf("pathOnly(jute.Op%s, %s)", goName(o.op), path)
	case jute.OpAddWatch, jute.OpRemoveWatches, jute.OpCheckWatches:
		return fmt.Sprintf("%v(%s, %d)", o.op, path, o.kind)
	case jute.OpReconfig:
		return "reconfig(null, null, null, -1)"
	case jute.OpAuth:
		return fmt.Sprintf("auth(%q, %s)", o.path, bytesSource(o.data))
	case jute.OpMulti, jute.OpMultiRead:
		return fmt.Sprintf("%v(%s)", o.op, sources(o.parts, slot))
	case jute.OpSetWatches, jute.OpSetWatches2:
		return fmt.Sprintf("s.%v(p.seen(%q), watchLists{%s})", o.op, slot, o.lists.source())
	}
	return fmt.Sprintf("%v()", o.op)
}

func sources(ops []operation, slot string) string {
	out := make([]string, 0, len(ops))
	for _, o := range ops {
		out = append(out, o.source(slot))
	}
	return strings.Join(out, ", ")
}

func (l watchLists) source() string {
	var out []string
	for _, f := range []struct {
		name  string
		paths []string
	}{{"data", l.data}, {"exist", l.exist}, {"child", l.child}, {"persistent", l.persistent}, {"recursive", l.recursive}} {
		if len(f.paths) == 0 {
			continue
		}
		places := make([]string, 0, len(f.paths))
		for _, p := range f.paths {
			places = append(places, placeSource(p))
		}
		out = append(out, fmt.Sprintf("%s: []string{%s}", f.name, strings.Join(places, ", ")))
	}
	return strings.Join(out, ", ")
}

func placeSource(path string) string {
	switch {
	case strings.HasPrefix(path, "!"):
		return strconv.Quote(path[1:])
	case strings.HasPrefix(path, "@"):
		return fmt.Sprintf("s.place(%q)", path)
	case path == "":
		return "s.root"
	}
	return fmt.Sprintf("s.p(%q)", path)
}

func goName(op jute.OpCode) string {
	if op == jute.OpCreateTTL {
		return "CreateTTL"
	}
	name := op.String()
	return strings.ToUpper(name[:1]) + name[1:]
}

func bytesSource(b []byte) string {
	switch {
	case b == nil:
		return "nil"
	case len(b) > 20 && strings.Trim(string(b), "\x00") == "":
		return fmt.Sprintf("make([]byte, %d)", len(b))
	}
	return fmt.Sprintf("[]byte(%q)", b)
}

func aclSource(specs []string) string {
	if len(specs) == 1 && specs[0] == openACL {
		return "open()"
	}
	quoted := make([]string, 0, len(specs))
	for _, spec := range specs {
		quoted = append(quoted, strconv.Quote(spec))
	}
	return "acl(" + strings.Join(quoted, ", ") + ")"
}
