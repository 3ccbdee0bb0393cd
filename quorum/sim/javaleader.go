package sim

import (
	"encoding/binary"
	"slices"

	"zk/jute"
	"zk/quorum/zab"
)

// leaderCore is zab.Leader, or Java's.
type leaderCore interface {
	Start()
	Tick()
	Connected(link zab.Link)
	Gone(link zab.Link)
	Progress(link zab.Link)
	Received(link zab.Link, q *jute.QuorumPacket)
	Actions() []zab.Action
	Marks() zab.Marks
	Saved()
	Started()
	Proposed(z jute.Zxid)
	Logged(z jute.Zxid)
	Sync(link zab.Link, tag any)
	Exhausted()
}

// javaLeader stands for zab.Leader in a server that is Apache ZooKeeper 3.9.5: it does what Java's Leader and
// LearnerHandler do (reference quorum-protocol, sections 3.2, 3.3 and 4.1), where that differs from our leader too:
//
//   - a learner that comes when the epoch is settled is served whatever it says of itself;
//   - its tree has all of its log from the beginning, and a SNAP of it has a later zxid than where the learner's live
//     traffic begins: what lies between comes again behind it;
//   - NEWLEADER comes behind whatever was proposed by the time, so that proposals which are not committed lie before it;
//   - every transaction is committed by ACKs of its own, one of an earlier one having come before; ACKs are
//     counted by server, on whichever connection they came, also when that has ended and the server is told to cut
//     what it has acknowledged (but see cut);
//   - SYNC goes out when the last proposal at the time of the request is committed.
type javaLeader struct {
	p       *process
	phase   javaLeading
	actions []zab.Action
	epoch   int64
	last    jute.Zxid // the last proposal
	links   []*javaLink

	connecting, electing, synced map[jute.ServerID]bool

	outstanding []jute.Zxid // proposed, not committed
	acks        map[jute.Zxid]map[jute.ServerID]bool
	committed   jute.Zxid
	syncs       []javaSync

	now, since int // half ticks; begin of the phase
}

type javaLeading int

const (
	javaDiscovery javaLeading = iota
	javaAccepting
	javaElecting
	javaEpochSaving
	javaSynchronizing
	javaStarting
	javaBroadcasting
	javaOver
)

// javaLink is a LearnerHandler.
type javaLink struct {
	id       zab.Link
	sid      jute.ServerID
	observer bool
	state    javaLinkState
	zxid     jute.Zxid // in ACKEPOCH
	current  int32
	forward  bool // it has live traffic
	heard    int
}

type javaLinkState int

const (
	javaIntroducing javaLinkState = iota
	javaInfoSent                  // ACKEPOCH is to come
	javaKnown                     // the quorum of ACKEPOCH is waited for
	javaAcking                    // the ACK of NEWLEADER is to come
	javaAcked                     // UPTODATE is to go out
	javaLive
)

type javaSync struct {
	after jute.Zxid
	link  zab.Link
	tag   any
}

func newJavaLeader(p *process) *javaLeader {
	return &javaLeader{
		p: p, last: p.server.disk.live.lastLogged(), epoch: p.server.disk.live.acceptedEpoch + 1,
		connecting: map[jute.ServerID]bool{p.server.sid: true}, electing: map[jute.ServerID]bool{p.server.sid: true},
		synced: map[jute.ServerID]bool{}, acks: map[jute.Zxid]map[jute.ServerID]bool{},
	}
}

func (l *javaLeader) add(a zab.Action) { l.actions = append(l.actions, a) }

func (l *javaLeader) Actions() []zab.Action {
	a := l.actions
	l.actions = nil
	return a
}

func (l *javaLeader) send(k *javaLink, t jute.PacketType, z jute.Zxid, data []byte) {
	l.add(zab.Action{Kind: zab.Send, Link: k.id, Packet: jute.QuorumPacket{Type: t, Zxid: z, Data: data}})
}

func (l *javaLeader) enter(p javaLeading) { l.phase, l.since = p, l.now }

func (l *javaLeader) giveUp(reason string) {
	l.phase = javaOver
	l.add(zab.Action{Kind: zab.GiveUp, Reason: reason})
}

func (l *javaLeader) quorum(who map[jute.ServerID]bool) bool {
	return l.p.world.quorums.Contains(func(id jute.ServerID) bool { return who[id] })
}

func (l *javaLeader) voter(k *javaLink) bool {
	return !k.observer && l.p.world.quorums.IsVoter(k.sid)
}

func (l *javaLeader) find(id zab.Link) *javaLink {
	for _, k := range l.links {
		if k.id == id {
			return k
		}
	}
	return nil
}

