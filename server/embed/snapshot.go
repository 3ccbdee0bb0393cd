package embed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"zk/jute"
	"zk/persistence"
	"zk/persistence/javafile"
	"zk/persistence/nodestore"
	"zk/server/admin"
)

// whole guards what is there once for the whole tree: streams that are open, and its replacement.
type whole struct {
	mu      sync.Mutex      // held while a stream is opened, and while the tree is replaced
	closed  bool            // guarded by mu
	readers *sync.WaitGroup // streams open on the state that is served; changed with mu held
}

// Snapshot gives the tree as it is now, in the format of Java's snapshot files (admin.Snapshots). It stops
// no write, and holds nothing of the tree in memory. While the stream is open the disk keeps what it shows.
func (n *Node) Snapshot(ctx context.Context) (admin.SnapshotStream, error) {
	t, err := n.openTree(ctx)
	if err != nil {
		return nil, err
	}
	return &snapshotStream{t}, nil
}

// openSnap gives the tree as it is now, as a leader sends it to a learner. What holds for Snapshot holds for
// it as well.
func (n *Node) openSnap() (*snapStream, error) {
	t, err := n.openTree(n.ctx)
	if err != nil {
		return nil, err
	}
	return &snapStream{t}, nil
}

func (n *Node) openTree(ctx context.Context) (*treeStream, error) {
	n.whole.mu.Lock()
	defer n.whole.mu.Unlock()
	if n.whole.closed {
		return nil, errClosed
	}
	began := time.Now()
	snap, err := n.nodes.Snapshot()
	if err != nil {
		n.damaged(err)
		return nil, fmt.Errorf("embed: snapshot: %w", err)
	}
	java, err := snap.Java(n.cfg.DigestEnabled, n.cfg.SerializeLastProcessed)
	if err != nil {
		_ = snap.Close() // the first error counts
		n.damaged(err)
		return nil, fmt.Errorf("embed: snapshot: %w", err)
	}
	n.whole.readers.Add(1)
	return &treeStream{n: n, ctx: ctx, java: java, readers: n.whole.readers, began: began}, nil
}

// treeStream is a tree on its way out.
type treeStream struct {
	n       *Node
	ctx     context.Context
	java    *nodestore.JavaSnapshot
	readers *sync.WaitGroup
	began   time.Time
	written int64
	err     error // of the writing
	closed  bool
}

// Zxid is where the tree is.
func (s *treeStream) Zxid() jute.Zxid { return s.java.Trailer().LastZxid }

// write runs one of the forms; size is what it comes to.
func (s *treeStream) write(w io.Writer, size int64, form func(io.Writer, javafile.Source) (int64, error)) (int64, error) {
	s.written, s.err = form(endingWriter{s, w}, s.java)
	if s.err == nil && s.written != size {
		s.err = fmt.Errorf("embed: snapshot at %v: %d bytes announced, %d written", s.Zxid(), size, s.written)
	}
	s.n.damaged(s.err)
	return s.written, s.err
}

// damaged ends a member of an ensemble that finds its state store to be damaged: the others have all of it. (A
// server that stands alone has the tree in memory, and nobody else has it.)
func (n *Node) damaged(err error) {
	var corrupt *persistence.CorruptionError
	if n.cfg.Distributed() && errors.As(err, &corrupt) {
		n.fail(err)
	}
}

// endingWriter ends a stream whose reader is gone, or whose server closes.
type endingWriter struct {
	s *treeStream
	w io.Writer
}

func (e endingWriter) Write(b []byte) (int, error) {
	if err := e.s.ctx.Err(); err != nil {
		return 0, err
	}
	if err := e.s.n.ctx.Err(); err != nil {
		return 0, errClosed
	}
	return e.w.Write(b)
}

// Close lets go of the tree. More than once does no harm.
func (s *treeStream) Close() error {
	if s.closed {
		return s.err
	}
	s.closed = true
	if err := s.java.Close(); err != nil && s.err == nil {
		s.err = err
	}
	s.readers.Done()
	if s.err == nil {
		s.n.log.Info("snapshot read", "zxid", s.Zxid(), "bytes", s.written, "ms", time.Since(s.began).Milliseconds())
	}
	return s.err
}

// snapshotStream implements admin.SnapshotStream.
type snapshotStream struct{ *treeStream }

func (s *snapshotStream) Size() int64 { return s.java.Size() }

// WriteTo implements io.WriterTo.
func (s *snapshotStream) WriteTo(w io.Writer) (int64, error) {
	return s.write(w, s.Size(), javafile.WriteSnapshot)
}

// snapStream implements quorum.Snapshot.
type snapStream struct{ *treeStream }

// Bytes is the length on the wire.
func (s *snapStream) Bytes() int64 { return s.java.TreeSize() }

// WriteTo implements io.WriterTo.
func (s *snapStream) WriteTo(w io.Writer) (int64, error) {
	return s.write(w, s.Bytes(), javafile.WriteTree)
}
