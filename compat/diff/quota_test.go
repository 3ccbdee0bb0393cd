package diff

import (
	"fmt"

	"zk/jute"
)

// quotaCases run twice: where hard limits count and where they do not.
func quotaCases() []testCase {
	return []testCase{
		{"quota/count", quotaCount},
		{"quota/bytes", quotaBytes},
		{"quota/setdata-order", quotaSetDataOrder},
		{"quota/multi", quotaMulti},
		{"quota/deepest", quotaDeepest},
		{"quota/soft", quotaSoft},
		{"quota/life", quotaLife},
		{"quota/super", quotaSuper},
		{"quota/ephemeral", quotaEphemeral},
		{"quota/texts", quotaTexts},
		{"quota/garbage", quotaGarbage},
	}
}

// setQuota creates the quota nodes of path as zkCli's setquota does.
func (c *conn) setQuota(path, limits string) {
	q := "/zookeeper/quota" + path
	for i := len("/zookeeper/quota") + 1; i <= len(q); i++ {
		if i == len(q) || q[i] == '/' {
			c.look(createAs(jute.OpCreate, q[:i], []byte{}, open(), 0, 0))
		}
	}
	c.ok(createAs(jute.OpCreate, q+"/zookeeper_limits", []byte(limits), open(), 0, 0))
	c.ok(createAs(jute.OpCreate, q+"/zookeeper_stats", []byte("count=0,bytes=0"), open(), 0, 0))
}

// usage reads the stats node of a quota.
func (c *conn) usage(path string) { c.ok(get("/zookeeper/quota"+path+"/zookeeper_stats", false)) }

// dropQuota deletes the quota nodes of path.
func (c *conn) dropQuota(path string) {
	q := "/zookeeper/quota" + path
	c.look(del(q+"/zookeeper_limits", -1), del(q+"/zookeeper_stats", -1), del(q, -1))
}

func hard(count, bytes int) string {
	return fmt.Sprintf("count=-1,bytes=-1=;byteHardLimit=%d;countHardLimit=%d", bytes, count)
}

func quotaCount(s *script) {
	c := s.conn("a")
	q := s.p("/q")
	c.ok(create(q, 0))
	c.setQuota(q, hard(3, -1))
	c.usage(q)
	c.look(create(q+"/a", 0), create(q+"/b", 0), create(q+"/c", 0), create2(q+"/d", 0), createContainer(q+"/e"), create(q+"/s-", 2), create(q+"/a/x", 0))
	c.usage(q)
	c.look(set(q+"/a", "data is not counted here", -1), del(q+"/a", -1), create(q+"/f", 0), create(q+"/b", 0), create(q+"/no/x", 0), create(q+"/.", 0))
	c.usage(q)
	c.look(children2(q, false), exists(q, false))
	c.dropQuota(q)
	c.look(create(q+"/free", 0))
	c.end()
}

func quotaBytes(s *script) {
	c := s.conn("a")
	q := s.p("/q")
	c.ok(createAs(jute.OpCreate, q, []byte("12345"), open(), 0, 0))
	c.setQuota(q, hard(-1, 20))
	c.usage(q)
	c.look(set(q, "1234567890", -1), createAs(jute.OpCreate, q+"/a", []byte("1234567890"), open(), 0, 0))
	c.usage(q)
	c.look(create(q+"/b", 0), createAs(jute.OpCreate, q+"/empty", []byte{}, open(), 0, 0), createAs(jute.OpCreate, q+"/null", nil, open(), 0, 0))
	c.look(set(q+"/a", "12345678901", -1), set(q+"/a", "short", -1), set(q+"/empty", "12345", -1), set(q+"/null", "x", -1), setBytes(q+"/a", nil, -1), set(q+"/null", "x", -1))
	c.usage(q)
	c.look(del(q+"/a", -1), del(q+"/null", -1))
	c.usage(q)
	c.dropQuota(q)
	c.end()
}

// quotaSetDataOrder: the quota is asked before the version.
func quotaSetDataOrder(s *script) {
	c := s.conn("a")
	q := s.p("/q")
	c.ok(create(q, 0), createACL(q+"-closed", acl("world:anyone:r")))
	c.setQuota(q, hard(1, 5))
	c.look(set(q, "123456", 99), set(q, "12345", 99), set(q, "12345", -1), set(q+"/no", "1234567", -1), create(q+"/x", 0))
	c.look(setACL(q, acl("world:anyone:r"), -1), set(q, "123456", -1), create(q+"/x", 0))
	c.usage(q)
	c.dropQuota(q)
	c.end()
}

