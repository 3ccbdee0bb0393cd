package server

import (
	"cmp"
	"context"
	"io"
	"net"
	"path/filepath"
	"slices"
	"time"

	"zk/jute"
	"zk/server/figures"
	"zk/server/fourletter"
	"zk/server/metrics"
	"zk/server/tree"
	"zk/server/watch"
)

// wordDeadline bounds how long a four-letter word's client may take for its reply and to go away.
const wordDeadline = 10 * time.Second

// fourLetter answers an operator's word and ends the connection. in starts with the word.
func (c *conn) fourLetter(word fourletter.Word, in []byte, used int) (int, bool) {
	s := c.srv
	allowed := s.whitelist.Allows(word)
	extra := word.ExtraBytes(allowed)
	if len(in) < 4+extra {
		return used, true
	}
	c.stats.received.Add(1)
	s.met.Server.PacketsReceived.Inc()
	_ = c.nc.SetDeadline(time.Now().Add(wordDeadline)) // a socket without deadlines is a closed one
	asked := operator{s, c}
	if err := word.Run(&c.tr, asked, allowed, in[4:4+extra]); err != nil {
		s.log.Debug("four-letter word not answered", "addr", c.remote, "word", word.String(), "err", err)
		return used, false
	}
	s.met.Server.PacketsSent.Inc()
	c.release()
	// What the client sent after its word is read before the close: else the kernel answers it with a
	// reset, which may overtake the reply.
	if tcp, ok := c.nc.(*net.TCPConn); ok && c.tr.closeWrite(tcp) == nil {
		defer context.AfterFunc(s.ctx, func() { _ = tcp.Close() })() // the end of the server does not wait
		_, _ = io.Copy(io.Discard, io.LimitReader(tcp, 1<<20))       // until the client is gone, or the deadline
	}
	return used, false
}

// Figures is what the server shows to operators.
func (s *Server) Figures() figures.Server { return operator{s: s} }

// RootACL is the ACL of "/", which says who may take and restore snapshots.
func (s *Server) RootACL() []jute.ACL {
	s.lock.RLock()
	defer s.lock.RUnlock()
	return s.tree.ACL(s.tree.Find(tree.RootPath))
}

// operator is the server as its operators see it; c is the connection that asks, nil when none does.
type operator struct {
	s *Server
	c *conn
}

var _ figures.Server = operator{}

func (o operator) Serving() bool   { return o.s.serving.Load() }
func (o operator) ReadOnly() bool  { return o.s.refusesWrites() }
func (o operator) Version() string { return figures.BuildVersion() }

func (o operator) Stats() figures.Stats {
	s := o.s
	low, avg, high := s.met.Server.RequestLatency.Snapshot()
	s.lock.RLock()
	counts := s.tree.Counts()
	s.lock.RUnlock()
	return figures.Stats{
		LatencyMin: low, LatencyAvg: avg, LatencyMax: high, Received: s.met.Server.PacketsReceived.Value(),
		Sent: s.met.Server.PacketsSent.Value(), Connections: int64(s.connCount()), Outstanding: s.outstanding.Load(),
		Zxid: s.shownZxid(counts.LastZxid), Mode: s.mode(), NodeCount: counts.Nodes + 1,
		Responses: sizes(&s.met.Server.ResponseSizes), Proposals: sizes(&s.met.Server.ProposalSizes), UptimeMillis: s.nowMillis(),
		FsyncThresholdExceeded: s.met.Server.FsyncThresholdExceeded.Value(), AuthFailed: s.met.Server.AuthFailed.Value(),
		NonMTLSLocal: s.met.Server.NonMTLSLocal.Value(), NonMTLSRemote: s.met.Server.NonMTLSRemote.Value(),
	}
}

func sizes(s *metrics.Sizes) figures.Sizes {
	return figures.Sizes{Last: s.Last(), Min: s.Min(), Max: s.Max()}
}

