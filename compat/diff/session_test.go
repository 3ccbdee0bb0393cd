package diff

import (
	"encoding/binary"
	"fmt"
	"time"

	"zk/compat/harness"
	"zk/jute"
)

func sessionCases() []testCase {
	return []testCase{
		{"session/negotiate", sessionNegotiate},
		{"session/passwords", sessionPasswords},
		{"session/zxid-seen", sessionZxidSeen},
		{"session/old-client", sessionOldClient},
		{"session/renew", sessionRenew},
		{"session/renew-refused", sessionRenewRefused},
		{"session/close", sessionClose},
		{"session/second-connect", sessionSecondConnect},
		{"session/layout", sessionLayout},
		{"session/secrets", sessionSecrets},
	}
}

func newSession(timeout int32) jute.ConnectRequest {
	return jute.ConnectRequest{TimeoutMillis: timeout, Passwd: make([]byte, 16), HasReadOnly: true}
}

func sessionNegotiate(s *script) {
	for _, timeout := range []int32{0, -1, 1, 3999, 4000, 4001, 12345, 39999, 40000, 40001, 1<<31 - 1, -1 << 31} {
		c := s.dial("a")
		c.connect(newSession(timeout))
		d := s.dial("b")
		d.connect(jute.ConnectRequest{TimeoutMillis: 5000 - timeout/1000, SessionID: jute.SessionID(c.id), Passwd: c.passwd, HasReadOnly: true})
		d.end()
	}
	for _, version := range []int32{0, 1, 7, -1, 1 << 30} {
		r := newSession(9000)
		r.ProtocolVersion = version
		c := s.dial("v")
		c.connect(r)
		c.end()
	}
	r := newSession(9000)
	r.ReadOnly = true
	c := s.dial("r")
	c.connect(r)
	c.ok(set(s.root, "x", -1))
	c.end()
	// Bytes behind the record; a readOnly byte of 2.
	for i, tail := range [][]byte{{0, 0, 0, 0}, {1, 2, 3}, {2}} {
		r := newSession(9000)
		r.HasReadOnly = false
		c := s.dial("t")
		c.write(harness.Frame(append(r.Append(nil), tail...)))
		c.readConnect(fmt.Sprintf("t: connect with tail %d: %x", i, tail))
		c.end()
	}
}

func sessionPasswords(s *script) {
	for _, pw := range [][]byte{nil, {}, {1, 2, 3}, make([]byte, 16), make([]byte, 17), make([]byte, 4000)} {
		r := newSession(9000)
		r.Passwd = pw
		c := s.dial("a")
		c.connect(r)
		c.end()
	}
}

func sessionZxidSeen(s *script) {
	last := s.lastZxid()
	for _, seen := range []jute.Zxid{last - 1, last, last + 1, last + 1000, -1, -1 << 63, 1<<63 - 1} {
		r := newSession(9000)
		r.LastZxidSeen = seen
		c := s.dial("a")
		if _, alive := c.connect(r); alive {
			c.end()
			c.s.skipTo(last)
			last = s.lastZxid()
		}
	}
	c := s.conn("b")
	r := c.renewal(9000)
	r.LastZxidSeen = s.lastZxid() + 10
	d := s.dial("d")
	_, alive := d.connect(r)
	s.expect(!alive, "a renewal from the future was accepted")
	// The session and its connection are as before.
	c.ok(exists(s.root, false))
	e := s.dial("e")
	e.connect(c.renewal(9000))
	e.end()
}

func (c *conn) renewal(timeout int32) jute.ConnectRequest {
	return jute.ConnectRequest{TimeoutMillis: timeout, SessionID: jute.SessionID(c.id), Passwd: c.passwd, HasReadOnly: true}
}

// sessionOldClient: clients before 3.4 send no readOnly byte and get none.
func sessionOldClient(s *script) {
	r := newSession(9000)
	r.HasReadOnly = false
	c := s.dial("a")
	c.connect(r)
	c.ok(create(s.p("/e"), 1), get(s.p("/e"), false))
	d := s.dial("b")
	r = c.renewal(9000)
	r.HasReadOnly = false
	d.connect(r)
	d.ok(ephemerals(null))
	d.end()
	e := s.dial("e")
	e.connect(r)
	e.untilClosed("e: after the refused renewal")
}

func sessionRenew(s *script) {
	a := s.conn("a")
	a.ok(create(s.p("/e"), 1), digestAuth("joe:secret"))
	b := s.renew("b", a)
	a.untilClosed("a: after the renewal")
	b.ok(whoAmI(), ephemerals(null), create(s.p("/e2"), 1), exists(s.p("/e2"), false))
	b.drop()
	c := s.renew("c", b)
	c.ok(ephemerals(null))
	// Several at once: the last one has it.
	var chain []*conn
	for i := range 5 {
		chain = append(chain, s.renew(fmt.Sprintf("n%d", i), c))
	}
	for _, old := range chain[:4] {
		old.untilClosed(old.name + ": after the next renewal")
	}
	chain[4].ok(ephemerals(null))
	chain[4].end()
	x := s.conn("x")
	x.ok(children(s.root, false))
	x.end()
}

