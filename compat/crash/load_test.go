package crash

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zk/compat/harness"
	"zk/jute"
)

const (
	// patience bounds every wait for an answer; only a failure waits so long.
	patience = 30 * time.Second
	// window is how many requests a writer has in flight.
	window = 16
	// sessionRequests is after how many requests a writer ends its session and begins another.
	sessionRequests = 400
)

// writer is one session with its subtree.
type writer struct {
	name string
	gen  generator

	mu      sync.Mutex
	acked   *model         // after everything that was acknowledged; guarded by mu
	pending []op           // sent and not acknowledged; guarded by mu
	total   int            // acknowledged; guarded by mu
	lost    error          // what an answer had wrong; guarded by mu
	sid     jute.SessionID // guarded by mu
	passwd  []byte         // guarded by mu

	conn    *harness.RawConn
	sent    int // in this session
	closing bool
}

// load is writers on one server.
type load struct {
	addr    string
	writers []*writer
	stop    atomic.Bool
	wg      sync.WaitGroup
}

// newLoad makes n writers, each with a session, a subtree and a quota on it.
func newLoad(t *testing.T, addr string, n int, seed uint64) *load {
	t.Helper()
	l := &load{addr: addr}
	for i := range n {
		root := fmt.Sprintf("/w%d", i)
		w := &writer{name: root, acked: newModel(root)}
		w.gen = generator{rng: rand.New(rand.NewPCG(seed, uint64(i))), m: newModel(root)}
		l.writers = append(l.writers, w)
		if err := w.login(addr); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.conn.Close() })
		paths := []string{root, "/zookeeper/quota" + root, "/zookeeper/quota" + root + "/zookeeper_limits", "/zookeeper/quota" + root + "/zookeeper_stats"}
		for k, path := range paths {
			data := [...]string{"", "", "count=100000,bytes=-1", "count=0,bytes=0"}[k]
			r := jute.CreateRequest{Path: path, Data: []byte(data), ACL: open}
			if rep, err := w.call(jute.OpCreate, r.Append(nil, jute.OpCreate)); err != nil || rep.code != jute.CodeOk {
				t.Fatal(path, rep.code, err)
			}
		}
	}
	return l
}

// login opens a session or takes the old one up again; a session that has expired is sid 0 afterwards.
func (w *writer) login(addr string) error {
	c, err := harness.Dial(addr)
	if err != nil {
		return err
	}
	if w.conn != nil {
		w.conn.Close()
	}
	w.conn = c
	w.mu.Lock()
	sid, passwd := w.sid, w.passwd
	w.mu.Unlock()
	if sid == 0 {
		passwd = make([]byte, 16)
	}
	resp, err := c.Connect(jute.ConnectRequest{TimeoutMillis: 40000, SessionID: sid, Passwd: passwd, HasReadOnly: true})
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.sid, w.passwd = resp.SessionID, resp.Passwd
	w.mu.Unlock()
	w.sent, w.closing = 0, false
	return nil
}

// answer is a reply.
type answer struct {
	code jute.Code
	body []byte
}

// recv reads the next reply.
func (w *writer) recv() (answer, error) {
	b, err := w.conn.ReadFrame(patience)
	if err != nil {
		return answer{}, err
	}
	d := jute.NewDecoder(b, 0)
	var h jute.ReplyHeader
	h.Decode(&d)
	return answer{h.Err, d.Rest()}, d.Err()
}

func (w *writer) call(code jute.OpCode, body []byte) (answer, error) {
	if err := w.conn.Send(1, code, body); err != nil {
		return answer{}, err
	}
	return w.recv()
}

// start sets the writers going.
func (l *load) start() {
	l.stop.Store(false)
	for _, w := range l.writers {
		l.wg.Go(func() {
			for !l.stop.Load() {
				if err := w.step(l.addr); err != nil {
					return
				}
			}
		})
	}
}

// step fills the window and takes one reply. Any error ends the writer until it is checked.
func (w *writer) step(addr string) error {
	if w.closing && len(w.pending) == 0 {
		w.mu.Lock()
		w.sid = 0
		w.mu.Unlock()
		return w.login(addr)
	}
	var out []byte
	for !w.closing && len(w.pending) < window {
		o := w.request()
		out = append(out, harness.RequestFrame(1, o.code, o.body)...)
		w.mu.Lock()
		w.pending = append(w.pending, o)
		w.mu.Unlock()
	}
	if len(out) > 0 {
		if err := w.conn.Write(out); err != nil {
			return err
		}
	}
	a, err := w.recv()
	if err != nil {
		return err
	}
	return w.acknowledge(a)
}

// request is the next one, or the end of the session.
func (w *writer) request() op {
	w.sent++
	if w.sent > sessionRequests {
		w.closing = true
		w.gen.m.closeSession()
		return op{code: jute.OpCloseSession, apply: func(m *model) { m.closeSession() }}
	}
	return w.gen.next()
}

// acknowledge compares a reply with what the model expects.
func (w *writer) acknowledge(a answer) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.pending[0]
	d := jute.NewDecoder(a.body, 0)
	failed := false
	if o.code == jute.OpMulti && a.code == jute.CodeOk {
		var h jute.MultiHeader
		h.Decode(&d)
		failed = h.Type == jute.OpError
	}
	switch {
	case a.code != o.reply || failed != o.fails:
		w.lost = fmt.Errorf("%s: %v answered %v (failed %t), want %v (failed %t)", w.name, o.code, a.code, failed, o.reply, o.fails)
	case o.path != "" && d.String() != o.path:
		w.lost = fmt.Errorf("%s: %v did not make %s", w.name, o.code, o.path)
	}
	if w.lost != nil {
		return w.lost
	}
	if o.apply != nil {
		o.apply(w.acked)
	}
	w.pending = w.pending[1:]
	w.total++
	return nil
}

