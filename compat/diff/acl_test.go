package diff

import (
	"fmt"

	"zk/jute"
)

func aclCases() []testCase {
	return []testCase{
		{"acl/ids", aclIDs},
		{"acl/setacl-order", setACLOrder},
		{"acl/versions", setACLVersions},
		{"acl/matrix", aclMatrix},
		{"acl/parent", aclParent},
		{"acl/stored", aclStored},
		{"acl/auth-scheme", aclAuthScheme},
		{"acl/redaction", aclRedaction},
		{"acl/ip", aclIP},
		{"acl/super", aclSuper},
		{"acl/decode", aclDecode},
		{"acl/root", aclRoot},
	}
}

// aclIDs is the table of schemes and ids: which are valid in an ACL.
func aclIDs(s *script) {
	c := s.conn("a")
	var specs []string
	for _, id := range []string{"anyone", "someone", "", "Anyone", "anyone "} {
		specs = append(specs, "world:"+id)
	}
	for _, id := range []string{"", ":", "abc", "a:", "a:b", ":b", "a:b:", "a:b:c", "a:b::", "::", "user:hash=", "ü:ö", " : "} {
		specs = append(specs, "digest:"+id)
	}
	for _, id := range []string{
		"127.0.0.1", "0.0.0.0", "255.255.255.255", "256.0.0.1", "1.2.3", "1.2.3.4.5", "", "localhost", "127.0.0.1/0", "127.0.0.1/8", "127.0.0.1/32",
		"127.0.0.1/33", "127.0.0.1/-1", "127.0.0.1/", "127.0.0.1/a", "127.0.0.1/8/8", "/8", "01.02.03.04", "1.2.3.-4", " 1.2.3.4", "1.2.3.4 ", "1..3.4", "+1.2.3.4",
		"::1", "::", "::/0", "::1/128", "::1/129", "fe80::1", "fe80::1%eth0", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "::ffff:1.2.3.4",
		"12345::", "g::1", "1:2:3:4:5:6:7::", ":1", "1:", "::1/", "::1/x", "2001:DB8::/32", "127.0.0.1/08", "127.0.0.1/+8", "0:0:0:0:0:0:0:1",
	} {
		specs = append(specs, "ip:"+id)
	}
	specs = append(specs, "auth:", "auth:anything", "sasl:user", "sasl:a@b@c", "x509:CN=x", "x509:garbage", "super:", "super:x", "nosuch:x", ":", ":x", "WORLD:anyone", "ensemble:x", "key:x")
	for i, spec := range specs {
		path := s.p(fmt.Sprintf("/n%02d", i))
		made := c.call(createACL(path, acl(spec+":r")))
		if made.err == ok {
			c.look(getACL(path))
		}
	}
	// One bad entry spoils the list; an entry may have any permission bits.
	c.all(
		row{createACL(s.p("/b"), acl("world:anyone:r", "nosuch:x:r")), invalidACL},
		row{createACL(s.p("/b"), acl("world:anyone:r", "digest:x:r", "ip:1.2.3.4:r")), invalidACL},
		row{createACL(s.p("/b"), []jute.ACL{}), invalidACL}, row{createACL(s.p("/b"), nil), invalidACL},
	)
	c.end()
}

func setACLOrder(s *script) {
	c := s.conn("a")
	c.ok(create(s.p("/n"), 0), createACL(s.p("/closed"), acl("world:anyone:rwcd")))
	bad := acl("nosuch:x:r")
	c.all(
		row{setACL("foo", bad, -1), badArguments}, row{setACL(s.p("/n/"), bad, -1), badArguments}, row{setACL("", open(), -1), badArguments},
		row{setACL(s.p("/n\x00"), open(), -1), badArguments}, row{setACL(s.p("//n"), open(), -1), badArguments},
		row{setACL(s.p("/no"), bad, -1), invalidACL}, row{setACL(s.p("/n"), bad, 7), invalidACL}, row{setACL(s.p("/closed"), bad, -1), invalidACL},
		row{setACL(s.p("/n"), nil, -1), invalidACL}, row{setACL(s.p("/n"), []jute.ACL{}, -1), invalidACL},
		row{setACL(s.p("/no"), open(), -1), noNode}, row{setACL(s.p("/no/x"), open(), 5), noNode},
		row{setACL(s.p("/closed"), open(), -1), noAuth}, row{setACL(s.p("/closed"), open(), 9), noAuth},
		row{setACL(s.p("/n"), open(), 9), badVersion}, row{setACL(s.p("/n"), open(), -2), badVersion}, row{setACL(s.p("/n"), open(), 0), ok},
	)
	c.end()
}

