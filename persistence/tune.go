package persistence

import "github.com/cockroachdb/pebble/v2"

const (
	// tableBlockBytes is the block size of tables. A flush hands each block to the system
	// by itself, and nearly all reads are scans, so blocks are larger than Pebble's.
	tableBlockBytes = 32 << 10
	// stateL0Tables is how many tables pile up on the same keys before they are merged: each merge writes all nodes that
	// changed in any of them, and most writes go to the same nodes over and over, or to nodes that are soon deleted.
	// With 12, creates of 1 KiB that are deleted after some seconds cost 9 % more processor time than with 24, and with
	// 24, where they are very many, 5 % more than with these; sets nothing that shows. Until they are merged they take
	// that many times nodestore's FreezeBytes of disk, see compactionBytesMax, and a read of a cold node looks through
	// all of them.
	stateL0Tables = 32
)

// tuneState sets what makes the write-behind of the tree cheap.
func tuneState(o *pebble.Options) {
	o.L0CompactionThreshold = 2 * stateL0Tables                           // Pebble counts each twice
	o.Experimental.DisableIngestAsFlushable = func() bool { return true } // see commitTable
	tuneTables(o)
}

// tuneTables is what both stores want: few, large writes. Without compression: it costs more
// time than the rest of a flush, and the data is hardly ever read.
func tuneTables(o *pebble.Options) {
	for i := range o.Levels {
		o.Levels[i].BlockSize = tableBlockBytes
	}
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionNone })
}
