package diff

import (
	"math/rand/v2"
	"slices"
	"strings"

	"zk/jute"
)

// actionKind says what an action does to the connection of a slot, or to the server.
type actionKind int

const (
	actOpen    actionKind = iota // a new session
	actCall                      // one request, up to its reply
	actPipe                      // several requests in one write
	actBurst                     // several connections at the same time, each below a home of its own
	actDrain                     // look at what events every connection got
	actDrop                      // the connection is cut
	actAgain                     // the session on another connection
	actEnd                       // the session is closed
	actExpire                    // the session expires
	actRestart                   // the server is stopped and started
	actKill                      // the server is killed and started
	actWords                     // four-letter words
	actAudit                     // the whole tree and its digest
)

// action is one step of a random run. An action on a slot that has no connection does nothing, so that
// any part of a list of actions is a list that can run.
type action struct {
	kind  actionKind
	slot  string
	ops   []operation
	turns []turn // of actBurst
	cut   int    // of actBurst: bytes per write
}

// turn is what one slot sends in a burst.
type turn struct {
	slot string
	ops  []operation
}

// slots are the clients of a random run; each has a node of its own for bursts.
var slots = [...]string{"a", "b", "c", "d"}

func home(slot string) string { return "/home-" + slot }

// generator draws actions. Everything it draws comes from its seed, nothing from a server.
type generator struct {
	*rand.Rand
	w       *world
	out     []action
	clients map[string]*client
	settled bool // the server is not restarted any more
	quotas  bool // there has been one
}

// client is what the generator knows of a slot.
type client struct {
	session, live bool
	watched       map[string][]string // registered since the session began, by kind
}

func newGenerator(seed uint64) *generator {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 5)), w: newWorld(), clients: map[string]*client{}}
	for _, slot := range slots {
		g.clients[slot] = &client{}
	}
	return g
}

// generate is the run of a seed: n actions and more, with the server restarted so many times.
func generate(seed uint64, n, restarts int) []action {
	g := newGenerator(seed)
	for _, slot := range slots {
		g.open(slot)
	}
	for _, path := range []string{"/a", "/b", "/c", home("a"), home("b"), home("c"), home("d")} {
		g.call("a", operation{op: jute.OpCreate, path: path, acl: []string{openACL}})
	}
	kill := g.IntN(2)
	for i := range n {
		if every := n / (restarts + 1); i > 0 && i%every == 0 && i/every <= restarts {
			kill++
			g.restart(kill%2 == 0)
			g.settled = i/every == restarts
		}
		if i%500 == 250 {
			g.add(action{kind: actWords}, action{kind: actAudit})
		}
		g.step()
	}
	g.add(action{kind: actDrain}, action{kind: actWords})
	for _, slot := range slots {
		g.add(action{kind: actEnd, slot: slot})
	}
	g.add(action{kind: actAudit})
	return g.out
}

func (g *generator) add(as ...action) { g.out = append(g.out, as...) }

func (g *generator) call(slot string, ops ...operation) {
	for _, o := range ops {
		g.note(slot, o)
		g.add(action{kind: actCall, slot: slot, ops: []operation{o}})
	}
}

// note lets the world know of an operation.
func (g *generator) note(slot string, o operation) {
	code := g.w.apply(slot, o)
	c := g.clients[slot]
	kind := ""
	switch {
	case o.op == jute.OpAuth && o.path != "digest" && o.path != "ip", o.op == jute.OpCheck:
		g.cut(slot) // a check that stands alone is an unknown op
	case o.op == jute.OpAddWatch:
		kind = []string{"persistent", "recursive"}[o.kind]
	case !o.watch:
	case o.op == jute.OpGetChildren || o.op == jute.OpGetChildren2:
		kind = "child"
	case g.w.nodes[o.path] != nil:
		kind = "data"
	case o.op == jute.OpExists:
		kind = "exist"
	}
	if kind != "" && code == ok && !slices.Contains(c.watched[kind], o.path) && !strings.HasPrefix(o.path, "!") {
		c.watched[kind] = append(c.watched[kind], o.path)
	}
}

