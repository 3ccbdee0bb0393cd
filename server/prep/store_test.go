package prep

import (
	"strings"

	"zk/jute"
	"zk/server/tree"
)

// memStore is the simplest tree.Store.
type memStore struct {
	nodes  []memNode // by Ref
	byPath map[string]tree.Ref
}

type memNode struct {
	tree.Node
	path     string
	data     []byte
	children map[tree.Ref]bool
	parent   tree.Ref
}

func newMemStore() *memStore {
	s := &memStore{nodes: make([]memNode, 2), byPath: map[string]tree.Ref{"/": 1}}
	s.nodes[1] = memNode{path: "/", children: map[tree.Ref]bool{}}
	return s
}

func (s *memStore) Find(path string) tree.Ref {
	if path == "" {
		path = "/"
	}
	return s.byPath[path]
}
func (s *memStore) Node(r tree.Ref) *tree.Node { return &s.nodes[r].Node }
func (s *memStore) Edit(r tree.Ref) *tree.Node { return &s.nodes[r].Node }
func (s *memStore) Data(r tree.Ref) []byte     { return s.nodes[r].data }
func (s *memStore) SetData(r tree.Ref, b []byte) {
	s.nodes[r].data = nil
	if b != nil {
		s.nodes[r].data = append([]byte{}, b...)
	}
}

func (s *memStore) Create(parent tree.Ref, path string, n *tree.Node, data []byte) tree.Ref {
	r := tree.Ref(len(s.nodes))
	s.nodes = append(s.nodes, memNode{Node: *n, path: path, parent: parent, children: map[tree.Ref]bool{}})
	s.SetData(r, data)
	s.byPath[path] = r
	s.nodes[parent].children[r] = true
	s.nodes[parent].Children++
	return r
}

func (s *memStore) Delete(r tree.Ref, path string) {
	parent := s.nodes[r].parent
	delete(s.nodes[parent].children, r)
	s.nodes[parent].Children--
	delete(s.byPath, path)
}

func (s *memStore) FirstChild(r tree.Ref) tree.Ref {
	first := tree.NoRef
	for c := range s.nodes[r].children {
		if first == tree.NoRef || c < first {
			first = c
		}
	}
	return first
}

func (s *memStore) NextSibling(r tree.Ref) tree.Ref {
	next := tree.NoRef
	for c := range s.nodes[s.nodes[r].parent].children {
		if c > r && (next == tree.NoRef || c < next) {
			next = c
		}
	}
	return next
}

func (s *memStore) Name(r tree.Ref) []byte {
	p := s.nodes[r].path
	return []byte(p[strings.LastIndexByte(p, '/')+1:])
}

func (s *memStore) PutSession(jute.SessionID, int32)     {}
func (s *memStore) DropSession(jute.SessionID)           {}
func (s *memStore) PutEphemeral(jute.SessionID, string)  {}
func (s *memStore) DropEphemeral(jute.SessionID, string) {}
func (s *memStore) PutCandidate(string)                  {}
func (s *memStore) DropCandidate(string)                 {}
func (s *memStore) PutACL(uint32, int64, []jute.ACL)     {}
func (s *memStore) DropACL(uint32)                       {}

// noEvents drops what Apply tells.
type noEvents struct{}

func (noEvents) NodeCreated(string, string, jute.Zxid, []jute.ACL, []jute.ACL) {}
func (noEvents) NodeDeleted(string, string, jute.Zxid, []jute.ACL, []jute.ACL) {}
func (noEvents) NodeDataChanged(string, jute.Zxid, []jute.ACL)                 {}

// testAuth knows world and equality of ids.
type testAuth struct{}

func (testAuth) Check(acl []jute.ACL, perm int32, ids []jute.ID) bool {
	if len(acl) == 0 {
		return true
	}
	for _, id := range ids {
		if id.Scheme == "super" {
			return true
		}
	}
	for _, a := range acl {
		if a.Perms&perm == 0 {
			continue
		}
		if a.ID.Scheme == "world" {
			return true
		}
		for _, id := range ids {
			if id == a.ID {
				return true
			}
		}
	}
	return false
}

func (testAuth) FixACL(_ []jute.ID, acl []jute.ACL) ([]jute.ACL, jute.Code) {
	for _, a := range acl {
		if a.ID.Scheme == "" {
			return nil, jute.CodeInvalidACL
		}
	}
	if len(acl) == 0 {
		return nil, jute.CodeInvalidACL
	}
	return acl, jute.CodeOk
}

// testSessions has every session alive but those that are closing or moved.
type testSessions struct {
	closing map[jute.SessionID]bool
	moved   map[jute.SessionID]bool
}

func newTestSessions() *testSessions {
	return &testSessions{closing: map[jute.SessionID]bool{}, moved: map[jute.SessionID]bool{}}
}

func (s *testSessions) CheckSession(id jute.SessionID, _ any) jute.Code {
	switch {
	case s.closing[id]:
		return jute.CodeSessionExpired
	case s.moved[id]:
		return jute.CodeSessionMoved
	}
	return jute.CodeOk
}

func (s *testSessions) SetClosing(id jute.SessionID) { s.closing[id] = true }

// world is a tree, a Preparer over it, and what is prepared but not applied.
type world struct {
	tree     *tree.Tree
	sessions *testSessions
	prep     *Preparer
	pending  [][]byte
}

func newWorld(opt Options) *world {
	w := &world{tree: tree.New(newMemStore(), tree.Saved{}, tree.Options{ExtendedTypes: opt.ExtendedTypes, Digest: true})}
	w.tree.Init()
	w.sessions = newTestSessions()
	w.prep = New(w.tree, testAuth{}, w.sessions, opt)
	return w
}

// prepare gives the proposal's bytes, encoded behind other bytes as in a batch.
func (w *world) prepare(r *Request, now int64) ([]byte, Prepared) {
	b, done := w.prep.Prepare([]byte("batch"), r, now)
	b = b[len("batch"):]
	w.pending = append(w.pending, b)
	return b, done
}

// applyNext applies the oldest pending proposal; "" or what is wrong with it.
func (w *world) applyNext() string {
	b := w.pending[0]
	w.pending = w.pending[1:]
	d := jute.NewDecoder(b, 0)
	var p jute.Proposal
	p.Decode(&d)
	if d.Err() != nil || d.Remaining() != 0 {
		return "proposal does not decode"
	}
	var res tree.Result
	w.tree.Apply(&p.Header, &p.Txn, noEvents{}, &res)
	w.prep.Applied(p.Header.Zxid)
	switch {
	case p.HasDigest == (p.Header.Type == jute.OpError):
		return "digest on an error, or none"
	case p.HasDigest && p.Digest.TreeDigest != w.tree.TreeDigest():
		return "digest is not the tree's after " + p.Header.Zxid.String()
	case p.Header.Type == jute.OpError || p.Header.Type == jute.OpMulti:
	case res.Code != jute.CodeOk:
		return "apply answers " + res.Code.Error()
	}
	return ""
}

func openACL() []jute.ACL {
	return []jute.ACL{{Perms: jute.PermAll, ID: jute.ID{Scheme: "world", ID: "anyone"}}}
}
