package embed

import (
	"context"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/persistence"
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
	if n.deps.FS == nil {
		n.deps.FS = vfs.Default
	}
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

// onSpace takes or refuses writes by the room there is. Called by Space.
func (n *Node) onSpace(level persistence.SpaceLevel) {
	limits := server.TakeAll
	switch level {
	case persistence.SpaceLow:
		limits = server.RefuseWrites
	case persistence.SpaceCritical:
		limits = server.RefuseSessions
	}
	n.server.SetLimits(limits)
	if level >= persistence.SpaceTight {
		select {
		case n.squeeze <- struct{}{}:
		default:
		}
	}
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
