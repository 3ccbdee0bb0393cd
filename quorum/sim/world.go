package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"zk/jute"
	"zk/quorum/verifier"
)

// Options say which run it is.
type Options struct {
	// Seed decides everything: how many servers of which kinds, how fast, which faults and when.
	Seed uint64
	// Mutant is a bug that the servers' drivers have; NoMutant for none.
	Mutant Mutant
	// Trace gets a line for everything that happens; nil for none.
	Trace func(line string)
}

// Result is what came of a run.
type Result struct {
	// Violation is the first rule that was broken, "" when none was.
	Violation string
	// Ensemble describes the servers.
	Ensemble string
	Stats
}

// Stats count what happened in a run, or in many.
type Stats struct {
	Runs      int
	Virtual   time.Duration // on the run's own clock
	Events    int
	Terms     int // that were established
	Changes   int // of the leader, or of its epoch
	Txns      int // committed
	Acked     int // writes that a client was told of
	Maybe     int // writes whose client never heard
	Crashes   int
	Syncs     [4]int              // learners brought up to date, by zab.Mode
	Converged time.Duration       // from the end of the faults until all were equal; the longest of many
	Faults    [faults]int         // by kind
	Points    [points][phases]int // crashes at the boundaries of writes
}

// Add sums up.
func (s *Stats) Add(o *Stats) {
	s.Runs += o.Runs
	s.Virtual += o.Virtual
	s.Events += o.Events
	s.Terms += o.Terms
	s.Changes += o.Changes
	s.Txns += o.Txns
	s.Acked += o.Acked
	s.Maybe += o.Maybe
	s.Crashes += o.Crashes
	s.Converged = max(s.Converged, o.Converged)
	for i := range s.Syncs {
		s.Syncs[i] += o.Syncs[i]
	}
	for i := range s.Faults {
		s.Faults[i] += o.Faults[i]
	}
	for i := range s.Points {
		for j := range s.Points[i] {
			s.Points[i][j] += o.Points[i][j]
		}
	}
}

// world is one run.
type world struct {
	*scheduler
	net        *network
	servers    []*server
	voters     int
	clients    *clients
	check      *checker
	faults     *faultPlan
	stats      Stats
	mutant     Mutant
	tracer     func(string)
	partitions int // how many there have been

	// What holds for the whole ensemble. groups has voters by index, weights is by index too; nil: a majority
	// is a quorum.
	groups       [][]int
	weights      []int64
	quorums      verifier.Quorums
	length       time.Duration // of the part with faults
	tick         time.Duration
	initLimit    int
	syncLimit    int
	diffBytesMax int64
	wild         bool   // elections end with anything, as long as there are faults
	counterMax   uint32 // proposals of an epoch, after which the leader gives it up
}

// server is a host with its disk; proc is what runs on it at present.
type server struct {
	w        *world
	host     int
	sid      jute.ServerID
	voter    bool
	observer bool
	java     bool
	disk     disk
	wiped    bool // since it has last been given a history
	proc     *process
	armed    [points][phases]int // crash the how manieth time; 0 not
}

func (s *server) String() string { return fmt.Sprintf("server %d", s.sid) }

func (w *world) tracing() bool { return w.tracer != nil }

// trace writes a line; arguments are made only when tracing, so callers on hot paths ask first.
func (w *world) trace(s *server, format string, args ...any) {
	if w.tracer == nil {
		return
	}
	who := "-"
	if s != nil {
		who = s.sid.String()
	}
	w.tracer(fmt.Sprintf("%12.6f %2s  %s", w.now.Seconds(), who, fmt.Sprintf(format, args...)))
}

// Run makes one run.
func Run(o Options) Result {
	w := newWorld(o)
	w.begin()
	w.trouble()
	w.recover()
	w.stats.Runs = 1
	w.stats.Virtual = w.now
	w.stats.Terms, w.stats.Changes, w.stats.Txns = w.check.epochs, w.check.changes, len(w.check.history)
	w.stats.Acked, w.stats.Maybe = w.clients.acked, w.clients.maybe
	return Result{Violation: w.check.violation, Ensemble: w.describe(), Stats: w.stats}
}

