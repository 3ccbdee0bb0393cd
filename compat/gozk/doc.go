// Package gozk runs github.com/go-zookeeper/zk, the Go client in widest use,
// against a freshly started server. Switched on by ZK_COMPAT=1; with
// ZK_COMPAT_SERVER=java the server is Apache ZooKeeper.
//
// The client offers no create2, addWatch, removeWatches, whoAmI, getEphemerals
// or SASL; those are proven with the Java client in compat/javatests.
package gozk
