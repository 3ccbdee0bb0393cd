package javafile

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
	"zk/persistence"
)

// VersionDir is the folder inside dataDir, and inside dataLogDir, that holds Java's files.
const VersionDir = "version-2"

// Names of the files in a VersionDir.
const (
	SnapshotPrefix    = "snapshot"
	LogPrefix         = "log"
	AcceptedEpochFile = "acceptedEpoch"
	CurrentEpochFile  = "currentEpoch"
)

// MyIDFile is the file in dataDir with the server's id.
const MyIDFile = "myid"

// File is a snapshot or a transaction log.
type File struct {
	Zxid  jute.Zxid // of the name: where a snapshot was begun, the first entry of a log
	Path  string
	Bytes int64
}

// Folder is what a server of Java has on its disk. It is read only.
type Folder struct {
	FS vfs.FS
	// SnapDir and LogDir are the folders version-2 of dataDir and dataLogDir.
	SnapDir, LogDir string
	Snapshots       []File // those that look whole, the newest first
	Logs            []File // the oldest first
}

// OpenFolder lists the files of Java in dataDir and dataLogDir; an empty dataLogDir is dataDir. A folder that is
// not there holds nothing. As in Java, files in the wrong one of two folders are an error.
func OpenFolder(fs vfs.FS, dataDir, dataLogDir string) (*Folder, error) {
	if dataLogDir == "" {
		dataLogDir = dataDir
	}
	f := &Folder{FS: fs, SnapDir: fs.PathJoin(dataDir, VersionDir), LogDir: fs.PathJoin(dataLogDir, VersionDir)}
	var misplaced []File
	var err error
	if f.Snapshots, misplaced, err = f.list(f.SnapDir); err != nil {
		return nil, err
	}
	if f.SnapDir == f.LogDir {
		f.Logs = misplaced
	} else {
		if len(misplaced) > 0 {
			return nil, fmt.Errorf("javafile: %s is a transaction log in the folder of the snapshots, but dataLogDir is %s; Java refuses that, too: set the right dataLogDir, or move the logs there",
				misplaced[0].Path, dataLogDir)
		}
		if misplaced, f.Logs, err = f.list(f.LogDir); err != nil {
			return nil, err
		}
		if len(misplaced) > 0 {
			return nil, fmt.Errorf("javafile: %s is a snapshot in the folder of the transaction logs; Java refuses that, too: set the right dataDir, or move the snapshots there",
				misplaced[0].Path)
		}
	}
	newest := func(a, b File) int { return cmp.Compare(b.Zxid, a.Zxid) }
	slices.SortFunc(f.Snapshots, newest)
	slices.SortFunc(f.Logs, newest)
	slices.Reverse(f.Logs)
	return f, nil
}

// Empty tells whether there is neither a snapshot nor a log. Epoch files alone are no data.
func (f *Folder) Empty() bool { return len(f.Snapshots) == 0 && len(f.Logs) == 0 }

// list finds snapshots and logs in a folder.
func (f *Folder) list(dir string) (snapshots, logs []File, err error) {
	info, err := f.FS.Stat(dir)
	if errors.Is(err, os.ErrNotExist) || err == nil && !info.IsDir() { // a file is what a seal leaves; see persistence.Seal
		return nil, nil, nil
	}
	var names []string
	if err == nil {
		names, err = f.FS.List(dir)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("javafile: list %s: %w", dir, err)
	}
	for _, name := range names {
		list := &logs
		zxid, ok := zxidOfName(name, LogPrefix)
		if !ok {
			list = &snapshots
			if zxid, ok = zxidOfName(name, SnapshotPrefix); !ok {
				continue
			}
		}
		v := File{Zxid: zxid, Path: f.FS.PathJoin(dir, name)}
		info, err := f.FS.Stat(v.Path)
		if err != nil {
			return nil, nil, fmt.Errorf("javafile: list %s: %w", dir, err)
		}
		v.Bytes = info.Size()
		*list = append(*list, v)
	}
	return snapshots, logs, nil
}

// zxidOfName reads the zxid of a file's name: what is between the first and the second dot, in hex (Java:
// Util.getZxidFromName).
func zxidOfName(name, prefix string) (jute.Zxid, bool) {
	parts := strings.Split(name, ".")
	if len(parts) < 2 || parts[0] != prefix {
		return 0, false
	}
	z, err := strconv.ParseInt(parts[1], 16, 64)
	return jute.Zxid(z), err == nil && z >= 0
}

// SnapshotName is the name of a snapshot that was begun at z.
func SnapshotName(z jute.Zxid) string { return SnapshotPrefix + "." + strconv.FormatInt(int64(z), 16) }

// LogName is the name of a log whose first entry is z.
func LogName(z jute.Zxid) string { return LogPrefix + "." + strconv.FormatInt(int64(z), 16) }

// plainBytesMin and plainEnd are what Java wants of an uncompressed snapshot before it reads it: a seal's last
// bytes at its end.
const (
	plainBytesMin = 10
	plainEnd      = "\x00\x00\x00\x01/"
)

