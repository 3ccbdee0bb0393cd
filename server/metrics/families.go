package metrics

import (
	"sync"
	"time"
)

// Metrics holds all families of one server. It is also their table: the tag is the exact name, with
// ",p99" for a summary that also has the higher quantiles, the field's type is the kind, and the order
// is that of the output. Use New.
//
// The comment says what is measured, ms and bytes being the units. [leader] and [quorum] families stay
// unset on servers without that role, and are absent from the output then.
type Metrics struct {
	// Server is what srvr shows and what the gauges on latency, packets and reply sizes are made of.
	Server ServerStats

	// Requests and latency

	AvgLatency               *Gauge   `zk:"avg_latency"`                        // mean request latency in ms since start or reset, four decimals
	MinLatency               *Gauge   `zk:"min_latency"`                        // ms
	MaxLatency               *Gauge   `zk:"max_latency"`                        // ms
	ReadLatency              *Summary `zk:"readlatency,p99"`                    // ms per read, from receipt to reply
	UpdateLatency            *Summary `zk:"updatelatency,p99"`                  // ms per write of a local client
	PropagationLatency       *Summary `zk:"propagation_latency,p99"`            // ms from leader txn time stamp to local apply (wall clocks)
	OutstandingRequests      *Gauge   `zk:"outstanding_requests"`               // requests in the pipeline
	PacketsReceived          *Gauge   `zk:"packets_received"`                   // frames in; gauge although it only grows (reset by srst)
	PacketsSent              *Gauge   `zk:"packets_sent"`                       // frames out
	BytesReceivedCount       *Counter `zk:"bytes_received_count"`               // bytes in
	ResponseBytes            *Counter `zk:"response_bytes"`                     // bytes of replies
	WatchBytes               *Counter `zk:"watch_bytes"`                        // bytes of watch events
	LastClientResponseSize   *Gauge   `zk:"last_client_response_size"`          // bytes; -1 before the first
	MinClientResponseSize    *Gauge   `zk:"min_client_response_size"`           // bytes
	MaxClientResponseSize    *Gauge   `zk:"max_client_response_size"`           // bytes
	StaleRequests            *Counter `zk:"stale_requests"`                     // requests stale when leaving the throttler
	StaleRequestsDropped     *Counter `zk:"stale_requests_dropped"`             // of those, not executed
	StaleReplies             *Counter `zk:"stale_replies"`                      // replies to connections that had gone
	RequestThrottleQueueTime *Summary `zk:"request_throttle_queue_time_ms,p99"` // wait in the request throttler
	RequestThrottleWaitCount *Counter `zk:"request_throttle_wait_count"`        // stalls
	ThrottledOps             *Counter `zk:"throttled_ops"`                      // answered ThrottledOp
	LargeRequestsRejected    *Counter `zk:"large_requests_rejected"`            // refused by the limit on bytes of large requests

	// Connections and sessions

	NumAliveConnections              *Gauge   `zk:"num_alive_connections"`                 // open client connections, 4lw ones included
	ConnectionRequestCount           *Counter `zk:"connection_request_count"`              // ConnectRequests
	ConnectionRevalidateCount        *Counter `zk:"connection_revalidate_count"`           // renewals
	RevalidateCount                  *Counter `zk:"revalidate_count"`                      // session revalidations asked of the leader by learners
	ConnectionRejected               *Counter `zk:"connection_rejected"`                   // refused: maxClientCnxns, maxCnxns, throttle
	ConnectionDropCount              *Counter `zk:"connection_drop_count"`                 // client closed or read failed
	ConnectionDropProbability        *Gauge   `zk:"connection_drop_probability"`           // BLUE throttle
	ConnectionTokenDeficit           *Summary `zk:"connection_token_deficit"`              // throttle tokens
	SessionlessConnectionsExpired    *Counter `zk:"sessionless_connections_expired"`       // connections that never logged in
	StaleSessionsExpired             *Counter `zk:"stale_sessions_expired"`                // sessions expired
	GlobalSessions                   *Gauge   `zk:"global_sessions"`                       // sessions known to the ensemble
	LocalSessions                    *Gauge   `zk:"local_sessions"`                        // sessions known to this server only
	AuthFailedCount                  *Gauge   `zk:"auth_failed_count"`                     // TLS client auth failures
	NonMTLSLocalConnCount            *Gauge   `zk:"non_mtls_local_conn_count"`             // Netty only
	NonMTLSRemoteConnCount           *Gauge   `zk:"non_mtls_remote_conn_count"`            // Netty only
	OutstandingTLSHandshake          *Gauge   `zk:"outstanding_tls_handshake"`             // TLS handshakes under way
	TLSHandshakeExceeded             *Counter `zk:"tls_handshake_exceeded"`                // refused: too many TLS handshakes under way
	UnsuccessfulHandshake            *Counter `zk:"unsuccessful_handshake"`                // failed TLS handshakes
	InsecureAdminCount               *Counter `zk:"insecure_admin_count"`                  // super/admin use over plaintext
	CnxnClosedWithoutZKServerRunning *Counter `zk:"cnxn_closed_without_zk_server_running"` // closed because this server was not serving
	EnsembleAuthSuccess              *Counter `zk:"ensemble_auth_success"`                 // clients that named the right ensemble
	EnsembleAuthFail                 *Counter `zk:"ensemble_auth_fail"`                    // clients that named another ensemble
	EnsembleAuthSkip                 *Counter `zk:"ensemble_auth_skip"`                    // ensemble checks left out
	NettyQueuedBufferCapacity        *Summary `zk:"netty_queued_buffer_capacity"`          // empty here: Netty only

	// Tree and watches

	ZnodeCount                           *Gauge      `zk:"znode_count"`                               // root counted twice: 5 on a fresh server
	EphemeralsCount                      *Gauge      `zk:"ephemerals_count"`                          // ephemeral nodes
	ApproximateDataSize                  *Gauge      `zk:"approximate_data_size"`                     // sum of path lengths (chars) + data bytes
	WatchCount                           *Gauge      `zk:"watch_count"`                               // both watch tables
	NodeCreatedWatchCount                *Summary    `zk:"node_created_watch_count"`                  // watchers hit per trigger
	NodeDeletedWatchCount                *Summary    `zk:"node_deleted_watch_count"`                  // same, for deletes
	NodeChangedWatchCount                *Summary    `zk:"node_changed_watch_count"`                  // same, for setData
	NodeChildrenWatchCount               *Summary    `zk:"node_children_watch_count"`                 // same, for child watches
	DeadWatchersQueued                   *Counter    `zk:"dead_watchers_queued"`                      // optimized watch manager
	DeadWatchersCleared                  *Counter    `zk:"dead_watchers_cleared"`                     // same
	DeadWatchersCleanerLatency           *Summary    `zk:"dead_watchers_cleaner_latency,p99"`         // same
	AddDeadWatcherStallTime              *Counter    `zk:"add_dead_watcher_stall_time"`               // same
	ResponsePacketCacheHits              *Counter    `zk:"response_packet_cache_hits"`                // getData reply cache
	ResponsePacketCacheMisses            *Counter    `zk:"response_packet_cache_misses"`              // same
	ResponsePacketGetChildrenCacheHits   *Counter    `zk:"response_packet_get_children_cache_hits"`   // getChildren reply cache
	ResponsePacketGetChildrenCacheMisses *Counter    `zk:"response_packet_get_children_cache_misses"` // same
	ReadPerNamespace                     *SummarySet `zk:"read_per_namespace"`                        // bytes per read; key = first path component
	WritePerNamespace                    *SummarySet `zk:"write_per_namespace"`                       // bytes per write
	QuotaCountLimitPerNamespace          *GaugeSet   `zk:"quota_count_limit_per_namespace"`           // quota roots only
	QuotaBytesLimitPerNamespace          *GaugeSet   `zk:"quota_bytes_limit_per_namespace"`           // same
	QuotaCountUsagePerNamespace          *GaugeSet   `zk:"quota_count_usage_per_namespace"`           // same
	QuotaBytesUsagePerNamespace          *GaugeSet   `zk:"quota_bytes_usage_per_namespace"`           // same
	QuotaExceededErrorPerNamespace       *CounterSet `zk:"quota_exceeded_error_per_namespace"`        // requests over a quota
	DigestMismatchesCount                *Counter    `zk:"digest_mismatches_count"`                   // tree digest check

	// Pipeline

	PrepProcessorQueueSize                       *Summary `zk:"prep_processor_queue_size"`                           // requests waiting for prep
	PrepProcessorQueueTime                       *Summary `zk:"prep_processor_queue_time_ms,p99"`                    // ms a request waited for prep
	PrepProcessorRequestQueued                   *Counter `zk:"prep_processor_request_queued"`                       // requests handed to prep
	PrepProcessTime                              *Summary `zk:"prep_process_time"`                                   // ms in prep
	ProposalProcessTime                          *Summary `zk:"proposal_process_time"`                               // ms handing over
	CloseSessionPrepTime                         *Summary `zk:"close_session_prep_time,p99"`                         // ms in prep of a closeSession
	OutstandingChangesQueued                     *Counter `zk:"outstanding_changes_queued"`                          // changes in flight, added
	OutstandingChangesRemoved                    *Counter `zk:"outstanding_changes_removed"`                         // changes in flight, done
	SyncProcessorQueueSize                       *Summary `zk:"sync_processor_queue_size"`                           // proposals waiting for the log
	SyncProcessorRequestQueued                   *Counter `zk:"sync_processor_request_queued"`                       // proposals handed to the log
	SyncProcessorQueueTime                       *Summary `zk:"sync_processor_queue_time_ms,p99"`                    // ms a proposal waited for the log
	SyncProcessorQueueAndFlushTime               *Summary `zk:"sync_processor_queue_and_flush_time_ms,p99"`          // ms from hand-over to durable
	SyncProcessorQueueFlushTime                  *Summary `zk:"sync_processor_queue_flush_time_ms,p99"`              // ms of one flush
	SyncProcessorBatchSize                       *Summary `zk:"sync_processor_batch_size"`                           // txns per flush
	SyncProcessTime                              *Summary `zk:"sync_process_time"`                                   // ms in the log stage
	FsyncTime                                    *Summary `zk:"fsynctime"`                                           // ms per log sync
	ReadCommitProcReqQueued                      *Summary `zk:"read_commit_proc_req_queued"`                         // Java's commit processor: reads waiting
	WriteCommitProcReqQueued                     *Summary `zk:"write_commit_proc_req_queued"`                        // same: writes waiting
	CommitCommitProcReqQueued                    *Summary `zk:"commit_commit_proc_req_queued"`                       // same: commits waiting
	RequestCommitQueued                          *Counter `zk:"request_commit_queued"`                               // same: commits handed in
	ReadCommitProcIssued                         *Summary `zk:"read_commit_proc_issued"`                             // same: reads let through in one turn
	WriteCommitProcIssued                        *Summary `zk:"write_commit_proc_issued"`                            // same: writes let through
	RequestsInSessionQueue                       *Summary `zk:"requests_in_session_queue"`                           // same: requests of one session behind its write
	PendingSessionQueueSize                      *Summary `zk:"pending_session_queue_size"`                          // same: sessions that wait
	ReadsAfterWriteInSessionQueue                *Summary `zk:"reads_after_write_in_session_queue"`                  // same
	ReadsIssuedFromSessionQueue                  *Summary `zk:"reads_issued_from_session_queue"`                     // same
	SessionQueuesDrained                         *Summary `zk:"session_queues_drained"`                              // same
	TimeWaitingEmptyPoolInCommitProcessorRead    *Summary `zk:"time_waiting_empty_pool_in_commit_processor_read_ms"` // same
	WriteBatchTimeInCommitProcessor              *Summary `zk:"write_batch_time_in_commit_processor"`                // same
	ConcurrentRequestProcessingInCommitProcessor *Summary `zk:"concurrent_request_processing_in_commit_processor"`   // same
	CommitProcessTime                            *Summary `zk:"commit_process_time"`                                 // ms in the commit stage
	ReadCommitProcTime                           *Summary `zk:"read_commitproc_time_ms,p99"`                         // ms a read spent in the commit stage
	WriteCommitProcTime                          *Summary `zk:"write_commitproc_time_ms,p99"`                        // ms a write spent in the commit stage
	LocalWriteCommittedTime                      *Summary `zk:"local_write_committed_time_ms,p99"`                   // ms from proposal to commit, own clients
	ServerWriteCommittedTime                     *Summary `zk:"server_write_committed_time_ms,p99"`                  // same, any client
	ReadFinalProcTime                            *Summary `zk:"read_final_proc_time_ms,p99"`                         // ms from commit stage to reply, reads
	WriteFinalProcTime                           *Summary `zk:"write_final_proc_time_ms,p99"`                        // same, writes
	RequestsNotForwardedToCommitProcessor        *Counter `zk:"requests_not_forwarded_to_commit_processor"`          // requests answered before it
	SkipLearnerRequestToNextProcessorCount       *Counter `zk:"skip_learner_request_to_next_processor_count"`        // requests of learners that went stale
	LearnerRequestProcessorQueueSize             *Summary `zk:"learner_request_processor_queue_size"`                // requests of learners waiting

	// Quorum

	QuorumSize                    *Gauge      `zk:"quorum_size"`                        // voters in the current config [quorum]
	Learners                      *Gauge      `zk:"learners"`                           // connected learners [leader]
	SyncedFollowers               *Gauge      `zk:"synced_followers"`                   // voting followers in sync [leader]
	SyncedNonVotingFollowers      *Gauge      `zk:"synced_non_voting_followers"`        // followers in sync that are not in the config [leader]
	SyncedObservers               *Gauge      `zk:"synced_observers"`                   // followers: as observer master [quorum]
	PendingSyncs                  *Gauge      `zk:"pending_syncs"`                      // sync requests waiting [leader]
	LeaderUptime                  *Gauge      `zk:"leader_uptime"`                      // ms [leader]
	LastProposalSize              *Gauge      `zk:"last_proposal_size"`                 // bytes, -1 at first [leader]
	MinProposalSize               *Gauge      `zk:"min_proposal_size"`                  // bytes [leader]
	MaxProposalSize               *Gauge      `zk:"max_proposal_size"`                  // bytes [leader]
	ElectionTime                  *Summary    `zk:"election_time"`                      // ms; alert source
	LookingCount                  *Counter    `zk:"looking_count"`                      // times it entered LOOKING
	UnavailableTime               *Summary    `zk:"unavailable_time"`                   // ms without quorum
	LeaderUnavailableTime         *Summary    `zk:"leader_unavailable_time"`            // ms without a leader
	FollowerSyncTime              *Summary    `zk:"follower_sync_time"`                 // ms
	ObserverSyncTime              *Summary    `zk:"observer_sync_time"`                 // ms
	DiffCount                     *Counter    `zk:"diff_count"`                         // DIFF syncs served
	SnapCount                     *Counter    `zk:"snap_count"`                         // SNAP syncs served
	InflightDiffCount             *Summary    `zk:"inflight_diff_count"`                // DIFF syncs under way
	InflightSnapCount             *Summary    `zk:"inflight_snap_count"`                // SNAP syncs under way
	ProposalCount                 *Counter    `zk:"proposal_count"`                     // proposals made
	CommitCount                   *Counter    `zk:"commit_count"`                       // proposals committed
	ProposalLatency               *Summary    `zk:"proposal_latency,p99"`               // ms from request to proposal
	ProposalAckCreationLatency    *Summary    `zk:"proposal_ack_creation_latency,p99"`  // ms from proposal to own ACK
	CommitPropagationLatency      *Summary    `zk:"commit_propagation_latency,p99"`     // ms from commit to its arrival at the learner
	QuorumAckLatency              *Summary    `zk:"quorum_ack_latency,p99"`             // ms to a quorum of acks
	AckLatency                    *SummarySet `zk:"ack_latency,p99"`                    // key = sid; sampled 1 in zookeeper.leader.ackLoggingFrequency (1000)
	LearnerProposalReceivedCount  *Counter    `zk:"learner_proposal_received_count"`    // proposals received
	LearnerCommitReceivedCount    *Counter    `zk:"learner_commit_received_count"`      // commits received
	LearnerHandlerQPSize          *SummarySet `zk:"learner_handler_qp_size"`            // key = sid, leader only in practice
	LearnerHandlerQPTime          *SummarySet `zk:"learner_handler_qp_time_ms,p99"`     // key = sid
	OMProposalProcessTime         *Summary    `zk:"om_proposal_process_time_ms,p99"`    // observer master
	OMCommitProcessTime           *Summary    `zk:"om_commit_process_time_ms,p99"`      // observer master
	QuitLeadingDueToDisloyalVoter *Counter    `zk:"quit_leading_due_to_disloyal_voter"` // times a leader gave up because voters left
	SocketClosingTime             *Summary    `zk:"socket_closing_time"`                // ms to close a learner link

	// Storage, process

	SnapshotTime             *Summary `zk:"snapshottime"`                // ms to write a snapshot
	SnapshotErrorCount       *Counter `zk:"snapshot_error_count"`        // failed snapshots
	SnapshotRateLimitedCount *Counter `zk:"snapshot_rate_limited_count"` // snapshots refused by rate
	RestoreTime              *Summary `zk:"restore_time"`                // ms to restore a snapshot
	RestoreErrorCount        *Counter `zk:"restore_error_count"`         // failed restores
	RestoreRateLimitedCount  *Counter `zk:"restore_rate_limited_count"`  // restores refused by rate
	DBInitTime               *Summary `zk:"dbinittime"`                  // ms to open the data at start
	StartupSnapLoadTime      *Summary `zk:"startup_snap_load_time"`      // ms of that for the stored tree
	StartupTxnsLoadTime      *Summary `zk:"startup_txns_load_time"`      // ms of that for the log
	StartupTxnsLoaded        *Summary `zk:"startup_txns_loaded"`         // transactions applied from the log
	Uptime                   *Gauge   `zk:"uptime"`                      // ms
	OpenFileDescriptorCount  *Gauge   `zk:"open_file_descriptor_count"`  // -1 where the system does not tell
	MaxFileDescriptorCount   *Gauge   `zk:"max_file_descriptor_count"`   // -1 where the system does not tell
	UnrecoverableErrorCount  *Counter `zk:"unrecoverable_error_count"`   // worker death
	JVMPauseTime             *Summary `zk:"jvm_pause_time_ms,p99"`       // empty here: pauses of the Java machine

	// Not Java's: stops of apply; creates that would make a session too large; the room on the data disks, unset where disks are not watched.

	ApplyStopTime *Summary `zk:"apply_stop_time_ms,p99"` // ms that apply stood still, of stops of 10 ms and more

	EphemeralsRefused *Counter `zk:"ephemerals_refused_count"` // creates refused because the session could not be closed any more

	DiskSpaceLevel    *Gauge `zk:"disk_space_level"`          // 0 enough, 1 tight, 2 low: writes are refused, 3 critical: new sessions too
	DiskDataFreeBytes *Gauge `zk:"disk_data_free_bytes"`      // free on the disk of dataDir
	DiskLogFreeBytes  *Gauge `zk:"disk_log_free_bytes"`       // free on the disk of dataLogDir
	DiskLowWaterBytes *Gauge `zk:"disk_low_water_mark_bytes"` // the mark; the smaller one of two disks
	DiskOutOfQuorum   *Gauge `zk:"disk_space_out_of_quorum"`  // 1 while a member of an ensemble stays out of it for want of room, else 0; unset standalone

	start    time.Time // immutable after New
	families []family  // immutable after New, in field order

	// rotateMu guards rotatedAt, and moving the clock.
	rotateMu  sync.Mutex
	rotatedAt time.Time
	clock     windowClock
}

