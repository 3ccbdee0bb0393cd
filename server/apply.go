package server

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"zk/jute"
	"zk/server/lookout"
	"zk/server/tree"
)

const (
	// applyBatch is the number of transactions applied under one hold of the tree lock.
	applyBatch = 64
	// flushShare is the number of connections that Apply flushes itself; more are left to other goroutines.
	flushShare = 128
	// flushYield is the number of connections after which such a one lets others run.
	flushYield = 8
)

// applier is the state of the goroutine that calls Server.Apply.
type applier struct {
	s         *Server
	touched   []*conn // that got a reply in this batch, or end
	told      []*conn // that got an event in this batch
	overfull  []*conn // whose clients leave too much unread
	flushed   int     // connections that got output in the last batch
	wide      sync.WaitGroup
	prop      jute.Proposal
	res       tree.Result
	deleted   []string // by the transaction at hand; kept for the audit log only
	forwarded arrival  // of the batch at hand, on a learner
	learner   *term    // the term of a learner, else nil; for the batch at hand
	stages    stages
}

func (a *applier) init(s *Server) { a.s = s }

// touch notes that a connection has output to be flushed, which somebody waits for.
func (a *applier) touch(c *conn) {
	if !c.touched {
		c.touched = true
		a.touched = append(a.touched, c)
	}
}

// tell notes that a connection has events to be flushed.
func (a *applier) tell(c *conn) {
	if !c.told {
		c.told = true
		a.told = append(a.told, c)
	}
}

// overflow notes a connection that is to be closed; its session lives on.
func (a *applier) overflow(c *conn) { a.overfull = append(a.overfull, c) }

// Apply takes committed proposals, in zxid order, from one goroutine. When it returns they are in the
// tree, their events and replies are on their way, and their Bytes are no longer used.
func (s *Server) Apply(batch []Proposal) {
	began := time.Now()
	if err := s.store.Throttle(); err != nil {
		s.fail(err)
		return
	}
	s.noteCommits(len(batch))
	for len(batch) > 0 {
		n := min(len(batch), applyBatch)
		began = s.applier.run(batch[:n], began)
		batch = batch[n:]
	}
}

// run applies a few proposals under one hold of the lock, then sends what came of them. It takes the time
// since which it was to be done, and gives the time when it was.
func (a *applier) run(batch []Proposal, began time.Time) time.Time {
	s := a.s
	if a.learner = s.term.Load(); a.learner != nil && !a.learner.Role.learner() {
		a.learner = nil
	}
	t := applyTimes{began: began, free: time.Now()}
	a.arrive(batch, t.free)
	t.locked = s.lockTree(t.free)
	for i := range batch {
		a.apply(&batch[i], t.free)
	}
	last := batch[len(batch)-1].Zxid
	s.store.Applied(len(batch), last, func(b []byte) []byte { return tree.AppendCounts(b, s.tree.Counts()) })
	s.lock.Unlock()
	t.applied = time.Now()
	a.release(batch, t.applied)
	a.flush()
	flushed := time.Now()
	a.noteStages(&t, len(batch), flushed)
	a.noteStop(&t, batch, flushed)
	return flushed
}

// arrive ends the way of a batch, so that who waits for a turn can prepare the next one while this one is applied.
func (a *applier) arrive(batch []Proposal, now time.Time) {
	var v arrival
	for i := range batch {
		if r, _ := batch[i].Tag.(*request); r != nil { // else it came from another server, or out of the log
			v.add(r, now)
		}
	}
	a.s.turns.arrived(v, now)
}

// release gives back the memory of a batch, and the way of what a learner has forwarded, which is known by now.
func (a *applier) release(batch []Proposal, now time.Time) {
	for i := range batch {
		if r, _ := batch[i].Tag.(*request); r != nil {
			a.s.pool.putOut(batch[i].Bytes)
		}
	}
	a.s.turns.arrived(a.forwarded, now)
	a.forwarded = arrival{}
}

