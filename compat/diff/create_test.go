package diff

import (
	"fmt"
	"strings"

	"zk/jute"
)

func createCases() []testCase {
	return []testCase{
		{"create/kinds", createKinds},
		{"create/flags", createFlags},
		{"create/order", createOrder},
		{"create/paths", createPaths},
		{"create/bytes", createBytes},
		{"create/sequence", createSequence},
		{"create/ephemeral", createEphemeral},
		{"create/container", createContainers},
		{"create/data", createData},
		{"create/system", createSystem},
		{"create/decode", createDecode},
	}
}

// createKinds makes every kind of node with every op that can and looks at it.
func createKinds(s *script) {
	c := s.conn("a")
	for _, op := range []jute.OpCode{jute.OpCreate, jute.OpCreate2, jute.OpCreateContainer} {
		for flags := int32(0); flags <= 4; flags++ {
			path := s.p(fmt.Sprintf("/op%d-f%d-", op, flags))
			made := c.call(createAs(op, path, []byte("data"), open(), flags, 0)).want(ok)
			c.look(exists(made.path, false), getACL(made.path))
		}
	}
	c.ok(children2(s.root, false), ephemerals(null))
	c.end()
	after := s.conn("b")
	after.ok(children2(s.root, false))
	after.end()
}

func createFlags(s *script) {
	c := s.conn("a")
	for _, flags := range []int32{-1, 7, 8, 100, 1 << 30, -1 << 31} {
		c.call(create(s.p("/x"), flags)).want(badArguments)
		c.call(create2(s.p("/x"), flags)).want(badArguments)
		c.call(createAs(jute.OpCreateContainer, s.p("/x"), nil, open(), flags, 0)).want(badArguments)
	}
	for _, flags := range []int32{5, 6} { // TTL, while extended types are off
		c.call(create(s.p("/x"), flags)).want(unimplement)
		c.call(create2(s.p("/x"), flags)).want(unimplement)
		c.call(createAs(jute.OpCreateContainer, s.p("/x"), nil, open(), flags, 0)).want(unimplement)
		c.call(createTTL(s.p("/x"), flags, 1000)).want(unimplement)
		c.call(createTTL(s.p("/x"), flags, -5)).want(unimplement)
	}
	c.all(
		row{createTTL("nopath", 5, 1000), unimplement},
		row{createTTL(s.p("/x"), 99, 1000), badArguments},
	)
	c.ok(children2(s.root, false))
	c.end()
}

// createOrder sends requests that are wrong in two ways: which error wins.
func createOrder(s *script) {
	c := s.conn("a")
	c.ok(create(s.p("/e"), 1), create(s.p("/p"), 0))
	c.ok(createACL(s.p("/closed"), acl("world:anyone:r")))
	bad := acl("nosuch:x:r")
	missing, below := s.p("/no/x"), s.p("/e/x")
	c.all(
		row{create("nopath", 99), badArguments},
		row{create(missing, 99), badArguments},
		row{createACL("nopath", bad), badArguments},
		row{createACL("", bad), badArguments},
		row{createACL(missing, bad), invalidACL},
		row{createACL(s.p("/p"), bad), invalidACL},
		row{createACL(below, bad), invalidACL},
		row{createACL(s.p("/p/"), bad), invalidACL},
		row{createACL(s.p("/closed/x"), bad), invalidACL},
		row{create(missing, 0), noNode},
		row{create(missing, 1), noNode},
		row{create(s.p("/no/a//b"), 0), noNode},
		row{create(s.p("/p//b"), 0), noNode},
		row{create(s.p("/no/."), 0), noNode},
		row{create(s.p("/closed/x"), 0), noAuth},
		row{create(s.p("/closed/."), 0), noAuth},
		row{create(s.p("/closed/"), 0), noAuth},
		row{create(s.p("/p/."), 0), badArguments},
		row{create(s.p("/e/."), 0), badArguments},
		row{create(s.p("/p"), 0), nodeExists},
		row{create(s.p("/p"), 1), nodeExists},
		row{create(below, 0), noChildren},
		row{create(below, 1), noChildren},
		row{create(below, 2), noChildren},
		row{createAs(jute.OpCreate, s.p("/p"), make([]byte, 5000), open(), 0, 0), nodeExists},
	)
	c.ok(exists(s.p("/e"), false), exists(s.p("/p"), false), exists(s.root, false))
	c.end()
}

