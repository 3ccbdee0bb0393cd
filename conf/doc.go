// Package conf reads a server's settings: zoo.cfg, Java system properties (-Dname=value) and the
// argument form "port datadir [ticktime] [maxcnxns]", into one immutable Config.
//
// What it does: Java's properties syntax with line numbers, one table of all keys (keys.go) from which
// parsing, checks, Help and Markdown come, and messages that name file, line, key, value and what would
// be right. What it does not: it reads no environment, logs nothing (the caller logs Config.Notes and
// Config.Warnings), creates nothing on disk and opens nothing but the configuration file, the files it
// names and myid.
//
// The rules come from QuorumPeerConfig.parseProperties, ServerConfig and the system properties that the
// classes of Apache ZooKeeper 3.9.5 read for themselves. Where Java is silent (a misspelled key becomes
// a system property that nothing reads) this package warns; where Java would run without the security
// that a key asks for, it refuses.
package conf
