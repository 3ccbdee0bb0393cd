package javafile

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"zk/jute"
	"zk/persistence"
)

func readTree(r io.Reader) (*content, error) {
	c := &content{}
	err := ReadTree(r, ReadOptions{Name: "stream"}, c.visitor())
	return c, err
}

// snaps reads the trees that Java leaders sent behind SNAP, as recorded on the wire: to the signature that
// follows, and no further. It gives their bytes too.
func snaps(t testing.TB, use func(name string, sent []byte, c *content)) {
	t.Helper()
	for _, name := range []string{"main-012", "main-016", "main-043", "move-006", "move-007", "localsession-010", "reconfigleader-027"} {
		in := bufio.NewReader(bytes.NewReader(golden(t, "../../../jute/testdata/golden/quorum/"+name+".master")))
		packets := jute.NewPacketReader(in, 0)
		var p jute.QuorumPacket
		for p.Type != jute.PacketSnap {
			if _, err := packets.Read(&p, nil); err != nil {
				t.Fatal(name, err)
			}
		}
		var sent bytes.Buffer
		c, err := readTree(iotest.OneByteReader(io.TeeReader(in, &sent)))
		if err != nil {
			t.Fatal(name, err)
		}
		use(name, sent.Bytes(), c)
		const signature = "\x00\x00\x00\x0aBenWasHere"
		b := make([]byte, len(signature))
		if _, err := io.ReadFull(in, b); err != nil || string(b) != signature {
			t.Errorf("%s: %q follows: %v", name, b, err)
		}
	}
}

// TestReadTree reads what Java leaders have sent, and writes it again byte for byte.
func TestReadTree(t *testing.T) {
	snaps(t, func(name string, sent []byte, c *content) {
		if len(c.nodes) < 4 || c.nodes[0].Path != "" {
			t.Errorf("%s: %d nodes", name, len(c.nodes))
		}
		var again bytes.Buffer
		if n, err := WriteTree(&again, c); err != nil || n != int64(again.Len()) || !bytes.Equal(again.Bytes(), sent) {
			t.Errorf("%s: %d bytes written, %d were sent: %v", name, n, len(sent), err)
		}
	})
}

// TestTreeDamage cuts a tree at every byte: each time the end is missed, with its place, whatever was read
// before.
func TestTreeDamage(t *testing.T) {
	c, err := read(bytes.NewReader(golden(t, "snapshot.200000002")), ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := WriteTree(&b, c); err != nil {
		t.Fatal(err)
	}
	if again, err := readTree(bytes.NewReader(b.Bytes())); err != nil || !reflect.DeepEqual(again.nodes, c.nodes) || !reflect.DeepEqual(again.acls, c.acls) || !reflect.DeepEqual(again.sessions, c.sessions) {
		t.Fatal(err)
	}
	for cut := range b.Len() {
		var damage *persistence.CorruptionError
		if _, err := readTree(bytes.NewReader(b.Bytes()[:cut])); !errors.As(err, &damage) || damage.Offset > int64(cut) || damage.Path != "stream" {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
	lost := errors.New("connection lost")
	if _, err := readTree(io.MultiReader(bytes.NewReader(b.Bytes()[:500]), iotest.ErrReader(lost))); !errors.Is(err, lost) {
		t.Error(err)
	}
}

// TestTreeLengths: a length that was only announced takes no memory.
func TestTreeLengths(t *testing.T) {
	begin := jute.AppendInt32(jute.AppendInt32(nil, 0), 0)
	for _, b := range [][]byte{
		jute.AppendInt32(nil, 1<<30),                                                   // sessions
		jute.AppendInt32(jute.AppendInt32(nil, 0), 1<<30),                              // ACL lists
		jute.AppendInt32(begin, 1<<20),                                                 // a path within bounds
		jute.AppendInt32(begin, 1<<30),                                                 // and beyond
		jute.AppendInt32(begin, -2),                                                    // none
		jute.AppendInt32(jute.AppendString(begin, ""), 2<<20-100),                      // data within bounds
		jute.AppendInt32(jute.AppendInt64(jute.AppendInt32(begin[:4:4], 1), 7), 1<<30), // an ACL
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var damage *persistence.CorruptionError
		if _, err := readTree(bytes.NewReader(b)); !errors.As(err, &damage) {
			t.Errorf("%x: %v", b, err)
		}
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
			t.Errorf("%x: %d bytes allocated", b, got)
		}
	}
}

// TestTreeBounds: what a reader has to keep in memory whole is refused beyond its bounds, before it is given.
func TestTreeBounds(t *testing.T) {
	o := ReadOptions{Name: "stream", SessionsMax: 3, ACLTableBytesMax: 100}
	list := []jute.ACL{{Perms: 1, ID: jute.ID{Scheme: "digest", ID: "someone"}}}
	for _, tt := range []struct {
		sessions, acls int
		want           string
	}{
		{3, 2, ""}, {4, 0, "4 sessions, more than 3"}, {1 << 30, 0, "sessions, more than 3"}, {0, 3, "ACL lists of more than 100 bytes"},
	} {
		b := jute.AppendInt32(nil, int32(tt.sessions))
		for i := range min(tt.sessions, 10) {
			b = jute.AppendInt32(jute.AppendInt64(b, int64(i)), 1000)
		}
		b = jute.AppendInt32(b, int32(tt.acls))
		for i := range tt.acls {
			b = jute.AppendACLs(jute.AppendInt64(b, int64(i)), list)
		}
		c := &content{}
		var damage *persistence.CorruptionError
		err := ReadTree(bytes.NewReader(b), o, c.visitor())
		if !errors.As(err, &damage) || tt.want != "" && !strings.Contains(err.Error(), tt.want) || tt.want == "" && len(c.acls) != tt.acls {
			t.Errorf("%d sessions, %d lists: %v", tt.sessions, tt.acls, err) // all of them lack nodes
		}
		if len(c.sessions) > 3 || len(c.acls) > 2 {
			t.Errorf("%d sessions, %d lists were given", len(c.sessions), len(c.acls))
		}
	}
}

// FuzzReadTree: no input makes it panic, take memory beyond its size, or read behind the tree; what is read is
// what is written.
func FuzzReadTree(f *testing.F) {
	// Small ones: finding the least of each input that is new takes most of the time.
	snaps(f, func(_ string, sent []byte, _ *content) {
		if len(sent) < 1000 {
			f.Add(sent)
			f.Add(bytes.Replace(sent, []byte("/zoo"), []byte("/\xffoo"), 1))
		}
	})
	f.Fuzz(func(t *testing.T, b []byte) {
		in := bytes.NewReader(b)
		c, err := readTree(in)
		if err != nil {
			return
		}
		var again bytes.Buffer
		if _, err := WriteTree(&again, c); err != nil {
			t.Fatal(err)
		}
		read := b[:len(b)-in.Len()]
		// A byte that is no UTF-8 becomes U+FFFD, three bytes, as in Java.
		longest := len(read)
		if !utf8.Valid(read) {
			longest *= 3
		}
		second, err := readTree(bytes.NewReader(again.Bytes()))
		if err != nil || again.Len() > longest || !reflect.DeepEqual(second, c) {
			t.Errorf("%x became %x: %v", read, again.Bytes(), err)
		}
	})
}
