// Package model checks what several clients at once saw of a server against what ZooKeeper promises,
// while the server is stopped, killed with SIGKILL and started again, and connections are cut. It holds
// tests only; they need no Java.
//
// The workload (work_test.go) is a random mix on fresh nodes in every round: registers set on versions
// and watched, sequential nodes, accounts between which multis move money, locks of ephemerals. A client
// (session_test.go) pipelines a few requests, writes down what it asked and what came back, and when;
// what has no reply when the connection goes is "maybe": done or not, now or later. It renews its session
// and goes on, watches included.
//
// The history is then judged twice:
//
//	linear_test.go   porcupine searches an order of all operations that agrees with their times and
//	                 with a sequential model of each object. Reads too: a standalone server answers
//	                 from the one tree there is
//	check_test.go    what needs no search: zxids in replies never go back within a session; a write
//	                 begun after another was answered has the higher zxid, a read the same or a higher
//	                 one; versions shown to a session never go back; a watch event comes before any
//	                 reply that shows the change, once, and none is missing; sequence numbers are unique
//	                 and in the order of zxids; nothing acknowledged is missing at the end; no money is
//	                 made or lost; nobody has a lock before the session that held it could have expired
//
// mutant_test.go shows that the judges can say no: a simulated server produces histories, right ones,
// which must pass, and some with one fault each (a stale read, a write lost in a restart, half a multi,
// a number given twice, an event behind the reply, ...), which must not.
//
// A run with too few operations, or in which nothing was cut, fails: it has shown nothing.
package model
