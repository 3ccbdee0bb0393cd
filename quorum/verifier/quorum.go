package verifier

import (
	"slices"

	"zk/jute"
)

// votersOnStack is up to how many voters and groups a check takes no memory from the heap.
const votersOnStack = 16

// ContainsQuorum reports if the voters for which has is true are a quorum: more than half of all voters, or
// with groups, more than half of the groups, each with more than half of its weight; groups without weight
// don't count. Observers never count.
func (c *Config) ContainsQuorum(has func(jute.ServerID) bool) bool {
	if c.groups == nil {
		n := 0
		for _, id := range c.voters {
			if has(id) {
				n++
			}
		}
		return n > len(c.voters)/2
	}
	var stack [votersOnStack]int64
	sums := stack[:]
	if len(c.counted) > len(sums) {
		sums = make([]int64, len(c.counted))
	}
	for _, id := range c.voters {
		if g := c.groupOf[id]; g.index >= 0 && has(id) {
			sums[g.index] += c.weights[id]
		}
	}
	n := 0
	for i, g := range c.counted {
		if sums[i] > g.weight/2 {
			n++
		}
	}
	return n > len(c.counted)/2
}

// Reached is the greatest zxid that a quorum has reached, when of tells how far each voter is; -1 when there
// is no quorum at all, as with weights of 0 alone.
func (c *Config) Reached(of func(jute.ServerID) jute.Zxid) jute.Zxid {
	var stack [votersOnStack]jute.Zxid
	zxids := stack[:0]
	for _, id := range c.voters {
		zxids = append(zxids, of(id))
	}
	slices.Sort(zxids)
	if c.groups == nil {
		return zxids[(len(zxids)-1)/2] // that many voters may be missing
	}
	for _, z := range slices.Backward(zxids) {
		if c.ContainsQuorum(func(id jute.ServerID) bool { return of(id) >= z }) {
			return z
		}
	}
	return -1
}

// Quorums is the Config in force with the last one seen, which counts too while it is newer: a reconfig has
// been proposed then.
type Quorums struct {
	Current  *Config
	LastSeen *Config // nil: none
}

// pending is the proposed Config, or nil.
func (q Quorums) pending() *Config {
	if q.LastSeen != nil && q.LastSeen.version > q.Current.version {
		return q.LastSeen
	}
	return nil
}

// Contains reports if the servers for which has is true are a quorum of each Config that counts.
// (SyncedLearnerTracker.hasAllQuorums)
func (q Quorums) Contains(has func(jute.ServerID) bool) bool {
	p := q.pending()
	return q.Current.ContainsQuorum(has) && (p == nil || p.ContainsQuorum(has))
}

// Reached is the greatest zxid that a quorum of each Config that counts has reached.
func (q Quorums) Reached(of func(jute.ServerID) jute.Zxid) jute.Zxid {
	z := q.Current.Reached(of)
	if p := q.pending(); p != nil {
		z = min(z, p.Reached(of))
	}
	return z
}

// IsVoter reports if a server votes in the current Config or the last one seen, whatever that one's version.
// (QuorumPeer.getCurrentAndNextConfigVoters)
func (q Quorums) IsVoter(id jute.ServerID) bool {
	return q.Current.IsVoter(id) || q.LastSeen != nil && q.LastSeen.IsVoter(id)
}

// AppendVoters appends all for which IsVoter is true, ascending.
func (q Quorums) AppendVoters(dst []jute.ServerID) []jute.ServerID {
	at := len(dst)
	dst = append(dst, q.Current.voters...)
	if q.LastSeen != nil {
		dst = append(dst, q.LastSeen.voters...)
		slices.Sort(dst[at:])
		dst = dst[:at+len(slices.Compact(dst[at:]))]
	}
	return dst
}