func (s *Server) connCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

func (o operator) Connections() []figures.Conn {
	list := o.s.connections()
	slices.SortFunc(list, func(a, b *conn) int { return a.since.Compare(b.since) })
	v := make([]figures.Conn, 0, len(list))
	for _, c := range list {
		v = append(v, c.describe(c == o.c))
	}
	return v
}

// describe gives what cons and stat show.
func (c *conn) describe(asking bool) figures.Conn {
	st := &c.stats
	c.queue.mu.Lock()
	queued := c.queue.n
	c.queue.mu.Unlock()
	v := figures.Conn{
		Secure: c.mode == TLSAlways,
		Remote: c.remote, InterestOps: 1, Queued: int64(queued), Received: st.received.Load(), Sent: st.sent.Load(),
		Session: jute.SessionID(c.sid.Load()), LastOp: figures.OpNone, Established: c.since,
		TimeoutMillis: int64(c.timeout.Load()), LastCxid: st.lastCxid.Load(), LastZxid: jute.Zxid(st.lastZxid.Load()),
		LastResponseMillis: st.lastResponse.Load(), LastLatency: st.lastLat.Load(), MinLatency: max(st.minLat.Load(), 0),
		MaxLatency: st.maxLat.Load(),
	}
	if asking {
		v.InterestOps = 0
	}
	if n := st.count.Load(); n > 0 {
		v.AvgLatency = st.totalLat.Load() / n
	}
	if st.named.Load() {
		v.LastOp = opName(jute.OpCode(st.lastOp.Load()))
	}
	c.out.mu.Lock()
	if c.out.flushing {
		v.InterestOps |= 4
	}
	c.out.mu.Unlock()
	return v
}

// opName is the name Java's FinalRequestProcessor gives an operation in cons.
func opName(op jute.OpCode) string {
	switch op {
	case jute.OpPing:
		return "PING"
	case jute.OpCreateSession:
		return "SESS"
	case jute.OpCreate, jute.OpCreate2, jute.OpCreateContainer, jute.OpCreateTTL:
		return "CREA"
	case jute.OpDelete, jute.OpDeleteContainer:
		return "DELE"
	case jute.OpSetData:
		return "SETD"
	case jute.OpExists:
		return "EXIS"
	case jute.OpGetData:
		return "GETD"
	case jute.OpGetACL:
		return "GETA"
	case jute.OpSetACL:
		return "SETA"
	case jute.OpGetChildren, jute.OpGetChildren2:
		return "GETC"
	case jute.OpGetAllChildrenNumber:
		return "GETACN"
	case jute.OpSync:
		return "SYNC"
	case jute.OpMulti:
		return "MULT"
	case jute.OpMultiRead:
		return "MLTR"
	case jute.OpCheck:
		return "CHEC"
	case jute.OpSetWatches:
		return "SETW"
	case jute.OpSetWatches2:
		return "STW2"
	case jute.OpAddWatch:
		return "ADDW"
	case jute.OpCheckWatches:
		return "CHKW"
	case jute.OpRemoveWatches:
		return "REMW"
	case jute.OpWhoAmI:
		return "HOMI"
	case jute.OpGetEphemerals:
		return "GETE"
	case jute.OpReconfig:
		return "RECO"
	case jute.OpCloseSession:
		return "CLOS"
	}
	return figures.OpNone
}

func (o operator) Conf() figures.Conf {
	s := o.s
	data, log := s.opt.DirSizes()
	return figures.Conf{
		ClientPort: s.port(s.cfg.ClientPort, false), SecureClientPort: s.port(s.cfg.SecureClientPort, true), DataDir: versionDir(s.cfg.DataDir), DataDirBytes: data, DataLogDir: versionDir(s.cfg.DataLogDir),
		DataLogDirBytes: log, TickTimeMillis: s.cfg.TickTime.Milliseconds(), MaxClientCnxns: int64(s.cfg.MaxClientCnxns),
		MinSessionTimeoutMillis: s.cfg.MinSessionTimeout.Milliseconds(), MaxSessionTimeoutMillis: s.cfg.MaxSessionTimeout.Milliseconds(),
		ListenBacklog: s.cfg.ClientPortListenBacklog, ServerID: o.serverID(), Quorum: o.quorumConf(),
	}
}

