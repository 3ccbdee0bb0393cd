package quorum

import (
	"errors"
	"fmt"
	"sync"

	"zk/jute"
)

// sendBytesMax is how much may wait to be sent to the leader before Forward waits.
const sendBytesMax = 4 << 20

// sendBuffer gathers packets for the leader; the writer takes all of them at once.
type sendBuffer struct {
	mu     sync.Mutex
	more   sync.Cond // to the writer
	room   sync.Cond // to Forward
	buf    []byte    // guarded by mu
	n      int       // requests in buf; guarded by mu
	closed bool      // guarded by mu
	bursts bursts
}

func (s *sendBuffer) init() { s.more.L, s.room.L = &s.mu, &s.mu }

// add appends a packet; flush has it sent.
func (s *sendBuffer) add(p *jute.QuorumPacket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf = p.Append(s.buf)
}

func (s *sendBuffer) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.buf) > 0 {
		s.more.Signal()
	}
}

// forward appends a REQUEST and has it sent. It waits while too much waits.
func (s *sendBuffer) forward(p *jute.QuorumPacket) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.buf) > sendBytesMax && !s.closed {
		s.room.Wait()
	}
	if s.closed {
		return ErrTermOver
	}
	s.buf = p.Append(s.buf)
	s.n++
	s.more.Signal()
	return nil
}

// take waits for something to send, and exchanges the buffer for an empty one; nil when it is over. It tells how many
// requests there are.
func (s *sendBuffer) take(empty []byte) (full []byte, requests int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.buf) == 0 && !s.closed {
		s.more.Wait()
		s.mu.Unlock()
		s.bursts.gather()
		s.mu.Lock()
	}
	if s.closed {
		return nil, 0
	}
	full, requests = s.buf, s.n
	s.n = 0
	if cap(empty) > linkWriteKeep {
		empty = nil
	}
	s.buf = empty[:0]
	s.room.Broadcast()
	return full, requests
}

func (s *sendBuffer) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.more.Broadcast()
	s.room.Broadcast()
}

// write sends what has gathered until the connection ends.
func (t *learnerTerm) write() {
	var sent []byte
	var requests int
	for {
		sent, requests = t.out.take(sent)
		if sent == nil {
			return
		}
		if t.p.d.Hooks.Forwarding != nil && requests > 0 {
			t.p.d.Hooks.Forwarding(requests)
		}
		if _, err := t.conn.Write(sent); err != nil {
			t.stop(fmt.Errorf("quorum: write to leader %v: %w", t.leader, err))
			return
		}
	}
}

// Role implements Term.
func (t *learnerTerm) Role() Role { return t.role }

// Epoch implements Term.
func (t *learnerTerm) Epoch() int64 { return t.epoch.Load() }

// Leader implements Term.
func (t *learnerTerm) Leader() jute.ServerID { return t.leader }

// Admit implements Term.
func (t *learnerTerm) Admit() error {
	if t.ctx.Err() != nil {
		return ErrTermOver
	}
	return nil // forward waits
}

// Forward implements Term.
func (t *learnerTerm) Forward(r *jute.ForwardedRequest, ids []jute.ID) error {
	data := r.Append(make([]byte, 0, 16+len(r.Body)))
	return t.out.forward(&jute.QuorumPacket{Type: jute.PacketRequest, Zxid: -1, Data: data, AuthInfo: ids})
}

// Sync implements Term.
func (t *learnerTerm) Sync(r *jute.ForwardedRequest, ids []jute.ID, tag any) error {
	t.syncMu.Lock()
	defer t.syncMu.Unlock()
	if err := t.Forward(r, ids); err != nil {
		return err
	}
	t.syncs = append(t.syncs, tag)
	return nil
}

var errNoSync = errors.New("quorum: the leader answered a sync that nobody asked for")

// synced is the applier's task when the leader has answered the oldest sync.
func (t *learnerTerm) synced() error {
	t.syncMu.Lock()
	if len(t.syncs) == 0 {
		t.syncMu.Unlock()
		return errNoSync
	}
	tag := t.syncs[0]
	t.syncs[0] = nil
	t.syncs = t.syncs[1:]
	t.syncMu.Unlock()
	t.p.d.StateMachine.Synced(tag)
	return nil
}

// Revalidate implements Term.
func (t *learnerTerm) Revalidate(s jute.SessionTimeout) error {
	return t.out.forward(&jute.QuorumPacket{Type: jute.PacketRevalidate, Zxid: -1, Data: s.Append(nil)})
}

var errNotLeader = errors.New("quorum: a learner doesn't propose")

// Propose implements Term.
func (t *learnerTerm) Propose(Entry) error { return errNotLeader }

// Exhausted implements Term.
func (t *learnerTerm) Exhausted() { panic("quorum: a learner gives out no zxids") }
