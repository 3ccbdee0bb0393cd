// Package client is a small ZooKeeper client for this project's own tools and tests.
//
// It speaks the client protocol on package jute: one session over one connection at a time, requests
// pipelined in the order they were made, pings, reconnection to the next server with renewal of the session,
// credentials and watches given again after each reconnection. It is not a library for applications: it
// has no recipes, no caches and no metrics, does not do SASL or TLS, and does not look for a read-write
// server while it is connected to a read-only one.
//
// # Goroutines
//
//	run      one per Client, from New until a final state: dials, logs in, then reads the connection.
//	         It completes requests in order, keeps the set of watches and calls Options.OnEvent.
//	write    one per connection, ends with it: sends what waits in one system call, pings when idle.
//
// Requests and everything else they share is guarded by Client.mu. OnEvent is called on run's goroutine
// before any reply that follows the event is handed out, so a caller that sees a change has seen its
// event. It must return quickly and must not wait for an operation of the same client.
//
// # Errors
//
// An answer of the server is an *OpError; errors.Is(err, jute.CodeNoNode) and the like work on it. What
// the client finds out itself has the same form: CodeConnectionLoss when the connection broke with the
// request waiting or in flight (a write may or may not have happened), CodeSessionExpired after the
// session's end, CodeAuthFailed after a refused credential. A path that Java's client would refuse is a
// *PathError, with Java's text.
//
// The rules come from the reference page client-protocol and from ClientCnxn, ZooKeeper, ZKWatchManager and
// PathUtils of Apache ZooKeeper 3.9.5. Departures: a request that waits for a connection fails after every
// server has been tried once, not after the first that doesn't answer; AddAuth waits for the answer;
// getEphemerals keeps to the chroot, in request and reply.
package client
