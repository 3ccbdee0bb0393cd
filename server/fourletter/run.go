package fourletter

import (
	"encoding/binary"
	"fmt"
	"io"
	"strconv"

	"zk/server/figures"
)

// chunkBytes is how much text is gathered before it is written: a reply below it is one segment's
// worth of writes, and one of millions of watches takes no memory.
const chunkBytes = 64 << 10

// Run answers the word on out. allowed is what the whitelist says; extra are the ExtraBytes that
// followed. The error is that of out; a word in itself can't fail. Nothing is written for an allowed
// telnet close (one that is not allowed gets Java's refusal like any other), nor for stmk without its 8
// bytes.
func (w Word) Run(out io.Writer, srv figures.Server, allowed bool, extra []byte) error {
	r := &reply{out: out, srv: srv}
	switch {
	case !allowed:
		r.line(w.String(), " is not executed because it is not in the whitelist.")
	case w == WordTelnetClose:
	case w == WordStmk:
		r.setTraceMask(extra)
	case w.needsServing() && !srv.Serving():
		r.notServing(w)
	default:
		r.render(w)
	}
	return r.flush()
}

func (r *reply) render(w Word) {
	switch w {
	case WordConf:
		r.conf()
	case WordCons:
		r.cons()
	case WordCrst:
		r.srv.ResetConnections()
		r.line("Connection stats reset.")
	case WordDirs:
		r.dirs()
	case WordDump:
		r.dump()
	case WordEnvi:
		r.envi()
	case WordGtmk:
		r.integer(r.srv.TraceMask())
	case WordHash:
		r.hash()
	case WordIsro:
		r.isro()
	case WordMntr:
		r.mntr()
	case WordRuok:
		r.text("imok")
	case WordSrst:
		r.srv.ResetStats()
		r.line("Server stats reset.")
	case WordSrvr, WordStat:
		r.stat(w == WordStat)
	case WordWchc:
		r.watchesBySession()
	case WordWchp:
		r.watchesByPath()
	case WordWchs:
		r.watchSummary()
	default:
		panic(fmt.Sprintf("fourletter: no answer for word %d", w))
	}
}

// notServing has no newline after hash, as in Java.
func (r *reply) notServing(w Word) {
	r.text("This ZooKeeper instance is not currently serving requests")
	if w != WordHash {
		r.text("\n")
	}
}

func (r *reply) isro() {
	switch {
	case !r.srv.Serving():
		r.text("null")
	case r.srv.ReadOnly():
		r.text("ro")
	default:
		r.text("rw")
	}
}

func (r *reply) setTraceMask(extra []byte) {
	if len(extra) < traceMaskBytes {
		return
	}
	mask := int64(binary.BigEndian.Uint64(extra))
	r.srv.SetTraceMask(mask)
	r.integer(mask)
}

// reply gathers text and writes it in chunks. After the first failed write it swallows the rest.
type reply struct {
	out io.Writer
	srv figures.Server
	buf []byte
	err error
}

func (r *reply) text(s string) { r.buf = append(r.buf, s...) }

// line writes the parts and a newline, and hands a full chunk over.
func (r *reply) line(parts ...string) {
	for _, p := range parts {
		r.buf = append(r.buf, p...)
	}
	r.endLine()
}

func (r *reply) endLine() {
	r.buf = append(r.buf, '\n')
	if len(r.buf) >= chunkBytes {
		_ = r.flush()
		r.srv.Rest()
	}
}

func (r *reply) integer(v int64) { r.buf = strconv.AppendInt(r.buf, v, 10) }

// hex writes v without "0x", as unsigned.
func (r *reply) hex(v int64) { r.buf = strconv.AppendUint(r.buf, uint64(v), 16) }

// pair writes a line of text and a number.
func (r *reply) pair(text string, v int64) {
	r.text(text)
	r.integer(v)
	r.endLine()
}

func (r *reply) flush() error {
	if r.err == nil && len(r.buf) > 0 {
		_, r.err = r.out.Write(r.buf)
	}
	r.buf = r.buf[:0]
	return r.err
}
