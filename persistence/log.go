package persistence

import (
	"errors"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
)

// Logged is a mark in the log: the zxid of the last proposal that is durable here. Votes, ACKEPOCH
// and every DIFF or TRUNC decision use it. It is never compared with Applied except at a start.
type Logged jute.Zxid

// Applied is a mark in the tree: the zxid of the last transaction that changed it. Replies and
// lastZxidSeen checks use it.
type Applied jute.Zxid

// Entry is one proposal on its way into the log.
type Entry struct {
	// Zxid is the proposal's number; it directly follows the entry before (see Follows).
	Zxid jute.Zxid
	// Bytes is the proposal as jute.Proposal encodes it. Owned by the log from Append until the
	// onDurable call that hands the entry back has returned.
	Bytes []byte
	// Tag is handed back untouched with the entry.
	Tag any
}

// LogOptions are the settings of OpenLog. The zero value of a field means its default.
type LogOptions struct {
	// Dir is the store's own folder (<dataLogDir>/zk-log); it must exist or be creatable.
	Dir string
	// FS is the file system; nil means the machine's.
	FS vfs.FS
	// Logger gets what Pebble has to say; nil means silence.
	Logger *slog.Logger
	// QueueBytesMax bounds the bytes of entries that Append has taken and that are not durable yet
	// (default 64 MiB). One entry larger than it is still taken, alone.
	QueueBytesMax int
	// BatchBytesMax bounds the bytes of one write (default 1 MiB).
	BatchBytesMax int
	// NoSync acknowledges without syncing (Java's forceSync=no). A power cut then loses
	// acknowledged writes.
	NoSync bool
	// PlainCommit waits for each sync in turn in place of Pebble's experimental ApplyNoSyncWait.
	PlainCommit bool
	// OnSync, if set, is told of every finished write: how long from handing it to Pebble until it
	// was durable, and how much it carried. Called on one goroutine; must not block.
	OnSync func(took time.Duration, entries, bytes int)
	// OnFsync, if set, is told how long each fdatasync of the log file took.
	OnFsync func(took time.Duration)
}

// ErrClosed answers calls on a store that was closed.
var ErrClosed = errors.New("persistence: closed")

// ErrPurged answers a Read that starts at or before CompleteFrom: those entries are gone.
var ErrPurged = errors.New("persistence: log entries were purged")

// OpenLog opens or creates the log store alone, for tools and tests. A server uses Open, which also
// checks that the two stores belong together.
func OpenLog(o LogOptions) (*Log, error) { return nil, errors.New("persistence: soon") }

// Log is the transaction log.
type Log struct{}

// Start sets the goroutines going. onDurable gets entries in zxid order, from one goroutine, after
// they are durable; the slice is reused once it returns. onFail is called at most once, with the
// first failed write, sync or background job; no onDurable follows the failure. Both are called
// without any lock of the log held. Call once, after the redo (Read) is done.
func (l *Log) Start(onDurable func([]Entry), onFail func(error)) {}

// Append queues one entry; it blocks only while QueueBytesMax is reached. One owner calls it, in
// zxid order; an entry that does not follow the one before is an error and is not taken. After a failure it
// returns that failure.
func (l *Log) Append(e Entry) error { return nil }

// LastLogged is the last durable entry, or CompleteFrom when there is none. Safe everywhere.
func (l *Log) LastLogged() Logged { return 0 }

// CompleteFrom is the mark from which on the log has everything: Read may start right after it.
func (l *Log) CompleteFrom() jute.Zxid { return 0 }

// Read calls fn for each durable entry from the given zxid (inclusive) up to LastLogged as it is at
// the call, in order; b is valid during the call of fn only. from is usually "last seen + 1": where
// an epoch ended there, the first entry of a later one follows. A gap is a *CorruptionError, a start
// at or before CompleteFrom is ErrPurged; fn's error ends it and is returned. A purge during Read
// does no harm.
func (l *Log) Read(from jute.Zxid, fn func(zxid jute.Zxid, b []byte) error) error { return nil }

// Purge frees the space of the entries below the given zxid, as far as pins allow and never the last
// entry. It returns where the log now begins.
func (l *Log) Purge(below jute.Zxid) (first jute.Zxid, err error) { return 0, nil }

// Pin keeps the entries from a zxid on against Purge, for a reader that comes back.
type Pin struct{}

// Pin keeps everything from the given zxid on; ErrPurged when it is gone already.
func (l *Log) Pin(from jute.Zxid) (*Pin, error) { return nil, nil }

// Advance moves the pin forward.
func (p *Pin) Advance(from jute.Zxid) {}

// Release ends the pin. More than once does no harm.
func (p *Pin) Release() {}

// Close waits for what was appended, then closes. The last onDurable call has returned by then.
func (l *Log) Close() error { return nil }
