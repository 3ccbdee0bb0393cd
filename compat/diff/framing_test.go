package diff

import (
	"bytes"
	"fmt"
	"time"

	"zk/compat/harness"
	"zk/jute"
)

func framingCases() []testCase {
	return []testCase{
		{"framing/before-session", framingBefore},
		{"framing/in-session", framingIn},
		{"framing/largest", framingLargest},
		{"framing/split", framingSplit},
		{"framing/coalesced", framingCoalesced},
		{"framing/large-reply", framingLargeReply},
		{"framing/others-unharmed", framingOthers},
	}
}

func be32(n int32) []byte { return jute.AppendInt32(nil, n) }

func framingBefore(s *script) {
	for _, n := range []int32{-1, -2, -1 << 31, 1048576, 1<<31 - 1, 0} {
		c := s.dial("a")
		c.closesRaw(fmt.Sprintf("length %d", n), be32(n))
	}
	r := newSession(9000)
	whole := r.Append(nil)
	for n := 1; n < len(whole)-1; n++ {
		c := s.dial("b")
		c.closesRaw(fmt.Sprintf("connect request of %d bytes", n), harness.Frame(whole[:n]))
	}
	for _, garbage := range []string{"GET / HTTP/1.1\r\n\r\n", "RUOK", "ruoK", "abcd", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "\xff\xff\xff\xff"} {
		c := s.dial("g")
		c.closesRaw(fmt.Sprintf("garbage %q", garbage), []byte(garbage))
	}
	// A password length that lies.
	for _, n := range []int32{-2, 1 << 30, 18, 1000, -1 << 31} {
		b := jute.AppendInt32(jute.AppendInt64(jute.AppendInt32(jute.AppendInt64(jute.AppendInt32(nil, 0), 0), 9000), 0), n)
		c := s.dial("p")
		c.closesRaw(fmt.Sprintf("password of length %d", n), harness.Frame(append(b, make([]byte, 17)...)))
	}
	c := s.conn("ok")
	c.ok(exists(s.root, false))
	c.end()
}

func framingIn(s *script) {
	for _, n := range []int32{-1, -1 << 31, 1048576, 1<<31 - 1, 0} {
		c := s.conn("a")
		c.closesRaw(fmt.Sprintf("length %d", n), be32(n))
	}
	for n := 0; n < 8; n++ {
		c := s.conn("b")
		c.closesRaw(fmt.Sprintf("request of %d bytes", n), harness.Frame(make([]byte, n)))
	}
	for _, word := range []string{"ruok", "srvr", "GET "} {
		c := s.conn("w")
		c.closesRaw(word+" inside a session", []byte(word))
	}
	// What came before a bad length is done and answered.
	c := s.conn("c")
	c.write(append(c.frame(set(s.root, "done", -1)), be32(-1)...))
	c.untilClosedMaybe("c: a write and a bad length behind it")
	d := s.conn("d")
	d.look(get(s.root, false))
	d.end()
}

// loginBytesMax is the largest connect request we take.
const loginBytesMax = 16 << 10

// framingLargest sends frames of the largest length and one more.
func framingLargest(s *script) {
	c := s.conn("a")
	path := s.p("/big")
	c.ok(create(path, 0))
	overhead := len(setBytes(path, []byte{}, -1).body) + jute.RequestHeaderBytes
	big := bytes.Repeat([]byte("z"), jute.MaxBufferDefault-overhead)
	c.ok(setBytes(path, big, -1), get(path, false))
	c.closes(setBytes(path, append(big, 'z'), -1))
	d := s.renew("d", c)
	d.ok(exists(path, false), set(path, "", -1))
	d.end()
	r := newSession(9000)
	r.Passwd = make([]byte, loginBytesMax-29)
	e := s.dial("e")
	e.connect(r)
	e.end()
	s.dev("login-frame", func() {
		r.Passwd = make([]byte, loginBytesMax-28)
		f := s.dial("f")
		_, alive := f.connect(r)
		s.expect(!alive, "a connect request of %d bytes was taken", loginBytesMax+1)
	})
	r.Passwd = make([]byte, jute.MaxBufferDefault-28)
	f := s.dial("f")
	f.connect(r)
}

func framingSplit(s *script) {
	c := s.dial("a")
	r := newSession(9000)
	b := harness.Frame(r.Append(nil))
	for _, by := range b {
		c.write([]byte{by})
		time.Sleep(500 * time.Microsecond)
	}
	c.readConnect("a: connect byte by byte")
	for _, by := range c.frame(set(s.root, "split", -1)) {
		c.write([]byte{by})
		time.Sleep(200 * time.Microsecond)
	}
	c.await("a: setData byte by byte")
	both := append(c.frame(get(s.root, false)), c.frame(exists(s.root, false))...)
	_ = c.raw.WriteSplit(both, 2*time.Millisecond, 2, 4, 7, 20, len(both)/2+3)
	c.await("a: two requests in pieces, first")
	c.await("a: two requests in pieces, second")
	c.end()
}

func framingCoalesced(s *script) {
	c := s.dial("a")
	r := newSession(9000)
	b := harness.Frame(r.Append(nil))
	rs := []req{create(s.p("/s-"), 2), exists(s.root, true), ping(), set(s.root, "1", -1), get(s.root, false), children(s.root, false), closeSession()}
	for _, q := range rs {
		b = append(b, c.frame(q)...)
	}
	c.write(b)
	c.readConnect("a: connect and seven requests in one segment")
	for range rs[:6] {
		c.await("a: next reply")
	}
	c.untilClosed("a: the last reply and the end")
	delete(s.open, c.id)
	// A renewal with requests behind it.
	d := s.conn("d")
	d.ok(create(s.p("/e"), 1))
	e := s.dial("e")
	r = d.renewal(9000)
	b = harness.Frame(r.Append(nil))
	b = append(b, e.frame(ephemerals(null))...)
	e.write(append(b, e.frame(del(s.p("/e"), 0))...))
	e.readConnect("e: renewal and two requests in one segment")
	e.await("e: next reply")
	e.await("e: next reply")
	e.end()
}

// framingLargeReply: a reply may be larger than any request.
func framingLargeReply(s *script) {
	c := s.conn("a")
	for i := range 3 {
		c.ok(createAs(jute.OpCreate, s.p(fmt.Sprintf("/n%d", i)), bytes.Repeat([]byte{byte('a' + i)}, 900_000), open(), 0, 0))
	}
	c.ok(multiRead(get(s.p("/n0"), false), get(s.p("/n1"), false), get(s.p("/n2"), false)))
	for i := range 3 {
		c.ok(del(s.p(fmt.Sprintf("/n%d", i)), -1))
	}
	c.end()
}

// framingOthers: bad bytes on one connection cost nobody else anything.
func framingOthers(s *script) {
	a := s.conn("a")
	for i, bad := range [][]byte{be32(-5), be32(1 << 30), harness.Frame(nil), harness.RequestFrame(1, 99, nil), harness.RequestFrame(1, jute.OpCreate, []byte{1})} {
		b := s.conn("b")
		b.write(bad)
		s.edge(func() { b.lookUntilQuiet() })
		a.ok(set(s.root, fmt.Sprint(i), int32(i)))
		b.drop()
	}
	a.end()
}
