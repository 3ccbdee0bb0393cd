package conf

import (
	"slices"
	"time"

	"zk/quorum/verifier"
)

// Config is every setting of a server, read once and never changed in place. A field is named after
// its key in Go camel case; keys in milliseconds, seconds or minutes become time.Duration, sizes end in
// Bytes unless the key has an established name. Fields of keys that concern ensembles are parsed and
// kept for the packages that will use them.
type Config struct {
	// Path is the file the settings came from; "" for arguments only, "(embedded)" for Default.
	Path string
	// Raw holds every key of the file as it was written (last duplicate), unknown ones and the keys of
	// later versions included. Read only.
	Raw map[string]string
	// Text is the file as it was read, without passwords; "" for arguments only.
	Text string
	// Notes are things the operator should know (a key without effect, a mapped setting); log at info.
	Notes []Note
	// Warnings are likely mistakes (unknown keys, unsafe settings); log at warn.
	Warnings []Note

	// Client ports.

	ClientPort              int    // 0: any free port, as in Java; -1: none
	ClientPortAddress       string // "" : all addresses
	ClientPortListenBacklog int    // -1: the system's default
	ClientTCPKeepAlive      bool   // SO_KEEPALIVE on client sockets
	TCPKeepAlive            bool   // SO_KEEPALIVE on peer sockets
	SecureClientPort        int    // 0: any free port, as in Java; -1: none
	SecureClientPortAddress string // "" : all addresses
	ObserverMasterPort      int    // 0: off

	// Data.

	DataDir                string        // required; state store, myid
	DataLogDir             string        // transaction log; DataDir when not set
	DatadirAutocreate      bool          // zookeeper.datadir.autocreate
	DBAutocreate           bool          // zookeeper.db.autocreate
	Rejoin                 bool          // --rejoin on the command line, no key: the data is given up for the leader's
	SnapCount              int           // txns between Java's snapshots; scales the log that is kept
	SnapSizeLimitBytes     int64         // snapSizeLimitInKb; <= 0 off
	TxnLogSizeLimitBytes   int64         // txnLogSizeLimitInKb; <= 0 off
	CommitLogCount         int           // committed proposals kept in memory for DIFF, at least 500
	SnapshotSizeFactor     float64       // log/snapshot ratio for DIFF from disk; negative off
	ForceSync              bool          // false: writes are acknowledged before they are durable
	ForceSnapshotSync      bool          // forceSnapshotSync, a leader always sends SNAP
	FsyncWarningThreshold  time.Duration // log a sync slower than this
	FlushDelay             time.Duration // group commit: longest wait for more; 0 none
	MaxWriteQueuePollTime  time.Duration // group commit: FlushDelay/3 when not set
	MaxBatchSize           int           // group commit: txns per batch
	SnapshotTrustEmpty     bool          // zookeeper.snapshot.trust.empty
	SnapshotCompression    string        // "", "gz", "snappy"
	SerializeLastProcessed bool          // serializeLastProcessedZxid.enabled
	PurgeSnapRetainCount   int           // autopurge.snapRetainCount, at least 3
	PurgeInterval          time.Duration // autopurge.purgeInterval; 0 as written, purge runs anyway
	Purge                  bool          // zk.purge; false: nothing is ever purged
	NodeCacheBytes         int64         // zk.nodeCacheBytes; 0: the server chooses
	DiskLowWaterBytes      int64         // zk.diskLowWaterBytes; -1: the server chooses, 0: off
	DiskBallastBytes       int64         // zk.diskBallastBytes; -1: the server chooses, 0: none

	// Time.

	TickTime          time.Duration
	MinSessionTimeout time.Duration // resolved: 2 x TickTime when not set
	MaxSessionTimeout time.Duration // resolved: 20 x TickTime when not set
	InitLimit         int           // ticks; 0 not set
	SyncLimit         int           // ticks; 0 not set

	// Limits.

	MaxClientCnxns              int // connections per source address; 0 off
	MaxCnxns                    int // connections in all; 0 off
	GlobalOutstandingLimit      int // requests in the pipeline before reading stops
	JuteMaxBuffer               int // largest request accepted, bytes
	JuteMaxBufferExtraSize      int // added for what the server itself adds, bytes
	LargeRequestMaxBytes        int // bytes of large requests in flight
	LargeRequestThreshold       int // a request of more bytes is large; -1 off
	SessionlessCnxnTimeout      time.Duration
	ConnectionThrottle          ConnectionThrottle
	RequestThrottleMaxRequests  int // in the pipeline before stalling; 0 off
	RequestThrottleStallTime    time.Duration
	RequestThrottleDropStale    bool // drop requests of closed connections
	RequestStaleLatencyCheck    bool // a request that waited longer than its session's timeout is stale
	RequestStaleConnectionCheck bool // a request of a closed connection is stale
	// ThrottledOpWaitTime: a request that waited longer is answered THROTTLEDOP; 0 off.
	ThrottledOpWaitTime time.Duration

	// Tree and sessions.

	EnforceQuota                  bool
	SkipACL                       bool
	EnableEagerACLCheck           bool
	DigestEnabled                 bool // tree digest
	CloseSessionTxnEnabled        bool // list of ephemerals in the closeSession txn
	ExtendedTypesEnabled          bool // TTL nodes
	ContainerCheckInterval        time.Duration
	ContainerMaxPerMinute         int
	ContainerMaxNeverUsedInterval time.Duration // 0: never used containers stay
	LocalSessionsEnabled          bool
	LocalSessionsUpgradingEnabled bool
	ReadonlyModeEnabled           bool
	// SessionPassword is zk.sessionPassword: "hmac" or "java".
	SessionPassword string

	// TLS.

	ClientTLS             TLS  // keys ssl.*: what clients meet
	QuorumTLS             TLS  // keys ssl.quorum.*: between servers, and the AdminServer's HTTPS
	ClientPortUnification bool // client.portUnification: TLS and plain clients on ClientPort
	// OutstandingHandshakeLimit bounds the TLS handshakes under way; 0 or less: no bound.
	OutstandingHandshakeLimit int

	// Operators' interfaces.

	// FourLetterWhitelist is 4lw.commands.whitelist, split; "*" stands for all words. Ask
	// FourLetterAllowed.
	FourLetterWhitelist []string
	Metrics             Metrics
	Admin               Admin
	AuditEnable         bool
	AuditFile           string // zk.audit.file; "": the server's log

	// Authentication.

	DigestAuthEnabled bool   // DigestAuthenticationProvider.enabled
	SuperDigest       string // "name:base64digest" or ""
	DigestAlg         string // Java name: SHA1, SHA-256, SHA3-256 ...
	// AuthProviders maps the suffix of each authProvider.<n> line to the scheme its class stands for
	// (ip, digest, ensemble, x509 ...).
	AuthProviders map[string]string
	// EnsembleAuthName are the names accepted by the ensemble scheme.
	EnsembleAuthName             []string
	EnforceAuthEnabled           bool
	EnforceAuthSchemes           []string // lower case, trimmed
	SessionRequireClientSASLAuth bool
	AllowSaslFailedClients       bool
	IPUseXForwardedFor           bool
	X509SuperUser                string
	SASL                         SASL

	// Ensemble.

	// Members are the servers of the list; nil without server.N lines. Distributed says if they are an
	// ensemble.
	Members                              *verifier.Config
	ServerID                             int64 // myid; 0 when there is no such file
	ConfigVersion                        int64 // version key, or the hexadecimal end of DynamicConfigFile's name
	StandaloneEnabled                    bool
	ReconfigEnabled                      bool
	PeerType                             string // "participant", "observer"; from Members where there are any
	ElectionAlg                          int    // always 3
	QuorumListenOnAllIPs                 bool
	ConnectToLearnerMasterLimit          int // ticks; InitLimit when not set
	DynamicConfigFile                    string
	LeaderServes                         bool
	CnxTimeout                           time.Duration
	QuorumCnxnTimeout                    time.Duration // -1ms: SyncLimit x TickTime
	ElectionPortBindRetry                int           // 0: for ever
	MinNotificationInterval              time.Duration // fastleader.
	MaxNotificationInterval              time.Duration // fastleader.
	MaxTimeToWaitForEpoch                time.Duration // -1ms: off
	MaxConcurrentSnapSyncs               int
	MaxConcurrentDiffSyncs               int
	AckLoggingFrequency                  int
	LeaderConnectDelayDuringRetry        time.Duration
	ObserverReconnectDelay               time.Duration
	ObserverElectionDelay                time.Duration
	ObserverMasterSizeLimitBytes         int64
	MultiAddressEnabled                  bool
	MultiAddressReachabilityCheckEnabled bool
	MultiAddressReachabilityCheckTimeout time.Duration
}

