package diff

import (
	"fmt"

	"zk/jute"
)

func multiCases() []testCase {
	return []testCase{
		{"multi/results", multiResults},
		{"multi/failures", multiFailures},
		{"multi/visibility", multiVisibility},
		{"multi/illegal", multiIllegal},
		{"multi/decode", multiDecode},
		{"multi/check", multiCheck},
		{"multi/watches", multiWatches},
		{"multi/ephemeral", multiEphemeral},
		{"multi/large", multiLarge},
		{"multiread/results", multiReadResults},
		{"multiread/illegal", multiReadIllegal},
		{"multiread/decode", multiReadDecode},
	}
}

func multiResults(s *script) {
	c := s.conn("a")
	c.call(multi()).want(ok)
	c.call(multi(create(s.p("/a"), 0))).want(ok).wantCodes(ok)
	c.call(multi(create2(s.p("/b"), 0), createContainer(s.p("/c")), create(s.p("/d"), 4), create2(s.p("/e-"), 3), create(s.p("/f"), 1))).want(ok)
	c.call(multi(set(s.p("/a"), "1", 0), check(s.p("/a"), 1), set(s.p("/a"), "2", 1), del(s.p("/a"), 2), check(s.root, -1))).want(ok).wantCodes(ok, ok, ok, ok, ok)
	for flags := int32(0); flags <= 4; flags++ {
		for _, op := range []jute.OpCode{jute.OpCreate, jute.OpCreate2, jute.OpCreateContainer} {
			c.look(multi(createAs(op, s.p(fmt.Sprintf("/k%d-%d", op, flags)), []byte("x"), open(), flags, 0)))
		}
	}
	c.ok(children2(s.root, false), exists(s.p("/c"), false), exists(s.p("/d"), false), ephemerals(null))
	c.end()
	b := s.conn("b")
	b.ok(children2(s.root, false))
	b.end()
}

func multiFailures(s *script) {
	c := s.conn("a")
	c.ok(create(s.p("/n"), 0), createACL(s.p("/closed"), acl("world:anyone:r")), create(s.p("/e"), 1), create(s.p("/n/k"), 0))
	for _, r := range []req{
		create(s.p("/n"), 0), create(s.p("/no/x"), 0), create(s.p("/e/x"), 0), create(s.p("/closed/x"), 0), create("bad", 0), create(s.p("/n/."), 0),
		createACL(s.p("/x"), []jute.ACL{}), createACL(s.p("/x"), acl("nosuch:x:1")), createACL(s.p("/x"), acl("auth::1")), createTTL(s.p("/x"), 5, 1000),
		set(s.p("/no"), "", -1), set(s.p("/n"), "", 9), set("bad", "", -1), set(s.p("/closed"), "", -1), set("/zookeeper/config", "", -1),
		del(s.p("/no"), -1), del(s.p("/n"), 9), del(s.p("/n"), -1), del("bad", -1), del("/", -1), del("/zookeeper/quota", -1), del(s.p("/closed/x"), -1),
		check(s.p("/no"), -1), check(s.p("/n"), 9), check("bad", -1), check(s.p("/n/"), -1), check(s.p("/n"), -2),
	} {
		c.look(multi(r), multi(create(s.p("/first"), 0), r, create(s.p("/last"), 0), set(s.root, "no", -1)))
	}
	c.call(multi(create(s.p("/a"), 0), create(s.p("/n"), 0), del(s.p("/no"), -1), set(s.p("/n"), "", -1))).want(ok).wantCodes(ok, nodeExists, inconsistent, inconsistent)
	// TTL flags in a create without a ttl cannot be decoded.
	c.edge(multi(create(s.p("/x"), 5)), multi(create(s.p("/first"), 0), create2(s.p("/x"), 6)))
	// Nothing of it was done, and later numbers are as if it never ran.
	c.ok(multi(create(s.p("/s-"), 2), create(s.p("/n/s-"), 2)))
	c.look(multi(create(s.p("/s-"), 2), create(s.p("/s-"), 2), set(s.root, "x", -1), check(s.p("/no"), -1)))
	c.ok(create(s.p("/s-"), 2), exists(s.root, false), children2(s.root, false), children2(s.p("/n"), false))
	c.end()
}

