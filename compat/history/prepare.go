package history

import (
	"fmt"

	"zk/compat/harness"
	"zk/jute"
)

// prepareMillis is the session timeout of a client that only prepares or looks.
const prepareMillis = 30000

// once runs something in a session that is in no history.
func once(addr string, f func(*harness.RawConn) error) error {
	s, err := Login(New(), 0, Options{Addrs: []string{addr}, TimeoutMillis: prepareMillis, Wait: patience})
	if err != nil {
		return err
	}
	defer s.HangUp()
	return f(s.conn)
}

// call sends a request and gives what follows the header of its reply.
func call(c *harness.RawConn, xid int32, op jute.OpCode, body []byte) (*jute.Decoder, error) {
	if err := c.Send(xid, op, body); err != nil {
		return nil, err
	}
	b, err := c.ReadFrame(patience)
	if err != nil {
		return nil, err
	}
	d := jute.NewDecoder(b, len(b))
	var h jute.ReplyHeader
	h.Decode(&d)
	if h.Err != jute.CodeOk {
		return nil, h.Err
	}
	return &d, d.Err()
}

// Make makes the nodes of a round.
func (w World) Make(addr string) error {
	return once(addr, func(c *harness.RawConn) error {
		for i, n := range w.nodes() {
			if _, err := call(c, int32(i), jute.OpCreate, create(n[0], n[1], 0)); err != nil {
				return fmt.Errorf("create %s: %w", n[0], err)
			}
		}
		return nil
	})
}

// ReadQueue lists the sequential nodes.
func (w World) ReadQueue(addr string) (names []string, err error) {
	err = once(addr, func(c *harness.RawConn) error {
		if _, err := call(c, 1, jute.OpSync, jute.AppendString(nil, "/")); err != nil {
			return err
		}
		q := jute.PathWatchRequest{Path: w.Queue()}
		d, err := call(c, 2, jute.OpGetChildren, q.Append(nil))
		if err != nil {
			return err
		}
		names = d.Strings()
		return d.Err()
	})
	return names, err
}
