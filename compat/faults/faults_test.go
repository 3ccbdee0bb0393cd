package faults

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"zk/compat/harness"
)

// fault is something that happens to an ensemble that is whole. Run waits until it has had its effect and undoes it;
// that the ensemble is whole again is awaited behind it.
type fault struct {
	name string
	run  func(*rig, *round) error
	// lingers is set when a leader may believe in its office for a while though it has been replaced.
	lingers bool
	// network and disks say what it needs.
	network, disks bool
	// voters is how many the ensemble must have.
	voters int
}

// possible leaves out what this machine, or this ensemble, can't have, and what is not wanted.
func (r *rig) possible(all []fault) (list []fault) {
	for _, f := range all {
		wanted := strings.Contains(f.name, os.Getenv(onlyEnv))
		if wanted && (!f.network || r.net != nil) && (!f.disks || r.disks != nil) && r.voters >= f.voters {
			list = append(list, f)
		}
	}
	return list
}

// processes are the faults of processes and data, which need nothing of the machine.
func processes() []fault {
	return []fault{
		{name: "kill -9 of the leader", run: killLeader},
		{name: "kill -9 of a follower", run: killFollower},
		{name: "kill -9 of all", run: killAll},
		{name: "SIGTERM to all", run: stopAll},
		{name: "the leader stopped (SIGSTOP)", run: freezeLeader, lingers: true},
		{name: "a follower stopped (SIGSTOP)", run: freezeFollower, lingers: true},
		{name: "a byte flipped in a log", run: func(r *rig, d *round) error { return damage(r, d, "zk-log") }},
		{name: "a byte flipped in a state", run: func(r *rig, d *round) error { return damage(r, d, "zk-state-*") }},
		{name: "a folder wiped", run: wipe},
	}
}

// partitions are the faults of the network. A server that is cut off may lead, or follow a leader that is.
func partitions() []fault {
	list := []fault{
		{name: "the leader cut off from servers", run: partLeader},
		{name: "the leader cut off from servers and clients", run: isolateLeader},
		{name: "a follower cut off", run: partFollower},
		{name: "nothing from the leader arrives", run: muteLeader},
		{name: "nothing arrives at the leader", run: deafLeader},
		{name: "one way cut at a follower", run: oneWayFollower},
		{name: "clients cut off from a server", run: cutClients},
		{name: "a flapping network", run: flap},
		{name: "leader and a follower cut off together", run: partMinorityWithLeader, voters: 5},
		{name: "two followers cut off together", run: partMinority, voters: 5},
		{name: "two halves and one server that reaches both", run: partBridge, voters: 5},
	}
	for i := range list {
		list[i].network, list[i].lingers = true, true
	}
	return list
}

// diskFaults are those of a server's disk.
func diskFaults() []fault {
	return []fault{
		{name: "a full disk", run: fullDisk, disks: true},
		{name: "failed syncs", run: failedDisk, disks: true},
	}
}

func killLeader(r *rig, d *round) error {
	l := r.leader()
	l.Kill()
	d.succeeded(r.epoch)
	return l.Launch()
}

func killFollower(r *rig, d *round) error {
	f := r.follower()
	f.Kill()
	d.progress(spell)
	return f.Launch()
}

func killAll(r *rig, _ *round) error {
	for _, s := range r.e.Servers {
		s.Kill()
	}
	r.launch(r.e.Servers...)
	return nil
}

func stopAll(r *rig, _ *round) error {
	errs := make(chan error)
	for _, s := range r.e.Servers {
		go func() { errs <- s.Stop() }() // ends with the server
	}
	var err error
	for range r.e.Servers {
		if failed := <-errs; failed != nil {
			err = failed
		}
	}
	if err == nil {
		r.launch(r.e.Servers...)
	}
	return err
}

func freezeLeader(r *rig, d *round) error {
	l := r.leader()
	defer l.Thaw()
	if err := l.Freeze(); err != nil {
		return err
	}
	d.succeeded(r.epoch)
	return nil
}

func freezeFollower(r *rig, d *round) error {
	f := r.follower()
	defer f.Thaw()
	if err := f.Freeze(); err != nil {
		return err
	}
	d.progress(spell)
	return nil
}

// damage flips a byte of one of a server's files.
func damage(r *rig, d *round, folder string) error {
	s := r.voter()
	s.Kill()
	d.progress(spell)
	dirs, err := filepath.Glob(filepath.Join(s.DataDir(), folder))
	if err != nil || len(dirs) == 0 {
		return fmt.Errorf("%s: no folder %s, %v", server(s), folder, err)
	}
	var files []string
	for _, dir := range dirs {
		if err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() {
				if info, err := e.Info(); err == nil && info.Size() > 0 {
					files = append(files, path)
				}
			}
			return err
		}); err != nil {
			return err
		}
	}
	path := files[r.rng.IntN(len(files))]
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	at := r.rng.IntN(len(b))
	b[at] ^= 1 << r.rng.IntN(8)
	if err := os.WriteFile(path, b, 0o644); err != nil {
		return err
	}
	r.t.Logf("byte %d of %d in %s of %s", at, len(b), filepath.Base(path), server(s))
	before := r.rejoin
	r.damaged = s
	err = r.comeBack(s)
	r.damaged = nil
	if err != nil || r.rejoin > before {
		return err
	}
	// It was not met, and is taken away, so that it is not met in the middle of another fault.
	d.progress(spell)
	s.Kill()
	if err := s.Wipe(); err != nil {
		return err
	}
	return s.Launch()
}

