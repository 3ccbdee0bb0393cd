package server

import (
	"strings"

	"zk/jute"
	"zk/server/tree"
	"zk/server/watch"
)

const (
	// stepNodes is the number of nodes a long read visits under one hold of the tree lock.
	stepNodes = 1000
	// queuedReplyBytes is how much the replies of reads queued behind a write may be together, which are
	// given at once when that write is applied.
	queuedReplyBytes = 1 << 20
	// multiReadBytesMax bounds the reply of a multiRead. Java has no bound: 40,000 reads of a 1 MiB node
	// fit in one request.
	multiReadBytesMax = 64 << 20
	// multiReadStepBytes is what of it is made under one hold of the tree lock.
	multiReadStepBytes = 1 << 20
	// longReplyBytesMax bounds a list; a frame can't be longer than twice as much.
	longReplyBytesMax = 1 << 30
)

// readOp is a part of a multiRead.
type readOp struct {
	op   jute.OpCode
	path string
}

// decodeMultiRead reads the parts of a multiRead; anything but getData and getChildren fails.
func decodeMultiRead(d *jute.Decoder) []readOp {
	var ops []readOp
	for {
		var h jute.MultiHeader
		h.Decode(d)
		if d.Err() != nil || h.Done {
			return ops
		}
		if h.Type != jute.OpGetData && h.Type != jute.OpGetChildren {
			d.Fail("multiRead: not a read")
			return nil
		}
		ops = append(ops, readOp{op: h.Type, path: d.String()})
		d.Bool() // a watch is never set here
	}
}

// isHeavy reports whether a local request may take longer than the tree lock may be held. Called under
// the tree lock.
func (s *Server) isHeavy(r *request) bool {
	l := &r.local
	if l.code != jute.CodeOk {
		return false
	}
	switch r.op {
	case jute.OpGetChildren, jute.OpGetChildren2:
		n := s.tree.Find(l.path)
		return n != tree.NoRef && s.tree.ChildCount(n) > stepNodes
	case jute.OpGetEphemerals:
		return s.tree.EphemeralCount(r.c.session.ID()) > stepNodes
	case jute.OpGetAllChildrenNumber, jute.OpMultiRead, jute.OpSetWatches, jute.OpSetWatches2:
		return true
	}
	return false
}

// weigh decides, before a local request is queued behind writes, whether it is heavy when its turn comes:
// for what it has to visit, or because the replies queued already are as much as may be appended in one
// go.
func (c *conn) weigh(r *request) {
	s := c.srv
	s.lock.RLock()
	r.heavy = s.isHeavy(r)
	r.bytes = s.replyBytes(r)
	s.lock.RUnlock()
	q := &c.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if r.op == jute.OpGetData {
		r.bytes = max(r.bytes, q.largest) // the write in front may be one of this node
	}
	if q.bytes+r.bytes > queuedReplyBytes {
		r.heavy = true
	}
}

// replyBytes is about the size of a reply as things are. Called under the tree lock.
func (s *Server) replyBytes(r *request) int {
	const small, perPath = 128, 64
	switch r.op {
	case jute.OpGetData, jute.OpGetChildren, jute.OpGetChildren2:
		n := s.tree.Find(r.local.path)
		if n == tree.NoRef {
			return small
		}
		if r.op == jute.OpGetData {
			return small + len(s.tree.Data(n))
		}
		return small + perPath*s.tree.ChildCount(n)
	case jute.OpGetEphemerals:
		return small + perPath*s.tree.EphemeralCount(r.c.session.ID())
	}
	return small + len(r.local.path)
}

// runHeavy runs a long read in steps and appends its reply.
func (c *conn) runHeavy(r *request) {
	switch r.op {
	case jute.OpGetChildren, jute.OpGetChildren2:
		c.listChildren(r)
	case jute.OpGetAllChildrenNumber:
		c.countNodes(r)
	case jute.OpMultiRead:
		c.multiRead(r)
	case jute.OpGetEphemerals:
		c.listEphemerals(r)
	default:
		c.setWatches(r)
	}
}

// finish appends a reply; body is called when there is no error. Called under the tree lock.
func (c *conn) finish(r *request, code jute.Code, body func([]byte) []byte) {
	zxid := c.srv.tree.LastZxid()
	size := c.frame(func(b []byte) []byte {
		b = appendHeader(b, r.xid, zxid, code)
		if code != jute.CodeOk || body == nil {
			return b
		}
		return body(b)
	})
	c.noteReply(r.op, r.xid, zxid, size)
}

