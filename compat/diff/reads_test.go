package diff

import (
	"fmt"

	"zk/jute"
)

func readCases() []testCase {
	return []testCase{
		{"read/stat", readStat},
		{"read/missing", readMissing},
		{"read/system", readSystem},
		{"read/children", readChildren},
		{"read/decode", readDecode},
		{"read/sync", readSync},
		{"read/count", readCount},
		{"read/ephemerals-decode", readEphemerals},
	}
}

// reads are all reads of one path.
func reads(path string) []req {
	return []req{
		exists(path, false), get(path, false), children(path, false), children2(path, false), getACL(path), allChildren(path),
		syncPath(path), ephemerals(path),
	}
}

// readStat follows the Stat of a node and its parent through every kind of change.
func readStat(s *script) {
	c := s.conn("a")
	n := s.p("/n")
	stat := func() { c.ok(exists(n, false), exists(s.root, false), children2(n, false), getACL(n)) }
	c.ok(create(n, 0))
	stat()
	c.ok(set(n, "longer data", 0))
	stat()
	c.ok(set(n, "longer data", -1))
	stat()
	c.ok(setACL(n, acl("world:anyone:cdrwa", "ip:1.2.3.4:r"), 0))
	stat()
	c.ok(create(n+"/k1", 0), create(n+"/k2", 1), create(n+"/k3-", 2))
	stat()
	c.ok(del(n+"/k1", 0))
	stat()
	c.ok(set(n+"/k2", "y", -1)) // a change of a child is not a change of the parent
	stat()
	c.ok(multi(create(n+"/m1", 0), create(n+"/m2", 0), del(n+"/m1", -1), set(n, "z", 2)))
	stat()
	c.ok(del(n+"/m2", -1), del(n+"/k2", -1), del(n+"/k3-0000000002", -1), del(n, -1), create(n, 0))
	stat()
	c.end()
}

// readMissing reads paths that name nothing, or nothing valid.
func readMissing(s *script) {
	c := s.conn("a")
	c.ok(create(s.p("/n"), 0))
	for _, path := range []string{
		s.p("/no"), s.p("/no/no"), s.p("/n/"), s.p("/n/no"), "foo", "/foo/", "//", s.p("//n"), "/.", s.p("/."), s.p("/../x"), " ",
		s.p("/\x01"), s.p("/\uffff"),
	} {
		c.look(reads(path)...)
	}
	astral := s.p("/\U0001f600")
	c.all(row{exists(astral, false), noNode}, row{get(astral, false), noNode}, row{children(astral, false), noNode}, row{getACL(astral), noNode})
	s.dev("utf8-astral", func() {
		got := c.call(syncPath(astral)).want(ok)
		s.expect(got.path == astral, "sync answers %q", got.path)
	})
	for _, path := range []string{"\x00", "/\x00", s.root + "\x00", s.p("/n\x00"), s.p("\x00/n")} {
		c.look(reads(path)...)
	}
	c.call(exists(s.p("/no"), false)).want(noNode)
	c.call(exists(s.p("/n\x00"), false)).want(badArguments)
	c.call(get("foo", false)).want(noNode)
	c.end()
}

// readSystem looks at the nodes every server has, and at "" which is another name of the root.
func readSystem(s *script) {
	c := s.conn("a")
	for _, path := range []string{"/zookeeper", "/zookeeper/quota", "/zookeeper/config"} {
		c.look(reads(path)...)
	}
	c.look(get("/", false), exists("/", false), getACL("/"), children("/zookeeper", false))
	c.look(get("", false), exists("", false), getACL(""), children("", false), children2("", false), allChildren(""))
	c.look(exists("zookeeper", false), get("zookeeper/config", false))
	c.end()
}

func readChildren(s *script) {
	c := s.conn("a")
	c.ok(children(s.root, false), children2(s.root, false))
	for i := range 60 {
		c.ok(create(s.p(fmt.Sprintf("/k%02d", i)), 0))
	}
	c.ok(children(s.root, false), children2(s.root, false), allChildren(s.root))
	c.end()
}

func readDecode(s *script) {
	c := s.conn("a")
	c.edge(exists(null, false), get(null, false), children(null, false), children2(null, false), getACL(null), allChildren(null))
	for _, r := range []req{exists("/q", false), get("/q", false), children("/q", false), children2("/q", false), getACL("/q"), allChildren("/q")} {
		c.truncated(r)
		c.look(r.long(0, 0, 0, 0, 7))
	}
	// Any byte but 0 is true: the watch is set.
	path := jute.AppendString(nil, s.root)
	c.ok(raw(jute.OpGetData, append(path, 2)...), set(s.root, "y", -1), raw(jute.OpExists, append(path, 0xff)...), set(s.root, "z", -1))
	c.end()
}

func readSync(s *script) {
	c := s.conn("a")
	for _, path := range []string{"/", s.root, "/nosuch", "garbage", "", null, "\x00", "\xff"} {
		c.call(syncPath(path)).want(ok)
	}
	// The only reply that echoes a path unchecked shows how malformed UTF-8 is read.
	for _, path := range malformed() {
		c.call(syncPath(path)).want(ok)
	}
	c.look(syncPath("/").long(1, 2, 3))
	c.truncated(syncPath("/abc"))
	c.ok(exists(s.root, false))
	c.end()
}

func readCount(s *script) {
	c := s.conn("a")
	c.ok(allChildren(s.root), create(s.p("/a"), 0), create(s.p("/a/b"), 0), create(s.p("/a/b/c"), 0), create(s.p("/a-"), 0), create(s.p("/a/e"), 1))
	c.ok(allChildren(s.root), allChildren(s.p("/a")), allChildren(s.p("/a/b")), allChildren(s.p("/a-")), allChildren(s.p("/a/b/c")))
	c.ok(allChildren("/zookeeper"), allChildren("/"))
	c.end()
}

func readEphemerals(s *script) {
	c := s.conn("a")
	c.ok(ephemerals(null), create(s.p("/e"), 1), ephemerals(null), ephemerals(s.p("/e")).long(1), ephemerals("\x00"))
	c.truncated(ephemerals("/abc"))
	c.end()
}
