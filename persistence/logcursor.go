package persistence

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"zk/jute"
)

// ErrCut answers a LogCursor whose log was cut (Truncate) or begun anew (Adopt) since the cursor was made.
var ErrCut = errors.New("persistence: the log was cut under a cursor")

// cursorBytes is how much a cursor reads at a time, and so about what it holds in memory.
const cursorBytes = 128 << 10

// LogCursor reads the durable entries of a log in order, across purges and for as long as wanted: what is
// appended after it was made comes too. It keeps the entries it has not read yet against Purge, and holds
// nothing else of the store between two calls: no iterator, no snapshot. It belongs to one goroutine.
type LogCursor struct {
	log  *Log
	pin  *Pin
	last jute.Zxid // given out, or what the cursor began after

	buf   []byte // entries read and not given out yet
	ahead []ahead
	next  int // in ahead
	err   error
}

// ahead is an entry in buf.
type ahead struct {
	zxid jute.Zxid
	end  int // in buf; it begins where the one before ends
}

// Cursor gives a cursor that begins right after a zxid, which need not be an entry: a new epoch's number,
// with counter 0, is none. ErrPurged when what follows is not there any more.
func (l *Log) Cursor(after jute.Zxid) (*LogCursor, error) {
	pin, err := l.Pin(after + 1)
	if err != nil {
		return nil, err
	}
	return &LogCursor{log: l, pin: pin, last: after}, nil
}

// Next gives the next entry; b is valid until the next call. ok is false when there is none yet: a later
// call may find one. Errors end the cursor: ErrCut, *CorruptionError for a gap inside an epoch, or what the
// store answers.
func (c *LogCursor) Next() (zxid jute.Zxid, b []byte, ok bool, err error) {
	if c.err != nil {
		return 0, nil, false, c.err
	}
	if c.next == len(c.ahead) {
		if c.err = c.read(); c.err != nil || len(c.ahead) == 0 {
			return 0, nil, false, c.err
		}
	}
	begin := 0
	if c.next > 0 {
		begin = c.ahead[c.next-1].end
	}
	e := c.ahead[c.next]
	c.next++
	c.last = e.zxid
	return e.zxid, c.buf[begin:e.end:e.end], true, nil
}

// read fills buf with what follows, if there is something.
func (c *LogCursor) read() (err error) {
	c.buf, c.ahead, c.next = c.buf[:0], c.ahead[:0], 0
	if cap(c.buf) > 4*cursorBytes { // of an entry larger than others
		c.buf = nil
	}
	var upTo jute.Zxid
	it, err := c.log.history.iterator(func() (*pebble.Iterator, error) {
		if c.pin.era != c.log.history.era {
			return nil, ErrCut
		}
		c.pin.from = c.last + 1
		if upTo = jute.Zxid(c.log.lastLogged.Load()); upTo <= c.last {
			return nil, nil
		}
		return c.log.db.NewIter(&pebble.IterOptions{LowerBound: entryKey(c.last + 1), UpperBound: entryKey(upTo + 1)})
	})
	if err != nil || it == nil {
		return err
	}
	defer func() {
		if cerr := it.Close(); err == nil && cerr != nil {
			err = readError("", cerr)
		}
	}()
	last := c.last
	for it.First(); it.Valid() && len(c.buf) < cursorBytes; it.Next() {
		z, ok := entryZxid(it.Key())
		if !ok || !Follows(last, z) {
			return &CorruptionError{Path: c.log.o.Dir, Key: fmt.Sprintf("%x", it.Key()), Err: fmt.Errorf("gap in the log: %v after %v", z, last)}
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return readError(z.String(), err)
		}
		c.buf = append(c.buf, v...)
		c.ahead = append(c.ahead, ahead{z, len(c.buf)})
		last = z
	}
	if err := it.Error(); err != nil {
		return readError("after "+last.String(), err)
	}
	if len(c.ahead) == 0 {
		return &CorruptionError{Path: c.log.o.Dir, Key: upTo.String(), Err: fmt.Errorf("the log ends at %v", last)}
	}
	return nil
}

// Close lets the purge have what the cursor kept. More than once does no harm.
func (c *LogCursor) Close() {
	c.pin.Release()
	if c.err == nil {
		c.err = ErrClosed
	}
}
