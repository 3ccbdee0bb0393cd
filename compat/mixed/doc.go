// Package mixed puts servers of this project and Java servers into one ensemble, and compares what they hold.
//
// Every test starts servers of both kinds with a client on each (this project's, Kazoo's or Java's own) that works
// throughout. Three voters, with a tree of 100,000 znodes of every kind in one of the compositions, lead in their turn;
// an observer stands behind three voters of the other kind. After each phase all servers must show the same tree, Stat
// by Stat and ACL by ACL, and digests that agree at the same zxid; no acknowledged write may be missing.
//
//	rig_test.go       an ensemble with its working clients; who leads, and how one is made to
//	tree_test.go      every kind of znode, and the comparison of trees
//	mixed_test.go     the compositions of voters and their phases
//	observer_test.go  an observer of the other kind
//	promise_test.go   a voter of Java that has promised itself to a later epoch than its leader's
//	room_test.go      a server of ours whose disk lacks room for a while
//	soak_test.go      the long form: random compositions, to which random things happen (make soak SOAK=mixed)
//
// ZK_COMPAT_KINDS=jjg (or any other three letters) runs one composition of voters only: j is Java, g is ours; jjj shows
// what Java alone does in these tests. ZK_COMPAT_SEED=n repeats what the long form has done with a seed.
package mixed
