package model

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"zk/compat/harness"
	"zk/jute"
)

// patience bounds every wait, on a loaded machine too.
const patience = 60 * time.Second

// session is a client with a session that it keeps over cut connections and restarts.
type session struct {
	h      *history
	client int
	addr   string

	conn    *harness.RawConn
	id      jute.SessionID
	passwd  []byte
	timeout int32
	zxid    jute.Zxid // the last one seen
	xid     int32
	alive   int64           // when the last request that has a reply was sent
	armed   map[string]bool // paths with a watch
	cuts    int
}

// errExpired says that the server has ended the session.
var errExpired = errors.New("session expired")

// login opens a session, or takes the one there is up again, as often as it takes.
func login(h *history, client int, addr string, timeout int32) (*session, error) {
	s := &session{h: h, client: client, addr: addr, timeout: timeout, armed: map[string]bool{}}
	return s, s.reconnect()
}

func (s *session) reconnect() error {
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		err := s.dial()
		if err == nil || errors.Is(err, errExpired) {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("client %d: no session after %v: %w", s.client, patience, err)
		}
	}
}

// dial connects once.
func (s *session) dial() error {
	s.hangUp()
	conn, err := harness.Dial(s.addr)
	if err != nil {
		return err
	}
	passwd := s.passwd
	if passwd == nil {
		passwd = make([]byte, 16)
	}
	sent := s.h.now()
	resp, err := conn.Connect(jute.ConnectRequest{LastZxidSeen: s.zxid, TimeoutMillis: s.timeout, SessionID: s.id, Passwd: passwd, HasReadOnly: true})
	if err != nil {
		conn.Close()
		return err
	}
	if resp.SessionID == 0 {
		conn.Close()
		return errExpired
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

// hangUp closes the connection; the session lives on.
func (s *session) hangUp() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

// do sends operations together and waits for their replies. When the connection goes, those without a
// reply are maybes, and the session is taken up again.
func (s *session) do(records ...*record) error {
	var out []byte
	first := s.xid + 1
	for _, r := range records {
		s.xid++
		r.client, r.ret = s.client, never
		op, body := request(r)
		out = append(out, harness.RequestFrame(s.xid, op, body)...)
	}
	now := s.h.now()
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
	return s.reconnect()
}

// brokenError is an answer that no server may give.
type brokenError struct{ what string }

func (e *brokenError) Error() string { return e.what }

// read takes one frame; answered reports whether it was the reply to r.
func (s *session) read(r *record, xid int32) (answered bool, err error) {
	b, err := s.conn.ReadFrame(patience)
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
	r.ret, r.zxid, r.code = s.h.now(), h.Zxid, h.Err
	s.zxid, s.alive = max(s.zxid, h.Zxid), r.call
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

// quit ends the session in order.
func (s *session) quit() error {
	defer s.hangUp()
	for {
		r := &record{kind: end}
		err := s.do(r)
		if errors.Is(err, errExpired) || err == nil && r.known() {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// abandon lets the session expire, which it may do a timeout after the last request that the server has
// had for certain.
func (s *session) abandon() {
	s.hangUp()
	s.h.add(&record{client: s.client, kind: end, call: s.alive + int64(s.timeout)*int64(time.Millisecond), ret: never})
}

// openACL lets everybody do everything.
func openACL() []jute.ACL {
	return []jute.ACL{{Perms: jute.PermAll, ID: jute.ID{Scheme: "world", ID: "anyone"}}}
}

func create(path, data string, flags int32) []byte {
	r := jute.CreateRequest{Path: path, Data: []byte(data), ACL: openACL(), Flags: flags}
	return r.Append(nil, jute.OpCreate)
}

// request encodes an operation.
func request(r *record) (jute.OpCode, []byte) {
	switch r.kind {
	case get, holder:
		q := jute.PathWatchRequest{Path: r.path, Watch: r.watch}
		return jute.OpGetData, q.Append(nil)
	case set:
		return jute.OpSetData, setData(r.cells[0])
	case append_:
		return jute.OpCreate, create(r.path+"/n-", "", jute.FlagSequential)
	case transfer:
		var b []byte
		for _, c := range r.cells {
			b = append(jute.MultiHeader{Type: jute.OpSetData, Err: -1}.Append(b), setData(c)...)
		}
		return jute.OpMulti, jute.MultiEnd.Append(b)
	case audit:
		var b []byte
		for _, c := range r.cells {
			q := jute.PathWatchRequest{Path: c.path}
			b = q.Append(jute.MultiHeader{Type: jute.OpGetData, Err: -1}.Append(b))
		}
		return jute.OpMultiRead, jute.MultiEnd.Append(b)
	case acquire:
		return jute.OpCreate, create(r.path, fmt.Sprint(r.client), jute.FlagEphemeral)
	case release:
		q := jute.PathVersionRequest{Path: r.path, Version: -1}
		return jute.OpDelete, q.Append(nil)
	}
	return jute.OpCloseSession, nil
}

func setData(c cell) []byte {
	q := jute.SetDataRequest{Path: c.path, Data: []byte(c.value), Version: c.wanted}
	return q.Append(nil)
}

// response takes what the reply says into the record.
func response(r *record, d *jute.Decoder) {
	if r.code != jute.CodeOk {
		return
	}
	var st jute.Stat
	switch r.kind {
	case get, holder:
		value := string(d.Buffer())
		st.Decode(d)
		r.cells = []cell{{path: r.path, value: value, version: st.Version}}
		r.mzxid, r.owner = st.Mzxid, jute.SessionID(st.EphemeralOwner)
	case set:
		st.Decode(d)
		r.cells[0].version, r.mzxid = st.Version, st.Mzxid
	case append_, acquire:
		r.name = d.String()
	case transfer, audit:
		parts(r, d)
	}
}

// parts reads the results of a multi. A multi that was not done gives errors; the first one that is not
// "rolled back" is its code.
func parts(r *record, d *jute.Decoder) {
	for i := 0; ; i++ {
		var h jute.MultiHeader
		h.Decode(d)
		if d.Err() != nil || h.Done {
			return
		}
		if i == len(r.cells) {
			d.Fail("a result too many")
			return
		}
		c := &r.cells[i]
		var st jute.Stat
		switch h.Type {
		case jute.OpError:
			if code := jute.Code(d.Int32()); r.code == jute.CodeOk && code != jute.CodeOk {
				r.code = code
			}
			continue
		case jute.OpGetData:
			c.value = string(d.Buffer())
		}
		st.Decode(d)
		c.version = st.Version
		r.mzxid = max(r.mzxid, st.Mzxid)
	}
}
