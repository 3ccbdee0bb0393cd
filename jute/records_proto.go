package jute

// ConnectRequest is the first frame of a client.
type ConnectRequest struct {
	ProtocolVersion int32
	LastZxidSeen    Zxid
	TimeoutMillis   int32
	SessionID       SessionID
	Passwd          []byte
	ReadOnly        bool
	HasReadOnly     bool // false for clients before 3.4, which don't send the byte
}

// Append appends the record, without the readOnly byte when HasReadOnly is false.
func (r *ConnectRequest) Append(b []byte) []byte {
	b = AppendInt32(b, r.ProtocolVersion)
	b = AppendInt64(b, int64(r.LastZxidSeen))
	b = AppendInt32(b, r.TimeoutMillis)
	b = AppendInt64(b, int64(r.SessionID))
	b = AppendBuffer(b, r.Passwd)
	if r.HasReadOnly {
		b = AppendBool(b, r.ReadOnly)
	}
	return b
}

// Decode reads the record; Passwd aliases the input.
func (r *ConnectRequest) Decode(d *Decoder) {
	r.ProtocolVersion = d.Int32()
	r.LastZxidSeen = Zxid(d.Int64())
	r.TimeoutMillis = d.Int32()
	r.SessionID = SessionID(d.Int64())
	r.Passwd = d.Buffer()
	r.HasReadOnly = d.Err() == nil && d.Remaining() > 0
	if r.HasReadOnly {
		r.ReadOnly = d.Bool()
	}
}

// ConnectResponse answers a ConnectRequest. A zero SessionID tells the client its session has expired.
type ConnectResponse struct {
	ProtocolVersion int32
	TimeoutMillis   int32
	SessionID       SessionID
	Passwd          []byte
	ReadOnly        bool
	HasReadOnly     bool // as in the request
}

// Append appends the record, without the readOnly byte when HasReadOnly is false.
func (r *ConnectResponse) Append(b []byte) []byte {
	b = AppendInt32(b, r.ProtocolVersion)
	b = AppendInt32(b, r.TimeoutMillis)
	b = AppendInt64(b, int64(r.SessionID))
	b = AppendBuffer(b, r.Passwd)
	if r.HasReadOnly {
		b = AppendBool(b, r.ReadOnly)
	}
	return b
}

// Decode reads the record; Passwd aliases the input.
func (r *ConnectResponse) Decode(d *Decoder) {
	r.ProtocolVersion = d.Int32()
	r.TimeoutMillis = d.Int32()
	r.SessionID = SessionID(d.Int64())
	r.Passwd = d.Buffer()
	r.HasReadOnly = d.Err() == nil && d.Remaining() > 0
	if r.HasReadOnly {
		r.ReadOnly = d.Bool()
	}
}

// RequestHeaderBytes is the size of a RequestHeader.
const RequestHeaderBytes = 8

// RequestHeader starts every request frame after the first.
type RequestHeader struct {
	Xid  int32
	Type OpCode
}

// Append appends the record.
func (h *RequestHeader) Append(b []byte) []byte {
	return AppendInt32(AppendInt32(b, h.Xid), int32(h.Type))
}

// Decode reads the record.
func (h *RequestHeader) Decode(d *Decoder) {
	h.Xid = d.Int32()
	h.Type = OpCode(d.Int32())
}

// ReplyHeaderBytes is the size of a ReplyHeader.
const ReplyHeaderBytes = 16

// ReplyHeader starts every reply and event.
type ReplyHeader struct {
	Xid  int32
	Zxid Zxid
	Err  Code
}

// Append appends the record.
func (h *ReplyHeader) Append(b []byte) []byte {
	return AppendInt32(AppendInt64(AppendInt32(b, h.Xid), int64(h.Zxid)), int32(h.Err))
}

