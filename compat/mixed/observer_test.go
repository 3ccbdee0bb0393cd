package mixed

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"zk/compat/control"
	"zk/compat/harness"
	"zk/jute"
)

// TestObservers: an observer of the other kind sees all that its voters decide, and its clients are served as theirs.
func TestObservers(t *testing.T) {
	control.Need(t)
	for _, letters := range []string{"jjjG", "gggJ"} {
		t.Run(letters, func(t *testing.T) { observe(t, letters) })
	}
}

func observe(t *testing.T, letters string) {
	r := newRig(t, kinds(t, letters))
	o := r.e.Servers[3]
	if mode := o.Mode(); mode != "observer" {
		t.Fatalf("the %s server behind three voters is %q", o.Kind, mode)
	}
	holder := r.populate(o, 1000)
	defer holder.Close()
	r.whole("written through the observer")
	r.serves(o)
	leader := r.e.Leader()
	r.diff(leader, o)
	r.snap(leader, o)
	r.outlives(o)
	r.whole("another leader")
	r.serves(o)
	r.finish()
}

// serves does what clients do, on an observer: writes that are forwarded, sync, watches, sessions that move and end.
func (r *rig) serves(o *harness.Server) {
	r.t.Helper()
	leader := r.e.Leader()
	here, there := r.connect(o), r.connect(leader)
	defer here.Close()
	defer there.Close()
	r.moves++
	path := fmt.Sprintf("/moves-%d", r.moves)
	r.must(here.Create(path, []byte("0"), 0, open()))
	r.watches(here, there, path)
	for i := range 50 {
		want := strconv.Itoa(i)
		writer, reader := there, here
		if i%5 == 4 {
			writer, reader = here, there
		}
		r.must(writer.Set(path, []byte(want), -1))
		r.must(reader.Sync(path))
		if data, _, err := reader.Get(path); err != nil || string(data) != want {
			r.t.Fatalf("%q (%v) was read after a sync; %s was written before", data, err, want)
		}
	}
	r.moved(o, leader, path)
	r.expires(o, there, path)
}

// watches of one client fire for the writes of another.
func (r *rig) watches(here, there *zk.Conn, path string) {
	r.t.Helper()
	r.must(here.Sync(path))
	_, _, data, err := here.GetW(path)
	r.must(nil, err)
	_, _, children, err := here.ChildrenW(path)
	r.must(nil, err)
	_, _, exists, err := here.ExistsW(path + "/child")
	r.must(nil, err)
	r.must(there.Set(path, []byte("watched"), -1))
	r.must(there.Create(path+"/child", nil, 0, open()))
	r.awaitEvent(data, zk.EventNodeDataChanged)
	r.awaitEvent(children, zk.EventNodeChildrenChanged)
	r.awaitEvent(exists, zk.EventNodeCreated)
}

func (r *rig) awaitEvent(events <-chan zk.Event, want zk.EventType) {
	r.t.Helper()
	select {
	case e := <-events:
		if e.Type != want || e.Err != nil {
			r.t.Errorf("the event is %+v, want %v", e, want)
		}
	case <-time.After(patience):
		r.t.Fatalf("no event %v has come", want)
	}
}

