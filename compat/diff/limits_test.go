package diff

import (
	"bytes"
	"fmt"

	"zk/compat/harness"
	"zk/jute"
)

// cnxnsCases run with maxClientCnxns=3 and maxCnxns=5.
func cnxnsCases() []testCase {
	return []testCase{{"fresh/tree", func(s *script) {
		c := s.conn("a")
		for _, path := range []string{"/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"} {
			c.look(reads(path)...)
		}
		c.end()
	}}, {"limits/connections", func(s *script) {
		var conns []*conn
		for i := range 3 {
			conns = append(conns, s.conn(fmt.Sprintf("a%d", i)))
		}
		for range 3 {
			s.dial("over").untilClosed("over: a fourth connection of one address")
		}
		for i := range 2 {
			c := s.dialFrom(fmt.Sprintf("b%d", i), "127.0.0.2")
			c.connectNew()
			conns = append(conns, c)
		}
		s.dialFrom("over", "127.0.0.2").untilClosed("over: a sixth connection in all")
		s.dialFrom("over", "127.0.0.3").untilClosed("over: a sixth connection of another address")
		// A place is free again as soon as a connection is gone.
		conns[0].end()
		c := s.conn("again")
		s.dial("over").untilClosed("over: and full again")
		for _, c := range append(conns[1:], c) {
			c.ok(exists("/", false))
			c.end()
		}
	}}}
}

// throttleCases run with six tokens and no refill.
func throttleCases() []testCase {
	return []testCase{{"limits/connection-throttle", func(s *script) {
		var last *conn
		for i := range 6 {
			last = s.conn(fmt.Sprintf("a%d", i))
		}
		for range 2 {
			c := s.dial("seventh")
			_, alive := c.connect(newSession(9000))
			s.expect(!alive, "a seventh connection got through")
		}
		c := s.dial("renewal")
		c.connect(last.renewal(9000))
		last.look(exists("/", false))
		for i := range 5 {
			s.conns[i].look(exists("/", false))
		}
	}}}
}

// throttleWeightCases run with ten tokens, of which a new session takes three and a renewal two.
func throttleWeightCases() []testCase {
	return []testCase{{"limits/connection-throttle-weights", func(s *script) {
		a := s.conn("a")
		b := s.conn("b")
		a2 := s.renew("a2", a)
		for i := range 3 {
			c := s.dial(fmt.Sprintf("new%d", i))
			c.connect(newSession(9000))
		}
		b2 := s.renew("b2", b)
		for i := range 2 {
			c := s.dial(fmt.Sprintf("renewal%d", i))
			c.connect(a2.renewal(9000))
		}
		b2.look(exists("/", false))
	}}}
}

// largeCases run with largeRequestThreshold=6000, largeRequestMaxBytes=7000 and jute.maxbuffer=8000.
func largeCases() []testCase {
	return []testCase{
		{"limits/large-requests", func(s *script) {
			c := s.conn("a")
			overhead := len(setBytes(s.root, []byte{}, -1).body) + jute.RequestHeaderBytes
			sized := func(n int) req { return setBytes(s.root, bytes.Repeat([]byte("z"), n-overhead), -1) }
			c.ok(sized(100), sized(5999), sized(6000), sized(6001), sized(7000), sized(7000), exists(s.root, false))
			c.pipeline(sized(5000), sized(5000), sized(5000), sized(5000))
			for _, n := range []int{7001, 7999, 8000, 8001, 100_000} {
				d := s.conn("b")
				d.closes(sized(n))
			}
			c.ok(exists(s.root, false))
			c.end()
		}},
		{"limits/digest-disabled", func(s *script) {
			c := s.conn("a")
			c.look(createACL(s.p("/x"), acl("digest:a:b:31")), createACL(s.p("/x"), acl("auth::31")), whoAmI())
			c.closes(digestAuth("joe:secret")).want(authFailed)
		}},
		{"limits/local-sessions-standalone", func(s *script) {
			c := s.conn("a")
			c.ok(create(s.p("/e"), 1), multi(create(s.p("/e2"), 1)))
			c.end()
		}},
		{"limits/maxbuffer-strings", func(s *script) {
			c := s.conn("a")
			// A string longer than the frame could hold, declared only.
			for _, n := range []int32{8000, 9025, 20_000} {
				c.edge(raw(jute.OpExists, append(be32(n), "/abc"...)...))
			}
			c.end()
		}},
	}
}

