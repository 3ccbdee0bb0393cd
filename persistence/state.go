package persistence

import (
	"log/slog"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
)

// StateOptions are the settings of OpenState. The zero value of a field means its default.
type StateOptions struct {
	// Dir is the store's own folder (<dataDir>/zk-state-<n>).
	Dir    string
	FS     vfs.FS
	Logger *slog.Logger
	// FlushTxns and FlushBytes start a flush by themselves at a Commit once that many txns (zxids)
	// or bytes are not durable yet (defaults 10,000 and 4 MiB); so redo at a start stays short.
	FlushTxns, FlushBytes int64
	// MemtableBytes is the size of a memtable (default 16 MiB). A batch must stay well below half.
	MemtableBytes int
	// CacheBytes is the block cache (default 16 MiB).
	CacheBytes int64
}

// OpenState opens or creates the state store alone. A server uses Open.
func OpenState(o StateOptions) (*State, error) { return nil, nil }

// State is the znode tree on disk as it was at one zxid.
type State struct{}

// Start sets the callbacks: onDurable after each finished flush with the mark it made durable (the
// purger's cue), onFail at most once with the first background failure; both on their own goroutine.
func (s *State) Start(onDurable func(Applied), onFail func(error)) {}

// Applied is the mark of the last Commit (or what was found at the open).
func (s *State) Applied() Applied { return 0 }

// DurableApplied is the mark that a power cut can't take back: that of the last finished flush.
func (s *State) DurableApplied() Applied { return 0 }

// FlushAsync starts making everything committed so far durable. Done closes when it is (or when the
// store failed or closed).
func (s *State) FlushAsync() (done <-chan struct{}, err error) { return nil, nil }

// GetNode reads a node's record into buf (grown as needed; rec is buf's storage). Root is "/".
func (s *State) GetNode(path string, buf []byte) (rec []byte, ok bool, err error) {
	return nil, false, nil
}

// GetData reads a node's data that is kept under its own key.
func (s *State) GetData(path string, buf []byte) (data []byte, ok bool, err error) {
	return nil, false, nil
}

// Cursor is a place in the key order of ScanNodes; nil is the beginning. It may be kept and copied.
type Cursor []byte

// ScanNodes calls fn for at most limit nodes after the cursor, parents before children, siblings
// together in name order; the slices are valid during the call. The root comes first with parent ""
// and name "". more tells whether there may be nodes after next.
func (s *State) ScanNodes(after Cursor, limit int, fn func(parent, name, rec []byte) error) (next Cursor, more bool, err error) {
	return nil, false, nil
}

// ScanChildren calls fn for at most limit children of parent with names greater than afterName ("":
// from the first), in byte order of the names.
func (s *State) ScanChildren(parent, afterName string, limit int, fn func(name, rec []byte) error) (more bool, err error) {
	return false, nil
}

// ForEachSession calls fn for every session in the order of ids.
func (s *State) ForEachSession(fn func(id jute.SessionID, timeoutMillis int32) error) error {
	return nil
}

// ForEachEphemeral calls fn for every ephemeral, in the order of session ids, then paths.
func (s *State) ForEachEphemeral(fn func(id jute.SessionID, path []byte) error) error { return nil }

// ForEachCandidate calls fn for every container and TTL node.
func (s *State) ForEachCandidate(fn func(path, rec []byte) error) error { return nil }

// ForEachACL calls fn for every ACL list, in the order of ids.
func (s *State) ForEachACL(fn func(id int64, rec []byte) error) error { return nil }

// Meta reads a meta value; see the Meta... names. ok is false when there is none.
func (s *State) Meta(name string) (value []byte, ok bool, err error) { return nil, false, nil }

// Close flushes and closes.
func (s *State) Close() error { return nil }

// StateBatch gathers changes that become visible and durable together. Not safe for concurrent use.
// What is passed in is copied.
type StateBatch struct{}

// NewBatch begins a batch. It ends with Commit or Discard.
func (s *State) NewBatch() *StateBatch { return nil }

// The setters and deleters. Later ones win. rec, data and value are opaque here.

func (b *StateBatch) SetNode(path string, rec []byte)                   {}
func (b *StateBatch) DeleteNode(path string)                            {}
func (b *StateBatch) SetData(path string, data []byte)                  {}
func (b *StateBatch) DeleteData(path string)                            {}
func (b *StateBatch) SetSession(id jute.SessionID, timeoutMillis int32) {}
func (b *StateBatch) DeleteSession(id jute.SessionID)                   {}
func (b *StateBatch) SetEphemeral(id jute.SessionID, path string)       {}
func (b *StateBatch) DeleteEphemeral(id jute.SessionID, path string)    {}
func (b *StateBatch) SetCandidate(path string, rec []byte)              {}
func (b *StateBatch) DeleteCandidate(path string)                       {}
func (b *StateBatch) SetACL(id int64, rec []byte)                       {}
func (b *StateBatch) DeleteACL(id int64)                                {}
func (b *StateBatch) SetMeta(name string, value []byte)                 {}

// Len is the size of the batch in bytes.
func (b *StateBatch) Len() int { return 0 }

// Commit writes the batch as one step that carries the applied mark, which may not go back. Not
// durable before a flush. The batch is finished afterwards, also on error.
func (b *StateBatch) Commit(applied Applied) error { return nil }

// Discard drops the batch.
func (b *StateBatch) Discard() {}
