package persistence

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
)

// Names of the stores' folders in dataLogDir and dataDir.
const (
	logDirName     = "zk-log"
	stateDirPrefix = "zk-state-"
	firstStateDir  = stateDirPrefix + "1"
)

// exitDataDir is the exit code of a process that can't use its data directories.
const exitDataDir = 3

// Options are what Open needs to know.
type Options struct {
	// DataDir and DataLogDir are zoo.cfg's folders; they may be the same. An empty DataLogDir is
	// DataDir, as in Java.
	DataDir, DataLogDir string
	// ServerID is myid; 0 for a standalone server.
	ServerID int64
	// NoAutoCreate refuses missing folders (zookeeper.datadir.autocreate=false).
	NoAutoCreate bool
	// Ensemble is set for the start of a member of an ensemble: stores that don't hold what the server once
	// acknowledged are then put aside, and Recovered.Lost says so, in place of a refusal (I9).
	Ensemble bool
	// Rejoin gives the stores of such a server up, whatever they hold.
	Rejoin bool
	// NoDBAutoCreate takes an empty folder for a lost memory (zookeeper.db.autocreate=false), unless there is a
	// file initialize in DataDir or DataLogDir.
	NoDBAutoCreate bool
	// FS is the file system; nil means the machine's.
	FS vfs.FS
	// Logger gets what the stores have to say; nil means silence.
	Logger *slog.Logger
	// Rand is where the store id comes from; nil means crypto/rand.
	Rand io.Reader
	// Log and State carry the tuning of each store; their Dir, FS and Logger are filled in by Open.
	Log   LogOptions
	State StateOptions
}

// Recovered is what Open found: both stores, checked, with CompleteFrom <= Applied <= LastLogged. What
// to do next: fill from State, redo Log.Read(State.Applied()+1), then Start both.
type Recovered struct {
	Log   *Log
	State *State
	// StoreID is the random id both stores carry.
	StoreID StoreID
	// Fresh is true when nothing was there before.
	Fresh bool
	// Took is the time opening took.
	Took time.Duration
	// Lost is set while this member of an ensemble has lost its memory. Forget and Regained change it.
	Lost *LostMemory

	o      Options
	fs     vfs.FS
	logger *slog.Logger

	imported    jute.Zxid // see Imported
	wasImported bool
	unsealed    []string // see Unsealed
	vouched     bool     // see Empty
	lostMu      sync.Mutex
}

// Close closes both, the state first: it is never ahead of the log (I8).
func (r *Recovered) Close() error { return errors.Join(r.State.Close(), r.Log.Close()) }

// Explain makes an operator's message of an error of a start on these stores, if one of them has failed
// meanwhile; other errors stay as they are.
func (r *Recovered) Explain(err error) error {
	if r.State.fail.get() == nil && r.Log.fail.get() == nil {
		return err
	}
	return (&opening{Options: r.o, fs: r.fs, logger: r.logger}).storeError("the stores can't be written to", err)
}

// Open opens both stores, creating them where there is nothing, and checks that they belong together and
// that nothing acknowledged is missing (I9). Its errors that an operator must act on are *StartError and
// *CorruptionError; both have ExitCode.
//
// The order makes each step restartable. A new store is made whole under another name (".new"), with its
// identity in it, and gets its own name in one step. The log comes first, then the state with the same id;
// only then can anything be appended. So a log without entries may lack its state (a crash in between), a
// log with entries may not.
func Open(o Options) (*Recovered, error) {
	start := time.Now()
	op := newOpening(o)
	var r *Recovered
	err := op.guarded("the stores can't be opened", func() (err error) {
		if o.Ensemble {
			r, err = op.remember()
			return err
		}
		if err := op.checkRemembers(); err != nil {
			return err
		}
		r, err = op.open()
		return err
	})
	if err != nil {
		return nil, op.startError(err)
	}
	r.Took = time.Since(start)
	return r, nil
}

// opening is one call of Open or Build.
type opening struct {
	Options
	fs     vfs.FS
	logger *slog.Logger
	log    *Log
	state  *State
	id     StoreID
	java   string // a file of Java's in the data folders

	imported    jute.Zxid // what the log says of an import
	wasImported bool
	unsealed    []string
}

