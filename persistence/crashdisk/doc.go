// Package crashdisk is the disk of tests whose power is cut: Pebble's crashable file system in memory,
// mended where a copy of it as a crash leaves it (CrashClone) and a file operation at the same moment wait
// for each other for ever.
//
// In vfs.MemFS of Pebble v2.1.7, Lock and ReuseForWrite take the read lock of the copies and take it once
// more in what they call, and Link takes it inside another lock that others take the other way round. A copy
// that comes between holds both up. Here a copy waits until none of the three runs.
package crashdisk
