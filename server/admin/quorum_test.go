package admin

import (
	_ "embed"
	"fmt"
	"strings"
	"testing"
	"time"

	"zk/server/figures"
)

// leaderReplies are what the leader of three voters and an observer answered, Apache ZooKeeper 3.9.5. The size of
// what was queued for the observer was -234 there, which is a fault of Java's; here it is 0.
//
//go:embed testdata/leader.txt
var leaderReplies string

func leaderFigures() *figures.Quorum {
	q := &figures.Quorum{
		ServerID: 3, Mode: figures.ModeLeader, ZabState: "broadcast", LastZxid: 0x100000008, Leader: 3,
		Learners: []figures.Learner{
			{ID: 1, Voting: true, Synced: true}, {ID: 2, Voting: true, Synced: true},
			{
				ID: 4, Remote: "127.0.0.1:54692", Observer: true, Synced: true, Established: time.UnixMilli(1795649599307),
				PacketsReceived: 32, PacketsSent: 40, Requests: 2, LastZxid: 0x100000008,
			},
		},
	}
	for i, ports := range [][2]int{{11857, 25321}, {20558, 27485}, {31194, 16411}, {10054, 28148}} {
		q.Members = append(q.Members, figures.Member{
			ID: int64(i + 1), Observer: i == 3,
			QuorumAddresses: []string{fmt.Sprint("127.0.0.1:", ports[0])}, ElectionAddresses: []string{fmt.Sprint("127.0.0.1:", ports[1])},
		})
	}
	q.Members[2].ClientAddress = "0.0.0.0:25001"
	return q
}

func TestLeaderReplies(t *testing.T) {
	r := newRig(t, nil)
	r.server.quorum = leaderFigures()
	for section := range strings.SplitSeq(leaderReplies, "== ") {
		head, want, found := strings.Cut(section, "\n")
		if !found {
			continue
		}
		_, command, _ := strings.Cut(head, " ")
		want = strings.Replace(strings.TrimSuffix(want, "\n"), `"queued_packets_size" : -234`, `"queued_packets_size" : 0`, 1)
		if got := r.do("GET", "/commands/"+command, "").Body.String(); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", command, got, want)
		}
	}
}

// TestLookingReplies is for a member without a leader.
func TestLookingReplies(t *testing.T) {
	r := newRig(t, nil)
	r.server.quorum, r.server.stopped = leaderFigures(), true
	for command, want := range map[string]string{
		"zabstate": "{\n  \"voting\" : false,\n  \"zabstate\" : \"\",\n  \"command\" : \"zabstate\",\n  \"error\" : null\n}",
		"leader":   "{\n  \"command\" : \"leader\",\n  \"error\" : \"This ZooKeeper instance is not currently serving requests\"\n}",
	} {
		if got := r.do("GET", "/commands/"+command, "").Body.String(); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", command, got, want)
		}
	}
}

func TestPeerState(t *testing.T) {
	for mode, want := range map[string]string{
		figures.ModeLeader: "leading - broadcast", figures.ModeFollower: "following - broadcast",
		figures.ModeObserver: "observing - broadcast", "": "looking",
	} {
		q := leaderFigures()
		q.Mode = mode
		if got := q.PeerState(); got != want {
			t.Errorf("%q: %q, want %q", mode, got, want)
		}
	}
}
