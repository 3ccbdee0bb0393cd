package figures

import (
	"net/netip"
	"time"

	"zk/jute"
)

// Server is what operators see of a server, and the few switches they turn. Every method may be called
// from any goroutine. Only Serving, Version, ReadOnly, Environment and the trace mask are asked of a
// server that is not serving.
type Server interface {
	// Serving reports whether client requests are answered: false while electing or syncing.
	Serving() bool
	// ReadOnly reports whether this is a read-only server, cut off from its quorum.
	ReadOnly() bool
	// Version is the full version, see FullVersion.
	Version() string

	Stats() Stats
	// Quorum is what a member of an ensemble shows of it, nil standalone.
	Quorum() *Quorum
	// Connections lists the open connections of clients in the order they shall appear, the one that
	// asks included.
	Connections() []Conn
	Conf() Conf
	Sessions() Sessions
	// Ephemerals lists the paths of ephemeral nodes by the session that owns them. The map and its
	// slices are the caller's.
	Ephemerals() map[jute.SessionID][]string
	// ConnectionBuckets lists the connections by the instant at which they would be dropped as idle,
	// earliest first.
	ConnectionBuckets() []ConnBucket
	// DirSizes are the bytes of the data folder and of the log folder.
	DirSizes() (dataBytes, logBytes int64)
	// Digests lists the recorded digests of the tree, oldest first.
	Digests() []Digest
	// Environment lists what envi shows, see HostEnvironment.
	Environment() []KeyValue
	// MonitorHead lists the lines that mntr shows after version and server_state, without "zk_":
	// peer_state on members of a quorum, observer_master_id on observers.
	MonitorHead() []KeyValue
	// AppendMonitor appends the metrics as lines "zk_<key>\t<value>\n".
	AppendMonitor(dst []byte) []byte

	// WatchSummary counts the data watches.
	WatchSummary() WatchSummary
	// EachWatch calls f for every pair of path and session in the data watch table, in any order.
	EachWatch(f func(path string, session jute.SessionID))
	// EachWatcher calls f for the session of every connection that WatchSummary counts, in any order.
	EachWatcher(f func(session jute.SessionID))

	// Rest lets others run. Whoever makes a text of any length calls it every 100 us or so.
	Rest()

	// ResetStats sets back latency, packet counters, response and proposal sizes, and the metrics
	// when their provider can.
	ResetStats()
	// ResetConnections sets back the statistics of every connection.
	ResetConnections()
	// TraceMask and SetTraceMask keep a number for gtmk and stmk; it has no other effect.
	TraceMask() int64
	SetTraceMask(mask int64)
}

// DefaultTraceMask is the trace mask of a fresh server: client requests, packets, sessions and warnings. Source:
// ZooTrace.
const DefaultTraceMask = 1<<1 | 1<<4 | 1<<5 | 1<<8

// Stats is what srvr and stat show, and server_stats. Source: ServerStats.
type Stats struct {
	LatencyMin  int64   // ms
	LatencyAvg  float64 // ms, at most four decimals
	LatencyMax  int64   // ms
	Received    int64   // packets
	Sent        int64   // packets
	Connections int64   // open client connections, the asking one included
	Outstanding int64   // requests in the pipeline
	Zxid        jute.Zxid
	Mode        string // ModeStandalone and so on
	NodeCount   int64  // the root counted twice
	// Proposals are the proposal sizes, on a leader only.
	Proposals Sizes
	// Responses are the sizes of replies to clients.
	Responses              Sizes
	UptimeMillis           int64
	FsyncThresholdExceeded int64 // syncs of the log that took longer than fsync.warningthresholdms
	AuthFailed             int64 // failed TLS client authentications
	NonMTLSLocal           int64 // connections without TLS from this machine, where TLS is served
	NonMTLSRemote          int64 // and from others
}

// Sizes are sizes in bytes, each -1 before the first one. Source: BufferStats.
type Sizes struct{ Last, Min, Max int64 }

// Modes of a server, as srvr and mntr name them.
const (
	ModeStandalone = "standalone"
	ModeLeader     = "leader"
	ModeFollower   = "follower"
	ModeObserver   = "observer"
	ModeReadOnly   = "read-only"
)

