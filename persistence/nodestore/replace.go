package nodestore

import (
	"zk/jute"
	"zk/persistence"
)

// A tree is replaced as a whole in this way: a second Store is opened over a side state, with a lock of its
// own; the new tree is loaded into it by one goroutine, which calls Loaded now and then; Flush makes it
// durable; and then the Store that is served adopts it.

// Loaded closes a step of loading a tree into a store that nobody else uses and that was not started: what
// has gathered is written, as often as the write-behind would. The figures are complete at the last step.
func (s *Store) Loaded(nodes int, meta func([]byte) []byte) error {
	s.lock.Lock()
	s.Applied(nodes, jute.Zxid(s.state.Applied()), meta)
	s.lock.Unlock()
	return s.writeFrozen()
}

// Adopt takes over the content of another store and its state, which then is done with: it was flushed,
// and was never started. swap is called under the tree lock in the same step, for the tree to follow.
// What this store had not written yet is dropped with the state it was for; nobody uses that state any
// more when Adopt returns.
func (s *Store) Adopt(by *Store, swap func()) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.cold.Lock()
	defer s.cold.Unlock()
	s.lock.Lock()
	records, values := s.records, s.values
	s.state, s.seed = by.state, by.seed
	s.records, s.values, s.index, s.root = by.records, by.values, by.index, by.root
	s.big, s.bigFree, s.bigBytes = by.big, by.bigFree, by.bigBytes
	s.current, s.frozen, s.spare, s.parity, s.open = by.current, nil, by.spare, by.parity, false
	s.gen++
	s.warm.Store(true) // it was loaded
	swap()
	s.lock.Unlock()
	records.close()
	values.close()
	s.throttle.Lock()
	s.written.Broadcast()
	s.throttle.Unlock()
}

// Drop gives the memory back of a store that was never started nor adopted.
func (s *Store) Drop() { s.unmap() }

// State is the state store that is written to. It changes with Adopt.
func (s *Store) State() *persistence.State {
	s.lock.RLock()
	defer s.lock.RUnlock()
	return s.state
}
