package prep

import "zk/jute"

// Body is one operation: a request's, or one of a multi's. Which fields count depends on Op.
type Body struct {
	Op      jute.OpCode
	Path    string
	Data    []byte // aliases the frame; nil is null
	ACL     []jute.ACL
	Flags   int32 // of creates
	TTL     int64 // of createTTL, milliseconds
	Version int32 // of delete, setData, setACL and check; -1 is any
}

// Request is a decoded request for a change. It belongs to the caller; Prepare keeps nothing of it but
// the strings of path and ACL, which are immutable.
type Request struct {
	Body
	SessionID jute.SessionID
	Cxid      int32 // the xid of the request
	// IDs are the identities of the connection when the request was read.
	IDs []jute.ID
	// Owner is the connection, for Sessions.CheckSession; nil for the server's own requests.
	Owner any
	// LocalSession marks a session known to this server only and not upgraded.
	LocalSession bool
	// TimeoutMillis is the session's timeout, of createSession.
	TimeoutMillis int32
	// Subs are the parts of a multi.
	Subs []Body
	// Refuse makes the request fail with this code, whatever it asks for, in its place in the order.
	Refuse jute.Code
}

// Decode fills in the operation from a client's record: it is the check at the edge. Data aliases body.
// limitBytes bounds each string and buffer as in jute.NewDecoder. The error, a *jute.DecodeError, means
// MarshallingError; an op whose record a client may not send is an error too. What follows the record
// is ignored, as in Java.
func (r *Request) Decode(op jute.OpCode, body []byte, limitBytes int) error {
	d := jute.NewDecoder(body, limitBytes)
	r.Body = Body{Op: op}
	r.Subs = r.Subs[:0]
	switch op {
	case jute.OpSetData, jute.OpSetACL:
		// A null path is one that path validation refuses, not one that fails to decode: PathUtils.
		r.Path, _ = d.NullString()
		if op == jute.OpSetData {
			r.Data = d.Buffer()
		} else {
			r.ACL = d.ACLs()
		}
		r.Version = d.Int32()
	case jute.OpMulti:
		r.decodeMulti(&d)
	case jute.OpReconfig:
		var rec jute.ReconfigRequest
		rec.Decode(&d)
	case jute.OpCloseSession:
	case jute.OpCheck: // stands in a multi only
		d.Fail("no request of a client: " + op.String())
	default:
		r.Body.decode(&d)
	}
	return d.Err()
}

func (b *Body) decode(d *jute.Decoder) {
	switch b.Op {
	case jute.OpCreate, jute.OpCreate2, jute.OpCreateContainer, jute.OpCreateTTL:
		var rec jute.CreateRequest
		rec.Decode(d, b.Op)
		b.Path, b.Data, b.ACL, b.Flags, b.TTL = rec.Path, rec.Data, rec.ACL, rec.Flags, rec.TTL
	case jute.OpDelete, jute.OpCheck:
		var rec jute.PathVersionRequest
		rec.Decode(d)
		b.Path, b.Version = rec.Path, rec.Version
	case jute.OpSetData:
		var rec jute.SetDataRequest
		rec.Decode(d)
		b.Path, b.Data, b.Version = rec.Path, rec.Data, rec.Version
	default:
		d.Fail("no request of a client: " + b.Op.String())
	}
}

// decodeMulti reads the parts up to the end marker (Java: MultiOperationRecord).
func (r *Request) decodeMulti(d *jute.Decoder) {
	for {
		var h jute.MultiHeader
		h.Decode(d)
		if d.Err() != nil || h.Done {
			return
		}
		b := Body{Op: h.Type}
		b.decode(d)
		switch b.Op {
		case jute.OpCreate, jute.OpCreate2, jute.OpCreateContainer:
			switch {
			case b.ACL == nil:
				d.Fail("part of a multi: null ACL")
			case b.Flags < jute.FlagPersistent || b.Flags > jute.FlagContainer:
				d.Fail("part of a multi: create flags")
			case b.Flags == jute.FlagContainer:
				b.Op = jute.OpCreateContainer
			}
		}
		if d.Err() != nil {
			return
		}
		r.Subs = append(r.Subs, b)
	}
}
