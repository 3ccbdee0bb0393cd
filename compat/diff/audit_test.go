package diff

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"

	"zk/compat/harness"
)

// audit compares all there is: every node of the run and of its quotas with data, Stat and ACL; and the
// digest that the server keeps with the one computed here from what it serves. Digests of two servers are
// never equal, for they hold times and session ids.
func (p *player) audit() {
	p.drain()
	c := p.s.conn("audit")
	c.look(digestAuth(superUser))
	c.walk(p.s.root)
	c.walk(p.s.place("@"))
	c.look(ephemerals(null), allChildren(p.s.root), allChildren("/"))
	c.digest()
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

// digestEvery is how many zxids lie between the digests that the word hash lists.
const digestEvery = 128

// digest records whether the server's digest of its tree is that of the nodes it serves. It fills the
// zxids up to the next digest of the list with writes that fail.
func (c *conn) digest() {
	before := c.s.lastZxid()
	after := (before + digestEvery) &^ (digestEvery - 1)
	var b []byte
	for range after - before {
		b = append(b, c.frame(del(c.s.p("/nobody"), -1))...)
	}
	c.write(b)
	for range after - before {
		if _, err := c.raw.ReadFrame(stepTimeout); err != nil {
			c.s.stop("%s: filling zxids: %s", c.name, errKind(err))
		}
	}
	c.pending = nil
	c.s.skipTo(before)
	nodes, sum := 0, uint64(0)
	c.sum("/", &nodes, &sum)
	got := fmt.Sprintf("that of its %d nodes", nodes)
	out, err := harness.FourLetter(c.s.addr, "hash")
	if err != nil {
		got = errKind(err)
	} else if want := fmt.Sprintf("%x: %d\n", int64(after), int64(sum)); !strings.HasSuffix(out, want) {
		got = fmt.Sprintf("another: the nodes add up to %x: %d, hash ends %q", int64(after), int64(sum), out[max(0, len(out)-60):])
	}
	c.s.record(c.name+": the digest is", got)
}

// quiet sends a request and reads its reply outside the transcript.
func (c *conn) quiet(r req) *result {
	c.write(c.frame(r))
	res := &result{s: c.s, text: r.text}
	c.readReply(res)
	return res
}

// sum adds the digest of a subtree's nodes. Source: DigestCalculator.
func (c *conn) sum(path string, nodes *int, sum *uint64) {
	data := c.quiet(get(path, false))
	st := data.stat
	own := path
	if path == "/" {
		own = "" // the root's path is empty
	}
	b := append([]byte(own), data.data...)
	for _, v := range []int64{int64(st.Czxid), int64(st.Mzxid), int64(st.Pzxid), st.Ctime, st.Mtime} {
		b = binary.BigEndian.AppendUint64(b, uint64(v))
	}
	// What is served as cversion counts deletions too.
	for _, v := range []int32{st.Version, (st.Cversion + st.NumChildren) / 2, st.Aversion} {
		b = binary.BigEndian.AppendUint32(b, uint32(v))
	}
	owner := int64(st.EphemeralOwner)
	if owner == 0 {
		owner = c.s.owners[path] // a Stat does not tell containers and TTL nodes from others
	}
	b = binary.BigEndian.AppendUint64(b, uint64(owner))
	*nodes++
	*sum += uint64(crc32.ChecksumIEEE(b))
	if path == "/zookeeper" {
		return // what is below it does not count
	}
	for _, name := range c.quiet(children(path, false)).list {
		c.sum(strings.TrimSuffix(path, "/")+"/"+name, nodes, sum)
	}
}

// sweep removes the run's nodes, so that runs after it do not slow down.
func (p *player) sweep() {
	c := p.s.conn("sweep")
	c.quiet(digestAuth(superUser))
	for _, path := range []string{p.s.place("@"), p.s.root} {
		c.sweep(path)
	}
	c.end()
}

func (c *conn) sweep(path string) {
	for _, name := range c.quiet(children(path, false)).list {
		c.sweep(path + "/" + name)
	}
	c.quiet(del(path, -1))
}
