package persistence

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
)

// paths of a tree below top: folders with nodes, and with folders of nodes.
func treeBelow(top string) (paths []string) {
	for i := range 10 {
		folder := fmt.Sprintf("%s/f%d", top, i)
		paths = append(paths, folder, folder+"/deep")
		for k := range 30 {
			paths = append(paths, fmt.Sprintf("%s/n%d", folder, k), fmt.Sprintf("%s/deep/n%d", folder, k))
		}
	}
	return paths
}

// neighbours are nodes whose keys lie close to those below /a.
var neighbours = []string{"/", "/a", "/a!", "/a!/x", "/a.b", "/a.b/c", "/a0", "/a0/x", "/aa", "/aa/x", "/Z", "/Z/x"}

func setAll(s *State, paths []string) func(b *StateBatch) {
	return func(b *StateBatch) {
		for _, p := range paths {
			b.SetNode(p, value(jute.Zxid(s.Applied()), 100))
			b.SetData(p, value(jute.Zxid(s.Applied()), 1000))
		}
	}
}

func deleteAll(paths []string) func(b *StateBatch) {
	return func(b *StateBatch) {
		for _, p := range paths {
			b.DeleteNode(p)
			b.DeleteData(p)
		}
	}
}

// under is about what the store has on disk below a path.
func under(t *testing.T, s *State, path string) uint64 {
	t.Helper()
	_, size, err := s.spansUnder(path)
	if err != nil {
		t.Fatal(err)
	}
	return size
}

// Of a tree that was deleted nothing is left, and of all others everything is, as it is after a restart.
func TestEmptied(t *testing.T) {
	fs := vfs.NewMem()
	s := openTestState(t, fs, tablesOptions())
	paths := treeBelow("/a")
	commit(t, s, 1, setAll(s, neighbours))
	commit(t, s, 2, setAll(s, paths))
	before := under(t, s, "/a")
	snap, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, 3, deleteAll(paths))
	want := contents(t, s)
	if err := s.Emptied("/a"); err != nil {
		t.Fatal(err)
	}
	nodes := 0
	count := func(_, _, _, _ []byte) error { nodes++; return nil }
	if err := snap.EachNode(count); err != nil || nodes != len(paths)+len(neighbours) {
		t.Fatalf("a snapshot from before has %d nodes: %v", nodes, err)
	}
	if err := snap.Close(); err != nil {
		t.Fatal(err)
	}
	it, err := s.db.NewIter(nil) // has what it began with
	if err != nil {
		t.Fatal(err)
	}
	// What lies beside it may share a block with it, and count.
	if err := s.Emptied("/a"); err != nil || under(t, s, "/a") > before/4 {
		t.Fatalf("%v; %d bytes of %d are left", err, under(t, s, "/a"), before)
	}
	n := 0
	for ok := it.First(); ok; ok = it.Next() {
		n++
	}
	if err := it.Close(); err != nil || n < 2*len(neighbours) {
		t.Fatal(n, err)
	}
	if got := contents(t, s); got != want {
		t.Fatalf("the content is\n%s\nand was\n%s", got, want)
	}
	commit(t, s, 4, setAll(s, paths[:5]))
	want = contents(t, s)
	if err := s.Emptied("/a0"); err != nil { // little enough to be left
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openTestState(t, fs, tablesOptions())
	defer s.Close()
	if got := contents(t, s); s.Applied() != 4 || got != want {
		t.Fatalf("after a restart at %v:\n%s\nwant\n%s", s.Applied(), got, want)
	}
}

// A power cut at any file operation while a tree is deleted in batches of all sizes and dropped: the content is that of
// the applied mark.
func TestEmptiedPowerCut(t *testing.T) {
	c, fs := newCrashes()
	s := openTestState(t, fs, tablesOptions())
	paths := treeBelow("/a")
	at := map[Applied]string{}
	next := func(change func(b *StateBatch)) {
		t.Helper()
		commit(t, s, s.Applied()+1, change)
		at[s.Applied()] = contents(t, s)
	}
	next(setAll(s, neighbours))
	next(setAll(s, paths))
	durable := []Applied{s.Applied()}
	c.at(0)
	rng := rand.New(rand.NewPCG(7, 8))
	for rest := paths; len(rest) > 0; {
		n := min(1+rng.IntN(60), len(rest))
		next(deleteAll(rest[:n]))
		rest = rest[n:]
	}
	if s.DurableApplied() == s.Applied() {
		t.Fatal("the last deletes shall be in memory")
	}
	if err := s.Emptied("/a"); err != nil {
		t.Fatal(err)
	}
	c.at(1)
	durable = append(durable, s.Applied())
	next(setAll(s, paths[:100]))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c.check(t, len(durable), func(t *testing.T, fs vfs.FS, stage int) {
		s := openTestState(t, fs, tablesOptions())
		defer s.Close()
		if s.Applied() < durable[stage] || contents(t, s) != at[s.Applied()] {
			t.Fatalf("at %v, at least %v was durable; its content is another", s.Applied(), durable[stage])
		}
	})
}

// Large batches of deletes one after the other are not merged before they are over, unless they are very many.
func TestMergesWaitForDeletes(t *testing.T) {
	s := openTestState(t, vfs.NewMem(), tablesOptions())
	defer s.Close()
	merged := func() bool { m := s.db.Metrics(); return m.Compact.Count+m.Compact.NumInProgress > 0 }
	mark := Applied(0)
	next := func(change func(b *StateBatch)) {
		t.Helper()
		mark++
		commit(t, s, mark, change)
	}
	var paths []string
	for i := range 2000 {
		paths = append(paths, fmt.Sprintf("/all/%s%d", strings.Repeat("x", 40), i))
	}
	next(setAll(s, paths))
	for i := range deletesMax - 1 {
		next(deleteAll(paths))
		if merged() {
			t.Fatalf("merged after %d batches", i)
		}
	}
	if err := s.Rest(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); !merged(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing is merged afterwards")
		}
	}
}
