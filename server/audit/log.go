package audit

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// queueBytesMax bounds the queue: it has room for the end of a session with as many ephemerals as one
	// transaction can name.
	queueBytesMax = 32 << 20
	// awaitBytes is how full the queue may be before writers wait.
	awaitBytes = queueBytesMax / 4
	// awaitTime is how long a writer waits at most.
	awaitTime = time.Second
)

// Sink is where entries go. Its methods are called from one goroutine.
type Sink interface {
	// Write writes the entries, in order, and gives how many of them were written.
	Write(entries []Entry) (written int, err error)
	Close() error
}

// Log is the audit log of one server. Make it with Start.
type Log struct {
	sink Sink
	user string // of the server's own lines
	log  *slog.Logger
	lost atomic.Int64 // entries ever lost

	mu      sync.Mutex
	pending []Entry       // guarded by mu
	bytes   int           // guarded by mu; of pending
	dropped int64         // guarded by mu; entries lost since the last line that says so
	room    chan struct{} // guarded by mu; closed when pending was taken; nil when nobody waits
	closed  bool          // guarded by mu

	wake chan struct{} // there is something to write, or the end
	done chan struct{} // closed when all is written
}

// Start starts the writer. user is whom the server runs as, for its own lines; log is told of lines lost.
func Start(sink Sink, user string, log *slog.Logger) *Log {
	l := &Log{sink: sink, user: user, log: log, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go l.run() // ends at Close
	return l
}

// Add queues a line. It never waits. Lines after Close are dropped.
func (l *Log) Add(e Entry) {
	if e.User == "" {
		e.User = l.user
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := e.bytes(); l.closed || l.bytes+n > queueBytesMax {
		l.dropped++
		l.lost.Add(1)
	} else {
		l.pending = append(l.pending, e)
		l.bytes += n
	}
	l.signal()
}

// signal wakes the writer. Called with mu held.
func (l *Log) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Await keeps a writer back while the queue is too full, until stop is closed, or a second has passed.
func (l *Log) Await(stop <-chan struct{}) {
	l.mu.Lock()
	if l.bytes <= awaitBytes {
		l.mu.Unlock()
		return
	}
	if l.room == nil {
		l.room = make(chan struct{})
	}
	room := l.room
	l.mu.Unlock()
	limit := time.NewTimer(awaitTime)
	defer limit.Stop()
	select {
	case <-room:
	case <-limit.C:
	case <-stop:
	}
}

// Lost is the number of lines that were lost since the start.
func (l *Log) Lost() int64 { return l.lost.Load() }

// Close writes what is queued and ends the writer.
func (l *Log) Close() error {
	l.mu.Lock()
	l.closed = true
	l.signal()
	l.mu.Unlock()
	<-l.done
	return l.sink.Close()
}

// run writes what is queued, batch by batch.
func (l *Log) run() {
	defer close(l.done)
	var batch []Entry
	for range l.wake {
		l.mu.Lock()
		batch, l.pending = l.pending, batch[:0]
		l.bytes = 0
		dropped, closed := l.dropped, l.closed
		l.dropped = 0
		if l.room != nil {
			close(l.room)
			l.room = nil
		}
		l.mu.Unlock()
		if dropped > 0 {
			// After the batch: what was lost came after it.
			batch = append(batch, Entry{User: l.user, Operation: linesLost, Result: Failure, lost: dropped})
			l.log.Error("audit lines lost: too many are waiting to be written", "lines", dropped)
		}
		if len(batch) > 0 {
			if n, err := l.sink.Write(batch); err != nil {
				l.lost.Add(int64(len(batch) - n))
				l.log.Error("audit lines lost", "lines", len(batch)-n, "err", err)
			}
		}
		clear(batch) // lets go of the strings
		if closed {
			return
		}
	}
}
