package diff

import "zk/jute"

func writeCases() []testCase {
	return []testCase{
		{"delete/order", deleteOrder},
		{"delete/special", deleteSpecial},
		{"delete/decode", deleteDecode},
		{"setdata/order", setDataOrder},
		{"setdata/versions", setDataVersions},
		{"setdata/system", setDataSystem},
		{"setdata/decode", setDataDecode},
		{"write/failures-take-zxids", writeFailures},
		{"write/unknown-ops", unknownOps},
		{"write/xids", writeXids},
		{"write/pipeline", writePipeline},
		{"write/reconfig-disabled", reconfigDisabled},
	}
}

func deleteOrder(s *script) {
	c := s.conn("a")
	c.ok(create(s.p("/n"), 0), create(s.p("/n/k"), 0), createACL(s.p("/closed"), acl("world:anyone:rwca")), create(s.p("/closed/k"), 0))
	c.all(
		row{del("", -1), badArguments}, row{del("foo", -1), badArguments}, row{del(s.p("/n\x00"), -1), badArguments},
		row{del(s.p("/no/x"), -1), noNode}, row{del(s.p("/no"), -1), noNode}, row{del(s.p("/n/"), -1), noNode}, row{del(s.p("/n/."), -1), noNode},
		row{del(s.p("/closed/k"), -1), noAuth}, row{del(s.p("/closed/no"), -1), noAuth}, row{del(s.p("/closed/k"), 9), noAuth},
		row{del(s.p("/n"), 5), badVersion}, row{del(s.p("/n"), -2), badVersion}, row{del(s.p("/n"), -1), notEmpty}, row{del(s.p("/n"), 0), notEmpty},
		row{del(s.p("/n/k"), 1), badVersion}, row{del(s.p("/n/k"), 0), ok}, row{del(s.p("/n/k"), -1), noNode},
	)
	c.ok(exists(s.p("/n"), false), create(s.p("/n/k"), 0), exists(s.p("/n/k"), false), set(s.p("/n/k"), "1", 0))
	c.all(row{del(s.p("/n/k"), 0), badVersion}, row{del(s.p("/n/k"), 1), ok}, row{del(s.p("/n"), -1), ok}, row{del(s.p("//n"), -1), noNode})
	c.ok(exists(s.root, false))
	c.look(del("foo/bar", -1), del("//", -1), del("/nosuch", -1), del(s.root+"/", -1))
	c.end()
}

func deleteSpecial(s *script) {
	c := s.conn("a")
	for _, path := range []string{"/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"} {
		c.call(del(path, -1)).want(badArguments)
		c.call(del(path, 77)).want(badArguments)
	}
	c.look(del("/zookeeper/", -1), del("/zookeeper/nosuch", -1))
	c.end()
}

func deleteDecode(s *script) {
	c := s.conn("a")
	c.truncated(del("/abc", -1))
	c.edge(del(null, -1))
	c.ok(create(s.p("/n"), 0), del(s.p("/n"), -1).long(9, 9))
	s.dev("deleteContainer", func() {
		b := s.conn("b")
		b.closes(deleteContainer(s.p("/x"))).want(unimplement)
	})
	c.ok(exists(s.root, false))
	c.end()
}

func setDataOrder(s *script) {
	c := s.conn("a")
	c.ok(create(s.p("/n"), 0), createACL(s.p("/closed"), acl("world:anyone:rcda")))
	c.all(
		row{set("", "d", -1), badArguments}, row{set("foo", "d", -1), badArguments}, row{set(s.p("/n/"), "d", -1), badArguments},
		row{set(s.p("/n/."), "d", -1), badArguments}, row{set(s.p("//n"), "d", -1), badArguments}, row{set(s.p("/\x01"), "d", -1), badArguments},
		row{set(s.p("/n\x00"), "d", -1), badArguments}, row{set(s.p("/\U0001f600"), "d", -1), badArguments}, row{set(s.p("/\uffff"), "d", -1), badArguments},
		row{set(s.p("/no"), "d", -1), noNode}, row{set(s.p("/no"), "d", 5), noNode}, row{set(s.p("/no/x"), "d", 5), noNode},
		row{set(s.p("/closed"), "d", -1), noAuth}, row{set(s.p("/closed"), "d", 9), noAuth}, row{set(s.p("/n"), "d", 9), badVersion},
		row{set(s.p("/n"), "d", 0), ok},
	)
	c.ok(get(s.p("/n"), false))
	c.end()
}

func setDataVersions(s *script) {
	c := s.conn("a")
	c.all(
		row{set(s.root, "0", -2), badVersion}, row{set(s.root, "0", 1), badVersion}, row{set(s.root, "1", 0), ok}, row{set(s.root, "1", 0), badVersion},
		row{set(s.root, "2", -1), ok}, row{set(s.root, "3", 2), ok}, row{set(s.root, "3", -1<<31), badVersion}, row{set(s.root, "3", 1<<31-1), badVersion},
	)
	c.ok(setBytes(s.root, nil, -1), get(s.root, false), setBytes(s.root, []byte{}, -1), get(s.root, false), setBytes(s.root, make([]byte, 50_000), -1), get(s.root, false))
	c.end()
}

