package tree

import (
	"zk/jute"
)

// OpenACL is the id of the list that every fresh node of most users has: world:anyone, all permissions.
// It is always there and not counted.
const OpenACL uint32 = 0

// aclTable keeps each distinct ACL list once, counted by the nodes that use it (Java:
// ReferenceCountedACLCache). Lists are immutable, so readers may keep them.
type aclTable struct {
	store   Store
	byID    map[uint32]*aclEntry
	byKey   map[string]uint32
	open    []jute.ACL
	openKey string
	nextID  uint32
	key     []byte // scratch of intern
}

type aclEntry struct {
	acl  []jute.ACL
	refs int64
	key  string
}

func newACLTable(store Store) *aclTable {
	open := []jute.ACL{{Perms: jute.PermAll, ID: jute.ID{Scheme: "world", ID: "anyone"}}}
	return &aclTable{
		store: store, byID: map[uint32]*aclEntry{}, byKey: map[string]uint32{},
		open: open, openKey: string(jute.AppendACLs(nil, open)), nextID: OpenACL + 1,
	}
}

// load puts back an entry that a start found on disk.
func (t *aclTable) load(id uint32, refs int64, acl []jute.ACL) {
	e := &aclEntry{acl: acl, refs: refs, key: string(jute.AppendACLs(nil, acl))}
	t.byID[id] = e
	t.byKey[e.key] = id
	t.nextID = max(t.nextID, id+1)
}

// intern counts one more user of the list and gives its id.
func (t *aclTable) intern(acl []jute.ACL) uint32 {
	t.key = jute.AppendACLs(t.key[:0], acl)
	if string(t.key) == t.openKey {
		return OpenACL
	}
	id, ok := t.byKey[string(t.key)]
	if !ok {
		id = t.nextID
		t.nextID++
		e := &aclEntry{acl: append([]jute.ACL{}, acl...), key: string(t.key)}
		t.byID[id] = e
		t.byKey[e.key] = id
	}
	e := t.byID[id]
	e.refs++
	t.store.PutACL(id, e.refs, e.acl)
	return id
}

// release counts one user less and forgets a list without users.
func (t *aclTable) release(id uint32) {
	e := t.byID[id]
	if id == OpenACL || e == nil {
		return
	}
	if e.refs--; e.refs > 0 {
		t.store.PutACL(id, e.refs, e.acl)
		return
	}
	delete(t.byID, id)
	delete(t.byKey, e.key)
	t.store.DropACL(id)
}

// list gives the ACL list of an id.
func (t *aclTable) list(id uint32) []jute.ACL {
	if id == OpenACL {
		return t.open
	}
	if e := t.byID[id]; e != nil {
		return e.acl
	}
	return nil
}
