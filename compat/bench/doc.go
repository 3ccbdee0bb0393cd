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
package main
