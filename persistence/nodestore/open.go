package nodestore

import (
	"fmt"
	"hash/maphash"
	"sync"

	"zk/jute"
	"zk/persistence"
	"zk/server/tree"
)

// Open makes the store over a state store that holds a tree or nothing, and reads what a tree needs at
// once: the figures, sessions, ephemerals, candidates, ACL lists, and the nodes of /zookeeper. Fresh
// says that there was nothing: the caller then calls Tree.Init.
func Open(state *persistence.State, lock RWLocker, limits Limits) (s *Store, found tree.Saved, fresh bool, err error) {
	s = &Store{
		state: state, lock: lock, seed: maphash.MakeSeed(), index: newIndex(), limits: limits,
		current: newDirtySet(), spare: newDirtySet(), wake: make(chan struct{}, 1), quit: make(chan struct{}),
	}
	s.written = sync.NewCond(&s.throttle)
	rec, ok, err := state.GetNode(tree.RootPath, nil)
	if err != nil {
		return nil, found, false, fmt.Errorf("nodestore: read the root: %w", err)
	}
	if !ok {
		s.root = s.install(tree.NoRef, tree.RootPath, &tree.Node{}, []byte{})
		s.rec(s.root).flags |= flagComplete
		s.touch(s.root, s.rec(s.root), flagNodeDirty|flagDataDirty)
		s.warm.Store(true)
		return s, found, true, nil
	}
	v, err := s.decode(tree.RootPath, rec)
	if err != nil {
		return nil, found, false, err
	}
	s.root = s.install(tree.NoRef, tree.RootPath, &v.node, v.data)
	if v.apart {
		s.rec(s.root).flags |= flagApart
	}
	if err = s.EnsureTree(tree.ZookeeperPath); err != nil {
		return nil, found, false, err
	}
	found, err = loadTables(state)
	return s, found, false, err
}

// EnsureTree brings a node and everything below it into memory. It is meant for a start and for small
// subtrees.
func (s *Store) EnsureTree(path string) error {
	if s.warm.Load() {
		return nil
	}
	if err := s.EnsureChildren(path); err != nil {
		return err
	}
	s.lock.RLock()
	var children []string
	if r := s.Find(path); r != tree.NoRef {
		for c := s.FirstChild(r); c != tree.NoRef; c = s.NextSibling(c) {
			children = append(children, string(s.appendPath(nil, c)))
		}
	}
	s.lock.RUnlock()
	for _, c := range children {
		if err := s.EnsureTree(c); err != nil {
			return err
		}
	}
	return nil
}

// loadTables reads the small tables beside the nodes.
func loadTables(state *persistence.State) (tree.Saved, error) {
	v := tree.Saved{Sessions: map[jute.SessionID]int32{}, Ephemerals: map[jute.SessionID][]string{}}
	meta, ok, err := state.Meta(metaTree)
	if err != nil || !ok {
		return v, fmt.Errorf("nodestore: the figures of the tree: found %t: %w", ok, err)
	}
	if v.Counts, err = tree.DecodeCounts(meta); err != nil {
		return v, fmt.Errorf("nodestore: the figures of the tree: %w", err)
	}
	err = state.ForEachSession(func(id jute.SessionID, timeoutMillis int32) error {
		v.Sessions[id] = timeoutMillis
		return nil
	})
	if err != nil {
		return v, fmt.Errorf("nodestore: read sessions: %w", err)
	}
	err = state.ForEachEphemeral(func(id jute.SessionID, path []byte) error {
		v.Ephemerals[id] = append(v.Ephemerals[id], string(path))
		return nil
	})
	if err != nil {
		return v, fmt.Errorf("nodestore: read ephemerals: %w", err)
	}
	err = state.ForEachCandidate(func(path, _ []byte) error {
		v.Candidates = append(v.Candidates, string(path))
		return nil
	})
	if err != nil {
		return v, fmt.Errorf("nodestore: read containers: %w", err)
	}
	err = state.ForEachACL(func(id int64, rec []byte) error {
		a, err := decodeACL(id, rec)
		v.ACLs = append(v.ACLs, a)
		return err
	})
	if err != nil {
		return v, fmt.Errorf("nodestore: read ACLs: %w", err)
	}
	return v, nil
}

// decodeACL reads an entry of the ACL table.
func decodeACL(id int64, rec []byte) (tree.SavedACL, error) {
	d := jute.NewDecoder(rec, 0)
	a := tree.SavedACL{ID: uint32(id), Refs: d.Int64(), ACL: d.ACLs()}
	return a, d.Err()
}
