package embed

import (
	"fmt"
	"io"

	"zk/jute"
	"zk/persistence"
	"zk/quorum"
	"zk/server"
)

// machine is the server as its quorum.Peer sees it.
type machine struct{ *Node }

var _ quorum.StateMachine = machine{}

// ensemble is a quorum.Term as the server sees it.
type ensemble struct{ quorum.Term }

var _ server.Ensemble = ensemble{}

// Propose implements server.Replicator.
func (e ensemble) Propose(p server.Proposal) error { return e.Term.Propose(quorum.Entry(p)) }

func (m machine) Applied() jute.Zxid { return m.server.LastProcessedZxid() }

// Apply brings what the transactions touch into memory first, while the tree is cold: Apply must not read
// from the disk.
func (m machine) Apply(entries []quorum.Entry) {
	if err := m.pinAll(entries); err != nil {
		m.fail(err)
		return
	}
	m.batch = m.batch[:0]
	for _, e := range entries {
		m.batch = append(m.batch, server.Proposal(e))
	}
	m.server.Apply(m.batch)
	clear(m.batch)
}

func (m machine) pinAll(entries []quorum.Entry) error {
	if m.nodes.Warmed() {
		return nil
	}
	var p jute.Proposal
	for _, e := range entries {
		if err := m.decode(e.Zxid, e.Bytes, &p); err != nil {
			return err
		}
		if err := m.pin(&p); err != nil {
			return err
		}
	}
	return nil
}

// decode reads an entry of the log.
func (n *Node) decode(zxid jute.Zxid, b []byte, p *jute.Proposal) error {
	d := jute.NewDecoder(b, len(b))
	if p.Decode(&d); d.Err() != nil {
		return &persistence.CorruptionError{Path: n.cfg.DataLogDir, Key: zxid.String(), Err: d.Err()}
	}
	return nil
}

func (m machine) Synced(tag any) { m.server.Synced(tag) }

func (m machine) Lead(t quorum.Term) error {
	m.begin(server.Leader, t)
	return nil
}

func (m machine) Follow(t quorum.Term) error {
	role := server.Follower
	if t.Role() == quorum.Observing {
		role = server.Observer
	}
	m.begin(role, t)
	return nil
}

func (m machine) begin(role server.Role, t quorum.Term) {
	m.showRole(role)
	m.server.SetLimits(limitsAt(m.space.Level())) // a member that can't be done without serves with little room, too
	m.server.Begin(server.Term{
		Role: role, Ensemble: ensemble{t}, Zxid: jute.Zxid(t.Epoch() << 32), Config: m.members.String(), ConfigVersion: m.members.Version(),
	})
	m.log.Info("serving clients", "role", role.String(), "epoch", t.Epoch(), "leader", t.Leader(), "zxid", m.server.LastProcessedZxid())
}

func (m machine) End() {
	m.server.End()
	m.hideRole()
}

func (m machine) Request(from quorum.Link, r *jute.ForwardedRequest, ids []jute.ID) error {
	if err := m.server.Request(from, r, ids); err != nil {
		return fmt.Errorf("embed: request of server %v: %w", from.SID, err)
	}
	return nil
}

func (m machine) Touch(_ quorum.Link, s jute.SessionTimeout) { m.server.Touch(s) }

func (m machine) Revalidate(from quorum.Link, s jute.SessionTimeout) bool {
	return m.server.Revalidate(from, s)
}

func (m machine) Touched(dst []jute.SessionTimeout) []jute.SessionTimeout {
	return m.server.Touched(dst)
}

func (m machine) Revalidated(session jute.SessionID, valid bool) {
	m.server.Revalidated(session, valid)
}

func (m machine) OpenSnapshot() (quorum.Snapshot, error) {
	s, err := m.openSnap()
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (m machine) Receive(r io.Reader, zxid jute.Zxid) (quorum.Incoming, error) {
	in, err := m.receive(r, zxid)
	if err != nil {
		return nil, err
	}
	return in, nil
}
