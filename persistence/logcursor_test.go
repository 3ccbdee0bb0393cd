package persistence

import (
	"bytes"
	"errors"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
)

func TestFloor(t *testing.T) {
	r := epochs(t, vfs.NewMem(), 0)
	floor := func(z, want jute.Zxid, known bool) {
		t.Helper()
		if at, ok, err := r.Log.Floor(z); at != want || ok != known || err != nil {
			t.Errorf("floor of %v: %v %t %v, want %v", z, at, ok, err, want)
		}
	}
	for _, c := range [][2]jute.Zxid{
		{0, 0}, {1, 0}, {1 << 32, 0}, {1<<32 | 1, 1<<32 | 1}, {1<<32 | 77, 1<<32 | 77}, {1<<32 | 101, 1<<32 | 100}, {3 << 32, 1<<32 | 100},
		{3<<32 | 50, 3<<32 | 50}, {3<<32 | 51, 3<<32 | 50}, {lastOfEpochs, lastOfEpochs}, {lastOfEpochs + 1, lastOfEpochs}, {9 << 32, lastOfEpochs},
	} {
		floor(c[0], c[1], true)
	}
	floor(-1, 0, false)
	if _, err := r.Log.Purge(1<<32 | 50); err != nil {
		t.Fatal(err)
	}
	floor(1<<32|49, 1<<32|50, false)
	floor(0, 1<<32|50, false)
	floor(1<<32|50, 1<<32|50, true)
	floor(1<<32|51, 1<<32|51, true)
	if _, err := r.AdoptFromLeader(sideWith(t, r, "new"), 3<<32|7, 5, nil); err != nil {
		t.Fatal(err)
	}
	floor(3<<32|6, 3<<32|7, false)
	floor(3<<32|7, 3<<32|7, true)
	floor(lastOfEpochs, 3<<32|7, true)
	if r.Log.LastLogged() != 3<<32|7 || r.Log.BytesAfter(0) != 0 {
		t.Error(r.Log.LastLogged(), r.Log.BytesAfter(0))
	}
}

func TestBytesAfter(t *testing.T) {
	l, _ := openTestLog(t, vfs.NewMem(), LogOptions{})
	defer l.Close()
	appendRange(t, l, 1, 20_000, 1000)
	if err := l.Drain(); err != nil {
		t.Fatal(err)
	}
	for _, after := range []jute.Zxid{0, 1, 5000, 12_345, 19_999, 20_000, 1 << 32} {
		want := max(20_000-int64(after), 0) * 1000
		if got := l.BytesAfter(after); got < want-want/50-10_000 || got > want+want/50+10_000 {
			t.Errorf("%d bytes after %v, want %d", got, after, want)
		}
	}
}

// next reads from a cursor up to its end, and checks the bytes.
func next(t *testing.T, c *LogCursor, size int) (list []jute.Zxid) {
	t.Helper()
	for {
		z, b, ok, err := c.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return list
		}
		if !bytes.Equal(b, value(z, size)) {
			t.Fatalf("%v: %.30q", z, b)
		}
		list = append(list, z)
	}
}

