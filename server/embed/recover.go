package embed

import (
	"crypto/rand"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"zk/jute"
	"zk/persistence/nodestore"
	"zk/server/tree"
)

// metaSecret names the key of session passwords in the state store; empty it stands for Java's public function.
const metaSecret = "secret"

// secretBytes is its length.
const secretBytes = 32

// recover opens the tree and, with redo, brings it up to the end of the log.
func (n *Node) recover(redo bool) (redone int, fresh bool, err error) {
	var found tree.Saved
	n.nodes, found, fresh, err = nodestore.Open(n.stores.State, &n.lock, n.deps.NodeLimits)
	if err != nil {
		return 0, false, err
	}
	n.tree = tree.New(n.nodes, found, n.treeOptions())
	if fresh {
		n.lock.Lock()
		n.tree.Init()
		// It is a tree at a zxid like any other, for whoever takes a snapshot of it.
		n.nodes.Applied(1, n.tree.LastZxid(), func(b []byte) []byte { return tree.AppendCounts(b, n.tree.Counts()) })
		n.lock.Unlock()
	}
	n.nodes.Start(n.fail)
	if !redo {
		return 0, fresh, nil
	}
	var prop jute.Proposal
	var res tree.Result
	err = n.stores.Log.Read(jute.Zxid(n.stores.State.Applied())+1, func(zxid jute.Zxid, b []byte) error {
		if err := n.decode(zxid, b, &prop); err != nil {
			return err
		}
		redone++
		return n.redo(&prop, &res)
	})
	if err != nil {
		return redone, fresh, fmt.Errorf("embed: redo: %w", err)
	}
	n.met.StartupTxnsLoaded.Observe(int64(redone))
	return redone, fresh, nil
}

func (n *Node) treeOptions() tree.Options {
	return tree.Options{
		ExtendedTypes: n.cfg.ExtendedTypesEnabled, Digest: n.cfg.DigestEnabled,
		OnQuotaExceeded: n.quotaExceeded, Yield: n.lock.YieldTreeLock,
	}
}

// redo applies one transaction of the log.
func (n *Node) redo(p *jute.Proposal, res *tree.Result) error {
	if err := n.pin(p); err != nil {
		return err
	}
	if err := n.nodes.Throttle(); err != nil {
		return err
	}
	n.lock.Lock()
	defer n.lock.Unlock()
	n.tree.Apply(&p.Header, &p.Txn, noEvents{}, res)
	n.nodes.Applied(1, p.Header.Zxid, func(b []byte) []byte { return tree.AppendCounts(b, n.tree.Counts()) })
	if p.HasDigest && n.cfg.DigestEnabled && p.Digest.TreeDigest != n.tree.TreeDigest() {
		n.met.DigestMismatchesCount.Inc()
		n.log.Error("digests differ in the redo", "zxid", p.Header.Zxid, "proposed", p.Digest.TreeDigest, "tree", n.tree.TreeDigest())
	}
	return nil
}

// pin brings what a transaction touches into memory.
func (n *Node) pin(p *jute.Proposal) error {
	paths := append([]string(nil), p.Txn.Paths...)
	if p.Header.Type == jute.OpCloseSession {
		paths = n.tree.Ephemerals(p.Header.ClientID, paths)
	} else if p.Txn.Path != "" {
		paths = append(paths, p.Txn.Path)
	}
	for i := range p.Txn.Subs {
		paths = append(paths, p.Txn.Subs[i].Path)
	}
	for _, path := range paths {
		if root, ok := strings.CutSuffix(path, "/"+tree.QuotaStatsNode); ok && strings.HasPrefix(root, tree.QuotaPath+"/") {
			if err := n.nodes.EnsureTree(root[len(tree.QuotaPath):]); err != nil {
				return err
			}
		}
		if err := n.nodes.Ensure(path); err != nil {
			return err
		}
	}
	return nil
}

// secret gives the key of session passwords, made at the first start. Nil is Java's public function.
func (n *Node) secret() ([]byte, error) {
	if n.cfg.SessionPassword == "java" || n.cfg.Distributed() {
		return nil, nil
	}
	state := n.stores.State
	key, ok, err := state.Meta(metaSecret)
	if err != nil {
		return nil, fmt.Errorf("embed: read the session secret: %w", err)
	}
	if ok && len(key) == 0 {
		n.log.Info("session passwords are those of Java: the data came from there")
		return nil, nil
	}
	if ok {
		return key, nil
	}
	key = make([]byte, secretBytes)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the process itself
	// Flush first, so that the batch can carry the mark that the state has then.
	if err := n.nodes.Flush(); err != nil {
		return nil, err
	}
	b := state.NewBatch(0)
	b.SetMeta(metaSecret, key)
	if err := b.Commit(state.Applied()); err != nil {
		return nil, fmt.Errorf("embed: store the session secret: %w", err)
	}
	done, err := state.FlushAsync()
	if err != nil {
		return nil, fmt.Errorf("embed: store the session secret: %w", err)
	}
	<-done
	return key, nil
}

func (n *Node) quotaExceeded(q tree.Quota) {
	n.log.Warn("quota exceeded", "path", q.Path, "count", q.Count, "count_limit", q.CountLimit, "bytes", q.Bytes, "bytes_limit", q.BytesLimit)
}

// dirSizes adds up the files of the state and of the log.
func (n *Node) dirSizes() (dataBytes, logBytes int64) {
	logs := n.cfg.DataLogDir
	if logs == "" {
		logs = n.cfg.DataDir
	}
	return dirBytes(filepath.Join(n.cfg.DataDir, "zk-state-*")), dirBytes(filepath.Join(logs, "zk-log"))
}

// dirBytes adds up the files in the folders that match. A file that vanishes meanwhile counts nothing.
func dirBytes(pattern string) (sum int64) {
	dirs, _ := filepath.Glob(pattern) // the pattern is ours
	for _, dir := range dirs {
		_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return nil
			}
			if info, err := e.Info(); err == nil {
				sum += info.Size()
			}
			return nil
		})
	}
	return sum
}

// noEvents are the events of a redo: nobody watches yet.
type noEvents struct{}

func (noEvents) NodeCreated(string, string, jute.Zxid, []jute.ACL, []jute.ACL) {}
func (noEvents) NodeDeleted(string, string, jute.Zxid, []jute.ACL, []jute.ACL) {}
func (noEvents) NodeDataChanged(string, jute.Zxid, []jute.ACL)                 {}
