package quorum

import (
	"errors"

	"zk/jute"
)

// ErrNotHere answers Log.Truncate when the log can't be cut there. Nothing was changed.
var ErrNotHere = errors.New("quorum: the log can't be cut there")

// Log is the transaction log with the two epochs, as this package needs it. All calls but Append may come
// from any goroutine; Append, Drain, Truncate and the setters come one at a time. An error of a call that
// writes is final unless it says otherwise: the peer ends through Options.Fatal.
type Log interface {
	// LastLogged is the last durable entry, or CompleteFrom when there is none. It is what this server
	// votes with.
	LastLogged() jute.Zxid
	// CompleteFrom is the zxid after which every entry is there.
	CompleteFrom() jute.Zxid
	// Floor is the greatest entry up to z, or CompleteFrom when that is it; false when z lies before it.
	Floor(z jute.Zxid) (jute.Zxid, bool)
	// BytesAfter tells about how many bytes the entries after z have.
	BytesAfter(z jute.Zxid) int64

	// AcceptedEpoch is the epoch this server has promised to follow, CurrentEpoch the one whose history it
	// has adopted.
	AcceptedEpoch() int64
	CurrentEpoch() int64
	// SetAcceptedEpoch is durable when it returns.
	SetAcceptedEpoch(epoch int64) error
	// SetCurrentEpoch is durable when it returns, and never without everything that was appended before.
	SetCurrentEpoch(epoch int64) error

	// Append queues an entry; it waits only while too much is queued. The bytes must not be changed any
	// more. Durable entries are told to Peer.Durable, in order.
	Append(z jute.Zxid, b []byte) error
	// Drain returns when everything appended is durable and Peer.Durable was told.
	Drain() error
	// Truncate drops what is after z, durable when it returns. ErrNotHere when z is neither an entry nor
	// CompleteFrom, or lies before what the tree has applied.
	Truncate(z jute.Zxid) error
	// Cursor reads durable entries after z, which must not lie before CompleteFrom. What it still has to
	// read is not purged while it is open.
	Cursor(after jute.Zxid) (Cursor, error)
}

// Cursor reads the log in zxid order. It belongs to one goroutine.
type Cursor interface {
	// Next is the next durable entry; ok is false when there is none now: a later call sees later ones.
	// b is valid until the next call. A gap inside an epoch is an error.
	Next() (z jute.Zxid, b []byte, ok bool, err error)
	Close() error
}
