package persistence

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"sync"
)

// changes are sets and deletes of keys in the order they were made.
type changes struct {
	keys, values []byte // apart, so that sorting touches little memory
	list         []change
}

// change is one of them.
type change struct {
	word     uint64 // a part of the key, for sort
	key      int    // where it begins in keys
	value    int    // in values
	keyLen   int32
	valueLen int32 // or changeDeletes
}

const (
	// changeDeletes stands for the length of the value of a deleted key.
	changeDeletes = -1
	// changesMin is what a batch begins with at least, in bytes of values.
	changesMin = 1 << 10
	// changeBytes is about what a change takes in a table besides key and value.
	changeBytes = 12
)

// set notes that a key, which the caller has appended to keys, gets a value.
func (c *changes) set(keyLen int, value []byte) {
	c.list = append(c.list, change{key: len(c.keys) - keyLen, value: len(c.values), keyLen: int32(keyLen), valueLen: int32(len(value))})
	c.values = append(c.values, value...)
}

// delete notes that a key, which the caller has appended to keys, is deleted.
func (c *changes) delete(keyLen int) {
	c.list = append(c.list, change{key: len(c.keys) - keyLen, keyLen: int32(keyLen), valueLen: changeDeletes})
}

// size is about what the changes take on the disk.
func (c *changes) size() int { return len(c.keys) + len(c.values) + changeBytes*len(c.list) }

func (c *changes) keyOf(d *change) []byte { return c.keys[d.key : d.key+int(d.keyLen)] }

// each calls f for all changes as they are in the list.
func (c *changes) each(f func(key, value []byte, deleted bool)) {
	for i := range c.list {
		d := &c.list[i]
		if d.valueLen == changeDeletes {
			f(c.keyOf(d), nil, true)
		} else {
			f(c.keyOf(d), c.values[d.value:d.value+int(d.valueLen)], false)
		}
	}
}

// order sorts by key and leaves the last change of each.
func (c *changes) order() {
	c.sort(c.list, 0)
	last := c.list[:0]
	for i := range c.list {
		if i+1 < len(c.list) && bytes.Equal(c.keyOf(&c.list[i]), c.keyOf(&c.list[i+1])) {
			continue
		}
		last = append(last, c.list[i])
	}
	c.list = last
}

// parts cuts changes that are in order: those under one node that take least bytes or more are a part of their own.
// They share the memory of c.
func (c *changes) parts(least int) (parts []*changes) {
	add := func(from, to int) {
		if from < to {
			parts = append(parts, &changes{keys: c.keys, values: c.values, list: c.list[from:to]})
		}
	}
	begun := 0 // what is before is in parts
	for from := 0; from < len(c.list); {
		to, size := from, 0
		for under := c.under(from); to < len(c.list) && bytes.Equal(c.under(to), under); to++ {
			d := &c.list[to]
			size += changeBytes + int(d.keyLen) + max(int(d.valueLen), 0)
		}
		if size >= least {
			add(begun, from)
			add(from, to)
			begun = to
		}
		from = to
	}
	add(begun, len(c.list))
	return parts
}

// under is what the key of a change has in common with those of its siblings: other children of the node, or others of
// the kind.
func (c *changes) under(i int) []byte {
	key := c.keyOf(&c.list[i])
	if key[0] != keyNode && key[0] != keyData {
		return key[:1]
	}
	return key[:bytes.IndexByte(key, 0)+1]
}

// mostlyDeletes reports whether more than half are deletes.
func (c *changes) mostlyDeletes() bool {
	n := 0
	for i := range c.list {
		if c.list[i].valueLen == changeDeletes {
			n++
		}
	}
	return n > len(c.list)/2
}

const (
	// fewChanges are sorted by their whole keys.
	fewChanges = 8
	// wordsDepth is how much of the keys is sorted by words.
	wordsDepth = 256
)

// sort sorts changes whose keys are alike up to depth: by the next word of their keys, and those where that is the same
// by what follows. Most keys have long beginnings in common, as those of a folder's nodes do, and comparing them as a
// whole would take most of the time.
func (c *changes) sort(list []change, depth int) {
	if len(list) <= fewChanges || depth >= wordsDepth {
		c.sortWhole(list, depth)
		return
	}
	for i := range list {
		var word [8]byte
		copy(word[:], c.keyOf(&list[i])[depth:])
		list[i].word = binary.BigEndian.Uint64(word[:])
	}
	slices.SortFunc(list, func(a, b change) int { return cmp.Compare(a.word, b.word) })
	depth += 8
	for len(list) > 0 {
		n, ends := 1, int(list[0].keyLen) <= depth
		for n < len(list) && list[n].word == list[0].word {
			ends = ends || int(list[n].keyLen) <= depth
			n++
		}
		switch {
		case n == 1:
		case ends: // such a word is filled up with zeros, which keys may have too
			c.sortWhole(list[:n], depth-8)
		default:
			c.sort(list[:n], depth)
		}
		list = list[n:]
	}
}

func (c *changes) sortWhole(list []change, depth int) {
	slices.SortFunc(list, func(a, b change) int {
		return cmp.Or(bytes.Compare(c.keyOf(&a)[depth:], c.keyOf(&b)[depth:]), cmp.Compare(a.key, b.key))
	})
}

// spareChanges keeps the memory of a batch for the next one, so that large ones, of which there are several a second
// under load, need no fresh memory each time.
type spareChanges struct {
	mu sync.Mutex
	c  changes // guarded by mu
}

// take gives empty changes with room for some bytes of values.
func (s *spareChanges) take(bytes int) changes {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.c
	s.c = changes{}
	if cap(c.values) < bytes || cap(c.values) == 0 {
		c.values = make([]byte, 0, max(bytes, changesMin))
	}
	return c
}

// keep takes memory back. What was hardly used goes to the collector: there is less to do by now.
func (s *spareChanges) keep(c changes) {
	if len(c.values) < cap(c.values)/8 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.c = changes{keys: c.keys[:0], values: c.values[:0], list: c.list[:0]}
}
