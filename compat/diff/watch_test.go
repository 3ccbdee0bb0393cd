package diff

import (
	"fmt"

	"zk/jute"
)

func watchCases() []testCase {
	return []testCase{
		{"watch/table", watchTable},
		{"watch/one-shot", watchOneShot},
		{"watch/own-writes", watchOwnWrites},
		{"watch/not-left-behind", watchNotLeftBehind},
		{"watch/combined", watchCombined},
		{"watch/recursive", watchRecursive},
		{"watch/root", watchRoot},
		{"watch/addwatch", watchAddWatch},
		{"watch/remove", watchRemove},
		{"watch/remove-decode", watchRemoveDecode},
		{"watch/read-filter", watchReadFilter},
		{"watch/connection", watchConnection},
		{"watch/session-close", watchSessionClose},
		{"watch/order", watchOrder},
		{"setwatches/table", setWatchesTable},
		{"setwatches/live", setWatchesLive},
		{"setwatches/filter", setWatchesFilter},
		{"setwatches/decode", setWatchesDecode},
	}
}

// registration is a way to register a watch on a path.
type registration struct {
	name string
	req  func(path string) req
}

func registrations() []registration {
	return []registration{
		{"exists", func(p string) req { return exists(p, true) }},
		{"get", func(p string) req { return get(p, true) }},
		{"children", func(p string) req { return children(p, true) }},
		{"children2", func(p string) req { return children2(p, true) }},
		{"persistent", func(p string) req { return addWatch(p, 0) }},
		{"recursive", func(p string) req { return addWatch(p, 1) }},
	}
}

// drainAll records what each connection was told.
func drainAll(conns []*conn) {
	for _, c := range conns {
		c.drain()
	}
}

// watchTable has one connection per kind of watch and runs every kind of transaction past them, with
// the watches registered anew before each.
func watchTable(s *script) {
	a := s.conn("a")
	n := s.p("/n")
	var watchers []*conn
	for _, r := range registrations() {
		watchers = append(watchers, s.conn(r.name))
	}
	changes := []req{
		create(n, 0), set(n, "y", -1), setACL(n, open(), -1), create(n+"/k", 0), set(n+"/k", "y", -1), create(n+"/k/g", 0), set(n+"/k/g", "y", -1), setACL(n+"/k", open(), -1),
		del(n+"/k/g", -1), del(n+"/k", -1), create(n+"/e", 1), create2(n+"/s-", 2), createContainer(n + "/c"), del(n+"/c", -1), del(n+"/e", -1), del(n+"/s-0000000002", -1),
		set(n, "bad", 99), create(n, 0), create(s.p("/other"), 0), del(s.p("/other"), -1), del(n, -1), create(n, 1), del(n, -1),
		multi(create(n, 0), set(n, "z", -1), create(n+"/k", 0), del(n+"/k", -1), del(n, -1)),
		multi(create(n, 0), check(s.p("/no"), 0)),
	}
	for _, change := range changes {
		for i, r := range registrations() {
			watchers[i].look(r.req(n))
		}
		a.call(change)
		drainAll(watchers)
	}
	for _, w := range watchers {
		w.end()
	}
	a.end()
}

func watchOneShot(s *script) {
	a, w := s.conn("a"), s.conn("w")
	n := s.p("/n")
	w.call(exists(n, true)).want(noNode)
	w.call(exists(n, true)).want(noNode)
	a.ok(create(n, 0), set(n, "1", -1))
	w.drain().wantEvents(1)
	w.ok(get(n, true), get(n, true), exists(n, true))
	a.ok(set(n, "2", -1), set(n, "3", -1))
	w.drain().wantEvents(1)
	w.ok(children(n, true), children2(n, true))
	a.ok(create(n+"/k", 0), del(n+"/k", -1))
	w.drain().wantEvents(1)
	// Data and child watch on a deleted node: one event.
	w.ok(get(n, true), children(n, true))
	a.ok(del(n, -1), create(n, 0), create(n+"/k", 0))
	w.drain().wantEvents(1)
	w.ok(addWatch(n, 0))
	a.ok(set(n, "4", -1), del(n+"/k", -1), del(n, -1), create(n, 0), set(n, "5", -1))
	w.drain().wantEvents(5)
	// A watch flag of 0 registers nothing and removes nothing.
	w.ok(get(s.root, true), get(s.root, false))
	a.ok(set(s.root, "x", -1))
	w.drain().wantEvents(1)
	a.end()
	w.end()
}

