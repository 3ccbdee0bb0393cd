// Package quorum makes a server one of an ensemble: it elects a leader with its peers, follows it or
// leads, and hands committed transactions to its server in zxid order. The rules are in quorum/election
// and quorum/zab, which are values that are stepped; this package owns what they must not have: sockets,
// goroutines, the clock, and the calls to the log and to the server.
//
// What it does not: it knows no znode, no session and no store. Log and StateMachine are what it asks of
// those; server/embed connects them.
//
// # Goroutines
//
// For the life of a Peer:
//
//	run            the peer loop: an election, the term that comes of it, again
//	election       steps the election's Node; fed by notifications, its timer, and run
//	election port  one per address: accepts; each connection is identified on a goroutine of its own
//	links          one reader and one writer for each server of the ensemble; a dialler while one dials
//
// For a term; the next begins when all of them are gone:
//
//	leader   lead          (the peer loop's) ticks; saves epochs
//	         accept        one per address: accepts; each connection is read on a goroutine of its own
//	         link.read     one per learner: takes all packets that have come to the core at once
//	         link.write    one per learner: goes through the log at the learner's pace (zab.Outbox)
//	         link.requests one per learner whose requests wait because too much is proposed
//	         apply         hands committed transactions to the server
//	learner  read          (the peer loop's) takes packets to the core, and does what it asks of the disk
//	         write         sends what has gathered for the leader
//	         tick          the core's clock
//	         apply         as the leader's
//
// # One write
//
//	client's goroutine: StateMachine -> Term.Propose -> [core; tail; applier's queue] -> Log.Append
//	     link.write: proposals from the tail, as many as there are, in one write -> learner
//	learner's read: packets -> [core; applier's queue] -> Log.Append; Durable: ACKs -> write -> leader
//	link.read, Durable: [core: acks] -> marks move -> link.write: COMMIT; apply: StateMachine.Apply
//
// Where a transaction passes the hooks are told how old it is (AgeHooks): its header has the time. ages remembers
// that for what comes by its zxid alone, and a batch looks at the clock once.
//
// What is in brackets runs under the term's lock, by whoever has the event: between a connection and the
// core there is no other goroutine. Nothing under that lock waits for a disk or a socket, but what the core
// asks the log when a learner is synced. Lock order: term, then one of: tail, a link's mailbox, applier, send
// buffer.
//
// # Without room
//
// A server whose disks are nearly full (Peer.SetRoom) stays out of its ensemble between two terms, and for
// longer: see Room.
//
// # From a leader's end to the next commit
//
// What passes between the kill -9 of a leader of three and the next write that succeeds:
//
//	the connection breaks   at once: the system resets the connections of a process that has died. A machine that
//	                        is gone is noticed after syncLimit ticks without a PING
//	the term ends           clients' connections are closed; what is on its way into the log becomes durable
//	election                20 ms (AgreedWait) when both that are left agree and the third refuses its connection;
//	                        finalizeWait, 200 ms, with a server that may be there
//	the learner connects    0 to 5 ms: the leader opens its port when it has decided, and the learner's first waits
//	                        are short; Java's 100 ms were half of the whole
//	discovery               acceptedEpoch is made durable on the leader, then on the learner
//	synchronization         currentEpoch is made durable on the leader, then with the history on the learner
//	UPTODATE                the tail is applied, both open for clients
//	the client              connects again, its session is moved, and its write is as any other
//
// The waits are 20 to 25 ms in all (TestFailoverTime); the rest is the disk's, most of it the four times that an
// epoch is made durable (persistence.Log.SetAcceptedEpoch), and the client's. No wait is between two packets of a
// term: each step begins with the packet or the sync that it is for.
//
// # What is bounded
//
//	connections that are not identified  unidentifiedMax a port; the oldest goes for a new one; timeouts
//	election messages for a server       one, the newest; incoming ones electionQueueMax in all
//	proposals in memory for learners     TailBytesMax; older ones are read from the log
//	control packets for a learner        zab.ControlPacketsMax, then the link ends
//	proposals without a quorum           PendingBytesMax: Admit waits, and requests of learners with it
//	requests of a learner that wait      requestBytesMax, then the link ends
//	history on its way to a learner      nothing in memory: the log's cursor, or the tree's snapshot
//	history on its way in                PendingBytesMax; beyond that it is read back from the log
//	packets for the leader               sendBytesMax, then Forward waits
//
// # Where Java is not followed
//
//   - The election port reads each connection on a goroutine of its own; Java does it in line, and a
//     silent peer holds up all others for syncLimit ticks.
//   - Servers that are not in the configuration are refused on both ports, unless AdmitUnknown is set.
//   - A server that can't be reached, or whose name can't be resolved, is told once a minute and tried
//     again; names are resolved at each dial.
//   - All server ids are dialled at the same time, not one after the other.
//   - A learner link is a position in the log, not a queue of packets.
//   - Nothing is applied that is not durable in the own log, on the leader neither.
//
// TLS has its place in Deps.Dial and Deps.Listen, SASL behind the initial message on the election port
// and before the first packet on the quorum port.
//
// The rules come from QuorumPeer, QuorumCnxManager, Leader, LearnerHandler and Learner (Apache ZooKeeper
// 3.9.5), and from the reference on the quorum protocol.
package quorum
