package operators

import "regexp"

// own tells of figures that only we have, and of those of the machine that runs Java.
func own(name string) bool {
	return regexp.MustCompile(`^(jvm_|process_|disk_|go_)|apply_stop_time_ms|^ephemerals_refused_count`).MatchString(name)
}

// allowed are the differences that are meant: a pattern of lines, and why.
func allowed() map[string]string {
	return map[string]string{
		// Stages that this server does not have. Reads run on their connection's goroutine; a write is prepared there, under
		// a lock; the tree is no pile of snapshots; replies are not kept.
		`^[-+] (cnt_)?(read_commit_proc_(issued|req_queued)|read_(commitproc|final_proc)_time_ms|requests_in_session_queue|pending_session_queue_size|` +
			`reads_(after_write_in|issued_from)_session_queue|session_queues_drained|concurrent_request_processing_in_commit_processor|` +
			`time_waiting_empty_pool_in_commit_processor_read_ms)(_count)?( is filled)?$`: "reads do not wait for commits in a queue of all sessions",
		`^[-+] (cnt_)?(prep_processor_(queue_size|queue_time_ms|request_queued)|prep_process_time|proposal_process_time|close_session_prep_time|` +
			`outstanding_changes_(queued|removed))(_count)?( is filled)?$`: "a write is prepared by its connection's goroutine, which no queue leads to",
		`^[-+] (cnt_)?(sync_processor_queue_(size|time_ms|and_flush_time_ms)|request_throttle_queue_time_ms)(_count)?( is filled)?$`: "no queue where Java has one, or no look at the clock for each request in it",
		`^[-+] response_packet_(get_children_)?cache_(hits|misses)( is filled)?$`:                                                    "replies are not kept",
		`^[-+] (cnt_)?(snapshottime|startup_(snap_load_time|txns_loaded|txns_load_time))(_count)?( is filled)?$`:                     "there are no snapshots that are written and loaded; what a member's log has beyond its tree is applied when there is a leader",
		`^[-+] (cnt_)?fsynctime(_count)?( is filled)?$`:                                                                              "the harness lets Java write without syncs",
		`^[-+] (cnt_)?(inflight_)?(snap|diff)_count(_count)?( is filled)?$`:                                                          "a server that lags gets what it lacks from the log, where Java sends the tree to one that was never there",
		`^- # (HELP|TYPE) \S+ \S+$`:                                             "a family without a sample is not named in /metrics",
		`^[-+] cnxn_closed_without_zk_server_running( is filled)?$`:             "a matter of when a client comes back",
		`^[-+] initial_configuration.initial_configuration = a (<nil>|string)$`: "zoo.cfg is shown on every server: Java's members of an ensemble have null",
		`^- synced_observers = 0$`:                                              "a follower that is no observer master has no observers: Java's Prometheus provider shows none as 0, its default provider not at all",
	}
}

func expected(line string) bool {
	for pattern := range allowed() {
		if regexp.MustCompile(pattern).MatchString(line) {
			return true
		}
	}
	return false
}
