package persistence

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"zk/jute"
)

// Both stores can be made whole from what another server has on its disk: an import. They are built under names
// that nothing takes for a store, and get their own in this order:
//
//	zk-log.new, zk-state-1.new filled, synced | zk-log.new -> zk-log | zk-state-1.new -> zk-state-1
//
// Before the first rename nothing has happened: the next import removes what is there and begins anew. From the
// first rename on everything has: the log says that it was imported, and whoever opens it does the second
// rename, if a crash came in between.

// Building is a pair of stores that is being made. It belongs to the function that Build calls.
type Building struct {
	op    *opening
	state *State
	log   *Log
	base  jute.Zxid // of the log
	last  jute.Zxid
}

// Origin says what a pair was made of.
type Origin struct {
	// Last is the zxid of the last transaction that was imported.
	Last jute.Zxid
	// AcceptedEpoch and CurrentEpoch are the server's.
	AcceptedEpoch, CurrentEpoch int64
	// Seal are the data folders whose Java files are to be put out of use; none leaves them as they are.
	Seal []string
}

// Build makes both stores where there are none. fill fills them and says what of; an error of it, or a crash,
// leaves nothing behind that counts. Its other errors are those of Open.
func Build(o Options, fill func(b *Building) (Origin, error)) error {
	op := newOpening(o)
	return op.guarded("the stores can't be made", func() error { return op.build(fill) })
}

func (o *opening) build(fill func(b *Building) (Origin, error)) (err error) {
	if err := o.makeFolders(); err != nil {
		return err
	}
	if err := o.checkVacant(); err != nil {
		return err
	}
	if _, err := io.ReadFull(o.Rand, o.id[:]); err != nil {
		return fmt.Errorf("persistence: make a store id: %w", err)
	}
	b := &Building{op: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.discard())
		}
	}()
	origin, err := fill(b)
	if err != nil {
		return err
	}
	return b.finish(origin)
}

// checkVacant refuses to build where there is a store.
func (o *opening) checkVacant() error {
	info, err := o.fs.Stat(o.logDir())
	if err == nil && info.IsDir() {
		return o.refuse(nil, "move it away to import again", "there is a store already: %s", o.logDir())
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return o.refuse(err, "check its path and permissions", "folder %s can't be read", o.logDir())
	}
	names, err := stateDirs(o.fs, o.DataDir)
	if err != nil {
		return o.refuse(err, "check its path and permissions", "folder %s can't be read", o.DataDir)
	}
	if len(names) > 0 {
		return o.refuse(nil, "set the right dataLogDir if its log is elsewhere, or move it away to import",
			"there is a state already: %s", o.stateDir(names[0]))
	}
	return nil
}

// NewState gives an empty state store to be filled. The one of a call before is thrown away.
func (b *Building) NewState() (*State, error) {
	dir := b.op.stateDir(firstStateDir) + newSuffix
	if b.state != nil {
		err := b.state.Close()
		b.state = nil
		if err != nil {
			return nil, err
		}
	}
	if err := removeAll(b.op, dir); err != nil {
		return nil, err
	}
	s, err := OpenState(b.op.stateOptions(dir))
	if err != nil {
		return nil, b.op.openError(dir, err)
	}
	b.state = s
	return s, s.identify(b.op.id, b.op.ServerID)
}

// Begin makes the log, to which entries after base can be appended. Call it once.
func (b *Building) Begin(base jute.Zxid) error {
	dir := b.op.logDir() + newSuffix
	if err := removeAll(b.op, dir); err != nil {
		return err
	}
	if err := b.op.fillLog(dir, base); err != nil {
		return b.op.openError(dir, err)
	}
	opts := b.op.logOptions(dir)
	opts.mustExist = true
	l, err := OpenLog(opts)
	if err != nil {
		return b.op.openError(dir, err)
	}
	b.log, b.base, b.last = l, base, base
	l.Start(nil, b.op.Log.early)
	return nil
}

// Append adds an entry, as Log.Append does; the bytes must not change any more.
func (b *Building) Append(z jute.Zxid, proposal []byte) error {
	if err := b.log.Append(Entry{Zxid: z, Bytes: proposal}); err != nil {
		return err
	}
	b.last = z
	return nil
}

