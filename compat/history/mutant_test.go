package history

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"zk/jute"
)

// fault is one thing that a server must not do.
type fault int

const (
	none fault = iota
	staleRead
	lostWrite
	lostNode
	lostRollback
	halfMulti
	numberTwice
	wrongVersion
	falseRefusal
	lateEvent
	noEvent
	secondEvent
	zxidBack
	readBeforeWrite
	twoHolders
	earlyExpiry
	maybeTwice
	tornAudit
	staleSynced
	otherMoment
	oldAfterEvent
)

// sim is a server, or an ensemble, as far as the workload needs one. Every operation happens at one moment between
// its call and its return, but a read of an ensemble may be of an earlier moment, if its client has seen no later
// one; with a fault, it does one thing wrong once, when there is an occasion after a while.
type sim struct {
	rules   Rules
	h       *History
	rng     *rand.Rand
	fault   fault
	faulty  bool // it has happened
	busy    bool // in the middle of the history
	now     int64
	zxid    jute.Zxid
	nodes   map[string]simNode
	before  map[string]simNode // the nodes a while ago
	queue   []string
	owners  map[string]owner // of locks
	past    []moment         // of an ensemble
	seen    map[int]jute.Zxid
	armed   map[int]map[string]bool
	told    map[int]map[string]simNode // what a node was before an event
	pending []func()                   // maybes that happen later
}

type simNode struct {
	node
	mzxid jute.Zxid
}

type owner struct {
	client int
	zxid   jute.Zxid
}

// moment is what there was at a zxid.
type moment struct {
	zxid   jute.Zxid
	nodes  map[string]simNode
	owners map[string]owner
}

func newSim(w World, rng *rand.Rand, f fault, rules Rules) *sim {
	s := &sim{
		rules: rules, h: New(), rng: rng, fault: f, nodes: map[string]simNode{}, owners: map[string]owner{},
		armed: map[int]map[string]bool{}, told: map[int]map[string]simNode{}, seen: map[int]jute.Zxid{},
	}
	for _, n := range w.nodes() {
		s.zxid++
		s.nodes[n[0]] = simNode{node{value: n[1]}, s.zxid}
	}
	return s
}

// once reports whether the fault is to happen here, and notes that it did.
func (s *sim) once(f fault) bool {
	if s.fault != f || s.faulty || !s.busy {
		return false
	}
	s.faulty = true
	return true
}

// do is session.do of a worker.
func (s *sim) do(client int, records ...*Record) {
	for _, r := range records {
		for len(s.pending) > 0 && s.rng.IntN(3) == 0 {
			s.pending[0]()
			s.pending = s.pending[1:]
		}
		s.now += 10
		r.client, r.call, r.ret = client, s.now-s.rng.Int64N(25), s.now+s.rng.Int64N(25)
		if r.write() && s.rng.IntN(40) == 0 {
			s.maybe(r)
			continue
		}
		s.apply(r, true)
		s.h.add(r)
	}
}

// maybe loses the reply, and perhaps the request.
func (s *sim) maybe(r *Record) {
	lost := *r // what happens later must not show in the record
	lost.cells = append([]cell(nil), r.cells...)
	r.ret = never
	s.h.add(r)
	switch s.rng.IntN(3) {
	case 0:
		s.apply(&lost, false)
	case 1:
		s.pending = append(s.pending, func() { s.apply(&lost, false) })
	}
	if r.kind == append_ && s.once(maybeTwice) {
		for range 20 { // more than there can be maybes of this kind
			s.apply(&lost, false)
		}
	}
}

// apply does an operation; answered tells if its client gets the reply.
func (s *sim) apply(r *Record, answered bool) {
	if s.rng.IntN(50) == 0 {
		s.before = maps.Clone(s.nodes)
	}
	if s.busy && s.before != nil && len(s.before) == len(s.nodes) && s.fault == lostRollback && !s.faulty {
		for path, n := range s.nodes {
			if strings.Contains(path, "reg") && s.before[path].version < n.version {
				s.nodes = maps.Clone(s.before)
				s.faulty = true
				break
			}
		}
	}
	if r.write() {
		s.zxid++
	}
	r.zxid = s.zxid
	defer s.behind(r)()
	var late []item
	switch r.kind {
	case get:
		s.get(r)
	case set:
		late = s.set(r)
	case append_:
		s.append(r)
	case transfer:
		s.transfer(r)
	case audit:
		s.audit(r)
	case syncing:
	default:
		s.lock(r)
	}
	if r.zxid > 100 && answered && s.once(zxidBack) {
		r.zxid -= 50
	}
	if answered {
		s.h.arrived(r.client, item{reply: r})
		s.seen[r.client] = max(s.seen[r.client], r.zxid)
	}
	for _, i := range late {
		s.h.arrived(r.client, i)
	}
}

