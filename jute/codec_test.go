package jute

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"unsafe"
)

func TestNullAndEmpty(t *testing.T) {
	b := AppendBuffer(nil, nil)
	b = AppendBuffer(b, []byte{})
	b = AppendStrings(b, nil)
	b = AppendStrings(b, []string{})
	b = AppendNullString(b, nil)
	b = AppendACLs(b, nil)
	want := []byte{
		0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	}
	if !bytes.Equal(b, want) {
		t.Fatalf("got %x", b)
	}
	d := NewDecoder(b, 0)
	if v := d.Buffer(); v != nil {
		t.Error("null buffer is not nil")
	}
	if v := d.Buffer(); v == nil || len(v) != 0 {
		t.Error("empty buffer is nil")
	}
	if v := d.Strings(); v != nil {
		t.Error("null vector is not nil")
	}
	if v := d.Strings(); v == nil || len(v) != 0 {
		t.Error("empty vector is nil")
	}
	if d.OptString() != nil || d.ACLs() != nil || d.Err() != nil || d.Remaining() != 0 {
		t.Errorf("err %v, %d left", d.Err(), d.Remaining())
	}
}

func TestLengths(t *testing.T) {
	for _, c := range []struct {
		name  string
		in    []byte
		limit int
		err   bool
	}{
		{"at the limit", AppendBuffer(nil, make([]byte, 8)), 8, false},
		{"over the limit", AppendBuffer(nil, make([]byte, 9)), 8, true},
		{"default limit", AppendBuffer(nil, make([]byte, 2*MaxBufferDefault)), 0, false},
		{"over the default limit", AppendBuffer(nil, make([]byte, 2*MaxBufferDefault+1)), 0, true},
		{"minus two", AppendInt32(nil, -2), 0, true},
		{"more than there is", append(AppendInt32(nil, 5), 1, 2, 3, 4), 0, true},
		{"no length", []byte{0, 0}, 0, true},
	} {
		d := NewDecoder(c.in, c.limit)
		d.Buffer()
		var de *DecodeError
		if got := d.Err() != nil; got != c.err || got && !errors.As(d.Err(), &de) {
			t.Errorf("%s: err %v", c.name, d.Err())
		}
	}
}

func TestFirstErrorSticks(t *testing.T) {
	d := NewDecoder([]byte{0, 0, 0}, 0)
	d.Int32()
	first := d.Err()
	if d.Bool() || d.Int64() != 0 || d.Buffer() != nil || d.String() != "" || d.Strings() != nil {
		t.Error("a value after an error")
	}
	if d.Err() != first || d.Offset() != 0 {
		t.Errorf("err %v, offset %d", d.Err(), d.Offset())
	}
}

func TestBoolAndNegativeCount(t *testing.T) {
	d := NewDecoder([]byte{2, 0}, 0)
	if !d.Bool() || d.Bool() {
		t.Error("2 is true and 0 is false")
	}
	d = NewDecoder(AppendInt32(nil, -7), 0)
	if v := d.Strings(); v == nil || len(v) != 0 || d.Err() != nil {
		t.Errorf("a count of -7 is an empty vector, got %v, %v", v, d.Err())
	}
}

// TestMalformedUTF8 has what Java 3.9.5's new String(b, UTF_8) makes of bytes that are not UTF-8.
func TestMalformedUTF8(t *testing.T) {
	const r = "\uFFFD"
	for _, c := range []struct{ in, want string }{
		{"plain ä€😀", "plain ä€😀"},
		{"\xff", r},
		{"\xff\xfe", r + r},
		{"a\x80b", "a" + r + "b"},
		{"\xc3", r},
		{"\xc3(", r + "("},
		{"\xc0\xaf", r + r},
		{"\xe2\x82", r},
		{"\xe2\x82x", r + "x"},
		{"\xe0\x80\x80", r + r + r},
		{"\xed\xa0\x80", r},
		{"\xf0\x9f\x98", r},
		{"\xf0\x9f\x98z", r + "z"},
		{"\xf0\x80\x80\x80", r + r + r + r},
		{"\xf4\x90\x80\x80", r + r + r + r},
		{"\xf5\x80", r + r},
		{r, r},
	} {
		d := NewDecoder(AppendString(nil, c.in), 0)
		if got := d.String(); got != c.want || d.Err() != nil {
			t.Errorf("%q: got %q, %v; want %q", c.in, got, d.Err(), c.want)
		}
	}
}

