package sim

import (
	"bytes"
	"fmt"
	"math/bits"
	"slices"

	"zk/jute"
)

// checker knows more than any server: everything that was proposed, by whom and after what, who holds it
// durably, and the one history of what is committed. It is asked at every step that could break a rule.
type checker struct {
	w           *world
	proposals   map[jute.Zxid]*proposal // looked up, never walked over
	history     []*proposal             // committed, in order
	established map[uint32]int          // epoch: 1 + the server that leads it
	adopted     map[uint32]uint64       // epoch: servers that have acknowledged its NEWLEADER
	tails       map[uint32]jute.Zxid    // epoch: the history its leader brought along
	syncs       map[int32]jute.Zxid     // sync request: what was proposed when the leader had it
	ended       map[int64]int           // epoch that a voter has promised itself to: terms that have ended for its sake
	violation   string
	epochs      int // terms that were established
	lastLeader  int
	changes     int // times the leadership went on, to another server or epoch
}

// proposal is what the checker knows of a transaction.
type proposal struct {
	entry
	prev      jute.Zxid // what the leader had before it
	tree      tree      // what all up to it make
	held      uint64    // servers that hold it durably, by index; one that was wiped since counts
	committed int       // its place in the history, from 1; 0 not committed
}

func newChecker(w *world) *checker {
	c := &checker{w: w, proposals: make(map[jute.Zxid]*proposal), established: make(map[uint32]int), tails: make(map[uint32]jute.Zxid),
		adopted: make(map[uint32]uint64), syncs: make(map[int32]jute.Zxid), ended: make(map[int64]int), lastLeader: -1}
	c.proposals[0] = &proposal{held: ^uint64(0)} // the empty tree
	return c
}

// fail reports the first broken rule and ends the run.
func (c *checker) fail(format string, args ...any) {
	if c.violation == "" {
		c.violation = fmt.Sprintf(format, args...)
		c.w.trace(nil, "VIOLATION: %s", c.violation)
	}
}

func (c *checker) last() jute.Zxid {
	if n := len(c.history); n > 0 {
		return c.history[n-1].zxid
	}
	return 0
}

// proposed is a leader's new transaction.
func (c *checker) proposed(s *server, e entry, prev jute.Zxid) {
	if c.established[e.zxid.Epoch()] != s.host+1 {
		c.fail("%v proposes %v without having established epoch %d", s, e.zxid, e.zxid.Epoch())
	}
	if old := c.proposals[e.zxid]; old != nil {
		c.fail("%v proposes %v a second time", s, e.zxid)
	}
	if !follows(prev, e.zxid) {
		c.fail("%v proposes %v after %v: a gap", s, e.zxid, prev)
	}
	p := &proposal{entry: e, prev: prev}
	if before := c.proposals[prev]; before != nil {
		p.tree = before.tree.apply(e)
	}
	c.proposals[e.zxid] = p
}

// follows reports if z is the next zxid in prev's epoch, or the first of a later one.
func follows(prev, z jute.Zxid) bool {
	if prev.Epoch() == z.Epoch() {
		return z == prev+1
	}
	return z.Epoch() > prev.Epoch() && z.Counter() == 1
}

// appended is an entry that a server writes behind last: every log is a path of what was proposed, so it
// has no gap and agrees with every other up to where they part.
func (c *checker) appended(s *server, e entry, last jute.Zxid) {
	switch p := c.proposals[e.zxid]; {
	case p == nil || !bytes.Equal(p.bytes, e.bytes):
		c.fail("%v logs %v, which nobody has proposed so", s, e.zxid)
	case p.prev != last:
		c.fail("%v logs %v behind %v, it was proposed behind %v", s, e.zxid, last, p.prev)
	}
}

// held marks an entry as durable at a server.
func (c *checker) held(s *server, z jute.Zxid) {
	if p := c.proposals[z]; p != nil {
		p.held |= 1 << s.host
	}
}

