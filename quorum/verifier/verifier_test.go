package verifier

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"zk/jute"
)

func mustParse(t testing.TB, text string) *Config {
	t.Helper()
	c, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// javaTexts were sent by servers of Java 3.9.5.
func javaTexts() []string {
	return []string{
		`server.1=127.0.0.1:25011:25012:participant;127.0.0.1:25010
server.2=127.0.0.1:25021:25022:participant;127.0.0.1:25020
server.3=127.0.0.1:25031:25032:participant;127.0.0.1:25030
server.4=127.0.0.1:25041:25042:observer;127.0.0.1:25040
version=100000000`,
		`server.1=127.0.0.1:25011:25012:participant;127.0.0.1:25010
server.2=127.0.0.1:25021:25022:participant;127.0.0.1:25020
server.3=127.0.0.1:25031:25032:participant;127.0.0.1:25030
group.1=1:2
group.2=3
weight.1=1
weight.2=1
weight.3=0
version=0`,
		`server.1=127.0.0.1:25011:25012|127.0.0.11:25011:25012:participant;127.0.0.1:25010
server.2=127.0.0.1:25021:25022|127.0.0.12:25021:25022:participant;127.0.0.1:25020
server.3=127.0.0.1:25031:25032|127.0.0.13:25031:25032:participant;127.0.0.1:25030
version=0`,
	}
}

func TestTextOfJava(t *testing.T) {
	for _, text := range javaTexts() {
		if again := mustParse(t, text).String(); again != text {
			t.Errorf("printed again\n%s\nwant\n%s", again, text)
		}
	}
	c := mustParse(t, javaTexts()[0])
	s, ok := c.Server(4)
	if !ok || !s.Observer || c.IsVoter(4) || !c.IsVoter(3) || c.IsVoter(5) || c.Version() != 1<<32 || !slices.Equal(c.Voters(), []jute.ServerID{1, 2, 3}) {
		t.Errorf("%+v, %+v", c, s)
	}
	if w := c.WithVersion(0x1a); !strings.HasSuffix(w.String(), "\nversion=1a") || c.Version() != 1<<32 || !w.SameServers(c) {
		t.Errorf("%v", w)
	}
}

// TestText has forms that Java reads and what it makes of them.
func TestText(t *testing.T) {
	for _, c := range []struct{ value, want string }{
		{"a:1:2", "a:1:2:participant"},
		{"a:1:2:Observer ;7", "a:1:2:observer;0.0.0.0:7"},
		{"a:1:2;b:7", "a:1:2:participant;b:7"},
		{"a:1:2;", "a:1:2:participant"},
		{"a:1:2:", "a:1:2:participant"},
		{"[::1]:1:2;[2001:db8::a00:1]:7", "[0:0:0:0:0:0:0:1]:1:2:participant;[2001:db8:0:0:0:0:a00:1]:7"},
		{"[::ffff:10.0.0.1]:1:2", "10.0.0.1:1:2:participant"},
		{"[fe80::1%eth0]:1:2", "[fe80:0:0:0:0:0:0:1%eth0]:1:2:participant"},
		{"b:3:4:observer|a:1:2", "a:1:2|b:3:4:observer"},
		{"a:+1:02", "a:1:2:participant"},
	} {
		s, err := parseServer(1, c.value, true)
		if err != nil || string(s.Append(nil)) != c.want {
			t.Errorf("%s: %s, %v; want %s", c.value, s.Append(nil), err, c.want)
		}
	}
	c := mustParse(t, "# remark\n\n  version=ff\r\nserver.2 = b:1:2\nserver.10=c:1:2:observer\nserver.1=a:1:2")
	if want := "server.1=a:1:2:participant\nserver.2=b:1:2:participant\nserver.10=c:1:2:observer\nversion=ff"; c.String() != want {
		t.Errorf("%s", c)
	}
}

func TestTextRefused(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "no participant"},
		{"version=1", "no participant"},
		{"server.1=a:1:2:observer", "no participant"},
		{"server.1", "no line"},
		{"server.x=a:1:2", "whole number"},
		{"server.-1=a:1:2", "whole number"},
		{"server.1=a:1", "form"},
		{"server.1=a", "form"},
		{"server.1=", "form"},
		{"server.1=a:1:2:observer:3", "form"},
		{"server.1=a:1:2;b:3:4", "form"},
		{"server.1=a:1:2;3;4", "form"},
		{"server.1=[::1:1:2", "form"},
		{"server.1=[::1]1:2", "form"},
		{"server.1=:1:2", "form"},
		{"server.1=a b:1:2", "form"},
		{"server.1=a:1:2; b:3", "form"},
		{"server.1=a:1:1", "different"},
		{"server.1=a:1:65536", "ports"},
		{"server.1=a: 1:2", "ports"},
		{"server.1=a:1:2;x", "client port"},
		{"server.1=a:1:2:boss", "role"},
		{"server.1=a:1:2:observer|b:1:2:participant", "same role"},
		{"server.1=a:1:2\nserver.1=b:1:2", "twice"},
		{"server.1=a:1:2\nversion=x", "hexadecimal"},
		{"server.1=a:1:2\nversion=-1", "hexadecimal"},
		{"server.1=a:1:2\nclientPort=2181", "no key"},
		{"server.1=a:1:2\nweight.1=2", "not in a group"},
		{"server.1=a:1:2\ngroup.1=1\nweight.1=-2", "whole number from 0"},
		{"server.1=a:1:2\ngroup.1=1\ngroup.2=1", "several groups"},
		{"server.1=a:1:2\ngroup.1=1:1", "several groups"},
		{"server.1=a:1:2\ngroup.1=1:2", "no weight"},
		{"server.1=a:1:2\ngroup.1=1\ngroup.2=", "group.<number>"},
		{"server.1=a:1:2\ngroup.1=1\ngroup.1=1", "twice"},
		{"server.1=a:1:2\nserver.2=b:1:2\ngroup.1=1:2\nweight.1=9223372036854775807", "too big"},
	} {
		if _, err := Parse(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.text, err, c.want)
		}
	}
	if _, err := parseServer(1, "a:1:2|b:1:2", false); err == nil {
		t.Error("several addresses are taken although they are off")
	}
	var many strings.Builder
	for i := range ServersMax + 1 {
		fmt.Fprintf(&many, "server.%d=a:1:2\n", i)
	}
	if _, err := Parse(many.String()); err == nil {
		t.Error("a config without bound is taken")
	}
}

