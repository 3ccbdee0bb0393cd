// Package quorum makes a server one of an ensemble: it elects a leader with its peers, follows it or
// leads, and hands committed transactions to its server in zxid order. The rules are in quorum/election
// and quorum/zab, which are values that are stepped; this package owns what they must not have: sockets,
// goroutines, the clock, and the calls to the log and to the server.
//
// What it does not: it knows no znode, no session and no store. Log and StateMachine are what it asks of
// those; server/embed connects them.
package quorum
