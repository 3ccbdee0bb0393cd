package persistence

import (
	"math"

	"github.com/cockroachdb/pebble/v2"
)

// compactionBytesMax is more than one compaction of the state takes up, whatever the size of the tree: level 0
// and the first level below it, or a table and what it overlaps. On a disk that can't follow, sets grow up to
// nodestore's throttleFactor times while the one before is written, and level 0 with them: then it may be less.
const compactionBytesMax = 800 << 20

// stateL0Stop is how many flushes may pile up before commits wait. It is far above stateL0Tables: while
// compactions are held for want of room, what little is still written must not wait for them.
const stateL0Stop = 200

// deletesMax is how many large batches of deletes in a row compactions wait for.
const deletesMax = 16

// holdCompactions lets one compaction run at a time, and none while they are held: Pebble asks before it starts one.
// An upper bound of 0 it would divide by, when it chooses what to compact; so none is a lower bound of 0, without any
// of the reasons for which it would go above. What is only deleted as a whole takes no room, and still is.
// While a side store is filled they wait as long as one is enough for all of it afterwards. They wait, too, while many
// nodes are deleted one large batch after the other: Pebble would merge each as soon as it is there, with what has been
// written of those nodes, and soon all of it may go without (Emptied).
func (s *State) holdCompactions(o *pebble.Options) {
	o.CompactionConcurrencyRange = func() (lower, upper int) {
		if s.held.Load() || s.deleting() || s.filling() && s.filled.Load() < compactionBytesMax {
			return 0, 1
		}
		return 1, 1
	}
	o.Experimental.L0CompactionConcurrency = math.MaxInt
	o.Experimental.CompactionDebtConcurrency = math.MaxUint64
	o.Experimental.CompactionGarbageFractionForMaxConcurrency = func() float64 { return 0 }
}

// compactionNeed is about the room that a compaction takes before it gives any back, and how much of that
// the one under way has not taken yet.
func (s *State) compactionNeed() (need, running int64) {
	m := s.db.Metrics()
	total := m.Total()
	need = min(total.TablesSize, compactionBytesMax)
	if m.Compact.NumInProgress > 0 {
		running = max(need-m.Compact.InProgressBytes, 0)
	}
	return need, running
}

// deleting reports whether nodes are being deleted in large batches. Those must not pile up for ever either.
func (s *State) deleting() bool {
	n := s.deletes.Load()
	return n > 0 && n < deletesMax
}

// countDeletes notes what kind of large batch comes next.
func (s *State) countDeletes(c *changes) {
	if c.mostlyDeletes() {
		s.deletes.Add(1)
	} else {
		s.deletes.Store(0)
	}
}

// Rest may be called when nothing has been committed for a while: deletes that compactions have waited for are over.
// It returns at once.
func (s *State) Rest() error {
	if s.deletes.Swap(0) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fail.unlessFailed(func() error {
		_, err := s.db.AsyncFlush() // of nothing: Pebble looks for compactions after each
		return err
	})
}
