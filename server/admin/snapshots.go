package admin

import (
	"context"
	"io"

	"zk/jute"
)

// Snapshots makes and takes whole trees in the format of Java's snapshot files. Both methods may be
// called from any goroutine.
type Snapshots interface {
	// Snapshot fixes the tree at one zxid and gives it as a stream. It neither stops writes nor holds
	// the tree in memory. The stream must be closed; ctx ends its reading too.
	Snapshot(ctx context.Context) (SnapshotStream, error)
	// Restore replaces the tree of this server, its sessions included, by the one that r holds, and
	// gives its last zxid. Connections stay open, and requests wait while the trees are swapped. After
	// an error the old tree is still there.
	Restore(ctx context.Context, r io.Reader) (jute.Zxid, error)
}

// SnapshotStream is a tree on its way out. It belongs to one goroutine.
type SnapshotStream interface {
	// Zxid is the last transaction that is in it.
	Zxid() jute.Zxid
	// Size is the number of bytes that WriteTo writes, all of them: the size of Java's file without
	// compression.
	Size() int64
	// WriteTo writes the stream once, from its begin to its end.
	WriteTo(w io.Writer) (int64, error)
	// Close lets go of what the stream holds on to. Its error says that the stream was not whole.
	Close() error
}