func wipe(r *rig, d *round) error {
	s := r.voter()
	s.Kill()
	d.progress(spell)
	if err := s.Wipe(); err != nil {
		return err
	}
	return r.comeBack(s)
}

// comeBack starts a server whose data may be gone, and waits until it has everything again.
func (r *rig) comeBack(s *harness.Server) error {
	const said = "takes part without a vote"
	before := strings.Count(s.Log(1<<20), said)
	if err := s.Launch(); err != nil {
		return err
	}
	r.settle()
	if strings.Count(s.Log(1<<20), said) > before {
		r.rejoin++
	}
	return nil
}

// others are all servers but some.
func (r *rig) others(but ...*harness.Server) []int { return ids(r.e.Others(but...)...) }

func partLeader(r *rig, d *round) error { return partFrom(r, d, r.leader()) }

// isolateLeader keeps clients away from the leader, too.
func isolateLeader(r *rig, d *round) error {
	l := r.leader()
	if err := r.net.Cut(0, l.ID()); err != nil {
		return err
	}
	return partFrom(r, d, l)
}

func partFrom(r *rig, d *round, l *harness.Server) error {
	if err := r.net.Part(ids(l), r.others(l)); err != nil {
		return err
	}
	d.succeeded(r.epoch)
	return r.net.Heal()
}

func partFollower(r *rig, d *round) error {
	f := r.follower()
	if err := r.net.Part(ids(f), r.others(f)); err != nil {
		return err
	}
	d.progress(2 * spell)
	return r.net.Heal()
}

func muteLeader(r *rig, d *round) error {
	l := r.leader()
	for _, id := range r.others(l) {
		if err := r.net.Cut(l.ID(), id); err != nil {
			return err
		}
	}
	d.succeeded(r.epoch)
	return r.net.Heal()
}

func deafLeader(r *rig, d *round) error {
	l := r.leader()
	for _, id := range r.others(l) {
		if err := r.net.Cut(id, l.ID()); err != nil {
			return err
		}
	}
	d.succeeded(r.epoch)
	return r.net.Heal()
}

func oneWayFollower(r *rig, d *round) error {
	f := r.follower()
	in := r.rng.IntN(2) == 0
	for _, id := range r.others(f) {
		from, to := f.ID(), id
		if in {
			from, to = to, from
		}
		if err := r.net.Cut(from, to); err != nil {
			return err
		}
	}
	d.progress(2 * spell)
	return r.net.Heal()
}

func cutClients(r *rig, d *round) error {
	if err := r.net.Cut(0, r.voter().ID()); err != nil {
		return err
	}
	d.progress(2 * spell)
	return r.net.Heal()
}

func flap(r *rig, d *round) error {
	for range 4 + r.rng.IntN(4) {
		s := r.e.Servers[r.rng.IntN(r.voters)]
		if err := r.net.Part(ids(s), r.others(s)); err != nil {
			return err
		}
		d.hold()
		if err := r.net.Heal(); err != nil {
			return err
		}
		d.hold()
	}
	return nil
}

func partMinorityWithLeader(r *rig, d *round) error {
	l, f := r.leader(), r.follower()
	if err := r.net.Part(ids(l, f), r.others(l, f)); err != nil {
		return err
	}
	d.succeeded(r.epoch)
	return r.net.Heal()
}

func partMinority(r *rig, d *round) error {
	l := r.leader()
	f := r.follower()
	g := r.e.Others(l, f)[0]
	if err := r.net.Part(ids(f, g), r.others(f, g)); err != nil {
		return err
	}
	d.progress(2 * spell)
	return r.net.Heal()
}

// partBridge leaves one voter that reaches both halves, which don't reach each other.
func partBridge(r *rig, d *round) error {
	order := r.rng.Perm(r.voters)
	half := (r.voters - 1) / 2
	var groups [2][]int
	for i, k := range order[1:] {
		groups[i/half%2] = append(groups[i/half%2], r.e.Servers[k].ID())
	}
	for _, o := range r.e.Servers[r.voters:] {
		groups[1] = append(groups[1], o.ID())
	}
	if err := r.net.Part(groups[0], groups[1]); err != nil {
		return err
	}
	d.progress(2 * spell)
	return r.net.Heal()
}

// fullDisk fills a server's disk. It refuses its clients' writes or ends; the others go on.
func fullDisk(r *rig, d *round) error {
	s := r.voter()
	remove, err := harness.FillDisk(s.Dir, int64(r.rng.IntN(2))<<20)
	if err != nil {
		return err
	}
	d.progress(2 * spell)
	if err := remove(); err != nil {
		return err
	}
	if code, err := s.Wait(0); err == nil {
		if log := s.Log(8 << 10); code != 1 || !strings.Contains(log, "no space left on device") {
			return fmt.Errorf("%s on a full disk has ended with code %d:\n%s", server(s), code, log)
		}
		return s.Launch()
	}
	r.await("a disk with room again", func() bool { return s.Figure("disk_space_level") == "0" })
	return nil
}

// failedDisk makes a server's syncs fail: it has to end, and to have lost nothing that it acknowledged.
func failedDisk(r *rig, d *round) error {
	s := r.voter()
	disk := r.disk(s)
	if err := disk.Fail(); err != nil {
		return err
	}
	code, err := s.Wait(patience)
	if err != nil {
		return err
	}
	if log := s.Log(8 << 10); code != 1 || !strings.Contains(log, "input/output error") {
		return fmt.Errorf("%s on a disk that fails has ended with code %d:\n%s", server(s), code, log)
	}
	d.progress(spell)
	if err := disk.Replace(); err != nil {
		return err
	}
	return s.Launch()
}