// heldUpTo marks z and all before it as durable at a server.
func (c *checker) heldUpTo(s *server, z jute.Zxid) {
	for p := c.proposals[z]; p != nil && p.held&(1<<s.host) == 0; p = c.proposals[p.prev] {
		p.held |= 1 << s.host
	}
}

// quorumHolds reports if a majority of the voters holds it durably, or did before it was wiped.
func (c *checker) quorumHolds(p *proposal) bool { return c.quorum(p.held) }

// quorum reports if a set of servers, by index, has a majority of the voters, or, with groups, of the weight in
// a majority of those that have weight.
func (c *checker) quorum(set uint64) bool {
	groups, weights := c.w.groups, c.w.weights
	if groups == nil {
		return 2*bits.OnesCount64(set&(1<<c.w.voters-1)) > c.w.voters
	}
	counted, won := 0, 0
	for _, members := range groups {
		all, has := int64(0), int64(0)
		for _, host := range members {
			all += weights[host]
			if set&(1<<host) != 0 {
				has += weights[host]
			}
		}
		if all > 0 {
			counted++
		}
		if 2*has > all {
			won++
		}
	}
	return 2*won > counted
}

// establish is a quorum's ACK of NEWLEADER: from here on the leader's history is committed.
func (c *checker) establish(s *server, epoch uint32) {
	if other := c.established[epoch]; other != 0 {
		c.fail("epoch %d is established by %v and by %v", epoch, c.w.servers[other-1], s)
		return
	}
	c.established[epoch] = s.host + 1
	if m := &s.disk.durable; m.lost || s.wiped {
		c.fail("I9: %v has lost its memory and leads epoch %d", s, epoch)
	} else if m.currentEpoch != int64(epoch) {
		c.fail("%v leads epoch %d, its durable currentEpoch is %d", s, epoch, m.currentEpoch)
	}
	c.adopted[epoch] |= 1 << s.host
	if !c.quorum(c.adopted[epoch]) {
		c.fail("%v establishes epoch %d, which no quorum has adopted durably (%b)", s, epoch, c.adopted[epoch])
	}
	c.tails[epoch] = s.disk.live.lastLogged()
	c.commitUpTo(s, c.tails[epoch])
	c.epochs++
	if c.lastLeader >= 0 {
		c.changes++
	}
	c.lastLeader = s.host
}

// commitUpTo is a leader's committed mark: z, and everything it was proposed behind, is the history.
func (c *checker) commitUpTo(s *server, z jute.Zxid) {
	var path []*proposal
	for at := z; at > c.last(); {
		p := c.proposals[at]
		if p == nil {
			c.fail("%v commits %v, which nobody has proposed", s, at)
			return
		}
		path = append(path, p)
		at = p.prev
		if at < c.last() {
			c.fail("%v commits %v, which was proposed behind %v, without the committed %v", s, z, at, c.last())
			return
		}
	}
	for _, p := range slices.Backward(path) {
		c.commit(s, p)
	}
}

// commit makes a transaction the next of the one history.
func (c *checker) commit(s *server, p *proposal) {
	c.takesPart(s, "commits")
	if !c.quorumHolds(p) {
		c.fail("%v commits %v, which no quorum holds durably (%b)", s, p.zxid, p.held)
	}
	c.history = append(c.history, p)
	p.committed = len(c.history)
	c.w.clients.committed(p)
}

// apply is a transaction that goes into a server's tree, which is t then.
func (c *checker) apply(s *server, e entry, t tree) {
	switch p := c.proposals[e.zxid]; {
	case p != nil && s.java && t == p.tree && (p.committed > 0 || !s.proc.serving):
		// It applies what a leader tells of in the sync phase, and what its own log does not have durably.
	case p == nil || p.committed == 0:
		c.fail("I4: %v applies %v, which is not committed", s, e.zxid)
	case t != p.tree:
		c.fail("I3: %v has applied %d transactions up to %v, the history has %d", s, t.count, e.zxid, p.committed)
	case s.disk.durable.lastLogged() < e.zxid:
		c.fail("I8: %v applies %v, its log is durable up to %v", s, e.zxid, s.disk.durable.lastLogged())
	}
}

