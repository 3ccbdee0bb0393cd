package jute

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// stream is one side of a connection between two Java servers, read packet by packet.
type stream struct {
	name   string
	left   *bytes.Reader
	buffer *bufio.Reader
	reader *PacketReader
}

func openStream(t *testing.T, name string) *stream {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata/golden/quorum", name))
	if err != nil {
		t.Fatal(err)
	}
	s := &stream{name: name, left: bytes.NewReader(b)}
	s.buffer = bufio.NewReaderSize(s.left, 64)
	s.reader = NewPacketReader(s.buffer, 0)
	return s
}

// offset is the number of bytes read.
func (s *stream) offset() int64 {
	return s.left.Size() - int64(s.left.Len()) - int64(s.buffer.Buffered())
}

// says is what a packet's data means, as the table of the recordings puts it.
func says(t *testing.T, p *QuorumPacket) string {
	t.Helper()
	d := NewDecoder(p.Data, 0)
	var out string
	again := p.Data
	switch p.Type {
	case PacketFollowerInfo, PacketObserverInfo:
		var l LearnerInfo
		l.Decode(&d)
		out, again = fmt.Sprintf(" %d %#x %#x", l.ServerID, l.ProtocolVersion, l.ConfigVersion), l.Append(nil)
	case PacketLeaderInfo:
		out = fmt.Sprintf(" %#x", d.Int32())
	case PacketAckEpoch:
		out = fmt.Sprintf(" %d", d.Int32())
	case PacketPing:
		again = p.Data[:0]
		for d.Remaining() > 0 && d.Err() == nil {
			var s SessionTimeout
			s.Decode(&d)
			out += fmt.Sprintf(" %v:%d", s.SessionID, s.TimeoutMillis)
			again = s.Append(again)
		}
	case PacketRevalidate:
		if len(p.Data) == SessionTimeoutBytes {
			var s SessionTimeout
			s.Decode(&d)
			out, again = fmt.Sprintf(" %v %d", s.SessionID, s.TimeoutMillis), s.Append(nil)
		} else {
			var r RevalidateAnswer
			r.Decode(&d)
			out, again = fmt.Sprintf(" %v %v", r.SessionID, r.Valid), r.Append(nil)
		}
	case PacketRequest:
		var r ForwardedRequest
		r.Decode(&d)
		out, again = fmt.Sprintf(" %v %d %d", r.SessionID, r.Cxid, r.Type), r.Append(nil)
	case PacketCommitAndActivate, PacketInformAndActivate:
		out = fmt.Sprintf(" %d", d.Int64())
	}
	if d.Err() != nil || !bytes.Equal(again, p.Data) {
		t.Errorf("%v %v: encoded again\n%x, want\n%x; %v", p.Type, p.Zxid, again, p.Data, d.Err())
	}
	return out
}

// TestGoldenQuorumPackets reads each recorded connection of Java servers to its end and compares every
// packet with the table, which a decoder of its own has made.
func TestGoldenQuorumPackets(t *testing.T) {
	table, err := os.ReadFile("testdata/golden/quorum/packets.txt")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[PacketType]int{}
	var s *stream
	var buf []byte
	atEnd := func() {
		if s != nil && s.offset() != s.left.Size() {
			t.Errorf("%s: %d of %d bytes read", s.name, s.offset(), s.left.Size())
		}
	}
	for line := range strings.Lines(string(table)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		line = strings.TrimSpace(line)
		f := strings.Fields(line)
		if s == nil || s.name != f[0] {
			atEnd()
			s = openStream(t, f[0])
		}
		start := s.offset()
		var p QuorumPacket
		if buf, err = s.reader.Read(&p, buf[:0]); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		seen[p.Type]++
		size, data := "-", says(t, &p)
		if p.Data != nil {
			size = fmt.Sprint(len(p.Data))
		}
		auth := "-"
		for i, id := range p.AuthInfo {
			auth = map[bool]string{true: "", false: auth + ","}[i == 0] + id.Scheme + ":" + id.ID
		}
		got := fmt.Sprintf("%s %d %d %d %v %v %s %s%s", s.name, start, s.offset()-start, p.Type, p.Type, p.Zxid, size, auth, data)
		if again := p.Append(nil); int64(len(again)) != s.offset()-start {
			t.Errorf("%s: encoded again it has %d bytes", line, len(again))
		}
		if p.Type == PacketSnap { // the snapshot follows in the same stream
			got += skipSnapshot(t, s.buffer, f[len(f)-1])
		}
		if got != line {
			t.Fatalf("got  %s\nwant %s", got, line)
		}
	}
	atEnd()
	for p := PacketRequest; p <= PacketInformAndActivate; p++ {
		if seen[p] == 0 {
			t.Errorf("no %v in the recordings", p)
		}
	}
}

