package history

import (
	"fmt"

	"zk/jute"
)

// openACL lets everybody do everything.
func openACL() []jute.ACL {
	return []jute.ACL{{Perms: jute.PermAll, ID: jute.ID{Scheme: "world", ID: "anyone"}}}
}

func create(path, data string, flags int32) []byte {
	r := jute.CreateRequest{Path: path, Data: []byte(data), ACL: openACL(), Flags: flags}
	return r.Append(nil, jute.OpCreate)
}

// request encodes an operation.
func request(r *Record) (jute.OpCode, []byte) {
	switch r.kind {
	case get, holder:
		q := jute.PathWatchRequest{Path: r.path, Watch: r.watch}
		return jute.OpGetData, q.Append(nil)
	case set:
		return jute.OpSetData, setData(r.cells[0])
	case append_:
		return jute.OpCreate, create(r.path+"/n-", "", jute.FlagSequential)
	case transfer:
		var b []byte
		for _, c := range r.cells {
			b = append(jute.MultiHeader{Type: jute.OpSetData, Err: -1}.Append(b), setData(c)...)
		}
		return jute.OpMulti, jute.MultiEnd.Append(b)
	case audit:
		var b []byte
		for _, c := range r.cells {
			q := jute.PathWatchRequest{Path: c.path}
			b = q.Append(jute.MultiHeader{Type: jute.OpGetData, Err: -1}.Append(b))
		}
		return jute.OpMultiRead, jute.MultiEnd.Append(b)
	case acquire:
		return jute.OpCreate, create(r.path, fmt.Sprint(r.client), jute.FlagEphemeral)
	case syncing:
		return jute.OpSync, jute.AppendString(nil, r.path)
	case release:
		q := jute.PathVersionRequest{Path: r.path, Version: -1}
		return jute.OpDelete, q.Append(nil)
	}
	return jute.OpCloseSession, nil
}

func setData(c cell) []byte {
	q := jute.SetDataRequest{Path: c.path, Data: []byte(c.value), Version: c.wanted}
	return q.Append(nil)
}

// response takes what the reply says into the record.
func response(r *Record, d *jute.Decoder) {
	if r.code != jute.CodeOk {
		return
	}
	var st jute.Stat
	switch r.kind {
	case get, holder:
		value := string(d.Buffer())
		st.Decode(d)
		r.cells = []cell{{path: r.path, value: value, version: st.Version, mzxid: st.Mzxid}}
		r.mzxid, r.owner = st.Mzxid, jute.SessionID(st.EphemeralOwner)
	case set:
		st.Decode(d)
		r.cells[0].version, r.mzxid = st.Version, st.Mzxid
	case append_, acquire:
		r.name = d.String()
	case transfer, audit:
		parts(r, d)
	}
}

// parts reads the results of a multi. A multi that was not done gives errors; the first one that is not
// "rolled back" is its code.
func parts(r *Record, d *jute.Decoder) {
	for i := 0; ; i++ {
		var h jute.MultiHeader
		h.Decode(d)
		if d.Err() != nil || h.Done {
			return
		}
		if i == len(r.cells) {
			d.Fail("a result too many")
			return
		}
		c := &r.cells[i]
		var st jute.Stat
		switch h.Type {
		case jute.OpError:
			if code := jute.Code(d.Int32()); r.code == jute.CodeOk && code != jute.CodeOk {
				r.code = code
			}
			continue
		case jute.OpGetData:
			c.value = string(d.Buffer())
		}
		st.Decode(d)
		c.version, c.mzxid = st.Version, st.Mzxid
		r.mzxid = max(r.mzxid, st.Mzxid)
	}
}