// Decode reads the record.
func (h *ReplyHeader) Decode(d *Decoder) {
	h.Xid = d.Int32()
	h.Zxid = Zxid(d.Int64())
	h.Err = Code(d.Int32())
}

// MultiHeader stands before each part of a multi request or response and at its end.
type MultiHeader struct {
	Type OpCode
	Done bool
	Err  Code
}

// MultiEnd is the header that ends a multi.
var MultiEnd = MultiHeader{Type: OpError, Done: true, Err: -1}

// Append appends the record.
func (h MultiHeader) Append(b []byte) []byte {
	return AppendInt32(AppendBool(AppendInt32(b, int32(h.Type)), h.Done), int32(h.Err))
}

// Decode reads the record.
func (h *MultiHeader) Decode(d *Decoder) {
	h.Type = OpCode(d.Int32())
	h.Done = d.Bool()
	h.Err = Code(d.Int32())
}

// WatcherEvent is the body of an event.
type WatcherEvent struct {
	Type  EventType
	State int32
	Path  string
}

// Append appends the record.
func (e *WatcherEvent) Append(b []byte) []byte {
	return AppendString(AppendInt32(AppendInt32(b, int32(e.Type)), e.State), e.Path)
}

// Decode reads the record.
func (e *WatcherEvent) Decode(d *Decoder) {
	e.Type = EventType(d.Int32())
	e.State = d.Int32()
	e.Path = d.String()
}

// AuthPacket is the body of an auth request.
type AuthPacket struct {
	Type   int32 // ignored
	Scheme *string
	Auth   []byte
}

// Append appends the record.
func (p *AuthPacket) Append(b []byte) []byte {
	return AppendBuffer(AppendNullString(AppendInt32(b, p.Type), p.Scheme), p.Auth)
}

// Decode reads the record; Auth aliases the input.
func (p *AuthPacket) Decode(d *Decoder) {
	p.Type = d.Int32()
	p.Scheme = d.OptString()
	p.Auth = d.Buffer()
}

// CreateRequest is the body of create, create2, createContainer and, with TTL, of createTTL.
type CreateRequest struct {
	Path  string
	Data  []byte
	ACL   []ACL
	Flags int32
	TTL   int64 // milliseconds; on the wire only in createTTL
}

// Append appends the record as op has it.
func (r *CreateRequest) Append(b []byte, op OpCode) []byte {
	b = AppendString(b, r.Path)
	b = AppendBuffer(b, r.Data)
	b = AppendACLs(b, r.ACL)
	b = AppendInt32(b, r.Flags)
	if op == OpCreateTTL {
		b = AppendInt64(b, r.TTL)
	}
	return b
}

// Decode reads the record as op has it; Data aliases the input.
func (r *CreateRequest) Decode(d *Decoder, op OpCode) {
	r.Path = d.String()
	r.Data = d.Buffer()
	r.ACL = d.ACLs()
	r.Flags = d.Int32()
	if op == OpCreateTTL {
		r.TTL = d.Int64()
	}
}

// PathVersionRequest is the body of delete and check.
type PathVersionRequest struct {
	Path    string
	Version int32
}

// Append appends the record.
func (r *PathVersionRequest) Append(b []byte) []byte {
	return AppendInt32(AppendString(b, r.Path), r.Version)
}

// Decode reads the record.
func (r *PathVersionRequest) Decode(d *Decoder) {
	r.Path = d.String()
	r.Version = d.Int32()
}

// PathWatchRequest is the body of exists, getData, getChildren and getChildren2.
type PathWatchRequest struct {
	Path  string
	Watch bool
}

// Append appends the record.
func (r *PathWatchRequest) Append(b []byte) []byte {
	return AppendBool(AppendString(b, r.Path), r.Watch)
}

// Decode reads the record.
func (r *PathWatchRequest) Decode(d *Decoder) {
	r.Path = d.String()
	r.Watch = d.Bool()
}

// SetDataRequest is the body of setData.
type SetDataRequest struct {
	Path    string
	Data    []byte
	Version int32
}

