package bench

import (
	"context"
	"fmt"
	"time"

	"zk/jute"
)

// sent is a request without a reply.
type sent struct {
	at   int64 // nanoseconds on the run's clock: when it was sent, or due
	kind kind
}

// closed keeps the session's requests in flight until the load ends.
func (s *session) closed() error {
	ring := make([]sent, max(s.run.spec.InFlight, 1))
	head, count := 0, 0
	var out []byte
	now := s.run.now()
	for {
		for count < len(ring) && len(out) < flushBytes && s.run.more() {
			var k kind
			out, k = s.next(out)
			ring[(head+count)%len(ring)] = sent{now, k}
			count++
		}
		if len(out) > 0 {
			if err := s.send(out); err != nil {
				return err
			}
			out = out[:0]
		}
		if count == 0 {
			return nil
		}
		for first := true; count > 0 && (first || s.buffered()); first = false {
			h, err := s.answer()
			if err != nil {
				return err
			}
			if first {
				now = s.run.now()
			}
			s.run.done(ring[head], now, h.Err)
			head = (head + 1) % len(ring)
			count--
		}
	}
}

// open sends requests when they are due. A second goroutine reads the replies: it has the reader, this one
// the rest.
func (s *session) open(ctx context.Context) error {
	spec := s.run.spec
	room := spec.InFlight
	if room == 0 {
		room = openInFlight
	}
	queue := make(chan sent, room)
	failed := make(chan error, 1)
	go func() { // ends when queue is closed and empty, or at an error
		failed <- s.collect(queue)
	}()
	interval := float64(spec.Sessions) / spec.Rate * float64(time.Second)
	first := float64(s.run.now()) + interval*float64(s.index)/float64(spec.Sessions)
	var out []byte
	var err error
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i := 0; err == nil && s.run.more(); i++ {
		due := int64(first + interval*float64(i))
		if wait := due - s.run.now(); wait > 0 {
			if err = s.flush(&out); err != nil {
				break
			}
			timer.Reset(time.Duration(wait))
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
		}
		var k kind
		out, k = s.next(out)
		select {
		case queue <- sent{due, k}:
		default: // no room: what is written must not wait for what is not
			if err = s.flush(&out); err == nil {
				select {
				case queue <- sent{due, k}:
				case err = <-failed:
					return err
				}
			}
		}
		if len(out) >= flushBytes {
			err = s.flush(&out)
		}
	}
	if err == nil {
		err = s.flush(&out)
	}
	close(queue)
	if err != nil {
		_ = s.nc.Close() // the reader ends
		<-failed
		return err
	}
	return <-failed
}

func (s *session) flush(out *[]byte) error {
	if len(*out) == 0 {
		return nil
	}
	err := s.send(*out)
	*out = (*out)[:0]
	return err
}

// collect reads the replies of an open load.
func (s *session) collect(queue <-chan sent) error {
	var now int64
	for q := range queue {
		fresh := !s.buffered()
		h, err := s.answer()
		if err != nil {
			return err
		}
		if fresh {
			now = s.run.now()
		}
		s.run.done(q, max(now, q.at), h.Err)
	}
	return nil
}

// connects opens and closes sessions until the load ends.
func (r *run) connects(ctx context.Context, index int) error {
	for r.more() {
		began := r.now()
		s, err := r.dial(ctx, index)
		if err != nil {
			return err
		}
		if err := s.bye(); err != nil {
			return err
		}
		r.done(sent{began, write}, r.now(), jute.CodeOk)
	}
	return nil
}

// pings keeps an idle session alive until the load ends.
func (s *session) pings(ctx context.Context) error {
	interval := s.run.spec.SessionTimeout / 3
	timer := time.NewTimer(time.Duration(s.rng.Int64N(int64(interval)) + 1)) // spread evenly
	defer timer.Stop()
	h := jute.RequestHeader{Xid: jute.XidPing, Type: jute.OpPing}
	ping := end(h.Append(make([]byte, 4)), 0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		began := s.run.now()
		if err := s.send(ping); err != nil {
			return err
		}
		reply, err := s.reply()
		if err != nil {
			return err
		}
		if reply.Xid != jute.XidPing {
			return fmt.Errorf("bench: reply %d to a ping", reply.Xid)
		}
		s.run.done(sent{began, read}, s.run.now(), reply.Err)
		timer.Reset(interval)
	}
}
