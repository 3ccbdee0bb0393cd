package zab

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"zk/jute"
	"zk/quorum/verifier"
)

// TestScripts runs the scripts in testdata. A block's lines are commands (see commands), what follows "----" is
// what the cores wanted done, in order: "L" is the leader, a number a learner's sid, "->" a packet that an
// outbox gave out, "<-" a learner's packet. Zxids are written epoch:counter. A changed behaviour is written
// into the scripts by -rewrite, and has to be explained.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		if filepath.Ext(path) != ".txt" {
			return
		}
		e := newEnv()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			e.out.Reset()
			for line := range strings.Lines(strings.TrimPrefix(d.FullCmd(), "| ") + "\n" + d.Input) {
				if err := e.run(line); err != nil {
					t.Fatalf("%s: %q: %v", d.Pos, line, err)
				}
			}
			return readable(e.out.String())
		})
	})
}

// readable writes zxids as epoch:counter.
func readable(s string) string {
	s = regexp.MustCompile(`0x[0-9a-f]+`).ReplaceAllStringFunc(s, func(h string) string {
		v, err := strconv.ParseUint(h[2:], 16, 64)
		if err != nil || v < 1<<32 && v != 0 {
			return h
		}
		return fmt.Sprintf("%d:%d", v>>32, uint32(v))
	})
	return s
}

// memLog is a log in memory, of which the first entries are durable.
type memLog struct {
	base    jute.Zxid
	entries []Entry
	durable int
}

func (h *memLog) CompleteFrom() jute.Zxid { return h.base }

func (h *memLog) LastLogged() jute.Zxid {
	if h.durable > 0 {
		return h.entries[h.durable-1].Zxid
	}
	return h.base
}

func (h *memLog) Floor(z jute.Zxid) (jute.Zxid, bool) {
	floor := h.base
	for _, e := range h.entries[:h.durable] {
		if e.Zxid <= z {
			floor = e.Zxid
		}
	}
	return floor, z >= h.base
}

func (h *memLog) BytesAfter(z jute.Zxid) (n int64) {
	for _, e := range h.entries {
		if e.Zxid > z {
			n += int64(len(e.Data))
		}
	}
	return n
}

func (h *memLog) After(z jute.Zxid) (Entry, bool, error) {
	i, _ := slices.BinarySearchFunc(h.entries, z+1, func(e Entry, z jute.Zxid) int { return int(e.Zxid - z) })
	if i == len(h.entries) {
		return Entry{}, false, nil
	}
	return h.entries[i], true, nil
}

// cut drops what is behind z, which must be an entry.
func (h *memLog) cut(z jute.Zxid) bool {
	floor, ok := h.Floor(z)
	if !ok || floor != z {
		return false
	}
	h.entries = slices.DeleteFunc(h.entries, func(e Entry) bool { return e.Zxid > z })
	h.durable = len(h.entries)
	return true
}

func (h *memLog) String() string {
	s := fmt.Sprintf("base %s", h.base)
	for i, e := range h.entries {
		if i == h.durable {
			s += " | not durable:"
		}
		s += " " + e.Zxid.String()
	}
	return s
}

// node is a learner with its disk.
type node struct {
	sid               jute.ServerID
	core              *Learner
	log               *memLog
	accepted, current int64
	observer          bool
	// manual: the script answers for the disk. link: the leader's core is at the other end.
	manual bool
	link   Link
	inbox  []jute.QuorumPacket
	// snapshot is the zxid of a tree that was read into a side store.
	snapshot jute.Zxid
}

// env is what a script plays with.
type env struct {
	out     strings.Builder
	config  *verifier.Config
	next    *verifier.Config
	leader  *Leader
	log     *memLog
	options LeaderOptions
	manual  bool // the leader's disk and server are the script's
	// applied is the zxid of the leader's tree.
	applied  jute.Zxid
	outboxes map[Link]*Outbox
	held     map[Link]bool // links whose writer stands still
	links    []Link
	nodes    map[jute.ServerID]*node
	sids     []jute.ServerID
}

func newEnv() *env {
	e := &env{outboxes: make(map[Link]*Outbox), held: make(map[Link]bool), nodes: make(map[jute.ServerID]*node)}
	e.config = ensemble("1,2,3", "4", 0)
	return e
}

// ensemble makes a configuration from lists of ids.
func ensemble(voters, observers string, version int64) *verifier.Config {
	var lines []string
	for role, list := range map[string]string{"participant": voters, "observer": observers} {
		for id := range strings.SplitSeq(list, ",") {
			if id != "" {
				lines = append(lines, fmt.Sprintf("server.%s=h%s:1:2:%s", id, id, role))
			}
		}
	}
	slices.Sort(lines)
	c, err := verifier.Parse(fmt.Sprintf("%s\nversion=%x", strings.Join(lines, "\n"), version))
	if err != nil {
		panic(err)
	}
	return c
}

