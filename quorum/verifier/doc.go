// Package verifier says who belongs to an ensemble and which of its servers together are a quorum.
//
// A Config is one version of the ensemble: its servers with addresses and roles, and the groups and weights
// of a hierarchical one. It is read from the text that servers send each other and keep in
// /zookeeper/config (Parse, String), or put together by New. It never changes and may be shared. Quorums is
// what must agree while one Config is in force and a newer one has been proposed.
//
// The package resolves no names, reads no files and keeps nothing between calls. Rules about single servers
// and standalone mode are conf's.
//
// The rules come from QuorumMaj, QuorumHierarchical, QuorumPeer.QuorumServer and SyncedLearnerTracker of
// Apache ZooKeeper 3.9.5. Departures: what makes Java throw while it reads a config (a group with a server
// without weight) is an error here, and so are negative weights and ids, and a config without voters.
// Java prints servers in the order of a hash table; here they come by id.
package verifier
