package client

import (
	"fmt"

	"zk/jute"
)

// State is where a client stands. Source: ZooKeeper.States.
type State int

// States of a client. Closed, Expired and AuthFailed are final: every operation fails then.
const (
	Connecting State = iota
	Connected
	ConnectedReadOnly
	Closed
	Expired
	AuthFailed
)

// String is the name Java gives the state (its client has no name for Expired; it says CLOSED then).
func (s State) String() string {
	switch s {
	case Connecting:
		return "CONNECTING"
	case Connected:
		return "CONNECTED"
	case ConnectedReadOnly:
		return "CONNECTEDREADONLY"
	case AuthFailed:
		return "AUTH_FAILED"
	default:
		return "CLOSED"
	}
}

// final reports if no state follows.
func (s State) final() bool { return s == Closed || s == Expired || s == AuthFailed }

// connected reports if requests can be sent.
func (s State) connected() bool { return s == Connected || s == ConnectedReadOnly }

// Event types a client invents; those a server sends are jute.EventNodeCreated and the others there.
const (
	// EventNone is a change of state.
	EventNone jute.EventType = -1
	// EventDataWatchRemoved, EventChildWatchRemoved and EventPersistentWatchRemoved answer RemoveWatches.
	EventDataWatchRemoved       jute.EventType = 5
	EventChildWatchRemoved      jute.EventType = 6
	EventPersistentWatchRemoved jute.EventType = 7
)

// Event is a watch event or, with Type EventNone, a change of the client's state.
type Event struct {
	Type EventType
	// State is what the client is in, or gets into. Connecting means that the connection was lost.
	State State
	// Path is the znode's as the client knows it, without the chroot; "" when Type is EventNone.
	Path string
	// Zxid is the transaction's that fired the watch, -1 when the server or the client made the event
	// without one.
	Zxid jute.Zxid
}

// EventType is the type of an event.
type EventType = jute.EventType

// String is the line Java's WatchedEvent prints; its zxid is decimal.
func (e Event) String() string {
	path := e.Path
	if e.Type == EventNone {
		path = "null"
	}
	return fmt.Sprintf("WatchedEvent state:%s type:%s path:%s zxid: %d",
		keeperState(e.State), eventName(e.Type), path, int64(e.Zxid))
}

// keeperState is the name of Watcher.Event.KeeperState.
func keeperState(s State) string {
	switch s {
	case Connecting:
		return "Disconnected"
	case Connected:
		return "SyncConnected"
	case ConnectedReadOnly:
		return "ConnectedReadOnly"
	case Expired:
		return "Expired"
	case AuthFailed:
		return "AuthFailed"
	default:
		return "Closed"
	}
}

// eventName is the name of Watcher.Event.EventType.
func eventName(t EventType) string {
	switch t {
	case EventNone:
		return "None"
	case jute.EventNodeCreated:
		return "NodeCreated"
	case jute.EventNodeDeleted:
		return "NodeDeleted"
	case jute.EventNodeDataChanged:
		return "NodeDataChanged"
	case jute.EventNodeChildrenChanged:
		return "NodeChildrenChanged"
	case EventDataWatchRemoved:
		return "DataWatchRemoved"
	case EventChildWatchRemoved:
		return "ChildWatchRemoved"
	case EventPersistentWatchRemoved:
		return "PersistentWatchRemoved"
	}
	return fmt.Sprintf("EventType(%d)", int32(t))
}

// OpError is a request's failure: the answer of a server, or what the client makes of a lost connection or
// session.
type OpError struct {
	Op   jute.OpCode
	Path string // as the caller gave it; "" when the request has none
	Code jute.Code
}

func (e *OpError) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("client: %v: %v", e.Op, e.Code)
	}
	return fmt.Sprintf("client: %v %s: %v", e.Op, e.Path, e.Code)
}

// Unwrap gives the code, for errors.Is.
func (e *OpError) Unwrap() error { return e.Code }
