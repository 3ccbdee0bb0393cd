// Package history has clients that write down what they asked and what came back, and judges of what several of
// them saw at once. The suites that use it break servers meanwhile: compat/model one server, compat/faults
// ensembles.
//
// The workload (work.go) is a random mix on fresh nodes in every round: registers set on versions and
// watched, sequential nodes, accounts between which multis move money, locks of ephemerals, reads behind a sync.
// A client (session.go) pipelines a few requests and notes when; what has no reply when the connection goes is
// "maybe": done or not, now or later. It renews its session, at another server if need be, and goes on, watches
// included.
//
// The history is then judged:
//
//	linear.go   porcupine searches an order of all operations that agrees with their times and with a sequential
//	            model of each object: of the writes, and of the reads that have to be current. With one
//	            server all have to, since it answers from the one tree there is; in an ensemble those behind a
//	            sync, unless a leader may have lingered that did not know it had been replaced
//	judge.go    what needs no search: zxids in replies never go back within a session; a write begun after
//	            another was answered has the higher zxid, a current read the same or a higher one; versions
//	            shown to a session never go back; a watch event comes before any reply that shows the change,
//	            once, and none is missing; sequence numbers are unique and in the order of zxids; nothing
//	            acknowledged is missing at the end; no money is made or lost; nobody has a lock before the
//	            session that held it could have expired
//	moments.go  every read, however far behind, shows what the writes up to its zxid have left, and nothing later
//
// mutant_test.go shows that the judges can say no: a simulated server, or ensemble, produces histories, right ones,
// which must pass, and some with one fault each (a stale read, a write lost in a restart, half a multi, a number
// given twice, an event behind the reply, ...), which must not.
package history
