package diff

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"zk/compat/harness"
	"zk/jute"
)

// player runs actions on one server. Its methods are what a case made of a random run is written in: they
// name clients, and do nothing for a client that has no connection.
type player struct {
	s      *script
	live   map[string]*conn // connections that are open
	last   map[string]*conn // of the session that is the client's, open or not
	count  map[string]int   // connections so far, for their names
	bursts int
	cover  coverage
}

func newPlayer(s *script) *player {
	// The order in which auth:: expands to a connection's ids is that of a hash table in Java.
	s.sortACLs = true
	return &player{s: s, live: map[string]*conn{}, last: map[string]*conn{}, count: map[string]int{}, cover: coverage{}}
}

// patience is the timeout of sessions that must not expire by themselves, briefly that of those that must.
const (
	patience = 600_000
	briefly  = 400
)

func (p *player) play(as []action) {
	for i, a := range as {
		p.s.action = i
		p.act(a)
	}
	p.s.action = len(as)
}

func (p *player) act(a action) {
	p.cover.actions(a.kind)
	switch a.kind {
	case actOpen:
		p.open(a.slot)
	case actCall:
		p.callAs(a.slot, func(seen jute.Zxid) req { return a.ops[0].req(p.s, seen) })
	case actPipe:
		p.pipe(a.slot, p.reqs(a.slot, a.ops)...)
	case actBurst:
		var turns []sending
		for _, t := range a.turns {
			turns = append(turns, sending{t.slot, p.reqs(t.slot, t.ops)})
		}
		p.burst(a.cut, turns...)
	case actDrain:
		p.drain()
	case actDrop:
		p.drop(a.slot)
	case actAgain:
		p.again(a.slot)
	case actEnd:
		p.end(a.slot)
	case actExpire:
		p.expire(a.slot)
	case actRestart, actKill:
		p.restart(a.kind == actKill)
	case actWords:
		p.words()
	case actAudit:
		p.audit()
	}
}

func (p *player) reqs(slot string, ops []operation) []req {
	out := make([]req, 0, len(ops))
	for _, o := range ops {
		out = append(out, o.req(p.s, p.seen(slot)))
	}
	return out
}

// seen is the highest zxid that the client's session has been told.
func (p *player) seen(slot string) jute.Zxid {
	if c := p.last[slot]; c != nil {
		return c.seen
	}
	return 0
}

func (p *player) name(slot string) string {
	p.count[slot]++
	return fmt.Sprintf("%s%d", slot, p.count[slot])
}

// open gives a client without one a session.
func (p *player) open(slot string) {
	if p.last[slot] != nil {
		return
	}
	c := p.s.dial(p.name(slot))
	if _, alive := c.connect(newSession(patience)); alive {
		p.live[slot], p.last[slot] = c, c
	}
}

// call sends a request and reads its reply.
func (p *player) call(slot string, r req) {
	p.callAs(slot, func(jute.Zxid) req { return r })
}

func (p *player) callAs(slot string, build func(seen jute.Zxid) req) {
	c := p.live[slot]
	if c == nil {
		return
	}
	r := build(c.seen)
	res := c.call(r)
	p.cover.reply(r.op, res)
	if res.err == authFailed || res.err == unimplement {
		c.untilClosed(c.name + ": after the refusal")
	}
	if c.gone {
		delete(p.live, slot)
	}
}

// pipe sends requests in one write and reads their replies.
func (p *player) pipe(slot string, rs ...req) {
	c := p.live[slot]
	if c == nil || len(rs) == 0 {
		return
	}
	for i, res := range c.pipeline(rs...) {
		p.cover.reply(rs[i].op, res)
	}
	if c.gone {
		delete(p.live, slot)
	}
}

// each runs f for the clients that have a connection, in their order.
func (p *player) each(f func(slot string, c *conn)) {
	for _, slot := range slots {
		if c := p.live[slot]; c != nil {
			f(slot, c)
		}
	}
}

func (p *player) drain() {
	p.each(func(_ string, c *conn) { p.cover.events(c.drain()) })
}

// drainAnyOrder is drain after the end of a session, whose ephemerals go in any order.
func (p *player) drainAnyOrder() {
	p.each(func(_ string, c *conn) { c.drainAnyOrder() })
}

// drop cuts a client's connection.
func (p *player) drop(slot string) {
	if c := p.live[slot]; c != nil {
		c.drain()
		c.drop()
		delete(p.live, slot)
	}
}

