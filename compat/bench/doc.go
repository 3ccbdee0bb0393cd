// Command bench measures this project's server beside Apache ZooKeeper 3.9.5 on one machine: make compare.
//
// Both servers stay up for the whole run, each with its data in a temporary folder (TMPDIR says where: it
// must lie on the disk that is to be measured) and with every write synced before its answer. Only one is
// under load at a time, in turn: one short round each, again and again, so that what else the machine does
// meets both. The load comes from zk bench. Java gets a heap of its own size and is warmed up with every
// kind of load first; its classes come from Maven.
//
// Printed are the medians of the rounds and their ratios, this server to Java. The processor time per
// operation is the steadiest figure; rates and the tails of latencies are also those of the disk and of
// other processes. The client takes its time from the same processors.
//
// With -nodes 3 both are ensembles, all of whose servers share the machine: sessions are spread over them, and
// processor time and memory are those of all servers together. An ensemble has rows of its own besides, which
// tell what happens to it:
//
//	failover     the leader is killed with -9 while a client on each other server writes
//	rejoin-diff  a follower is killed with -9, misses 5,000 writes and is started again: DIFF
//	join-snap    a follower is emptied and started again under writes at half of the rate that the others are
//	             capable of: SNAP; beside them the same writes without it
//
// The last two are about servers that hold -znodes of 100 bytes. A server is back when srvr tells its role and
// a client of it has synced and read.
package main
