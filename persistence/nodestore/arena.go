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
// first, cut from a larger free piece next. Owned by the tree's write lock.
type arena struct {
	chunks []unsafe.Pointer
	maps   [][]byte
	next   handle // first unit not handed out yet
	end    handle // end of the current chunk
	free   [classes + 1]handle
	large  [handleBits]handle     // free pieces of more than classes units, by the exponent of their size
	some   [classes/64 + 1]uint64 // which free lists have something
	used   int64                  // bytes handed out
}

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
	if a.free[c] != 0 {
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
		return a.mapChunks(c / chunkUnits)
	}
	if int(a.end-a.next) < c {
		a.grow()
	}
	h := a.next
	a.next += handle(c)
	return h
}

func (a *arena) pop(c int) handle {
	h := a.free[c]
	a.free[c] = *(*handle)(a.at(h))
	if a.free[c] == 0 {
		a.some[c/64] &^= 1 << (c % 64)
	}
	return h
}

// push puts c units on the free lists, in pieces if there is no list for them.
func (a *arena) push(h handle, c int) {
	for ; c > classes; c -= classes {
		a.push(h, classes)
		h += classes
	}
	*(*handle)(a.at(h)) = a.free[c]
	a.free[c] = h
	a.some[c/64] |= 1 << (c % 64)
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
}

// grow maps one more chunk; what is left of the current one goes to the free lists.
func (a *arena) grow() {
	if rest := int(a.end - a.next); rest > 0 {
		a.push(a.next, rest)
	}
	a.next = a.mapChunks(1)
	a.end = a.next + chunkUnits
	if a.next == 0 {
		a.next = 1 // 0 is no handle
	}
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
