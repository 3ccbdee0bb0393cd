package zab

import "zk/jute"

// Link is one connection of a learner to the leader: a number that is used once in a term, from 1. A
// learner that comes again has a new one, even while the old one lingers.
type Link uint64

// History is the leader's own log. Its answers may change between calls as the log grows and is purged.
type History interface {
	// LastLogged is the last durable entry, or CompleteFrom if that is later.
	LastLogged() jute.Zxid
	// CompleteFrom is the zxid after which all entries are there: 0, or the base of a snapshot or purge.
	CompleteFrom() jute.Zxid
	// Floor is the greatest entry that is not above z, or CompleteFrom when no entry is; false below that.
	Floor(z jute.Zxid) (jute.Zxid, bool)
	// BytesAfter is about how much there is after z.
	BytesAfter(z jute.Zxid) int64
}

// Mode is how a learner gets the leader's history.
type Mode uint8

// The modes.
const (
	// NoSync: the learner hasn't come so far.
	NoSync Mode = iota
	// Diff sends what the learner's log lacks.
	Diff
	// Trunc cuts the learner's log first.
	Trunc
	// Snap sends the tree.
	Snap
)

func (m Mode) String() string {
	return [...]string{"none", "DIFF", "TRUNC", "SNAP"}[m]
}

// Entry is a transaction as it is in the log and on the wire.
type Entry struct {
	Zxid jute.Zxid
	Data []byte
}

// Sync says how a learner gets the history: the header packet, then the transactions in (From, UpTo] as
// PROPOSAL and COMMIT, then live traffic.
type Sync struct {
	Mode     Mode
	Observer bool
	// From is where the learner's log ends, after the cut of a Trunc. A Snap's is the zxid of the tree,
	// which only the driver knows: the Outbox is told by SnapshotSent.
	From jute.Zxid
	// UpTo is the end of what the leader holds as committed at this moment, or, before the term is
	// established, of its log.
	UpTo jute.Zxid
}

// Marks are the two marks of a leader that an Outbox follows.
type Marks struct {
	// Proposed is the last transaction that may be sent, Committed the last one a quorum has.
	Proposed, Committed jute.Zxid
}

// next is the zxid that follows z in a leader's epoch: the counter goes up by one, and a new epoch begins
// with 1.
func next(z jute.Zxid, epoch int64) jute.Zxid {
	if int64(z.Epoch()) < epoch {
		return firstOf(epoch) + 1
	}
	return z + 1
}

// firstOf is the zxid that stands for an epoch itself: its counter is 0.
func firstOf(epoch int64) jute.Zxid { return jute.NewZxid(uint32(epoch), 0) }

// follows reports if a proposal z may come right after last in a learner's log: counters go up by one, and
// the first of a later epoch is 1. Anything else is a hole (ZOOKEEPER-4925, 2418).
func follows(last, z jute.Zxid) bool {
	return z == last+1 && z.Epoch() == last.Epoch() || z.Epoch() > last.Epoch() && z.Counter() == 1
}
