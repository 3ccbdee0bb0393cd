package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"zk/compat/harness"
)

// event is something that happens to an ensemble, and how long it takes. Each run of it gives the same figures.
type event struct {
	name string
	run  func(ctx context.Context, b *bed, g *group) ([]figure, error)
}

// figure is something measured.
type figure struct {
	Name  string  `json:"name"`
	Unit  string  `json:"unit"`
	Value float64 `json:"value"`
}

func events() []event {
	return []event{{"failover", failover}, {"rejoin-diff", rejoin}, {"join-snap", join}}
}

// eventTimeout bounds one event.
const eventTimeout = 5 * time.Minute

// missed is how many transactions a server misses that comes back by DIFF.
const missed = 5000

// events measures the rows that are no load.
func (b *bed) events(ctx context.Context, todo []event) error {
	for _, e := range todo {
		figures := make([][][]figure, len(b.groups))
		for range b.rounds {
			for i, g := range b.groups {
				f, err := b.event(ctx, e, g)
				if err != nil {
					return fmt.Errorf("%s on %v: %w", e.name, g.kind, err)
				}
				figures[i] = append(figures[i], f)
				if err := b.out.Encode(map[string]any{"row": e.name, "server": g.kind.String(), "figures": f}); err != nil {
					return err
				}
			}
		}
		printEvent(e.name, figures[0], figures[1])
	}
	return nil
}

func (b *bed) event(ctx context.Context, e event, g *group) ([]figure, error) {
	ctx, cancel := context.WithTimeout(ctx, eventTimeout)
	defer cancel()
	for _, s := range g.servers {
		if err := s.AwaitServing(); err != nil {
			return nil, err
		}
	}
	return e.run(ctx, b, g)
}

// fill makes the znodes that a server has when it comes back, once.
func (b *bed) fill(ctx context.Context, g *group) error {
	if g.filled {
		return nil
	}
	g.filled = true
	_, err := g.load(ctx, []string{"--ops", strconv.Itoa(b.znodes), "--duration", "1h", "--in-flight", "64", "--keep", "--root", "/filled", "create"})
	return err
}

// failover kills the leader while one client on each of the others writes, one request at a time.
func failover(ctx context.Context, _ *bed, g *group) ([]figure, error) {
	leader := g.ensemble.Leader()
	others := g.ensemble.Others(leader)
	if err := makeNodes(others); err != nil {
		return nil, err
	}
	writing, stop := context.WithCancel(ctx)
	defer stop()
	killed, written := make(chan struct{}), make(chan time.Time, len(others))
	for _, s := range others {
		go func() { written <- firstWrite(writing, s.Addr, node(s), killed) }() // ends with the first write behind the kill, or with writing
	}
	// What is written before shows that the writers are at work.
	if !pause(ctx, 500*time.Millisecond) {
		return nil, ctx.Err()
	}
	began := time.Now()
	close(killed)
	leader.Kill()
	first := <-written
	stop()
	for range len(others) - 1 {
		<-written
	}
	if first.IsZero() {
		return nil, errors.New("no write after the leader was killed")
	}
	restarted := time.Now()
	if err := leader.Launch(); err != nil {
		return nil, err
	}
	back := firstWrite(ctx, leader.Addr, node(others[0]), killed)
	if back.IsZero() {
		return nil, errors.New("no write on the server that was killed")
	}
	return []figure{
		{"no write succeeds for", "ms", millis(first.Sub(began))},
		{"the killed server writes after", "ms", millis(back.Sub(restarted))},
	}, nil
}

