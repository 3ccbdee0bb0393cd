package embed

import (
	"context"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/persistence"
	"zk/persistence/slowcall"
	"zk/quorum"
	"zk/server"
)

// Room below the mark is what has to last for all that was taken before. So on small disks less may be
// on its way: the mark's share for entries that wait for the log, and for changes that wait for the
// state store, which gathers up to four times its limit.
const (
	queueShare, queueBytesMin   = 4, 4 << 20
	freezeShare, freezeBytesMin = 16, 1 << 20
	// logShare of a disk is what the log may keep for comfort.
	logShare = 4
	// squeezeBytesMin is what a purge for the sake of space must promise to free.
	squeezeBytesMin = 1 << 20
)

// openSpace looks at the disks before the stores are opened.
func (n *Node) openSpace() {
	if n.deps.FS == nil {
		n.deps.FS = slowcall.Disk((&holder{used: processorTime}).hold)
	}
	n.space = persistence.OpenSpace(persistence.SpaceOptions{
		Dirs: []string{n.cfg.DataDir, n.cfg.DataLogDir}, FS: n.deps.FS, Usage: n.deps.DiskUsage,
		LowWaterBytes: n.cfg.DiskLowWaterBytes, BallastBytes: n.cfg.DiskBallastBytes, Logger: n.log,
	})
	mark := n.space.Mark()
	if mark == 0 {
		return
	}
	l := &n.deps.LogOptions
	if l.QueueBytesMax == 0 {
		l.QueueBytesMax = int(min(max(mark/queueShare, queueBytesMin), persistence.DefaultQueueBytesMax))
	}
	f := &n.deps.NodeLimits.FreezeBytes
	*f = min(*f, int(max(mark/freezeShare, freezeBytesMin)))
	n.deps.FS = vfs.OnDiskFull(n.deps.FS, n.space.Release)
}

// retention is what the log keeps: what the settings say, and no more than a share of the disk.
func (n *Node) retention() persistence.Retention {
	return persistence.Retention{SnapCount: n.cfg.SnapCount, CommitLogCount: n.cfg.CommitLogCount, BytesMax: n.space.Total() / logShare}
}

// watchSpace begins to act on the room there is.
func (n *Node) watchSpace(ctx context.Context) {
	n.space.Start(n.stores.State, n.onSpace)
	if n.space.Mark() > 0 {
		m := n.met
		m.DiskSpaceLevel.Set(func() int64 { return int64(n.space.Level()) })
		m.DiskLowWaterBytes.Set(n.space.Mark)
		free := func(dir string) func() int64 {
			return func() int64 {
				bytes, _ := n.space.Free(dir)
				return bytes
			}
		}
		m.DiskDataFreeBytes.Set(free(n.cfg.DataDir))
		m.DiskLogFreeBytes.Set(free(n.cfg.DataLogDir))
		if n.peer != nil {
			m.DiskOutOfQuorum.Set(func() int64 {
				if n.peer.Status().Aside {
					return 1
				}
				return 0
			})
		}
	}
	n.work.Add(1)
	go func() { // ends at Close
		defer n.work.Done()
		for {
			select {
			case <-ctx.Done():
				return
			case <-n.squeeze:
				n.squeezeLog()
			}
		}
	}()
}

// onSpace takes or refuses writes by the room there is. Called by Space. A member of an ensemble leaves it instead,
// unless that can't do without it.
func (n *Node) onSpace(level persistence.SpaceLevel) {
	limits := limitsAt(level)
	if n.peer != nil && !n.peer.SetRoom(n.room(level)) {
		limits = server.TakeAll // nobody is served, or not for long: -119 would be the wrong word for that
	}
	n.server.SetLimits(limits)
	if level >= persistence.SpaceTight {
		select {
		case n.squeeze <- struct{}{}:
		default:
		}
	}
}

func limitsAt(level persistence.SpaceLevel) server.Limits {
	switch level {
	case persistence.SpaceLow:
		return server.RefuseWrites
	case persistence.SpaceCritical:
		return server.RefuseSessions
	}
	return server.TakeAll
}

// room is what a member of an ensemble may do at a level.
func (n *Node) room(level persistence.SpaceLevel) quorum.Room {
	switch {
	case level >= persistence.SpaceCritical || n.tooSmall.now(n.freeForState()):
		return quorum.RoomNone
	case level >= persistence.SpaceLow:
		return quorum.RoomLow
	}
	return quorum.RoomEnough
}

// freeForState is the room on the disk of the tree at the last look.
func (n *Node) freeForState() int64 {
	free, _ := n.space.Free(n.cfg.DataDir)
	return free
}

// treeTooLarge remembers that a leader's tree did not fit on the disk: it must not be sent again and again.
type treeTooLarge struct {
	mu    sync.Mutex
	need  int64     // free bytes that are worth another try; guarded by mu
	until time.Time // guarded by mu; then it is tried all the same: the tree may have shrunk
}

// treeRetryPause is the time after which a tree that did not fit is asked for again.
const treeRetryPause = 10 * time.Minute

// failed takes note; free is what there was before. It gives the free bytes that are worth another try.
func (t *treeTooLarge) failed(free int64) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.need, t.until = free+free/8+1, time.Now().Add(treeRetryPause)
	return t.need
}

func (t *treeTooLarge) now(free int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return free < t.need && time.Now().Before(t.until)
}

// squeezeLog frees what can be freed of the log: the state is made durable, then the log is not needed for
// it any more.
func (n *Node) squeezeLog() {
	if n.purger == nil || n.purger.Squeezable() < squeezeBytesMin {
		return
	}
	if err := n.nodes.Flush(); err != nil {
		n.fail(err)
		return
	}
	n.purger.Squeeze()
}
