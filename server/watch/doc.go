// Package watch is the table of watches of one server: who is to be told when a znode is created,
// changed or deleted, or when its list of children changes.
//
// It registers, triggers, removes and counts watches, and encodes each event once for all who get it.
// It does not filter by permission (the Watcher does, it knows its identities), keeps no queue, writes to
// no connection and knows nothing of sessions; setWatches' decision between an event and a
// registration is the caller's, who holds the tree.
//
// Owners and locks: a Table has one mutex over everything in it. Connections add watches under the
// tree's read lock, apply triggers under its write lock, so the two never meet; the mutex is for adds
// among themselves, and for removals and reports, which need no tree lock. Lock order: tree,
// Table, connection output. Watcher.Deliver runs under the mutex: it appends to an output buffer and
// returns; it must not block and must not call the Table.
//
// Nothing here takes long under the mutex except a trigger, whose cost is its receivers: the removal of a
// connection with many watches and the reports over all watches work in steps of a fixed size and let
// the mutex go in between; the hash tables grow one bucket at a time.
//
// The rules come from Java's WatchManager, DataTree and PathParentIterator (Apache ZooKeeper 3.9.5) and
// from section 10 of the project's client protocol reference, which was measured against that server.
package watch
