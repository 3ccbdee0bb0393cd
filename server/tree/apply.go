package tree

import "zk/jute"

// Events is told of each change while it is applied, in Java's order. ACL lists are those of the named
// node and of its parent; they stay valid.
type Events interface {
	NodeCreated(path, parent string, zxid jute.Zxid, acl, parentACL []jute.ACL)
	NodeDeleted(path, parent string, zxid jute.Zxid, acl, parentACL []jute.ACL)
	NodeDataChanged(path string, zxid jute.Zxid, acl []jute.ACL)
}

// deleteChunk is the number of ephemerals deleted between two calls of Options.Yield.
const deleteChunk = 500

// Result is what a transaction did, as far as a reply needs it.
type Result struct {
	Type jute.OpCode
	Code jute.Code
	Path string
	Stat jute.Stat
	Subs []Result // of a multi
}

// Apply does one transaction. It never fails: what Java tolerates in a replay is tolerated here, and
// told in the result's code. The result's memory is reused by the caller through res.
func (t *Tree) Apply(h *jute.TxnHeader, txn *jute.Txn, ev Events, res *Result) {
	*res = Result{Type: txn.Type, Subs: res.Subs[:0]}
	switch txn.Type {
	case jute.OpCreateSession:
		t.sessions[h.ClientID] = txn.TimeoutMillis
		t.store.PutSession(h.ClientID, txn.TimeoutMillis)
	case jute.OpCloseSession:
		t.closeSession(h, txn, ev)
	case jute.OpMulti:
		t.applyMulti(h, txn, ev, res)
	default:
		t.applyOne(h, txn, ev, res)
	}
	t.counts.LastZxid = max(t.counts.LastZxid, h.Zxid)
}

// applyOne does a transaction that may stand inside a multi.
func (t *Tree) applyOne(h *jute.TxnHeader, txn *jute.Txn, ev Events, res *Result) {
	res.Type = txn.Type
	res.Path = txn.Path
	switch txn.Type {
	case jute.OpCreate, jute.OpCreate2, jute.OpCreateContainer, jute.OpCreateTTL:
		t.create(h, txn, ev, res)
	case jute.OpDelete, jute.OpDeleteContainer:
		res.Code = t.delete(txn.Path, h.Zxid, ev)
	case jute.OpSetData, jute.OpReconfig:
		t.setData(h, txn, ev, res)
	case jute.OpSetACL:
		t.setACL(txn, res)
	case jute.OpError:
		res.Code = txn.Err
	case jute.OpCheck:
	}
}

// applyMulti does all parts, or nothing when one of them is an error (Java: DataTree.processTxn).
func (t *Tree) applyMulti(h *jute.TxnHeader, txn *jute.Txn, ev Events, res *Result) {
	failed := -1
	for i := range txn.Subs {
		if txn.Subs[i].Type == jute.OpError {
			failed = i
			break
		}
	}
	t.inMulti = true
	defer func() { t.inMulti = false }()
	for i := range txn.Subs {
		res.Subs = append(res.Subs, Result{})
		sub := &res.Subs[len(res.Subs)-1]
		switch {
		case failed < 0:
			t.applyOne(h, &txn.Subs[i], ev, sub)
		case i < failed:
			*sub = Result{Type: jute.OpError}
		case i == failed:
			*sub = Result{Type: jute.OpError, Code: txn.Subs[i].Err}
		default:
			*sub = Result{Type: jute.OpError, Code: jute.CodeRuntimeInconsistency}
		}
	}
}

