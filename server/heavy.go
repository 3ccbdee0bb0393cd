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

// read runs f under the tree's read lock, which a panic in f doesn't keep.
func (s *Server) read(f func()) {
	s.lock.RLock()
	defer s.lock.RUnlock()
	f()
}

// walk goes over many nodes in steps. end makes the reply, in the same hold of the lock as the last step.
func (c *conn) walk(r *request, open func(tree.Ref) *tree.Walk, end func(*tree.Walk)) {
	for !c.walkOnce(r, open, end) { // the tree was replaced meanwhile
	}
}

// walkOnce reports whether the reply was made.
func (c *conn) walkOnce(r *request, open func(tree.Ref) *tree.Walk, end func(*tree.Walk)) bool {
	s := c.srv
	w, code := c.openWalk(r, open)
	if code != jute.CodeOk {
		s.read(func() { c.finish(r, code, nil) })
		return true
	}
	defer c.closeWalk(w)
	for done := false; !done; {
		lost := false
		s.read(func() {
			if lost = w.Lost(); lost {
				return
			}
			if done = w.Step(stepNodes); done {
				end(w)
			}
		})
		if lost {
			return false
		}
	}
	return true
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

func (c *conn) closeWalk(w *tree.Walk) {
	c.srv.lock.Lock()
	defer c.srv.lock.Unlock()
	w.Close()
}

func (c *conn) listChildren(r *request) {
	s := c.srv
	c.walk(r, s.tree.OpenChildren, func(w *tree.Walk) {
		if w.Node() == tree.NoRef {
			c.finish(r, jute.CodeNoNode, nil)
			return
		}
		if r.local.watch {
			s.watches.Add(r.local.path, c, watch.StandardChild)
		}
		c.finish(r, jute.CodeOk, func(b []byte) []byte {
			if names, n, ok := w.Names(); ok {
				b = append(jute.AppendInt32(b, int32(n)), names...)
			} else {
				b = s.appendChildren(b, w.Node())
			}
			if r.op == jute.OpGetChildren2 {
				b = s.appendStat(b, w.Node())
			}
			return b
		})
	})
}

func (c *conn) countNodes(r *request) {
	c.walk(r, c.srv.tree.OpenCount, func(w *tree.Walk) {
		n := w.Count()
		if r.local.path == "" {
			n++ // Java has the root under "" and "/", and counts what starts with the path
		}
		c.finish(r, jute.CodeOk, func(b []byte) []byte { return jute.AppendInt32(b, int32(n)) })
	})
}

// multiRead answers each part as it would be alone (reference client-protocol, section 8).
func (c *conn) multiRead(r *request) {
	s := c.srv
	var b []byte
	for _, op := range r.local.multi {
		s.read(func() { b = c.readPart(b, op, r.local.ids) })
		if len(b) > multiReadBytesMax {
			s.log.Warn("reply of a multiRead is too large", "session", c.sid.Load(), "bytes", len(b))
			c.shutdown()
			return
		}
	}
	s.lock.RLock()
	defer s.lock.RUnlock()
	c.finish(r, jute.CodeOk, func(out []byte) []byte { return jute.MultiEnd.Append(append(out, b...)) })
}

func (c *conn) readPart(b []byte, op readOp, ids []jute.ID) []byte {
	l := localOp{path: op.path, ids: ids}
	if code := c.readable(op.op, &l); code != jute.CodeOk {
		b = jute.MultiHeader{Type: jute.OpError, Err: code}.Append(b)
		return jute.AppendInt32(b, int32(code))
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
	for i, list := range lists {
		for len(list) > 0 {
			n := min(len(list), stepNodes/4)
			s.read(func() {
				for _, p := range list[:n] {
					visit[i](p, r)
				}
			})
			list = list[n:]
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
	s.lock.RLock()
	defer s.lock.RUnlock()
	list := []string{}
	keep := underPrefix(r.local.path)
	s.eachEphemeral(c.session.ID(), func(path string) {
		if keep(path) {
			list = append(list, path)
		}
	})
	c.finish(r, jute.CodeOk, func(b []byte) []byte { return jute.AppendStrings(b, list) })
}

// eachEphemeral calls f for a session's ephemerals, and lets go of the tree's read lock, with which it is
// called, now and then. A map may change while a loop over it is not running.
func (s *Server) eachEphemeral(id jute.SessionID, f func(path string)) {
	n := 0
	s.tree.EachEphemeral(id, func(path string) {
		f(path)
		if n++; n%stepNodes == 0 {
			s.lock.RUnlock()
			s.lock.RLock()
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
