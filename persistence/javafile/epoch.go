package javafile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
	"zk/persistence"
)

// tmpSuffix is the name of an epoch file whose writing was not finished (Java: AtomicFileOutputStream).
const tmpSuffix = ".tmp"

// numberBytesMax bounds the first line of a file that holds a number.
const numberBytesMax = 64

// Epochs are the two numbers by which a member of an ensemble knows where it stands.
type Epochs struct {
	Accepted, Current int64
	// Notes say what was not as the files had it, one sentence each.
	Notes []string
}

// Epochs reads the epoch files, which lie beside the snapshots, and holds them against the last zxid of
// snapshots and logs (Java: QuorumPeer.loadDataBase). A missing file stands for the epoch of that zxid. A last zxid
// of a later epoch than currentEpoch, which is how a server is left that was killed between writing the
// transactions and writing the epoch (ZOOKEEPER-1653: Java refuses to start on it for ever), is repaired: those
// transactions are the later epoch's, and the promise to it was made before.
func (f *Folder) Epochs(last jute.Zxid) (e Epochs, err error) {
	current, haveCurrent, err := f.number(CurrentEpochFile)
	if err != nil {
		return e, err
	}
	accepted, haveAccepted, err := f.number(AcceptedEpochFile)
	if err != nil {
		return e, err
	}
	e.Current, e.Accepted = int64(last.Epoch()), int64(last.Epoch())
	if haveCurrent {
		e.Current = current
	}
	if haveAccepted {
		e.Accepted = accepted
	}
	if int64(last.Epoch()) > e.Current {
		if err := f.repair(&e, int64(last.Epoch())); err != nil {
			return e, err
		}
	}
	if e.Accepted < e.Current {
		return e, fmt.Errorf("javafile: %s holds %d and %s %d: a server accepts an epoch before it adopts it, so one of the files is not of this folder's history; Java refuses that, too",
			f.FS.PathJoin(f.SnapDir, AcceptedEpochFile), e.Accepted, f.FS.PathJoin(f.SnapDir, CurrentEpochFile), e.Current)
	}
	return e, nil
}

// repair brings currentEpoch up to the epoch of the last zxid.
func (f *Folder) repair(e *Epochs, epoch int64) error {
	tmp, ok, err := f.number(CurrentEpochFile + tmpSuffix)
	if err != nil {
		return err
	}
	if ok && tmp >= epoch {
		e.Notes = append(e.Notes, fmt.Sprintf("currentEpoch is %d as %s has it", tmp, CurrentEpochFile+tmpSuffix))
		e.Current = tmp
	} else {
		e.Notes = append(e.Notes, fmt.Sprintf("currentEpoch was %d, but the last transaction is of epoch %d: set to that", e.Current, epoch))
		e.Current = epoch
	}
	if e.Accepted < e.Current {
		e.Notes = append(e.Notes, fmt.Sprintf("acceptedEpoch was %d: set to %d", e.Accepted, e.Current))
		e.Accepted = e.Current
	}
	return nil
}

// number reads a file whose first line is a decimal number, exactly as Java reads it: no blanks.
func (f *Folder) number(name string) (n int64, ok bool, err error) {
	return ReadNumber(f.FS, f.FS.PathJoin(f.SnapDir, name))
}

// ReadNumber reads an epoch file. ok is false when there is none.
func ReadNumber(fs vfs.FS, path string) (n int64, ok bool, err error) {
	line, ok, err := firstLine(fs, path)
	if err != nil || !ok {
		return 0, false, err
	}
	if n, err = strconv.ParseInt(line, 10, 64); err != nil || n < 0 {
		return 0, false, &persistence.CorruptionError{Path: path, Err: fmt.Errorf("%q is not an epoch", line)}
	}
	return n, true, nil
}

// ReadMyID reads the server's id in a data folder; blanks around it are allowed. ok is false when there is
// none.
func ReadMyID(fs vfs.FS, dataDir string) (id int64, ok bool, err error) {
	path := fs.PathJoin(dataDir, MyIDFile)
	line, ok, err := firstLine(fs, path)
	if err != nil || !ok {
		return 0, false, err
	}
	if id, err = strconv.ParseInt(strings.TrimSpace(line), 10, 64); err != nil || id < 0 {
		return 0, false, &persistence.CorruptionError{Path: path, Err: fmt.Errorf("%q is not a server's id", line)}
	}
	return id, true, nil
}

// WriteNumber writes an epoch file or myid and makes it durable.
func WriteNumber(fs vfs.FS, dir, name string, n int64) error {
	return WriteFile(fs, dir, name, func(w io.Writer) error {
		_, err := io.WriteString(w, strconv.FormatInt(n, 10))
		return err
	})
}

// WriteFile makes a file durable that has its name from the first byte on: the folder is nobody's yet, or the
// file is one that Java writes in place, too.
func WriteFile(fs vfs.FS, dir, name string, write func(io.Writer) error) error {
	path := fs.PathJoin(dir, name)
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("javafile: write %s: %w", path, err)
	}
	b := bufio.NewWriterSize(f, writeBytes)
	err = write(b)
	if err == nil {
		err = b.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("javafile: write %s: %w", path, err)
	}
	return SyncDir(fs, dir)
}

// SyncDir makes the names in a folder durable.
func SyncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err == nil {
		err = errors.Join(d.Sync(), d.Close())
	}
	if err != nil {
		return fmt.Errorf("javafile: sync %s: %w", dir, err)
	}
	return nil
}

// firstLine reads the first line of a small file, without what ends it.
func firstLine(fs vfs.FS, path string) (line string, ok bool, err error) {
	file, err := fs.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("javafile: open %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	line, err = bufio.NewReader(io.LimitReader(file, numberBytesMax)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", false, fmt.Errorf("javafile: read %s: %w", path, err)
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), true, nil
}