// must ends the test at an error.
func (r *rig) must(_ any, err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// raw opens a session on a server, or goes on with an old one.
func (r *rig) raw(s *harness.Server, timeout time.Duration, old jute.ConnectResponse) (*harness.RawConn, jute.ConnectResponse, error) {
	c, err := harness.Dial(s.Addr)
	if err != nil {
		return nil, old, err
	}
	if old.SessionID == 0 {
		old.Passwd = make([]byte, 16)
	}
	resp, err := c.Connect(jute.ConnectRequest{TimeoutMillis: int32(timeout.Milliseconds()), SessionID: old.SessionID, Passwd: old.Passwd, HasReadOnly: true})
	if err == nil && (resp.SessionID == 0 || old.SessionID != 0 && resp.SessionID != old.SessionID) {
		err = fmt.Errorf("session %x is %x on server %d (%s)", old.SessionID, resp.SessionID, s.ID(), s.Kind)
	}
	if err != nil {
		c.Close()
		return nil, old, err
	}
	return c, resp, nil
}

// ephemeral makes an ephemeral node by a raw session.
func ephemeral(c *harness.RawConn, path string) error {
	create := jute.CreateRequest{Path: path, ACL: []jute.ACL{{Perms: zk.PermAll, ID: jute.ID{Scheme: "world", ID: "anyone"}}}, Flags: zk.FlagEphemeral}
	if err := c.Send(1, jute.OpCreate, create.Append(nil, jute.OpCreate)); err != nil {
		return err
	}
	b, err := c.ReadFrame(patience)
	if err != nil {
		return err
	}
	d := jute.NewDecoder(b, 0)
	var h jute.ReplyHeader
	h.Decode(&d)
	if h.Err != 0 {
		return h.Err
	}
	return d.Err()
}

// moved takes a session from the observer to a voter and back, ephemeral and all.
func (r *rig) moved(o, voter *harness.Server, path string) {
	r.t.Helper()
	c, session, err := r.raw(o, sessionTimeout, jute.ConnectResponse{})
	r.must(nil, err)
	r.must(nil, ephemeral(c, path+"/moved"))
	for _, s := range []*harness.Server{voter, o} {
		c.Close()
		if c, session, err = r.raw(s, sessionTimeout, session); err != nil {
			r.t.Fatal(err)
		}
		look := r.connect(voter)
		found, stat, err := look.Exists(path + "/moved")
		look.Close()
		if err != nil || !found || stat.EphemeralOwner != int64(session.SessionID) {
			r.t.Errorf("the ephemeral of session %x, on server %d (%s): %v %+v %v", session.SessionID, s.ID(), s.Kind, found, stat, err)
		}
	}
	r.must(nil, c.Send(2, jute.OpCloseSession, nil))
	r.must(c.ReadFrame(patience))
	c.Close()
}

// expires leaves a session of the observer without a sign of life: the leader ends it, for all.
func (r *rig) expires(o *harness.Server, there *zk.Conn, path string) {
	r.t.Helper()
	path += "/silent"
	var c *harness.RawConn
	if err := eventually(func() (err error) {
		if c, _, err = r.raw(o, 2*time.Second, jute.ConnectResponse{}); err != nil {
			return err
		}
		if err = ephemeral(c, path); err != nil { // on a busy machine the session can be over by now
			c.Close()
		}
		return err
	}); err != nil {
		r.t.Fatal(err)
	}
	defer c.Close()
	found, _, gone, err := there.ExistsW(path)
	r.must(nil, err)
	if found {
		r.awaitEvent(gone, zk.EventNodeDeleted)
	}
	if b, closed := c.ReadRaw(patience); !closed {
		r.t.Errorf("the connection of a session that has expired is open; it gives %x", b)
	}
}

// outlives changes the leader: sessions on the observer, their ephemerals and watches stay.
func (r *rig) outlives(o *harness.Server) {
	r.t.Helper()
	here := r.connect(o)
	defer here.Close()
	r.moves++
	path := fmt.Sprintf("/moves-%d", r.moves)
	r.must(here.Create(path, nil, 0, open()))
	r.must(here.Create(path+"/mine", nil, zk.FlagEphemeral, open()))
	_, _, changed, err := here.GetW(path)
	r.must(nil, err)
	session := here.SessionID()

	old := r.e.Leader()
	old.Kill()
	rest := r.othersVoting(old)
	r.awaitQuorum(rest[0], rest[1])
	r.await(o)
	there := r.connect(r.e.Leader())
	defer there.Close()
	// Not before the client is back: its watch is one of the state it has seen.
	if err := eventually(func() error { _, _, err := here.Exists(path + "/mine"); return err }); err != nil {
		r.t.Fatal(err)
	}
	r.must(there.Set(path, []byte("by the next leader"), -1))
	r.awaitEvent(changed, zk.EventNodeDataChanged)
	found, stat, err := there.Exists(path + "/mine")
	if err != nil || !found || stat.EphemeralOwner != session || here.SessionID() != session {
		r.t.Errorf("after the leader was killed: the ephemeral of session %x: %v %+v %v; the session is %x", session, found, stat, err, here.SessionID())
	}
	r.launch(old)
	r.await(old)
}