// behind lets a read of an ensemble be of an earlier moment; what it returns ends that. A write makes a moment.
func (s *sim) behind(r *Record) (back func()) {
	back = func() {}
	if !s.rules.Ensemble {
		return back
	}
	nodes, owners := s.nodes, s.owners
	if r.write() {
		return func() { s.past = append(s.past, moment{s.zxid, maps.Clone(s.nodes), maps.Clone(s.owners)}) }
	}
	if r.kind == syncing && s.fault == staleSynced && !s.faulty {
		r.zxid = s.seen[r.client] // it has waited for nothing
	}
	last := len(s.past) - 1
	if r.watch || last < 0 || r.kind == syncing {
		return back
	}
	at := max(0, last-s.rng.IntN(6))
	m := s.past[at]
	switch {
	case r.synced:
		if r.kind != get || m.nodes[r.path].version == nodes[r.path].version || m.zxid < s.seen[r.client] || !s.once(staleSynced) {
			return back
		}
	case m.zxid < s.seen[r.client]:
		return back
	case r.kind == get && m.nodes[r.path].version != nodes[r.path].version && s.once(otherMoment):
		m.zxid = s.zxid
	}
	s.nodes, s.owners, r.zxid = m.nodes, m.owners, m.zxid
	return func() { s.nodes, s.owners = nodes, owners }
}

func (s *sim) get(r *Record) {
	n := s.nodes[r.path]
	if old := s.before[r.path]; s.before != nil && old.version < n.version && !r.watch && s.once(staleRead) {
		n = old
	}
	if old, told := s.told[r.client][r.path]; told && !r.watch && old.version < n.version && s.once(oldAfterEvent) {
		n = old
	}
	r.cells = []cell{{path: r.path, value: n.value, version: n.version, mzxid: n.mzxid}}
	r.mzxid = n.mzxid
	if r.watch {
		if s.armed[r.client] == nil {
			s.armed[r.client] = map[string]bool{}
		}
		s.armed[r.client][r.path] = true
	}
	if n.mzxid < s.zxid-5 && s.once(readBeforeWrite) {
		r.zxid = n.mzxid
	}
}

// set gives the events that come too late.
func (s *sim) set(r *Record) (late []item) {
	c := &r.cells[0]
	n := s.nodes[r.path]
	next, code := n.write(*c)
	switch {
	case code == jute.CodeBadVersion && s.once(wrongVersion):
		next, code = node{c.value, n.version + 1}, jute.CodeOk
	case code == jute.CodeOk && s.once(falseRefusal):
		next, code = n.node, jute.CodeBadVersion
	}
	if r.code = code; code != jute.CodeOk {
		return nil
	}
	c.version, r.mzxid = next.version, s.zxid
	if s.once(lostWrite) {
		return nil
	}
	before := s.nodes[r.path]
	s.nodes[r.path] = simNode{next, s.zxid}
	for client, paths := range s.armed {
		if !paths[r.path] {
			continue
		}
		delete(paths, r.path)
		ev := item{event: r.path}
		switch {
		case s.once(noEvent):
		case client == r.client && s.once(lateEvent):
			late = append(late, ev)
		default:
			s.h.arrived(client, ev)
			s.seen[client] = s.zxid
			if s.told[client] == nil {
				s.told[client] = map[string]simNode{}
			}
			s.told[client][r.path] = before
			if s.once(secondEvent) {
				s.h.arrived(client, ev)
			}
		}
	}
	return late
}

func (s *sim) append(r *Record) {
	n := len(s.queue)
	if n > 0 && s.once(numberTwice) {
		n--
	}
	name := fmt.Sprintf("n-%010d", n)
	r.name = r.path + "/" + name
	if !s.once(lostNode) {
		s.queue = append(s.queue, name)
	}
}

func (s *sim) transfer(r *Record) {
	before := maps.Clone(s.nodes)
	for i := range r.cells {
		c := &r.cells[i]
		next, code := s.nodes[c.path].write(*c)
		if code != jute.CodeOk {
			r.code, s.nodes = code, before
			return
		}
		c.version = next.version
		if i > 0 && s.once(halfMulti) {
			continue
		}
		s.nodes[c.path] = simNode{next, s.zxid}
	}
	r.mzxid = s.zxid
}

func (s *sim) audit(r *Record) {
	for i := range r.cells {
		c := &r.cells[i]
		n := s.nodes[c.path]
		if old := s.before[c.path]; s.before != nil && old.version < n.version && s.once(tornAudit) {
			n = old
		}
		c.value, c.version, c.mzxid = n.value, n.version, n.mzxid
		r.mzxid = max(r.mzxid, n.mzxid)
	}
}