func setACLVersions(s *script) {
	c := s.conn("a")
	c.ok(set(s.root, "y", -1), setACL(s.root, open(), 0), setACL(s.root, open(), 1), setACL(s.root, open(), -1), getACL(s.root), exists(s.root, false))
	c.all(row{setACL(s.root, open(), 1), badVersion}, row{set(s.root, "z", 3), badVersion}, row{set(s.root, "z", 1), ok})
	c.ok(getACL(s.root))
	c.end()
}

// aclMatrix has one node per permission bit and tries every operation on each.
func aclMatrix(s *script) {
	c := s.conn("a")
	for _, p := range []string{"r", "w", "c", "d", "a", "0", "31", "255", "-1", "30"} {
		n := s.p("/p" + p)
		c.ok(create(n, 0), create(n+"/kid", 0), create(n+"/gone", 0), setACL(n, acl("world:anyone:"+p), -1))
		c.look(exists(n, false), get(n, false), children(n, false), children2(n, false), allChildren(n), getACL(n), syncPath(n))
		c.look(set(n, "y", -1), create(n+"/new", 0), create2(n+"/new2", 0), createContainer(n+"/newc"), create(n+"/s-", 2), del(n+"/gone", -1))
		c.look(multi(check(n, -1)), multi(set(n, "z", -1)), multi(create(n+"/m", 0)), multi(del(n+"/kid", -1)), multiRead(get(n, false), children(n, false)))
		c.look(addWatch(n, 0), exists(n+"/kid", false), get(n+"/kid", false), removeWatches(n, 3), setACL(n, open(), -1), getACL(n))
	}
	c.end()
}

// aclParent shows that a delete asks the parent, not the node.
func aclParent(s *script) {
	c := s.conn("a")
	c.ok(create(s.p("/p"), 0), createACL(s.p("/p/locked"), acl("ip:1.2.3.4:cdrwa")), createACL(s.p("/p/e"), acl("ip:1.2.3.4:cdrwa")))
	c.all(
		row{get(s.p("/p/locked"), false), noAuth}, row{exists(s.p("/p/locked"), false), noAuth}, row{exists(s.p("/p/locked/no"), false), noNode},
		row{create(s.p("/p/locked/x"), 0), noAuth}, row{del(s.p("/p/locked"), -1), ok},
		row{setACL(s.p("/p"), acl("world:anyone:ra"), -1), ok}, row{del(s.p("/p/e"), -1), noAuth}, row{create(s.p("/p/x"), 0), noAuth},
		row{children(s.p("/p"), false), ok}, row{getACL(s.p("/p/e")), noAuth},
	)
	c.end()
}

// aclStored shows what is kept of a list: duplicates, bits, order.
func aclStored(s *script) {
	c := s.conn("a")
	for i, list := range [][]jute.ACL{
		acl("world:anyone:31", "world:anyone:31"), acl("world:anyone:31", "world:anyone:1"), acl("ip:1.2.3.4:1", "world:anyone:17", "ip:1.2.3.4:1", "ip:1.2.3.4:2"),
		acl("world:anyone:255"), acl("ip:1.2.3.4:0", "world:anyone:17"), acl("world:anyone:-1"), acl("digest:b:x:1", "digest:a:x:1", "world:anyone:31", "digest:b:x:1"),
		acl("ip:127.0.0.1/8:31", "ip:127.0.0.1:31", "ip:127.0.0.1/8:31"),
	} {
		n := s.p(fmt.Sprintf("/n%d", i))
		c.ok(createACL(n, list))
		c.look(getACL(n), setACL(n, append(list, list...), -1), getACL(n))
	}
	c.end()
}

func aclAuthScheme(s *script) {
	c := s.conn("a")
	c.all(row{createACL(s.p("/x"), acl("auth::cdrwa")), invalidACL}, row{setACL(s.root, acl("auth:x:r"), -1), invalidACL})
	c.ok(digestAuth("joe:secret"))
	c.ok(createACL(s.p("/one"), acl("auth::cdrwa")), getACL(s.p("/one")), createACL(s.p("/id"), acl("auth:ignored:ra")), getACL(s.p("/id")))
	c.ok(createACL(s.p("/mixed"), acl("auth::r", "world:anyone:31", "auth::a")), getACL(s.p("/mixed")))
	c.ok(digestAuth("joe:secret"), digestAuth("ann:other"))
	s.sortACLs = true // the order of a connection's identities is not promised
	c.ok(createACL(s.p("/two"), acl("auth::cdrwa")), getACL(s.p("/two")), setACL(s.p("/one"), acl("auth::31"), -1), getACL(s.p("/one")))
	s.sortACLs = false
	b := s.conn("b")
	b.all(row{get(s.p("/one"), false), noAuth}, row{getACL(s.p("/one")), noAuth})
	b.ok(digestAuth("ann:other"), get(s.p("/one"), false), set(s.p("/one"), "by ann", -1))
	// Identities belong to the connection, not to the session.
	d := s.renew("d", b)
	d.call(get(s.p("/one"), false)).want(noAuth)
	d.ok(digestAuth("joe:secret"), get(s.p("/one"), false))
	d.end()
	c.end()
}

