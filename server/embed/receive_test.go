package embed_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"zk/jute"
	"zk/persistence/crashdisk"
	"zk/quorum"
	"zk/server/tree"
)

// snap gives the tree of a server as a leader sends it.
func (r *rig) snap() (jute.Zxid, []byte) {
	r.t.Helper()
	s, err := r.node.OpenSnap()
	if err != nil {
		r.t.Fatal(err)
	}
	var b bytes.Buffer
	n, err := s.WriteTo(&b)
	if err != nil || n != s.Bytes() || int64(b.Len()) != n {
		r.t.Fatalf("%d bytes announced, %d written, %d told: %v", s.Bytes(), b.Len(), n, err)
	}
	zxid := s.Zxid()
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		r.t.Fatal(err)
	}
	return zxid, b.Bytes()
}

// proposal is a create as a leader proposes it.
func proposal(zxid jute.Zxid, path string) quorum.Entry {
	p := jute.Proposal{
		Header: jute.TxnHeader{ClientID: 7, Cxid: 1, Zxid: zxid, Time: 1000, Type: jute.OpCreate},
		Txn:    jute.Txn{Type: jute.OpCreate, Path: path, Data: []byte("late"), ACL: open, ParentCversion: -1},
	}
	return quorum.Entry{Zxid: zxid, Bytes: p.Append(nil)}
}

// streamed takes the stream apart by the rules of the wire alone: counts, records, "/" (DataTree.serialize).
func streamed(t *testing.T, b []byte) *shot {
	t.Helper()
	s := &shot{sessions: map[jute.SessionID]int32{}, acls: map[int64][]jute.ACL{}, nodes: map[string]jute.SnapshotNode{}}
	d := jute.NewDecoder(b, 0)
	for range d.Int32() {
		id := jute.SessionID(d.Int64())
		s.sessions[id] = d.Int32()
	}
	for range d.Int32() {
		id := d.Int64()
		s.acls[id] = d.ACLs()
	}
	for first := true; d.Err() == nil; first = false {
		path := d.String()
		if path == "/" {
			break
		}
		n := jute.SnapshotNode{Path: path, Data: d.Buffer(), ACLID: d.Int64()}
		n.Stat.Decode(&d)
		if parent, ok := s.nodes[path[:max(strings.LastIndexByte(path, '/'), 0)]]; first != (path == "") || !first && !ok || parent.Path == path && !first {
			t.Errorf("%q comes before its parent", path)
		}
		if _, ok := s.acls[n.ACLID]; !ok && n.ACLID != jute.ACLIDOpen || n.ACLID == 0 {
			t.Errorf("%q has the ACL id %d", path, n.ACLID)
		}
		s.nodes[path] = n
		if tree.Digested(path) {
			s.digest += tree.NodeDigest(tree.DataCRC(path, n.Data), &n.Stat)
		}
	}
	if d.Err() != nil || d.Remaining() != 0 {
		t.Fatal("the stream:", d.Err(), d.Remaining())
	}
	return s
}