func sessionRenewRefused(s *script) {
	a := s.conn("a")
	a.ok(create(s.p("/e"), 1))
	a.drop()
	pw := append([]byte(nil), a.passwd...)
	pw[7] ^= 1
	id := jute.SessionID(a.id)
	for i, r := range []jute.ConnectRequest{
		{TimeoutMillis: 9000, SessionID: id, Passwd: pw, HasReadOnly: true}, {TimeoutMillis: 9000, SessionID: id, Passwd: nil, HasReadOnly: true},
		{TimeoutMillis: 9000, SessionID: id, Passwd: []byte{}, HasReadOnly: true}, {TimeoutMillis: 9000, SessionID: id, Passwd: a.passwd[:15], HasReadOnly: true},
		{TimeoutMillis: 9000, SessionID: id, Passwd: append(a.passwd[:16:16], 0), HasReadOnly: true}, {TimeoutMillis: 9000, SessionID: id, Passwd: make([]byte, 16)},
		{TimeoutMillis: 9000, SessionID: 1, Passwd: make([]byte, 16), HasReadOnly: true}, {TimeoutMillis: 9000, SessionID: -1, Passwd: make([]byte, 16), HasReadOnly: true},
		{TimeoutMillis: 9000, SessionID: 0x0123456789abcdef, Passwd: nil, HasReadOnly: true}, {TimeoutMillis: 0, SessionID: 0x123, Passwd: make([]byte, 16)},
		{TimeoutMillis: 1 << 30, SessionID: -1 << 63, Passwd: make([]byte, 16), HasReadOnly: true, ReadOnly: true},
	} {
		c := s.dial(fmt.Sprintf("try%d", i))
		c.connect(r)
		c.untilClosed(c.name + ": after the response")
	}
	b := s.renew("b", a)
	b.ok(ephemerals(null))
	s.dev("renew-password-first", func() {
		c := s.dial("c")
		c.connect(jute.ConnectRequest{TimeoutMillis: 9000, SessionID: id, Passwd: pw, HasReadOnly: true})
		c.untilClosed("c: after the response")
		b.ok(exists(s.root, false))
	})
	b.end()
	// The session is gone now; requests sent behind a refused renewal are not answered.
	d := s.dial("d")
	r := a.renewal(9000)
	d.write(append(harness.Frame(r.Append(nil)), d.frame(set(s.root, "no", -1))...))
	d.readConnect("d: renewal of a closed session with a write behind it")
	d.untilClosed("d: after the response")
	e := s.conn("e")
	e.ok(get(s.root, false))
	e.end()
}

func sessionClose(s *script) {
	a, w := s.conn("a"), s.conn("w")
	a.ok(create(s.p("/e"), 1))
	w.ok(exists(s.p("/e"), true))
	a.closes(closeSession().withXid(77).long(1, 2, 3))
	delete(s.open, a.id)
	w.drain().wantEvents(1)
	b := s.renew("b", a)
	b.untilClosed("b: after the response")
	// TCP close only: the session lives on.
	c := s.conn("c")
	c.ok(create(s.p("/stay"), 1))
	c.drop()
	w.ok(exists(s.p("/stay"), false))
	d := s.renew("d", c)
	d.end()
	w.call(exists(s.p("/stay"), false)).want(noNode)
	w.end()
}

// sessionSecondConnect sends a second connect request as if it were one: it is read as a request.
func sessionSecondConnect(s *script) {
	c := s.conn("a")
	r := newSession(9000)
	c.pending = append(c.pending, pendingReq{xid: 0, op: 0})
	c.closesRaw("a second connect request", harness.Frame(r.Append(nil)))
}

// sessionLayout checks what ids promise: the server's number on top, and no two equal.
func sessionLayout(s *script) {
	seen := map[int64]bool{}
	for range 20 {
		c := s.conn("a")
		s.expect(uint64(c.id)>>56 == 1, "session id %#x does not start with 1", c.id)
		s.expect(!seen[c.id], "session id %#x twice", c.id)
		seen[c.id] = true
		s.record("layout", fmt.Sprint(uint64(c.id)>>56, len(seen)))
		c.end()
	}
}

// sessionSecrets: Java's passwords are a function of the id and its ids grow by one; ours are neither.
func sessionSecrets(s *script) {
	guessed, next := 0, 0
	var last int64
	for range 8 {
		c := s.conn("a")
		if string(c.passwd) == string(javaPassword(c.id)) {
			guessed++
		}
		if c.id == last+1 {
			next++
		}
		last = c.id
		c.end()
	}
	if !s.ours {
		s.expect(guessed == 8 && next == 7, "%d passwords of 8 are Java's function, %d ids of 7 the next number", guessed, next)
	}
	s.dev("session-ids", func() {
		s.expect(guessed == 0 && next < 4, "%d passwords of 8 can be computed, %d ids of 7 are the next number", guessed, next)
	})
}

