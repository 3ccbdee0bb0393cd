package quorum

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"zk/jute"
)

// memLog is a Log in memory. What is appended becomes durable a little later, and is gone after a crash
// before that.
type memLog struct {
	mu                sync.Mutex
	more              *sync.Cond
	base              jute.Zxid
	entries           []Entry
	durable           int // of entries
	accepted, current int64
	told              func(jute.Zxid)
	delay             time.Duration
	closed            bool
	fail              error
}

func newMemLog() *memLog {
	l := &memLog{delay: time.Millisecond}
	l.more = sync.NewCond(&l.mu)
	return l
}

// start makes entries durable until stop.
func (l *memLog) start(told func(jute.Zxid)) (stop func()) {
	l.mu.Lock()
	l.told, l.closed = told, false
	l.mu.Unlock()
	var work sync.WaitGroup
	work.Go(func() {
		for {
			l.mu.Lock()
			for l.durable == len(l.entries) && !l.closed {
				l.more.Wait()
			}
			if l.closed {
				l.mu.Unlock()
				return
			}
			n := len(l.entries)
			l.mu.Unlock()
			if l.delay > 0 {
				time.Sleep(l.delay)
			}
			l.mu.Lock()
			l.durable = min(n, len(l.entries))
			z := l.lastLocked()
			l.mu.Unlock()
			told(z)
			l.mu.Lock()
			l.more.Broadcast()
			l.mu.Unlock()
		}
	})
	return func() {
		l.mu.Lock()
		l.closed = true
		l.entries = l.entries[:l.durable] // the crash
		l.more.Broadcast()
		l.mu.Unlock()
		work.Wait()
	}
}

func (l *memLog) lastLocked() jute.Zxid {
	if l.durable == 0 {
		return l.base
	}
	return l.entries[l.durable-1].Zxid
}

func (l *memLog) LastLogged() jute.Zxid {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lastLocked()
}

func (l *memLog) CompleteFrom() jute.Zxid { l.mu.Lock(); defer l.mu.Unlock(); return l.base }

func (l *memLog) Floor(z jute.Zxid) (jute.Zxid, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := l.durable - 1; i >= 0; i-- {
		if l.entries[i].Zxid <= z {
			return l.entries[i].Zxid, true
		}
	}
	return l.base, z >= l.base
}

func (l *memLog) BytesAfter(z jute.Zxid) (n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := l.durable - 1; i >= 0 && l.entries[i].Zxid > z; i-- {
		n += int64(len(l.entries[i].Bytes))
	}
	return n
}

func (l *memLog) AcceptedEpoch() int64 { l.mu.Lock(); defer l.mu.Unlock(); return l.accepted }
func (l *memLog) CurrentEpoch() int64  { l.mu.Lock(); defer l.mu.Unlock(); return l.current }

func (l *memLog) SetAcceptedEpoch(e int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted = e
	return l.fail
}

func (l *memLog) SetCurrentEpoch(e int64) error {
	if err := l.Drain(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current = e
	return l.fail
}

func (l *memLog) Append(z jute.Zxid, b []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return l.fail
	}
	last := l.base
	if n := len(l.entries); n > 0 {
		last = l.entries[n-1].Zxid
	}
	if z != last+1 && (z.Epoch() <= last.Epoch() || z.Counter() != 1) {
		return fmt.Errorf("%v appended behind %v", z, last)
	}
	l.entries = append(l.entries, Entry{Zxid: z, Bytes: b})
	l.more.Broadcast()
	return nil
}

func (l *memLog) Drain() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.durable < len(l.entries) && !l.closed {
		l.more.Wait()
	}
	return l.fail
}

func (l *memLog) Truncate(z jute.Zxid) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if z == l.base {
		l.entries, l.durable = nil, 0
		return nil
	}
	for i := range l.entries {
		if l.entries[i].Zxid == z {
			l.entries = l.entries[:i+1]
			l.durable = i + 1
			return nil
		}
	}
	return ErrNotHere
}

func (l *memLog) Cursor(after jute.Zxid) (Cursor, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if after < l.base {
		return nil, errors.New("purged")
	}
	return &memCursor{l, after}, nil
}

// purge drops entries up to z.
func (l *memLog) purge(z jute.Zxid) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.entries) > 0 && l.durable > 0 && l.entries[0].Zxid <= z {
		l.base = l.entries[0].Zxid
		l.entries = l.entries[1:]
		l.durable--
	}
}

