package sim

import (
	"math/rand/v2"
	"time"
)

// fault is a kind of bad luck.
type fault int

const (
	faultKill        fault = iota // a process ends; the kernel closes its connections
	faultPowerCut                 // a host goes dark: its peers may hear nothing of it
	faultKillAll                  // every process, or every host
	faultPersist                  // a process ends at one of the boundaries of what it writes
	faultStop                     // a process stands still (SIGSTOP), its connections live
	faultSplit                    // the network in two parts
	faultIsolate                  // one server from all others, the leader by preference
	faultOneWay                   // nothing passes from one server, or to it
	faultBridge                   // two parts, and a server that sees both
	faultFlap                     // a split that comes and goes
	faultCut                      // a learner connection ends
	faultElectionCut              // an election connection ends; the last message comes again on the next
	faultSlowNode                 // each message from and to a server takes longer
	faultSlowDisk                 // each sync of a server takes longer
	faultFailDisk                 // a sync fails, which ends the process
	faultWipe                     // a server loses its disk
	faultNoRoom                   // a server's disks lack room for a while: it stays out of its ensemble
	faultPurge                    // not a fault: a log drops its old end, so that SNAP is needed
	faultPromises                 // a server is chosen leader and dies before it tells anybody its epoch; see promises
	faults                        // how many
)

func (f fault) String() string {
	return [...]string{"kill", "power cut", "kill all", "persist point", "stop", "split", "isolate", "one-way", "bridge", "flap",
		"cut", "election cut", "slow node", "slow disk", "failed sync", "wipe", "no room", "purge", "promises"}[f]
}

// faultPlan decides which kinds a run has and how often: each run is about some kinds more than others.
type faultPlan struct {
	w       *world
	kinds   []fault
	every   time.Duration // between two faults, on average
	lasting time.Duration // of one that ends by itself, at most
	over    bool
	onNodes float64 // part of the faults that look for the leader
}

func newFaultPlan(w *world) *faultPlan {
	f := &faultPlan{w: w, onNodes: 0.3 + 0.4*w.rng.Float64()}
	for k := range faultPromises {
		if w.chance(0.55) {
			f.kinds = append(f.kinds, k)
		}
	}
	f.kinds = append(f.kinds, faultKill, faultPersist, faultPersist)
	f.every = w.between(w.tick, 6*w.tick)
	f.lasting = w.between(2*w.tick, 20*w.tick)
	return f
}

func (f *faultPlan) begin() {
	f.w.after(f.w.between(0, 2*f.every), nil, func() {
		if !f.over {
			f.strike(f.kinds[f.w.pick(len(f.kinds))])
			f.begin()
		}
	})
}

// promises has voters be chosen leader and die with the epoch saved, some times in a row, in a fifth of the runs: what is
// left of that is a promise to a late epoch that nobody knows of. By itself it comes to that, and then to a leader of
// an earlier epoch, once in some ten thousand runs. It draws nothing from the run's own numbers, so that the other runs are
// what they were without it.
func (f *faultPlan) promises(o Options) {
	w := f.w
	if o.Mutant != MutantLookingUntold && (o.Mutant != NoMutant || o.Seed%5 != 2) {
		return
	}
	rng := rand.New(rand.NewPCG(o.Seed, 147))
	for range 1 + rng.IntN(3) {
		s := w.servers[rng.IntN(w.voters)]
		times := 1 + rng.Int64N(4)
		w.after(time.Duration(rng.Int64N(int64(w.length))), nil, func() {
			p := s.proc
			if m := &s.disk.live; p == nil || p.aside || m.lost || m.lastLogged() == 0 {
				return
			}
			p.crash(crashPower, "chosen leader, with its epoch saved")
			s.disk.durable.acceptedEpoch += times
			w.stats.Faults[faultPromises]++
		})
	}
}

// target is a server, the one that leads more often than others; nil when the chosen one is down.
func (f *faultPlan) target() *process {
	if f.w.chance(f.onNodes) {
		for _, s := range f.w.servers {
			if p := s.proc; p != nil && p.leader != nil {
				return p
			}
		}
	}
	return f.w.servers[f.w.pick(len(f.w.servers))].proc
}

func (f *faultPlan) strike(k fault) {
	w := f.w
	if k == faultKillAll && !w.chance(0.3) {
		k = faultKill // all at once is for some runs a few times
	}
	p := f.target()
	switch k {
	case faultKillAll:
		how := [...]crashKind{crashKill, crashPower}[w.pick(2)]
		for _, s := range w.servers {
			if s.proc != nil {
				s.proc.crash(how, "all at once")
			}
		}
	case faultSplit, faultBridge, faultFlap:
		f.split(k)
	case faultCut:
		if len(w.net.conns) == 0 {
			return
		}
		w.net.conns[w.pick(len(w.net.conns))].cut()
	case faultElectionCut:
		if len(w.net.pairs) == 0 {
			return
		}
		w.net.pairs[w.pick(len(w.net.pairs))].down()
	default:
		if p == nil || !f.strikeOne(k, p) {
			return
		}
	}
	w.stats.Faults[k]++
	if w.tracing() {
		w.trace(nil, "fault: %v", k)
	}
}

