package jute

import (
	"bytes"
	"encoding/hex"
	"hash/adler32"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// goldenLogPayloads gives the payload of each entry of a log that Java 3.9.5 wrote, up to its padding.
func goldenLogPayloads(t *testing.T, file string) [][]byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d := NewDecoder(b, 0)
	var h FileHeader
	if h.Decode(&d); h != (FileHeader{Magic: TxnLogMagic, Version: FileVersion}) {
		t.Fatalf("%s: header %+v", file, h)
	}
	var out [][]byte
	for {
		var e TxnLogEntryHeader
		e.Decode(&d)
		if d.Err() != nil {
			t.Fatalf("%s: entry %d: %v", file, len(out), d.Err())
		}
		if e.LengthBytes == 0 {
			return out
		}
		payload := d.take(int(e.LengthBytes))
		if end := d.take(1); d.Err() != nil || end[0] != TxnLogEntryEnd || e.Adler32 != int64(adler32.Checksum(payload)) {
			t.Fatalf("%s: entry %d: checksum or end", file, len(out))
		}
		out = append(out, payload)
	}
}

// checkProposal decodes a recorded transaction and encodes it again.
func checkProposal(t *testing.T, from string, payload []byte) Proposal {
	t.Helper()
	d := NewDecoder(payload, 0)
	var p Proposal
	p.Decode(&d)
	if d.Err() != nil || d.Remaining() != 0 {
		t.Fatalf("%s: %v, %d bytes left of %x", from, d.Err(), d.Remaining(), payload)
	}
	if again := p.Append(nil); !bytes.Equal(again, payload) {
		t.Fatalf("%s: encoded again\n%x, want\n%x", from, again, payload)
	}
	return p
}

func TestGoldenLogs(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.log.*")
	if err != nil || len(files) == 0 {
		t.Fatal("no logs", err)
	}
	seen := map[OpCode]int{}
	last := map[string]Zxid{}
	for _, f := range files {
		server := strings.SplitN(filepath.Base(f), ".", 2)[0]
		for _, b := range goldenLogPayloads(t, f) {
			p := checkProposal(t, f, b)
			seen[p.Header.Type]++
			if z := p.Header.Zxid; last[server] != 0 && z != last[server]+1 && z.Epoch() == last[server].Epoch() {
				t.Errorf("%s: zxid %v after %v", f, z, last[server])
			}
			last[server] = p.Header.Zxid
			if p.HasDigest != (p.Header.Type != OpError) || p.HasDigest && p.Digest.Version != DigestVersion {
				t.Errorf("%s: zxid %v: digest %v", f, p.Header.Zxid, p.Digest)
			}
		}
	}
	for _, op := range []OpCode{
		OpCreateSession, OpCloseSession, OpError, OpCreate, OpCreateContainer, OpCreateTTL, OpDelete, OpSetData,
		OpReconfig, OpSetACL, OpMulti,
	} {
		if seen[op] == 0 {
			t.Errorf("no %v in the recordings", op)
		}
	}
}

// TestGoldenSnapshots reads whole snapshots of Java 3.9.5, optional sections present and absent, and
// writes them again record by record.
func TestGoldenSnapshots(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*snapshot.*")
	if err != nil || len(files) == 0 {
		t.Fatal("no snapshots", err)
	}
	nullData := 0
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		d := NewDecoder(b, 0)
		var out []byte
		var h FileHeader
		h.Decode(&d)
		out = h.Append(out)
		n, _ := d.Count()
		out = AppendInt32(out, int32(n))
		for range n {
			var s SnapshotSession
			s.Decode(&d)
			out = s.Append(out)
		}
		n, _ = d.Count()
		out = AppendInt32(out, int32(n))
		for range n {
			var a SnapshotACL
			a.Decode(&d)
			out = a.Append(out)
		}
		for d.Err() == nil {
			var node SnapshotNode
			if node.Decode(&d) {
				out = AppendString(out, SnapshotEnd)
				break
			}
			if node.Data == nil {
				nullData++
			}
			out = node.Append(out)
		}
		seal := func() {
			var s SnapshotSeal
			sum := int64(adler32.Checksum(out))
			s.Decode(&d)
			if s.Adler32 != sum || s.Text != SnapshotEnd {
				t.Fatalf("%s: seal %+v, want %#x; %v", f, s, sum, d.Err())
			}
			out = s.Append(out)
		}
		seal()
		if r := d.Remaining(); r == SnapshotDigestBytes+SnapshotSealBytes || r == SnapshotDigestBytes+8+2*SnapshotSealBytes {
			var g SnapshotDigest
			g.Decode(&d)
			out = g.Append(out)
			seal()
		}
		if d.Remaining() > 0 {
			out = AppendInt64(out, d.Int64())
			seal()
		}
		if d.Err() != nil || !bytes.Equal(out, b) {
			t.Errorf("%s: %v; not the same bytes", f, d.Err())
		}
	}
	if nullData == 0 {
		t.Error("no node with null data in the recordings")
	}
}

