package diff

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"zk/compat/harness"
	"zk/jute"
)

// stepTimeout bounds the wait for an answer; a server that needs longer has failed the step.
const stepTimeout = 10 * time.Second

// sessionMillis is the session timeout cases ask for unless it is their subject.
const sessionMillis = 30000

// errStop ends a case early; the transcript says why.
var errStop = errors.New("case stopped")

// step is one entry of a transcript: what was done and what came back, in normal form.
type step struct {
	did      string
	got      []string
	anyOrder bool // what came back has no promised order
	action   int  // of a random run: which of its actions
}

func (st step) text() []string {
	out := []string{"  " + st.did}
	for _, g := range st.got {
		out = append(out, "      "+g)
	}
	return out
}

// script is one run of one case against one server. It belongs to one goroutine.
type script struct {
	ours     bool // the server is ours; else Java
	server   *harness.Server
	addr     string
	root     string // a path of its own, which exists
	steps    []step
	problems []string // expectations that were not met

	base        jute.Zxid            // last zxid before the case
	skips       []jute.Zxid          // zxids that are not counted, ascending; see edge
	times       map[jute.Zxid]int64  // the time of each transaction seen
	sessions    map[int64]string     // session id -> name of the connection that made it
	passwds     map[int64][]byte     // session id -> password
	conns       []*conn              // every connection opened
	open        map[int64]bool       // sessions to close at the end
	inDev       bool                 // inside dev: expectations count, steps are not compared
	sortACLs    bool                 // the order of ACL entries is not promised now
	cleanup     []req                // sent before the closeSession of a renewed session
	saslCleanup bool                 // before it there is a SASL login
	noted       map[string]jute.Zxid // for scripts: zxids under a name
	owners      map[string]int64     // path -> the owner inside the server of what was created there last
	named       map[jute.Zxid]string // zxids whose order among each other is not promised; see burst
	action      int                  // of a random run: the one that is played
}

func newScript(addr, root string, ours bool) *script {
	return &script{
		addr: addr, root: root, ours: ours, times: map[jute.Zxid]int64{}, sessions: map[int64]string{},
		passwds: map[int64][]byte{}, open: map[int64]bool{}, noted: map[string]jute.Zxid{}, named: map[jute.Zxid]string{}, owners: map[string]int64{},
	}
}

// text is the whole transcript.
func (s *script) text() []string {
	var out []string
	for _, st := range s.steps {
		out = append(out, st.text()...)
	}
	return out
}

// p is a path below the root of the case.
func (s *script) p(rel string) string { return s.root + rel }

func (s *script) record(did string, got ...string) *step {
	if s.inDev {
		return &step{did: did, got: got}
	}
	s.steps = append(s.steps, step{did: did, got: got, action: s.action})
	return &s.steps[len(s.steps)-1]
}

// fail notes an expectation that was not met. Expectations of the tables are facts about Java; ours is
// held to them by the comparison, and directly only inside dev.
func (s *script) fail(format string, args ...any) {
	if !s.ours || s.inDev {
		s.problems = append(s.problems, fmt.Sprintf(format, args...))
	}
}

// stop ends the case after a failure that makes the rest meaningless.
func (s *script) stop(format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	s.record("STOPPED", msg)
	s.problems = append(s.problems, "stopped: "+msg)
	panic(errStop)
}

// lastZxid asks the server for its last zxid, outside the transcript.
func (s *script) lastZxid() jute.Zxid {
	out, err := harness.FourLetter(s.addr, "srvr")
	if err != nil {
		s.stop("srvr: %v", err)
	}
	for line := range strings.Lines(out) {
		if hex, ok := strings.CutPrefix(strings.TrimSpace(line), "Zxid: 0x"); ok {
			var z int64
			if _, err := fmt.Sscanf(hex, "%x", &z); err == nil {
				return jute.Zxid(z)
			}
		}
	}
	s.stop("srvr has no Zxid line: %q", out)
	return 0
}

// zx writes the zxid of a change: by the name it got in a burst, else as counted does.
func (s *script) zx(z jute.Zxid) string {
	if name, ok := s.named[z]; ok {
		return name
	}
	return s.counted(z)
}

// counted writes a zxid relative to the start of the case.
func (s *script) counted(z jute.Zxid) string {
	switch {
	case z == 0 || z == -1:
		return fmt.Sprint(int64(z))
	case z > s.base+1<<32 || z < -1:
		return fmt.Sprintf("%#x", uint64(z))
	case z <= s.base:
		return "old"
	}
	n := int64(z - s.base)
	for _, k := range s.skips {
		if k <= z {
			n--
		}
	}
	return fmt.Sprintf("+%d", n)
}

