package embed_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
	"zk/persistence/javafile"
	"zk/server/tree"
)

// parents is a tree of znodes of 100 bytes under a few parents, as a leader sends it. It implements
// javafile.Source.
type parents struct{ parents, children int }

func (parents) Counts() (sessions, acls int)                        { return 0, 0 }
func (parents) EachSession(func(*jute.SnapshotSession) error) error { return nil }
func (parents) EachACL(func(*jute.SnapshotACL) error) error         { return nil }
func (parents) Trailer() javafile.Trailer                           { return javafile.Trailer{} }
func (p parents) nodes() int                                        { return p.parents * p.children }
func (p parents) EachNode(yield func(*jute.SnapshotNode) error) error {
	n := jute.SnapshotNode{ACLID: jute.ACLIDOpen}
	give := func(path string, data []byte) error {
		n.Path, n.Data = path, data
		return yield(&n)
	}
	for _, path := range []string{"", tree.ZookeeperPath, tree.ZookeeperPath + "/config", tree.ZookeeperPath + "/quota"} {
		if err := give(path, []byte{}); err != nil {
			return err
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 100)
	for i := range data {
		data[i] = byte(random.Uint32()) // incompressible
	}
	for i := range p.parents {
		parent := fmt.Sprintf("/load-%02d", i)
		if err := give(parent, []byte{}); err != nil {
			return err
		}
		for k := range p.children {
			random.Shuffle(8, func(i, j int) { data[i], data[j] = data[j], data[i] })
			if err := give(fmt.Sprintf("%s/%010d", parent, k), data); err != nil {
				return err
			}
		}
	}
	return nil
}

// BenchmarkSnap is a tree on its way from a leader to a learner, without the network between: what the leader
// does with it, and what the learner does up to the moment where it is durable. MB are those of the stream;
// ns/znode is the processor time of all, the write-behind's, the flushes' and compactions' too.
func BenchmarkSnap(b *testing.B) {
	shape := parents{16, 25_000}
	var stream bytes.Buffer
	if _, err := javafile.WriteTree(&stream, shape); err != nil {
		b.Fatal(err)
	}
	open := func(b *testing.B) *rig {
		r := newRig(b, vfs.Default, "dataDir="+filepath.Join(b.TempDir(), "data"))
		r.open()
		b.Cleanup(r.close)
		return r
	}
	measure := func(b *testing.B, once func()) {
		b.SetBytes(int64(stream.Len()))
		b.ReportAllocs()
		before := processCPU(b)
		for b.Loop() {
			once()
		}
		b.ReportMetric(float64(processCPU(b)-before)/float64(b.N*shape.nodes()), "cpu-ns/znode")
	}
	b.Run("receive", func(b *testing.B) {
		r := open(b)
		epoch := int64(0)
		measure(b, func() {
			epoch++
			zxid := jute.Zxid(epoch << 32)
			in, err := r.node.Receive(bufio.NewReader(bytes.NewReader(stream.Bytes())), zxid)
			if err != nil {
				b.Fatal(err)
			}
			if err := in.Adopt(epoch, nil); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("send", func(b *testing.B) {
		r := open(b)
		in, err := r.node.Receive(bufio.NewReader(bytes.NewReader(stream.Bytes())), 1<<32)
		if err != nil {
			b.Fatal(err)
		}
		if err := in.Adopt(1, nil); err != nil {
			b.Fatal(err)
		}
		measure(b, func() {
			s, err := r.node.OpenSnap()
			if err != nil {
				b.Fatal(err)
			}
			if _, err := s.WriteTo(io.Discard); err != nil {
				b.Fatal(err)
			}
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		})
	})
}
