// Package harness starts servers for the compatibility suites, Apache ZooKeeper 3.9.5 and this
// project's own, and speaks to them byte by byte.
//
// Start gives a Server of either kind: its own folder, free loopback ports, a zoo.cfg made from the
// same lines for both, system properties (on Java's command line, for ours in SERVER_JVMFLAGS), a check
// that it serves, its output kept and shown when the test fails, and an end by process id when the test
// is over. Java's jars come from Maven once and stay in the git-ignored .cache folder of the project;
// ours is built once per test binary.
//
// RawConn is a client without opinions: it frames, but sends any bytes in any pieces and hands back
// frames as they came. It keeps no session alive, retries nothing and hides nothing; what a frame means
// is the caller's business. FourLetter sends an operator's word. A Bulk is a session that has many requests under
// way; ReadTree reads all znodes with one, to be compared with those of another server.
//
// The package is for tests below compat only; nothing of the server imports it. A Server belongs to the
// test that started it. A RawConn belongs to one goroutine.
package harness