// Distributed reports if this is a server of an ensemble; else it stands alone. (Java:
// QuorumPeerConfig.isDistributed)
func (c *Config) Distributed() bool {
	return c.Members != nil && (!c.StandaloneEnabled || len(c.Members.Voters()) > 1)
}

// Metrics are the metricsProvider.* keys.
type Metrics struct {
	ClassName string // as written
	// Prometheus is true when ClassName is Java's Prometheus provider.
	Prometheus bool
	HTTPHost   string // default 0.0.0.0
	HTTPPort   int    // default 7000
	// ExportJvmInfo adds runtime metrics (Go's, in place of the JVM's).
	ExportJvmInfo bool
	// BestEffort makes a busy port a warning; only the embedded default sets it.
	BestEffort bool
}

// Admin are the admin.* keys of the HTTP AdminServer.
type Admin struct {
	EnableServer        bool
	Address             string
	Port                int
	IdleTimeout         time.Duration
	CommandURL          string
	PortUnification     bool
	ForceHTTPS          bool
	NeedClientAuth      bool
	RateLimiterInterval time.Duration
	SnapshotEnabled     bool
	RestoreEnabled      bool
	Sensitive           string // "closed": loopback or authenticated callers only; "open"
	BestEffort          bool   // a busy port is a warning; only the embedded default sets it
}

// ConnectionThrottle are the connection_throttle_* keys (Java: BlueThrottle). With WeightEnabled, Tokens
// and FillCount are meant for global sessions: the throttle multiplies both by GlobalSessionWeight.
type ConnectionThrottle struct {
	Tokens              int           // bucket size; 0 off
	FillTime            time.Duration // between refills
	FillCount           int           // tokens per refill
	FreezeTime          time.Duration // between changes of the drop probability; -1ms off
	DropIncrease        float64
	DropDecrease        float64
	DecreaseRatio       float64
	WeightEnabled       bool
	GlobalSessionWeight int
	LocalSessionWeight  int
	RenewSessionWeight  int
}

// Note is something to log about the configuration, with a constant message and its place.
type Note struct {
	Key  string // as written; "" when no key is concerned
	Line int    // in Config.Path; 0 for a -D property
	Text string
}

// FourLetterAllowed reports if a four-letter word may be served. srvr always is, and isro in
// read-only mode: Java adds them to every whitelist (FourLetterCommands.isEnabled).
func (c *Config) FourLetterAllowed(word string) bool {
	return word == "srvr" || word == "isro" && c.ReadonlyModeEnabled ||
		slices.Contains(c.FourLetterWhitelist, "*") ||
		slices.Contains(c.FourLetterWhitelist, word)
}