// maxBufferCases run with jute.maxbuffer=4096 and containers that go when they are never used.
func maxBufferCases() []testCase {
	return []testCase{{"container/never-used", func(s *script) {
		c := s.conn("a")
		p := s.p("/c")
		c.ok(createContainer(p), exists(p, true), createContainer(s.p("/used")), create(s.p("/used/k"), 0))
		c.cleaned("the unused container goes", 1)
		c.ok(exists(s.p("/used"), false), exists(s.root, false))
		c.end()
	}}, {"limits/maxbuffer", func(s *script) {
		c := s.conn("a")
		overhead := len(setBytes(s.root, []byte{}, -1).body) + jute.RequestHeaderBytes
		sized := func(n int) req { return setBytes(s.root, bytes.Repeat([]byte("z"), n-overhead), -1) }
		c.ok(sized(4095), sized(4096))
		c.closes(sized(4097))
		d := s.conn("b")
		for i := range 60 {
			d.ok(create(s.p(fmt.Sprintf("/a-rather-long-name-so-that-the-list-of-children-outgrows-the-largest-request-%02d", i)), 0))
		}
		d.ok(children(s.root, false), get(s.root, false))
		d.end()
		for _, n := range []int32{4096, 4097, -1} {
			e := s.dial("e")
			if n == 4096 {
				r := newSession(9000)
				r.Passwd = make([]byte, 4096-29)
				e.write(harness.Frame(r.Append(nil)))
				e.readConnect("e: a connect request of 4096 bytes")
				e.end()
				continue
			}
			e.closesRaw(fmt.Sprintf("length %d", n), be32(n))
		}
	}}}
}

// enforceCases run with enforced digest authentication.
func enforceCases() []testCase {
	return []testCase{
		{"enforce/refused", func(s *script) {
			for _, r := range []req{
				exists(s.root, false), get(s.root, false), create(s.p("/x"), 0), multi(), multiRead(), ping(), whoAmI(), syncPath("/"), closeSession(), s.setWatches(0, watchLists{}),
				addWatch("/", 0), reconfig(null, null, null, -1), ephemerals(null), raw(99), raw(jute.OpCreate), setACL(s.root, open(), -1), create(s.p("/x"), 99),
			} {
				c := s.conn("a")
				c.closes(r)
			}
			c := s.conn("i")
			c.ok(auth("ip", nil))
			c.closes(exists(s.root, false)).want(jute.CodeSessionClosedRequireSaslAuth)
			d := s.conn("d")
			d.closes(auth("nosuch", nil)).want(authFailed)
		}},
		{"enforce/accepted", func(s *script) {
			c := s.conn("a")
			c.ok(digestAuth("joe:secret"), exists(s.root, false), set(s.root, "x", -1), ping(), whoAmI(), create(s.p("/e"), 1))
			c.drop()
			// The identity is the connection's: after a renewal it must be given again.
			d := s.renew("b", c)
			d.closes(get(s.root, false)).want(jute.CodeSessionClosedRequireSaslAuth)
			e := s.renew("e", c)
			e.ok(digestAuth("joe:secret"), ephemerals(null))
			e.end()
		}},
		{"enforce/sasl", func(s *script) {
			// A good SASL login is no identity of the scheme that is asked for.
			c := s.conn("a")
			c.login("bob", "secret")
			c.closes(exists(s.root, false)).want(jute.CodeSessionClosedRequireSaslAuth)
			d := s.conn("d")
			d.closes(saslToken(d.respond(saslClient("bob", "wrong"), d.challenge(), nil), "wrong response")).want(authFailed)
			e := s.conn("e")
			e.ok(digestAuth("joe:secret"))
			e.login("bob", "secret")
			e.ok(whoAmI())
			e.end()
		}},
	}
}

