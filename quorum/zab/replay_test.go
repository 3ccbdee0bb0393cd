package zab

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"zk/jute"
	"zk/quorum/verifier"
)

// The recordings are of Java servers among themselves: name.master is what a leader sent on one connection, name.learner
// what its learner sent.
const recordings = "../../jute/testdata/golden/quorum"

// recorded reads one direction of a connection. The stream behind a SNAP is passed over.
func recorded(t *testing.T, file string) (all []jute.QuorumPacket) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(recordings, file))
	if err != nil {
		t.Fatal(err)
	}
	src := bufio.NewReader(bytes.NewReader(b))
	r := jute.NewPacketReader(src, 0)
	for {
		var p jute.QuorumPacket
		if _, err := r.Read(&p, nil); err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) { // the server was killed
				t.Fatalf("%s: %v", file, err)
			}
			return all
		}
		all = append(all, p)
		if p.Type == jute.PacketSnap {
			rest, err := io.ReadAll(src)
			if err != nil {
				t.Fatal(err)
			}
			_, rest, ok := bytes.Cut(rest, jute.AppendString(nil, jute.SnapSignature))
			if !ok {
				t.Fatalf("%s: the snapshot has no end", file)
			}
			src = bufio.NewReader(bytes.NewReader(rest))
			r = jute.NewPacketReader(src, 0)
		}
	}
}

// recordingNames lists the connections that a test can use.
func recordingNames(t *testing.T) (names []string) {
	files, err := filepath.Glob(recordings + "/*.master")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".master")
		switch name {
		case "sasl-008": // the packets come behind those of SASL
		case "rollover-010", "rollover-011": // the counter was set by hand: a hole, which we refuse
		default:
			names = append(names, name)
		}
	}
	return names
}

// only keeps packets of some types.
func only(all []jute.QuorumPacket, types ...jute.PacketType) []jute.QuorumPacket {
	return slices.DeleteFunc(slices.Clone(all), func(p jute.QuorumPacket) bool { return !slices.Contains(types, p.Type) })
}

func describeAll(all []jute.QuorumPacket) string {
	var b strings.Builder
	for _, p := range all {
		fmt.Fprintf(&b, " %s %x", Describe(&p), p.Data)
	}
	return b.String()
}

// TestLearnerReplay feeds a learner what a Java leader sent to a Java learner that had the same on its disk. It
// must answer the same: the introduction and ACKEPOCH to the byte, the same ACKs in the same order, and each PING.
func TestLearnerReplay(t *testing.T) {
	for _, name := range recordingNames(t) {
		t.Run(name, func(t *testing.T) {
			theirs := recorded(t, name+".learner")
			ours := replayLearner(t, theirs, recorded(t, name+".master"))
			for _, types := range [][]jute.PacketType{
				{jute.PacketFollowerInfo, jute.PacketObserverInfo, jute.PacketAckEpoch},
				{jute.PacketAck},
				{jute.PacketPing},
			} {
				want, got := only(theirs, types...), only(ours, types...)
				// The recording may end with a server that was killed before it answered.
				if len(got) < len(want) || len(got) > len(want)+2 {
					t.Errorf("%v: sent %d, Java %d", types, len(got), len(want))
				}
				for i := range min(len(want), len(got)) {
					if types[0] == jute.PacketPing {
						// The sessions in it are the server's.
						want[i].Data = nil
					}
					if want[i].Type != got[i].Type || want[i].Zxid != got[i].Zxid || !bytes.Equal(want[i].Data, got[i].Data) {
						t.Fatalf("%d: sent %s, Java %s", i, describeAll(got[i:i+1]), describeAll(want[i:i+1]))
					}
				}
			}
			// Until the second ACK the order of all counts.
			for i := range 4 {
				if ours[i].Type != theirs[i].Type {
					t.Errorf("%d: sent %s, Java %s", i, Describe(&ours[i]), Describe(&theirs[i]))
				}
			}
		})
	}
}

