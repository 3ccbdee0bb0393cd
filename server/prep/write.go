package prep

import (
	"zk/jute"
	"zk/server/tree"
)

// delete: reference client-protocol, section 7.3.
func (p *Preparer) delete(r *Request, b *Body, txn *jute.Txn) jute.Code {
	if code := p.sessions.CheckSession(r.SessionID, r.Owner); code != jute.CodeOk {
		return code
	}
	parentPath, ok := splitParent(b.Path)
	if !ok || isSpecial(b.Path) {
		return jute.CodeBadArguments
	}
	parent := p.find(parentPath, &p.parent)
	if parent == nil {
		return jute.CodeNoNode
	}
	if !p.auth.Check(parent.ACL, jute.PermDelete, r.IDs) {
		return jute.CodeNoAuth
	}
	node := p.find(b.Path, &p.node)
	if node == nil {
		return jute.CodeNoNode
	}
	if _, code := nextVersion(node.Stat.Version, b.Version); code != jute.CodeOk {
		return code
	}
	if node.Children > 0 {
		return jute.CodeNotEmpty
	}
	txn.Path = b.Path
	p.remove(parentPath, parent, b.Path, node)
	return jute.CodeOk
}

// deleteContainer is the cleaner's own request (reference client-protocol, sections 7.9 and 18). What
// the cleaner saw may have changed since: beyond Java's checks the node must still be a container or a
// TTL node whose time is up.
func (p *Preparer) deleteContainer(b *Body, txn *jute.Txn) jute.Code {
	parentPath, ok := splitParent(b.Path)
	if !ok || isSpecial(b.Path) {
		return jute.CodeBadArguments
	}
	node := p.find(b.Path, &p.node)
	if node == nil {
		return jute.CodeNoNode
	}
	if node.Children > 0 {
		return jute.CodeNotEmpty
	}
	switch owner := node.Stat.EphemeralOwner; {
	case owner == tree.ContainerOwner:
	case p.isTTL(owner) && p.now-node.Stat.Mtime > owner&tree.TTLMax:
	default:
		return jute.CodeBadVersion
	}
	parent := p.find(parentPath, &p.parent)
	if parent == nil {
		return jute.CodeNoNode
	}
	txn.Path = b.Path
	p.remove(parentPath, parent, b.Path, node)
	return jute.CodeOk
}

// remove is the change that deleting a node is.
func (p *Preparer) remove(parentPath string, parent *tree.NodeInfo, path string, node *tree.NodeInfo) {
	pc := p.change(parentPath, parent)
	pc.info.Children--
	pc.info.Stat.Pzxid = p.zxid
	p.settle(pc)
	c := p.change(path, node)
	c.exists = false
	p.settle(c)
}

// setData: reference client-protocol, section 7.4. The quota is checked before the version.
func (p *Preparer) setData(r *Request, b *Body, txn *jute.Txn) jute.Code {
	if code := p.sessions.CheckSession(r.SessionID, r.Owner); code != jute.CodeOk {
		return code
	}
	if !ValidatePath(b.Path) {
		return jute.CodeBadArguments
	}
	node := p.find(b.Path, &p.node)
	switch {
	case node == nil:
		return jute.CodeNoNode
	case !p.auth.Check(node.ACL, jute.PermWrite, r.IDs):
		return jute.CodeNoAuth
	case !p.withinQuota(b.Path, 0, int64(len(b.Data))-int64(node.DataLength)):
		return jute.CodeQuotaExceeded
	}
	version, code := nextVersion(node.Stat.Version, b.Version)
	if code != jute.CodeOk {
		return code
	}
	txn.Path, txn.Data, txn.Version = b.Path, b.Data, version
	c := p.change(b.Path, node)
	c.info.Stat.Version = version
	c.info.Stat.Mtime = p.now
	c.info.Stat.Mzxid = p.zxid
	c.info.DataLength = int32(len(b.Data))
	c.info.DataCRC = p.dataCRC(b.Path, b.Data)
	p.settle(c)
	return jute.CodeOk
}

// setACL: reference client-protocol, section 7.5.
func (p *Preparer) setACL(r *Request, b *Body, txn *jute.Txn) jute.Code {
	if code := p.sessions.CheckSession(r.SessionID, r.Owner); code != jute.CodeOk {
		return code
	}
	if !ValidatePath(b.Path) {
		return jute.CodeBadArguments
	}
	acl, code := p.auth.FixACL(r.IDs, b.ACL)
	if code != jute.CodeOk {
		return code
	}
	node := p.find(b.Path, &p.node)
	switch {
	case node == nil:
		return jute.CodeNoNode
	case !p.auth.Check(node.ACL, jute.PermAdmin, r.IDs):
		return jute.CodeNoAuth
	}
	version, code := nextVersion(node.Stat.Aversion, b.Version)
	if code != jute.CodeOk {
		return code
	}
	txn.Path, txn.ACL, txn.Version = b.Path, acl, version
	c := p.change(b.Path, node)
	c.info.Stat.Aversion = version
	c.info.ACL = acl
	p.settle(c)
	return jute.CodeOk
}

// check: reference client-protocol, section 7.6. The transaction holds the version plus one.
func (p *Preparer) check(r *Request, b *Body, txn *jute.Txn) jute.Code {
	if code := p.sessions.CheckSession(r.SessionID, r.Owner); code != jute.CodeOk {
		return code
	}
	if !ValidatePath(b.Path) {
		return jute.CodeBadArguments
	}
	node := p.find(b.Path, &p.node)
	switch {
	case node == nil:
		return jute.CodeNoNode
	case !p.auth.Check(node.ACL, jute.PermRead, r.IDs):
		return jute.CodeNoAuth
	}
	version, code := nextVersion(node.Stat.Version, b.Version)
	txn.Path, txn.Version = b.Path, version
	return code
}

// reconfig is answered as by a standalone server, which has no ensemble to change (reference
// client-protocol, section 7.8).
func (p *Preparer) reconfig(r *Request) jute.Code {
	if !p.opt.ReconfigEnabled {
		return jute.CodeReconfigDisabled
	}
	if code := p.sessions.CheckSession(r.SessionID, r.Owner); code != jute.CodeOk {
		return code
	}
	return jute.CodeUnimplemented
}
