// Package model checks what several clients at once saw of a server against what ZooKeeper promises,
// while the server is stopped, killed with SIGKILL and started again, and connections are cut. It holds
// tests only; they need no Java. Clients and judges are package history's: all operations have to be
// linearizable, reads too.
//
// A run with too few operations, or in which nothing was cut, fails: it has shown nothing.
package model
