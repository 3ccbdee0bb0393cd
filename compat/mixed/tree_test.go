package mixed

import (
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"zk/compat/harness"
	"zk/jute"
)

// populate makes znodes of every kind, one by one and then about as many as asked for. The session that holds the ephemerals is returned.
func (r *rig) populate(s *harness.Server, plain int) (holder *zk.Conn) {
	r.t.Helper()
	c := r.connect(s)
	do := func(_ any, err error) {
		r.t.Helper()
		if err != nil {
			r.t.Fatalf("server %d (%s): %v", s.ID(), s.Kind, err)
		}
	}
	create := func(path string, data []byte, acl []zk.ACL, flags int32) {
		r.t.Helper()
		do(c.Create(path, data, flags, acl))
	}
	create("/kinds", []byte("every kind"), open(), 0)
	create("/kinds/empty", []byte{}, open(), 0)
	create("/kinds/null", nil, open(), 0)
	create("/kinds/binary", []byte{0, 255, 1, 254}, open(), 0)
	create("/kinds/naïve-名前", []byte("utf-8"), open(), 0)
	create("/kinds/ephemeral", []byte("e"), open(), zk.FlagEphemeral)
	for range 3 {
		create("/kinds/seq-", nil, open(), zk.FlagSequence)
		create("/kinds/eseq-", nil, open(), zk.FlagEphemeral|zk.FlagSequence)
	}
	do(c.CreateContainer("/kinds/container", []byte("c"), zk.FlagContainer, open()))
	create("/kinds/container/child", nil, open(), 0)
	do(c.CreateTTL("/kinds/ttl", []byte("t"), zk.FlagTTL, open(), time.Hour))
	create("/kinds/acl-digest", nil, zk.DigestACL(zk.PermAll, "bob", "secret"), 0)
	create("/kinds/acl-ip", nil, []zk.ACL{{Perms: zk.PermAll, Scheme: "ip", ID: "127.0.0.1/8"}, {Perms: zk.PermRead, Scheme: "world", ID: "anyone"}}, 0)
	create("/kinds/acl-auth", nil, zk.AuthACL(zk.PermAll), 0)
	create("/kinds/versions", []byte("0"), open(), 0)
	for i := range int32(5) {
		do(c.Set("/kinds/versions", []byte{byte(i)}, i))
	}
	do(c.SetACL("/kinds/versions", zk.WorldACL(zk.PermAll&^zk.PermAdmin), -1))
	do(c.Multi(&zk.CreateRequest{Path: "/kinds/multi", Acl: open()}, &zk.SetDataRequest{Path: "/kinds/multi", Data: []byte("m")},
		&zk.CheckVersionRequest{Path: "/kinds", Version: -1}))
	for _, path := range []string{"/quota", "/plain"} {
		create(path, nil, open(), 0)
		quota := "/zookeeper/quota" + path
		create(quota, nil, open(), 0)
		create(quota+"/zookeeper_limits", []byte("count=1000000,bytes=100000000"), open(), 0)
		create(quota+"/zookeeper_stats", []byte("count=0,bytes=0"), open(), 0)
	}
	create("/quota/inside", []byte("counted"), open(), 0)
	r.fill(s, c, plain)
	r.size = plain
	return c
}

// each is how many children a node below /plain has.
const each = 1000

// fill makes about n znodes of every kind below /plain: those of no session in bulk, the ephemerals by a session that
// stays.
func (r *rig) fill(s *harness.Server, holder *zk.Conn, n int) {
	r.t.Helper()
	b, err := harness.OpenBulk(s.Addr, superPassword)
	if err != nil {
		r.t.Fatal(err)
	}
	defer b.Close()
	var parents, children []harness.Request
	for k := range n / each {
		parent := fmt.Sprintf("/plain/%03d", k)
		parents = append(parents, multi(parent, 0, 1, nil))
		for at := 0; at < each; at += 100 {
			children = append(children, multi(parent+"/", at, at+100, kindOf))
		}
	}
	if err := b.Do(append(parents, children...), created); err != nil {
		r.t.Fatalf("server %d (%s): %v", s.ID(), s.Kind, err)
	}
	for k := range n / each {
		var ops []any
		for i := range each / 50 {
			ops = append(ops, &zk.CreateRequest{Path: fmt.Sprintf("/plain/%03d/e%d-", k, i), Acl: open(), Flags: zk.FlagEphemeral | int32(i%2)*zk.FlagSequence})
		}
		if _, err := holder.Multi(ops...); err != nil {
			r.t.Fatalf("server %d (%s): %v", s.ID(), s.Kind, err)
		}
	}
}

// created ends a bulk at the first multi that has failed.
func created(i int, code jute.Code, body []byte) error {
	d := jute.NewDecoder(body, 0)
	var first jute.MultiHeader
	first.Decode(&d)
	if code == 0 && d.Err() == nil && first.Type == jute.OpError {
		code = first.Err
	}
	return errors.Join(harness.Succeeds(i, code, body), d.Err())
}

