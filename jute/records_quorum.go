package jute

import "strconv"

// Records that servers of an ensemble send each other on the quorum port (reference quorum-protocol,
// sections 2, 4.3 and 5.3). Which packet may come when is not decided here.

// ServerID is a server's number in its ensemble: N of its server.N line, and the content of myid.
type ServerID int64

func (s ServerID) String() string { return strconv.FormatInt(int64(s), 10) }

// PacketType says what a QuorumPacket is for. Source: Leader.java, where the same names are constants.
type PacketType int32

// Packet types, with what Zxid and Data hold. A learner's master is the leader, or a follower that serves
// observers.
const (
	PacketRequest           PacketType = 1  // from a learner, Zxid -1: a ForwardedRequest; AuthInfo is the client's
	PacketProposal          PacketType = 2  // to a follower, the txn's zxid: a Proposal
	PacketAck               PacketType = 3  // from a learner: the zxid of a proposal, or epoch<<32 for NEWLEADER and UPTODATE
	PacketCommit            PacketType = 4  // to a follower: the txn's zxid
	PacketPing              PacketType = 5  // to a learner: last zxid proposed; its answer: the same zxid and touched sessions
	PacketRevalidate        PacketType = 6  // from a learner, Zxid -1: a SessionTimeout; its answer: a RevalidateAnswer
	PacketSync              PacketType = 7  // to a learner, Zxid 0: the answer to its oldest sync request
	PacketInform            PacketType = 8  // to an observer, the txn's zxid: a Proposal that is committed
	PacketCommitAndActivate PacketType = 9  // to a follower, the reconfig's zxid: long id of the designated leader
	PacketNewLeader         PacketType = 10 // to a learner, epoch<<32: text of the ensemble's config
	PacketFollowerInfo      PacketType = 11 // from a follower, first of all, acceptedEpoch<<32: a LearnerInfo
	PacketUpToDate          PacketType = 12 // to a learner, Zxid -1
	PacketDiff              PacketType = 13 // to a learner: last committed zxid; txns follow
	PacketTrunc             PacketType = 14 // to a learner: zxid to cut its log behind
	PacketSnap              PacketType = 15 // to a learner: zxid of the tree; the snapshot's stream follows, which is no packet
	PacketObserverInfo      PacketType = 16 // as PacketFollowerInfo, from an observer
	PacketLeaderInfo        PacketType = 17 // to a learner, newEpoch<<32: int ZabProtocolVersion
	PacketAckEpoch          PacketType = 18 // from a learner, its last zxid: int currentEpoch, -1 when that is not to count
	PacketInformAndActivate PacketType = 19 // to an observer, the reconfig's zxid: long id of the designated leader, a Proposal
)

func (t PacketType) String() string {
	switch t {
	case PacketRequest:
		return "REQUEST"
	case PacketProposal:
		return "PROPOSAL"
	case PacketAck:
		return "ACK"
	case PacketCommit:
		return "COMMIT"
	case PacketPing:
		return "PING"
	case PacketRevalidate:
		return "REVALIDATE"
	case PacketSync:
		return "SYNC"
	case PacketInform:
		return "INFORM"
	case PacketCommitAndActivate:
		return "COMMITANDACTIVATE"
	case PacketNewLeader:
		return "NEWLEADER"
	case PacketFollowerInfo:
		return "FOLLOWERINFO"
	case PacketUpToDate:
		return "UPTODATE"
	case PacketDiff:
		return "DIFF"
	case PacketTrunc:
		return "TRUNC"
	case PacketSnap:
		return "SNAP"
	case PacketObserverInfo:
		return "OBSERVERINFO"
	case PacketLeaderInfo:
		return "LEADERINFO"
	case PacketAckEpoch:
		return "ACKEPOCH"
	case PacketInformAndActivate:
		return "INFORMANDACTIVATE"
	}
	return "packet type " + strconv.Itoa(int(t))
}

// SnapSignature ends the stream behind a SNAP, as a ustring. (Java: LearnerHandler)
const SnapSignature = "BenWasHere"

// ZabProtocolVersion is the version of the protocol since ZooKeeper 3.4, in LearnerInfo and LEADERINFO. A
// smaller one means a peer without LEADERINFO and ACKEPOCH.
const ZabProtocolVersion int32 = 0x10000

// QuorumPacket is all that goes over the quorum port, except a snapshot and the records of SASL. It has no
// outer frame: see PacketReader.
type QuorumPacket struct {
	Type     PacketType
	Zxid     Zxid
	Data     []byte // nil is null
	AuthInfo []ID   // nil is null; shared between packets of a PacketReader, not to be changed
}

// quorumPacketMinBytes is the encoded size of a QuorumPacket without data and authinfo.
const quorumPacketMinBytes = 20

// Append appends the record.
func (p *QuorumPacket) Append(b []byte) []byte {
	b = AppendInt32(b, int32(p.Type))
	b = AppendInt64(b, int64(p.Zxid))
	b = AppendBuffer(b, p.Data)
	if p.AuthInfo == nil {
		return AppendInt32(b, -1)
	}
	b = AppendInt32(b, int32(len(p.AuthInfo)))
	for i := range p.AuthInfo {
		b = AppendString(AppendString(b, p.AuthInfo[i].Scheme), p.AuthInfo[i].ID)
	}
	return b
}