// Conn is one client connection. Source: ServerCnxn.dumpConnectionInfo.
type Conn struct {
	// Secure is set for a connection to secureClientPort.
	Secure bool
	// Remote is the client's address; the zero value stands for a socket that is already closed.
	Remote netip.AddrPort
	// InterestOps is 1 when the connection is being read, plus 4 when output waits; 0 for the
	// connection that sent a four-letter word.
	InterestOps uint8
	Queued      int64 // its requests in the pipeline
	Received    int64 // packets since connect or crst
	Sent        int64 // packets since connect or crst
	// Session is 0 before the session is established; then the rest is not shown.
	Session jute.SessionID
	// LastOp is the name of the last operation, such as OpNone or "GETD".
	LastOp string
	// Established is the time of the connect.
	Established   time.Time
	TimeoutMillis int64
	// LastCxid is the xid of the last request, -1 for none.
	LastCxid int64
	LastZxid jute.Zxid // zxid of the last reply, -1 for none
	// LastResponseMillis is when the last reply left, on a monotonic clock in ms.
	LastResponseMillis int64
	// Latencies in ms, 0 before the first reply.
	LastLatency, MinLatency, AvgLatency, MaxLatency int64
}

// OpNone is the last operation of a connection after crst and before its first reply.
const OpNone = "NA"

// Conf is what conf shows. Source: ZooKeeperServer.dumpConf and QuorumZooKeeperServer.dumpConf.
type Conf struct {
	ClientPort              int // -1 for none
	SecureClientPort        int // -1 for none
	DataDir                 string
	DataDirBytes            int64
	DataLogDir              string
	DataLogDirBytes         int64
	TickTimeMillis          int64
	MaxClientCnxns          int64
	MinSessionTimeoutMillis int64
	MaxSessionTimeoutMillis int64
	ListenBacklog           int   // -1 for the default
	ServerID                int64 // 0 on a standalone server
	// Quorum is set on members of a quorum and on read-only servers.
	Quorum *QuorumConf
}

// QuorumConf is the second half of conf.
type QuorumConf struct {
	InitLimit    int64
	SyncLimit    int64
	ElectionAlg  int
	ElectionPort string // several are joined with '|'
	QuorumPort   string // several are joined with '|'
	Observer     bool
	// Membership is the current config text without a newline at its end; not shown by read-only
	// servers (empty).
	Membership string
}

// Sessions is what dump shows of the sessions: Tracked on the server that expires them (standalone,
// leader), Global on the others.
type Sessions struct {
	// Local are the local sessions, nil when local sessions are off.
	Local *SessionBuckets
	// Tracked are the sessions with their expiry; nil on learners and read-only servers.
	Tracked *SessionBuckets
	// Global are the sessions known when Tracked is nil, ascending by id.
	Global []GlobalSession
}

// SessionBuckets are sessions by the instant at which they expire.
type SessionBuckets struct {
	Count   int // sessions
	Buckets []SessionBucket
}

// SessionBucket is the sessions that expire at one instant; it may be empty.
type SessionBucket struct {
	At time.Time
	// AtMillis is At on the server's monotonic clock.
	AtMillis int64
	IDs      []jute.SessionID
}

// GlobalSession is a session as a learner knows it.
type GlobalSession struct {
	ID            jute.SessionID
	TimeoutMillis int32
}

// ConnBucket is the connections that would be dropped as idle at one instant; it may be empty.
type ConnBucket struct {
	At    time.Time
	Conns []ConnRef
}

// ConnRef names a connection in dump.
type ConnRef struct {
	Remote  netip.AddrPort
	Session jute.SessionID // 0 before login
}

// Digest is the digest of the tree at a zxid. Source: DataTree.ZxidDigest.
type Digest struct {
	Zxid  jute.Zxid
	Value int64
}

// WatchSummary counts watches of the data table.
type WatchSummary struct {
	Watchers int // connections with a watch
	Paths    int // watched paths
	Watches  int // pairs of both
}

// KeyValue is one line of envi or of the head of mntr.
type KeyValue struct{ Key, Value string }
