package harness

import (
	"fmt"
	"time"

	"zk/jute"
)

// Bulk is a session that sends many requests before it reads their replies. It sends no pings: it lives from one
// bulk to the next only as long as its timeout.
type Bulk struct {
	conn *RawConn
	xid  int32
}

// Request is a request of a Bulk.
type Request struct {
	Op   jute.OpCode
	Body []byte
}

// So many requests are on their way at once, at most: they have to fit into the sockets' buffers, since a server may
// read no more until its replies are read.
const (
	bulkRequests = 500
	bulkBytes    = 256 << 10
)

// bulkTimeout is that of the session, and bounds the wait for each reply.
const bulkTimeout = 30 * time.Second

// OpenBulk opens a session and, unless digest is empty, authenticates it ("user:password").
func OpenBulk(addr, digest string) (*Bulk, error) {
	c, err := Dial(addr)
	if err != nil {
		return nil, err
	}
	resp, err := c.Connect(jute.ConnectRequest{TimeoutMillis: int32(bulkTimeout.Milliseconds()), Passwd: make([]byte, 16), HasReadOnly: true})
	if err == nil && resp.SessionID == 0 {
		err = fmt.Errorf("harness: %s gives no session", addr)
	}
	b := &Bulk{conn: c}
	if err == nil && digest != "" {
		scheme := "digest"
		auth := jute.AuthPacket{Scheme: &scheme, Auth: []byte(digest)}
		err = b.Do([]Request{{jute.OpAuth, auth.Append(nil)}}, Succeeds)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return b, nil
}

// Close ends the session.
func (b *Bulk) Close() {
	_ = b.Do([]Request{{Op: jute.OpCloseSession}}, Succeeds)
	b.conn.Close()
}

// Succeeds is for Do: a reply with an error ends it.
func Succeeds(i int, code jute.Code, _ []byte) error {
	if code != 0 {
		return fmt.Errorf("harness: request %d of a bulk: %w", i, code)
	}
	return nil
}

// Do sends the requests and hands each reply to a function, in their order: the number of its request, its code and
// its body, which is the function's to keep. What the function returns ends Do.
func (b *Bulk) Do(requests []Request, reply func(i int, code jute.Code, body []byte) error) error {
	for from := 0; from < len(requests); {
		var out []byte
		first, n := b.xid+1, 0
		for ; n < bulkRequests && from+n < len(requests) && len(out) < bulkBytes; n++ {
			b.xid++
			out = append(out, RequestFrame(b.xid, requests[from+n].Op, requests[from+n].Body)...)
		}
		if err := b.conn.Write(out); err != nil {
			return err
		}
		for i := range n {
			payload, err := b.conn.ReadFrame(bulkTimeout)
			if err != nil {
				return err
			}
			d := jute.NewDecoder(payload, 0)
			var h jute.ReplyHeader
			h.Decode(&d)
			if d.Err() != nil || h.Xid != first+int32(i) {
				return fmt.Errorf("harness: the reply to xid %d has xid %d: %w", first+int32(i), h.Xid, d.Err())
			}
			if err := reply(from+i, h.Err, d.Rest()); err != nil {
				return err
			}
		}
		from += n
	}
	return nil
}