// createPaths is the table of names, each as the last component below an existing parent.
func createPaths(s *script) {
	c := s.conn("a")
	for _, name := range []string{
		"/", "/.", "/..", "/...", "/..a", "/a.", "/.a", "/a..b", "/ ", "/a b", "/\t", "/\n", "/a\x01b", "/\x1f", "/\x20", "/\x7e", "/\x7f",
		"/\u0080", "/\u009f", "/\u00a0", "/\u00e4", "/\u20ac", "/\u4e2d\u6587", "/\ud7ff", "/\ue000", "/\uf8ff", "/\uf900", "/\uffef",
		"/\ufff0", "/\ufffd", "/\uffff", "/\U0001f600", "/\U00010000", "/a\U0001f600b", "/a//b", "//", "/a/", "/a/b/", "/%2f", "/\\", "/a:b", "/a?b#c",
		"/" + strings.Repeat("n", 300),
	} {
		c.look(create(s.p(name), 0))
	}
	for _, path := range []string{"", "foo", "/", ".", "..", "./x", "x/y", "//", "///", "//x", "/./x", "/../x", "/zookeeper", "/zookeeper/", "/\x00", "\x00", s.root + "/a\x00b", s.root + "\x00", s.root} {
		c.look(create(path, 0), create(path, 2), create2(path, 1))
	}
	c.ok(children2(s.root, false))
	c.end()
}

// createBytes sends paths that are not UTF-8: Java puts U+FFFD in their place, which no path may have.
func createBytes(s *script) {
	c := s.conn("a")
	for _, name := range malformed() {
		c.look(create(s.p("/"+name), 0), get(s.p("/"+name), false), del(s.p("/"+name), -1))
	}
	c.end()
}

// malformed are strings that are not UTF-8.
func malformed() []string {
	return []string{
		"\xff", "\xc3", "\xc3\x28", "\xe2\x82", "\xed\xa0\x80", "\xed\xb0\x80", "\xf0\x9f\x98", "\xc0\xaf", "\xc0\x80", "\xf8\x88\x80\x80\x80", "a\x80b",
		"\xff\xfe\xfd", "\xe2\x82\xe2\x82x", "\xf0\x9f\x98a\xf0\x9f", "\xf4\x90\x80\x80", "\xed\xa0\xbd\xed\xb8\x80", "\x80\x80\x80", "\xe0\x80\xaf", "\xfc\x80\x80\x80\x80\xaf",
	}
}

func createSequence(s *script) {
	c := s.conn("a")
	p := s.p("/p")
	c.ok(create(p, 0), create(p+"/a-", 2), create(p+"/b-", 2), create(p+"/plain", 0), create(p+"/a-", 3), create2(p+"/", 2), create2(p+"/", 3))
	c.ok(exists(p, false), del(p+"/plain", -1), exists(p, false), create(p+"/after-", 2))
	c.call(create(p+"/a-0000000009", 0)).want(ok)
	c.ok(create(p+"/z", 0))
	c.call(create(p+"/a-", 2)).want(nodeExists)
	// The next suffix is taken by hand: the sequential create fails and the counter stays.
	c.ok(exists(p, false), create(p+"/n-0000000012", 0))
	c.look(create(p+"/n-", 2), create(p+"/n-0000000014", 0), create(p+"/n-", 2), create(p+"/n-", 2), exists(p, false))
	c.look(create(p+"/.", 2), create(p+"/..", 2), create(p+"//", 2), create(p+"/x/", 2), create(p+"/x/y", 2), create(p+"/\u0001", 2), create(p, 2), create("/", 2))
	c.ok(children2(p, false), children2(s.root, false))
	c.end()
	d := s.conn("b")
	d.ok(children2(p, false), create(p+"/last-", 2), children2(p, false))
	d.end()
}

func createEphemeral(s *script) {
	a, b := s.conn("a"), s.conn("b")
	a.ok(create(s.p("/dir"), 0), create(s.p("/dir/e1"), 1), create2(s.p("/dir/e2"), 1), create2(s.p("/dir/s-"), 3), create(s.p("/other"), 1))
	b.ok(create(s.p("/dir/b"), 1), exists(s.p("/dir/e1"), false), children2(s.p("/dir"), false))
	b.all(row{create(s.p("/dir/e1/x"), 0), noChildren}, row{create(s.p("/dir/e1"), 1), nodeExists})
	b.ok(set(s.p("/dir/e1"), "by b", -1), del(s.p("/dir/e2"), -1))
	a.ok(ephemerals(null), ephemerals(""), ephemerals("/"), ephemerals(s.p("/dir")), ephemerals(s.p("/d")), ephemerals(s.p("/dir/e1")),
		ephemerals("/nosuch"), ephemerals("garbage"), ephemerals(s.p("/o")), ephemerals(" "))
	b.ok(ephemerals(null))
	a.end()
	b.ok(children2(s.p("/dir"), false), exists(s.p("/dir"), false), exists(s.root, false), ephemerals(null))
	b.call(exists(s.p("/other"), false)).want(noNode)
	// A session without ephemerals closes with a transaction too.
	d := s.conn("d")
	d.end()
	b.ok(exists(s.p("/dir"), false))
	b.end()
}

