package zab

import (
	"fmt"

	"zk/jute"
)

// aheadMax is how much later than a term's epoch a voter's promise may be for the term to end over it. Each epoch
// between stands for a leader that was chosen, saved its epoch, and died before it told anybody; so many in a row are
// none. And whoever means to use up all epochs by such steps, one for each initLimit at most, needs years.
const aheadMax = 100

// outsider is a voter that looks for a leader while there is one, or can't follow it.
//
// A server that was chosen leader and died when it had saved acceptedEpoch, before it told anybody, may come back to
// a leader whose epoch is lower. It has to refuse that one, looks for a leader again, and finds the same: it is out of
// its ensemble until another election, which nobody else needs. Java leaves it at that (Leader.getEpochToPropose,
// Learner.registerWithLeader). Here the term ends for its sake.
//
// The next leader's epoch is later than all that it is told of by those whom it hears first, a quorum. The voter need not
// be among them; so the server that has led promises itself to the voter's epoch, too. If that isn't heard either, the
// next term ends in the same way, and one server more knows: fewer than half of the voters can be passed over, so that
// is the most terms that an epoch costs. One is usual.
//
// The end of a term is dear, and what comes behind it is another election. Hence:
//
//   - Only a voter has it end, and one with a vote; observers, others and a server that has lost its memory don't.
//   - A vote that would beat this leader's history ends nothing. Where everything is as it should be, nobody who has
//     promised himself to a later epoch has a later history than a leader with a quorum. Whoever has one is of another
//     ensemble, or a majority was set back by a backup: such a server would win the election, and cut what all others
//     have.
//   - It must have come before, initLimit ticks ago or more. By then the term may have ended anyhow; and each term
//     lives for that long at least, whoever says what.
//   - An epoch later by more than aheadMax ends nothing.
type outsider struct {
	// voted: the vote for itself has been heard, and was for zxid and currentEpoch, epoch.
	voted bool
	zxid  jute.Zxid
	epoch int64
	// came: it has come with a later promise than the term's epoch, in half tick since first.
	came  bool
	since int64
	// said is the last reason told of.
	said string
}

// outsider finds what is known of a voter.
func (l *Leader) outsider(sid jute.ServerID) *outsider {
	o := l.outside[sid]
	if o == nil {
		o = new(outsider)
		l.outside[sid] = o
	}
	return o
}

// Looks says that a voter looks for a leader, and votes for itself with the last zxid of its log, -1 without a memory,
// and its currentEpoch.
func (l *Leader) Looks(sid jute.ServerID, zxid jute.Zxid, currentEpoch int64) {
	if l.phase == over || sid == l.o.Me || !l.o.Quorums.IsVoter(sid) {
		return
	}
	o := l.outsider(sid)
	o.voted, o.zxid, o.epoch = true, zxid, currentEpoch
}

// promised looks at the promise of a learner that has come when the epoch is settled.
func (l *Leader) promised(p *peer) {
	if !p.voter || p.accepted <= l.epoch {
		return
	}
	o := l.outsider(p.sid)
	if !o.came {
		o.came, o.since = true, l.now
	}
	if !o.voted {
		return // its vote is on its way, or the next one
	}
	reason, forIt := l.weigh(p, o)
	if forIt && l.phase == broadcasting && l.now >= o.since+2*int64(l.o.InitLimit) {
		l.giveUpPromising(p.accepted, fmt.Sprintf("server %d has promised itself to epoch %d, and can't follow this leader of epoch %d: a later epoch must begin",
			p.sid, p.accepted, l.epoch))
		return
	}
	if reason == o.said {
		return
	}
	o.said = reason
	a := l.add()
	a.Kind, a.SID, a.Epoch, a.Reason = Refused, p.sid, p.accepted, reason
}

// weigh says if the term may end for the sake of a voter, and that or why not.
func (l *Leader) weigh(p *peer, o *outsider) (reason string, forIt bool) {
	switch {
	case o.zxid < 0:
		return "it has lost its memory and has no vote: this leader goes on", false
	case o.epoch > l.epoch || o.epoch == l.epoch && o.zxid > l.marks.Proposed:
		return fmt.Sprintf("it has a later history, epoch %d, zxid %s, which this ensemble doesn't know: this leader goes on, as that server would "+
			"be elected in its place and have the others' data cut. Are its data those of another ensemble, or the others' older copies? Keep it "+
			"stopped until that is known; with empty data folders it takes everything from the leader", o.epoch, o.zxid), false
	case p.accepted-l.epoch > aheadMax:
		return fmt.Sprintf("that is later than this term's, %d, by more than %d: this leader goes on. With empty data folders the server can follow",
			l.epoch, aheadMax), false
	}
	return fmt.Sprintf("this term's is %d: the term ends for its sake if it comes again in %d ticks or later", l.epoch, l.o.InitLimit), true
}
