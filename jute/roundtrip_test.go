package jute

import (
	"bytes"
	"reflect"
	"runtime"
	"testing"
)

// codec is one record as the tests see it: decode reads a fresh value, encode appends it again.
type codec struct {
	name   string
	decode func(d *Decoder) any
	encode func(b []byte, v any) []byte
}

type record[T any] interface {
	*T
	Decode(d *Decoder)
	Append(b []byte) []byte
}

func recordCodec[T any, P record[T]](name string) codec {
	return codec{
		name:   name,
		decode: func(d *Decoder) any { v := new(T); P(v).Decode(d); return v },
		encode: func(b []byte, v any) []byte { return P(v.(*T)).Append(b) },
	}
}

type opRecord[T any] interface {
	*T
	Decode(d *Decoder, op OpCode)
	Append(b []byte, op OpCode) []byte
}

func opCodec[T any, P opRecord[T]](name string, op OpCode) codec {
	return codec{
		name:   name + " " + op.String(),
		decode: func(d *Decoder) any { v := new(T); P(v).Decode(d, op); return v },
		encode: func(b []byte, v any) []byte { return P(v.(*T)).Append(b, op) },
	}
}

func txnCodec(op OpCode) codec {
	return codec{
		name:   "Txn " + op.String(),
		decode: func(d *Decoder) any { v := new(Txn); v.Decode(d, op); return v },
		encode: func(b []byte, v any) []byte { return v.(*Txn).Append(b) },
	}
}

// codecs lists every record of the package.
func codecs() []codec {
	cs := []codec{
		recordCodec[ACL]("ACL"),
		recordCodec[Stat]("Stat"),
		recordCodec[StatPersisted]("StatPersisted"),
		recordCodec[ConnectRequest]("ConnectRequest"),
		recordCodec[ConnectResponse]("ConnectResponse"),
		recordCodec[RequestHeader]("RequestHeader"),
		recordCodec[ReplyHeader]("ReplyHeader"),
		recordCodec[MultiHeader]("MultiHeader"),
		recordCodec[WatcherEvent]("WatcherEvent"),
		recordCodec[AuthPacket]("AuthPacket"),
		recordCodec[PathVersionRequest]("PathVersionRequest"),
		recordCodec[PathWatchRequest]("PathWatchRequest"),
		recordCodec[SetDataRequest]("SetDataRequest"),
		recordCodec[SetACLRequest]("SetACLRequest"),
		recordCodec[PathTypeRequest]("PathTypeRequest"),
		recordCodec[ReconfigRequest]("ReconfigRequest"),
		recordCodec[ClientInfo]("ClientInfo"),
		recordCodec[TxnHeader]("TxnHeader"),
		recordCodec[Digest]("Digest"),
		recordCodec[Proposal]("Proposal"),
		recordCodec[FileHeader]("FileHeader"),
		recordCodec[SnapshotSession]("SnapshotSession"),
		recordCodec[SnapshotACL]("SnapshotACL"),
		recordCodec[SnapshotSeal]("SnapshotSeal"),
		recordCodec[SnapshotDigest]("SnapshotDigest"),
		recordCodec[TxnLogEntryHeader]("TxnLogEntryHeader"),
		recordCodec[QuorumPacket]("QuorumPacket"),
		recordCodec[LearnerInfo]("LearnerInfo"),
		recordCodec[ForwardedRequest]("ForwardedRequest"),
		recordCodec[RevalidateAnswer]("RevalidateAnswer"),
		recordCodec[QuorumAuthPacket]("QuorumAuthPacket"),
		opCodec[CreateRequest]("CreateRequest", OpCreate),
		opCodec[CreateRequest]("CreateRequest", OpCreateTTL),
		opCodec[SetWatchesRequest]("SetWatchesRequest", OpSetWatches),
		opCodec[SetWatchesRequest]("SetWatchesRequest", OpSetWatches2),
		{
			name: "SnapshotNode",
			decode: func(d *Decoder) any {
				v := new(SnapshotNode)
				if v.Decode(d) {
					d.Fail("the end of the nodes")
				}
				return v
			},
			encode: func(b []byte, v any) []byte { return v.(*SnapshotNode).Append(b) },
		},
		{
			name:   "ACLs",
			decode: func(d *Decoder) any { return d.ACLs() },
			encode: func(b []byte, v any) []byte { return AppendACLs(b, v.([]ACL)) },
		},
		{
			name:   "Strings",
			decode: func(d *Decoder) any { return d.Strings() },
			encode: func(b []byte, v any) []byte { return AppendStrings(b, v.([]string)) },
		},
	}
	for _, op := range []OpCode{
		OpCreateSession, OpCloseSession, OpError, OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL, OpDelete,
		OpDeleteContainer, OpSetData, OpReconfig, OpSetACL, OpCheck, OpMulti,
	} {
		cs = append(cs, txnCodec(op))
	}
	return cs
}