func (t *Tree) create(h *jute.TxnHeader, txn *jute.Txn, ev Events, res *Result) {
	path := txn.Path
	parentPath := parentOf(path)
	parent := t.store.Find(parentPath)
	if parent == NoRef || path == RootPath {
		res.Code = jute.CodeNoNode
		return
	}
	if r := t.store.Find(path); r != NoRef {
		t.replaceACL(r, txn.ACL)
		t.raiseCversion(parent, parentPath, txn.ParentCversion, h.Zxid)
		res.Code = jute.CodeNodeExists
		return
	}
	stats := quotaNode(path, QuotaStatsNode)
	var usage Quota
	if stats != "" {
		usage = t.countSubtree(stats)
	}
	cversion := txn.ParentCversion
	if cversion == -1 {
		cversion = t.store.Node(parent).Stat.Cversion + 1
	}
	n := Node{
		Stat: jute.StatPersisted{
			Czxid: h.Zxid, Mzxid: h.Zxid, Pzxid: h.Zxid, Ctime: h.Time, Mtime: h.Time,
			EphemeralOwner: t.owner(h, txn),
		},
		ACL: t.acls.intern(txn.ACL),
	}
	r := t.insert(parent, path, &n, txn.Data)
	t.raiseCversion(parent, parentPath, cversion, h.Zxid)
	t.register(path, n.Stat.EphemeralOwner)
	t.created(path, stats, usage, int64(len(txn.Data)))
	t.Stat(r, &res.Stat)
	ev.NodeCreated(path, parentPath, h.Zxid, t.ACL(r), t.ACL(parent))
}

// owner gives the ephemeralOwner of a node to be created.
func (t *Tree) owner(h *jute.TxnHeader, txn *jute.Txn) int64 {
	switch {
	case txn.Type == jute.OpCreateContainer:
		return ContainerOwner
	case txn.Type == jute.OpCreateTTL:
		return TTLOwnerMask | txn.TTL&TTLMax
	case txn.Ephemeral:
		return int64(h.ClientID)
	}
	return 0
}

// register puts a new node into the index its owner calls for.
func (t *Tree) register(path string, owner int64) {
	switch {
	case owner == 0:
	case t.sessionOwned(owner):
		id := jute.SessionID(owner)
		set := t.ephemerals[id]
		if set == nil {
			set = &pathSet{paths: map[string]struct{}{}}
			t.ephemerals[id] = set
		}
		set.add(path)
		t.counts.Ephemerals++
		t.store.PutEphemeral(id, path)
	default:
		t.candidates[path] = struct{}{}
		t.store.PutCandidate(path)
	}
}

func (t *Tree) unregister(path string, owner int64) {
	switch {
	case owner == 0:
	case t.sessionOwned(owner):
		id := jute.SessionID(owner)
		set := t.ephemerals[id]
		if !set.remove(path) {
			return
		}
		if set.len() == 0 {
			delete(t.ephemerals, id)
		}
		t.counts.Ephemerals--
		t.store.DropEphemeral(id, path)
	default:
		delete(t.candidates, path)
		t.store.DropCandidate(path)
	}
}

// raiseCversion moves the parent's cversion and pzxid on, never back (Java: setCversionPzxid).
func (t *Tree) raiseCversion(parent Ref, path string, cversion int32, zxid jute.Zxid) {
	if cversion <= t.store.Node(parent).Stat.Cversion {
		return
	}
	n := t.store.Edit(parent)
	n.Stat.Cversion = cversion
	n.Stat.Pzxid = zxid
	t.restat(path, n)
}

func (t *Tree) delete(path string, zxid jute.Zxid, ev Events) jute.Code {
	parentPath := parentOf(path)
	parent := t.store.Find(parentPath)
	if parent != NoRef && zxid > t.store.Node(parent).Stat.Pzxid {
		n := t.store.Edit(parent)
		n.Stat.Pzxid = zxid
		t.restat(parentPath, n)
	}
	r := t.store.Find(path)
	if r == NoRef || parent == NoRef || path == RootPath {
		return jute.CodeNoNode
	}
	n := t.store.Node(r)
	if n.Children > 0 {
		return jute.CodeNotEmpty
	}
	acl, parentACL := t.ACL(r), t.ACL(parent)
	bytes := int64(len(t.store.Data(r)))
	t.counts.Nodes--
	t.counts.DataBytes -= int64(len(path)) + bytes
	t.counts.Digest -= int64(n.Digest)
	t.unregister(path, n.Stat.EphemeralOwner)
	t.acls.release(n.ACL)
	t.observe(parent, r, path, false)
	t.store.Delete(r, path)
	t.deleted(path, bytes)
	ev.NodeDeleted(path, parentPath, zxid, acl, parentACL)
	return jute.CodeOk
}