// newWorld lets the seed decide what kind of ensemble it is.
func newWorld(o Options) *world {
	w := &world{scheduler: newScheduler(o.Seed), mutant: o.Mutant, tracer: o.Trace}
	w.voters = [...]int{1, 3, 3, 3, 3, 3, 4, 5, 5, 5}[w.pick(10)]
	members := w.voters + [...]int{0, 0, 0, 1, 1, 2}[w.pick(6)]
	hosts := members
	if w.chance(0.15) {
		hosts++ // a follower that the configuration does not know
	}
	w.tick = [...]time.Duration{200, 500, 1000, 2000}[w.pick(4)] * time.Millisecond
	w.initLimit, w.syncLimit = 5+w.pick(6), 2+w.pick(4)
	w.diffBytesMax = [...]int64{500, 5000, 1 << 20}[w.pick(3)]
	w.counterMax = ^uint32(0)
	if w.chance(0.1) {
		w.counterMax = uint32(20 + w.pick(200))
	}
	w.net = newNetwork(w, hosts)
	w.wild = w.chance(0.15)
	w.net.latency = w.between(20*time.Microsecond, 2*time.Millisecond)
	w.net.jitter = w.between(0, 4*w.net.latency)
	if w.chance(0.5) {
		w.net.spikes = 0.03 * w.rng.Float64()
	}
	for i := range hosts {
		s := &server{w: w, host: i, sid: jute.ServerID(i + 1), voter: i < w.voters, observer: i >= w.voters && i < members}
		s.disk.latency = w.between(20*time.Microsecond, 10*time.Millisecond)
		s.disk.jitter = w.between(0, 2*s.disk.latency)
		w.servers = append(w.servers, s)
	}
	if w.voters > 3 && w.chance(0.3) {
		w.group()
	}
	w.quorums = w.newEnsemble()
	w.check = newChecker(w)
	w.clients = newClients(w, 1+w.pick(4))
	w.clients.pipeline = 1 + w.pick(4)
	w.clients.burst = 1 + w.pick(20)
	w.length = w.between(30*w.tick, 150*w.tick)
	// What comes of it is less: nobody writes while nobody leads.
	txns := 150 + w.pick(300)
	w.clients.pause = w.length * time.Duration(len(w.clients.all)*w.clients.pipeline*w.clients.burst) / time.Duration(txns)
	w.mix(o)
	w.faults = newFaultPlan(w)
	w.faults.promises(o)
	return w
}

// mix makes servers of Java of some, in a third of the runs. It draws nothing from the run's own numbers, so that the
// other runs are what they were without it.
func (w *world) mix(o Options) {
	if o.Seed%3 != 1 || o.Mutant != NoMutant {
		return
	}
	rng := rand.New(rand.NewPCG(o.Seed, 395))
	for _, s := range w.servers {
		s.java = rng.IntN(2) == 0
	}
}

// group makes quorums hierarchical. Some voters may count for nothing, and can't lead then.
func (w *world) group() {
	w.groups = make([][]int, 2+w.pick(w.voters-2))
	for host := range w.voters {
		g := host % len(w.groups)
		w.groups[g] = append(w.groups[g], host)
		w.weights = append(w.weights, [...]int64{1, 1, 1, 2, 3, 0}[w.pick(6)])
	}
	w.weights[w.pick(w.voters)] = 1
}

func (w *world) describe() string {
	observers, unknown := 0, 0
	java := ""
	for _, s := range w.servers {
		if s.java {
			java += fmt.Sprintf(" %v", s.sid)
		}
		switch {
		case s.observer:
			observers++
		case !s.voter:
			unknown++
		}
	}
	groups := ""
	if w.groups != nil {
		groups = fmt.Sprintf(" in groups %v with weights %v", w.groups, w.weights)
	}
	if java != "" {
		groups += ", of Java" + java
	}
	return fmt.Sprintf("%d voters%s, %d observers, %d followers outside the configuration; tickTime %v, initLimit %d, syncLimit %d, DIFF up to %d bytes",
		w.voters, groups, observers, unknown, w.tick, w.initLimit, w.syncLimit, w.diffBytesMax)
}

