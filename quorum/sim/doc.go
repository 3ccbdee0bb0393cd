// Package sim runs whole ensembles in one goroutine: election and Zab cores, outboxes, and models of all that
// is around them: drivers, network, disks, clients. One seed decides everything, from the number of servers
// to the moment of each fault, and a run with the same seed is the same run. Time is virtual.
//
//	make sim SEED=7    repeats a run and tells what happened in it
//	make sim           runs new seeds for SIM_MINUTES
//
// What it shows is about quorum/election and quorum/zab, which are the real code here. About package quorum it
// shows only that a driver that follows the rules below is a right one; what it does not know at all is
// the wire, Pebble and the znode tree.
//
// # Parts
//
//	world.go, sched.go    the run: what the seed decides, the clock, the order of events, liveness at the end
//	net.go                connections: delays, blocked directions, cuts; one election connection for two hosts
//	disk.go               log and state stores, unsynced writes, the boundaries at which a process may die
//	process.go            a server's life: the peer loop, elections, the state machine
//	leader.go, learner.go a term as leader, and as follower or observer
//	client.go             writes, numbered and answered; a client never wants to see less than it has seen
//	faults.go             what goes wrong, and when
//	check.go              what must hold, asked at every step
//	mutant.go             bugs to be planted in the drivers
//	java.go, javaleader.go  servers of Java 3.9.5 among the others
//
// # What goes wrong
//
// Processes and hosts die, alone and all at once, also at every boundary of what they write: before a write,
// when it is written and not synced, when it is durable and nobody has been told. A crash leaves any prefix of
// the unsynced writes. Syncs fail, disks are slow, disks are gone: a server comes back without memory. Processes
// stand still and go on. Disks lack room for a while, and their server stays out. The network splits in two, with and
// without a bridge between, once or flapping; one server is cut off, from all or in one direction. Connections end
// with what is on its way; blocked data comes late. Election messages come twice and late. Logs are purged, so that
// SNAP is needed. Servers are chosen leader and die before they tell anybody the epoch that they have saved. In some
// runs elections end with any result at all: whom they choose must be a matter of speed only.
//
// A message is never lost alone, overtaken or changed: connections are TCP.
//
// # What is checked
//
//	one history       what any leader commits is one sequence: each transaction was proposed behind the one
//	                  before it, a majority of voters has it durably at that moment, and keeps it when logs
//	                  are cut or replaced; a leader that is established has all of it
//	prefix order      every log and every tree is a path of what was proposed; no zxid twice, no gap
//	epochs            one leader establishes an epoch, with a majority that has it durably
//	acknowledgements  (I5) an ACK leaves, and a client is answered, only for what is durable; a client's writes are
//	                  in the history in its order; it never sees an older tree; what was proposed in an epoch
//	                  stays in the log of who has it as long as that server has promised itself to no later one
//	I3, I4, I8        the tree is exactly the history up to its zxid, committed, and durable in the own log
//	I9                a server without memory votes for nobody, acknowledges nothing, is counted by nobody
//	serving           begins with all of the history that the leader brought along; the answer to a sync
//	                  comes behind all that was proposed before it
//	liveness          when the faults end, one leader comes, everybody serves, every client gets an answer,
//	                  and all logs and trees become equal, within a bounded time; terms that end for the sake of a
//	                  voter's promise (zab.Leader) are few for each epoch
//
// # Servers of Java
//
// In a third of the runs some servers, or all, are models of Apache ZooKeeper 3.9.5, as learners and as leaders: in their
// handling of NEWLEADER and UPTODATE, in when they log, acknowledge and apply, in whom they send what, and in the zxid that
// one votes with which has led. Everything is checked of them too but what they break by themselves:
//
//	I4    they apply what is not committed: their whole log at a start, and what they are told of before UPTODATE
//	I8    they apply what is committed before their own log has it
//	I4    they acknowledge NEWLEADER before proposals that are not committed are durable
//	I9    a voter that has lost its disk takes part as if it had not; so voters of Java keep theirs
//	1549  a snapshot of what is cut later stays; so they take snapshots of committed trees only
//	ACKs  a leader counts an ACK by its server, whatever has become of the connection, and has the server cut on the next
//	      one what that has acknowledged; so ACKs of Java's learners count up to then only, and they are not told to
//	      cut what is committed (javaLeader.cut). With learners of ours the leader does all of it
//	2354  a crash before currentEpoch stops their start; so they are started with the epoch of their last transaction
//
// A leader of Java leaves a server out that has promised itself to a later epoch: its operator restarts it.
//
// Their disks are as sound as ours: what Java does not sync is another matter.
//
// # The rules of a driver
//
// Package quorum is to keep these; the models here do.
//
//  1. An election begins when nothing of the term before is left and all that was appended is durable. It is
//     told the last durable zxid, never the tree's; -1 when memory is lost.
//  2. A server without memory goes by elections alone: it may join a leader only when a majority of the
//     others follows it. An established leader whose ensemble has moved on may take in a server that has
//     forgotten its promise to another; two epochs would be alive. (Found here.)
//  3. Actions are done in order. Saved, Logged, Truncated and Adopted are called when it is durable, SnapshotLoaded
//     when the side store has the tree to its end. Between such an action and its answer a learner hands no
//     packet to the core.
//  4. A failed sync ends the process; nothing is written, sent or answered after it.
//  5. Truncate changes nothing, and says so, when its zxid is not an entry (or the base of the log) or
//     lies before the tree.
//  6. Adopt: the epoch becomes durable behind everything appended (one log, in order), or with it. After a SNAP
//     one write names the new state, drops the old log, holds Entries and the epoch. Entries in a write
//     of their own would do for this package's leader, which counts ACKs of present connections only, but
//     not for Java's: it counts what a learner has acknowledged on a connection before.
//  7. Lost memory is found at Established: that is durable before any packet behind it goes out.
//  8. The state machine gets what Apply says, in order; it serves when Established's zxid is applied. A SNAP is the
//     tree as applied when its stream begins; its zxid is given to SnapshotSent.
//  9. An outbox is told of Proposed and Commit marks at once, a link's end is told to the core at once. The log
//     is pinned for a link from StartSync on, at what its outbox has sent.
//  10. After Established the election core is told the epoch.
//  11. A snapshot that is wanted (GiveUp) is asked for in one term, the next that reaches a leader. If that fails too
//     the answer after it is an honest one again: a leader that is not established may need it, and with a wiped
//     third server there would never be one. (Found here.)
//  12. A server is empty when it has no history and has promised no epoch; the election is told so before each Look.
//     An empty one that hears of a history has lost its memory: that is durable before it promises or adopts
//     anything. Without the promise in this rule an ensemble could hang at its very first start; without the
//     mark a wiped server that crashes behind Adopt would be taken for a whole one. (Both found here.)
//  13. A server without room withdraws its vote, then ends its term; it looks for a leader when it has room.
//  14. A leader's core is told of those who look for a leader. The epoch of its GiveUp is durable before this server
//     looks for one.
package sim
