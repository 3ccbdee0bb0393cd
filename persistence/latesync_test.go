package persistence

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"zk/jute"
	"zk/persistence/crashdisk"
)

// syncsOf counts the syncs below a folder, by file, and fails those of one kind of file.
type syncsOf struct {
	dir  string
	mu   sync.Mutex
	seen map[string]int // guarded by mu
	fail string         // guarded by mu
}

var errSync = errors.New("no sync")

func (*syncsOf) String() string { return "syncs" }

func (s *syncsOf) MaybeError(op errorfs.Op) error {
	if op.Kind != errorfs.OpFileSync && op.Kind != errorfs.OpFileSyncData || !strings.HasPrefix(op.Path, s.dir) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[op.Path]++
	if s.fail != "" && strings.HasSuffix(op.Path, s.fail) {
		return errSync
	}
	return nil
}

// other is how many files and folders were synced but for tables.
func (s *syncsOf) other() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.seen {
		if !strings.HasSuffix(name, ".sst") {
			n++
		}
	}
	return n
}

// fillSide commits n batches, each of which becomes a table.
func fillSide(t *testing.T, side *State, n int) {
	t.Helper()
	value := []byte(strings.Repeat("v", 1000))
	for i := range n {
		b := side.NewBatch(0)
		for k := range 100 {
			b.SetNode(fmt.Sprintf("/n%d-%d", i, k), value)
		}
		if err := b.Commit(side.Applied()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSideStoreSyncs fills a side store: nothing waits for a sync but its first Flush, and a power cut behind the
// adoption takes nothing away.
func TestSideStoreSyncs(t *testing.T) {
	disk := crashdisk.New()
	syncs := &syncsOf{dir: "data/zk-state-2", seen: map[string]int{}}
	r, err := Open(Options{DataDir: "data", FS: errorfs.Wrap(disk, syncs), State: StateOptions{FlushBytes: 64 << 10, MemtableBytes: 64 << 10}})
	if err != nil {
		t.Fatal(err)
	}
	r.Log.Start(nil, func(err error) { t.Error(err) })
	side, err := r.NewSide(nil)
	if err != nil {
		t.Fatal(err)
	}
	const tables = 2 * stateL0Tables
	fillSide(t, side, tables)
	done, err := side.FlushAsync()
	if err != nil {
		t.Fatal(err)
	}
	<-done
	if m := side.db.Metrics(); m.Levels[0].TablesCount < stateL0Tables || m.Compact.Count > 0 {
		t.Errorf("%d tables, %d compactions", m.Levels[0].TablesCount, m.Compact.Count)
	}
	if n := syncs.other(); n != 0 || side.DurableApplied() != 0 {
		t.Errorf("%d syncs of files that are not tables while the store is filled: %v", n, syncs.seen)
	}
	base := jute.Zxid(7)
	old, err := r.Adopt(side, base)
	if err != nil {
		t.Fatal(err)
	}
	if got := side.DurableApplied(); got != Applied(base) {
		t.Errorf("durable up to %v", got)
	}
	after := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0})
	fillSide(t, side, 1) // the syncs of an adopted store are its own
	if err := side.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Discard(old), r.Close()); err != nil {
		t.Fatal(err)
	}
	for _, fs := range []vfs.FS{after, disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0})} {
		r, err = Open(Options{DataDir: "data", FS: fs})
		if err != nil {
			t.Fatal(err)
		}
		for i := range tables {
			if rec, ok, err := r.State.GetNode(fmt.Sprintf("/n%d-99", i), nil); err != nil || !ok || len(rec) != 1000 {
				t.Errorf("a node of table %d: %d bytes, found %t: %v", i, len(rec), ok, err)
			}
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestSideStoreFailedSync: a side store one of whose files can't be synced is not adopted, and what was there
// stays.
func TestSideStoreFailedSync(t *testing.T) {
	for _, file := range []string{".sst", "MANIFEST-000001", "zk-state-2"} {
		t.Run(file, func(t *testing.T) {
			syncs := &syncsOf{dir: "data/zk-state-2", seen: map[string]int{}}
			r := adoptRig(t, errorfs.Wrap(vfs.NewMem(), syncs), 10)
			side := sideWith(t, r, "new")
			syncs.mu.Lock()
			syncs.fail = file
			syncs.mu.Unlock()
			fillSide(t, side, 1)
			done, err := side.FlushAsync()
			if err != nil {
				t.Fatal(err)
			}
			<-done
			if _, err := r.Adopt(side, 10); !errors.Is(err, errSync) {
				t.Fatal("adopted:", err)
			}
			syncs.mu.Lock()
			syncs.fail = ""
			syncs.mu.Unlock()
			checkRoot(t, r.State, "old")
			if err := errors.Join(r.Discard(side), r.Close()); err != nil {
				t.Error(err)
			}
		})
	}
}
