package watch

import "math"

// chunkBits sets the number of entries in one chunk of a slab, and of buckets in one segment of an index.
const chunkBits = 10

// slab is an array that grows by whole chunks, so entries never move and growing never copies. Entry
// numbers start at 1; 0 is "none". Freed numbers are chained by the owner of the slab. Entries without
// pointers cost the garbage collector nothing, whatever their number.
type slab[T any] struct {
	chunks []*[1 << chunkBits]T
	used   uint32 // highest number ever given out
	free   uint32 // head of the chain of freed numbers
}

// at is entry i, valid until the slab is replaced.
func (s *slab[T]) at(i uint32) *T {
	return &s.chunks[i>>chunkBits][i&(1<<chunkBits-1)]
}

// extend gives out a number never used before.
func (s *slab[T]) extend() uint32 {
	if s.used == math.MaxUint32 {
		panic("watch: more than 2^32 entries")
	}
	s.used++
	if int(s.used>>chunkBits) == len(s.chunks) {
		s.chunks = append(s.chunks, new([1 << chunkBits]T))
	}
	return s.used
}

// index is a hash table of slab entries, chained through a field of the entries: linear hashing, which
// splits one bucket per insertion. A table that doubles at once would hold up every connection for tens
// of milliseconds at a million entries.
//
// It has base + split buckets: those below split are already divided among twice as many.
type index struct {
	segments []*[1 << chunkBits]uint32
	base     uint32 // power of two
	split    uint32 // in [0, base)
	entries  uint32

	next func(i uint32) *uint32 // chain field of entry i
	hash func(i uint32) uint32  // hash of entry i
}

func newIndex(next func(uint32) *uint32, hash func(uint32) uint32) index {
	return index{segments: []*[1 << chunkBits]uint32{new([1 << chunkBits]uint32)}, base: 1, next: next, hash: hash}
}

// head is the first entry of the bucket for hash h.
func (x *index) head(h uint32) *uint32 {
	b := h & (x.base - 1)
	if b < x.split {
		b = h & (x.base<<1 - 1)
	}
	return x.bucket(b)
}

func (x *index) bucket(b uint32) *uint32 {
	return &x.segments[b>>chunkBits][b&(1<<chunkBits-1)]
}

func (x *index) insert(i, h uint32) {
	head := x.head(h)
	*x.next(i) = *head
	*head = i
	x.entries++
	if x.entries > x.base+x.split && x.base < 1<<31 {
		x.grow()
	}
}

// grow adds one bucket and moves to it what belongs there from the bucket it is split from.
func (x *index) grow() {
	b := x.base + x.split
	if int(b>>chunkBits) == len(x.segments) {
		x.segments = append(x.segments, new([1 << chunkBits]uint32))
	}
	from, to := x.bucket(x.split), x.bucket(b)
	mask := x.base<<1 - 1
	for *from != 0 {
		i := *from
		next := x.next(i)
		if x.hash(i)&mask != b {
			from = next
			continue
		}
		*from = *next
		*next = *to
		*to = i
	}
	if x.split++; x.split == x.base {
		x.base, x.split = x.base<<1, 0
	}
}

func (x *index) remove(i, h uint32) {
	at := x.head(h)
	for *at != i {
		at = x.next(*at)
	}
	*at = *x.next(i)
	x.entries--
}
