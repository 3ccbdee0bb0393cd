package conf

// The rows that concern one server: its ports, its data, its clocks and its limits. Defaults and bounds
// come from QuorumPeerConfig, ZooKeeperServer, ZKDatabase, FileTxnLog, NIOServerCnxnFactory,
// BlueThrottle and RequestThrottler of Java 3.9.5.

const (
	maxInt32 = 1<<31 - 1
	// tickTimeMax keeps 20 ticks, the default longest session timeout, within the 32 bits of
	// milliseconds that the protocol has for it.
	tickTimeMax = maxInt32 / 20
)

func clientKeys() []key {
	return []key{
		{name: "clientPort", kind: kindInt, def: "-1", defText: "none", max: 65535, field: func(c *Config) any { return &c.ClientPort },
			doc: "TCP port for clients; required unless the server.N line has one after ';' or secureClientPort is set. 0 takes any free port."},
		{name: "clientPortAddress", kind: kindHost, defText: "all addresses", field: func(c *Config) any { return &c.ClientPortAddress },
			doc: "Address to listen on for clients."},
		{name: "clientPortListenBacklog", kind: kindInt, def: "-1", defText: "-1: the system's", min: -1, max: maxInt32, field: func(c *Config) any { return &c.ClientPortListenBacklog },
			doc: "Connections that may wait to be accepted."},
		{name: "clientTcpKeepAlive", props: prop("clientTcpKeepAlive"), kind: kindProp, def: "false", field: func(c *Config) any { return &c.ClientTCPKeepAlive },
			doc: "TCP keep-alive on client connections."},
		{name: "maxClientCnxns", kind: kindInt, def: "60", unit: "connections", max: maxInt32, outside: toBound, field: func(c *Config) any { return &c.MaxClientCnxns },
			doc: "Connections from one source address; 0 is no limit."},
		{name: "maxCnxns", props: prop("maxCnxns"), kind: kindPropInt, def: "0", unit: "connections", max: maxInt32, outside: toBound, field: func(c *Config) any { return &c.MaxCnxns },
			doc: "Connections in all; 0 is no limit."},
		{name: "nio.sessionlessCnxnTimeout", props: prop("nio.sessionlessCnxnTimeout"), kind: kindPropInt, def: "10000", unit: "ms", min: 1, max: maxInt32, outside: toDefault, field: func(c *Config) any { return &c.SessionlessCnxnTimeout },
			doc: "How long a connection may take to open a session."},
		{name: "secureClientPort", kind: kindInt, def: "-1", defText: "none", max: 65535, field: func(c *Config) any { return &c.SecureClientPort },
			doc: "TCP port for clients that speak TLS; needs ssl.keyStore.location. 0 takes any free port."},
		{name: "secureClientPortAddress", kind: kindHost, defText: "all addresses", field: func(c *Config) any { return &c.SecureClientPortAddress },
			doc: "Address to listen on for clients that speak TLS."},
	}
}

