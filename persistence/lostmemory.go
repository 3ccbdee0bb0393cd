package persistence

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A member of an ensemble whose stores don't hold what it once acknowledged takes part all the same (I9): without
// a vote that counts, until a leader that is established has given it the whole history. It stays one until
// then, over crashes and restarts. So a file in dataLogDir says so, beside the stores and not in one of them,
// which may be what is broken:
//
//	zk-lost-memory written, synced | stores renamed to *.lost | new stores made | SNAP adopted | leader
//	established: zk-lost-memory removed | *.lost removed
//
// While the file is there each start makes new stores: what a leader gave that was never established must
// not be voted with. What was there first is kept under its other name for the whole time.
//
// Removed by hand, or of another server, a store is not lost memory but a mistake of an operator, and is refused.

const (
	lostFileName = "zk-lost-memory"
	keptLost     = ".lost"
	// initializeFileName is Java's: who makes it vouches that this server is empty because it is new (zkServer-initialize.sh).
	initializeFileName = "initialize"
)

// LostMemory says why a server does not know what it once acknowledged.
type LostMemory struct {
	// Reason has the file and the offset, where one is to blame.
	Reason string
	// Kept are the folders that what was there is kept in until it is no longer needed.
	Kept []string
}

// lostError is a StartError for which a member of an ensemble has lost its memory.
type lostError struct{ *StartError }

func (e lostError) Unwrap() error { return e.StartError }

// forgotten makes an error of what the stores lack.
func (o *opening) forgotten(remedy, reason string, args ...any) error {
	return lostError{o.refuse(nil, remedy, reason, args...).(*StartError)}
}

// remember opens the stores of a member of an ensemble; those of one that has lost its memory are new.
func (o *opening) remember() (*Recovered, error) {
	l, lost, err := readLost(o.fs, o.DataLogDir)
	if err != nil {
		return nil, err
	}
	if !lost {
		r, err := o.openUnless()
		if r != nil || err != nil && !isLoss(err) {
			return r, err
		}
		if l.reason = "the server was started with --rejoin"; err != nil {
			l.reason = err.Error()
		}
		o.logger.Error("this server has lost its memory", "reason", l.reason)
		if err := l.write(o.fs, o.DataLogDir); err != nil {
			return nil, err
		}
	}
	if err := o.makeFolders(); err != nil {
		return nil, err
	}
	if err := o.setAside(l); err != nil {
		return nil, err
	}
	again := newOpening(o.Options) // the stores of o are closed
	r, err := again.open()
	if err != nil {
		return nil, err
	}
	kept, err := lostDirs(o.fs, o.DataDir, o.DataLogDir)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	r.Lost = &LostMemory{Reason: l.reason, Kept: kept}
	o.logger.Warn("this server takes part without a vote until a leader has given it the whole tree", "reason", l.reason, "kept", kept)
	return r, nil
}

// openUnless opens the stores as they are, unless they are to be given up.
func (o *opening) openUnless() (*Recovered, error) {
	if o.Rejoin {
		return nil, o.checkFolders()
	}
	r, err := o.open()
	if err != nil {
		return nil, err
	}
	if err := r.vouch(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	if o.NoDBAutoCreate && r.Empty() {
		return nil, errors.Join(o.forgotten("", "the data folder is empty, zookeeper.db.autocreate is false and there is no file %s", o.fs.PathJoin(o.DataDir, initializeFileName)), r.Close())
	}
	return r, nil
}

// isLoss tells whether an error of opening says that what was acknowledged is not there, rather than that it
// can't be got at, or is somebody else's.
func isLoss(err error) bool {
	var corrupt *CorruptionError
	var lost lostError
	return errors.As(err, &corrupt) || errors.As(err, &lost)
}

// setAside renames the stores of a server that has lost its memory; from then on it removes those made since.
func (o *opening) setAside(l lostFile) error {
	names, err := stateDirs(o.fs, o.DataDir)
	if err != nil {
		return fmt.Errorf("persistence: list %s: %w", o.DataDir, err)
	}
	dirs := []string{o.logDir()}
	for _, name := range names {
		dirs = append(dirs, o.stateDir(name))
	}
	for _, dir := range dirs {
		there, err := o.there(dir)
		kept := false
		if err == nil {
			kept, err = o.there(dir + keptLost)
		}
		if err == nil && there {
			err = o.giveUp(dir, l.kept || kept)
		}
		if err != nil {
			return err
		}
	}
	l.kept = true
	return l.write(o.fs, o.DataLogDir)
}

// giveUp renames a store's folder, or removes it. A server that runs on it keeps it.
func (o *opening) giveUp(dir string, remove bool) error {
	lock, err := pebble.LockDirectory(dir, o.fs)
	if err != nil {
		return o.openError(dir, &lockError{dir: dir, err: err})
	}
	if err = lock.Close(); err == nil && remove {
		err = o.fs.RemoveAll(dir)
	} else if err == nil {
		err = o.fs.Rename(dir, dir+keptLost)
	}
	if err == nil {
		err = syncDir(o.fs, o.fs.PathDir(dir))
	}
	if err != nil {
		return fmt.Errorf("persistence: put %s aside: %w", dir, err)
	}
	return nil
}

// lostDirs finds what was kept of a lost memory.
func lostDirs(fs vfs.FS, dataDir, dataLogDir string) (dirs []string, err error) {
	in := []string{dataDir}
	if dataLogDir != dataDir {
		in = append(in, dataLogDir)
	}
	for _, dir := range in {
		names, err := fs.List(dir)
		if err != nil {
			return nil, fmt.Errorf("persistence: list %s: %w", dir, err)
		}
		for _, name := range names {
			if whole, ok := strings.CutSuffix(name, keptLost); ok {
				if _, _, state := stateDirNumber(whole); state || whole == logDirName {
					dirs = append(dirs, fs.PathJoin(dir, name))
				}
			}
		}
	}
	return dirs, nil
}

// lostFile is the content of the file.
type lostFile struct {
	reason string
	kept   bool // the stores that were there were renamed
}

const lostKept = "kept: what was there has names that end in " + keptLost

// readLost reads the file.
func readLost(fs vfs.FS, dataLogDir string) (l lostFile, lost bool, err error) {
	if info, err := fs.Stat(dataLogDir); err != nil || !info.IsDir() {
		return l, false, nil // which is refused for what it is
	}
	b, err := readWhole(fs, fs.PathJoin(dataLogDir, lostFileName))
	if errors.Is(err, os.ErrNotExist) {
		return l, false, nil
	}
	if err != nil {
		return l, false, fmt.Errorf("persistence: read %s: %w", lostFileName, err)
	}
	l.reason, l.kept = strings.CutSuffix(string(b), "\n"+lostKept+"\n")
	l.reason = strings.TrimSuffix(l.reason, "\n")
	return l, true, nil
}

// write writes the file, which is durable when this returns.
func (l lostFile) write(fs vfs.FS, dataLogDir string) error {
	text := l.reason + "\n"
	if l.kept {
		text += lostKept + "\n"
	}
	path := fs.PathJoin(dataLogDir, lostFileName)
	f, err := fs.Create(path+newSuffix, vfs.WriteCategoryUnspecified)
	if err == nil {
		_, err = f.Write([]byte(text))
		if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
			err = errors.Join(fs.Rename(path+newSuffix, path), syncDir(fs, dataLogDir))
		}
	}
	if err != nil {
		return fmt.Errorf("persistence: write %s: %w", path, err)
	}
	return nil
}

