package zab

import (
	"bytes"
	"fmt"
	"slices"

	"zk/jute"
)

// syncHeader takes DIFF, TRUNC or SNAP. (Java: Learner.syncWithLeader)
func (l *Learner) syncHeader(q *jute.QuorumPacket) {
	switch q.Type {
	case jute.PacketDiff:
		switch {
		case l.o.WantSnapshot && l.o.LastLogged != 0:
			l.giveUpFor("the leader sent DIFF where a snapshot is needed", true)
		case q.Zxid < l.o.LastLogged && l.o.LastLogged.Counter() != 0:
			// What lies behind would count as committed.
			l.giveUp(fmt.Sprintf("the leader sent DIFF %s, but the log ends at %s", q.Zxid, l.o.LastLogged))
		default:
			l.mode = Diff
			l.share(l.o.LastLogged)
		}
	case jute.PacketTrunc:
		switch {
		case l.o.WantSnapshot:
			l.giveUpFor("the leader sent TRUNC where a snapshot is needed", true)
		case q.Zxid > l.o.LastLogged:
			l.giveUp(fmt.Sprintf("the leader sent TRUNC %s, but the log ends at %s", q.Zxid, l.o.LastLogged))
		case int64(l.o.LastLogged.Epoch()) == l.epoch:
			l.keep(q.Zxid)
		default:
			l.mode, l.phase = Trunc, cutting
			l.received = q.Zxid
			a := l.add()
			a.Kind, a.Zxid = Truncate, q.Zxid
		}
	case jute.PacketSnap:
		if int64(q.Zxid.Epoch()) > l.epoch {
			l.giveUp(fmt.Sprintf("the leader of epoch %d sent SNAP %s", l.epoch, q.Zxid))
			return
		}
		l.mode, l.phase = Snap, loading
		l.received = q.Zxid
		a := l.add()
		a.Kind, a.Zxid = LoadSnapshot, q.Zxid
	default:
		l.giveUp(fmt.Sprintf("the leader sent %s in place of DIFF, TRUNC or SNAP", Describe(q)))
	}
}

// keep takes a TRUNC by which a leader would cut proposals of its own epoch, and cuts nothing. These can't be others
// than its own, of this very term, and it sends all of them again before NEWLEADER: they aren't committed, or it has
// not applied them yet. But this server may have acknowledged them on an earlier link, and a Java leader counts an ACK
// by the server's id whatever has become of its link (SyncedLearnerTracker, Leader.processAck, Leader.tryToCommit; seen
// with 3.9.5): cut, they would be committed while this server doesn't have them. Up to NEWLEADER nothing is on disk
// that was not before TRUNC, so for the election, too, it is as if TRUNC had not been read yet; behind it all has come
// again.
func (l *Learner) keep(z jute.Zxid) {
	if z.Counter() == 0 {
		// A Java leader which has no transaction in memory (LearnerHandler.syncFollower); which one of ours that is can't
		// be told.
		l.giveUpFor(fmt.Sprintf("the log can't be cut at %s, where no transaction is", z), true)
		return
	}
	l.mode, l.kept = Trunc, l.o.LastLogged
	l.share(z)
}

// share fixes where the history begins that the leader is known to have too, and that therefore is
// committed at UPTODATE though no COMMIT comes for it.
func (l *Learner) share(z jute.Zxid) {
	l.phase = catchingUp
	l.received, l.logged, l.committed = z, z, z
}

// Truncated says how Truncate went. When the log couldn't be cut exactly there, nothing must have changed.
func (l *Learner) Truncated(ok bool) {
	if !l.answered(cutting) {
		return
	}
	if !ok {
		l.giveUpFor(fmt.Sprintf("the log can't be cut at %s", l.received), true)
		return
	}
	l.share(l.received)
}

// SnapshotLoaded says that the stream has been read to its end.
func (l *Learner) SnapshotLoaded() {
	if l.answered(loading) {
		l.share(l.received)
	}
}

