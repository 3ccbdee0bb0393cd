package prep

import (
	"strconv"

	"zk/jute"
	"zk/server/tree"
)

// create does create, create2, createContainer and createTTL. The first check that fails wins
// (reference client-protocol, section 7.1).
func (p *Preparer) create(r *Request, b *Body, txn *jute.Txn) jute.Code {
	if code := p.checkCreateMode(r, b); code != jute.CodeOk {
		return code
	}
	parentPath, ok := splitParent(b.Path)
	if !ok {
		return jute.CodeBadArguments
	}
	acl, code := p.auth.FixACL(r.IDs, b.ACL)
	if code != jute.CodeOk {
		return code
	}
	parent := p.find(parentPath, &p.parent)
	if parent == nil {
		return jute.CodeNoNode
	}
	if !p.auth.Check(parent.ACL, jute.PermCreate, r.IDs) {
		return jute.CodeNoAuth
	}
	path := b.Path
	if isSequential(b.Flags) {
		path = appendSuffix(path, parent.Stat.Cversion)
	}
	switch {
	case !ValidatePath(path):
		return jute.CodeBadArguments
	case p.find(path, &p.node) != nil:
		return jute.CodeNodeExists
	case p.sessionOwned(parent.Stat.EphemeralOwner):
		return jute.CodeNoChildrenForEphemerals
	case !p.withinQuota(path, 1, int64(len(b.Data))):
		return jute.CodeQuotaExceeded
	case isEphemeral(b.Flags) && !p.closable(r.SessionID, path):
		return jute.CodeQuotaExceeded
	}

	cversion := parent.Stat.Cversion + 1
	txn.Path, txn.Data, txn.ACL, txn.ParentCversion = path, b.Data, acl, cversion
	switch b.Op {
	case jute.OpCreateTTL:
		txn.TTL = b.TTL
	case jute.OpCreate, jute.OpCreate2:
		txn.Ephemeral = isEphemeral(b.Flags)
	}
	pc := p.change(parentPath, parent)
	pc.info.Children++
	if cversion > pc.info.Stat.Cversion { // a cversion that would wrap stays, and pzxid with it
		pc.info.Stat.Cversion = cversion
		pc.info.Stat.Pzxid = p.zxid
	}
	p.settle(pc)
	c := p.change(path, nil)
	c.exists = true
	c.info = tree.NodeInfo{
		Stat: jute.StatPersisted{
			Czxid: p.zxid, Mzxid: p.zxid, Pzxid: p.zxid, Ctime: p.now, Mtime: p.now,
			EphemeralOwner: owner(r, txn),
		},
		ACL: acl, DataLength: int32(len(b.Data)), DataCRC: p.dataCRC(path, b.Data),
	}
	p.settle(c)
	return jute.CodeOk
}

// checkCreateMode has the checks that come before the path is looked at: flags, ttl, session.
func (p *Preparer) checkCreateMode(r *Request, b *Body) jute.Code {
	ttl := b.Flags == jute.FlagTTL || b.Flags == jute.FlagPersistentSeqTTL
	switch {
	case b.Flags < jute.FlagPersistent || b.Flags > jute.FlagPersistentSeqTTL:
		return jute.CodeBadArguments
	case ttl && !p.opt.ExtendedTypes:
		return jute.CodeUnimplemented
	case ttl != (b.Op == jute.OpCreateTTL):
		// TTL flags without a ttl are Java's rule. A ttl without the flags is refused whatever it is,
		// while Java writes a transaction from a negative one that none of its servers can apply.
		return jute.CodeBadArguments
	case ttl && (b.TTL <= 0 || b.TTL > tree.TTLMax):
		return jute.CodeBadArguments
	case r.LocalSession && isEphemeral(b.Flags):
		if r.Op == jute.OpMulti {
			return jute.CodeSessionExpired
		}
		return jute.CodeEphemeralOnLocalSession
	}
	return p.sessions.CheckSession(r.SessionID, r.Owner)
}

// owner is the ephemeralOwner that apply will store: it goes by the transaction's type, not by flags.
func owner(r *Request, txn *jute.Txn) int64 {
	switch {
	case txn.Type == jute.OpCreateContainer:
		return tree.ContainerOwner
	case txn.Type == jute.OpCreateTTL:
		return tree.TTLOwnerMask | txn.TTL
	case txn.Ephemeral:
		return int64(r.SessionID)
	}
	return 0
}

func isSequential(flags int32) bool {
	return flags == jute.FlagSequential || flags == jute.FlagEphemeralSequential || flags == jute.FlagPersistentSeqTTL
}

func isEphemeral(flags int32) bool {
	return flags == jute.FlagEphemeral || flags == jute.FlagEphemeralSequential
}

// appendSuffix appends a sequence number as Java's %010d does: ten places, of which a minus takes one.
func appendSuffix(path string, n int32) string {
	var digits [16]byte
	d := strconv.AppendInt(digits[:0], int64(n), 10)
	b := make([]byte, 0, len(path)+len("-2147483648"))
	b = append(b, path...)
	if n < 0 {
		b, d = append(b, '-'), d[1:]
		b = append(b, "000000000"[min(9, len(d)):]...)
	} else {
		b = append(b, "0000000000"[len(d):]...)
	}
	return string(append(b, d...))
}

// dataCRC is the node's digest before its stat.
func (p *Preparer) dataCRC(path string, data []byte) uint32 {
	if p.opt.NoDigest {
		return 0
	}
	return tree.DataCRC(path, data)
}

// closable reports whether the session can still be closed in one transaction that every server can read, with
// one ephemeral more. Deletes in flight make no room yet.
func (p *Preparer) closable(id jute.SessionID, path string) bool {
	limit := p.opt.CloseSessionBytesMax
	if limit <= 0 || p.view.EphemeralBytes(id)+p.inflight.ownedBytes[id]+tree.PathLenBytes+len(path) <= limit {
		return true
	}
	if p.opt.OnEphemeralRefused != nil {
		p.opt.OnEphemeralRefused(id)
	}
	return false
}

// withinQuota checks the hard limits of the deepest quota above path against the committed usage;
// writes in flight are not counted, as in Java (ZooKeeperServer.checkQuota). Soft limits are apply's.
func (p *Preparer) withinQuota(path string, count, bytes int64) bool {
	if !p.opt.EnforceQuota {
		return true
	}
	q, ok := p.view.QuotaOf(path)
	if !ok {
		return true
	}
	within := (count == 0 || q.CountHardLimit <= -1 || q.Count+count <= q.CountHardLimit) &&
		(bytes == 0 || q.BytesHardLimit <= -1 || q.Bytes+bytes <= q.BytesHardLimit)
	if !within && p.opt.OnQuotaExceeded != nil {
		p.opt.OnQuotaExceeded(path)
	}
	return within
}
