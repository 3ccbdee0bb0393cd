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
//	Apply        one goroutine, the Replicator's: the only writer of the tree; gives the replies of
//	             writes and the watch events; then flushes the connections it gave something to
//	expiry       session deadlines -> closeSession requests
//	cleaner      empty containers and expired TTL nodes -> deleteContainer requests
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
// # Bad input
//
// A request is decoded completely at the edge: what can't be decoded, and op codes that only servers may
// originate, get no further than their connection. A panic in a connection's goroutine is logged,
// counted and closes that connection; Apply never recovers.
//
// The rules come from Java's ZooKeeperServer, NIOServerCnxn, PrepRequestProcessor,
// FinalRequestProcessor, SessionTrackerImpl, ContainerManager, BlueThrottle and RequestThrottler
// (Apache ZooKeeper 3.9.5), and from the reference on the client protocol.
package server
