package election

import (
	"fmt"
	"strconv"

	"zk/jute"
)

// MessageBytesMax bounds a message on the election port; before each stands its length as an int.
// (Java: QuorumCnxManager.PACKETMAXSIZE)
const MessageBytesMax = 512 << 10

// State is what a server says of itself. (Java: QuorumPeer.ServerState)
type State int32

// The states, with their numbers on the wire.
const (
	Looking State = iota
	Following
	Leading
	Observing
)

func (s State) String() string {
	switch s {
	case Looking:
		return "LOOKING"
	case Following:
		return "FOLLOWING"
	case Leading:
		return "LEADING"
	case Observing:
		return "OBSERVING"
	}
	return "state " + strconv.Itoa(int(s))
}

// Vote is for a leader, with what is said to be its history.
type Vote struct {
	Leader        jute.ServerID
	Zxid          jute.Zxid // last one in the leader's log
	ElectionEpoch int64     // round of the election
	PeerEpoch     int64     // currentEpoch of the leader
}

func (v Vote) String() string {
	return fmt.Sprintf("leader %v zxid %v round %d epoch %d", v.Leader, v.Zxid, v.ElectionEpoch, v.PeerEpoch)
}

// notificationVersion is what this package sends: with the text of the config. Version 1, of ZooKeeper 3.4.6,
// has none, and earlier ones have no version either, which is 0.
const notificationVersion = 2

const (
	bytesWithoutPeerEpoch = 28 // of a notification before ZooKeeper 3.3
	bytesWithoutVersion   = 40 // of one before 3.4.6, which ends in four bytes without meaning
	bytesWithConfig       = 44 // of one of version 2, and then the config
)

// Notification is a message of an election: a server's state and vote. Who sent it is known from the
// connection.
type Notification struct {
	State   State
	Vote    Vote
	Version int32
	Config  []byte // text of the sender's config; nil before version 2
}

// Append appends the message in version 2, without the length before it.
func (n *Notification) Append(b []byte) []byte {
	b = jute.AppendInt32(b, int32(n.State))
	b = jute.AppendInt64(b, int64(n.Vote.Leader))
	b = jute.AppendInt64(b, int64(n.Vote.Zxid))
	b = jute.AppendInt64(b, n.Vote.ElectionEpoch)
	b = jute.AppendInt64(b, n.Vote.PeerEpoch)
	b = jute.AppendInt32(b, notificationVersion)
	return append(jute.AppendInt32(b, int32(len(n.Config))), n.Config...)
}

// Decode reads a message of any version; Config aliases it. An unknown state is no error here.
// (FastLeaderElection.Messenger.WorkerReceiver.run)
func (n *Notification) Decode(b []byte) error {
	if len(b) < bytesWithoutPeerEpoch {
		return fmt.Errorf("election: a notification of %d bytes", len(b))
	}
	d := jute.NewDecoder(b, 0)
	*n = Notification{State: State(d.Int32())}
	n.Vote = Vote{Leader: jute.ServerID(d.Int64()), Zxid: jute.Zxid(d.Int64()), ElectionEpoch: d.Int64()}
	if len(b) == bytesWithoutPeerEpoch {
		n.Vote.PeerEpoch = int64(n.Vote.Zxid) >> 32
		return nil
	}
	n.Vote.PeerEpoch = d.Int64()
	if len(b) != bytesWithoutVersion {
		n.Version = d.Int32()
	}
	if n.Version >= notificationVersion {
		length := d.Int32()
		if d.Err() == nil && (length < 0 || int(length) > d.Remaining()) {
			return fmt.Errorf("election: a config of %d bytes in a notification of %d", length, len(b))
		}
		n.Config = d.Rest()[:length]
	}
	if d.Err() != nil {
		return fmt.Errorf("election: notification: %w", d.Err())
	}
	return nil
}