// TestGoldenCaptures decodes what Java servers sent each other: proposals, and requests of clients as a
// learner forwards them.
func TestGoldenCaptures(t *testing.T) {
	b, err := os.ReadFile("testdata/golden/captures.txt")
	if err != nil {
		t.Fatal(err)
	}
	requests := map[OpCode]int{}
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Fields(line)
		payload, err := hex.DecodeString(f[2])
		if err != nil {
			t.Fatal(err)
		}
		if f[1] != "REQUEST" {
			checkProposal(t, f[0]+" "+f[1], payload)
			continue
		}
		d := NewDecoder(payload, 0)
		d.Int64()
		d.Int32()
		op := OpCode(d.Int32())
		requests[op]++
		body := d.Rest()
		again, rest := reencodeRequest(t, op, body)
		if !bytes.Equal(again, body) || rest != 0 {
			t.Errorf("%s %v: encoded again\n%x, want\n%x", f[0], op, again, body)
		}
	}
	for _, op := range []OpCode{
		OpCreate, OpDelete, OpSetData, OpSetACL, OpSync, OpMulti, OpReconfig, OpCreateContainer, OpCreateTTL, OpCreateSession,
		OpCloseSession,
	} {
		if requests[op] == 0 {
			t.Errorf("no request %v in the recordings", op)
		}
	}
}

// reencodeRequest decodes a request's body, encodes it again and gives the number of bytes not read.
func reencodeRequest(t *testing.T, op OpCode, body []byte) (again []byte, rest int) {
	t.Helper()
	d := NewDecoder(body, 0)
	again = appendDecoded(t, nil, &d, op)
	if d.Err() != nil {
		t.Fatalf("%v: %v in %x", op, d.Err(), body)
	}
	return again, d.Remaining()
}

func appendDecoded(t *testing.T, b []byte, d *Decoder, op OpCode) []byte {
	t.Helper()
	switch op {
	case OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL:
		var r CreateRequest
		r.Decode(d, op)
		return r.Append(b, op)
	case OpDelete, OpCheck:
		var r PathVersionRequest
		r.Decode(d)
		return r.Append(b)
	case OpSetData:
		var r SetDataRequest
		r.Decode(d)
		return r.Append(b)
	case OpSetACL:
		var r SetACLRequest
		r.Decode(d)
		return r.Append(b)
	case OpReconfig:
		var r ReconfigRequest
		r.Decode(d)
		return r.Append(b)
	case OpSync:
		return AppendNullString(b, d.OptString())
	case OpCreateSession:
		return AppendInt32(b, d.Int32())
	case OpCloseSession:
		return b
	case OpMulti:
		for d.Err() == nil {
			var h MultiHeader
			h.Decode(d)
			b = h.Append(b)
			if h.Done {
				break
			}
			b = appendDecoded(t, b, d, h.Type)
		}
		return b
	}
	t.Fatalf("request %v has no decoder here", op)
	return nil
}

// TestCloseSessionForms has the four forms a closeSession may take in a log.
func TestCloseSessionForms(t *testing.T) {
	header := TxnHeader{ClientID: 1, Zxid: 2, Type: OpCloseSession}
	digest := Digest{Version: DigestVersion, TreeDigest: 0x400000003}
	for _, c := range []struct {
		name string
		want Proposal
	}{
		{"bare", Proposal{Header: header, Txn: Txn{Type: OpCloseSession}}},
		{"bare with digest", Proposal{Header: header, Txn: Txn{Type: OpCloseSession}, HasDigest: true, Digest: digest}},
		{"no paths", Proposal{Header: header, Txn: Txn{Type: OpCloseSession, Paths: []string{}}, HasDigest: true, Digest: digest}},
		{"a path of 4 bytes", Proposal{Header: header, Txn: Txn{Type: OpCloseSession, Paths: []string{"/abc"}}}},
		{"two paths", Proposal{Header: header, Txn: Txn{Type: OpCloseSession, Paths: []string{"/a", "/b"}}, HasDigest: true, Digest: digest}},
	} {
		if got := checkProposal(t, c.name, c.want.Append(nil)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v", c.name, got)
		}
	}
	null := AppendInt32(header.Append(nil), -1)
	d := NewDecoder(null, 0)
	var p Proposal
	if p.Decode(&d); d.Err() != nil || p.Txn.Paths == nil || len(p.Txn.Paths) != 0 {
		t.Errorf("null paths: %+v, %v", p, d.Err())
	}
}

// TestCreateTxnV0 has the create of ZooKeeper 3.3, without the parent's cversion.
func TestCreateTxnV0(t *testing.T) {
	x := Txn{Type: OpCreate, Path: "/a", Data: []byte("d"), ACL: openACL, Ephemeral: true}
	b := x.Append(nil)
	b = b[:len(b)-4]
	d := NewDecoder(b, 0)
	var got Txn
	got.Decode(&d, OpCreate)
	x.ParentCversion = -1
	if d.Err() != nil || !reflect.DeepEqual(got, x) {
		t.Errorf("got %+v, %v", got, d.Err())
	}
	d = NewDecoder(b, 0)
	if got.Decode(&d, OpCreate2); d.Err() == nil {
		t.Error("a create2 without the parent's cversion decodes")
	}
}

func TestMultiRefusesParts(t *testing.T) {
	for _, op := range []OpCode{OpMulti, OpSetACL, OpReconfig, OpCreateSession, OpCloseSession, 99} {
		m := Txn{Type: OpMulti, Subs: []Txn{{Type: op}}}
		d := NewDecoder(m.Append(nil), 0)
		var got Txn
		if got.Decode(&d, OpMulti); d.Err() == nil {
			t.Errorf("a multi with a %v decodes", op)
		}
	}
}
