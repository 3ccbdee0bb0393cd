package embed

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/conf"
	"zk/jute"
	"zk/quorum"
	"zk/server"
)

// alone is the way of a leader whose ensemble is itself.
type alone struct {
	server.Replicator
	exhausted chan struct{}
}

// lost takes proposals that nobody will ever commit.
type lost struct{ zxids chan jute.Zxid }

func (l lost) Propose(p server.Proposal) error {
	l.zxids <- p.Zxid
	return nil
}

func (alone) Admit() error                                      { return nil }
func (a alone) Exhausted()                                      { a.exhausted <- struct{}{} }
func (alone) Forward(*jute.ForwardedRequest, []jute.ID) error   { panic("a leader forwards nothing") }
func (alone) Sync(*jute.ForwardedRequest, []jute.ID, any) error { return nil }
func (alone) Revalidate(jute.SessionTimeout) error              { panic("a leader asks nobody") }

// between starts a server and ends its term.
func between(t *testing.T) *Node {
	t.Helper()
	cfg, err := conf.Parse("zoo.cfg", []byte("clientPort=0\nclientPortAddress=127.0.0.1\ndataDir=/data\nadmin.enableServer=false\n"), conf.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n, err := Start(context.Background(), cfg, Deps{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	n.server.End()
	return n
}

// leading starts a server and makes it the leader of itself from a zxid on; r takes what it proposes, nil is its
// log.
func leading(t *testing.T, zxid jute.Zxid, r server.Replicator) (*Node, alone) {
	t.Helper()
	n := between(t)
	if r == nil {
		r = solo{n.stores.Log}
	}
	way := alone{r, make(chan struct{}, 8)}
	n.server.Begin(server.Term{Role: server.Leader, Ensemble: way, Zxid: zxid})
	return n, way
}

func ask(op jute.OpCode, session jute.SessionID, cxid int32, body []byte) *jute.ForwardedRequest {
	return &jute.ForwardedRequest{SessionID: session, Cxid: cxid, Type: op, Body: body}
}

func createNode(path string, flags int32) []byte {
	r := jute.CreateRequest{Path: path, ACL: []jute.ACL{{Perms: jute.PermAll, ID: jute.ID{Scheme: "world", ID: "anyone"}}}, Flags: flags}
	return r.Append(nil, jute.OpCreate)
}

// TestExhausted: counter 0xffffffff of an epoch is never given out. The leader gives up its term instead.
func TestExhausted(t *testing.T) {
	proposals := lost{make(chan jute.Zxid, 8)}
	n, way := leading(t, 0x1fffffffc, proposals)
	const link, session = "link", jute.SessionID(0x200000000000001)
	for i, r := range []*jute.ForwardedRequest{
		ask(jute.OpCreateSession, session, 0, jute.AppendInt32(nil, 10000)),
		ask(jute.OpCreate, session, 1, createNode("/a", 0)),
		ask(jute.OpCreate, session, 2, createNode("/b", 0)),
	} {
		if err := n.server.Request(link, r, nil); (err == nil) != (i < 2) {
			t.Errorf("request %d: %v", i, err)
		}
	}
	if len(way.exhausted) != 1 {
		t.Errorf("told %d times", len(way.exhausted))
	}
	close(proposals.zxids)
	var zxids []jute.Zxid
	for z := range proposals.zxids {
		zxids = append(zxids, z)
	}
	if want := []jute.Zxid{0x1fffffffd, 0x1fffffffe}; !slices.Equal(zxids, want) {
		t.Errorf("proposed %v, want %v", zxids, want)
	}
}

// TestRequestsOfLearners: what a learner sends is decoded before anything comes of it; what can't be is its
// fault. A session has one owner: requests of another link are errors, not changes.
func TestRequestsOfLearners(t *testing.T) {
	n, _ := leading(t, 0x100000000, nil)
	const session = jute.SessionID(0x200000000000001)
	type link struct{ sid int }
	first, second := link{2}, link{3}
	good := []*jute.ForwardedRequest{
		ask(jute.OpCreateSession, session, 0, jute.AppendInt32(nil, 10000)),
		ask(jute.OpCreate, session, 1, createNode("/a", jute.FlagEphemeral)),
	}
	for _, r := range good {
		if err := n.server.Request(first, r, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range []*jute.ForwardedRequest{
		ask(jute.OpCreateSession, session+1, 0, []byte{0, 1}),
		ask(jute.OpCreate, session, 2, createNode("/b", 0)[:9]),
		ask(jute.OpGetData, session, 2, nil),
		ask(jute.OpDeleteContainer, session, 2, jute.AppendString(nil, "/a")),
		ask(jute.OpError, session, 2, nil),
		ask(99, session, 2, nil),
	} {
		if err := n.server.Request(first, r, nil); err == nil {
			t.Errorf("%v %q was taken", r.Type, r.Body)
		}
	}
	if err := n.server.Request(second, ask(jute.OpCreate, session, 2, createNode("/moved", 0)), nil); err != nil {
		t.Error(err) // it has its place in the order, as an error
	}
	if !n.server.Revalidate(second, jute.SessionTimeout{SessionID: session, TimeoutMillis: 10000}) {
		t.Error("a live session is not taken up")
	}
	if n.server.Revalidate(second, jute.SessionTimeout{SessionID: session + 5, TimeoutMillis: 10000}) {
		t.Error("an unknown session is taken up")
	}
	for i, from := range []link{first, second} {
		if err := n.server.Request(from, ask(jute.OpCreate, session, int32(3+i), createNode([]string{"/stale", "/taken"}[i], 0)), nil); err != nil {
			t.Error(err)
		}
	}
	if err := n.stores.Log.Drain(); err != nil {
		t.Fatal(err)
	}
	n.lock.RLock()
	defer n.lock.RUnlock()
	for path, want := range map[string]bool{"/a": true, "/b": false, "/moved": false, "/stale": false, "/taken": true} {
		if got := n.tree.Find(path) != 0; got != want {
			t.Errorf("%s: there %v, want %v", path, got, want)
		}
	}
}

// TestNoRestoreInEnsemble: one server's tree is not exchanged under the others.
func TestNoRestoreInEnsemble(t *testing.T) {
	n := &Node{peer: &quorum.Peer{}, ctx: context.Background()}
	if _, err := n.Restore(context.Background(), strings.NewReader("")); !errors.Is(err, errMember) {
		t.Error(err)
	}
}