func (l *javaLeader) Start()           { l.discovered() }
func (l *javaLeader) Marks() zab.Marks { return zab.Marks{Proposed: l.last, Committed: l.committed} }
func (l *javaLeader) Connected(link zab.Link) {
	l.links = append(l.links, &javaLink{id: link, heard: l.now})
}
func (l *javaLeader) Exhausted() { l.giveUp("rolled over") }

func (l *javaLeader) Gone(link zab.Link) {
	l.links = slices.DeleteFunc(l.links, func(k *javaLink) bool { return k.id == link })
}

func (l *javaLeader) Progress(link zab.Link) {
	if k := l.find(link); k != nil {
		k.heard = l.now
	}
}

func (l *javaLeader) drop(k *javaLink) {
	l.Gone(k.id)
	l.add(zab.Action{Kind: zab.Close, Link: k.id})
}

// Tick looks at the limits, and pings.
func (l *javaLeader) Tick() {
	w := l.p.world
	l.now++
	switch l.phase {
	case javaDiscovery, javaElecting, javaSynchronizing:
		if l.now-l.since >= 2*w.initLimit {
			l.giveUp("timed out")
		}
	case javaBroadcasting:
		alive := map[jute.ServerID]bool{l.p.server.sid: true}
		for _, k := range slices.Clone(l.links) {
			limit := w.syncLimit
			if k.state < javaLive {
				limit = w.initLimit + w.syncLimit
			}
			if l.now-k.heard >= 2*limit {
				l.drop(k)
				continue
			}
			alive[k.sid] = alive[k.sid] || l.voter(k)
			if k.state >= javaAcking {
				l.send(k, jute.PacketPing, l.last, nil)
			}
		}
		if l.now%2 == 0 && !l.quorum(alive) {
			l.giveUp("not enough followers")
		}
	}
}

func (l *javaLeader) Received(link zab.Link, q *jute.QuorumPacket) {
	k := l.find(link)
	if k == nil || l.phase == javaOver {
		return
	}
	k.heard = l.now
	switch {
	case k.state == javaIntroducing:
		l.introduced(k, q)
	case k.state == javaInfoSent && q.Type == jute.PacketAckEpoch:
		k.state, k.zxid, k.current = javaKnown, q.Zxid, int32(binary.BigEndian.Uint32(q.Data))
		l.ackEpoch(k)
	case k.state == javaAcking && q.Type == jute.PacketAck:
		l.ackNewLeader(k, q)
	case k.state == javaLive && q.Type == jute.PacketAck:
		l.ack(k.sid, q.Zxid, l.voter(k))
	case k.state == javaLive:
		l.add(zab.Action{Kind: zab.Deliver, Link: k.id, Packet: *q})
	default:
		l.drop(k)
	}
}

// introduced takes FOLLOWERINFO or OBSERVERINFO.
func (l *javaLeader) introduced(k *javaLink, q *jute.QuorumPacket) {
	var info jute.LearnerInfo
	d := jute.NewDecoder(q.Data, 0)
	info.Decode(&d)
	k.sid, k.observer, k.state = info.ServerID, q.Type == jute.PacketObserverInfo, javaInfoSent
	if l.phase > javaAccepting {
		l.send(k, jute.PacketLeaderInfo, jute.NewZxid(uint32(l.epoch), 0), jute.AppendInt32(nil, jute.ZabProtocolVersion))
		return
	}
	if l.phase == javaDiscovery {
		l.epoch = max(l.epoch, int64(q.Zxid.Epoch())+1)
		l.connecting[k.sid] = l.connecting[k.sid] || l.voter(k)
		l.discovered()
	}
}

// discovered settles the epoch when a quorum has told its own.
func (l *javaLeader) discovered() {
	if l.phase == javaDiscovery && l.quorum(l.connecting) {
		l.enter(javaAccepting)
		l.add(zab.Action{Kind: zab.SaveAcceptedEpoch, Epoch: l.epoch})
	}
}

func (l *javaLeader) Saved() {
	switch l.phase {
	case javaAccepting:
		l.enter(javaElecting)
		for _, k := range l.links {
			if k.state == javaInfoSent {
				l.send(k, jute.PacketLeaderInfo, jute.NewZxid(uint32(l.epoch), 0), jute.AppendInt32(nil, jute.ZabProtocolVersion))
			}
		}
		l.elected()
	case javaEpochSaving:
		l.enter(javaSynchronizing)
		l.synced[l.p.server.sid] = true
		l.established()
	}
}

