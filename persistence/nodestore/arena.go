package nodestore

import (
	"fmt"
	"math/bits"
	"syscall"
	"unsafe"

	"zk/server/tree"
)

const (
	unitBytes  = 16 // all sizes and addresses are multiples of it
	chunkBytes = 4 << 20
	chunkUnits = chunkBytes / unitBytes
	chunkShift = 18
	chunkMask  = chunkUnits - 1
	classes    = 256 // size classes of 1..classes units
	handleBits = 32
	bigBytes   = classes * unitBytes
)

// Data on Go's heap is never changed in place.
const _ = uint(tree.LargeDataBytes - bigBytes)

// handle addresses an allocation in units from the start of the arena: 64 GiB at most. 0 is none.
type handle uint32

// arena hands out memory that the collector doesn't see. Freed memory is reused for the same size
// first, cut from a larger free piece next. A chunk in which nothing is in use any more is forgotten as a whole, to be
// cut anew, and its memory goes back to the system. Owned by the tree's write lock.
type arena struct {
	chunks []unsafe.Pointer
	shares []*chunkShare // by chunk
	maps   [][]byte
	next   handle                 // first unit not handed out yet
	end    handle                 // end of the current chunk
	having [classes + 1]chunkID   // the first chunk with free pieces of so many units
	large  [handleBits]handle     // free pieces of more than classes units, by the exponent of their size
	some   [classes/64 + 1]uint64 // which sizes have a free piece
	empty  []int                  // chunks with nothing in use
	given  []int                  // of these, whose memory the system has
	used   int64                  // bytes handed out
}

// chunkID is 1 + the number of a chunk, 0 for none.
type chunkID uint32

// chunkShare is what a chunk has of the free pieces. By units: its first one, and the chunks before and after it that
// have some too.
type chunkShare struct {
	used         int32 // units handed out; pieces of more than classes units count for ever
	free         [classes + 1]handle
	before, next [classes + 1]chunkID
}

const (
	// emptyKept is the number of empty chunks whose memory is kept, as it may soon be wanted again.
	emptyKept = 2
	// surplusShare is which part of the others is given back at a time, once in a FreezeAge: half of them in 11 seconds.
	// Trees that come and go need not ask the system for the same memory again and again. (Giving back all at once costs
	// creates of 1 KiB that are deleted some seconds later 3 to 4 % of their processor time.)
	surplusShare = 16
)

// unitsOf rounds a size up to units.
func unitsOf(n int) int { return (n + unitBytes - 1) / unitBytes }

// at gives the memory of a handle.
func (a *arena) at(h handle) unsafe.Pointer {
	return unsafe.Add(a.chunks[h>>chunkShift], uintptr(h&chunkMask)*unitBytes)
}

// alloc gives n bytes, not cleared. More than bigBytes is meant for the odd long name only: it takes up
// to twice the memory.
func (a *arena) alloc(n int) handle {
	c := unitsOf(n)
	if c > classes {
		return a.allocLarge(bits.Len(uint(c - 1)))
	}
	a.used += int64(c) * unitBytes
	h := a.take(c)
	a.shares[h>>chunkShift].used += int32(c)
	return h
}

// take finds c units.
func (a *arena) take(c int) handle {
	if a.having[c] != 0 {
		return a.pop(c)
	}
	if int(a.end-a.next) < c {
		if c < classes {
			if h := a.split(c); h != 0 {
				return h
			}
		}
		a.grow()
	}
	h := a.next
	a.next += handle(c)
	return h
}

// allocLarge gives 1<<exp units in one piece.
func (a *arena) allocLarge(exp int) handle {
	c := 1 << exp
	a.used += int64(c) * unitBytes
	if h := a.large[exp]; h != 0 {
		a.large[exp] = *(*handle)(a.at(h))
		return h
	}
	if len(a.chunks) == 0 {
		a.grow() // 0 is no handle
	}
	if c >= chunkUnits {
		h := a.mapChunks(c / chunkUnits)
		for i := range c / chunkUnits {
			a.shares[int(h>>chunkShift)+i].used = chunkUnits
		}
		return h
	}
	if int(a.end-a.next) < c {
		a.grow()
	}
	h := a.next
	a.next += handle(c)
	a.shares[h>>chunkShift].used += int32(c)
	return h
}

// pop takes c units out of the first chunk that has them.
func (a *arena) pop(c int) handle {
	id := a.having[c]
	s := a.shares[id-1]
	h := s.free[c]
	if s.free[c] = *(*handle)(a.at(h)); s.free[c] == 0 {
		a.unlink(id, c)
	}
	return h
}

// link puts a chunk among those that have pieces of c units.
func (a *arena) link(id chunkID, c int) {
	s := a.shares[id-1]
	s.before[c], s.next[c] = 0, a.having[c]
	if s.next[c] != 0 {
		a.shares[s.next[c]-1].before[c] = id
	}
	a.having[c] = id
	a.some[c/64] |= 1 << (c % 64)
}