// begin starts everybody, some late.
func (w *world) begin() {
	if w.chance(0.2) { // the first start of all has its dangers, too
		for _, s := range w.servers {
			s.arm()
		}
	}
	for _, s := range w.servers {
		w.after(w.between(0, w.tick), nil, s.start)
	}
	w.clients.begin()
	w.faults.begin()
}

// runUntil lets things happen until a moment, a broken rule, or until done says so.
func (w *world) runUntil(end time.Duration, done func() bool) bool {
	for w.check.violation == "" && len(w.queue) > 0 && w.queue[0].at <= end {
		w.step()
		w.stats.Events++
		if done != nil && done() {
			return true
		}
	}
	return false
}

// trouble is the part of the run with faults.
func (w *world) trouble() {
	w.runUntil(w.length, nil)
}

// recover is the part after the faults: a leader has to come, everybody has to serve, clients have to get
// answers, and then all have to have the same.
func (w *world) recover() {
	if w.check.violation != "" {
		return
	}
	w.trace(nil, "no more faults")
	w.faults.stop()
	begin := w.now
	w.clients.hurry()
	patience := time.Duration(3*w.initLimit) * w.tick
	limit, restarts := begin+2*time.Minute+2*patience, 0
	for until := begin + patience; !w.eventually(until, w.served) && until < limit; until += patience {
		if restarts < 20 && w.restartJavaLeader() {
			restarts++
			limit += 2 * patience
		}
	}
	if w.check.violation == "" && !w.served() {
		w.check.fail("liveness: %v after the last fault: %s", w.now-begin, w.standing())
		return
	}
	w.clients.quiet = true
	if !w.eventually(max(limit, w.now+patience), w.equal) {
		w.check.fail("liveness: %v after the last fault not all servers have the same: %s", w.now-begin, w.standing())
		return
	}
	w.stats.Converged = w.now - begin
	w.trace(nil, "all are equal: %s", w.standing())
}

// restartJavaLeader does what the operator of a leader of Java has to when a server has promised itself to a later epoch,
// and so can't follow: that leader does nothing about it. False when it isn't so.
func (w *world) restartJavaLeader() bool {
	for _, s := range w.servers {
		if s.proc == nil || s.proc.leader == nil || !s.java {
			continue
		}
		epoch := s.disk.live.currentEpoch
		if slices.ContainsFunc(w.servers, func(o *server) bool { return o.disk.live.acceptedEpoch > epoch }) {
			s.proc.crash(crashKill, "restarted by its operator")
			return true
		}
	}
	return false
}

// eventually looks every 50 ms whether something has come true.
func (w *world) eventually(limit time.Duration, what func() bool) bool {
	for next := w.now; w.check.violation == ""; next += 50 * time.Millisecond {
		if next > limit {
			return false
		}
		w.runUntil(next, nil)
		w.now = max(w.now, next)
		if what() {
			return true
		}
	}
	return true // the violation is reported as it is
}

// served reports if all servers serve, under one leader, and every client has had an answer since.
func (w *world) served() bool {
	leaders := 0
	for _, s := range w.servers {
		if s.proc == nil || !s.proc.serving {
			return false
		}
		if s.proc.leader != nil {
			leaders++
		}
	}
	for _, cl := range w.clients.all {
		if cl.replies == 0 {
			return false
		}
	}
	return leaders == 1
}

// equal reports if every log and every tree ends where the history does.
func (w *world) equal() bool {
	for _, s := range w.servers {
		m := &s.disk.durable
		if s.proc == nil || !s.proc.serving || m.lastLogged() != w.check.last() || s.disk.live.state != w.check.tree(w.check.last()) {
			return false
		}
	}
	return true
}

// standing tells where everybody is.
func (w *world) standing() string {
	text := fmt.Sprintf("committed %v", w.check.last())
	for _, s := range w.servers {
		what := "down"
		if p := s.proc; p != nil {
			what = p.standing()
		}
		m := &s.disk.live
		text += fmt.Sprintf("; %v %s, log %v..%v, applied %v, epochs %d/%d", s, what, m.completeFrom, m.lastLogged(), m.state.applied, m.acceptedEpoch, m.currentEpoch)
		if m.lost {
			text += ", memory lost"
		}
	}
	return text
}
