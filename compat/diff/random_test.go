package diff

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"

	"zk/jute"
)

// seedsEnv is a range of seeds, "100-400", for a longer search than the default.
const seedsEnv = "DIFF_SEEDS"

// randomCases are sequences of operations that nobody thought of. The seed is in the name, and with it
// a case is the same every time and on both servers.
func randomCases() []testCase {
	var cases []testCase
	from, ops, mangled := uint64(1), uint64(12), uint64(6)
	if first, last, ok := strings.Cut(os.Getenv(seedsEnv), "-"); ok {
		a, errA := strconv.ParseUint(first, 10, 32)
		b, errB := strconv.ParseUint(last, 10, 32)
		if errA == nil && errB == nil {
			from, ops, mangled = a, b, b
		}
	}
	for seed := from; seed <= ops; seed++ {
		cases = append(cases, testCase{fmt.Sprintf("random/ops-%d", seed), func(s *script) { randomOps(s, seed) }})
	}
	for seed := from; seed <= mangled; seed++ {
		cases = append(cases, testCase{fmt.Sprintf("random/bytes-%d", seed), func(s *script) { randomBytes(s, seed) }})
	}
	return cases
}

// chooser draws the parts of requests from a small world, so that operations meet.
type chooser struct {
	*rand.Rand
	s *script
}

func (r chooser) path() string {
	names := []string{"/a", "/b", "/c"}
	p := r.s.root
	for range []int{1, 1, 1, 1, 2, 2, 2, 3}[r.IntN(8)] {
		p += names[r.IntN(len(names))]
	}
	if r.IntN(40) == 0 {
		p = r.s.root
	}
	return p
}

func (r chooser) version() int32 {
	return []int32{-1, -1, -1, 0, 0, 1, 2, -2}[r.IntN(8)]
}

func (r chooser) acl() []jute.ACL {
	if r.IntN(5) > 0 {
		return open()
	}
	lists := [][]jute.ACL{
		acl("world:anyone:cdwa"), acl("world:anyone:ra", "digest:joe:"+digestOf("joe:secret")+":cdrwa"), acl("auth::31"), acl("world:anyone:crda"), nil,
	}
	return lists[r.IntN(len(lists))]
}

func (r chooser) data() []byte {
	return [][]byte{nil, {}, []byte("x"), []byte("something longer"), make([]byte, 300)}[r.IntN(5)]
}

// write draws an operation that may stand alone or in a multi.
func (r chooser) write() req {
	switch r.IntN(12) {
	case 0, 1, 2, 3, 4, 5:
		op := []jute.OpCode{jute.OpCreate, jute.OpCreate, jute.OpCreate2, jute.OpCreateContainer}[r.IntN(4)]
		flags := int32(r.IntN(5))
		if op == jute.OpCreateContainer {
			flags &^= jute.FlagEphemeral // see container-as-ephemeral in allowed_test.go
		}
		return createAs(op, r.path(), r.data(), r.acl(), flags, 0)
	case 6:
		return create(r.path()+"/s-", 2+int32(r.IntN(2)))
	case 7, 8:
		return del(r.path(), r.version())
	}
	return setBytes(r.path(), r.data(), r.version())
}

func (r chooser) any() req {
	watch := r.IntN(3) == 0
	switch r.IntN(22) {
	case 0, 1, 2, 3, 4, 5, 6:
		return r.write()
	case 7:
		return exists(r.path(), watch)
	case 8:
		return get(r.path(), watch)
	case 9:
		return children(r.path(), watch)
	case 10:
		return children2(r.path(), watch)
	case 11:
		return getACL(r.path())
	case 12:
		return setACL(r.path(), r.acl(), r.version())
	case 13, 14:
		var parts []req
		for range r.IntN(5) {
			if r.IntN(4) == 0 {
				parts = append(parts, check(r.path(), r.version()))
			} else {
				parts = append(parts, r.write())
			}
		}
		return multi(parts...)
	case 15:
		return multiRead(get(r.path(), false), children(r.path(), false))
	case 16:
		return addWatch(r.path(), int32(r.IntN(2)))
	case 17:
		return removeWatches(r.path(), 1+int32(r.IntN(5)))
	case 18:
		return checkWatches(r.path(), 1+int32(r.IntN(5)))
	case 19:
		return []req{ephemerals(r.path()), allChildren(r.s.root), whoAmI()}[r.IntN(3)]
	case 20:
		if r.IntN(6) == 0 {
			return digestAuth("joe:secret")
		}
		return syncPath(r.path())
	}
	w := watchLists{data: []string{r.path()}, exist: []string{r.path()}, child: []string{r.path()}, persistent: []string{r.path()}, recursive: []string{r.path()}}
	// Only the present is safe to ask for: catch-up events pass our READ filter, not Java's.
	return r.s.setWatches2(1<<61, watchLists{persistent: w.persistent, recursive: w.recursive})
}

