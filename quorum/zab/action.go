package zab

import (
	"encoding/binary"
	"fmt"
	"strings"

	"zk/jute"
)

// Kind says what an Action asks for.
type Kind uint8

// Kinds of actions, with the fields of Action that they use. Leader and learner:
const (
	_ Kind = iota
	// SaveAcceptedEpoch: make Epoch durable as acceptedEpoch, then call Saved.
	SaveAcceptedEpoch
	// Send: Packet goes out. Leader: to Link, through its Outbox, behind what Barrier says.
	Send
	// Apply: everything up to Zxid is committed and durable here: the state machine may have it.
	Apply
	// Established: the term is formed; everything up to Zxid has been applied by the Apply before it. Leader: start
	// to serve, then call Started. Learner: start to serve; what was known of a lost memory or a wanted
	// snapshot is settled.
	Established
	// Deliver: Packet, of Link, is for the server. Leader: REQUEST, REVALIDATE, PING (touched sessions).
	// Learner: PING (to be answered), SYNC, REVALIDATE. The slices in it are the caller's of Received.
	Deliver
	// GiveUp: the term is over, for Reason. The core does nothing any more. Learner: WantSnapshot asks to
	// set LearnerOptions.WantSnapshot in the next term. Leader: an Epoch that is not 0 is to be made durable as
	// acceptedEpoch when nothing of the term is under way any more, before this server looks for a leader.
	GiveUp

	// Leader only:

	// SaveCurrentEpoch: make Epoch durable as currentEpoch, then call Saved.
	SaveCurrentEpoch
	// StartSync: Link, of the server SID, gets the history as Sync says, and everything proposed after it;
	// pin the log and hand Sync to the link's Outbox in this step.
	StartSync
	// Commit: a quorum has everything up to Zxid. Outboxes are told.
	Commit
	// Synced: a sync request of an own client, asked with Tag, may be answered behind the Apply before it.
	Synced
	// Close: hang up Link; Reason says why.
	Close
	// Refused: SID, a voter, can't follow: it has promised itself to Epoch, which is later than the term's. Reason says
	// what comes of that. It is for the log, and not told again until there is another reason.
	Refused

	// Learner only. After SaveAcceptedEpoch, Truncate, LoadSnapshot and Adopt no packet may be received
	// until the answer is given:

	// Truncate: cut the log behind Zxid, then call Truncated.
	Truncate
	// LoadSnapshot: the stream of a snapshot follows on the link; read it into a side store, with a
	// Progress now and then, and call SnapshotLoaded. The stores in use stay as they are.
	LoadSnapshot
	// Append: Zxid and Data go to the end of the log; call Logged when durable. Data is the caller's of
	// Received.
	Append
	// ApplySnapshot: apply the committed Zxid and Data to the side store.
	ApplySnapshot
	// Adopt: in one durable step make everything appended so far durable, with currentEpoch = Epoch;
	// after LoadSnapshot that means: the side store is in use, the old log is dropped, Entries are the new
	// log, currentEpoch = Epoch. Then call Adopted. Data is the text of the leader's configuration.
	Adopt
)

var kindNames = [...]string{
	SaveAcceptedEpoch: "SaveAcceptedEpoch", Send: "Send", Apply: "Apply", Established: "Established", Deliver: "Deliver",
	GiveUp: "GiveUp", SaveCurrentEpoch: "SaveCurrentEpoch", StartSync: "StartSync", Commit: "Commit", Synced: "Synced",
	Close: "Close", Refused: "Refused", Truncate: "Truncate", LoadSnapshot: "LoadSnapshot", Append: "Append", ApplySnapshot: "ApplySnapshot",
	Adopt: "Adopt",
}

func (k Kind) String() string { return kindNames[k] }

// Action is one thing to do. It is one struct for all kinds, so that a step of normal operation allocates
// nothing.
type Action struct {
	Kind Kind
	Link Link
	SID  jute.ServerID
	Zxid jute.Zxid
	// Epoch is an epoch, not a zxid.
	Epoch   int64
	Packet  jute.QuorumPacket
	Barrier Marks
	Sync    Sync
	Data    []byte
	Entries []Entry
	Tag     any
	Reason  string
	// WantSnapshot goes with GiveUp.
	WantSnapshot bool
}

// String is for tests and logs.
func (a *Action) String() string {
	var b strings.Builder
	b.WriteString(a.Kind.String())
	if a.Link != 0 {
		fmt.Fprintf(&b, " link=%d", a.Link)
	}
	switch a.Kind {
	case SaveAcceptedEpoch, SaveCurrentEpoch:
		fmt.Fprintf(&b, " epoch=%d", a.Epoch)
	case Send, Deliver:
		b.WriteString(" " + Describe(&a.Packet))
	case Established:
		fmt.Fprintf(&b, " epoch=%d zxid=%s", a.Epoch, a.Zxid)
	case Adopt:
		fmt.Fprintf(&b, " epoch=%d entries=%d", a.Epoch, len(a.Entries))
	case StartSync:
		fmt.Fprintf(&b, " sid=%d %s from=%s upto=%s", a.SID, a.Sync.Mode, a.Sync.From, a.Sync.UpTo)
		if a.Sync.Observer {
			b.WriteString(" observer")
		}
	case Synced:
		fmt.Fprintf(&b, " tag=%v", a.Tag)
	case Refused:
		fmt.Fprintf(&b, " sid=%d epoch=%d: %s", a.SID, a.Epoch, a.Reason)
	case Close, GiveUp:
		if a.Epoch != 0 {
			fmt.Fprintf(&b, " epoch=%d", a.Epoch)
		}
		b.WriteString(": " + a.Reason)
		if a.WantSnapshot {
			b.WriteString(" (wants a snapshot)")
		}
	default:
		b.WriteString(" zxid=" + a.Zxid.String())
	}
	return b.String()
}

// Describe is a packet in a line, for tests and logs.
func Describe(p *jute.QuorumPacket) string {
	s := fmt.Sprintf("%s(%s)", p.Type, p.Zxid)
	if p.Zxid == -1 {
		s = fmt.Sprintf("%s(-1)", p.Type)
	}
	switch {
	case p.Type == jute.PacketAckEpoch && len(p.Data) == 4:
		s += fmt.Sprintf(" current %d", int32(binary.BigEndian.Uint32(p.Data)))
	case len(p.Data) > 0:
		s += fmt.Sprintf(" %d bytes", len(p.Data))
	}
	return s
}

// actions gathers what a core wants done. Two buffers take turns, so that whoever goes through one may step
// the core, which fills the other.
type actions struct {
	gathering, handedOut []Action
}

func (a *actions) add() *Action {
	a.gathering = append(a.gathering, Action{})
	return &a.gathering[len(a.gathering)-1]
}

// Actions hands out what has gathered since the last call, in order. The slice is valid until the next
// call; the core may be stepped meanwhile.
func (a *actions) Actions() []Action {
	out := a.gathering
	// What was handed out is over: it must not keep packets and tags from the collector.
	clear(a.handedOut)
	a.gathering, a.handedOut = a.handedOut[:0], out
	return out
}
