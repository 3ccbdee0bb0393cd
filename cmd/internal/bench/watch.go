package bench

import (
	"context"
	"sync/atomic"

	"zk/cmd/internal/client"
	"zk/jute"
)

// gate lets one goroutine wait until all of a number have arrived, again and again.
type gate struct {
	size    int64
	arrived atomic.Int64
	all     chan struct{} // capacity 1
}

func newGate(size int) *gate { return &gate{size: int64(size), all: make(chan struct{}, 1)} }

func (g *gate) arrive() {
	if g.arrived.Add(1) == g.size {
		g.arrived.Store(0)
		g.all <- struct{}{}
	}
}

// fanout is the watch load: one change, told to all sessions, in rounds.
type fanout struct {
	path       string
	registered *gate
	told       *gate
	changed    atomic.Int64 // when the change of this round was sent
}

// watches registers a watch and waits for its event until the load ends. All sessions do the same number
// of rounds: the last begins with the change that the writer makes after the end.
func (s *session) watches(f *fanout) error {
	for {
		b, at := s.begin(nil, jute.OpGetData)
		q := jute.PathWatchRequest{Path: f.path, Watch: true}
		if err := s.send(end(q.Append(b), at)); err != nil {
			return err
		}
		if _, err := s.answer(); err != nil {
			return err
		}
		f.registered.arrive()
		for {
			h, err := s.reply()
			if err != nil {
				return err
			}
			if h.Xid == jute.XidNotification {
				break
			}
		}
		last := s.run.ended.Load()
		s.run.done(sent{f.changed.Load(), write}, s.run.now(), jute.CodeOk)
		f.told.arrive()
		if last {
			return nil
		}
	}
}

// change changes the znode whenever all sessions watch it. It returns after the round that began when the
// load had ended, or when a session is lost.
func (r *run) change(ctx context.Context, c *client.Client, f *fanout) error {
	for {
		select {
		case <-f.registered.all:
		case <-ctx.Done():
			return ctx.Err()
		}
		last := !r.more()
		if last {
			r.ended.Store(true)
		}
		began := r.now()
		f.changed.Store(began)
		if _, err := c.SetData(ctx, f.path, r.value(), -1); err != nil {
			return err
		}
		select {
		case <-f.told.all:
		case <-ctx.Done():
			return ctx.Err()
		}
		if now := r.now(); r.measured(began) {
			r.rounds.add(now - began)
		}
		if last {
			return nil
		}
	}
}
