package embed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"zk/jute"
	"zk/persistence"
	"zk/persistence/javafile"
	"zk/server/admin"
)

var _ admin.Snapshots = (*Node)(nil)

// errClosed answers what comes while the server closes.
var errClosed = errors.New("embed: closed")

// errDiskLow ends a restore for which there is no room: the tree that is served needs what is left.
var errDiskLow = errors.New("the disk is below its low-water mark")

// errMember answers a restore on a server of an ensemble: the others' trees would differ from its own from then on.
var errMember = errors.New("a server of an ensemble can't be restored alone; stop all, restore one that stands alone, and let the others, emptied, get its tree")

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
	if n.peer != nil {
		return 0, fmt.Errorf("embed: restore: %w", errMember)
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

// load reads the whole snapshot into a side store and makes it durable.
func (l *loading) load(r io.Reader) error {
	if err := l.open(); err != nil {
		return err
	}
	t, err := javafile.ReadSnapshot(endingReader{l, r}, l.readOptions("snapshot stream"), l.visitor())
	if err != nil {
		return err
	}
	if !t.HasLastZxid || t.LastZxid < 0 {
		return errors.New("the snapshot does not say at which zxid it is")
	}
	if err := l.loader.Finish(t.LastZxid); err != nil {
		return err
	}
	l.checkDigest(&t)
	if err := l.write(); err != nil {
		return err
	}
	return l.nodes.Flush()
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
		l.take(swapped)
		return base, nil
	})
	if old != nil {
		n.dispose(old)
	}
	return err
}
