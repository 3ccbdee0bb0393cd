package tree

import (
	"zk/jute"
)

// Options are the settings that change what transactions do.
type Options struct {
	// ExtendedTypes turns TTL nodes on (zookeeper.extendedTypesEnabled). Off, an owner 0xFF... is taken
	// for an ephemeral's session, as in Java.
	ExtendedTypes bool
	// Digest keeps the tree digest (zookeeper.digest.enabled).
	Digest bool
	// OnQuotaExceeded is told of a usage above a limit that is not enforced; nil ignores it.
	OnQuotaExceeded func(Quota)
	// Yield is called now and then in the two steps of Apply that may take long: counting a subtree for a new
	// quota, before anything was changed, and deleting a session's ephemerals, when some are gone. It may
	// release the write lock and take it again. Nil doesn't yield.
	Yield func()
}

// Counts are the figures kept along with the tree and saved with it.
type Counts struct {
	Nodes      int64 // the root counted once
	DataBytes  int64 // path lengths and data
	Ephemerals int64
	Digest     int64
	LastZxid   jute.Zxid
}

// AppendCounts encodes the figures, as they are saved with the tree.
func AppendCounts(b []byte, c Counts) []byte {
	for _, v := range [...]int64{c.Nodes, c.DataBytes, c.Ephemerals, c.Digest, int64(c.LastZxid)} {
		b = jute.AppendInt64(b, v)
	}
	return b
}

// DecodeCounts reads what AppendCounts wrote.
func DecodeCounts(b []byte) (Counts, error) {
	d := jute.NewDecoder(b, 0)
	c := Counts{Nodes: d.Int64(), DataBytes: d.Int64(), Ephemerals: d.Int64(), Digest: d.Int64(), LastZxid: jute.Zxid(d.Int64())}
	return c, d.Err()
}

// Tree is the znode tree. All fields are guarded by the server's tree lock.
type Tree struct {
	store      Store
	opt        Options
	acls       *aclTable
	counts     Counts
	sessions   map[jute.SessionID]int32 // timeout in milliseconds
	ephemerals map[jute.SessionID]*pathSet
	candidates map[string]struct{} // containers and TTL nodes
	quotas     map[string]*Quota
	walks      []*Walk
	digester   Digester
	inMulti    bool // parts of a multi may have been done: nobody may see the tree
}

// pathSet is a set of paths; nil is an empty one that can't be added to.
type pathSet struct {
	paths map[string]struct{}
	bytes int // of the paths
}

func (s *pathSet) add(path string) {
	if _, ok := s.paths[path]; !ok {
		s.paths[path] = struct{}{}
		s.bytes += len(path)
	}
}

// remove reports whether the path was there.
func (s *pathSet) remove(path string) bool {
	if s == nil {
		return false
	}
	if _, ok := s.paths[path]; !ok {
		return false
	}
	delete(s.paths, path)
	s.bytes -= len(path)
	return true
}

func (s *pathSet) len() int {
	if s == nil {
		return 0
	}
	return len(s.paths)
}

// Saved is what a start finds on disk beside the nodes.
type Saved struct {
	Counts     Counts
	Sessions   map[jute.SessionID]int32
	Ephemerals map[jute.SessionID][]string
	Candidates []string
	ACLs       []SavedACL
}

// SavedACL is one entry of the ACL table.
type SavedACL struct {
	ID   uint32
	Refs int64
	ACL  []jute.ACL
}

// New makes a tree over a store that has at least a root. For an empty store call Init next.
func New(store Store, saved Saved, opt Options) *Tree {
	t := &Tree{
		store: store, opt: opt, acls: newACLTable(store), counts: saved.Counts,
		sessions: map[jute.SessionID]int32{}, ephemerals: map[jute.SessionID]*pathSet{},
		candidates: map[string]struct{}{}, quotas: map[string]*Quota{},
	}
	for id, timeout := range saved.Sessions {
		t.sessions[id] = timeout
	}
	for id, paths := range saved.Ephemerals {
		set := &pathSet{paths: make(map[string]struct{}, len(paths))}
		for _, p := range paths {
			set.add(p)
		}
		t.ephemerals[id] = set
	}
	for _, p := range saved.Candidates {
		t.candidates[p] = struct{}{}
	}
	for _, a := range saved.ACLs {
		t.acls.load(a.ID, a.Refs, a.ACL)
	}
	t.loadQuotas()
	return t
}