func watchOwnWrites(s *script) {
	c := s.conn("a")
	n := s.p("/n")
	c.look(exists(n, true), children(s.root, true))
	c.call(create(n, 0)).want(ok).wantEvents(2)
	c.look(get(n, true), children(n, true), children(s.root, true))
	c.call(set(n, "1", -1)).wantEvents(1)
	c.call(create(n+"/k", 0)).wantEvents(1)
	c.call(del(n+"/k", -1)).wantEvents(0)
	c.look(get(n, true), children(n, true))
	c.call(del(n, -1)).wantEvents(2)
	c.ok(addWatch(s.root, 1), addWatch(s.root, 0))
	c.call(create(n, 0)).wantEvents(2)
	c.call(set(n, "1", -1)).wantEvents(1)
	c.pipeline(set(n, "2", -1), get(n, true), set(n, "3", -1), get(n, false), create(n+"/e", 1), del(n+"/e", -1), del(n, -1))
	c.end()
}

// watchNotLeftBehind asks for watches on what cannot be read.
func watchNotLeftBehind(s *script) {
	a, w := s.conn("a"), s.conn("w")
	n, closed := s.p("/n"), s.p("/closed")
	a.ok(createACL(closed, acl("world:anyone:wcda")))
	w.all(
		row{get(n, true), noNode}, row{children(n, true), noNode}, row{children2(n, true), noNode},
		row{get(closed, true), noAuth}, row{children(closed, true), noAuth}, row{children2(closed, true), noAuth}, row{exists(closed, true), noAuth},
	)
	w.call(removeWatches(n, 3)).want(noWatcher)
	w.call(removeWatches(closed, 3)).want(noWatcher)
	a.ok(create(n, 0), create(closed+"/k", 0), setACL(closed, open(), -1), set(closed, "x", -1))
	w.drain().wantEvents(0)
	w.call(exists("bad\x00", true)).want(badArguments)
	w.look(exists("bad", true), exists("/bad/", true), removeWatches("bad", 3), removeWatches("/bad/", 3))
	a.end()
	w.end()
}

// watchCombined has several kinds on one path and connection.
func watchCombined(s *script) {
	a, w := s.conn("a"), s.conn("w")
	n := s.p("/n")
	a.ok(create(n, 0))
	sets := [][]req{
		{get(n, true), exists(n, true)}, {get(n, true), addWatch(n, 0)}, {addWatch(n, 0), addWatch(n, 1)}, {addWatch(n, 1), addWatch(n, 0)},
		{get(n, true), children(n, true), addWatch(n, 0), addWatch(n, 1)}, {addWatch(s.root, 1), addWatch(n, 0)}, {addWatch(n, 0), addWatch(n, 0)},
		{addWatch(s.root, 0), children(s.root, true), children(n, true)}, {addWatch(s.root, 1), addWatch(n, 1)},
	}
	for _, regs := range sets {
		w.ok(regs...)
		a.ok(set(n, "1", -1))
		w.drain()
		a.ok(create(n+"/k", 0))
		w.drain()
		a.ok(set(n+"/k", "1", -1), del(n+"/k", -1))
		w.drain()
		a.ok(del(n, -1))
		w.drain()
		a.ok(create(n, 0))
		w.drain()
		w.look(removeWatches(n, 3), removeWatches(s.root, 3))
		a.ok(set(n, "2", -1))
		w.drain().wantEvents(0)
	}
	a.end()
	w.end()
}

