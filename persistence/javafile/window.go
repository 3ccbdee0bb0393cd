package javafile

import (
	"encoding/binary"
	"errors"
	"hash"
	"io"
)

// windowBytes is what a window begins with. It grows with the bytes that have come, never by a length
// that was only announced.
const windowBytes = 64 << 10

// window is the part of a stream that is being looked at, with the checksum of all that lies before it.
type window struct {
	r          io.Reader
	buf        []byte
	start, end int // what was read and not taken yet
	offset     int64
	exact      bool        // what is behind the bytes asked for is not read
	adler      hash.Hash32 // nil without a checksum
}

func (w *window) init(r io.Reader) {
	*w = window{r: r, buf: make([]byte, windowBytes)}
}

// peek gives the next n bytes, valid until the next call.
func (w *window) peek(n int) ([]byte, error) {
	if err := w.fill(n); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, damage("it ends too early")
		}
		return nil, err
	}
	return w.buf[w.start : w.start+n : w.start+n], nil
}

// int32At peeks at the int that lies at bytes ahead.
func (w *window) int32At(at int) (int, error) {
	b, err := w.peek(at + 4)
	if err != nil {
		return 0, err
	}
	return int(int32(binary.BigEndian.Uint32(b[at:]))), nil
}

// take moves on by n bytes that were peeked at.
func (w *window) take(n int) {
	if w.adler != nil {
		_, _ = w.adler.Write(w.buf[w.start : w.start+n]) // never fails
	}
	w.skip(n)
}

// skip is take for bytes that no checksum over the whole stream covers.
func (w *window) skip(n int) {
	w.start += n
	w.offset += int64(n)
}

// left is how many bytes there are until the end, at most n.
func (w *window) left(n int) (int, error) {
	err := w.fill(n)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF): // of the compression
		return 0, damage("it ends too early")
	case err != nil && !errors.Is(err, io.EOF):
		return 0, err
	}
	return min(w.end-w.start, n), nil
}

// fill reads until there are n bytes, or an error.
func (w *window) fill(n int) error {
	for idle := 0; w.end-w.start < n; {
		if w.end == len(w.buf) {
			w.makeRoom()
		}
		to := len(w.buf)
		if w.exact {
			to = min(to, w.start+n)
		}
		k, err := w.r.Read(w.buf[w.end:to])
		w.end += k
		switch {
		case w.end-w.start >= n:
		case err != nil:
			return err
		case k > 0:
			idle = 0
		default:
			if idle++; idle > 100 {
				return io.ErrNoProgress
			}
		}
	}
	return nil
}

// makeRoom moves what is left to the front, or doubles the buffer when it is full of it.
func (w *window) makeRoom() {
	to := w.buf
	if w.end-w.start > len(w.buf)/2 {
		to = make([]byte, 2*len(w.buf))
	}
	w.end = copy(to, w.buf[w.start:w.end])
	w.buf, w.start = to, 0
}
