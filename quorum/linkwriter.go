package quorum

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"zk/jute"
	"zk/quorum/zab"
)

const (
	// linkWriteBytes is how much a writer gathers for one system call.
	linkWriteBytes = 64 << 10
	// linkWriteKeep is the largest buffer it keeps.
	linkWriteKeep = 256 << 10
)

// linkMailbox is what the term has for a link's writer, besides the marks.
type linkMailbox struct {
	mu       sync.Mutex
	controls []control
	sync     *zab.Action // StartSync
	cursor   Cursor      // goes with sync: where the history begins, pinned
	closed   bool

	idle atomic.Bool // the writer waits for wake, or is about to
	wake chan struct{}
}

type control struct {
	packet  jute.QuorumPacket
	barrier zab.Marks
}

// queue takes a control packet; the term's lock is held.
func (l *leaderLink) queue(p *jute.QuorumPacket, barrier zab.Marks) {
	m := &l.mailbox
	m.mu.Lock()
	// What is more than this is refused by the Outbox, too.
	if !m.closed && len(m.controls) <= zab.ControlPacketsMax {
		m.controls = append(m.controls, control{*p, barrier})
	}
	m.mu.Unlock()
	l.wakeUp()
}

// wakeUp has the writer look at the marks and at its mailbox.
func (l *leaderLink) wakeUp() {
	if m := &l.mailbox; m.idle.Load() && m.idle.CompareAndSwap(true, false) {
		m.wake <- struct{}{} // one place is free: the writer waits for just this
	}
}

// close ends the writer.
func (m *linkMailbox) close() {
	m.mu.Lock()
	m.closed = true
	if m.cursor != nil {
		_ = m.cursor.Close() // read only
		m.cursor = nil
	}
	m.mu.Unlock()
	if m.idle.CompareAndSwap(true, false) {
		m.wake <- struct{}{}
	}
}

// startSync pins the log where a learner's history begins; mu is held, so nothing was purged since the
// core looked.
func (t *leaderTerm) startSync(a *zab.Action) {
	l := t.links[a.Link]
	if l == nil {
		return
	}
	from := a.Sync.From
	if a.Sync.Mode == zab.Snap {
		from = t.p.d.StateMachine.Applied() // the tree that will be sent has at least this
	}
	cursor, err := t.p.d.Log.Cursor(from)
	if err != nil {
		t.p.log.Warn("learner can't be synced from the log", "sid", a.SID, "zxid", from, "err", err)
		_ = l.conn.Close() // its reader ends the link
		return
	}
	t.p.log.Info("syncing learner", "sid", a.SID, "mode", a.Sync.Mode, "from", from, "to", a.Sync.UpTo)
	m := &l.mailbox
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		_ = cursor.Close() // read only
		return
	}
	action := *a
	m.sync, m.cursor = &action, cursor
}

// linkWriter is the state of a link's writer goroutine.
type linkWriter struct {
	out    zab.Outbox
	seen   zab.Marks // what out was told last
	logged int64     // how far the log was durable then
	buf    []byte
	source proposals
	writes int // since the link began, see sending
	// counted: this sync is counted in the term as a transfer of the tree (snap) or not.
	counted, snap bool
}

// write sends what the Outbox says until the connection ends. Packets gather in one buffer.
func (l *leaderLink) write() error {
	w := &l.writer
	w.source.tail, w.source.log = l.t.tail, l.t.p.d.Log
	defer w.source.close()
	defer l.syncEnded()
	for {
		open, err := l.take()
		if err != nil || !open {
			return err
		}
		w.buf = w.buf[:0]
		waiting, oldest := w.waiting(), int64(-1)
		what := zab.APacket
		for what == zab.APacket && len(w.buf) < linkWriteBytes {
			var p jute.QuorumPacket
			if p, what, err = w.out.Next(&w.source); err != nil {
				break
			}
			if what == zab.APacket {
				w.buf = p.Append(w.buf)
				if oldest < 0 && len(p.Data) > 0 && (p.Type == jute.PacketProposal || p.Type == jute.PacketInform) {
					oldest = proposedAt(p.Data)
				}
			}
		}
		w.source.release()
		if err != nil {
			return err
		}
		if len(w.buf) > 0 && !w.out.Syncing() {
			l.sending(waiting, oldest)
		}
		if err := l.flush(); err != nil {
			return err
		}
		if what == zab.ASnapshot {
			if err := l.sendSnapshot(); err != nil {
				return err
			}
		}
		if w.counted && !w.out.Syncing() {
			l.syncEnded()
		}
		if what == zab.Nothing {
			l.wait()
		}
	}
}

