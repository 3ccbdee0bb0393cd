package persistence

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
)

// A state can be replaced as a whole: by a restored snapshot, or by what a leader sends. The new one is
// built in a side folder, zk-state-<n+1>, beside the one that is served. Adopt makes it the one that
// counts, by one synced batch in the log:
//
//	side folder filled, synced (see lateSync) | batch: liveState, completeFrom, epochs, emptied, proposals that came
//	with the state | old entries excised | batch: those proposals become entries, emptied deleted |
//	old folder removed
//
// A crash before the first batch leaves the old history, whole, and a folder that the next start removes.
// A crash after it leaves the new one, and entries and a folder that the next start removes: emptied says
// that no entry counts, wherever it lies beside the new base. Nothing is removed before the first batch is
// durable, and nothing is appended while emptied is there.

// NewSide makes a state store in a side folder, empty but for its identity. It ends with Adopt or Discard. onFail is
// told, on a goroutine of its own, of the first write, sync or background job that fails, until State.Start
// names another: that may hold whoever met it, NewSide too, and the process has to end.
func (r *Recovered) NewSide(onFail func(error)) (*State, error) {
	names, err := stateDirs(r.fs, r.o.DataDir)
	if err != nil {
		return nil, fmt.Errorf("persistence: list %s: %w", r.o.DataDir, err)
	}
	last := 0
	for _, name := range names {
		n, _, _ := stateDirNumber(name)
		last = max(last, n)
	}
	opts := r.o.State
	opts.Dir, opts.FS, opts.Logger = r.fs.PathJoin(r.o.DataDir, stateDirPrefix+strconv.Itoa(last+1)), r.fs, r.logger
	opts.side, opts.early = true, onFail
	s, err := OpenState(opts)
	if err != nil {
		return nil, err
	}
	// Its name in the data folder has to be durable before the log may name it.
	err = syncDir(r.fs, r.o.DataDir)
	if err == nil {
		var serverID int64
		if serverID, err = getMetaInt64(r.Log.db, metaServerID); err == nil {
			err = s.identify(r.StoreID, serverID)
		}
	}
	if err != nil {
		return nil, errors.Join(err, r.Discard(s))
	}
	return s, nil
}

// Discard closes a side store and removes its folder. After a failure of the log it stays: the log may name it.
func (r *Recovered) Discard(side *State) error {
	err := side.Close()
	if failed := r.Log.fail.get(); failed != nil {
		return errors.Join(err, failed)
	}
	return errors.Join(err, r.remove(side.o.Dir))
}

// Adopt makes a side store the state that counts, as of base: the log begins anew after base, which is no
// less than its last entry, and its entries are dropped. The owner of the log calls it when all that was
// appended has been given back (Log.Drain); nobody else may be committing to either state. When it returns
// the change is durable, r.State is the side store, and the state before is returned, still open, for
// Discard.
//
// An error leaves everything as it was, unless it is the log's failure, after which the process has to end.
func (r *Recovered) Adopt(side *State, base jute.Zxid) (old *State, err error) {
	if last := jute.Zxid(r.Log.LastLogged()); base < last {
		return nil, fmt.Errorf("persistence: adopt a state at %v: the log ends at %v", base, last)
	}
	return r.adopt(side, base, r.Log.CurrentEpoch(), nil)
}

// AdoptFromLeader is Adopt for what a leader has sent by SNAP, with the epoch of its NEWLEADER as
// currentEpoch in the same step. base may lie anywhere: a log that goes on beyond it holds what was never
// committed, and loses it. tail is what the leader has proposed after base without a COMMIT; it is in the log
// when this returns, by the same step: this server may have acknowledged it in an earlier try of the same
// epoch, when it was in the log that is dropped now. An epoch lower than currentEpoch is ErrEpoch.
func (r *Recovered) AdoptFromLeader(side *State, base jute.Zxid, epoch int64, tail []Entry) (old *State, err error) {
	return r.adopt(side, base, epoch, tail)
}

func (r *Recovered) adopt(side *State, base jute.Zxid, epoch int64, tail []Entry) (old *State, err error) {
	l := r.Log
	if epoch < l.CurrentEpoch() {
		return nil, fmt.Errorf("%w: current %d; it is at %d", ErrEpoch, epoch, l.CurrentEpoch())
	}
	for i, last := 0, base; i < len(tail); i++ {
		if !Follows(last, tail[i].Zxid) {
			return nil, fmt.Errorf("%w: %v after %v", ErrOrder, tail[i].Zxid, last)
		}
		last = tail[i].Zxid
	}
	// I3 and the check of a start: the state is at the zxid the log begins after.
	if err := side.NewBatch(0).Commit(Applied(base)); err != nil {
		return nil, err
	}
	if err := side.Flush(); err != nil {
		return nil, err
	}
	if err := l.restart(r.fs.PathBase(side.o.Dir), base, epoch, tail); err != nil {
		return nil, err
	}
	side.logged, l.applied = l.LastLogged, side.Applied
	old, r.State = r.State, side
	return old, nil
}