// ServerStats are the few figures that are set back by srst in every case, also when the metrics
// provider is Prometheus. Source: server.ServerStats.
type ServerStats struct {
	RequestLatency  Latency // ms from receipt of a request to its reply
	PacketsReceived Counter // frames and four-letter words
	PacketsSent     Counter // frames
	ResponseSizes   Sizes   // bytes of replies
	ProposalSizes   Sizes   // bytes of proposals, on a leader
	AuthFailed      Counter // failed TLS client authentications
	NonMTLSLocal    Counter // connections without TLS from this machine
	NonMTLSRemote   Counter // connections without TLS from others
	// FsyncThresholdExceeded counts syncs of the log that took longer than fsync.warningthresholdms.
	// Reset leaves it alone, as in Java.
	FsyncThresholdExceeded Counter
}

// Reset sets all back. Source: ServerStats.reset and StatResetCommand.
func (s *ServerStats) Reset() {
	s.RequestLatency.Reset()
	s.PacketsReceived.reset()
	s.PacketsSent.reset()
	s.ResponseSizes.Reset()
	s.ProposalSizes.Reset()
}

// ObserveRequest records the latency of one answered request of a local client, in ms: in Server and in
// readlatency or updatelatency. A negative one (a clock set back) is ignored. Source:
// ServerStats.updateLatency.
func (m *Metrics) ObserveRequest(millis int64, write bool) {
	if millis < 0 {
		return
	}
	m.Server.RequestLatency.Observe(millis)
	if write {
		m.UpdateLatency.Observe(millis)
		return
	}
	m.ReadLatency.Observe(millis)
}
