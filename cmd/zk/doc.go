// Command zk is a ZooKeeper server and the tools around it, in one binary.
//
//	zk server [zoo.cfg]                                 serve in the foreground
//	zk server port datadir [ticktime] [maxcnxns]        the same, as Java's server takes it
//	zk status [zoo.cfg]                                 ask the server of a configuration what it does
//	zk cli [-server host:port,.../chroot] [command]     look at znodes and change them, as zkCli.sh
//	zk bench [flags] load                               put load on a server and measure it
//	zk import zoo.cfg                                   take over the data of a server of Java ZooKeeper
//	zk export zoo.cfg                                   give it back
//	zk version
//
// This package holds what belongs to the process: flags, environment variables, standard streams, signals
// and exit codes, one file for each command. Settings are read by package conf, the server is put together
// by server/embed, the commands of zk cli are those of cmd/internal/shell, the loads of zk bench those of
// cmd/internal/bench.
//
// # Exit codes
//
//	0    done; also after SIGTERM or SIGINT, when the server was closed in order
//	1    an unexpected error; zk status: no answer; zk cli: the command failed
//	2    bad invocation or configuration
//	3    the data folder can't be used
//	4    the AdminServer's port is not free
//	127  zk cli: no such command
//
// They are Java's (org.apache.zookeeper.server.ExitCode) but for SIGTERM, after which a JVM ends with 143.
// Orchestrators take both for an orderly end, and 0 says that data and log were closed. A second signal
// ends the process at once.
//
// # The second start
//
// On Linux zk server executes itself once more at its very begin, with the same process id, arguments and environment, so
// that the Go runtime's monitor thread wakes less often (monitor_linux.go). It does not where there is one processor
// only, or where somebody has set a timer slack (TimerSlackNSec= of a systemd unit).
//
// # System properties and environment
//
// -Dname=value sets what Java reads as a system property, anywhere on the command line of server, status,
// import and export; other options of a JVM (-Xmx1g, --add-opens=...) are passed over. SERVER_JVMFLAGS and
// JVMFLAGS are read in the same way, and only by this package. The command line beats JVMFLAGS, which beats
// SERVER_JVMFLAGS, as in zkServer.sh; a line of zoo.cfg beats them all, as in Java. For status and cli, which connect
// to a server, CLIENT_JVMFLAGS stands in the place of SERVER_JVMFLAGS.
package main
