package conf

import "strings"

// The rows that matter with more than one server, and those of Java's insides. Defaults and bounds come
// from QuorumPeerConfig, QuorumPeer, Leader, Learner, FastLeaderElection and QuorumCnxManager of Java
// 3.9.5.

func ensembleKeys() []key {
	return []key{
		{name: "server.N", kind: kindText, doc: "host:quorum port:election port[|...][:participant|:observer][;[client address:]client port] of server N; one such line alone is a standalone server."},
		{name: "group.N", kind: kindText, doc: "Ids of a group in a hierarchical quorum, separated by colons."},
		{name: "weight.N", kind: kindInt, def: "1", max: maxInt32, doc: "Votes of server N in its group; a server with 0 is not elected."},
		{name: "version", kind: kindHex, def: "0", field: func(c *Config) any { return &c.ConfigVersion },
			doc: "Version of the list of servers, hexadecimal; not allowed in a dynamic file, whose name ends with it."},
		{name: "dynamicConfigFile", kind: kindPath, field: func(c *Config) any { return &c.DynamicConfigFile },
			doc: "File that holds the server, group and weight lines in place of this one."},
		{name: "standaloneEnabled", kind: kindBool, def: "true", field: func(c *Config) any { return &c.StandaloneEnabled },
			doc: "A single server.N line makes a standalone server, not an ensemble of one."},
		{name: "reconfigEnabled", kind: kindBool, def: "false", field: func(c *Config) any { return &c.ReconfigEnabled },
			doc: "Clients may change the list of servers; in an ensemble not in this version."},
		{name: "peerType", kind: kindChoice, choices: []string{"participant", "observer"}, def: "participant", field: func(c *Config) any { return &c.PeerType },
			doc: "Role of this server; the server.N line wins."},
		{name: "syncEnabled", kind: kindBool, def: "true", verdict: Ignore, doc: "An observer keeps a log of its own; here always."},
		{name: "observer.syncEnabled", props: prop("observer.syncEnabled"), kind: kindProp, defText: "syncEnabled", verdict: Ignore,
			doc: "The same as syncEnabled, and stronger."},
		{name: "quorumListenOnAllIPs", kind: kindBool, def: "false", field: func(c *Config) any { return &c.QuorumListenOnAllIPs },
			doc: "Listen for other servers on all addresses, not only on the one of the server.N line."},
		{name: "observerMasterPort", kind: kindInt, def: "0", defText: "off", max: 65535, verdict: Later, field: func(c *Config) any { return &c.ObserverMasterPort },
			doc: "Port on which a follower serves observers."},
		{name: "observerMaster.sizeLimit", props: prop("observerMaster.sizeLimit"), kind: kindPropInt, def: "33554432", unit: "bytes", min: 1, max: maxInt32, verdict: Later, field: func(c *Config) any { return &c.ObserverMasterSizeLimitBytes },
			doc: "Log a follower keeps in memory for its observers."},
		{name: "multiAddress.enabled", props: prop("multiAddress.enabled"), kind: kindBool, def: "false", field: func(c *Config) any { return &c.MultiAddressEnabled },
			doc: "Allow several addresses, separated by '|', in a server.N line."},
		{name: "multiAddress.reachabilityCheckEnabled", props: prop("multiAddress.reachabilityCheckEnabled"), kind: kindBool, def: "true", field: func(c *Config) any { return &c.MultiAddressReachabilityCheckEnabled },
			doc: "Dial all of them at once and take the first that is reached; else one after the other."},
		{name: "multiAddress.reachabilityCheckTimeoutMs", props: prop("multiAddress.reachabilityCheckTimeoutMs"), kind: kindInt, def: "1000", unit: "ms", min: 1, max: maxInt32, field: func(c *Config) any { return &c.MultiAddressReachabilityCheckTimeout },
			doc: "How long that may take; then one after the other."},
		{name: "tcpKeepAlive", props: prop("tcpKeepAlive"), kind: kindProp, def: "false", field: func(c *Config) any { return &c.TCPKeepAlive },
			doc: "TCP keep-alive on connections between servers."},
		{name: "oraclePath", kind: kindPath, verdict: Refuse, refuse: refuseAlways("a quorum of two with an oracle is not supported; use three servers"),
			doc: "File in which something else says which of two servers may lead alone."},
	}
}

