package quorum

import (
	"sync"

	"zk/jute"
)

// tailBytesMin is what the ring of a tail begins with.
const tailBytesMin = 64 << 10

// tail keeps copies of a term's most recent proposals, so that they go to learners before this server's
// own log has them on disk, and without reading it. The bytes lie in one ring, so that keeping them costs
// a copy and nothing to the collector; the oldest make room for new ones.
type tail struct {
	max int // bytes of the ring at most

	mu   sync.Mutex
	ring []byte
	head int // where the next proposal goes
	// prev is the entry before the first that is kept, or before the term's first. Guarded by mu, as all
	// below.
	prev    jute.Zxid
	last    jute.Zxid // the last proposal, kept or not
	entries []tailEntry
	first   int // index of the oldest entry in entries, which is a ring too
	n       int
}

type tailEntry struct {
	zxid       jute.Zxid
	start, end int // in the ring
}

// newTail begins behind the log's last entry. maxBytes bounds the memory.
func newTail(lastLogged jute.Zxid, maxBytes int) *tail {
	return &tail{
		max: max(maxBytes, tailBytesMin), ring: make([]byte, tailBytesMin), prev: lastLogged, last: lastLogged,
		entries: make([]tailEntry, 64),
	}
}

// append keeps a copy of the next proposal. One larger than the ring can become is not kept, and nothing
// before it either: learners get it from the log.
func (t *tail) append(z jute.Zxid, b []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = z
	if len(b) > t.max {
		t.n, t.first, t.head, t.prev = 0, 0, 0, z
		return
	}
	start := t.room(len(b))
	copy(t.ring[start:], b)
	t.head = start + len(b)
	if t.n == len(t.entries) {
		t.growEntries()
	}
	t.entries[(t.first+t.n)&(len(t.entries)-1)] = tailEntry{zxid: z, start: start, end: t.head}
	t.n++
}

// room finds n contiguous bytes: the ring grows, or the oldest proposals go.
func (t *tail) room(n int) int {
	for {
		if t.n == 0 {
			t.head = 0
			if n <= len(t.ring) {
				return 0
			}
			t.ring = make([]byte, t.grown(n))
			return 0
		}
		oldest := t.entries[t.first].start
		switch {
		case t.head > oldest && n <= len(t.ring)-t.head:
			return t.head
		case t.head > oldest && n <= oldest:
			return 0 // what is left at the end of the ring is not used this time
		case t.head <= oldest && n <= oldest-t.head:
			return t.head
		case len(t.ring) < t.max:
			t.growRing(n)
		default:
			t.prev = t.entries[t.first].zxid
			t.first = (t.first + 1) & (len(t.entries) - 1)
			t.n--
		}
	}
}

// grown is the ring's next size that has room for n bytes more than now.
func (t *tail) grown(n int) int {
	return min(max(2*len(t.ring), len(t.ring)+n), t.max)
}

func (t *tail) growRing(n int) {
	ring, at := make([]byte, t.grown(n)), 0
	for i := range t.n {
		e := &t.entries[(t.first+i)&(len(t.entries)-1)]
		size := copy(ring[at:], t.ring[e.start:e.end])
		e.start, e.end = at, at+size
		at += size
	}
	t.ring, t.head = ring, at
}

func (t *tail) growEntries() {
	entries := make([]tailEntry, 2*len(t.entries))
	for i := range t.n {
		entries[i] = t.entries[(t.first+i)&(len(t.entries)-1)]
	}
	t.entries, t.first = entries, 0
}

// afterLocked finds the proposal after z; t.mu is held, and b is valid while it stays so. ok is false
// when the log has to be asked.
func (t *tail) afterLocked(z jute.Zxid) (next jute.Zxid, b []byte, ok bool) {
	if t.n == 0 || z < t.prev || z >= t.last {
		return 0, nil, false
	}
	i := 0
	if oldest := t.entries[t.first].zxid; z >= oldest {
		i = int(z-oldest) + 1 // zxids of a term have no gaps
	}
	e := t.entries[(t.first+i)&(len(t.entries)-1)]
	return e.zxid, t.ring[e.start:e.end], true
}