// read runs a step of a long read under the tree's read lock, which a panic in f doesn't keep. All steps but the
// first wait for a share: a read of one step is none of those that can wait.
func (s *Server) read(first bool, f func()) {
	if !first {
		defer s.shares.give(s.shares.take())
	}
	s.lock.RLock()
	defer s.lock.RUnlock()
	f()
}

// walk goes over many nodes in steps: step is called under the tree's read lock until it says that it is
// done, which it has to be in the hold of the lock in which it makes the reply; or that it wants the walk's
// index. fail is called with an error of the request, under the lock too.
func (c *conn) walk(r *request, open func(tree.Ref) *tree.Walk, fail func(jute.Code), step func(*tree.Walk) (done, index bool)) {
	for !c.walkOnce(r, open, fail, step) { // the tree was replaced meanwhile
	}
}

// walkOnce reports whether the walk came to its end.
func (c *conn) walkOnce(r *request, open func(tree.Ref) *tree.Walk, fail func(jute.Code), step func(*tree.Walk) (done, index bool)) bool {
	s := c.srv
	w, code := c.openWalk(r, open)
	if code != jute.CodeOk {
		s.read(true, func() { fail(code) })
		return true
	}
	defer c.closeWalk(w)
	for first := true; ; first = false {
		var lost, done, index bool
		s.read(first, func() {
			if lost = w.Lost(); !lost {
				done, index = step(w)
			}
		})
		switch {
		case lost:
			return false
		case done:
			return true
		case index:
			for !s.index(w) {
			}
		}
	}
}

// openWalk opens a walk after the checks of the request, or gives the error. It sets no watch: that comes
// with the reply, as clients drop an event of a watch whose reply they have not had.
func (c *conn) openWalk(r *request, open func(tree.Ref) *tree.Walk) (*tree.Walk, jute.Code) {
	s := c.srv
	s.lock.Lock()
	defer s.lock.Unlock()
	unwatched := localOp{path: r.local.path, ids: r.local.ids}
	if code := c.readable(r.op, &unwatched); code != jute.CodeOk {
		return nil, code
	}
	return open(s.tree.Find(r.local.path)), jute.CodeOk
}

// index is a step of the walk's index.
func (s *Server) index(w *tree.Walk) (done bool) {
	defer s.shares.give(s.shares.take())
	return w.Index(stepNodes)
}

func (c *conn) closeWalk(w *tree.Walk) {
	c.srv.lock.Lock()
	defer c.srv.lock.Unlock()
	w.Close()
}

// listChildren lists very many children. The reply is made in pieces, and what comes and goes meanwhile
// is worked in, so that the last step, which has to see the tree as the reply tells it, is short too.
func (c *conn) listChildren(r *request) {
	c.walk(r, c.srv.tree.OpenChildren, func(code jute.Code) { c.finish(r, code, nil) }, func(w *tree.Walk) (done, index bool) {
		if !w.Step(stepNodes) {
			return false, false
		}
		if w.NeedsIndex() {
			return false, true
		}
		if done = w.Node() == tree.NoRef || w.Settle(); done {
			c.finishList(r, w)
		}
		return done, false
	})
}

// finishList appends the reply to a long list of children. Called under the tree lock.
func (c *conn) finishList(r *request, w *tree.Walk) {
	s := c.srv
	n := w.Node()
	if n == tree.NoRef {
		c.finish(r, jute.CodeNoNode, nil)
		return
	}
	if r.local.watch {
		s.watches.Add(r.local.path, c, watch.StandardChild)
	}
	pieces, ok := w.Names()
	if !ok {
		c.finish(r, jute.CodeOk, func(b []byte) []byte {
			b = s.appendChildren(b, n)
			if r.op == jute.OpGetChildren2 {
				b = s.appendStat(b, n)
			}
			return b
		})
		return
	}
	var stat []byte
	if r.op == jute.OpGetChildren2 {
		stat = s.appendStat(nil, n)
	}
	c.finishLong(r, w.Count(), pieces, stat)
}

// finishLong appends a reply that is a vector of n ustrings, and what comes after it. Called under the
// tree lock.
func (c *conn) finishLong(r *request, n int, pieces [][]byte, end []byte) {
	bytes := 0
	for _, p := range pieces {
		bytes += len(p)
	}
	if bytes > longReplyBytesMax {
		c.srv.log.Warn("reply is too large", "session", jute.SessionID(c.sid.Load()), "op", r.op, "bytes", bytes)
		c.shutdown()
		return
	}
	zxid := c.srv.tree.LastZxid()
	size := c.longFrame(func(b []byte) []byte {
		return jute.AppendInt32(appendHeader(b, r.xid, zxid, jute.CodeOk), int32(n))
	}, pieces, bytes, end)
	c.noteReply(r.op, r.xid, zxid, size)
}