func electionKeys() []key {
	return []key{
		{name: "electionAlg", kind: kindInt, def: "3", min: 3, max: 3, field: func(c *Config) any { return &c.ElectionAlg },
			doc: "Only 3, the fast leader election, exists."},
		{name: "electionPortBindRetry", props: prop("electionPortBindRetry"), kind: kindPropInt, def: "3", max: maxInt32, outside: toDefault, field: func(c *Config) any { return &c.ElectionPortBindRetry },
			doc: "Attempts to listen on the election port; 0 is without end."},
		{name: "cnxTimeout", props: prop("cnxTimeout"), kind: kindPropInt, def: "5000", unit: "ms", min: 1, max: maxInt32, field: func(c *Config) any { return &c.CnxTimeout },
			doc: "Wait for an election connection to open."},
		{name: "quorumCnxnTimeoutMs", props: prop("quorumCnxnTimeoutMs"), kind: kindPropInt, def: "-1", defText: "syncLimit x tickTime", unit: "ms", min: -1, max: maxInt32, field: func(c *Config) any { return &c.QuorumCnxnTimeout },
			doc: "Silence after which an election connection is closed; -1 is the default."},
		{name: "fastleader.minNotificationInterval", props: prop("fastleader.minNotificationInterval"), kind: kindPropInt, def: "200", unit: "ms", min: 1, max: maxInt32, field: func(c *Config) any { return &c.MinNotificationInterval },
			doc: "First wait for other servers' votes."},
		{name: "fastleader.maxNotificationInterval", props: prop("fastleader.maxNotificationInterval"), kind: kindPropInt, def: "60000", unit: "ms", min: 1, max: maxInt32, field: func(c *Config) any { return &c.MaxNotificationInterval },
			doc: "Longest wait for other servers' votes."},
		{name: "leaderServes", props: prop("leaderServes"), kind: kindYes, def: "yes", field: func(c *Config) any { return &c.LeaderServes },
			doc: "The leader takes clients."},
		{name: "leader.maxTimeToWaitForEpoch", props: prop("leader.maxTimeToWaitForEpoch"), aliases: []string{"maxTimeToWaitForEpoch"}, kind: kindPropInt, def: "-1", unit: "ms", min: -1, max: maxInt32, field: func(c *Config) any { return &c.MaxTimeToWaitForEpoch },
			doc: "How long a new leader that waits for its followers ignores that one of them looks for another leader; -1 is as long as it waits (initLimit)."},
		{name: "leader.maxConcurrentSnapSyncs", props: prop("leader.maxConcurrentSnapSyncs"), aliases: []string{"maxConcurrentSnapSyncs"}, kind: kindPropInt, def: "10", min: 1, max: maxInt32, field: func(c *Config) any { return &c.MaxConcurrentSnapSyncs },
			doc: "Servers that may be sent the tree at once; more observers have to come again, followers are let in."},
		{name: "leader.maxConcurrentDiffSyncs", props: prop("leader.maxConcurrentDiffSyncs"), aliases: []string{"maxConcurrentDiffSyncs"}, kind: kindPropInt, def: "100", min: 1, max: maxInt32, field: func(c *Config) any { return &c.MaxConcurrentDiffSyncs },
			doc: "Servers that may be sent log at once; likewise."},
		{name: "leader.ackLoggingFrequency", props: prop("leader.ackLoggingFrequency"), kind: kindPropInt, def: "1000", unit: "txns", min: -1, max: maxInt32, outside: toDefault, field: func(c *Config) any { return &c.AckLoggingFrequency },
			doc: "Every how many writes the metric ack_latency takes a sample; 0 or -1 never."},
		{name: "leaderConnectDelayDuringRetryMs", props: prop("leaderConnectDelayDuringRetryMs"), kind: kindPropInt, def: "100", unit: "ms", max: maxInt32, field: func(c *Config) any { return &c.LeaderConnectDelayDuringRetry },
			doc: "Wait between attempts to connect to the leader."},
		{name: "observer.reconnectDelayMs", props: prop("observer.reconnectDelayMs"), kind: kindPropInt, def: "0", unit: "ms", max: maxInt32, field: func(c *Config) any { return &c.ObserverReconnectDelay },
			doc: "An observer waits a random time below it before it connects to a leader."},
		{name: "observer.election.DelayMs", props: prop("observer.election.DelayMs"), kind: kindPropInt, def: "200", unit: "ms", max: maxInt32, field: func(c *Config) any { return &c.ObserverElectionDelay },
			doc: "An observer that has lost its leader waits a random time below it before it looks for the next."},
		{name: "testingonly.initialZxid", props: prop("testingonly.initialZxid"), kind: kindText, verdict: Refuse, refuse: refuseAlways("a hook of Java's own tests; remove the line"), doc: "Java's own tests."},
		{name: "test.allowDiscontinuousProposals", props: prop("test.allowDiscontinuousProposals"), kind: kindProp, def: "false", verdict: Refuse, refuse: refuseTrue("a hook of Java's own tests; remove the line"), doc: "Java's own tests."},
	}
}

