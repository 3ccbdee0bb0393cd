package crashdisk

import (
	"io"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// Disk is a file system in memory that knows what is synced. It is used as vfs.MemFS is.
type Disk struct {
	*vfs.MemFS
	copying sync.RWMutex // for writing while a copy is taken
}

// New gives an empty disk.
func New() *Disk { return &Disk{MemFS: vfs.NewCrashableMem()} }

// CrashClone gives the disk as a crash at this moment leaves it: what was synced, and of the rest the part
// that cfg says.
func (d *Disk) CrashClone(cfg vfs.CrashCloneCfg) *Disk {
	d.copying.Lock()
	defer d.copying.Unlock()
	return &Disk{MemFS: d.MemFS.CrashClone(cfg)}
}

func (d *Disk) Lock(name string) (io.Closer, error) {
	d.copying.RLock()
	defer d.copying.RUnlock()
	return d.MemFS.Lock(name)
}

func (d *Disk) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	d.copying.RLock()
	defer d.copying.RUnlock()
	return d.MemFS.ReuseForWrite(oldname, newname, category)
}

func (d *Disk) Link(oldname, newname string) error {
	d.copying.RLock()
	defer d.copying.RUnlock()
	return d.MemFS.Link(oldname, newname)
}

// Injected is errorfs.Wrap that also sees what is done to a write-ahead log that is used again.
func Injected(fs vfs.FS, i errorfs.Injector) vfs.FS { return injecting{errorfs.Wrap(fs, i)} }

type injecting struct{ *errorfs.FS }

func (fs injecting) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := fs.Rename(from, to); err != nil {
		return nil, err
	}
	return fs.OpenReadWrite(to, c)
}