func watchRecursive(s *script) {
	a, w := s.conn("a"), s.conn("w")
	n := s.p("/n")
	w.ok(addWatch(n, 1))
	a.ok(create(n, 0), create(n+"x", 0), create(n+"/a", 0), create(n+"/a/b", 0), create(n+"/a/b/c", 1), set(n+"/a/b", "1", -1), setACL(n+"/a", open(), -1))
	w.drain()
	w.ok(get(n+"/a", true), children(n+"/a", true))
	a.ok(set(n+"/a", "2", -1), create(n+"/a/k", 0), del(n+"/a/k", -1), del(n+"/a/b/c", -1), del(n+"/a/b", -1), del(n+"/a", -1), del(n, -1), create(n, 0))
	w.drain()
	// Two ancestors: one event. A removed one leaves the other.
	w.ok(addWatch(s.root, 1))
	a.ok(create(n+"/z", 0))
	w.drain().wantEvents(1)
	w.call(removeWatches(n, 5)).want(ok)
	a.ok(set(n+"/z", "1", -1))
	w.drain().wantEvents(1)
	w.ok(removeWatches(s.root, 3))
	a.ok(set(n+"/z", "2", -1))
	w.drain().wantEvents(0)
	// The same path again in the other mode.
	w.ok(addWatch(n, 1), addWatch(n, 0))
	a.ok(create(n+"/y", 0), create(n+"/y/y", 0))
	w.drain()
	a.end()
	w.end()
}

func watchRoot(s *script) {
	a, w, v := s.conn("a"), s.conn("w"), s.conn("v")
	w.ok(addWatch("/", 1))
	v.ok(addWatch("/", 0), children("/", true), get("/", true))
	top := s.root + "-top"
	a.ok(create(top, 0), set(top, "x", -1), set("/", "x", -1), create(s.p("/k"), 1), del(top, -1), set("/", "", -1))
	drainAll([]*conn{w, v})
	// "" is another name of the root for reads; which watch is that?
	w.ok(removeWatches("/", 3))
	v.ok(removeWatches("/", 3))
	v.look(get("", true), children("", true))
	a.ok(set("/", "x", -1), create(top, 0), del(top, -1), set("/", "", -1))
	v.drain()
	v.look(removeWatches("", 3), removeWatches("/", 3), addWatch("", 0), addWatch("", 1))
	a.ok(set("/", "x", -1), create(top, 0), del(top, -1), set("/", "", -1))
	v.drain()
	v.look(removeWatches("", 3))
	for _, c := range []*conn{a, w, v} {
		c.end()
	}
}

// watchAddWatch has the paths and modes of addWatch.
func watchAddWatch(s *script) {
	a, w := s.conn("a"), s.conn("w")
	for _, path := range []string{"foo", "/no/such", "//", s.p("/n/"), s.p("//n"), "/\x00", "\xff", s.root} {
		for mode := int32(0); mode <= 1; mode++ {
			w.call(addWatch(path, mode)).want(ok)
			w.look(checkWatches(path, 3), checkWatches(path, 4), checkWatches(path, 5))
			a.look(create(s.p("/n"), 0), set(s.p("/n"), "x", -1), del(s.p("/n"), -1))
			w.drain()
			w.look(removeWatches(path, 3))
		}
	}
	for _, mode := range []int32{2, 3, -1, 100, 1<<31 - 1} {
		w.edge(addWatch(s.root, mode))
	}
	w.truncated(addWatch("/ab", 0))
	s.dev("watch-null", func() {
		d := s.conn("d")
		d.call(addWatch(null, 0)).want(marshalling)
		d.call(addWatch(null, 1)).want(marshalling)
		d.end()
	})
	w.ok(addWatch(s.root, 0).long(1, 2))
	a.end()
	w.end()
}