// Init puts the nodes of a fresh tree under the root: /zookeeper, its quota and config nodes.
func (t *Tree) Init() {
	root := t.store.Find(RootPath)
	rn := t.store.Edit(root)
	rn.DataCRC = DataCRC(RootPath, []byte{})
	t.store.SetData(root, []byte{})
	rn.Digest = t.digester.Node(rn.DataCRC, &rn.Stat)
	t.counts = Counts{Nodes: 1, Digest: int64(rn.Digest)}
	read := []jute.ACL{{Perms: jute.PermRead, ID: jute.ID{Scheme: "world", ID: "anyone"}}}
	t.initNode(ZookeeperPath, t.acls.open, 0)
	t.initNode(QuotaPath, t.acls.open, 0)
	t.initNode(ConfigPath, read, -1)
}

func (t *Tree) initNode(path string, acl []jute.ACL, aversion int32) {
	n := Node{Stat: jute.StatPersisted{Aversion: aversion}, ACL: t.acls.intern(acl)}
	t.insert(t.store.Find(parentOf(path)), path, &n, []byte{})
}

// insert adds a node and keeps the counts; the parent's digest is the caller's.
func (t *Tree) insert(parent Ref, path string, n *Node, data []byte) Ref {
	n.DataCRC = DataCRC(path, data)
	if Digested(path) {
		n.Digest = t.digester.Node(n.DataCRC, &n.Stat)
		t.counts.Digest += int64(n.Digest)
	}
	t.counts.Nodes++
	t.counts.DataBytes += int64(len(path) + len(data))
	r := t.store.Create(parent, path, n, data)
	t.observe(parent, r, path, true)
	return r
}

// restat brings the node's digest up to date after a change of its stat or data.
func (t *Tree) restat(path string, n *Node) {
	if !Digested(path) {
		return
	}
	t.counts.Digest -= int64(n.Digest)
	n.Digest = t.digester.Node(n.DataCRC, &n.Stat)
	t.counts.Digest += int64(n.Digest)
}

// Counts gives the figures as of the last transaction.
func (t *Tree) Counts() Counts { return t.counts }

// TreeDigest implements View.
func (t *Tree) TreeDigest() int64 { return t.counts.Digest }

// LastZxid implements View.
func (t *Tree) LastZxid() jute.Zxid { return t.counts.LastZxid }

// Find gives the node at path, NoRef if there is none.
func (t *Tree) Find(path string) Ref { return t.store.Find(path) }

// Lookup implements View.
func (t *Tree) Lookup(path string, info *NodeInfo) bool {
	r := t.store.Find(path)
	if r == NoRef {
		return false
	}
	n := t.store.Node(r)
	info.Stat = n.Stat
	info.Children = n.Children
	info.ACL = t.acls.list(n.ACL)
	info.DataLength = int32(len(t.store.Data(r)))
	info.DataCRC = n.DataCRC
	info.Digest = n.Digest
	return true
}

// ACL gives the node's list. It is immutable.
func (t *Tree) ACL(r Ref) []jute.ACL { return t.acls.list(t.store.Node(r).ACL) }

// Data gives the node's data, nil for null; valid until the lock is released, and longer where there are more than
// LargeDataBytes.
func (t *Tree) Data(r Ref) []byte { return t.store.Data(r) }

// Stat fills in what clients see of the node.
func (t *Tree) Stat(r Ref, s *jute.Stat) {
	n := t.store.Node(r)
	*s = jute.Stat{
		Czxid: n.Stat.Czxid, Mzxid: n.Stat.Mzxid, Ctime: n.Stat.Ctime, Mtime: n.Stat.Mtime,
		Version: n.Stat.Version, Cversion: 2*n.Stat.Cversion - n.Children, Aversion: n.Stat.Aversion,
		EphemeralOwner: t.visibleOwner(n.Stat.EphemeralOwner),
		DataLength:     int32(len(t.store.Data(r))), NumChildren: n.Children, Pzxid: n.Stat.Pzxid,
	}
}

