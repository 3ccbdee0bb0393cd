package server

// Limits say what a server takes while a disk is short of space.
type Limits int32

const (
	// TakeAll is the ordinary case.
	TakeAll Limits = iota
	// RefuseWrites answers writes with NotReadOnly (-119), as a read-only server of Java's does
	// (ReadOnlyRequestProcessor). Reads, watches, sync, pings and renewals go on; so do closeSession and the
	// expiry of sessions, which make room, and new sessions: a client that starts now can still read. The
	// cleaner of containers and TTL nodes pauses. isro says ro, srvr and stat say READ-ONLY as Java's do. A leader
	// answers the writes of learners' clients likewise, each in its place in the order.
	RefuseWrites
	// RefuseSessions closes the connection of a client that asks for a new session too: nothing more is
	// begun that needs the disk. Sessions there are go on, and can be renewed.
	RefuseSessions
)

// SetLimits sets what is taken from now on. Safe everywhere. Writes that were taken before are finished.
func (s *Server) SetLimits(l Limits) { s.limits.Store(int32(l)) }

func (s *Server) refusesWrites() bool { return s.limits.Load() >= int32(RefuseWrites) }

func (s *Server) refusesSessions() bool { return s.limits.Load() >= int32(RefuseSessions) }
