package server

import (
	"zk/jute"
	"zk/server/auth"
	"zk/server/tree"
	"zk/server/watch"
)

// local decodes a request that needs no transaction and runs it, or queues it behind the writes of its
// connection.
func (c *conn) local(h *jute.RequestHeader, d *jute.Decoder, ids []jute.ID) bool {
	c.req = request{c: c, xid: h.Xid, op: h.Type, received: c.batch, local: localOp{ids: ids}}
	r := &c.req
	body := d.Rest()
	decodeLocal(&r.local, h.Type, d)
	r.amount = int64(d.Offset() + d.Remaining())
	if d.Err() != nil {
		r.local.code = jute.CodeMarshallingError
	} else if h.Type != jute.OpPing && c.session.IsClosing() {
		r.local.code = jute.CodeSessionExpired
	} else if h.Type != jute.OpPing && !c.session.CheckOwner(c) {
		return false
	}
	if r.local.code == jute.CodeOk {
		if err := c.srv.pinLocal(r); err != nil {
			c.srv.fail(err)
			return false
		}
	}
	if h.Type == jute.OpSync && r.local.code == jute.CodeOk && c.term.Ensemble != nil {
		return c.sync(r, body)
	}
	c.runLocal(r)
	return true
}

// decodeLocal reads the body. What is null or out of range fails, as MarshallingError.
func decodeLocal(l *localOp, op jute.OpCode, d *jute.Decoder) {
	switch op {
	case jute.OpExists, jute.OpGetData, jute.OpGetChildren, jute.OpGetChildren2:
		l.path, l.watch = d.String(), d.Bool()
	case jute.OpGetACL, jute.OpGetAllChildrenNumber:
		l.path = d.String()
	case jute.OpSync:
		var ok bool
		if l.path, ok = d.NullString(); !ok {
			l.mode = -1 // null is echoed as null
		}
	case jute.OpGetEphemerals:
		l.path, _ = d.NullString()
	case jute.OpCheckWatches, jute.OpRemoveWatches:
		l.path, l.mode = d.String(), d.Int32()
		if !watch.ValidType(l.mode) {
			d.Fail("unknown watcher type")
		}
	case jute.OpAddWatch:
		l.path, l.mode = d.String(), d.Int32()
		if l.mode != jute.AddWatchPersistent && l.mode != jute.AddWatchPersistentRecursive {
			d.Fail("unknown addWatch mode")
		}
	case jute.OpSetWatches, jute.OpSetWatches2:
		l.set = &jute.SetWatchesRequest{}
		l.set.Decode(d, op)
	case jute.OpMultiRead:
		l.multi = decodeMultiRead(d)
	}
}

// runLocal runs a request of the reader now, or queues a copy of it.
func (c *conn) runLocal(r *request) {
	if !c.queue.empty() {
		q := *r
		c.weigh(&q)
		c.srv.outstanding.Add(1)
		c.queue.push(&q)
		c.srv.settle(c) // its write may have been applied meanwhile
		c.limitOutstanding()
		return
	}
	c.reads++
	if c.replyNow(r) {
		return
	}
	c.leaveTurn()
	c.runHeavy(r)
}

// replyNow answers a local request under the tree's read lock, unless it is a heavy one.
func (c *conn) replyNow(r *request) bool {
	lock := c.srv.lock
	lock.RLock()
	defer lock.RUnlock()
	if c.srv.isHeavy(r) {
		return false
	}
	c.reply(r)
	return true
}

