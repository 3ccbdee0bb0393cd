package server

import "runtime"

// shares lets long reads go on. Half of the processors are for them: whoever holds the tree lock, or answers somebody
// who waits, has one of the others soon, also when the runtime has taken it off its processor. It does so with all
// goroutines whenever the collector stops the world, and puts them behind all others that can run: behind a hundred
// lists, with the lock in hand, it would be long before it was on again.
type shares chan struct{}

func newShares() shares { return make(shares, max(1, runtime.GOMAXPROCS(0)/2)) }

// take waits for a share, in the order of those who ask. What has one waits for nothing but the tree lock.
func (s shares) take() { s <- struct{}{} }

// give hands it on. Then others may run: a write needs a processor for a moment at several places on its way, and
// would wait at each for long reads to have used up what the runtime gives them.
func (s shares) give() {
	<-s
	runtime.Gosched()
}
