package diff

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"zk/jute"
)

// body decodes the body of a reply into its normal form and fills res. A reply with an error has none,
// apart from sasl.
func (s *script) body(op jute.OpCode, d *jute.Decoder, res *result) string {
	if d.Remaining() == 0 {
		return ""
	}
	if res.err != 0 && op != jute.OpSASL {
		if op == jute.OpMultiRead && res.err == jute.CodeMarshallingError {
			skipRest(d) // see multiRead-failed-body in allowed_test.go
			return ""
		}
		return "body after an error:"
	}
	switch op {
	case jute.OpCreate, jute.OpSync:
		path, ok := d.NullString()
		res.path = path
		if !ok {
			return "path=null"
		}
		return "path=" + path
	case jute.OpCreate2, jute.OpCreateContainer, jute.OpCreateTTL:
		res.path = d.String()
		return "path=" + res.path + " " + s.stat(d, res)
	case jute.OpExists, jute.OpSetData, jute.OpSetACL:
		return s.stat(d, res)
	case jute.OpGetData, jute.OpReconfig:
		res.data = d.Buffer()
		return "data=" + dataText(res.data) + " " + s.stat(d, res)
	case jute.OpGetACL:
		return "acl=" + s.aclText(d.ACLs()) + " " + s.stat(d, res)
	case jute.OpGetChildren, jute.OpGetEphemerals:
		res.list = d.Strings()
		return "list=" + listText(res.list)
	case jute.OpGetChildren2:
		res.list = d.Strings()
		return "list=" + listText(res.list) + " " + s.stat(d, res)
	case jute.OpGetAllChildrenNumber, jute.OpAddWatch:
		res.num = d.Int32()
		return fmt.Sprintf("number=%d", res.num)
	case jute.OpWhoAmI:
		return "who=" + whoText(d, res)
	case jute.OpSASL:
		res.data = d.Buffer()
		return "token=" + saslText(res.data)
	case jute.OpMulti, jute.OpMultiRead:
		return s.multi(d, res)
	}
	return "body:"
}

// skipRest reads to the end.
func skipRest(d *jute.Decoder) { *d = jute.NewDecoder(nil, 0) }

func whoText(d *jute.Decoder, res *result) string {
	n, null := d.Count()
	if null {
		return "null"
	}
	for range n {
		var ci jute.ClientInfo
		ci.Decode(d)
		if d.Err() != nil {
			break
		}
		res.list = append(res.list, ci.AuthScheme+":"+ci.User)
	}
	return listText(res.list)
}

func (s *script) multi(d *jute.Decoder, res *result) string {
	var parts []string
	for d.Err() == nil {
		var h jute.MultiHeader
		h.Decode(d)
		if h.Done {
			parts = append(parts, fmt.Sprintf("end(%d,%d)", h.Type, h.Err))
			break
		}
		text := fmt.Sprintf("%v", h.Type)
		switch h.Type {
		case jute.OpError:
			code := jute.Code(d.Int32())
			res.codes = append(res.codes, code)
			text += fmt.Sprintf("(%v,%v)", h.Err, code)
		case jute.OpDelete, jute.OpCheck:
			res.codes = append(res.codes, h.Err)
			text += fmt.Sprintf("(%v)", h.Err)
		default:
			res.codes = append(res.codes, h.Err)
			part := result{s: s}
			text += fmt.Sprintf("(%v %s)", h.Err, s.body(h.Type, d, &part))
			res.stat = part.stat
			if part.path != "" {
				res.list = append(res.list, part.path)
			}
		}
		parts = append(parts, text)
		if len(parts) > 1000 {
			break
		}
	}
	return "multi[" + strings.Join(parts, " ") + "]"
}

// stat writes a Stat in normal form.
func (s *script) stat(d *jute.Decoder, res *result) string {
	var st jute.Stat
	st.Decode(d)
	if d.Err() != nil {
		return "stat?"
	}
	res.stat = st
	return fmt.Sprintf("stat{c=%s m=%s p=%s v=%d cv=%d av=%d eo=%s len=%d children=%d ctime=%s mtime=%s}", s.zx(st.Czxid), s.zx(st.Mzxid),
		s.zx(st.Pzxid), st.Version, st.Cversion, st.Aversion, s.sessionName(st.EphemeralOwner), st.DataLength, st.NumChildren,
		s.time(st.Czxid, st.Ctime), s.time(st.Mzxid, st.Mtime))
}

// time checks a time against the transaction it belongs to: one transaction has one time, and the time
// is about now. Times of different transactions are not compared: they may share a millisecond.
func (s *script) time(z jute.Zxid, ms int64) string {
	if ms == 0 {
		return "0"
	}
	if age := time.Since(time.UnixMilli(ms)); age > time.Hour || age < -time.Minute {
		return fmt.Sprintf("wrong(%d)", ms)
	}
	if known, ok := s.times[z]; ok && known != ms {
		return fmt.Sprintf("differs within %s", s.zx(z))
	}
	s.times[z] = ms
	return "ok"
}

// sessionName writes a session id by the connection that made it.
func (s *script) sessionName(id int64) string {
	if name, ok := s.sessions[id]; ok {
		return name
	}
	if id == 0 {
		return "0"
	}
	return fmt.Sprintf("%#x", uint64(id))
}

func dataText(b []byte) string {
	switch {
	case b == nil:
		return "null"
	case len(b) > 200:
		return fmt.Sprintf("%d bytes sha256 %.8x", len(b), sha256.Sum256(b))
	}
	return fmt.Sprintf("%q", b)
}

// listText writes a list without a promised order.
func listText(v []string) string {
	if v == nil {
		return "[]"
	}
	v = slices.Clone(v)
	slices.Sort(v)
	if len(v) > 50 {
		return fmt.Sprintf("%d entries sha256 %.8x", len(v), sha256.Sum256([]byte(strings.Join(v, "\n"))))
	}
	return fmt.Sprintf("%q", v)
}

// aclText writes an ACL of a reply.
func (s *script) aclText(v []jute.ACL) string {
	if s.sortACLs {
		slices.SortFunc(v, func(a, b jute.ACL) int {
			return cmp.Or(strings.Compare(a.ID.ID, b.ID.ID), strings.Compare(a.ID.Scheme, b.ID.Scheme), cmp.Compare(a.Perms, b.Perms))
		})
	}
	return aclText(v)
}

func aclText(v []jute.ACL) string {
	if v == nil {
		return "null"
	}
	parts := make([]string, 0, len(v))
	for _, a := range v {
		parts = append(parts, fmt.Sprintf("%s:%s:%d", a.ID.Scheme, a.ID.ID, a.Perms))
	}
	return "[" + strings.Join(parts, " ") + "]"
}