func (s *sim) lock(r *Record) {
	o, held := s.owners[r.path]
	switch r.kind {
	case acquire:
		if held && !s.once(twoHolders) {
			r.code = jute.CodeNodeExists
			return
		}
		s.owners[r.path] = owner{r.client, s.zxid}
	case release:
		if !held {
			r.code = jute.CodeNoNode
		}
		delete(s.owners, r.path)
	case holder:
		if held && s.once(earlyExpiry) {
			delete(s.owners, r.path)
			held = false
		}
		if !held {
			r.code = jute.CodeNoNode
			return
		}
		r.cells = []cell{{path: r.path, value: fmt.Sprint(o.client), mzxid: o.zxid}}
		r.mzxid, r.owner = o.zxid, 1
	}
}

// ended frees what a client holds.
func (s *sim) ended(client int) {
	maps.DeleteFunc(s.owners, func(_ string, o owner) bool { return o.client == client })
}

// simulate makes a history of some clients, and judges it; faulty reports whether there was an occasion
// for the fault.
func simulate(t *testing.T, seed uint64, f fault, rules Rules) (wrong []string, faulty bool) {
	t.Helper()
	w := World{Root: "/sim"}
	rng := rand.New(rand.NewPCG(seed, uint64(f)))
	s := newSim(w, rng, f, rules)
	const clients, steps = 5, 800
	workers := make([]*Worker, clients)
	for i := range workers {
		workers[i] = NewWorker(w, i, rng, func(list ...*Record) error { s.do(i, list...); return nil })
	}
	for i := range steps {
		s.busy = i > steps/3 && i < steps*2/3
		switch i % 20 { // a client that goes away with a lock, and is forgotten
		case 0:
			s.do(clients+i, &Record{kind: acquire, path: w.Lock(0)})
		case 10:
			s.now += 10
			s.h.add(&Record{client: clients + i - 10, kind: end, call: s.now, ret: never})
			s.ended(clients + i - 10)
		}
		if err := workers[rng.IntN(clients)].Step(); err != nil {
			t.Fatal(err)
		}
	}
	for _, wk := range workers {
		if err := wk.Finish(); err != nil {
			t.Fatal(err)
		}
	}
	return Judge(s.h, w, s.queue, rules), s.faulty
}

// kinds are what a history may be judged as.
func kinds() map[string]Rules {
	return map[string]Rules{"server": {}, "ensemble": {Ensemble: true}}
}

// TestRightHistories: what a right server, or ensemble, gives passes.
func TestRightHistories(t *testing.T) {
	for name, rules := range kinds() {
		for seed := range uint64(20) {
			if wrong, _ := simulate(t, seed, none, rules); len(wrong) > 0 {
				t.Fatalf("%s, seed %d: %s", name, seed, strings.Join(wrong, "\n"))
			}
		}
	}
}

// TestLingering: a stale read behind a sync is nobody's fault while a leader lingers.
func TestLingering(t *testing.T) {
	for seed := range uint64(10) {
		if wrong, _ := simulate(t, seed, staleSynced, Rules{Ensemble: true, Lingering: []Span{{0, never}}}); len(wrong) > 0 {
			t.Fatalf("seed %d: %s", seed, strings.Join(wrong, "\n"))
		}
	}
}

// TestMutants: each fault is found.
func TestMutants(t *testing.T) {
	everywhere := map[string]fault{
		"a read of what was before": staleRead, "an acknowledged write that did nothing": lostWrite, "an acknowledged node that is not there": lostNode,
		"a restart that goes back": lostRollback, "half a multi": halfMulti, "a number given twice": numberTwice, "a set on another version": wrongVersion,
		"a set refused though the version is right": falseRefusal, "an event behind the reply": lateEvent, "no event": noEvent, "a second event": secondEvent,
		"a zxid that goes back": zxidBack, "two holders of a lock": twoHolders, "a lock that is free too early": earlyExpiry,
		"a request done again and again": maybeTwice, "accounts read at different times": tornAudit, "the old data after an event": oldAfterEvent,
	}
	here := map[string]map[string]fault{
		"server":   {"a reply from before an answered write": readBeforeWrite},
		"ensemble": {"a read behind a sync of what was before": staleSynced, "a read of another moment than its zxid's": otherMoment},
	}
	for kind, rules := range kinds() {
		faults := maps.Clone(everywhere)
		maps.Copy(faults, here[kind])
		for name, f := range faults {
			t.Run(kind+"/"+name, func(t *testing.T) { mustBeFound(t, f, rules) })
		}
	}
}

// mustBeFound looks for a fault in some histories in which it happened. Now and then it can be explained by a
// maybe; then nobody can know of it.
func mustBeFound(t *testing.T, f fault, rules Rules) {
	const least, most = 3, 10
	happened, found := 0, 0
	for seed := uint64(0); happened < most && found < least && seed < 50; seed++ {
		wrong, faulty := simulate(t, seed, f, rules)
		if !faulty {
			continue
		}
		happened++
		if len(wrong) > 0 {
			found++
			t.Logf("seed %d: %.160s", seed, wrong[0])
		}
	}
	if found < least {
		t.Errorf("found in %d of %d histories", found, happened)
	}
}