// SetConfig makes the list of servers the content of /zookeeper/config, and reports whether that is a change. It
// is no transaction: every server of an ensemble has its own list, and the node counts in no digest. (Java:
// ZKDatabase.initConfigInZKDatabase)
func (t *Tree) SetConfig(text string, version jute.Zxid, now int64) bool {
	r := t.store.Find(ConfigPath)
	if r == NoRef || string(t.store.Data(r)) == text {
		return false
	}
	data := []byte(text)
	diff := int64(len(data) - len(t.store.Data(r)))
	n := t.store.Edit(r)
	t.store.SetData(r, data)
	n.DataCRC = DataCRC(ConfigPath, data)
	n.Stat.Mzxid, n.Stat.Mtime, n.Stat.Version = version, now, -1
	t.restat(ConfigPath, n)
	t.counts.DataBytes += diff
	return true
}

func (t *Tree) setData(h *jute.TxnHeader, txn *jute.Txn, ev Events, res *Result) {
	r := t.store.Find(txn.Path)
	if r == NoRef {
		res.Code = jute.CodeNoNode
		return
	}
	diff := int64(len(txn.Data) - len(t.store.Data(r)))
	n := t.store.Edit(r)
	t.store.SetData(r, txn.Data)
	n.DataCRC = DataCRC(txn.Path, txn.Data)
	n.Stat.Mzxid = h.Zxid
	n.Stat.Mtime = h.Time
	n.Stat.Version = txn.Version
	t.restat(txn.Path, n)
	t.counts.DataBytes += diff
	t.dataChanged(txn.Path, diff, txn.Data)
	t.Stat(r, &res.Stat)
	ev.NodeDataChanged(txn.Path, h.Zxid, t.ACL(r))
}

func (t *Tree) setACL(txn *jute.Txn, res *Result) {
	r := t.store.Find(txn.Path)
	if r == NoRef {
		res.Code = jute.CodeNoNode
		return
	}
	t.replaceACL(r, txn.ACL)
	n := t.store.Edit(r)
	n.Stat.Aversion = txn.Version
	t.restat(txn.Path, n)
	t.Stat(r, &res.Stat)
}

func (t *Tree) replaceACL(r Ref, acl []jute.ACL) {
	id := t.acls.intern(acl)
	old := t.store.Node(r).ACL
	t.store.Edit(r).ACL = id
	t.acls.release(old)
}

// closeSession deletes the ephemerals the transaction names, then whatever the session still has
// (reference disk-formats, section 4, rule 7). Readers are let in now and then: they may see some of very
// many ephemerals gone before the others, with the zxid of the transaction before.
func (t *Tree) closeSession(h *jute.TxnHeader, txn *jute.Txn, ev Events) {
	if _, ok := t.sessions[h.ClientID]; ok {
		delete(t.sessions, h.ClientID)
		t.store.DropSession(h.ClientID)
	}
	t.deleteAll(txn.Paths, h.Zxid, ev)
	if t.EphemeralCount(h.ClientID) > 0 {
		t.deleteAll(t.Ephemerals(h.ClientID, nil), h.Zxid, ev)
	}
}

func (t *Tree) deleteAll(paths []string, zxid jute.Zxid, ev Events) {
	for i, p := range paths {
		t.delete(p, zxid, ev)
		if i%deleteChunk == deleteChunk-1 && t.opt.Yield != nil {
			t.opt.Yield()
		}
	}
}
