package prep

import (
	"bytes"
	"encoding/hex"
	"os"
	"reflect"
	"strings"
	"testing"

	"zk/jute"
)

func TestDecode(t *testing.T) {
	create := jute.CreateRequest{Path: "/a", Data: []byte("d"), ACL: openACL(), Flags: 2, TTL: 9}
	null := jute.AppendNullString(nil, nil)
	for _, c := range []struct {
		name string
		op   jute.OpCode
		body []byte
		want Body
		err  bool
	}{
		{"create", jute.OpCreate, create.Append(nil, jute.OpCreate), Body{Path: "/a", Data: []byte("d"), ACL: openACL(), Flags: 2}, false},
		{"trailing bytes", jute.OpCreate2, create.Append(nil, jute.OpCreateTTL), Body{Path: "/a", Data: []byte("d"), ACL: openACL(), Flags: 2}, false},
		{"createTTL", jute.OpCreateTTL, create.Append(nil, jute.OpCreateTTL), Body{Path: "/a", Data: []byte("d"), ACL: openACL(), Flags: 2, TTL: 9}, false},
		{"createTTL without ttl", jute.OpCreateTTL, create.Append(nil, jute.OpCreate), Body{}, true},
		{"create null path", jute.OpCreate, append(null, create.Append(nil, jute.OpCreate)[6:]...), Body{}, true},
		{"delete", jute.OpDelete, (&jute.PathVersionRequest{Path: "/a", Version: 3}).Append(nil), Body{Path: "/a", Version: 3}, false},
		{"delete null path", jute.OpDelete, append(null, 0, 0, 0, 0), Body{}, true},
		{"setData", jute.OpSetData, (&jute.SetDataRequest{Path: "/a", Version: 3}).Append(nil), Body{Path: "/a", Version: 3}, false},
		{"setData null path", jute.OpSetData, jute.AppendInt32(jute.AppendBuffer(null, []byte{}), 1), Body{Data: []byte{}, Version: 1}, false},
		{"setACL", jute.OpSetACL, (&jute.SetACLRequest{Path: "/a", Version: 3}).Append(nil), Body{Path: "/a", Version: 3}, false},
		{"setACL null path", jute.OpSetACL, jute.AppendInt32(jute.AppendACLs(null, openACL()), 1), Body{ACL: openACL(), Version: 1}, false},
		{"cut", jute.OpSetData, (&jute.SetDataRequest{Path: "/a"}).Append(nil)[:9], Body{}, true},
		{"closeSession", jute.OpCloseSession, nil, Body{}, false},
		{"check alone", jute.OpCheck, (&jute.PathVersionRequest{Path: "/a"}).Append(nil), Body{}, true},
		{"createSession", jute.OpCreateSession, []byte{0, 0, 0, 1}, Body{}, true},
		{"deleteContainer", jute.OpDeleteContainer, jute.AppendString(nil, "/a"), Body{}, true},
		{"error", jute.OpError, []byte{0, 0, 0, 1}, Body{}, true},
		{"reconfig", jute.OpReconfig, (&jute.ReconfigRequest{}).Append(nil), Body{}, false},
		{"reconfig cut", jute.OpReconfig, []byte{0}, Body{}, true},
	} {
		var r Request
		err := r.Decode(c.op, c.body, 0)
		if (err != nil) != c.err {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		c.want.Op = c.op
		if err == nil && !reflect.DeepEqual(r.Body, c.want) {
			t.Errorf("%s: got %+v", c.name, r.Body)
		}
	}
}

// appendMulti encodes a multi of one part and the end.
func appendMulti(op jute.OpCode, body []byte) []byte {
	b := jute.MultiHeader{Type: op, Err: -1}.Append(nil)
	return jute.MultiEnd.Append(append(b, body...))
}

func TestDecodeMulti(t *testing.T) {
	create := func(flags int32, acl []jute.ACL, op jute.OpCode) []byte {
		return (&jute.CreateRequest{Path: "/a", ACL: acl, Flags: flags, TTL: 7}).Append(nil, op)
	}
	set := (&jute.SetDataRequest{Path: "/a"}).Append(nil)
	for _, c := range []struct {
		name string
		body []byte
		want jute.OpCode // of the part; 0 is an error
	}{
		{"create", appendMulti(jute.OpCreate, create(1, openACL(), 0)), jute.OpCreate},
		{"create with container flag", appendMulti(jute.OpCreate, create(4, openACL(), 0)), jute.OpCreateContainer},
		{"create2 with container flag", appendMulti(jute.OpCreate2, create(4, openACL(), 0)), jute.OpCreateContainer},
		{"createContainer with flag 0", appendMulti(jute.OpCreateContainer, create(0, openACL(), 0)), jute.OpCreateContainer},
		{"create with ttl flag", appendMulti(jute.OpCreate, create(5, openACL(), 0)), 0},
		{"create with unknown flag", appendMulti(jute.OpCreate, create(7, openACL(), 0)), 0},
		{"create with null ACL", appendMulti(jute.OpCreate, create(0, nil, 0)), 0},
		{"create with empty ACL", appendMulti(jute.OpCreate, create(0, []jute.ACL{}, 0)), jute.OpCreate},
		{"createTTL", appendMulti(jute.OpCreateTTL, create(0, nil, jute.OpCreateTTL)), jute.OpCreateTTL},
		{"setData", appendMulti(jute.OpSetData, set), jute.OpSetData},
		{"setData with null path", appendMulti(jute.OpSetData, append([]byte{255, 255, 255, 255}, set[6:]...)), 0},
		{"check", appendMulti(jute.OpCheck, (&jute.PathVersionRequest{Path: "/a"}).Append(nil)), jute.OpCheck},
		{"delete", appendMulti(jute.OpDelete, (&jute.PathVersionRequest{Path: "/a"}).Append(nil)), jute.OpDelete},
		{"setACL", appendMulti(jute.OpSetACL, (&jute.SetACLRequest{Path: "/a", ACL: openACL()}).Append(nil)), 0},
		{"exists", appendMulti(jute.OpExists, (&jute.PathWatchRequest{Path: "/a"}).Append(nil)), 0},
		{"getData", appendMulti(jute.OpGetData, (&jute.PathWatchRequest{Path: "/a"}).Append(nil)), 0},
		{"deleteContainer", appendMulti(jute.OpDeleteContainer, jute.AppendString(nil, "/a")), 0},
		{"multi", appendMulti(jute.OpMulti, nil), 0},
		{"no end", appendMulti(jute.OpSetData, set)[:20], 0},
	} {
		r := Request{Subs: make([]Body, 3)}
		err := r.Decode(jute.OpMulti, c.body, 0)
		if c.want == 0 {
			if err == nil {
				t.Errorf("%s: decodes as %+v", c.name, r.Subs)
			}
			continue
		}
		if err != nil || len(r.Subs) != 1 || r.Subs[0].Op != c.want || r.Subs[0].Path != "/a" {
			t.Errorf("%s: %+v, %v", c.name, r.Subs, err)
		}
	}
	var r Request
	if err := r.Decode(jute.OpMulti, jute.MultiEnd.Append(nil), 0); err != nil || len(r.Subs) != 0 {
		t.Errorf("empty: %v", err)
	}
}

// recordedRequests gives what clients sent to Java followers, as op code and record.
func recordedRequests(t testing.TB) (ops []jute.OpCode, bodies [][]byte) {
	b, err := os.ReadFile("../../jute/testdata/golden/captures.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 3 && f[1] == "REQUEST" {
			payload, err := hex.DecodeString(f[2])
			if err != nil {
				t.Fatal(err)
			}
			d := jute.NewDecoder(payload[12:], 0)
			ops = append(ops, jute.OpCode(d.Int32()))
			bodies = append(bodies, payload[16:])
		}
	}
	return ops, bodies
}