func multiVisibility(s *script) {
	c := s.conn("a")
	c.ok(multi(create(s.p("/a"), 0), create(s.p("/a/b"), 0), create(s.p("/a/b/c"), 0), set(s.p("/a/b/c"), "1", 0), set(s.p("/a/b/c"), "2", 1), check(s.p("/a/b/c"), 2)))
	c.ok(exists(s.p("/a"), false), exists(s.p("/a/b"), false), get(s.p("/a/b/c"), false))
	c.ok(multi(del(s.p("/a/b/c"), 2), create(s.p("/a/b/c"), 0), del(s.p("/a/b/c"), 0), create(s.p("/a/b/c"), 0), set(s.p("/a/b/c"), "3", 0)))
	c.ok(exists(s.p("/a/b"), false), exists(s.p("/a/b/c"), false))
	c.ok(multi(create(s.p("/a/s-"), 2), create(s.p("/a/s-"), 2), create2(s.p("/a/t-"), 2), create(s.p("/a/plain"), 0), create(s.p("/a/s-"), 3)), children2(s.p("/a"), false))
	c.ok(multi(del(s.p("/a/b/c"), -1), del(s.p("/a/b"), -1)), exists(s.p("/a"), false))
	c.look(multi(create(s.p("/e"), 1), create(s.p("/e/x"), 0)), multi(create(s.p("/x"), 0), create(s.p("/x"), 0)), multi(create(s.p("/x"), 0), create(s.p("/x/y"), 0), del(s.p("/x"), -1)))
	c.ok(multi(create(s.p("/x"), 0), del(s.p("/x"), -1)), exists(s.root, false))
	// An ACL given in the multi counts for what follows in it.
	c.look(multi(createACL(s.p("/z"), acl("world:anyone:r")), create(s.p("/z/k"), 0)), multi(createACL(s.p("/z"), acl("world:anyone:r")), set(s.p("/z"), "", -1)))
	s.dev("container-as-ephemeral", func() {
		d := s.conn("d")
		q := createAs(jute.OpCreateContainer, s.p("/odd"), nil, open(), jute.FlagEphemeral, 0)
		d.call(multi(q, create(s.p("/odd/k"), 0), del(s.p("/odd/k"), 0), del(s.p("/odd"), 0))).want(ok).wantCodes(ok, ok, ok, ok)
		d.end()
	})
	c.end()
}

// multiIllegal has parts a multi may not have.
func multiIllegal(s *script) {
	c := s.conn("a")
	for _, r := range []req{
		exists(s.root, false), get(s.root, false), children(s.root, false), children2(s.root, false), getACL(s.root), setACL(s.root, open(), -1), syncPath(s.root), ping(),
		deleteContainer(s.root), raw(jute.OpCreateSession, 0, 0, 0, 1), closeSession(), multi(create(s.p("/in"), 0)), raw(99), raw(0), raw(-1), raw(-5),
		reconfig(null, null, null, -1), addWatch(s.root, 0), digestAuth("a:b"), create(s.p("/x"), 99), create(s.p("/x"), -1), createTTL(s.p("/x"), 77, 1),
	} {
		s.edge(func() { c.look(multi(r)) })
		s.edge(func() { c.look(multi(create(s.p("/first"), 0), r, create(s.p("/last"), 0))) })
		s.edge(func() { c.look(multi(create(s.root, 0), r)) })
	}
	c.ok(children2(s.root, false))
	c.end()
}

func multiDecode(s *script) {
	c := s.conn("a")
	c.edge(multi(create(null, 0)), multi(del(null, -1)), multi(check(s.root, -1), del(null, -1)))
	s.edge(func() { c.look(multi(set(null, "x", -1)), multi(check(null, -1)), multi(createACL(s.p("/x"), nil))) })
	c.truncated(multi(create("/ab", 0), set("/a", "x", -1)))
	c.truncated(multi())
	c.look(multi(check(s.root, -1)).long(1, 2, 3))
	// Headers with other err values, and an end marker with another type, are taken.
	h := func(typ jute.OpCode, done bool, err jute.Code) []byte {
		return jute.MultiHeader{Type: typ, Done: done, Err: err}.Append(nil)
	}
	body := append(h(jute.OpCheck, false, 0), check(s.root, -1).body...)
	c.look(raw(jute.OpMulti, append(body, h(jute.OpError, true, -1)...)...))
	c.look(raw(jute.OpMulti, append(body, h(jute.OpCreate, true, 0)...)...), raw(jute.OpMulti, h(99, true, 5)...))
	s.edge(func() { c.look(raw(jute.OpMulti, append(body, h(jute.OpError, false, -1)...)...)) })
	s.edge(func() { c.look(raw(jute.OpMulti)) })
	c.ok(children2(s.root, false))
	c.end()
}