// apply does one transaction. Called under the tree lock.
func (a *applier) apply(p *Proposal, now time.Time) {
	s := a.s
	r, _ := p.Tag.(*request)
	d := jute.NewDecoder(p.Bytes, len(p.Bytes))
	if r != nil {
		d.Like(r.path)
	}
	a.prop.Decode(&d)
	if d.Err() != nil {
		// It was encoded by a prep and came through the log's checksum.
		panic(fmt.Sprintf("server: committed proposal %s can't be decoded: %v", p.Zxid, d.Err()))
	}
	a.deleted = a.deleted[:0]
	age := now.UnixMilli() - a.prop.Header.Time
	a.stages.propagated.Observe(s.met.PropagationLatency, age)
	s.tree.Apply(&a.prop.Header, &a.prop.Txn, a, &a.res)
	digest := int64(0)
	if s.cfg.DigestEnabled {
		digest = s.tree.TreeDigest()
		if a.prop.HasDigest {
			s.digests.check(s, p.Zxid, a.prop.Digest.TreeDigest, digest)
		}
	}
	s.digests.record(p.Zxid, digest)
	s.noteWrites(&a.prop.Txn, &a.res)
	s.applied.Store(int64(p.Zxid))
	switch {
	case r != nil && r.c == nil: // it came from a learner, or from here: a leader has it in its queue all the same
		a.stages.wrote(s.met, age)
	case r == nil && a.learner != nil:
		if r = a.learner.answered(&a.prop); r != nil {
			a.forwarded.add(r, now)
		}
	}
	switch a.prop.Header.Type {
	case jute.OpCreateSession:
		a.sessionCreated(r)
	case jute.OpCloseSession:
		if s.opt.Audit != nil {
			a.auditEnd(a.prop.Header.ClientID, a.prop.Txn.Paths, a.deleted)
		}
		a.sessionClosed(r)
	default:
		if r != nil {
			a.answer(r, now)
		}
	}
	if r != nil {
		s.outstanding.Add(-1)
	}
}

// sessionCreated starts to track a session and answers its ConnectRequest.
func (a *applier) sessionCreated(r *request) {
	s := a.s
	h := &a.prop.Header
	ses := s.tracker.Add(h.ClientID, a.prop.Txn.TimeoutMillis, s.nowMillis())
	if r == nil || r.c == nil {
		return
	}
	a.observed(r, time.Now()) // as in Java, but not in what cons shows of the connection
	ses.SwapOwner(r.c)
	r.c.sid.Store(int64(h.ClientID))
	r.c.respond(&r.login.req, ses, a.prop.Txn.TimeoutMillis)
	r.login.ses = ses
	close(r.login.done)
	a.touch(r.c)
}

// sessionClosed ends a session; the connection that has it is closed.
func (a *applier) sessionClosed(r *request) {
	s := a.s
	ses := s.tracker.Remove(a.prop.Header.ClientID)
	if r != nil && r.c != nil {
		a.answer(r, time.Now())
	}
	if ses == nil {
		return
	}
	if c, ok := ses.Owner().(*conn); ok && c != nil {
		c.finishOutput()
		a.touch(c)
	}
}

// answer gives the reply of a write, and of what has waited behind it.
func (a *applier) answer(r *request, now time.Time) {
	s, c := a.s, r.c
	if c == nil {
		return
	}
	if r.large > 0 {
		s.large.Add(-r.large)
	}
	if r.audit != nil {
		a.auditAnswer(r.audit, r.code)
	}
	millis := a.observed(r, now)
	c.answered(1, millis)
	zxid := a.prop.Header.Zxid
	q := &c.queue
	q.mu.Lock()
	if q.head != r {
		a.outOfOrder(r, zxid)
		q.mu.Unlock()
		return
	}
	q.pop()
	if r.code == jute.CodeSessionMoved { // only from a leader; it is not told to clients
		c.finishOutput()
		q.mu.Unlock()
		a.touch(c)
		return
	}
	size := c.frame(func(b []byte) []byte { return a.appendReply(b, r, zxid) })
	op := r.op
	if r.code != jute.CodeOk {
		op = jute.OpError // Java names no operation then
	}
	c.noteReply(op, r.xid, zxid, size)
	c.runQueue()
	q.mu.Unlock()
	a.touch(c)
}

// observed counts a write of an own client, and gives its latency.
func (a *applier) observed(r *request, now time.Time) (millis int64) {
	millis = now.Sub(r.received).Milliseconds()
	a.s.met.ObserveRequest(millis, true)
	a.stages.wrote(a.s.met, millis)
	return millis
}

// outOfOrder is for a reply that is not the connection's next. On a learner it is the leader's fault, or the
// connection is that of a login, which ends.
func (a *applier) outOfOrder(r *request, zxid jute.Zxid) {
	if a.learner == nil {
		panic(fmt.Sprintf("server: reply of %s out of order", zxid))
	}
	if r.login != nil {
		close(r.login.done) // without a session
		return
	}
	r.c.disordered(r)
	a.touch(r.c)
}

