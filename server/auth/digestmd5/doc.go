// Package digestmd5 is the SASL mechanism DIGEST-MD5, both ends of it: who knows a password proves it
// without sending it, and learns that the other side knows it too.
//
//	client                         server
//	  "" (or anything)          ->
//	                            <-  realm="...",nonce="...",charset=utf-8,algorithm=md5-sess
//	  username="...",...,
//	  response=HASH             ->
//	                            <-  rspauth=HASH
//
// It speaks as the JDK's implementation does when ZooKeeper uses it: qop auth alone, initial
// authentication alone (a nonce is used once), one realm, UTF-8. Not here: auth-int and auth-conf,
// which ZooKeeper never offers, sockets, frames, and who is allowed what.
//
// A Server or Client is one exchange of one connection and belongs to one goroutine; Users is immutable
// and shared. An exchange has two rounds, holds one nonce, and refuses tokens of more than TokenBytesMax.
// Secrets are compared in constant time, and a user that is not there costs the same work as one that is.
// No error has a password in it.
//
// The rules come from RFC 2831 and, where it differs, from what the JDK's DigestMD5Server and
// DigestMD5Client do on the wire: the directive nc is not looked at, the realm must be the server's, names
// within ISO-8859-1 are hashed in that encoding.
package digestmd5
