package zab

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"zk/jute"
)

// args are the words of a command behind its name: numbers and names in order, and key=value.
type args struct {
	words []string
	keys  map[string]string
}

func (a *args) has(key string) bool { return slices.Contains(a.words, key) }

func (a *args) number(key string, otherwise int64) int64 {
	v, ok := a.keys[key]
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseInt(v, 0, 64)
	if err != nil {
		panic(err)
	}
	return n
}

// zxid reads epoch:counter, or -1.
func zxid(s string) jute.Zxid {
	epoch, counter, ok := strings.Cut(s, ":")
	e, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		panic(err)
	}
	if !ok {
		return jute.Zxid(e)
	}
	c, err := strconv.ParseUint(counter, 0, 32)
	if err != nil {
		panic(err)
	}
	return jute.NewZxid(uint32(e), uint32(c))
}

// entries reads a list of zxids and ranges, as 1:1..1:5,2:1.
func entries(list string) (all []Entry) {
	for part := range strings.SplitSeq(list, ",") {
		if part == "" {
			continue
		}
		from, to, ok := strings.Cut(part, "..")
		if !ok {
			to = from
		}
		for z := zxid(from); z <= zxid(to); z++ {
			all = append(all, Entry{z, []byte(z.String())})
		}
	}
	return all
}

func (a *args) log() *memLog {
	h := &memLog{entries: entries(a.keys["log"])}
	if b, ok := a.keys["base"]; ok {
		h.base = zxid(b)
	}
	h.durable = len(h.entries)
	return h
}

// run does one command and what follows from it.
func (e *env) run(line string) error {
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return nil
	}
	a := args{keys: make(map[string]string)}
	for _, f := range fields[1:] {
		if k, v, ok := strings.Cut(f, "="); ok {
			a.keys[k] = v
		} else {
			a.words = append(a.words, f)
		}
	}
	if !e.ensembleCommand(fields[0], &a) && !e.leaderCommand(fields[0], &a) && !e.learnerCommand(fields[0], &a) {
		return fmt.Errorf("no such command")
	}
	return e.settle()
}

// ensembleCommand:
//
//	config voters=1,2,3 observers=4 version=0
//	nextconfig ...                       the last-seen configuration
//	leader sid=1 accepted=0 current=0 log=1:1..1:3 base=0:0 applied= diffmax= admit manual
//	learner 2 accepted= current= log= base= observer lost wantsnapshot manual
//	join 2 link=1                        connects a learner to the leader
//	crash 2                              a learner forgets all but its disk
//	hold 1, release 1                    a link's writer stands still, goes on
//	logs                                 the logs of all
func (e *env) ensembleCommand(name string, a *args) bool {
	switch name {
	case "config":
		e.config = ensemble(a.keys["voters"], a.keys["observers"], a.number("version", 0))
	case "nextconfig":
		e.next = ensemble(a.keys["voters"], a.keys["observers"], a.number("version", 0))
	case "leader":
		e.newLeader(a)
	case "learner":
		e.newLearner(jute.ServerID(zxid(a.words[0])), a)
	case "join":
		n := e.nodes[jute.ServerID(zxid(a.words[0]))]
		n.link = Link(a.number("link", 1))
		e.connect(n.link)
		n.core.Start()
	case "crash":
		n := e.nodes[jute.ServerID(zxid(a.words[0]))]
		n.log.entries = n.log.entries[:n.log.durable]
		if n.link != 0 {
			e.leader.Gone(n.link)
			e.unlink(n.link)
		}
		n.core = nil
	case "hold", "release":
		e.held[Link(zxid(a.words[0]))] = name == "hold"
	case "logs":
		e.printf("L %s", e.log)
		for _, sid := range e.sids {
			n := e.nodes[sid]
			e.printf("%d accepted %d current %d %s", sid, n.accepted, n.current, n.log)
		}
	default:
		return false
	}
	return true
}

func (e *env) newLeader(a *args) {
	e.log = a.log()
	e.options = LeaderOptions{
		Me: jute.ServerID(a.number("sid", 1)), AcceptedEpoch: a.number("accepted", 0), CurrentEpoch: a.number("current", 0),
		History: e.log, InitLimit: int(a.number("init", 4)), SyncLimit: int(a.number("sync", 2)),
		DiffBytesMax: a.number("diffmax", 1<<20), AdmitUnknown: a.has("admit"),
		ForceSnapshot: a.has("forcesnap"), SnapSyncsMax: int(a.number("snapsyncs", 0)), DiffSyncsMax: int(a.number("diffsyncs", 0)),
	}
	e.options.Quorums.Current, e.options.Quorums.LastSeen = e.config, e.next
	e.manual = a.has("manual")
	e.applied = e.log.base
	if z, ok := a.keys["applied"]; ok {
		e.applied = zxid(z)
	}
	for _, link := range slices.Clone(e.links) {
		e.unlink(link)
	}
	e.leader = NewLeader(e.options)
	e.leader.Start()
}

// newLearner makes a learner, or begins a new term of one that is there, with its disk as it is.
func (e *env) newLearner(sid jute.ServerID, a *args) {
	n := e.nodes[sid]
	if n == nil {
		n = &node{sid: sid, log: a.log(), accepted: a.number("accepted", 0), current: a.number("current", 0), observer: a.has("observer")}
		e.nodes[sid] = n
		e.sids = append(e.sids, sid)
		slices.Sort(e.sids)
	}
	n.manual = a.has("manual")
	n.core = NewLearner(LearnerOptions{
		Me: sid, Observer: n.observer, AcceptedEpoch: n.accepted, CurrentEpoch: n.current, LastLogged: n.log.LastLogged(),
		WantSnapshot: a.has("wantsnapshot"), LostMemory: a.has("lost"), ConfigVersion: a.number("config", 0), InitLimit: 4, SyncLimit: 2,
	})
}

