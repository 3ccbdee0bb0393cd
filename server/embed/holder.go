package embed

import (
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// holdLook is how long the use of processors is measured at least.
const holdLook = 10 * time.Millisecond

// holder tells whether syncs of the log may hold their processor (package slowcall). While the others are enough for
// what there is to do, nobody misses it; to hand it over would make a write dearer by a tenth. When they are not, reads
// and writes that wait for a turn at prep would stand still.
type holder struct {
	used func() time.Duration // processor time of the process since its start

	mu   sync.Mutex
	at   time.Time     // of the last look; guarded by mu
	seen time.Duration // used then; guarded by mu
	idle bool          // the others were enough; guarded by mu
}

// hold is for slowcall.Disk.
func (h *holder) hold(name string) bool {
	return strings.HasSuffix(name, ".log") && h.calm(time.Now(), runtime.GOMAXPROCS(0))
}

// calm tells whether the work of the last time leaves a processor of so many to spare.
func (h *holder) calm(now time.Time, processors int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if took := now.Sub(h.at); took >= holdLook {
		used := h.used()
		h.idle = float64(used-h.seen) <= float64(took)*float64(processors-1)
		h.at, h.seen = now, used
	}
	return h.idle
}

// processorTime is what this process has used of processors.
func processorTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0 // it doesn't fail for oneself
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
