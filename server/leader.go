package server

import (
	"errors"
	"fmt"

	"zk/jute"
	"zk/server/prep"
)

// errNotLeader answers what only a leader can do.
var errNotLeader = errors.New("server: not the leader")

// Request takes a request that a learner has forwarded. from is the learner's link, which is the owner of
// the sessions of its clients; ids are the client's identities. It returns when the request has its place in
// the order. An error is the learner's fault, whose link is to be closed, or says that the term is over.
// Nothing of r is used after the return.
func (s *Server) Request(from any, r *jute.ForwardedRequest, ids []jute.ID) error {
	t := s.term.Load()
	if t == nil || t.Role != Leader {
		return errNotLeader
	}
	w := prep.Request{SessionID: r.SessionID, Cxid: r.Cxid, IDs: ids, Owner: from}
	switch r.Type {
	case jute.OpCreateSession:
		d := jute.NewDecoder(r.Body, len(r.Body))
		w.Body.Op, w.TimeoutMillis = r.Type, d.Int32()
		if d.Err() != nil {
			return fmt.Errorf("server: createSession of a learner: %w", d.Err())
		}
		// Its client may have written before this server has applied the creation.
		s.tracker.Add(r.SessionID, w.TimeoutMillis, s.nowMillis()).SwapOwner(from)
	case jute.OpCloseSession:
		w.Body.Op = r.Type
	case jute.OpCreate, jute.OpCreate2, jute.OpCreateContainer, jute.OpCreateTTL, jute.OpDelete, jute.OpSetData,
		jute.OpSetACL, jute.OpMulti, jute.OpReconfig:
		if err := w.Decode(r.Type, r.Body, s.cfg.JuteMaxBuffer+s.cfg.JuteMaxBufferExtraSize); err != nil {
			return fmt.Errorf("server: request of a learner: %w", err)
		}
		if s.refusesWrites() {
			w.Refuse = jute.CodeNotReadOnly
		}
	default:
		return fmt.Errorf("server: request of a learner: %s is none", r.Type)
	}
	if err := s.pin(&w); err != nil {
		s.fail(err)
		return err
	}
	return s.propose(&t.remote, &w)
}

// Touch keeps a session alive that a learner's client has used.
func (s *Server) Touch(u jute.SessionTimeout) {
	ses := s.tracker.Get(u.SessionID)
	switch {
	case ses == nil:
	case ses.TimeoutMillis() != u.TimeoutMillis:
		s.tracker.SetTimeout(ses, u.TimeoutMillis, s.nowMillis())
	default:
		ses.Touch(s.nowMillis())
	}
}

// Revalidate reports whether a session that a learner's client wants to take up is alive. If so the learner's
// link is its owner from now on.
func (s *Server) Revalidate(from any, u jute.SessionTimeout) bool {
	s.met.RevalidateCount.Inc()
	ses := s.tracker.Get(u.SessionID)
	if ses == nil || ses.IsClosing() {
		return false
	}
	s.takeUp(from, ses, u.TimeoutMillis)
	return true
}

// closeSessionOverhead is more than a closeSession has besides its paths: header, their count, digest, and the
// packet it travels in.
const closeSessionOverhead = 128

// closeSessionBytesMax bounds the paths in a closeSession: every server must be able to read the transaction,
// in a packet and from a file, and none reads more than jute.maxbuffer and its extra size. A server alone has
// nobody to ask.
func (s *Server) closeSessionBytesMax() int {
	if !s.cfg.Distributed() {
		return 0
	}
	return max(s.cfg.JuteMaxBuffer+s.cfg.JuteMaxBufferExtraSize-closeSessionOverhead, 1)
}

// ephemeralRefused tells of a create that was refused for that bound.
func (s *Server) ephemeralRefused(id jute.SessionID) {
	s.met.EphemeralsRefused.Inc()
	s.log.Warn("ephemeral refused: the session could not be closed in one transaction any more", "session", id, "bytes_max", s.closeSessionBytesMax())
}
