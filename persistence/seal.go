package persistence

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
)

// A server whose data has gone over to another must not come back: it would be a member of the ensemble that
// has forgotten what it acknowledged. So the folder that has served its time is kept under another name, and
// in its place lies a file with a note: what is there now, and how to go back by hand. Neither Java (which wants a
// folder version-2 and finds a file) nor this program (which wants a folder zk-log) starts on that.

// javaDirName is the folder inside dataDir and dataLogDir with Java's files (javafile.VersionDir; javafile
// builds on this package).
const javaDirName = "version-2"

// Suffixes of the names under which folders are kept.
const (
	keptJava = ".java"
	keptOurs = ".exported"
)

// noteBytesMax bounds what is read of a note.
const noteBytesMax = 4096

// SealJava puts the Java files in data folders out of use. It may be called again after a crash at any step.
// kept are the folders as they are named now; a data folder without any gets the note only.
func SealJava(fs vfs.FS, dirs []string, note func(kept string) string) (kept []string, err error) {
	for _, dir := range dirs {
		at := fs.PathJoin(dir, javaDirName)
		info, err := fs.Stat(at)
		if err == nil && !info.IsDir() {
			continue // done already
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return kept, fmt.Errorf("persistence: seal %s: %w", at, err)
		}
		to := ""
		if err == nil {
			if to, err = freeName(fs, at+keptJava); err != nil {
				return kept, err
			}
			kept = append(kept, to)
		}
		if err := replaceByNote(fs, at, to, note(to)); err != nil {
			return kept, err
		}
	}
	return kept, nil
}

// SealOurs puts both stores out of use; they are closed. to is where their content is now, which Exported gives
// again. note gets the names under which the folders are kept.
func SealOurs(fs vfs.FS, dataDir, dataLogDir, to string, note func(logDir string, stateDirs []string) string) error {
	fs = orDefaultFS(fs)
	states, err := stateDirs(fs, dataDir)
	if err != nil {
		return fmt.Errorf("persistence: seal %s: %w", dataDir, err)
	}
	log := fs.PathJoin(dataLogDir, logDirName)
	keptLog, err := freeName(fs, log+keptOurs)
	if err != nil {
		return err
	}
	var from, kept []string
	for _, name := range states {
		dir := fs.PathJoin(dataDir, name)
		as, err := freeName(fs, dir+keptOurs)
		if err != nil {
			return err
		}
		from, kept = append(from, dir), append(kept, as)
	}
	// The log goes first: without it the state is refused.
	if err := replaceByNote(fs, log, keptLog, note(keptLog, kept)+exportedTo+to+"\n"); err != nil {
		return err
	}
	for i, dir := range from {
		if err := fs.Rename(dir, kept[i]); err != nil {
			return fmt.Errorf("persistence: seal %s: %w", dir, err)
		}
	}
	return syncDir(fs, dataDir)
}

// UnkeptName is the name a folder had before it was kept under another.
func UnkeptName(kept string) string {
	for _, suffix := range []string{keptJava, keptOurs} {
		if i := strings.LastIndex(kept, suffix); i > 0 {
			return kept[:i]
		}
	}
	return kept
}

// NewJavaDir is the name of a folder for Java that is being made in a data folder.
func NewJavaDir(fs vfs.FS, dir string) string { return fs.PathJoin(dir, javaDirName+newSuffix) }

// PlaceJava gives folders for Java that were made and synced their name, in place of what SealJava left there. It
// may be called again after a crash.
func PlaceJava(fs vfs.FS, dirs []string) error {
	for _, dir := range dirs {
		at, made := fs.PathJoin(dir, javaDirName), NewJavaDir(fs, dir)
		_, err := fs.Stat(made)
		if errors.Is(err, os.ErrNotExist) {
			continue // done
		}
		if err == nil {
			err = fs.Remove(at) // a note, or an empty folder
		}
		if err == nil || errors.Is(err, os.ErrNotExist) {
			err = fs.Rename(made, at)
		}
		if err == nil {
			err = syncDir(fs, dir)
		}
		if err != nil {
			return fmt.Errorf("persistence: place %s: %w", at, err)
		}
	}
	return nil
}