// sendingSample is how many writes to a learner one is told of.
const sendingSample = 8

// sending tells of what waits for a learner; oldest is when the first transaction among it was made.
func (l *leaderLink) sending(waiting int, oldest int64) {
	w, hook := &l.writer, l.t.p.d.Hooks.Sending
	w.writes++
	if hook == nil || w.writes%sendingSample != 1 {
		return
	}
	if oldest >= 0 {
		oldest = max(time.Now().UnixMilli()-oldest, 0)
	}
	hook(l.sid, waiting, oldest)
}

// waiting is how many packets of the live traffic wait.
func (w *linkWriter) waiting() int {
	sent := w.out.Sent()
	n := int64(w.seen.Committed-sent.Committed) + max(int64(w.seen.Proposed-sent.Proposed), 0)
	if n < 0 || n > 1<<32 {
		return 0 // the history is not there yet
	}
	return int(n)
}

// flush writes the buffer.
func (l *leaderLink) flush() error {
	w := &l.writer
	if len(w.buf) == 0 {
		return nil
	}
	_, err := l.conn.Write(w.buf)
	if w.counted {
		l.moved.Store(true)
	}
	if cap(w.buf) > linkWriteKeep {
		w.buf = nil
	}
	return err
}

// take moves the marks and what is in the mailbox to the Outbox. The marks are read first: a step of the core
// queues its control packets before its marks are published, so no COMMIT gets ahead of a SYNC that came
// before it. It is false when the link has ended.
func (l *leaderLink) take() (bool, error) {
	w, m := &l.writer, &l.mailbox
	logged := l.t.logged.Load()
	committed := jute.Zxid(l.t.committed.Load()) // before proposed, which is never less
	w.seen = zab.Marks{Proposed: jute.Zxid(l.t.proposed.Load()), Committed: committed}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false, nil
	}
	if m.sync != nil {
		w.out.Start(m.sync.Sync, m.sync.Epoch)
		w.source.cursor = m.cursor
		l.syncBegan(m.sync.Sync.Mode == zab.Snap)
		m.sync, m.cursor = nil, nil
	}
	for i := range m.controls {
		if err := w.out.Queue(m.controls[i].packet, m.controls[i].barrier); err != nil {
			return false, err
		}
	}
	clear(m.controls)
	m.controls = m.controls[:0]
	w.out.Advance(w.seen)
	w.logged, w.source.stalled = logged, false
	return true, nil
}

// wait returns when there may be something new.
func (l *leaderLink) wait() {
	m, w := &l.mailbox, &l.writer
	l.stalled.Store(w.source.stalled)
	m.idle.Store(true)
	m.mu.Lock()
	news := m.closed || m.sync != nil || len(m.controls) > 0
	m.mu.Unlock()
	now := zab.Marks{Committed: jute.Zxid(l.t.committed.Load()), Proposed: jute.Zxid(l.t.proposed.Load())}
	if w.source.stalled && l.t.logged.Load() != w.logged {
		news = true
	}
	if (news || now != w.seen) && m.idle.CompareAndSwap(true, false) {
		return
	}
	<-m.wake
	l.t.bursts.gather()
}

// sendSnapshot streams the tree.
func (l *leaderLink) sendSnapshot() error {
	w := &l.writer
	s, err := l.t.p.d.StateMachine.OpenSnapshot()
	if err != nil {
		return fmt.Errorf("quorum: open a snapshot: %w", err)
	}
	z := s.Zxid()
	l.t.p.log.Info("sending the tree", "sid", l.sid, "zxid", z, "bytes", s.Bytes())
	out := &movingWriter{w: l.conn, moved: &l.moved, buf: make([]byte, 0, linkWriteBytes)}
	header := jute.QuorumPacket{Type: jute.PacketSnap, Zxid: z}
	out.buf = header.Append(out.buf)
	_, err = s.WriteTo(out)
	if err == nil {
		out.buf = jute.AppendString(out.buf, jute.SnapSignature)
		err = out.flush()
	}
	if err = errors.Join(err, s.Close()); err != nil {
		return fmt.Errorf("quorum: send the tree: %w", err)
	}
	w.out.SnapshotSent(z)
	return nil
}

