package diff

import (
	"fmt"

	"zk/jute"
)

// ttlCases need extended types and a cleaner that comes by often.
func ttlCases() []testCase {
	return []testCase{
		{"ttl/create", ttlCreate},
		{"ttl/ranges", ttlRanges},
		{"ttl/expire", ttlExpire},
		{"ttl/renewed", ttlRenewed},
		{"ttl/multi", ttlMulti},
		{"ttl/flags", ttlFlags},
		{"container/clean", containerClean},
		{"container/nested", containerNested},
		{"container/unused", containerUnused},
		{"container/watched", containerWatched},
	}
}

const longTTL = 3_600_000

func ttlCreate(s *script) {
	c := s.conn("a")
	p := s.p("/t")
	c.ok(createTTL(p, 5, longTTL), exists(p, false), getACL(p), create(p+"/kid", 0), create(p+"/eph", 1), createTTL(p+"/t", 5, longTTL))
	c.ok(createTTL(p+"/s-", 6, longTTL), createTTL(p+"/s-", 6, longTTL), children2(p, false), set(p, "y", 0), ephemerals(null))
	c.all(
		row{createTTL(p, 5, longTTL), nodeExists}, row{createTTL(s.p("/no/x"), 5, longTTL), noNode}, row{createTTL("bad", 5, longTTL), badArguments},
		row{createAs(jute.OpCreateTTL, s.p("/x"), nil, nil, 5, longTTL), invalidACL}, row{createTTL(p+"/eph/x", 5, longTTL), noChildren}, row{createTTL(s.p("/."), 5, longTTL), badArguments},
	)
	c.truncated(createTTL("/x", 5, 1000))
	c.look(createTTL(s.p("/long"), 5, longTTL).long(1, 2))
	c.end()
	d := s.conn("b")
	d.ok(children2(p, false), del(p+"/t", 0))
	d.end()
}

func ttlRanges(s *script) {
	c := s.conn("a")
	for i, ttl := range []int64{0, -1, -1 << 63, 1 << 40, 1<<40 - 1, 1<<63 - 1, longTTL} {
		c.look(createTTL(s.p(fmt.Sprintf("/n%d", i)), 5, ttl), createTTL(s.p("/s-"), 6, ttl), createTTL("bad", 5, ttl), createTTL(s.p("/no/x"), 6, ttl))
	}
	// TTL flags in ops that carry no ttl.
	for flags := int32(5); flags <= 6; flags++ {
		c.look(create(s.p("/x"), flags), create2(s.p("/x"), flags), createAs(jute.OpCreateContainer, s.p("/x"), nil, open(), flags, 0))
	}
	c.look(createTTL(s.p("/x"), 7, longTTL), createTTL(s.p("/x"), -1, longTTL))
	c.look(children2(s.root, false))
	c.end()
}

func ttlExpire(s *script) {
	c := s.conn("a")
	p := s.p("/t")
	c.ok(createTTL(p, 5, 300), children(s.root, true), exists(p, true))
	c.cleaned("the cleaner deletes the node", 2)
	c.call(exists(p, false)).want(noNode)
	c.ok(exists(s.root, false))
	// A child keeps it; when the child goes, so does the node.
	c.ok(createTTL(p, 5, 300), create(p+"/kid", 0), createTTL(s.p("/other"), 5, 600), exists(s.p("/other"), true))
	c.cleaned("the other node goes", 1)
	c.ok(exists(p, true), del(p+"/kid", -1))
	c.cleaned("the node goes after its child", 1)
	c.ok(exists(s.root, false))
	c.end()
}

// ttlRenewed: a setData starts the time again, a child does not.
func ttlRenewed(s *script) {
	c := s.conn("a")
	p := s.p("/t")
	c.ok(createTTL(p, 5, 2500), createTTL(s.p("/clock"), 5, 1000), exists(s.p("/clock"), true))
	c.cleaned("the first clock stops", 1)
	c.ok(set(p, "again", -1), createTTL(s.p("/clock"), 5, 1000), exists(s.p("/clock"), true))
	c.cleaned("the second clock stops", 1)
	c.ok(get(p, true))
	c.cleaned("the node goes", 1)
	c.end()
}

