// Package control is what the suites of real clients (Kazoo, the Java client,
// go-zookeeper) share: one server with the settings they need, and ways to
// break it, also for tests in other languages, by plain HTTP.
//
// The server comes from package harness: ours, or Apache ZooKeeper when
// ZK_COMPAT_SERVER=java. A suite is trusted only because it passes there too.
// The server keeps its port and data folder over restarts. A [Proxy] stands
// between client and server for tests in which the network fails and the
// server does not. [Rig.Serve] puts both behind a loopback URL.
//
// [Soak] and [Seeds] are what the long forms of tests share.
//
// The package knows nothing of the protocol. The proxy has two goroutines per
// connection; all end when the test does.
package control