func (e *env) printf(format string, a ...any) { fmt.Fprintf(&e.out, format+"\n", a...) }

// settle does what the cores want until nothing happens any more.
func (e *env) settle() error {
	for busy := true; busy; {
		busy = false
		if e.leader != nil {
			for _, a := range e.leader.Actions() {
				busy = true
				e.leaderDoes(&a)
			}
			for _, link := range slices.Clone(e.links) {
				did, err := e.write(link)
				if err != nil {
					return err
				}
				busy = busy || did
			}
		}
		for _, sid := range e.sids {
			n := e.nodes[sid]
			if n.core == nil {
				continue
			}
			for _, a := range n.core.Actions() {
				busy = true
				e.learnerDoes(n, &a)
			}
			if len(n.inbox) > 0 && n.core != nil && !n.core.Busy() {
				busy = true
				p := n.inbox[0]
				n.inbox = n.inbox[1:]
				n.core.Received(&p)
			}
		}
	}
	return nil
}

// write lets a link's writer go on by one packet.
func (e *env) write(link Link) (bool, error) {
	o := e.outboxes[link]
	if o == nil || e.held[link] {
		return false, nil
	}
	o.Advance(e.leader.Marks())
	p, what, err := o.Next(e.log)
	if err != nil {
		return false, err
	}
	switch what {
	case Nothing:
		return false, nil
	case ASnapshot:
		p = jute.QuorumPacket{Type: jute.PacketSnap, Zxid: e.applied}
		o.SnapshotSent(e.applied)
	}
	e.printf("->%d %s", link, Describe(&p))
	for _, n := range e.nodes {
		if n.link == link {
			n.inbox = append(n.inbox, p)
		}
	}
	return true, nil
}

// unlink ends a link.
func (e *env) unlink(link Link) {
	delete(e.outboxes, link)
	e.links = slices.DeleteFunc(e.links, func(l Link) bool { return l == link })
	for _, n := range e.nodes {
		if n.link == link {
			n.link, n.inbox, n.core = 0, nil, nil
		}
	}
}

func (e *env) leaderDoes(a *Action) {
	switch a.Kind {
	case Send:
		// Seen when the outbox gives it out.
		if o := e.outboxes[a.Link]; o != nil {
			if err := o.Queue(a.Packet, a.Barrier); err != nil {
				e.printf("L %v", err)
				e.leader.Gone(a.Link)
				e.unlink(a.Link)
			}
		}
		return
	case StartSync:
		e.outboxes[a.Link].Start(a.Sync, a.Epoch)
	case Apply:
		e.applied = a.Zxid
	case Close:
		defer e.unlink(a.Link)
	}
	e.printf("L %s", a)
	if e.manual {
		return
	}
	switch a.Kind {
	case SaveAcceptedEpoch, SaveCurrentEpoch:
		e.leader.Saved()
	case Established:
		e.leader.Started()
	}
}

func (e *env) learnerDoes(n *node, a *Action) {
	if a.Kind == Send {
		e.printf("%d<- %s", n.sid, Describe(&a.Packet))
		if n.link != 0 {
			e.leader.Received(n.link, &a.Packet)
		}
		return
	}
	e.printf("%d %s", n.sid, a)
	switch a.Kind {
	case Append:
		n.log.entries = append(n.log.entries, Entry{a.Zxid, slices.Clone(a.Data)})
	case LoadSnapshot:
		n.snapshot = a.Zxid
	case ApplySnapshot:
		n.snapshot = a.Zxid
	case GiveUp:
		n.core = nil
		if n.link != 0 {
			e.leader.Gone(n.link)
			e.unlink(n.link)
		}
		return
	}
	if !n.manual {
		n.answer(a)
	}
}

// answer does at once what a disk does.
func (n *node) answer(a *Action) {
	switch a.Kind {
	case SaveAcceptedEpoch:
		n.accepted = a.Epoch
		n.core.Saved()
	case Truncate:
		n.core.Truncated(n.log.cut(a.Zxid))
	case LoadSnapshot:
		n.core.SnapshotLoaded()
	case Append:
		n.log.durable = len(n.log.entries)
		n.core.Logged(a.Zxid)
	case Adopt:
		n.current = a.Epoch
		if n.core.Mode() == Snap {
			n.log = &memLog{base: n.snapshot, entries: a.Entries}
		}
		n.log.durable = len(n.log.entries)
		n.core.Adopted()
	}
}