func (e *env) connect(link Link) {
	e.outboxes[link] = new(Outbox)
	e.links = append(e.links, link)
	e.leader.Connected(link)
}

// leaderCommand, for a script that plays the learners, their links first where they need one:
//
//	connect 1, gone 1, progress 1
//	from 1 FOLLOWERINFO 1:0 sid=2 config=0 version=0x10000
//	from 1 ACKEPOCH 1:3 current=1
//	from 1 ACK 2:0                       any other type likewise, data=hex words for its data
//	saved, started, exhausted
//	looks 2 1:3 current=1                a voter (its sid) looks for a leader and votes for itself
//	propose 2:1 data=                    the pipeline proposes
//	logged 2:1                           the own log is durable up to there
//	ltick 2                              half ticks
//	sync tag=x link=0
//	answer 1                             a REVALIDATE for the learner
func (e *env) leaderCommand(name string, a *args) bool {
	var link Link
	if len(a.words) > 0 && !strings.Contains(a.words[0], ":") {
		n, _ := strconv.Atoi(a.words[0])
		link = Link(n)
	}
	switch name {
	case "connect":
		e.connect(link)
	case "gone":
		e.leader.Gone(link)
		e.unlink(link)
	case "progress":
		e.leader.Progress(link)
	case "from":
		p := a.packet()
		e.leader.Received(link, &p)
	case "saved":
		if len(a.words) > 0 {
			return false // a learner's
		}
		e.leader.Saved()
	case "started":
		e.leader.Started()
	case "looks":
		e.leader.Looks(jute.ServerID(link), zxid(a.words[1]), a.number("current", 0))
	case "exhausted":
		e.leader.Exhausted()
	case "propose":
		z := zxid(a.words[0])
		e.log.entries = append(e.log.entries, Entry{z, []byte(z.String() + a.keys["data"])})
		e.leader.Proposed(z)
	case "logged":
		if len(a.words) > 1 {
			return false // a learner's
		}
		z := zxid(a.words[0])
		e.log.durable = 1 + slices.IndexFunc(e.log.entries, func(x Entry) bool { return x.Zxid == z })
		e.leader.Logged(z)
	case "ltick":
		for range max(1, int(link)) {
			e.leader.Tick()
		}
	case "sync":
		e.leader.Sync(Link(a.number("link", 0)), a.keys["tag"])
	case "answer":
		e.leader.Answer(link, jute.QuorumPacket{Type: jute.PacketRevalidate, Zxid: -1})
	default:
		return false
	}
	return true
}

// packet reads LINK TYPE ZXID key=value...
func (a *args) packet() jute.QuorumPacket {
	var p jute.QuorumPacket
	for t := jute.PacketType(1); t <= jute.PacketInformAndActivate; t++ {
		if t.String() == a.words[1] {
			p.Type = t
		}
	}
	if p.Type == 0 {
		p.Type = jute.PacketType(zxid(a.words[1]))
	}
	if len(a.words) > 2 {
		p.Zxid = zxid(a.words[2])
	}
	switch p.Type {
	case jute.PacketFollowerInfo, jute.PacketObserverInfo:
		info := jute.LearnerInfo{
			ServerID: jute.ServerID(a.number("sid", 0)), ProtocolVersion: int32(a.number("version", 0x10000)), ConfigVersion: a.number("config", 0),
		}
		p.Data = info.Append(nil)
	case jute.PacketLeaderInfo:
		p.Data = binary.BigEndian.AppendUint32(nil, uint32(a.number("version", 0x10000)))
	case jute.PacketAckEpoch:
		p.Data = binary.BigEndian.AppendUint32(nil, uint32(a.number("current", 0)))
	case jute.PacketProposal, jute.PacketInform:
		p.Data = []byte(p.Zxid.String())
	case jute.PacketInformAndActivate:
		p.Data = append(make([]byte, 8), p.Zxid.String()...)
	}
	if n, ok := a.keys["bytes"]; ok {
		size, _ := strconv.Atoi(n)
		p.Data = make([]byte, size)
	}
	return p
}

// learnerCommand, for a script that plays a learner's leader and disk; the learner's sid comes first:
//
//	start 2
//	to 2 DIFF 1:3                        a packet of the leader
//	saved 2, truncated 2 ok|failed, loaded 2, adopted 2
//	logged 2 2:1                         its log is durable up to there
//	tick 2 n=1                           half ticks
//	moving 2                             bytes of a snapshot come in
func (e *env) learnerCommand(name string, a *args) bool {
	if len(a.words) == 0 {
		return false
	}
	n := e.nodes[jute.ServerID(zxid(a.words[0]))]
	if n == nil || n.core == nil {
		return false
	}
	switch name {
	case "start":
		n.core.Start()
	case "to":
		p := a.packet()
		n.inbox = append(n.inbox, p)
	case "saved":
		n.core.Saved()
	case "truncated":
		n.core.Truncated(a.has("ok"))
	case "loaded":
		n.core.SnapshotLoaded()
	case "adopted":
		n.current = n.core.Epoch()
		n.log.durable = len(n.log.entries)
		n.core.Adopted()
	case "logged":
		z := zxid(a.words[1])
		n.log.durable = 1 + slices.IndexFunc(n.log.entries, func(x Entry) bool { return x.Zxid == z })
		n.core.Logged(z)
	case "tick":
		for range a.number("n", 1) {
			n.core.Tick()
		}
	case "moving":
		n.core.Progress()
	default:
		return false
	}
	return true
}
