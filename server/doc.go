// Package server is the request pipeline of a ZooKeeper server: connections, sessions, reads, and the
// way of a write from its frame to its reply.
//
//	client -> conn.read -> prep -> Replicator -> (log synced, committed) -> Apply -> conn output -> client
//	             \-- read: nothing of this connection pending? run now under the tree's read lock,
//	                 else wait in the connection's queue for its own writes
//
// There is one server type. What differs between standalone, leader, follower and observer is the
// Replicator behind the pipeline, and whether this server runs prep.
//
// # Who owns what
//
//	conn.read    one goroutine per connection: input, handshake, decoding; runs reads itself
//	prepMu       the Preparer (changes in flight, next zxid) and the order of proposals: a write is
//	             prepared on its connection's goroutine, so no goroutine is woken for it
//	turns        who may hand writes to prep, or to the leader, when more are asked for than the log takes (turns.go)
//	Apply        one goroutine, the Replicator's: the only writer of the tree; gives the replies of
//	             writes and the watch events; then flushes the connections it gave something to
//	expiry       session deadlines -> closeSession requests; standalone and leader only, ends with the term
//	cleaner      empty containers and expired TTL nodes -> deleteContainer requests; likewise
//	watchEnds    connections whose client ended them unseen -> their readers
//
// Locks are taken in this order: prepMu, tree, a connection's queue, watch table, a connection's output.
// Nothing under the tree lock blocks or does I/O.
//
// # Order
//
// Replies of a connection leave in request order, and a watch event leaves before any reply that shows
// the change. So a reply is appended to the connection's output before the tree's read lock is released,
// and Apply appends events and replies while it holds the write lock. A read behind a write of its own
// connection waits in the connection's queue and is run by Apply right after that write. A read over
// very many entries waits there for a goroutine of its own, and works in bounded steps (heavy.go).
//
// # Terms
//
// A server serves clients during terms (term.go): a standalone one has a single term, a member of an ensemble
// one for each leader it follows or is. Begin and End are called by whoever knows the ensemble; End closes the
// clients' connections and waits until nothing of the term is under way.
//
//	standalone  prep -> Replicator -> Apply
//	leader      the same, for its own clients and for what learners forward (Request, leader.go); a session's
//	            owner is a connection here or the link of a learner
//	learner     a write is decoded, then forwarded as it came, and waits in its session's list (learner.go); the
//	            transaction that comes of it finds it there by its cxid and answers it. createSession and
//	            closeSession go the same way. A session that comes from elsewhere is taken up when the leader has
//	            said that it lives (Revalidate); those that clients use are told to the leader (Touched)
//
// A sync goes through the ensemble on every role, and waits in the connection's queue like a write. A failed
// write is a transaction too, of type error: it has a zxid, and answers the client of whichever server.
// Between terms clients are refused, and operators' words are answered as by Java's servers then.
//
// # Fair shares
//
// When clients ask for more writes than the log takes, most of what they have sent waits in their sockets, each
// in its own, and their connections take turns at prep (turns.go); on a learner, at its leader. A write of a
// connection that has nothing on its way needs no turn. While such come from clients that wait for each reply, there
// is less on its way before them: about what takes twice as long as a write alone.
//
// What is long and can wait goes on in steps: long reads and operators' long words in half of the processors
// (shares.go), and the goroutines that write the events of a wide fan-out, which are as many. Every 250 us they wait
// for a look at the sockets (package lookout), and so do merges of the stores (package slowcall). Replies to writes
// go ahead of such events. Data and events of more than 128 KiB are not copied for each client. So what others notice
// of a client that wants very much is some milliseconds (compat/load).
//
// The 99th percentile in ms of what ordinary clients wait for reads, writes and pings (compat/load, long form, two cores,
// one to four runs, 2026-11-27): beside the load, at another server on the machine at that time, and before it:
//
//	300 clients with 40 writes of 1 KiB in flight          3.5 to 4.1  2.0 to 2.3  1.0 to 1.4
//	slow readers of large nodes, events now and then       2.0 to 2.5  1.6 to 1.7  1.1 to 1.2
//	a client that lists a million children in a loop       2.8 to 3.4  1.7 to 1.8  1.0 to 1.7
//	events for 10,000 clients at once, again and again     7.5         4.3         2.2
//
// and under more than that:
//
//	the slow readers while a client writes 300 KiB at      6.8 to 8.0  2.8 to 3.2  1.1 to 1.2
//	a time as fast as it can, for others to be told
//	lists of a million children, counts, dumps and         7.9 to 8.2  3.3 to 3.8  1.0 to 1.7
//	changes of them, each in a loop
//
// Apache ZooKeeper 3.9.5 with a heap of 2 GiB in our place, once: 185 ms under the first, 15 elsewhere, 6.9 before it, with
// 3,600 transactions ahead of a write; the second ended it, out of memory.
//
// Under the first, 180 to 220 transactions are ahead of an ordinary client's write. The slow ones are
// writes, and nearly all their time is the log's: the sync under way and the one that takes the write along, from a
// disk that takes the tables of log and state at the same time.
//
// A read or a ping waits until somebody looks at its socket. A processor of the Go runtime does that when it has no
// goroutine left to run; when it has gone to the disk with a system call, nobody does. While syncs held their
// processors, it happened that both were with the disk: the 99th percentile of reads was 9 to 11 ms. Now they are free
// at once (persistence/slowcall).
//
// In an ensemble of three with 80 such clients on each server some 700 are ahead of
// a follower's ordinary client, and 500 of the leader's: each server's own, as none knows of the others'.
//
// # TLS
//
// The handshake runs on the connection's goroutine before anything else, and gives the identity of the
// certificate. Afterwards tls.Conn sees a socket that never waits (tlsLayer): reads and writes stay what
// they are without TLS, also for Apply, which encrypts what it flushes, up to 64 KiB of it.
//
// # Another tree
//
// Replace puts a restored tree in the place of the one that is served. Writes wait for it at prepMu, with
// nothing in flight; the store and the tree take over the new content under the tree lock, so that every
// pointer to them stays good, and only open walks have to begin anew. From then on replies carry the zxid
// of the restored tree, which may be an older one; zxids that are given out never go back.
//
// # What is bounded
//
//	a frame                          jute.maxbuffer; 16 KiB before the login; the buffer grows with what comes
//	requests forwarded to a leader   the same, as they wait in their connections' queues; Ensemble.Admit
//	ephemerals of a session          in an ensemble, what one closeSession can name (closeSessionBytesMax)
//	requests of a connection         queueMax requests, queueBytesMax bytes; globalOutstandingLimit over all:
//	                                 then its socket is not read. Large ones in all: largeRequestMaxBytes
//	replies unread by a client       OutputSoftBytes: then its socket is not read, and long reads wait; one
//	                                 reply may go beyond, of any length
//	events unread by a client        OutputHardBytes: then the connection is closed, the session lives
//	proposals on their way           as many as go through the log in a few times that of a lone one: then connections
//	                                 wait for their turn (turns.go); and the log's QueueBytesMax: then prep waits
//	changes not yet in the state     nodestore's Throttle: then Apply waits
//	connections                      maxClientCnxns, maxCnxns, connection_throttle_*
//	a fan-out beside apply           one; the next waits for it
//	reply to a multiRead             multiReadBytesMax; other lists longReplyBytesMax
//
// Not bounded, as in Java: watches of a connection (some 100 bytes each), nodes, sessions, and distinct ACL
// lists: the table of them is counted by its users, so that each list has cost its creator a write of that
// size, and goes with its last node.
//
// # Stops of apply
//
// While Apply works on one thing everything else that is to be written waits, and so does every read while
// it holds the tree lock. A turn that takes 10 ms or more is counted (apply_stop_time_ms) and logged at
// level debug, with its parts (stops.go): throttled, the state store is behind; waited, readers had the
// lock; held; flushed, system calls. What may take as long, and why it is left so:
//
//   - a multi: it is one step for all who look, so 20,000 parts, as many as fit into a request, hold the
//     lock for some 20 ms (an estimate from the cost of one);
//   - an event for thousands of watchers: some 0.5 us for each under the lock, as an event has to go ahead
//     of every reply that shows the change. Their sockets are written to beside apply;
//   - the end of a session with very many ephemerals, and a new quota over a large subtree, which has to be
//     counted: some 1 us a node. Readers are let in every 500 or 2,000 nodes, other writes wait: each
//     transaction has to find the tree as the one before left it;
//   - the end of many sessions at once: their sockets are closed here, 64 between two batches;
//   - a disk that is slower than the writes: the write-behind throttles apply rather than grow;
//   - no processor: where other processes want all of them, the goroutine waits for its turn like anybody
//     else, with the lock or without. Stops of all parts alike, at a few transactions each, mean this. In traces
//     of wide reads beside other programs, of 38 holds of the lock that took 5 ms or more, 92 % of the time
//     was such: the goroutine counted as running, its thread used less than a twentieth of it;
//   - 7 % was the runtime's own doing: it takes all goroutines off their processors when the collector stops the
//     world, or after 10 ms on the clock, also when another process had them, and puts them behind all others that
//     can run. 49 ms were seen among a hundred steps of long reads; since those have half of the processors at
//     most (shares.go), less than 1 ms;
//   - 1 % was the wait for a connection's lock, whose holder had the same bad luck.
//
// Lists of a million children, counts of trees, operators' words and long multiReads are not among them:
// they hold the read lock for a thousand nodes at a time.
//
// At 5,000 sets a second, evenly spread, on a million nodes and a real disk no turn took 10 ms in 20 s, and
// the sets took 1.3 ms at the median, 12 ms at the 99th and 24 ms at the 99.9th percentile (BenchmarkStops
// in server/embed; the disk's syncs are in these).
//
// # What a request costs
//
// Processor time in microseconds for one operation, many in flight, against what the design allows it. Two
// virtual cores, 2026-11-25; each line has its benchmark, so that a change is measured where it is made.
//
//	stage                    set 1 KiB    create 100 B  design  benchmark
//	socket, decoding, reply  0.6          0.6           1       embed Pipeline/ping, the client's calls included
//	prep                     0.6          0.75          1       prep SetData, CreateSequential
//	encoding                 0.04         0.05          0.5     jute ProposalAppend
//	log                      3.4          less          5       persistence Append/inflight=1024 (wall time)
//	apply                    1.9          3.4           1.5     nodestore Apply, ns/op
//	write-behind             0.6          1.9           1       nodestore Apply, the rest of cpu-ns/op
//	all                      15.2         17.4          10, 14  embed Pipeline/set1k, create100 on disk, clients included
//	a get of 1 KiB           1.7                        1.5     embed Pipeline/get1k, clients included
//
// What the whole has beyond its stages is the kernel's part of writing 1 KiB three times (log, its table,
// the state's table), the collector, and waking goroutines. With one request in flight per connection the
// socket's system calls come on top, 10 to 20 us: one read, one write.
//
// # Bad input
//
// A request is decoded completely at the edge, and once more where a learner hands it to its leader, whose link
// it costs there: what can't be decoded, and op codes that only servers may
// originate, get no further than their connection. A panic in a connection's goroutine is logged,
// counted and closes that connection; Apply never recovers.
//
// The rules come from Java's ZooKeeperServer, NIOServerCnxn, PrepRequestProcessor,
// FinalRequestProcessor, SessionTrackerImpl, ContainerManager, BlueThrottle and RequestThrottler
// (Apache ZooKeeper 3.9.5), and from the reference on the client protocol.
package server
