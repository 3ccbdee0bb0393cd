// Package tls compares the TLS of the client port with Apache ZooKeeper 3.9.5: the same handshakes to both, with
// and without certificates, of the right and of another authority, expired, for each ssl.clientAuth and TLS
// version, must be accepted or refused by both, and give the same identities and permissions. Then clients in
// use connect to both: the Java client, Kazoo and openssl. Switched on by ZK_COMPAT=1.
//
// Not compared: TLS 1.2 on a port that says nothing of versions, which is accepted here and, against its guide,
// refused by Java; ssl.clientHostnameVerification, with which Java's client port compares nobody's address and
// refuses or accepts all; alerts, of which each TLS implementation has its own choice.
package tls
