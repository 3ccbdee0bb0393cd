package persistence

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// SpaceLevel says how much room the disks have left: the worse of the two.
type SpaceLevel int32

const (
	// SpaceEnough is the ordinary case.
	SpaceEnough SpaceLevel = iota
	// SpaceTight is less than twice the low-water mark: the log is purged as far as it goes.
	SpaceTight
	// SpaceLow is below the mark: no new writes.
	SpaceLow
	// SpaceCritical is below a quarter of the mark with the ballast spent: nothing more is begun that
	// writes, new sessions neither.
	SpaceCritical
)

func (l SpaceLevel) String() string { return [...]string{"enough", "tight", "low", "critical"}[l] }

// DiskUsage is the room on the disk of a folder, in bytes.
type DiskUsage struct {
	Free  int64 // for this process: without what is reserved for the superuser
	Total int64
}

// SpaceOptions are the settings of OpenSpace.
type SpaceOptions struct {
	// Dirs are dataDir and dataLogDir; the same folder is looked at once.
	Dirs []string
	// FS holds the ballast files and is asked for the usage; nil means the machine's.
	FS vfs.FS
	// Usage is asked in place of FS, if set.
	Usage func(dir string) (DiskUsage, error)
	// LowWaterBytes is the mark; negative: 2 % of the disk, at least 48 MiB and at most 1 GiB; 0: disks
	// are not watched.
	LowWaterBytes int64
	// BallastBytes is the size of the ballast file of each folder; negative: a quarter of the mark, at
	// least 16 MiB and at most 256 MiB; 0: none.
	BallastBytes int64
	// Logger is told of every change; nil means silence.
	Logger *slog.Logger
}

const (
	// lowWaterMin leaves a server that is killed when it has just begun to refuse writes the room for its start: all
	// memtables of the log become tables then.
	lowWaterMin, lowWaterMax = 16<<20 + memtablesMax*logMemtableBytes, 1 << 30
	ballastMin, ballastMax   = 16 << 20, 256 << 20

	// startBytes is what opening both stores may need for a moment: the write-ahead logs become tables.
	startBytes = 128 << 20

	// ballastName is the file whose only use is to be there until room is needed.
	ballastName = "zk-ballast"

	// spacePoll is the time between two looks at the disks when nothing is written.
	spacePoll = time.Second
)

// Space watches the free space of both disks. Running out of it inside a write of the log is final, so
// the server stops taking writes at a low-water mark before; and a ballast file is kept on each disk for
// the case that somebody else fills it: given up, it lets purge, flush and the ends of sessions finish.
//
// The mark has a hysteresis: a disk is low from the mark down, and no longer low when a quarter more is
// free and the ballast has its place again. One goroutine, from Start to Close, looks once a second and
// whenever an eighth of the mark was written.
type Space struct {
	o      SpaceOptions
	fs     vfs.FS
	logger *slog.Logger

	mu    sync.Mutex
	disks []*disk // guarded by mu

	stateMu sync.Mutex // before mu, and held while state is asked: a state that was replaced is closed after Follow
	state   *State     // whose compactions are held when they lack room; guarded by stateMu

	level   atomic.Int32
	step    atomic.Int64 // bytes written that are worth a look
	written atomic.Int64 // bytes written since the last look
	wake    chan struct{}
	stop    chan struct{}
	done    chan struct{}
	started bool
	once    sync.Once
}

// disk is one folder that is watched. All fields are guarded by Space.mu.
type disk struct {
	dir      string
	usage    DiskUsage // free without what is promised
	promised int64     // to the compaction under way
	mark     int64
	ballast  int64 // wanted
	held     int64 // in the ballast file
	owed     int64 // of a ballast that was given up
	noRoom   bool  // a ballast could not be made; said once
	failing  bool  // usage is not known; said once
	low      bool
	level    SpaceLevel
}

