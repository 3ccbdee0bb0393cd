// Package audit writes ZooKeeper's audit log (audit.enable): a line for every change that clients ask for,
// done or refused, for every ephemeral that goes with its session, and for start and stop.
//
//	session=0x10..	user=bob,10.0.0.1	ip=10.0.0.1	operation=create	znode=/a	znode_type=persistent	result=success
//
// Fields, their order, names of operations and what is logged are Java's. The server decides what happened
// and calls Log.Add, under its tree lock: Add only puts the entry into a queue. One goroutine writes, to a
// file that it rolls (File), or to the server's log (ToLogger).
//
// # When the disk is slow
//
// The queue is bounded. While it is more than a quarter full a connection's next write waits for it, up to
// a second (Await), so a slow disk slows the writers down before anything is lost. Beyond its bound entries
// are dropped and counted: the server's log says so, and so does a line in the audit log itself,
//
//	user=root	operation=linesLost	result=failure	count=12
//
// A line that can't be written is lost in the same way. The server never stops for its audit log.
//
// # Safety of the lines
//
// Names of znodes and users come from clients. Control characters in them are written as \u000a, so that no
// client can forge a line; Java writes them as they are.
//
// The rules come from Java's AuditHelper, AuditEvent, ZKAuditProvider and DataTree.deleteNodes (Apache
// ZooKeeper 3.9.5), and are compared with its lines in compat/admin.
package audit
