package persistence

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/persistence/slowcall"
)

// failure is the first final error of a store and the way it is told. The zero value works.
type failure struct {
	logger *slog.Logger
	failed atomic.Bool // fast check on hot paths; set before fn is told
	done   chan struct{}

	mu  sync.Mutex
	err error       // the first failure; guarded by mu
	fn  func(error) // told once; guarded by mu

	wake func() // wakes whoever waits inside the store; immutable once the store is open
}

// newFailure makes a failure that is told to fn, which may be nil, until start names another.
func newFailure(logger *slog.Logger, fn func(error)) *failure {
	return &failure{logger: logger, done: make(chan struct{}), fn: fn}
}

// fail records the first failure and tells it.
func (f *failure) fail(err error) {
	f.mu.Lock()
	if f.err != nil {
		f.mu.Unlock()
		return
	}
	f.err = err
	f.failed.Store(true)
	close(f.done)
	fn := f.fn
	f.mu.Unlock()
	f.logger.Error("store failed, the server has to end", "err", err)
	// Both on goroutines of their own, which end with the calls: we may hold Pebble's locks.
	if f.wake != nil {
		go f.wake()
	}
	if fn != nil {
		go fn(err)
	}
}

// start sets the callback; a failure from before is told at once.
func (f *failure) start(fn func(error)) {
	f.mu.Lock()
	f.fn = fn
	err := f.err
	f.mu.Unlock()
	if err != nil && fn != nil {
		go fn(err)
	}
}

// get is the failure, or nil.
func (f *failure) get() error {
	if !f.failed.Load() {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// unlessFailed runs f, and leaves it behind when the store fails meanwhile: a write that fails holds the
// goroutine that met it, and so whoever waits for it inside Pebble. The process has to end then.
func (f *failure) unlessFailed(run func() error) error {
	done := make(chan error, 1)
	go func() { done <- run() }() // ends with run, or with the process
	select {
	case err := <-done:
		return err
	case <-f.done:
		return f.get()
	}
}

// close closes a store. After damage too, since a background job that meets it holds nobody; after a write that failed
// the store is left as it is.
func (f *failure) close(run func() error) error {
	closed := make(chan error, 1)
	err := f.get()
	var corrupt *CorruptionError
	if err == nil || errors.As(err, &corrupt) {
		go func() { closed <- run() }() // ends with run, or with the process
	}
	if err == nil {
		select {
		case err := <-closed:
			return err
		case <-f.done:
			err = f.get()
		}
	}
	if errors.As(err, &corrupt) { // it may be met only now, and the folder has to be free afterwards
		return errors.Join(err, <-closed)
	}
	return err
}

// pebbleLogger passes what Pebble says to slog. Pebble's Fatalf may not return; the default one ends
// the process at once, without our message and exit code. Ours reports the failure and holds the
// calling goroutine, so that Pebble does nothing more, until the server has ended the process.
type pebbleLogger struct {
	logger *slog.Logger
	fail   *failure
}

func (l pebbleLogger) Infof(format string, args ...any) {
	if l.logger.Enabled(context.Background(), slog.LevelDebug) {
		l.logger.Debug("pebble", "text", fmt.Sprintf(format, args...))
	}
}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.logger.Warn("pebble", "text", fmt.Sprintf(format, args...))
}

func (l pebbleLogger) Fatalf(format string, args ...any) {
	f := &fatalError{text: "persistence: pebble: " + fmt.Sprintf(format, args...)}
	for _, a := range args {
		if err, ok := a.(error); ok {
			f.cause = err
		}
	}
	l.fail.fail(f)
	select {}
}

// fatalError is what Pebble would have ended the process with.
type fatalError struct {
	text  string
	cause error // among what Pebble printed, if there was one
}

func (e *fatalError) Error() string { return e.text }
func (e *fatalError) Unwrap() error { return e.cause }

// listener makes every background error of a store its failure: a flush that can't be written, a table
// that can't be read. Corruption met by a reader is an error of that read (and logged), not of the store.
func listener(logger *slog.Logger, f *failure) *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			if f.failed.Load() {
				// Pebble tries again at once, and burns a core until the process ends.
				time.Sleep(failedPause)
				return
			}
			f.fail(backgroundError(err))
		},
		DataCorruption: func(i pebble.DataCorruptionInfo) {
			logger.Error("corrupt data", "path", i.Path, "err", i.Details)
		},
		DiskSlow: func(i pebble.DiskSlowInfo) {
			logger.Warn("disk slow", "path", i.Path, "took", i.Duration)
		},
	}
}

// backgroundError is what a flush or a compaction met: tables are read there, too.
func backgroundError(err error) error {
	if pebble.IsCorruptionError(err) {
		return &CorruptionError{Err: err}
	}
	return fmt.Errorf("persistence: background write: %w", err)
}

// failedPause is the time between two tries of Pebble's to do what has failed for good.
const failedPause = time.Second

// orDiscard makes a nil logger usable.
func orDiscard(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}

func orDefaultFS(fs vfs.FS) vfs.FS {
	if fs == nil {
		return slowcall.Disk(nil)
	}
	return fs
}

// baseOptions are what both stores have in common.
func baseOptions(fs vfs.FS, lock *pebble.Lock, logger *slog.Logger, f *failure, cache *pebble.Cache) *pebble.Options {
	o := &pebble.Options{
		FS:                 fs,
		Lock:               lock,
		Cache:              cache,
		FormatMajorVersion: formatMajor,
		Logger:             pebbleLogger{logger, f},
		EventListener:      listener(logger, f),
		MaxOpenFiles:       1000,
	}
	// One shard: a server has few stores, and each shard is a goroutine.
	o.Experimental.FileCacheShards = 1
	return o
}

// getMeta reads a meta value into memory of its own.
func getMeta(db pebble.Reader, name string) (v []byte, ok bool, err error) {
	b, closer, err := db.Get(metaKey(name))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, readError("m"+name, err)
	}
	v = append([]byte{}, b...)
	return v, true, closer.Close()
}

func getMetaInt64(db pebble.Reader, name string) (int64, error) {
	v, ok, err := getMeta(db, name)
	if err != nil || !ok {
		return 0, err
	}
	return decodeInt64(name, v)
}
