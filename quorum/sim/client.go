package sim

import (
	"time"

	"zk/jute"
)

// clients are the users of an ensemble: each is connected to one server, keeps a few writes under way, and
// goes to another server when its connection ends.
type clients struct {
	w        *world
	all      []*client
	sessions map[jute.SessionID]*connection // every connection there ever was; looked up, never walked over
	next     jute.SessionID
	acked    int
	maybe    int           // writes whose answer never came
	pause    time.Duration // between two bursts of a writer, on average
	burst    int           // writes of a burst, on average
	pipeline int           // writers of a connection
	quiet    bool          // no new writes
	syncs    int32         // asked for
}

// client is a user. What it has seen it never wants to see undone.
type client struct {
	id      int
	seen    jute.Zxid // the greatest zxid in a reply
	c       *connection
	replies int
}

// connection is a client's stay at one server: its writes are numbered from 1, in the order it sent them.
type connection struct {
	session   jute.SessionID
	client    *client
	at        *process
	open      bool
	sent      int32
	answered  int32
	committed int32 // writes in the history, which has them in order and without a gap
}

func newClients(w *world, n int) *clients {
	c := &clients{w: w, sessions: make(map[jute.SessionID]*connection)}
	for i := range n {
		c.all = append(c.all, &client{id: i})
	}
	return c
}

// begin lets each client look for a server.
func (c *clients) begin() {
	for _, cl := range c.all {
		c.w.after(c.w.between(0, time.Second), nil, func() { c.connect(cl) })
	}
}

// connect tries one server: one that serves and has all that the client has seen takes it, as lastZxidSeen
// of a ConnectRequest has it.
func (c *clients) connect(cl *client) {
	s := c.w.servers[c.w.pick(len(c.w.servers))]
	p := s.proc
	if p == nil || !p.serving || s.disk.live.state.applied < cl.seen || p.stoppedUntil > c.w.now {
		c.w.after(c.w.between(50*time.Millisecond, 400*time.Millisecond), nil, func() { c.connect(cl) })
		return
	}
	c.next++
	k := &connection{session: c.next, client: cl, at: p, open: true}
	c.sessions[k.session] = k
	cl.c = k
	p.clients = append(p.clients, k)
	for range c.pipeline {
		c.later(k)
	}
}

// later plans the connection's next write: soon, or when the next burst begins.
func (c *clients) later(k *connection) {
	pause := c.w.between(0, 2*time.Millisecond)
	switch {
	case c.w.faults.over:
		pause = c.w.between(0, time.Second)
	case c.w.pick(c.burst) == 0:
		pause = c.w.between(0, 2*c.pause)
	}
	c.w.after(pause, k.at, func() { c.write(k) })
}

// hurry begins the time in which each client has to get an answer.
func (c *clients) hurry() {
	for _, cl := range c.all {
		cl.replies = 0
		if cl.c != nil {
			c.later(cl.c)
		}
	}
}

func (c *clients) write(k *connection) {
	if !k.open {
		return
	}
	if c.quiet {
		c.w.after(100*time.Millisecond, k.at, func() { c.write(k) })
		return
	}
	if c.w.pick(20) == 0 {
		c.syncs++
		k.at.askSync(c.syncs)
	}
	k.sent++
	k.at.request(k.session, k.sent)
}

// committed is told by the checker, for each transaction of the history in order.
func (c *clients) committed(p *proposal) {
	h := headerOf(p.bytes)
	k := c.sessions[h.ClientID]
	switch {
	case k == nil || h.Cxid > k.sent:
		c.w.check.fail("%v is a write that no client has asked for", p.zxid)
	case h.Cxid != k.committed+1:
		c.w.check.fail("%v is write %d of session %v, the one before in the history is %d", p.zxid, h.Cxid, h.ClientID, k.committed)
	default:
		k.committed++
	}
}

// reply is a server's answer to a write, given when its transaction is applied.
func (c *clients) reply(p *process, h jute.TxnHeader) {
	k := c.sessions[h.ClientID]
	if k == nil || !k.open || k.at != p {
		return // another server's client, or one that has left
	}
	switch pr := c.w.check.proposals[h.Zxid]; {
	case h.Cxid != k.answered+1:
		c.w.check.fail("%v answers write %d of session %v behind %d", p.server, h.Cxid, k.session, k.answered)
	case pr.committed == 0 || !c.w.check.quorumHolds(pr):
		c.w.check.fail("I5: %v answers %v, which no quorum holds durably", p.server, h.Zxid)
	case h.Zxid < k.client.seen:
		c.w.check.fail("client %d has seen %v, %v shows it %v", k.client.id, k.client.seen, p.server, h.Zxid)
	}
	k.answered++
	k.client.seen = h.Zxid
	k.client.replies++
	c.acked++
	c.later(k)
}

// leave ends all connections of a process: what has no answer is "maybe".
func (c *clients) leave(p *process) {
	gone := p.clients
	p.clients = nil
	for _, k := range gone {
		k.open = false
		k.client.c = nil
		c.maybe += int(k.sent - k.answered)
		cl := k.client
		c.w.after(c.w.between(10*time.Millisecond, 300*time.Millisecond), nil, func() { c.connect(cl) })
	}
}

// headerOf reads a proposal's header.
func headerOf(b []byte) (h jute.TxnHeader) {
	d := jute.NewDecoder(b, len(b))
	h.Decode(&d)
	return h
}
