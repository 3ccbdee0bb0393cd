package server

import (
	"sync"

	"zk/jute"
	"zk/server/figures"
)

const (
	// digestEvery is how many zxids lie between two recorded digests (Java: DIGEST_LOG_INTERVAL).
	digestEvery = 128
	// digestsKept is the number of recorded digests (Java: DIGEST_LOG_LIMIT).
	digestsKept = 1024
)

// digestLog records the tree's digest now and then, and compares it with what the proposer computed.
type digestLog struct {
	mu      sync.Mutex
	ring    [digestsKept]figures.Digest // guarded by mu
	n       int                         // guarded by mu; ever recorded
	differs bool                        // owned by Apply: said already
}

// check compares the digest of the tree after zxid with the proposal's. Called under the tree lock. A
// difference is a bug or damage: it is counted and logged, as Java does, and nothing is stopped.
func (l *digestLog) check(s *Server, zxid jute.Zxid, want, got int64) {
	if want != got {
		s.met.DigestMismatchesCount.Inc()
		if !l.differs {
			l.differs = true
			s.log.Error("digests differ", "zxid", zxid, "proposed", want, "tree", got)
		}
	} else {
		l.differs = false
	}
}

// record keeps the digest after zxid if it is one of those to be kept.
func (l *digestLog) record(zxid jute.Zxid, value int64) {
	if zxid%digestEvery != 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ring[l.n%digestsKept] = figures.Digest{Zxid: zxid, Value: value}
	l.n++
}

// reset forgets all digests: they are of another tree.
func (l *digestLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n = 0
}

// list gives the recorded digests, oldest first.
func (l *digestLog) list() []figures.Digest {
	l.mu.Lock()
	defer l.mu.Unlock()
	var v []figures.Digest
	for i := max(0, l.n-digestsKept); i < l.n; i++ {
		v = append(v, l.ring[i%digestsKept])
	}
	return v
}
