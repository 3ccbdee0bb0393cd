package embed

import (
	"runtime"
	"strings"
	"sync"
	"time"
)

const (
	// holdRate is the number of requests a second that keep a processor busy, about: writes cost more, reads less.
	holdRate = 30_000
	// holdLook is how long requests are counted at least.
	holdLook = 10 * time.Millisecond
)

// holder tells whether syncs of the log may hold their processor (package slowcall). With few requests nobody has
// anything to do meanwhile but to wait for the sync, or the other processors do it; to hand the processor over would
// make a write dearer by a tenth. With many, reads and writes that wait for a turn at prep would stand still.
type holder struct {
	received func() int64 // requests since the start

	mu   sync.Mutex
	at   time.Time // when they were looked at last; guarded by mu
	seen int64     // how many there were then; guarded by mu
	few  bool      // guarded by mu
}

// hold is for slowcall.Disk.
func (h *holder) hold(name string) bool {
	return strings.HasSuffix(name, ".log") && h.calm(time.Now(), runtime.GOMAXPROCS(0))
}

// calm tells whether the requests of the last time leave a processor of so many to spare.
func (h *holder) calm(now time.Time, processors int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if took := now.Sub(h.at); took >= holdLook {
		n := h.received()
		h.few = float64(n-h.seen) <= holdRate*took.Seconds()*float64(processors-1)
		h.at, h.seen = now, n
	}
	return h.few
}