func ttlMulti(s *script) {
	c := s.conn("a")
	c.look(multi(createTTL(s.p("/a"), 5, longTTL), createTTL(s.p("/a/s-"), 6, longTTL), create(s.p("/a/k"), 0), set(s.p("/a"), "2", 0)))
	c.look(multi(createTTL(s.p("/b"), 5, 0)), multi(createTTL(s.p("/b"), 5, 1<<40)), multi(create(s.p("/c"), 0), createTTL(s.p("/b"), 5, -1), create(s.p("/d"), 0)))
	s.edge(func() { c.look(multi(createTTL(s.p("/b"), 77, 5))) })
	s.edge(func() { c.look(multi(create(s.p("/b"), 5)), multi(create2(s.p("/b"), 6))) })
	c.look(children2(s.root, false), exists(s.p("/a"), false))
	c.end()
}

// ttlFlags: createTTL with the flags of other kinds.
func ttlFlags(s *script) {
	s.dev("createTTL-flags", func() {
		c := s.conn("a")
		for flags := int32(0); flags <= 4; flags++ {
			for _, ttl := range []int64{0, -1, 1000, 1 << 40} {
				c.call(createTTL(s.p("/x"), flags, ttl)).want(badArguments)
			}
		}
		c.call(exists(s.p("/x"), false)).want(noNode)
		c.end()
	})
}

func containerClean(s *script) {
	c := s.conn("a")
	p := s.p("/c")
	c.ok(createContainer(p), create(p+"/kid", 0), exists(p, true), children(s.root, true), del(p+"/kid", -1))
	c.cleaned("the cleaner deletes the container", 2)
	c.call(exists(p, false)).want(noNode)
	c.ok(exists(s.root, false))
	// A child that came and went with its session.
	d := s.conn("b")
	c.ok(createContainer(p), exists(p, true))
	d.ok(create(p+"/e", 1))
	d.end()
	c.cleaned("the cleaner deletes the container", 1)
	c.ok(exists(s.root, false))
	c.end()
}

// containerNested: the inner one goes first, which empties the outer one.
func containerNested(s *script) {
	c := s.conn("a")
	p := s.p("/c")
	c.ok(createContainer(p), createContainer(p+"/c"), create(p+"/c/kid", 0), exists(p+"/c", true), del(p+"/c/kid", -1))
	c.events("the inner container goes", 1)
	c.look(exists(p, true))
	c.cleaned("the outer container goes", 1)
	c.ok(exists(s.root, false))
	c.end()
}

// containerUnused: a container that never had a child stays, whatever its data does.
func containerUnused(s *script) {
	c := s.conn("a")
	c.ok(createContainer(s.p("/c")), set(s.p("/c"), "y", -1), create(s.p("/plain"), 4), create(s.p("/plain/k"), 0), del(s.p("/plain/k"), -1))
	c.ok(createTTL(s.p("/clock"), 5, 700), exists(s.p("/clock"), true))
	c.cleaned("the clock stops", 1)
	c.ok(exists(s.p("/c"), false), exists(s.p("/plain"), false), children2(s.root, false))
	c.end()
}

func containerWatched(s *script) {
	c, w := s.conn("a"), s.conn("w")
	p := s.p("/c")
	w.ok(addWatch(s.root, 1), addWatch(s.root, 0))
	c.ok(createContainer(p), create(p+"/kid", 0))
	w.drain()
	w.ok(children(p, true), get(p, true))
	c.ok(del(p+"/kid", -1))
	w.drain()
	w.cleaned("the cleaner deletes the container", 2)
	w.drain().wantEvents(0)
	c.end()
	w.end()
}