// replayLearner gives what a learner sends.
func replayLearner(t *testing.T, theirs, master []jute.QuorumPacket) (sent []jute.QuorumPacket) {
	var info jute.LearnerInfo
	d := jute.NewDecoder(theirs[0].Data, len(theirs[0].Data))
	info.Decode(&d)
	l := NewLearner(LearnerOptions{
		Me: info.ServerID, Observer: theirs[0].Type == jute.PacketObserverInfo, AcceptedEpoch: int64(theirs[0].Zxid.Epoch()),
		CurrentEpoch: int64(int32(binary.BigEndian.Uint32(theirs[1].Data))), LastLogged: theirs[1].Zxid, ConfigVersion: info.ConfigVersion,
		InitLimit: 10, SyncLimit: 5,
	})
	var applied jute.Zxid
	drain := func() {
		for actions := l.Actions(); len(actions) > 0; actions = l.Actions() {
			for _, a := range actions {
				switch a.Kind {
				case Send:
					sent = append(sent, a.Packet)
				case SaveAcceptedEpoch:
					l.Saved()
				case Truncate:
					l.Truncated(true)
				case LoadSnapshot:
					l.SnapshotLoaded()
				case Append:
					l.Logged(a.Zxid)
				case Adopt:
					l.Adopted()
				case Apply:
					applied = a.Zxid
				case Deliver:
					if a.Packet.Type == jute.PacketPing {
						sent = append(sent, jute.QuorumPacket{Type: jute.PacketPing, Zxid: a.Packet.Zxid})
					}
				case GiveUp:
					t.Fatal(a.Reason)
				}
			}
		}
	}
	l.Start()
	drain()
	var committed jute.Zxid
	for _, p := range master {
		l.Received(&p)
		drain()
		switch p.Type {
		case jute.PacketCommit, jute.PacketCommitAndActivate, jute.PacketInform, jute.PacketInformAndActivate:
			committed = p.Zxid
		}
	}
	if applied < committed {
		t.Errorf("applied up to %s, Java committed %s", applied, committed)
	}
	return sent
}

// javaLeader is what a recorded leader had when the connection began.
type javaLeader struct {
	name string
	// log and base are its history; established: the term was formed already.
	log, base   string
	established bool
	// differs says where we send something else on purpose: "SNAP of nothing" (Java sends the tree to an empty learner
	// when the term is formed, even an empty tree), "zxid of SNAP" (Java's tree has epoch<<32 then).
	differs string
}

func javaLeaders() []javaLeader {
	return []javaLeader{
		{name: "localsession-009"},
		{name: "localsession-010", established: true, differs: "SNAP of nothing"},
		{name: "main-011"},
		{name: "main-012", established: true, differs: "SNAP of nothing"},
		{name: "main-016", established: true, differs: "SNAP of nothing"},
		{name: "main-021", established: true, log: "1:1..1:0x56"},
		{name: "main-029", log: "1:1..1:0x56"},
		{name: "main-036", established: true, log: "1:1..1:0x56"},
		{name: "main-039", established: true, log: "1:1..1:0x56"},
		{name: "main-043", established: true, log: "1:1..1:0x56", differs: "zxid of SNAP"},
		{name: "move-006", base: "1:0"},
		{name: "move-007", base: "1:0", established: true, differs: "zxid of SNAP"},
		{name: "rollover-023", base: "1:0xfffffffa", log: "1:0xfffffffb..1:0xfffffffe"},
		{name: "trunc-012", log: "1:1..1:5"},
	}
}

// TestLeaderReplay leads the Java learners of the recordings: the same packets must go out as the Java leader sent, to
// the byte where they have data, PINGs left out.
func TestLeaderReplay(t *testing.T) {
	for _, j := range javaLeaders() {
		t.Run(j.name, func(t *testing.T) {
			learner, master := recorded(t, j.name+".learner"), recorded(t, j.name+".master")
			if i := slices.IndexFunc(master, isActivation); i >= 0 {
				master = master[:i] // a reconfig, which isn't led yet
			}
			r := newLeaderReplay(t, j, learner, master)
			r.run(t, j, only(master, jute.PacketLeaderInfo, jute.PacketDiff, jute.PacketTrunc, jute.PacketSnap, jute.PacketNewLeader,
				jute.PacketUpToDate, jute.PacketProposal, jute.PacketCommit, jute.PacketInform))
		})
	}
}

func isActivation(p jute.QuorumPacket) bool {
	return p.Type == jute.PacketCommitAndActivate || p.Type == jute.PacketInformAndActivate
}

// leaderReplay is a leader with a recorded learner on link 1 and another voter on link 2, which does what makes the recorded
// leader's next packet due.
type leaderReplay struct {
	l       *Leader
	o       Outbox
	log     *memLog
	learner []jute.QuorumPacket
	config  *verifier.Config
	other   bool // link 2 has acknowledged NEWLEADER
}

func newLeaderReplay(t *testing.T, j javaLeader, learner, master []jute.QuorumPacket) *leaderReplay {
	i := slices.IndexFunc(master, func(p jute.QuorumPacket) bool { return p.Type == jute.PacketNewLeader })
	config, err := verifier.Parse(string(master[i].Data))
	if err != nil {
		t.Fatal(err)
	}
	a := args{keys: map[string]string{"log": j.log}}
	if j.base != "" {
		a.keys["base"] = j.base
	}
	r := &leaderReplay{log: a.log(), learner: learner, config: config}
	// The bytes of what the recorded leader sends from its log are in the recording.
	for k, e := range r.log.entries {
		for _, p := range master {
			if p.Zxid == e.Zxid && len(p.Data) > 0 {
				r.log.entries[k].Data = p.Data
			}
		}
	}
	var info jute.LearnerInfo
	d := jute.NewDecoder(learner[0].Data, len(learner[0].Data))
	info.Decode(&d)
	voters := slices.DeleteFunc(slices.Clone(config.Voters()), func(id jute.ServerID) bool { return id == info.ServerID })
	epoch := int64(master[0].Zxid.Epoch())
	r.l = NewLeader(LeaderOptions{
		Me: voters[0], Quorums: verifier.Quorums{Current: config}, AcceptedEpoch: epoch - 1, CurrentEpoch: epoch - 1, History: r.log,
		InitLimit: 10, SyncLimit: 5, DiffBytesMax: 1 << 20,
	})
	r.l.Start()
	r.l.Connected(1)
	r.l.Connected(2)
	other := jute.LearnerInfo{ServerID: voters[1], ProtocolVersion: jute.ZabProtocolVersion}
	r.l.Received(2, &jute.QuorumPacket{Type: jute.PacketFollowerInfo, Data: other.Append(nil)})
	r.drain(t)
	r.l.Received(2, &jute.QuorumPacket{Type: jute.PacketAckEpoch, Zxid: r.log.LastLogged(), Data: jute.AppendInt32(nil, int32(epoch-1))})
	r.drain(t)
	if j.established {
		r.otherAcks(t, firstOf(epoch))
	}
	return r
}

