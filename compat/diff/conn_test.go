package diff

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"zk/compat/harness"
	"zk/jute"
)

// conn is a named connection of a script.
type conn struct {
	s       *script
	name    string
	raw     *harness.RawConn
	id      int64 // session, 0 before the handshake
	passwd  []byte
	xid     int32 // of the last request that took the next one
	pending []pendingReq
	started time.Time
	seen    jute.Zxid // the highest of a reply or an event
	gone    bool      // closed by either side
}

type pendingReq struct {
	xid    int32
	op     jute.OpCode
	owners []int64 // as in req
}

// result is a decoded reply. A zero result with closed set means the server closed the connection
// instead.
type result struct {
	s      *script
	text   string // the step, for messages
	err    jute.Code
	xid    int32
	zxid   jute.Zxid
	path   string
	data   []byte
	stat   jute.Stat
	list   []string
	num    int32
	body   []byte
	events []event
	codes  []jute.Code // of the parts of a multi
	closed bool
	came   bool // there was a reply, before the close if any
}

type event struct {
	typ  jute.EventType
	path string
	zxid jute.Zxid
}

// want states the error code of the reply.
func (r *result) want(code jute.Code) *result {
	if !r.came {
		r.s.fail("%s: want %v, no reply came", r.text, code)
	} else if r.err != code {
		r.s.fail("%s: want %v, got %v", r.text, code, r.err)
	}
	return r
}

// wantCodes states the codes of the parts of a multi.
func (r *result) wantCodes(codes ...jute.Code) *result {
	if !slices.Equal(r.codes, codes) {
		r.s.fail("%s: want parts %v, got %v", r.text, codes, r.codes)
	}
	return r
}

// wantEvents states how many events came with the reply.
func (r *result) wantEvents(n int) *result {
	if len(r.events) != n {
		r.s.fail("%s: want %d events, got %v", r.text, n, r.events)
	}
	return r
}

// dial opens a connection without a handshake.
func (s *script) dial(name string) *conn { return s.dialFrom(name, "") }

func (s *script) dialFrom(name, local string) *conn {
	c := &conn{s: s, name: name, started: time.Now()}
	s.conns = append(s.conns, c)
	// A server that is full may reset the connection before connect has returned: dial again until the
	// close shows when reading.
	raw, err := harness.DialFrom(s.addr, local)
	for try := 0; try < 20 && (errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)); try++ {
		raw, err = harness.DialFrom(s.addr, local)
	}
	if err != nil {
		s.stop("%s: dial: %v", name, err)
	}
	c.raw = raw
	return c
}

// conn opens a connection with a new session.
func (s *script) conn(name string) *conn {
	c := s.dial(name)
	c.connectNew()
	if c.id == 0 {
		s.stop("%s: no session", name)
	}
	return c
}

// connectNew does the handshake for a new session.
func (c *conn) connectNew() {
	c.connect(jute.ConnectRequest{TimeoutMillis: sessionMillis, Passwd: make([]byte, 16), HasReadOnly: true})
}

// dial6 opens a connection over IPv6.
func (s *script) dial6(name string) *conn {
	_, port, _ := net.SplitHostPort(s.addr)
	addr := s.addr
	s.addr = net.JoinHostPort("::1", port)
	c := s.dial(name)
	s.addr = addr
	return c
}

// haveIPv6 reports whether this machine has the loopback address of IPv6.
var haveIPv6 = sync.OnceValue(func() bool {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return false
	}
	return l.Close() == nil
})

// renew opens a connection that takes over the session of another one.
func (s *script) renew(name string, of *conn) *conn {
	c := s.dial(name)
	c.connect(jute.ConnectRequest{TimeoutMillis: sessionMillis, SessionID: jute.SessionID(of.id), Passwd: of.passwd, HasReadOnly: true})
	return c
}

// connect does the handshake and records the response. The connection may be closed instead.
func (c *conn) connect(r jute.ConnectRequest) (resp jute.ConnectResponse, ok bool) {
	id := c.s.sessionName(int64(r.SessionID))
	did := fmt.Sprintf("%s: connect timeout=%d session=%s passwd=%d readOnly=%s seen=%s version=%d", c.name, r.TimeoutMillis,
		id, len(r.Passwd), roText(r.HasReadOnly, r.ReadOnly), c.s.counted(r.LastZxidSeen), r.ProtocolVersion)
	c.write(harness.Frame(r.Append(nil)))
	return c.readConnect(did)
}