// randomOps runs three connections through a small tree and closes one of them now and then.
func randomOps(s *script, seed uint64) {
	r := chooser{rand.New(rand.NewPCG(seed, 1)), s}
	conns := []*conn{s.conn("a"), s.conn("b"), s.conn("c")}
	for i := range 250 {
		k := r.IntN(len(conns))
		if r.IntN(60) == 0 {
			conns[k].endAnyOrder()
			for _, c := range conns {
				if c != conns[k] {
					c.drainAnyOrder()
				}
			}
			conns[k] = s.conn(fmt.Sprintf("%s%d", conns[k].name[:1], i))
			continue
		}
		q := r.any()
		s.maybeEdge(q, func() { conns[k].call(q) })
		for _, c := range conns {
			if c != conns[k] && r.IntN(3) == 0 {
				c.drain()
			}
		}
	}
	for _, c := range conns {
		c.drain()
	}
	for _, c := range conns {
		c.endAnyOrder()
		for _, other := range conns {
			if other != c && s.open[other.id] {
				other.drainAnyOrder()
			}
		}
	}
	c := s.conn("z")
	c.walk(s.root)
	c.end()
}

// walk reads every node of a subtree.
func (c *conn) walk(path string) {
	c.look(get(path, false), getACL(path))
	list := c.call(children2(path, false)).list
	slices.Sort(list)
	for _, name := range list {
		c.walk(path + "/" + name)
	}
}

// randomQuota runs random writes below two quotas, one in the other, and compares what they count.
func randomQuota(s *script, seed uint64) {
	r := chooser{rand.New(rand.NewPCG(seed, 3)), s}
	c := s.conn("a")
	c.setQuota(s.root, hard(30, 2000))
	c.look(create(s.p("/a"), 0))
	c.setQuota(s.p("/a"), hard(12, 900))
	for i := range 200 {
		q := r.write()
		if r.IntN(6) == 0 {
			q = multi(r.write(), r.write(), r.write())
		}
		s.maybeEdge(q, func() { c.call(q) })
		if i%20 == 0 {
			c.usage(s.root)
			c.usage(s.p("/a"))
		}
	}
	c.dropQuota(s.p("/a"))
	c.usage(s.root)
	c.walk(s.root)
	c.endAnyOrder()
	d := s.conn("b")
	d.usage(s.root)
	d.dropQuota(s.root)
	d.end()
}

// randomRestart kills the server in the middle of random operations, twice.
func randomRestart(s *script, seed uint64) {
	r := chooser{rand.New(rand.NewPCG(seed, 4)), s}
	c := s.conn("a")
	c.ok(create(s.root, 0))
	for round := range 3 {
		for range 150 {
			q := r.any()
			s.maybeEdge(q, func() { c.call(q) })
		}
		if round < 2 {
			s.restart(round == 0)
			c = s.renew(fmt.Sprintf("a%d", round), c)
		}
		c.walk(s.root)
	}
	c.endAnyOrder()
}

// maybeEdge runs f in edge when the request has a null ACL inside a multi, which cannot be decoded.
func (s *script) maybeEdge(q req, f func()) {
	if q.op == jute.OpMulti && strings.Contains(q.text, "acl=null") {
		s.edge(f)
		return
	}
	f()
}

// randomBytes sends requests with bytes changed, cut and added.
func randomBytes(s *script, seed uint64) {
	r := chooser{rand.New(rand.NewPCG(seed, 2)), s}
	c := s.conn("a")
	for range 150 {
		q := r.any()
		if q.op == jute.OpAuth {
			continue // a broken one costs the connection; see auth/decode
		}
		q.body = append([]byte(nil), q.body...)
		for range 1 + r.IntN(3) {
			switch {
			case len(q.body) == 0 || r.IntN(5) == 0:
				q.body = append(q.body, byte(r.IntN(256)))
			case r.IntN(4) == 0:
				q.body = q.body[:r.IntN(len(q.body))]
			default:
				q.body[r.IntN(len(q.body))] = []byte{0, 1, 0x7f, 0xff, '/', '.', byte(r.IntN(128))}[r.IntN(7)]
			}
		}
		q.text = fmt.Sprintf("%v with body %x", q.op, q.body)
		s.edge(func() { c.call(q) })
	}
	c.look(allChildren(s.root))
	c.endAnyOrder()
}
