package javafile

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/adler32"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/snappy"

	"zk/jute"
	"zk/persistence"
)

// content is a snapshot in memory, as a test compares it. It is a Source.
type content struct {
	sessions []jute.SnapshotSession
	acls     []jute.SnapshotACL
	nodes    []jute.SnapshotNode
	trailer  Trailer
}

func read(r io.Reader, o ReadOptions) (*content, error) {
	c := &content{}
	t, err := ReadSnapshot(r, o, c.visitor())
	c.trailer = t
	return c, err
}

func (c *content) visitor() Visitor {
	return Visitor{
		Session: func(s *jute.SnapshotSession) error { c.sessions = append(c.sessions, *s); return nil },
		ACL:     func(a *jute.SnapshotACL) error { c.acls = append(c.acls, *a); return nil },
		Node: func(n *jute.SnapshotNode) error {
			v := *n
			v.Data = bytes.Clone(n.Data)
			c.nodes = append(c.nodes, v)
			return nil
		},
	}
}

func (c *content) Counts() (sessions, acls int) { return len(c.sessions), len(c.acls) }
func (c *content) Trailer() Trailer             { return c.trailer }

func (c *content) EachSession(yield func(*jute.SnapshotSession) error) error {
	return each(c.sessions, yield)
}
func (c *content) EachACL(yield func(*jute.SnapshotACL) error) error   { return each(c.acls, yield) }
func (c *content) EachNode(yield func(*jute.SnapshotNode) error) error { return each(c.nodes, yield) }

