package persistence

// Retention says how much of the log is kept; zero values mean the defaults.
type Retention struct {
	// SnapCount is zookeeper's snapCount (100,000); 3 times as many txns are kept for learners.
	SnapCount int
	// CommitLogCount (500) is the least number of txns kept.
	CommitLogCount int
	// BytesMax caps what is kept above CommitLogCount (1 GiB).
	BytesMax int64
}
