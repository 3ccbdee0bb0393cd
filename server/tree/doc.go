// Package tree holds the rules of the znode tree: what each transaction does to it, what clients see of
// a node (Stat), its digest, quotas, ACL table, ephemerals and cleaning candidates.
//
// The bytes of the nodes live behind the small Store interface; persistence/nodestore implements it. A
// Tree is pure: no goroutine, lock, clock or file inside. The server owns one and the lock around it:
// Apply and everything that changes the tree runs under the write lock, by the apply loop alone; reads
// run under the read lock.
//
// There is one Apply, for live transactions and for redo at a start, and it follows Java's tolerant
// replay rules (reference disk-formats, section 4; Java: DataTree.processTxn): counts and digest come
// from what really changed, never from what a transaction promises. The fix-up of the parent's cversion
// when the child is there already is done for every kind of create, where Java forgets all but type 1.
package tree
