package sim

import "time"

// network is what lies between the servers. A direction between two hosts may be blocked: what is sent then
// waits, as TCP would send it again, and comes when the direction is open again, if the connection lives so
// long. Nothing of a connection is lost or overtaken while it lives; what a fault loses it loses by an end
// of the connection.
type network struct {
	*scheduler
	blocked [][]bool        // from, to; by index of the host
	lag     []time.Duration // what a slow host adds to each message from or to it
	latency time.Duration
	jitter  time.Duration
	spikes  float64 // part of the messages that take up to a hundred times as long
	conns   []*conn // learner connections with an end that is open, in the order they were dialled
	pairs   []*pair // election connections, in the order of hosts
	dials   uint64
}

func newNetwork(w *world, hosts int) *network {
	s := w.scheduler
	n := &network{scheduler: s, blocked: make([][]bool, hosts), lag: make([]time.Duration, hosts)}
	for i := range n.blocked {
		n.blocked[i] = make([]bool, hosts)
	}
	for a := range hosts {
		for b := a + 1; b < hosts; b++ {
			p := &pair{world: w, net: n, ends: [2]int{a, b}}
			for side := range p.boxes {
				p.boxes[side].pipe = pipe{net: n, from: p.ends[side], to: p.ends[1-side]}
			}
			n.pairs = append(n.pairs, p)
		}
	}
	return n
}

func (n *network) delay(from, to int) time.Duration {
	d := n.latency + n.between(0, n.jitter) + n.lag[from] + n.lag[to]
	if n.chance(n.spikes) {
		d *= time.Duration(1 + n.pick(100))
	}
	return d
}

// open reports if a connection can be made: both directions are needed.
func (n *network) open(a, b int) bool { return !n.blocked[a][b] && !n.blocked[b][a] }

// unblock lets everything pass again, and what has waited arrive.
func (n *network) unblock() {
	for i := range n.blocked {
		clear(n.blocked[i])
	}
	n.release()
}

// release sends again what waits in directions that are open.
func (n *network) release() {
	for _, c := range n.conns {
		c.pipes[0].release()
		c.pipes[1].release()
	}
	for _, p := range n.pairs {
		p.boxes[0].pipe.release()
		p.boxes[1].pipe.release()
	}
}

// pipe is one direction of a connection.
type pipe struct {
	net      *network
	from, to int
	last     time.Duration // arrival of the newest message
	queue    []message     // sent, not arrived
	waiting  int           // arrivals that found the direction blocked
	gen      int           // grows when the queue is thrown away
}

// message is what arrives: at the process, unless that is dead by then.
type message struct {
	to  *process
	run func()
}

func (p *pipe) send(to *process, run func()) {
	p.queue = append(p.queue, message{to, run})
	if p.net.blocked[p.from][p.to] || p.waiting > 0 {
		p.waiting++
		return
	}
	p.plan()
}

// plan plans the arrival of the oldest message that has none planned.
func (p *pipe) plan() {
	p.last = max(p.last, p.net.now+p.net.delay(p.from, p.to))
	gen := p.gen
	p.net.at(p.last, nil, func() {
		if gen == p.gen {
			p.arrive()
		}
	})
}

func (p *pipe) arrive() {
	if p.net.blocked[p.from][p.to] {
		p.waiting++
		return
	}
	m := p.queue[0]
	p.queue[0] = message{}
	if p.queue = p.queue[1:]; len(p.queue) == 0 {
		p.queue = nil
	}
	// A stopped process finds it in its socket later, in order.
	if m.to.stoppedUntil >= p.net.now {
		p.net.at(m.to.stoppedUntil, m.to, m.run)
	} else if !m.to.dead {
		m.run()
	}
}

func (p *pipe) release() {
	if p.net.blocked[p.from][p.to] {
		return
	}
	for ; p.waiting > 0; p.waiting-- {
		p.plan()
	}
}

// drop loses what is on its way.
func (p *pipe) drop() { p.queue, p.waiting, p.gen = nil, 0, p.gen+1 }

// The two ends of a learner connection.
const (
	learnerEnd = iota
	leaderEnd
)

// endpoint is what a process does with its end of a connection.
type endpoint struct {
	proc     *process
	gone     func()        // the other end, or the network, has ended it
	room     func()        // what was sent has arrived, so that there is room for more; may be nil
	received func(*packet) // something has come
	open     bool
}

// conn is a learner's connection to a leader.
type conn struct {
	net   *network
	id    uint64
	ends  [2]endpoint
	pipes [2]pipe // by the sending end
	// broken: nothing passes any more, and the ends are about to find out.
	broken bool
}

// connect makes a connection between two processes.
func (n *network) connect(learner, leader *process) *conn {
	n.dials++
	c := &conn{net: n, id: n.dials}
	for end, p := range []*process{learner, leader} {
		c.ends[end] = endpoint{proc: p, open: true}
	}
	c.pipes[learnerEnd] = pipe{net: n, from: learner.host, to: leader.host}
	c.pipes[leaderEnd] = pipe{net: n, from: leader.host, to: learner.host}
	n.conns = append(n.conns, c)
	return c
}