// skipSnapshot reads a snapshot of so many bytes, which ends with the signature.
func skipSnapshot(t *testing.T, r *bufio.Reader, size string) string {
	t.Helper()
	var n int
	if _, err := fmt.Sscan(size, &n); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil || !bytes.HasSuffix(b, AppendString(nil, SnapSignature)) {
		t.Fatalf("no snapshot of %d bytes: %v, ends with %q", n, err, b[max(n-20, 0):])
	}
	return " " + size
}

// TestGoldenQuorumAuth reads the SASL steps that precede the packets of a learner that authenticates.
func TestGoldenQuorumAuth(t *testing.T) {
	for _, side := range []string{"learner", "master"} {
		b, err := os.ReadFile("testdata/golden/quorum/sasl-008." + side)
		if err != nil {
			t.Fatal(err)
		}
		d := NewDecoder(b, 0)
		steps, again := 0, []byte(nil)
		for v := uint64(QuorumAuthMagic); bytes.HasPrefix(d.Rest(), AppendInt64(nil, int64(v))); steps++ {
			var p QuorumAuthPacket
			p.Decode(&d)
			want := QuorumAuthInProgress
			if side == "master" && steps == 1 {
				want = QuorumAuthSuccess
			}
			if p.Status != want {
				t.Errorf("%s: step %d has status %d", side, steps, p.Status)
			}
			again = p.Append(again)
		}
		if steps != 2 || !bytes.HasPrefix(b, again) {
			t.Errorf("%s: %d steps, or not the same bytes", side, steps)
		}
		r := NewPacketReader(bufio.NewReader(bytes.NewReader(d.Rest())), 0)
		var p QuorumPacket
		want := map[string]PacketType{"learner": PacketFollowerInfo, "master": PacketLeaderInfo}[side]
		if _, err := r.Read(&p, nil); err != nil || p.Type != want {
			t.Errorf("%s: %v, %v", side, p.Type, err)
		}
	}
}

func TestLearnerInfoOfOlderServers(t *testing.T) {
	full := LearnerInfo{ServerID: 3, ProtocolVersion: ZabProtocolVersion, ConfigVersion: 7}
	b := full.Append(nil)
	for n, want := range map[int]LearnerInfo{
		8: {ServerID: 3, ProtocolVersion: 1}, 12: {ServerID: 3, ProtocolVersion: ZabProtocolVersion}, 20: full,
	} {
		d := NewDecoder(b[:n], 0)
		var l LearnerInfo
		if l.Decode(&d); d.Err() != nil || l != want {
			t.Errorf("%d bytes: %+v, %v", n, l, d.Err())
		}
	}
}

// endless gives zeros for ever, behind a start.
type endless struct {
	start []byte
	taken int
}

func (e *endless) Read(b []byte) (int, error) {
	n := copy(b, e.start)
	e.start = e.start[n:]
	clear(b[n:])
	e.taken += len(b)
	return len(b), nil
}

