// Package mixed puts servers of this project and Java servers into one ensemble, and compares what they hold.
//
// Every test starts three servers of both kinds with a client on each (this project's, Kazoo's or Java's own) that
// works throughout, and lets each server lead in its turn. After each phase all servers must show the same tree,
// Stat by Stat and ACL by ACL, and digests that agree at the same zxid; no acknowledged write may be missing.
//
//	rig_test.go       an ensemble with its working clients; who leads, and how one is made to
//	tree_test.go      every kind of znode, and the comparison of trees
//	mixed_test.go     the compositions and their phases
//
// ZK_COMPAT_KINDS=jjg (or any other three letters) runs one composition only: j is Java, g is ours; jjj shows what
// Java alone does in these tests.
package mixed