// watchRemove registers each kind, asks and removes by each type, and sees what still fires.
func watchRemove(s *script) {
	a, w := s.conn("a"), s.conn("w")
	n := s.p("/n")
	a.ok(create(n, 0))
	regs := append(registrations(), registration{"all", nil})
	for _, r := range regs {
		for typ := int32(1); typ <= 5; typ++ {
			if r.req != nil {
				w.ok(r.req(n))
			} else {
				for _, each := range registrations() {
					w.ok(each.req(n))
				}
			}
			for check := int32(1); check <= 5; check++ {
				w.look(checkWatches(n, check))
			}
			w.look(removeWatches(n, typ), removeWatches(n, typ))
			for check := int32(1); check <= 5; check++ {
				w.look(checkWatches(n, check))
			}
			a.ok(set(n, "x", -1), create(n+"/k", 0), set(n+"/k", "x", -1), del(n+"/k", -1))
			w.drain()
			w.look(removeWatches(n, 3))
		}
	}
	// Watches of another connection are not mine.
	w.ok(get(n, true))
	a.call(removeWatches(n, 2)).want(noWatcher)
	a.call(checkWatches(n, 3)).want(noWatcher)
	a.ok(set(n, "x", -1))
	w.drain().wantEvents(1)
	// No permission is needed to remove.
	w.ok(get(n, true))
	a.ok(setACL(n, acl("ip:1.2.3.4:31"), -1))
	w.ok(checkWatches(n, 2), removeWatches(n, 2))
	w.call(exists(s.p("/no"), true)).want(noNode)
	w.ok(removeWatches(s.p("/no"), 2))
	a.ok(create(s.p("/no"), 0))
	w.drain().wantEvents(0)
	a.end()
	w.end()
}

func watchRemoveDecode(s *script) {
	c := s.conn("a")
	for _, typ := range []int32{0, 6, -1, 100} {
		c.edge(checkWatches(s.root, typ), removeWatches(s.root, typ))
	}
	for _, path := range []string{"", "/", "foo", "/no", "/a/", "\x00"} {
		c.call(removeWatches(path, 3)).want(noWatcher)
		c.call(checkWatches(path, 3)).want(noWatcher)
	}
	c.truncated(removeWatches("/ab", 3))
	c.truncated(checkWatches("/ab", 3))
	s.dev("watch-null", func() {
		c.call(removeWatches(null, 3)).want(marshalling)
		c.call(checkWatches(null, 3)).want(marshalling)
	})
	c.end()
}

// watchReadFilter takes READ away under watches that are already there.
func watchReadFilter(s *script) {
	n := s.p("/n")
	locked := acl("world:anyone:wcda")
	for i, r := range registrations() {
		a, w := s.conn("a"), s.conn(fmt.Sprintf("w%d", i))
		a.ok(create(n, 0))
		w.ok(r.req(n))
		a.ok(setACL(n, locked, -1), set(n, "1", -1), create(n+"/k", 0), set(n+"/k", "2", -1))
		w.drain()
		// A standard watch is used up although nothing was sent.
		a.ok(setACL(n, open(), -1), set(n, "3", -1), create(n+"/k2", 0), del(n+"/k2", -1), setACL(n+"/k", locked, -1), set(n+"/k", "4", -1), del(n+"/k", -1))
		w.drain()
		w.ok(r.req(n))
		a.ok(setACL(n, locked, -1), del(n, -1))
		w.drain()
		w.look(exists(n, true))
		a.ok(createACL(n, locked))
		w.drain()
		a.ok(setACL(n, open(), -1), del(n, -1))
		w.drain()
		a.end()
		w.end()
	}
	// The parent's ACL counts for ChildrenChanged, the node's for Created and Deleted.
	a, w := s.conn("a"), s.conn("w")
	p := s.p("/p")
	a.ok(create(p, 0))
	w.ok(addWatch(p, 0), addWatch(p+"/k", 0))
	a.ok(createACL(p+"/k", locked))
	w.drain()
	a.ok(del(p+"/k", -1))
	w.drain()
	a.ok(create(p+"/k", 0), setACL(p, locked, -1), set(p+"/k", "1", -1), del(p+"/k", -1))
	w.drain()
	// Whoever has the identity sees it.
	w.ok(digestAuth("joe:secret"))
	a.ok(createACL(s.p("/joe"), acl("digest:joe:"+digestOf("joe:secret")+":r", "world:anyone:wcda")))
	w.ok(get(s.p("/joe"), true))
	a.ok(set(s.p("/joe"), "1", -1))
	w.drain().wantEvents(1)
	v := s.conn("v")
	v.ok(addWatch(s.p("/joe"), 0))
	a.ok(set(s.p("/joe"), "2", -1))
	v.drain().wantEvents(0)
	v.ok(digestAuth("joe:secret"))
	a.ok(set(s.p("/joe"), "3", -1))
	v.drain().wantEvents(1)
	for _, c := range []*conn{a, w, v} {
		c.end()
	}
}

