package election

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"zk/jute"
	"zk/quorum/verifier"
)

// network is an ensemble of Nodes with the messages between them. As on a real election port, a message that
// waits for a server is replaced by a newer one.
type network struct {
	quorums verifier.Quorums
	now     time.Duration
	nodes   map[jute.ServerID]*Node
	waiting map[link]Notification
	trace   io.Writer
}

type link struct{ from, to jute.ServerID }

func newNetwork(quorums verifier.Quorums, trace io.Writer) *network {
	return &network{quorums: quorums, nodes: map[jute.ServerID]*Node{}, waiting: map[link]Notification{}, trace: trace}
}

// add makes a server, or makes it anew.
func (w *network) add(id jute.ServerID, o Options) {
	o.Me, o.Quorums = id, w.quorums
	w.crash(id)
	w.nodes[id] = New(o)
}

// crash ends a server; what it has sent and nobody has read is lost.
func (w *network) crash(id jute.ServerID) {
	delete(w.nodes, id)
	maps.DeleteFunc(w.waiting, func(l link, _ Notification) bool { return l.from == id || l.to == id })
}

func (w *network) ids() []jute.ServerID { return slices.Sorted(maps.Keys(w.nodes)) }

// gather takes the actions of a server.
func (w *network) gather(id jute.ServerID) {
	for _, a := range w.nodes[id].Actions() {
		switch a := a.(type) {
		case Send:
			w.waiting[link{id, a.To}] = a.Notification
			fmt.Fprintf(w.trace, "%v->%v %s\n", id, a.To, describe(a.Notification.State, a.Notification.Vote))
		case Decided:
			fmt.Fprintf(w.trace, "%v decides %s\n", id, describe(a.State, a.Vote))
		case LostMemory:
			fmt.Fprintf(w.trace, "%v has lost its memory: %v says %s\n", id, a.From, a.Vote)
		case Wavers:
			fmt.Fprintf(w.trace, "%v hears that %v looks again, which voted for it\n", id, a.From)
		case Looks:
			fmt.Fprintf(w.trace, "%v hears that %v looks for a leader, with zxid %v epoch %d\n", id, a.From, a.Vote.Zxid, a.Vote.PeerEpoch)
		case ConfigDiffers:
			text := "unreadable"
			if a.Err == nil {
				text = strings.ReplaceAll(a.Theirs.String(), "\n", " ")
			}
			fmt.Fprintf(w.trace, "%v sees another config at %v: %s\n", id, a.From, text)
		}
	}
}

func describe(s State, v Vote) string {
	if v.Leader < 0 {
		return fmt.Sprintf("%v nobody, round %d", s, v.ElectionEpoch)
	}
	return fmt.Sprintf("%v %v zxid %v epoch %d, round %d", s, v.Leader, v.Zxid, v.PeerEpoch, v.ElectionEpoch)
}

// links are those with a message that can arrive.
func (w *network) links() (ls []link) {
	for l := range w.waiting {
		if w.nodes[l.to] != nil {
			ls = append(ls, l)
		}
	}
	slices.SortFunc(ls, func(a, b link) int { return int(100*(a.from-b.from) + a.to - b.to) })
	return ls
}

// deliver brings one message over.
func (w *network) deliver(l link) {
	m := w.waiting[l]
	delete(w.waiting, l)
	var got Notification
	if err := got.Decode(m.Append(nil)); err != nil {
		panic(err)
	}
	w.nodes[l.to].Receive(w.now, l.from, &got)
	w.gather(l.to)
}

// deliverAll brings messages over until there are none.
func (w *network) deliverAll() {
	for ls := w.links(); len(ls) > 0; ls = w.links() {
		for _, l := range ls {
			if _, ok := w.waiting[l]; ok {
				w.deliver(l)
			}
		}
	}
}

// next is the earliest deadline.
func (w *network) next() (at time.Duration, id jute.ServerID, ok bool) {
	for _, i := range w.ids() {
		if d, has := w.nodes[i].Deadline(); has && (!ok || d < at) {
			at, id, ok = d, i, true
		}
	}
	return at, id, ok
}

// advance lets time pass without messages.
func (w *network) advance(d time.Duration) {
	end := w.now + d
	for {
		at, id, ok := w.next()
		if !ok || at > end {
			break
		}
		w.now = max(w.now, at)
		w.nodes[id].Tick(w.now)
		w.gather(id)
	}
	w.now = end
}
