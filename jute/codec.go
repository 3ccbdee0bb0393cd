package jute

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// MaxBufferDefault is Java's default of jute.maxbuffer in bytes: the largest frame a server takes.
const MaxBufferDefault = 0xfffff

// ExtraSizeMin is the least value of zookeeper.jute.maxbuffer.extrasize in bytes.
const ExtraSizeMin = 1024

// AppendBool appends a boolean: one byte, 0 or 1.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// AppendInt32 appends an int: four bytes, big-endian.
func AppendInt32(b []byte, v int32) []byte { return binary.BigEndian.AppendUint32(b, uint32(v)) }

// AppendInt64 appends a long: eight bytes, big-endian.
func AppendInt64(b []byte, v int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(v)) }

// AppendBuffer appends a buffer: its length and bytes, or -1 for nil.
func AppendBuffer(b, v []byte) []byte {
	if v == nil {
		return AppendInt32(b, -1)
	}
	return append(AppendInt32(b, int32(len(v))), v...)
}

// AppendString appends a ustring that is not null.
func AppendString(b []byte, v string) []byte {
	return append(AppendInt32(b, int32(len(v))), v...)
}

// AppendNullString appends a ustring, null when v is nil.
func AppendNullString(b []byte, v *string) []byte {
	if v == nil {
		return AppendInt32(b, -1)
	}
	return AppendString(b, *v)
}

// AppendStrings appends a vector of ustrings, null when v is nil.
func AppendStrings(b []byte, v []string) []byte {
	if v == nil {
		return AppendInt32(b, -1)
	}
	b = AppendInt32(b, int32(len(v)))
	for _, s := range v {
		b = AppendString(b, s)
	}
	return b
}

// DecodeError says why a record could not be decoded. It is what Java reports as MarshallingError.
type DecodeError struct {
	Offset int    // of the field in the input, in bytes
	Reason string // what was wrong with it
}

func (e *DecodeError) Error() string {
	return fmt.Sprintf("jute: decode at offset %d: %s", e.Offset, e.Reason)
}

// Decoder reads jute values from a slice. The first failure sticks: later reads return zero values, and
// Err tells. The zero limit means MaxBufferDefault plus the same again, Java's default.
type Decoder struct {
	buf   []byte
	off   int
	limit int
	like  string
	err   error
}

// NewDecoder reads from b. limitBytes bounds each single string and buffer (jute.maxbuffer plus its
// extra size); 0 takes Java's default of both.
func NewDecoder(b []byte, limitBytes int) Decoder {
	if limitBytes <= 0 {
		limitBytes = 2 * MaxBufferDefault
	}
	return Decoder{buf: b, limit: limitBytes}
}

// Like gives a string that is likely to come. Where it does it is taken in place of a copy.
func (d *Decoder) Like(s string) { d.like = s }

// Err is the first failure, a *DecodeError, or nil.
func (d *Decoder) Err() error { return d.err }

// Remaining is the number of bytes not read yet.
func (d *Decoder) Remaining() int { return len(d.buf) - d.off }

// Offset is the number of bytes read so far.
func (d *Decoder) Offset() int { return d.off }

// Rest returns the bytes not read yet, without reading them. It aliases the input.
func (d *Decoder) Rest() []byte { return d.buf[d.off:] }

// Fail records a failure at the current offset, unless there is one already.
func (d *Decoder) Fail(reason string) {
	if d.err == nil {
		d.err = &DecodeError{Offset: d.off, Reason: reason}
	}
}

func (d *Decoder) take(n int) []byte {
	if d.err != nil {
		return nil
	}
	if len(d.buf)-d.off < n {
		d.Fail("too few bytes")
		return nil
	}
	b := d.buf[d.off : d.off+n : d.off+n]
	d.off += n
	return b
}

// Bool reads a boolean; any byte but 0 is true.
func (d *Decoder) Bool() bool {
	b := d.take(1)
	return b != nil && b[0] != 0
}

// Int32 reads an int.
func (d *Decoder) Int32() int32 {
	b := d.take(4)
	if b == nil {
		return 0
	}
	return int32(binary.BigEndian.Uint32(b))
}

