package embed

import (
	"errors"
	"fmt"
	"io"
	"time"

	"zk/jute"
	"zk/persistence"
	"zk/persistence/javafile"
	"zk/quorum"
	"zk/server/tree"
)

// incoming is a tree on its way in from a leader. It implements quorum.Incoming. The tree that is served, the
// state and the log stay as they are until Adopt, and for good after Discard.
type incoming struct {
	loading
	began time.Time
	at    jute.Zxid // of the stream
	free  int64     // bytes on its disk when it began
	res   tree.Result
	prop  jute.Proposal
}

// receive reads the tree that a leader sends after SNAP, up to its end and no further (Java:
// Learner.syncWithLeader). An error leaves nothing behind. (/zookeeper/config becomes this server's own
// when its term begins.)
func (n *Node) receive(r io.Reader, zxid jute.Zxid) (*incoming, error) {
	in := &incoming{loading: loading{n: n, ctx: n.ctx}, began: time.Now(), at: zxid, free: n.freeForState()}
	if err := in.load(r, zxid); err != nil {
		in.failed(err)
		return nil, errors.Join(fmt.Errorf("embed: receive the tree at %v: %w", zxid, err), in.discard())
	}
	return in, nil
}

// failed looks at why the tree is not taken. One that does not fit on the disk keeps the server out of its ensemble
// for a while: the leader would only send it again.
func (in *incoming) failed(err error) {
	n := in.n
	if in.state != nil && in.state.Failed() != nil {
		return // which ends the server
	}
	if errors.Is(err, errDiskLow) {
		need := n.tooSmall.failed(in.free)
		n.log.Error("the leader's tree does not fit on the disk", "zxid", in.at, "free_bytes", in.free, "free_bytes_needed", need)
		n.peer.SetRoom(n.room(n.space.Level()))
	}
}

func (in *incoming) load(r io.Reader, zxid jute.Zxid) error {
	if zxid < 0 {
		return errors.New("no zxid of a tree")
	}
	if err := in.open(); err != nil { // this server's own disk: no leader's tree can be taken
		in.n.fail(fmt.Errorf("embed: receive the tree at %v: %w", zxid, err))
		return err
	}
	if err := javafile.ReadTree(endingReader{&in.loading, r}, in.readOptions("SNAP stream"), in.visitor()); err != nil {
		return err
	}
	if err := in.loader.Finish(zxid); err != nil {
		return err
	}
	return in.write()
}

// Apply brings the tree forward by a committed transaction. The stream of a Java leader may show its effect
// already, wholly or in part: a tree applies it all the same. Digests are not compared for that reason.
func (in *incoming) Apply(e quorum.Entry) error {
	if err := in.n.decode(e.Zxid, e.Bytes, &in.prop); err != nil {
		return err
	}
	if last := in.tree.LastZxid(); !persistence.Follows(last, e.Zxid) {
		return fmt.Errorf("embed: receive a tree: transaction %v after %v", e.Zxid, last)
	}
	in.tree.Apply(&in.prop.Header, &in.prop.Txn, noEvents{}, &in.res)
	err := in.step()
	if err != nil {
		in.failed(err)
	}
	return err
}

// Adopt makes the tree this server's, in one durable step with the epoch and with the entries, which the leader
// has proposed and not committed: they are all that is in the log then.
func (in *incoming) Adopt(epoch int64, entries []quorum.Entry) error {
	n := in.n
	base := in.tree.LastZxid()
	if err := in.adopt(epoch, base, entries); err != nil {
		return errors.Join(fmt.Errorf("embed: adopt the tree at %v: %w", base, err), in.discard())
	}
	counts := in.tree.Counts()
	n.log.Info("tree taken over from the leader", "zxid", base, "zxid_sent", in.at, "znodes", counts.Nodes, "sessions", in.sessions,
		"epoch", epoch, "uncommitted", len(entries), "ms", time.Since(in.began).Milliseconds())
	return nil
}

func (in *incoming) adopt(epoch int64, base jute.Zxid, entries []quorum.Entry) error {
	n := in.n
	if err := in.writeRest(); err != nil {
		return err
	}
	if err := in.nodes.Flush(); err != nil {
		return err
	}
	if err := n.stores.Log.Drain(); err != nil {
		return err
	}
	tail := make([]persistence.Entry, len(entries))
	for i, e := range entries {
		tail[i] = persistence.Entry{Zxid: e.Zxid, Bytes: e.Bytes}
	}
	n.whole.mu.Lock()
	defer n.whole.mu.Unlock()
	var old *persistence.State
	err := n.server.Install(func(swapped func()) (err error) {
		if old, err = n.stores.AdoptFromLeader(in.state, base, epoch, tail); err != nil {
			return err
		}
		in.take(swapped)
		return nil
	})
	if old != nil {
		n.dispose(old)
	}
	return err
}

// Discard drops the tree.
func (in *incoming) Discard() {
	if err := in.discard(); err != nil {
		in.n.log.Warn("what a leader sent is not removed; the next start tries again", "err", err)
	}
}