func ptr(s string) *string { return &s }

// samples are values with every field set, and with null and empty where the wire knows both.
func samples() []any {
	stat := StatPersisted{Czxid: 1, Mzxid: 2, Ctime: 3, Mtime: 4, Version: -5, Cversion: 6, Aversion: 7, EphemeralOwner: -8, Pzxid: 9}
	return []any{
		&ACL{Perms: 31, ID: ID{Scheme: "digest", ID: "a:b"}}, &ACL{},
		&Stat{Czxid: 1, Mzxid: 2, Ctime: 3, Mtime: 4, Version: 5, Cversion: 6, Aversion: 7, EphemeralOwner: 8, DataLength: 9, NumChildren: 10, Pzxid: 11},
		&stat,
		&ConnectRequest{ProtocolVersion: 1, LastZxidSeen: 2, TimeoutMillis: 3, SessionID: 4, Passwd: []byte("0123456789abcdef"), ReadOnly: true, HasReadOnly: true},
		&ConnectRequest{TimeoutMillis: 3},
		&ConnectResponse{TimeoutMillis: 3, SessionID: 4, Passwd: make([]byte, 16), HasReadOnly: true},
		&ConnectResponse{TimeoutMillis: 3, SessionID: 4, Passwd: []byte{}},
		&RequestHeader{Xid: -4, Type: OpAuth}, &ReplyHeader{Xid: 1, Zxid: NewZxid(2, 3), Err: CodeNoNode}, &MultiHeader{Type: OpError, Done: true, Err: -1},
		&WatcherEvent{Type: EventNodeDeleted, State: StateSyncConnected, Path: "/a"},
		&AuthPacket{Type: 1, Scheme: ptr("digest"), Auth: []byte("u:p")}, &AuthPacket{}, &AuthPacket{Scheme: ptr(""), Auth: []byte{}},
		&PathVersionRequest{Path: "/a", Version: -1}, &PathWatchRequest{Path: "/a", Watch: true},
		&SetDataRequest{Path: "/a", Data: []byte{0, 1}, Version: 2}, &SetDataRequest{Path: "/a"}, &SetDataRequest{Path: "/a", Data: []byte{}},
		&SetACLRequest{Path: "/a", ACL: openACL, Version: 1}, &SetACLRequest{Path: "/a"}, &SetACLRequest{Path: "/a", ACL: []ACL{}},
		&PathTypeRequest{Path: "/a", Type: 5},
		&ReconfigRequest{Joining: ptr("server.1=h:1:2;3"), CurConfigID: -1}, &ReconfigRequest{Leaving: ptr(""), NewMembers: ptr("x")},
		&ClientInfo{AuthScheme: "ip", User: "::1"},
		&CreateRequest{Path: "/a", Data: []byte("d"), ACL: openACL, Flags: FlagEphemeral}, &CreateRequest{Path: "/ä€", ACL: []ACL{}},
		&SetWatchesRequest{RelativeZxid: 7, Data: []string{"/a", "/b"}, Exist: []string{}, Child: []string{"/c"}},
		&TxnHeader{ClientID: 1, Cxid: 2, Zxid: 3, Time: 4, Type: OpSetData}, &Digest{Version: DigestVersion, TreeDigest: -1},
		&FileHeader{Magic: SnapshotMagic, Version: FileVersion, DBID: -1}, &SnapshotSession{SessionID: 1, TimeoutMillis: 2},
		&SnapshotACL{ID: 1, ACL: openACL}, &SnapshotSeal{Adler32: 1 << 31, Text: SnapshotEnd},
		&SnapshotDigest{Zxid: 1, Digest: Digest{Version: 2, TreeDigest: 3}}, &TxnLogEntryHeader{Adler32: 1, LengthBytes: 2},
		&QuorumPacket{Type: PacketRequest, Zxid: -1, Data: []byte("data"), AuthInfo: []ID{{"ip", "::1"}, {"digest", "u:p"}}},
		&QuorumPacket{Type: PacketAck, Zxid: NewZxid(3, 4)}, &QuorumPacket{Type: PacketPing, Data: []byte{}, AuthInfo: []ID{}},
		&LearnerInfo{ServerID: 255, ProtocolVersion: ZabProtocolVersion, ConfigVersion: 1 << 32},
		&ForwardedRequest{SessionID: 1, Cxid: 2, Type: OpSetData, Body: []byte("record")}, &ForwardedRequest{Type: OpCloseSession, Body: []byte{}},
		&RevalidateAnswer{SessionID: 1, Valid: true}, &RevalidateAnswer{SessionID: -1},
		&QuorumAuthPacket{Magic: QuorumAuthMagic, Status: QuorumAuthError, Token: []byte("t")}, &QuorumAuthPacket{Magic: QuorumAuthMagic},
		&SnapshotNode{Path: "", ACLID: ACLIDOpen, Stat: stat}, &SnapshotNode{Path: "/a", Data: []byte{}, ACLID: 3},
		[]ACL(nil), []ACL{}, openACL, []string(nil), []string{}, []string{"", "/a"},
	}
}