// watchConnection: watches belong to the connection.
func watchConnection(s *script) {
	a, w := s.conn("a"), s.conn("w")
	w.ok(get(s.root, true), addWatch(s.root, 1))
	w.drop()
	v := s.renew("v", w)
	a.ok(set(s.root, "1", -1))
	v.drain().wantEvents(0)
	v.call(removeWatches(s.root, 3)).want(noWatcher)
	v.ok(get(s.root, true))
	a.ok(set(s.root, "2", -1))
	v.drain().wantEvents(1)
	a.end()
	v.end()
}

func watchSessionClose(s *script) {
	a, w := s.conn("a"), s.conn("w")
	a.ok(create(s.p("/p"), 0), create(s.p("/p/e1"), 1), create(s.p("/p/e2"), 1), create(s.p("/e3"), 1))
	w.ok(addWatch(s.root, 1), children(s.p("/p"), true), get(s.p("/e3"), true))
	a.end()
	w.drainAnyOrder()
	w.ok(exists(s.p("/p"), false), exists(s.root, false))
	w.end()
	// One's own session close: no event, the connection is going.
	b := s.conn("b")
	b.ok(create(s.p("/mine"), 1), get(s.p("/mine"), true), addWatch(s.root, 1))
	b.end()
}

// watchOrder has a reader that must see each event before data that is newer.
func watchOrder(s *script) {
	a, w := s.conn("a"), s.conn("w")
	w.ok(get(s.root, true), children(s.root, true), addWatch(s.root, 1))
	a.pipeline(set(s.root, "1", -1), create(s.p("/a"), 0), create(s.p("/b"), 0), del(s.p("/a"), -1), set(s.root, "2", -1))
	w.call(get(s.root, true)).want(ok)
	w.ok(children(s.root, true))
	w.drain().wantEvents(0)
	a.end()
	w.end()
}

// setWatchesTable is the table of catch-up events.
func setWatchesTable(s *script) {
	a := s.conn("a")
	n := s.p("/n")
	a.ok(create(n, 0), create(n+"/k", 0), set(n, "1", -1), create(n+"/k2", 0), set(n+"/k", "1", -1), del(n+"/k2", -1), setACL(n, open(), -1))
	last := s.lastZxid()
	for z := last - 8; z <= last+1; z++ {
		for _, path := range []string{n, n + "/k", n + "/k2", s.p("/no")} {
			w := s.conn("w")
			w.look(s.setWatches(z, watchLists{data: []string{path}}))
			w.look(s.setWatches(z, watchLists{exist: []string{path}}))
			w.look(s.setWatches(z, watchLists{child: []string{path}}))
			w.look(s.setWatches2(z, watchLists{persistent: []string{path}}), s.setWatches2(z, watchLists{recursive: []string{path}}))
			w.end()
			last = s.lastZxid()
		}
		if z == s.base+12 {
			break
		}
	}
	w := s.conn("w")
	w.look(s.setWatches2(0, watchLists{
		data: []string{n, s.p("/no"), n + "/k"}, exist: []string{n, s.p("/no")}, child: []string{n, s.p("/no"), n + "/k"},
		persistent: []string{n, s.p("/no")}, recursive: []string{s.root, s.p("/no")},
	}))
	w.look(s.setWatches(-1, watchLists{data: []string{n}, child: []string{n}}), s.setWatches(1<<62, watchLists{data: []string{n}, child: []string{n}}))
	w.look(s.setWatches(0, watchLists{data: []string{"bad", "", "/", "/bad/"}, exist: []string{"bad", "", "\x00"}, child: []string{"bad", "", "/"}}))
	a.end()
	w.end()
}