// TestReceive gives one server's tree to another, which holds something else, with what a leader sends behind it.
func TestReceive(t *testing.T) {
	from := start(t)
	from.connect().allKinds()
	want := parse(t, from.snapshot())
	zxid, b := from.snap()
	sameTree(t, streamed(t, b), want)

	to := start(t)
	c := to.connect()
	c.fill("/own", 50)
	was := parse(t, to.snapshot())
	// What follows the tree is not touched.
	in := bufio.NewReader(io.MultiReader(iotest.HalfReader(bytes.NewReader(b)), strings.NewReader("BenWasHere")))
	got, err := to.node.Receive(in, zxid)
	if err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(in); err != nil || string(rest) != "BenWasHere" {
		t.Errorf("%q is left: %v", rest, err)
	}
	if now := parse(t, to.snapshot()); now.digest != was.digest {
		t.Error("the tree that is served has changed")
	}
	for z := zxid + 1; z <= zxid+2; z++ {
		if err := got.Apply(proposal(z, fmt.Sprintf("/committed%d", z-zxid))); err != nil {
			t.Fatal(err)
		}
	}
	if err := got.Apply(proposal(zxid+5, "/gap")); err == nil {
		t.Error("a gap was applied")
	}
	if err := got.Adopt(5, []quorum.Entry{proposal(zxid+3, "/proposed")}); err != nil {
		t.Fatal(err)
	}
	now := parse(t, to.snapshot())
	if n := now.nodes["/committed2"]; now.trailer.LastZxid != zxid+2 || string(n.Data) != "late" || n.Stat.Czxid != zxid+2 {
		t.Errorf("at %v: %+v", now.trailer.LastZxid, n)
	}
	if _, ok := now.nodes["/proposed"]; ok || len(now.nodes) != len(want.nodes)+2 {
		t.Errorf("%d nodes", len(now.nodes))
	}
	now.whole(t)
	for _, path := range []string{"", "/committed1", "/committed2"} {
		delete(now.nodes, path)
		delete(want.nodes, path)
	}
	now.digest = want.digest
	sameTree(t, now, want)
	// A server that stands alone takes its whole log as committed.
	to.restart()
	if n, ok := parse(t, to.snapshot()).nodes["/proposed"]; !ok || n.Stat.Czxid != zxid+3 {
		t.Errorf("proposed: %+v", n)
	}
	to.close()
	verify(t, to)
	if names := stateDirNames(t, to.fs); !slices.Equal(names, []string{"zk-state-2"}) {
		t.Errorf("folders %v", names)
	}
}

func stateDirNames(t *testing.T, fs vfs.FS) (names []string) {
	t.Helper()
	all, err := fs.List("/data")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range all {
		if strings.HasPrefix(n, "zk-state-") {
			names = append(names, n)
		}
	}
	return names
}

// TestReceiveBroken: a stream that breaks off or is no tree costs nothing but the link.
func TestReceiveBroken(t *testing.T) {
	from := start(t)
	from.connect().allKinds()
	zxid, b := from.snap()
	to := start(t)
	c := to.connect()
	c.fill("/own", 50)
	was := to.snapshot()
	lost := errors.New("connection lost")
	orphan := jute.SnapshotNode{Path: "/a/b", ACLID: -1}
	root := jute.SnapshotNode{ACLID: -1}
	acl := jute.SnapshotNode{ACLID: 9}
	none := make([]byte, 8) // no session, no ACL list
	for name, r := range map[string]io.Reader{
		"cut":       bytes.NewReader(b[:len(b)/2]),
		"lost":      io.MultiReader(bytes.NewReader(b[:len(b)-5]), iotest.ErrReader(lost)),
		"empty":     strings.NewReader(""),
		"text":      strings.NewReader(strings.Repeat("GET / HTTP/1.1\r\n", 1000)),
		"no root":   bytes.NewReader(jute.AppendString(none, "/")),
		"no parent": bytes.NewReader(orphan.Append(root.Append(none))),
		"no ACL":    bytes.NewReader(acl.Append(none)),
	} {
		in, err := to.node.Receive(r, zxid)
		if err == nil {
			in.Discard()
			t.Errorf("%s: taken", name)
		}
		if name == "lost" && !errors.Is(err, lost) {
			t.Error(err)
		}
	}
	// One that is whole, and not wanted in the end; one whose tail is none.
	in, err := to.node.Receive(bytes.NewReader(b), zxid)
	if err != nil {
		t.Fatal(err)
	}
	in.Discard()
	if in, err = to.node.Receive(bytes.NewReader(b), zxid); err != nil {
		t.Fatal(err)
	}
	if err := in.Adopt(5, []quorum.Entry{proposal(zxid+2, "/gap")}); err == nil {
		t.Error("a gap was adopted")
	}
	if names := stateDirNames(t, to.fs); !slices.Equal(names, []string{"zk-state-1"}) {
		t.Errorf("folders %v", names)
	}
	if now := to.snapshot(); !bytes.Equal(now, was) {
		t.Error("the tree has changed")
	}
	c.ok(jute.OpCreate, create("/after", "", 0))
	to.close()
	verify(t, to)
}

