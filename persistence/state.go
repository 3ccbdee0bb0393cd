package persistence

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
)

// StateOptions are the settings of OpenState. The zero value of a field means its default.
type StateOptions struct {
	// Dir is the store's own folder (<dataDir>/zk-state-<n>); it must exist or be creatable.
	Dir string
	// FS is the file system; nil means the machine's.
	FS vfs.FS
	// Logger gets what Pebble has to say; nil means silence.
	Logger *slog.Logger
	// FlushTxns and FlushBytes start a flush by themselves at a Commit once that many txns (zxids)
	// or bytes are not durable yet (defaults 16,000 and 6 MiB), so that redo at a start stays short
	// and the log can be purged. Negative: never.
	FlushTxns, FlushBytes int64
	// MemtableBytes is the size of a memtable (default 4 MiB). A batch of half of it or more becomes tables of its
	// own: it stays one step (I3). See commitTable.
	MemtableBytes int
	// CacheBytes is the block cache (default 8 MiB; it is Go heap without cgo).
	CacheBytes int64

	mustExist bool        // never make a new store
	early     func(error) // told of a failure before Start
	side      bool        // it counts for nothing before its first Flush: see lateSync
}

const (
	defaultFlushTxns     = 16_000
	defaultFlushBytes    = 6 << 20
	defaultMemtableBytes = 4 << 20
	defaultCacheBytes    = 8 << 20

	// flushesMax bounds the flushes that were asked for and are not finished.
	flushesMax = 64
)

// State is the znode tree on disk as it was at one zxid (I3): each batch is a step from one applied mark
// to the next, and since there is no write-ahead log, what survives a crash is what the finished
// flushes wrote: a prefix of the batches, never part of one.
type State struct {
	reads  // of the newest commits
	o      StateOptions
	logger *slog.Logger
	db     *pebble.DB
	cache  *pebble.Cache
	lock   *pebble.Lock
	fs     vfs.FS                // as Pebble has it
	tables sstable.WriterOptions // of tables that are written by ourselves
	table  sync.Mutex            // held by the batch that becomes tables
	spare  spareChanges
	fail   *failure
	// logged, if set, is the log's mark that no Commit may pass (I8); set before the first Commit.
	logged func() Logged

	late    *lateSync    // syncs of a side store wait for its first Flush; nil for others
	held    atomic.Bool  // no compaction may begin: there is no room for one; set by Space
	deletes atomic.Int32 // large batches in a row that were mostly deletes
	filled  atomic.Int64 // bytes committed
	applied atomic.Int64 // last Commit
	durable atomic.Int64 // last finished flush

	mu      sync.Mutex // guards the fields to flushing, and orders Commit before FlushAsync
	last    *flushing  // the flush asked for last
	unasked int64      // bytes committed since
	askedAt int64      // the applied mark it covers

	shownMu sync.Mutex // held too while content goes from under snapshots: see Emptied
	shown   int        // snapshots that are open; guarded by shownMu

	flushes   chan *flushing
	onDurable atomic.Pointer[func(Applied)]
	stop      chan struct{}
	stopped   sync.WaitGroup
	closeOnce sync.Once
	closeErr  error
}

// flushing is a flush under way.
type flushing struct {
	applied int64
	pebble  <-chan struct{} // closed by Pebble when it is on disk
	done    chan struct{}   // closed when the mark has moved, the store failed or closed
}

// OpenState opens or creates the state store alone. A server uses Open. Errors: *CorruptionError, or
// what the folder answers.
func OpenState(o StateOptions) (*State, error) {
	o = o.withDefaults()
	s := &State{
		o: o, logger: orDiscard(o.Logger),
		flushes: make(chan *flushing, flushesMax), stop: make(chan struct{}),
	}
	s.fail = newFailure(s.logger, o.early)
	if err := o.FS.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("persistence: create %s: %w", o.Dir, err)
	}
	lock, err := pebble.LockDirectory(o.Dir, o.FS)
	if err != nil {
		return nil, &lockError{dir: o.Dir, err: err}
	}
	s.lock = lock
	s.cache = pebble.NewCache(o.CacheBytes)
	if err := s.open(); err != nil {
		if s.db != nil {
			_ = s.db.Close()
		}
		s.cache.Unref()
		_ = lock.Close()
		return nil, err
	}
	s.stopped.Go(s.flushLoop) // ended by Close
	return s, nil
}

func (o StateOptions) withDefaults() StateOptions {
	o.FS = orDefaultFS(o.FS)
	if o.FlushTxns == 0 {
		o.FlushTxns = defaultFlushTxns
	}
	if o.FlushBytes == 0 {
		o.FlushBytes = defaultFlushBytes
	}
	if o.MemtableBytes <= 0 {
		o.MemtableBytes = defaultMemtableBytes
	}
	if o.CacheBytes <= 0 {
		o.CacheBytes = defaultCacheBytes
	}
	return o
}

