// Package auth decides who a client is and what it may do: identities from its address and from auth
// packets, checks of ACLs that are to be stored, checks of permissions, redaction and user names.
//
// It holds no connection and no tree, and proposes nothing. A Providers value is immutable after New
// and safe for any goroutine. The identities of a connection are a slice that is never changed in place:
// each request keeps the slice that was valid when it was read (a read sent before an auth packet is
// judged without the new identity), and AddIDs makes a new one.
//
// The rules come from Java's ProviderRegistry, DigestAuthenticationProvider, IPAuthenticationProvider,
// SASLAuthenticationProvider, AuthenticationHelper, PrepRequestProcessor.fixupACL and
// ZooKeeperServer.checkACL (Apache ZooKeeper 3.9.5), and from sections 7.10 and 13 of the project's
// client protocol reference.
package auth
