package faults

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"zk/compat/control"
	"zk/compat/harness"
)

// TestMain deletes the server that was built.
func TestMain(m *testing.M) {
	code := m.Run()
	if os.Getenv(harness.EnableEnv) != "" {
		harness.RemoveBinary()
	}
	os.Exit(code)
}

// patience bounds every wait, on a loaded machine too; only a failure waits so long.
const patience = 2 * time.Minute

// diskBytes is the size of a server's disk. Low-water mark and ballast take 48 and 16 MiB of it.
const diskBytes = 192 << 20

// seedEnv repeats the order of faults and the load of a run; what the processes make of it is not repeated.
const seedEnv = "ZK_FAULTS_SEED"

// onlyEnv keeps to the faults with a text in their names.
const onlyEnv = "ZK_FAULTS_ONLY"

// networkEnv has the servers on loopback if it says so, though there may be namespaces.
const networkEnv = "ZK_FAULTS_NETWORK"

// rig is an ensemble that faults happen to.
type rig struct {
	t     *testing.T
	e     *harness.Ensemble
	net   *harness.Network // nil on loopback
	disks []*harness.Disk  // by server; nil where there can't be any
	rng   *rand.Rand
	round *round // under way

	voters int
	rounds int
	epoch  uint32 // of the writes when the ensemble was last seen whole
	rejoin int    // times that a server had lost its memory
	// damaged may meet the damage and end, once, to take everything from the leader at its next start.
	damaged *harness.Server
}

// seed is that of a run: from the environment, or else the one given.
func seed(t *testing.T, otherwise uint64) uint64 {
	t.Helper()
	s := otherwise
	if text := os.Getenv(seedEnv); text != "" {
		var err error
		if s, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(seedEnv, err)
		}
	}
	t.Logf("repeat with %s=%d", seedEnv, s)
	return s
}

// newRig starts an ensemble of voters and observers. Disks are there only if they are wanted and possible.
func newRig(t *testing.T, seed uint64, voters, observers int, disks bool) *rig {
	t.Helper()
	control.Need(t)
	r := &rig{t: t, rng: rand.New(rand.NewPCG(seed, 5)), voters: voters}
	n := voters + observers
	var err error
	if os.Getenv(networkEnv) == "loopback" {
		t.Logf("on loopback, without partitions, as %s wants it", networkEnv)
	} else if r.net, err = harness.NewNetwork(t, n); err != nil {
		t.Logf("on loopback, without partitions: %v", err)
	}
	members := make([]harness.MemberOptions, n)
	for i := range members {
		members[i] = harness.MemberOptions{Kind: harness.Ours, Observer: i >= voters}
		if !disks {
			continue
		}
		d, err := harness.NewDisk(t, diskBytes)
		if err != nil {
			t.Logf("without disks that fail or are full: %v", err)
			disks, r.disks = false, nil
			continue
		}
		r.disks = append(r.disks, d)
		members[i].Dir = d.Dir
	}
	r.e = harness.StartEnsemble(t, harness.EnsembleOptions{Members: members, Network: r.net, Common: harness.Options{
		// Two seconds of silence end a term, or the wait for a leader that can't be reached.
		Config: []string{"tickTime=500", "syncLimit=4", "initLimit=20", "connectToLearnerMasterLimit=4", "maxClientCnxns=0"},
	}})
	return r
}

// disk is a server's.
func (r *rig) disk(s *harness.Server) *harness.Disk { return r.disks[s.ID()-1] }

// ids are the numbers of servers in the network.
func ids(servers ...*harness.Server) (list []int) {
	for _, s := range servers {
		list = append(list, s.ID())
	}
	return list
}

// leader is the one that leads the ensemble when it is whole.
func (r *rig) leader() *harness.Server { return r.e.Leader() }

// follower is some voter that does not lead.
func (r *rig) follower() *harness.Server {
	l := r.leader()
	list := slices.DeleteFunc(slices.Clone(r.e.Servers[:r.voters]), func(s *harness.Server) bool { return s == l })
	return list[r.rng.IntN(len(list))]
}

// voter is some voter, the leader as often as not.
func (r *rig) voter() *harness.Server {
	if r.rng.IntN(2) == 0 {
		return r.leader()
	}
	return r.follower()
}

// must ends the test with an error.
func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// await waits for something.
func (r *rig) await(what string, f func() bool) {
	r.t.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(5 * time.Millisecond) {
		if r.t.Failed() {
			r.t.FailNow()
		}
		if time.Now().After(end) {
			r.t.Fatalf("%s: not in %v; %s", what, patience, r.modes())
		}
	}
}

// modes tells what each server says it is.
func (r *rig) modes() string {
	list := make([]string, len(r.e.Servers))
	for i, s := range r.e.Servers {
		list[i] = fmt.Sprintf("server %d: %s", s.ID(), s.Mode())
	}
	return strings.Join(list, ", ")
}

// settle waits until the ensemble is whole: every server runs and serves, with one leader, and none is without its
// memory.
func (r *rig) settle() {
	r.t.Helper()
	for _, s := range r.e.Servers {
		if s.PID() == 0 {
			r.t.Fatalf("server %d does not run", s.ID())
		}
	}
	r.await("an ensemble that is whole", func() bool {
		leaders, others := 0, 0
		for _, s := range r.e.Servers {
			switch s.Mode() {
			case "leader":
				leaders++
			case "follower", "observer":
				others++
			}
		}
		if leaders != 1 || others != len(r.e.Servers)-1 {
			r.ended()
			return false
		}
		return !slices.ContainsFunc(r.e.Servers, func(s *harness.Server) bool {
			_, err := os.Stat(filepath.Join(s.DataDir(), "zk-lost-memory"))
			return err == nil
		})
	})
}

// ended fails the test if a server has ended by itself, unless it has just met the damage to its data.
func (r *rig) ended() {
	r.t.Helper()
	for _, s := range r.e.Servers {
		if code, err := s.Wait(0); err == nil {
			if s == r.damaged && code == 3 && strings.Contains(s.Log(8<<10), "the next start takes everything from the leader") {
				r.damaged = nil
				r.launch(s)
				return
			}
			r.t.Fatalf("server %d has ended with code %d:\n%s", s.ID(), code, s.Log(4<<10))
		}
	}
}

// launch starts servers that were ended.
func (r *rig) launch(servers ...*harness.Server) {
	r.t.Helper()
	for _, s := range servers {
		r.must(s.Launch())
	}
}