// acknowledged is the sum over all writers.
func (l *load) acknowledged() (sum int) {
	for _, w := range l.writers {
		w.mu.Lock()
		sum += w.total
		w.mu.Unlock()
	}
	return sum
}

// awaitProgress waits for n more acknowledgements.
func (l *load) awaitProgress(t *testing.T, n int) {
	t.Helper()
	from := l.acknowledged()
	for end := time.Now().Add(patience); l.acknowledged() < from+n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no progress: %d of %d", l.acknowledged()-from, n)
		}
	}
}

// halt ends the writers; call it when the server is gone, or they finish what they have sent.
func (l *load) halt(t *testing.T) {
	t.Helper()
	l.stop.Store(true)
	l.wg.Wait()
	for _, w := range l.writers {
		if w.lost != nil {
			t.Fatal(w.lost)
		}
	}
}

// copyOf is the load as it stands, for a copy of the data that is looked at elsewhere.
func (l *load) copyOf(addr string) *load {
	c := &load{addr: addr}
	for _, w := range l.writers {
		w.mu.Lock()
		c.writers = append(c.writers, &writer{
			name: w.name, acked: w.acked.clone(), pending: slices.Clone(w.pending), sid: w.sid, passwd: slices.Clone(w.passwd),
		})
		w.mu.Unlock()
	}
	return c
}

// check takes every session up again, compares its subtree with the model, and goes on from what it
// found.
func (l *load) check(t *testing.T) {
	t.Helper()
	for _, w := range l.writers {
		if err := w.check(l.addr); err != nil {
			t.Fatal(err)
		}
	}
	text, err := harness.FourLetter(l.addr, "mntr")
	if err != nil || !strings.Contains(text, "zk_digest_mismatches_count\t0\n") {
		t.Fatal("digest mismatches", err)
	}
}

func (w *writer) check(addr string) error {
	old := w.sid
	// A session whose end was sent may be gone; so may one that was never seen to begin.
	mayBeGone := w.sid == 0 || slices.ContainsFunc(w.pending, func(o op) bool { return o.code == jute.OpCloseSession })
	if err := w.login(addr); err != nil {
		return fmt.Errorf("%s: %w", w.name, err)
	}
	if w.sid == 0 {
		if !mayBeGone {
			return fmt.Errorf("%s: session %v is gone", w.name, old)
		}
		if err := w.login(addr); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	have, quota, err := w.read()
	if err != nil {
		return fmt.Errorf("%s: %w", w.name, err)
	}
	m := w.acked.clone()
	for i := 0; ; i++ {
		count, bytes := m.quota()
		if slices.Equal(m.dump(int64(old)), have) {
			if want := fmt.Sprintf("count=%d,bytes=%d", count, bytes); quota != want {
				return fmt.Errorf("%s: the quota says %s, the nodes are %s", w.name, quota, want)
			}
			break
		}
		if i == len(w.pending) {
			return fmt.Errorf("%s: what is there fits no point from the last acknowledged request to the last of %d more; %s", w.name, len(w.pending),
				firstDifference(w.acked.dump(int64(old)), have))
		}
		if f := w.pending[i].apply; f != nil {
			f(m)
		}
	}
	w.pending = nil
	w.acked = m
	w.gen.m = m.clone()
	if old != w.sid { // the ephemerals of the old one must be gone with it
		for path, n := range m.nodes {
			if n.ephemeral {
				return fmt.Errorf("%s: %s outlived session %v", w.name, path, old)
			}
		}
	}
	return nil
}

func firstDifference(want, have []string) string {
	for _, x := range want {
		if !slices.Contains(have, x) {
			return "acknowledged, not there: " + x
		}
	}
	for _, x := range have {
		if !slices.Contains(want, x) {
			return "there, not acknowledged: " + x
		}
	}
	return "no difference"
}

var errRead = errors.New("read failed")

// read walks the writer's subtree.
func (w *writer) read() (lines []string, quota string, err error) {
	get := func(path string) (data string, st jute.Stat, err error) {
		r := jute.PathWatchRequest{Path: path}
		a, err := w.call(jute.OpGetData, r.Append(nil))
		if err != nil || a.code != jute.CodeOk {
			return "", st, fmt.Errorf("%w: %s: %v %v", errRead, path, a.code, err)
		}
		d := jute.NewDecoder(a.body, 0)
		data = string(d.Buffer())
		st.Decode(&d)
		return data, st, d.Err()
	}
	var walk func(path string) error
	walk = func(path string) error {
		data, st, err := get(path)
		if err != nil {
			return err
		}
		lines = append(lines, line(path, data, st.Version, st.Cversion, st.Aversion, st.NumChildren, st.EphemeralOwner))
		if st.NumChildren == 0 {
			return nil
		}
		r := jute.PathWatchRequest{Path: path}
		a, err := w.call(jute.OpGetChildren, r.Append(nil))
		if err != nil || a.code != jute.CodeOk {
			return fmt.Errorf("%w: children of %s: %v %v", errRead, path, a.code, err)
		}
		d := jute.NewDecoder(a.body, 0)
		for _, name := range d.Strings() {
			if err := walk(path + "/" + name); err != nil {
				return err
			}
		}
		return d.Err()
	}
	if err := walk(w.acked.root); err != nil {
		return nil, "", err
	}
	slices.Sort(lines)
	quota, _, err = get("/zookeeper/quota" + w.acked.root + "/zookeeper_stats")
	return lines, quota, err
}