// movingWriter gathers small writes, and notes that bytes move.
type movingWriter struct {
	w     io.Writer
	moved *atomic.Bool
	buf   []byte
}

func (m *movingWriter) Write(b []byte) (int, error) {
	if len(m.buf)+len(b) > linkWriteBytes {
		if err := m.flush(); err != nil {
			return 0, err
		}
	}
	if len(b) < linkWriteBytes {
		m.buf = append(m.buf, b...)
		return len(b), nil
	}
	// A large node: in parts, so that a slow link is seen to move.
	for rest := b; len(rest) > 0; {
		n, err := m.w.Write(rest[:min(len(rest), linkWriteBytes)])
		if err != nil {
			return len(b) - len(rest) + n, err
		}
		m.moved.Store(true)
		rest = rest[n:]
	}
	return len(b), nil
}

func (m *movingWriter) flush() error {
	b := m.buf
	m.buf = m.buf[:0]
	if len(b) == 0 {
		return nil
	}
	_, err := m.w.Write(b)
	m.moved.Store(true)
	return err
}

// syncBegan and syncEnded count the transfers under way.
func (l *leaderLink) syncBegan(snap bool) {
	w := &l.writer
	w.counted, w.snap = true, snap
	l.t.countSync(snap, 1)
}

func (l *leaderLink) syncEnded() {
	if w := &l.writer; w.counted {
		w.counted = false
		l.t.countSync(w.snap, -1)
	}
}

func (t *leaderTerm) countSync(snap bool, by int64) {
	n := &t.diffs
	if snap {
		n = &t.snaps
	}
	underWay, hook := n.Add(by), t.p.d.Hooks.SyncBegan
	if by < 0 {
		hook = t.p.d.Hooks.SyncEnded
	}
	if hook != nil {
		hook(snap, int(underWay))
	}
}

// proposals is the Outbox's zab.Reader: the tail in memory, else the log. Owned by the link's writer.
type proposals struct {
	tail   *tail
	log    Log
	locked bool // the tail is, until release
	// cursor is where the log is read, nil while the tail has everything; last is what it gave, which may
	// be asked for again.
	cursor Cursor
	last   zab.Entry
	// stalled: the log doesn't have yet what was asked for.
	stalled bool
}

// After implements zab.Reader. The tail stays locked until release, as the entry lies in it.
func (s *proposals) After(z jute.Zxid) (zab.Entry, bool, error) {
	if !s.locked {
		s.tail.mu.Lock()
		s.locked = true
	}
	if next, b, ok := s.tail.afterLocked(z); ok {
		if s.cursor != nil {
			s.release() // not with the lock
			s.close()
			return s.After(z)
		}
		return zab.Entry{Zxid: next, Data: b}, true, nil
	}
	s.release()
	return s.fromLog(z)
}

func (s *proposals) fromLog(z jute.Zxid) (e zab.Entry, ok bool, err error) {
	if s.cursor == nil {
		if s.cursor, err = s.log.Cursor(z); err != nil {
			return e, false, fmt.Errorf("quorum: read the log after %v: %w", z, err)
		}
	}
	for s.last.Zxid <= z {
		next, b, ok, err := s.cursor.Next()
		if err != nil {
			return e, false, fmt.Errorf("quorum: read the log after %v: %w", z, err)
		}
		if !ok {
			s.stalled = true
			return e, false, nil
		}
		s.last = zab.Entry{Zxid: next, Data: b}
	}
	return s.last, true, nil
}

// release unlocks the tail: the last entry is used.
func (s *proposals) release() {
	if s.locked {
		s.locked = false
		s.tail.mu.Unlock()
	}
}

func (s *proposals) close() {
	if s.cursor != nil {
		_ = s.cursor.Close() // read only
		s.cursor, s.last = nil, zab.Entry{}
	}
}