// Int64 reads a long.
func (d *Decoder) Int64() int64 {
	b := d.take(8)
	if b == nil {
		return 0
	}
	return int64(binary.BigEndian.Uint64(b))
}

// length reads the length of a string or buffer: -1 is null, anything else is checked.
func (d *Decoder) length() int {
	n := int(d.Int32())
	if d.err != nil || n == -1 {
		return -1
	}
	if n < 0 || n > d.limit {
		d.Fail("unreasonable length")
		return -1
	}
	return n
}

// Buffer reads a buffer; nil is null. The result aliases the input.
func (d *Decoder) Buffer() []byte {
	n := d.length()
	if n < 0 {
		return nil
	}
	return d.take(n)
}

// NullString reads a ustring; ok is false for null. Malformed UTF-8 becomes U+FFFD as in Java, where
// one replacement stands for each longest prefix of a character and for an encoded surrogate.
func (d *Decoder) NullString() (s string, ok bool) {
	n := d.length()
	if n < 0 {
		return "", false
	}
	b := d.take(n)
	if d.err != nil {
		return "", false
	}
	switch string(b) { // the first two are in most ACLs; saves the copies
	case "world":
		return "world", true
	case "anyone":
		return "anyone", true
	case d.like:
		return d.like, true
	}
	if utf8.Valid(b) {
		return string(b), true
	}
	return replaceMalformed(b), true
}

// replaceMalformed decodes as Java's new String(bytes, UTF_8) does. It matters where no path check
// rejects U+FFFD, as in the ids of ACLs: two servers must store the same number of them.
func replaceMalformed(b []byte) string {
	out := make([]byte, 0, len(b)+utf8.UTFMax)
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			n = malformedLen(b)
		}
		out = utf8.AppendRune(out, r)
		b = b[n:]
	}
	return string(out)
}

// malformedLen is the number of bytes at the start of b that one U+FFFD replaces; b does not start
// with a valid character.
func malformedLen(b []byte) int {
	need, low, high := 0, byte(0x80), byte(0xBF) // continuation bytes, range of the first of them
	switch c := b[0]; {
	case c >= 0xC2 && c <= 0xDF:
		need = 1
	case c >= 0xE0 && c <= 0xEF:
		need = 2
		if c == 0xE0 {
			low = 0xA0
		}
	case c >= 0xF0 && c <= 0xF4:
		need = 3
		if c == 0xF0 {
			low = 0x90
		} else if c == 0xF4 {
			high = 0x8F
		}
	}
	n := 1
	for ; n <= need && n < len(b) && b[n] >= low && b[n] <= high; n++ {
		low, high = 0x80, 0xBF
	}
	return n
}

// String reads a ustring that must not be null.
func (d *Decoder) String() string {
	s, ok := d.NullString()
	if !ok {
		d.Fail("null string")
	}
	return s
}

// OptString reads a ustring, nil for null.
func (d *Decoder) OptString() *string {
	s, ok := d.NullString()
	if !ok {
		return nil
	}
	return &s
}

// Count reads the number of elements of a vector; null is true for -1. Other negative counts are an
// empty vector, as in Java. The caller must not allocate by the count: see Decoder.Cap.
func (d *Decoder) Count() (n int, null bool) {
	c := d.Int32()
	if d.err != nil || c == -1 {
		return 0, true
	}
	return max(int(c), 0), false
}

// peekInt32 is the next int without reading it; ok is false when fewer bytes remain.
func (d *Decoder) peekInt32() (v int32, ok bool) {
	if d.err != nil || d.Remaining() < 4 {
		return 0, false
	}
	return int32(binary.BigEndian.Uint32(d.buf[d.off:])), true
}

// Cap bounds an announced count n by the bytes that remain, at least elementBytes each.
func (d *Decoder) Cap(n, elementBytes int) int { return min(n, d.Remaining()/elementBytes) }

// Strings reads a vector of ustrings, nil for a null vector. Null elements fail.
func (d *Decoder) Strings() []string {
	n, null := d.Count()
	if null {
		return nil
	}
	v := make([]string, 0, d.Cap(n, 4))
	for range n {
		s := d.String()
		if d.err != nil {
			return nil
		}
		v = append(v, s)
	}
	return v
}
