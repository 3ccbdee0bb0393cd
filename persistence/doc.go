// Package persistence keeps the transaction log and the znode tree on disk, in two Pebble stores.
//
// What it does: writes proposals durably in zxid order (Log), keeps the tree as it was at one zxid
// (State), checks at a start that the two belong together and that nothing acknowledged is missing
// (Open), frees what is no longer needed of the log (Purger), cuts off its end (Truncate), reads it for
// learners (LogCursor), shows the state as it was at one mark while it goes on (StateSnapshot), and
// exchanges it for another (Adopt). Build makes both stores out of what another server has on its disk;
// SealJava and SealOurs put a folder out of use whose data has gone over to another server. What it does
// not: it knows no transaction, no node record and no session rule; values are bytes here.
// persistence/nodestore puts the tree on top of State.
//
// # Folders
//
//	<dataLogDir>/zk-log/        the log: synced, never compacted, purged from its old end
//	<dataLogDir>/zk-lost-memory a file: this server has lost its memory; see lostmemory.go
//	<dataDir>/zk-state-1/       the tree: no write-ahead log of its own, the log is its redo
//	                            (the log's "liveState" names the folder that counts; a restore builds
//	                            the next number beside it, see adopt.go)
//
// Operators give the log its own disk; that is why there are two stores.
//
// # Keys of the log
//
//	'm' name                    meta: format, storeID, serverID, acceptedEpoch, currentEpoch,
//	                            liveState, completeFrom, emptied, imported, unsealed
//	'z' zxid (8 bytes, big-endian)   the proposal's bytes, as the leader proposes them
//	't' zxid                         the same of one that came with an adopted state, until it is a 'z'
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
//	                    \-- one by one: the owner hands it to Pebble itself, no wake-up --/
//	syncer: SyncWait in order -> LastLogged moves -> onDurable(entries), in zxid order
//
// A failed write or sync is final. It is seen where it happens, at the file (walFS), reported once
// through onFail, and the failed call is not given back to Pebble: Pebble answers some of these by
// panicking with its locks held. Nothing is acknowledged after it, nothing is tried again; the process
// has to end.
//
// # Faults and their outcome
//
//	fault                                  outcome                                         test
//	power cut at any write, sync, rename   nothing acknowledged lost, every figure fits    embed TestPersistPoints, TestPowerCuts
//	power cut, or a failed write, while a  the state as before it or after it              TestTablePowerCut, TestTableFails
//	large batch becomes tables
//	power cut while what was under a       the same tree, with it or without on the disk   TestEmptiedPowerCut
//	deleted node is dropped
//	kill -9 under load                     the same                                        compat/crash TestKill
//	power cut at any step of TRUNC, DIFF,  the old history whole, or the new one whole     TestTruncateCrash,
//	SNAP and their epochs                                                                  TestAdoptFromLeaderCrash
//	power cut of a mounted ext4 disk       the same                                        compat/crash TestPowerCut
//	failed write or sync, ENOSPC, EIO,     a start is refused (exit code 3); a server      embed TestFailedWrites, TestFailedSync
//	read-only disk                         ends with the reason; nothing is tried again
//	disk nearly full                       writes refused, log purged, all comes back      TestSpace..., embed TestDisk...,
//	                                       by itself (Space)                               compat/crash TestFullDisk, TestDiskFillsItself
//	disk nearly full, in an ensemble       the server leaves it and comes back by itself   embed TestEnsembleDiskLow,
//	                                       (quorum.Room)                                   TestEnsembleAllLow; quorum TestRoom...,
//	                                                                                       sim; compat/mixed TestNoRoom
//	disk full in an ensemble, also while a the server ends, the others go on; a tree that  embed TestEnsembleDiskFull,
//	tree comes in                          does not fit is thrown away, asked for later    TestSnapDoesNotFit
//	disk full at one stroke                ballast given up and the write tried again,     compat/crash TestFullDisk, TestDiskRunsOut
//	                                       else the process ends with the reason
//	start on a full disk                   ballast given up, reads served; else refused    the same two
//	                                       with how much to make room for
//	byte flipped, file missing, empty or   refused naming file or folder; or served with   embed TestDamagedFiles, TestDamageMetLater
//	cut, in either store                   all of it when the byte counts for nothing
//	folder missing, of another server      refused with both names and what to do          embed TestFolders, TestOpenRefuses
//	older log                              refused: acknowledged writes are missing        the same two
//	older state                            redone from the log, refused once purged        the same two
//
// All of that is for a server that stands alone. A member of an ensemble whose stores are damaged, missing, swapped
// or older puts them aside and takes part without a vote until a leader has given it the whole tree: see
// lostmemory.go, and its tests. Folders that are locked, not permitted, on a full disk, of a newer format or of
// another server are refused there too. In an ensemble whose other members go on:
//
//	damage met by a read of the log for a  the server ends (exit code 3), names the file   embed TestDamagedLog...,
//	learner or for the tree, by a SNAP, a  and notes the loss; the next start takes         TestDamagedState..., TestDamagedTail,
//	cold node, a compaction                everything from the leader                       TestDamagedNode, TestDamageInThe...
//	failed write or sync, EIO              the server ends with the reason, and comes back embed TestEnsembleFailedSync,
//	                                       with its memory: what it acknowledged is there  TestEnsembleFailedStarts
//	byte flipped, file missing or cut      all of it, or lost memory; or refused, and lost embed TestEnsembleDamagedFiles
//	                                       memory at the next start
//	folder missing, older log              lost memory                                     embed TestEnsembleFolders
//	older state                            brought up to date from the log                 the same
//	folder of another member               refused with both ids; nothing is moved         the same
//
// What can't be told: a newest write-ahead log of a killed server that has become shorter than it was
// synced (or is gone) looks like one whose end was never written, as long as the state is not further on. Disks that
// keep their word don't do that.
//
// # In an ensemble
//
// A TRUNC drops the end of the log in one synced step (Truncate), a SNAP replaces state and log in one
// (AdoptFromLeader), and a DIFF is entries with currentEpoch behind them (SetCurrentEpoch); a crash in any of
// them leaves one whole history with the epoch that belongs to it. LastLogged is what votes with, and after
// a SNAP it is the SNAP's zxid until an entry follows. A leader chooses between the three from Floor,
// CompleteFrom and BytesAfter, and sends from a LogCursor, which reads in short runs: it keeps what it
// still needs from the purge, and never holds an iterator or a Pebble snapshot between two calls.
//
// # Who owns what
//
// Append belongs to one owner, and so do Drain, Truncate, SetCurrentEpoch and Adopt. The appender and the syncer goroutines end at Close; the state's flush
// waiter likewise. Everything else may be called from anywhere. Callbacks run without a lock held.
//
// Rules come from the design's invariants I3, I5, I6, I8 and I9, and from Java's FileTxnLog,
// FileTxnSnapLog and PurgeTxnLog where it says so.
package persistence