func (g *generator) open(slot string) {
	*g.clients[slot] = client{session: true, live: true, watched: map[string][]string{}}
	g.add(action{kind: actOpen, slot: slot})
	g.identify(slot)
}

// cut is the end of a slot's connection, and with it of what it has proven.
func (g *generator) cut(slot string) {
	g.clients[slot].live = false
	delete(g.w.ids, slot)
}

// identify proves some identities, or none.
func (g *generator) identify(slot string) {
	for _, id := range []string{"joe:secret", "sue:pw"} {
		if g.IntN(2) == 0 {
			g.call(slot, operation{op: jute.OpAuth, path: "digest", data: []byte(id)})
		}
	}
}

// again takes a session over and asks for its watches as a client does.
func (g *generator) again(slot string) {
	if g.clients[slot].live {
		g.cut(slot)
	}
	g.clients[slot].live = true
	g.add(action{kind: actAgain, slot: slot})
	g.identify(slot)
	if g.IntN(5) == 0 {
		return
	}
	o := operation{op: jute.OpSetWatches2, lists: g.lists(slot)}
	if g.IntN(4) == 0 {
		o.op, o.lists.persistent, o.lists.recursive = jute.OpSetWatches, nil, nil
	}
	g.call(slot, o)
}

// lists are the watches a slot had, and some that it had not.
func (g *generator) lists(slot string) watchLists {
	draw := func(kind string) []string {
		var out []string
		for _, p := range append(slices.Clone(g.clients[slot].watched[kind]), g.path()) {
			// Catch-up events pass our READ filter, not Java's: nothing that may be unreadable.
			if !strings.HasPrefix(p, "/c") && g.IntN(3) > 0 {
				out = append(out, p)
			}
		}
		return out[max(0, len(out)-8):]
	}
	return watchLists{data: draw("data"), exist: draw("exist"), child: draw("child"), persistent: draw("persistent"), recursive: draw("recursive")}
}

func (g *generator) restart(kill bool) {
	a := action{kind: actRestart}
	if kill {
		a.kind = actKill
	}
	g.add(action{kind: actDrain}, a)
	for _, slot := range slots {
		g.cut(slot)
	}
}

// step draws what happens next.
func (g *generator) step() {
	slot := slots[g.IntN(len(slots))]
	c := g.clients[slot]
	if !c.live {
		switch {
		case g.IntN(4) > 0: // the others go on
		case c.session:
			g.again(slot)
		default:
			g.open(slot)
		}
		return
	}
	switch n := g.IntN(1000); {
	case n < 55:
		g.pipe(slot)
	case n < 80:
		g.burst()
	case n < 150:
		g.add(action{kind: actDrain})
	case n < 165:
		g.add(action{kind: actDrop, slot: slot})
		g.cut(slot)
	case n < 173:
		g.again(slot)
	case n < 178:
		g.add(action{kind: actEnd, slot: slot})
		g.w.endSession(slot)
		*c = client{}
	case n < 182:
		g.add(action{kind: actExpire, slot: slot})
		g.w.endSession(slot)
		*c = client{}
	case n < 190:
		g.add(action{kind: actWords})
	case n < 250:
		g.quota(slot)
	default:
		g.call(slot, g.operation(slot))
	}
}

// pipe is several requests in one write. What a connection proves is not in order with what it asks, and
// in Java neither is the refusal of an unknown op; a setACL ends a pipe, see setACL-in-flight in allowed_test.go.
// A quota's usage is that of applied changes, in both servers: one change below quotas is all that is known to meet
// the usage it finds.
func (g *generator) pipe(slot string) {
	a := action{kind: actPipe, slot: slot}
	counted := false
	for range 2 + g.IntN(7) {
		o := g.operation(slot)
		if o.op == jute.OpAuth || o.op == jute.OpCheck {
			continue
		}
		if g.quotas && o.counts() {
			if counted {
				continue
			}
			counted = true
		}
		g.note(slot, o)
		a.ops = append(a.ops, o)
		if o.op == jute.OpSetACL {
			break
		}
	}
	g.add(a)
}

