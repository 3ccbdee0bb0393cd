package tree

import "zk/jute"

// Ref names a node in a Store while the node exists. NoRef names none.
type Ref uint32

// NoRef is the Ref of no node.
const NoRef Ref = 0

// Node is the fixed part of a node. It holds no pointers, so that a Store may keep it outside the heap.
type Node struct {
	Stat     jute.StatPersisted
	ACL      uint32 // id in the ACL table
	Children int32  // how many there are
	DataCRC  uint32 // see DataCRC
	Digest   uint32 // see NodeDigest; 0 for nodes that don't count
}

// LargeDataBytes is the length from which on a node's data is replaced as a whole and never changed in place.
const LargeDataBytes = 128 << 10

// Store keeps the nodes, and the small tables beside them that a start rebuilds from. Methods that
// change it are called under the tree's write lock only, the others under at least the read lock; none
// of them waits for a disk.
type Store interface {
	// Find gives the node at an absolute path. The empty path is the root too.
	Find(path string) Ref
	// Node gives the fixed part for reading. It is valid until the lock is released.
	Node(r Ref) *Node
	// Edit gives the fixed part for changing.
	Edit(r Ref) *Node
	// Data gives the node's data, nil for null. It is valid until the lock is released; more than LargeDataBytes
	// are never changed in place, and may be kept.
	Data(r Ref) []byte
	// SetData replaces the data with a copy of b; nil is null.
	SetData(r Ref, b []byte)
	// Create adds a child. The path must be parent's path, a slash and a name that is not there yet.
	Create(parent Ref, path string, n *Node, data []byte) Ref
	// Delete removes a node that has no children.
	Delete(r Ref, path string)
	// FirstChild and NextSibling walk over children in no particular order.
	FirstChild(r Ref) Ref
	NextSibling(r Ref) Ref
	// Name is the last component of the node's path, valid until the lock is released.
	Name(r Ref) []byte

	// PutSession and DropSession keep the table of global sessions.
	PutSession(id jute.SessionID, timeoutMillis int32)
	DropSession(id jute.SessionID)
	// PutEphemeral and DropEphemeral keep the index of ephemerals by session.
	PutEphemeral(id jute.SessionID, path string)
	DropEphemeral(id jute.SessionID, path string)
	// PutCandidate and DropCandidate keep the index of container and TTL nodes.
	PutCandidate(path string)
	DropCandidate(path string)
	// PutACL records the number of nodes that use an ACL list, DropACL forgets the list.
	PutACL(id uint32, refs int64, acl []jute.ACL)
	DropACL(id uint32)
}
