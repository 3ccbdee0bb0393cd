package metrics

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	// setKeysMax bounds the keys of one labelled family. Keys come from clients (the first component
	// of a path), so without it a client could fill the memory with names.
	setKeysMax = 256
	// keyBytesMax bounds one key; longer ones are cut.
	keyBytesMax = 256
	// OtherKey collects what belongs to keys beyond the bound.
	OtherKey = "_other"
)

// keyed is a bounded map from a label value to a metric. Looking up a known key takes no lock: the map
// is replaced, never changed, which its bound makes cheap.
type keyed[T any] struct {
	byKey atomic.Pointer[map[string]*T] // nil or immutable; replaced under mu
	mu    sync.Mutex
	make  func() *T // immutable after New
}

// all is the map at this moment; it must not be changed.
func (k *keyed[T]) all() map[string]*T {
	if m := k.byKey.Load(); m != nil {
		return *m
	}
	return nil
}

// get returns the metric of key, making it at the first call, or the shared one beyond the bound.
func (k *keyed[T]) get(key string) *T {
	if len(key) > keyBytesMax {
		key = key[:keyBytesMax]
	}
	all := k.all()
	if m := all[key]; m != nil {
		return m
	}
	if m := all[OtherKey]; m != nil && len(all) > setKeysMax {
		return m // full: made-up names shall not even cost a lock
	}
	// Prometheus refuses labels that are not UTF-8. The copy is because the key may be a part of a
	// request's buffer.
	key = strings.Clone(strings.ToValidUTF8(key, "?"))
	k.mu.Lock()
	defer k.mu.Unlock()
	old := k.all()
	if _, known := old[key]; !known && len(old) >= setKeysMax {
		key = OtherKey
	}
	if m := old[key]; m != nil {
		return m
	}
	next := make(map[string]*T, len(old)+1)
	maps.Copy(next, old)
	m := k.make()
	next[key] = m
	k.byKey.Store(&next)
	return m
}

// each calls f for every key in order of the keys.
func (k *keyed[T]) each(f func(key string, m *T)) {
	all := k.all()
	for _, key := range slices.Sorted(maps.Keys(all)) {
		f(key, all[key])
	}
}

// CounterSet is a family of counters with the label "key". Safe for concurrent use.
type CounterSet struct{ keyed[Counter] }

// Add adds delta to the counter of key.
func (s *CounterSet) Add(key string, delta int64) { s.get(key).Add(delta) }

// With gives the counter of key, for callers that keep it.
func (s *CounterSet) With(key string) *Counter { return s.get(key) }

// SummarySet is a family of summaries with the label "key". Safe for concurrent use.
type SummarySet struct{ keyed[Summary] }

// Observe records v in the summary of key.
func (s *SummarySet) Observe(key string, v int64) { s.get(key).Observe(v) }

// With gives the summary of key, for callers that keep it.
func (s *SummarySet) With(key string) *Summary { return s.get(key) }