// Zxids gives the node's mzxid and pzxid, which setWatches compares.
func (t *Tree) Zxids(r Ref) (mzxid, pzxid jute.Zxid) {
	n := t.store.Node(r)
	return n.Stat.Mzxid, n.Stat.Pzxid
}

// visibleOwner hides the markers of containers and TTL nodes, as Java does.
func (t *Tree) visibleOwner(owner int64) int64 {
	if t.sessionOwned(owner) {
		return owner
	}
	return 0
}

// sessionOwned reports whether an ephemeralOwner is a session.
func (t *Tree) sessionOwned(owner int64) bool {
	return owner != 0 && owner != ContainerOwner && !t.isTTL(owner)
}

func (t *Tree) isTTL(owner int64) bool {
	return t.opt.ExtendedTypes && owner&TTLOwnerMask == TTLOwnerMask
}

// ChildCount gives the number of children.
func (t *Tree) ChildCount(r Ref) int { return int(t.store.Node(r).Children) }

// Children calls yield with each child's name, valid for the call, in no particular order.
func (t *Tree) Children(r Ref, yield func(name []byte)) {
	for c := t.store.FirstChild(r); c != NoRef; c = t.store.NextSibling(c) {
		yield(t.store.Name(c))
	}
}

// Ephemerals implements View.
func (t *Tree) Ephemerals(id jute.SessionID, dst []string) []string {
	t.EachEphemeral(id, func(path string) { dst = append(dst, path) })
	return dst
}

// EachEphemeral calls yield with the path of each ephemeral of the session. The tree may change during a
// call of yield, which may let go of the lock.
func (t *Tree) EachEphemeral(id jute.SessionID, yield func(path string)) {
	set := t.ephemerals[id]
	if set == nil {
		return
	}
	for p := range set.paths {
		yield(p)
	}
}

// EphemeralCount is the number of ephemerals of the session.
func (t *Tree) EphemeralCount(id jute.SessionID) int { return t.ephemerals[id].len() }

// EphemeralBytes implements View.
func (t *Tree) EphemeralBytes(id jute.SessionID) int {
	set := t.ephemerals[id]
	if set == nil {
		return 0
	}
	return set.bytes + PathLenBytes*len(set.paths)
}

// EphemeralSessions calls yield for each session that owns ephemerals, with how many.
func (t *Tree) EphemeralSessions(yield func(id jute.SessionID, n int)) {
	for id, set := range t.ephemerals {
		yield(id, set.len())
	}
}

// Sessions calls yield for each global session with its timeout in milliseconds.
func (t *Tree) Sessions(yield func(id jute.SessionID, timeoutMillis int32)) {
	for id, timeout := range t.sessions {
		yield(id, timeout)
	}
}

// SessionCount is the number of global sessions.
func (t *Tree) SessionCount() int { return len(t.sessions) }

// HasSession reports whether the session is in the tree's table.
func (t *Tree) HasSession(id jute.SessionID) bool { _, ok := t.sessions[id]; return ok }

// Candidates lists the container and TTL nodes, which the cleaner looks at one by one.
func (t *Tree) Candidates() []string {
	v := make([]string, 0, len(t.candidates))
	for p := range t.candidates {
		v = append(v, p)
	}
	return v
}

// Expired reports whether the cleaner may delete the container or TTL node at path
// (reference client-protocol, section 18). Times are in milliseconds; neverUsed 0 keeps containers that
// never had a child.
func (t *Tree) Expired(path string, now, neverUsedMillis int64) bool {
	r := t.store.Find(path)
	if r == NoRef {
		return false
	}
	n := t.store.Node(r)
	age := now - n.Stat.Mtime
	switch owner := n.Stat.EphemeralOwner; {
	case n.Children > 0:
		return false
	case owner == ContainerOwner:
		return n.Stat.Cversion > 0 || neverUsedMillis > 0 && age > neverUsedMillis
	case t.isTTL(owner):
		return age > owner&TTLMax
	}
	return false
}

// parentOf gives the path of the parent of an absolute path other than the root.
func parentOf(path string) string {
	for i := len(path) - 1; i > 0; i-- {
		if path[i] == '/' {
			return path[:i]
		}
	}
	return RootPath
}

// nameOf gives the last component.
func nameOf(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return path[i+1:]
		}
	}
	return path
}