// Drain waits until everything that was appended is durable and the onDurable calls for it have returned.
// The owner of the log calls it.
func (l *Log) Drain() error { return l.pipe.drain() }

// restart names the live state and begins the log after base, in one synced batch.
func (l *Log) restart(live string, base jute.Zxid, epoch int64, tail []Entry) error {
	l.history.purgeMu.Lock()
	defer l.history.purgeMu.Unlock()
	l.epochMu.Lock()
	defer l.epochMu.Unlock()
	accepted := max(l.AcceptedEpoch(), epoch)
	err := l.fail.unlessFailed(func() error {
		// What is dropped and what comes must not share a table: see empty.
		if err := l.db.Flush(); err != nil {
			return err
		}
		b := l.db.NewBatch()
		err := errors.Join(putEpochs(b, accepted, epoch), b.Set(metaKey(metaLiveState), []byte(live), nil),
			b.Set(metaKey(metaCompleteFrom), encodeInt64(int64(base)), nil), b.Set(metaKey(metaEmptied), nil, nil))
		for i := range tail {
			err = errors.Join(err, b.Set(tailKey(tail[i].Zxid), tail[i].Bytes, nil))
		}
		if err != nil {
			return err
		}
		return l.db.Apply(b, pebble.Sync)
	})
	if err != nil {
		return fmt.Errorf("persistence: adopt %s at %v: %w", live, base, err)
	}
	l.epochs.accepted.Store(accepted)
	l.epochs.current.Store(epoch)
	l.history.restart(base, func() {
		l.base = base
		l.lastLogged.Store(int64(base))
	})
	if err := l.fail.unlessFailed(l.empty); err != nil {
		l.fail.fail(err) // an entry appended now would be dropped by the next start
		return err
	}
	last := base
	for i := range tail {
		last = tail[i].Zxid
		l.history.add(last, last, len(tail[i].Bytes))
	}
	l.lastLogged.Store(int64(last))
	l.pipe.restart(last)
	return nil
}

// empty drops all entries after an adoption, and puts those in their place that came with it; now, or at the
// start after a crash. Readers that have an iterator keep what they see.
func (l *Log) empty() error {
	err := l.db.Excise(context.Background(), pebble.KeyRange{Start: entryKey(0), End: []byte{keyEntry + 1}})
	if err == nil {
		err = l.takeTail()
	}
	if err == nil {
		err = l.tidyMeta()
	}
	if err == nil {
		err = l.db.Excise(context.Background(), pebble.KeyRange{Start: []byte{keyTail}, End: []byte{keyTail + 1}})
	}
	if err != nil {
		return fmt.Errorf("persistence: drop the log before an adopted state: %w", err)
	}
	return nil
}

// takeTail makes entries of the proposals that came with an adopted state.
func (l *Log) takeTail() error {
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: []byte{keyTail}, UpperBound: []byte{keyTail + 1}})
	if err != nil {
		return err
	}
	b := l.db.NewBatch()
	for it.First(); it.Valid() && err == nil; it.Next() {
		var v []byte
		if v, err = it.ValueAndErr(); err != nil {
			break
		}
		k := append([]byte{keyEntry}, it.Key()[1:]...)
		err = errors.Join(b.Set(k, v, nil), b.Delete(it.Key(), nil))
	}
	if err = errors.Join(err, it.Close(), b.Delete(metaKey(metaEmptied), nil)); err != nil {
		return err
	}
	return l.db.Apply(b, pebble.Sync)
}

// stateDirs lists the folders of states in a data folder, but for those that a crash left unfinished.
func stateDirs(fs vfs.FS, dir string) (names []string, err error) {
	all, err := fs.List(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range all {
		if _, whole, ok := stateDirNumber(name); ok && whole {
			names = append(names, name)
		}
	}
	return names, nil
}

// stateDirNumber takes the name of a state's folder apart; whole is false for one that was never finished.
func stateDirNumber(name string) (n int, whole, ok bool) {
	digits, ok := strings.CutPrefix(name, stateDirPrefix)
	if !ok {
		return 0, false, false
	}
	digits, unfinished := strings.CutSuffix(digits, newSuffix)
	n, err := strconv.Atoi(digits)
	return n, !unfinished, err == nil && n > 0 && strconv.Itoa(n) == digits
}

// removeOthers removes the folders of states that don't count: side folders that were never adopted, and
// states that were replaced.
func (r *Recovered) removeOthers() error {
	all, err := r.fs.List(r.o.DataDir)
	if err != nil {
		return err
	}
	for _, name := range all {
		if _, _, ok := stateDirNumber(name); !ok || name == r.fs.PathBase(r.State.o.Dir) {
			continue
		}
		r.logger.Info("removing a state that does not count", "dir", name)
		err = errors.Join(err, r.remove(r.fs.PathJoin(r.o.DataDir, name)))
	}
	return err
}

func (r *Recovered) remove(dir string) error {
	err := r.fs.RemoveAll(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("persistence: remove %s: %w", dir, err)
	}
	return syncDir(r.fs, r.o.DataDir)
}
