package prep

import (
	"slices"

	"zk/jute"
)

// pathsKept bounds the memory that a closeSession leaves behind for the next one, in paths.
const pathsKept = 1024

// closeSession deletes the session's ephemerals, those in flight included, in one transaction that
// names them. The session need not be alive: its expiry comes this way too.
func (p *Preparer) closeSession(r *Request, txn *jute.Txn) {
	p.paths = p.ephemerals(r.SessionID, p.paths[:0])
	for _, path := range p.paths {
		parentPath, _ := splitParent(path)
		parent, node := p.find(parentPath, &p.parent), p.find(path, &p.node)
		if parent != nil && node != nil {
			p.remove(parentPath, parent, path, node)
		}
	}
	if !p.opt.BareCloseSession {
		txn.Paths = p.paths
	}
	if cap(p.paths) > pathsKept {
		p.paths = nil
	}
	p.sessions.SetClosing(r.SessionID)
}

// ephemerals appends the paths of the session's ephemerals as they will be after what is in flight,
// sorted, so that the same requests give the same bytes.
func (p *Preparer) ephemerals(id jute.SessionID, dst []string) []string {
	all := p.view.Ephemerals(id, dst)
	kept := all[:0]
	for _, path := range all {
		if p.inflight.byPath[path] == nil {
			kept = append(kept, path)
		}
	}
	for c := p.inflight.byOwner[id]; c != nil; c = c.next {
		kept = append(kept, c.path)
	}
	if kept == nil {
		kept = []string{} // an empty list is not an absent one in the transaction
	}
	slices.Sort(kept)
	return kept
}