// appendReply encodes header and body of a write's reply.
func (a *applier) appendReply(b []byte, r *request, zxid jute.Zxid) []byte {
	code := r.code
	if code == jute.CodeOk && r.op != jute.OpMulti {
		code = a.res.Code
	}
	h := jute.ReplyHeader{Xid: r.xid, Zxid: zxid, Err: code}
	b = h.Append(b)
	if code != jute.CodeOk {
		return b
	}
	switch r.op {
	case jute.OpCreate:
		return jute.AppendString(b, a.res.Path)
	case jute.OpCreate2, jute.OpCreateContainer, jute.OpCreateTTL:
		return a.res.Stat.Append(jute.AppendString(b, a.res.Path))
	case jute.OpSetData, jute.OpSetACL:
		return a.res.Stat.Append(b)
	case jute.OpMulti:
		return appendMultiReply(b, a.res.Subs)
	}
	return b
}

func appendMultiReply(b []byte, subs []tree.Result) []byte {
	for i := range subs {
		r := &subs[i]
		switch r.Type {
		case jute.OpError:
			b = jute.MultiHeader{Type: jute.OpError, Err: r.Code}.Append(b)
			b = jute.AppendInt32(b, int32(r.Code))
		case jute.OpCreate:
			b = jute.AppendString(jute.MultiHeader{Type: jute.OpCreate}.Append(b), r.Path)
		case jute.OpCreate2, jute.OpCreateContainer, jute.OpCreateTTL:
			b = jute.AppendString(jute.MultiHeader{Type: jute.OpCreate2}.Append(b), r.Path)
			b = r.Stat.Append(b)
		case jute.OpSetData:
			b = r.Stat.Append(jute.MultiHeader{Type: jute.OpSetData}.Append(b))
		default: // delete, check
			b = jute.MultiHeader{Type: r.Type}.Append(b)
		}
	}
	return jute.MultiEnd.Append(b)
}

// runQueue answers what has waited for its turn. Called with the queue's and the tree's lock held.
func (c *conn) runQueue() {
	q := &c.queue
	s := c.srv
	for q.head != nil && !q.busy {
		r := q.head
		switch {
		case r.write:
			return
		case r.heavy && c.out.usable(): // else the tree may be about to be closed
			q.busy = true
			s.work.Add(1)
			go c.runQueuedHeavy(r) // ends with the read
		case !c.out.usable():
			q.pop()
			s.outstanding.Add(-1)
		default:
			q.pop()
			c.reply(r)
			s.outstanding.Add(-1)
			millis := time.Since(r.received).Milliseconds()
			s.met.ObserveRequest(millis, false)
			c.answered(1, millis)
		}
	}
}

// runQueuedHeavy runs a long read at the head of the queue, then what waited behind it.
func (c *conn) runQueuedHeavy(r *request) {
	s := c.srv
	defer s.work.Done()
	finished := false
	defer func() {
		if !finished { // it has panicked
			c.abandonQueue()
		}
	}()
	defer c.recoverPanic()
	c.flush()
	c.await() // for room for the reply
	if c.out.usable() && !c.replyNow(r) {
		c.runHeavy(r)
	}
	s.outstanding.Add(-1)
	finished = true
	s.runRest(c)
	c.flush()
}

// abandonQueue drops what is queued behind a heavy read that has panicked. No write is among it.
func (c *conn) abandonQueue() {
	q := &c.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	q.busy = false
	c.srv.outstanding.Add(-int64(q.n))
	for q.head != nil {
		q.pop()
	}
}

// runRest goes on with the queue after a long read at its head.
func (s *Server) runRest(c *conn) {
	s.lock.RLock()
	defer s.lock.RUnlock()
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	c.queue.busy = false
	c.queue.pop()
	c.runQueue()
}

// settle runs what waits in the queue, in case the write it was queued behind has just been applied.
func (s *Server) settle(c *conn) {
	s.lock.RLock()
	defer s.lock.RUnlock()
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	c.runQueue()
}

