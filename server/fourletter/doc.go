// Package fourletter answers ZooKeeper's four-letter words: the plain text commands (ruok, srvr, mntr
// ...) that scripts, agents and operators send to a client port instead of a session.
//
// It only renders. What it shows comes through figures.Server; it opens no connection, keeps no
// state and reads no clock. The connection that receives a word does this:
//
//	word, known := Lookup(first four bytes)       before the first frame only; not known: it is a frame
//	allowed := whitelist.Allows(word)
//	read word.ExtraBytes(allowed) more bytes      stmk; fewer than that: close, answer nothing
//	word.Run(conn, server, allowed, extra)        one Write for a reply of common size
//	drain what is unread, close                   so that no RST overtakes the reply
//
// A word counts as one received packet of 4 bytes and its reply as one sent packet, in the figures of
// the server and of the connection.
//
// The layout of every reply is that of Apache ZooKeeper 3.9.5, to the byte where tools match on it.
// Where Java prints in the order of a hash table, the order here is by number or by name.
//
// The rules come from org.apache.zookeeper.server.command.* and FourLetterCommands, as described in the
// reference on four-letter words and compared with replies of a running 3.9.5 server.
package fourletter