// Forget makes durable that this server has lost its memory: an empty one whose ensemble has a history (see
// Empty), or one that has met corrupt data. The next start makes new stores.
func (r *Recovered) Forget(reason string) error {
	r.lostMu.Lock()
	defer r.lostMu.Unlock()
	if r.Lost != nil {
		return nil
	}
	if err := (lostFile{reason: reason}).write(r.fs, r.o.DataLogDir); err != nil {
		return err
	}
	r.Lost = &LostMemory{Reason: reason}
	return nil
}

// Regained ends a lost memory: an established leader has given this server the whole history, which is
// adopted. It does nothing where none was lost.
func (r *Recovered) Regained() error {
	r.lostMu.Lock()
	defer r.lostMu.Unlock()
	if r.Lost == nil {
		return nil
	}
	err := r.fs.Remove(r.fs.PathJoin(r.o.DataLogDir, lostFileName))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("persistence: remove %s: %w", lostFileName, err)
	}
	if err := syncDir(r.fs, r.o.DataLogDir); err != nil {
		return fmt.Errorf("persistence: remove %s: %w", lostFileName, err)
	}
	r.Lost = nil
	if err := r.removeLost(); err != nil {
		r.logger.Warn("what was kept of the lost memory is not removed; the next start tries again", "err", err)
	}
	return nil
}

// removeLost removes what was kept.
func (r *Recovered) removeLost() error {
	dirs, err := lostDirs(r.fs, r.o.DataDir, r.o.DataLogDir)
	for _, dir := range dirs {
		err = errors.Join(err, r.fs.RemoveAll(dir), syncDir(r.fs, r.fs.PathDir(dir)))
	}
	return err
}

// Empty tells that this server has never had a history, nor promised to follow one, and that nobody vouches for
// it. It may be one of a new ensemble, or its disks were wiped: it can't tell. (Java takes the former for
// granted, and so can lose what was acknowledged.)
func (r *Recovered) Empty() bool {
	return r.Log.LastLogged() == 0 && r.Log.CurrentEpoch() == 0 && r.Log.AcceptedEpoch() == 0 && !r.vouched
}

// vouch takes note of Java's file initialize, and removes it as Java does at a start.
func (r *Recovered) vouch() error {
	_, ok, err := getMeta(r.Log.db, metaVouched)
	if err != nil {
		return err
	}
	r.vouched = ok
	for _, dir := range []string{r.o.DataLogDir, r.o.DataDir} {
		path := r.fs.PathJoin(dir, initializeFileName)
		if _, err := r.fs.Stat(path); err != nil {
			continue
		}
		if r.Empty() {
			if err := errors.Join(r.Log.db.Set(metaKey(metaVouched), nil, pebble.Sync), r.Log.db.Flush()); err != nil {
				return fmt.Errorf("persistence: note %s: %w", path, err)
			}
			r.vouched = true
		}
		if err := errors.Join(r.fs.Remove(path), syncDir(r.fs, dir)); err != nil {
			return fmt.Errorf("persistence: remove %s: %w", path, err)
		}
	}
	return nil
}