// setWatchesLive: what was registered fires like any other watch.
func setWatchesLive(s *script) {
	a := s.conn("a")
	n := s.p("/n")
	a.ok(create(n, 0))
	z := s.lastZxid()
	lists := []watchLists{
		{data: []string{n}}, {exist: []string{s.p("/new")}}, {child: []string{n}}, {persistent: []string{n}}, {recursive: []string{n}},
		{data: []string{n}, child: []string{n}, persistent: []string{n}, recursive: []string{s.root}},
	}
	for i, l := range lists {
		w := s.conn(fmt.Sprintf("w%d", i))
		w.ok(s.setWatches2(z+1000, l))
		a.ok(set(n, "1", -1), create(n+"/k", 0), set(n+"/k", "1", -1), create(s.p("/new"), 0))
		w.drain()
		a.ok(set(n, "2", -1), del(n+"/k", -1), del(s.p("/new"), -1))
		w.drain()
		w.look(checkWatches(n, 1), checkWatches(n, 2), checkWatches(n, 4), checkWatches(n, 5), checkWatches(s.p("/new"), 3))
		w.end()
	}
	a.end()
}

func setWatchesFilter(s *script) {
	a := s.conn("a")
	n := s.p("/n")
	a.ok(createACL(n, acl("world:anyone:wcda")), set(n, "1", -1), create(n+"/k", 0))
	s.dev("setWatches-read-filter", func() {
		w := s.conn("w")
		w.call(s.setWatches(0, watchLists{data: []string{n}, child: []string{n}, exist: []string{n}})).want(ok).wantEvents(0)
		a.ok(setACL(n, open(), -1), set(n, "2", -1))
		w.drain().wantEvents(1)
		w.end()
	})
	a.end()
}

func setWatchesDecode(s *script) {
	c := s.conn("a")
	c.truncated(s.setWatches(0, watchLists{data: []string{"/a"}, exist: []string{"/b"}, child: []string{"/c"}}))
	c.truncated(s.setWatches2(0, watchLists{data: []string{"/a"}, persistent: []string{"/b"}, recursive: []string{"/c"}}))
	// Null vectors, null paths.
	for at := range 5 {
		b := jute.AppendInt64(nil, 0)
		for i := range 5 {
			n := int32(0)
			if i == at {
				n = -1
			}
			b = jute.AppendInt32(b, n)
		}
		if at < 3 {
			c.edge(raw(jute.OpSetWatches, b[:20]...))
		}
		c.edge(raw(jute.OpSetWatches2, b...))
	}
	s.edge(func() {
		c.look(s.setWatches(0, watchLists{data: []string{null}}), s.setWatches(0, watchLists{exist: []string{null}}), s.setWatches(0, watchLists{child: []string{null}}))
	})
	s.dev("watch-null", func() {
		c.call(s.setWatches2(0, watchLists{persistent: []string{null}})).want(marshalling)
		c.call(s.setWatches2(0, watchLists{recursive: []string{null}})).want(marshalling)
	})
	c.ok(s.setWatches(0, watchLists{}), s.setWatches2(0, watchLists{}), s.setWatches(0, watchLists{}).long(1, 2, 3))
	// A negative count ends the vector at once.
	b := jute.AppendInt64(nil, 0)
	for range 3 {
		b = jute.AppendInt32(b, -7)
	}
	c.look(raw(jute.OpSetWatches, b...))
	c.end()
}