// rejoin kills a follower, has the others write, and starts it again.
func rejoin(ctx context.Context, b *bed, g *group) ([]figure, error) {
	if err := b.fill(ctx, g); err != nil {
		return nil, err
	}
	leader := g.ensemble.Leader()
	follower := g.ensemble.Others(leader)[0]
	before := counted(leader)
	follower.Kill()
	_, err := g.load(ctx, []string{"--ops", strconv.Itoa(missed), "--duration", "1h", "--in-flight", "64", "set"}, g.ensemble.Others(follower)...)
	if err != nil {
		return nil, err
	}
	took, cpu, err := g.comeBack(ctx, follower)
	if err != nil {
		return nil, err
	}
	_, peak, err := follower.RSS()
	after := counted(leader)
	return []figure{
		{"serves after", "s", took.Seconds()},
		{"its processor time until then", "s", cpu.Seconds()},
		{"its memory at most", "MiB", float64(peak >> 20)},
		{"DIFFs", "", after.diffs - before.diffs},
		{"SNAPs", "", after.snaps - before.snaps},
	}, err
}

// join empties a follower and starts it again, under writes at half of the rate that the other servers are
// capable of. The same writes without it are measured before.
func join(ctx context.Context, b *bed, g *group) ([]figure, error) {
	if err := b.fill(ctx, g); err != nil {
		return nil, err
	}
	leader := g.ensemble.Leader()
	follower := g.ensemble.Others(leader)[0]
	others := g.ensemble.Others(follower)
	before := counted(leader)
	follower.Kill()
	if err := follower.Wipe(); err != nil {
		return nil, err
	}
	full, err := g.round(ctx, b.duration, []string{"--in-flight", "16", "set"}, others...)
	if err != nil {
		return nil, err
	}
	paced := []string{"--rate", strconv.Itoa(int(full.OpsPerSec / 2)), "set"}
	alone, err := g.round(ctx, b.duration, paced, others...)
	if err != nil {
		return nil, err
	}
	if err := leader.ResetPeak(); err != nil {
		return nil, err
	}
	load, err := g.background(ctx, paced, others...)
	if err != nil {
		return nil, err
	}
	spent, err := leader.CPU()
	if err != nil {
		return nil, err
	}
	took, cpu, err := g.comeBack(ctx, follower)
	now, cpuErr := leader.CPU()
	rep, loadErr := load.end()
	if err := errors.Join(err, cpuErr, loadErr); err != nil {
		return nil, err
	}
	after := counted(leader)
	_, peak, err := follower.RSS()
	_, leaderPeak, leaderErr := leader.RSS()
	return []figure{
		{"serves after", "s", took.Seconds()},
		{"its processor time until then", "s", cpu.Seconds()},
		{"the leader's meanwhile", "s", (now - spent).Seconds()},
		{"its memory at most", "MiB", float64(peak >> 20)},
		{"the leader's", "MiB", float64(leaderPeak >> 20)},
		{"writes/s asked for", "", full.OpsPerSec / 2},
		{"writes/s without the join", "", alone.OpsPerSec},
		{"writes/s meanwhile", "", rep.OpsPerSec},
		{"p99 without the join", "ms", tail(alone) / 1000},
		{"p99 meanwhile", "ms", tail(rep) / 1000},
		{"writes that failed meanwhile", "", float64(rep.Errors + rep.Lost)},
		{"DIFFs", "", after.diffs - before.diffs},
		{"SNAPs", "", after.snaps - before.snaps},
	}, errors.Join(err, leaderErr)
}

// comeBack starts a server and waits until a client of it has synced and read; it gives the time that took, of
// the clock and of the processors.
func (g *group) comeBack(ctx context.Context, s *harness.Server) (took, cpu time.Duration, err error) {
	began := time.Now()
	if err := s.Launch(); err != nil {
		return 0, 0, err
	}
	for syncAndRead(s) != nil {
		if !pause(ctx, 5*time.Millisecond) {
			return 0, 0, fmt.Errorf("the server does not come back: %w", ctx.Err())
		}
	}
	took = time.Since(began)
	cpu, err = s.CPU()
	return took, cpu, err
}

// syncs are how often a leader has brought a learner up to date.
type syncs struct{ diffs, snaps float64 }

func counted(leader *harness.Server) syncs {
	n := func(name string) float64 {
		v, _ := strconv.ParseFloat(leader.Figure(name), 64) // 0 for none
		return v
	}
	return syncs{n("diff_count"), n("snap_count")}
}

// pause is false when ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
