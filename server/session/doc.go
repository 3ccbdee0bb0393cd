// Package session keeps track of client sessions: which there are, when each expires, which connection
// owns it; and makes session ids and passwords.
//
// It runs no goroutine and reads no clock: every call that depends on time takes now, milliseconds of
// a monotonic clock, the same for all calls to one Tracker. It proposes no transactions: the caller
// asks Expire what is due and proposes the closeSession itself. What is durable about a session (id and
// timeout) belongs to the tree and the state store, not here.
//
// Owners and locks: a Tracker has one mutex for the set of sessions and the expiry buckets. A
// Session's hot fields (deadline, closing mark, owner) are atomics, so a touch, which every request and
// ping does, takes no lock; a session is looked at again, and moved to its right bucket, only when the
// bucket it sits in comes due.
//
// The rules come from Java's SessionTrackerImpl, ExpiryQueue and ZooKeeperServer.generatePasswd (Apache
// ZooKeeper 3.9.5) and section 4 of the project's client protocol reference.
package session