func each[T any](list []T, yield func(*T) error) error {
	for i := range list {
		if err := yield(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

func (c *content) bytes(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	n, err := WriteSnapshot(&b, c)
	if err != nil || n != int64(b.Len()) {
		t.Fatalf("%d bytes written, %d told: %v", b.Len(), n, err)
	}
	return b.Bytes()
}

func golden(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestGolden reads what Java has written, compares it with an independent reader's view of it, and writes
// it again byte for byte.
func TestGolden(t *testing.T) {
	var want struct {
		Sessions map[string]int32
		Digest   struct{ Zxid, Digest int64 }
		Last     int64 `json:"lastProcessedZxid"`
		Nodes    map[string]struct {
			Data    []byte `json:"data_base64"`
			Czxid   int64
			Mzxid   int64
			Pzxid   int64
			Mtime   int64
			Version int32
			Cver    int32  `json:"cversion"`
			Owner   string `json:"ephemeralOwner_raw"`
			ACL     [][3]any
		}
	}
	if err := json.Unmarshal(golden(t, "expected.json"), &want); err != nil {
		t.Fatal(err)
	}
	plain := golden(t, "snapshot.200000002")
	for _, name := range []string{"snapshot.200000002", "snapshot.200000002.gz", "snapshot.200000002.snappy"} {
		c, err := read(iotest.OneByteReader(bytes.NewReader(golden(t, name))), ReadOptions{Name: name})
		if err != nil {
			t.Fatal(name, err)
		}
		if got := c.bytes(t); !bytes.Equal(got, plain) {
			t.Errorf("%s: written again it differs: %d bytes, want %d", name, len(got), len(plain))
		}
		tr := c.trailer
		if !tr.HasDigest || int64(tr.Digest.Zxid) != want.Digest.Zxid || tr.Digest.Digest.TreeDigest != want.Digest.Digest || int64(tr.LastZxid) != want.Last {
			t.Errorf("%s: trailer %+v", name, tr)
		}
		if len(c.sessions) != len(want.Sessions) || len(c.nodes) != len(want.Nodes) {
			t.Fatalf("%s: %d sessions, %d nodes", name, len(c.sessions), len(c.nodes))
		}
		for _, s := range c.sessions {
			if want.Sessions[fmt.Sprint(int64(s.SessionID))] != s.TimeoutMillis {
				t.Errorf("%s: session %+v", name, s)
			}
		}
		lists := map[int64][]jute.ACL{-1: {{Perms: jute.PermAll, ID: jute.ID{Scheme: "world", ID: "anyone"}}}}
		for _, a := range c.acls {
			lists[a.ID] = a.ACL
		}
		for _, n := range c.nodes {
			w, ok := want.Nodes["/"+strings.TrimPrefix(n.Path, "/")]
			st := n.Stat
			if !ok || (n.Data == nil) != (w.Data == nil) || !bytes.Equal(n.Data, w.Data) || int64(st.Czxid) != w.Czxid || int64(st.Mzxid) != w.Mzxid ||
				int64(st.Pzxid) != w.Pzxid || st.Mtime != w.Mtime || st.Version != w.Version || st.Cversion != w.Cver ||
				fmt.Sprintf("%#x", uint64(st.EphemeralOwner)) != w.Owner {
				t.Errorf("%s: node %+v, want %+v", name, n, w)
			}
			var acl [][3]any
			for _, a := range lists[n.ACLID] {
				acl = append(acl, [3]any{float64(a.Perms), a.ID.Scheme, a.ID.ID})
			}
			if !reflect.DeepEqual(acl, w.ACL) {
				t.Errorf("%s: ACL of %s: %v, want %v", name, n.Path, acl, w.ACL)
			}
		}
	}
}

func TestOptionalSections(t *testing.T) {
	for name, want := range map[string][2]bool{
		"snapshot.200000002":                   {true, true},
		"no-digest-section.snapshot.100000005": {false, true},
		"neither-section.snapshot.200000002":   {false, false},
		"fuzzy.snapshot.100000024":             {true, true},
	} {
		b := golden(t, name)
		c, err := read(bytes.NewReader(b), ReadOptions{})
		if err != nil || c.trailer.HasDigest != want[0] || c.trailer.HasLastZxid != want[1] {
			t.Errorf("%s: %+v %v", name, c.trailer, err)
			continue
		}
		if !bytes.Equal(c.bytes(t), b) {
			t.Errorf("%s: written again it differs", name)
		}
	}
	c, err := read(bytes.NewReader(golden(t, "snapshot.200000002")), ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c.trailer.HasLastZxid = false
	again, err := read(bytes.NewReader(c.bytes(t)), ReadOptions{})
	if err != nil || !again.trailer.HasDigest || again.trailer.HasLastZxid {
		t.Errorf("digest alone: %+v %v", again.trailer, err)
	}
}

// TestSize is about the sizes that a source's size is added up from.
func TestSize(t *testing.T) {
	for _, name := range []string{"snapshot.200000002", "no-digest-section.snapshot.100000005", "neither-section.snapshot.200000002"} {
		b := golden(t, name)
		c, err := read(bytes.NewReader(b), ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		size := c.trailer.Size() + int64(len(c.sessions)*SessionBytes)
		for i := range c.acls {
			size += int64(len(c.acls[i].Append(nil)))
		}
		for _, n := range c.nodes {
			size += int64(NodeBytes + len(n.Path) + len(n.Data))
		}
		if size != int64(len(b)) {
			t.Errorf("%s: %d bytes, added up %d", name, len(b), size)
		}
	}
}

// corrupt wants damage to be reported, at an offset in a range.
func corrupt(t *testing.T, what string, b []byte, from, to int64, reason string) {
	t.Helper()
	_, err := read(bytes.NewReader(b), ReadOptions{Name: "file"})
	var ce *persistence.CorruptionError
	if !errors.As(err, &ce) {
		t.Errorf("%s: %v", what, err)
		return
	}
	if ce.Path != "file" || ce.Offset < from || ce.Offset > to || !strings.Contains(err.Error(), reason) {
		t.Errorf("%s: %v (offset %d)", what, err, ce.Offset)
	}
}

func TestDamage(t *testing.T) {
	b := golden(t, "snapshot.200000002")
	end := int64(len(b))
	corrupt(t, "flipped bit", golden(t, "bitflip.snapshot.100000056"), 1, end, "seal")
	corrupt(t, "half", golden(t, "half.snapshot.100000056"), 1, end/2, "ends too early")
	corrupt(t, "empty", nil, 0, 0, "ends too early")
	corrupt(t, "a log", append([]byte("ZKLG"), b[4:]...), 0, 16, "no snapshot")
	corrupt(t, "more at the end", append(bytes.Clone(b), 0), end-60, end, "sections")
	for cut := 0; cut < len(b); cut += 5 {
		if cut == len(b)-54 || cut == len(b)-21 {
			continue // a file without the optional sections
		}
		corrupt(t, fmt.Sprintf("cut at %d", cut), b[:cut], 0, int64(cut), "")
	}
	for i := 0; i < len(b); i += 7 {
		bad := bytes.Clone(b)
		bad[i] ^= 0x10
		corrupt(t, fmt.Sprintf("byte %d", i), bad, 0, end, "")
	}
	for _, name := range []string{"snapshot.200000002.gz", "snapshot.200000002.snappy"} {
		z := golden(t, name)
		for i := 16; i < len(z); i += 7 {
			corrupt(t, fmt.Sprintf("%s cut at %d", name, i), z[:i], 0, end, "")
		}
	}
}

// reseal puts right checksums into a snapshot whose bytes before the first seal were changed.
func reseal(t *testing.T, body []byte) []byte {
	t.Helper()
	seal := jute.SnapshotSeal{Adler32: int64(adler32.Checksum(body)), Text: jute.SnapshotEnd}
	return seal.Append(bytes.Clone(body))
}

// TestStructure is about snapshots with right checksums that are none all the same.
func TestStructure(t *testing.T) {
	h := jute.FileHeader{Magic: jute.SnapshotMagic, Version: 2, DBID: -1}
	head := jute.AppendInt32(jute.AppendInt32(h.Append(nil), 0), 0)
	body := func(paths ...string) []byte {
		b := bytes.Clone(head)
		for _, p := range paths {
			n := jute.SnapshotNode{Path: p, ACLID: -1}
			b = n.Append(b)
		}
		return reseal(t, jute.AppendString(b, "/"))
	}
	if _, err := read(bytes.NewReader(body("", "/a", "/a/b")), ReadOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, paths := range [][]string{{}, {"/a"}, {"", ""}, {"", "a"}, {"", "/a/"}, {"", "//a"}, {"", "/a//b"}, {"", "/a\x00b"}} {
		corrupt(t, fmt.Sprintf("%q", paths), body(paths...), 1, 1<<20, "")
	}
	huge := binary.BigEndian.AppendUint32(bytes.Clone(head), 1<<30)
	corrupt(t, "huge path", huge, 24, 24, "unreasonable length")
	acl := jute.AppendInt32(h.Append(nil), 0)
	acl = jute.AppendInt64(jute.AppendInt32(acl, 1), 1)
	corrupt(t, "null ACL", jute.AppendInt32(acl, -1), 1, 100, "null ACL")
	many := jute.AppendInt32(bytes.Clone(acl), 1<<30)
	for range 200_000 {
		a := jute.ACL{Perms: 1, ID: jute.ID{Scheme: "ip", ID: "1.2.3.4"}}
		many = a.Append(many)
	}
	corrupt(t, "an ACL without end", many, 1, 100, "unreasonable length")
}

// endless is a snapshot of very many nodes, made while it is read.
func endless(n int, data []byte) io.Reader {
	r, w := io.Pipe()
	go func() { // ends when it is read, or at the reader's Close
		_, err := WriteSnapshot(w, manyNodes{n, data})
		_ = w.CloseWithError(err)
	}()
	return r
}

// manyNodes is a source of n nodes below the root.
type manyNodes struct {
	n    int
	data []byte
}

func (m manyNodes) Counts() (sessions, acls int)                        { return 0, 0 }
func (m manyNodes) EachSession(func(*jute.SnapshotSession) error) error { return nil }
func (m manyNodes) EachACL(func(*jute.SnapshotACL) error) error         { return nil }
func (m manyNodes) Trailer() Trailer                                    { return Trailer{HasLastZxid: true, LastZxid: 7} }
func (m manyNodes) EachNode(yield func(*jute.SnapshotNode) error) error {
	node := jute.SnapshotNode{ACLID: -1}
	if err := yield(&node); err != nil {
		return err
	}
	for i := range m.n {
		node.Path, node.Data = fmt.Sprintf("/n%07d", i), m.data
		if err := yield(&node); err != nil {
			return err
		}
	}
	return nil
}

// TestBoundedMemory streams a snapshot of 200 MB, and one that announces a length it doesn't have.
func TestBoundedMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	nodes := 0
	tr, err := ReadSnapshot(endless(200, make([]byte, 1<<20)), ReadOptions{}, Visitor{Node: func(*jute.SnapshotNode) error { nodes++; return nil }})
	if err != nil || nodes != 201 || tr.LastZxid != 7 {
		t.Fatal(nodes, tr, err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 32<<20 {
		t.Errorf("%d bytes allocated for a stream of 200 MB", got)
	}
	c, err := read(bytes.NewReader(golden(t, "snapshot.200000002")), ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b := c.bytes(t)
	at := bytes.Index(b, []byte("/acl")) - 4
	binary.BigEndian.PutUint32(b[at:], 1<<30-1)
	runtime.ReadMemStats(&before)
	if _, err := read(bytes.NewReader(b), ReadOptions{BytesMax: 1 << 30}); err == nil {
		t.Error("read")
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 4<<20 {
		t.Errorf("%d bytes allocated for a length that was only announced", got)
	}
}

// TestErrorsPass tells errors of the input and of the visitor from damage.
func TestErrorsPass(t *testing.T) {
	b := golden(t, "snapshot.200000002")
	lost := errors.New("connection lost")
	_, err := read(io.MultiReader(bytes.NewReader(b[:1000]), iotest.ErrReader(lost)), ReadOptions{})
	var ce *persistence.CorruptionError
	if !errors.Is(err, lost) || errors.As(err, &ce) {
		t.Error(err)
	}
	full := errors.New("full")
	_, err = ReadSnapshot(bytes.NewReader(b), ReadOptions{}, Visitor{
		Session: func(*jute.SnapshotSession) error { return nil }, ACL: func(*jute.SnapshotACL) error { return full },
	})
	if !errors.Is(err, full) {
		t.Error(err)
	}
	if _, err := WriteSnapshot(iotest.TruncateWriter(io.Discard, 0), manyNodes{n: 10}); err != nil {
		t.Error(err)
	}
}

// pack wraps bytes as snappy-java does.
func pack(b []byte) []byte {
	out := append([]byte(snappyMagic), 0, 0, 0, 1, 0, 0, 0, 1)
	for len(b) > 0 {
		n := min(len(b), 32<<10)
		block := snappy.Encode(nil, b[:n])
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(block))), block...)
		b = b[n:]
	}
	return out
}

func FuzzReadSnapshot(f *testing.F) {
	// A small file: finding the least of each input that is new takes most of the time.
	for wrap := range uint8(3) {
		f.Add(golden(f, "no-digest-section.snapshot.100000005"), wrap)
	}
	f.Fuzz(func(t *testing.T, b []byte, wrap uint8) {
		switch wrap % 3 { // past the checksums of the compression
		case 1:
			b = pack(b)
		case 2:
			var z bytes.Buffer
			w := gzip.NewWriter(&z)
			_, _ = w.Write(b)
			_ = w.Close()
			b = z.Bytes()
		}
		c, err := read(bytes.NewReader(b), ReadOptions{BytesMax: 1 << 20})
		if err != nil {
			return
		}
		again, err := read(bytes.NewReader(c.bytes(t)), ReadOptions{BytesMax: 1 << 20})
		if err != nil || !reflect.DeepEqual(again, c) {
			t.Fatalf("read again it differs: %v", err)
		}
	})
}

func BenchmarkReadSnapshot(b *testing.B) {
	const nodes = 100_000
	data := make([]byte, 100)
	var buf bytes.Buffer
	if _, err := WriteSnapshot(&buf, manyNodes{nodes, data}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(buf.Len()))
	for b.Loop() {
		if _, err := ReadSnapshot(bytes.NewReader(buf.Bytes()), ReadOptions{}, Visitor{Node: func(*jute.SnapshotNode) error { return nil }}); err != nil {
			b.Fatal(err)
		}
	}
}