// refuse makes a StartError.
func (o *opening) refuse(err error, remedy, reason string, args ...any) error {
	return &StartError{Reason: fmt.Sprintf(reason, args...), DataDir: o.DataDir, DataLogDir: o.DataLogDir, Remedy: remedy, Err: err}
}

func (o *opening) open() (r *Recovered, err error) {
	defer func() {
		if err == nil {
			return
		}
		if o.state != nil {
			_ = o.state.Close()
		}
		if o.log != nil {
			_ = o.log.Close()
		}
	}()
	if err := o.checkFolders(); err != nil {
		return nil, err
	}
	fresh, err := o.createLog()
	if err != nil {
		return nil, err
	}
	if err := o.openLog(); err != nil {
		return nil, err
	}
	if err := o.openState(); err != nil {
		return nil, err
	}
	if err := o.checkPair(); err != nil {
		return nil, err
	}
	o.state.logged, o.log.applied = o.log.LastLogged, o.state.Applied
	if err := o.damaged(); err != nil {
		return nil, err
	}
	r = &Recovered{Log: o.log, State: o.state, StoreID: o.id, Fresh: fresh, o: o.Options, fs: o.fs, logger: o.logger,
		imported: o.imported, wasImported: o.wasImported, unsealed: o.unsealed}
	if err := r.removeOthers(); err != nil {
		o.logger.Warn("folders left over can't be removed", "dir", o.DataDir, "err", err)
	}
	if err := removeAll(o, o.logDir()+newSuffix); err != nil {
		o.logger.Warn("a folder left over can't be removed", "dir", o.DataLogDir, "err", err)
	}
	if _, lost, err := readLost(o.fs, o.DataLogDir); err != nil {
		return nil, err
	} else if lost {
		return r, nil
	}
	if err := r.removeLost(); err != nil {
		o.logger.Warn("folders left over can't be removed", "dir", o.DataDir, "err", err)
	}
	return r, nil
}

// damaged is the damage that a background job of the stores has met while they were opened.
func (o *opening) damaged() error {
	for _, f := range []*failure{o.log.fail, o.state.fail} {
		var corrupt *CorruptionError
		if errors.As(f.get(), &corrupt) {
			return corrupt
		}
	}
	return nil
}

// checkRemembers refuses the stores of a server that has lost its memory and is not started in its ensemble.
func (o *opening) checkRemembers() error {
	l, lost, err := readLost(o.fs, o.DataLogDir)
	if err == nil && lost {
		err = o.refuse(nil, "start it in its ensemble, which gives it all back",
			"this server has lost its memory, as the file %s says (%s)", o.fs.PathJoin(o.DataLogDir, lostFileName), l.reason)
	}
	return err
}

// newSuffix marks a store that is being made; whatever has it at a start is a leftover of a crash.
const newSuffix = ".new"

// create makes a store under another name and then gives it its own.
func (o *opening) create(dir string, fill func(dir string) error) error {
	tmp := dir + newSuffix
	err := o.fs.RemoveAll(tmp)
	if err == nil || errors.Is(err, os.ErrNotExist) {
		err = fill(tmp)
	}
	if err == nil {
		err = syncDir(o.fs, tmp)
	}
	if err == nil {
		err = o.fs.Rename(tmp, dir)
	}
	if err == nil {
		err = syncDir(o.fs, o.fs.PathDir(dir))
	}
	if err != nil {
		return o.openError(dir, err)
	}
	return nil
}

// createLog makes the log if there is none.
func (o *opening) createLog() (fresh bool, err error) {
	there, err := o.there(o.logDir())
	if err != nil || there {
		return false, err
	}
	names, err := stateDirs(o.fs, o.DataDir)
	if err != nil {
		return false, o.refuse(err, "check its path and permissions", "folder %s can't be read", o.DataDir)
	}
	if len(names) > 0 {
		return false, o.forgotten("restore the log's folder or set the right dataLogDir; the state alone may lack acknowledged writes",
			"there is a state in %s but no log in %s", o.stateDir(names[0]), o.logDir())
	}
	if _, err := io.ReadFull(o.Rand, o.id[:]); err != nil {
		return false, fmt.Errorf("persistence: make a store id: %w", err)
	}
	return true, o.create(o.logDir(), func(dir string) error { return o.fillLog(dir, 0) })
}

