package election

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"zk/jute"
	"zk/quorum/verifier"
)

// TestScripts runs testdata/scripts. The commands:
//
//	ensemble               config text; the rest of the file is about this ensemble
//	proposed               config text of one that has been proposed
//	add id=1 [observer] [empty]  servers; (1,2,3) are several
//	look id=1 [zxid=0x5] [epoch=1]
//	recv id=1 from=2 state=LOOKING leader=2 [zxid=0x5] [epoch=1] [round=1] [version=2] [config=...]
//	deliver [from=1] [to=2]     all messages until there are none, or those of one link
//	drop [from=1] [to=2]        what waits now
//	advance by=200ms [quiet]    let time pass
//	epoch id=1 is=5             SetPeerEpoch
//	unreachable id=1 peer=3, reachable id=1 peer=3
//	crash id=1
//	state                  of all
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		var out strings.Builder
		w := newNetwork(verifier.Quorums{}, &out)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			out.Reset()
			if err := w.command(d); err != nil {
				d.Fatalf(t, "%v", err)
			}
			if d.HasArg("quiet") || out.Len() == 0 {
				return "ok\n"
			}
			return out.String()
		})
	})
}

func (w *network) command(d *datadriven.TestData) error {
	ids := idsOf(d, "id")
	switch d.Cmd {
	case "ensemble", "proposed":
		c, err := verifier.Parse(d.Input)
		if d.Cmd == "ensemble" {
			*w = *newNetwork(verifier.Quorums{Current: c}, w.trace)
		} else {
			w.quorums.LastSeen = c
		}
		return err
	case "deliver", "drop":
		w.carry(d)
		return nil
	case "advance":
		dur, err := time.ParseDuration(arg(d, "by"))
		w.advance(dur)
		return err
	case "state":
		for _, id := range w.ids() {
			n := w.nodes[id]
			text := "LOOKING"
			if n.State() != Looking {
				text = describe(n.State(), n.Vote())
			}
			fmt.Fprintf(w.trace, "%v: %s\n", id, text)
		}
		return nil
	}
	for _, id := range ids {
		if err := w.server(d, id); err != nil {
			return err
		}
	}
	return nil
}

// server does a command for one server.
func (w *network) server(d *datadriven.TestData, id jute.ServerID) error {
	n := w.nodes[id]
	number := func(key string) int64 {
		var v int64
		if text := arg(d, key); text != "" {
			if _, err := fmt.Sscan(text, &v); err != nil {
				panic(err)
			}
		}
		return v
	}
	switch d.Cmd {
	case "add":
		w.add(id, Options{Observer: d.HasArg("observer"), Empty: d.HasArg("empty")})
		return nil
	case "look":
		n.Look(w.now, jute.Zxid(number("zxid")), number("epoch"))
	case "recv":
		m := Notification{
			Version: notificationVersion, Config: w.quorums.Current.Append(nil),
			Vote: Vote{jute.ServerID(number("leader")), jute.Zxid(number("zxid")), number("round"), number("epoch")},
		}
		states := []string{"LOOKING", "FOLLOWING", "LEADING", "OBSERVING", "unknown"}
		if m.State = State(slices.Index(states, arg(d, "state"))); m.State < 0 {
			return fmt.Errorf("no state %q", arg(d, "state"))
		}
		if d.HasArg("version") {
			m.Version, m.Config = int32(number("version")), nil
		}
		if d.Input != "" {
			m.Config = []byte(d.Input)
		}
		n.Receive(w.now, jute.ServerID(number("from")), &m)
	case "epoch":
		n.SetPeerEpoch(number("is"))
	case "unreachable", "reachable":
		for _, peer := range idsOf(d, "peer") {
			n.SetReachable(peer, d.Cmd == "reachable")
		}
	case "withdraw":
		n.Withdraw()
	case "crash":
		w.crash(id)
		return nil
	default:
		return fmt.Errorf("unknown command %s", d.Cmd)
	}
	w.gather(id)
	return nil
}

// carry delivers or drops messages.
func (w *network) carry(d *datadriven.TestData) {
	from, to := idsOf(d, "from"), idsOf(d, "to")
	if d.Cmd == "deliver" && from == nil && to == nil {
		w.deliverAll()
		return
	}
	for _, l := range w.links() {
		if from != nil && !slices.Contains(from, l.from) || to != nil && !slices.Contains(to, l.to) {
			continue
		}
		if d.Cmd == "drop" {
			delete(w.waiting, l)
		} else {
			w.deliver(l)
		}
	}
}

// arg is the single value of an argument, "" without it.
func arg(d *datadriven.TestData, key string) string {
	a, ok := d.Arg(key)
	if !ok || len(a.Vals) != 1 {
		return ""
	}
	return a.Vals[0]
}

// idsOf are the servers an argument names.
func idsOf(d *datadriven.TestData, key string) (ids []jute.ServerID) {
	for _, arg := range d.CmdArgs {
		if arg.Key != key {
			continue
		}
		for _, text := range arg.Vals {
			var id jute.ServerID
			if _, err := fmt.Sscan(text, &id); err != nil {
				panic(err)
			}
			ids = append(ids, id)
		}
	}
	return ids
}
