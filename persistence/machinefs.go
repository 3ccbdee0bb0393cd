package persistence

import "github.com/cockroachdb/pebble/v2/vfs"

// MachineFS is the machine's file system as the stores want it: write-ahead logs are synced by syncData.
func MachineFS() vfs.FS { return machineFS{vfs.Default} }

type machineFS struct{ vfs.FS }

func (d machineFS) wrap(name string, f vfs.File, err error) (vfs.File, error) {
	if err != nil || !isWAL(name) {
		return f, err
	}
	return diskWAL{f}, nil
}

func (d machineFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.Create(name, c)
	return d.wrap(name, f, err)
}

func (d machineFS) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.ReuseForWrite(from, to, c)
	return d.wrap(to, f, err)
}

// Unwrap is how Pebble finds the file system below.
func (d machineFS) Unwrap() vfs.FS { return d.FS }

// diskWAL is a WAL file of the machine.
type diskWAL struct{ vfs.File }

func (f diskWAL) SyncData() error { return syncData(f.File) }
