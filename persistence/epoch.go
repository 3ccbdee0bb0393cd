package persistence

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// ErrEpoch answers an epoch lower than the one that is kept: a promise is not taken back.
var ErrEpoch = errors.New("persistence: an epoch can't go back")

// AcceptedEpoch is the epoch this server has promised to follow; 0 before the first. (Java keeps it in
// the file acceptedEpoch.) It is never below CurrentEpoch.
func (l *Log) AcceptedEpoch() int64 { return l.epochs.accepted.Load() }

// CurrentEpoch is the epoch whose history this server has adopted; 0 before the first.
func (l *Log) CurrentEpoch() int64 { return l.epochs.current.Load() }

// SetAcceptedEpoch stores the promise; durable when it returns. A lower one than before is ErrEpoch.
func (l *Log) SetAcceptedEpoch(epoch int64) error {
	return l.setEpochs(func(_, current int64) (int64, int64) { return epoch, current })
}

// SetCurrentEpoch stores the adopted epoch, and the promise with it if that is lower, in one step. When it
// returns that is durable, and so is all that was appended before: the entries come first on the disk, so
// the epoch is never there without the history it stands for (ZOOKEEPER-4643). The owner of Append calls it,
// not from onDurable. A lower one than before is ErrEpoch.
func (l *Log) SetCurrentEpoch(epoch int64) error {
	if err := l.pipe.drain(); err != nil {
		return err
	}
	return l.setEpochs(func(accepted, _ int64) (int64, int64) { return max(accepted, epoch), epoch })
}

// setEpochs also keeps meta values in tables of their own: a table that held one between entries would
// stay on the disk for its sake when a purge has dropped the entries. Epochs change rarely and when
// nothing is appended, so the two flushes cost nobody.
func (l *Log) setEpochs(change func(accepted, current int64) (int64, int64)) error {
	if err := l.fail.get(); err != nil {
		return err
	}
	l.epochMu.Lock()
	defer l.epochMu.Unlock()
	accepted, current := change(l.AcceptedEpoch(), l.CurrentEpoch())
	switch {
	case accepted == l.AcceptedEpoch() && current == l.CurrentEpoch():
		return nil
	case accepted < l.AcceptedEpoch() || current < l.CurrentEpoch():
		return fmt.Errorf("%w: accepted %d, current %d; it is at %d and %d", ErrEpoch, accepted, current, l.AcceptedEpoch(), l.CurrentEpoch())
	}
	err := l.fail.unlessFailed(func() error {
		if err := l.db.Flush(); err != nil {
			return err
		}
		b := l.db.NewBatch()
		if err := errors.Join(putEpochs(b, accepted, current), l.db.Apply(b, pebble.Sync)); err != nil {
			return err
		}
		if err := l.tidyMeta(); err != nil {
			l.logger.Warn("log meta not tidied", "err", err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("persistence: set the epochs to %d and %d: %w", accepted, current, err)
	}
	l.epochs.accepted.Store(accepted)
	l.epochs.current.Store(current)
	return nil
}

// putEpochs adds both epochs to a batch.
func putEpochs(b *pebble.Batch, accepted, current int64) error {
	return errors.Join(b.Set(metaKey(metaAcceptedEpoch), encodeInt64(accepted), nil), b.Set(metaKey(metaCurrentEpoch), encodeInt64(current), nil))
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
