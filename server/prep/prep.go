package prep

import (
	"fmt"

	"zk/jute"
	"zk/server/tree"
)

// Authorizer judges ACLs. The identities are a request's IDs.
type Authorizer interface {
	// Check reports whether the list grants one of the permission bits perm. It knows the super
	// identity, empty lists and skipACL.
	Check(acl []jute.ACL, perm int32, ids []jute.ID) bool
	// FixACL gives the list to store for the one a client sent, or CodeInvalidACL. The result is
	// never changed afterwards.
	FixACL(ids []jute.ID, acl []jute.ACL) ([]jute.ACL, jute.Code)
}

// Sessions knows the state of sessions.
type Sessions interface {
	// CheckSession gives CodeOk for a live session that owner, the connection, owns;
	// CodeSessionExpired for one that is closing or unknown; CodeSessionMoved for another's.
	CheckSession(id jute.SessionID, owner any) jute.Code
	// SetClosing is told of a closeSession when it is prepared: later requests of the session are
	// SessionExpired.
	SetClosing(id jute.SessionID)
}

// Options are the settings that change what requests become.
type Options struct {
	ExtendedTypes    bool // TTL nodes (zookeeper.extendedTypesEnabled)
	NoDigest         bool // no digest in proposals (zookeeper.digest.enabled=false)
	EnforceQuota     bool // hard limits refuse writes (enforceQuota)
	ReconfigEnabled  bool // (reconfigEnabled)
	BareCloseSession bool // no paths in closeSession (zookeeper.closeSessionTxn.enabled=false)
	// CloseSessionBytesMax bounds what the paths of a session's ephemerals take in the transaction that ends
	// it: a create that would go beyond is QuotaExceeded. 0 is no bound.
	CloseSessionBytesMax int
	// OnEphemeralRefused is told of the session of each create that this bound refuses; nil ignores it.
	OnEphemeralRefused func(id jute.SessionID)
	// OnQuotaExceeded is told of the path of each write that a hard limit refuses; nil ignores it.
	OnQuotaExceeded func(path string)
}

// Prepared says what became of a request.
type Prepared struct {
	Zxid jute.Zxid
	Type jute.OpCode // of the transaction: the request's, or OpError
	// Err is the answer when Type is OpError. A multi that fails is no error here; its parts say it.
	// CodeSessionMoved is never sent: the connection is closed.
	Err jute.Code
}

// Preparer makes transactions of requests. It has one owner at a time.
type Preparer struct {
	view     tree.View
	auth     Authorizer
	sessions Sessions
	opt      Options

	lastZxid jute.Zxid // given out last
	applied  jute.Zxid // no change in flight is this old
	digest   int64     // of the tree after lastZxid
	inflight changes

	// of the request in hand
	zxid   jute.Zxid
	now    int64
	parent tree.NodeInfo // what find fills when there is no change in flight
	node   tree.NodeInfo
	paths  []string

	digester tree.Digester
}

// New makes a Preparer whose first zxid follows view's last.
func New(view tree.View, auth Authorizer, sessions Sessions, opt Options) *Preparer {
	p := &Preparer{view: view, auth: auth, sessions: sessions, opt: opt}
	p.Reset(view.LastZxid())
	return p
}

// Reset forgets every change in flight: all that was prepared is applied or will never be. The next
// zxid is the one after lastZxid.
func (p *Preparer) Reset(lastZxid jute.Zxid) {
	p.inflight.reset()
	p.lastZxid, p.applied = lastZxid, lastZxid
	p.digest = p.view.TreeDigest()
}

// LastZxid is the zxid given out last.
func (p *Preparer) LastZxid() jute.Zxid { return p.lastZxid }

// InFlight is the number of nodes with a change that is not applied yet.
func (p *Preparer) InFlight() int { return len(p.inflight.byPath) }

// Applied drops the changes of every transaction up to zxid: the view has them now.
func (p *Preparer) Applied(zxid jute.Zxid) {
	if zxid > p.applied {
		p.applied = zxid
		p.inflight.drop(zxid)
	}
}

