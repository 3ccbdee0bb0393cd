package jute

import "bytes"

// ID is who an ACL entry is for. (Java: org.apache.zookeeper.data.Id)
type ID struct {
	Scheme string
	ID     string
}

// ACL grants permissions to an ID.
type ACL struct {
	Perms int32
	ID    ID
}

// Append appends the record.
func (a *ACL) Append(b []byte) []byte {
	b = AppendInt32(b, a.Perms)
	b = AppendString(b, a.ID.Scheme)
	return AppendString(b, a.ID.ID)
}

// Decode reads the record. A null scheme becomes the empty one, which no provider knows: Java answers
// both with InvalidACL. A null id is ignored where the id is (scheme auth) and else fails: Java trips
// over it and answers MarshallingError.
func (a *ACL) Decode(d *Decoder) {
	a.Perms = d.Int32()
	a.ID.Scheme, _ = d.NullString()
	id, ok := d.NullString()
	if !ok && a.ID.Scheme != "auth" && a.ID.Scheme != "" {
		d.Fail("null id in an ACL")
	}
	a.ID.ID = id
}

// AppendACLs appends a vector of ACL, null when v is nil.
func AppendACLs(b []byte, v []ACL) []byte {
	if v == nil {
		return AppendInt32(b, -1)
	}
	b = AppendInt32(b, int32(len(v)))
	for i := range v {
		b = v[i].Append(b)
	}
	return b
}

// openACL is the list of nearly every create, world:anyone with all permissions, and openBytes its encoding.
var (
	openACL   = []ACL{{Perms: PermAll, ID: ID{Scheme: "world", ID: "anyone"}}}
	openBytes = AppendACLs(nil, openACL)
)

// ACLs reads a vector of ACL, nil for a null vector. The list is not to be changed: others may have the same one.
func (d *Decoder) ACLs() []ACL {
	if d.err == nil && bytes.HasPrefix(d.buf[d.off:], openBytes) {
		d.off += len(openBytes)
		return openACL
	}
	n, null := d.Count()
	if null {
		return nil
	}
	v := make([]ACL, 0, d.Cap(n, 12))
	for range n {
		var a ACL
		a.Decode(d)
		if d.err != nil {
			return nil
		}
		v = append(v, a)
	}
	return v
}

// StatBytes is the encoded size of a Stat.
const StatBytes = 68

// Stat is a znode's state as clients see it.
type Stat struct {
	Czxid          Zxid
	Mzxid          Zxid
	Ctime          int64 // milliseconds since 1970
	Mtime          int64 // milliseconds since 1970
	Version        int32
	Cversion       int32 // as sent: 2 * creations - children
	Aversion       int32
	EphemeralOwner int64
	DataLength     int32
	NumChildren    int32
	Pzxid          Zxid
}

// Append appends the record.
func (s *Stat) Append(b []byte) []byte {
	b = AppendInt64(b, int64(s.Czxid))
	b = AppendInt64(b, int64(s.Mzxid))
	b = AppendInt64(b, s.Ctime)
	b = AppendInt64(b, s.Mtime)
	b = AppendInt32(b, s.Version)
	b = AppendInt32(b, s.Cversion)
	b = AppendInt32(b, s.Aversion)
	b = AppendInt64(b, s.EphemeralOwner)
	b = AppendInt32(b, s.DataLength)
	b = AppendInt32(b, s.NumChildren)
	return AppendInt64(b, int64(s.Pzxid))
}

// Decode reads the record.
func (s *Stat) Decode(d *Decoder) {
	s.Czxid = Zxid(d.Int64())
	s.Mzxid = Zxid(d.Int64())
	s.Ctime = d.Int64()
	s.Mtime = d.Int64()
	s.Version = d.Int32()
	s.Cversion = d.Int32()
	s.Aversion = d.Int32()
	s.EphemeralOwner = d.Int64()
	s.DataLength = d.Int32()
	s.NumChildren = d.Int32()
	s.Pzxid = Zxid(d.Int64())
}

// StatPersistedBytes is the encoded size of a StatPersisted.
const StatPersistedBytes = 60

// StatPersisted is a znode's state as snapshots and the tree keep it. Cversion counts creations only.
type StatPersisted struct {
	Czxid          Zxid
	Mzxid          Zxid
	Ctime          int64
	Mtime          int64
	Version        int32
	Cversion       int32 // children ever created
	Aversion       int32
	EphemeralOwner int64
	Pzxid          Zxid
}

// Append appends the record.
func (s *StatPersisted) Append(b []byte) []byte {
	b = AppendInt64(b, int64(s.Czxid))
	b = AppendInt64(b, int64(s.Mzxid))
	b = AppendInt64(b, s.Ctime)
	b = AppendInt64(b, s.Mtime)
	b = AppendInt32(b, s.Version)
	b = AppendInt32(b, s.Cversion)
	b = AppendInt32(b, s.Aversion)
	b = AppendInt64(b, s.EphemeralOwner)
	return AppendInt64(b, int64(s.Pzxid))
}

// Decode reads the record.
func (s *StatPersisted) Decode(d *Decoder) {
	s.Czxid = Zxid(d.Int64())
	s.Mzxid = Zxid(d.Int64())
	s.Ctime = d.Int64()
	s.Mtime = d.Int64()
	s.Version = d.Int32()
	s.Cversion = d.Int32()
	s.Aversion = d.Int32()
	s.EphemeralOwner = d.Int64()
	s.Pzxid = Zxid(d.Int64())
}
