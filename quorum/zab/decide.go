package zab

import "zk/jute"

// decide chooses how a learner whose log ends at z gets a history that ends at upTo. epoch is the leader's. It
// is LearnerHandler.syncFollower made from the whole log instead of the last 500 transactions; reference,
// section 3.3. Where the log can't vouch for a cut, the answer is Snap, which is always right.
//
// The rules rest on this: entries of one epoch come from one leader, so two logs that both reach into an
// epoch agree up to where the shorter one ends in it.
func decide(h History, z, upTo jute.Zxid, epoch int64, diffBytesMax int64) Sync {
	snap := Sync{Mode: Snap, UpTo: upTo}
	switch {
	case z == upTo:
		return Sync{Mode: Diff, From: z, UpTo: upTo}
	case z <= 0 || int64(z.Epoch()) > epoch:
		// 0 is an empty log, a lost memory, or a log that couldn't be cut as asked: it wants the tree.
		// A later epoch than this one is none that this leader could have followed.
		return snap
	case z > upTo:
		return decideAhead(z, upTo, epoch)
	}
	floor, ok := h.Floor(z)
	if !ok || h.BytesAfter(z) > diffBytesMax {
		return snap
	}
	switch {
	case floor == z || z.Counter() == 0:
		// epoch<<32 is the tree of a leader when its term was established: the end of all earlier epochs.
		return Sync{Mode: Diff, From: z, UpTo: upTo}
	case canCut(floor) && floor.Epoch() == z.Epoch():
		return Sync{Mode: Trunc, From: floor, UpTo: upTo}
	}
	return snap
}

// decideAhead is decide for a log that ends behind what may be sent as history.
func decideAhead(z, upTo jute.Zxid, epoch int64) Sync {
	switch {
	case z.Counter() == 0:
		// The tree of a later epoch without a transaction of its own: the end of all earlier ones.
		return Sync{Mode: Diff, From: upTo, UpTo: upTo}
	case canCut(upTo) && (int64(z.Epoch()) == epoch || z.Epoch() == upTo.Epoch()):
		// Proposals of this very term that aren't committed yet are cut, too, and sent again: what a learner of Java
		// has at the end of its sync counts as committed there.
		return Sync{Mode: Trunc, From: upTo, UpTo: upTo}
	}
	return Sync{Mode: Snap, UpTo: upTo}
}

// canCut reports if a log can be cut behind z: only where a transaction is. A Java learner that is told to
// cut at epoch<<32 would keep the first transaction of the epoch.
func canCut(z jute.Zxid) bool { return z.Counter() != 0 }
