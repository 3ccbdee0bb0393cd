package zab

import (
	"encoding/binary"
	"fmt"

	"zk/jute"
)

// LearnerOptions are what a Learner starts with.
type LearnerOptions struct {
	Me jute.ServerID
	// Observer: never votes, and is told of transactions when they are committed.
	Observer bool
	// AcceptedEpoch, CurrentEpoch and LastLogged are what is durable.
	AcceptedEpoch, CurrentEpoch int64
	LastLogged                  jute.Zxid
	// WantSnapshot: the own log couldn't be cut as an earlier leader asked. The leader is told zxid 0, and
	// an epoch that doesn't count: an honest one would look as if we were not ahead of it.
	WantSnapshot bool
	// LostMemory: this server may have acknowledged what it doesn't have any more. It takes a snapshot, and
	// no leader counts it before that leader is established without it. Only Established ends this state.
	LostMemory bool
	// ConfigVersion is that of the active configuration.
	ConfigVersion int64
	// InitLimit and SyncLimit are in ticks.
	InitLimit, SyncLimit int
}

// learnerPhase is how far a learner has come.
type learnerPhase uint8

const (
	awaitingLeaderInfo learnerPhase = iota
	promising                       // acceptedEpoch is being saved
	awaitingSync                    // DIFF, TRUNC or SNAP is to come
	cutting                         // the log is being cut
	loading                         // a snapshot is being read
	catchingUp                      // history, until NEWLEADER
	adopting                        // all that is becoming durable
	awaitingUpToDate                // as catchingUp, until UPTODATE
	following                       // broadcast
	ended
)

// Learner is the core of a term as follower or observer. Not for use by several goroutines at a time.
type Learner struct {
	actions
	o     LearnerOptions
	phase learnerPhase
	mode  Mode
	epoch int64
	// repeated: acceptedEpoch was this epoch already, so our ACKEPOCH doesn't count.
	repeated bool

	// received is the last transaction that the leader has sent or has been found to share with us, logged the
	// last durable one of these, acked the last acknowledged. committed is the leader's mark; applied is what the
	// state machine may have.
	received, logged, acked, committed, applied jute.Zxid
	// kept is the end of a tail that is in the log although the leader has sent TRUNC (see keep); 0 for none.
	kept jute.Zxid
	// held are the proposals behind a snapshot that aren't committed yet, with copies of their data. Few:
	// a leader sends the history in pairs of PROPOSAL and COMMIT.
	held []Entry
	// upToDate: UPTODATE has come; what was committed then is becoming durable.
	upToDate bool
	// syncs are the committed marks that SYNC packets wait for, in order.
	syncs []jute.Zxid

	// now counts half ticks; deadline is when the leader must be heard again.
	now, deadline int64
}

// NewLearner begins a term under a leader that is connected. Start is to be called next.
func NewLearner(o LearnerOptions) *Learner {
	if o.LostMemory {
		o.WantSnapshot = true
	}
	return &Learner{o: o}
}

// Epoch is the leader's epoch, 0 before it is known.
func (l *Learner) Epoch() int64 { return l.epoch }

// Established reports if the leader serves and this learner is up to date.
func (l *Learner) Established() bool { return l.phase == following }

// Mode is how the history comes, NoSync before that is known.
func (l *Learner) Mode() Mode { return l.mode }

// Busy reports if an answer of the driver is awaited: no packet may be received before it.
func (l *Learner) Busy() bool {
	switch l.phase {
	case promising, cutting, loading, adopting:
		return true
	}
	return false
}

// Start introduces this server to the leader. (Java: Learner.registerWithLeader)
func (l *Learner) Start() {
	info := jute.LearnerInfo{ServerID: l.o.Me, ProtocolVersion: jute.ZabProtocolVersion, ConfigVersion: l.o.ConfigVersion}
	t := jute.PacketFollowerInfo
	if l.o.Observer {
		t = jute.PacketObserverInfo
	}
	l.send(jute.QuorumPacket{Type: t, Zxid: firstOf(l.o.AcceptedEpoch), Data: info.Append(nil)})
	l.Progress()
}