// javaKeys tune parts of Java's implementation. Their values are not even checked.
func javaKeys() []key {
	var keys []key
	for _, row := range []struct{ name, def, doc string }{
		{"preAllocSize", "65536", "KiB by which log files grow."},
		{"quorum.cnxn.threads.size", "20", "Threads for election connections."},
		{"jvm.pause.monitor", "false", "Watch for pauses of the JVM."},
		{"jvm.pause.warn-threshold.ms", "10000", "Pause to warn of."},
		{"jvm.pause.info-threshold.ms", "1000", "Pause to note."},
		{"jvm.pause.sleep.time.ms", "500", "Time between looks."},
		{"request_throttler.shutdownTimeout", "10000", "ms for throttled requests at the end."},
		{"maxResponseCacheSize", "400", "Replies of getData kept."},
		{"maxGetChildrenResponseCacheSize", "400", "Replies of getChildren kept."},
		{"intBufferStartingSizeBytes", "1024", "First size of reply buffers."},
		{"nio.numSelectorThreads", "sqrt(cores / 2)", "Threads that select."},
		{"nio.numWorkerThreads", "2 x cores", "Threads that read and write."},
		{"nio.directBufferBytes", "65536", "Size of direct buffers."},
		{"nio.shutdownTimeout", "5000", "ms for those threads at the end."},
		{"commitProcessor.numWorkerThreads", "cores", "Threads that answer requests."},
		{"commitProcessor.maxReadBatchSize", "-1", "Reads between two writes."},
		{"commitProcessor.maxCommitBatchSize", "1", "Writes between two reads."},
		{"commitProcessor.shutdownTimeout", "5000", "ms for those threads at the end."},
		{"watchManagerName", "WatchManager", "Class that keeps watches."},
		{"watcherCleanThreadsNum", "2", "Threads that drop dead watches."},
		{"watcherCleanThreshold", "1000", "Dead watches dropped together."},
		{"watcherCleanIntervalInSeconds", "600", "Time between drops."},
		{"maxInProcessingDeadWatchers", "-1", "Dead watches waiting at most."},
		{"bitHashCacheSize", "10", "Watches of one znode in a hash set."},
		{"pathStats.enabled", "false", "Log of the busiest paths."},
		{"pathStats.slotCapacity", "60", "Slots of that log."},
		{"pathStats.slotDuration", "15", "Seconds of a slot."},
		{"pathStats.maxDepth", "6", "Depth of paths counted."},
		{"pathStats.initialDelay", "5", "Minutes before the first."},
		{"pathStats.delay", "5", "Minutes between."},
		{"pathStats.topPathMax", "20", "Paths listed."},
		{"pathStats.sampleRate", "0.1", "Share of requests counted."},
		{"messageTracker.Enabled", "false", "Dump of messages between servers."},
		{"messageTracker.BufferSize", "10", "Messages in it."},
		{"serverCnxnFactory", "NIOServerCnxnFactory", "Class that serves connections."},
		{"netty.server.earlyDropSecureConnectionHandshakes", "false", "Drop TLS handshakes early."},
		{"learner.asyncSending", "false", "Send to the leader from a thread of its own."},
		{"learner.closeSocketAsync", "false", "Close the leader's connection in a thread."},
		{"leader.closeSocketAsync", "false", "Close followers' connections in a thread."},
		{"leader.nodelay", "true", "TCP_NODELAY to followers; always on."},
		{"follower.nodelay", "true", "TCP_NODELAY to the leader; always on."},
		{"forward_learner_requests_to_commit_processor_disabled", "false", "A way round a queue."},
		{"follower.skipLearnerRequestToNextProcessor", "false", "A way round a queue."},
		{"log.dir", "", "Folder of Java's log files; logs go to standard error here."},
		{"log.file", "", "Name of Java's log file; logs go to standard error here."},
		{"root.logger", "", "Setting of Java's logging."},
		{"console.threshold", "", "Setting of Java's logging."},
	} {
		k := key{name: row.name, props: prop(row.name), kind: kindText, defText: row.def, verdict: Ignore, doc: row.doc}
		switch {
		case strings.HasSuffix(row.name, "closeSocketAsync"), row.name == "learner.asyncSending":
			k.props = append(k.props, row.name)
		case strings.HasSuffix(row.name, ".nodelay"):
			k.props, k.onlyD = []string{row.name}, true
		case strings.HasPrefix(row.name, "jvm.pause"), strings.HasPrefix(row.name, "quorum."):
			k.props = nil
		}
		keys = append(keys, k)
	}
	return append(keys,
		key{name: "netty.advancedFlowControl.enabled", props: prop("netty.advancedFlowControl.enabled"), aliases: []string{"advancedFlowControlEnabled"}, kind: kindText, defText: "false", verdict: Ignore,
			doc: "Flow control of Netty; always on in effect."})
}