// exportedTo begins the last line of the note in the place of an exported log.
const exportedTo = "exported to: "

// Exported tells whether the log's place is held by the note of an export, and where to that was.
func Exported(fs vfs.FS, dataDir, dataLogDir string) (to string, ok bool, err error) {
	if dataLogDir == "" {
		dataLogDir = dataDir
	}
	fs = orDefaultFS(fs)
	text, ok, err := readNote(fs, fs.PathJoin(dataLogDir, logDirName))
	if err != nil || !ok {
		return "", false, err
	}
	_, last, found := strings.Cut(text, exportedTo)
	if !found {
		return "", true, nil
	}
	return strings.TrimSuffix(last, "\n"), true, nil
}

// replaceByNote puts a note where a folder was, which gets another name ("": there is none).
func replaceByNote(fs vfs.FS, at, to, text string) error {
	tmp := at + ".note" + newSuffix
	err := writeFile(fs, tmp, text)
	if err == nil && to != "" {
		err = fs.Rename(at, to)
	}
	if err == nil {
		err = fs.Rename(tmp, at)
	}
	if err == nil {
		err = syncDir(fs, fs.PathDir(at))
	}
	if err != nil {
		return fmt.Errorf("persistence: seal %s: %w", at, err)
	}
	return nil
}

// writeFile makes a file durable, but for its name.
func writeFile(fs vfs.FS, path, text string) error {
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// readNote reads what lies in the place of a folder; ok is false for a folder, and where there is nothing.
func readNote(fs vfs.FS, path string) (text string, ok bool, err error) {
	info, err := fs.Stat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && info.IsDir() {
		return "", false, nil
	}
	var f vfs.File
	if err == nil {
		f, err = fs.Open(path)
	}
	if err != nil {
		return "", false, fmt.Errorf("persistence: read %s: %w", path, err)
	}
	b, err := io.ReadAll(io.LimitReader(f, noteBytesMax))
	if err = errors.Join(err, f.Close()); err != nil {
		return "", false, fmt.Errorf("persistence: read %s: %w", path, err)
	}
	return string(b), true, nil
}

// removeNote makes way for a folder.
func (o *opening) removeNote(path string) error {
	_, ok, err := readNote(o.fs, path)
	if err != nil || !ok {
		return err
	}
	return o.fs.Remove(path)
}

// freeName finds a name that is not taken: name, name.2, name.3 ...
func freeName(fs vfs.FS, name string) (string, error) {
	for n := 1; ; n++ {
		free := name
		if n > 1 {
			free += "." + strconv.Itoa(n)
		}
		_, err := fs.Stat(free)
		if errors.Is(err, os.ErrNotExist) {
			return free, nil
		}
		if err != nil {
			return "", fmt.Errorf("persistence: look for a free name: %w", err)
		}
	}
}

// Found is what lies in the data folders.
type Found struct {
	Ours bool // a log of this program
	Java bool // a snapshot or log of Java
}

// Look looks into the data folders without changing anything.
func Look(o Options) (f Found, err error) {
	op := newOpening(o)
	info, err := op.fs.Stat(op.logDir())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return f, op.refuse(err, "check its path and permissions", "folder %s can't be read", op.logDir())
	}
	f.Ours = err == nil && info.IsDir()
	f.Java = op.javaFile(op.DataDir) != "" || op.javaFile(op.DataLogDir) != ""
	return f, nil
}

// Imported is the last transaction that came from files of Java; ok is false for stores that were made otherwise.
func (r *Recovered) Imported() (last jute.Zxid, ok bool) { return r.imported, r.wasImported }

// FS is the file system of both stores.
func (r *Recovered) FS() vfs.FS { return r.fs }

// Unsealed are the data folders whose Java files are still to be put out of use.
func (r *Recovered) Unsealed() []string { return r.unsealed }

// Sealed notes that nothing is unsealed any more.
func (r *Recovered) Sealed() error {
	if err := r.Log.setMeta(map[string][]byte{metaUnsealed: nil}); err != nil {
		return err
	}
	r.unsealed = nil
	return nil
}