// quotaMulti: the parts of a multi are checked against what is committed, so that it may overshoot.
func quotaMulti(s *script) {
	c := s.conn("a")
	q := s.p("/q")
	c.ok(create(q, 0), create(q+"/1", 0), create(q+"/2", 0))
	c.setQuota(q, hard(4, -1))
	c.look(multi(create(q+"/3", 0), create(q+"/4", 0), create(q+"/5", 0)))
	c.usage(q)
	c.look(multi(create(q+"/6", 0)), multi(del(q+"/1", -1), create(q+"/7", 0)), multi(set(q, "y", -1)))
	c.look(multi(del(q+"/1", -1), del(q+"/2", -1), del(q+"/3", -1)))
	c.usage(q)
	c.look(children(q, false))
	c.dropQuota(q)
	c.end()
}

func quotaDeepest(s *script) {
	c := s.conn("a")
	q, in := s.p("/q"), s.p("/q/in")
	c.ok(create(q, 0), create(in, 0))
	c.setQuota(q, hard(3, -1))
	c.setQuota(in, hard(4, 10))
	c.usage(q)
	c.usage(in)
	c.look(create(in+"/a", 0), create(in+"/b", 0), create(in+"/c", 0), create(in+"/d", 0), create(q+"/x", 0), create(q+"/y", 0), set(in, "123456789012", -1))
	c.usage(q)
	c.usage(in)
	c.dropQuota(in)
	c.look(create(in+"/e", 0), del(in+"/a", -1), create(q+"x", 0))
	c.usage(q)
	c.dropQuota(q)
	c.end()
}

// quotaSoft: a soft limit is a line in the log.
func quotaSoft(s *script) {
	c := s.conn("a")
	q := s.p("/q")
	c.ok(create(q, 0))
	c.setQuota(q, "count=2,bytes=5")
	c.look(create(q+"/a", 0), create(q+"/b", 0), create(q+"/c", 0), set(q, "1234567890", -1))
	c.usage(q)
	c.look(set("/zookeeper/quota"+q+"/zookeeper_limits", "count=2,bytes=5=;byteHardLimit=100;countHardLimit=5", -1))
	c.look(create(q+"/d", 0), create(q+"/e", 0), set(q, "12345678901234567890", -1))
	c.usage(q)
	c.dropQuota(q)
	c.end()
}

// quotaLife: when a quota begins, changes and ends, and what its nodes look like.
func quotaLife(s *script) {
	c, w := s.conn("a"), s.conn("w")
	q := s.p("/q")
	node := "/zookeeper/quota" + q
	c.ok(create(q, 0), create(q+"/k", 0))
	c.setQuota(q, hard(10, 1000))
	w.ok(get(node+"/zookeeper_stats", true), get(node+"/zookeeper_limits", true))
	c.ok(create(q+"/k2", 0), set(q+"/k2", "1234", -1))
	c.usage(q)
	w.drain().wantEvents(0)
	c.ok(set(node+"/zookeeper_stats", "count=77,bytes=77", -1))
	w.drain()
	c.usage(q)
	c.look(create(q+"/k3", 0), del(q+"/k3", -1))
	c.usage(q)
	c.ok(del(node+"/zookeeper_stats", -1), createAs(jute.OpCreate, node+"/zookeeper_stats", []byte("garbage"), open(), 0, 0))
	c.usage(q)
	c.ok(set(node+"/zookeeper_limits", hard(3, -1), -1))
	c.look(create(q+"/k4", 0))
	c.ok(del(node+"/zookeeper_limits", -1))
	c.look(create(q+"/k5", 0), set(q, "xx", -1))
	c.usage(q)
	c.ok(createAs(jute.OpCreate, node+"/zookeeper_limits", []byte(hard(100, -1)), open(), 0, 0))
	c.look(create(q+"/k6", 0))
	c.usage(q)
	c.dropQuota(q)
	// The quota of a path that is not there.
	c.setQuota(s.p("/later"), hard(1, 1))
	c.usage(s.p("/later"))
	c.look(create(s.p("/later"), 0), create(s.p("/later/k"), 0))
	c.usage(s.p("/later"))
	c.dropQuota(s.p("/later"))
	c.end()
	w.end()
}

