// Package cclient runs the C client of Apache ZooKeeper (libzookeeper_mt, as
// Debian packages it), below many clients in other languages, against a freshly
// started server. The tests are a C program, src/client.c, which the Go test
// compiles; it runs one case per process and asks the Go test, by lines on
// standard output, to break the server or the network.
//
// Switched on by ZK_COMPAT=1; with ZK_COMPAT_SERVER=java the server is Apache
// ZooKeeper. The library is of release 3.8: it has no addWatch.
package cclient