func (r *leaderReplay) otherAcks(t *testing.T, z jute.Zxid) {
	r.other = true
	r.l.Received(2, &jute.QuorumPacket{Type: jute.PacketAck, Zxid: z})
	r.drain(t)
}

func (r *leaderReplay) drain(t *testing.T) {
	for actions := r.l.Actions(); len(actions) > 0; actions = r.l.Actions() {
		for _, a := range actions {
			switch a.Kind {
			case SaveAcceptedEpoch, SaveCurrentEpoch:
				r.l.Saved()
			case Established:
				r.l.Started()
			case StartSync:
				if a.Link == 1 {
					r.o.Start(a.Sync, a.Epoch)
				}
			case Send:
				if a.Link == 1 {
					if err := r.o.Queue(a.Packet, a.Barrier); err != nil {
						t.Fatal(err)
					}
				}
			case Close, GiveUp:
				t.Fatal(a.String())
			}
		}
	}
}

// next gives the outbox's next packet.
func (r *leaderReplay) next(t *testing.T) (jute.QuorumPacket, bool) {
	r.o.Advance(r.l.Marks())
	p, what, err := r.o.Next(r.log)
	if err != nil {
		t.Fatal(err)
	}
	if what == ASnapshot {
		z := max(r.l.Marks().Committed, r.log.base)
		r.o.SnapshotSent(z)
		return jute.QuorumPacket{Type: jute.PacketSnap, Zxid: z}, true
	}
	return p, what == APacket
}

// provoke does what the recorded leader must have seen before a packet.
func (r *leaderReplay) provoke(t *testing.T, want *jute.QuorumPacket) {
	switch want.Type {
	case jute.PacketLeaderInfo, jute.PacketDiff, jute.PacketTrunc, jute.PacketSnap, jute.PacketUpToDate:
		if want.Type == jute.PacketUpToDate && !r.other {
			r.otherAcks(t, firstOf(r.l.Epoch()))
		}
		r.l.Received(1, &r.learner[0])
		r.learner = r.learner[1:]
	case jute.PacketProposal, jute.PacketInform:
		r.log.entries = append(r.log.entries, Entry{want.Zxid, want.Data})
		r.log.durable++
		r.l.Proposed(want.Zxid)
		if want.Type == jute.PacketInform {
			r.l.Logged(want.Zxid)
			r.otherAcks(t, want.Zxid)
		}
	case jute.PacketCommit:
		r.l.Logged(want.Zxid)
		r.otherAcks(t, want.Zxid)
	}
	r.drain(t)
}

func (r *leaderReplay) run(t *testing.T, j javaLeader, master []jute.QuorumPacket) {
	for i := range master {
		want := &master[i]
		got, ok := r.next(t)
		if !ok {
			r.provoke(t, want)
			if got, ok = r.next(t); !ok {
				t.Fatalf("%d: nothing sent, Java %s", i, Describe(want))
			}
		}
		same := got.Type == want.Type && got.Zxid == want.Zxid
		switch {
		case want.Type == jute.PacketNewLeader:
			c, err := verifier.Parse(string(got.Data))
			same = same && err == nil && c.SameServers(r.config) && c.Version() == r.config.Version()
		case want.Type == jute.PacketSnap && j.differs == "SNAP of nothing":
			same = got.Type == jute.PacketDiff && got.Zxid == 0
		case want.Type == jute.PacketSnap && j.differs == "zxid of SNAP":
			same = got.Type == want.Type && got.Zxid < want.Zxid
		default:
			same = same && bytes.Equal(got.Data, want.Data)
		}
		if !same {
			t.Fatalf("%d: sent %s, Java %s", i, Describe(&got), Describe(want))
		}
	}
	if got, ok := r.next(t); ok && got.Type != jute.PacketPing && got.Type != jute.PacketCommit {
		t.Errorf("sent %s, Java nothing more", Describe(&got))
	}
}