// burst lets all live clients send at the same time, each below its home.
func (g *generator) burst() {
	a := action{kind: actBurst, cut: []int{7, 50, 150, 4000}[g.IntN(4)]}
	for _, slot := range slots {
		if !g.clients[slot].live {
			continue
		}
		t := turn{slot: slot}
		for range 3 + g.IntN(12) {
			o := g.homely(slot)
			g.note(slot, o)
			t.ops = append(t.ops, o)
		}
		a.turns = append(a.turns, t)
	}
	g.add(a)
}

// homely is an operation that concerns nothing but nodes below the slot's home.
func (g *generator) homely(slot string) operation {
	path := home(slot) + []string{"/x", "/y", "/x/z"}[g.IntN(3)]
	o := operation{path: path, acl: []string{openACL}, version: -1, data: g.data(), watch: g.IntN(2) == 0}
	switch g.IntN(10) {
	case 0, 1, 2:
		o.op = jute.OpCreate
		o.flags = int32(g.IntN(4))
	case 3:
		o.op = jute.OpDelete
	case 4, 5:
		o.op = jute.OpSetData
	case 6:
		return operation{op: jute.OpMulti, parts: []operation{
			{op: jute.OpCreate2, path: path, acl: o.acl}, {op: jute.OpSetData, path: path, data: o.data, version: -1},
		}}
	case 7:
		o.op = jute.OpGetChildren2
		o.path = home(slot)
	case 8:
		return operation{op: jute.OpAddWatch, path: path, kind: int32(g.IntN(2))}
	default:
		o.op = []jute.OpCode{jute.OpExists, jute.OpGetData, jute.OpGetChildren}[g.IntN(3)]
	}
	return o
}

// quota makes, changes, reads or removes a quota. The limits are always well formed: see quota-garbage in
// allowed_test.go. A quota inside another comes after the restarts alone: see quota-recount there.
func (g *generator) quota(slot string) {
	g.quotas = true
	path := []string{"/a", "/b", "/b/x"}[g.IntN(3)]
	if !g.settled {
		path = path[:2]
	}
	node := func(name string, data string) operation {
		return operation{op: jute.OpCreate, path: "@" + path + name, data: []byte(data), acl: []string{openACL}}
	}
	limits := []string{hard(4, 900), hard(3, -1), hard(2, 60), hard(-1, 350), "count=3,bytes=50", hard(100, 10000)}[g.IntN(6)]
	switch g.IntN(8) {
	case 0, 1, 2:
		g.call(slot, operation{op: jute.OpCreate, path: "@", acl: []string{openACL}})
		for i := 1; i <= len(path); i++ {
			if i == len(path) || path[i] == '/' {
				g.call(slot, operation{op: jute.OpCreate, path: "@" + path[:i], acl: []string{openACL}})
			}
		}
		g.call(slot, node("/zookeeper_limits", limits), node("/zookeeper_stats", "count=0,bytes=0"))
	case 3, 4:
		g.call(slot, operation{op: jute.OpSetData, path: "@" + path + "/zookeeper_limits", data: []byte(limits), version: -1})
	case 5:
		for _, name := range []string{"/zookeeper_limits", "/zookeeper_stats", ""} {
			g.call(slot, operation{op: jute.OpDelete, path: "@" + path + name, version: -1})
		}
	default:
		g.call(slot, operation{op: jute.OpGetData, path: "@" + path + "/zookeeper_stats", watch: g.IntN(3) == 0})
	}
}
