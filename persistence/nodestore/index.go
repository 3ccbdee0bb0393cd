package nodestore

import "zk/server/tree"

const (
	segmentShift = 12 // buckets in a segment of the table: small enough to clear within a microsecond
	segmentSize  = 1 << segmentShift
)

// index finds records by the hash of their path: chains through the records, and a table that grows by
// splitting one bucket per insert (linear hashing).
type index struct {
	segments [][]tree.Ref
	mask     uint32 // buckets of the round that is complete, less one
	split    uint32 // next bucket to be split
	count    int
}

func newIndex() index {
	return index{segments: [][]tree.Ref{make([]tree.Ref, segmentSize)}, mask: segmentSize - 1}
}

// bucket gives the head of the chain for a hash.
func (x *index) bucket(hash uint32) *tree.Ref {
	b := hash & x.mask
	if b < x.split {
		b = hash & (x.mask<<1 | 1)
	}
	return &x.segments[b>>segmentShift][b&(segmentSize-1)]
}

// insert puts a record at the head of its chain and splits the next bucket.
func (x *index) insert(s *Store, r tree.Ref, rec *record) {
	b := x.bucket(rec.hash)
	rec.next = *b
	*b = r
	x.count++
	if x.count > int(x.mask)+int(x.split) {
		x.grow(s)
	}
}

func (x *index) grow(s *Store) {
	to := x.split + x.mask + 1
	if int(to>>segmentShift) == len(x.segments) {
		x.segments = append(x.segments, make([]tree.Ref, segmentSize))
	}
	old := &x.segments[x.split>>segmentShift][x.split&(segmentSize-1)]
	new := &x.segments[to>>segmentShift][to&(segmentSize-1)]
	r := *old
	*old = tree.NoRef
	for r != tree.NoRef {
		rec := s.rec(r)
		next := rec.next
		head := old
		if rec.hash&(x.mask+1) != 0 {
			head = new
		}
		rec.next = *head
		*head = r
		r = next
	}
	if x.split++; x.split > x.mask {
		x.mask = x.mask<<1 | 1
		x.split = 0
	}
}

// remove takes a record out of its chain. The table doesn't shrink.
func (x *index) remove(s *Store, r tree.Ref, rec *record) {
	for at := x.bucket(rec.hash); *at != tree.NoRef; at = &s.rec(*at).next {
		if *at == r {
			*at = rec.next
			x.count--
			return
		}
	}
}
