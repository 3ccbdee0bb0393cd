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
	"zk/server/tree"
)

var _ admin.Snapshots = (*Node)(nil)

// errClosed answers what comes while the server closes.
var errClosed = errors.New("embed: closed")

// errDiskLow ends a restore for which there is no room: the tree that is served needs what is left.
var errDiskLow = errors.New("the disk is below its low-water mark")

// loadStep is the number of nodes loaded between two looks at what has gathered to be written.
const loadStep = 64

// Restore puts the tree of a snapshot in the place of the one that is served (admin.Snapshots; Java:
// ZooKeeperServer.restoreFromSnapshot). The snapshot may be plain, gz or snappy.
//
// The new tree is loaded beside the old one, into a state store of its own, while clients are served as
// ever; nothing is changed before the whole snapshot has proven good. See persistence.Recovered.Adopt for
// what makes the exchange one step on the disk, and server.Replace for what it means to clients.
//
// The tree's last zxid becomes the snapshot's, also if it is older. The next transaction gets a zxid that
// was never given out: one after the snapshot's or after the log's last one, whichever is later.
func (n *Node) Restore(ctx context.Context, r io.Reader) (jute.Zxid, error) {
	n.restoring.Lock() // one at a time, and not while the server closes
	defer n.restoring.Unlock()
	if n.ctx.Err() != nil {
		return 0, errClosed
	}
	began := time.Now()
	before, sessions := n.server.Usage()
	l := &loading{n: n, ctx: ctx}
	if err := l.load(r); err != nil {
		return 0, errors.Join(fmt.Errorf("embed: restore: %w", err), l.discard())
	}
	if err := n.install(l); err != nil {
		return 0, errors.Join(fmt.Errorf("embed: restore: %w", err), l.discard())
	}
	after := l.tree.Counts()
	n.log.Info("tree restored from a snapshot", "zxid", after.LastZxid, "znodes", after.Nodes, "sessions", l.sessions,
		"zxid_before", before.LastZxid, "znodes_before", before.Nodes, "sessions_before", sessions, "ms", time.Since(began).Milliseconds())
	return after.LastZxid, nil
}

// loading is a tree on its way from a snapshot.
type loading struct {
	n        *Node
	ctx      context.Context
	lock     sync.RWMutex // nobody else's: the store wants one
	state    *persistence.State
	nodes    *nodestore.Store
	tree     *tree.Tree
	sessions int
	gathered int // nodes since the last step
	adopted  bool
}

// load reads the whole snapshot into a side store and makes it durable.
func (l *loading) load(r io.Reader) error {
	if err := l.open(); err != nil {
		return err
	}
	loader := tree.NewLoader(l.tree)
	o := javafile.ReadOptions{Name: "snapshot stream", BytesMax: l.n.cfg.JuteMaxBuffer + l.n.cfg.JuteMaxBufferExtraSize}
	t, err := javafile.ReadSnapshot(endingReader{l, r}, o, javafile.Visitor{
		Session: func(s *jute.SnapshotSession) error { l.sessions++; return loader.Session(s) },
		ACL:     loader.ACL,
		Node: func(node *jute.SnapshotNode) error {
			if err := loader.Node(node); err != nil {
				return err
			}
			return l.step()
		},
	})
	if err != nil {
		return err
	}
	if !t.HasLastZxid || t.LastZxid < 0 {
		return errors.New("the snapshot does not say at which zxid it is")
	}
	if err := loader.Finish(t.LastZxid); err != nil {
		return err
	}
	l.checkDigest(&t)
	if err := l.write(); err != nil {
		return err
	}
	return l.nodes.Flush()
}