// Append appends the record.
func (r *SetDataRequest) Append(b []byte) []byte {
	return AppendInt32(AppendBuffer(AppendString(b, r.Path), r.Data), r.Version)
}

// Decode reads the record; Data aliases the input.
func (r *SetDataRequest) Decode(d *Decoder) {
	r.Path = d.String()
	r.Data = d.Buffer()
	r.Version = d.Int32()
}

// SetACLRequest is the body of setACL.
type SetACLRequest struct {
	Path    string
	ACL     []ACL
	Version int32
}

// Append appends the record.
func (r *SetACLRequest) Append(b []byte) []byte {
	return AppendInt32(AppendACLs(AppendString(b, r.Path), r.ACL), r.Version)
}

// Decode reads the record.
func (r *SetACLRequest) Decode(d *Decoder) {
	r.Path = d.String()
	r.ACL = d.ACLs()
	r.Version = d.Int32()
}

// PathTypeRequest is the body of checkWatches, removeWatches and addWatch (where Type is the mode).
type PathTypeRequest struct {
	Path string
	Type int32
}

// Append appends the record.
func (r *PathTypeRequest) Append(b []byte) []byte {
	return AppendInt32(AppendString(b, r.Path), r.Type)
}

// Decode reads the record.
func (r *PathTypeRequest) Decode(d *Decoder) {
	r.Path = d.String()
	r.Type = d.Int32()
}

// SetWatchesRequest is the body of setWatches and setWatches2.
type SetWatchesRequest struct {
	RelativeZxid                Zxid
	Data, Exist, Child          []string
	Persistent, PersistentRecur []string // on the wire only in setWatches2
}

// Append appends the record as op has it.
func (r *SetWatchesRequest) Append(b []byte, op OpCode) []byte {
	b = AppendInt64(b, int64(r.RelativeZxid))
	b = AppendStrings(b, r.Data)
	b = AppendStrings(b, r.Exist)
	b = AppendStrings(b, r.Child)
	if op == OpSetWatches2 {
		b = AppendStrings(b, r.Persistent)
		b = AppendStrings(b, r.PersistentRecur)
	}
	return b
}

// Decode reads the record as op has it. A null vector fails: Java answers MarshallingError.
func (r *SetWatchesRequest) Decode(d *Decoder, op OpCode) {
	r.RelativeZxid = Zxid(d.Int64())
	lists := []*[]string{&r.Data, &r.Exist, &r.Child, &r.Persistent, &r.PersistentRecur}
	if op != OpSetWatches2 {
		lists = lists[:3]
	}
	for _, l := range lists {
		if *l = d.Strings(); *l == nil {
			d.Fail("null vector")
			return
		}
	}
}

// ReconfigRequest is the body of reconfig.
type ReconfigRequest struct {
	Joining, Leaving, NewMembers *string
	CurConfigID                  int64
}

// Append appends the record.
func (r *ReconfigRequest) Append(b []byte) []byte {
	b = AppendNullString(b, r.Joining)
	b = AppendNullString(b, r.Leaving)
	b = AppendNullString(b, r.NewMembers)
	return AppendInt64(b, r.CurConfigID)
}

// Decode reads the record.
func (r *ReconfigRequest) Decode(d *Decoder) {
	r.Joining = d.OptString()
	r.Leaving = d.OptString()
	r.NewMembers = d.OptString()
	r.CurConfigID = d.Int64()
}

// ClientInfo is one identity in the reply of whoAmI.
type ClientInfo struct {
	AuthScheme string
	User       string
}

// Append appends the record.
func (c *ClientInfo) Append(b []byte) []byte {
	return AppendString(AppendString(b, c.AuthScheme), c.User)
}

// Decode reads the record.
func (c *ClientInfo) Decode(d *Decoder) {
	c.AuthScheme = d.String()
	c.User = d.String()
}
