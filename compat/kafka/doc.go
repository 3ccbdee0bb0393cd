// Package kafka runs Apache Kafka 3.9 in ZooKeeper mode, two brokers, on a
// freshly started server, and breaks things under it: a real system that keeps
// its brokers, controller, topics, leaders and settings in znodes, watches,
// ephemerals, sequences and conditional multis.
//
// While 10,000 messages are written, a broker that is the controller is killed
// and comes back, the controller moves again, the server is killed and
// restarted, then server and broker together. Every message must be there
// exactly once and in order, a consumer group must have seen each at least once,
// and the znodes must say what Kafka did. Topics are created, grown, changed
// (through Kafka, and by znodes as Kafka's tools did) and deleted.
//
// Switched on by ZK_COMPAT=1; with ZK_COMPAT_SERVER=java the server is Apache
// ZooKeeper. Jars come from Maven once (pom.xml), as for package harness.
// The Kafka client is franz-go, so that one Go test holds all the strings.
package kafka
