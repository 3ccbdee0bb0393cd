package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Disk is a small ext4 disk of its own for a server: an image in memory, mounted by a loop device. It can be filled, and
// it can fail: from one moment on every write and every sync gives EIO, and what was not synced before is lost.
// It needs root on Linux, with mkfs.ext4 (e2fsprogs).
type Disk struct {
	// Dir is where it is mounted.
	Dir   string
	image string
}

const diskPrefix = "zk-disk-"

// unmountTimeout is how long a disk may be in use by a process that ends.
const unmountTimeout = 30 * time.Second

// NewDisk makes a disk. An error says why this machine can't have one. It ends with the test.
func NewDisk(t T, bytes int64) (*Disk, error) {
	sweepDisks()
	top, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", diskPrefix, os.Getpid()))
	if err != nil {
		return nil, fmt.Errorf("harness: making a folder: %w", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(top) })
	memory, d := filepath.Join(top, "memory"), &Disk{Dir: filepath.Join(top, "disk")}
	d.image = filepath.Join(memory, "image")
	if err := errors.Join(os.Mkdir(memory, 0o755), os.Mkdir(d.Dir, 0o755)); err != nil {
		return nil, fmt.Errorf("harness: making a folder: %w", err)
	}
	if err := mount(t, memory, "-t", "tmpfs", "-o", fmt.Sprintf("size=%d", bytes+bytes/8), "zk-disk"); err != nil {
		return nil, err
	}
	if err := MakeExt4(d.image, bytes); err != nil {
		return nil, err
	}
	return d, mount(t, d.Dir, "-o", "loop", d.image)
}

// Mount mounts something on a new folder, until the test ends.
func Mount(t T, args ...string) (dir string, err error) {
	if dir, err = os.MkdirTemp("", fmt.Sprintf("%s%d-", diskPrefix, os.Getpid())); err != nil {
		return "", fmt.Errorf("harness: making a folder: %w", err)
	}
	t.Cleanup(func() { _ = os.Remove(dir) })
	return dir, mount(t, dir, args...)
}

func mount(t T, dir string, args ...string) error {
	if out, err := exec.Command("mount", append(args, dir)...).CombinedOutput(); err != nil {
		return fmt.Errorf("harness: can't mount here: %w: %s", err, strings.TrimSpace(string(out)))
	}
	t.Cleanup(func() {
		if err := unmount(dir); err != nil {
			t.Logf("%v", err)
		}
	})
	return nil
}

// unmount waits for the end of processes that still have something open there.
func unmount(dir string) error {
	for end := time.Now().Add(unmountTimeout); ; time.Sleep(20 * time.Millisecond) {
		err := syscall.Unmount(dir, 0)
		if err == nil || errors.Is(err, syscall.EINVAL) { // not mounted
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("harness: unmounting %s: %w", dir, err)
		}
	}
}

// MakeExt4 makes the image of an ext4 disk, with nothing set aside for root.
func MakeExt4(image string, bytes int64) error {
	f, err := os.Create(image)
	if err == nil {
		err = errors.Join(f.Truncate(bytes), f.Close())
	}
	if err != nil {
		return fmt.Errorf("harness: making the image of a disk: %w", err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", "-m", "0", image).CombinedOutput(); err != nil {
		return fmt.Errorf("harness: can't make an ext4 disk here: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// FillDisk takes the room of the disk that a folder is on but for so many bytes.
func FillDisk(dir string, leave int64) (remove func() error, err error) {
	path := filepath.Join(dir, "filler")
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("harness: filling a disk: %w", err)
	}
	// In pieces: a server that is writing takes room meanwhile, and what is asked for beyond the rest is refused whole.
	for size, piece := int64(0), int64(1)<<62; piece > 0 && err == nil; {
		var st syscall.Statfs_t
		if err = syscall.Statfs(dir, &st); err != nil {
			break
		}
		if piece = min(piece, int64(st.Bavail)*st.Bsize-leave); piece <= 0 {
			break
		}
		switch err = syscall.Fallocate(int(f.Fd()), 0, size, piece); {
		case err == nil:
			size += piece
		case errors.Is(err, syscall.ENOSPC):
			piece, err = piece/2, nil
		}
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("harness: filling a disk: %w", err)
	}
	return func() error { return os.Remove(path) }, nil
}

// Fail makes the disk fail, until Replace.
func (d *Disk) Fail() error {
	const (
		shutdown  = 0x8004587d // EXT4_IOC_SHUTDOWN
		noJournal = 2          // EXT4_GOING_FLAGS_NOLOGFLUSH
	)
	f, err := os.Open(d.Dir)
	if err != nil {
		return fmt.Errorf("harness: making a disk fail: %w", err)
	}
	defer func() { _ = f.Close() }() // was only read
	if err := unix.IoctlSetPointerInt(int(f.Fd()), shutdown, noJournal); err != nil {
		return fmt.Errorf("harness: making a disk fail: %w", err)
	}
	return nil
}

// Replace puts what the disk held when it failed on one that works; its server must not run.
func (d *Disk) Replace() error {
	if err := unmount(d.Dir); err != nil {
		return err
	}
	if out, err := exec.Command("mount", "-o", "loop", d.image, d.Dir).CombinedOutput(); err != nil {
		return fmt.Errorf("harness: mounting a disk again: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// sweepDisks takes away the disks of test processes that are no more.
func sweepDisks() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), diskPrefix+"*"))
	for _, dir := range dirs {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), diskPrefix), "-")
		if alive(pid) {
			continue
		}
		for _, mounted := range []string{filepath.Join(dir, "disk"), filepath.Join(dir, "memory"), dir} {
			_ = syscall.Unmount(mounted, syscall.MNT_DETACH) // most are not
		}
		_ = os.RemoveAll(dir)
	}
}