func dataKeys() []key {
	return []key{
		{name: "dataDir", kind: kindPath, defText: "required", field: func(c *Config) any { return &c.DataDir },
			doc: "Folder of the tree and of myid."},
		{name: "dataLogDir", kind: kindPath, defText: "dataDir", field: func(c *Config) any { return &c.DataLogDir },
			doc: "Folder of the transaction log; a disk of its own makes writes faster."},
		{name: "datadir.autocreate", props: prop("datadir.autocreate"), kind: kindProp, def: "true", field: func(c *Config) any { return &c.DatadirAutocreate },
			doc: "Create missing data folders at the start."},
		{name: "db.autocreate", props: prop("db.autocreate"), kind: kindProp, def: "true", field: func(c *Config) any { return &c.DBAutocreate },
			doc: "Start with an empty tree when there is none; false demands the file <dataDir>/initialize for that."},
		{name: "snapshot.trust.empty", props: prop("snapshot.trust.empty"), kind: kindProp, def: "false", field: func(c *Config) any { return &c.SnapshotTrustEmpty },
			doc: "Accept Java logs without a snapshot beside them."},
		{name: "forceSync", props: prop("forceSync"), kind: kindYes, def: "yes", field: func(c *Config) any { return &c.ForceSync },
			doc: "Sync the log before a write is acknowledged; with no, a crash of the machine loses acknowledged writes."},
		{name: "fsync.warningthresholdms", props: []string{"zookeeper.fsync.warningthresholdms", "fsync.warningthresholdms"}, kind: kindPropInt, def: "1000", unit: "ms", max: maxInt32, outside: toBound, field: func(c *Config) any { return &c.FsyncWarningThreshold },
			doc: "A sync of the log that takes longer is logged and counted."},
		{name: "flushDelay", props: prop("flushDelay"), kind: kindPropInt, def: "0", unit: "ms", max: maxInt32, outside: toBound, field: func(c *Config) any { return &c.FlushDelay },
			doc: "How long a sync may wait for more writes; 0 never waits."},
		{name: "maxWriteQueuePollTime", props: prop("maxWriteQueuePollTime"), kind: kindPropInt, def: "-1", defText: "flushDelay / 3", unit: "ms", max: maxInt32, outside: toBound, field: func(c *Config) any { return &c.MaxWriteQueuePollTime },
			doc: "How long to wait for the next write while flushDelay runs."},
		{name: "maxBatchSize", props: prop("maxBatchSize"), kind: kindPropInt, def: "1000", unit: "txns", min: 1, max: maxInt32, outside: toDefault, field: func(c *Config) any { return &c.MaxBatchSize },
			doc: "Writes synced together at most."},
		{name: "snapCount", props: prop("snapCount"), kind: kindPropInt, def: "100000", unit: "txns", min: 2, max: maxInt32, outside: toBound, verdict: Map, field: func(c *Config) any { return &c.SnapCount },
			doc: "Java: writes between snapshots. There are none here; it scales the log that is kept (autopurge.snapRetainCount)."},
		{name: "snapSizeLimitInKb", props: prop("snapSizeLimitInKb"), kind: kindPropInt, def: "4194304", unit: "KiB", min: -1, max: 1 << 52, outside: toBound, verdict: Map, field: func(c *Config) any { return &c.SnapSizeLimitBytes },
			doc: "Java: log size between snapshots; 0 or less is off. Bounds the log that is kept."},
		{name: "txnLogSizeLimitInKb", props: prop("txnLogSizeLimitInKb"), kind: kindPropInt, def: "-1", unit: "KiB", min: -1, max: 1 << 52, outside: toBound, verdict: Map, field: func(c *Config) any { return &c.TxnLogSizeLimitBytes },
			doc: "Size of one Java log file, for export; 0 or less is off."},
		{name: "commitLogCount", props: prop("commitLogCount"), kind: kindPropInt, def: "500", unit: "txns", min: 500, max: maxInt32, outside: toBound, field: func(c *Config) any { return &c.CommitLogCount },
			doc: "Writes that can be sent again to a server that was away for a moment."},
		{name: "snapshotSizeFactor", props: prop("snapshotSizeFactor"), kind: kindFloat, def: "0.33", min: -1e9, max: 1, outside: toDefault, field: func(c *Config) any { return &c.SnapshotSizeFactor },
			doc: "Share of the tree's size up to which a lagging server is sent log instead of the tree; negative is off."},
		{name: "forceSnapshotSync", props: prop("forceSnapshotSync"), kind: kindProp, def: "false", field: func(c *Config) any { return &c.ForceSnapshotSync },
			doc: "A leader sends the tree to every server that connects."},
		{name: "snapshot.compression.method", props: prop("snapshot.compression.method"), kind: kindChoice, choices: []string{"", "gz", "snappy"}, defText: "none", outside: toDefault, verdict: Later, field: func(c *Config) any { return &c.SnapshotCompression },
			doc: "Compression of Java snapshots that are written (export)."},
		{name: "serializeLastProcessedZxid.enabled", props: prop("serializeLastProcessedZxid.enabled"), kind: kindProp, def: "true", field: func(c *Config) any { return &c.SerializeLastProcessed },
			doc: "Put the last zxid into Java snapshots that are written and sent."},
		{name: "zk.nodeCacheBytes", props: []string{"zk.nodeCacheBytes"}, kind: kindSize, def: "0", defText: "0: the server chooses", unit: "bytes", max: 1 << 50, verdict: Own, field: func(c *Config) any { return &c.NodeCacheBytes },
			doc: "Memory for znodes, e.g. 512m."},
		{name: "zk.diskLowWaterBytes", props: []string{"zk.diskLowWaterBytes"}, kind: kindSize, defText: "2 % of the disk, 48m to 1g", unit: "bytes", max: 1 << 50, verdict: Own, field: func(c *Config) any { return &c.DiskLowWaterBytes },
			doc: "Free space on a data disk below which writes are refused with NotReadOnly until there is a quarter more; 0 is off."},
		{name: "zk.diskBallastBytes", props: []string{"zk.diskBallastBytes"}, kind: kindSize, defText: "a quarter of the mark, 16m to 256m", unit: "bytes", max: 1 << 50, verdict: Own, field: func(c *Config) any { return &c.DiskBallastBytes },
			doc: "Size of a file zk-ballast in each data folder that is given up when the disk is full, so that purging can finish; 0 makes none."},
	}
}