// aclRedaction shows whom getACL shows the hashes of digest ids.
func aclRedaction(s *script) {
	c := s.conn("a")
	c.ok(createACL(s.p("/read"), acl("world:anyone:r", "digest:joe:hash=:31", "ip:1.2.3.4:1")))
	c.ok(createACL(s.p("/admin"), acl("world:anyone:a", "digest:joe:hash=:31")))
	c.ok(createACL(s.p("/both"), acl("world:anyone:ra", "digest:joe:hash=:31")))
	c.ok(createACL(s.p("/none"), acl("world:anyone:wcd", "digest:joe:hash=:31")))
	c.ok(createACL(s.p("/odd"), acl("world:anyone:r", "digest::x:31", "digest:a:b:31", "digest: : :1")))
	for _, n := range []string{"/read", "/admin", "/both", "/none", "/odd"} {
		c.look(getACL(s.p(n)))
	}
	c.ok(digestAuth(superUser), getACL(s.p("/read")), getACL(s.p("/none")))
	c.end()
}

func aclIP(s *script) {
	c := s.conn("a")
	for i, id := range []string{"127.0.0.1", "127.0.0.0/8", "127.0.0.1/32", "127.0.0.0/31", "127.0.0.2/31", "127.0.0.2", "0.0.0.0/0", "128.0.0.0/1", "10.0.0.0/8", "::1", "::/0", "::1/128"} {
		n := s.p(fmt.Sprintf("/n%d", i))
		c.ok(createACL(n, acl("ip:"+id+":31")))
		c.look(get(n, false))
	}
	b := s.dialFrom("b", "127.0.0.2")
	b.connectNew()
	b.look(whoAmI())
	for i := range 12 {
		b.look(get(s.p(fmt.Sprintf("/n%d", i)), false))
	}
	if haveIPv6() {
		d := s.dial6("d")
		d.connectNew()
		d.look(whoAmI())
		for i := range 12 {
			d.look(get(s.p(fmt.Sprintf("/n%d", i)), false))
		}
		d.end()
	}
	b.end()
	c.end()
}

func aclSuper(s *script) {
	c := s.conn("a")
	locked := acl("ip:1.2.3.4:31")
	c.ok(create(s.p("/p"), 0), create(s.p("/p/k"), 0), setACL(s.p("/p"), locked, -1))
	c.all(row{get(s.p("/p"), false), noAuth}, row{digestAuth("super:wrong"), ok}, row{get(s.p("/p"), false), noAuth}, row{digestAuth(superUser), ok})
	c.ok(get(s.p("/p"), false), set(s.p("/p"), "x", -1), create(s.p("/p/n"), 0), del(s.p("/p/k"), -1), getACL(s.p("/p")), setACL(s.p("/p"), acl("ip:1.2.3.4:1"), 1))
	c.all(row{createACL(s.p("/x"), acl("super::31")), invalidACL}, row{createACL(s.p("/x"), acl("nosuch:x:31")), invalidACL})
	c.look(whoAmI(), createACL(s.p("/auth"), acl("auth::31")))
	s.sortACLs = true
	c.look(getACL(s.p("/auth")))
	s.sortACLs = false
	c.ok(set("/zookeeper/config", "", -1))
	c.all(row{del("/zookeeper/config", -1), badArguments}, row{set("/", "", -1), ok})
	c.end()
}

func aclDecode(s *script) {
	c := s.conn("a")
	c.truncated(setACL("/abc", acl("world:anyone:r"), -1))
	c.truncated(getACL("/abc"))
	path := jute.AppendString(nil, s.root)
	// An ACL whose scheme or id is null.
	entry := func(scheme, id string) req {
		b := jute.AppendInt32(jute.AppendInt32(append([]byte(nil), path...), 1), 31)
		return raw(jute.OpSetACL, jute.AppendInt32(appendString(appendString(b, scheme), id), -1)...)
	}
	s.edge(func() {
		c.look(entry(null, "anyone"), entry("world", null), entry(null, null), entry("digest", null), entry("ip", null), entry("auth", null))
	})
	c.look(setACL(null, open(), -1))
	c.ok(getACL(s.root))
	c.end()
}

func aclRoot(s *script) {
	c := s.conn("a")
	c.look(getACL("/"), setACL("/", open(), -1), getACL("/"), setACL("/", open(), 9), getACL("/zookeeper"), getACL("/zookeeper/quota"), getACL("/zookeeper/config"))
	c.look(setACL("/zookeeper", open(), -1), setACL("/zookeeper/config", open(), -1), setACL("/zookeeper/quota", acl("world:anyone:31"), -1))
	c.end()
}
