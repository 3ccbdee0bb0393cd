package jute

import "slices"

// TxnHeader starts every transaction.
type TxnHeader struct {
	ClientID SessionID
	Cxid     int32
	Zxid     Zxid
	Time     int64 // milliseconds since 1970, taken by the leader
	Type     OpCode
}

// TxnHeaderBytes is the encoded size of a TxnHeader.
const TxnHeaderBytes = 32

// Append appends the record.
func (h *TxnHeader) Append(b []byte) []byte {
	b = AppendInt64(b, int64(h.ClientID))
	b = AppendInt32(b, h.Cxid)
	b = AppendInt64(b, int64(h.Zxid))
	b = AppendInt64(b, h.Time)
	return AppendInt32(b, int32(h.Type))
}

// Decode reads the record.
func (h *TxnHeader) Decode(d *Decoder) {
	h.ClientID = SessionID(d.Int64())
	h.Cxid = d.Int32()
	h.Zxid = Zxid(d.Int64())
	h.Time = d.Int64()
	h.Type = OpCode(d.Int32())
}

// Txn is the body of a transaction: what prep made of a request and apply does to the tree. The fields
// that count depend on the type; Source: zookeeper.jute, module org.apache.zookeeper.txn.
//
//	create, create2     Path Data ACL Ephemeral ParentCversion
//	createContainer     Path Data ACL ParentCversion
//	createTTL           Path Data ACL ParentCversion TTL
//	delete, deleteContainer  Path
//	setData, reconfig   Path Data Version
//	setACL              Path ACL Version (the new aversion)
//	check               Path Version (the checked version + 1)
//	createSession       TimeoutMillis
//	closeSession        Paths, nil when the log has none
//	error               Err
//	multi               Subs
type Txn struct {
	Type           OpCode
	Path           string
	Data           []byte
	ACL            []ACL
	Ephemeral      bool
	ParentCversion int32 // the parent's cversion after the creation; -1 in logs of 3.3
	TTL            int64 // milliseconds
	Version        int32
	TimeoutMillis  int32
	Paths          []string
	Err            Code
	Subs           []Txn
}

// Append appends the body of the transaction.
func (t *Txn) Append(b []byte) []byte {
	switch t.Type {
	case OpCreateSession:
		return AppendInt32(b, t.TimeoutMillis)
	case OpCloseSession:
		if t.Paths == nil {
			return b
		}
		return AppendStrings(b, t.Paths)
	case OpError:
		return AppendInt32(b, int32(t.Err))
	case OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL:
		return t.appendCreate(b)
	case OpDelete, OpDeleteContainer:
		return AppendString(b, t.Path)
	case OpSetData, OpReconfig:
		return AppendInt32(AppendBuffer(AppendString(b, t.Path), t.Data), t.Version)
	case OpSetACL:
		return AppendInt32(AppendACLs(AppendString(b, t.Path), t.ACL), t.Version)
	case OpCheck:
		return AppendInt32(AppendString(b, t.Path), t.Version)
	case OpMulti:
		return t.appendMulti(b)
	}
	return b
}

func (t *Txn) appendCreate(b []byte) []byte {
	b = AppendString(b, t.Path)
	b = AppendBuffer(b, t.Data)
	b = AppendACLs(b, t.ACL)
	if t.Type == OpCreate || t.Type == OpCreate2 {
		b = AppendBool(b, t.Ephemeral)
	}
	b = AppendInt32(b, t.ParentCversion)
	if t.Type == OpCreateTTL {
		b = AppendInt64(b, t.TTL)
	}
	return b
}

func (t *Txn) appendMulti(b []byte) []byte {
	b = AppendInt32(b, int32(len(t.Subs)))
	for i := range t.Subs {
		s := &t.Subs[i]
		b = AppendInt32(b, int32(s.Type))
		at := len(b)
		b = s.Append(AppendInt32(b, 0))
		AppendInt32(b[:at], int32(len(b)-at-4))
	}
	return b
}

// Decode reads the body of a transaction of type op. Data aliases the input.
func (t *Txn) Decode(d *Decoder, op OpCode) { t.decode(d, op, false) }

