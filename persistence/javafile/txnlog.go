package javafile

import (
	"errors"
	"fmt"
	"hash/adler32"
	"io"

	"zk/jute"
	"zk/persistence"
)

// LogEnd says how the entries of a transaction log file end.
type LogEnd int

// The ends. Java takes each of them for the end of the file and goes on with the next one
// (FileTxnLog.FileTxnIterator.next, Util.readTxnBytes).
const (
	// EndOfFile is after a whole entry.
	EndOfFile LogEnd = iota
	// EndPadding is where the preallocated zeros begin.
	EndPadding
	// EndCut is inside an entry: the file is shorter than the entry.
	EndCut
	// EndTorn is an entry without the byte that ends it.
	EndTorn
)

func (e LogEnd) String() string {
	switch e {
	case EndOfFile:
		return "the end of the file"
	case EndPadding:
		return "the padding"
	case EndCut:
		return "an entry that is cut off"
	case EndTorn:
		return "an entry that was not written to its end"
	}
	return "unknown"
}

// LogReader reads the entries of one transaction log file from a stream. It judges damage exactly as Java
// does: what a crash leaves behind ends the file, anything else is an error. It holds one entry in memory.
type LogReader struct {
	name     string
	bytesMax int
	w        window
	entry    int64 // offset of the entry that was read last
	end      LogEnd
	atEnd    bool
}

// NewLogReader reads the head of a file. Only Name and BytesMax of the options count here; BytesMax bounds an
// entry. An error is a *persistence.CorruptionError, or one of r.
func NewLogReader(r io.Reader, o ReadOptions) (*LogReader, error) {
	if o.BytesMax <= 0 {
		o.BytesMax = 2 * jute.MaxBufferDefault
	}
	l := &LogReader{name: o.Name, bytesMax: o.BytesMax}
	l.w.init(r)
	b, err := l.w.peek(jute.FileHeaderBytes)
	if err != nil {
		return nil, l.wrap(err)
	}
	var h jute.FileHeader
	d := jute.NewDecoder(b, 0)
	h.Decode(&d)
	if h.Magic != jute.TxnLogMagic {
		return nil, l.wrap(damage(fmt.Sprintf("no transaction log: it begins with %08x", uint32(h.Magic))))
	}
	l.w.skip(jute.FileHeaderBytes) // Java judges neither version nor dbid
	l.entry = l.w.offset
	return l, nil
}

// Next gives the payload of the next entry, the bytes of a jute.Proposal, valid until the next call. io.EOF
// is the end, which End tells more about.
func (l *LogReader) Next() ([]byte, error) {
	if l.atEnd {
		return nil, io.EOF
	}
	const head = jute.TxnLogEntryHeaderBytes
	l.entry = l.w.offset
	have, err := l.w.left(head)
	if err != nil {
		return nil, l.wrap(err)
	}
	if have < head {
		if have == 0 {
			return nil, l.ends(EndOfFile)
		}
		return nil, l.ends(EndCut)
	}
	b, err := l.w.peek(head)
	if err != nil {
		return nil, l.wrap(err)
	}
	var h jute.TxnLogEntryHeader
	d := jute.NewDecoder(b, 0)
	h.Decode(&d)
	size := int(h.LengthBytes)
	switch {
	case size == 0:
		return nil, l.ends(EndPadding)
	case size < 0 || size > l.bytesMax:
		return nil, l.wrap(damage(fmt.Sprintf("unreasonable length %d of an entry; at most %d are read (jute.maxbuffer)", size, l.bytesMax)))
	}
	whole := head + size + 1
	if have, err = l.w.left(whole); err != nil {
		return nil, l.wrap(err)
	}
	if have < whole {
		return nil, l.ends(EndCut)
	}
	if b, err = l.w.peek(whole); err != nil {
		return nil, l.wrap(err)
	}
	if b[whole-1] != jute.TxnLogEntryEnd {
		return nil, l.ends(EndTorn)
	}
	payload := b[head : whole-1 : whole-1]
	if sum := int64(adler32.Checksum(payload)); sum != h.Adler32 {
		return nil, l.wrap(damage(fmt.Sprintf("an entry has the checksum %08x, its bytes have %08x", h.Adler32, sum)))
	}
	l.w.skip(whole)
	return payload, nil
}

// Offset is where in the file the entry begins that was read last, or at which the reading ended.
func (l *LogReader) Offset() int64 { return l.entry }

// End says how the entries ended, after Next has answered io.EOF.
func (l *LogReader) End() LogEnd { return l.end }

func (l *LogReader) ends(e LogEnd) error {
	l.end, l.atEnd = e, true
	return io.EOF
}

// wrap gives damage its place; other errors stay as they are.
func (l *LogReader) wrap(err error) error {
	var d damage
	if !errors.As(err, &d) {
		return err
	}
	return &persistence.CorruptionError{Path: l.name, Offset: l.entry, Key: "transaction log", Err: d}
}

// LogWriter writes a transaction log file as Java reads it, without padding. Its owner syncs the file.
type LogWriter struct {
	w   io.Writer
	buf []byte
}

// NewLogWriter writes the head of a file.
func NewLogWriter(w io.Writer) (*LogWriter, error) {
	h := jute.FileHeader{Magic: jute.TxnLogMagic, Version: jute.FileVersion}
	l := &LogWriter{w: w}
	l.buf = h.Append(l.buf)
	return l, l.flush()
}

// Write writes an entry with the bytes of a proposal, which must not be empty.
func (l *LogWriter) Write(proposal []byte) error {
	if len(proposal) == 0 {
		return errors.New("javafile: an empty proposal would end the log")
	}
	h := jute.TxnLogEntryHeader{Adler32: int64(adler32.Checksum(proposal)), LengthBytes: int32(len(proposal))}
	l.buf = append(append(h.Append(l.buf), proposal...), jute.TxnLogEntryEnd)
	return l.flush()
}

func (l *LogWriter) flush() error {
	_, err := l.w.Write(l.buf)
	l.buf = l.buf[:0]
	return err
}
