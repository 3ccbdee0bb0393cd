package zab

import "zk/jute"

// LearnerStatus is a learner as the leader sees it, for whoever shows the leader's state.
type LearnerStatus struct {
	Link Link
	SID  jute.ServerID
	// Observer as it says; Voter if its acknowledgements count.
	Observer, Voter bool
	// UpToDate: it has the history and was sent UPTODATE.
	UpToDate bool
	// Acked is the last proposal it has acknowledged on this link.
	Acked jute.Zxid
}

// Learners lists the learners that have said who they are, oldest link first.
func (l *Leader) Learners() []LearnerStatus {
	v := make([]LearnerStatus, 0, len(l.peers))
	for _, p := range l.peers {
		if p.state != peerConnected {
			v = append(v, LearnerStatus{Link: p.link, SID: p.sid, Observer: p.observer, Voter: p.voter, UpToDate: p.upToDate, Acked: p.acked})
		}
	}
	return v
}

// PendingSyncs is the number of sync requests that wait for a commit.
func (l *Leader) PendingSyncs() int { return len(l.syncs) }
