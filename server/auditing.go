package server

import (
	"zk/jute"
	"zk/server/audit"
	"zk/server/prep"
	"zk/server/tree"
)

// auditNote is what an audit line needs of a write that is on its way. Writes have none when there is no
// audit log.
type auditNote struct {
	entry audit.Entry // but for its result, and the path of what succeeded
	types []string    // of a multi: the type of each part, "" for none
	paths []string    // of a multi: the path that each part asked for
}

// noteForAudit makes the note of a write, nil for what is not audited. Source: AuditHelper.addAuditLog.
func (c *conn) noteForAudit(w *prep.Request) *auditNote {
	n := &auditNote{entry: audit.Entry{Session: w.SessionID, Znode: w.Path}}
	switch w.Op {
	case jute.OpCreate, jute.OpCreate2, jute.OpCreateContainer, jute.OpCreateTTL:
		var ok bool
		if n.entry.ZnodeType, ok = audit.ZnodeType(w.Flags); !ok {
			return nil // Java fails to make a line of it
		}
		n.entry.Operation = audit.Create
	case jute.OpDelete:
		n.entry.Operation = audit.Delete
	case jute.OpSetData:
		n.entry.Operation = audit.SetData
	case jute.OpSetACL:
		n.entry.Operation = audit.SetACL
		n.entry.ACL = audit.ACLText(w.ACL)
	case jute.OpReconfig:
		n.entry.Operation, n.entry.Znode = audit.Reconfig, ""
	case jute.OpMulti:
		n.entry.Operation, n.entry.Znode = audit.Multi, ""
		for i := range w.Subs {
			name := ""
			switch w.Subs[i].Op {
			case jute.OpCreate, jute.OpCreate2, jute.OpCreateContainer: // and not TTL nodes, as in Java
				name, _ = audit.ZnodeType(w.Subs[i].Flags)
			}
			n.types = append(n.types, name)
			n.paths = append(n.paths, w.Subs[i].Path)
		}
	default:
		return nil
	}
	n.entry.User, n.entry.IP = c.srv.auth.UsersOf(w.IDs)
	return n
}

// auditAnswer writes the line of a write that was answered, or those of a multi's parts. code is prep's.
func (a *applier) auditAnswer(n *auditNote, code jute.Code) {
	log := a.s.opt.Audit
	e := n.entry
	e.Result = audit.Failure
	if e.Operation == audit.Multi && code == jute.CodeOk && !anyFailed(a.res.Subs) {
		e.Result = audit.Success
		for i := range a.res.Subs {
			sub := &a.res.Subs[i]
			e.Znode, e.ZnodeType = sub.Path, ""
			switch sub.Type {
			case jute.OpCreate, jute.OpCreate2, jute.OpCreateContainer, jute.OpCreateTTL:
				e.Operation = audit.Create
				if n.paths[i] == sub.Path { // of another one Java does not know
					e.ZnodeType = n.types[i]
				}
			case jute.OpDelete:
				e.Operation = audit.Delete
			case jute.OpSetData:
				e.Operation = audit.SetData
			default:
				continue
			}
			log.Add(e)
		}
		return
	}
	if e.Operation != audit.Multi && code == jute.CodeOk && a.res.Code == jute.CodeOk {
		e.Result = audit.Success
		e.Znode = a.res.Path
	}
	log.Add(e)
}

func anyFailed(subs []tree.Result) bool {
	for i := range subs {
		if subs[i].Type == jute.OpError {
			return true
		}
	}
	return false
}

// auditEnd writes the lines of the ephemerals that went with a session: gone are those deleted, in order,
// named those that the transaction names. Source: DataTree.deleteNodes.
func (a *applier) auditEnd(id jute.SessionID, named, gone []string) {
	e := audit.Entry{Session: id, Operation: audit.EphemeralDeletion}
	for _, path := range named {
		e.Znode, e.Result = path, audit.Failure
		if len(gone) > 0 && gone[0] == path {
			e.Result, gone = audit.Success, gone[1:]
		}
		a.s.opt.Audit.Add(e)
	}
	for _, path := range gone {
		e.Znode, e.Result = path, audit.Success
		a.s.opt.Audit.Add(e)
	}
}