// edge runs a step whose request cannot be decoded. Java sometimes spends a zxid on it, ours never
// does: the zxids it takes are not counted, and in its replies the zxid is not shown.
func (s *script) edge(f func()) {
	before := s.lastZxid()
	from := len(s.steps)
	f()
	for i := from; i < len(s.steps); i++ {
		for k, g := range s.steps[i].got {
			s.steps[i].got[k] = hideZxid(g)
		}
	}
	s.skipTo(before)
}

// forget drops the lines of the last step that contain text: they may come or not.
func (s *script) forget(text string) {
	if n := len(s.steps); n > 0 && !s.inDev {
		s.steps[n-1].got = slices.DeleteFunc(s.steps[n-1].got, func(g string) bool { return strings.Contains(g, text) })
	}
}

// skipTo takes every zxid after z out of the count.
func (s *script) skipTo(z jute.Zxid) {
	for last := s.lastZxid(); z < last; {
		z++
		s.skips = append(s.skips, z)
	}
}

// hideZxid replaces the zxid of a reply's text.
func hideZxid(g string) string {
	head, rest, ok := strings.Cut(g, " zxid=")
	if !ok {
		return g
	}
	_, tail, _ := strings.Cut(rest, " ")
	return head + " zxid=~ " + tail
}

// dev runs steps in which we differ from Java on purpose, on our server only. id names the entry of
// the list in allowed_test.go. Expectations inside hold for ours.
func (s *script) dev(id string, f func()) {
	if _, ok := allowed()[id]; !ok {
		s.stop("no allowed difference is called %q", id)
	}
	if !s.ours {
		return
	}
	before := s.lastZxid()
	xids := make(map[*conn]int32, len(s.conns))
	for _, c := range s.conns {
		xids[c] = c.xid
	}
	s.inDev = true
	f()
	s.inDev = false
	for c, xid := range xids {
		c.xid = xid
	}
	s.skipTo(before)
}

// restart ends the server, orderly or with a kill, and starts it again.
func (s *script) restart(kill bool) {
	did := "restart"
	if kill {
		did = "kill and start"
		s.server.Kill()
	} else if err := s.server.Stop(); err != nil {
		s.stop("stop: %v", err)
	}
	if err := s.server.Restart(); err != nil {
		s.stop("restart: %v", err)
	}
	s.record(did)
}

// finish closes what the case left open, so that nothing happens later on the server by itself.
func (s *script) finish() {
	for _, c := range s.conns {
		if c.raw != nil {
			c.raw.Close()
		}
	}
	ids := make([]int64, 0, len(s.open))
	for id := range s.open {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		s.closeSession(id)
	}
}

// closeSession renews a session and closes it, outside the transcript. An expired one is fine.
func (s *script) closeSession(id int64) {
	raw, err := harness.Dial(s.addr)
	if err != nil {
		return
	}
	defer raw.Close()
	resp, err := raw.Connect(jute.ConnectRequest{TimeoutMillis: sessionMillis, SessionID: jute.SessionID(id), Passwd: s.passwds[id], HasReadOnly: true})
	if err != nil || resp.SessionID == 0 {
		return
	}
	for _, r := range s.cleanup {
		if raw.Send(-4, r.op, r.body) == nil {
			_, _ = raw.ReadFrame(stepTimeout)
		}
	}
	if s.saslCleanup {
		client, token := saslClient("bob", "secret"), []byte{}
		for token != nil && raw.Send(-4, jute.OpSASL, jute.AppendBuffer(nil, token)) == nil {
			b, err := raw.ReadFrame(stepTimeout)
			if err != nil || len(b) < jute.ReplyHeaderBytes {
				return
			}
			d := jute.NewDecoder(b[jute.ReplyHeaderBytes:], 0)
			if token, err = client.Evaluate(d.Buffer()); err != nil {
				return
			}
		}
	}
	if raw.Send(1, jute.OpCloseSession, nil) != nil {
		return
	}
	for {
		if _, err := raw.ReadFrame(stepTimeout); err != nil {
			return
		}
	}
}

// expect checks a condition that only the script can see.
func (s *script) expect(ok bool, format string, args ...any) {
	if !ok {
		s.fail(format, args...)
	}
}

// word sends a four-letter word and records its reply after norm, which may be nil.
func (s *script) word(w string, norm func(string) string) string {
	out, err := harness.FourLetter(s.addr, w)
	if err != nil {
		s.record("word "+w, fmt.Sprintf("error after %q: %v", out, errKind(err)))
		return out
	}
	shown := out
	if norm != nil {
		shown = norm(out)
	}
	s.record("word "+w, fmt.Sprintf("%q", shown))
	return out
}

// errKind makes an error text that does not depend on ports.
func errKind(err error) string {
	switch {
	case errors.Is(err, harness.ErrClosed):
		return "closed"
	case errors.Is(err, harness.ErrTimeout):
		return "nothing came"
	}
	return "failed"
}