// javaPassword is what SessionTrackerImpl and java.util.Random make of a session id.
func javaPassword(id int64) []byte {
	const multiplier, mask = 0x5DEECE66D, 1<<48 - 1
	seed := (uint64(id) ^ 0xB3415C00 ^ multiplier) & mask
	out := make([]byte, 0, 16)
	for range 4 {
		seed = (seed*multiplier + 0xB) & mask
		out = binary.LittleEndian.AppendUint32(out, uint32(seed>>16))
	}
	return out
}

// expiryCases need short ticks: tickTime 200, sessions of 400 to 4000 ms.
func expiryCases() []testCase {
	return []testCase{
		{"expiry/idle", expiryIdle},
		{"expiry/touch", expiryTouch},
		{"expiry/disconnected", expiryDisconnected},
		{"expiry/events", expiryEvents},
		{"expiry/no-session", expiryNoSession},
		{"expiry/half-frame", expiryHalfFrame},
		{"expiry/negotiate", expiryNegotiate},
	}
}

// expirySlack is what scheduling on a busy machine may add to an expiry.
const expirySlack = 1500 * time.Millisecond

// expires waits until w is told that the ephemerals of c are gone, n events in all, and says whether
// that took about the timeout: not less, and not much more than a tick behind it. The connection of c
// is closed too, but Java may do that a little earlier.
func (c *conn) expires(timeout time.Duration, w *conn, n int) {
	from := time.Now()
	w.events("the session of "+c.name+" expires", n)
	took := time.Since(from)
	// Java sends the events a moment before it is done with the session; what comes now finds it gone.
	w.drain().wantEvents(0)
	verdict := "in time"
	if took < timeout-50*time.Millisecond || took > timeout+200*time.Millisecond+expirySlack {
		verdict = fmt.Sprintf("after %v instead of %v", took, timeout)
		c.s.fail("%s: expired %s", c.name, verdict)
	}
	c.s.record(c.name+": expiry", verdict)
	c.untilClosed(c.name + ": after the expiry")
	delete(c.s.open, c.id)
}

func expiryIdle(s *script) {
	for _, timeout := range []int32{700, 1000, 1300} {
		w := s.dial("w")
		w.connect(newSession(4000))
		w.ok(addWatch(s.p("/e"), 0))
		c := s.dial("a")
		c.connect(newSession(timeout))
		c.ok(create(s.p("/e"), 1))
		w.drain()
		c.ok(exists(s.p("/e"), false))
		c.expires(time.Duration(timeout)*time.Millisecond, w, 1)
		d := s.renew("b", c)
		d.untilClosed("b: after the response")
		w.call(exists(s.p("/e"), false)).want(noNode)
		w.ok(exists(s.root, false))
		w.end()
	}
}

// expiryTouch: pings and other requests keep a session.
func expiryTouch(s *script) {
	c := s.dial("a")
	c.connect(newSession(2000))
	for i := range 16 {
		time.Sleep(200 * time.Millisecond)
		if i%2 == 0 {
			c.ok(ping())
		} else {
			c.ok(exists(s.root, false))
		}
	}
	c.end()
}

func expiryDisconnected(s *script) {
	c := s.dial("a")
	c.connect(newSession(1500))
	c.ok(create(s.p("/e"), 1))
	c.drop()
	w := s.dial("w")
	w.connect(newSession(4000))
	w.ok(exists(s.p("/e"), true))
	d := s.dial("b")
	d.connect(c.renewal(600))
	d.ok(ephemerals(null))
	d.drop()
	w.events("the session that nobody renews expires", 1)
	delete(s.open, c.id)
	w.call(exists(s.p("/e"), false)).want(noNode)
	w.end()
}

func expiryEvents(s *script) {
	w := s.dial("w")
	w.connect(newSession(4000))
	c := s.dial("a")
	c.connect(newSession(1000))
	c.ok(create(s.p("/p"), 0), create(s.p("/p/e1"), 1), create(s.p("/p/e2"), 1))
	w.ok(addWatch(s.p("/p"), 1), children(s.p("/p"), true))
	w.drain()
	c.ok(exists(s.p("/p"), false))
	c.expires(1000*time.Millisecond, w, 3)
	w.drain().wantEvents(0)
	w.ok(exists(s.p("/p"), false))
	w.end()
}

// expiryNoSession: a connection that sends no connect request, or half of one, is closed.
func expiryNoSession(s *script) {
	c := s.dial("a")
	d := s.dial("b")
	d.write([]byte{0, 0, 0, 44, 0, 0})
	c.untilClosed("a: nothing sent")
	d.untilClosed("b: half a connect request")
}

func expiryHalfFrame(s *script) {
	c := s.dial("a")
	c.connect(newSession(1000))
	w := s.dial("w")
	w.connect(newSession(4000))
	c.ok(create(s.p("/e"), 1))
	w.ok(exists(s.p("/e"), true))
	c.ok(exists(s.p("/e"), false))
	c.write([]byte{0, 0, 1, 0, 0, 0})
	c.expires(1000*time.Millisecond, w, 1)
	w.end()
}

func expiryNegotiate(s *script) {
	for _, timeout := range []int32{0, 399, 400, 401, 3999, 4000, 4001} {
		c := s.dial("a")
		c.connect(newSession(timeout))
		c.end()
	}
}
