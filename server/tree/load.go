package tree

import (
	"fmt"

	"zk/jute"
)

// Loader fills a tree from a snapshot: sessions and ACL lists first, then the nodes, the root before all
// and parents before their children, then Finish. What can't be a tree is an error. The tree is fresh
// (New over an empty store, without Init) and nobody else's, so no lock is needed.
type Loader struct {
	t     *Tree
	lists map[int64][]jute.ACL // of the snapshot, by its own ids
	ids   map[int64]uint32     // those that nodes use, by the same ids
	root  bool                 // has come

	parentPath string // of the node before
	parent     Ref
}

// NewLoader loads into t.
func NewLoader(t *Tree) *Loader {
	t.counts = Counts{}
	return &Loader{t: t, lists: map[int64][]jute.ACL{}, ids: map[int64]uint32{jute.ACLIDOpen: OpenACL}, parent: NoRef}
}

// Session adds a session.
func (l *Loader) Session(s *jute.SnapshotSession) error {
	l.t.sessions[s.SessionID] = s.TimeoutMillis
	l.t.store.PutSession(s.SessionID, s.TimeoutMillis)
	return nil
}

// ACL adds a list that nodes may use.
func (l *Loader) ACL(a *jute.SnapshotACL) error {
	l.lists[a.ID] = a.ACL
	return nil
}

// use counts one more node that uses a list of the snapshot, and gives the tree's id of it.
func (l *Loader) use(id int64) (uint32, error) {
	own, ok := l.ids[id]
	if !ok {
		list, ok := l.lists[id]
		if !ok {
			return 0, fmt.Errorf("tree: load: no ACL list has the id %d", id)
		}
		own = l.t.acls.intern(list)
		l.ids[id] = own
		return own, nil
	}
	if own != OpenACL {
		l.t.acls.byID[own].refs++ // told to the store by Finish
	}
	return own, nil
}

// Node adds a node.
func (l *Loader) Node(n *jute.SnapshotNode) error {
	acl, err := l.use(n.ACLID)
	if err != nil {
		return fmt.Errorf("%w, which %q has", err, n.Path)
	}
	if n.Path == "" {
		return l.loadRoot(n, acl)
	}
	t := l.t
	if p := parentOf(n.Path); l.parent == NoRef || p != l.parentPath {
		l.parentPath, l.parent = p, t.store.Find(p)
	}
	if !l.root || l.parent == NoRef {
		return fmt.Errorf("tree: load: %q comes before its parent", n.Path)
	}
	if t.store.Find(n.Path) != NoRef {
		return fmt.Errorf("tree: load: %q comes twice", n.Path)
	}
	t.insert(l.parent, n.Path, &Node{Stat: n.Stat, ACL: acl}, n.Data)
	t.register(n.Path, n.Stat.EphemeralOwner)
	return nil
}

func (l *Loader) loadRoot(n *jute.SnapshotNode, acl uint32) error {
	if l.root {
		return fmt.Errorf("tree: load: the root comes twice")
	}
	l.root = true
	t := l.t
	r := t.store.Find(RootPath)
	t.store.SetData(r, n.Data)
	node := t.store.Edit(r)
	node.Stat, node.ACL = n.Stat, acl
	node.DataCRC = DataCRC(RootPath, n.Data)
	node.Digest = t.digester.Node(node.DataCRC, &node.Stat)
	t.counts.Nodes++
	t.counts.DataBytes += int64(len(n.Data))
	t.counts.Digest += int64(node.Digest)
	return nil
}

// Finish ends the load: the tree is at lastZxid, and the usage of quotas is counted anew, as Java does it
// (DataTree.setupQuota).
func (l *Loader) Finish(lastZxid jute.Zxid) error {
	if !l.root {
		return fmt.Errorf("tree: load: there is no root")
	}
	t := l.t
	for id, e := range t.acls.byID {
		t.store.PutACL(id, e.refs, e.acl)
	}
	t.loadQuotas()
	for _, q := range t.quotas {
		usage := t.countSubtree(q.Path)
		q.Count, q.Bytes = usage.Count, usage.Bytes
		t.writeUsage(q)
	}
	t.counts.LastZxid = lastZxid
	return nil
}

// Replace makes this tree what another one is, whose content the tree's store has taken over in the same
// step. Called under the write lock. Open walks are lost, everything else that was found in the tree
// before is no more.
func (t *Tree) Replace(by *Tree) {
	for _, w := range t.walks {
		w.lost, w.top, w.stack = true, NoRef, nil
	}
	t.walks = nil
	t.acls, t.counts, t.sessions = by.acls, by.counts, by.sessions
	t.ephemerals, t.candidates, t.quotas = by.ephemerals, by.candidates, by.quotas
	t.acls.store = t.store
}
