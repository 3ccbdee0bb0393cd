//go:build !linux

package persistence

import "github.com/cockroachdb/pebble/v2/vfs"

// syncData is f.SyncData.
func syncData(f vfs.File) error { return f.SyncData() }