type memCursor struct {
	l  *memLog
	at jute.Zxid
}

func (c *memCursor) Next() (jute.Zxid, []byte, bool, error) {
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	durable := c.l.entries[:c.l.durable]
	i := 0
	if n := len(durable); n > 0 {
		// The newest are asked for most.
		for i = n; i > 0 && durable[i-1].Zxid > c.at; i-- {
		}
	}
	if i < len(durable) {
		c.at = durable[i].Zxid
		return c.at, durable[i].Bytes, true, nil
	}
	return 0, nil, false, nil
}

func (c *memCursor) Close() error { return nil }

// memServer is a StateMachine whose tree is the list of what was applied. A transaction is the client's
// session, its cxid and some data.
type memServer struct {
	log *memLog

	mu      sync.Mutex
	txns    []Entry
	applied jute.Zxid
	base    jute.Zxid // txns up to here came with a snapshot
	term    Term
	next    jute.Zxid
	waiting map[memKey]chan error
	touched []jute.SessionTimeout
	sees    map[jute.SessionID]Link // sessions the leader was told of
	answers chan jute.RevalidateAnswer
	count   bool // keep no txns
	applies func(n int)
	logged  func() jute.Zxid

	proposing sync.Mutex // taken before mu
	change    *sync.Cond
}

type memKey struct {
	session jute.SessionID
	cxid    int32
}

func newMemServer(l *memLog) *memServer {
	s := &memServer{log: l, logged: l.LastLogged, waiting: map[memKey]chan error{}, sees: map[jute.SessionID]Link{}, answers: make(chan jute.RevalidateAnswer, 16)}
	s.change = sync.NewCond(&s.mu)
	return s
}

func memTxn(k memKey, data []byte) []byte {
	b := make([]byte, 0, 12+len(data))
	b = binary.BigEndian.AppendUint64(b, uint64(k.session))
	b = binary.BigEndian.AppendUint32(b, uint32(k.cxid))
	return append(b, data...)
}

func txnKey(b []byte) memKey {
	return memKey{jute.SessionID(binary.BigEndian.Uint64(b)), int32(binary.BigEndian.Uint32(b[8:]))}
}

func (s *memServer) Applied() jute.Zxid { s.mu.Lock(); defer s.mu.Unlock(); return s.applied }

func (s *memServer) Apply(entries []Entry) {
	if last := entries[len(entries)-1].Zxid; last > s.logged() {
		panic("applied before it is durable (I8)")
	}
	if s.applies != nil {
		s.applies(len(entries))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		s.applyLocked(e)
		key := txnKey(e.Bytes)
		if answer := s.waiting[key]; answer != nil {
			delete(s.waiting, key)
			answer <- nil
		}
	}
	s.change.Broadcast()
}

func (s *memServer) applyLocked(e Entry) {
	if e.Zxid != s.applied+1 && (e.Zxid.Epoch() <= s.applied.Epoch() || e.Zxid.Counter() != 1) {
		panic(fmt.Sprintf("applied %v behind %v", e.Zxid, s.applied))
	}
	s.applied = e.Zxid
	if !s.count {
		s.txns = append(s.txns, Entry{Zxid: e.Zxid, Bytes: bytes.Clone(e.Bytes)})
	}
}

func (s *memServer) Synced(tag any) { tag.(chan error) <- nil }

func (s *memServer) begin(t Term, next jute.Zxid) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.term, s.next = t, next
	s.change.Broadcast()
	return nil
}

func (s *memServer) Lead(t Term) error {
	if applied, logged := s.Applied(), s.logged(); applied != logged {
		panic(fmt.Sprintf("leads with %v applied of %v", applied, logged))
	}
	return s.begin(t, jute.NewZxid(uint32(t.Epoch()), 0))
}

func (s *memServer) Follow(t Term) error { return s.begin(t, 0) }

// idle reports if no term is served.
func (s *memServer) idle() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.term == nil }

func (s *memServer) End() {
	s.proposing.Lock()
	defer s.proposing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.term = nil
	for k, answer := range s.waiting {
		delete(s.waiting, k)
		answer <- ErrTermOver
	}
	s.change.Broadcast()
}

