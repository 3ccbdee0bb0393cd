package sim

import (
	"bytes"
	"encoding/binary"
	"slices"

	"zk/jute"
	"zk/quorum/zab"
)

// javaLearner stands for zab.Learner in a server that is Apache ZooKeeper 3.9.5: it does what Java's Learner,
// Follower and Observer do (reference quorum-protocol, sections 3.1 and 4.2), where that differs from our learner
// too:
//
//   - what comes before NEWLEADER is kept in memory. At NEWLEADER a follower logs what is committed of it, an
//     observer nothing; proposals that are not committed get to the log behind UPTODATE, when the server serves
//     already, and are acknowledged one by one;
//   - what a leader tells of commits is applied at once: in the sync phase although the leader may not be
//     established, later although the own log may not be durable up to there;
//   - a COMMIT that is not of the oldest proposal ends the process (exit code 12);
//   - it is told to cut its log where it has no transaction: it does as if it had one.
type javaLearner struct {
	o       zab.LearnerOptions
	phase   javaPhase
	actions []zab.Action
	epoch   int64
	mode    zab.Mode

	tree      jute.Zxid // of the snapshot
	last      jute.Zxid // the last proposal of the sync phase
	unlogged  []zab.Entry
	committed []jute.Zxid // told of in the sync phase, not done yet
	pending   []jute.Zxid // proposed since UPTODATE, not committed
	unacked   []jute.Zxid // of these, what is not durable

	now, heard int // half ticks
}

type javaPhase int

const (
	javaLeaderInfo javaPhase = iota
	javaPromising
	javaSyncHeader
	javaCutting
	javaLoading
	javaSyncing
	javaAdopting
	javaUpToDate
	javaServing
	javaEnded
)

// learnerCore is zab.Learner, or Java's.
type learnerCore interface {
	Start()
	Tick()
	Progress()
	Busy() bool
	Received(q *jute.QuorumPacket)
	Actions() []zab.Action
	Saved()
	Truncated(ok bool)
	SnapshotLoaded()
	Logged(z jute.Zxid)
	Adopted()
	Established() bool
}

func (l *javaLearner) add(a zab.Action) { l.actions = append(l.actions, a) }

func (l *javaLearner) Actions() []zab.Action {
	a := l.actions
	l.actions = nil
	return a
}

func (l *javaLearner) Established() bool { return l.phase == javaServing }

func (l *javaLearner) Busy() bool {
	return l.phase == javaPromising || l.phase == javaCutting || l.phase == javaLoading || l.phase == javaAdopting
}

func (l *javaLearner) Progress() { l.heard = l.now }

// Tick is the timeout of a read: initLimit until NEWLEADER is answered, then syncLimit.
func (l *javaLearner) Tick() {
	l.now++
	limit := l.o.SyncLimit
	if l.phase < javaUpToDate {
		limit = l.o.InitLimit
	}
	if l.Busy() && l.phase != javaLoading {
		l.Progress()
	}
	if l.phase != javaEnded && l.now-l.heard >= 2*limit {
		l.giveUp("read timed out")
	}
}

func (l *javaLearner) giveUp(reason string) {
	l.phase = javaEnded
	l.add(zab.Action{Kind: zab.GiveUp, Reason: reason})
}

func (l *javaLearner) send(t jute.PacketType, z jute.Zxid, data []byte) {
	l.add(zab.Action{Kind: zab.Send, Packet: jute.QuorumPacket{Type: t, Zxid: z, Data: data}})
}

func (l *javaLearner) Start() {
	info := jute.LearnerInfo{ServerID: l.o.Me, ProtocolVersion: jute.ZabProtocolVersion}
	t := jute.PacketFollowerInfo
	if l.o.Observer {
		t = jute.PacketObserverInfo
	}
	l.send(t, jute.NewZxid(uint32(l.o.AcceptedEpoch), 0), info.Append(nil))
}

func (l *javaLearner) Received(q *jute.QuorumPacket) {
	l.Progress()
	switch l.phase {
	case javaLeaderInfo:
		l.leaderInfo(q)
	case javaSyncHeader:
		l.syncHeader(q)
	case javaSyncing, javaUpToDate:
		l.sync(q)
	case javaServing:
		l.serve(q)
	}
}