// reply appends the reply of a local request that is not heavy. Called under the tree lock.
func (c *conn) reply(r *request) {
	s := c.srv
	l := &r.local
	zxid := s.tree.LastZxid()
	xid := r.xid
	if r.op == jute.OpPing {
		xid = jute.XidPing
	}
	if l.code == jute.CodeOk {
		l.code = c.check(r)
	}
	if r.op == jute.OpGetData && l.code == jute.CodeOk {
		if n := s.tree.Find(l.path); len(s.tree.Data(n)) > sharedBytes {
			c.replyShared(r, n)
			return
		}
	}
	size := c.frame(func(b []byte) []byte {
		b = appendHeader(b, xid, zxid, l.code)
		if l.code != jute.CodeOk {
			return b
		}
		return c.body(b, r)
	})
	c.noteReply(r.op, xid, zxid, size)
}

// replyShared answers a getData without a copy of the data, which is long. Called under the tree lock.
func (c *conn) replyShared(r *request, n tree.Ref) {
	s := c.srv
	data := s.tree.Data(n)
	zxid := s.tree.LastZxid()
	size := c.longFrame(func(b []byte) []byte {
		return jute.AppendInt32(appendHeader(b, r.xid, zxid, jute.CodeOk), int32(len(data)))
	}, [][]byte{data}, len(data), s.appendStat(nil, n))
	s.noteRead(r.local.path, len(data))
	c.noteReply(r.op, r.xid, zxid, size)
}

// check does what may fail in a local request, and registers watches.
func (c *conn) check(r *request) jute.Code {
	s := c.srv
	l := &r.local
	switch r.op {
	case jute.OpExists:
		return c.exists(l)
	case jute.OpGetData, jute.OpGetChildren, jute.OpGetChildren2, jute.OpGetAllChildrenNumber:
		return c.readable(r.op, l)
	case jute.OpGetACL:
		n := s.tree.Find(l.path)
		if n == tree.NoRef {
			return jute.CodeNoNode
		}
		if !s.auth.Check(s.tree.ACL(n), jute.PermRead|jute.PermAdmin, l.ids) {
			return jute.CodeNoAuth
		}
	case jute.OpCheckWatches:
		if !s.watches.Has(l.path, c, l.mode) {
			return jute.CodeNoWatcher
		}
	case jute.OpRemoveWatches:
		if !s.watches.Remove(l.path, c, l.mode) {
			return jute.CodeNoWatcher
		}
	case jute.OpAddWatch:
		kind := watch.Persistent
		if l.mode == jute.AddWatchPersistentRecursive {
			kind = watch.PersistentRecursive
		}
		s.watches.Add(l.path, c, kind)
	}
	return jute.CodeOk
}

func (c *conn) exists(l *localOp) jute.Code {
	s := c.srv
	for i := range len(l.path) {
		if l.path[i] == 0 {
			return jute.CodeBadArguments
		}
	}
	n := s.tree.Find(l.path)
	if n != tree.NoRef && !s.auth.Check(s.tree.ACL(n), jute.PermRead, l.ids) {
		return jute.CodeNoAuth
	}
	if l.watch {
		s.watches.Add(l.path, c, watch.StandardData)
	}
	if n == tree.NoRef {
		return jute.CodeNoNode
	}
	return jute.CodeOk
}

func (c *conn) readable(op jute.OpCode, l *localOp) jute.Code {
	s := c.srv
	n := s.tree.Find(l.path)
	if n == tree.NoRef {
		return jute.CodeNoNode
	}
	if !s.auth.Check(s.tree.ACL(n), jute.PermRead, l.ids) {
		return jute.CodeNoAuth
	}
	if l.watch {
		kind := watch.StandardChild
		if op == jute.OpGetData {
			kind = watch.StandardData
		}
		s.watches.Add(l.path, c, kind)
	}
	return jute.CodeOk
}

