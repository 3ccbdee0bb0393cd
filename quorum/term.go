package quorum

import (
	"errors"

	"zk/jute"
)

// ErrTermOver answers calls on a Term that has ended or is about to.
var ErrTermOver = errors.New("quorum: the term is over")

// Role is what a server does in its ensemble at present (QuorumPeer.ServerState).
type Role int32

// The roles, with the numbers they have in notifications.
const (
	Looking Role = iota
	Following
	Leading
	Observing
)

func (r Role) String() string {
	if r < Looking || r > Observing {
		return "unknown"
	}
	return [...]string{"looking", "following", "leading", "observing"}[r]
}

// Term is one stay of this server as leader or learner, as its StateMachine sees it: the way of writes
// from it to the ensemble. Its calls may come from any goroutine.
type Term interface {
	Role() Role
	Epoch() int64
	// Leader is the server that leads, this one or another.
	Leader() jute.ServerID

	// Admit waits while too much is proposed and not applied yet. Leader: call it before a local client's
	// write is prepared, without a lock held; StateMachine.Request needs it not. Learner: before
	// Forward. ErrTermOver when the term ends meanwhile.
	Admit() error
	// Propose takes a transaction, on the leader: calls come in zxid order, one at a time. It never waits
	// for acks. The bytes must not be changed until Apply has had them.
	Propose(e Entry) error
	// Exhausted gives up the term, on the leader: no zxid of its epoch is left.
	Exhausted()

	// Forward sends a client's request to the leader, on a learner, with what is known of the client; ids
	// are nil for createSession. Nothing of it is used after the return.
	Forward(r *jute.ForwardedRequest, ids []jute.ID) error
	// Sync asks that everything the leader has proposed by now be applied here; StateMachine.Synced
	// answers, with the tag. r and ids are the client's request, as for Forward.
	Sync(r *jute.ForwardedRequest, ids []jute.ID, tag any) error
	// Revalidate asks the leader about a session, on a learner; StateMachine.Revalidated answers.
	Revalidate(s jute.SessionTimeout) error
}