// write sends a client's write through the ensemble, and gives the channel of its answer.
func (s *memServer) write(k memKey, data []byte) (chan error, error) {
	s.mu.Lock()
	t := s.term
	answer := make(chan error, 1)
	if t != nil {
		s.waiting[k] = answer
	}
	s.mu.Unlock()
	if t == nil {
		return nil, ErrTermOver
	}
	if err := t.Admit(); err != nil {
		return nil, err
	}
	if t.Role() == Leading {
		return answer, s.propose(t, memTxn(k, data))
	}
	return answer, t.Forward(&jute.ForwardedRequest{SessionID: k.session, Cxid: k.cxid, Type: jute.OpSetData, Body: data}, []jute.ID{{Scheme: "ip", ID: "1"}})
}

func (s *memServer) propose(t Term, txn []byte) error {
	s.proposing.Lock()
	defer s.proposing.Unlock()
	s.mu.Lock()
	if s.term != t {
		s.mu.Unlock()
		return ErrTermOver
	}
	s.next++
	z := s.next
	s.mu.Unlock()
	return t.Propose(Entry{Zxid: z, Bytes: txn})
}

func (s *memServer) Request(from Link, r *jute.ForwardedRequest, ids []jute.ID) error {
	if r.Type != jute.OpSetData || len(ids) != 1 || from.Number == 0 {
		return errors.New("not what was sent")
	}
	s.mu.Lock()
	t := s.term
	s.mu.Unlock()
	if t == nil {
		return ErrTermOver
	}
	return s.propose(t, memTxn(memKey{r.SessionID, r.Cxid}, r.Body))
}

func (s *memServer) Touch(from Link, t jute.SessionTimeout) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sees[t.SessionID] = from
}

func (s *memServer) Revalidate(_ Link, t jute.SessionTimeout) bool { return t.SessionID%2 == 0 }

func (s *memServer) Touched(dst []jute.SessionTimeout) []jute.SessionTimeout {
	s.mu.Lock()
	defer s.mu.Unlock()
	dst = append(dst, s.touched...)
	s.touched = nil
	return dst
}

func (s *memServer) Revalidated(session jute.SessionID, valid bool) {
	s.answers <- jute.RevalidateAnswer{SessionID: session, Valid: valid}
}

func (s *memServer) OpenSnapshot() (Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &memSnapshot{s.applied, s.txns}, nil
}

type memSnapshot struct {
	z    jute.Zxid
	txns []Entry
}

func (s *memSnapshot) Zxid() jute.Zxid { return s.z }
func (s *memSnapshot) Bytes() int64    { return int64(len(s.txns)) * 100 }
func (s *memSnapshot) Close() error    { return nil }

func (s *memSnapshot) WriteTo(w io.Writer) (n int64, err error) {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(s.txns)))
	for _, e := range s.txns {
		b = jute.AppendBuffer(jute.AppendInt64(b, int64(e.Zxid)), e.Bytes)
		k, err := w.Write(b)
		n += int64(k)
		if err != nil {
			return n, err
		}
		b = b[:0]
	}
	k, err := w.Write(b)
	return n + int64(k), err
}

func (s *memServer) Receive(r io.Reader, z jute.Zxid) (Incoming, error) {
	in := &memIncoming{s: s, side: memServer{applied: z}}
	var head [12]byte
	if _, err := io.ReadFull(r, head[:4]); err != nil {
		return nil, err
	}
	for range binary.BigEndian.Uint32(head[:4]) {
		if _, err := io.ReadFull(r, head[:12]); err != nil {
			return nil, err
		}
		b := make([]byte, binary.BigEndian.Uint32(head[8:]))
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		in.side.txns = append(in.side.txns, Entry{Zxid: jute.Zxid(binary.BigEndian.Uint64(head[:])), Bytes: b})
	}
	return in, nil
}

type memIncoming struct {
	s    *memServer
	side memServer
}

func (in *memIncoming) Apply(e Entry) error { in.side.applyLocked(e); return nil }

func (in *memIncoming) Adopt(epoch int64, entries []Entry) error {
	s := in.s
	s.mu.Lock()
	s.txns, s.applied, s.base = in.side.txns, in.side.applied, in.side.applied
	s.mu.Unlock()
	l := s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	l.base, l.entries, l.current = in.side.applied, append([]Entry(nil), entries...), epoch
	l.durable = len(l.entries)
	return l.fail
}

func (in *memIncoming) Discard() {}
