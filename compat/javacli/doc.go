// Package javacli drives Java's own command line, the class behind zkCli.sh of
// Apache ZooKeeper 3.9.5, with the same commands against a freshly started
// server and against Apache ZooKeeper, and compares what it prints, line by
// line, what its watches tell, and its exit codes.
//
// Only what must differ is made equal before: addresses, session ids and
// times. zxids must agree. Switched on by ZK_COMPAT=1; with
// ZK_COMPAT_SERVER=java both servers are Apache ZooKeeper, which shows that the
// comparison itself is right. What the project's own shell prints is tested
// beside it, in cmd.
package javacli