// TestReceiveCrash cuts the power at every disk operation from the first byte to the end of the adoption: what
// starts again has the whole of the old tree or of the new one.
func TestReceiveCrash(t *testing.T) {
	from := start(t)
	c := from.connect()
	c.allKinds()
	c.fill("/many", 300)
	zxid, b := from.snap()

	mem := crashdisk.New()
	var mu sync.Mutex
	var disks []*crashdisk.Disk
	var on bool
	fs := crashdisk.Injected(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if persistPoint(op) == "" {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if on {
			disks = append(disks, mem.CrashClone(vfs.CrashCloneCfg{}))
		}
		return nil
	}))
	to := newRig(t, fs, faultLines()...)
	to.open()
	to.connect().fill("/own", 50)
	old := parse(t, to.snapshot())
	set := func(to bool) { mu.Lock(); defer mu.Unlock(); on = to }
	set(true)
	in, err := to.node.Receive(bytes.NewReader(b), zxid)
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Apply(proposal(zxid+1, "/committed")); err != nil {
		t.Fatal(err)
	}
	if err := in.Adopt(5, []quorum.Entry{proposal(zxid+2, "/proposed")}); err != nil {
		t.Fatal(err)
	}
	set(false)
	disks = append(disks, mem.CrashClone(vfs.CrashCloneCfg{}))
	to.close()
	seen := map[jute.Zxid]int{}
	for i, disk := range disks {
		f, err := check(t, disk, nil)
		if err != nil || f.LastZxid != old.trailer.LastZxid && f.LastZxid != zxid+2 || i == len(disks)-1 && f.LastZxid != zxid+2 {
			t.Fatalf("crash %d of %d: %v, want %v or %v: %v", i, len(disks), f.LastZxid, old.trailer.LastZxid, zxid+2, err)
		}
		seen[f.LastZxid]++
	}
	if len(seen) != 2 {
		t.Errorf("crashes: %v", seen)
	}
}

// TestReceiveFromJava takes in what Java leaders sent by SNAP, with all that came behind it on the wire, and ends
// with the digest that the leader had proposed.
func TestReceiveFromJava(t *testing.T) {
	for _, name := range []string{"main-012", "main-016", "main-043", "move-006", "localsession-010", "reconfigleader-027"} {
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join("../../jute/testdata/golden/quorum", name+".master"))
			if err != nil {
				t.Fatal(err)
			}
			wire := bufio.NewReader(bytes.NewReader(b))
			packets := jute.NewPacketReader(wire, 0)
			to := start(t, faultLines()...)
			var in quorum.Incoming
			var last jute.Proposal
			n := 0
			for {
				var p jute.QuorumPacket
				if _, err := packets.Read(&p, nil); err != nil {
					break // the server at the other end was killed
				}
				switch p.Type {
				case jute.PacketSnap:
					if in, err = to.node.Receive(wire, p.Zxid); err != nil {
						t.Fatal(err)
					}
					if _, err := wire.Discard(len("1234BenWasHere")); err != nil {
						t.Fatal(err)
					}
				case jute.PacketInformAndActivate:
					p.Data = p.Data[8:]
					fallthrough
				case jute.PacketProposal, jute.PacketInform:
					if in == nil {
						continue
					}
					if err := in.Apply(quorum.Entry{Zxid: p.Zxid, Bytes: p.Data}); err != nil {
						t.Fatal(err)
					}
					var prop jute.Proposal
					d := jute.NewDecoder(p.Data, 0)
					if prop.Decode(&d); prop.HasDigest {
						last = prop
					}
					n++
				}
			}
			if err := in.Adopt(9, nil); err != nil {
				t.Fatal(err)
			}
			now := parse(t, to.snapshot())
			now.whole(t)
			if got := now.trailer.Digest.Digest.TreeDigest; last.HasDigest && got != last.Digest.TreeDigest {
				t.Errorf("after %d transactions the digest is %d, the leader's was %d", n, got, last.Digest.TreeDigest)
			}
			t.Logf("%d nodes, %d transactions, at %v", len(now.nodes), n, now.trailer.LastZxid)
			to.close()
			verify(t, to)
		})
	}
}
