package session

import (
	"sync"

	"zk/jute"
)

// idBits is the part of a session id below the server's byte.
const idBits = 1<<56 - 1

// IDGenerator makes session ids: the server's id in the upper byte, below it 40 bits of a millisecond
// clock and 16 more bits, growing by random steps. Its methods may be called from any goroutine.
//
// Java reads the clock once and then counts by 1, so a client can tell its neighbours' ids from its
// own. Here each id is a random step, up to 2^16 (a millisecond), above the later of the last id and the
// clock. More than 2000 sessions a second run ahead of the clock; it catches up when they get fewer,
// and over a restart Observe covers the ids that are still in use.
type IDGenerator struct {
	server uint64 // in the upper byte; immutable
	rand   func() uint64

	mu   sync.Mutex
	last uint64 // the lower 56 bits of the last id
}

// NewIDGenerator starts from the wall clock in milliseconds since 1970. rand gives 64 random bits per
// call, from a source a stranger can't predict; it is called under the generator's lock.
func NewIDGenerator(serverID uint8, wallMillis int64, rand func() uint64) *IDGenerator {
	return &IDGenerator{server: uint64(serverID) << 56, rand: rand, last: clockBits(wallMillis)}
}

// clockBits are 40 bits of a millisecond clock, in their place in an id.
func clockBits(wallMillis int64) uint64 { return uint64(wallMillis) << 16 & idBits }

// Next makes a new id: never 0, never 0x8000000000000000 (the owner mark of containers), never the
// same twice. wallMillis is the wall clock in milliseconds since 1970.
func (g *IDGenerator) Next(wallMillis int64) jute.SessionID {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = max(g.last, clockBits(wallMillis))
	for {
		g.last = (g.last + 1 + g.rand()&0xffff) & idBits
		id := g.server | g.last
		if id != 0 && id != 1<<63 {
			return jute.SessionID(id)
		}
	}
}

// Observe makes the ids that follow larger than id, when id is one of this server's: call it for every
// session found at a start, so that no id in use comes again even if the clock was set back. An id far
// ahead of the clock, from before the clock's 40 bits overflowed (every 34.8 years), is passed over.
func (g *IDGenerator) Observe(id jute.SessionID) {
	low := uint64(id) & idBits
	if uint64(id)-low != g.server {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if low > g.last && low-g.last < 1<<55 {
		g.last = low
	}
}