// open makes the side store, with what of the old one does not come from the snapshot.
func (l *loading) open() (err error) {
	n := l.n
	if l.state, err = n.stores.NewSide(); err != nil {
		return err
	}
	secret, ok, err := n.stores.State.Meta(metaSecret)
	if err != nil {
		return err
	}
	if ok {
		b := l.state.NewBatch(0)
		b.SetMeta(metaSecret, secret)
		if err := b.Commit(l.state.Applied()); err != nil {
			return err
		}
	}
	nodes, found, _, err := nodestore.Open(l.state, &l.lock, n.deps.NodeLimits)
	if err != nil {
		return err
	}
	l.nodes = nodes
	o := n.treeOptions()
	o.Yield = nil // nobody waits for this tree
	l.tree = tree.New(nodes, found, o)
	return nil
}

// step writes what was loaded, now and then.
func (l *loading) step() error {
	if l.gathered++; l.gathered < loadStep {
		return nil
	}
	return l.write()
}

func (l *loading) write() error {
	if l.n.space.Level() >= persistence.SpaceLow {
		return errDiskLow
	}
	gathered := l.gathered
	l.gathered = 0
	return l.nodes.Loaded(max(gathered, 1), func(b []byte) []byte { return tree.AppendCounts(b, l.tree.Counts()) })
}

// checkDigest compares the digest of the snapshot with that of the tree. As in Java a difference is told
// and counted, and refuses nothing: the checksums have shown that the bytes are what was written, and a
// snapshot that Java took while clients wrote shows some nodes as they were before its last zxid.
func (l *loading) checkDigest(t *javafile.Trailer) {
	g := t.Digest
	if !t.HasDigest || g.Zxid == 0 || g.Zxid != t.LastZxid || g.Digest.Version != jute.DigestVersion || !l.n.cfg.DigestEnabled {
		return
	}
	if got := l.tree.TreeDigest(); got != g.Digest.TreeDigest {
		l.n.met.DigestMismatchesCount.Inc()
		l.n.log.Warn("the digest of the snapshot is not that of its nodes: it was taken while clients wrote", "zxid", g.Zxid,
			"snapshot", g.Digest.TreeDigest, "tree", got)
	}
}

// discard removes what was built, after a failure.
func (l *loading) discard() error {
	if l.adopted || l.state == nil {
		return nil
	}
	if l.nodes != nil {
		l.nodes.Drop()
	}
	return l.n.stores.Discard(l.state)
}

// endingReader ends the reading of a snapshot whose sender is gone, or whose server closes.
type endingReader struct {
	l *loading
	r io.Reader
}

func (e endingReader) Read(b []byte) (int, error) {
	if err := e.l.ctx.Err(); err != nil {
		return 0, err
	}
	if e.l.n.ctx.Err() != nil {
		return 0, errClosed
	}
	return e.r.Read(b)
}

// install exchanges the trees: first on the disk, then in memory.
func (n *Node) install(l *loading) error {
	n.whole.mu.Lock()
	defer n.whole.mu.Unlock()
	var old *persistence.State
	err := n.server.Replace(func(swapped func()) (base jute.Zxid, err error) {
		if err := n.stores.Log.Drain(); err != nil {
			return 0, err
		}
		base = max(jute.Zxid(n.stores.Log.LastLogged()), l.tree.LastZxid())
		if old, err = n.stores.Adopt(l.state, base); err != nil {
			return 0, err
		}
		l.adopted = true
		n.space.Follow(l.state)
		n.nodes.Adopt(l.nodes, func() {
			n.tree.Replace(l.tree)
			swapped()
		})
		l.state.Start(n.durable, n.fail)
		return base, nil
	})
	if old != nil {
		n.dispose(old)
	}
	return err
}

// dispose removes the state that was replaced, when the last snapshot of it was read.
func (n *Node) dispose(old *persistence.State) {
	readers := n.whole.readers
	n.whole.readers = &sync.WaitGroup{}
	n.work.Go(func() { // ends when the folder is gone
		readers.Wait()
		if err := n.stores.Discard(old); err != nil {
			n.log.Warn("the state that was replaced is not removed; the next start tries again", "err", err)
		}
	})
}
