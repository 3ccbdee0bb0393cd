package election

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"zk/jute"
	"zk/quorum/verifier"
)

// TestRandom runs ensembles under a seeded scheduler: first messages get lost, come late and in any order
// between links, servers crash and come back; then the network is calm, and all must agree on one leader.
//
//	go test ./quorum/election -run TestRandom -seed 17    runs that seed alone and prints it
func TestRandom(t *testing.T) {
	if *seedFlag != 0 {
		var trace strings.Builder
		err := randomRun(*seedFlag, &trace)
		t.Logf("%s", trace.String())
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	seeds := uint64(1000)
	if testing.Short() {
		seeds = 200
	}
	for seed := range seeds {
		var trace strings.Builder
		if err := randomRun(seed+1, &trace); err != nil {
			t.Fatalf("seed %d: %v", seed+1, err)
		}
	}
}

var seedFlag = flag.Uint64("seed", 0, "the one seed of TestRandom")

// history is what a server has on disk.
type history struct {
	zxid  jute.Zxid
	epoch int64
	lost  bool
}

// peers plays the peer loops of an ensemble: a server whose term does not come about looks again.
type peers struct {
	*network
	r     *rand.Rand
	disk  map[jute.ServerID]*history
	since map[jute.ServerID]time.Duration // when the server decided or looked last
	lossy bool
}

func randomEnsemble(r *rand.Rand) (*verifier.Config, error) {
	voters, observers := 1+r.IntN(5), r.IntN(3)
	var b verifier.Builder
	for id := range voters + observers {
		role := "participant"
		if id >= voters {
			role = "observer"
		}
		if err := b.Add(fmt.Sprint("server.", id), "h:1:2:"+role, false); err != nil {
			return nil, err
		}
	}
	return b.Config()
}

func randomRun(seed uint64, trace *strings.Builder) error {
	r := rand.New(rand.NewPCG(seed, 0))
	config, err := randomEnsemble(r)
	if err != nil {
		return err
	}
	p := &peers{
		network: newNetwork(verifier.Quorums{Current: config}, trace), r: r,
		disk: map[jute.ServerID]*history{}, since: map[jute.ServerID]time.Duration{}, lossy: true,
	}
	lost := r.IntN(len(config.Servers()) + 3) // few have lost their memory, and never so many that no quorum is left
	for i, s := range config.Servers() {
		epoch := r.Int64N(3)
		p.disk[s.ID] = &history{jute.NewZxid(uint32(epoch), uint32(r.IntN(3))), epoch, i == lost && len(config.Voters()) > 2}
		if r.IntN(4) > 0 {
			p.start(s.ID)
		}
	}
	for range 300 {
		if err := p.storm(); err != nil {
			return err
		}
	}
	p.lossy = false
	for _, s := range config.Servers() {
		if p.nodes[s.ID] == nil {
			p.start(s.ID)
		}
	}
	end := p.now + 10*time.Minute
	for p.now < end {
		if err := p.step(); err != nil {
			return err
		}
		if _, agree := p.agreement(); agree && len(p.links()) == 0 {
			return nil
		}
	}
	return fmt.Errorf("no agreement in 10 minutes of calm: %v", p.describe())
}

func (p *peers) start(id jute.ServerID) {
	s, _ := p.quorums.Current.Server(id)
	p.add(id, Options{Observer: s.Observer})
	p.look(id)
}

func (p *peers) look(id jute.ServerID) {
	h := p.disk[id]
	zxid := h.zxid
	if h.lost {
		zxid = -1
	}
	p.since[id] = p.now
	p.nodes[id].Look(p.now, zxid, h.epoch)
	p.gather(id)
}

// storm is a step with faults.
func (p *peers) storm() error {
	ids := p.quorums.Current.Servers()
	id := ids[p.r.IntN(len(ids))].ID
	switch p.r.IntN(40) {
	case 0:
		p.crash(id)
	case 1:
		if p.nodes[id] == nil {
			p.start(id)
		}
	case 2:
		if n := p.nodes[id]; n != nil {
			n.SetReachable(ids[p.r.IntN(len(ids))].ID, p.r.IntN(2) == 0)
		}
	}
	return p.step()
}

// step brings a message over, or lets time pass to the next deadline.
func (p *peers) step() error {
	ls := p.links()
	if len(ls) > 0 && p.r.IntN(10) > 0 {
		l := ls[p.r.IntN(len(ls))]
		if p.lossy && p.r.IntN(5) == 0 {
			delete(p.waiting, l)
			return nil
		}
		was := p.nodes[l.to].State()
		p.deliver(l)
		return p.decided(l.to, was)
	}
	next := p.now + 500*time.Millisecond
	if at, _, ok := p.next(); ok && at < next {
		next = at
	}
	states := map[jute.ServerID]State{}
	for id, n := range p.nodes {
		states[id] = n.State()
	}
	p.advance(max(next-p.now, time.Millisecond))
	for _, id := range p.ids() {
		if err := p.decided(id, states[id]); err != nil {
			return err
		}
		p.term(id)
	}
	return nil
}

// decided checks a decision: none is for a leader with less than one has oneself, unless that one leads
// already or knew of this server's.
func (p *peers) decided(id jute.ServerID, was State) error {
	n := p.nodes[id]
	if was != Looking || n.State() == Looking {
		return nil
	}
	p.since[id] = p.now
	v := n.Vote()
	if n.State() == Leading && p.disk[id].lost {
		return fmt.Errorf("%v leads without memory", id)
	}
	if !p.quorums.IsVoter(v.Leader) || n.State() == Leading && v.Leader != id {
		return fmt.Errorf("%v decides %v for %v", id, n.State(), v)
	}
	if l := p.nodes[v.Leader]; l == nil || l.State() != Leading { // elected, not joined
		h := p.disk[id]
		behind := v.PeerEpoch < h.epoch || v.PeerEpoch == h.epoch && v.Zxid < h.zxid
		if behind && !h.lost && p.quorums.IsVoter(id) && n.State() == Leading {
			return fmt.Errorf("%v leads by a vote %v that is behind its own history %v", id, v, *h)
		}
	}
	return nil
}

// term ends what lasts for 2 s without a leader, or without a quorum behind it, and gives a new epoch to the
// others as discovery would.
func (p *peers) term(id jute.ServerID) {
	n := p.nodes[id]
	if n.State() == Looking {
		return
	}
	leader := p.nodes[n.Vote().Leader]
	led := leader != nil && leader.State() == Leading && p.quorums.Contains(func(voter jute.ServerID) bool {
		m := p.nodes[voter]
		return m != nil && m.State() != Looking && m.Vote().Leader == n.Vote().Leader
	})
	if !led && p.now-p.since[id] > 2*time.Second {
		p.look(id)
	} else if led && n.State() == Leading {
		for _, other := range p.ids() {
			if m := p.nodes[other]; m.State() != Looking && m.Vote().Leader == id {
				m.SetPeerEpoch(n.Vote().PeerEpoch)
			}
		}
	}
}

// agreement is the leader of all, if there is one.
func (p *peers) agreement() (leader jute.ServerID, ok bool) {
	leading := 0
	for _, id := range p.ids() {
		n := p.nodes[id]
		if n.State() == Looking {
			return 0, false
		}
		if n.State() == Leading {
			leading++
			leader = id
		}
	}
	for _, n := range p.nodes {
		if n.Vote().Leader != leader {
			return 0, false
		}
	}
	return leader, leading == 1
}

func (p *peers) describe() (all []string) {
	for _, id := range p.ids() {
		all = append(all, fmt.Sprint(id, ": ", p.nodes[id].State(), " ", p.nodes[id].Vote()))
	}
	return all
}