func quotaSuper(s *script) {
	c := s.conn("a")
	q := s.p("/q")
	c.ok(digestAuth(superUser), create(q, 0))
	c.setQuota(q, hard(1, 1))
	c.look(create(q+"/a", 0), set(q, "12345", -1))
	c.dropQuota(q)
	c.end()
}

// quotaEphemeral: a session close gives back what its nodes took.
func quotaEphemeral(s *script) {
	c, d := s.conn("a"), s.conn("b")
	q := s.p("/q")
	c.ok(create(q, 0))
	c.setQuota(q, hard(3, -1))
	d.look(create(q+"/e1", 1), create(q+"/e2", 1), create(q+"/e3", 1))
	c.usage(q)
	d.end()
	c.usage(q)
	c.look(create(q+"/a", 0))
	c.dropQuota(q)
	c.end()
}

// quotaTexts has limits written in other ways.
func quotaTexts(s *script) {
	c := s.conn("a")
	for i, text := range []string{
		"count=2,bytes=-1", "count=-1,bytes=2", "count=-1,bytes=-1", "count=1,bytes=1=;byteHardLimit=-1;countHardLimit=2", "countHardLimit=2", "byteHardLimit=1,countHardLimit=2",
		"count=5;bytes=5;countHardLimit=2", "count=-1,bytes=-1=;byteHardLimit=0;countHardLimit=0", "bytes=-1,count=-1=;countHardLimit=1;byteHardLimit=99",
	} {
		q := s.p(fmt.Sprintf("/q%d", i))
		c.ok(create(q, 0))
		c.setQuota(q, text)
		c.look(create(q+"/a", 0), create(q+"/b", 0), set(q, "12345", -1))
		c.usage(q)
		c.dropQuota(q)
	}
	c.end()
}

// quotaGarbage writes quota nodes that make no sense. Whatever they are answered, the server goes on.
func quotaGarbage(s *script) {
	s.dev("quota-garbage", func() {
		c := s.conn("a")
		for _, name := range []string{"/zookeeper_limits", "/zookeeper_stats"} {
			c.look(createAs(jute.OpCreate, "/zookeeper/quota"+name, []byte(hard(1, 1)), open(), 0, 0))
			c.ok(create(s.p(name), 0), set(s.p(name), "some data", -1))
			c.look(del("/zookeeper/quota"+name, -1))
		}
		for i, text := range []string{
			"count=x,bytes=y", "=", "====", "count", "count=", ",;,;", "count=1=2,bytes=3", "count=99999999999999999999,bytes=1", "count=-5,bytes=-9", "\xff\xfe", "bytes= 5,count= 6",
		} {
			q := s.p(fmt.Sprintf("/g%d", i))
			node := "/zookeeper/quota" + q
			c.ok(create(q, 0))
			c.look(create("/zookeeper/quota"+s.root, 0), create(node, 0), createAs(jute.OpCreate, node+"/zookeeper_limits", []byte(text), open(), 0, 0))
			c.look(createAs(jute.OpCreate, node+"/zookeeper_stats", []byte(text), open(), 0, 0), set(q, "0123456789", -1), create(q+"/k", 0), del(q+"/k", -1))
			c.look(set(node+"/zookeeper_stats", text, -1), set(q, "x", -1), setBytes(node+"/zookeeper_limits", nil, -1), set(q, "y", -1))
			c.look(del(node+"/zookeeper_limits", -1), del(node+"/zookeeper_stats", -1), del(node, -1))
		}
		c.ok(set(s.root, "alive", -1))
		// Later cases count all nodes of the tree, which must be as many as on Java.
		c.deleteBelow(s.root)
		c.deleteBelow("/zookeeper/quota" + s.root)
		c.look(del("/zookeeper/quota"+s.root, -1))
		c.end()
	})
}

// deleteBelow deletes every descendant of a node.
func (c *conn) deleteBelow(path string) {
	for _, name := range c.call(children(path, false)).list {
		c.deleteBelow(path + "/" + name)
		c.call(del(path+"/"+name, -1))
	}
}