func (l *javaLearner) leaderInfo(q *jute.QuorumPacket) {
	l.epoch = int64(q.Zxid.Epoch())
	switch {
	case q.Type != jute.PacketLeaderInfo || l.epoch < l.o.AcceptedEpoch:
		l.giveUp("no leader to follow")
	case l.epoch == l.o.AcceptedEpoch:
		l.ackEpoch(-1)
	default:
		l.phase = javaPromising
		l.add(zab.Action{Kind: zab.SaveAcceptedEpoch, Epoch: l.epoch})
	}
}

func (l *javaLearner) Saved() { l.ackEpoch(int32(l.o.CurrentEpoch)) }

func (l *javaLearner) ackEpoch(current int32) {
	l.phase = javaSyncHeader
	l.send(jute.PacketAckEpoch, l.o.LastLogged, binary.BigEndian.AppendUint32(nil, uint32(current)))
}

func (l *javaLearner) syncHeader(q *jute.QuorumPacket) {
	switch q.Type {
	case jute.PacketDiff:
		l.mode, l.phase = zab.Diff, javaSyncing
	case jute.PacketTrunc:
		l.mode, l.phase = zab.Trunc, javaCutting
		l.add(zab.Action{Kind: zab.Truncate, Zxid: q.Zxid})
	case jute.PacketSnap:
		l.mode, l.phase, l.tree = zab.Snap, javaLoading, q.Zxid
		l.add(zab.Action{Kind: zab.LoadSnapshot, Zxid: q.Zxid})
	case jute.PacketPing:
	default:
		l.giveUp("exit 13: " + zab.Describe(q))
	}
}

func (l *javaLearner) Truncated(bool) { l.phase = javaSyncing }
func (l *javaLearner) SnapshotLoaded() {
	if l.phase == javaLoading {
		l.phase = javaSyncing
	}
}

// sync takes what comes between DIFF, TRUNC or SNAP and UPTODATE.
func (l *javaLearner) sync(q *jute.QuorumPacket) {
	switch q.Type {
	case jute.PacketProposal, jute.PacketInform:
		if l.last != 0 && l.last.Epoch() == q.Zxid.Epoch() && q.Zxid != l.last+1 {
			l.giveUp("a gap between proposals")
			return
		}
		l.last = q.Zxid
		l.unlogged = append(l.unlogged, zab.Entry{Zxid: q.Zxid, Data: bytes.Clone(q.Data)})
		if q.Type == jute.PacketInform {
			l.commitInSync(q.Zxid)
		}
	case jute.PacketCommit:
		l.commitInSync(q.Zxid)
	case jute.PacketNewLeader:
		l.newLeader()
	case jute.PacketUpToDate:
		l.upToDate()
	}
}

// commitInSync goes to the tree at once while a snapshot has not been written yet.
func (l *javaLearner) commitInSync(z jute.Zxid) {
	if l.mode != zab.Snap || l.phase == javaUpToDate {
		l.committed = append(l.committed, z)
		return
	}
	if len(l.unlogged) > 0 && l.unlogged[0].Zxid == z { // else a warning
		if z > l.tree { // else it is applied again, which leaves the tree as it is
			l.add(zab.Action{Kind: zab.ApplySnapshot, Zxid: z, Data: l.unlogged[0].Data})
		}
		l.unlogged = l.unlogged[1:]
	}
}

// newLeader makes what is committed durable, then the epoch.
func (l *javaLearner) newLeader() {
	if !l.o.Observer {
		for len(l.unlogged) > 0 && len(l.committed) > 0 && l.unlogged[0].Zxid == l.committed[0] {
			l.add(zab.Action{Kind: zab.Append, Zxid: l.unlogged[0].Zxid, Data: l.unlogged[0].Data})
			l.add(zab.Action{Kind: zab.Apply, Zxid: l.unlogged[0].Zxid})
			l.unlogged, l.committed = l.unlogged[1:], l.committed[1:]
		}
	}
	l.phase = javaAdopting
	l.add(zab.Action{Kind: zab.Adopt, Epoch: l.epoch})
}

func (l *javaLearner) Adopted() {
	l.phase = javaUpToDate
	l.send(jute.PacketAck, jute.NewZxid(uint32(l.epoch), 0), nil)
}

