package session

import "zk/jute"

// IDGenerator makes session ids: the server's id in the upper byte, then 40 bits of a millisecond
// clock and 16 low bits at the start, then growing by random steps. Its methods may be called from any
// goroutine.
type IDGenerator struct{}

// NewIDGenerator starts from the wall clock in milliseconds since 1970. rand gives 64 random bits per
// call, from a source a stranger can't predict; it is called under the generator's lock.
func NewIDGenerator(serverID uint8, wallMillis int64, rand func() uint64) *IDGenerator {
	panic("session: not written yet")
}

// Next makes a new id: never 0, never 0x8000000000000000 (the owner mark of containers), never the
// same twice. wallMillis is the wall clock in milliseconds since 1970.
func (g *IDGenerator) Next(wallMillis int64) jute.SessionID { panic("session: not written yet") }

// Observe makes the ids that follow larger than id, when id is one of this server's: call it for every
// session found at a start, so that no id comes again even if the clock was set back.
func (g *IDGenerator) Observe(id jute.SessionID) { panic("session: not written yet") }