func purgeKeys() []key {
	return []key{
		{name: "autopurge.snapRetainCount", kind: kindInt, def: "3", unit: "snapshots", min: 3, max: maxInt32, outside: toBound, verdict: Map, field: func(c *Config) any { return &c.PurgeSnapRetainCount },
			doc: "The log of the last snapRetainCount x snapCount writes is kept, more while the disk has room."},
		{name: "autopurge.purgeInterval", kind: kindInt, def: "0", unit: "h", max: maxInt32, outside: toBound, verdict: Map, field: func(c *Config) any { return &c.PurgeInterval },
			doc: "Purging runs by itself here whatever the interval is; zk.purge=off turns it off."},
		{name: "zk.purge", props: []string{"zk.purge"}, kind: kindSwitch, def: "on", verdict: Own, field: func(c *Config) any { return &c.Purge },
			doc: "off keeps the whole log for ever."},
	}
}

func timeKeys() []key {
	return []key{
		{name: "tickTime", kind: kindInt, def: "3000", unit: "ms", min: 1, max: tickTimeMax, field: func(c *Config) any { return &c.TickTime },
			doc: "The unit of time for session expiry and for initLimit and syncLimit."},
		{name: "minSessionTimeout", kind: kindInt, def: "-1", defText: "2 x tickTime", unit: "ms", min: -1, max: maxInt32, field: func(c *Config) any { return &c.MinSessionTimeout },
			doc: "Shortest session timeout a client can get; -1 is the default."},
		{name: "maxSessionTimeout", kind: kindInt, def: "-1", defText: "20 x tickTime", unit: "ms", min: -1, max: maxInt32, field: func(c *Config) any { return &c.MaxSessionTimeout },
			doc: "Longest session timeout a client can get; -1 is the default."},
		{name: "initLimit", kind: kindInt, defText: "required in an ensemble", unit: "ticks", max: maxInt32, field: func(c *Config) any { return &c.InitLimit },
			doc: "How long a server may take to connect to the leader and catch up."},
		{name: "syncLimit", kind: kindInt, defText: "required in an ensemble", unit: "ticks", max: maxInt32, field: func(c *Config) any { return &c.SyncLimit },
			doc: "How long a server may lag behind the leader."},
		{name: "connectToLearnerMasterLimit", kind: kindInt, defText: "initLimit", unit: "ticks", max: maxInt32, field: func(c *Config) any { return &c.ConnectToLearnerMasterLimit },
			doc: "How long a server tries to connect to the leader."},
	}
}