func sampleTxns() []Txn {
	acl := openACL
	return []Txn{
		{Type: OpCreateSession, TimeoutMillis: 30000},
		{Type: OpCloseSession}, {Type: OpCloseSession, Paths: []string{}}, {Type: OpCloseSession, Paths: []string{"/a", "/b/c"}},
		{Type: OpError, Err: CodeNoNode},
		{Type: OpCreate, Path: "/a", Data: []byte("x"), ACL: acl, Ephemeral: true, ParentCversion: 3},
		{Type: OpCreate2, Path: "/a", ACL: acl, ParentCversion: -1},
		{Type: OpCreateContainer, Path: "/a", Data: []byte{}, ACL: acl, ParentCversion: 1},
		{Type: OpCreateTTL, Path: "/a", ACL: acl, ParentCversion: 1, TTL: 5000},
		{Type: OpDelete, Path: "/a"}, {Type: OpDeleteContainer, Path: "/a"},
		{Type: OpSetData, Path: "/a", Data: []byte("y"), Version: 7}, {Type: OpSetData, Path: "/a", Version: 7},
		{Type: OpReconfig, Path: "/zookeeper/config", Data: []byte("version=1"), Version: -1},
		{Type: OpSetACL, Path: "/a", ACL: acl, Version: 1}, {Type: OpCheck, Path: "/a", Version: 1},
		{Type: OpMulti, Subs: []Txn{}},
		{Type: OpMulti, Subs: []Txn{
			{Type: OpCreate, Path: "/a", ACL: acl, ParentCversion: 1}, {Type: OpCheck, Path: "/a", Version: 1},
			{Type: OpError, Err: CodeBadVersion}, {Type: OpDelete, Path: "/b"},
		}},
	}
}

