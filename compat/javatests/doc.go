// Package javatests runs the Java client 3.9.5 and Curator 5.9.0 against a
// freshly started server. The tests are a Maven project in src/test/java; the
// Go test starts the server and a control port by which they restart it.
//
// Switched on by ZK_COMPAT=1; with ZK_COMPAT_SERVER=java the server is Apache
// ZooKeeper. JAVA_TESTS chooses tests as Maven's -Dtest does. By hand, against
// any server (tests that need more than -Dzk.hosts are skipped):
//
//	mvn -f compat/javatests test -Dzk.hosts=127.0.0.1:2181
package javatests