// replayed is the tree of a server of Java that has applied all of its log.
func (c *checker) replayed(s *server) {
	if m := &s.disk.live; m.state != c.tree(m.lastLogged()) {
		c.fail("I3: %v replays its log up to %v, which makes no tree of a history", s, m.lastLogged())
	}
}

// flushed is a batch of the state that has become durable.
func (c *checker) flushed(s *server) {
	m := &s.disk.durable
	switch {
	case m.lastLogged() < m.state.applied:
		c.fail("I8: the state of %v is at %v on disk, its log at %v", s, m.state.applied, m.lastLogged())
	case m.state != c.tree(m.state.applied):
		c.fail("I3: the state of %v on disk at %v is no tree of the history", s, m.state.applied)
	}
}

// truncates is a log that is about to be cut behind z.
func (c *checker) truncates(s *server, z jute.Zxid) {
	if m := &s.disk.live; m.state.applied > z && !s.java {
		c.fail("%v cuts its log behind %v, its tree is at %v", s, z, m.state.applied)
	}
}

// adopts is a SNAP that is about to take the place of a server's log and state. From a leader that is not
// established it may hold what is not committed; the server must not serve it before that is.
func (c *checker) adopts(s *server, base tree) {
	if base != c.tree(base.applied) {
		c.fail("I3: %v adopts a tree at %v that is none of a history", s, base.applied)
	}
}

// tree is what a history up to z makes.
func (c *checker) tree(z jute.Zxid) tree {
	if p := c.proposals[z]; p != nil {
		return p.tree
	}
	return tree{count: -1}
}

// serves is a server that begins to take clients.
func (c *checker) serves(s *server, epoch int64) {
	c.takesPart(s, "serves")
	m := &s.disk.live
	switch tail, ok := c.tails[uint32(epoch)]; {
	case !ok:
		c.fail("%v serves in epoch %d, which is not established", s, epoch)
	case m.state.applied < tail:
		c.fail("%v serves in epoch %d with a tree at %v, the history that the leader brought along ends at %v", s, epoch, m.state.applied, tail)
	case m.state.applied > 0 && c.proposals[m.state.applied].committed == 0:
		c.fail("I4: %v serves a tree at %v, which is not committed", s, m.state.applied)
	case m.lost:
		c.fail("I9: %v has lost its memory and serves", s)
	}
}

// syncAnswer is a SYNC packet that has reached a learner, which has been told of commits up to told.
func (c *checker) syncAnswer(s *server, request int32, told jute.Zxid) {
	if mark := c.syncs[request]; told > mark {
		c.fail("COMMIT %v overtakes the answer to sync %d on its way to %v, which waits for %v", told, request, s, mark)
	}
}

// synced is the answer to a sync request, given to a client.
func (c *checker) synced(s *server, request int32) {
	if mark := c.syncs[request]; s.disk.live.state.applied < mark {
		c.fail("%v answers sync %d with a tree at %v, the leader had proposed %v", s, request, s.disk.live.state.applied, mark)
	}
}

// dropped are entries that a server no longer has, cut or replaced by a SNAP. What is committed has to stay
// with a quorum all the same. Proposals of the epoch that a server is in must stay with it: it may have acknowledged
// them, and a leader may count that.
func (c *checker) dropped(s *server, entries []entry) {
	for _, e := range entries {
		p := c.proposals[e.zxid]
		if p == nil {
			continue
		}
		if !s.java && int64(e.zxid.Epoch()) == s.disk.durable.acceptedEpoch {
			c.fail("%v drops %v, which its leader has proposed in this epoch", s, e.zxid)
		}
		p.held &^= 1 << s.host
		if p.committed > 0 && !c.quorumHolds(p) {
			c.fail("%v drops the committed %v, which no quorum holds any more (%b)", s, e.zxid, p.held)
		}
	}
}