func (a *arena) unlink(id chunkID, c int) {
	s := a.shares[id-1]
	if s.next[c] != 0 {
		a.shares[s.next[c]-1].before[c] = s.before[c]
	}
	if s.before[c] != 0 {
		a.shares[s.before[c]-1].next[c] = s.next[c]
		return
	}
	if a.having[c] = s.next[c]; a.having[c] == 0 {
		a.some[c/64] &^= 1 << (c % 64)
	}
}

// push puts c units on the free lists, in pieces if there is no list for them.
func (a *arena) push(h handle, c int) {
	for ; c > classes; c -= classes {
		a.push(h, classes)
		h += classes
	}
	id := chunkID(h>>chunkShift) + 1
	s := a.shares[id-1]
	if *(*handle)(a.at(h)) = s.free[c]; s.free[c] == 0 {
		a.link(id, c)
	}
	s.free[c] = h
}

// split cuts c units from the smallest larger free piece, 0 if there is none.
func (a *arena) split(c int) handle {
	for w := (c + 1) / 64; w < len(a.some); w++ {
		m := a.some[w]
		if w == (c+1)/64 {
			m &= ^uint64(0) << ((c + 1) % 64)
		}
		if m == 0 {
			continue
		}
		from := w*64 + bits.TrailingZeros64(m)
		h := a.pop(from)
		a.push(h+handle(c), from-c)
		return h
	}
	return 0
}

// release takes back an allocation of n bytes.
func (a *arena) release(h handle, n int) {
	c := unitsOf(n)
	if c > classes {
		exp := bits.Len(uint(c - 1))
		a.used -= unitBytes << exp
		*(*handle)(a.at(h)) = a.large[exp]
		a.large[exp] = h
		return
	}
	a.used -= int64(c) * unitBytes
	a.push(h, c)
	i := int(h >> chunkShift)
	a.shares[i].used -= int32(c)
	a.vacate(i)
}

// vacate forgets the pieces of a chunk in which nothing is in use, unless it is the current one.
func (a *arena) vacate(i int) {
	s := a.shares[i]
	if s.used > 0 || i == int((a.end-1)>>chunkShift) {
		return
	}
	for c := range s.free {
		if s.free[c] != 0 {
			a.unlink(chunkID(i)+1, c)
			s.free[c] = 0
		}
	}
	a.empty = append(a.empty, i)
}

// surplus takes out some of the empty chunks that are more than shall be kept: whoever calls it gives their memory back (giveBack)
// and puts them with those given.
func (a *arena) surplus() (list []int) {
	if n := len(a.empty) - emptyKept; n > 0 {
		n = (n + surplusShare - 1) / surplusShare
		list = append(list, a.empty[:n]...)
		a.empty = append(a.empty[:0], a.empty[n:]...)
	}
	return list
}

// giveBack gives the memory of a chunk to the system, which has it read as zeros from then on. Nothing in it may be in
// use.
func giveBack(chunk unsafe.Pointer) {
	_ = syscall.Madvise(unsafe.Slice((*byte)(chunk), chunkBytes), syscall.MADV_DONTNEED) // else it stays as it is
}

// grow makes an empty chunk, or a new one, the current one; what is left of that before goes to the free lists.
func (a *arena) grow() {
	before, rest := int(a.end-1)>>chunkShift, int(a.end-a.next)
	if rest > 0 {
		a.push(a.next, rest)
	}
	switch {
	case len(a.empty) > 0:
		a.next = popChunk(&a.empty)
	case len(a.given) > 0:
		a.next = popChunk(&a.given)
	default:
		a.next = a.mapChunks(1)
	}
	first := a.end == 0
	if a.end = a.next + chunkUnits; !first {
		a.vacate(before)
	}
	if a.next == 0 {
		a.next = 1 // 0 is no handle
	}
}

func popChunk(list *[]int) handle {
	n := len(*list) - 1
	i := (*list)[n]
	*list = (*list)[:n]
	return handle(i) << chunkShift
}

// mapChunks maps n chunks in a row and gives their first handle, which is 0 only the first time.
func (a *arena) mapChunks(n int) handle {
	m, err := syscall.Mmap(-1, 0, n*chunkBytes, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil || len(a.chunks)+n > 1<<(handleBits-chunkShift) {
		panic(fmt.Sprintf("nodestore: no memory for more znodes after %d chunks: %v", len(a.chunks), err))
	}
	h := handle(len(a.chunks)) << chunkShift
	for i := range n {
		a.chunks = append(a.chunks, unsafe.Pointer(&m[i*chunkBytes]))
		a.shares = append(a.shares, &chunkShare{})
	}
	a.maps = append(a.maps, m)
	return h
}

// close gives all memory back.
func (a *arena) close() {
	for _, m := range a.maps {
		_ = syscall.Munmap(m) // can't fail for a mapping of ours
	}
	*a = arena{}
}
