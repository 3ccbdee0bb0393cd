// Package shell is the commands of "zk cli": those of zkCli.sh, with its options, output lines, error
// texts and exit codes, so that scripts written for Java's tool go on working.
//
// A Shell holds one session of cmd/internal/client at a time and runs one command line after another; it
// prints to the writers it is given and reads lines through LineReader. It opens no terminal and no file but
// the one that "reconfig -file" names. Commands run on the caller's goroutine; watch events are printed as
// they come, on the client's.
//
// # Departures from Java
//
//   - A number that can't be read is an error of that command; Java's tool ends with a stack trace.
//   - The session is closed at the end of the input and after a single command; Java leaves it, and its
//     ephemeral znodes, to expire.
//   - get prints data as it is, also when it isn't UTF-8.
//   - There is no SASL in this client: what -client-configuration says of it has no effect.
//   - The first prompt waits up to a second for the connection.
//
// The rules come from ZooKeeperMain, org.apache.zookeeper.cli.*, ZKUtil, StatsTrack and commons-cli's
// DefaultParser, as in Apache ZooKeeper 3.9.5; the tests' transcripts were compared with its output.
package shell