// upToDate begins to serve, and logs what is left of the sync phase.
func (l *javaLearner) upToDate() {
	l.phase = javaServing
	l.send(jute.PacketAck, jute.NewZxid(uint32(l.epoch), 0), nil)
	if !l.o.Observer {
		l.add(zab.Action{Kind: zab.Established, Epoch: l.epoch})
	}
	unlogged, committed := l.unlogged, l.committed
	l.unlogged, l.committed = nil, nil
	for _, e := range unlogged {
		l.log(e.Zxid, e.Data)
	}
	for _, z := range committed {
		l.commit(z)
	}
	if l.o.Observer { // Java lets clients in a moment before, and shows them a tree that is behind
		l.add(zab.Action{Kind: zab.Established, Epoch: l.epoch})
	}
}

// serve is normal operation.
func (l *javaLearner) serve(q *jute.QuorumPacket) {
	switch q.Type {
	case jute.PacketProposal:
		l.log(q.Zxid, q.Data)
	case jute.PacketCommit:
		l.commit(q.Zxid)
	case jute.PacketInform:
		l.log(q.Zxid, q.Data)
		l.commit(q.Zxid)
	case jute.PacketPing, jute.PacketSync, jute.PacketRevalidate:
		l.add(zab.Action{Kind: zab.Deliver, Packet: *q})
	}
}

func (l *javaLearner) log(z jute.Zxid, data []byte) {
	l.pending = append(l.pending, z)
	if !l.o.Observer {
		l.unacked = append(l.unacked, z)
	}
	l.add(zab.Action{Kind: zab.Append, Zxid: z, Data: data})
}

func (l *javaLearner) commit(z jute.Zxid) {
	if len(l.pending) == 0 {
		return // a warning
	}
	if l.pending[0] != z {
		l.giveUp("exit 12: COMMIT " + z.String() + ", the oldest proposal is " + l.pending[0].String())
		return
	}
	l.pending = l.pending[1:]
	l.add(zab.Action{Kind: zab.Apply, Zxid: z})
}

func (l *javaLearner) Logged(z jute.Zxid) {
	if len(l.unacked) > 0 && l.unacked[0] == z {
		l.unacked = l.unacked[1:]
		l.send(jute.PacketAck, z, nil)
	}
}

// truncateJava cuts the log and makes the tree anew. Java takes the zxid for that of its tree, whether or not it had
// that transaction, and whatever its newest snapshot had (1549): no leader may ask for that.
func (l *learnerTerm) truncateJava(z jute.Zxid) {
	p, s := l.p, l.p.server
	m := &s.disk.live
	if f, ok := m.floor(z); !ok || f != z || z < s.disk.durable.state.applied {
		p.world.check.fail("%v of Java is told to cut its log behind %v: it begins after %v and ends at %v, its snapshot is at %v",
			s, z, m.completeFrom, m.lastLogged(), s.disk.durable.state.applied)
		return
	}
	p.led = 0
	cut := slices.Clone(m.log[m.after(z):])
	do := func(m *image) {
		m.log = m.log[:m.after(z)]
		if m.state.applied > z {
			m.state = m.upTo(s.disk.durable.state, z)
		}
	}
	p.put(write{kind: pointTruncate, do: do, mark: func() { p.world.check.dropped(s, cut) }, done: l.answer(func() { l.core.Truncated(true) })})
}

// replay is what Java does at a start and after each term: all that is in the log is applied, committed or not.
func (p *process) replay() {
	m := &p.server.disk.live
	m.state = m.upTo(p.server.disk.durable.state, m.lastLogged())
	p.world.check.replayed(p.server)
	// A crash between the transactions and currentEpoch leaves Java a server that never starts again (2354); whoever runs it
	// writes the epoch of the last transaction into the file.
	if epoch := int64(m.lastLogged().Epoch()); m.currentEpoch < epoch {
		for _, m := range []*image{m, &p.server.disk.durable} {
			m.currentEpoch, m.acceptedEpoch = epoch, max(m.acceptedEpoch, epoch)
		}
	}
}

// upTo is the tree that a snapshot and the log behind it make.
func (m *image) upTo(t tree, z jute.Zxid) tree {
	for i := m.after(t.applied); i < len(m.log) && m.log[i].zxid <= z; i++ {
		t = t.apply(m.log[i])
	}
	return t
}

// lastProcessed is the zxid that a server of Java votes with: its tree's, which for one that has led is the epoch's own
// until it has a transaction of that.
func (p *process) lastProcessed() jute.Zxid { return max(p.server.disk.live.lastLogged(), p.led) }