func TestSameServers(t *testing.T) {
	a := mustParse(t, "server.1=[::1]:1:2;7\nserver.2=b:1:2\ngroup.1=1:2\nweight.1=2")
	for text, want := range map[string]bool{
		"server.2=b:1:2\nserver.1=[0:0:0:0:0:0:0:1]:1:2\ngroup.1=2:1\nweight.1=2\nversion=9":   true,
		"server.1=[::1]:1:2\nserver.2=b:1:2":                                                   false,
		"server.1=[::1]:1:2\nserver.2=b:1:2\ngroup.1=1:2":                                      false,
		"server.1=[::1]:1:2\nserver.2=b:1:2\ngroup.1=1\ngroup.2=2\nweight.1=2":                 false,
		"server.1=[::1]:1:2\nserver.2=b:1:3\ngroup.1=1:2\nweight.1=2":                          false,
		"server.1=[::1]:1:2\nserver.2=c:1:2\ngroup.1=1:2\nweight.1=2":                          false,
		"server.1=[::1]:1:2\nserver.2=b:1:2:observer\ngroup.1=1:2\nweight.1=2\nweight.2=1":     false,
		"server.1=[::1]:1:2\nserver.2=b:1:2\nserver.3=c:1:2:observer\ngroup.1=1:2\nweight.1=2": false,
	} {
		if got := a.SameServers(mustParse(t, text)); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// slowQuorum is the rule as the admin guide tells it, from the text alone.
func slowQuorum(voters []jute.ServerID, groups map[int64][]jute.ServerID, weights map[jute.ServerID]int64, has map[jute.ServerID]bool) bool {
	if groups == nil {
		n := 0
		for _, v := range voters {
			if has[v] {
				n++
			}
		}
		return 2*n > len(voters)
	}
	all, won := 0, 0
	for _, ids := range groups {
		total, agreed := int64(0), int64(0)
		for _, id := range ids {
			total += weights[id]
			if has[id] && slices.Contains(voters, id) {
				agreed += weights[id]
			}
		}
		if total > 0 {
			all++
		}
		if 2*agreed > total {
			won++
		}
	}
	return 2*won > all
}

// randomConfig makes an ensemble of up to nine servers.
func randomConfig(t *testing.T, r *rand.Rand) (c *Config, groups map[int64][]jute.ServerID, weights map[jute.ServerID]int64) {
	t.Helper()
	var servers []Server
	hierarchical := r.IntN(2) == 0
	if hierarchical {
		groups, weights = map[int64][]jute.ServerID{}, map[jute.ServerID]int64{}
	}
	for id := range jute.ServerID(1 + r.IntN(9)) {
		servers = append(servers, Server{ID: id, Observer: id > 0 && r.IntN(5) == 0, Addresses: []Address{{"h", 1, 2}}})
		if hierarchical {
			weights[id] = r.Int64N(4)
			g := r.Int64N(4)
			groups[g] = append(groups[g], id)
		}
	}
	c, err := New(servers, groups, weights, r.Int64N(3))
	if err != nil {
		t.Fatal(err)
	}
	return c, groups, weights
}

// TestQuorumsQuick holds quorums and the zxids they have reached against the slow rule, for every set of
// servers; and any two quorums have a server in common.
func TestQuorumsQuick(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		c, groups, weights := randomConfig(t, r)
		n := len(c.Servers())
		var quorums []int
		for set := range 1 << n {
			has := map[jute.ServerID]bool{}
			for id := range n {
				has[jute.ServerID(id)] = set>>id&1 == 1
			}
			got := c.ContainsQuorum(func(id jute.ServerID) bool { return has[id] })
			if want := slowQuorum(c.Voters(), groups, weights, has); got != want {
				t.Fatalf("%v\nset %b: %v, want %v", c, set, got, want)
			}
			if got {
				quorums = append(quorums, set)
			}
		}
		for _, a := range quorums {
			for _, b := range quorums {
				if a&b == 0 {
					t.Fatalf("%v\nquorums %b and %b have nobody in common", c, a, b)
				}
			}
		}
		checkReached(t, r, c, groups, weights)
	}
}

func checkReached(t *testing.T, r *rand.Rand, c *Config, groups map[int64][]jute.ServerID, weights map[jute.ServerID]int64) {
	t.Helper()
	for range 20 {
		at := map[jute.ServerID]jute.Zxid{}
		for _, s := range c.Servers() {
			at[s.ID] = jute.Zxid(r.Int64N(5))
		}
		want := jute.Zxid(-1)
		for z := range jute.Zxid(5) {
			has := map[jute.ServerID]bool{}
			for id := range at {
				has[id] = at[id] >= z
			}
			if slowQuorum(c.Voters(), groups, weights, has) {
				want = z
			}
		}
		if got := c.Reached(func(id jute.ServerID) jute.Zxid { return at[id] }); got != want {
			t.Fatalf("%v\n%v: reached %v, want %v", c, at, got, want)
		}
	}
}

// TestPendingConfig needs both quorums while a newer Config is proposed.
func TestPendingConfig(t *testing.T) {
	current := mustParse(t, "server.1=a:1:2\nserver.2=a:1:2\nserver.3=a:1:2\nversion=5")
	next := "server.3=a:1:2\nserver.4=a:1:2\nserver.5=a:1:2\nversion="
	sets := func(q Quorums, ids ...jute.ServerID) bool {
		return q.Contains(func(id jute.ServerID) bool { return slices.Contains(ids, id) })
	}
	of := func(id jute.ServerID) jute.Zxid { return jute.Zxid(id) * 10 }
	old := Quorums{current, mustParse(t, next+"5")}
	if !sets(old, 1, 2) || old.Reached(of) != 20 {
		t.Error("an old config counts")
	}
	pending := Quorums{current, mustParse(t, next+"6")}
	if sets(pending, 1, 2) || sets(pending, 3, 4) || !sets(pending, 2, 3, 4) || pending.Reached(of) != 20 {
		t.Error("a proposed config does not count")
	}
	reverse := func(id jute.ServerID) jute.Zxid { return 100 - jute.Zxid(id) }
	if pending.Reached(reverse) != 96 {
		t.Error("reached", pending.Reached(reverse))
	}
	for _, q := range []Quorums{old, pending} { // both vote in an election
		if !q.IsVoter(1) || !q.IsVoter(5) || q.IsVoter(6) || !slices.Equal(q.AppendVoters(nil), []jute.ServerID{1, 2, 3, 4, 5}) {
			t.Errorf("voters %v", q.AppendVoters(nil))
		}
	}
	alone := Quorums{Current: current}
	if alone.IsVoter(4) || !slices.Equal(alone.AppendVoters([]jute.ServerID{9}), []jute.ServerID{9, 1, 2, 3}) {
		t.Error("voters without a proposed config")
	}
}

// TestNoAllocation is about what a leader does for each acknowledgement.
func TestNoAllocation(t *testing.T) {
	for _, text := range javaTexts() {
		q := Quorums{Current: mustParse(t, text), LastSeen: mustParse(t, text).WithVersion(1 << 40)}
		at := jute.Zxid(7)
		if n := testing.AllocsPerRun(100, func() {
			if q.Reached(func(id jute.ServerID) jute.Zxid { return at + jute.Zxid(id) }) < at {
				t.Error("reached")
			}
		}); n > 0 {
			t.Errorf("%v allocations for\n%s", n, text)
		}
	}
}

// FuzzParse prints what it can read and reads that again.
func FuzzParse(f *testing.F) {
	for _, text := range javaTexts() {
		f.Add(text)
	}
	f.Add("server.1=[::1]:1:2;[fe80::1%x]:7\nserver.2=a|b:observer\ngroup.1=1:2\nweight.9=3\nversion=ffffffff")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(c.String())
		if err != nil {
			t.Fatalf("%q does not read its own text %q: %v", text, c, err)
		}
		if again.String() != c.String() || !again.SameServers(c) || again.Version() != c.Version() {
			t.Fatalf("%q became %q", c, again)
		}
	})
}