// multi makes the nodes of some numbers in one request: their kind is that of kind, or plain.
func multi(prefix string, from, to int, kind func(i int, r *jute.CreateRequest) jute.OpCode) harness.Request {
	var body []byte
	for i := from; i < to; i++ {
		op := jute.OpCreate
		r := jute.CreateRequest{Path: prefix, Data: fmt.Appendf(nil, "value of %d", i), ACL: []jute.ACL{{Perms: zk.PermAll, ID: jute.ID{Scheme: "world", ID: "anyone"}}}}
		if kind != nil {
			r.Path = fmt.Sprintf("%s%03d", prefix, i)
			op = kind(i, &r)
		}
		body = r.Append(jute.MultiHeader{Type: op, Err: -1}.Append(body), op)
	}
	return harness.Request{Op: jute.OpMulti, Body: jute.MultiEnd.Append(body)}
}

// kindOf gives the nodes kinds in turn, and some of them ACLs of their own.
func kindOf(i int, r *jute.CreateRequest) jute.OpCode {
	if i%5 == 0 {
		r.ACL = []jute.ACL{{Perms: zk.PermAll, ID: jute.ID{Scheme: "digest", ID: fmt.Sprintf("user%d:hash", i%50)}}, {Perms: zk.PermRead, ID: jute.ID{Scheme: "world", ID: "anyone"}}}
	}
	switch i % 20 {
	case 1:
		r.Flags = zk.FlagContainer
		return jute.OpCreateContainer
	case 2:
		r.Flags, r.TTL = zk.FlagTTL, time.Hour.Milliseconds()
		return jute.OpCreateTTL
	case 3:
		r.Flags = zk.FlagSequence
	case 4:
		r.Data = nil
	}
	return jute.OpCreate
}

// same compares what the last phase can have changed on all servers, and their digests at zxids that several have
// noted, which cover the whole tree but for the ACLs.
func (r *rig) same(when string) {
	r.t.Helper()
	last := fmt.Sprintf("/moves-%d", r.moves+1) // by compare
	r.compare(when, 20, harness.Part{Node: func(path string) bool {
		return !isPlain(path) && (!strings.HasPrefix(path, "/moves-") || path == last || strings.HasPrefix(path, last+"/"))
	}})
}

// whole compares every znode on all servers, and of the many every tenth ACL.
func (r *rig) whole(when string) {
	r.t.Helper()
	seed := maphash.MakeSeed()
	r.compare(when, r.size, harness.Part{ACL: func(path string) bool {
		return !isPlain(path) || maphash.String(seed, path)%10 == 0
	}})
}

// isPlain tells if a path is one of the many.
func isPlain(path string) bool {
	return strings.HasPrefix(path, "/plain/") && strings.Count(path, "/") == 3
}

// compare compares the trees of all servers, at least so many znodes, without those of the clients at work.
func (r *rig) compare(when string, least int, part harness.Part) {
	r.t.Helper()
	r.e.AwaitAll()
	r.write(r.e.Servers[0], 300) // so that every server notes some digests
	r.settle()
	which := part.Node
	part.Node = func(path string) bool {
		// The configuration has the time at which its server has started.
		return !strings.HasPrefix(path, "/worker") && path != "/zookeeper/config" && (which == nil || which(path))
	}
	trees := make([]map[string]harness.Node, len(r.e.Servers))
	var wg sync.WaitGroup
	for i, s := range r.e.Servers {
		wg.Go(func() {
			if err := eventually(func() (err error) { // its connection may be cut
				trees[i], err = harness.ReadTree(s.Addr, superPassword, part)
				return err
			}); err != nil {
				r.t.Errorf("%s: server %d (%s): %v", when, s.ID(), s.Kind, err)
			}
		})
	}
	wg.Wait()
	if len(trees[0]) < least {
		r.t.Fatalf("%s: server 1 shows %d znodes only", when, len(trees[0]))
	}
	for i, s := range r.e.Servers[1:] {
		for _, line := range harness.Differences(trees[0], trees[i+1]) {
			r.t.Errorf("%s: server 1 (%s) and server %d (%s): %s", when, r.e.Servers[0].Kind, s.ID(), s.Kind, line)
		}
	}
	r.sameDigests(when)
	for _, s := range r.e.Servers {
		// Java's learners count one now and then when a SNAP comes while there are writes, among themselves too.
		if n := s.Figure("digest_mismatches_count"); n != "0" && s.Kind == harness.Ours {
			r.t.Errorf("%s: server %d counts %q digest mismatches", when, s.ID(), n)
		}
	}
}

// settle waits until every server has the same number of znodes: the clients at work make none.
func (r *rig) settle() {
	r.t.Helper()
	var counts []string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		counts = counts[:0]
		for _, s := range r.e.Servers {
			counts = append(counts, s.Figure("znode_count"))
		}
		if counts[0] != "" && len(slices.Compact(slices.Clone(counts))) == 1 {
			return
		}
	}
	r.t.Errorf("the servers have %q znodes", counts)
}

// sameDigests compares the digests that the servers have noted.
func (r *rig) sameDigests(when string) {
	r.t.Helper()
	shared, err := r.e.SameDigests()
	if err != nil {
		r.t.Errorf("%s: %v", when, err)
	}
	if err == nil && shared == 0 {
		r.t.Errorf("%s: no zxid whose digest all servers have noted", when)
	}
}
