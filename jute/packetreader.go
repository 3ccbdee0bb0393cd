package jute

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"slices"
)

const (
	// growBytes is by how much a buffer grows ahead of bytes that are announced but not received.
	growBytes = 64 << 10
	// idsCacheMax and idsCacheBytesMax bound what a PacketReader remembers of authinfo: entries, and
	// encoded bytes of one.
	idsCacheMax      = 256
	idsCacheBytesMax = 256
)

// PacketReader reads QuorumPackets from a stream, one right behind the other. It takes no byte beyond a
// packet from the bufio.Reader, so that a snapshot behind SNAP can be read from that. What it holds grows
// with the bytes received, not with lengths announced. Not for use by several goroutines at once.
type PacketReader struct {
	r       *bufio.Reader
	limit   int
	authRaw []byte          // the authinfo being read
	ids     map[string][]ID // decoded authinfo by its bytes: requests of one client come with the same
}

// NewPacketReader reads from r, which must hold at least 16 bytes, as every bufio.Reader does. limitBytes
// bounds the data of a packet, and all of its authinfo; 0 takes Java's default of jute.maxbuffer with its
// extra size.
func NewPacketReader(r *bufio.Reader, limitBytes int) *PacketReader {
	if limitBytes <= 0 {
		limitBytes = 2 * MaxBufferDefault
	}
	return &PacketReader{r: r, limit: limitBytes}
}

// Read reads the next packet. Its data is appended to buf, which is returned, and p.Data aliases that: a
// caller that gives buf[:0] each time reads without allocation; one that gives what it got keeps the data of
// all packets. An error is io.EOF if the stream ends before the packet, io.ErrUnexpectedEOF if within, a
// *DecodeError (its offset counts from the packet's start) if this is no packet, or the stream's own. After
// one there is no next packet.
func (r *PacketReader) Read(p *QuorumPacket, buf []byte) ([]byte, error) {
	const headerBytes = quorumPacketMinBytes - 4 // all before the data
	head, err := r.r.Peek(headerBytes)
	if err != nil {
		if len(head) > 0 {
			err = unexpected(err)
		}
		return buf, err
	}
	p.Type = PacketType(binary.BigEndian.Uint32(head))
	p.Zxid = Zxid(binary.BigEndian.Uint64(head[4:]))
	n := int(int32(binary.BigEndian.Uint32(head[12:])))
	p.Data, p.AuthInfo = nil, nil
	if n < -1 || n > r.limit {
		return buf, &DecodeError{Offset: headerBytes, Reason: "unreasonable length"}
	}
	if _, err := r.r.Discard(headerBytes); err != nil {
		return buf, err
	}
	if n >= 0 {
		start := len(buf)
		if buf, err = r.take(buf, n); err != nil {
			return buf, err
		}
		p.Data = buf[start:len(buf):len(buf)]
		if p.Data == nil {
			p.Data = []byte{}
		}
	}
	if p.AuthInfo, err = r.readIDs(headerBytes + max(n, 0)); err != nil {
		return buf, err
	}
	return buf, nil
}

// take appends the next n bytes of the stream to buf.
func (r *PacketReader) take(buf []byte, n int) ([]byte, error) {
	for start := len(buf); n > 0; {
		at := len(buf)
		step := min(n, max(growBytes, at-start))
		buf = slices.Grow(buf, step)[:at+step]
		if got, err := io.ReadFull(r.r, buf[at:]); err != nil {
			return buf[:at+got], unexpected(err)
		}
		n -= step
	}
	return buf, nil
}

// readIDs reads a vector of ID; offset is where it starts in the packet.
func (r *PacketReader) readIDs(offset int) ([]ID, error) {
	var err error
	if r.authRaw, err = r.take(r.authRaw[:0], 4); err != nil {
		return nil, err
	}
	count := int32(binary.BigEndian.Uint32(r.authRaw))
	if count == -1 {
		return nil, nil
	}
	for range int64(count) * 2 { // a scheme and an id; none for other negative counts, as in Java
		at := len(r.authRaw)
		if r.authRaw, err = r.take(r.authRaw, 4); err != nil {
			return nil, err
		}
		n := int32(binary.BigEndian.Uint32(r.authRaw[at:]))
		if n < 0 || len(r.authRaw)+int(n) > r.limit {
			return nil, &DecodeError{Offset: offset + at, Reason: "unreasonable length in authinfo"}
		}
		if r.authRaw, err = r.take(r.authRaw, int(n)); err != nil {
			return nil, err
		}
	}
	if ids, ok := r.ids[string(r.authRaw)]; ok {
		return ids, nil
	}
	d := NewDecoder(r.authRaw, r.limit)
	ids := d.ids()
	if d.Err() != nil {
		return nil, d.Err()
	}
	if len(r.authRaw) <= idsCacheBytesMax {
		if r.ids == nil || len(r.ids) >= idsCacheMax {
			r.ids = make(map[string][]ID)
		}
		r.ids[string(r.authRaw)] = ids
	} else {
		r.authRaw = nil // big ones are rare: don't keep the buffer
	}
	return ids, nil
}

// unexpected is err, or io.ErrUnexpectedEOF where the stream ended within a packet.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
