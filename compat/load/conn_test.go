package load

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"zk/compat/harness"
	"zk/jute"
)

// conn is a connection with a session that reads one frame after the other into one buffer.
type conn struct {
	nc  net.Conn
	in  *bufio.Reader
	xid int32
	buf []byte

	zxid jute.Zxid // of the last reply

	id     jute.SessionID
	passwd []byte
}

// connect opens a session.
func connect(addr string, timeout time.Duration) (*conn, error) {
	return login(addr, timeout, 0, make([]byte, 16))
}

// renew takes a session up on a connection of its own, with a timeout of its own.
func renew(addr string, c *conn, timeout time.Duration) (*conn, error) {
	return login(addr, timeout, c.id, c.passwd)
}

func login(addr string, timeout time.Duration, id jute.SessionID, passwd []byte) (*conn, error) {
	nc, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	c := &conn{nc: nc, in: bufio.NewReaderSize(nc, 512)}
	q := jute.ConnectRequest{TimeoutMillis: int32(timeout.Milliseconds()), SessionID: id, Passwd: passwd, HasReadOnly: true}
	_, err = nc.Write(harness.Frame(q.Append(nil)))
	var b []byte
	if err == nil {
		b, err = c.frame()
	}
	if err != nil {
		_ = nc.Close()
		return nil, fmt.Errorf("login: %w", err)
	}
	d := jute.NewDecoder(b, len(b))
	var resp jute.ConnectResponse
	if resp.Decode(&d); d.Err() != nil || resp.SessionID == 0 {
		_ = nc.Close()
		return nil, fmt.Errorf("login: %+v %w", resp, d.Err())
	}
	c.id, c.passwd = resp.SessionID, slices.Clone(resp.Passwd)
	return c, nil
}

// frame reads one frame; it is valid until the next.
func (c *conn) frame() ([]byte, error) {
	_ = c.nc.SetReadDeadline(time.Now().Add(patience))
	var n [4]byte
	if _, err := io.ReadFull(c.in, n[:]); err != nil {
		return nil, err
	}
	size := int(binary.BigEndian.Uint32(n[:]))
	if size > 256<<20 {
		return nil, fmt.Errorf("a frame of %d bytes", size)
	}
	if cap(c.buf) < size {
		c.buf = make([]byte, size)
	}
	b := c.buf[:size]
	_, err := io.ReadFull(c.in, b)
	return b, err
}

// reply reads up to the next reply and gives its header and body; events before it are counted.
func (c *conn) reply() (h jute.ReplyHeader, body []byte, events int, err error) {
	for {
		b, err := c.frame()
		if err != nil {
			return h, nil, events, err
		}
		d := jute.NewDecoder(b, len(b))
		if h.Decode(&d); d.Err() != nil {
			return h, nil, events, d.Err()
		}
		if h.Xid == jute.XidNotification {
			events++
			continue
		}
		c.zxid = max(c.zxid, h.Zxid)
		return h, d.Rest(), events, nil
	}
}

// request is the next request as a frame.
func (c *conn) request(op jute.OpCode, body []byte) []byte {
	c.xid++
	xid := c.xid
	if op == jute.OpPing {
		xid = jute.XidPing
	}
	return harness.RequestFrame(xid, op, body)
}

// send writes a request.
func (c *conn) send(op jute.OpCode, body []byte) error {
	_ = c.nc.SetWriteDeadline(time.Now().Add(patience))
	_, err := c.nc.Write(c.request(op, body))
	return err
}

// call sends a request and waits for its reply, which must not be an error.
func (c *conn) call(op jute.OpCode, body []byte) ([]byte, error) {
	if err := c.send(op, body); err != nil {
		return nil, err
	}
	h, b, _, err := c.reply()
	if err == nil && h.Err != jute.CodeOk {
		err = h.Err
	}
	if err != nil {
		err = fmt.Errorf("%v: %w", op, err)
	}
	return b, err
}

// quit ends the session and the connection.
func (c *conn) quit() error {
	_, err := c.call(jute.OpCloseSession, nil)
	return errors.Join(err, c.nc.Close())
}

func create(path, data string, flags int32) []byte {
	acl := []jute.ACL{{Perms: jute.PermAll, ID: jute.ID{Scheme: "world", ID: "anyone"}}}
	q := jute.CreateRequest{Path: path, Data: []byte(data), ACL: acl, Flags: flags}
	return q.Append(nil, jute.OpCreate)
}

func setData(path, data string) []byte {
	q := jute.SetDataRequest{Path: path, Data: []byte(data), Version: -1}
	return q.Append(nil)
}

func read(path string, watch bool) []byte {
	q := jute.PathWatchRequest{Path: path, Watch: watch}
	return q.Append(nil)
}

func remove(path string) []byte {
	q := jute.PathVersionRequest{Path: path, Version: -1}
	return q.Append(nil)
}

func addWatch(path string, mode int32) []byte {
	q := jute.PathTypeRequest{Path: path, Type: mode}
	return q.Append(nil)
}

// fill makes n children of a new node, in multis.
func (c *conn) fill(path string, n int, flags int32) error {
	if _, err := c.call(jute.OpCreate, create(path, "", 0)); err != nil {
		return err
	}
	const together, ahead = 500, 8
	waiting := 0
	for i := 0; i < n || waiting > 0; {
		if i < n && waiting < ahead {
			var b []byte
			for end := min(i+together, n); i < end; i++ {
				b = append(jute.MultiHeader{Type: jute.OpCreate, Err: -1}.Append(b), create(fmt.Sprintf("%s/n%07d", path, i), "x", flags)...)
			}
			if err := c.send(jute.OpMulti, jute.MultiEnd.Append(b)); err != nil {
				return err
			}
			waiting++
			continue
		}
		h, _, _, err := c.reply()
		if err != nil || h.Err != jute.CodeOk {
			return fmt.Errorf("filling %s: %v, %w", path, h.Err, err)
		}
		waiting--
	}
	return nil
}