func (c *conn) countNodes(r *request) {
	c.walk(r, c.srv.tree.OpenCount, func(code jute.Code) { c.finish(r, code, nil) }, func(w *tree.Walk) (done, index bool) {
		if !w.Step(stepNodes) {
			return false, false
		}
		n := w.Count()
		if r.local.path == "" {
			n++ // Java has the root under "" and "/", and counts what starts with the path
		}
		c.finish(r, jute.CodeOk, func(b []byte) []byte { return jute.AppendInt32(b, int32(n)) })
		return true, false
	})
}

// multiRead answers each part as it would be alone (reference client-protocol, section 8). All parts are
// from one moment, as in Java, if they and the reply are not very long; others from several, as they must
// not keep writes waiting.
func (c *conn) multiRead(r *request) {
	s := c.srv
	var b []byte
	rest := r.local.multi
	for first, done := true, false; !done; first = false {
		var wide *readOp
		s.read(first, func() {
			from := len(b)
			for n := 0; n < stepNodes && len(b)-from < multiReadStepBytes && len(rest) > 0; n++ {
				if s.isWide(&rest[0]) {
					wide = &rest[0]
					return
				}
				b = c.readPart(b, rest[0], r.local.ids)
				rest = rest[1:]
			}
			if done = len(rest) == 0; done {
				c.finish(r, jute.CodeOk, func(out []byte) []byte { return jute.MultiEnd.Append(append(out, b...)) })
			}
		})
		if wide != nil {
			b = c.readWide(b, *wide, r.local.ids)
			rest = rest[1:]
		}
		if len(b) > multiReadBytesMax {
			s.log.Warn("reply of a multiRead is too large", "session", jute.SessionID(c.sid.Load()), "bytes", len(b))
			c.shutdown()
			return
		}
	}
}

// isWide reports whether a part is a list of very many children. Called under the tree lock.
func (s *Server) isWide(op *readOp) bool {
	if op.op != jute.OpGetChildren {
		return false
	}
	n := s.tree.Find(op.path)
	return n != tree.NoRef && s.tree.ChildCount(n) > stepNodes
}

// readWide is readPart for a list of very many children, in steps: the children as they were seen, without
// what has changed since.
func (c *conn) readWide(b []byte, op readOp, ids []jute.ID) []byte {
	r := &request{op: op.op, local: localOp{path: op.path, ids: ids}}
	var seen *tree.Walk
	c.walk(r, c.srv.tree.OpenChildren, func(code jute.Code) { b = appendReadError(b, code) }, func(w *tree.Walk) (done, index bool) {
		seen = w
		return w.Step(stepNodes), false
	})
	if seen == nil {
		return b
	}
	pieces, _ := seen.Names()
	b = jute.AppendInt32(jute.MultiHeader{Type: op.op}.Append(b), int32(seen.Count()))
	for _, p := range pieces {
		b = append(b, p...)
	}
	return b
}

func appendReadError(b []byte, code jute.Code) []byte {
	b = jute.MultiHeader{Type: jute.OpError, Err: code}.Append(b)
	return jute.AppendInt32(b, int32(code))
}

func (c *conn) readPart(b []byte, op readOp, ids []jute.ID) []byte {
	l := localOp{path: op.path, ids: ids}
	if code := c.readable(op.op, &l); code != jute.CodeOk {
		return appendReadError(b, code)
	}
	b = jute.MultiHeader{Type: op.op}.Append(b)
	return c.body(b, &request{op: op.op, local: l})
}

// setWatches registers the watches of a client that has come back, and tells it what it missed
// (reference client-protocol, section 10). Events go ahead of the reply.
func (c *conn) setWatches(r *request) {
	s := c.srv
	set := r.local.set
	lists := [][]string{set.Data, set.Exist, set.Child, set.Persistent, set.PersistentRecur}
	visit := []func(string, *request){c.catchUpData, c.catchUpExist, c.catchUpChild,
		func(p string, _ *request) { s.watches.Add(p, c, watch.Persistent) },
		func(p string, _ *request) { s.watches.Add(p, c, watch.PersistentRecursive) }}
	first := true
	for i, list := range lists {
		for len(list) > 0 {
			n := min(len(list), stepNodes/4)
			s.read(first, func() {
				for _, p := range list[:n] {
					visit[i](p, r)
				}
			})
			list, first = list[n:], false
		}
	}
	s.lock.RLock()
	defer s.lock.RUnlock()
	c.finish(r, jute.CodeOk, nil)
}

