package persistence

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// StartError says why the folders can't be served, and what to do. Unless it says otherwise nothing was
// changed in them.
type StartError struct {
	Reason              string
	DataDir, DataLogDir string
	Remedy              string
	Err                 error // the cause, if there is one
}

func (e *StartError) Error() string {
	s := "persistence: " + e.Reason
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	s += " (dataDir " + e.DataDir + ", dataLogDir " + e.DataLogDir + ")"
	if e.Remedy != "" {
		s += "; " + e.Remedy
	}
	return s
}

// Unwrap gives the cause.
func (e *StartError) Unwrap() error { return e.Err }

// ExitCode is the process's exit code: 3, data directory problems.
func (e *StartError) ExitCode() int { return exitDataDir }

// lockError is a store's folder that could not be locked.
type lockError struct {
	dir string
	err error
}

func (e *lockError) Error() string { return fmt.Sprintf("persistence: lock %s: %v", e.dir, e.err) }
func (e *lockError) Unwrap() error { return e.err }

// openError makes an operator's message of what opening a store answered.
func (o *opening) openError(dir string, err error) error {
	var locked *lockError
	var corrupt *CorruptionError
	switch {
	case errors.As(err, &corrupt):
		return err
	case errors.Is(err, os.ErrPermission):
		return o.refuse(err, "make it readable and writable for this user", "folder %s can't be used", dir)
	case diskError(err):
		return o.storeError("the store in "+dir+" can't be opened", err)
	case errors.As(err, &locked):
		return o.refuse(err, "stop the other process, or give each server its own folders", "%s is in use by another server", dir)
	case strings.Contains(err.Error(), "format major version"):
		return o.refuse(err, "use the newer version of this program that wrote it", "the store in %s has a newer format", dir)
	case errors.Is(err, os.ErrNotExist):
		return lostError{o.refuse(err, "restore the folder", "a file of the store in %s is missing", dir).(*StartError)}
	}
	return o.refuse(err, "check the disk and the folder's permissions", "the store in %s can't be opened", dir)
}

// diskError tells whether an error says that the disk can't be written to.
func diskError(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EROFS)
}

// storeError makes an operator's message of a write that failed.
func (o *opening) storeError(reason string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return o.refuse(err, fmt.Sprintf("make at least %d MiB of room for dataDir and for dataLogDir, nothing in the folders of the stores may be deleted for that",
			o.roomToStart()>>20), "%s: no space is left on the disk", reason)
	case errors.Is(err, syscall.EROFS):
		return o.refuse(err, "mount it for writing", "%s: the disk is read-only", reason)
	}
	return o.refuse(err, "check the disk and the folder's permissions", "%s", reason)
}

// startError makes an operator's message of an error of a start, unless it is one.
func (o *opening) startError(err error) error {
	var exit interface{ ExitCode() int }
	if errors.As(err, &exit) {
		return err
	}
	return o.storeError("the stores can't be opened", err)
}

// roomToStart is about what a start needs: the write-ahead logs become tables, and each store gets new
// files of its own.
func (o *opening) roomToStart() int64 {
	sum := int64(8 << 20)
	names, _ := o.fs.List(o.logDir()) // if it can't be listed the rest is all there is to say
	for _, name := range names {
		if !isWAL(name) {
			continue
		}
		if info, err := o.fs.Stat(o.fs.PathJoin(o.logDir(), name)); err == nil {
			sum += info.Size()
		}
	}
	return sum
}
