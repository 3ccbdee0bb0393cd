package jute

import "strconv"

// Zxid numbers a transaction: the epoch of its leader in the upper 32 bits, a counter from 1 in the
// lower ones. Inside an epoch zxids have no gaps. -1 means "none".
type Zxid int64

// NewZxid puts a zxid together.
func NewZxid(epoch, counter uint32) Zxid { return Zxid(uint64(epoch)<<32 | uint64(counter)) }

// Epoch is the upper half.
func (z Zxid) Epoch() uint32 { return uint32(uint64(z) >> 32) }

// Counter is the lower half.
func (z Zxid) Counter() uint32 { return uint32(uint64(z)) }

// String is the form every log, four-letter word and file name uses: lower-case hex.
func (z Zxid) String() string { return "0x" + strconv.FormatUint(uint64(z), 16) }

// SessionID names a session: the id of the server that made it in the upper byte.
type SessionID int64

func (s SessionID) String() string { return "0x" + strconv.FormatUint(uint64(s), 16) }