// setDataSystem writes to the server's own nodes, as anybody and as super.
func setDataSystem(s *script) {
	c := s.conn("a")
	c.call(set("/zookeeper/config", "x", -1)).want(noAuth)
	c.look(set("/zookeeper/config", "x", 77), set("/", "root data", -1), get("/", false), set("/", "", -1), set("/zookeeper", "x", -1), get("/zookeeper", false))
	c.ok(digestAuth(superUser))
	c.ok(get("/zookeeper/config", true), set("/zookeeper/config", "x", -1), get("/zookeeper/config", false), set("/zookeeper/config", "", -1), get("/zookeeper/config", false))
	c.end()
}

func setDataDecode(s *script) {
	c := s.conn("a")
	c.truncated(set("/abc", "data", -1))
	c.call(set(null, "x", -1)).want(badArguments)
	c.ok(set(s.root, "x", -1).long(1, 2, 3))
	c.ok(get(s.root, false))
	c.end()
}

// writeFailures sends writes that fail and watches the zxid.
func writeFailures(s *script) {
	c := s.conn("a")
	for _, r := range []req{
		create(s.root, 0), create("bad", 0), create(s.p("/no/x"), 0), createACL(s.p("/x"), nil), create(s.p("/x"), 99), create(s.p("/x"), 5),
		del("bad", -1), del(s.p("/no"), -1), del("/", -1), set("bad", "", -1), set(s.p("/no"), "", -1), set(s.root, "", 99),
		setACL("bad", open(), -1), setACL(s.p("/no"), open(), -1), setACL(s.root, nil, -1), setACL(s.root, open(), 99),
		createTTL(s.p("/x"), 5, 100), multi(check(s.p("/no"), 0)), multi(), reconfig(null, null, null, -1),
		exists(s.p("/no"), false), get("bad", false), syncPath("x"), check(s.root, 0).as(jute.OpExists),
	} {
		c.look(r)
		c.drain()
		c.look(exists(s.root, false))
	}
	c.end()
}

// unknownOps sends op codes that no client may send: an error and the end of the connection.
func unknownOps(s *script) {
	for _, op := range []jute.OpCode{0, 10, 13, -1, 23, 24, 50, 99, 108, 110, 1000, -2, -100, -1 << 31, 1<<31 - 1} {
		c := s.conn("a")
		c.closes(raw(op, 0, 0, 0, 1, 'x', 0, 0, 0, 0)).want(unimplement)
		b := s.renew("b", c)
		b.ok(exists(s.root, false))
		b.end()
	}
	s.dev("createSession", func() {
		c := s.conn("a")
		c.closes(raw(jute.OpCreateSession, 0, 0, 0x10, 0)).want(unimplement)
	})
}

func writeXids(s *script) {
	c := s.conn("a")
	for _, xid := range []int32{0, -1, -3, -4, -5, -8, -100, -1 << 31, 1<<31 - 1, 5, 5, 1} {
		c.ok(exists(s.root, false).withXid(xid), set(s.root, "x", -1).withXid(xid))
	}
	c.ok(ping().withXid(77), ping().withXid(-2), ping().long(1, 2, 3), ping().withXid(0))
	c.ok(digestAuth("u:p").withXid(7), s.setWatches(0, watchLists{}).withXid(9), exists(s.root, false).withXid(-2))
	c.end()
}

// writePipeline sends many requests in one segment: answers come in order.
func writePipeline(s *script) {
	c := s.conn("a")
	var rs []req
	for range 20 {
		rs = append(rs, create(s.p("/s-"), 2), get(s.root, false), set(s.root, "v", -1), ping(), syncPath(s.root), exists(s.root, false),
			set(s.root, "v", 99), children2(s.root, false))
	}
	c.pipeline(rs...)
	c.pipeline(create(s.p("/x"), 0), create(s.p("/x"), 0), exists(s.p("/x"), false), del(s.p("/x"), -1), exists(s.p("/x"), false), create(s.p("/x"), 0), closeSession())
	delete(s.open, c.id)
	// What stands behind a closeSession is not done. Whether it is refused or not even read depends on
	// how far the server is when it closes.
	s.edge(func() {
		d := s.conn("d")
		d.write(append(d.frame(closeSession()), d.frame(set(s.root, "late", -1))...))
		d.untilClosed("d: closeSession with a write behind it")
		s.forget("SessionExpired")
		delete(s.open, d.id)
		e := s.conn("e")
		e.look(get(s.root, false))
		e.end()
	})
}

func reconfigDisabled(s *script) {
	c := s.conn("a")
	c.call(reconfig(null, null, null, -1)).want(jute.CodeReconfigDisabled)
	c.call(reconfig("server.2=localhost:1:2;3", "1", null, 5)).want(jute.CodeReconfigDisabled)
	c.call(reconfig(null, "garbage", null, -1)).want(jute.CodeReconfigDisabled)
	s.edge(func() {
		c.look(reconfig(null, null, null, -1).short(3), reconfig("abc", null, null, -1).short(15), raw(jute.OpReconfig))
	})
	c.ok(exists(s.root, false))
	c.end()
}
