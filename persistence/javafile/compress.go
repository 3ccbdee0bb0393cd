package javafile

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/snappy"
)

// How compressed snapshots begin. The names of files tell as well, but a stream has none.
const (
	gzipMagic   = "\x1f\x8b"
	snappyMagic = "\x82SNAPPY\x00"
)

// decompress gives the bytes of a snapshot, whatever it is wrapped in.
func decompress(r io.Reader) (io.Reader, error) {
	in := bufio.NewReaderSize(r, windowBytes)
	head, err := in.Peek(len(snappyMagic))
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, err
	case bytes.HasPrefix(head, []byte(gzipMagic)):
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		return z, nil
	case string(head) == snappyMagic:
		return newSnappyReader(in)
	}
	return in, nil
}

// isCompressionDamage tells whether an error of decompressing is about the bytes, not about reading them.
func isCompressionDamage(err error) bool {
	var at flate.CorruptInputError
	return errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, snappy.ErrCorrupt) || errors.As(err, &at)
}

const (
	// snappyHeadBytes is the length of the head of snappy-java's streams: magic, version, compatible version.
	snappyHeadBytes = 16
	// snappyBlockBytesMax bounds a block, before and after. snappy-java makes blocks of 32 KiB.
	snappyBlockBytesMax = 4 << 20
)

// snappyReader reads the stream format of snappy-java (SnappyOutputStream), which is not the framing
// format of snappy: a head, then blocks with their lengths before them.
type snappyReader struct {
	r     io.Reader
	in    []byte
	block []byte
	rest  []byte // of block
}

func newSnappyReader(r io.Reader) (*snappyReader, error) {
	var head [snappyHeadBytes]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, early(err)
	}
	return &snappyReader{r: r}, nil
}

// early makes damage of an end of the input in the middle of something.
func early(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return damage("it ends too early")
	}
	return err
}

func (s *snappyReader) Read(p []byte) (int, error) {
	for len(s.rest) == 0 {
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// next reads a block; io.EOF is the end.
func (s *snappyReader) next() error {
	var head [4]byte
	if _, err := io.ReadFull(s.r, head[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return io.EOF
		}
		return early(err)
	}
	n := int(int32(binary.BigEndian.Uint32(head[:])))
	if n < 0 || n > snappyBlockBytesMax {
		return damage(fmt.Sprintf("unreasonable length %d of a snappy block", n))
	}
	in := bytes.NewBuffer(s.in[:0])
	if _, err := io.CopyN(in, s.r, int64(n)); err != nil { // grows with what comes
		return early(err)
	}
	s.in = in.Bytes()
	size, err := snappy.DecodedLen(s.in)
	if err != nil {
		return err
	}
	if size > snappyBlockBytesMax {
		return damage(fmt.Sprintf("unreasonable length %d of an unpacked snappy block", size))
	}
	s.block, err = snappy.Decode(s.block[:cap(s.block)], s.in)
	s.rest = s.block
	return err
}