func limitKeys() []key {
	return []key{
		{name: "jute.maxbuffer", props: []string{"jute.maxbuffer"}, onlyD: true, kind: kindPropInt, def: "1048575", unit: "bytes", min: 1, max: maxInt32, field: func(c *Config) any { return &c.JuteMaxBuffer },
			doc: "Largest request, and so about the largest znode; the same on all servers and clients."},
		{name: "jute.maxbuffer.extrasize", props: prop("jute.maxbuffer.extrasize"), kind: kindPropInt, def: "-1", defText: "jute.maxbuffer", unit: "bytes", min: 1024, max: maxInt32, outside: toBound, field: func(c *Config) any { return &c.JuteMaxBufferExtraSize },
			doc: "What a record between servers or on disk may be longer than jute.maxbuffer."},
		{name: "globalOutstandingLimit", props: prop("globalOutstandingLimit"), kind: kindPropInt, def: "1000", unit: "requests", min: 1, max: maxInt32, outside: toBound, field: func(c *Config) any { return &c.GlobalOutstandingLimit },
			doc: "Requests in work above which a connection with one in work is not read from."},
		{name: "largeRequestThreshold", props: prop("largeRequestThreshold"), kind: kindPropInt, def: "-1", unit: "bytes", min: -1, max: maxInt32, outside: toDefault, field: func(c *Config) any { return &c.LargeRequestThreshold },
			doc: "A longer request counts as large; -1 is off."},
		{name: "largeRequestMaxBytes", props: prop("largeRequestMaxBytes"), kind: kindPropInt, def: "104857600", unit: "bytes", min: 1, max: maxInt32, outside: toDefault, field: func(c *Config) any { return &c.LargeRequestMaxBytes },
			doc: "Bytes of large requests in work at once; a connection that sends more is closed."},
		{name: "request_throttle_max_requests", props: prop("request_throttle_max_requests"), aliases: []string{"requestThrottleLimit"}, kind: kindPropInt, def: "0", unit: "requests", max: maxInt32, outside: toBound, field: func(c *Config) any { return &c.RequestThrottleMaxRequests },
			doc: "Requests in work above which new ones wait; 0 is off."},
		{name: "request_throttle_stall_time", props: prop("request_throttle_stall_time"), aliases: []string{"requestThrottleStallTime"}, kind: kindPropInt, def: "100", unit: "ms", min: 1, max: maxInt32, outside: toDefault, field: func(c *Config) any { return &c.RequestThrottleStallTime },
			doc: "Longest single wait of a throttled request."},
		{name: "request_throttle_drop_stale", props: prop("request_throttle_drop_stale"), aliases: []string{"requestThrottleDropStale"}, kind: kindProp, def: "true", field: func(c *Config) any { return &c.RequestThrottleDropStale },
			doc: "Drop throttled requests that became stale."},
		{name: "request_stale_latency_check", props: prop("request_stale_latency_check"), aliases: []string{"requestStaleLatencyCheck"}, kind: kindProp, def: "false", field: func(c *Config) any { return &c.RequestStaleLatencyCheck },
			doc: "A request older than its session's timeout is stale."},
		{name: "request_stale_connection_check", props: prop("request_stale_connection_check"), aliases: []string{"requestStaleConnectionCheck"}, kind: kindProp, def: "true", field: func(c *Config) any { return &c.RequestStaleConnectionCheck },
			doc: "A request whose connection is closed is stale."},
		{name: "throttled_op_wait_time", props: prop("throttled_op_wait_time"), aliases: []string{"throttledOpWaitTime"}, kind: kindPropInt, def: "0", unit: "ms", max: maxInt32, outside: toBound, field: func(c *Config) any { return &c.ThrottledOpWaitTime },
			doc: "A request that waited longer is answered with ThrottledOp; 0 is off."},
	}
}

