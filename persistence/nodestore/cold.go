package nodestore

import (
	"context"
	"fmt"
	"strings"

	"zk/persistence"
	"zk/server/tree"
)

// coldChunk is the number of nodes installed under one hold of the write lock.
const coldChunk = 256

// Warmed reports whether all of the tree is in memory.
func (s *Store) Warmed() bool { return s.warm.Load() }

// Ensure brings the node at path and its ancestors into memory, if they exist. After it, absence in
// memory is absence. It is called without the lock.
func (s *Store) Ensure(path string) error { return s.whileCold(func() error { return s.ensure(path) }) }

// whileCold runs a read from the disk, unless everything is in memory. The state stays the same meanwhile.
func (s *Store) whileCold(read func() error) error {
	if s.warm.Load() {
		return nil
	}
	s.cold.RLock()
	defer s.cold.RUnlock()
	if s.warm.Load() {
		return nil
	}
	return read()
}

func (s *Store) ensure(path string) error {
	if path == "" || path[0] != '/' {
		return nil
	}
	if known, _ := s.look(path); known || path == tree.RootPath {
		return nil
	}
	// From the top, and only as far as there are nodes: a client may ask for a path of any depth.
	for end := 1; end <= len(path); end++ {
		if end < len(path) && path[end] != '/' {
			continue
		}
		known, there := s.look(path[:end])
		if !known {
			if err := s.fault(path[:end]); err != nil {
				return err
			}
			_, there = s.look(path[:end])
		}
		if !there {
			return nil
		}
	}
	return nil
}

// look reports whether memory alone can tell if the node exists, and whether it is in memory.
func (s *Store) look(path string) (known, there bool) {
	s.lock.RLock()
	defer s.lock.RUnlock()
	return s.known(path), s.Find(path) != tree.NoRef
}

// known reports whether memory alone can tell if the node exists.
func (s *Store) known(path string) bool {
	if s.Find(path) != tree.NoRef {
		return true
	}
	if _, ok := s.current.tombs[path]; ok {
		return true
	}
	if s.frozen != nil {
		if _, ok := s.frozen.tombs[path]; ok {
			return true
		}
	}
	parent := s.Find(path[:max(strings.LastIndexByte(path, '/'), 0)])
	return parent != tree.NoRef && s.rec(parent).flags&flagComplete != 0
}

// fault reads one node from disk and installs it. The ancestors are in memory as far as they exist.
func (s *Store) fault(path string) error {
	for {
		gen := s.generation()
		rec, ok, err := s.state.GetNode(path, nil)
		if err != nil {
			return fmt.Errorf("nodestore: read %q: %w", path, err)
		}
		if !ok {
			return nil // and nobody could have deleted it: that needs it in memory
		}
		v, err := s.decode(path, rec)
		if err != nil {
			return err
		}
		if s.settle(gen, func() { s.adopt(path, &v) }) {
			return nil
		}
	}
}

func (s *Store) generation() uint64 {
	s.lock.RLock()
	defer s.lock.RUnlock()
	return s.gen
}

// settle runs install under the write lock, unless tombstones were dropped since gen.
func (s *Store) settle(gen uint64, install func()) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.gen != gen {
		return false
	}
	install()
	return true
}

// decode decodes a record and fetches data that lies apart.
func (s *Store) decode(path string, rec []byte) (saved, error) {
	v, err := decodeRecord(path, rec)
	if err != nil {
		return v, fmt.Errorf("nodestore: decode %q: %w", path, err)
	}
	if v.apart {
		data, ok, err := s.state.GetData(path, nil)
		if err != nil {
			return v, fmt.Errorf("nodestore: read data of %q: %w", path, err)
		}
		if ok { // else the record is older than the disk, and its generation is over
			v.data = data
		}
	}
	return v, nil
}

// adopt installs a node that was read, unless memory knows better.
func (s *Store) adopt(path string, v *saved) {
	if s.known(path) {
		return
	}
	parent := s.Find(path[:strings.LastIndexByte(path, '/')])
	if parent == tree.NoRef {
		return // deleted, and this node with it
	}
	r := s.install(parent, path, &v.node, v.data)
	if v.apart {
		s.rec(r).flags |= flagApart
	}
	if v.node.Children == 0 {
		s.rec(r).flags |= flagComplete
	}
}

// coldNode is a node on its way from the disk.
type coldNode struct {
	path string
	v    saved
}

// EnsureChildren brings all children of a node into memory. It is called without the lock.
func (s *Store) EnsureChildren(path string) error {
	return s.whileCold(func() error { return s.ensureChildren(path) })
}

func (s *Store) ensureChildren(path string) error {
	if err := s.ensure(path); err != nil {
		return err
	}
	prefix := path
	if path == tree.RootPath || path == "" {
		path, prefix = tree.RootPath, ""
	}
	for after := ""; ; {
		s.lock.RLock()
		gen := s.gen
		r := s.Find(path)
		complete := r == tree.NoRef || s.rec(r).flags&flagComplete != 0
		s.lock.RUnlock()
		if complete {
			return nil
		}
		var nodes []coldNode
		last := after
		more, err := s.state.ScanChildren(path, after, coldChunk, func(name, rec []byte) error {
			last = string(name)
			child := prefix + "/" + last
			v, err := s.decode(child, append([]byte(nil), rec...))
			nodes = append(nodes, coldNode{child, v})
			return err
		})
		if err != nil {
			return fmt.Errorf("nodestore: read children of %q: %w", path, err)
		}
		if s.settle(gen, func() { s.adoptChildren(path, nodes, !more) }) {
			after = last
		}
	}
}

func (s *Store) adoptChildren(path string, nodes []coldNode, all bool) {
	for i := range nodes {
		s.adopt(nodes[i].path, &nodes[i].v)
	}
	if r := s.Find(path); all && r != tree.NoRef {
		s.rec(r).flags |= flagComplete
	}
}

// Warm brings the whole tree into memory, in the order of keys: parents first. It is called without the
// lock, once, and gives up when ctx ends.
func (s *Store) Warm(ctx context.Context) error {
	var at persistence.Cursor
	for ctx.Err() == nil && !s.warm.Load() {
		err := s.whileCold(func() (err error) {
			at, err = s.warmChunk(at)
			return err
		})
		if err != nil {
			return fmt.Errorf("nodestore: warm: %w", err)
		}
	}
	return ctx.Err()
}

// warmChunk brings the next nodes into memory and gives the place to go on from.
func (s *Store) warmChunk(at persistence.Cursor) (persistence.Cursor, error) {
	gen := s.generation()
	nodes := make([]coldNode, 0, coldChunk)
	next, more, err := s.state.ScanNodes(at, coldChunk, func(parent, name, rec []byte) error {
		if len(name) == 0 {
			return nil // the root is here
		}
		path := childPath(parent, name)
		v, err := s.decode(path, append([]byte(nil), rec...))
		nodes = append(nodes, coldNode{path, v})
		return err
	})
	if err != nil {
		return at, err
	}
	done := s.settle(gen, func() {
		for i := range nodes {
			s.adopt(nodes[i].path, &nodes[i].v)
		}
		if !more {
			s.warm.Store(true)
		}
	})
	if !done {
		return at, nil
	}
	return next, nil
}

func childPath(parent, name []byte) string {
	return string(appendChildPath(make([]byte, 0, len(parent)+1+len(name)), parent, name))
}

func appendChildPath(b, parent, name []byte) []byte {
	if string(parent) != tree.RootPath {
		b = append(b, parent...)
	}
	return append(append(b, '/'), name...)
}
