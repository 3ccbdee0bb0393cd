// Package slowcall is the file system of the machine, with the calls that wait for the disk announced as such.
//
// The Go scheduler can't know how long a system call takes. It leaves the processor (in its sense: the right to run
// Go code) with the thread that calls, and takes it away when the call lasts: a monitor thread looks every 20 us, or
// every millisecond where the server's process has made it calm (package main), or after 10 ms when there was little
// to look at. A sync takes milliseconds, so until then a server with two processors works with one, and with none
// while a sync of the log and one of the state coincide: requests of all clients wait. Syncs and the removal of
// files are therefore announced as slow: the processor is free at once.
//
// Being free at once has a price: another thread has to be woken for it. Where nothing would use the processor it is
// better held, and who knows may say so.
//
// What it does not: writes and reads are the page cache's and quick as a rule; they are left as they are. Tables
// are written in large pieces, as the file system's bookkeeping for each of two small writes a block costs more than
// the copy. Those that are seldom read go past the page cache, which would cost the processor a copy and the
// bookkeeping of pages until the table is removed, and others the memory. Merges make way for requests now and then
// (package lookout).
//
// On systems other than Linux all this does nothing.
package slowcall

import "github.com/cockroachdb/pebble/v2/vfs"

// SeldomRead is for Create: a table of which little will be read again while the page cache would have it. Tables that
// a start needs are none: from the disk it took half as long again.
const SeldomRead vfs.DiskWriteCategory = "seldom-read"

// Disk gives the file system of the machine. hold is asked before the data of a file is synced: true leaves the
// processor with the caller. It may be nil: then none is held. It is called by several goroutines at once.
func Disk(hold func(name string) bool) vfs.FS { return disk(vfs.Default, hold) }