// Stamp changes when a file in the folders comes, goes, or is written to.
func (f *Folder) Stamp() (string, error) {
	var b strings.Builder
	for _, dir := range []string{f.SnapDir, f.LogDir} {
		names, err := f.FS.List(dir)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("javafile: list %s: %w", dir, err)
		}
		slices.Sort(names)
		for _, name := range names {
			info, err := f.FS.Stat(f.FS.PathJoin(dir, name))
			if err != nil {
				return "", fmt.Errorf("javafile: list %s: %w", dir, err)
			}
			fmt.Fprintln(&b, name, info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String(), nil
}

// LooksWhole tells whether a snapshot passes the test that Java makes before it reads one (SnapStream.
// isValidSnapshot): most that a crash has cut short don't.
func (f *Folder) LooksWhole(s File) (ok bool, err error) {
	file, err := f.FS.Open(s.Path)
	if err != nil {
		return false, fmt.Errorf("javafile: open %s: %w", s.Path, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	magic := ""
	switch {
	case strings.HasSuffix(s.Path, ".gz"):
		magic = gzipMagic
	case strings.HasSuffix(s.Path, ".snappy"):
		magic = snappyMagic
	}
	b, at, want := make([]byte, len(plainEnd)), s.Bytes-int64(len(plainEnd)), plainEnd
	if magic != "" {
		b, at, want = make([]byte, len(magic)), 0, magic
	} else if s.Bytes < plainBytesMin {
		return false, nil
	}
	switch _, err := file.ReadAt(b, at); {
	case errors.Is(err, io.EOF):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("javafile: read %s: %w", s.Path, err)
	}
	return string(b) == want, nil
}

// Entries calls fn for each entry with a zxid after the given one, in the order of the files and with what it
// needs to name the place. Damage is judged as Java judges it; besides, zxids must follow each other without a
// gap from after on, as only a file whose end is missing leaves one (Java 3.9.5 refuses most of these: "Committed
// proposal cached out of order"). b is valid during the call.
func (f *Folder) Entries(after jute.Zxid, o ReadOptions, fn func(p *jute.Proposal, b []byte, at Place) error) error {
	logs := f.Logs
	for len(logs) > 1 && logs[1].Zxid <= after {
		logs = logs[1:]
	}
	w := &logWalk{f: f, o: o, last: after, fn: fn}
	for i, log := range logs {
		if log.Bytes == 0 && i == len(logs)-1 {
			break // just made when the server ended: Java deletes it
		}
		if err := w.file(log); err != nil {
			return err
		}
	}
	return nil
}

// Last is the newest zxid that snapshots and logs have, 0 for none.
func (f *Folder) Last(o ReadOptions) (last jute.Zxid, at string, err error) {
	for _, s := range f.Snapshots {
		ok, err := f.LooksWhole(s)
		if err != nil {
			return 0, "", err
		}
		if ok {
			last, at = s.Zxid, s.Path
			break
		}
	}
	for _, log := range slices.Backward(f.Logs) {
		z, err := f.lastOf(log, o)
		if err != nil {
			return 0, "", err
		}
		if z > last {
			last, at = z, log.Path
		}
		if z != 0 {
			break
		}
	}
	return last, at, nil
}

// lastOf is the last zxid of a log, 0 when it has no entry.
func (f *Folder) lastOf(log File, o ReadOptions) (last jute.Zxid, err error) {
	if log.Bytes == 0 {
		return 0, nil
	}
	w := &logWalk{f: f, o: o, any: true, fn: func(p *jute.Proposal, _ []byte, _ Place) error {
		last = max(last, p.Header.Zxid)
		return nil
	}}
	return last, w.file(log)
}

// Place is where in Java's files something is.
type Place struct {
	Path   string
	Offset int64
}

// logWalk is one call of Entries.
type logWalk struct {
	f    *Folder
	o    ReadOptions
	last jute.Zxid
	fn   func(*jute.Proposal, []byte, Place) error
	prop jute.Proposal
	torn string // where and how the file before ended, when a crash left it so
	any  bool   // every entry counts, wherever it comes
}

// file walks over one file.
func (w *logWalk) file(log File) (err error) {
	file, err := w.f.FS.Open(log.Path, vfs.SequentialReadsOption)
	if err != nil {
		return fmt.Errorf("javafile: open %s: %w", log.Path, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	w.o.Name = log.Path
	r, err := NewLogReader(file, w.o)
	if err != nil {
		return err
	}
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := w.entry(b, Place{log.Path, r.Offset()}); err != nil {
			return err
		}
	}
	w.torn = ""
	if e := r.End(); e == EndCut || e == EndTorn {
		w.torn = fmt.Sprintf("; %s ends at offset %d with %v", log.Path, r.Offset(), e)
	}
	return nil
}

// entry decodes an entry and gives it to fn.
func (w *logWalk) entry(b []byte, at Place) error {
	bad := func(err error) error {
		return &persistence.CorruptionError{Path: at.Path, Offset: at.Offset, Key: "transaction log", Err: err}
	}
	d := jute.NewDecoder(b, max(w.o.BytesMax, len(b)))
	if w.prop.Decode(&d); d.Err() != nil {
		return bad(fmt.Errorf("an entry that can't be read: %w", d.Err()))
	}
	z := w.prop.Header.Zxid
	if z <= w.last && !w.any {
		return nil // in the snapshot, or logged twice
	}
	if !w.any && !persistence.Follows(w.last, z) {
		return bad(fmt.Errorf("zxid %v comes after %v: transactions in between are missing%s", z, w.last, w.torn))
	}
	w.last = z
	return w.fn(&w.prop, b, at)
}
