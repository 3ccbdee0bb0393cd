package nodestore

import (
	"fmt"
	"math/bits"
	"syscall"
	"unsafe"
)

const (
	unitBytes  = 16 // all sizes and addresses are multiples of it
	chunkBytes = 4 << 20
	chunkUnits = chunkBytes / unitBytes
	chunkShift = 18
	chunkMask  = chunkUnits - 1
	classes    = 256 // size classes of 1..classes units
	bigBytes   = classes * unitBytes
)

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
	some   [classes/64 + 1]uint64 // which free lists have something
	used   int64                  // bytes handed out
}

// unitsOf rounds a size up to units.
func unitsOf(n int) int { return (n + unitBytes - 1) / unitBytes }

// at gives the memory of a handle.
func (a *arena) at(h handle) unsafe.Pointer {
	return unsafe.Add(a.chunks[h>>chunkShift], uintptr(h&chunkMask)*unitBytes)
}

// alloc gives n bytes, 1 to chunkBytes less one unit, not cleared. More than bigBytes is meant for the
// odd long name only: it is not reused in one piece.
func (a *arena) alloc(n int) handle {
	c := unitsOf(n)
	a.used += int64(c) * unitBytes
	if c <= classes && a.free[c] != 0 {
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
	a.used -= int64(c) * unitBytes
	a.push(h, c)
}

// grow maps one more chunk; what is left of the current one goes to the free lists.
func (a *arena) grow() {
	if rest := int(a.end - a.next); rest > 0 {
		a.push(a.next, rest)
	}
	m, err := syscall.Mmap(-1, 0, chunkBytes, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil || len(a.chunks) == 1<<(32-chunkShift) {
		panic(fmt.Sprintf("nodestore: no memory for more znodes after %d chunks: %v", len(a.chunks), err))
	}
	a.next = handle(len(a.chunks)) << chunkShift
	a.end = a.next + chunkUnits
	if a.next == 0 {
		a.next = 1 // 0 is no handle
	}
	a.chunks = append(a.chunks, unsafe.Pointer(&m[0]))
	a.maps = append(a.maps, m)
}

// close gives all memory back.
func (a *arena) close() {
	for _, m := range a.maps {
		_ = syscall.Munmap(m) // can't fail for a mapping of ours
	}
	*a = arena{}
}