func throttleKeys() []key {
	const p = "connection_throttle_"
	return []key{
		{name: p + "tokens", props: prop(p + "tokens"), aliases: []string{"connectionMaxTokens"}, kind: kindPropInt, def: "0", unit: "connections", max: maxInt32, outside: toBound, field: func(c *Config) any { return &c.ConnectionThrottle.Tokens },
			doc: "New connections that may come at once; 0 is off."},
		{name: p + "fill_time", props: prop(p + "fill_time"), aliases: []string{"connectionTokenFillTime"}, kind: kindPropInt, def: "1", unit: "ms", min: 1, max: maxInt32, outside: toDefault, field: func(c *Config) any { return &c.ConnectionThrottle.FillTime },
			doc: "Time in which connection_throttle_fill_count more may come."},
		{name: p + "fill_count", props: prop(p + "fill_count"), aliases: []string{"connectionTokenFillCount"}, kind: kindPropInt, def: "1", unit: "connections", min: 1, max: maxInt32, outside: toDefault, field: func(c *Config) any { return &c.ConnectionThrottle.FillCount },
			doc: "Connections added per connection_throttle_fill_time."},
		{name: p + "freeze_time", props: prop(p + "freeze_time"), aliases: []string{"connectionFreezeTime"}, kind: kindPropInt, def: "-1", unit: "ms", min: -1, max: maxInt32, outside: toDefault, field: func(c *Config) any { return &c.ConnectionThrottle.FreezeTime },
			doc: "Time between changes of the probability to drop a connection early; -1 is off."},
		{name: p + "drop_increase", props: prop(p + "drop_increase"), aliases: []string{"connectionDropIncrease"}, kind: kindFloat, def: "0.02", max: 1, outside: toDefault, field: func(c *Config) any { return &c.ConnectionThrottle.DropIncrease },
			doc: "Step up of that probability."},
		{name: p + "drop_decrease", props: prop(p + "drop_decrease"), aliases: []string{"connectionDropDecrease"}, kind: kindFloat, def: "0.002", max: 1, outside: toDefault, field: func(c *Config) any { return &c.ConnectionThrottle.DropDecrease },
			doc: "Step down of that probability."},
		{name: p + "decrease_ratio", props: prop(p + "decrease_ratio"), aliases: []string{"connectionDecreaseRatio"}, kind: kindFloat, def: "0", max: 1, outside: toDefault, field: func(c *Config) any { return &c.ConnectionThrottle.DecreaseRatio },
			doc: "Share of free tokens above which that probability goes down."},
		{name: p + "weight_enabled", props: prop(p + "weight_enabled"), kind: kindProp, def: "false", field: func(c *Config) any { return &c.ConnectionThrottle.WeightEnabled },
			doc: "Let kinds of sessions cost different numbers of tokens."},
		{name: p + "global_session_weight", props: prop(p + "global_session_weight"), kind: kindPropInt, def: "3", unit: "tokens", min: 1, max: maxInt32, outside: toDefault, field: func(c *Config) any { return &c.ConnectionThrottle.GlobalSessionWeight },
			doc: "Cost of a new global session; at least that of a local one."},
		{name: p + "local_session_weight", props: prop(p + "local_session_weight"), kind: kindPropInt, def: "1", unit: "tokens", min: 1, max: maxInt32, outside: toDefault, field: func(c *Config) any { return &c.ConnectionThrottle.LocalSessionWeight },
			doc: "Cost of a new local session."},
		{name: p + "renew_session_weight", props: prop(p + "renew_session_weight"), kind: kindPropInt, def: "2", unit: "tokens", min: 1, max: maxInt32, outside: toDefault, field: func(c *Config) any { return &c.ConnectionThrottle.RenewSessionWeight },
			doc: "Cost of a session that reconnects; at least that of a local one."},
	}
}

