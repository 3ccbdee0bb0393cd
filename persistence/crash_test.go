package persistence

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"zk/persistence/crashdisk"
)

// crashes cuts the power at every operation that changes the disk, in one run: each time it keeps what a
// restart would find.
type crashes struct {
	fs *crashdisk.Disk // what the stores run on is crashdisk.Injected(fs, the crashes)

	mu    sync.Mutex
	on    bool
	stage int // set by the test: how far it is
	disks []crashed
}

// crashed is a disk after a power cut.
type crashed struct {
	fs    *crashdisk.Disk
	stage int
	text  string
}

func newCrashes() (*crashes, vfs.FS) {
	c := &crashes{fs: crashdisk.New()}
	return c, crashdisk.Injected(c.fs, c)
}

// at begins to cut, or says that a stage was reached: what it promises holds from here on.
func (c *crashes) at(stage int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.on, c.stage = true, stage
}

func (c *crashes) String() string { return "crashes" }

// MaybeError implements errorfs.Injector. Half of the disks lose all that was not synced, others keep half.
func (c *crashes) MaybeError(op errorfs.Op) error {
	switch op.Kind {
	case errorfs.OpFileWrite, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo, errorfs.OpCreate, errorfs.OpRename, errorfs.OpMkdirAll, errorfs.OpRemove,
		errorfs.OpRemoveAll, errorfs.OpReuseForWrite, errorfs.OpLink:
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.on {
			n := len(c.disks)
			c.disks = append(c.disks, crashed{
				fs:    c.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: n % 2 * 50, RNG: rand.New(rand.NewPCG(1, uint64(n)))}),
				stage: c.stage, text: fmt.Sprintf("crash %d, stage %d, at %v of %s", n, c.stage, op.Kind, op.Path),
			})
		}
	}
	return nil
}

// check opens each disk and looks at it. There have to be at least some of each stage.
func (c *crashes) check(t *testing.T, stages int, look func(t *testing.T, fs vfs.FS, stage int)) {
	t.Helper()
	c.at(stages)
	c.on = false
	seen := make([]int, stages)
	for _, d := range c.disks {
		t.Run(d.text, func(t *testing.T) { look(t, d.fs, d.stage) })
		if t.Failed() {
			return
		}
		seen[d.stage]++
	}
	for stage, n := range seen {
		if n == 0 {
			t.Errorf("no crash in stage %d of %v", stage, seen)
		}
	}
	t.Logf("crashes by stage: %v", seen)
}
