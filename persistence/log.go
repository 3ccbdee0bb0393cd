package persistence

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
)

// Logged is a mark in the log: the zxid of the last proposal that is durable here. Votes, ACKEPOCH
// and every DIFF or TRUNC decision use it. It is never compared with Applied except at a start.
type Logged jute.Zxid

// Applied is a mark in the tree: the zxid of the last transaction that changed it. Replies and
// lastZxidSeen checks use it.
type Applied jute.Zxid

// Entry is one proposal on its way into the log.
type Entry struct {
	// Zxid is the proposal's number; it directly follows the entry before (see Follows).
	Zxid jute.Zxid
	// Bytes is the proposal as jute.Proposal encodes it. Owned by the log from Append until the
	// onDurable call that hands the entry back has returned.
	Bytes []byte
	// Tag is handed back untouched with the entry.
	Tag any
	// Awaited tells that whoever sent it waits for it, and has nothing else on its way.
	Awaited bool
}

// LogOptions are the settings of OpenLog. The zero value of a field means its default.
type LogOptions struct {
	// Dir is the store's own folder (<dataLogDir>/zk-log); it must exist or be creatable.
	Dir string
	// FS is the file system; nil means the machine's.
	FS vfs.FS
	// Logger gets what Pebble has to say; nil means silence.
	Logger *slog.Logger
	// QueueBytesMax bounds the bytes of entries that Append has taken and that onDurable has not
	// given back yet (default 64 MiB). One entry larger than it is still taken, alone.
	QueueBytesMax int
	// BatchBytesMax bounds the bytes of one write (default 1 MiB); a larger entry goes alone.
	BatchBytesMax int
	// NoSync acknowledges without syncing (Java's forceSync=no). A power cut then loses
	// acknowledged writes; a killed process does not.
	NoSync bool
	// PlainCommit waits for each sync in turn in place of Pebble's experimental ApplyNoSyncWait.
	PlainCommit bool
	// OnSync, if set, is told of every finished write: from handing it to Pebble (or from the end of
	// the write before, if later) until it was durable, and how much it carried. Called on the
	// syncer goroutine; must not block.
	OnSync func(took time.Duration, entries, bytes int)
	// OnFsync, if set, is told how long each fdatasync of a log file took (Java's fsynctime). Must
	// not block.
	OnFsync func(took time.Duration)

	mustExist bool        // never make a new store
	early     func(error) // told of a failure before Start
}

const (
	// DefaultQueueBytesMax is the default of LogOptions.QueueBytesMax.
	DefaultQueueBytesMax = 64 << 20
	defaultBatchBytesMax = 1 << 20

	// flightsMax is how many writes may be on their way to the disk at once. Pebble gathers all
	// that wait into one sync, so more gains nothing.
	flightsMax = 8

	// gatherBytes is how much has to wait before a write is begun while another is under way. Below it
	// what comes is gathered until those that it carries are answered: a sync of its own for a few entries would
	// cost more than they do.
	gatherBytes = 64 << 10

	// yieldsMax is how often the appender lets others run before a write, as long as each time brings more entries:
	// where processors are what is short. One alone costs 3 to 4 % more processor time at 64 connections and 256.
	yieldsMax = 8

	// expectedShare is how many eighths of the entries that may be there soon are worth a wait, patienceMax the
	// longest wait.
	expectedShare = 7
	patienceMax   = time.Millisecond

	// logMemtableBytes is small so that WAL files are recycled early, and a start has little to write anew. Beyond
	// memtablesMax of them waiting for their flush, writes stall.
	logMemtableBytes = 8 << 20
	memtablesMax     = 4

	logCacheBytes = 4 << 20
)

var (
	// ErrClosed answers calls on a store that was closed.
	ErrClosed = errors.New("persistence: closed")
	// ErrPurged answers a Read that starts at or before CompleteFrom: those entries are gone.
	ErrPurged = errors.New("persistence: log entries were purged")
	// ErrOrder answers an Append of an entry that may not follow the one before it.
	ErrOrder = errors.New("persistence: entry out of order")
)

// Log is the transaction log: proposals by zxid, the epochs, the name of the live state folder.
type Log struct {
	o      LogOptions
	logger *slog.Logger
	db     *pebble.DB
	cache  *pebble.Cache
	lock   *pebble.Lock
	fail   *failure

	// lastLogged is the last durable entry, or base; written by the syncer alone after Open.
	lastLogged atomic.Int64
	// base is the zxid before the first entry the log ever had, or that a state adopted since stands for:
	// entries up to it are none. Guarded by history.purgeMu after Open.
	base jute.Zxid

	// applied, if set, is the state's mark below which nothing may be cut off (I8); owned by the owner.
	applied func() Applied

	pipe    pipeline
	history history

	epochMu    sync.Mutex // serializes the setters of meta values
	metaTables int        // tables made since they were last gathered; guarded by epochMu
	epochs     struct{ accepted, current atomic.Int64 }

	closeOnce sync.Once
	closeErr  error
}

