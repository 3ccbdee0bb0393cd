package embed

import (
	"testing"
	"time"
)

// TestHolder: syncs of the log hold their processor as long as the others are enough for the work.
func TestHolder(t *testing.T) {
	var used time.Duration
	h := &holder{used: func() time.Duration { return used }}
	now := time.Unix(1000, 0)
	for i, c := range []struct {
		used       time.Duration
		took       time.Duration
		processors int
		calm       bool
	}{
		{0, time.Second, 2, true},             // a start
		{holdLook, holdLook, 2, true},         // what one does
		{holdLook + 1, holdLook, 2, false},    // more
		{0, holdLook / 2, 2, false},           // too early to tell
		{1, holdLook / 2, 2, true},            // both together
		{10 * holdLook, holdLook, 16, true},   // what ten do
		{16 * holdLook, holdLook, 16, false},  // more than fifteen do
		{1, holdLook, 1, false},               // no processor to spare
		{0, time.Hour, 1, true},               // nor needed
		{time.Second, time.Second, 2, true},   // over a longer time
		{2 * holdLook, holdLook - 1, 2, true}, // not seen yet
		{0, time.Nanosecond, 2, false},        // now it is
	} {
		used += c.used
		now = now.Add(c.took)
		if got := h.calm(now, c.processors); got != c.calm {
			t.Errorf("%d: %v used in %v with %d processors: calm %v", i, c.used, c.took, c.processors, got)
		}
	}
	used = processorTime()
	if used <= 0 {
		t.Errorf("this process has used %v", used)
	}
	h.calm(now.Add(time.Hour), 2)
	if h.hold("000001.sst") || h.hold("MANIFEST-000001") {
		t.Error("a sync that is not the log's holds a processor")
	}
}
