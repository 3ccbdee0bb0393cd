package persistence

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// AcceptedEpoch is the epoch this server has promised to follow; 0 before the first. (Java keeps it in
// the file acceptedEpoch.)
func (l *Log) AcceptedEpoch() int64 { return l.epochs.accepted.Load() }

// CurrentEpoch is the epoch whose history this server has adopted; 0 before the first.
func (l *Log) CurrentEpoch() int64 { return l.epochs.current.Load() }

// SetAcceptedEpoch stores the promise; durable when it returns.
func (l *Log) SetAcceptedEpoch(epoch int64) error {
	return l.setEpoch(metaAcceptedEpoch, &l.epochs.accepted, epoch)
}

// SetCurrentEpoch stores the adopted epoch; durable when it returns.
func (l *Log) SetCurrentEpoch(epoch int64) error {
	return l.setEpoch(metaCurrentEpoch, &l.epochs.current, epoch)
}

// setEpoch also keeps meta values in tables of their own: a table that held one between entries would
// stay on the disk for its sake when a purge has dropped the entries. Epochs change rarely and when
// nothing is appended, so the two flushes cost nobody.
func (l *Log) setEpoch(name string, mark *atomic.Int64, epoch int64) error {
	if err := l.fail.get(); err != nil {
		return err
	}
	l.epochMu.Lock()
	defer l.epochMu.Unlock()
	err := l.db.Flush()
	if err == nil {
		err = l.db.Set(metaKey(name), encodeInt64(epoch), pebble.Sync)
	}
	if err != nil {
		return fmt.Errorf("persistence: set %s to %d: %w", name, epoch, err)
	}
	mark.Store(epoch)
	if err := l.tidyMeta(); err != nil {
		l.logger.Warn("log meta not tidied", "err", err)
	}
	return nil
}

// metaTablesMax is how many small tables of meta values may gather before they become one.
const metaTablesMax = 16

// tidyMeta gives the meta values written since the last flush a table of their own, and now and then
// makes one of many; epochMu is held.
func (l *Log) tidyMeta() error {
	if err := l.db.Flush(); err != nil {
		return err
	}
	if l.metaTables++; l.metaTables < metaTablesMax {
		return nil
	}
	l.metaTables = 0
	return l.db.Compact(context.Background(), []byte{keyMeta}, []byte{keyMeta + 1}, false)
}
