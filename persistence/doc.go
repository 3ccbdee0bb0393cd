// Package persistence keeps the transaction log and the znode tree on disk, in two Pebble stores.
//
// What it does: writes proposals durably in zxid order (Log), keeps the tree as it was at one zxid
// (State), checks at a start that the two belong together and that nothing acknowledged is missing
// (Open), frees what is no longer needed of the log (Purger), shows the state as it was at one mark while
// it goes on (StateSnapshot), and exchanges it for another (Adopt). What it does not: it knows no
// transaction, no node record and no session rule; values are bytes here. persistence/nodestore puts
// the tree on top of State.
//
// # Folders
//
//	<dataLogDir>/zk-log/        the log: synced, never compacted, purged from its old end
//	<dataDir>/zk-state-1/       the tree: no write-ahead log of its own, the log is its redo
//	                            (the log's "liveState" names the folder that counts; a restore builds
//	                            the next number beside it, see adopt.go)
//
// Operators give the log its own disk; that is why there are two stores.
//
// # Keys of the log
//
//	'm' name                    meta: format, storeID, serverID, acceptedEpoch, currentEpoch,
//	                            liveState, completeFrom
//	'z' zxid (8 bytes, big-endian)   the proposal's bytes, as the leader proposes them
//
// Each write to the log also carries, in Pebble's WAL only, a durable mark ('D', zxid): "when this was
// written, everything up to zxid was already synced". See checkWAL for why.
//
// # Keys of the state
//
//	'n'                         the root's node record
//	'n' parent 0x00 name        node record; parent is a path ("/", "/a/b"); so parents come before
//	                            children, and the children of a node are one contiguous range
//	'd' parent 0x00 name        large data of that node, under its own key
//	's' session (8, BE)         timeout in ms (4, BE)
//	'e' session (8, BE) path    empty: an ephemeral of the session
//	'c' path                    container or TTL candidate
//	'a' id (8, BE)              ACL list
//	'm' name                    meta: format, storeID, serverID, applied, and what nodestore keeps
//
// # Marks
//
// Logged is the last durable entry of the log, Applied the last txn in the tree; different types, so
// that they never mix (voting with Applied loses acknowledged writes). DurableApplied is what a finished
// flush of State made durable; the log is purged only below it.
//
// # One write
//
//	owner: Append -> queue (bounded) -> appender: one batch, ApplyNoSyncWait -> up to 8 in flight
//	                    \-- nothing in flight: the owner hands it to Pebble itself, no wake-up --/
//	syncer: SyncWait in order -> LastLogged moves -> onDurable(entries), in zxid order
//
// A failed write or sync is final. It is seen where it happens, at the file (walFS), reported once
// through onFail, and the failed call is not given back to Pebble: Pebble answers some of these by
// panicking with its locks held. Nothing is acknowledged after it, nothing is tried again; the process
// has to end.
//
// # Who owns what
//
// Append belongs to one owner. The appender and the syncer goroutines end at Close; the state's flush
// waiter likewise. Everything else may be called from anywhere. Callbacks run without a lock held.
//
// Rules come from the design's invariants I3, I5, I6, I8 and I9, and from Java's FileTxnLog,
// FileTxnSnapLog and PurgeTxnLog where it says so.
package persistence