// missed sends a catch-up event.
func (c *conn) missed(t jute.EventType, path string) {
	s := c.srv
	frame := watch.AppendFrame(nil, t, path, -1)
	if !c.appendFrame(frame) {
		c.shutdown()
		return
	}
	s.met.WatchBytes.Add(int64(len(frame) - 4))
	s.met.Server.PacketsSent.Inc()
	c.stats.sent.Add(1)
}

// hidden reports whether the client may not read the node; then it gets no event, only the watch.
func (c *conn) hidden(n tree.Ref, r *request) bool {
	return !c.srv.auth.Check(c.srv.tree.ACL(n), jute.PermRead, r.local.ids)
}

func (c *conn) catchUpData(path string, r *request) {
	s := c.srv
	n := s.tree.Find(path)
	if n == tree.NoRef {
		c.missed(jute.EventNodeDeleted, path)
		return
	}
	if mzxid, _ := s.tree.Zxids(n); mzxid > r.local.set.RelativeZxid && !c.hidden(n, r) {
		c.missed(jute.EventNodeDataChanged, path)
		return
	}
	s.watches.Add(path, c, watch.StandardData)
}

func (c *conn) catchUpExist(path string, r *request) {
	s := c.srv
	if n := s.tree.Find(path); n != tree.NoRef && !c.hidden(n, r) {
		c.missed(jute.EventNodeCreated, path)
		return
	}
	s.watches.Add(path, c, watch.StandardData)
}

func (c *conn) catchUpChild(path string, r *request) {
	s := c.srv
	n := s.tree.Find(path)
	if n == tree.NoRef {
		c.missed(jute.EventNodeDeleted, path)
		return
	}
	if _, pzxid := s.tree.Zxids(n); pzxid > r.local.set.RelativeZxid && !c.hidden(n, r) {
		c.missed(jute.EventNodeChildrenChanged, path)
		return
	}
	s.watches.Add(path, c, watch.StandardChild)
}

// listEphemerals lists very many ephemerals of the session in steps. What comes or goes meanwhile may be
// in the list or not.
func (c *conn) listEphemerals(r *request) {
	s := c.srv
	keep := underPrefix(r.local.path)
	var pieces [][]byte
	n := 0
	s.eachEphemeral(c.session.ID(), func(path string) {
		if !keep(path) {
			return
		}
		last := len(pieces) - 1
		if last < 0 || len(pieces[last])+4+len(path) > cap(pieces[last]) {
			pieces = append(pieces, make([]byte, 0, max(tree.NamesBytes, 4+len(path))))
			last++
		}
		pieces[last] = jute.AppendString(pieces[last], path)
		n++
	})
	s.lock.RLock()
	defer s.lock.RUnlock()
	c.finishLong(r, n, pieces, nil)
}

// eachEphemeral calls f for a session's ephemerals, with a share and the tree's read lock, and lets go of both now
// and then.
func (s *Server) eachEphemeral(id jute.SessionID, f func(path string)) {
	share := s.shares.take()
	defer func() { s.shares.give(share) }()
	s.lock.RLock()
	defer s.lock.RUnlock()
	eachEphemeral(s.lock, s.tree, id, f, func() {
		s.shares.give(share)
		share = s.shares.take()
	})
}

// eachEphemeral calls between now and then, without the read lock. A map may change while a loop over it is not running.
func eachEphemeral(lock *TreeLock, t *tree.Tree, id jute.SessionID, f func(path string), between func()) {
	n := 0
	t.EachEphemeral(id, func(path string) {
		f(path)
		if n++; n%stepNodes == 0 {
			lock.RUnlock()
			between()
			lock.RLock()
		}
	})
}

// appendEphemerals appends the session's ephemerals whose path starts with prefix.
func (s *Server) appendEphemerals(b []byte, id jute.SessionID, prefix string) []byte {
	keep := underPrefix(prefix)
	list := []string{}
	s.tree.EachEphemeral(id, func(path string) {
		if keep(path) {
			list = append(list, path)
		}
	})
	return jute.AppendStrings(b, list)
}

// underPrefix tells which paths start with prefix; blank and "/" are all.
func underPrefix(prefix string) func(path string) bool {
	// As Java's String.trim: control characters are blank too.
	blank := strings.TrimFunc(prefix, func(r rune) bool { return r <= ' ' })
	if blank == "" || blank == tree.RootPath {
		return func(string) bool { return true }
	}
	return func(path string) bool { return strings.HasPrefix(path, prefix) }
}
