// Package diff proves compatibility by comparison: the same bytes go to Apache ZooKeeper 3.9.5 and to
// this project's server, and what comes back must be the same: replies, error codes, Stats, zxids,
// watch events and the order in which they arrive. All of it is tests; switch it on with ZK_COMPAT=1.
//
// A case is a function that drives named connections of one server step by step (script_test.go). It
// runs on both servers at once and leaves two transcripts, which are compared step by step. Cases are
// grouped by the settings they need (groups_test.go); each group has one server of either kind, so a
// case works below a path of its own. The tables are in one file per family of operations.
//
// What cannot be equal is written down in normal form: zxids relative to the start of the case, times
// as "agrees with the other times of the same zxid", session ids by the name of their connection,
// unordered lists sorted. Where we differ on purpose is in allowed_test.go, each with its reason; such
// steps run on our server only, against an expectation of their own.
//
// Expectations in the tables (want...) are facts of the protocol as the project believes them. They are
// checked against the Java server, so a wrong belief shows even where both servers agree by luck.
//
// With DIFF_SECOND=java the second server is Java too: the cases must then show no difference, which
// proves that they are deterministic.
//
// # Random runs
//
// TestRandom plays sequences that nobody thought of. A seed makes a list of actions (generate_test.go,
// draw_test.go) from a sketch of the tree that they will have made (world_test.go), so that parents exist,
// versions are right half of the time, and permissions matter: some 1,600 actions of four clients with
// all ops, multis, quotas, every kind of watch, several identities, sessions that move, are closed or
// expire, setWatches after changes were missed, two restarts of the server (one orderly, one by kill),
// four-letter words. player (play_test.go) plays the list on either server. Pipes are several requests in
// one write; bursts (burst_test.go) are all clients writing at the same time, frames cut anywhere, below
// homes of their own, with a ping as the barrier: order is compared within each session. Audits
// (audit_test.go) compare every node, Stat and ACL, quota usage, and each server's digest with the one
// computed from what it serves.
//
// A seed that differs is shrunk (shrink_test.go): delta debugging over the list, each try below a fresh
// root, on fresh servers after a try that failed. What is left is printed as a case, ready to be put
// into found_test.go; the bug is mended, the case stays.
//
//	ZK_COMPAT=1 DIFF_SEEDS=17 go test -run TestRandom ./compat/diff       one seed again
//	ZK_COMPAT=1 DIFF_SEEDS=100-400 go test -run TestRandom ./compat/diff  more of them
//	make soak SOAK=diff SOAK_MINUTES=30                                   new seeds for half an hour
//
// That runs reach deep is checked: coverage_test.go counts ops by outcome, events and actions, and the
// fixed seeds of CI must reach the least numbers of reached. Bugs were planted in the server one at a time,
// and the fixed seeds caught each, all of them with seed 1 (DIFF_SHRINK=0 spares the shrinking then):
//
//	pzxid of the parent stays on a delete
//	no child event for a deletion
//	quota not given back by a deletion
//	create checks the parent for WRITE
//	setWatches2 forgets the recursive list
//	ephemerals stay when a session ends
//	catch-up of a child watch looks at mzxid
//	setACL forgets the digest
package diff