func (s *State) open() error {
	if err := checkManifest(s.o.FS, s.o.Dir); err != nil {
		return err
	}
	fs := s.o.FS
	if s.o.side {
		s.late = newLateSync(fs, s.o.Dir)
		fs = s.late
	}
	o := baseOptions(&tableFS{markerFS{fs, s.fail}}, s.lock, s.logger, s.fail, s.cache)
	o.ErrorIfNotExists = s.o.mustExist
	o.DisableWAL = true
	o.MemTableSize = uint64(s.o.MemtableBytes)
	o.MemTableStopWritesThreshold = 4
	s.holdCompactions(o)
	o.L0StopWritesThreshold = stateL0Stop
	tuneState(o)
	s.fs, s.tables = o.FS, tableOptions(o)
	if err := s.removeNextTables(); err != nil {
		return err
	}
	db, err := openPebble(s.o.Dir, o)
	if err != nil {
		return err
	}
	s.db = db
	s.reads = reads{from: db, dir: s.o.Dir}
	applied, err := getMetaInt64(db, metaApplied)
	if err != nil {
		return err
	}
	s.applied.Store(applied)
	s.durable.Store(applied)
	s.askedAt = applied
	return nil
}

// Start sets the callbacks: onDurable after each finished flush with the mark it made durable (the
// purger's cue), onFail at most once, on a goroutine of its own, with the first background failure.
// Either may be nil. onDurable must not block for long: flushes are noticed by the same goroutine.
func (s *State) Start(onDurable func(Applied), onFail func(error)) {
	if onDurable != nil {
		s.onDurable.Store(&onDurable)
	}
	s.fail.start(onFail)
}

// Applied is the mark of the last Commit (or what was found at the open).
func (s *State) Applied() Applied { return Applied(s.applied.Load()) }

// DurableApplied is the mark that a power cut can't take back: that of the last finished flush. A
// memtable that Pebble flushed by itself counts only with the next flush asked for.
func (s *State) DurableApplied() Applied { return Applied(s.durable.Load()) }

// FlushAsync starts making everything committed so far durable. Done closes when it is, or when the
// store failed or closed; DurableApplied tells which.
func (s *State) FlushAsync() (done <-chan struct{}, err error) {
	if err := s.fail.get(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.flushLocked()
	if err != nil {
		return nil, err
	}
	return f.done, nil
}

// flushLocked asks Pebble for a flush, unless the last one asked for covers everything.
func (s *State) flushLocked() (*flushing, error) {
	applied := s.applied.Load()
	if s.last != nil && s.unasked == 0 {
		return s.last, nil
	}
	// The mark is read before Pebble changes memtables: whatever was committed is in those it flushes.
	ch, err := s.db.AsyncFlush()
	if err != nil {
		return nil, fmt.Errorf("persistence: flush the state at %v: %w", jute.Zxid(applied), err)
	}
	return s.await(ch)
}

// await lets the durable mark follow when all that is committed now is on disk, and flushes asked for before are done.
// Called with mu held.
func (s *State) await(onDisk <-chan struct{}) (*flushing, error) {
	f := &flushing{applied: s.applied.Load(), pebble: onDisk, done: make(chan struct{})}
	select {
	case s.flushes <- f:
	case <-s.stop:
		return nil, ErrClosed
	case <-s.fail.done:
		return nil, s.fail.get()
	}
	s.last, s.unasked, s.askedAt = f, 0, f.applied
	return f, nil
}

// flushLoop waits for flushes in order and moves the durable mark.
func (s *State) flushLoop() {
	for {
		select {
		case <-s.stop:
			s.drainFlushes()
			return
		case f := <-s.flushes:
			select {
			case <-f.pebble:
				s.flushed(f)
			case <-s.stop:
			case <-s.fail.done: // Pebble tries for ever; we don't wait
			}
			close(f.done)
		}
	}
}

func (s *State) drainFlushes() {
	for {
		select {
		case f := <-s.flushes:
			close(f.done)
		default:
			return
		}
	}
}

func (s *State) flushed(f *flushing) {
	if s.fail.failed.Load() || s.filling() {
		return
	}
	s.durable.Store(f.applied)
	if fn := s.onDurable.Load(); fn != nil {
		(*fn)(Applied(f.applied))
	}
}

// filling reports if it is a side store that has not been flushed yet.
func (s *State) filling() bool { return s.late != nil && s.late.deferring() }

// Flush makes everything committed so far durable, and returns when it is.
func (s *State) Flush() error {
	if s.filling() {
		if err := s.late.settle(); err != nil {
			return err
		}
	}
	done, err := s.FlushAsync()
	if err != nil {
		return err
	}
	<-done
	return s.fail.get()
}

// Failed is why nothing is written any more, or nil.
func (s *State) Failed() error { return s.fail.get() }

// Close makes what was committed durable and closes. After a failure it only returns that: Pebble is
// not touched again.
func (s *State) Close() error {
	s.closeOnce.Do(func() {
		done, err := s.FlushAsync()
		if err == nil {
			<-done
		}
		close(s.stop)
		s.stopped.Wait()
		s.closeErr = s.fail.close(func() error {
			err := errors.Join(err, s.db.Close())
			s.cache.Unref()
			return errors.Join(err, s.lock.Close())
		})
	})
	return s.closeErr
}