func createContainers(s *script) {
	c := s.conn("a")
	c.ok(createContainer(s.p("/c")), exists(s.p("/c"), false), create(s.p("/c/kid"), 0), create(s.p("/c/eph"), 1), createContainer(s.p("/c/c")),
		exists(s.p("/c"), false), set(s.p("/c"), "new", 0), getACL(s.p("/c")))
	for flags := int32(0); flags <= 3; flags++ {
		path := s.p(fmt.Sprintf("/f%d-", flags))
		made := c.call(createAs(jute.OpCreateContainer, path, []byte("x"), open(), flags, 0)).want(ok)
		c.look(exists(made.path, false), create(made.path+"/kid", 0))
	}
	c.look(create(s.p("/plain"), 4), exists(s.p("/plain"), false), create2(s.p("/plain2"), 4), exists(s.p("/plain2"), false))
	c.call(createContainer(s.p("/c"))).want(nodeExists)
	c.call(createContainer(s.p("/no/c"))).want(noNode)
	c.end()
	b := s.conn("b")
	b.look(children2(s.root, false), ephemerals(null))
	b.end()
}

func createData(s *script) {
	c := s.conn("a")
	for i, data := range [][]byte{nil, {}, {0}, []byte("text"), make([]byte, 100_000)} {
		path := s.p(fmt.Sprintf("/d%d", i))
		c.ok(createAs(jute.OpCreate, path, data, open(), 0, 0), get(path, false), exists(path, false))
	}
	c.end()
}

// createSystem creates below the nodes the server makes for itself.
func createSystem(s *script) {
	c := s.conn("a")
	c.ok(create("/zookeeper/foo", 0), exists("/zookeeper", false), create("/zookeeper/quota/x", 0), exists("/zookeeper/quota", false))
	c.all(
		row{create("/", 0), nodeExists}, row{create("/zookeeper", 0), nodeExists}, row{create("/zookeeper/quota", 0), nodeExists},
		row{create("/zookeeper/config", 0), nodeExists}, row{create("/zookeeper/config/x", 0), noAuth},
	)
	c.ok(del("/zookeeper/foo", -1), del("/zookeeper/quota/x", -1))
	c.end()
}

func createDecode(s *script) {
	c := s.conn("a")
	c.truncated(create(s.p("/x"), 0))
	c.truncated(create2("/y", 0))
	c.truncated(createAs(jute.OpCreateContainer, "/z", nil, open(), 4, 0))
	c.edge(create(null, 0), create2(null, 0), createContainer(null))
	c.ok(create(s.p("/long"), 0).long(1, 2, 3, 4, 5, 6, 7, 8, 9))
	// Lengths that lie.
	path := jute.AppendString(nil, s.p("/x"))
	tail := jute.AppendInt32(jute.AppendACLs(nil, open()), 0)
	for _, n := range []int32{-2, -1 << 31, 1 << 30, 1<<31 - 1, 100} {
		body := append(jute.AppendInt32(nil, n), path...)
		c.edge(raw(jute.OpCreate, body...))
		body = append(jute.AppendInt32(append([]byte(nil), path...), n), tail...)
		c.edge(raw(jute.OpCreate, body...))
	}
	for _, n := range []int32{2, 100, 1 << 30, 1<<31 - 1} {
		body := jute.AppendInt32(jute.AppendBuffer(append([]byte(nil), path...), []byte("x")), n)
		c.edge(raw(jute.OpCreate, append(body, tail[4:]...)...))
	}
	// A negative count is an empty vector, -1 a null one: no ACL either way.
	for _, n := range []int32{-1, -2, 0, -1 << 31} {
		body := jute.AppendInt32(jute.AppendBuffer(append([]byte(nil), path...), []byte("x")), n)
		c.call(raw(jute.OpCreate, jute.AppendInt32(body, 0)...)).want(invalidACL)
	}
	c.ok(children2(s.root, false))
	c.end()
}
