package persistence

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"zk/jute"
)

// StateBatch gathers changes that become visible and durable together. Not safe for concurrent use.
// What is passed in is copied. Later changes of a key win.
type StateBatch struct {
	s    *State
	c    changes
	done bool
}

// NewBatch begins a batch of some expected size; 0 is unknown. It ends with Commit or Discard.
func (s *State) NewBatch(bytes int) *StateBatch { return &StateBatch{s: s, c: s.spare.take(bytes)} }

func (b *StateBatch) setPath(kind byte, path string, value []byte) {
	b.c.keys = appendPathKey(b.c.keys, kind, path)
	b.c.set(pathKeyLen(path), value)
}

func (b *StateBatch) deletePath(kind byte, path string) {
	b.c.keys = appendPathKey(b.c.keys, kind, path)
	b.c.delete(pathKeyLen(path))
}

// set puts a key of kind, number and text; number is left out for kinds without one.
func (b *StateBatch) set(kind byte, number *uint64, text string, value []byte) {
	b.c.keys = appendNumberKey(b.c.keys, kind, number, text)
	b.c.set(numberKeyLen(number, text), value)
}

func (b *StateBatch) delete(kind byte, number *uint64, text string) {
	b.c.keys = appendNumberKey(b.c.keys, kind, number, text)
	b.c.delete(numberKeyLen(number, text))
}

func numberKeyLen(number *uint64, text string) int {
	if number == nil {
		return 1 + len(text)
	}
	return 9 + len(text)
}

func appendNumberKey(b []byte, kind byte, number *uint64, text string) []byte {
	b = append(b, kind)
	if number != nil {
		b = binary.BigEndian.AppendUint64(b, *number)
	}
	return append(b, text...)
}

// SetNode sets a node's record; rec is opaque here. Root is "/".
func (b *StateBatch) SetNode(path string, rec []byte) { b.setPath(keyNode, path, rec) }

// DeleteNode deletes a node's record, not its data.
func (b *StateBatch) DeleteNode(path string) { b.deletePath(keyNode, path) }

// SetData sets the data of a node that is kept apart from its record.
func (b *StateBatch) SetData(path string, data []byte) { b.setPath(keyData, path, data) }

// DeleteData deletes it.
func (b *StateBatch) DeleteData(path string) { b.deletePath(keyData, path) }

// SetSession keeps a session and its timeout.
func (b *StateBatch) SetSession(id jute.SessionID, timeoutMillis int32) {
	n := uint64(id)
	var v [4]byte
	binary.BigEndian.PutUint32(v[:], uint32(timeoutMillis))
	b.set(keySession, &n, "", v[:])
}

// DeleteSession drops a session.
func (b *StateBatch) DeleteSession(id jute.SessionID) {
	n := uint64(id)
	b.delete(keySession, &n, "")
}

// SetEphemeral notes an ephemeral of a session.
func (b *StateBatch) SetEphemeral(id jute.SessionID, path string) {
	n := uint64(id)
	b.set(keyEphemeral, &n, path, nil)
}

// DeleteEphemeral drops the note.
func (b *StateBatch) DeleteEphemeral(id jute.SessionID, path string) {
	n := uint64(id)
	b.delete(keyEphemeral, &n, path)
}

// SetCandidate notes a container or TTL node; rec is opaque here.
func (b *StateBatch) SetCandidate(path string, rec []byte) { b.set(keyCandidate, nil, path, rec) }

// DeleteCandidate drops the note.
func (b *StateBatch) DeleteCandidate(path string) { b.delete(keyCandidate, nil, path) }

// SetACL keeps an ACL list; rec is opaque here.
func (b *StateBatch) SetACL(id int64, rec []byte) {
	n := uint64(id)
	b.set(keyACL, &n, "", rec)
}

// DeleteACL drops it.
func (b *StateBatch) DeleteACL(id int64) {
	n := uint64(id)
	b.delete(keyACL, &n, "")
}

// SetMeta sets a meta value.
func (b *StateBatch) SetMeta(name string, value []byte) { b.set(keyMeta, nil, name, value) }

// Commit writes the batch as one step to the applied mark, which may not go back. It is visible when
// Commit returns and durable after a flush only; a batch as large as half a memtable is durable at once. The batch is
// finished afterwards, also on error.
//
// A mark beyond what the log holds durably would break I8; that is a bug of the caller, and panics.
func (b *StateBatch) Commit(applied Applied) error {
	s := b.s
	if b.done {
		return ErrClosed
	}
	defer b.Discard()
	if err := s.fail.get(); err != nil {
		return err
	}
	if old := s.applied.Load(); int64(applied) < old {
		panic(fmt.Sprintf("persistence: applied mark goes back from %v to %v", jute.Zxid(old), jute.Zxid(applied)))
	}
	if s.logged != nil && jute.Zxid(applied) > jute.Zxid(s.logged()) {
		panic(fmt.Sprintf("persistence: state at %v is ahead of the log at %v", jute.Zxid(applied), jute.Zxid(s.logged())))
	}
	var mark [8]byte
	binary.BigEndian.PutUint64(mark[:], uint64(applied))
	b.SetMeta(metaApplied, mark[:])
	err := s.commit(&b.c, applied)
	if err != nil && !errors.Is(err, ErrClosed) { // a store that is closed meanwhile has not failed
		err = fmt.Errorf("persistence: commit the state at %v: %w", jute.Zxid(applied), err)
		s.fail.fail(err)
	}
	return err
}

// commit writes changes, the mark among them.
func (s *State) commit(c *changes, applied Applied) error {
	if s.wantsTable(c) {
		return s.commitTable(c, applied)
	}
	batch := s.db.NewBatchWithSize(c.size())
	defer batch.Close()
	c.each(func(key, value []byte, deleted bool) {
		if deleted {
			_ = batch.Delete(key, nil) // a batch without index: never fails
		} else {
			_ = batch.Set(key, value, nil)
		}
	})
	s.deletes.Store(0)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.db.Apply(batch, pebble.NoSync); err != nil {
		return err
	}
	s.committed(c, applied)
	if s.o.FlushBytes > 0 && s.unasked >= s.o.FlushBytes || s.o.FlushTxns > 0 && txnsBetween(s.askedAt, int64(applied)) >= s.o.FlushTxns {
		_, err := s.flushLocked()
		return err
	}
	return nil
}

// committed notes what is visible now. Called with mu held.
func (s *State) committed(c *changes, applied Applied) {
	s.applied.Store(int64(applied))
	s.filled.Add(int64(c.size()))
	s.unasked += int64(c.size())
}

// txnsBetween counts the txns from one mark to a later one; where an epoch ended in between, at least.
func txnsBetween(from, to int64) int64 {
	if jute.Zxid(from).Epoch() == jute.Zxid(to).Epoch() {
		return to - from
	}
	return int64(jute.Zxid(to).Counter())
}

// Discard drops the batch; after Commit it does nothing.
func (b *StateBatch) Discard() {
	if !b.done {
		b.done = true
		b.s.spare.keep(b.c)
		b.c = changes{}
	}
}