// fillLog makes a log that has its identity and begins after base.
func (o *opening) fillLog(dir string, base jute.Zxid) error {
	l, err := OpenLog(o.logOptions(dir))
	if err != nil {
		return err
	}
	b := l.db.NewBatch()
	for name, v := range map[string][]byte{
		metaFormat: encodeUint32(formatLog), metaStoreID: o.id[:], metaServerID: encodeInt64(o.ServerID),
		metaLiveState: []byte(firstStateDir), metaCompleteFrom: encodeInt64(int64(base)),
	} {
		err = errors.Join(err, b.Set(metaKey(name), v, nil))
	}
	if err == nil {
		err = l.db.Apply(b, pebble.Sync)
	}
	if err == nil {
		err = l.db.Flush() // into a table of its own; see setEpoch
	}
	return errors.Join(err, l.Close())
}

func (o *opening) logOptions(dir string) LogOptions {
	opts := o.Log
	opts.Dir, opts.FS, opts.Logger = dir, o.fs, o.logger
	return opts
}

func (o *opening) openLog() error {
	opts := o.logOptions(o.logDir())
	opts.mustExist = true
	l, err := OpenLog(opts)
	if err != nil {
		return o.openError(o.logDir(), err)
	}
	o.log = l
	v, ok, err := getMeta(l.db, metaStoreID)
	if err != nil {
		return err
	}
	if !ok {
		return &CorruptionError{Path: o.logDir(), Key: "m" + metaStoreID, Err: errors.New("no store id")}
	}
	if o.id, err = decodeStoreID(v); err != nil {
		return err
	}
	if err := o.checkFormat(l.db, o.logDir(), formatLog, logMigrations()); err != nil {
		return err
	}
	if err := o.checkOwner(l.db); err != nil {
		return err
	}
	return o.checkOrigin()
}

// openState opens the state the log names, and makes it for a log that never had an entry.
func (o *opening) openState() error {
	v, _, err := getMeta(o.log.db, metaLiveState)
	if err != nil {
		return err
	}
	name, err := decodeLiveState(v)
	if err != nil {
		return err
	}
	dir := o.stateDir(name)
	there, err := o.there(dir)
	if err != nil {
		return err
	}
	if !there && o.wasImported {
		if there, err = o.there(dir + newSuffix); err != nil {
			return err
		}
		if there { // see build.go
			if err := o.nameState(name); err != nil {
				return err
			}
		}
	}
	if !there {
		if o.log.LastLogged() != 0 || o.log.CompleteFrom() != 0 || name != firstStateDir {
			return o.forgotten("restore the folder or set the right dataDir; to begin with nothing, move the log's folder away as well",
				"the log in %s has entries up to %v, but its state in %s is missing", o.logDir(), jute.Zxid(o.log.LastLogged()), dir)
		}
		if err := o.create(dir, o.fillState); err != nil {
			return err
		}
	}
	opts := o.stateOptions(dir)
	opts.mustExist = true
	s, err := OpenState(opts)
	if err != nil {
		return o.openError(dir, err)
	}
	o.state = s
	return nil
}

func (o *opening) stateOptions(dir string) StateOptions {
	opts := o.State
	opts.Dir, opts.FS, opts.Logger = dir, o.fs, o.logger
	return opts
}

func (o *opening) fillState(dir string) error {
	s, err := OpenState(o.stateOptions(dir))
	if err != nil {
		return err
	}
	err = s.identify(o.id, o.ServerID)
	return errors.Join(err, s.Close()) // Close makes it durable
}

// identify gives a new store its identity.
func (s *State) identify(id StoreID, serverID int64) error {
	b := s.NewBatch(0)
	b.SetMeta(metaFormat, encodeUint32(formatState))
	b.SetMeta(metaStoreID, id[:])
	b.SetMeta(metaServerID, encodeInt64(serverID))
	return b.Commit(0)
}

