package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"time"
)

const (
	// fileBytesMax is the size at which a file is put aside, filesMax how many are kept beside it. Java's
	// own settings for the audit log have the same.
	fileBytesMax = 10 << 20
	filesMax     = 10
)

// File writes lines to a file, in the form of Java's audit appender:
//
//	2026-11-25 19:50:21,695 INFO audit.Slf4jAuditLogger: session=...
//
// At 10 MiB it is renamed to name.1, that one to name.2, and so on to name.10. It belongs to one goroutine.
type File struct {
	name string
	max  int64
	f    *os.File // nil after a failure; opened again at the next write
	size int64
	buf  []byte
}

// OpenFile opens the file, or makes it, readable for its owner and group only.
func OpenFile(name string) (*File, error) {
	f := &File{name: name, max: fileBytesMax}
	if err := f.open(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *File) open() error {
	file, err := os.OpenFile(f.name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return fmt.Errorf("audit: opening the log: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("audit: opening the log: %w", err), file.Close())
	}
	f.f, f.size = file, info.Size()
	return nil
}

// Write implements Sink. Entries that are written together have one time.
func (f *File) Write(entries []Entry) (written int, err error) {
	const chunk = 64 << 10
	stamp := time.Now().Format("2006-01-02 15:04:05,000")
	queued := 0
	for i := range entries {
		e := &entries[i]
		level := " INFO"
		if e.Result == Failure {
			level = " ERROR"
		}
		f.buf = append(append(append(f.buf, stamp...), level...), " audit.Slf4jAuditLogger: "...)
		f.buf = append(e.AppendText(f.buf), '\n')
		if queued++; len(f.buf) >= chunk || i == len(entries)-1 {
			if err := f.flush(); err != nil {
				return written, err
			}
			written, queued = written+queued, 0
		}
	}
	return written, nil
}

// flush writes whole lines.
func (f *File) flush() error {
	defer func() { f.buf = f.buf[:0] }()
	if f.f != nil && f.size > 0 && f.size+int64(len(f.buf)) > f.max {
		f.roll()
	}
	if f.f == nil {
		if err := f.open(); err != nil {
			return err
		}
	}
	n, err := f.f.Write(f.buf)
	f.size += int64(n)
	if err != nil {
		return fmt.Errorf("audit: writing: %w", err)
	}
	return nil
}

// roll puts the full file aside. What can't be renamed is written on.
func (f *File) roll() {
	_ = f.f.Close() // all of it was written
	f.f = nil
	for i := filesMax - 1; i >= 0; i-- {
		from := f.name
		if i > 0 {
			from += "." + strconv.Itoa(i)
		}
		_ = os.Rename(from, f.name+"."+strconv.Itoa(i+1)) // it may not be there yet
	}
}

// Close implements Sink.
func (f *File) Close() error {
	if f.f == nil {
		return nil
	}
	return f.f.Close()
}

// ToLogger writes each line as a record of the server's log: the message is "audit", and each field an
// attribute, in order.
func ToLogger(log *slog.Logger) Sink { return loggerSink{log} }

type loggerSink struct{ log *slog.Logger }

// Write implements Sink.
func (s loggerSink) Write(entries []Entry) (int, error) {
	for i := range entries {
		e := &entries[i]
		level := slog.LevelInfo
		if e.Result == Failure {
			level = slog.LevelError
		}
		var attrs []slog.Attr
		e.each(func(name, value string) { attrs = append(attrs, slog.String(name, value)) })
		s.log.LogAttrs(context.Background(), level, "audit", attrs...)
	}
	return len(entries), nil
}

// Close implements Sink.
func (s loggerSink) Close() error { return nil }