// ackEpoch counts an ACKEPOCH as long as they are counted, and brings the learner up to date.
func (l *javaLeader) ackEpoch(k *javaLink) {
	if l.phase != javaElecting {
		l.sync(k)
		return
	}
	if k.current != -1 {
		mine := l.p.server.disk.live.currentEpoch
		if int64(k.current) > mine || int64(k.current) == mine && k.zxid > l.p.lastProcessed() {
			l.drop(k) // it is ahead of the leader
			return
		}
		l.electing[k.sid] = l.electing[k.sid] || l.voter(k)
	}
	l.elected()
}

func (l *javaLeader) elected() {
	if l.phase != javaElecting || !l.quorum(l.electing) {
		return
	}
	l.enter(javaEpochSaving)
	l.add(zab.Action{Kind: zab.SaveCurrentEpoch, Epoch: l.epoch})
	for _, k := range l.links {
		if k.state == javaKnown {
			l.sync(k)
		}
	}
}

// sync chooses what a learner is sent, queues it, and what is under way, and NEWLEADER (LearnerHandler.syncFollower,
// Leader.startForwarding).
func (l *javaLeader) sync(k *javaLink) {
	m := &l.p.server.disk.live
	log := m.log[:m.after(m.state.applied)]
	last, sent := max(m.state.applied, l.p.led), k.zxid
	switch upTo := m.state.applied; {
	case k.zxid == last:
		l.header(k, jute.PacketDiff, last)
	case k.zxid > upTo && k.zxid.Counter() != 0:
		sent = l.cut(k, upTo)
	case len(log) > 0 && log[0].zxid <= k.zxid && k.zxid <= upTo:
		sent = l.walk(k, log, upTo)
	default:
		l.header(k, jute.PacketSnap, 0)
		sent = last
	}
	for _, e := range m.log {
		switch {
		case e.zxid <= sent:
		case e.zxid <= max(m.state.applied, l.committed):
			l.send(k, jute.PacketProposal, e.zxid, e.bytes)
			l.send(k, jute.PacketCommit, e.zxid, nil)
		case !k.observer:
			l.send(k, jute.PacketProposal, e.zxid, e.bytes)
		}
	}
	k.forward, k.state = true, javaAcking
	l.send(k, jute.PacketNewLeader, jute.NewZxid(uint32(l.epoch), 0), l.p.world.quorums.Current.Append(nil))
}

// cut tells a learner to cut what it has behind upTo, and gives the last zxid that it has then. What it has acknowledged of
// that stays counted, or is committed already and only not in this leader's tree: a learner of ours has to bear that.
// One of Java would lose it, with the leader's next crash for good; so it keeps what is committed, and its ACKs of the rest
// are forgotten.
func (l *javaLeader) cut(k *javaLink, upTo jute.Zxid) jute.Zxid {
	if l.p.world.servers[k.sid-1].java && int64(k.zxid.Epoch()) == l.epoch {
		upTo = max(upTo, min(k.zxid, l.committed))
		for _, z := range l.outstanding {
			delete(l.acks[z], k.sid)
		}
		for _, older := range slices.Clone(l.links) {
			if older != k && older.sid == k.sid {
				l.drop(older) // what it acknowledged there is on its way
			}
		}
	}
	if upTo == k.zxid {
		l.header(k, jute.PacketDiff, upTo)
	} else {
		l.header(k, jute.PacketTrunc, upTo)
	}
	return upTo
}

func (l *javaLeader) header(k *javaLink, t jute.PacketType, z jute.Zxid) {
	l.p.world.stats.Syncs[map[jute.PacketType]zab.Mode{jute.PacketDiff: zab.Diff, jute.PacketTrunc: zab.Trunc, jute.PacketSnap: zab.Snap}[t]]++
	l.send(k, t, z, nil)
}

// walk goes through the committed transactions (LearnerHandler.queueCommittedProposals), and gives the last zxid that
// the learner has then.
func (l *javaLeader) walk(k *javaLink, log []entry, upTo jute.Zxid) jute.Zxid {
	sent, open, previous := k.zxid, true, jute.Zxid(0)
	for _, e := range log {
		if e.zxid < k.zxid {
			previous = e.zxid
			continue
		}
		if open {
			open = false
			switch {
			case e.zxid == k.zxid:
				l.header(k, jute.PacketDiff, upTo)
				continue
			case k.zxid.Counter() == 0:
				l.header(k, jute.PacketDiff, upTo)
			case e.zxid.Epoch() != k.zxid.Epoch():
				l.header(k, jute.PacketSnap, 0)
				return max(upTo, l.p.led)
			default:
				l.header(k, jute.PacketTrunc, previous)
			}
		}
		l.send(k, jute.PacketProposal, e.zxid, e.bytes)
		l.send(k, jute.PacketCommit, e.zxid, nil)
		sent = e.zxid
	}
	return sent
}

