package election

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"zk/jute"
)

func TestNotificationVersions(t *testing.T) {
	full := Notification{
		State: Leading, Vote: Vote{Leader: 3, Zxid: jute.NewZxid(5, 6), ElectionEpoch: 7, PeerEpoch: 8},
		Version: 2, Config: []byte("version=0"),
	}
	b := full.Append(nil)
	vote := full.Vote
	old := vote
	old.PeerEpoch = 5 // the epoch of the zxid
	one := slices.Clone(b[:bytesWithConfig])
	one[39] = 1
	for _, c := range []struct {
		name string
		b    []byte
		want Notification
	}{
		{"now", b, full},
		{"28 bytes", b[:28], Notification{State: Leading, Vote: old}},
		{"40 bytes", b[:40], Notification{State: Leading, Vote: vote}},
		{"version 1", one, Notification{State: Leading, Vote: vote, Version: 1}},
		{"bytes behind the config", append(slices.Clone(b), 1, 2, 3), full},
	} {
		var got Notification
		if err := got.Decode(c.b); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, err, c.want)
		}
	}
	negative := jute.AppendInt32(slices.Clone(b[:40]), -1)
	for _, bad := range [][]byte{nil, b[:27], b[:29], b[:39], b[:41], b[:43], b[:len(b)-1], negative} {
		var got Notification
		if err := got.Decode(bad); err == nil {
			t.Errorf("%d bytes are read as %+v", len(bad), got)
		}
	}
}

func TestInitialMessage(t *testing.T) {
	for _, m := range []InitialMessage{
		{Protocol: ProtocolV1, ServerID: 3, Addresses: []HostPort{{"127.0.0.1", 25032}}},
		{Protocol: ProtocolV2, ServerID: 1, Addresses: []HostPort{{"a.example", 1}, {"2001:db8::1", 65535}}},
		{ServerID: AnonymousObserver},
	} {
		b := append(m.Append(nil), "behind"...)
		r := bytes.NewReader(b)
		got, err := ReadInitialMessage(iotest.OneByteReader(r))
		if err != nil || !reflect.DeepEqual(got, m) || r.Len() != len("behind") {
			t.Errorf("%+v, %v, %d bytes left; want %+v", got, err, r.Len(), m)
		}
		for n := range len(b) - len("behind") {
			if _, err := ReadInitialMessage(bytes.NewReader(b[:n])); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
	}
	wild := InitialMessage{Protocol: ProtocolV2, ServerID: 1, Addresses: []HostPort{{"0.0.0.0", 1}, {"::", 2}, {"b", 3}}}
	if got, err := ReadInitialMessage(bytes.NewReader(wild.Append(nil))); err != nil || !slices.Equal(got.Addresses, wild.Addresses[2:]) {
		t.Errorf("wildcard addresses: %+v, %v", got, err)
	}
}

func TestInitialMessageRefused(t *testing.T) {
	message := func(protocol int64, length int32, text string) []byte {
		return append(jute.AppendInt32(jute.AppendInt64(jute.AppendInt64(nil, protocol), 9), length), text...)
	}
	long := strings.Repeat("a", initialBytesMax+1)
	for _, c := range []struct {
		name string
		b    []byte
	}{
		{"unknown protocol", message(-65534, 3, "a:1")},
		{"no address", message(ProtocolV1, 0, "")},
		{"negative length", message(ProtocolV1, -1, "")},
		{"too long", message(ProtocolV1, int32(len(long)), long)},
		{"no port", message(ProtocolV1, 1, "a")},
		{"bad port", message(ProtocolV1, 7, "a:65536")},
		{"no host", message(ProtocolV1, 2, ":1")},
		{"blank in a host", message(ProtocolV1, 5, "a b:1")},
		{"open bracket", message(ProtocolV1, 6, "[::1:1")},
		{"no bracket", message(ProtocolV1, 5, "::1:1")},
		{"empty part", message(ProtocolV2, 4, "a:1|")},
	} {
		_, err := ReadInitialMessage(bytes.NewReader(c.b))
		var e *InitialError
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", c.name, err)
		} else if e.ServerID != 9 && c.name != "unknown protocol" {
			t.Errorf("%s: from server %v", c.name, e.ServerID)
		}
	}
}

func FuzzNotification(f *testing.F) {
	n := Notification{State: Looking, Vote: Vote{Leader: 1, Zxid: -1, ElectionEpoch: 1, PeerEpoch: 2}, Config: []byte("version=0")}
	b := n.Append(nil)
	f.Add(b)
	f.Add(b[:28])
	f.Add(b[:40])
	f.Add(append(b[:40:40], 0x7f, 0xff, 0xff, 0xff))
	f.Fuzz(func(t *testing.T, b []byte) {
		var n, again Notification
		if n.Decode(b) != nil {
			return
		}
		if n.Version != notificationVersion { // encoded as what this package sends
			n.Version, n.Config = notificationVersion, []byte{}
		}
		if err := again.Decode(n.Append(nil)); err != nil || !reflect.DeepEqual(n, again) {
			t.Fatalf("%+v became %+v, %v", n, again, err)
		}
	})
}

func FuzzInitialMessage(f *testing.F) {
	for _, m := range []InitialMessage{
		{Protocol: ProtocolV1, ServerID: 3, Addresses: []HostPort{{"127.0.0.1", 25032}}},
		{Protocol: ProtocolV2, ServerID: 1, Addresses: []HostPort{{"a.example", 1}, {"2001:db8::1", 65535}}},
		{ServerID: 7},
	} {
		f.Add(m.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ReadInitialMessage(bytes.NewReader(b))
		if err != nil || m.Protocol != ProtocolBare && len(m.Addresses) == 0 {
			return
		}
		again, err := ReadInitialMessage(bytes.NewReader(m.Append(nil)))
		if err != nil || !reflect.DeepEqual(m, again) {
			t.Fatalf("%+v became %+v, %v", m, again, err)
		}
	})
}
