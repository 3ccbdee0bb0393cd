package zab

import (
	"fmt"

	"zk/jute"
	"zk/quorum/verifier"
)

// LeaderOptions are what a Leader starts with.
type LeaderOptions struct {
	Me jute.ServerID
	// Quorums are those of the configuration in force and of the last one seen, which must both agree to a
	// term, a commit and to its going on.
	Quorums verifier.Quorums
	// AcceptedEpoch and CurrentEpoch are what is durable.
	AcceptedEpoch, CurrentEpoch int64
	History                     History
	// InitLimit and SyncLimit are in ticks, as in zoo.cfg.
	InitLimit, SyncLimit int
	// DiffBytesMax is the most that is sent as a DIFF; more is sent as SNAP.
	DiffBytesMax int64
	// ForceSnapshot sends SNAP to every learner.
	ForceSnapshot bool
	// SnapSyncsMax and DiffSyncsMax are how many learners may be sent a SNAP, or a DIFF or TRUNC, at a time;
	// 0 is without limit. Beyond that observers are hung up on; followers are not, they just count.
	SnapSyncsMax, DiffSyncsMax int
	// AdmitUnknown lets in learners whose sid is in no configuration, as Java does. They never count.
	AdmitUnknown bool
}

// phase is how far a term has come.
type phase uint8

const (
	// Waiting for a quorum of FOLLOWERINFO; for acceptedEpoch to be saved; for a quorum of ACKEPOCH; for
	// currentEpoch; for a quorum of ACK(NEWLEADER); for the server; then broadcast, and the end.
	discovering phase = iota
	savingAccepted
	electing
	savingCurrent
	synchronizing
	starting
	broadcasting
	over
)

// Leader is the core of a leading term. Not for use by several goroutines at a time.
type Leader struct {
	actions
	o     LeaderOptions
	phase phase
	epoch int64
	// tail is the end of the log that this leader brings along: the history of its term.
	tail jute.Zxid

	// peers are the links, oldest first, and byLink the same by number.
	peers  []*peer
	byLink map[Link]*peer

	// answered are the servers whose ACKEPOCH counted, on whichever link.
	answered map[jute.ServerID]bool
	// outside are the voters that look for a leader, or have promised themselves to a later epoch than this.
	outside map[jute.ServerID]*outsider

	// marks: Committed is 0 until the term is established. logged is the own ack, applied the last Apply.
	marks           Marks
	logged, applied jute.Zxid
	// syncs are sync requests in order of arrival, hence of what they wait for.
	syncs []pendingSync

	// now counts half ticks; deadline is when the phase must be over, 0 without limit.
	now, deadline int64
	// reached is reachedBy as a value, made once.
	reached func(jute.ServerID) jute.Zxid
}

// pendingSync is a sync request, of a learner, or of an own client when link is 0.
type pendingSync struct {
	after jute.Zxid
	link  Link
	tag   any
}

// NewLeader begins a leading term. Start is to be called next. The log must be durable as far as History
// says: it is this server's own vote for its history.
func NewLeader(o LeaderOptions) *Leader {
	l := &Leader{
		o: o, epoch: o.AcceptedEpoch + 1, tail: o.History.LastLogged(),
		byLink: make(map[Link]*peer), answered: make(map[jute.ServerID]bool),
		outside: make(map[jute.ServerID]*outsider),
	}
	l.marks.Proposed, l.logged = l.tail, l.tail
	l.reached = l.reachedBy
	return l
}

// Epoch is the epoch of this term, 0 before it is settled.
func (l *Leader) Epoch() int64 {
	if l.phase < electing {
		return 0
	}
	return l.epoch
}

// Established reports if a quorum has taken this leader's history.
func (l *Leader) Established() bool { return l.phase == starting || l.phase == broadcasting }

// Marks are what has been proposed and committed.
func (l *Leader) Marks() Marks { return l.marks }

// Start begins discovery.
func (l *Leader) Start() {
	l.setPhase(discovering)
	l.discover()
}

// Saved says that the epoch of the last Save action is durable.
func (l *Leader) Saved() {
	switch l.phase {
	case savingAccepted:
		l.setPhase(electing)
		l.announceAll()
		l.elect()
	case savingCurrent:
		l.setPhase(synchronizing)
		for _, p := range l.peers {
			if p.state == peerInTheKnow {
				l.startSync(p)
			}
		}
		l.establish()
	case over:
	default:
		panic(fmt.Sprintf("zab: Saved in phase %d", l.phase))
	}
}

// setPhase enters a phase and sets its limit.
func (l *Leader) setPhase(p phase) {
	l.phase = p
	l.deadline = 0
	switch p {
	case discovering, electing, synchronizing:
		l.deadline = l.now + 2*int64(l.o.InitLimit)
	}
}

// Received takes a packet of a learner. Its slices are used until the actions of this step have been drained.
func (l *Leader) Received(link Link, q *jute.QuorumPacket) {
	p := l.byLink[link]
	if p == nil || l.phase == over {
		// Closed before, and what was on its way comes in.
		return
	}
	l.heard(p)
	switch p.state {
	case peerSynced:
		l.serve(p, q)
	case peerConnected:
		l.learnerInfo(p, q)
	case peerAnnounced:
		l.ackEpoch(p, q)
	case peerSyncing:
		l.ackNewLeader(p, q)
	default:
		l.drop(p, fmt.Sprintf("sent %s before it was its turn", Describe(q)))
	}
}

// Connected takes in a new link.
func (l *Leader) Connected(link Link) {
	if l.phase == over {
		return
	}
	p := &peer{link: link, deadline: l.now + 2*int64(l.o.InitLimit)}
	l.peers = append(l.peers, p)
	l.byLink[link] = p
}

// Gone says that a link has ended. Links that a Close action ended may be reported, too.
func (l *Leader) Gone(link Link) {
	if p := l.byLink[link]; p != nil {
		l.forget(p)
	}
}

// drop hangs up on a learner.
func (l *Leader) drop(p *peer, reason string) {
	a := l.add()
	a.Kind, a.Link, a.SID, a.Reason = Close, p.link, p.sid, reason
	l.forget(p)
}

// Exhausted says that no zxid of this epoch is left: counter 0xffffffff is never given out. A new term has a
// new epoch. (Java: "zxid lower 32 bits have rolled over")
func (l *Leader) Exhausted() {
	l.giveUp("all zxids of the epoch are used up: a new epoch must begin")
}

// giveUp ends the term.
func (l *Leader) giveUp(reason string) { l.giveUpPromising(0, reason) }

// giveUpPromising ends the term, and has this server promise itself to an epoch, if that is not 0.
func (l *Leader) giveUpPromising(epoch int64, reason string) {
	if l.phase == over {
		return
	}
	l.phase = over
	a := l.add()
	a.Kind, a.Epoch, a.Reason = GiveUp, epoch, reason
}

// send queues a control packet behind everything committed so far. What is proposed doesn't matter: later
// COMMITs wait for a control packet, and would gather while a long backlog of proposals goes out.
func (l *Leader) send(p *peer, q jute.QuorumPacket) {
	l.sendBehind(p, q, Marks{Committed: l.marks.Committed})
}

func (l *Leader) sendBehind(p *peer, q jute.QuorumPacket, barrier Marks) {
	a := l.add()
	a.Kind, a.Link, a.Packet, a.Barrier = Send, p.link, q, barrier
}