// body appends the body of a reply without error.
func (c *conn) body(b []byte, r *request) []byte {
	s := c.srv
	l := &r.local
	switch r.op {
	case jute.OpExists:
		return s.appendStat(b, s.tree.Find(l.path))
	case jute.OpGetData:
		n := s.tree.Find(l.path)
		data := s.tree.Data(n)
		b = jute.AppendBuffer(b, data)
		s.noteRead(l.path, len(data))
		return s.appendStat(b, n)
	case jute.OpGetACL:
		return s.appendACL(b, l)
	case jute.OpGetChildren, jute.OpGetChildren2:
		n := s.tree.Find(l.path)
		at := len(b)
		b = s.appendChildren(b, n)
		s.noteRead(l.path, len(b)-at-4*(1+s.tree.ChildCount(n))) // the names alone
		if r.op == jute.OpGetChildren2 {
			b = s.appendStat(b, n)
		}
	case jute.OpSync:
		if l.mode < 0 {
			return jute.AppendNullString(b, nil)
		}
		return jute.AppendString(b, l.path)
	case jute.OpAddWatch:
		return jute.AppendInt32(b, 0) // ErrorResponse
	case jute.OpWhoAmI:
		infos := s.auth.ClientInfos(l.ids)
		b = jute.AppendInt32(b, int32(len(infos)))
		for i := range infos {
			b = infos[i].Append(b)
		}
	case jute.OpGetEphemerals:
		return s.appendEphemerals(b, c.session.ID(), l.path)
	}
	return b
}

func (s *Server) appendStat(b []byte, n tree.Ref) []byte {
	var st jute.Stat
	s.tree.Stat(n, &st)
	return st.Append(b)
}

func (s *Server) appendACL(b []byte, l *localOp) []byte {
	n := s.tree.Find(l.path)
	acl := s.tree.ACL(n)
	shown := acl
	if !s.auth.Check(acl, jute.PermAdmin, l.ids) {
		shown = auth.Redact(acl)
	}
	if shown == nil {
		shown = []jute.ACL{}
	}
	return s.appendStat(jute.AppendACLs(b, shown), n)
}

func (s *Server) appendChildren(b []byte, n tree.Ref) []byte {
	b = jute.AppendInt32(b, int32(s.tree.ChildCount(n)))
	s.tree.Children(n, func(name []byte) {
		b = append(jute.AppendInt32(b, int32(len(name))), name...)
	})
	return b
}

// pinPath brings a node and its ancestors into memory; paths about quotas need the subtree they count.
func (s *Server) pinPath(path string) error {
	const quota = tree.QuotaPath + "/"
	if len(path) > len(quota) && path[:len(quota)] == quota {
		root := path[len(tree.QuotaPath):]
		for i := len(root) - 1; i > 0; i-- {
			if root[i] == '/' {
				root = root[:i]
				break
			}
		}
		if err := s.store.EnsureTree(root); err != nil {
			return err
		}
	}
	return s.store.Ensure(path)
}

// pinLocal brings what a local request reads into memory.
func (s *Server) pinLocal(r *request) error {
	if s.store.Warmed() {
		return nil
	}
	l := &r.local
	switch r.op {
	case jute.OpExists, jute.OpGetData, jute.OpGetACL:
		return s.store.Ensure(l.path)
	case jute.OpGetChildren, jute.OpGetChildren2:
		return s.store.EnsureChildren(l.path)
	case jute.OpGetAllChildrenNumber:
		return s.store.EnsureTree(l.path)
	case jute.OpSetWatches, jute.OpSetWatches2:
		for _, list := range [][]string{l.set.Data, l.set.Exist, l.set.Child} {
			for _, p := range list {
				if err := s.store.Ensure(p); err != nil {
					return err
				}
			}
		}
	case jute.OpMultiRead:
		for i := range l.multi {
			if err := s.store.EnsureChildren(l.multi[i].path); err != nil {
				return err
			}
		}
	}
	return nil
}

// pinEphemerals brings a session's ephemerals into memory before its closeSession.
func (s *Server) pinEphemerals(id jute.SessionID) error {
	for _, p := range (lockedView{s.lock, s.tree}).Ephemerals(id, nil) {
		if err := s.store.Ensure(p); err != nil {
			return err
		}
	}
	return nil
}
