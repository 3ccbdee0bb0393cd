// Package conf reads a server's settings: zoo.cfg, Java system properties (-Dname=value) and the
// argument form "port datadir [ticktime] [maxcnxns]", into one immutable Config.
//
// What it does: Java's properties syntax with line numbers (parse.go), one table of all keys (keys.go
// and the keys_*.go beside it) from which parsing, checks, Help and Markdown come, and messages that
// name file, line, key, value and what would be right. All mistakes are reported together.
//
// What it does not: it reads no environment, logs nothing (the caller logs Config.Notes and
// Config.Warnings), creates nothing on disk, resolves no names, and opens nothing but the configuration
// file, the dynamic file it names and myid.
//
// Where a value comes from, the strongest first: the line in the file (the last of several), the
// property (the last of Options.Properties), the default in the table.
//
// The rules come from QuorumPeerConfig.parseProperties, ServerConfig and the system properties that the
// classes of Apache ZooKeeper 3.9.5 read for themselves. Departures, each on purpose:
//   - Java makes a system property of a key it does not know, so that a misspelled key is never
//     noticed; here it is kept in Config.Raw and warned of.
//   - Java takes the default for a property that is no number; here it is an error. Where Java takes
//     another value for one out of bounds, so does this package, with a warning.
//   - Keys that Java reads only as -D (jute.maxbuffer and others) work in the file too, and so do the
//     names that the admin guide advertises but Java does not read.
//   - Keys that promise security which this version can't give (TLS, Kerberos) are refused.
//   - A server line with a client port counts in a standalone server without myid as well.
//   - What Java finds out only when it makes or starts the server is an error here: an id that is not in the
//     list of servers, a group with a server that has no weight.
//   - reconfigEnabled and readonlymode.enabled are turned off in an ensemble, with a note: this version does not
//     have them there.
//
// The list of servers is a verifier.Config, whose package has the syntax of its lines.
package conf