func TestACLNulls(t *testing.T) {
	enc := func(scheme, id *string) []byte {
		return AppendNullString(AppendNullString(AppendInt32(nil, 31), scheme), id)
	}
	for _, c := range []struct {
		name       string
		scheme, id *string
		err        bool
	}{
		{"null scheme", nil, ptr("x"), false},
		{"both null", nil, nil, false},
		{"auth needs no id", ptr("auth"), nil, false},
		{"null id", ptr("digest"), nil, true},
		{"null id of world", ptr("world"), nil, true},
	} {
		d := NewDecoder(enc(c.scheme, c.id), 0)
		var a ACL
		if a.Decode(&d); (d.Err() != nil) != c.err {
			t.Errorf("%s: %v", c.name, d.Err())
		}
	}
}

func TestNames(t *testing.T) {
	if s := NewZxid(2, 0x1f).String(); s != "0x20000001f" {
		t.Error(s)
	}
	if z := NewZxid(0xffffffff, 7); z.Epoch() != 0xffffffff || z.Counter() != 7 {
		t.Error(z)
	}
	if s := SessionID(-1).String(); s != "0xffffffffffffffff" {
		t.Error(s)
	}
	if OpCreateTTL.String() != "createTtl" || OpCode(99).String() != "unknown" {
		t.Error("op names")
	}
	if CodeNoNode.Error() != "NoNode" || Code(-126).Error() != "Code(-126)" {
		t.Error("code names")
	}
	if !errors.Is(error(CodeNoNode), CodeNoNode) {
		t.Error("codes compare")
	}
	for op := OpCode(-20); op < 120; op++ {
		switch op {
		case -11, -10, -1, 1, 2, 5, 7, 14, 15, 16, 19, 20, 21:
			if !op.IsWrite() {
				t.Errorf("%d is a write", op)
			}
		default:
			if op.IsWrite() {
				t.Errorf("%d is no write", op)
			}
		}
	}
}

// TestLikely: a string that was likely to come, and the list of nearly every create, are taken as they are at hand; others
// are copies of what came.
func TestLikely(t *testing.T) {
	path := string([]byte("/likely"))
	for _, c := range []struct {
		sent string
		same bool
	}{{"/likely", true}, {"/likelx", false}, {"/likely/", false}, {"", false}} {
		b := AppendString(nil, c.sent)
		d := NewDecoder(b, 0)
		d.Like(path)
		got := d.String()
		clear(b)
		if d.Err() != nil || got != c.sent || (unsafe.StringData(got) == unsafe.StringData(path)) != c.same {
			t.Errorf("%q came as %q, %v", c.sent, got, d.Err())
		}
	}
	lists := [][]ACL{openACL, {openACL[0], openACL[0]}, {{Perms: PermRead, ID: openACL[0].ID}}, {}, nil}
	for i, list := range lists {
		b := AppendInt32(AppendACLs(nil, list), 7)
		d := NewDecoder(b, 0)
		got := d.ACLs()
		if rest := d.Int32(); d.Err() != nil || rest != 7 || !reflect.DeepEqual(got, list) || (len(got) > 0 && &got[0] == &openACL[0]) != (i == 0) {
			t.Errorf("%v came as %v, then %d, %v", list, got, rest, d.Err())
		}
	}
	b := AppendACLs(nil, openACL)
	d := NewDecoder(b[:len(b)-1], 0)
	if d.ACLs(); d.Err() == nil {
		t.Error("a list that is cut was taken")
	}
}