// OpenSpace looks at the disks for the first time: before the stores are opened, which needs room itself.
// It gives up the ballast for that if it must, but makes no file.
func OpenSpace(o SpaceOptions) *Space {
	s := &Space{
		o: o, fs: orDefaultFS(o.FS), logger: orDiscard(o.Logger),
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	if s.o.Usage == nil {
		s.o.Usage = s.fsUsage
	}
	if o.LowWaterBytes == 0 {
		return s
	}
	for _, dir := range o.Dirs {
		if dir == "" || len(s.disks) > 0 && s.disks[0].dir == dir {
			continue
		}
		d := &disk{dir: dir}
		d.held, d.owed = s.readBallast(dir)
		d.low = d.owed > 0
		s.disks = append(s.disks, d)
	}
	s.look(true)
	return s
}

// fsUsage asks the file system; a folder that is still to be made is on the disk of its parent.
func (s *Space) fsUsage(dir string) (DiskUsage, error) {
	for {
		u, err := s.fs.GetDiskUsage(dir)
		if err == nil {
			return DiskUsage{Free: int64(u.AvailBytes), Total: int64(u.TotalBytes)}, nil
		}
		up := s.fs.PathDir(dir)
		if _, serr := s.fs.Stat(dir); serr == nil || up == dir {
			return DiskUsage{}, err
		}
		dir = up
	}
}

// Mark is the smaller of the marks; 0 when no disk is watched.
func (s *Space) Mark() (mark int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.disks {
		if d.mark > 0 && (mark == 0 || d.mark < mark) {
			mark = d.mark
		}
	}
	return mark
}

// Total is the size of the smaller disk; 0 when no disk is watched.
func (s *Space) Total() (total int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.disks {
		if d.usage.Total > 0 && (total == 0 || d.usage.Total < total) {
			total = d.usage.Total
		}
	}
	return total
}

// Free is the free space of the disk of a folder at the last look, without what a compaction under way may still
// take; ok is false when it is not known.
func (s *Space) Free(dir string) (bytes int64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.disks {
		if d.dir == dir && d.mark > 0 {
			return d.usage.Free, true
		}
	}
	return 0, false
}

// Level is the level at the last look. Safe everywhere; it costs an atomic read.
func (s *Space) Level() SpaceLevel { return SpaceLevel(s.level.Load()) }

// Look looks at the disks now, for one who is about to write much. It does not tell Start's onLook.
func (s *Space) Look() SpaceLevel { return s.look(false) }

// Wrote counts bytes that went to the disks, so that a fast writer does not get past the mark between two
// looks. It does not block.
func (s *Space) Wrote(bytes int) {
	step := s.step.Load()
	if step > 0 && s.written.Add(int64(bytes)) >= step {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// Start makes the ballast and begins to watch. state, if not nil, is the store in the first of the folders: its
// compactions begin only when there is room for them. onLook is called after every look, on the watching
// goroutine; it must not block for long. The first call is done when Start returns.
func (s *Space) Start(state *State, onLook func(SpaceLevel)) {
	s.started = true
	s.Follow(state)
	onLook(s.look(false))
	go s.run(onLook) // ended by Close
}

// Follow names the store whose compactions are held from now on, in place of the one before.
func (s *Space) Follow(state *State) {
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	s.state = state
}

// Close ends the watching and waits for a call of onLook under way.
func (s *Space) Close() {
	s.once.Do(func() { close(s.stop) })
	if s.started {
		<-s.done
	}
}

func (s *Space) run(onLook func(SpaceLevel)) {
	defer close(s.done)
	tick := time.NewTicker(spacePoll)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-s.wake:
		case <-tick.C:
		}
		onLook(s.look(false))
	}
}

// look looks at all disks.
func (s *Space) look(starting bool) SpaceLevel {
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	var need, running int64
	if s.state != nil { // before mu: Release may be called under Pebble's locks
		need, running = s.state.compactionNeed()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written.Store(0)
	worst := SpaceEnough
	var step int64
	for i, d := range s.disks {
		d.promised = 0
		if i == 0 {
			d.promised = running
		}
		s.lookAt(d, starting)
		if i == 0 && s.state != nil {
			s.state.held.Store(d.mark > 0 && d.usage.Free < need+d.mark/4)
		}
		worst = max(worst, d.level)
		if d.mark > 0 && (step == 0 || d.mark/8 < step) {
			step = d.mark / 8
		}
	}
	s.step.Store(step)
	s.level.Store(int32(worst))
	return worst
}

// lookAt looks at one disk; mu is held.
func (s *Space) lookAt(d *disk, starting bool) {
	if !s.measure(d) {
		return
	}
	before := d.level
	if _, err := s.fs.Stat(s.fs.PathJoin(d.dir, ballastName)); d.held > 0 && errors.Is(err, os.ErrNotExist) {
		d.held = 0 // deleted by hand
	}
	if d.low {
		d.low = d.usage.Free < d.enough()
	} else {
		d.low = d.usage.Free < d.mark
	}
	need := d.mark / 4
	if starting {
		need = min(d.mark, startBytes)
	}
	if d.low && d.usage.Free < need && d.held > 0 {
		s.releaseBallast(d)
		if !s.measure(d) {
			return
		}
	}
	if !d.low && !starting && s.makeBallast(d) && !s.measure(d) {
		return
	}
	critical := d.mark / 4
	if before == SpaceCritical {
		critical = d.mark / 2
	}
	switch {
	case d.low && d.usage.Free < critical:
		d.level = SpaceCritical
	case d.low:
		d.level = SpaceLow
	case d.usage.Free < 2*d.mark:
		d.level = SpaceTight
	default:
		d.level = SpaceEnough
	}
	s.report(d, before)
}

// enough is how much must be free before a disk that was low is not low any more.
func (d *disk) enough() int64 { return d.mark + d.mark/4 + d.owed }

// measure asks for the usage and works out mark and ballast.
func (s *Space) measure(d *disk) bool {
	u, err := s.o.Usage(d.dir)
	if err != nil {
		if !d.failing {
			s.logger.Warn("free disk space is not known, the low-water mark does not work", "dir", d.dir, "err", err)
		}
		d.failing = true
		return false
	}
	d.failing = false
	u.Free -= d.promised
	d.usage = u
	d.mark = s.o.LowWaterBytes
	if d.mark < 0 {
		d.mark = min(max(u.Total/50, lowWaterMin), lowWaterMax)
	}
	d.ballast = s.o.BallastBytes
	if d.ballast < 0 {
		d.ballast = min(max(d.mark/4, ballastMin), ballastMax)
	}
	return true
}

// report tells of a change.
func (s *Space) report(d *disk, before SpaceLevel) {
	if d.level == before {
		return
	}
	attrs := []any{"dir", d.dir, "free_bytes", d.usage.Free, "mark_bytes", d.mark}
	switch {
	case d.level >= SpaceLow:
		s.logger.Error("disk space is "+d.level.String()+": writes are refused until more is free",
			append(attrs, "free_up_bytes", d.enough()-d.usage.Free)...)
	case before >= SpaceLow:
		s.logger.Info("disk space is back: writes are taken again", attrs...)
	case d.level == SpaceTight:
		s.logger.Warn("disk space is tight: the log is purged as far as possible", attrs...)
	default:
		s.logger.Info("disk space is no longer tight", attrs...)
	}
}

// Release gives up the ballast of every disk that is below its mark. It is for vfs.OnDiskFull: the write that found
// no room is tried again then.
func (s *Space) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.disks {
		if d.held > 0 && s.measure(d) && d.usage.Free < d.mark {
			s.releaseBallast(d)
			d.low = true
		}
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// The ballast file says in its first line whether it is whole, so that a start knows a ballast given up
// from one that never had room.
const ballastText = "This file only takes up room; the server gives it up when the disk is full. It may be deleted to make room by hand.\n"

func ballastHeader(word string, bytes int64) string {
	return fmt.Sprintf("%s %d\n%s", word, bytes, ballastText)
}

// readBallast tells what the file of an earlier run holds, and what it owes.
func (s *Space) readBallast(dir string) (held, owed int64) {
	b, err := readWhole(s.fs, s.fs.PathJoin(dir, ballastName))
	if err != nil {
		return 0, 0
	}
	line, _, _ := strings.Cut(string(b[:min(len(b), 64)]), "\n")
	var n int64
	if _, err := fmt.Sscanf(line, "whole %d", &n); err == nil && n > 0 {
		return n, 0
	}
	if _, err := fmt.Sscanf(line, "spent %d", &n); err == nil && n > 0 {
		return 0, n
	}
	return 0, 0
}

// makeBallast takes the room for the ballast, when so much is there that the mark stays clear of it.
func (s *Space) makeBallast(d *disk) (made bool) {
	if d.held == d.ballast || d.ballast == 0 {
		return false
	}
	if d.usage.Free-(d.ballast-d.held) < d.mark+d.mark/4 {
		if !d.noRoom {
			s.logger.Warn("no room for a ballast file", "dir", d.dir, "free_bytes", d.usage.Free, "mark_bytes", d.mark, "ballast_bytes", d.ballast)
		}
		d.noRoom = true
		return false
	}
	if err := s.writeBallast(d.dir, ballastHeader("whole", d.ballast), d.ballast); err != nil {
		if !d.noRoom {
			s.logger.Warn("ballast file not made", "dir", d.dir, "err", err)
		}
		d.noRoom = true
		d.held = 0
		if d.owed > 0 {
			err = s.writeBallast(d.dir, ballastHeader("spent", d.owed), 0)
		} else {
			err = s.fs.Remove(s.fs.PathJoin(d.dir, ballastName))
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			s.logger.Warn("ballast file not cleared away", "dir", d.dir, "err", err)
		}
		return false
	}
	d.held, d.owed, d.noRoom = d.ballast, 0, false
	return true
}

// releaseBallast gives the room back.
func (s *Space) releaseBallast(d *disk) {
	s.logger.Warn("ballast file given up", "dir", d.dir, "free_bytes", d.usage.Free, "ballast_bytes", d.held)
	d.owed, d.held = d.held, 0
	if err := s.writeBallast(d.dir, ballastHeader("spent", d.owed), 0); err != nil {
		s.logger.Warn("ballast file not rewritten", "dir", d.dir, "err", err) // its room is free nevertheless
	}
}

// writeBallast replaces the file: the old one's room is free first.
func (s *Space) writeBallast(dir, header string, bytes int64) error {
	f, err := s.fs.Create(s.fs.PathJoin(dir, ballastName), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if bytes > 0 {
		err = f.Preallocate(0, bytes)
	}
	if err == nil {
		_, err = f.Write([]byte(header))
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