func TestDecodeRecorded(t *testing.T) {
	ops, bodies := recordedRequests(t)
	decoded := 0
	for i, op := range ops {
		if op == jute.OpSync || op == jute.OpCreateSession {
			continue
		}
		var r Request
		if err := r.Decode(op, bodies[i], 0); err != nil {
			t.Errorf("%v %x: %v", op, bodies[i], err)
		}
		decoded++
	}
	if decoded < 100 {
		t.Errorf("only %d requests", decoded)
	}
}

// FuzzRequest decodes any bytes and prepares what decodes: no panic, a proposal that decodes, and one
// that applies with the digest it promised.
func FuzzRequest(f *testing.F) {
	ops, bodies := recordedRequests(f)
	for i := range ops {
		f.Add(int32(ops[i]), bodies[i])
	}
	f.Add(int32(jute.OpMulti), appendMulti(jute.OpDelete, (&jute.PathVersionRequest{Path: "/a"}).Append(nil)))
	w := newWorld(Options{ExtendedTypes: true, EnforceQuota: true})
	f.Fuzz(func(t *testing.T, op int32, body []byte) {
		if !jute.OpCode(op).IsWrite() {
			return
		}
		var r Request
		kept := bytes.Clone(body)
		if r.Decode(jute.OpCode(op), body, 0) != nil {
			return
		}
		r.SessionID = 1
		w.prepare(&r, 5)
		if !bytes.Equal(kept, body) {
			t.Fatal("the frame was changed")
		}
		for len(w.pending) > 0 {
			if bad := w.applyNext(); bad != "" {
				t.Fatal(bad)
			}
		}
		delete(w.sessions.closing, 1)
	})
}
