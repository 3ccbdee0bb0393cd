package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"zk/compat/harness"
	"zk/jute"
)

// replyTimeout bounds the wait for one reply; a server that has lost its leader does not answer.
const replyTimeout = 10 * time.Second

// session is a client with one request in flight.
type session struct {
	c   *harness.RawConn
	xid int32
}

func open(addr string) (*session, error) {
	c, err := harness.Dial(addr)
	if err != nil {
		return nil, err
	}
	resp, err := c.Connect(jute.ConnectRequest{TimeoutMillis: 10000, Passwd: make([]byte, 16), HasReadOnly: true})
	if err == nil && resp.TimeoutMillis <= 0 {
		err = fmt.Errorf("bench: no session on %s", addr)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return &session{c: c}, nil
}

// call sends a request and waits for its reply.
func (s *session) call(op jute.OpCode, body []byte) error {
	s.xid++
	if err := s.c.Send(s.xid, op, body); err != nil {
		return err
	}
	b, err := s.c.ReadFrame(replyTimeout)
	if err != nil {
		return err
	}
	var h jute.ReplyHeader
	d := jute.NewDecoder(b, 0)
	if h.Decode(&d); d.Err() != nil {
		return d.Err()
	}
	if h.Err != jute.CodeOk {
		return h.Err
	}
	return nil
}

// close ends the session.
func (s *session) close() {
	_ = s.call(jute.OpCloseSession, nil) // else its timeout does
	s.c.Close()
}

func (s *session) set(path string) error {
	r := jute.SetDataRequest{Path: path, Data: []byte("written"), Version: -1}
	return s.call(jute.OpSetData, r.Append(nil))
}

// node is the znode that the client of a server writes.
func node(s *harness.Server) string { return fmt.Sprintf("/bench-failover-%d", s.ID()) }

func makeNodes(servers []*harness.Server) error {
	s, err := open(servers[0].Addr)
	if err != nil {
		return err
	}
	defer s.close()
	for _, server := range servers {
		r := jute.CreateRequest{Path: node(server), ACL: []jute.ACL{{Perms: 31, ID: jute.ID{Scheme: "world", ID: "anyone"}}}}
		if err := s.call(jute.OpCreate, r.Append(nil, jute.OpCreate)); err != nil && !errors.Is(err, jute.CodeNodeExists) {
			return fmt.Errorf("bench: create %s: %w", r.Path, err)
		}
	}
	return nil
}

// firstWrite writes again and again, in one session after the other, and gives the time of the first reply to a
// write that began after begin was closed; 0 when ctx ends.
func firstWrite(ctx context.Context, addr, path string, begin <-chan struct{}) time.Time {
	var s *session
	begun := false
	defer func() {
		if s != nil {
			s.close()
		}
	}()
	for ctx.Err() == nil {
		select {
		case <-begin:
			begun = true
		default:
		}
		var err error
		if s == nil {
			if s, err = open(addr); err != nil {
				pause(ctx, 5*time.Millisecond)
				continue
			}
		}
		if err = s.set(path); err != nil {
			s.c.Close()
			s = nil
		} else if begun {
			return time.Now()
		}
	}
	return time.Time{}
}

// syncAndRead is nil when the server is in office and answers a client that syncs and reads.
func syncAndRead(server *harness.Server) error {
	if server.Mode() == "" { // a session that comes too early may stay unanswered
		return fmt.Errorf("bench: %s has no role", server.Addr)
	}
	s, err := open(server.Addr)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.call(jute.OpSync, jute.AppendString(nil, "/")); err != nil {
		return err
	}
	return s.call(jute.OpGetData, jute.AppendBool(jute.AppendString(nil, "/"), false))
}