// ackNewLeader takes any ACK as the answer to NEWLEADER; it counts when it is that.
func (l *javaLeader) ackNewLeader(k *javaLink, q *jute.QuorumPacket) {
	k.state = javaAcked
	if l.phase >= javaStarting {
		l.upToDate(k)
		return
	}
	if q.Zxid == jute.NewZxid(uint32(l.epoch), 0) && l.voter(k) {
		l.synced[k.sid] = true
	}
	l.established()
}

func (l *javaLeader) established() {
	if l.phase != javaSynchronizing || !l.quorum(l.synced) {
		return
	}
	l.enter(javaStarting)
	l.committed = l.last
	l.add(zab.Action{Kind: zab.Established, Epoch: l.epoch, Zxid: l.last})
}

// Started lets learners serve. The tree's zxid is that of the epoch now.
func (l *javaLeader) Started() {
	if l.phase != javaStarting {
		return
	}
	l.enter(javaBroadcasting)
	for _, k := range l.links {
		if k.state == javaAcked {
			l.upToDate(k)
		}
	}
}

func (l *javaLeader) upToDate(k *javaLink) {
	if l.phase == javaBroadcasting {
		k.state = javaLive
		l.send(k, jute.PacketUpToDate, -1, nil)
	}
}

// Proposed sends a transaction to all that have live traffic.
func (l *javaLeader) Proposed(z jute.Zxid) {
	l.last = z
	l.outstanding = append(l.outstanding, z)
	l.acks[z] = map[jute.ServerID]bool{}
	for _, k := range l.links {
		if k.forward && !k.observer {
			l.send(k, jute.PacketProposal, z, l.bytes(z))
		}
	}
}

func (l *javaLeader) bytes(z jute.Zxid) []byte {
	m := &l.p.server.disk.live
	return m.log[m.after(z)-1].bytes
}

func (l *javaLeader) Logged(z jute.Zxid) { l.ack(l.p.server.sid, z, true) }

// ack counts an ACK (Leader.processAck, tryToCommit).
func (l *javaLeader) ack(sid jute.ServerID, z jute.Zxid, counts bool) {
	if z.Counter() == 0 || l.acks[z] == nil {
		return
	}
	l.acks[z][sid] = l.acks[z][sid] || counts
	if l.outstanding[0] != z || !l.quorum(l.acks[z]) {
		return
	}
	l.outstanding = l.outstanding[1:]
	delete(l.acks, z)
	l.committed = z
	l.add(zab.Action{Kind: zab.Commit, Zxid: z})
	for _, k := range l.links {
		switch {
		case !k.forward:
		case k.observer:
			l.send(k, jute.PacketInform, z, l.bytes(z))
		default:
			l.send(k, jute.PacketCommit, z, nil)
		}
	}
	l.add(zab.Action{Kind: zab.Apply, Zxid: z})
	for len(l.syncs) > 0 && l.syncs[0].after <= z {
		l.answer(l.syncs[0])
		l.syncs = l.syncs[1:]
	}
}

func (l *javaLeader) Sync(link zab.Link, tag any) {
	s := javaSync{after: l.last, link: link, tag: tag}
	if len(l.outstanding) == 0 {
		l.answer(s)
		return
	}
	l.syncs = append(l.syncs, s)
}

func (l *javaLeader) answer(s javaSync) {
	if s.link == 0 {
		l.add(zab.Action{Kind: zab.Synced, Tag: s.tag})
	} else if k := l.find(s.link); k != nil {
		l.send(k, jute.PacketSync, 0, nil)
	}
}

// write is the sender's thread of a LearnerHandler: what is queued, in order.
func (k *leaderLink) writeJava() {
	l, w := k.l, k.l.p.world
	for !l.over() && k.conn.ends[leaderEnd].open && k.conn.unread(leaderEnd) < k.window {
		switch {
		case len(k.stream) > 0:
			k.send(k.stream[0])
			k.stream = k.stream[1:]
		case len(k.queue) == 0:
			return
		case k.queue[0].Type == jute.PacketSnap:
			k.queue = k.queue[1:]
			k.beginSnapshot(w)
		default:
			k.send(packet{QuorumPacket: k.queue[0]})
			k.queue = k.queue[1:]
		}
	}
}
