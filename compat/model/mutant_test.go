package model

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
)

// sim is a server, as far as the workload needs one. Every operation happens at one moment between its
// call and its return; with a fault, it does one thing wrong once, when there is an occasion after a
// while.
type sim struct {
	h       *history
	rng     *rand.Rand
	fault   fault
	faulty  bool // it has happened
	busy    bool // in the middle of the history
	now     int64
	zxid    jute.Zxid
	nodes   map[string]simNode
	before  map[string]simNode // the nodes a while ago
	queue   []string
	owners  map[string]int // of locks
	armed   map[int]map[string]bool
	pending []func() // maybes that happen later
}

type simNode struct {
	node
	mzxid jute.Zxid
}

func newSim(w world, rng *rand.Rand, f fault) *sim {
	s := &sim{h: newHistory(), rng: rng, fault: f, nodes: map[string]simNode{}, owners: map[string]int{}, armed: map[int]map[string]bool{}}
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
func (s *sim) do(client int, records ...*record) {
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
func (s *sim) maybe(r *record) {
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
func (s *sim) apply(r *record, answered bool) {
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
	default:
		s.lock(r)
	}
	if r.zxid > 100 && answered && s.once(zxidBack) {
		r.zxid -= 50
	}
	if answered {
		s.h.arrived(r.client, item{reply: r})
	}
	for _, i := range late {
		s.h.arrived(r.client, i)
	}
}

func (s *sim) get(r *record) {
	n := s.nodes[r.path]
	if old := s.before[r.path]; s.before != nil && old.version < n.version && !r.watch && s.once(staleRead) {
		n = old
	}
	r.cells = []cell{{path: r.path, value: n.value, version: n.version}}
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
func (s *sim) set(r *record) (late []item) {
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
			if s.once(secondEvent) {
				s.h.arrived(client, ev)
			}
		}
	}
	return late
}

func (s *sim) append(r *record) {
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

func (s *sim) transfer(r *record) {
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

func (s *sim) audit(r *record) {
	for i := range r.cells {
		c := &r.cells[i]
		n := s.nodes[c.path]
		if old := s.before[c.path]; s.before != nil && old.version < n.version && s.once(tornAudit) {
			n = old
		}
		c.value, c.version = n.value, n.version
		r.mzxid = max(r.mzxid, n.mzxid)
	}
}

func (s *sim) lock(r *record) {
	owner, held := s.owners[r.path]
	switch r.kind {
	case acquire:
		if held && !s.once(twoHolders) {
			r.code = jute.CodeNodeExists
			return
		}
		s.owners[r.path] = r.client
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
		r.cells = []cell{{path: r.path, value: fmt.Sprint(owner)}}
		r.owner = 1
	}
}

// ended frees what a client holds.
func (s *sim) ended(client int) {
	maps.DeleteFunc(s.owners, func(_ string, owner int) bool { return owner == client })
}

// simulate makes a history of some clients, and judges it; faulty reports whether there was an occasion
// for the fault.
func simulate(t *testing.T, seed uint64, f fault) (wrong []string, faulty bool) {
	t.Helper()
	w := world{root: "/sim"}
	rng := rand.New(rand.NewPCG(seed, uint64(f)))
	s := newSim(w, rng, f)
	const clients, steps = 5, 800
	workers := make([]*worker, clients)
	for i := range workers {
		workers[i] = newWorker(w, i, rng, func(list ...*record) error { s.do(i, list...); return nil })
	}
	for i := range steps {
		s.busy = i > steps/3 && i < steps*2/3
		switch i % 20 { // a client that goes away with a lock, and is forgotten
		case 0:
			s.do(clients+i, &record{kind: acquire, path: w.lock(0)})
		case 10:
			s.now += 10
			s.h.add(&record{client: clients + i - 10, kind: end, call: s.now, ret: never})
			s.ended(clients + i - 10)
		}
		if err := workers[rng.IntN(clients)].step(); err != nil {
			t.Fatal(err)
		}
	}
	for _, wk := range workers {
		if err := wk.finish(); err != nil {
			t.Fatal(err)
		}
	}
	return judge(s.h, w, s.queue), s.faulty
}

// TestRightHistories: what a right server gives passes.
func TestRightHistories(t *testing.T) {
	for seed := range uint64(20) {
		if wrong, _ := simulate(t, seed, none); len(wrong) > 0 {
			t.Fatalf("seed %d: %s", seed, strings.Join(wrong, "\n"))
		}
	}
}

// TestMutants: each fault is found.
func TestMutants(t *testing.T) {
	for name, f := range map[string]fault{
		"a read of what was before": staleRead, "an acknowledged write that did nothing": lostWrite, "an acknowledged node that is not there": lostNode,
		"a restart that goes back": lostRollback, "half a multi": halfMulti, "a number given twice": numberTwice, "a set on another version": wrongVersion,
		"a set refused though the version is right": falseRefusal, "an event behind the reply": lateEvent, "no event": noEvent, "a second event": secondEvent,
		"a zxid that goes back": zxidBack, "a reply from before an answered write": readBeforeWrite, "two holders of a lock": twoHolders,
		"a lock that is free too early": earlyExpiry, "a request done again and again": maybeTwice, "accounts read at different times": tornAudit,
	} {
		t.Run(name, func(t *testing.T) {
			// Now and then a fault can be explained by a maybe; then nobody can know of it.
			const least = 3
			happened, found := 0, 0
			for seed := uint64(0); happened < least+1 && seed < 50; seed++ {
				wrong, faulty := simulate(t, seed, f)
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
		})
	}
}