// port is a client port as configured, or the free one that was taken; -1 for none.
func (s *Server) port(configured int, secure bool) int {
	if a, ok := s.Addr(secure).(*net.TCPAddr); ok && configured == 0 {
		return a.Port
	}
	return configured
}

// versionDir is a data folder as Java shows it: absolute, with the folder of its file version.
func versionDir(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return filepath.Join(dir, "version-2")
}

// wall turns an instant of the server's clock into wall time.
func (s *Server) wall(millis int64) time.Time {
	return time.Now().Add(time.Duration(millis-s.nowMillis()) * time.Millisecond)
}

func (o operator) Sessions() figures.Sessions {
	if t := o.s.term.Load(); t != nil && t.Role.learner() {
		return figures.Sessions{Global: o.s.globalSessions()}
	}
	v := &figures.SessionBuckets{Count: o.s.tracker.Count()}
	for _, b := range o.s.tracker.Buckets() {
		v.Buckets = append(v.Buckets, figures.SessionBucket{At: o.s.wall(b.At), AtMillis: b.At, IDs: b.IDs})
	}
	return figures.Sessions{Tracked: v}
}

func (o operator) Ephemerals() map[jute.SessionID][]string {
	v := map[jute.SessionID][]string{}
	o.s.lock.RLock()
	o.s.tree.EphemeralSessions(func(id jute.SessionID, _ int) { v[id] = nil })
	o.s.lock.RUnlock()
	for id := range v {
		if v[id] = o.s.ephemeralsOf(id); len(v[id]) == 0 { // its last one has gone meanwhile
			delete(v, id)
		}
	}
	return v
}

// Rest waits for a share as long reads do, and gives it back.
func (o operator) Rest() { o.s.shares.give(o.s.shares.take()) }

// ephemeralsOf lists a session's ephemerals in steps.
func (s *Server) ephemeralsOf(id jute.SessionID) []string {
	s.lock.RLock()
	list := make([]string, 0, s.tree.EphemeralCount(id))
	s.lock.RUnlock()
	s.eachEphemeral(id, func(path string) { list = append(list, path) })
	return list
}

func (o operator) ConnectionBuckets() []figures.ConnBucket {
	s := o.s
	interval := max(s.cfg.SessionlessCnxnTimeout.Milliseconds(), 1)
	byEnd := map[int64][]figures.ConnRef{}
	for _, c := range s.connections() {
		ref := figures.ConnRef{Remote: c.remote, Session: jute.SessionID(c.sid.Load())}
		end := c.since.Sub(s.start).Milliseconds() + interval
		if ref.Session != 0 {
			end = c.stats.lastResponse.Load() + int64(c.timeout.Load())
		}
		end = (end/interval + 1) * interval // idle connections are looked for once an interval
		byEnd[end] = append(byEnd[end], ref)
	}
	v := make([]figures.ConnBucket, 0, len(byEnd))
	for end, refs := range byEnd {
		v = append(v, figures.ConnBucket{At: s.wall(end), Conns: refs})
	}
	slices.SortFunc(v, func(a, b figures.ConnBucket) int { return a.At.Compare(b.At) })
	return v
}

func (o operator) DirSizes() (dataBytes, logBytes int64) { return o.s.opt.DirSizes() }
func (o operator) Digests() []figures.Digest             { return o.s.digests.list() }

func (o operator) Environment() []figures.KeyValue {
	return figures.HostEnvironment(o.Version())
}

