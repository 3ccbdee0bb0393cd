package zab

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"zk/jute"
	"zk/quorum/verifier"
)

// TestOutboxRandom moves marks, queues control packets and takes packets in random order, in small and large steps,
// for followers and observers in all modes, and holds what comes out against the plain rules.
func TestOutboxRandom(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		if err := randomOutbox(r); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// outboxCheck is what a learner may expect of its link.
type outboxCheck struct {
	proposed, committed jute.Zxid // as received
	upTo, tree          jute.Zxid // tree: of the snapshot
	observer            bool
	queued              []Marks // the barriers of SYNC packets that are still to come
}

func (c *outboxCheck) packet(p *jute.QuorumPacket) error {
	switch p.Type {
	case jute.PacketProposal:
		if !follows(c.proposed, p.Zxid) || c.observer && p.Zxid > c.upTo {
			return fmt.Errorf("%s behind %s", Describe(p), c.proposed)
		}
		c.proposed = p.Zxid
	case jute.PacketInform:
		if !follows(c.proposed, p.Zxid) || !c.observer || p.Zxid <= c.upTo || c.proposed != c.committed {
			return fmt.Errorf("%s behind %s", Describe(p), c.proposed)
		}
		c.proposed, c.committed = p.Zxid, p.Zxid
	case jute.PacketCommit:
		if !follows(c.committed, p.Zxid) || p.Zxid > c.proposed || p.Zxid <= c.upTo && p.Zxid != c.proposed {
			return fmt.Errorf("%s behind %s, proposed %s", Describe(p), c.committed, c.proposed)
		}
		c.committed = p.Zxid
	case jute.PacketSync:
		// Its barrier, and not one commit more behind the history.
		b := c.queued[0]
		c.queued = c.queued[1:]
		if c.committed < b.Committed || c.committed > max(b.Committed, c.upTo, c.tree) || !c.observer && c.proposed < b.Proposed {
			return fmt.Errorf("%s with barrier %v, committed %s, proposed %s", Describe(p), b, c.committed, c.proposed)
		}
	}
	return nil
}

func randomOutbox(r *rand.Rand) error {
	const epoch = 3
	log := &memLog{}
	for z := range jute.Zxid(4) {
		log.entries = append(log.entries, Entry{Zxid: firstOf(1) + 1 + z}, Entry{Zxid: firstOf(2) + 1 + z})
	}
	slices.SortFunc(log.entries, func(a, b Entry) int { return int(a.Zxid - b.Zxid) })
	history := len(log.entries)
	for z := range jute.Zxid(30) {
		log.entries = append(log.entries, Entry{Zxid: firstOf(epoch) + 1 + z})
	}
	upTo := history - 1 + r.IntN(10)
	from := r.IntN(upTo + 1)
	s := Sync{Mode: Mode(1 + r.IntN(3)), Observer: r.IntN(3) == 0, From: log.entries[from].Zxid, UpTo: log.entries[upTo].Zxid}
	check := outboxCheck{proposed: s.From, committed: s.From, upTo: s.UpTo, observer: s.Observer}
	// The leader's marks, as places in the log.
	committed, proposed := upTo, upTo+r.IntN(3)
	var o Outbox
	marks := func() Marks {
		return Marks{Proposed: log.entries[proposed].Zxid, Committed: log.entries[committed].Zxid}
	}
	if err := o.Queue(jute.QuorumPacket{Type: jute.PacketLeaderInfo}, Marks{}); err != nil {
		return err
	}
	o.Start(s, epoch)
	var got []jute.PacketType
	for step := 0; step < 400; step++ {
		end := step > 200 // then everything has to come out
		switch k := r.IntN(5); {
		case end || k < 2:
			o.Advance(marks())
			p, what, err := o.Next(log)
			switch {
			case err != nil:
				return err
			case what == ASnapshot:
				// The tree may be behind or ahead of the sync point.
				from = r.IntN(committed + 1)
				check.tree = log.entries[from].Zxid
				check.proposed, check.committed = check.tree, check.tree
				o.SnapshotSent(check.tree)
			case what == APacket:
				got = append(got, p.Type)
				if err := check.packet(&p); err != nil {
					return err
				}
			}
		case k == 2:
			proposed = min(proposed+1+r.IntN(3), len(log.entries)-1)
		case k == 3:
			committed = min(committed+1+r.IntN(3), proposed)
		default:
			check.queued = append(check.queued, marks())
			if err := o.Queue(jute.QuorumPacket{Type: jute.PacketSync}, marks()); err != nil {
				return err
			}
		}
	}
	if got[0] != jute.PacketLeaderInfo || s.Mode != Snap && got[1] != jute.PacketDiff && got[1] != jute.PacketTrunc {
		return fmt.Errorf("began with %v", got[:2])
	}
	want := marks()
	if s.Observer {
		want.Proposed = want.Committed
	}
	if (Marks{check.proposed, check.committed}) != want || len(check.queued) > 0 || o.Sent() != want {
		return fmt.Errorf("received %s and %s of %v, %d control packets are missing", check.proposed, check.committed, want, len(check.queued))
	}
	return nil
}

// TestOutboxQueue: control packets are bounded, one PING waits at most, and nothing is lost as the queue moves on.
func TestOutboxQueue(t *testing.T) {
	var o Outbox
	o.Start(Sync{Mode: Diff}, 1)
	ping, answer := jute.QuorumPacket{Type: jute.PacketPing}, jute.QuorumPacket{Type: jute.PacketRevalidate}
	log := &memLog{}
	queue := func(p *jute.QuorumPacket) {
		t.Helper()
		if err := o.Queue(*p, Marks{}); err != nil {
			t.Fatal(err)
		}
	}
	take := func() (jute.PacketType, bool) {
		t.Helper()
		p, what, err := o.Next(log)
		if err != nil {
			t.Fatal(err)
		}
		return p.Type, what == APacket
	}
	take() // the header
	for round := range 1000 {
		pings, answers := 0, 0
		for range 1 + round%7 {
			queue(&answer)
			queue(&ping)
		}
		for range round % 7 {
			if p, _ := take(); p == jute.PacketPing {
				queue(&ping)
				break
			}
		}
		queue(&ping)
		for p, ok := take(); ok; p, ok = take() {
			if p == jute.PacketPing {
				pings++
			} else {
				answers++
			}
		}
		if pings != 1 || answers < round%7 {
			t.Fatalf("round %d: %d PINGs, %d others", round, pings, answers)
		}
	}
	// The queue moves to its front with a PING in it.
	queue(&answer)
	for len(o.queue) < cap(o.queue)-1 {
		queue(&answer)
	}
	queue(&ping)
	for range 3 {
		take()
	}
	queue(&answer)
	for _, ok := take(); ok; _, ok = take() {
	}
	queue(&ping)
	if p, ok := take(); !ok || p != jute.PacketPing {
		t.Error("no PING any more")
	}
	for range ControlPacketsMax {
		queue(&answer)
	}
	if err := o.Queue(answer, Marks{}); err != ErrOutboxFull {
		t.Errorf("one more than fits: %v", err)
	}
}

// TestOutboxHole: a log with a hole ends the link, and nothing behind the hole is sent. (ZOOKEEPER-4925)
func TestOutboxHole(t *testing.T) {
	var o Outbox
	o.Start(Sync{Mode: Diff, From: firstOf(1), UpTo: firstOf(1) + 3}, 1)
	log := &memLog{entries: entries("1:1,1:3")}
	for range 3 {
		if _, what, err := o.Next(log); what != APacket || err != nil {
			t.Fatal(what, err)
		}
	}
	if p, what, err := o.Next(log); err == nil {
		t.Errorf("%s sent, %v", Describe(&p), what)
	}
}

func TestFollows(t *testing.T) {
	for _, c := range []struct {
		last, z string
		want    bool
	}{
		{"0:0", "1:1", true}, {"1:1", "1:2", true}, {"1:5", "2:1", true}, {"1:5", "4:1", true}, {"2:0", "2:1", true}, {"1:0xfffffffe", "2:1", true},
		{"1:1", "1:1", false}, {"1:1", "1:3", false}, {"1:5", "2:2", false}, {"1:5", "2:0", false}, {"1:0xffffffff", "2:0", false}, {"2:1", "1:2", false},
	} {
		if got := follows(zxid(c.last), zxid(c.z)); got != c.want {
			t.Errorf("%s behind %s: %v", c.z, c.last, got)
		}
	}
}

// TestDecideRandom lets random leaders of a few epochs write histories, of which only a prefix reaches each of the
// servers, and syncs a learner with a leader that it may follow. The learner must end with the leader's history.
func TestDecideRandom(t *testing.T) {
	var modes [4]int
	for seed := range uint64(20000) {
		r := rand.New(rand.NewPCG(seed, 2))
		mode, err := randomDecide(r)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		modes[mode]++
	}
	if modes[Diff] < 2000 || modes[Trunc] < 100 || modes[Snap] < 1000 {
		t.Errorf("DIFF, TRUNC, SNAP: %v", modes[1:])
	}
}

func randomDecide(r *rand.Rand) (Mode, error) {
	// Server 0 leads in the end, server 1 is the learner. In each epoch one of three leads, brings the others to its
	// history if it can reach them, and writes some more, of which each gets a part.
	var logs [3][]Entry
	var epochs [3]int64 // currentEpoch
	at := int64(0)
	for range r.IntN(5) {
		at++
		lead := r.IntN(3)
		other := (lead + 1 + r.IntN(2)) % 3
		if epochs[other] > epochs[lead] || epochs[other] == epochs[lead] && last(logs[other]) > last(logs[lead]) {
			continue // it is ahead
		}
		logs[other], epochs[lead], epochs[other] = slices.Clone(logs[lead]), at, at
		for n := range jute.Zxid(r.IntN(4)) {
			e := Entry{firstOf(at) + 1 + n, fmt.Appendf(nil, "%d by %d", n, lead)}
			logs[lead] = append(logs[lead], e)
			if last(logs[other]) == e.Zxid-1 || n == 0 {
				if r.IntN(3) > 0 {
					logs[other] = append(logs[other], e)
				}
			}
		}
	}
	h := &memLog{entries: logs[0], durable: len(logs[0])}
	// Some of the log may be purged, or the base of a snapshot.
	if n := len(logs[0]); n > 0 && r.IntN(3) == 0 {
		cut := r.IntN(n)
		h.base = logs[0][cut].Zxid
		h.entries, h.durable = logs[0][cut+1:], n-cut-1
	}
	learner := logs[1]
	if epochs[1] > epochs[0] || epochs[1] == epochs[0] && last(learner) > last(logs[0]) {
		return NoSync, nil // refused
	}
	s := decide(h, last(learner), last(logs[0]), at+1, int64(1+r.IntN(100)))
	switch s.Mode {
	case Trunc:
		i := slices.IndexFunc(learner, func(e Entry) bool { return e.Zxid == s.From })
		if i < 0 {
			return s.Mode, fmt.Errorf("told to cut %v at %s, which isn't there; leader %v", learner, s.From, logs[0])
		}
		learner = learner[:i+1]
	case Snap:
		return s.Mode, nil
	}
	i := slices.IndexFunc(logs[0], func(e Entry) bool { return e.Zxid > s.From })
	if i < 0 {
		i = len(logs[0])
	}
	got := slices.Concat(learner, logs[0][i:])
	if !slices.EqualFunc(got, logs[0], func(a, b Entry) bool { return a.Zxid == b.Zxid && bytes.Equal(a.Data, b.Data) }) {
		return s.Mode, fmt.Errorf("%s from %s: learner %v ends with %v, leader %v", s.Mode, s.From, logs[1], got, logs[0])
	}
	return s.Mode, nil
}

func last(log []Entry) jute.Zxid {
	if len(log) == 0 {
		return 0
	}
	return log[len(log)-1].Zxid
}

// events reads a fuzzer's bytes as packets: type, epoch and counter, length of the data, each small.
func events(b []byte) (all []jute.QuorumPacket) {
	for ; len(b) >= 4; b = b[4:] {
		p := jute.QuorumPacket{Type: jute.PacketType(b[0] % 21), Zxid: jute.NewZxid(uint32(b[1]%8), uint32(b[2]))}
		switch p.Type {
		case jute.PacketFollowerInfo, jute.PacketObserverInfo:
			info := jute.LearnerInfo{ServerID: jute.ServerID(b[3] % 6), ProtocolVersion: jute.ZabProtocolVersion}
			p.Data = info.Append(nil)
		case jute.PacketLeaderInfo:
			p.Data = jute.AppendInt32(nil, jute.ZabProtocolVersion)
		case jute.PacketAckEpoch:
			p.Data = binary.BigEndian.AppendUint32(nil, uint32(b[3]%5)-1)
		default:
			p.Data = make([]byte, b[3]%16)
		}
		all = append(all, p)
	}
	return all
}

// FuzzLeader: no packets of learners, in whatever order, break a leader or move its commits back.
func FuzzLeader(f *testing.F) {
	f.Add([]byte{11, 1, 0, 2, 18, 1, 2, 1, 3, 2, 0, 0, 3, 2, 0, 0, 3, 2, 1, 0, 5, 2, 1, 12})
	f.Fuzz(func(t *testing.T, b []byte) {
		log := &memLog{entries: entries("1:1..1:3"), durable: 3}
		l := NewLeader(LeaderOptions{
			Me: 1, Quorums: verifier.Quorums{Current: ensemble("1,2,3", "4", 0)}, AcceptedEpoch: 1, CurrentEpoch: 1, History: log, InitLimit: 2, SyncLimit: 2, DiffBytesMax: 20,
		})
		l.Start()
		l.Connected(1)
		l.Connected(2)
		var committed jute.Zxid
		for i, p := range events(b) {
			l.Received(Link(1+i%2), &p)
			for actions := l.Actions(); len(actions) > 0; actions = l.Actions() {
				for _, a := range actions {
					switch a.Kind {
					case SaveAcceptedEpoch, SaveCurrentEpoch:
						l.Saved()
					case Established:
						l.Started()
					case Close:
						l.Connected(a.Link)
					}
				}
			}
			if l.Established() && p.Zxid.Counter()%2 == 1 {
				l.Proposed(next(l.Marks().Proposed, l.Epoch()))
				l.Logged(l.Marks().Proposed)
				l.Sync(1, nil)
			}
			if m := l.Marks(); m.Committed < committed || m.Committed > m.Proposed {
				t.Fatalf("committed %s after %s", m.Committed, committed)
			}
			committed = l.Marks().Committed
			if i%8 == 7 {
				l.Tick()
			}
		}
	})
}

// FuzzLearner: no packets of a leader, in whatever order, break a learner, make it acknowledge or apply what it hasn't
// got, or have a hole in its log.
func FuzzLearner(f *testing.F) {
	f.Add([]byte{17, 2, 0, 0, 13, 1, 3, 0, 10, 2, 0, 0, 12, 0, 0, 0, 2, 2, 1, 1, 4, 2, 1, 0, 7, 0, 0, 0}, false)
	f.Add([]byte{17, 2, 0, 0, 15, 1, 3, 0, 8, 2, 1, 0, 10, 2, 0, 0, 12, 0, 0, 0, 8, 2, 2, 1}, true)
	f.Fuzz(func(t *testing.T, b []byte, observer bool) {
		log := &memLog{entries: entries("1:1..1:3"), durable: 3}
		l := NewLearner(LearnerOptions{Me: 2, Observer: observer, AcceptedEpoch: 1, CurrentEpoch: 1, LastLogged: log.LastLogged(), InitLimit: 2, SyncLimit: 2})
		n := &node{sid: 2, core: l, log: log, observer: observer}
		l.Start()
		settle := func() {
			for actions := l.Actions(); len(actions) > 0; actions = l.Actions() {
				for _, a := range actions {
					switch {
					case a.Kind == Append && !follows(last(append([]Entry{{Zxid: n.log.base}}, n.log.entries...)), a.Zxid):
						t.Fatalf("hole before %s in %s", a.Zxid, n.log)
					case a.Kind == Append:
						n.log.entries = append(n.log.entries, Entry{Zxid: a.Zxid})
					case a.Kind == LoadSnapshot, a.Kind == ApplySnapshot:
						n.snapshot = a.Zxid
					case a.Kind == Apply && a.Zxid > n.log.LastLogged(),
						a.Kind == Send && a.Packet.Type == jute.PacketAck && a.Packet.Zxid.Counter() != 0 && a.Packet.Zxid > n.log.LastLogged():
						t.Fatalf("%s, but the log is %s", a.String(), n.log)
					}
					n.answer(&a)
				}
			}
		}
		settle()
		for i, p := range events(b) {
			l.Received(&p)
			settle()
			if i%8 == 7 {
				l.Tick()
				settle()
			}
		}
	})
}
