// Package node runs node-zookeeper-client 1.1.3, the client in widest use on
// Node.js, against a freshly started server. The tests in tests/ are for Node's
// own test runner; the Go test starts the server and a control port by which
// they restart it and cut connections.
//
// Switched on by ZK_COMPAT=1 and needs `make deps`; with ZK_COMPAT_SERVER=java
// the server is Apache ZooKeeper. The client speaks the protocol of 3.4: no
// create2, TTL, container, addWatch or removeWatches.
package node