func (o operator) AppendMonitor(dst []byte) []byte {
	form := metrics.FormDefault
	if o.s.cfg.Metrics.Prometheus {
		form = metrics.FormPrometheus
	}
	return o.s.met.AppendMntr(dst, form, time.Now())
}

func (o operator) WatchSummary() figures.WatchSummary {
	v := o.s.watches.Summary()
	return figures.WatchSummary{Watchers: v.Watchers, Paths: v.Paths, Watches: v.Watches}
}

func (o operator) EachWatch(f func(path string, session jute.SessionID)) {
	o.s.eachWatch(f)
}

func (o operator) EachWatcher(f func(session jute.SessionID)) {
	o.s.watches.EachWatcher(func(w watch.Watcher) {
		if c, ok := w.(*conn); ok {
			f(jute.SessionID(c.sid.Load()))
		}
	})
}

func (o operator) ResetStats() {
	o.s.met.Server.Reset()
	if !o.s.cfg.Metrics.Prometheus {
		o.s.met.Reset()
	}
}

func (o operator) ResetConnections() {
	for _, c := range o.s.connections() {
		c.stats.reset()
	}
}

func (o operator) TraceMask() int64        { return o.s.traceMask.Load() }
func (o operator) SetTraceMask(mask int64) { o.s.traceMask.Store(mask) }

// setGauges connects the gauges to what they show.
func (s *Server) setGauges() {
	m := s.met
	count := func(f func(tree.Counts) int64) func() int64 {
		return func() int64 {
			s.lock.RLock()
			defer s.lock.RUnlock()
			return f(s.tree.Counts())
		}
	}
	m.OutstandingRequests.Set(s.outstanding.Load)
	m.NumAliveConnections.Set(func() int64 { return int64(s.connCount()) })
	m.ConnectionDropProbability.SetFloat(s.throttle.dropProbability)
	m.GlobalSessions.Set(func() int64 { return int64(s.tracker.Count()) })
	m.LocalSessions.Set(func() int64 { return 0 })
	m.OutstandingTLSHandshake.Set(s.handshakes.Load)
	m.ZnodeCount.Set(count(func(c tree.Counts) int64 { return c.Nodes + 1 }))
	m.EphemeralsCount.Set(count(func(c tree.Counts) int64 { return c.Ephemerals }))
	m.ApproximateDataSize.Set(count(func(c tree.Counts) int64 { return c.DataBytes + 1 })) // Java's second root has a path of one character
	m.WatchCount.Set(func() int64 { return int64(s.watches.Count()) })
	m.Uptime.Set(s.nowMillis)
	quota := func(f func(tree.Quota) int64) func() map[string]int64 {
		return func() map[string]int64 {
			s.lock.RLock()
			defer s.lock.RUnlock()
			v := map[string]int64{}
			s.tree.Quotas(func(q tree.Quota) { v[namespace(q.Path)] = f(q) })
			return v
		}
	}
	m.QuotaCountLimitPerNamespace.Set(quota(func(q tree.Quota) int64 { return limit(q.CountLimit, q.CountHardLimit) }))
	m.QuotaBytesLimitPerNamespace.Set(quota(func(q tree.Quota) int64 { return limit(q.BytesLimit, q.BytesHardLimit) }))
	m.QuotaCountUsagePerNamespace.Set(quota(func(q tree.Quota) int64 { return q.Count }))
	m.QuotaBytesUsagePerNamespace.Set(quota(func(q tree.Quota) int64 { return q.Bytes }))
}

// limit is the limit in force: a hard one stands before a soft one.
func limit(soft, hard int64) int64 {
	if hard > -1 {
		return hard
	}
	return cmp.Or(soft, 0)
}

// eachWatch walks over the data watches with the sessions that have them.
func (s *Server) eachWatch(f func(path string, session jute.SessionID)) {
	s.watches.EachData(func(path string, w watch.Watcher) {
		if c, ok := w.(*conn); ok {
			f(path, jute.SessionID(c.sid.Load()))
		}
	})
}
