package bench

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"zk/jute"
)

const (
	// readBytes is what one read of a session may bring.
	readBytes = 64 << 10
	// flushBytes is how much of what is due goes into one write.
	flushBytes = 256 << 10
	// ioTimeout is how long a server may neither take a byte nor give one.
	ioTimeout = 60 * time.Second
	// replyBytesMax bounds a reply.
	replyBytesMax = 256 << 20
)

var errExpired = errors.New("bench: the server gave no session")

// kind tells reads and writes apart in the report.
type kind uint8

const (
	read kind = iota
	write
)

// session is one session on one connection. It belongs to one goroutine, but for what open says.
type session struct {
	run    *run
	index  int
	nc     net.Conn
	r      *bufio.Reader
	rng    *rand.Rand
	value  []byte
	prefix string // of the names that only this session makes
	xid    int32
	made   uint64 // requests made
}

// dial opens the connection and the session.
func (r *run) dial(ctx context.Context, index int) (*session, error) {
	var d net.Dialer
	ctx, cancel := context.WithTimeout(ctx, ioTimeout)
	defer cancel()
	nc, err := d.DialContext(ctx, "tcp", r.spec.server(index))
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	s := &session{run: r, index: index, nc: nc, r: bufio.NewReaderSize(nc, readBytes)}
	if err := s.login(r.spec.SessionTimeout); err != nil {
		_ = nc.Close() // the first error counts
		return nil, err
	}
	return s, nil
}

// login exchanges ConnectRequest and ConnectResponse.
func (s *session) login(timeout time.Duration) error {
	req := jute.ConnectRequest{TimeoutMillis: int32(timeout.Milliseconds()), Passwd: make([]byte, 16), HasReadOnly: true}
	b := req.Append(make([]byte, 4, 64))
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	if err := s.send(b); err != nil {
		return err
	}
	n, err := s.frame()
	if err != nil {
		return err
	}
	body, err := s.r.Peek(n)
	if err != nil {
		return fmt.Errorf("bench: connect response: %w", err)
	}
	d := jute.NewDecoder(body, n)
	var resp jute.ConnectResponse
	if resp.Decode(&d); d.Err() != nil {
		return fmt.Errorf("bench: connect response: %w", d.Err())
	}
	if resp.SessionID == 0 || resp.TimeoutMillis <= 0 {
		return errExpired
	}
	_, err = s.r.Discard(n)
	return err
}

func (s *session) send(b []byte) error {
	_ = s.nc.SetWriteDeadline(time.Now().Add(ioTimeout)) // a closed socket tells at the write
	if _, err := s.nc.Write(b); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	return nil
}

// frame waits for a frame and gives the length of its payload, which the caller has to take.
func (s *session) frame() (int, error) {
	if s.r.Buffered() < 4 {
		_ = s.nc.SetReadDeadline(time.Now().Add(ioTimeout)) // a closed socket tells at the read
	}
	head, err := s.r.Peek(4)
	if err != nil {
		return 0, fmt.Errorf("bench: %w", err)
	}
	n := int(int32(binary.BigEndian.Uint32(head)))
	if n < 0 || n > replyBytesMax {
		return 0, fmt.Errorf("bench: a frame of %d bytes", n)
	}
	_, err = s.r.Discard(4)
	return n, err
}

// buffered tells whether a whole frame is here.
func (s *session) buffered() bool {
	n := s.r.Buffered()
	if n < 4 {
		return false
	}
	head, err := s.r.Peek(4)
	return err == nil && n-4 >= int(int32(binary.BigEndian.Uint32(head)))
}

// reply takes the next frame and gives its header.
func (s *session) reply() (h jute.ReplyHeader, err error) {
	n, err := s.frame()
	if err != nil {
		return h, err
	}
	if n < jute.ReplyHeaderBytes {
		return h, fmt.Errorf("bench: a reply of %d bytes", n)
	}
	b, err := s.r.Peek(jute.ReplyHeaderBytes)
	if err != nil {
		return h, fmt.Errorf("bench: reply: %w", err)
	}
	d := jute.NewDecoder(b, len(b))
	h.Decode(&d)
	if _, err = s.r.Discard(n); err != nil {
		return h, fmt.Errorf("bench: reply: %w", err)
	}
	return h, nil
}

// answer takes the next frame that answers a request: events and pings are passed over.
func (s *session) answer() (jute.ReplyHeader, error) {
	for {
		h, err := s.reply()
		if err != nil || h.Xid >= 0 {
			return h, err
		}
	}
}

// begin starts a request at the end of b; end closes it.
func (s *session) begin(b []byte, op jute.OpCode) (_ []byte, start int) {
	if s.xid++; s.xid <= 0 {
		s.xid = 1 // the others have meanings of their own
	}
	start = len(b)
	h := jute.RequestHeader{Xid: s.xid, Type: op}
	return h.Append(append(b, 0, 0, 0, 0)), start
}

func end(b []byte, start int) []byte {
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return b
}

// numberDigits is how many digits the number at the end of a name has.
const numberDigits = 10

// appendPath appends prefix and a number as a jute string.
func appendPath(b []byte, prefix string, n uint64) []byte {
	b = jute.AppendInt32(b, int32(len(prefix)+numberDigits))
	b = append(b, prefix...)
	var digits [numberDigits]byte
	for i := numberDigits - 1; i >= 0; i-- {
		digits[i] = byte('0' + n%10)
		n /= 10
	}
	return append(b, digits[:]...)
}

// next appends the next request of the load.
func (s *session) next(b []byte) ([]byte, kind) {
	n := s.made
	s.made++
	switch sp := s.run.spec; sp.Load {
	case "create":
		return s.create(b, n, 0), write
	case "ephemeral":
		if n%2 == 0 {
			return s.create(b, n/2, jute.FlagEphemeral), write
		}
		b, at := s.begin(b, jute.OpDelete)
		return end(jute.AppendInt32(appendPath(b, s.prefix, n/2), -1), at), write
	case "set":
		return s.set(b), write
	case "mixed":
		if int(s.rng.Uint32N(uint32(sp.Reads+sp.Writes))) < sp.Writes {
			return s.set(b), write
		}
	}
	b, at := s.begin(b, jute.OpGetData)
	return end(jute.AppendBool(appendPath(b, s.run.keys, s.key()), false), at), read
}

func (s *session) key() uint64 { return s.rng.Uint64N(uint64(s.run.spec.Keys)) }

func (s *session) set(b []byte) []byte {
	b, at := s.begin(b, jute.OpSetData)
	b = jute.AppendBuffer(appendPath(b, s.run.keys, s.key()), s.value)
	return end(jute.AppendInt32(b, -1), at)
}

func (s *session) create(b []byte, n uint64, flags int32) []byte {
	b, at := s.begin(b, jute.OpCreate)
	b = jute.AppendBuffer(appendPath(b, s.prefix, n), s.value)
	return end(jute.AppendInt32(append(b, s.run.acl...), flags), at)
}

// bye ends the session in order; the connection is closed in any case.
func (s *session) bye() error {
	defer func() { _ = s.nc.Close() }()
	b, at := s.begin(nil, jute.OpCloseSession)
	if err := s.send(end(b, at)); err != nil {
		return err
	}
	_, err := s.answer()
	return err
}