func multiCheck(s *script) {
	c := s.conn("a")
	c.ok(set(s.root, "1", -1), createACL(s.p("/closed"), acl("world:anyone:wcda")))
	for _, version := range []int32{-1, 0, 1, 2, -2, 1<<31 - 1, -1 << 31} {
		c.look(multi(check(s.root, version)))
	}
	c.look(multi(check(s.p("/closed"), -1)), multi(check(s.p("/closed"), 9)), multi(check("/", -1)), multi(check("", -1)), multi(check("/zookeeper/config", -1)))
	c.look(multi(check(s.root, 1), check(s.root, 1), check(s.root, 2)))
	c.ok(exists(s.root, false))
	c.end()
}

func multiWatches(s *script) {
	c, w := s.conn("a"), s.conn("w")
	c.ok(create(s.p("/n"), 0))
	w.ok(addWatch(s.root, 1), children(s.root, true), get(s.p("/n"), true))
	w.call(exists(s.p("/new"), true)).want(noNode)
	c.ok(children(s.p("/n"), true))
	c.ok(multi(create(s.p("/new"), 0), set(s.p("/n"), "1", -1), create(s.p("/n/k"), 0), del(s.p("/n/k"), -1), set(s.p("/new"), "2", -1), del(s.p("/n"), -1)))
	w.drain()
	w.ok(children(s.root, true), get(s.p("/new"), true))
	c.look(multi(create(s.p("/x"), 0), set(s.p("/new"), "2", -1), check(s.p("/no"), 0)))
	w.drain().wantEvents(0)
	c.end()
	w.end()
}

func multiEphemeral(s *script) {
	c, w := s.conn("a"), s.conn("w")
	c.ok(multi(create(s.p("/e"), 1), create(s.p("/e2"), 1), del(s.p("/e2"), -1)), ephemerals(null))
	w.ok(exists(s.p("/e"), true), exists(s.root, false))
	c.end()
	w.drain().wantEvents(1)
	w.look(exists(s.p("/e"), false), exists(s.root, false))
	w.end()
}

func multiLarge(s *script) {
	c := s.conn("a")
	var parts []req
	for i := range 500 {
		parts = append(parts, create(s.p(fmt.Sprintf("/n%03d", i)), 0))
	}
	c.ok(multi(parts...), exists(s.root, false), children2(s.root, false))
	c.look(multi(append(parts[:100:100], check(s.p("/no"), 0))...))
	parts = parts[:0]
	for i := range 500 {
		parts = append(parts, del(s.p(fmt.Sprintf("/n%03d", i)), 0))
	}
	c.ok(multi(parts...), exists(s.root, false))
	c.end()
}

func multiReadResults(s *script) {
	c := s.conn("a")
	c.ok(create(s.p("/n"), 0), create(s.p("/n/k"), 0), createACL(s.p("/closed"), acl("world:anyone:wcda")), createAs(jute.OpCreate, s.p("/null"), nil, open(), 0, 0))
	c.ok(multiRead(), multiRead(get(s.p("/n"), false)), multiRead(children(s.p("/n"), false)), multiRead(get(s.p("/null"), false), children(s.p("/null"), false)))
	c.call(multiRead(get(s.p("/n"), false), get(s.p("/no"), false), children(s.p("/no"), false), get(s.p("/closed"), false), children(s.p("/closed"), false), children(s.root, false))).want(ok)
	c.ok(multiRead(get("bad", false), children("", false), get("/zookeeper/config", false), children("/zookeeper", false)))
	// The watch flag is ignored.
	c.ok(multiRead(get(s.p("/n"), true), children(s.p("/n"), true)), set(s.p("/n"), "y", -1), create(s.p("/n/k2"), 0))
	c.drain().wantEvents(0)
	c.ok(multiRead(get(s.root, false)).long(1, 2))
	c.end()
}

func multiReadIllegal(s *script) {
	c := s.conn("a")
	for _, r := range []req{exists(s.root, false), children2(s.root, false), getACL(s.root), raw(99), multiRead(get(s.root, false)), ping()} {
		s.edge(func() { c.look(multiRead(r), multiRead(get(s.root, false), r), multiRead(r, get(s.root, false))) })
	}
	for _, r := range []req{create(s.p("/x"), 0), set(s.root, "x", -1), del(s.root, -1), check(s.root, -1)} {
		c.edge(multiRead(r), multiRead(get(s.root, false), r))
	}
	c.ok(children2(s.root, false))
	c.end()
}

func multiReadDecode(s *script) {
	c := s.conn("a")
	c.truncated(multiRead(get("/ab", false), children("/c", false)))
	c.edge(multiRead(get(null, false)), multiRead(children(null, false)), multiRead(get(s.root, false), children(null, false)))
	c.end()
}