// promises is an acceptedEpoch that a server is about to save.
func (c *checker) promises(s *server, epoch int64) {
	if old := s.disk.live.acceptedEpoch; epoch <= old {
		c.fail("%v promises itself to epoch %d, it has done so to %d", s, epoch, old)
	}
}

// gaveWay is a term that has ended for the sake of a voter which has promised itself to an epoch, as the leader has then,
// too. No more terms end for one epoch than there are voters whom the next leader need not ask: fewer than half. A disk
// that is lost takes its promise with it.
func (c *checker) gaveWay(s *server, epoch int64) {
	c.ended[epoch]++
	if n := c.ended[epoch]; c.w.groups == nil && c.w.stats.Faults[faultWipe] == 0 && n > max(1, (c.w.voters-1)/2) {
		c.fail("%v gives way to a promise to epoch %d: %d terms have done so in an ensemble of %d voters", s, epoch, n, c.w.voters)
	}
}

// votes is a notification that leaves a server, with a zxid of its own. An empty server may say 0 until it hears of
// a history.
func (c *checker) votes(s *server, zxid jute.Zxid) {
	if (s.disk.live.lost || s.wiped) && zxid > 0 {
		c.fail("I9: %v has lost its memory and votes for itself with %v", s, zxid)
	}
}

// takesPart is something that a server does which one that lacks room does not.
func (c *checker) takesPart(s *server, what string) {
	if s.proc != nil && s.proc.aside {
		c.fail("%v has no room and %s", s, what)
	}
}

// acks is an ACK of a proposal that leaves a server.
func (c *checker) acks(s *server, z jute.Zxid) {
	c.takesPart(s, "acknowledges")
	m := &s.disk.durable
	if f, ok := m.floor(z); !ok || f != z {
		c.fail("I5: %v acknowledges %v, its durable log ends at %v", s, z, m.lastLogged())
	}
	if m.lost || s.wiped {
		c.fail("I9: %v has lost its memory and acknowledges %v", s, z)
	}
}

// acksNewLeader is an ACK of NEWLEADER, or of UPTODATE, that leaves a server.
func (c *checker) acksNewLeader(s *server, epoch uint32) {
	m := &s.disk.durable
	switch {
	case m.currentEpoch != int64(epoch):
		c.fail("I4: %v acknowledges NEWLEADER of epoch %d, its durable currentEpoch is %d", s, epoch, m.currentEpoch)
	case !s.java && m.lastLogged() < c.w.servers[s.host].disk.live.lastLogged() && s.proc != nil && !s.proc.serving && s.proc.learner != nil && !s.proc.learner.core.Established():
		c.fail("I4: %v acknowledges NEWLEADER of epoch %d with %v received, its log is durable up to %v", s, epoch, s.disk.live.lastLogged(), m.lastLogged())
	case m.acceptedEpoch > int64(epoch):
		c.fail("%v acknowledges NEWLEADER of epoch %d, it has promised itself to %d", s, epoch, m.acceptedEpoch)
	case m.lost || s.wiped:
		c.fail("I9: %v has lost its memory and acknowledges NEWLEADER of epoch %d", s, epoch)
	}
	c.adopted[epoch] |= 1 << s.host
}

// replaced is a SNAP that a server has adopted durably, with proposals behind it, in the place of old.
func (c *checker) replaced(s *server, old []entry, base jute.Zxid, rest []entry) {
	c.heldUpTo(s, base)
	for _, e := range rest {
		c.held(s, e.zxid)
	}
	kept := make(map[jute.Zxid]bool)
	for z := base; z != 0 && c.proposals[z] != nil; z = c.proposals[z].prev {
		kept[z] = true
	}
	for _, e := range rest {
		kept[e.zxid] = true
	}
	c.dropped(s, slices.DeleteFunc(slices.Clone(old), func(e entry) bool { return kept[e.zxid] }))
}