// flush sends the output of the connections touched and told. Replies, of which there are no more than transactions,
// go first: they are not for the goroutines to whom events for many are left.
func (a *applier) flush() {
	for _, c := range a.overfull {
		a.s.log.Warn("client leaves too many events unread", "addr", c.remote, "session", jute.SessionID(c.sid.Load()))
		c.shutdown()
	}
	for _, c := range a.touched {
		c.touched = false
		c.flushApart()
	}
	for _, c := range a.told {
		c.told = false
	}
	if len(a.told) <= flushShare {
		for _, c := range a.told {
			c.flushApart()
		}
	} else {
		a.flushMany(slices.Clone(a.told))
	}
	a.flushed = len(a.touched) + len(a.told)
	clear(a.touched)
	clear(a.told)
	clear(a.overfull)
	a.touched, a.told, a.overfull = a.touched[:0], a.told[:0], a.overfull[:0]
}

// flushMany sends the output of many connections beside what apply does next: thousands of system calls
// must not keep other clients' writes waiting, nor want more than half of the processors. It waits for the one
// before, so that there is one at most.
func (a *applier) flushMany(list []*conn) {
	a.wide.Wait()
	hands := max(1, min(runtime.GOMAXPROCS(0)/2, len(list)/flushShare))
	for i := range hands {
		share := list[i*len(list)/hands : (i+1)*len(list)/hands]
		a.wide.Go(func() { // ends when its share is with the sockets, which takes no waiting
			var look lookout.Lookout
			defer look.Close()
			for n, c := range share {
				c.flush()
				if n%flushYield == 0 {
					look.Pause()
				}
			}
		})
	}
}

// NodeCreated implements tree.Events.
func (a *applier) NodeCreated(path, parent string, zxid jute.Zxid, acl, parentACL []jute.ACL) {
	if a.s.watches.Empty() {
		return
	}
	hits := a.s.watches.NodeCreated(path, zxid, acl, parentACL)
	observeHits(a.s.met.NodeCreatedWatchCount, hits.Data)
	observeHits(a.s.met.NodeChildrenWatchCount, hits.Parent)
}

// NodeDeleted implements tree.Events.
func (a *applier) NodeDeleted(path, parent string, zxid jute.Zxid, acl, parentACL []jute.ACL) {
	if a.s.opt.Audit != nil {
		a.deleted = append(a.deleted, path)
	}
	if a.s.watches.Empty() {
		return
	}
	hits := a.s.watches.NodeDeleted(path, zxid, acl, parentACL)
	observeHits(a.s.met.NodeDeletedWatchCount, hits.Data)
	observeHits(a.s.met.NodeDeletedWatchCount, hits.Child)
	observeHits(a.s.met.NodeChildrenWatchCount, hits.Parent)
}

// NodeDataChanged implements tree.Events.
func (a *applier) NodeDataChanged(path string, zxid jute.Zxid, acl []jute.ACL) {
	if a.s.watches.Empty() {
		return
	}
	hits := a.s.watches.NodeDataChanged(path, zxid, acl)
	observeHits(a.s.met.NodeChangedWatchCount, hits.Data)
}

func observeHits(m interface{ Observe(int64) }, n int) {
	if n > 0 {
		m.Observe(int64(n))
	}
}

// namespace is the first component of a path, the key of the metrics per namespace.
func namespace(path string) string {
	if len(path) < 2 {
		return ""
	}
	name, _, _ := strings.Cut(path[1:], "/")
	return name
}

// statOverhead is what Java adds for the Stat of a read, in bytes (DataTree.STAT_OVERHEAD_BYTES).
const statOverhead = jute.StatBytes

// noteRead counts a read of some bytes of a node's data or of its children's names.
func (s *Server) noteRead(path string, bytes int) {
	if ns := namespace(path); ns != "" {
		s.met.ReadPerNamespace.Observe(ns, int64(len(path)+bytes+statOverhead))
	}
}

// noteWrites counts what a transaction has written, part by part (DataTree.updateWriteStat).
func (s *Server) noteWrites(txn *jute.Txn, res *tree.Result) {
	if txn.Type == jute.OpMulti {
		for i := range res.Subs {
			if res.Subs[i].Type != jute.OpError {
				s.noteWrites(&txn.Subs[i], &res.Subs[i])
			}
		}
		return
	}
	switch txn.Type {
	case jute.OpCreate, jute.OpCreate2, jute.OpCreateContainer, jute.OpCreateTTL, jute.OpSetData, jute.OpDelete, jute.OpDeleteContainer:
		if ns := namespace(txn.Path); ns != "" && res.Code == jute.CodeOk {
			s.met.WritePerNamespace.Observe(ns, int64(len(txn.Path)+len(txn.Data)))
		}
	}
}
