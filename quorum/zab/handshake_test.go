package zab

import (
	"testing"

	"zk/jute"
	"zk/quorum/verifier"
)

// testLog is a log in memory.
type testLog struct {
	base    jute.Zxid
	entries []Entry
}

func (h *testLog) CompleteFrom() jute.Zxid { return h.base }
func (h *testLog) LastLogged() jute.Zxid {
	if n := len(h.entries); n > 0 {
		return h.entries[n-1].Zxid
	}
	return h.base
}
func (h *testLog) Floor(z jute.Zxid) (jute.Zxid, bool) {
	f, ok := h.base, z >= h.base
	for _, e := range h.entries {
		if e.Zxid <= z {
			f = e.Zxid
		}
	}
	return f, ok
}
func (h *testLog) BytesAfter(z jute.Zxid) (n int64) {
	for _, e := range h.entries {
		if e.Zxid > z {
			n += int64(len(e.Data))
		}
	}
	return n
}
func (h *testLog) After(z jute.Zxid) (Entry, bool, error) {
	for _, e := range h.entries {
		if e.Zxid > z {
			return e, true, nil
		}
	}
	return Entry{}, false, nil
}

func TestHandshake(t *testing.T) {
	c, err := verifier.Parse("server.1=a:1:2:participant\nserver.2=b:1:2:participant\nserver.3=c:1:2:participant\nversion=0")
	if err != nil {
		t.Fatal(err)
	}
	h := &testLog{entries: []Entry{{0x100000001, []byte("x")}, {0x100000002, []byte("y")}}}
	l := NewLeader(LeaderOptions{Me: 1, Quorums: verifier.Quorums{Current: c}, AcceptedEpoch: 1, CurrentEpoch: 1, History: h, InitLimit: 10, SyncLimit: 5, DiffBytesMax: 1 << 20})
	f := NewLearner(LearnerOptions{Me: 2, AcceptedEpoch: 1, CurrentEpoch: 1, LastLogged: 0x100000001, InitLimit: 10, SyncLimit: 5})
	var o Outbox
	l.Start()
	l.Connected(7)
	f.Start()
	for range 40 {
		for _, a := range l.Actions() {
			t.Log("L", a.String())
			switch a.Kind {
			case SaveAcceptedEpoch, SaveCurrentEpoch:
				l.Saved()
			case Established:
				l.Started()
				h.entries = append(h.entries, Entry{0x200000001, []byte("z")})
				l.Proposed(0x200000001)
				l.Logged(0x200000001)
			case Send:
				if err := o.Queue(a.Packet, a.Barrier); err != nil {
					t.Fatal(err)
				}
			case StartSync:
				o.Start(a.Sync, a.Epoch)
			}
		}
		o.Advance(l.Marks())
		for !f.Busy() {
			p, w, err := o.Next(h)
			if err != nil {
				t.Fatal(err)
			}
			if w == Nothing {
				break
			}
			t.Log("->", Describe(&p))
			f.Received(&p)
			drain(t, l, f)
		}
		drain(t, l, f)
	}
	if !f.Established() || l.Marks().Committed != 0x200000001 {
		t.Fatal(l.Marks())
	}
}

func drain(t *testing.T, l *Leader, f *Learner) {
	for _, a := range f.Actions() {
		t.Log("F", a.String())
		switch a.Kind {
		case Send:
			t.Log("<-", Describe(&a.Packet))
			l.Received(7, &a.Packet)
		case SaveAcceptedEpoch:
			f.Saved()
		case Adopt:
			f.Adopted()
		case Append:
			f.Logged(a.Zxid)
		}
	}
}
