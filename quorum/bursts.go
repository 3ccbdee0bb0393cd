package quorum

import (
	"runtime"
	"sync/atomic"

	"zk/jute"
)

// bursts knows whether transactions come several at a time: the log's last write took more than one along.
//
// Then a writer that the first of them has woken lets whoever can run go first, and sends more with one system
// call, which wakes the other server once: some 5 % of an ensemble's processor time at 64 connections. A lone
// transaction waits for nobody, which would cost it a wake-up of another thread.
type bursts struct{ on atomic.Bool }

// logged is told how far the log is durable, and was before.
func (b *bursts) logged(before, z jute.Zxid) {
	if on := z > before+1; on != b.on.Load() {
		b.on.Store(on)
	}
}

// gather returns when those that come together have had their turn.
func (b *bursts) gather() {
	if b.on.Load() {
		runtime.Gosched()
	}
}
