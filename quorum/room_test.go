package quorum

import (
	"testing"
	"time"
)

// quorumOf waits until these servers, and no others, have a leader among them.
func (e *ensemble) quorumOf(nodes ...*node) (leader *node) {
	e.t.Helper()
	in := map[*node]bool{}
	for _, n := range nodes {
		in[n] = true
	}
	e.wait("a leader", func() bool {
		leader = nil
		for _, n := range e.nodes {
			switch s := n.peer.Status(); {
			case in[n] != (s.Phase == Broadcast && !s.Since.IsZero()) || in[n] == s.Aside:
				return false
			case s.Role == Leading:
				leader = n
			}
		}
		if leader == nil {
			return false
		}
		s := leader.peer.Status()
		return s.SyncedFollowers()+s.SyncedObservers()+1 == len(nodes)
	})
	return leader
}

// without gives the servers but these.
func (e *ensemble) without(out ...*node) (rest []*node) {
	for _, n := range e.nodes {
		in := true
		for _, o := range out {
			in = in && n != o
		}
		if in {
			rest = append(rest, n)
		}
	}
	return rest
}

// allLow takes the room of all servers, and waits for the end of the term.
func (e *ensemble) allLow() {
	leader := e.leader()
	for _, n := range e.nodes {
		n.peer.SetRoom(RoomLow)
	}
	e.wait("the term to end", func() bool { return leader.peer.Status().Role != Leading })
}

// TestRoomOfOne takes the room of each server in turn: it leaves, the others go on without it, and it comes back by
// itself, with all that was written meanwhile.
func TestRoomOfOne(t *testing.T) {
	bubble(t, 3, 1, func(e *ensemble) {
		e.startAll()
		count := 0
		for round, n := range []*node{e.leader(), e.nodes[0], e.nodes[1], e.nodes[2], e.nodes[3]} {
			for _, room := range []Room{RoomLow, RoomNone} {
				e.leader()
				if n.peer.SetRoom(room) {
					t.Errorf("server %d goes on with room %v", n.sid, room)
				}
				rest := e.without(n)
				leader := e.quorumOf(rest...)
				elected := leader.peer.Status().Since
				for i, other := range rest {
					other.mustWrite(1000*round+100*int(room)+i, 5)
					count += 5
				}
				time.Sleep(10 * n.peer.asideWait())
				if now := e.quorumOf(rest...); now != leader || leader.peer.Status().Since != elected {
					t.Errorf("server %d has left, and the leader changed from %d to %d", n.sid, leader.sid, now.sid)
				}
				if !n.peer.SetRoom(RoomEnough) {
					e.leader() // it has no term yet, which is what SetRoom says
				}
				e.same(count)
			}
		}
	})
}

// TestRoomOfNobody: without a quorum that has room, voters come back to help; their leader goes when it hears of
// writes from a quorum of the others, and they all are one ensemble again when it has room.
func TestRoomOfNobody(t *testing.T) {
	bubble(t, 3, 1, func(e *ensemble) {
		w := e.watchLog()
		e.startAll()
		e.leader().mustWrite(1, 10)
		began := time.Now()
		e.allLow()
		voters := e.nodes[:3]
		leader := e.quorumOf(voters...)
		if took, wait := time.Since(began), leader.peer.asideWait(); took < wait || took > 3*wait {
			t.Errorf("there is a leader again after %v", took)
		}
		w.want(t, "takes part in its ensemble again, though its disks lack room")
		// Who asks once a second only hears that a term goes on.
		if !leader.peer.SetRoom(RoomLow) {
			t.Error("the leader that can't be done without has left")
		}
		// One with room does not change anything; two do.
		a, b := e.without(leader, e.nodes[3])[0], e.without(leader, e.nodes[3])[1]
		a.peer.SetRoom(RoomEnough)
		a.mustWrite(2, 3)
		time.Sleep(leader.peer.asideWait())
		if now := e.quorumOf(voters...); now != leader {
			t.Errorf("server %d has taken over from %d", now.sid, leader.sid)
		}
		b.peer.SetRoom(RoomEnough)
		e.nodes[3].peer.SetRoom(RoomEnough)
		e.leader()
		_ = b.write(3, 0, "x") // it may come to nothing, or be quicker than the end of the term
		e.quorumOf(a, b, e.nodes[3]).mustWrite(4, 5)
		w.want(t, "and those of others have")
		leader.peer.SetRoom(RoomEnough)
		e.leader()
		if n := len(leader.txns()); n < 10+3+5 || n > 10+3+1+5 {
			t.Errorf("%d transactions", n)
		}
		e.same(len(leader.txns()))
	})
}

// TestRoomOneWrites: a leader without room tries now and then if the others can do without it, when only one of
// them has anything to write.
func TestRoomOneWrites(t *testing.T) {
	bubble(t, 3, 0, func(e *ensemble) {
		e.startAll()
		e.allLow()
		leader := e.quorumOf(e.nodes...)
		roomy := e.without(leader)[0]
		roomy.peer.SetRoom(RoomEnough)
		goes := 0
		for i := range 3 * retryFactor { // the leader goes, and comes back, as nobody else can lead
			before := leader.peer.Status().Epoch
			_ = roomy.write(10, int32(i), "x") // the one that ends the term may come to nothing
			time.Sleep(leader.peer.asideWait())
			if leader = e.quorumOf(e.nodes...); leader.peer.Status().Epoch != before {
				goes++
			}
		}
		if goes != 2 {
			t.Errorf("the leader has gone %d times", goes)
		}
		e.without(leader, roomy)[0].peer.SetRoom(RoomEnough)
		for i := range int32(retryFactor) {
			_ = roomy.write(11, i, "x")
			time.Sleep(leader.peer.asideWait())
		}
		e.quorumOf(e.without(leader)...).mustWrite(12, 5)
		leader.peer.SetRoom(RoomEnough)
		e.leader()
		e.same(len(leader.txns()))
	})
}

// TestRoomIndispensable: who leads the last quorum there is stays, and so does who is a quorum alone; nobody stays
// without any room.
func TestRoomIndispensable(t *testing.T) {
	bubble(t, 3, 0, func(e *ensemble) {
		e.startAll()
		leader := e.leader()
		gone := e.without(leader)[0]
		gone.kill()
		e.leader()
		if !leader.peer.SetRoom(RoomLow) {
			t.Error("a leader has left the last quorum")
		}
		gone.start()
		e.leader()
		if !leader.peer.SetRoom(RoomLow) {
			t.Error("a leader has left a second later")
		}
		if leader.peer.SetRoom(RoomNone) {
			t.Error("a leader goes on without any room")
		}
		e.quorumOf(e.without(leader)...).mustWrite(1, 5)
		for _, n := range e.nodes {
			n.peer.SetRoom(RoomNone)
		}
		time.Sleep(10 * leader.peer.asideWait())
		for _, n := range e.nodes {
			if s := n.peer.Status(); !s.Aside || s.Role != Looking {
				t.Errorf("server %d without any room: %+v", n.sid, s)
			}
		}
		for _, n := range e.nodes {
			n.peer.SetRoom(RoomEnough)
		}
		e.leader().mustWrite(2, 5)
		e.same(10)
	})
	bubble(t, 1, 0, func(e *ensemble) {
		e.startAll()
		n := e.leader()
		if !n.peer.SetRoom(RoomLow) {
			t.Error("an ensemble of one has left itself")
		}
		n.kill()
		n.start()
		n.peer.SetRoom(RoomLow)
		e.leader()
	})
}
