// Package secure makes TLS settings of a conf.TLS: it reads key and trust stores (JKS, PKCS12, PEM), says
// which versions and cipher suites are spoken and whose certificates are accepted, reads the stores again
// when their files change, and has the names of certificates in Java's form. It opens no sockets and knows
// nothing of sessions.
//
// A Context belongs to whoever made it and needs no end: it has no goroutines. With CertReload, a handshake
// looks at the stores' files, at most once a second; new ones that can't be read leave the old ones in force.
//
// The rules come from Java 3.9.5: X509Util, ClientX509Util, PemReader, KeyStoreFileType, ZKHostnameVerifier,
// X509AuthenticationProvider, and from X500Principal of its runtime. On purpose it is different in these:
//
//   - TLSv1.2 is accepted beside TLSv1.3 unless the settings say otherwise, as Java's guide has it.
//   - Encrypted keys in PEM files may have the encryption that openssl writes today (PBES2); Java 17 reads
//     old ones only.
//   - Without a trust store no client certificate is accepted. Java takes those of public authorities during
//     the handshake, and refuses them after it.
//   - The address of a client is compared with its certificate where Java's check of the client port has
//     no address to compare with.
package secure