func treeKeys() []key {
	return []key{
		{name: "enforceQuota", props: prop("enforceQuota"), kind: kindProp, def: "false", field: func(c *Config) any { return &c.EnforceQuota },
			doc: "Refuse writes beyond a hard quota instead of logging them."},
		{name: "skipACL", props: prop("skipACL"), kind: kindNo, def: "no", field: func(c *Config) any { return &c.SkipACL },
			doc: "yes lets everyone read and write everything."},
		{name: "enableEagerACLCheck", props: prop("enableEagerACLCheck"), kind: kindProp, def: "false", field: func(c *Config) any { return &c.EnableEagerACLCheck },
			doc: "Check a write's ACL on the server the client is connected to, before the leader does."},
		{name: "digest.enabled", props: prop("digest.enabled"), kind: kindProp, def: "true", field: func(c *Config) any { return &c.DigestEnabled },
			doc: "Keep a digest of the tree, by which servers find differences between them."},
		{name: "closeSessionTxn.enabled", props: prop("closeSessionTxn.enabled"), kind: kindProp, def: "true", field: func(c *Config) any { return &c.CloseSessionTxnEnabled },
			doc: "List a session's ephemeral znodes in the log when it closes; the same on all servers."},
		{name: "extendedTypesEnabled", props: prop("extendedTypesEnabled"), kind: kindProp, def: "false", field: func(c *Config) any { return &c.ExtendedTypesEnabled },
			doc: "Allow TTL znodes; myid must be at most 254 then."},
		{name: "emulate353TTLNodes", props: prop("emulate353TTLNodes"), kind: kindProp, def: "false", verdict: Refuse, refuse: refuseTrue("the TTL encoding of 3.5.3 is not supported; migrate such znodes with Java first"),
			doc: "The TTL encoding of Java 3.5.3."},
		{name: "znode.container.checkIntervalMs", props: []string{"znode.container.checkIntervalMs"}, onlyD: true, kind: kindPropInt, def: "60000", unit: "ms", min: 1, max: maxInt32, field: func(c *Config) any { return &c.ContainerCheckInterval },
			doc: "Time between searches for empty containers and expired TTL znodes."},
		{name: "znode.container.maxPerMinute", props: []string{"znode.container.maxPerMinute"}, onlyD: true, kind: kindPropInt, def: "10000", unit: "znodes", min: 1, max: maxInt32, field: func(c *Config) any { return &c.ContainerMaxPerMinute },
			doc: "Containers and TTL znodes deleted per minute at most."},
		{name: "znode.container.maxNeverUsedIntervalMs", props: []string{"znode.container.maxNeverUsedIntervalMs"}, onlyD: true, kind: kindPropInt, def: "0", unit: "ms", max: 1 << 52, outside: toBound, field: func(c *Config) any { return &c.ContainerMaxNeverUsedInterval },
			doc: "A container that never had a child is deleted after this time; 0 is never."},
		{name: "localSessionsEnabled", kind: kindBool, def: "false", verdict: Later, field: func(c *Config) any { return &c.LocalSessionsEnabled },
			doc: "Sessions known to one server only; needs an ensemble."},
		{name: "localSessionsUpgradingEnabled", kind: kindBool, def: "false", verdict: Later, field: func(c *Config) any { return &c.LocalSessionsUpgradingEnabled },
			doc: "A local session that creates an ephemeral znode becomes a global one."},
		{name: "readonlymode.enabled", props: []string{"readonlymode.enabled"}, onlyD: true, kind: kindProp, def: "false", field: func(c *Config) any { return &c.ReadonlyModeEnabled },
			doc: "Serve reads to clients that allow it while there is no quorum; also allows the word isro."},
		{name: "zk.sessionPassword", props: []string{"zk.sessionPassword"}, kind: kindChoice, choices: []string{"hmac", "java"}, def: "hmac", verdict: Own, field: func(c *Config) any { return &c.SessionPassword },
			doc: "hmac makes session passwords that can't be guessed, java those that Java servers expect."},
	}
}
