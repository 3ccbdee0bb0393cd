package persistence

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"zk/jute"
)

func TestFollows(t *testing.T) {
	for _, c := range []struct {
		prev, next jute.Zxid
		want       bool
	}{
		{0, 1, true}, {1, 2, true}, {1, 3, false}, {2, 2, false}, {2, 1, false},
		{5, jute.NewZxid(1, 1), true}, {5, jute.NewZxid(9, 1), true}, {5, jute.NewZxid(1, 2), false},
		{jute.NewZxid(2, 5), jute.NewZxid(1, 1), false},
		{jute.NewZxid(0, 0xffffffff), jute.NewZxid(1, 0), true}, // a standalone server counts on
	} {
		if Follows(c.prev, c.next) != c.want {
			t.Error(c)
		}
	}
}

// The key order has parents before children and siblings together, and keys turn back into paths.
func TestPathKeys(t *testing.T) {
	name := rapid.StringMatching(`[a-c\-.\x01é]{1,3}`)
	rapid.Check(t, func(t *rapid.T) {
		paths := []string{"/"}
		for range rapid.IntRange(1, 30).Draw(t, "n") {
			parent := rapid.SampledFrom(paths).Draw(t, "parent")
			p := "/" + name.Draw(t, "name")
			if parent != "/" {
				p = parent + p
			}
			if !slices.Contains(paths, p) {
				paths = append(paths, p)
			}
		}
		slices.SortFunc(paths, func(a, b string) int {
			return bytes.Compare(appendPathKey(nil, keyNode, a), appendPathKey(nil, keyNode, b))
		})
		seen := map[string]int{}
		closed := map[string]bool{}
		lastParent := ""
		for i, p := range paths {
			key := appendPathKey(nil, keyNode, p)
			if len(key) != pathKeyLen(p) {
				t.Fatalf("%q: length %d, told %d", p, len(key), pathKeyLen(p))
			}
			parent, base, ok := splitPathKey(key)
			if !ok {
				t.Fatalf("%q: no key", p)
			}
			whole := "/"
			if p != "/" {
				whole = string(parent) + "/" + string(base)
				if string(parent) == "/" {
					whole = "/" + string(base)
				}
			}
			if whole != p {
				t.Fatalf("%q came back as %q", p, whole)
			}
			seen[p] = i
			if p == "/" {
				continue
			}
			if at, ok := seen[string(parent)]; !ok || at >= i {
				t.Fatalf("%q comes before its parent", p)
			}
			if string(parent) != lastParent {
				if closed[string(parent)] {
					t.Fatalf("children of %q are apart", parent)
				}
				closed[lastParent] = true
				lastParent = string(parent)
			}
			prefix := appendChildrenKey(nil, string(parent))
			if !bytes.HasPrefix(key, prefix) || bytes.Compare(key, keyAfter(prefix)) >= 0 {
				t.Fatalf("%q is not among the children of %q", p, parent)
			}
		}
	})
}

// Whatever a meta value, a key or a damaged file holds, decoding answers and does not panic; what is
// taken comes back the same.
func FuzzDecoders(f *testing.F) {
	for _, seed := range [][]byte{
		nil, {0}, encodeUint32(1), encodeInt64(-1), make([]byte, 16), []byte(firstStateDir), []byte("zk-state-/x"),
		entryKey(jute.NewZxid(3, 4)), appendPathKey(nil, keyNode, "/a/b"), {'n', 0}, {'D', 0, 0, 0, 0, 0, 0, 0, 1}, []byte("000000000000\x00"),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var c *CorruptionError
		check := func(what string, err error, back func() []byte) {
			if err != nil && !errors.As(err, &c) {
				t.Fatal(what, err)
			}
			if err == nil && !bytes.Equal(back(), b) {
				t.Fatalf("%s: %x came back as %x", what, b, back())
			}
		}
		u, err := decodeUint32("x", b)
		check("uint32", err, func() []byte { return encodeUint32(u) })
		i, err := decodeInt64("x", b)
		check("int64", err, func() []byte { return encodeInt64(i) })
		id, err := decodeStoreID(b)
		check("store id", err, func() []byte { return id[:] })
		name, err := decodeLiveState(b)
		check("live state", err, func() []byte { return []byte(name) })
		if z, ok := entryZxid(b); ok && !bytes.Equal(entryKey(z), b) {
			t.Fatalf("%x", b)
		}
		if z, ok := decodeDurableMark(b); ok {
			back := make([]byte, durableMarkLen)
			putDurableMark(back, z)
			if !bytes.Equal(back, b) {
				t.Fatalf("%x", b)
			}
		}
		splitPathKey(b)
		markOf(b)
		for _, logNum := range []uint32{0, 1} {
			end, _ := recordsEnd(b, logNum)
			if end < 0 || end > len(b) {
				t.Fatal(end)
			}
			lastMarkBehind(b, end, logNum)
		}
	})
}

// Our reader of Pebble's chunk format agrees with what Pebble writes, in all its forms.
func TestChunkFormat(t *testing.T) {
	fs := vfs.NewMem()
	for _, major := range []pebble.FormatMajorVersion{pebble.FormatVirtualSSTables, formatMajor} {
		dir := major.String()
		db, err := pebble.Open(dir, &pebble.Options{FS: fs, FormatMajorVersion: major, Logger: pebbleLogger{orDiscard(nil), newFailure(orDiscard(nil), nil)}})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 60 {
			if err := db.Set(entryKey(jute.Zxid(i)), make([]byte, i*i*40), pebble.Sync); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		name, n, err := newestWAL(fs, dir)
		if err != nil {
			t.Fatal(err)
		}
		b, err := readWhole(fs, fs.PathJoin(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if end, cut := recordsEnd(b, n); cut || end < 60*60*40 {
			t.Fatal(major, end, len(b), cut)
		}
		if err := checkManifest(fs, dir); err != nil {
			t.Fatal(err)
		}
	}
}