func (c *conn) readConnect(did string) (resp jute.ConnectResponse, ok bool) {
	b, err := c.raw.ReadFrame(stepTimeout)
	if err != nil {
		c.s.record(did, errKind(err))
		return resp, false
	}
	d := jute.NewDecoder(b, 0)
	resp.Decode(&d)
	if d.Err() != nil {
		c.s.record(did, fmt.Sprintf("undecodable %x", b))
		return resp, false
	}
	id := int64(resp.SessionID)
	pw := "other"
	switch known := c.s.passwds[id]; {
	case string(resp.Passwd) == string(make([]byte, 16)):
		pw = "zero"
	case known == nil:
		pw = "new"
	case string(known) == string(resp.Passwd):
		pw = "same"
	}
	if id != 0 {
		if _, known := c.s.sessions[id]; !known {
			c.s.sessions[id] = c.name
		}
		c.s.passwds[id] = append([]byte(nil), resp.Passwd...)
		c.s.open[id] = true
		c.id, c.passwd = id, c.s.passwds[id]
	}
	c.s.record(did, fmt.Sprintf("session %s version=%d timeout=%d passwd=%d/%s readOnly=%s bytes=%d", c.s.sessionName(id),
		resp.ProtocolVersion, resp.TimeoutMillis, len(resp.Passwd), pw, roText(resp.HasReadOnly, resp.ReadOnly), len(b)))
	return resp, id != 0
}

func roText(has, ro bool) string {
	if !has {
		return "absent"
	}
	return fmt.Sprint(ro)
}

// write sends bytes; that the server has closed already shows when reading.
func (c *conn) write(b []byte) { _ = c.raw.Write(b) }

// nextXid gives a request its xid and remembers what to expect.
func (c *conn) register(r req) int32 {
	xid := r.xid
	if !r.hasXid {
		c.xid++
		xid = c.xid
	}
	expect := xid
	if r.op == jute.OpPing {
		expect = jute.XidPing
	}
	c.pending = append(c.pending, pendingReq{xid: expect, op: r.op, owners: r.owners})
	return xid
}

// frame is the frame of a request, registered.
func (c *conn) frame(r req) []byte { return harness.RequestFrame(c.register(r), r.op, r.body) }

// call sends a request and reads up to its reply.
func (c *conn) call(r req) *result {
	c.write(c.frame(r))
	return c.await(c.name + ": " + r.text)
}

// await reads up to one reply and records it with the events before it.
func (c *conn) await(did string) *result {
	res := &result{s: c.s, text: did}
	got := c.readReply(res)
	c.s.record(did, got...)
	if len(got) > 0 && got[len(got)-1] == "nothing came" {
		c.s.stop("%s: no answer within %v", did, stepTimeout)
	}
	return res
}

// readReply reads frames up to and including one reply.
func (c *conn) readReply(res *result) []string {
	var got []string
	for {
		b, err := c.raw.ReadFrame(stepTimeout)
		if err != nil {
			res.closed = errors.Is(err, harness.ErrClosed)
			c.gone = c.gone || res.closed
			return append(got, errKind(err))
		}
		text, isReply := c.decode(b, res)
		got = append(got, text)
		if isReply {
			return got
		}
	}
}

// pipeline sends several requests in one write and reads as many replies.
func (c *conn) pipeline(rs ...req) []*result {
	var b []byte
	texts := make([]string, 0, len(rs))
	for _, r := range rs {
		b = append(b, c.frame(r)...)
		texts = append(texts, r.text)
	}
	c.write(b)
	out := make([]*result, 0, len(rs))
	for i := range rs {
		did := fmt.Sprintf("%s: reply %d of pipeline", c.name, i+1)
		if i == 0 {
			did = fmt.Sprintf("%s: pipeline %s", c.name, strings.Join(texts, " | "))
		}
		res := c.await(did)
		out = append(out, res)
		if res.closed {
			break
		}
	}
	return out
}

// pipelineAnyOrder sends several requests in one write; their replies may come in any order.
func (c *conn) pipelineAnyOrder(rs ...req) {
	from := len(c.s.steps)
	c.pipeline(rs...)
	if c.s.inDev {
		return
	}
	all := step{did: c.s.steps[from].did, anyOrder: true}
	for _, st := range c.s.steps[from:] {
		all.got = append(all.got, st.got...)
	}
	c.s.steps = append(c.s.steps[:from], all)
}

// closes sends a request after which the server must close, and records all that comes until then.
func (c *conn) closes(r req) *result {
	return c.closesRaw(r.text, c.frame(r))
}

// closesRaw sends bytes after which the server must close.
func (c *conn) closesRaw(text string, b []byte) *result {
	if b != nil {
		c.write(b)
	}
	return c.untilClosed(c.name + ": " + text)
}

func (c *conn) untilClosed(did string) *result {
	res := &result{s: c.s, text: did}
	var got []string
	deadline := time.Now().Add(closeWait)
	for {
		b, err := c.raw.ReadFrame(time.Until(deadline))
		if err != nil {
			kind := errKind(err)
			if errors.Is(err, harness.ErrTimeout) {
				kind = "still open"
				c.s.fail("%s: want the connection closed", did)
			}
			res.closed = errors.Is(err, harness.ErrClosed)
			c.gone = c.gone || res.closed
			c.s.record(did, append(got, kind)...)
			return res
		}
		text, _ := c.decode(b, res)
		got = append(got, text)
	}
}

// closeWait is how long a close may take before the connection counts as open.
const closeWait = 5 * time.Second

// drain pings and records the events that come before the answer: every event of what was answered
// before, on any connection, must be among them.
func (c *conn) drain() *result {
	r := ping()
	c.write(c.frame(r))
	res := &result{s: c.s, text: c.name + ": drain"}
	got := c.readReply(res)
	if n := len(got); n > 0 && strings.HasPrefix(got[n-1], "reply xid=-2") {
		got = got[:n-1]
	}
	c.s.record(res.text, got...)
	return res
}

