package history

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"zk/compat/harness"
	"zk/jute"
)

// patience bounds every wait, on a loaded machine too.
const patience = 2 * time.Minute

// Options are a client's.
type Options struct {
	// Addrs are the client ports of the servers; the client begins with the first.
	Addrs []string
	// Ensemble is set where a server answers by itself and tells its leader a little later which sessions are alive, or
	// never, if it dies: a session may end a timeout after it was opened or renewed.
	Ensemble bool
	// TimeoutMillis is the session timeout asked for.
	TimeoutMillis int32
	// Wait is how long a reply may take before the client turns to another server.
	Wait time.Duration
}

// Session is a client with a session that it keeps over cut connections and restarts. It belongs to one goroutine.
type Session struct {
	h      *History
	client int
	opts   Options
	server int // index in Addrs

	conn   *harness.RawConn
	id     jute.SessionID
	passwd []byte
	zxid   jute.Zxid // the last one seen
	xid    int32
	alive  int64           // when the last request was sent of which whoever ends sessions has heard for certain
	armed  map[string]bool // paths with a watch
	cuts   int
}

// ErrExpired says that the server has ended the session.
var ErrExpired = errors.New("session expired")

// Login opens a session, as often as it takes. Client is a number of its own in the history.
func Login(h *History, client int, o Options) (*Session, error) {
	s := &Session{h: h, client: client, opts: o, armed: map[string]bool{}}
	return s, s.reconnect()
}

// ID is the id of the session.
func (s *Session) ID() jute.SessionID { return s.id }

// Cuts is how many connections were lost.
func (s *Session) Cuts() int { return s.cuts }

// reconnect takes the session up again, at the same server first.
func (s *Session) reconnect() error {
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		err := s.dial()
		if err == nil || errors.Is(err, ErrExpired) {
			return err
		}
		s.server = (s.server + 1) % len(s.opts.Addrs)
		if time.Now().After(deadline) {
			return fmt.Errorf("client %d: no session after %v: %w", s.client, patience, err)
		}
	}
}

// dial connects once.
func (s *Session) dial() error {
	s.HangUp()
	conn, err := harness.Dial(s.opts.Addrs[s.server])
	if err != nil {
		return err
	}
	passwd := s.passwd
	if passwd == nil {
		passwd = make([]byte, 16)
	}
	sent := s.h.Now()
	resp, err := conn.ConnectIn(s.opts.Wait, jute.ConnectRequest{LastZxidSeen: s.zxid, TimeoutMillis: s.opts.TimeoutMillis, SessionID: s.id, Passwd: passwd, HasReadOnly: true})
	if err != nil {
		conn.Close()
		return err
	}
	if resp.SessionID == 0 {
		conn.Close()
		return ErrExpired
	}
	s.conn, s.id, s.passwd, s.alive = conn, resp.SessionID, slices.Clone(resp.Passwd), sent
	if len(s.armed) == 0 {
		return nil
	}
	w := jute.SetWatchesRequest{RelativeZxid: s.zxid, Exist: []string{}, Child: []string{}}
	for path := range s.armed {
		w.Data = append(w.Data, path)
	}
	return s.conn.Send(jute.XidSetWatches, jute.OpSetWatches, w.Append(nil, jute.OpSetWatches))
}

// HangUp closes the connection; the session lives on.
func (s *Session) HangUp() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

// Do sends operations together and waits for their replies. When the connection goes, those without a
// reply are maybes, and the session is taken up again, at another server if this one has kept it waiting.
func (s *Session) Do(records ...*Record) error {
	var out []byte
	first := s.xid + 1
	for _, r := range records {
		s.xid++
		r.client, r.ret = s.client, never
		op, body := request(r)
		out = append(out, harness.RequestFrame(s.xid, op, body)...)
	}
	now := s.h.Now()
	for _, r := range records {
		r.call = now
	}
	err := s.conn.Write(out)
	for i := 0; i < len(records) && err == nil; {
		var answered bool
		if answered, err = s.read(records[i], first+int32(i)); answered {
			i++
		}
	}
	for _, r := range records {
		s.h.add(r)
	}
	var broken *brokenError
	if err == nil || errors.As(err, &broken) {
		return err
	}
	s.cuts++
	if errors.Is(err, harness.ErrTimeout) {
		s.server = (s.server + 1) % len(s.opts.Addrs)
	}
	return s.reconnect()
}

// brokenError is an answer that no server may give.
type brokenError struct{ what string }

func (e *brokenError) Error() string { return e.what }

// read takes one frame; answered reports whether it was the reply to r.
func (s *Session) read(r *Record, xid int32) (answered bool, err error) {
	b, err := s.conn.ReadFrame(s.opts.Wait)
	if err != nil {
		return false, err
	}
	d := jute.NewDecoder(b, len(b))
	var h jute.ReplyHeader
	h.Decode(&d)
	switch {
	case h.Xid == jute.XidNotification:
		var ev jute.WatcherEvent
		if ev.Decode(&d); d.Err() != nil || ev.Type != jute.EventNodeDataChanged {
			return false, &brokenError{fmt.Sprintf("client %d: event %+v, %v", s.client, ev, d.Err())}
		}
		delete(s.armed, ev.Path)
		s.h.arrived(s.client, item{event: ev.Path})
		return false, nil
	case h.Xid == jute.XidSetWatches:
		return false, nil
	case h.Xid != xid:
		return false, &brokenError{fmt.Sprintf("client %d: reply with xid %d in place of %d", s.client, h.Xid, xid)}
	}
	r.ret, r.zxid, r.code = s.h.Now(), h.Zxid, h.Err
	s.zxid = max(s.zxid, h.Zxid)
	if !s.opts.Ensemble {
		s.alive = r.call
	}
	response(r, &d)
	if d.Err() != nil {
		return false, &brokenError{fmt.Sprintf("client %d: reply to %v: %v", s.client, r, d.Err())}
	}
	if r.watch && r.code == jute.CodeOk {
		s.armed[r.path] = true
	}
	s.h.arrived(s.client, item{reply: r})
	return true, nil
}

// Quit ends the session in order.
func (s *Session) Quit() error {
	defer s.HangUp()
	for {
		r := &Record{kind: end}
		err := s.Do(r)
		if errors.Is(err, ErrExpired) || err == nil && r.Known() {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// Abandon lets the session expire, or notes that it did: which may be a timeout after the last request of which
// whoever ends sessions has heard for certain.
func (s *Session) Abandon() {
	s.HangUp()
	s.h.add(&Record{client: s.client, kind: end, call: s.alive + int64(s.opts.TimeoutMillis)*int64(time.Millisecond), ret: never})
}