// OpenLog opens or creates the log store alone, for tools and tests. A server uses Open, which also
// checks that the two stores belong together. Errors: *CorruptionError, or what the folder answers.
func OpenLog(o LogOptions) (*Log, error) {
	o.FS = orDefaultFS(o.FS)
	if o.QueueBytesMax <= 0 {
		o.QueueBytesMax = DefaultQueueBytesMax
	}
	if o.BatchBytesMax <= 0 {
		o.BatchBytesMax = defaultBatchBytesMax
	}
	l := &Log{o: o, logger: orDiscard(o.Logger)}
	l.fail = newFailure(l.logger, o.early)
	if err := o.FS.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("persistence: create %s: %w", o.Dir, err)
	}
	lock, err := pebble.LockDirectory(o.Dir, o.FS)
	if err != nil {
		return nil, &lockError{dir: o.Dir, err: err}
	}
	l.lock = lock
	l.cache = pebble.NewCache(logCacheBytes)
	if err := l.open(); err != nil {
		if l.db != nil {
			_ = l.db.Close()
		}
		l.cache.Unref()
		_ = lock.Close()
		return nil, err
	}
	return l, nil
}

func (l *Log) open() error {
	if err := checkManifest(l.o.FS, l.o.Dir); err != nil {
		return err
	}
	opts := l.pebbleOptions()
	if err := checkWAL(l.o.FS, l.o.Dir, opts); err != nil {
		return err
	}
	db, err := openPebble(l.o.Dir, opts)
	if err != nil {
		return err
	}
	l.db = db
	base, err := getMetaInt64(db, metaCompleteFrom)
	if err != nil {
		return err
	}
	l.base = jute.Zxid(base)
	for name, to := range map[string]*atomic.Int64{metaAcceptedEpoch: &l.epochs.accepted, metaCurrentEpoch: &l.epochs.current} {
		v, err := getMetaInt64(db, name)
		if err != nil {
			return err
		}
		to.Store(v)
	}
	if _, emptied, err := getMeta(db, metaEmptied); err != nil {
		return err
	} else if emptied { // a crash came before the end of an adoption
		if err := l.empty(); err != nil {
			return err
		}
	}
	first, last, err := firstAndLast(db, l.base)
	if err != nil {
		return err
	}
	l.lastLogged.Store(int64(max(last, l.base)))
	l.pipe.init(l, max(last, l.base))
	return l.history.load(db, l.base, first)
}

// pebbleOptions tune the store for entries that are written once in order, read rarely, and dropped
// from the old end: no compaction ever, nothing waits for level 0.
func (l *Log) pebbleOptions() *pebble.Options {
	fs := &walFS{FS: markerFS{l.o.FS, l.fail}, fail: l.fail, noSync: l.o.NoSync, onFsync: l.o.OnFsync}
	o := baseOptions(fs, l.lock, l.logger, l.fail, l.cache)
	o.ErrorIfNotExists = l.o.mustExist
	tuneTables(o)
	o.MemTableSize = logMemtableBytes
	o.MemTableStopWritesThreshold = memtablesMax
	o.DisableAutomaticCompactions = true
	o.L0CompactionThreshold = 1 << 30
	o.L0CompactionFileThreshold = 1 << 30
	o.L0StopWritesThreshold = 1 << 30
	o.DisableTableStats = true
	// One table a flush: a purge drops it whole.
	o.FlushSplitBytes = 1 << 30
	for i := range o.TargetFileSizes {
		o.TargetFileSizes[i] = 1 << 30
	}
	// Excise then waits for a flush if it meets a memtable, and writes nothing to the WAL that
	// checkWAL would have to know.
	o.Experimental.DisableIngestAsFlushable = func() bool { return true }
	return o
}

// openPebble opens a store. What is wrong with its files comes back as *CorruptionError.
func openPebble(dir string, opts *pebble.Options) (*pebble.DB, error) {
	db, err := pebble.Open(dir, opts)
	if err == nil {
		return db, nil
	}
	// A store that is not pristine has a manifest and no format marker: Pebble takes it for one it has begun to make.
	// A table that is shorter or longer than the manifest says is told by its text alone.
	if pebble.IsCorruptionError(err) || errors.Is(err, pebble.ErrDBDoesNotExist) || errors.Is(err, pebble.ErrDBNotPristine) ||
		strings.Contains(err.Error(), "object size mismatch") {
		return nil, &CorruptionError{Path: dir, Err: err}
	}
	return nil, fmt.Errorf("persistence: open %s: %w", dir, err)
}