// optionCases run with skipACL, another digest, reconfig enabled, narrow session timeouts and tight
// request limits.
func optionCases() []testCase {
	return []testCase{
		{"options/skip-acl", func(s *script) {
			c := s.conn("a")
			n := s.p("/n")
			c.ok(createACL(n, acl("ip:1.2.3.4:31")), get(n, false), set(n, "x", -1), create(n+"/k", 0), del(n+"/k", -1), children(n, true), getACL(n), exists(n, false))
			c.ok(setACL(n, acl("digest:joe:hash=:1"), -1), getACL(n), multi(check(n, -1), set(n, "y", -1)), multiRead(get(n, false)))
			c.look(setACL(n, acl("nosuch:x:1"), -1), createACL(s.p("/x"), nil), createACL(s.p("/x"), acl("auth::1")), set("/zookeeper/config", "", -1), del("/zookeeper/config", -1))
			w := s.conn("w")
			w.ok(get(n, true))
			c.ok(set(n, "z", -1))
			w.drain().wantEvents(1)
			w.end()
			c.end()
		}},
		{"options/digest-algorithm", func(s *script) {
			c := s.conn("a")
			c.ok(digestAuth("joe:secret"), createACL(s.p("/n"), acl("auth::31")), getACL(s.p("/n")), whoAmI(), digestAuth(superUser), whoAmI(), digestAuth("super:secret256"), whoAmI())
			c.end()
		}},
		{"options/reconfig", func(s *script) {
			c := s.conn("a")
			c.look(reconfig(null, null, null, -1), reconfig("server.2=localhost:1:2;3", null, null, -1), reconfig(null, "1", null, 5), reconfig(null, "x", null, -1), reconfig("", "", "", 0))
			c.look(get("/zookeeper/config", false), exists(s.root, false))
			s.edge(func() { c.look(reconfig(null, null, null, -1).short(1)) })
			c.end()
		}},
		{"options/negotiate", func(s *script) {
			for _, timeout := range []int32{0, 4999, 5000, 5001, 6999, 7000, 7001, 1 << 30} {
				c := s.dial("a")
				c.connect(newSession(timeout))
				c.end()
			}
		}},
		{"options/outstanding", func(s *script) {
			c := s.conn("a")
			var rs []req
			for i := range 60 {
				rs = append(rs, create(s.p(fmt.Sprintf("/n%02d", i)), 0), get(s.root, false), ping(), set(s.root, "x", 99))
			}
			c.pipeline(rs...)
			c.ok(children2(s.root, false))
			c.end()
		}},
		{"options/whitelist", func(s *script) {
			for _, w := range fourLetterWords() {
				if w == "srvr" {
					continue
				}
				s.word(w, nil)
			}
			s.word("srvr", srvrNormal)
		}},
	}
}

// syntaxCases see what became of the settings of their group.
func syntaxCases() []testCase {
	return []testCase{{"syntax/settings", func(s *script) {
		s.word("conf", confNormal)
		s.word("ruok", nil)
		for _, timeout := range []int32{0, 1 << 30} {
			c := s.dial("a")
			c.connect(newSession(timeout))
			c.end()
		}
		c := s.conn("b")
		c.ok(digestAuth(superUser), whoAmI(), createTTL(s.p("/t"), 5, longTTL), exists(s.p("/t"), false))
		c.end()
	}}}
}

// restartCases stop and start the server.
func restartCases() []testCase {
	return []testCase{
		{"restart/orderly", func(s *script) { restart(s, false) }},
		{"restart/killed", func(s *script) { restart(s, true) }},
	}
}

// restart makes one node of every kind, restarts the server and looks whether all is as before.
func restart(s *script, kill bool) {
	c := s.conn("a")
	c.ok(create(s.root, 0), create(s.p("/e"), 1), createContainer(s.p("/c")), create(s.p("/s-"), 2), createTTL(s.p("/t"), 5, longTTL), createACL(s.p("/acl"), acl("digest:joe:hash:31", "world:anyone:ra")))
	c.ok(createAs(jute.OpCreate, s.p("/null"), nil, open(), 0, 0), createAs(jute.OpCreate, s.p("/empty"), []byte{}, open(), 0, 0), create(s.p("/gone"), 0), del(s.p("/gone"), -1))
	c.ok(set(s.p("/s-0000000002"), "new", 0), setACL(s.p("/c"), open(), -1), multi(create(s.p("/m"), 0), set(s.root, "root", -1)), createAs(jute.OpCreate, s.p("/big"), bytes.Repeat([]byte("b"), 200_000), open(), 0, 0))
	c.setQuota(s.p("/m"), hard(2, -1))
	c.look(create(s.p("/m/k"), 0), create(s.p("/m/k2"), 0), create(s.root, 0))
	paths := []string{"", "/e", "/c", "/s-0000000002", "/t", "/acl", "/null", "/empty", "/m", "/m/k", "/big", "/gone"}
	for _, p := range paths {
		c.look(get(s.p(p), false), getACL(s.p(p)))
	}
	s.restart(kill)
	d := s.dial("b")
	r := c.renewal(9000)
	r.LastZxidSeen = s.lastZxid()
	d.connect(r)
	d.ok(ephemerals(null))
	for _, p := range paths {
		d.look(get(s.p(p), false), getACL(s.p(p)))
	}
	d.look(children2(s.root, false), allChildren("/"), create(s.p("/s-"), 2), create(s.p("/m/k3"), 0), get("/zookeeper/quota"+s.p("/m")+"/zookeeper_stats", false))
	d.look(exists("/", false), exists("/zookeeper", false), get("/zookeeper/config", false), create(s.p("/new"), 1))
	s.restart(!kill)
	e := s.renew("e", d)
	e.ok(ephemerals(null), exists(s.root, false))
	e.end()
	f := s.conn("f")
	f.look(children2(s.root, false), exists(s.p("/e"), false))
	f.end()
	// A session that was closed stays closed.
	s.restart(kill)
	g := s.renew("g", e)
	g.untilClosed("g: after the response")
}