func TestPacketReaderBounds(t *testing.T) {
	packet := func(length int32, rest ...byte) []byte {
		return append(AppendInt32(AppendInt64(AppendInt32(nil, 2), 3), length), rest...)
	}
	for _, c := range []struct {
		name  string
		start []byte
	}{
		{"length below -1", packet(-2)},
		{"length beyond the limit", packet(1001)},
		{"authinfo without end", packet(-1, 0x7f, 0xff, 0xff, 0xff)},
		{"negative length in authinfo", packet(-1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff)},
		{"length beyond the limit in authinfo", packet(-1, 0, 0, 0, 1, 0x7f, 0xff, 0xff, 0xff)},
	} {
		e := &endless{start: c.start}
		r := NewPacketReader(bufio.NewReaderSize(e, 16), 1000)
		var p QuorumPacket
		_, err := r.Read(&p, nil)
		var de *DecodeError
		if !errors.As(err, &de) || e.taken > 2000 {
			t.Errorf("%s: %v, after %d bytes", c.name, err, e.taken)
		}
	}
}

// TestPacketReaderGrowth announces much and sends little.
func TestPacketReaderGrowth(t *testing.T) {
	start := AppendInt32(AppendInt64(AppendInt32(nil, 2), 3), 1<<30)
	start = append(start, make([]byte, 1000)...)
	var err error
	used := allocated(func() {
		_, err = NewPacketReader(bufio.NewReaderSize(bytes.NewReader(start), 16), 1<<30).Read(&QuorumPacket{}, nil)
	})
	if !errors.Is(err, io.ErrUnexpectedEOF) || used > 4*growBytes {
		t.Errorf("%v; %d bytes allocated", err, used)
	}
}

// TestPacketReaderReuse keeps to its promises about buffers: no allocation for a packet like the one before,
// and data of earlier packets stays if the caller keeps the buffer.
func TestPacketReaderReuse(t *testing.T) {
	sent := QuorumPacket{Type: PacketRequest, Zxid: -1, Data: bytes.Repeat([]byte("x"), 1000), AuthInfo: []ID{{"ip", "127.0.0.1"}}}
	one := sent.Append(nil)
	source := bytes.NewReader(nil)
	buffered := bufio.NewReader(source)
	r := NewPacketReader(buffered, 0)
	var p QuorumPacket
	var buf []byte
	n := testing.AllocsPerRun(100, func() {
		source.Reset(one)
		buffered.Reset(source)
		var err error
		if buf, err = r.Read(&p, buf[:0]); err != nil {
			t.Fatal(err)
		}
	})
	if n > 0 || !reflect.DeepEqual(p, sent) {
		t.Errorf("%v allocations a packet; %+v", n, p)
	}
	big := bytes.Repeat([]byte("y"), 3*growBytes)
	next := QuorumPacket{Type: PacketProposal, Data: big}
	source.Reset(next.Append(append([]byte(nil), one...)))
	buffered.Reset(source)
	var first, second QuorumPacket
	buf, err := r.Read(&first, nil)
	if err == nil {
		buf, err = r.Read(&second, buf)
	}
	if err != nil || !reflect.DeepEqual(first, sent) || !bytes.Equal(second.Data, big) || len(buf) != 1000+len(big) {
		t.Errorf("%v, %d bytes kept", err, len(buf))
	}
	if _, err := r.Read(&p, buf); !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("at the end: %v", err)
	}
}

// FuzzPacketReader reads a stream of packets and holds what it reads against the Decoder over the same bytes.
func FuzzPacketReader(f *testing.F) {
	var all []byte
	for _, v := range samples() {
		if p, ok := v.(*QuorumPacket); ok {
			f.Add(p.Append(nil))
			all = p.Append(all)
		}
	}
	f.Add(all)
	f.Add([]byte{0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0x7f, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewPacketReader(bufio.NewReaderSize(bytes.NewReader(b), 16), 1<<20)
		d := NewDecoder(b, 1<<20)
		var buf []byte
		for {
			var got, want QuorumPacket
			at := d.Offset()
			want.Decode(&d)
			var err error
			buf, err = r.Read(&got, buf[:0])
			if (err == nil) != (d.Err() == nil) {
				t.Fatalf("packet at %d: %v, the decoder says %v", at, err, d.Err())
			}
			if err != nil {
				if errors.Is(err, io.EOF) != (at == len(b)) {
					t.Fatalf("packet at %d of %d: %v", at, len(b), err)
				}
				return
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("packet at %d: %+v, the decoder says %+v", at, got, want)
			}
		}
	})
}
