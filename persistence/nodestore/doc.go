// Package nodestore keeps the znodes in memory and writes them behind to the state store. It is the
// tree.Store that the server runs on.
//
// # Memory
//
// Nodes live outside Go's heap, in two arenas of anonymous mappings, so that a tree of millions costs the
// collector nothing: one for records and short data, one for longer data. A node is one record: fixed part,
// links, name; its data is an allocation of its own, because it changes size while the record's address must
// not. Records are found by a hash of the full path in a table that grows one bucket at a time (linear
// hashing), so no insert ever pays for a rehash. A bucket is a line of the processor's cache with the hashes and places
// of seven records. Names alone are stored, and a match is proven by walking up the parents. Children are a doubly linked list, so the number of children costs neither creates nor
// deletes anything.
//
//	record: | tree.Node 80 | parent first prev sib data dataLen nameLen flags 32 | name |
//
// Data above bigBytes lies on Go's heap. Memory of nodes that are gone is used again for others, first for
// those of the same size. A chunk of 4 MiB in which nothing is left goes back to the system, but for a few, some of them
// each second; so does most of a tree that is deleted, and little of one whose nodes go here and there. The table does
// not shrink.
//
// # Write-behind
//
// Apply marks what it changes in the current dirty set. When that has enough transactions or bytes, or
// is a second old, it is frozen at a zxid and another goroutine writes it as one batch into the state
// store, which makes tables of a large one. A record in a frozen set must reach the disk as it was at that
// zxid: before apply changes such a record, its image is captured into the frozen set (capture). Deletes are
// tombstones in the set they happened in; a node that has lost all its children in a set of many deletes has
// the store drop what it still has of them (emptied). There is one frozen set at most; while it is being
// written the current one grows up to a bound, at which Throttle makes the apply loop wait.
//
// # Cold nodes
//
// After a start only /zookeeper is in memory. A connection makes sure of the nodes its request
// needs (Ensure, EnsureChildren) before the request goes to prep, so prep and apply never read from disk; a
// background scan (Warm) brings in the rest. Nothing is evicted yet: a node that is in memory stays
// there until it is deleted, and a path that is in neither memory nor a pending tombstone is as the
// state store says. The one danger is a record read from disk before its delete was written there and
// installed after the tombstone was dropped; the generation, which moves whenever tombstones are
// dropped, tells, and the read is done again.
//
// # The whole tree
//
// Snapshot shows the tree as it was after one transaction, from a snapshot of the state store between two
// of its batches; Java is that as Java writes it. Adopt takes over the content of another Store, into
// which a new tree was loaded beside this one: the Store itself stays, so nobody's pointer to it changes.
//
// The lock is the server's tree lock: methods of tree.Store need it as tree says, all others take it
// themselves.
package nodestore
