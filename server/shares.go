package server

import (
	"runtime"

	"zk/server/lookout"
)

// shares lets long reads go on. Half of the processors are for them: whoever holds the tree lock, or answers somebody
// who waits, has one of the others soon, also when the runtime has taken it off its processor. It does so with all
// goroutines whenever the collector stops the world, and puts them behind all others that can run: behind a hundred
// lists, with the lock in hand, it would be long before it was on again.
type shares chan *lookout.Lookout

func newShares() shares {
	s := make(shares, max(1, runtime.GOMAXPROCS(0)/2))
	for range cap(s) {
		s <- &lookout.Lookout{}
	}
	return s
}

// take waits for a share, in the order of those who ask. What has one waits for nothing but the tree lock.
func (s shares) take() *lookout.Lookout { return <-s }

// give hands it on, after others could run: a write needs a processor for a moment at several places on its way, and
// would wait at each for long reads to have used up what the runtime gives them.
func (s shares) give(l *lookout.Lookout) {
	l.Pause()
	s <- l
}

// close gives up what the shares hold. They work on.
func (s shares) close() {
	for range cap(s) {
		l := s.take()
		l.Close()
		s <- l
	}
}
