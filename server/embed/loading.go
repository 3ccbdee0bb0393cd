package embed

import (
	"context"
	"fmt"
	"io"
	"sync"

	"zk/jute"
	"zk/persistence"
	"zk/persistence/javafile"
	"zk/persistence/nodestore"
	"zk/server/tree"
)

// What is loaded between two looks at what has gathered to be written: nodes, and bytes of them, after which the
// disk is looked at, too.
const loadStep, loadStepBytes = 64, 1 << 20

// loading is a tree on its way in, from a snapshot that is restored or from a leader: into a state store
// beside the one that is served, and a tree of its own in memory.
type loading struct {
	n        *Node
	ctx      context.Context
	lock     sync.RWMutex // nobody else's: the store wants one
	loader   *tree.Loader
	state    *persistence.State
	nodes    *nodestore.Store
	tree     *tree.Tree
	sessions int
	gathered int // nodes since the last step
	bytes    int // of them
	adopted  bool
}

// open makes the side store, with what of the old one does not come from the snapshot.
func (l *loading) open() (err error) {
	n := l.n
	onFail := func(err error) { n.fail(fmt.Errorf("embed: load a tree: %w", err)) }
	if l.state, err = n.stores.NewSide(onFail); err != nil {
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
	l.loader = tree.NewLoader(l.tree)
	return nil
}

// visitor takes in what comes.
func (l *loading) visitor() javafile.Visitor {
	return javafile.Visitor{
		Session: func(s *jute.SnapshotSession) error { l.sessions++; return l.loader.Session(s) },
		ACL:     l.loader.ACL,
		Node: func(node *jute.SnapshotNode) error {
			if err := l.loader.Node(node); err != nil {
				return err
			}
			l.bytes += len(node.Path) + len(node.Data) + jute.StatPersistedBytes
			return l.step()
		},
	}
}

// What a tree from elsewhere may have that is kept in memory whole. A server of ours with so many sessions has some
// GiB of connections beside them, and most have a few hundred ACL lists.
const loadSessionsMax, loadACLBytesMax = 2 << 20, 64 << 20

// readOptions are the bounds of what comes.
func (l *loading) readOptions(name string) javafile.ReadOptions {
	return javafile.ReadOptions{
		Name: name, BytesMax: l.n.cfg.JuteMaxBuffer + l.n.cfg.JuteMaxBufferExtraSize,
		SessionsMax: loadSessionsMax, ACLTableBytesMax: loadACLBytesMax,
	}
}

// step writes what was loaded, now and then.
func (l *loading) step() error {
	if l.gathered++; l.gathered < loadStep && l.bytes < loadStepBytes {
		return nil
	}
	return l.write()
}

// write writes what has gathered, if there is room.
func (l *loading) write() error {
	level := l.n.space.Level()
	if l.bytes >= loadStepBytes { // faster than whoever looks once a second
		level = l.n.space.Look()
	}
	if level >= persistence.SpaceLow {
		return errDiskLow
	}
	return l.writeRest()
}

// writeRest is write for what little is left to make a tree whole.
func (l *loading) writeRest() error {
	gathered := l.gathered
	l.gathered, l.bytes = 0, 0
	return l.nodes.Loaded(max(gathered, 1), func(b []byte) []byte { return tree.AppendCounts(b, l.tree.Counts()) })
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

// take puts the tree, which is on the disk as the state that counts, in the place of the one that is served.
func (l *loading) take(swapped func()) {
	n := l.n
	l.adopted = true
	n.space.Follow(l.state)
	n.nodes.Adopt(l.nodes, func() {
		n.tree.Replace(l.tree)
		swapped()
	})
	l.state.Start(n.durable, n.fail)
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
