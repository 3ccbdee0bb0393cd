package prep

import (
	"zk/jute"
	"zk/server/tree"
)

// change is a node as it will be when the transaction zxid is applied.
type change struct {
	path   string
	zxid   jute.Zxid // of the transaction that changed it last
	exists bool      // false: it will be gone
	info   tree.NodeInfo
	digest int64 // its part of the tree digest

	owner      jute.SessionID // whose list it is in, 0 for none
	prev, next *change        // in that list
}

// changes is the set of changes in flight: one per node, in the state its last transaction leaves.
type changes struct {
	byPath map[string]*change
	// queue has an entry for each transaction and node, in zxid order, from head on.
	queue []queued
	head  int
	// byOwner starts the list of a session's ephemerals in flight, which closeSession looks for.
	byOwner map[jute.SessionID]*change
	// ownedBytes is what the paths of each such list take in a closeSession.
	ownedBytes map[jute.SessionID]int
	free       *change // for reuse, through next

	// undo has what a multi changed as it was before, while undoing.
	undo    []undo
	undoing bool
	mark    int // length of queue when the multi began
}

type queued struct {
	zxid jute.Zxid
	c    *change
}

type undo struct {
	c      *change
	added  bool // there was none before
	zxid   jute.Zxid
	exists bool
	info   tree.NodeInfo
	digest int64
}

func (s *changes) reset() {
	*s = changes{byPath: map[string]*change{}, byOwner: map[jute.SessionID]*change{}, ownedBytes: map[jute.SessionID]int{}}
}

// add makes an empty change for a path that has none. touch comes next.
func (s *changes) add(path string) *change {
	c := s.free
	if c == nil {
		c = new(change)
	} else {
		s.free = c.next
		c.next = nil
	}
	c.path = path
	s.byPath[path] = c
	if s.undoing {
		s.undo = append(s.undo, undo{c: c, added: true})
	}
	return c
}

// touch says that transaction zxid changes c.
func (s *changes) touch(c *change, zxid jute.Zxid) {
	if c.zxid == zxid {
		return
	}
	if s.undoing && c.zxid != 0 {
		s.undo = append(s.undo, undo{c: c, zxid: c.zxid, exists: c.exists, info: c.info, digest: c.digest})
	}
	c.zxid = zxid
	s.queue = append(s.queue, queued{zxid, c})
}

// own moves c to the list of owner; 0 is no list.
func (s *changes) own(c *change, owner jute.SessionID) {
	if c.owner == owner {
		return
	}
	if c.owner != 0 {
		if c.prev != nil {
			c.prev.next = c.next
		} else if c.next != nil {
			s.byOwner[c.owner] = c.next
		} else {
			delete(s.byOwner, c.owner)
		}
		if c.next != nil {
			c.next.prev = c.prev
		}
		c.prev, c.next = nil, nil
		s.count(c.owner, -(tree.PathLenBytes + len(c.path)))
	}
	c.owner = owner
	if owner != 0 {
		if c.next = s.byOwner[owner]; c.next != nil {
			c.next.prev = c
		}
		s.byOwner[owner] = c
		s.count(owner, tree.PathLenBytes+len(c.path))
	}
}

func (s *changes) count(owner jute.SessionID, bytes int) {
	if n := s.ownedBytes[owner] + bytes; n != 0 {
		s.ownedBytes[owner] = n
	} else {
		delete(s.ownedBytes, owner)
	}
}

// drop removes the changes whose last transaction is zxid or older.
func (s *changes) drop(zxid jute.Zxid) {
	for s.head < len(s.queue) && s.queue[s.head].zxid <= zxid {
		q := s.queue[s.head]
		s.queue[s.head] = queued{}
		s.head++
		if q.c.zxid == q.zxid { // else a later transaction changed it too
			s.remove(q.c)
		}
	}
	switch {
	case s.head == len(s.queue):
		s.queue, s.head = s.queue[:0], 0
	case s.head >= 1024 && s.head >= len(s.queue)/2:
		n := copy(s.queue, s.queue[s.head:])
		clear(s.queue[n:])
		s.queue, s.head = s.queue[:n], 0
	}
}

func (s *changes) remove(c *change) {
	delete(s.byPath, c.path)
	s.own(c, 0)
	*c = change{next: s.free}
	s.free = c
}

// begin starts to note what is needed to take back a multi; end stops it.
func (s *changes) begin() {
	s.undoing, s.mark = true, len(s.queue)
}

func (s *changes) end() {
	clear(s.undo)
	s.undo, s.undoing = s.undo[:0], false
}

// rollback takes back everything since begin. owner gives the session that owns a node, 0 for none.
func (s *changes) rollback(owner func(*tree.NodeInfo) jute.SessionID) {
	for i := len(s.undo) - 1; i >= 0; i-- {
		u := &s.undo[i]
		if u.added {
			s.remove(u.c)
			continue
		}
		u.c.zxid, u.c.exists, u.c.info, u.c.digest = u.zxid, u.exists, u.info, u.digest
		id := jute.SessionID(0)
		if u.exists {
			id = owner(&u.info)
		}
		s.own(u.c, id)
	}
	clear(s.queue[s.mark:])
	s.queue = s.queue[:s.mark]
}
