package nodestore

import (
	"unsafe"

	"zk/server/tree"
)

const (
	bucketSlots = 7
	// bucketLoad is the mean number of records for each bucket. Those whose turn to be split is still to come have up
	// to twice as many, so one in a few has its last records in an overflow bucket then.
	bucketLoad = 4

	segmentShift = 8 // buckets in a segment of the table: small enough to clear within a microsecond
	segmentSize  = 1 << segmentShift
	segmentBytes = segmentSize * int(unsafe.Sizeof(bucket{}))
)

// index finds records by the hash of their path. The table grows by splitting one bucket after another (linear
// hashing). A bucket is a line of the processor's cache, and has the hashes: to see that a node does not exist takes
// one wait for memory, to find one takes two.
type index struct {
	segments []*[segmentSize]bucket
	mask     uint32 // buckets of the round that is complete, less one
	split    uint32 // next bucket to be split
	count    int

	overflow []*[segmentSize]bucket
	spare    uint32 // an overflow bucket that is free, and leads to the next; see bucket.more
	made     uint32 // overflow buckets used so far
}

// bucket has its records without gaps.
type bucket struct {
	hashes [bucketSlots]uint32
	refs   [bucketSlots]tree.Ref // tree.NoRef behind the last
	more   uint32                // 1 + the number of an overflow bucket that goes on; 0 for none
	_      uint32
}

const _ = -(unsafe.Sizeof(bucket{}) % 64) // whole lines; segments are aligned to more

func newIndex() index {
	return index{segments: []*[segmentSize]bucket{new([segmentSize]bucket)}, mask: segmentSize - 1}
}

// bucket gives the first bucket for a hash.
func (x *index) bucket(hash uint32) *bucket {
	b := hash & x.mask
	if b < x.split {
		b = hash & (x.mask<<1 | 1)
	}
	return x.at(b)
}

func (x *index) at(b uint32) *bucket { return &x.segments[b>>segmentShift][b&(segmentSize-1)] }

// after gives the bucket that goes on, or nil.
func (x *index) after(b *bucket) *bucket {
	if b.more == 0 {
		return nil
	}
	return x.over(b.more)
}

func (x *index) over(more uint32) *bucket {
	n := more - 1
	return &x.overflow[n>>segmentShift][n&(segmentSize-1)]
}

// insert puts a record in and splits the next bucket if they have become too full.
func (x *index) insert(hash uint32, r tree.Ref) {
	x.put(x.bucket(hash), hash, r)
	x.count++
	if x.count > bucketLoad*int(x.mask+1+x.split) {
		x.grow()
	}
}

// put puts a record behind the last of a bucket.
func (x *index) put(b *bucket, hash uint32, r tree.Ref) {
	for b.more != 0 {
		b = x.over(b.more)
	}
	for i := range b.refs {
		if b.refs[i] == tree.NoRef {
			b.hashes[i], b.refs[i] = hash, r
			return
		}
	}
	b.more = x.takeOver()
	b = x.over(b.more)
	b.hashes[0], b.refs[0] = hash, r
}

// takeOver gives an empty overflow bucket as bucket.more names it.
func (x *index) takeOver() uint32 {
	if more := x.spare; more != 0 {
		b := x.over(more)
		x.spare, b.more = b.more, 0
		return more
	}
	if int(x.made>>segmentShift) == len(x.overflow) {
		x.overflow = append(x.overflow, new([segmentSize]bucket))
	}
	x.made++
	return x.made
}

// giveOver takes an overflow bucket back.
func (x *index) giveOver(more uint32) {
	*x.over(more) = bucket{more: x.spare}
	x.spare = more
}

// grow splits the next bucket.
func (x *index) grow() {
	to := x.split + x.mask + 1
	if int(to>>segmentShift) == len(x.segments) {
		x.segments = append(x.segments, new([segmentSize]bucket))
	}
	low, high := x.at(x.split), x.at(to)
	from := *low
	*low = bucket{}
	for {
		for i, r := range from.refs {
			switch {
			case r == tree.NoRef:
			case from.hashes[i]&(x.mask+1) != 0:
				x.put(high, from.hashes[i], r)
			default:
				x.put(low, from.hashes[i], r)
			}
		}
		more := from.more
		if more == 0 {
			break
		}
		from = *x.over(more)
		x.giveOver(more)
	}
	if x.split++; x.split > x.mask {
		x.mask = x.mask<<1 | 1
		x.split = 0
	}
}

// remove takes a record out: the last one of all takes its place. The table doesn't shrink.
func (x *index) remove(hash uint32, r tree.Ref) {
	var at, before *bucket
	i, last := -1, x.bucket(hash)
	for {
		if i < 0 {
			at, i = last, last.slot(r)
		}
		if last.more == 0 {
			break
		}
		before, last = last, x.over(last.more)
	}
	if i < 0 {
		return
	}
	x.count--
	n := bucketSlots
	if free := last.slot(tree.NoRef); free >= 0 {
		n = free
	}
	n--
	at.hashes[i], at.refs[i] = last.hashes[n], last.refs[n]
	last.refs[n] = tree.NoRef
	if n == 0 && before != nil {
		x.giveOver(before.more)
		before.more = 0
	}
}

// slot is where a bucket has a record, negative if it hasn't.
func (b *bucket) slot(r tree.Ref) int {
	for i := range b.refs {
		if b.refs[i] == r {
			return i
		}
	}
	return -1
}

// bytes is what the table takes.
func (x *index) bytes() int64 { return int64(len(x.segments)+len(x.overflow)) * int64(segmentBytes) }
