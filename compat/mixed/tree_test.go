package mixed

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"zk/compat/harness"
)

// populate makes znodes of every kind, and many plain ones. The session that holds the ephemerals is returned.
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
	create("/quota", nil, open(), 0)
	for _, path := range []string{"/zookeeper/quota/quota", "/zookeeper/quota/quota/zookeeper_limits", "/zookeeper/quota/quota/zookeeper_stats"} {
		create(path, []byte("count=1000,bytes=100000"), open(), 0)
	}
	create("/quota/inside", []byte("counted"), open(), 0)
	create("/plain", nil, open(), 0)
	r.fill(c, "/plain", plain)
	return c
}

// fill makes children of a node, many at a time.
func (r *rig) fill(c *zk.Conn, path string, n int) {
	r.t.Helper()
	const each = 100
	var wg sync.WaitGroup
	for k := range 16 {
		wg.Go(func() {
			for at := k * each; at < n; at += 16 * each {
				var ops []any
				for i := at; i < min(at+each, n); i++ {
					ops = append(ops, &zk.CreateRequest{Path: fmt.Sprintf("%s/%06d", path, i), Data: fmt.Appendf(nil, "value of %d", i), Acl: open()})
				}
				if _, err := c.Multi(ops...); err != nil {
					r.t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// seen is a znode as a client sees it.
type seen struct {
	data []byte
	stat zk.Stat
	acl  []zk.ACL
}

// tree reads what lies below some paths, but for the many plain znodes, through one server.
func (r *rig) tree(s *harness.Server, roots ...string) map[string]seen {
	r.t.Helper()
	c := r.connect(s)
	defer c.Close()
	if _, err := c.Sync("/"); err != nil {
		r.t.Fatalf("server %d (%s): sync: %v", s.ID(), s.Kind, err)
	}
	all := map[string]seen{}
	for len(roots) > 0 {
		path := roots[len(roots)-1]
		roots = roots[:len(roots)-1]
		data, stat, err := c.Get(path)
		if errors.Is(err, zk.ErrNoNode) {
			continue
		}
		acl, _, err2 := c.GetACL(path)
		children, _, err3 := c.Children(path)
		if err := errors.Join(err, err2, err3); err != nil {
			r.t.Fatalf("server %d (%s): %s: %v", s.ID(), s.Kind, path, err)
		}
		all[path] = seen{data, *stat, acl}
		if path == "/plain" {
			continue
		}
		for _, name := range children {
			roots = append(roots, strings.TrimSuffix(path, "/")+"/"+name)
		}
	}
	return all
}

// same compares the trees of all servers, and their digests at zxids that several have noted.
func (r *rig) same(when string) {
	r.t.Helper()
	r.write(r.e.Servers[0], 300) // so that every server notes some digests
	r.settle()
	first := r.tree(r.e.Servers[0], "/kinds", "/quota", "/plain", r.lastMoves())
	if len(first) < 20 {
		r.t.Fatalf("%s: server 1 shows %d znodes only", when, len(first))
	}
	for _, s := range r.e.Servers[1:] {
		other := r.tree(s, "/kinds", "/quota", "/plain", r.lastMoves())
		for path, n := range first {
			if m, ok := other[path]; !ok || !equal(n, m) {
				r.t.Errorf("%s: %s is %+v on server 1 and %+v on server %d (%s)", when, path, n, m, s.ID(), s.Kind)
			}
		}
		if len(other) != len(first) {
			r.t.Errorf("%s: server 1 has %d znodes, server %d (%s) %d", when, len(first), s.ID(), s.Kind, len(other))
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

func equal(a, b seen) bool {
	return bytes.Equal(a.data, b.data) && (a.data == nil) == (b.data == nil) && a.stat == b.stat && reflect.DeepEqual(a.acl, b.acl)
}

func (r *rig) lastMoves() string { return fmt.Sprintf("/moves-%d", r.moves) }

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
