// Package snapshot proves that snapshots and data folders pass both ways between this server and Apache
// ZooKeeper 3.9.5: snapshots streamed by /commands/snapshot, put into a data folder as a file, restored by
// /commands/restore; folders imported and exported, of servers that were killed. The trees are compared node
// by node, with data, Stat and ACL, and by their digests; sessions go on.
package snapshot
