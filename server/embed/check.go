package embed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"zk/conf"
	"zk/jute"
	"zk/persistence"
	"zk/server/metrics"
	"zk/server/tree"
)

// Figures are what Check found.
type Figures struct {
	tree.Counts
	Sessions int
	Redone   int // transactions of the log that the stored tree lacked
}

// problemsMax bounds what Check lists.
const problemsMax = 20

// Check opens the data of a server that is not running, as a start does, walks over the whole tree, computes
// anew everything that is kept count of (the digest first of all), and compares: its error lists what does not
// fit. each, if not nil, is called for every node; what it gets is valid during the call.
func Check(ctx context.Context, cfg *conf.Config, deps Deps, each func(path string, n *tree.Node, data []byte)) (f Figures, err error) {
	n := &Node{cfg: cfg, log: deps.Logger, deps: deps, met: metrics.New(time.Now())}
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	n.deps.NodeLimits = limitsOrDefault(n.deps.NodeLimits)
	if n.stores, err = persistence.Open(n.storeOptions()); err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, n.stores.Close()) }()
	f.Redone, _, err = n.recover(true)
	if n.nodes != nil {
		defer func() { err = errors.Join(err, n.nodes.Close()) }()
	}
	if err != nil {
		return f, err
	}
	if n.met.DigestMismatchesCount.Value() > 0 {
		return f, errors.New("embed: check: digests differ in the redo of the log")
	}
	if err := n.nodes.Warm(ctx); err != nil {
		return f, err
	}
	c := checker{n: n, f: &f, each: each}
	c.walk(n.nodes.Find(tree.RootPath), tree.RootPath)
	f.Sessions, f.LastZxid = n.tree.SessionCount(), n.tree.Counts().LastZxid
	if want := n.tree.Counts(); f.Counts != want {
		c.problem("computed %+v, kept %+v", f.Counts, want)
	}
	if logged := n.stores.Log.LastLogged(); jute.Zxid(logged) != f.LastZxid {
		c.problem("the log ends at %v, the tree is at %v", jute.Zxid(logged), f.LastZxid)
	}
	if err := c.logged(); err != nil {
		return f, err
	}
	return f, errors.Join(c.problems...)
}

// logged compares the digest with the one that was proposed with the last transaction.
func (c *checker) logged() error {
	log, last := c.n.stores.Log, c.f.LastZxid
	if last == 0 || last == log.CompleteFrom() || !c.n.cfg.DigestEnabled {
		return nil
	}
	return log.Read(last, func(zxid jute.Zxid, b []byte) error {
		var p jute.Proposal
		d := jute.NewDecoder(b, len(b))
		if p.Decode(&d); d.Err() != nil {
			return &persistence.CorruptionError{Path: c.n.cfg.DataLogDir, Key: zxid.String(), Err: d.Err()}
		}
		if p.HasDigest && p.Digest.TreeDigest != c.f.Digest {
			c.problem("at zxid %v the digest computed is %d, the one proposed was %d", zxid, c.f.Digest, p.Digest.TreeDigest)
		}
		return nil
	})
}

// checker is one walk.
type checker struct {
	n        *Node
	f        *Figures
	each     func(path string, n *tree.Node, data []byte)
	problems []error
}

func (c *checker) problem(format string, args ...any) {
	if len(c.problems) < problemsMax {
		c.problems = append(c.problems, fmt.Errorf("embed: check: "+format, args...))
	}
}

// walk checks a node and what is below it.
func (c *checker) walk(ref tree.Ref, path string) {
	nodes, t, f := c.n.nodes, c.n.tree, c.f
	n, data := nodes.Node(ref), t.Data(ref)
	if c.each != nil {
		c.each(path, n, data)
	}
	f.Nodes++
	if path != tree.RootPath {
		f.DataBytes += int64(len(path))
	}
	f.DataBytes += int64(len(data))
	if n.DataCRC != tree.DataCRC(path, data) {
		c.problem("%s: the checksum kept differs from the data's", path)
	}
	if tree.Digested(path) {
		d := tree.NodeDigest(n.DataCRC, &n.Stat)
		if d != int64(n.Digest) {
			c.problem("%s: the digest kept differs from the node's", path)
		}
		f.Digest += d
	}
	if o := n.Stat.EphemeralOwner; o > 0 {
		f.Ephemerals++
		if !slices.Contains(t.Ephemerals(jute.SessionID(o), nil), path) {
			c.problem("%s: not in the index of ephemerals", path)
		}
	}
	children := int32(0)
	seen := map[string]bool{}
	for child := nodes.FirstChild(ref); child != tree.NoRef; child = nodes.NextSibling(child) {
		children++
		name := string(nodes.Name(child))
		if seen[name] {
			c.problem("%s has two children %q", path, name)
		}
		seen[name] = true
		c.walk(child, strings.TrimSuffix(path, "/")+"/"+name)
	}
	if children != n.Children {
		c.problem("%s: %d children, its count says %d", path, children, n.Children)
	}
}
