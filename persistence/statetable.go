package persistence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/server/lookout"
)

// nextTable begins the names of the files in the store's folder in which a large batch becomes tables. They count for
// nothing before Pebble has given them numbers; what a crash leaves of them is removed at the next start.
const nextTable = "next"

func isNextTable(fs vfs.FS, path string) bool { return strings.HasPrefix(fs.PathBase(path), nextTable) }

const (
	// aloneShare is which part of a memtable's size changes under one node have to have to become a table of their own.
	// Tables that don't overlap are merged apart, or not at all; and once nothing is left under the node, they go as a
	// whole (Emptied).
	aloneShare = 2
	// aloneMax is how many such tables a batch has at most: each takes a sync.
	aloneMax = 10
)

// tableSyncBytes is how much of a table is written before the system is asked to begin with the disk.
const tableSyncBytes = 512 << 10

const (
	// tableTurn is how many changes are written before others may have the processor.
	tableTurn = 64
	// tableRest bounds what they get each time: sets must not take long to write, as Apply waits in the end.
	tableRest = 250 * time.Microsecond
)

// wantsTable reports whether changes become tables of their own. To Pebble a batch of that size is not much else: it
// would copy it, sort it, and write it as one table of level 0. By ourselves that takes less: no second copy, keys
// compared by words, memory that is used again.
//
// A store whose merges can't follow gets them through Pebble, which makes the writer wait; and so does one that is
// filled before it counts, as nobody waits for the disk then.
func (s *State) wantsTable(c *changes) bool {
	if s.filling() || c.size() < s.o.MemtableBytes/2 {
		return false
	}
	return int(s.db.Metrics().Levels[0].Sublevels) < stateL0Stop
}

// commitTable writes changes as tables: all of them become visible and durable at once, after all that was committed
// before, for whose flush Pebble waits.
func (s *State) commitTable(c *changes, applied Applied) error {
	s.table.Lock()
	defer s.table.Unlock()
	c.order()
	var paths []string
	for _, part := range c.parts(max(s.o.MemtableBytes/aloneShare, c.size()/aloneMax)) {
		path := s.o.FS.PathJoin(s.o.Dir, fmt.Sprintf("%s%d.sst", nextTable, len(paths)))
		if err := s.writeTable(path, part); err != nil {
			return err
		}
		paths = append(paths, path)
	}
	s.countDeletes(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.fail.unlessFailed(func() error { return s.db.Ingest(context.Background(), paths) })
	if err != nil {
		return err
	}
	s.committed(c, applied)
	done := make(chan struct{})
	close(done)
	_, err = s.await(done) // in line behind the flushes under way, whose marks are lower
	return err
}

// writeTable writes changes that are in order as a table that is durable, but for its name.
func (s *State) writeTable(path string, c *changes) error {
	f, err := s.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	f = vfs.NewSyncingFile(f, vfs.SyncingFileOptions{BytesPerSync: tableSyncBytes})
	w := sstable.NewWriter(&tableFile{f}, s.tables)
	others := lookout.Lookout{Longest: tableRest}
	defer others.Close()
	n := 0
	c.each(func(key, value []byte, deleted bool) {
		if err != nil {
			return
		}
		if deleted {
			err = w.Delete(key)
		} else {
			err = w.Set(key, value)
		}
		if n++; n%tableTurn == 0 {
			others.Pause()
		}
	})
	return cmp.Or(err, w.Close())
}

// removeNextTables removes what a crash has left of tables that don't count.
func (s *State) removeNextTables() error {
	names, err := s.fs.List(s.o.Dir)
	if err != nil {
		return fmt.Errorf("persistence: look for tables that a crash has left: %w", err)
	}
	for _, name := range names {
		if isNextTable(s.fs, name) {
			if err := s.fs.Remove(s.fs.PathJoin(s.o.Dir, name)); err != nil {
				return fmt.Errorf("persistence: remove a table that a crash has left: %w", err)
			}
		}
	}
	return nil
}

// tableFS is a file system on which Pebble takes a table over by renaming it. By itself it makes a link and then removes
// the first name, which is one operation more, and not every file system has links. It is used by pointer: Pebble compares
// file systems, to which not every one lends itself, and copies the table to one that is not the same.
type tableFS struct{ vfs.FS }

// Link implements vfs.FS.
func (fs *tableFS) Link(from, to string) error {
	if isNextTable(fs, from) {
		return fs.FS.Rename(from, to)
	}
	return fs.FS.Link(from, to)
}

// Remove implements vfs.FS.
func (fs *tableFS) Remove(name string) error {
	err := fs.FS.Remove(name)
	if isNextTable(fs, name) && errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// Unwrap is how Pebble finds the file system below.
func (fs *tableFS) Unwrap() vfs.FS { return fs.FS }

// tableFile is a file for Pebble to write a table to.
type tableFile struct{ f vfs.File }

var _ objstorage.Writable = (*tableFile)(nil)

// Write implements objstorage.Writable.
func (t *tableFile) Write(p []byte) error {
	_, err := t.f.Write(p)
	return err
}

// Finish implements objstorage.Writable: it makes the file durable.
func (t *tableFile) Finish() error { return errors.Join(t.f.Sync(), t.f.Close()) }

// Abort implements objstorage.Writable.
func (t *tableFile) Abort() { _ = t.f.Close() } // the error that led here counts

// tableOptions are those of the tables of a store's level 0.
func tableOptions(o *pebble.Options) sstable.WriterOptions {
	o.EnsureDefaults()
	return o.MakeWriterOptions(0, o.FormatMajorVersion.MaxTableFormat())
}