// TestRoundTrip encodes each sample, decodes it and compares; cut anywhere, the bytes must not decode.
func TestRoundTrip(t *testing.T) {
	byType := map[string][]codec{}
	for _, c := range codecs() {
		d := NewDecoder(nil, 0)
		n := reflect.TypeOf(c.decode(&d)).String()
		byType[n] = append(byType[n], c)
	}
	all := samples()
	for _, x := range sampleTxns() {
		all = append(all, &Proposal{Header: TxnHeader{ClientID: 1, Type: x.Type}, Txn: x})
		if x.Type != OpError {
			all = append(all, &Proposal{
				Header: TxnHeader{ClientID: 1, Type: x.Type}, Txn: x, HasDigest: true,
				Digest: Digest{Version: DigestVersion, TreeDigest: 1371985504},
			})
		}
	}
	for _, v := range all {
		c := byType[reflect.TypeOf(v).String()][0]
		b := c.encode(nil, v)
		d := NewDecoder(b, 0)
		got := c.decode(&d)
		if d.Err() != nil || d.Remaining() != 0 || !reflect.DeepEqual(got, v) {
			t.Errorf("%s: got %+v, err %v, %d bytes left; want %+v", c.name, got, d.Err(), d.Remaining(), v)
		}
		if again := c.encode([]byte("prefix"), got); !bytes.Equal(again, append([]byte("prefix"), b...)) {
			t.Errorf("%s: encoded again it is %x, not %x", c.name, again, b)
		}
		if _, ok := v.(*Proposal); ok {
			continue // its tail is optional
		}
		for n := range b {
			d := NewDecoder(b[:n], 0)
			if c.decode(&d); d.Err() == nil && !optionalTail(v, b[n:]) {
				t.Errorf("%s: decodes from %d of %d bytes", c.name, n, len(b))
			}
		}
	}
}

// optionalTail reports whether cut may be missing.
func optionalTail(v any, cut []byte) bool {
	switch v := v.(type) {
	case *ConnectRequest, *ConnectResponse:
		return len(cut) == 1
	case *LearnerInfo:
		return len(cut) == 8 || len(cut) == 12
	case *ForwardedRequest:
		return len(cut) <= len(v.Body)
	}
	return false
}

// FuzzRecords feeds every decoder. What decodes must come out the same after encoding and decoding, and
// a decoder must not allocate more than a constant times its input.
func FuzzRecords(f *testing.F) {
	cs := codecs()
	for i, c := range cs {
		for _, v := range samples() {
			d := NewDecoder(nil, 0)
			if reflect.TypeOf(c.decode(&d)) == reflect.TypeOf(v) {
				f.Add(uint8(i), c.encode(nil, v))
			}
		}
		for _, x := range sampleTxns() {
			p := Proposal{Header: TxnHeader{Type: x.Type}, Txn: x}
			if c.name == "Txn "+x.Type.String() {
				f.Add(uint8(i), x.Append(nil))
			} else if c.name == "Proposal" {
				f.Add(uint8(i), p.Append(nil))
			}
		}
		f.Add(uint8(i), []byte{0x7f, 0xff, 0xff, 0xff})
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		c := cs[int(which)%len(cs)]
		d := NewDecoder(b, 0)
		v := c.decode(&d)
		if d.Offset() > len(b) {
			t.Fatalf("%s: read %d of %d bytes", c.name, d.Offset(), len(b))
		}
		if d.Err() != nil {
			return
		}
		again := c.encode(nil, v)
		d2 := NewDecoder(again, 0)
		v2 := c.decode(&d2)
		if d2.Err() != nil || d2.Remaining() != 0 {
			t.Fatalf("%s: own encoding does not decode: %v, %d left", c.name, d2.Err(), d2.Remaining())
		}
		if !reflect.DeepEqual(v, v2) {
			t.Fatalf("%s: %+v became %+v", c.name, v, v2)
		}
	})
}

// TestHostileCounts gives every decoder announced lengths and counts that the input does not hold.
func TestHostileCounts(t *testing.T) {
	input := bytes.Repeat([]byte{0x00, 0x0f, 0xff, 0xff}, 64)
	input = append(bytes.Repeat([]byte{0x7f, 0xff, 0xff, 0xff}, 4), input...)
	for _, c := range codecs() {
		for off := 0; off < 20; off += 4 {
			res := allocated(func() {
				d := NewDecoder(input[off:], 0)
				c.decode(&d)
			})
			if res > 64*uint64(len(input)) {
				t.Errorf("%s: %d bytes allocated for an input of %d", c.name, res, len(input))
			}
		}
	}
}

// allocated is the number of heap bytes f takes.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
