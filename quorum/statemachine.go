package quorum

import (
	"io"

	"zk/jute"
)

// Entry is a committed transaction on its way to the server.
type Entry struct {
	Zxid jute.Zxid
	// Bytes is the proposal as jute.Proposal encodes it. Valid until Apply returns.
	Bytes []byte
	// Tag is what Term.Propose was given with it; nil for a transaction of another server, and for one of
	// an earlier term.
	Tag any
}

// Link names one connection of a learner to its leader. Two links are equal only when they are the same
// connection: a session's owner may be held against it. The zero Link is this server itself.
type Link struct {
	// SID is the learner.
	SID jute.ServerID
	// Number is never used twice by a peer.
	Number uint64
}

// StateMachine is the server as this package needs it: the tree, its clients and their sessions. Lead,
// Follow, Apply and Synced come from one goroutine, in the order of the log. End comes from another one,
// after that goroutine has ended.
type StateMachine interface {
	// Applied is the last transaction in the tree.
	Applied() jute.Zxid
	// Apply takes committed transactions, in zxid order. They are durable in this server's log. The slice
	// is reused once it returns.
	Apply(entries []Entry)
	// Synced answers the client that Term.Sync was called for: everything proposed before is applied.
	// On a learner tag is the one of the oldest Sync that was not answered yet.
	Synced(tag any)

	// Lead begins to serve as leader: everything in the log is applied; proposals start at
	// t.Epoch()<<32 + 1; sessions have their full timeouts and no owner; expiry and cleaner run.
	Lead(t Term) error
	// Follow begins to serve as follower or observer: writes go to t.Forward.
	Follow(t Term) error
	// End ends the term: all client connections are closed, changes in flight dropped, and when it
	// returns no call to the Term is under way or will come. It does nothing when no term began.
	End()

	// Request takes a learner's request, on the leader; ids are the client's, as the learner knows them, nil
	// for createSession. It may wait for its turn, not for a commit. r.Body is reused when it returns. An
	// error (an undecodable request) ends the link.
	Request(from Link, r *jute.ForwardedRequest, ids []jute.ID) error
	// Touch keeps a session of a learner's client alive, on the leader.
	Touch(from Link, s jute.SessionTimeout)
	// Revalidate tells if a session that has come to a learner is alive, and makes the learner its owner,
	// on the leader.
	Revalidate(from Link, s jute.SessionTimeout) bool
	// Touched appends the sessions used since the last call, on a learner: they go to the leader.
	Touched(dst []jute.SessionTimeout) []jute.SessionTimeout
	// Revalidated brings the leader's answer to Term.Revalidate, on a learner.
	Revalidated(session jute.SessionID, valid bool)

	// OpenSnapshot gives the tree as it is now, for a learner that gets all of it.
	OpenSnapshot() (Snapshot, error)
	// Receive reads a whole tree (the form of Snapshot.WriteTo) into a store beside the one that is
	// served. It reads from r to the end of the tree and no further.
	Receive(r io.Reader, zxid jute.Zxid) (Incoming, error)
}

// Snapshot is an exact tree at one zxid. Memory that it holds does not grow with the tree.
type Snapshot interface {
	Zxid() jute.Zxid
	// Bytes is about its length on the wire.
	Bytes() int64
	// WriteTo writes sessions, ACL table and nodes with the "/" that ends them: the body of SNAP, without
	// the signature behind it.
	WriteTo(w io.Writer) (int64, error)
	Close() error
}

// Incoming is a tree on its way in. Exactly one of Adopt and Discard ends it.
type Incoming interface {
	// Apply brings it forward by one committed transaction. The bytes are its own until it returns.
	Apply(e Entry) error
	// Adopt makes it this server's tree, puts the entries, which are not committed yet, in the place of the
	// log, and sets currentEpoch, in one durable step. The log then has CompleteFrom at the last applied
	// zxid, or at the snapshot's own.
	Adopt(epoch int64, entries []Entry) error
	// Discard drops it.
	Discard()
}
