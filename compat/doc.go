// Package compat says what is proven against what. It holds no code; the
// suites are its subpackages. They are switched on by ZK_COMPAT=1, because they
// start servers, JVMs and Python and take minutes; `make compat` runs them all,
// `make deps` installs what they need.
//
//	package    drives the server with                 compared with
//	diff       calls byte by byte                     the same calls to Apache ZooKeeper 3.9.5: replies,
//	                                                  errors, Stats, zxids, events and their order
//	conf       configurations of ensembles            what Apache ZooKeeper 3.9.5 makes of them: taken or
//	                                                  refused, role, client port, list of servers
//	admin      HTTP requests to the AdminServer, the   the same on Apache ZooKeeper 3.9.5: statuses,
//	           audit log after one script of writes    heads, bodies; lines
//	kazoo      Kazoo 2.11.0 (Python): own tests of    Kazoo's API; both pass on Apache ZooKeeper
//	           every recipe, sessions, watches, ACLs,
//	           words; and Kazoo's released suite
//	javatests  the Java client 3.9.5; Curator 5.9.0   the client's API; the tests pass on Apache ZooKeeper
//	           from Maven
//	tls        handshakes with certificates of all    the same to Apache ZooKeeper 3.9.5: accepted or not,
//	           kinds; the Java client, Kazoo, openssl identities, permissions
//	gozk       go-zookeeper/zk 1.0.4 (Go)             the client's API; the tests pass on Apache ZooKeeper
//	model      several clients at once, restarts,     what ZooKeeper promises: linearizable operations,
//	           kills and cut connections in between   order within a session, watches, nothing lost
//	load       10,000 sessions, 200,000 watches, slow what other clients notice, and what is left
//	           readers, overload, a node of very many
//	           children
//	crash      SIGKILL under load, power cuts by      what was acknowledged, node by node; the digest
//	           copies of a live disk, full disks
//	snapshot   snapshots by HTTP and as files, data   the tree, node by node, and by Java's own tools
//	           folders, ours into Java's server and back
//	ensemble   ensembles of real processes, clients on    what was acknowledged, on every server; their trees
//	           every server, while leaders and all of
//	           them are killed
//	operators  words, AdminServer commands, metrics    the same of an ensemble of Apache ZooKeeper 3.9.5 that does
//	           of an ensemble's members                the same
//	faults     ensembles in network namespaces, on disks  what ZooKeeper promises: linearizable writes, order
//	           of their own; SIGKILL, SIGSTOP, partitions,  within a session, nothing acknowledged lost, the same
//	           disks full or failed, damaged, wiped       tree everywhere
//	cclient    the C client 3.8 (libzookeeper_mt)     the client's API; the tests pass on Apache ZooKeeper
//	node       node-zookeeper-client 1.1.3 (Node.js)  the client's API; the tests pass on Apache ZooKeeper
//	javacli    Java's own command line (zkCli.sh)     what it prints on Apache ZooKeeper, line by line
//	mixed      Kazoo and the Java client while servers  the same tree and digests on servers of both kinds
//	           of both kinds lead, follow and observe
//	rolling    Kazoo's and Curator's locks, counters,  Java's own rolling restart: nothing lost, no lock
//	           ephemerals, sequences while servers     held twice, no session expired
//	           are replaced one by one
//	kafka      Apache Kafka 3.9.2, two brokers, while what Kafka promises; the story passes on Apache ZooKeeper
//	           brokers and server are killed
//
// javatests also runs older Java clients (3.4.12, 3.6.4), kazoo also Kazoo 2.8.
// The suites of clients run against Apache ZooKeeper with ZK_COMPAT_SERVER=java. A test
// that fails there is a wrong test: this is how the suites are known to be
// right, and the first thing to do after changing one. ZK_COMPAT_BINARY names
// a ready zk program, so that not every package builds one.
//
// What is proven, and where:
//
//	create in all modes, delete, set, get, exists, children, sync    every client
//	create2, TTL, containers and their cleaner                       javatests, diff; gozk without create2
//	multi: results, roll-back, sequences, one zxid                   every client
//	read-only multi                                                  javatests, diff
//	standard watches: once, order, before the reply, fan-out         every client
//	persistent and recursive watches, their READ filter, removal     javatests, diff
//	setWatches after a reconnect: what happened meanwhile            javatests, gozk; diff
//	digest, ip, world, super; ACL checks; hidden digests             javatests, kazoo; diff
//	SASL DIGEST-MD5: logins, refusals, ACLs, required logins         diff; javatests, kazoo (logins)
//	TLS: certificates, versions, x509 identities and ACLs            tls; stores and names: server/secure
//	getEphemerals, getAllChildrenNumber, whoAmI, getConfig           javatests, diff
//	reconfig refused as by a standalone Java server                  javatests, kazoo, diff
//	session moved, stolen, expired while cut off, wrong password     javatests, kazoo
//	session, ephemerals, watches, sequences over SIGTERM and SIGKILL javatests, kazoo, gozk, cclient, node
//	no acknowledged write lost when the server is killed             kazoo, model, crash (with sessions, versions, sequences,
//	                                                                 ephemerals, quotas, digest); power cuts: crash
//	a full disk refuses writes, and comes back by itself             crash
//	ensembles: partitions of all kinds, stopped servers, disks that  faults
//	fail, damaged or wiped data: linearizable, nothing lost
//	requests of one client in their order, pipelined                 javatests, kazoo
//	values up to jute.maxbuffer, larger ones refused                 javatests, kazoo, gozk
//	locks, elections, barriers, queues, leases, caches, partitioners kazoo, javatests (Curator), gozk (lock)
//	four-letter words as clients use them                            kazoo, gozk; their text: diff; of an ensemble: operators
//
// java/record holds the Java programs that made recordings which are replayed
// elsewhere, with the classes of the JDK itself: `java Jaas.java SEED COUNT` for
// conf/testdata/jaas.txt, `java Mechanism.java SEED COUNT` for
// server/auth/digestmd5/testdata/jdk.txt.
//
// bench is a program: it measures both servers beside each other (make compare).
// history has the clients that write down what they ask and get, and the judges of what they saw (porcupine), for
// model and faults. harness starts either server and speaks raw bytes; control adds the settings
// that the client suites share, a proxy that cuts connections, and HTTP
// commands by which tests in Python and Java restart the server.
package compat
