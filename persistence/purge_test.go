package persistence

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
)

// tableBytes is what the tables of a log hold on disk.
func tableBytes(t *testing.T, l *Log) (n uint64) {
	t.Helper()
	m := l.db.Metrics()
	return m.DiskSpaceUsage()
}

func filled(t *testing.T, fs vfs.FS, tables, each, size int) (*Log, *acks) {
	t.Helper()
	l, a := openTestLog(t, fs, LogOptions{})
	for i := range tables {
		from := jute.Zxid(i*each + 1)
		appendRange(t, l, from, from+jute.Zxid(each)-1, size)
		if err := a.wait(from + jute.Zxid(each) - 1); err != nil {
			t.Fatal(err)
		}
		if err := l.db.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	return l, a
}

func TestPurgeFreesAndKeeps(t *testing.T) {
	fs := vfs.NewMem()
	l, _ := filled(t, fs, 10, 100, 5000)
	before := tableBytes(t, l)
	first, err := l.Purge(750)
	if err != nil || first != 750 || l.CompleteFrom() != 750 {
		t.Fatal(first, err, l.CompleteFrom())
	}
	readRange(t, l, 750, 1000, 5000)
	readRange(t, l, 751, 1000, 5000)
	for _, from := range []jute.Zxid{1, 749} {
		if err := l.Read(from, func(jute.Zxid, []byte) error { return nil }); !errors.Is(err, ErrPurged) {
			t.Fatal(err)
		}
		if _, err := l.Pin(from); !errors.Is(err, ErrPurged) {
			t.Fatal(err)
		}
	}
	// Never the last entry, whatever is asked for.
	if first, err = l.Purge(5000); err != nil || first != 1000 {
		t.Fatal(first, err)
	}
	if first, err = l.Purge(10); err != nil || first != 1000 {
		t.Fatal(first, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l, a := openTestLog(t, fs, LogOptions{})
	if after := tableBytes(t, l); after > before/5 {
		t.Fatalf("%d bytes left of %d", after, before)
	}
	if l.CompleteFrom() != 1000 || l.LastLogged() != 1000 {
		t.Fatal(l.CompleteFrom(), l.LastLogged())
	}
	appendRange(t, l, 1001, 1010, 10)
	if err := a.wait(1010); err != nil {
		t.Fatal(err)
	}
	readRange(t, l, 1001, 1010, 10)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestPurgePins(t *testing.T) {
	l, _ := filled(t, vfs.NewMem(), 4, 100, 100)
	defer l.Close()
	p, err := l.Pin(150)
	if err != nil {
		t.Fatal(err)
	}
	q, err := l.Pin(220)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		do   func()
		want jute.Zxid
	}{
		{func() {}, 150},
		{func() { p.Advance(180) }, 180},
		{func() { p.Advance(10) }, 180},
		{func() { p.Advance(300) }, 220},
		{func() { q.Release(); q.Release() }, 300},
		{func() { p.Release() }, 390},
	} {
		c.do()
		if first, err := l.Purge(390); err != nil || first != c.want {
			t.Fatal(first, c.want, err)
		}
	}
}

// A reader under way keeps what it reads, in tables and in memory.
func TestPurgeDuringRead(t *testing.T) {
	for _, flush := range []bool{true, false} {
		l, a := openTestLog(t, vfs.NewMem(), LogOptions{})
		appendRange(t, l, 1, 400, 1000)
		if err := a.wait(400); err != nil {
			t.Fatal(err)
		}
		if flush {
			if err := l.db.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		n := 0
		err := l.Read(1, func(z jute.Zxid, b []byte) error {
			if n++; n == 10 {
				if first, err := l.Purge(395); err != nil || first != 395 {
					t.Fatal(first, err)
				}
			}
			return nil
		})
		if err != nil || n != 400 {
			t.Fatal(n, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A purge that ends between epochs leaves an anchor: nobody can take the older epoch's end for the log's.
func TestPurgeAcrossEpochs(t *testing.T) {
	l, a := openTestLog(t, vfs.NewMem(), LogOptions{})
	defer l.Close()
	appendRange(t, l, 1, 10, 10)
	e2 := jute.NewZxid(2, 1)
	appendRange(t, l, e2, e2+9, 10)
	if err := a.wait(e2 + 9); err != nil {
		t.Fatal(err)
	}
	// e2 alone could also be the first entry ever, so the one before it stays.
	for _, below := range []jute.Zxid{10, 11, e2} {
		if first, err := l.Purge(below); err != nil || first != 10 || l.CompleteFrom() != 10 {
			t.Fatal(first, err)
		}
	}
	if err := l.Read(9, func(jute.Zxid, []byte) error { return nil }); !errors.Is(err, ErrPurged) {
		t.Fatal(err)
	}
	if first, err := l.Purge(e2 + 1); err != nil || first != e2+1 {
		t.Fatal(first, err)
	}
	for _, from := range []jute.Zxid{1, 10, 11, e2} {
		if err := l.Read(from, func(jute.Zxid, []byte) error { return nil }); !errors.Is(err, ErrPurged) {
			t.Fatal(from, err)
		}
	}
	readRange(t, l, e2+1, e2+9, 10)
}

// The tables of a store must follow each other.
func TestLostTableIsSeen(t *testing.T) {
	fs := vfs.NewMem()
	l, _ := filled(t, fs, 3, 100, 10)
	b := l.db.NewBatch()
	for z := jute.Zxid(301); z <= 310; z++ {
		if z != 305 {
			if err := b.Set(entryKey(z), nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		if z == 304 {
			if err := errors.Join(l.db.Apply(b, nil), l.db.Flush()); err != nil {
				t.Fatal(err)
			}
			b = l.db.NewBatch()
		}
	}
	if err := errors.Join(l.db.Apply(b, nil), l.db.Flush(), l.Close()); err != nil {
		t.Fatal(err)
	}
	var c *CorruptionError
	if _, err := OpenLog(LogOptions{Dir: "log", FS: fs}); !errors.As(err, &c) {
		t.Fatal(err)
	}
}

func TestRetention(t *testing.T) {
	h := &history{}
	for i := range 100 { // segments of 4096 txns and 4 MiB
		first := jute.Zxid(i*segmentTxns + 1)
		h.add(first, first+segmentTxns-1, segmentBytes)
	}
	for _, c := range []struct {
		keep Retention
		want int // segments kept
	}{
		{Retention{}, 74}, // 3 * 100,000 txns
		{Retention{SnapCount: 1 << 20}, 100},
		{Retention{SnapCount: 1 << 20, BytesMax: 40 << 20}, 10},
		{Retention{SnapCount: 1 << 20, BytesMax: 1}, 1}, // commitLogCount
		{Retention{SnapCount: 1, CommitLogCount: 5 * segmentTxns, BytesMax: 1}, 5},
	} {
		from, txns, bytes := h.keepFrom(c.keep.withDefaults())
		want := jute.Zxid((100-c.want)*segmentTxns + 1)
		if c.want == 100 {
			want = 0
		}
		if from != want || c.want < 100 && (txns != int64(100-c.want)*segmentTxns || bytes != int64(100-c.want)*segmentBytes) {
			t.Errorf("%+v: from %v, want %v; frees %d txns, %d bytes", c.keep, from, want, txns, bytes)
		}
	}
}

// I6: the purger goes up to what retention allows, never beyond the durable mark.
func TestPurgerStaysBelowDurable(t *testing.T) {
	fs := vfs.NewMem()
	l, _ := filled(t, fs, 20, 100, 1000)
	if err := l.Close(); err != nil { // a reopened log knows one segment a table
		t.Fatal(err)
	}
	l, _ = openTestLog(t, fs, LogOptions{})
	defer l.Close()
	keep := Retention{SnapCount: 100, CommitLogCount: 10}
	p := StartPurger(l, keep, nil)
	for _, c := range []struct {
		durable Applied
		want    jute.Zxid
	}{{0, 1}, {550, 550}, {1400, 1400}, {2000, 1701}} {
		if err := p.purge(c.durable, false); err != nil {
			t.Fatal(err)
		}
		if got := l.history.first(); got != c.want {
			t.Fatalf("durable %v: log begins with %v, want %v", c.durable, got, c.want)
		}
	}
	p.Durable(1)
	p.Close()
	p.Close()
	readRange(t, l, 1701, 2000, 1000)
}

// Meta values written between entries do not keep purged tables on the disk.
func TestPurgeFreesAroundMeta(t *testing.T) {
	fs := vfs.NewMem()
	l, a := openTestLog(t, fs, LogOptions{})
	for i := range jute.Zxid(20) {
		appendRange(t, l, i*100+1, i*100+100, 5000)
		if err := a.wait(i*100 + 100); err != nil {
			t.Fatal(err)
		}
		if err := l.SetAcceptedEpoch(int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Purge(1999); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l, _ = openTestLog(t, fs, LogOptions{})
	defer l.Close()
	if n := tableBytes(t, l); n > 2<<20 {
		t.Fatalf("%d bytes left", n)
	}
	readRange(t, l, 1999, 2000, 5000)
	if l.AcceptedEpoch() != 19 {
		t.Fatal(l.AcceptedEpoch())
	}
}