// checkFormat refuses a newer layout of ours and migrates an older one.
func (o *opening) checkFormat(db *pebble.DB, dir string, want uint32, steps map[uint32]migration) error {
	v, ok, err := getMeta(db, metaFormat)
	if err != nil {
		return err
	}
	if !ok {
		return &CorruptionError{Path: dir, Key: "m" + metaFormat, Err: errors.New("no format number")}
	}
	have, err := decodeUint32(metaFormat, v)
	if err != nil {
		return err
	}
	if have > want {
		return o.refuse(nil, "use the newer version of this program that wrote it", "the store in %s has format %d, this program knows %d", dir, have, want)
	}
	for ; have < want; have++ {
		step, ok := steps[have]
		if !ok {
			return o.refuse(nil, "use an older version of this program first", "the store in %s has format %d, which is too old", dir, have)
		}
		if err := step(db); err != nil {
			return fmt.Errorf("persistence: migrate %s from format %d: %w", dir, have, err)
		}
	}
	return nil
}

// checkPair checks the state against the log.
func (o *opening) checkPair() error {
	s := o.state
	v, ok, err := s.Meta(metaStoreID)
	if err != nil {
		return err
	}
	if !ok {
		return &CorruptionError{Path: s.o.Dir, Key: "m" + metaStoreID, Err: errors.New("no store id")}
	}
	id, err := decodeStoreID(v)
	if err != nil {
		return err
	}
	if id != o.id {
		if err := o.checkOwner(s.db); err != nil {
			return err
		}
		return o.forgotten("put folders together that belong together: a restored or moved folder is the wrong one",
			"the state in %s has store id %v, the log in %s has %v", s.o.Dir, id, o.logDir(), o.id)
	}
	if err := o.checkFormat(s.db, s.o.Dir, formatState, stateMigrations()); err != nil {
		return err
	}
	if err := o.checkServerID(); err != nil {
		return err
	}
	applied, logged, complete := jute.Zxid(s.Applied()), jute.Zxid(o.log.LastLogged()), o.log.CompleteFrom()
	if applied < complete {
		return o.forgotten("restore the newer state folder; the log no longer has what it lacks",
			"the state in %s ends at zxid %v and the log in %s begins after %v", s.o.Dir, applied, o.logDir(), complete)
	}
	if logged < applied {
		return o.forgotten("restore the newer log folder; writes this server acknowledged may be in it",
			"the log in %s ends at zxid %v, the state in %s is at %v", o.logDir(), logged, s.o.Dir, applied)
	}
	return nil
}

// checkOwner refuses a store of another member of the ensemble: nothing of that may be put aside.
func (o *opening) checkOwner(store pebble.Reader) error {
	id, err := getMetaInt64(store, metaServerID)
	if err == nil && o.Ensemble && id != 0 && id != o.ServerID {
		err = o.refuse(nil, "set the right myid, or the right dataDir", "the folders are of server %d, this is server %d", id, o.ServerID)
	}
	return err
}

// checkServerID compares myid with both stores. A store made standalone (0) takes on the id that it
// first gets in an ensemble; the log first, so that a crash in between leaves a 0 in the state, which
// matches.
func (o *opening) checkServerID() error {
	inLog, err := getMetaInt64(o.log.db, metaServerID)
	if err != nil {
		return err
	}
	inState, err := getMetaInt64(o.state.db, metaServerID)
	if err != nil {
		return err
	}
	if inLog != inState && inState != 0 {
		return o.refuse(nil, "put folders together that belong together", "the log in %s is of server %d, the state in %s of server %d", o.logDir(), inLog, o.state.o.Dir, inState)
	}
	if inLog != o.ServerID && inLog != 0 && o.ServerID != 0 {
		return o.refuse(nil, "set the right myid, or the right dataDir", "the folders are of server %d, this is server %d", inLog, o.ServerID)
	}
	id := max(inLog, o.ServerID)
	if inLog != id {
		if err := o.log.db.Set(metaKey(metaServerID), encodeInt64(id), pebble.Sync); err != nil {
			return fmt.Errorf("persistence: set the server id: %w", err)
		}
		if err := o.log.db.Flush(); err != nil {
			return fmt.Errorf("persistence: set the server id: %w", err)
		}
	}
	if inState != id {
		b := o.state.NewBatch(0)
		b.SetMeta(metaServerID, encodeInt64(id))
		if err := b.Commit(o.state.Applied()); err != nil {
			return err
		}
		return o.state.db.Flush()
	}
	return nil
}
