package prep

import (
	"encoding/binary"

	"zk/jute"
	"zk/server/tree"
)

// multi does the parts of a multi one after the other, each on top of those before it, and appends
// the transaction's body. When a part fails, the changes of those before it are taken back; they stay
// in the transaction as they were, the failing one becomes an error with its code and those behind it
// errors with RuntimeInconsistency. Apply then does none of them (reference disk-formats, section 3.1).
func (p *Preparer) multi(dst []byte, r *Request) []byte {
	digest := p.digest
	p.inflight.begin()
	failed := false
	dst = jute.AppendInt32(dst, int32(len(r.Subs)))
	for i := range r.Subs {
		var txn jute.Txn
		code := jute.CodeRuntimeInconsistency
		if !failed {
			code = p.one(r, &r.Subs[i], &txn)
		}
		if code != jute.CodeOk {
			txn = jute.Txn{Type: jute.OpError, Err: code}
			if !failed {
				failed = true
				p.inflight.rollback(p.nodeOwner)
				p.digest = digest
			}
		}
		dst = jute.AppendInt32(dst, int32(txn.Type))
		at := len(dst)
		dst = txn.Append(jute.AppendInt32(dst, 0))
		binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	}
	p.inflight.end()
	return dst
}

// nodeOwner is the session that owns a node, 0 if none does.
func (p *Preparer) nodeOwner(info *tree.NodeInfo) jute.SessionID {
	if !p.sessionOwned(info.Stat.EphemeralOwner) {
		return 0
	}
	return jute.SessionID(info.Stat.EphemeralOwner)
}
