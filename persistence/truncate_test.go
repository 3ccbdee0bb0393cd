package persistence

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
)

// epochs makes a pair of stores whose log has entries of several epochs: 1 to 100 of epoch 1, 1 to 50 of epoch
// 3, 1 to 20 of epoch 4, in tables and in memory, with the state at applied.
func epochs(t *testing.T, fs vfs.FS, applied jute.Zxid) *Recovered {
	t.Helper()
	r := both(t, Options{DataDir: "data", FS: fs})
	r.Log.Start(nil, func(err error) { t.Error(err) })
	for _, run := range []struct{ epoch, n jute.Zxid }{{1, 100}, {3, 50}, {4, 20}} {
		at := run.epoch << 32
		appendRange(t, r.Log, at+1, at+run.n/2, 500)
		if err := r.Log.Drain(); err != nil {
			t.Fatal(err)
		}
		if run.epoch != 4 {
			if err := r.Log.db.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		appendRange(t, r.Log, at+run.n/2+1, at+run.n, 500)
	}
	if err := errors.Join(r.Log.SetAcceptedEpoch(4), r.Log.SetCurrentEpoch(4)); err != nil {
		t.Fatal(err)
	}
	b := r.State.NewBatch(0)
	b.SetNode("/", []byte("old"))
	if err := errors.Join(b.Commit(Applied(applied)), r.State.Flush()); err != nil {
		t.Fatal(err)
	}
	return r
}

// span are the zxids of epochs from one on, to another.
func span(from, to jute.Zxid) (list []jute.Zxid) {
	for _, run := range []struct{ epoch, n jute.Zxid }{{1, 100}, {3, 50}, {4, 20}} {
		for z := run.epoch<<32 + 1; z <= run.epoch<<32+run.n; z++ {
			if z >= from && z <= to {
				list = append(list, z)
			}
		}
	}
	return list
}

const lastOfEpochs = 4<<32 | 20

func TestTruncate(t *testing.T) {
	for _, z := range []jute.Zxid{lastOfEpochs, 4<<32 | 19, 4<<32 | 1, 3<<32 | 50, 3<<32 | 25, 3<<32 | 1, 1<<32 | 100, 1<<32 | 7} {
		t.Run(z.String(), func(t *testing.T) {
			fs := vfs.NewMem()
			r := epochs(t, fs, 1<<32|7)
			if err := r.Log.Truncate(z, 1<<32|7); err != nil {
				t.Fatal(err)
			}
			look := func(l *Log, after ...jute.Zxid) {
				t.Helper()
				want := append(span(0, z), after...)
				if got := entries(t, l, 1); !slices.Equal(got, want) {
					t.Fatalf("entries %v, want %v", got, want)
				}
				if last := want[len(want)-1]; l.LastLogged() != Logged(last) {
					t.Fatalf("last %v, want %v", jute.Zxid(l.LastLogged()), last)
				}
				if at, ok, err := l.Floor(z); at != z || !ok || err != nil {
					t.Fatal(at, ok, err)
				}
			}
			look(r.Log)
			if bytes := r.Log.BytesAfter(0); bytes < int64(len(span(0, z)))*500 || bytes > int64(len(span(0, z)))*700+70_000 {
				t.Errorf("%d bytes", bytes)
			}
			if err := r.Log.Append(Entry{Zxid: z + 2, Bytes: []byte("x")}); !errors.Is(err, ErrOrder) {
				t.Error("an entry behind a gap:", err)
			}
			if err := r.Log.Append(Entry{Zxid: 7<<32 | 1, Bytes: []byte("new")}); err != nil {
				t.Fatal(err)
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			r = both(t, Options{DataDir: "data", FS: fs})
			look(r.Log, 7<<32|1)
			// Once more, to the same place, now that all is in tables.
			if err := r.Log.Truncate(z, 0); err != nil {
				t.Fatal(err)
			}
			look(r.Log)
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			r = both(t, Options{DataDir: "data", FS: fs})
			look(r.Log)
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestTruncateToNothing: a log that is all tail ends up empty, and begins again.
func TestTruncateToNothing(t *testing.T) {
	fs := vfs.NewMem()
	r := epochs(t, fs, 0)
	if err := r.Log.Truncate(0, 0); err != nil {
		t.Fatal(err)
	}
	if r.Log.LastLogged() != 0 || r.Log.CompleteFrom() != 0 || r.Log.BytesAfter(0) != 0 || len(entries(t, r.Log, 1)) != 0 {
		t.Error("not empty")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = both(t, Options{DataDir: "data", FS: fs})
	r.Log.Start(nil, nil)
	appendRange(t, r.Log, 1, 9, 10)
	if err := r.Log.Drain(); err != nil {
		t.Fatal(err)
	}
	readRange(t, r.Log, 1, 9, 10)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTruncateRefuses(t *testing.T) {
	r := epochs(t, vfs.NewMem(), 3<<32|10)
	if _, err := r.Log.Purge(3<<32 | 5); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		z       jute.Zxid
		applied Applied
	}{
		{4<<32 | 21, 0}, {5 << 32, 0}, // beyond the end
		{4 << 32, 0}, {3 << 32, 0}, {3<<32 | 51, 0}, // between two entries
		{3<<32 | 9, 0}, {3<<32 | 5, 0}, // in the state
		{3<<32 | 20, 3<<32 | 21},                // in the tree in memory
		{3<<32 | 4, 0}, {1<<32 | 50, 0}, {0, 0}, // purged
	} {
		if err := r.Log.Truncate(c.z, c.applied); !errors.Is(err, ErrNotHere) {
			t.Errorf("cut at %v: %v", c.z, err)
		}
	}
	if got := entries(t, r.Log, 3<<32|5); !slices.Equal(got, span(3<<32|5, lastOfEpochs)) {
		t.Errorf("entries %v", got)
	}
	if err := r.Log.Truncate(3<<32|10, 3<<32|10); err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestTruncateCrash cuts the power at every step of a TRUNC and of the DIFF after it, up to its epoch: either
// all of the old entries are there or none after the cut, and whatever was durable before stays.
func TestTruncateCrash(t *testing.T) {
	for _, z := range []jute.Zxid{4<<32 | 10, 3<<32 | 30, 1<<32 | 40} {
		t.Run(z.String(), func(t *testing.T) {
			c, fs := newCrashes()
			r := epochs(t, fs, 1<<32|40)
			if _, err := r.Log.Purge(1<<32 | 20); err != nil {
				t.Fatal(err)
			}
			c.at(0)
			if err := r.Log.Truncate(z, 0); err != nil {
				t.Fatal(err)
			}
			c.at(1) // the cut is durable
			const first = 6<<32 | 1
			for z := jute.Zxid(first); z < first+5; z++ {
				if err := r.Log.Append(Entry{Zxid: z, Bytes: []byte("diff")}); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.Log.SetCurrentEpoch(6); err != nil {
				t.Fatal(err)
			}
			c.at(2) // and so are the entries, and the epoch
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			c.check(t, 3, func(t *testing.T, fs vfs.FS, stage int) {
				r := both(t, Options{DataDir: "data", FS: fs})
				defer func() {
					if err := r.Close(); err != nil {
						t.Error(err)
					}
				}()
				got := entries(t, r.Log, 1<<32|20)
				diff := len(got)
				for diff > 0 && got[diff-1] >= first {
					diff--
				}
				old, added := got[:diff], len(got)-diff
				if whole := slices.Equal(old, span(1<<32|20, lastOfEpochs)); !slices.Equal(old, span(1<<32|20, z)) && !(whole && stage == 0) {
					t.Errorf("entries %v", got)
				}
				if stage == 2 && added != 5 || stage == 0 && added != 0 {
					t.Errorf("%d entries of the DIFF", added)
				}
				if epoch := r.Log.CurrentEpoch(); epoch != 4 && (epoch != 6 || added != 5) || stage == 2 && epoch != 6 {
					t.Errorf("epoch %d with %d entries of it", epoch, added)
				}
			})
		})
	}
}

// TestAdoptFromLeaderCrash cuts the power at every step of the adoption of a SNAP and of what follows it: the
// old history with its epoch, or the new one with its own, and never an entry of the one in the other.
func TestAdoptFromLeaderCrash(t *testing.T) {
	for _, base := range []jute.Zxid{1<<32 | 60, 3<<32 | 25, lastOfEpochs, 5<<32 | 9, 6 << 32} {
		t.Run(base.String(), func(t *testing.T) {
			c, fs := newCrashes()
			r := epochs(t, fs, 1<<32|40)
			c.at(0)
			var tail []Entry
			first := base + 1
			for z := first; base != lastOfEpochs && z < first+3; z++ {
				tail = append(tail, Entry{Zxid: z, Bytes: []byte("diff")})
			}
			old, err := r.AdoptFromLeader(sideWith(t, r, "new"), base, 6, tail)
			if err != nil {
				t.Fatal(err)
			}
			c.at(1) // adopted, with the tail
			if err := r.Discard(old); err != nil {
				t.Error(err)
			}
			for z := first + jute.Zxid(len(tail)); z < first+5; z++ {
				if err := r.Log.Append(Entry{Zxid: z, Bytes: []byte("diff")}); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.Log.Drain(); err != nil {
				t.Fatal(err)
			}
			c.at(2) // what came behind the SNAP is durable
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			c.check(t, 3, func(t *testing.T, fs vfs.FS, stage int) {
				r := both(t, Options{DataDir: "data", FS: fs})
				defer func() {
					if err := r.Close(); err != nil {
						t.Error(err)
					}
				}()
				rec, _, err := r.State.GetNode("/", nil)
				if err != nil {
					t.Fatal(err)
				}
				if string(rec) == "old" {
					if got := entries(t, r.Log, 1); stage > 0 || r.Log.CurrentEpoch() != 4 || r.Log.AcceptedEpoch() != 4 || !slices.Equal(got, span(0, lastOfEpochs)) || r.State.Applied() != 1<<32|40 {
						t.Errorf("the old state, epoch %d, entries %v", r.Log.CurrentEpoch(), got)
					}
					return
				}
				n := 0
				err = r.Log.Read(base+1, func(z jute.Zxid, b []byte) error {
					if n++; z != base+jute.Zxid(n) || !bytes.Equal(b, []byte("diff")) {
						return fmt.Errorf("entry %v %.20q", z, b)
					}
					return nil
				})
				if err != nil || n < len(tail) || stage == 2 && n != 5 || r.Log.LastLogged() != Logged(base)+Logged(n) || r.Log.CurrentEpoch() != 6 || r.Log.AcceptedEpoch() != 6 || r.State.Applied() != Applied(base) || r.Log.CompleteFrom() != base {
					t.Errorf("the new state at %v, epochs %d and %d, %d entries: %v", jute.Zxid(r.State.Applied()), r.Log.AcceptedEpoch(), r.Log.CurrentEpoch(), n, err)
				}
			})
		})
	}
}

// TestEpochs: neither goes back, and the promise is never below the epoch.
func TestEpochs(t *testing.T) {
	fs := vfs.NewMem()
	r := epochs(t, fs, 0)
	for _, err := range []error{r.Log.SetCurrentEpoch(3), r.Log.SetAcceptedEpoch(3)} {
		if !errors.Is(err, ErrEpoch) {
			t.Error(err)
		}
	}
	if err := errors.Join(r.Log.SetCurrentEpoch(4), r.Log.SetAcceptedEpoch(7), r.Log.SetCurrentEpoch(6), r.Log.SetAcceptedEpoch(7), r.Log.SetCurrentEpoch(9)); err != nil {
		t.Error(err)
	}
	side := sideWith(t, r, "new")
	if _, err := r.AdoptFromLeader(side, 1, 8, nil); !errors.Is(err, ErrEpoch) {
		t.Error(err)
	}
	if _, err := r.AdoptFromLeader(side, 1, 9, []Entry{{Zxid: 2}, {Zxid: 4}}); !errors.Is(err, ErrOrder) {
		t.Error(err)
	}
	checkRoot(t, r.State, "old")
	if err := errors.Join(r.Discard(side), r.Close()); err != nil {
		t.Fatal(err)
	}
	r = both(t, Options{DataDir: "data", FS: fs})
	if r.Log.AcceptedEpoch() != 9 || r.Log.CurrentEpoch() != 9 {
		t.Error(r.Log.AcceptedEpoch(), r.Log.CurrentEpoch())
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}