// finish makes all of it durable and gives the stores their names.
func (b *Building) finish(origin Origin) error {
	l, o := b.log, b.op
	if applied := jute.Zxid(b.state.Applied()); origin.Last != b.last || applied > b.last || applied < b.base {
		return fmt.Errorf("persistence: import up to %v: the log ends at %v, the state is at %v", origin.Last, b.last, jute.Zxid(b.state.Applied()))
	}
	err := l.Drain()
	if err == nil {
		err = l.SetAcceptedEpoch(origin.AcceptedEpoch)
	}
	if err == nil {
		err = l.SetCurrentEpoch(origin.CurrentEpoch)
	}
	if err == nil {
		err = l.setMeta(map[string][]byte{metaImported: encodeInt64(int64(origin.Last)), metaUnsealed: []byte(strings.Join(origin.Seal, "\n"))})
	}
	if err != nil {
		return err
	}
	logDir, stateDir := o.logDir()+newSuffix, o.stateDir(firstStateDir)+newSuffix
	err = b.state.Close()
	b.state = nil
	err = errors.Join(err, l.Close())
	b.log = nil
	for _, dir := range []string{stateDir, logDir, o.DataDir} {
		if err == nil {
			err = syncDir(o.fs, dir)
		}
	}
	if err == nil {
		err = o.removeNote(o.logDir())
	}
	if err == nil {
		err = o.fs.Rename(logDir, o.logDir())
	}
	if err == nil {
		err = syncDir(o.fs, o.DataLogDir)
	}
	if err != nil {
		return o.openError(logDir, err)
	}
	return o.nameState(firstStateDir)
}

// nameState does the second rename.
func (o *opening) nameState(name string) error {
	dir := o.stateDir(name)
	err := o.fs.Rename(dir+newSuffix, dir)
	if err == nil {
		err = syncDir(o.fs, o.DataDir)
	}
	if err != nil {
		return o.openError(dir, err)
	}
	return nil
}

// discard removes what was built, after an error. A store that failed holds its files until the process ends.
func (b *Building) discard() error {
	var err error
	if b.state != nil {
		err = b.state.Close()
	}
	if b.log != nil {
		err = errors.Join(err, b.log.Close())
	}
	if err != nil {
		return err
	}
	return errors.Join(removeAll(b.op, b.op.logDir()+newSuffix), removeAll(b.op, b.op.stateDir(firstStateDir)+newSuffix))
}

func removeAll(o *opening, dir string) error {
	if err := o.fs.RemoveAll(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return o.openError(dir, err)
	}
	return nil
}

// setMeta writes meta values in one synced batch, into a table of their own.
func (l *Log) setMeta(values map[string][]byte) error {
	if err := l.fail.get(); err != nil {
		return err
	}
	l.epochMu.Lock()
	defer l.epochMu.Unlock()
	err := l.fail.unlessFailed(func() error {
		err := l.db.Flush()
		b := l.db.NewBatch()
		for name, v := range values {
			err = errors.Join(err, b.Set(metaKey(name), v, nil))
		}
		if err == nil {
			err = l.db.Apply(b, pebble.Sync)
		}
		if err == nil {
			err = l.tidyMeta()
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("persistence: set meta values of the log: %w", err)
	}
	return nil
}

// newOpening is one call of Open or Build.
func newOpening(o Options) *opening {
	if o.DataLogDir == "" {
		o.DataLogDir = o.DataDir
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	return &opening{Options: o, fs: orDefaultFS(o.FS), logger: orDiscard(o.Logger)}
}

// guarded runs work on stores that may fail meanwhile. A write that fails holds the goroutine that met it (see
// walFS, pebbleLogger). It is then left behind, with the folders locked: the process has to end. Damage that a
// background job meets holds nobody: work sees it itself.
func (o *opening) guarded(what string, work func() error) error {
	done, failed := make(chan error, 1), make(chan error, 4)
	o.Log.early = func(err error) {
		select {
		case failed <- err:
		default:
		}
	}
	o.State.early = o.Log.early
	go func() { done <- work() }() // ends with work, or with the process
	for {
		select {
		case err := <-done:
			return err
		case err := <-failed:
			var corrupt *CorruptionError
			if !errors.As(err, &corrupt) {
				return o.storeError(what, err)
			}
		}
	}
}