func (t *Txn) decode(d *Decoder, op OpCode, sub bool) {
	*t = Txn{Type: op}
	if sub && !op.inMulti() {
		d.Fail("multi: part of type " + op.String())
		return
	}
	switch op {
	case OpCreateSession:
		t.TimeoutMillis = d.Int32()
	case OpCloseSession:
		t.decodeCloseSession(d)
	case OpError:
		t.Err = Code(d.Int32())
	case OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL:
		t.decodeCreate(d, sub)
	case OpDelete, OpDeleteContainer:
		t.Path = d.String()
	case OpSetData, OpReconfig:
		t.Path, t.Data, t.Version = d.String(), d.Buffer(), d.Int32()
	case OpSetACL:
		t.Path, t.ACL, t.Version = d.String(), d.ACLs(), d.Int32()
	case OpCheck:
		t.Path, t.Version = d.String(), d.Int32()
	case OpMulti:
		t.decodeMulti(d)
	default:
		d.Fail("unknown transaction type " + op.String())
	}
}

// inMulti reports whether a transaction of this type may be part of a multi (Java:
// DataTree.processTxn).
func (o OpCode) inMulti() bool {
	switch o {
	case OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL, OpDelete, OpDeleteContainer, OpSetData, OpCheck, OpError:
		return true
	}
	return false
}

// decodeCloseSession tells a body from none. Servers before 3.6, and later ones with
// zookeeper.closeSessionTxn.enabled=false, write none, but may write a digest: 12 bytes that start with
// its version 2. As a vector those would be two empty paths, which no server writes and which are refused,
// so that no body is ever taken for a digest. (Java's SerializeUtils goes by its own setting and takes such a
// digest for paths under the default one.)
func (t *Txn) decodeCloseSession(d *Decoder) {
	first, ok := d.peekInt32()
	if d.Remaining() == 0 || ok && d.Remaining() == DigestBytes && first == DigestVersion {
		return
	}
	if t.Paths = d.Strings(); t.Paths == nil {
		t.Paths = []string{} // null: there is a body, with nothing to delete
	}
	if slices.Contains(t.Paths, "") {
		d.Fail("closeSession: empty path")
	}
}

func (t *Txn) decodeCreate(d *Decoder, sub bool) {
	t.Path, t.Data, t.ACL = d.String(), d.Buffer(), d.ACLs()
	if t.Type == OpCreate || t.Type == OpCreate2 {
		t.Ephemeral = d.Bool()
	}
	if t.Type == OpCreate && !sub && d.Err() == nil && d.Remaining() == 0 {
		t.ParentCversion = -1 // CreateTxnV0 of 3.3, which knew no multi and no digest
		return
	}
	t.ParentCversion = d.Int32()
	if t.Type == OpCreateTTL {
		t.TTL = d.Int64()
	}
}

func (t *Txn) decodeMulti(d *Decoder) {
	n, _ := d.Count()
	t.Subs = make([]Txn, 0, min(d.Cap(n, 12), 64)) // a Txn is far bigger than its bytes: let it grow
	for range n {
		op := OpCode(d.Int32())
		body := d.Buffer()
		if d.Err() != nil {
			return
		}
		sd := NewDecoder(body, d.limit)
		var s Txn
		s.decode(&sd, op, true)
		if sd.err != nil {
			d.Fail("part of a multi: " + sd.err.Error())
			return
		}
		t.Subs = append(t.Subs, s)
	}
}

// DigestVersion is the version of the tree digest this project computes (Java: DigestCalculator).
const DigestVersion = 2

// Digest is the optional tail of a transaction: the digest of the tree after it.
type Digest struct {
	Version    int32
	TreeDigest int64
}

// DigestBytes is the encoded size of a Digest.
const DigestBytes = 12

// Append appends the record.
func (g *Digest) Append(b []byte) []byte { return AppendInt64(AppendInt32(b, g.Version), g.TreeDigest) }

// Decode reads the record.
func (g *Digest) Decode(d *Decoder) {
	g.Version = d.Int32()
	g.TreeDigest = d.Int64()
}

// Proposal is a transaction as it is proposed, logged, synced to learners and exported: header, body,
// optional digest.
type Proposal struct {
	Header    TxnHeader
	Txn       Txn
	Digest    Digest
	HasDigest bool
}

// Append appends the proposal's bytes.
func (p *Proposal) Append(b []byte) []byte {
	b = p.Header.Append(b)
	b = p.Txn.Append(b)
	if p.HasDigest {
		b = p.Digest.Append(b)
	}
	return b
}

// Decode reads a proposal that fills the whole input. Data in the Txn aliases the input.
func (p *Proposal) Decode(d *Decoder) {
	p.Header.Decode(d)
	if d.Err() != nil {
		return
	}
	p.Txn.Decode(d, p.Header.Type)
	p.HasDigest = d.Err() == nil && d.Remaining() >= DigestBytes
	if p.HasDigest {
		p.Digest.Decode(d)
	}
}