// catchUp takes what comes before UPTODATE.
func (l *Learner) catchUp(q *jute.QuorumPacket) {
	switch q.Type {
	case jute.PacketProposal:
		l.propose(q.Zxid, q.Data)
	case jute.PacketCommit, jute.PacketCommitAndActivate:
		l.commit(q.Zxid)
	case jute.PacketInform, jute.PacketInformAndActivate:
		l.inform(q)
	case jute.PacketNewLeader:
		l.newLeader(q)
	case jute.PacketUpToDate:
		if l.phase != awaitingUpToDate {
			l.giveUp("the leader sent UPTODATE before NEWLEADER")
			return
		}
		l.upToDate = true
		l.serve()
	}
	// PINGs come too early to be answered; others are passed over, as in Java.
}

// propose takes a transaction, in every phase. What is here already is passed over: a leader may repeat it,
// and behind a Java leader's snapshot much is.
func (l *Learner) propose(z jute.Zxid, data []byte) {
	if z <= l.received {
		return
	}
	if !follows(l.received, z) {
		l.giveUp(fmt.Sprintf("hole in the leader's proposals: %s follows %s", z, l.received))
		return
	}
	if int64(z.Epoch()) > l.epoch {
		l.giveUp(fmt.Sprintf("proposal %s is of a later epoch than the leader's, %d", z, l.epoch))
		return
	}
	l.received = z
	if z <= l.kept {
		return
	}
	if l.mode == Snap && l.phase == catchingUp {
		l.held = append(l.held, Entry{z, bytes.Clone(data)})
		return
	}
	a := l.add()
	a.Kind, a.Zxid, a.Data = Append, z, data
}

// commit moves the mark, in every phase before broadcast.
func (l *Learner) commit(z jute.Zxid) {
	if z > l.received {
		l.giveUp(fmt.Sprintf("the leader committed %s, but its last proposal is %s", z, l.received))
		return
	}
	if z <= l.committed {
		return
	}
	l.committed = z
	if l.mode == Snap && l.phase == catchingUp {
		n := 0
		for ; n < len(l.held) && l.held[n].Zxid <= z; n++ {
			a := l.add()
			a.Kind, a.Zxid, a.Data = ApplySnapshot, l.held[n].Zxid, l.held[n].Data
		}
		l.held = slices.Delete(l.held, 0, n)
	}
}

// inform takes a transaction that is committed, in every phase. One that is here already still moves the
// mark. INFORMANDACTIVATE has the id of a designated leader before it.
func (l *Learner) inform(q *jute.QuorumPacket) {
	data := q.Data
	if q.Type == jute.PacketInformAndActivate {
		if len(data) < 8 {
			l.giveUp("INFORMANDACTIVATE is too short")
			return
		}
		data = data[8:]
	}
	l.propose(q.Zxid, data)
	if l.phase != ended {
		l.commit(q.Zxid)
	}
}

// newLeader has everything received made durable with the epoch, before it is acknowledged.
func (l *Learner) newLeader(q *jute.QuorumPacket) {
	if l.phase != catchingUp || q.Zxid != firstOf(l.epoch) {
		l.giveUp(fmt.Sprintf("the leader of epoch %d sent %s", l.epoch, Describe(q)))
		return
	}
	if l.received < l.kept {
		l.giveUpFor(fmt.Sprintf("the leader had its proposals up to %s cut, and sent them again up to %s only", l.kept, l.received), true)
		return
	}
	l.phase = adopting
	a := l.add()
	a.Kind, a.Epoch, a.Data, a.Entries = Adopt, l.epoch, q.Data, l.held
}

// Adopted says that Adopt is done.
func (l *Learner) Adopted() {
	if !l.answered(adopting) {
		return
	}
	l.phase = awaitingUpToDate
	l.logged, l.held = l.received, nil
	l.acked = l.committed // the leader does not wait for what it had committed before NEWLEADER
	if l.o.LostMemory {
		// An answer that no leader counts.
		l.ack(0)
	} else {
		l.ack(firstOf(l.epoch))
	}
	l.Progress()
}

// serve ends the sync when UPTODATE has come and everything committed by then is durable. From here on proposals
// are acknowledged, those since NEWLEADER that are committed already among them: a Java leader waits for each
// (SyncLimitCheck), and else closes the link when syncLimit is over. (Java: the end of Learner.syncWithLeader)
func (l *Learner) serve() {
	if !l.upToDate || l.logged < l.committed {
		return
	}
	l.phase, l.upToDate = following, false
	l.apply()
	a := l.add()
	a.Kind, a.Epoch, a.Zxid = Established, l.epoch, l.committed
	l.ack(firstOf(l.epoch))
	l.acknowledge()
}