// Decode reads the record. Data aliases the input.
func (p *QuorumPacket) Decode(d *Decoder) {
	p.Type = PacketType(d.Int32())
	p.Zxid = Zxid(d.Int64())
	p.Data = d.Buffer()
	p.AuthInfo = d.ids()
}

// ids reads a vector of ID, nil for a null vector. No provider of Java makes an ID with a null part, so
// these fail.
func (d *Decoder) ids() []ID {
	n, null := d.Count()
	if null {
		return nil
	}
	v := make([]ID, 0, d.Cap(n, 8))
	for range n {
		id := ID{Scheme: d.String(), ID: d.String()}
		if d.err != nil {
			return nil
		}
		v = append(v, id)
	}
	return v
}

// LearnerInfo is the data of FOLLOWERINFO and OBSERVERINFO.
type LearnerInfo struct {
	ServerID        ServerID
	ProtocolVersion int32
	ConfigVersion   int64 // of the learner's committed config
}

// Append appends the record.
func (l *LearnerInfo) Append(b []byte) []byte {
	b = AppendInt64(b, int64(l.ServerID))
	b = AppendInt32(b, l.ProtocolVersion)
	return AppendInt64(b, l.ConfigVersion)
}

// Decode reads the record. Older servers leave out the config version (it is 0 then) or also the protocol
// version (it is 1 then), as in LearnerHandler.run.
func (l *LearnerInfo) Decode(d *Decoder) {
	*l = LearnerInfo{ServerID: ServerID(d.Int64()), ProtocolVersion: 1}
	if d.Remaining() > 0 {
		l.ProtocolVersion = d.Int32()
	}
	if d.Remaining() > 0 {
		l.ConfigVersion = d.Int64()
	}
}

// ForwardedRequest is the data of REQUEST: what a client asked of a learner and the leader must decide.
type ForwardedRequest struct {
	SessionID SessionID
	Cxid      int32
	Type      OpCode
	Body      []byte // the client's record; an int of milliseconds for createSession, empty for closeSession
}

// Append appends the record.
func (r *ForwardedRequest) Append(b []byte) []byte {
	b = AppendInt64(b, int64(r.SessionID))
	b = AppendInt32(b, r.Cxid)
	b = AppendInt32(b, int32(r.Type))
	return append(b, r.Body...)
}

// Decode reads the record, which fills the whole input. Body aliases it.
func (r *ForwardedRequest) Decode(d *Decoder) {
	r.SessionID = SessionID(d.Int64())
	r.Cxid = d.Int32()
	r.Type = OpCode(d.Int32())
	r.Body = d.take(d.Remaining())
}

// SessionTimeoutBytes is the encoded size of a SessionTimeout.
const SessionTimeoutBytes = 12

// SessionTimeout is a session with its timeout: in a snapshot, as the data of REVALIDATE from a learner, and
// once for each session that a learner's clients have touched as the data of its answer to PING.
type SessionTimeout struct {
	SessionID     SessionID
	TimeoutMillis int32
}

// Append appends the record.
func (s *SessionTimeout) Append(b []byte) []byte {
	return AppendInt32(AppendInt64(b, int64(s.SessionID)), s.TimeoutMillis)
}

// Decode reads the record.
func (s *SessionTimeout) Decode(d *Decoder) {
	s.SessionID = SessionID(d.Int64())
	s.TimeoutMillis = d.Int32()
}

// RevalidateAnswer is the data of REVALIDATE from the leader.
type RevalidateAnswer struct {
	SessionID SessionID
	Valid     bool
}

// Append appends the record.
func (r *RevalidateAnswer) Append(b []byte) []byte {
	return AppendBool(AppendInt64(b, int64(r.SessionID)), r.Valid)
}

// Decode reads the record.
func (r *RevalidateAnswer) Decode(d *Decoder) {
	r.SessionID = SessionID(d.Int64())
	r.Valid = d.Bool()
}

// QuorumAuthMagic starts each QuorumAuthPacket. A server looks for it to see if a peer authenticates at all.
const QuorumAuthMagic int64 = 0x5f2435013501edcc

// QuorumAuthStatus says how far an authentication between servers has come. (Java: QuorumAuth.Status)
type QuorumAuthStatus int32

// The three states.
const (
	QuorumAuthInProgress QuorumAuthStatus = 0
	QuorumAuthSuccess    QuorumAuthStatus = 1
	QuorumAuthError      QuorumAuthStatus = -1
)

// QuorumAuthPacket is one step of SASL between servers.
type QuorumAuthPacket struct {
	Magic  int64
	Status QuorumAuthStatus
	Token  []byte // nil is null
}

// Append appends the record.
func (p *QuorumAuthPacket) Append(b []byte) []byte {
	return AppendBuffer(AppendInt32(AppendInt64(b, p.Magic), int32(p.Status)), p.Token)
}

// Decode reads the record. It does not judge the magic. Token aliases the input.
func (p *QuorumAuthPacket) Decode(d *Decoder) {
	p.Magic = d.Int64()
	p.Status = QuorumAuthStatus(d.Int32())
	p.Token = d.Buffer()
}
