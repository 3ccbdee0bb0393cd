package watch

import (
	"encoding/binary"

	"zk/jute"
)

// Watcher receives events; in practice it is a client connection. Watchers are compared by identity,
// so the dynamic type must be comparable: use a pointer.
//
// A Watcher that also has a method Stale() bool is asked before its first watch is registered; when it
// reports true the watch is dropped. A connection that reports Stale from the moment before it calls
// RemoveWatcher can therefore leave no watch behind, whoever runs its last read.
type Watcher interface {
	// Deliver hands over one event. It is called with the table's lock held (and by apply, so with the
	// tree's write lock too): it must not block, nor call the Table. ev and ev.ACL are valid only
	// during the call; ev.Frame may be kept, and must not be changed.
	//
	// The receiver applies the READ filter: it drops the event when its identities have no READ in
	// ev.ACL. The watch is used up all the same.
	Deliver(ev *Event)
}

// Event is one watch event on its way to its receivers.
type Event struct {
	Type jute.EventType
	// Path is the znode the event names; for NodeChildrenChanged, the parent.
	Path string
	// Zxid is of the transaction that fired the event.
	Zxid jute.Zxid
	// ACL is that of the znode named by Path; of a deleted znode, the one it had.
	ACL []jute.ACL
	// Frame is the whole frame as it goes on the wire: length, reply header (xid -1, zxid, 0), event
	// record. It is shared by all receivers.
	Frame []byte
}

// AppendFrame appends the whole wire frame of an event. setWatches' catch-up events have zxid -1.
func AppendFrame(b []byte, typ jute.EventType, path string, zxid jute.Zxid) []byte {
	at := len(b)
	b = jute.AppendInt32(b, 0)
	h := jute.ReplyHeader{Xid: jute.XidNotification, Zxid: zxid}
	b = h.Append(b)
	e := jute.WatcherEvent{Type: typ, State: jute.StateSyncConnected, Path: path}
	b = e.Append(b)
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

// frameBytes is the size of an event's frame: length, header, type, state, path.
func frameBytes(path string) int { return 4 + jute.ReplyHeaderBytes + 4 + 4 + 4 + len(path) }
