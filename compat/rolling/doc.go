// Package rolling replaces the servers of an ensemble one after another, Java's by this project's and back, while
// clients of Kazoo and Curator work without a pause.
//
// The clients hold locks and ephemerals, count up under their locks, and make sequence nodes. Afterwards no
// acknowledged write may be missing, no two clients may have had one lock at once (an increment would be lost), and
// no session may have expired, and the servers must hold the same tree. TestJavaAlone shows the same with Java's own
// rolling restart, so that what is asked of us is what Java does.
//
//	rolling_test.go   the ways of replacing
//	soak_test.go      the long form: replaced, killed and wiped in random order (make soak SOAK=rolling;
//	                  ZK_COMPAT_SEED=n repeats the steps of a seed)
//	clients_test.go   the processes of the clients, and what they say at the end
package rolling
