// Package bench puts load on servers of the ZooKeeper protocol and measures what comes back: zk bench.
//
// It speaks the protocol by itself, on package jute, because a client made for applications costs more
// than the server that it is to measure: one goroutine a session, all requests that are due in one
// write, all replies that came in one read, no allocation per request.
//
// # Loads
//
//	create set get mixed      requests of one kind, or reads and writes in a ratio
//	ephemeral                 creates and deletes in turn
//	connect                   sessions opened and closed
//	watch                     one znode, watched by all sessions, changed again and again
//	sessions                  sessions that do nothing but ping
//
// A load is closed (each session keeps so many requests in flight and sends the next one at a reply) or
// open (Spec.Rate: requests are due at fixed times whatever the server does). In an open load the latency
// of a request counts from the time it was due, so that a stall of the server shows in all requests that
// it held up and not in one.
//
// # Time
//
// Requests that were sent (or due) in the measured time are counted, and only those. Replies are stamped
// together when a read returns, so a latency holds the client's own waiting for the processor: with more
// sessions than the client can serve it measures itself. Report.ClientCPU tells.
//
// # Goroutines
//
// One per session, and one more per session in an open load; they end when the load does. Counters and
// histograms are shared and atomic.
package bench