// Prepare gives the request the next zxid and appends its proposal - TxnHeader, transaction, digest -
// to dst. now is the wall clock in milliseconds since 1970. It panics for an op that is no write.
func (p *Preparer) Prepare(dst []byte, r *Request, now int64) ([]byte, Prepared) {
	if p.applied >= p.lastZxid && !p.opt.NoDigest {
		p.digest = p.view.TreeDigest() // nothing in flight: should they ever differ, apply has counted it
	}
	p.lastZxid++
	p.zxid, p.now = p.lastZxid, now
	h := jute.TxnHeader{ClientID: r.SessionID, Cxid: r.Cxid, Zxid: p.zxid, Time: now, Type: r.Op}
	start := len(dst)
	dst = h.Append(dst)
	if r.Op == jute.OpMulti && r.Refuse == jute.CodeOk {
		dst = p.multi(dst, r)
	} else {
		var txn jute.Txn
		code := r.Refuse
		if code == jute.CodeOk {
			code = p.one(r, &r.Body, &txn)
		}
		if code != jute.CodeOk {
			h.Type = jute.OpError
			dst = jute.AppendInt32(h.Append(dst[:start]), int32(code))
			return dst, Prepared{Zxid: p.zxid, Type: jute.OpError, Err: code}
		}
		dst = txn.Append(dst)
	}
	if !p.opt.NoDigest {
		g := jute.Digest{Version: jute.DigestVersion, TreeDigest: p.digest}
		dst = g.Append(dst)
	}
	return dst, Prepared{Zxid: p.zxid, Type: r.Op}
}

// one does an operation that may stand in a multi, or alone. When the code is not CodeOk nothing has
// changed.
func (p *Preparer) one(r *Request, b *Body, txn *jute.Txn) jute.Code {
	txn.Type = b.Op
	switch b.Op {
	case jute.OpCreate, jute.OpCreate2, jute.OpCreateContainer, jute.OpCreateTTL:
		return p.create(r, b, txn)
	case jute.OpDelete:
		return p.delete(r, b, txn)
	case jute.OpDeleteContainer:
		return p.deleteContainer(b, txn)
	case jute.OpSetData:
		return p.setData(r, b, txn)
	case jute.OpSetACL:
		return p.setACL(r, b, txn)
	case jute.OpCheck:
		return p.check(r, b, txn)
	case jute.OpReconfig:
		return p.reconfig(r)
	case jute.OpCreateSession:
		txn.TimeoutMillis = r.TimeoutMillis
		return jute.CodeOk
	case jute.OpCloseSession:
		p.closeSession(r, txn)
		return jute.CodeOk
	}
	panic(fmt.Sprintf("prep: request of type %d is no write", b.Op))
}

// find gives the node as it will be after what is in flight, nil if there will be none. into is where a
// node of the view is put.
func (p *Preparer) find(path string, into *tree.NodeInfo) *tree.NodeInfo {
	if c := p.inflight.byPath[path]; c != nil {
		if !c.exists {
			return nil
		}
		return &c.info
	}
	if !p.view.Lookup(path, into) {
		return nil
	}
	return into
}

// change puts the node at path among the changes in flight. info is what find gave for it just before, nil when
// there is no node. The caller changes it next and then calls settle.
func (p *Preparer) change(path string, info *tree.NodeInfo) *change {
	var c *change
	if info != &p.node && info != &p.parent { // else it is the view's, and nothing is in flight
		c = p.inflight.byPath[path]
	}
	if c == nil {
		c = p.inflight.add(path)
		if info != nil {
			c.exists = true
			c.info = *info
			c.digest = int64(info.Digest)
		}
	}
	p.inflight.touch(c, p.zxid)
	return c
}

// settle brings the tree's digest and the session's list up to date after a change of c.
func (p *Preparer) settle(c *change) {
	digest := int64(0)
	if c.exists && !p.opt.NoDigest && tree.Digested(c.path) {
		digest = int64(p.digester.Node(c.info.DataCRC, &c.info.Stat))
	}
	p.digest += digest - c.digest
	c.digest = digest
	owner := jute.SessionID(0)
	if c.exists && p.sessionOwned(c.info.Stat.EphemeralOwner) {
		owner = jute.SessionID(c.info.Stat.EphemeralOwner)
	}
	p.inflight.own(c, owner)
}

// sessionOwned reports whether an ephemeralOwner is a session (Java: EphemeralType NORMAL).
func (p *Preparer) sessionOwned(owner int64) bool {
	return owner != 0 && owner != tree.ContainerOwner && !p.isTTL(owner)
}

func (p *Preparer) isTTL(owner int64) bool {
	return p.opt.ExtendedTypes && owner&tree.TTLOwnerMask == tree.TTLOwnerMask
}

// nextVersion is Java's checkAndIncVersion: -1 is any version, others are compared as they are; the
// result wraps.
func nextVersion(current, expected int32) (int32, jute.Code) {
	if expected != -1 && expected != current {
		return 0, jute.CodeBadVersion
	}
	return current + 1, jute.CodeOk
}
