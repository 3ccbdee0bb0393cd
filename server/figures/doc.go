// Package figures is what a server shows to its operators: connections, sessions, watches, sizes,
// settings, environment. It is the one source of the four-letter words and of the AdminServer's
// commands, which only render it.
//
// The server implements Server. A list is taken in bounded steps, with no lock held for longer than one
// of them, and belongs to the caller.
//
// The rules come from Java's ServerStats, ServerCnxn, ZooKeeperServerConf, SessionTrackerImpl and
// Environment (Apache ZooKeeper 3.9.5).
package figures