// send brings a packet to the other end, if that is open by then.
func (c *conn) send(from int, q packet) {
	if !c.ends[from].open || c.broken {
		return
	}
	to := &c.ends[1-from]
	c.pipes[from].send(to.proc, func() {
		if room := c.ends[from].room; room != nil && c.ends[from].open {
			room()
		}
		if to.open {
			to.received(&q)
		}
	})
}

// unread is the number of messages on their way from an end.
func (c *conn) unread(from int) int { return len(c.pipes[from].queue) }

// close ends the connection from one side: the other finds out behind the data that is on its way, or
// before it, as an end may be a reset.
func (c *conn) close(end int) {
	if !c.ends[end].open {
		return
	}
	c.ends[end].open = false
	other := &c.ends[1-end]
	if other.open && !c.broken {
		if c.net.chance(0.3) {
			c.pipes[end].drop()
		}
		c.pipes[end].send(other.proc, func() { c.lose(1 - end) })
	}
	c.forget()
}

// vanish ends one side without a word, as a power cut does.
func (c *conn) vanish(end int) {
	c.ends[end].open = false
	c.forget()
}

// cut is the network's doing: both ends find out, each in its own time, and what is on its way is lost.
func (c *conn) cut() {
	if c.broken {
		return
	}
	c.broken = true
	for end := range c.ends {
		c.pipes[end].drop()
		if e := &c.ends[end]; e.open {
			c.net.after(c.net.between(0, 20*time.Millisecond), e.proc, func() { c.lose(end) })
		}
	}
}

// lose tells an end that the connection is over.
func (c *conn) lose(end int) {
	if e := &c.ends[end]; e.open {
		e.open = false
		c.forget()
		e.gone()
	}
}

func (c *conn) forget() {
	if c.ends[0].open || c.ends[1].open {
		return
	}
	for i, other := range c.net.conns {
		if other == c {
			c.net.conns = append(c.net.conns[:i], c.net.conns[i+1:]...)
			return
		}
	}
}

// pair is the election connection of two hosts: dialled when there is something to send, one message waiting
// per direction, the newest, and the last one again on each new connection that has nothing else to carry.
type pair struct {
	world   *world
	net     *network
	ends    [2]int
	up      bool
	dialing bool
	gen     int // grows with each end of the connection
	boxes   [2]box
}

// box is one direction of a pair.
type box struct {
	pipe    pipe
	pending func(to *process) // nil: nothing waits
	last    func(to *process)
}

// electionWindow is how many notifications fit into a socket.
const electionWindow = 3

// pairOf finds the connection of two hosts, and which end the first of them has.
func (n *network) pairOf(a, b int) (*pair, int) {
	for _, p := range n.pairs {
		switch {
		case p.ends[0] == a && p.ends[1] == b:
			return p, 0
		case p.ends[0] == b && p.ends[1] == a:
			return p, 1
		}
	}
	panic("no such pair")
}

// notify sends an election message from one host to another: deliver is run at the process that has it then.
func (w *world) notify(from, to int, deliver func(to *process)) {
	p, end := w.net.pairOf(from, to)
	p.boxes[end].pending = deliver
	p.flush(end)
}

func (p *pair) flush(end int) {
	b := &p.boxes[end]
	if b.pending == nil {
		return
	}
	if !p.up {
		p.dial()
		return
	}
	to := p.world.servers[p.ends[1-end]].proc
	if to == nil || len(b.pipe.queue) >= electionWindow {
		return
	}
	deliver := b.pending
	b.last, b.pending = deliver, nil
	times := 1
	if p.net.chance(0.02) {
		times = 2 // as if the connection had ended, unseen, and been made again
	}
	for range times {
		b.pipe.send(to, func() {
			deliver(to)
			p.flush(end)
		})
	}
}

// dial makes the connection, if it can be made.
func (p *pair) dial() {
	if p.dialing {
		return
	}
	p.dialing = true
	gen := p.gen
	p.net.after(p.net.delay(p.ends[0], p.ends[1]), nil, func() {
		p.dialing = false
		for _, end := range p.ends {
			if proc := p.world.servers[end].proc; proc == nil || proc.stoppedUntil > p.net.now {
				p.tell(false)
				return
			}
		}
		if gen != p.gen || !p.net.open(p.ends[0], p.ends[1]) {
			p.tell(false)
			return
		}
		p.up = true
		p.tell(true)
		for end := range p.boxes {
			if b := &p.boxes[end]; b.pending == nil {
				b.pending = b.last
			}
			p.flush(end)
		}
	})
}

// down ends the connection and loses what is on its way. The next message dials again.
func (p *pair) down() {
	p.up = false
	p.gen++
	for end := range p.boxes {
		p.boxes[end].pipe.drop()
	}
	p.tell(false)
}

// tell lets both ends know if the connection is there.
func (p *pair) tell(up bool) {
	for end, host := range p.ends {
		if proc := p.world.servers[host].proc; proc != nil {
			proc.reachable(p.world.servers[p.ends[1-end]], up)
		}
	}
}