// Received takes a packet of the leader. Its slices are used until the actions of this step have been drained.
func (l *Learner) Received(q *jute.QuorumPacket) {
	if l.phase == ended {
		return
	}
	if l.Busy() {
		panic(fmt.Sprintf("zab: received %s in phase %d", Describe(q), l.phase))
	}
	l.Progress()
	switch l.phase {
	case following:
		l.follow(q)
	case awaitingLeaderInfo:
		l.leaderInfo(q)
	case awaitingSync:
		l.syncHeader(q)
	default:
		l.catchUp(q)
	}
}

// leaderInfo takes LEADERINFO.
func (l *Learner) leaderInfo(q *jute.QuorumPacket) {
	if q.Type != jute.PacketLeaderInfo || len(q.Data) < 4 {
		l.giveUp(fmt.Sprintf("the leader began with %s in place of LEADERINFO", Describe(q)))
		return
	}
	if v := int32(binary.BigEndian.Uint32(q.Data)); v < jute.ZabProtocolVersion {
		l.giveUp(fmt.Sprintf("the leader's protocol version 0x%x is too old", v))
		return
	}
	l.epoch = int64(q.Zxid.Epoch())
	switch {
	case l.epoch > epochMax:
		l.giveUp(fmt.Sprintf("the leader's epoch 0x%x can't be", l.epoch))
	case l.epoch < l.o.AcceptedEpoch:
		l.giveUp(fmt.Sprintf("the leader's epoch %d is older than the accepted one, %d", l.epoch, l.o.AcceptedEpoch))
	case l.epoch == l.o.AcceptedEpoch:
		l.repeated = true
		l.ackEpoch()
	default:
		l.phase = promising
		a := l.add()
		a.Kind, a.Epoch = SaveAcceptedEpoch, l.epoch
	}
}

// Saved says that acceptedEpoch is durable.
func (l *Learner) Saved() {
	if l.answered(promising) {
		l.ackEpoch()
	}
}

// answered takes the answer to an action; false when the term has ended meanwhile.
func (l *Learner) answered(p learnerPhase) bool {
	if l.phase == ended {
		return false
	}
	if l.phase != p {
		panic(fmt.Sprintf("zab: an answer for phase %d in phase %d", p, l.phase))
	}
	l.Progress()
	return true
}

// ackEpoch tells the leader what we have. Nothing is sent from here to the ACK of NEWLEADER.
func (l *Learner) ackEpoch() {
	l.phase = awaitingSync
	zxid, current := l.o.LastLogged, int32(l.o.CurrentEpoch)
	if l.o.WantSnapshot {
		zxid = 0
	}
	if l.repeated || l.o.WantSnapshot {
		current = -1
	}
	l.send(jute.QuorumPacket{Type: jute.PacketAckEpoch, Zxid: zxid, Data: jute.AppendInt32(nil, current)})
}

func (l *Learner) send(q jute.QuorumPacket) {
	a := l.add()
	a.Kind, a.Packet = Send, q
}

func (l *Learner) ack(z jute.Zxid) { l.send(jute.QuorumPacket{Type: jute.PacketAck, Zxid: z}) }

func (l *Learner) giveUp(reason string) { l.giveUpFor(reason, false) }

func (l *Learner) giveUpFor(reason string, wantSnapshot bool) {
	l.phase = ended
	a := l.add()
	a.Kind, a.Reason, a.WantSnapshot = GiveUp, reason, wantSnapshot
}

// Tick is called twice per tickTime. (Java: the read timeouts of Learner)
func (l *Learner) Tick() {
	if l.phase == ended {
		return
	}
	l.now++
	switch {
	case l.Busy() && l.phase != loading:
		// The own disk is waited for, not the leader.
		l.Progress()
	case l.now >= l.deadline:
		l.giveUp("nothing was heard of the leader in time")
	}
}

// Progress says that bytes of a snapshot are coming in, which is to be told at least once per tick.
func (l *Learner) Progress() {
	limit := l.o.SyncLimit
	if l.phase < awaitingUpToDate {
		limit = l.o.InitLimit
	}
	l.deadline = l.now + 2*int64(limit)
}