// strikeOne is a fault of one server; false when it can't be had now.
func (f *faultPlan) strikeOne(k fault, p *process) bool {
	w, s := f.w, p.server
	lasting := w.between(0, f.lasting)
	switch k {
	case faultKill:
		p.crash(crashKill, "killed")
	case faultPowerCut:
		p.crash(crashPower, "no power")
	case faultPersist:
		s.arm()
	case faultStop:
		if p.stoppedUntil > w.now {
			return false
		}
		p.stoppedUntil = w.now + lasting
	case faultIsolate:
		f.block(func(from, to int) bool { return (from == s.host) != (to == s.host) }, lasting)
	case faultOneWay:
		if w.chance(0.5) {
			f.block(func(from, to int) bool { return from == s.host && to != s.host }, lasting)
		} else {
			f.block(func(from, to int) bool { return to == s.host && from != s.host }, lasting)
		}
	case faultSlowNode:
		w.net.lag[s.host] = w.between(0, w.tick/2)
		w.after(lasting, nil, func() { w.net.lag[s.host] = 0 })
	case faultSlowDisk:
		s.disk.lag = w.between(0, w.tick)
		w.after(lasting, nil, func() { s.disk.lag = 0 })
	case faultFailDisk:
		s.disk.failing = true
	case faultWipe:
		return f.wipe(p)
	case faultNoRoom:
		return p.leaveForRoom(lasting)
	case faultPurge:
		return p.purge()
	}
	return true
}

// split blocks the network between two parts.
func (f *faultPlan) split(k fault) {
	w := f.w
	side := make([]bool, len(w.servers))
	for i := range side {
		side[i] = w.chance(0.5)
	}
	bridge := -1
	if k == faultBridge {
		bridge = w.pick(len(side))
	}
	between := func(from, to int) bool { return side[from] != side[to] && from != bridge && to != bridge }
	if k != faultFlap {
		f.block(between, w.between(0, f.lasting))
		return
	}
	var again func(times int)
	again = func(times int) {
		if f.over || times == 0 {
			return
		}
		f.block(between, w.between(0, w.tick))
		w.after(w.between(0, 2*w.tick), nil, func() { again(times - 1) })
	}
	again(3 + w.pick(10))
}

// block takes the place of the partition there is.
func (f *faultPlan) block(which func(from, to int) bool, lasting time.Duration) {
	w := f.w
	for from := range w.net.blocked {
		for to := range w.net.blocked[from] {
			w.net.blocked[from][to] = which(from, to)
		}
	}
	w.net.release()
	w.partitions++
	mine := w.partitions
	w.after(lasting, nil, func() {
		if mine == w.partitions {
			w.net.unblock()
		}
	})
}

// wipe takes a server's disk, as long as the voters that remember are a majority: more is more than an
// ensemble can bear. What has never had anything remembers nothing, too. With groups a single one may be too many.
func (f *faultPlan) wipe(p *process) bool {
	nothing := 1
	for _, s := range f.w.servers {
		if m := &s.disk.durable; s.voter && s != p.server && (m.lost || m.lastLogged() == 0 && m.currentEpoch == 0) {
			nothing++
		}
	}
	if p.server.voter && (p.server.java || 2*nothing >= f.w.voters || f.w.groups != nil) {
		return false
	}
	p.crash(crashPower, "its disk is gone")
	// Either the start finds out, as a part is left that names the server, or only the others can tell.
	p.server.wiped = p.server.voter
	p.server.disk.durable = image{lost: (f.w.wild || f.w.chance(0.5)) && !p.server.java}
	return true
}

// stop ends all bad luck: the network is whole, everybody is up and as fast as can be.
func (f *faultPlan) stop() {
	w := f.w
	f.over = true
	w.partitions++
	w.net.unblock()
	w.net.spikes = 0
	for _, s := range w.servers {
		w.net.lag[s.host], s.disk.lag, s.disk.failing, s.armed = 0, 0, false, [points][phases]int{}
		if s.proc != nil && s.proc.aside {
			s.proc.comeBack()
		} else if s.proc != nil && w.wild {
			w.after(0, s.proc, s.proc.look) // the elections to come are real ones
		}
	}
}

// phase is a moment of a write at which a crash can be armed.
type phase int

const (
	before  phase = iota // nothing of it is there
	written              // it is written, not synced: a crash may leave it or not
	durable              // it is durable, the process has not been told
	phases               // how many
)

func (p phase) String() string { return [...]string{"before", "written", "durable"}[p] }

// arm plans crashes at boundaries that come soon.
func (s *server) arm() {
	w := s.w
	for range 1 + w.pick(4) {
		at := point(w.pick(int(points)))
		times := 1 + w.pick(2)
		if at == pointAppend {
			times = 1 + w.pick(50)
		}
		s.armed[at][w.pick(int(phases))] = times
	}
}

// crashAt lets a process die at a boundary, if that was armed; the caller ends what it does when it is true.
func (p *process) crashAt(at point, phase phase) bool {
	a := &p.server.armed[at][phase]
	if *a == 0 {
		return false
	}
	if *a--; *a > 0 {
		return false
	}
	p.world.stats.Points[at][phase]++
	p.crash(crashKind(p.world.pick(2)), at.String()+", "+phase.String())
	return true
}
