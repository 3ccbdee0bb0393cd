// Package zab is Zab, ZooKeeper's atomic broadcast, as two values that are stepped: a Leader or a Learner
// lives for one term, from the moment a server knows who is to lead until that ends. It speaks the wire
// protocol of Java ZooKeeper 3.9.5 with leaders and learners of either kind.
//
// An event is a call (a packet came, the log is durable up to a zxid, half a tick passed); what follows
// from it gathers as Actions in the order in which they are to be done. Nothing here has a goroutine, a
// clock, a socket, a file or a lock: the driver (package quorum) and the simulation (quorum/sim) call the
// same code, one event at a time. Events of normal operation allocate nothing.
//
// # The three parts
//
// Leader (leader.go, discovery.go, sync.go, broadcast.go, liveness.go, outsider.go): negotiates the epoch, decides how each
// learner gets the leader's history, counts acknowledgements, says what is committed.
//
// Learner (learner.go, catchup.go, follow.go): follower or observer; receives history and proposals, says when
// they may be acknowledged and applied.
//
// Outbox (outbox.go): the order of the packets to one learner. The leader's core doesn't hand out each
// proposal for each learner; a link's writer goes through the log with a cursor, and the Outbox tells it
// what comes next: a slow learner costs its position in the log, not a queue.
//
// # A term
//
//	learner                              leader
//	FOLLOWERINFO(acceptedEpoch)    ->    a quorum has spoken: epoch = max + 1, SaveAcceptedEpoch
//	SaveAcceptedEpoch              <-    LEADERINFO(epoch)
//	ACKEPOCH(last zxid, epoch)     ->    nobody of a quorum is ahead: SaveCurrentEpoch
//	Truncate, LoadSnapshot         <-    DIFF | TRUNC | SNAP
//	Append                         <-    PROPOSAL, COMMIT pairs of the history
//	Adopt: all durable, with the   <-    NEWLEADER(epoch)
//	epoch
//	ACK(epoch)                     ->    a quorum has it: the history is committed. Apply, Established
//	Apply, Established             <-    UPTODATE
//	ACK(epoch)                     ->
//	Append, ACK(zxid) when durable <->   PROPOSAL(zxid), COMMIT(zxid) when a quorum has it; INFORM to observers
//
// A learner sends nothing between ACKEPOCH and its first ACK: a Java leader takes the next packet for that
// ACK and hangs up on anything else (ZOOKEEPER-4685).
//
// # Marks
//
// What is logged, what is committed and what may be applied are three things. Commit of the leader is the
// mark of the quorum, of which learners are told; Apply, of both, is the smaller of that mark and of the own
// durable log: what is in the tree on disk is always in the log too. Nothing is applied before it is known
// to be committed, so a log can be cut without a tree to be undone.
//
// A leader counts what was acknowledged on a learner's present link only. A learner that comes again may
// have been told to cut what it had acknowledged before. A leader of Java counts by the server's id, whatever has
// become of the link: so what our learner has acknowledged to a leader it keeps for as long as it is in that leader's
// epoch, also when it is told to cut it (Learner.keep).
//
// # Where Java is not followed
//
//   - All received transactions are durable with the epoch before the ACK of NEWLEADER, committed or not
//     (ZOOKEEPER-3911, 3023, 4646, 4785), in one step with the epoch (4643, 2354).
//   - The sync decision is made from the whole log, not from a list of 500 (see decide).
//   - A leader's last-seen learner of a sid wins: an older link of the same sid is closed.
//   - Learners of unknown sids are refused unless LeaderOptions.AdmitUnknown is set.
//   - A transfer that moves on is no silence: neither the term nor the link ends over it.
//   - A TRUNC of the leader's own proposals, all of which it sends again, cuts nothing. Java cuts them, and has them
//     on disk again some time after UPTODATE; a write that was committed by its earlier ACK meanwhile is lost with the
//     leader.
//   - A COMMIT out of order ends the link, not the process.
//   - A leader whose epoch is lower than a voter has promised itself to ends its term for that voter's sake, some time
//     after it has come (see outsider). Java's leaves it out until there is another election.
//   - A learner whose promise is later than the leader's own by a million epochs is hung up on (see leapMax).
//
// The rules come from Leader, LearnerHandler, Learner, Follower, Observer (Apache ZooKeeper 3.9.5), from the
// Zab paper, and from the reference on the quorum protocol, sections 2 to 4, 6 and 7.
package zab