// drainAnyOrder is drain for events whose order is not promised.
func (c *conn) drainAnyOrder() {
	c.drain()
	if n := len(c.s.steps); n > 0 && !c.s.inDev {
		c.s.steps[n-1].anyOrder = true
	}
}

// events waits for n events that come by themselves, in any order.
func (c *conn) events(what string, n int) *result {
	res := &result{s: c.s, text: c.name + ": " + what}
	var got []string
	for range n {
		b, err := c.raw.ReadFrame(eventWait)
		if err != nil {
			got = append(got, errKind(err))
			c.s.fail("%s: %v", res.text, err)
			break
		}
		text, _ := c.decode(b, res)
		got = append(got, text)
	}
	c.s.record(res.text, got...).anyOrder = true
	return res
}

// cleaned waits for n events of the cleaner's work. A slow server may ask for the same deletion twice,
// which takes another zxid: those are not counted.
func (c *conn) cleaned(what string, n int) {
	res := c.events(what, n)
	c.drain().wantEvents(0)
	var last jute.Zxid
	for _, e := range res.events {
		last = max(last, e.zxid)
	}
	if last > 0 {
		c.s.skipTo(last)
	}
}

// eventWait bounds the wait for what the server does on its own.
const eventWait = 15 * time.Second

// lookUntilQuiet waits for whatever the last bytes bring: a reply, a close, or nothing. What it was is
// the subject of other cases.
func (c *conn) lookUntilQuiet() { _, _ = c.raw.ReadFrame(200 * time.Millisecond) }

// untilClosedMaybe is untilClosed for a server that may or may not answer first.
func (c *conn) untilClosedMaybe(did string) {
	c.untilClosed(did)
	c.s.forget("reply")
}

// end closes the session and reads to the end of the connection.
func (c *conn) end() *result {
	res := c.closes(closeSession())
	delete(c.s.open, c.id)
	return res
}

// endAnyOrder is end for a session whose own watches see several of its ephemerals go.
func (c *conn) endAnyOrder() {
	c.end()
	if n := len(c.s.steps); n > 0 && !c.s.inDev {
		c.s.steps[n-1].anyOrder = true
	}
}

// drop closes the TCP connection only.
func (c *conn) drop() {
	c.raw.Close()
	c.gone = true
}

// decode turns a frame into its normal form and fills res if it is a reply.
func (c *conn) decode(b []byte, res *result) (text string, isReply bool) {
	d := jute.NewDecoder(b, 0)
	var h jute.ReplyHeader
	h.Decode(&d)
	if d.Err() != nil {
		return fmt.Sprintf("short frame %x", b), true
	}
	c.seen = max(c.seen, h.Zxid)
	i := slices.IndexFunc(c.pending, func(p pendingReq) bool { return p.xid == h.Xid })
	if i < 0 && h.Xid == jute.XidNotification {
		var e jute.WatcherEvent
		e.Decode(&d)
		res.events = append(res.events, event{typ: e.Type, path: e.Path, zxid: h.Zxid})
		return fmt.Sprintf("event %s %s state=%d zxid=%s err=%d%s", eventName(e.Type), e.Path, e.State, c.s.zx(h.Zxid), h.Err, rest(&d)), false
	}
	op := jute.OpCode(-99)
	var owners []int64
	if i >= 0 {
		op, owners = c.pending[i].op, c.pending[i].owners
		c.pending = slices.Delete(c.pending, i, i+1)
	}
	res.came, res.xid, res.zxid, res.err = true, h.Xid, h.Zxid, h.Err
	res.body = append([]byte(nil), d.Rest()...)
	text = fmt.Sprintf("reply xid=%d zxid=%s err=%v", h.Xid, c.s.counted(h.Zxid), h.Err)
	if body := c.s.body(op, &d, res); body != "" {
		text += " " + body
	}
	created := res.list
	if res.path != "" {
		created = []string{res.path}
	}
	for k, owner := range owners {
		if h.Err == ok && len(created) == len(owners) {
			c.s.owners[created[k]] = owner
		}
	}
	return text + rest(&d), true
}

func eventName(t jute.EventType) string {
	switch t {
	case jute.EventNodeCreated:
		return "Created"
	case jute.EventNodeDeleted:
		return "Deleted"
	case jute.EventNodeDataChanged:
		return "DataChanged"
	case jute.EventNodeChildrenChanged:
		return "ChildrenChanged"
	}
	return fmt.Sprintf("Event(%d)", t)
}

// rest shows bytes that nobody expected.
func rest(d *jute.Decoder) string {
	var out string
	if err := d.Err(); err != nil {
		out = " undecodable: " + err.Error()
	}
	if d.Remaining() > 0 {
		out += fmt.Sprintf(" +%d bytes %x", d.Remaining(), clip(d.Rest(), 64))
	}
	return out
}

func clip(b []byte, n int) []byte { return b[:min(len(b), n)] }
