package harness

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"zk/jute"
)

// ErrClosed is what reading gives when the server has closed the connection, orderly or with a reset.
var ErrClosed = errors.New("harness: connection closed by the server")

// ErrTimeout is what reading gives when no frame came in time; the connection stays usable.
var ErrTimeout = errors.New("harness: nothing came in time")

// writeTimeout bounds a write, for servers that stop reading.
const writeTimeout = 10 * time.Second

// frameBytesMax bounds a frame read from a server; replies have no limit of their own.
const frameBytesMax = 64 << 20

// RawConn is a client connection without a client: framing and nothing else.
type RawConn struct {
	conn net.Conn
	buf  []byte // bytes of a frame that has not come completely
}

// Dial opens a connection to a client port. Nothing is sent.
func Dial(addr string) (*RawConn, error) { return DialFrom(addr, "") }

// DialFrom opens a connection from the given local address (any loopback address will do), or from
// the default one when it is empty.
func DialFrom(addr, local string) (*RawConn, error) {
	d := net.Dialer{Timeout: 5 * time.Second}
	if local != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(local)}
	}
	c, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("harness: dialing %s: %w", addr, err)
	}
	return &RawConn{conn: c}, nil
}

// Over makes a RawConn of a connection that exists, one with TLS for example. CloseWrite and LocalAddr are for TCP
// alone.
func Over(c net.Conn) *RawConn { return &RawConn{conn: c} }

// Close closes the connection; the session, if any, lives on.
func (c *RawConn) Close() { _ = c.conn.Close() }

// CloseWrite sends FIN; the other direction stays open.
func (c *RawConn) CloseWrite() error {
	if err := c.conn.(*net.TCPConn).CloseWrite(); err != nil {
		return fmt.Errorf("harness: closing the write side: %w", err)
	}
	return nil
}

// LocalAddr is the client's end of the connection.
func (c *RawConn) LocalAddr() *net.TCPAddr { return c.conn.LocalAddr().(*net.TCPAddr) }

// Write sends bytes as they are, in one write and so, if they are few, in one segment.
func (c *RawConn) Write(b []byte) error {
	_ = c.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, err := c.conn.Write(b); err != nil {
		return fmt.Errorf("harness: writing: %w", err)
	}
	return nil
}

// WriteSplit sends bytes in several segments, cut at the given offsets, with a pause between them that
// lets the server see each alone.
func (c *RawConn) WriteSplit(b []byte, pause time.Duration, cuts ...int) error {
	from := 0
	for _, cut := range append(cuts, len(b)) {
		if err := c.Write(b[from:cut]); err != nil {
			return err
		}
		from = cut
		if from < len(b) {
			time.Sleep(pause)
		}
	}
	return nil
}

// Frame puts the length before a payload.
func Frame(payload []byte) []byte {
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(payload)), uint32(len(payload))), payload...)
}

// RequestFrame is the frame of one request.
func RequestFrame(xid int32, op jute.OpCode, body []byte) []byte {
	h := jute.RequestHeader{Xid: xid, Type: op}
	return Frame(append(h.Append(nil), body...))
}

// Send sends one request in one write.
func (c *RawConn) Send(xid int32, op jute.OpCode, body []byte) error {
	return c.Write(RequestFrame(xid, op, body))
}

// Connect does the handshake: it sends the request and reads the response. A response that says
// "expired" is not an error; ErrClosed is.
func (c *RawConn) Connect(r jute.ConnectRequest) (jute.ConnectResponse, error) {
	return c.ConnectIn(10*time.Second, r)
}

// ConnectIn is Connect with a time for the response.
func (c *RawConn) ConnectIn(timeout time.Duration, r jute.ConnectRequest) (jute.ConnectResponse, error) {
	if err := c.Write(Frame(r.Append(nil))); err != nil {
		return jute.ConnectResponse{}, err
	}
	b, err := c.ReadFrame(timeout)
	if err != nil {
		return jute.ConnectResponse{}, err
	}
	d := jute.NewDecoder(b, 0)
	var resp jute.ConnectResponse
	resp.Decode(&d)
	if d.Err() != nil {
		return resp, fmt.Errorf("harness: connect response of %d bytes: %w", len(b), d.Err())
	}
	return resp, nil
}

// ReadFrame reads the payload of the next frame. ErrClosed and ErrTimeout tell the two ordinary ways to
// get none; after a timeout a later call goes on where this one stopped.
func (c *RawConn) ReadFrame(timeout time.Duration) ([]byte, error) {
	deadline := time.Now().Add(timeout)
	if err := c.fill(4, deadline); err != nil {
		return nil, err
	}
	n := int(int32(binary.BigEndian.Uint32(c.buf)))
	if n < 0 || n > frameBytesMax {
		return nil, fmt.Errorf("harness: frame of %d bytes from the server", n)
	}
	if err := c.fill(4+n, deadline); err != nil {
		return nil, err
	}
	payload := append([]byte(nil), c.buf[4:4+n]...)
	c.buf = append(c.buf[:0], c.buf[4+n:]...)
	return payload, nil
}

// ReadRaw reads what comes until the server closes the connection or the time is over; closed says
// which. For answers that are not frames.
func (c *RawConn) ReadRaw(timeout time.Duration) (b []byte, closed bool) {
	deadline := time.Now().Add(timeout)
	for {
		err := c.fill(len(c.buf)+1, deadline)
		if err != nil {
			b, c.buf = c.buf, nil
			return b, errors.Is(err, ErrClosed)
		}
	}
}

// fill reads until at least n bytes are buffered.
func (c *RawConn) fill(n int, deadline time.Time) error {
	if len(c.buf) >= n {
		return nil
	}
	_ = c.conn.SetReadDeadline(deadline)
	chunk := make([]byte, 16<<10)
	for len(c.buf) < n {
		k, err := c.conn.Read(chunk)
		c.buf = append(c.buf, chunk[:k]...)
		switch {
		case k > 0 || err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			return ErrTimeout
		case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
			return ErrClosed
		default:
			return fmt.Errorf("harness: reading: %w", err)
		}
	}
	return nil
}

// FourLetter sends an operator's word and returns the whole reply.
func FourLetter(addr, word string) (string, error) { return fourLetter(addr, word, 10*time.Second) }

func fourLetter(addr, word string, timeout time.Duration) (string, error) {
	c, err := Dial(addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.Write([]byte(word)); err != nil {
		return "", err
	}
	b, closed := c.ReadRaw(timeout)
	if !closed {
		return string(b), fmt.Errorf("harness: %s: the server did not close the connection", word)
	}
	return string(b), nil
}
