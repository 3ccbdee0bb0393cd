package nodestore

import (
	"errors"
	"fmt"

	"zk/jute"
	"zk/persistence"
	"zk/persistence/javafile"
	"zk/server/tree"
)

// Snapshot is the whole tree as it was after one transaction: nodes, sessions, ACL lists and figures, all
// from one point of the state store. It holds no node in memory. It belongs to one goroutine.
type Snapshot struct {
	state  *persistence.StateSnapshot
	counts tree.Counts
	path   []byte // scratch of EachNode
}

// Snapshot fixes the tree with everything that was applied before the call. It is called without the lock;
// writes go on, and are not waited for.
func (s *Store) Snapshot() (*Snapshot, error) {
	if err := s.write(); err != nil {
		return nil, err
	}
	s.writing.Lock() // between two batches, and not while the state is replaced
	snap, err := s.state.Snapshot()
	s.writing.Unlock()
	if err != nil {
		return nil, fmt.Errorf("nodestore: snapshot: %w", err)
	}
	v := &Snapshot{state: snap}
	meta, ok, err := snap.Meta(metaTree)
	if err == nil && !ok {
		err = errors.New("the figures of the tree are missing")
	}
	if err == nil {
		v.counts, err = tree.DecodeCounts(meta)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("nodestore: snapshot: %w", err), snap.Close())
	}
	return v, nil
}

// Counts are the figures of the tree.
func (v *Snapshot) Counts() tree.Counts { return v.counts }

// EachSession calls yield for every session in the order of ids.
func (v *Snapshot) EachSession(yield func(id jute.SessionID, timeoutMillis int32) error) error {
	return v.state.ForEachSession(yield)
}

// EachACL calls yield for every ACL list but tree.OpenACL, in the order of ids.
func (v *Snapshot) EachACL(yield func(id uint32, acl []jute.ACL) error) error {
	return v.state.ForEachACL(func(id int64, rec []byte) error {
		a, err := decodeACL(id, rec)
		if err != nil {
			return err
		}
		return yield(a.ID, a.ACL)
	})
}

// EachNode calls yield for every node, parents before children; path and data are valid during the call.
// The root's path is "".
func (v *Snapshot) EachNode(yield func(path []byte, n *tree.Node, data []byte) error) error {
	return v.state.EachNode(func(parent, name, rec, data []byte) error {
		v.path = v.path[:0]
		if len(name) > 0 {
			v.path = appendChildPath(v.path, parent, name)
		}
		n, err := decodeRecord(string(v.path), rec)
		if err != nil {
			return fmt.Errorf("nodestore: decode %q: %w", v.path, err)
		}
		if n.apart {
			if len(data) != n.size {
				return fmt.Errorf("nodestore: %q: %d bytes of data, its record says %d", v.path, len(data), n.size)
			}
			n.data = data
		}
		return yield(v.path, &n.node, n.data)
	})
}

// Close lets go of the state store.
func (v *Snapshot) Close() error { return v.state.Close() }

// JavaSnapshot is a Snapshot on its way into a file of Java's. It implements javafile.Source.
type JavaSnapshot struct {
	*Snapshot
	trailer        javafile.Trailer
	sessions, acls int
	size           int64
}

// Java gives the snapshot in the format of Java's files. digest and lastZxid say whether the sections are
// written that Java reads without being told, so they must be as its own settings are
// (zookeeper.digest.enabled, zookeeper.serializeLastProcessedZxid.enabled).
func (v *Snapshot) Java(digest, lastZxid bool) (*JavaSnapshot, error) {
	j := &JavaSnapshot{Snapshot: v, trailer: javafile.Trailer{HasDigest: digest, HasLastZxid: lastZxid, LastZxid: v.counts.LastZxid}}
	j.trailer.Digest.Digest.Version = jute.DigestVersion // also of an empty one: Java can't read any other
	if v.counts.LastZxid.Counter() != 0 {                // else no transaction has this zxid, and Java writes an empty digest
		j.trailer.Digest.Zxid = v.counts.LastZxid
		j.trailer.Digest.Digest.TreeDigest = v.counts.Digest
	}
	// The figures say how many bytes the nodes take, so only the small tables are looked at.
	j.size = j.trailer.Size() + v.counts.Nodes*javafile.NodeBytes + v.counts.DataBytes
	err := v.EachSession(func(jute.SessionID, int32) error {
		j.sessions++
		j.size += javafile.SessionBytes
		return nil
	})
	if err == nil {
		var b []byte
		err = v.EachACL(func(id uint32, acl []jute.ACL) error {
			j.acls++
			a := jute.SnapshotACL{ID: int64(id), ACL: acl}
			b = a.Append(b[:0])
			j.size += int64(len(b))
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("nodestore: snapshot: %w", err)
	}
	return j, nil
}

// Size is the number of bytes of the file.
func (j *JavaSnapshot) Size() int64 { return j.size }

// TreeSize is the number of bytes of the tree alone, as a leader sends it (javafile.WriteTree).
func (j *JavaSnapshot) TreeSize() int64 { return j.size - j.trailer.Size() + int64(javafile.TreeBytes) }

// Counts implements javafile.Source.
func (j *JavaSnapshot) Counts() (sessions, acls int) { return j.sessions, j.acls }

// Trailer implements javafile.Source.
func (j *JavaSnapshot) Trailer() javafile.Trailer { return j.trailer }

// EachSession implements javafile.Source.
func (j *JavaSnapshot) EachSession(yield func(*jute.SnapshotSession) error) error {
	return j.Snapshot.EachSession(func(id jute.SessionID, timeoutMillis int32) error {
		return yield(&jute.SnapshotSession{SessionID: id, TimeoutMillis: timeoutMillis})
	})
}

// EachACL implements javafile.Source.
func (j *JavaSnapshot) EachACL(yield func(*jute.SnapshotACL) error) error {
	return j.Snapshot.EachACL(func(id uint32, acl []jute.ACL) error {
		return yield(&jute.SnapshotACL{ID: int64(id), ACL: acl})
	})
}

// EachNode implements javafile.Source. At the end the digest of what came must be the tree's: else the
// state store is not what was written to it, and the file would be worth nothing.
func (j *JavaSnapshot) EachNode(yield func(*jute.SnapshotNode) error) error {
	var out jute.SnapshotNode
	digest := int64(0)
	err := j.Snapshot.EachNode(func(path []byte, n *tree.Node, data []byte) error {
		digest += int64(n.Digest)
		out = jute.SnapshotNode{Path: string(path), Data: data, ACLID: int64(n.ACL), Stat: n.Stat}
		if n.ACL == tree.OpenACL {
			out.ACLID = jute.ACLIDOpen
		}
		return yield(&out)
	})
	if err == nil && digest != j.counts.Digest {
		return &persistence.CorruptionError{Key: "snapshot", Err: fmt.Errorf("the digest of the nodes is %d, the tree's was %d", digest, j.counts.Digest)}
	}
	return err
}