// TestCursor: what is appended later comes too, a purge waits for it, and nothing of the store is held.
func TestCursor(t *testing.T) {
	l, _ := filled(t, vfs.NewMem(), 4, 100, 5000) // more than one read
	c, err := l.Cursor(50)
	if err != nil {
		t.Fatal(err)
	}
	if z, _, ok, err := c.Next(); z != 51 || !ok || err != nil {
		t.Fatal(z, ok, err)
	}
	if _, err := l.Purge(400); err != nil {
		t.Fatal(err)
	}
	if got := next(t, c, 5000); len(got) != 349 || got[0] != 52 || got[348] != 400 {
		t.Fatalf("%d entries, %v to %v", len(got), got[0], got[len(got)-1])
	}
	appendRange(t, l, 401, 410, 5000)
	if err := l.Drain(); err != nil {
		t.Fatal(err)
	}
	if first, err := l.Purge(405); first != 401 || err != nil {
		t.Fatal(first, err) // the rest is kept for the cursor
	}
	if got := next(t, c, 5000); len(got) != 10 || got[0] != 401 {
		t.Fatal(got)
	}
	c.Close()
	c.Close()
	if _, _, _, err := c.Next(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if first, err := l.Purge(405); first != 405 || err != nil {
		t.Fatal(first, err)
	}
	if _, err := l.Cursor(403); !errors.Is(err, ErrPurged) {
		t.Error(err)
	}
	if c, err = l.Cursor(405); err != nil {
		t.Fatal(err)
	}
	if got := next(t, c, 5000); len(got) != 5 {
		t.Fatal(got)
	}
	if err := l.Close(); err != nil { // with the cursor open
		t.Fatal(err)
	}
}

// TestCursorOverEpochs: it goes on into another epoch, and begins at a zxid that is no entry.
func TestCursorOverEpochs(t *testing.T) {
	r := epochs(t, vfs.NewMem(), 0)
	for _, after := range []jute.Zxid{0, 1 << 32, 1<<32 | 100, 3 << 32, 3<<32 | 50, 4 << 32, lastOfEpochs, 5 << 32} {
		c, err := r.Log.Cursor(after)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := next(t, c, 500), span(after+1, lastOfEpochs); len(got) != len(want) {
			t.Errorf("after %v: %d entries, want %d", after, len(got), len(want))
		}
		c.Close()
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCursorGap: a hole inside an epoch is told, never passed over.
func TestCursorGap(t *testing.T) {
	l, _ := openTestLog(t, vfs.NewMem(), LogOptions{})
	defer l.Close()
	appendRange(t, l, 1, 20, 10)
	if err := l.Drain(); err != nil {
		t.Fatal(err)
	}
	c, err := l.Cursor(15)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.db.Delete(entryKey(18), nil); err != nil {
		t.Fatal(err)
	}
	var damage *CorruptionError
	for range 2 {
		if _, _, _, err := c.Next(); !errors.As(err, &damage) {
			t.Error(err)
		}
	}
	c.Close()
	// An entry that follows in the same epoch, but not on where the cursor begins.
	if c, err = l.Cursor(17); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := c.Next(); !errors.As(err, &damage) {
		t.Error(err)
	}
	c.Close()
}

// TestCursorCut: what a cursor has not given out yet may be dropped; it says so and gives nothing else.
func TestCursorCut(t *testing.T) {
	r := epochs(t, vfs.NewMem(), 0)
	cut := func(do func() error) {
		t.Helper()
		c, err := r.Log.Cursor(0)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if got := next(t, c, 500); len(got) == 0 {
			t.Fatal("no entry")
		}
		if err := do(); err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := c.Next(); !errors.Is(err, ErrCut) {
			t.Error(err)
		}
	}
	cut(func() error { return r.Log.Truncate(3<<32|20, 0) })
	cut(func() error {
		_, err := r.AdoptFromLeader(sideWith(t, r, "new"), 3<<32|10, 9, nil)
		return err
	})
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCursorBusy reads while entries are appended and purged, as for a learner.
func TestCursorBusy(t *testing.T) {
	l, a := openTestLog(t, vfs.NewMem(), LogOptions{})
	defer l.Close()
	const n = 5000
	c, err := l.Cursor(0)
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	work.Go(func() { appendRange(t, l, 1, n, 200) })
	work.Go(func() {
		for a.last() < n {
			if err := a.wait(a.last() + 1); err != nil {
				t.Error(err)
				return
			}
			if _, err := l.Purge(a.last()); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for want := jute.Zxid(1); want <= n; {
		z, b, ok, err := c.Next()
		if err != nil || ok && (z != want || !bytes.Equal(b, value(z, 200))) {
			t.Fatal(z, want, err)
		}
		if ok {
			want++
		} else if err := a.wait(want); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	work.Wait()
}
