package embed

import (
	"errors"
	"fmt"

	"zk/jute"
	"zk/persistence"
	"zk/quorum"
)

// quorumLog is the transaction log as quorum wants it.
type quorumLog struct {
	*persistence.Log
	n *Node
}

var _ quorum.Log = quorumLog{}

func (l quorumLog) LastLogged() jute.Zxid { return jute.Zxid(l.Log.LastLogged()) }

// Floor fails when the store does: then the server ends, and the answer does not matter.
func (l quorumLog) Floor(z jute.Zxid) (jute.Zxid, bool) {
	at, ok, err := l.Log.Floor(z)
	if err != nil {
		l.n.fail(err)
		return 0, false
	}
	return at, ok
}

func (l quorumLog) Append(z jute.Zxid, b []byte) error {
	return l.Log.Append(persistence.Entry{Zxid: z, Bytes: b})
}

// Truncate also looks at the tree: what it has applied stays (I8).
func (l quorumLog) Truncate(z jute.Zxid) error {
	err := l.Log.Truncate(z, persistence.Applied(l.n.server.LastProcessedZxid()))
	if errors.Is(err, persistence.ErrNotHere) {
		return quorum.ErrNotHere
	}
	return err
}

func (l quorumLog) Cursor(after jute.Zxid) (quorum.Cursor, error) {
	c, err := l.Log.Cursor(after)
	if err != nil {
		return nil, err
	}
	return quorumCursor{c, l.n}, nil
}

// quorumCursor is a cursor whose end is told.
type quorumCursor struct {
	*persistence.LogCursor
	n *Node
}

// Next ends the server when its log can't be read: a learner that gets nothing of it would come again and again,
// and so would the end of a term whose history is not applied. A log that was cut or closed meanwhile is not damaged.
func (c quorumCursor) Next() (zxid jute.Zxid, b []byte, ok bool, err error) {
	zxid, b, ok, err = c.LogCursor.Next()
	if err != nil && !errors.Is(err, persistence.ErrCut) && !errors.Is(err, persistence.ErrClosed) {
		c.n.fail(fmt.Errorf("embed: read the log: %w", err))
	}
	return zxid, b, ok, err
}

func (c quorumCursor) Close() error {
	c.LogCursor.Close()
	return nil
}
