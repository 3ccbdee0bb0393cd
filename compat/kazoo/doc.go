// Package kazoo runs Kazoo, the Python client, against a freshly started
// server: its own tests live in tests/, and Kazoo's released test suite is run
// as it comes in the package, by Kazoo's own test harness, which starts servers
// by a java command: upstream/java starts ours. Its tests of SASL and TLS are
// among them; those of ensembles, Kerberos, gevent and eventlet are left out.
//
// The suites are switched on by ZK_COMPAT=1 and need `make deps`; with
// ZK_COMPAT_SERVER=java they run against Apache ZooKeeper. KAZOO_TESTS is an
// expression for pytest's -k. By hand, against any server:
//
//	ZK_HOSTS=127.0.0.1:2181 .cache/venv/bin/pytest compat/kazoo/tests
//
// Kazoo offers no create with TTL or container and no addWatch; those are
// proven with the Java client in compat/javatests.
package kazoo
