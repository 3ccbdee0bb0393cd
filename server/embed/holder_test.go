package embed

import (
	"testing"
	"time"
)

// TestHolder: syncs of the log hold their processor as long as the others are enough for the requests.
func TestHolder(t *testing.T) {
	var n int64
	h := &holder{received: func() int64 { return n }}
	now := time.Unix(1000, 0)
	for i, c := range []struct {
		requests   int64
		took       time.Duration
		processors int
		calm       bool
	}{
		{0, time.Second, 2, true},                            // a start
		{holdRate / 100, holdLook, 2, true},                  // what one does
		{holdRate/100 + 1, holdLook, 2, false},               // more
		{0, holdLook / 2, 2, false},                          // too early to tell
		{1, holdLook / 2, 2, true},                           // both together
		{holdRate / 10, holdLook, 16, true},                  // what ten do
		{holdRate / 5, holdLook, 16, false},                  // more than fifteen do
		{1, holdLook, 1, false},                              // no processor to spare
		{0, time.Hour, 1, true},                              // nor needed
		{holdRate, time.Second, 2, true},                     // over a longer time
		{holdRate / 50, holdLook - time.Nanosecond, 2, true}, // not seen yet
		{0, time.Nanosecond, 2, false},                       // now it is
	} {
		n += c.requests
		now = now.Add(c.took)
		if got := h.calm(now, c.processors); got != c.calm {
			t.Errorf("%d: %d requests in %v with %d processors: calm %v", i, c.requests, c.took, c.processors, got)
		}
	}
	n += holdRate
	if h.hold("000001.sst") || h.hold("MANIFEST-000001") {
		t.Error("a sync that is not the log's holds a processor")
	}
}