// again takes the client's session over on another connection.
func (p *player) again(slot string) {
	old, live := p.last[slot], p.live[slot]
	if old == nil {
		return
	}
	if live != nil {
		live.drain()
	}
	c, alive := p.renewal(slot, patience)
	if live != nil && alive {
		live.untilClosed(live.name + ": after the renewal")
	}
	delete(p.live, slot)
	if alive {
		p.live[slot], p.last[slot] = c, c
	} else {
		delete(p.last, slot)
	}
}

func (p *player) renewal(slot string, timeout int32) (*conn, bool) {
	old := p.last[slot]
	c := p.s.dial(p.name(slot))
	r := old.renewal(timeout)
	r.LastZxidSeen = old.seen
	_, alive := c.connect(r)
	c.seen = old.seen
	return c, alive
}

// end closes the client's session.
func (p *player) end(slot string) {
	c := p.live[slot]
	if c == nil {
		return
	}
	c.drain()
	c.endAnyOrder()
	delete(p.live, slot)
	delete(p.last, slot)
	p.drainAnyOrder()
}

// expire lets the client's session expire: it is taken over with a short timeout and left alone.
func (p *player) expire(slot string) {
	old := p.last[slot]
	if old == nil {
		return
	}
	p.drop(slot)
	before := p.s.lastZxid()
	c, alive := p.renewal(slot, briefly)
	c.drop()
	delete(p.last, slot)
	if !alive {
		return
	}
	deadline := time.Now().Add(eventWait)
	for p.s.lastZxid() == before {
		if time.Now().After(deadline) {
			p.s.stop("%s: the session does not expire", c.name)
		}
		time.Sleep(20 * time.Millisecond)
	}
	delete(p.s.open, c.id)
	p.s.record(c.name + ": the session has expired")
	p.drainAnyOrder()
}

// restart ends the server, orderly or with a kill, and starts it. All connections are lost.
func (p *player) restart(kill bool) {
	p.drain()
	p.s.restart(kill)
	p.each(func(_ string, c *conn) { c.drop() })
	clear(p.live)
}

// words are the four-letter words whose replies say what the server holds.
func (p *player) words() {
	p.drain()
	p.settle()
	out, err := harness.FourLetter(p.s.addr, "mntr")
	if err != nil {
		p.s.record("mntr", errKind(err))
		return
	}
	var lines []string
	for line := range strings.Lines(out) {
		key, _, _ := strings.Cut(line, "\t")
		switch key {
		// Not zk_approximate_data_size: Java's drifts when a quota's usage gets longer or shorter.
		case "zk_znode_count", "zk_watch_count", "zk_ephemerals_count", "zk_global_sessions", "zk_outstanding_requests":
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	slices.Sort(lines)
	p.s.record("mntr", lines...)
	p.s.word("wchs", nil)
	p.s.word("wchc", p.s.watchesNormal)
	p.s.word("wchp", p.s.watchesNormal)
	p.s.word("dump", func(out string) string { return p.s.dumpNormal(sessionsOnly(out)) })
}

var ephemeralsPattern = regexp.MustCompile(`Sessions with Ephemerals \(\d+\)`)

// sessionsOnly takes the list of connections off dump, for one that was closed may still be in it for a
// moment, and the sessions without ephemerals out of it: see dump-empty-session in allowed_test.go.
func sessionsOnly(out string) string {
	out, _, _ = strings.Cut(out, "Connections dump:")
	out = ephemeralsPattern.ReplaceAllString(out, "Sessions with Ephemerals (N)")
	head, list, _ := strings.Cut(out, "Sessions with Ephemerals (N):\n")
	kept := head + "ephemerals:\n"
	lines := strings.SplitAfter(list, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, "\t") || i+1 < len(lines) && strings.HasPrefix(lines[i+1], "\t") {
			kept += l
		}
	}
	return kept
}

// settle waits until the server has noticed every connection that was cut.
func (p *player) settle() {
	want := len(p.live)
	deadline := time.Now().Add(eventWait)
	last := ""
	for time.Now().Before(deadline) {
		cons, err := harness.FourLetter(p.s.addr, "cons")
		watches, err2 := harness.FourLetter(p.s.addr, "wchs")
		if err != nil || err2 != nil {
			return // the words themselves will tell
		}
		if strings.Count(cons, ",sid=0x") == want && watches == last {
			return
		}
		last = watches
		time.Sleep(5 * time.Millisecond)
	}
	p.s.record("settle", fmt.Sprintf("there are not %d connections", want))
}
