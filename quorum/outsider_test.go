package quorum

import (
	"testing"
	"time"

	"zk/jute"
)

// outside starts an ensemble, and one of its followers again as one that has promised itself to a later epoch than that of the
// leader.
func (e *ensemble) outside(change func(*memLog)) (leader, voter *node, began time.Time) {
	e.startAll()
	leader, voter = e.leader(), e.nodes[0]
	leader.mustWrite(1, 10)
	voter.kill()
	leader.mustWrite(2, 10)
	change(voter.log)
	voter.start()
	return leader, voter, time.Now()
}

// TestOutsider: a voter that was chosen leader, saved its epoch and died before it told anybody is back among the others
// when initLimit is over, whatever the number of voters. Clients are without a leader for one election.
func TestOutsider(t *testing.T) {
	for _, voters := range []int{3, 5} {
		bubble(t, voters, 0, func(e *ensemble) {
			log := e.watchLog()
			leader, voter, began := e.outside(func(l *memLog) { l.accepted = 7 })
			time.Sleep(5 * testTick)
			log.want(t, "voter can't follow: it has promised itself to a later epoch")
			e.wait("the term to end", func() bool { return leader.peer.Status().Role == Looking })
			ended := time.Now()
			if took, patience := ended.Sub(began), 10*testTick; took < patience || took > patience+10*testTick {
				t.Errorf("%d voters: the term ended after %v, initLimit is %v", voters, took, patience)
			}
			next := e.leader()
			if took := time.Since(ended); took > time.Second {
				t.Errorf("%d voters: the next term came after %v", voters, took)
			}
			if epoch := next.peer.Status().Epoch; epoch < 7 || epoch > 8 {
				t.Errorf("%d voters: the next epoch is %d", voters, epoch)
			}
			voter.mustWrite(3, 10)
			e.same(30)
			log.want(t, "a later epoch must begin")
		})
	}
}

// TestOutsiderGone: the voter for whose sake a term has ended is down again before the next leader asks. The server that led has
// its promise on disk, and the voter can follow when it comes back.
func TestOutsiderGone(t *testing.T) {
	bubble(t, 3, 0, func(e *ensemble) {
		leader, voter, _ := e.outside(func(l *memLog) { l.accepted = 7 })
		e.wait("the term to end", func() bool { return leader.peer.Status().Role == Looking })
		voter.kill()
		if accepted := leader.log.AcceptedEpoch(); accepted != 7 {
			t.Errorf("the server that led has promised itself to epoch %d", accepted)
		}
		leader.kill()
		leader.start()
		if epoch := e.leader().peer.Status().Epoch; epoch != 8 {
			t.Errorf("the next epoch is %d", epoch)
		}
		voter.start()
		began := time.Now()
		e.leader()
		if took := time.Since(began); took > time.Second {
			t.Errorf("the voter was back after %v", took)
		}
	})
}

// TestOutsiderOfAnother: a voter whose history would win an election, as that of another ensemble might, stays out.
func TestOutsiderOfAnother(t *testing.T) {
	bubble(t, 3, 0, func(e *ensemble) {
		log := e.watchLog()
		leader, voter, _ := e.outside(func(l *memLog) {
			l.accepted, l.current = 7, 7
			l.base, l.entries, l.durable = jute.NewZxid(7, 1), nil, 0
		})
		time.Sleep(100 * testTick)
		if s := leader.peer.Status(); s.Role != Leading || s.Epoch != 1 {
			t.Errorf("the leader is %+v", s)
		}
		if s := voter.peer.Status(); s.Phase == Broadcast {
			t.Errorf("the other is %+v", s)
		}
		leader.mustWrite(3, 10)
		log.want(t, "it has a later history, epoch 7, zxid 0x700000001")
	})
}
