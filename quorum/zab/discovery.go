package zab

import (
	"encoding/binary"
	"fmt"
	"math"

	"zk/jute"
)

// epochMax is the last epoch there can be: Java keeps epochs in an int.
const epochMax = math.MaxInt32

// leapMax is how much later than the leader's own promise a learner's may be for the leader to hear it: more terms than
// ever began without this server and came to nothing. Java hears any, so that one forged packet uses up all epochs but
// the last, and nobody leads after that.
const leapMax = 1 << 20

// learnerInfo takes FOLLOWERINFO or OBSERVERINFO. (Java: LearnerHandler.run, Leader.getEpochToPropose)
func (l *Leader) learnerInfo(p *peer, q *jute.QuorumPacket) {
	if q.Type != jute.PacketFollowerInfo && q.Type != jute.PacketObserverInfo {
		l.drop(p, fmt.Sprintf("began with %s: the first packet must be FOLLOWERINFO or OBSERVERINFO", Describe(q)))
		return
	}
	var info jute.LearnerInfo
	d := jute.NewDecoder(q.Data, len(q.Data))
	info.Decode(&d)
	p.sid = info.ServerID
	p.observer = q.Type == jute.PacketObserverInfo
	switch {
	case d.Err() != nil:
		l.drop(p, "its LearnerInfo can't be read")
		return
	case info.ProtocolVersion < jute.ZabProtocolVersion:
		l.drop(p, fmt.Sprintf("protocol version 0x%x is too old", info.ProtocolVersion))
		return
	case p.sid == l.o.Me:
		l.drop(p, "it has this server's own id")
		return
	case !l.o.AdmitUnknown && !l.isMember(p.sid):
		l.drop(p, fmt.Sprintf("server %d is not in the configuration", p.sid))
		return
	case q.Zxid.Epoch() >= epochMax:
		l.drop(p, fmt.Sprintf("no epoch is left after 0x%x", q.Zxid.Epoch()))
		return
	case l.phase == discovering && int64(q.Zxid.Epoch()) > l.o.AcceptedEpoch+leapMax:
		l.drop(p, fmt.Sprintf("server %d has promised itself to epoch %d, this server to %d: a leap of more than %d is not believed",
			p.sid, q.Zxid.Epoch(), l.o.AcceptedEpoch, leapMax))
		return
	case info.ConfigVersion > l.o.Quorums.Current.Version():
		l.drop(p, fmt.Sprintf("its configuration, version 0x%x, is later than this server's, 0x%x", info.ConfigVersion, l.o.Quorums.Current.Version()))
		return
	}
	p.voter = !p.observer && l.o.Quorums.IsVoter(p.sid)
	p.accepted = int64(q.Zxid.Epoch())
	l.replaceOlder(p)
	p.state, p.deadline = peerKnown, 0
	if l.phase == discovering {
		// An epoch that any learner has promised itself to is used up.
		l.epoch = max(l.epoch, p.accepted+1)
		l.discover()
	} else if l.phase != savingAccepted {
		l.announce(p) // one with a later promise hangs up on that, and can tell its operator why
		l.promised(p)
	}
}

// replaceOlder closes links that a learner left behind: what was acknowledged there says nothing about the
// log it has now.
func (l *Leader) replaceOlder(p *peer) {
	if old := l.bySID(p.sid); old != nil {
		l.drop(old, fmt.Sprintf("server %d has come again on another link", p.sid))
	}
}

// isMember reports if a server is in a configuration.
func (l *Leader) isMember(sid jute.ServerID) bool {
	_, ok := l.o.Quorums.Current.Server(sid)
	if !ok && l.o.Quorums.LastSeen != nil {
		_, ok = l.o.Quorums.LastSeen.Server(sid)
	}
	return ok
}

// discover ends discovery when a quorum of voters has spoken. As in Java only the active configuration is
// asked, here and in elect.
func (l *Leader) discover() {
	if l.phase != discovering || !l.o.Quorums.Current.ContainsQuorum(l.counting(isKnown)) {
		return
	}
	l.setPhase(savingAccepted)
	a := l.add()
	a.Kind, a.Epoch = SaveAcceptedEpoch, l.epoch
}

func (l *Leader) announceAll() {
	for _, p := range l.peers {
		if p.state == peerKnown {
			l.announce(p)
		}
	}
}

// announce sends LEADERINFO. acceptedEpoch is durable here.
func (l *Leader) announce(p *peer) {
	p.state, p.deadline = peerAnnounced, l.now+2*int64(l.o.InitLimit)
	l.sendBehind(p, jute.QuorumPacket{
		Type: jute.PacketLeaderInfo, Zxid: firstOf(l.epoch),
		Data: jute.AppendInt32(nil, jute.ZabProtocolVersion),
	}, Marks{})
}

// ackEpoch takes ACKEPOCH. (Java: Leader.waitForEpochAck)
func (l *Leader) ackEpoch(p *peer, q *jute.QuorumPacket) {
	if q.Type != jute.PacketAckEpoch || len(q.Data) != 4 {
		l.drop(p, fmt.Sprintf("sent %s in place of ACKEPOCH", Describe(q)))
		return
	}
	p.last = q.Zxid
	// -1: it had promised itself to this epoch before, perhaps to another leader, and its answer doesn't count;
	// unless it was to this one, on an earlier link.
	current := int64(int32(binary.BigEndian.Uint32(q.Data)))
	p.countsEpoch = current != -1
	// Who is ahead may have what was committed without us. Once a quorum was found not to be ahead, all
	// that was committed is here, and the rest can be cut.
	if p.countsEpoch && l.phase == electing && (current > l.o.CurrentEpoch || current == l.o.CurrentEpoch && p.last > l.tail) {
		l.drop(p, fmt.Sprintf("it is ahead of this leader: epoch %d, zxid %s, here epoch %d, zxid %s", current, p.last, l.o.CurrentEpoch, l.tail))
		return
	}
	if p.countsEpoch {
		l.answered[p.sid] = true
	} else {
		p.countsEpoch = l.answered[p.sid] && p.accepted == l.epoch
	}
	p.state, p.deadline = peerInTheKnow, 0
	switch l.phase {
	case electing:
		l.elect()
	case synchronizing, starting, broadcasting:
		l.startSync(p)
	}
}

// elect ends the wait for ACKEPOCH when a quorum isn't ahead.
func (l *Leader) elect() {
	if l.phase != electing || !l.o.Quorums.Current.ContainsQuorum(l.counting(isNotAhead)) {
		return
	}
	l.setPhase(savingCurrent)
	a := l.add()
	a.Kind, a.Epoch = SaveCurrentEpoch, l.epoch
}