// firstAndLast finds the ends of the entries above base; zeros when there are none.
func firstAndLast(db *pebble.DB, base jute.Zxid) (first, last jute.Zxid, err error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: entryKey(base + 1), UpperBound: []byte{keyEntry + 1}})
	if err != nil {
		return 0, 0, readError("", err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	ok := true
	if it.First() {
		first, ok = entryZxid(it.Key())
	}
	if err := it.Error(); err != nil { // Last would forget it
		return 0, 0, readError("the first entry", err)
	}
	if ok && it.Last() {
		last, ok = entryZxid(it.Key())
	}
	if !ok {
		return 0, 0, &CorruptionError{Key: fmt.Sprintf("%x", it.Key()), Err: errors.New("not a log key")}
	}
	if err := it.Error(); err != nil {
		return 0, 0, readError("", err)
	}
	return first, last, nil
}

// Start sets the goroutines going: the appender and the syncer, ended by Close. onDurable gets entries
// in zxid order, from the syncer, after they are durable; the slice is reused once it returns. onFail is
// called at most once, on a goroutine of its own, with the first failed write, sync or background job;
// no onDurable begins after the failure was noticed, and the process has to end: an Append or Close
// under way may never return. No lock of the log is held during either. Call once, after the redo
// (Read) is done. Either may be nil.
func (l *Log) Start(onDurable func([]Entry), onFail func(error)) {
	l.pipe.start(onDurable)
	l.fail.start(onFail)
}

// Append queues one entry; it blocks only while QueueBytesMax is reached. One owner calls it, in zxid
// order; an entry that may not follow the one before is ErrOrder and is not taken. After a failure it
// returns that failure, after Close ErrClosed.
func (l *Log) Append(e Entry) error { return l.pipe.append(e) }

// LastLogged is the last durable entry, or CompleteFrom when there is none. Safe everywhere.
func (l *Log) LastLogged() Logged { return Logged(l.lastLogged.Load()) }

// CompleteFrom is the mark from which on the log has everything: Read may start right after it, and a
// state that was applied up to it or further can be brought up to date. After a purge it is the first
// entry left: that one is the anchor which shows that nothing is missing behind it, so no purge has to
// write a mark of its own.
func (l *Log) CompleteFrom() jute.Zxid {
	return l.history.completeFrom()
}

// Read calls fn for each durable entry from the given zxid (inclusive) up to LastLogged as it is at
// the call, in order; b is valid during the call of fn only. from is usually "last seen + 1": where
// an epoch ended there, the first entry of a later one follows. A gap is a *CorruptionError, a start
// at or before CompleteFrom is ErrPurged (but the first entry itself may be read); fn's error ends it
// and is returned. A purge during Read does no harm: the iterator keeps its tables.
func (l *Log) Read(from jute.Zxid, fn func(zxid jute.Zxid, b []byte) error) (err error) {
	var upTo jute.Zxid
	// The iterator is made under the purge lock, so that what is checked is what it will find.
	it, err := l.history.iterator(func() (*pebble.Iterator, error) {
		if upTo = jute.Zxid(l.lastLogged.Load()); from > upTo {
			return nil, nil
		}
		if err := l.history.goneLocked(from); err != nil {
			return nil, err
		}
		return l.db.NewIter(&pebble.IterOptions{LowerBound: entryKey(from), UpperBound: entryKey(upTo + 1)})
	})
	if err != nil || it == nil {
		return err
	}
	defer func() {
		if cerr := it.Close(); err == nil && cerr != nil {
			err = readError("", cerr)
		}
	}()
	last := from - 1
	for it.First(); it.Valid(); it.Next() {
		z, ok := entryZxid(it.Key())
		if !ok || !Follows(last, z) {
			return &CorruptionError{Path: l.o.Dir, Key: fmt.Sprintf("%x", it.Key()), Err: fmt.Errorf("gap in the log: %v after %v", z, last)}
		}
		b, err := it.ValueAndErr()
		if err != nil {
			return readError(z.String(), err)
		}
		if err := fn(z, b); err != nil {
			return err
		}
		last = z
	}
	if err := it.Error(); err != nil {
		return readError("after "+last.String(), err)
	}
	if last != upTo {
		return &CorruptionError{Path: l.o.Dir, Key: upTo.String(), Err: fmt.Errorf("the log ends at %v", last)}
	}
	return nil
}

// Close waits for what was appended, then closes. The last onDurable call has returned by then. After a
// failure it only returns that: Pebble is not touched again, and its files stay locked until the
// process ends.
func (l *Log) Close() error {
	l.closeOnce.Do(func() {
		l.pipe.stop()
		l.closeErr = l.fail.close(func() error {
			// A last durable mark, so that the final entries are proven like all others.
			mark := make([]byte, durableMarkLen)
			putDurableMark(mark, uint64(l.lastLogged.Load()))
			err := l.db.LogData(mark, pebble.Sync)
			err = errors.Join(err, l.db.Close())
			l.cache.Unref()
			return errors.Join(err, l.lock.Close())
		})
	})
	return l.closeErr
}
