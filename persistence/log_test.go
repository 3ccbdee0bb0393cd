package persistence

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"zk/jute"
	"zk/persistence/crashdisk"
)

// value is the test bytes of an entry: told by its zxid alone, so that any copy can be checked.
func value(z jute.Zxid, n int) []byte {
	b := bytes.Repeat([]byte{byte(z)}, n)
	copy(b, fmt.Sprintf("%v|", z))
	return b
}

// acks collects what a log acknowledged.
type acks struct {
	mu   sync.Mutex
	cond *sync.Cond
	list []jute.Zxid
	err  error
}

func newAcks() *acks {
	a := &acks{}
	a.cond = sync.NewCond(&a.mu)
	return a
}

func (a *acks) durable(es []Entry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range es {
		a.list = append(a.list, e.Zxid)
	}
	a.cond.Broadcast()
}

func (a *acks) failed(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.err = err
	a.cond.Broadcast()
}

// wait returns when zxid z is acknowledged, or with the failure.
func (a *acks) wait(z jute.Zxid) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.err == nil && (len(a.list) == 0 || a.list[len(a.list)-1] < z) {
		a.cond.Wait()
	}
	return a.err
}

func (a *acks) last() jute.Zxid {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.list) == 0 {
		return 0
	}
	return a.list[len(a.list)-1]
}

func openTestLog(t testing.TB, fs vfs.FS, o LogOptions) (*Log, *acks) {
	t.Helper()
	o.FS = fs
	if o.Dir == "" {
		o.Dir = "log"
	}
	l, err := OpenLog(o)
	if err != nil {
		t.Fatal(err)
	}
	a := newAcks()
	l.Start(a.durable, a.failed)
	return l, a
}

func appendRange(t testing.TB, l *Log, from, to jute.Zxid, n int) {
	t.Helper()
	for z := from; z <= to; z++ {
		if err := l.Append(Entry{Zxid: z, Bytes: value(z, n)}); err != nil {
			t.Fatal(err)
		}
	}
}

// readRange checks that a log holds exactly from..to, with the right bytes.
func readRange(t testing.TB, l *Log, from, to jute.Zxid, n int) {
	t.Helper()
	next := from
	err := l.Read(from, func(z jute.Zxid, b []byte) error {
		if z != next || !bytes.Equal(b, value(z, n)) {
			return fmt.Errorf("read %v with %d bytes, want %v", z, len(b), next)
		}
		next++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if next != to+1 {
		t.Fatalf("read up to %v, want %v", next-1, to)
	}
}

func TestLogAppendReadReopen(t *testing.T) {
	for _, plain := range []bool{false, true} {
		fs := vfs.NewMem()
		l, a := openTestLog(t, fs, LogOptions{PlainCommit: plain, BatchBytesMax: 3000})
		appendRange(t, l, 1, 5000, 100)
		if err := a.wait(5000); err != nil {
			t.Fatal(err)
		}
		for i, z := range a.list {
			if z != jute.Zxid(i+1) {
				t.Fatalf("acknowledged %v at place %d", z, i)
			}
		}
		readRange(t, l, 1, 5000, 100)
		readRange(t, l, 4998, 5000, 100)
		if err := l.Read(5001, func(jute.Zxid, []byte) error { return errors.New("called") }); err != nil {
			t.Fatal(err)
		}
		appendRange(t, l, 5001, 5100, 100)
		if err := l.Close(); err != nil { // waits for what was appended
			t.Fatal(err)
		}
		if a.last() != 5100 {
			t.Fatalf("close before %v", a.last())
		}
		if err := l.Append(Entry{Zxid: 5101}); !errors.Is(err, ErrClosed) {
			t.Fatal(err)
		}
		l, _ = openTestLog(t, fs, LogOptions{})
		if l.LastLogged() != 5100 || l.CompleteFrom() != 0 {
			t.Fatal(l.LastLogged(), l.CompleteFrom())
		}
		readRange(t, l, 1, 5100, 100)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLogOrder(t *testing.T) {
	l, a := openTestLog(t, vfs.NewMem(), LogOptions{})
	defer l.Close()
	for _, z := range []jute.Zxid{1, 2, jute.NewZxid(3, 1), jute.NewZxid(3, 2), jute.NewZxid(7, 1)} {
		if err := l.Append(Entry{Zxid: z, Tag: z}); err != nil {
			t.Fatal(err)
		}
	}
	for _, z := range []jute.Zxid{0, 1, jute.NewZxid(7, 1), jute.NewZxid(7, 3), jute.NewZxid(8, 2), jute.NewZxid(6, 1)} {
		if err := l.Append(Entry{Zxid: z}); !errors.Is(err, ErrOrder) {
			t.Fatal(z, err)
		}
	}
	if err := a.wait(jute.NewZxid(7, 1)); err != nil {
		t.Fatal(err)
	}
	var got []jute.Zxid
	read := func(from jute.Zxid) error {
		got = nil
		return l.Read(from, func(z jute.Zxid, _ []byte) error { got = append(got, z); return nil })
	}
	if err := read(3); err != nil || len(got) != 3 { // the epoch ended at 2
		t.Fatal(got, err)
	}
	var c *CorruptionError
	if err := read(jute.NewZxid(5, 0)); err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	// A hole inside an epoch is never passed over.
	if err := l.db.Delete(entryKey(jute.NewZxid(3, 1)), nil); err != nil {
		t.Fatal(err)
	}
	if err := read(1); !errors.As(err, &c) {
		t.Fatal(got, err)
	}
}

// Tags and bytes come back untouched, also while the queue is full and the callee is slow.
func TestLogQueueBound(t *testing.T) {
	release := make(chan struct{})
	var mu sync.Mutex
	var got []int
	l, err := OpenLog(LogOptions{Dir: "log", FS: vfs.NewMem(), QueueBytesMax: 1000})
	if err != nil {
		t.Fatal(err)
	}
	l.Start(func(es []Entry) {
		<-release
		mu.Lock()
		defer mu.Unlock()
		for _, e := range es {
			got = append(got, e.Tag.(int))
			if !bytes.Equal(e.Bytes, value(e.Zxid, 300)) {
				t.Errorf("%v: bytes changed", e.Zxid)
			}
		}
	}, nil)
	taken := make(chan int, 100)
	go func() {
		for i := 1; i <= 20; i++ {
			if err := l.Append(Entry{Zxid: jute.Zxid(i), Bytes: value(jute.Zxid(i), 300), Tag: i}); err != nil {
				t.Error(err)
			}
			taken <- i
		}
		close(taken)
	}()
	for range 3 {
		<-taken
	}
	select {
	case i := <-taken:
		t.Fatalf("entry %d taken beyond the bound", i)
	case <-time.After(20 * time.Millisecond):
	}
	close(release)
	for range taken {
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if len(got) != 20 || got[0] != 1 || got[19] != 20 {
		t.Fatal(got)
	}
}

// I5: whatever part of the unsynced bytes a power cut takes, every acknowledged entry is there
// afterwards, and what is there has no gap.
func TestLogPowerCut(t *testing.T) {
	for _, percent := range []int{0, 50, 100} {
		for round := range 8 {
			fs := crashdisk.New()
			l, a := openTestLog(t, fs, LogOptions{})
			rng := rand.New(rand.NewPCG(uint64(percent), uint64(round)))
			n := jute.Zxid(200 + rng.IntN(3000))
			size := 1 + rng.IntN(3000)
			if round == 0 { // through several WAL files, recycled ones too
				n, size = 2500, 20_000
			}
			go func() {
				for z := jute.Zxid(1); z <= n; z++ {
					if l.Append(Entry{Zxid: z, Bytes: value(z, size)}) != nil {
						return
					}
				}
			}()
			if err := a.wait(n / 2); err != nil {
				t.Fatal(err)
			}
			acked := a.last()
			after := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
			l2, err := OpenLog(LogOptions{Dir: "log", FS: after})
			if err != nil {
				t.Fatalf("%d%% round %d: %v", percent, round, err)
			}
			last := jute.Zxid(l2.LastLogged())
			if last < acked {
				t.Fatalf("%d%% round %d: acknowledged %v, recovered %v", percent, round, acked, last)
			}
			readRange(t, l2, 1, last, size)
			for _, x := range []*Log{l2, l} {
				if err := x.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// A failed sync: onFail once, nothing acknowledged that is not durable, nothing accepted any more.
func TestLogFailedSync(t *testing.T) {
	for _, plain := range []bool{false, true} {
		mem := crashdisk.New()
		var fail errorfs.Toggle
		fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData {
				return fail.MaybeError(op)
			}
			return nil
		}))
		fail.Injector = errorfs.ErrInjected
		l, a := openTestLog(t, fs, LogOptions{PlainCommit: plain, QueueBytesMax: 1000}) // an owner waiting for room is woken
		appendRange(t, l, 1, 100, 100)
		if err := a.wait(100); err != nil {
			t.Fatal(err)
		}
		fail.On()
		for z := jute.Zxid(101); ; z++ {
			if err := l.Append(Entry{Zxid: z, Bytes: value(z, 100)}); err != nil {
				if !errors.Is(err, errorfs.ErrInjected) {
					t.Fatal(err)
				}
				break
			}
		}
		if err := a.wait(1 << 40); !errors.Is(err, errorfs.ErrInjected) {
			t.Fatal(err)
		}
		fail.Off() // the disk "recovers": nothing may be tried again
		if err := l.Close(); !errors.Is(err, errorfs.ErrInjected) {
			t.Fatal(err)
		}
		if a.last() != 100 || l.LastLogged() != 100 {
			t.Fatalf("acknowledged %v after the failure, log at %v", a.last(), l.LastLogged())
		}
	}
}

// NoSync acknowledges without syncing, and what a killed process wrote is still there.
func TestLogNoSync(t *testing.T) {
	fs := crashdisk.New()
	syncs := 0
	l, a := openTestLog(t, fs, LogOptions{NoSync: true, OnFsync: func(time.Duration) { syncs++ }})
	appendRange(t, l, 1, 100, 100)
	if err := a.wait(100); err != nil {
		t.Fatal(err)
	}
	killed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if syncs != 0 {
		t.Fatal("synced")
	}
	l, _ = openTestLog(t, killed, LogOptions{})
	defer l.Close()
	readRange(t, l, 1, 100, 100)
}

func TestLogEpochs(t *testing.T) {
	fs := crashdisk.New()
	l, _ := openTestLog(t, fs, LogOptions{})
	for e := int64(1); e <= 40; e++ {
		if err := l.SetAcceptedEpoch(e); err != nil {
			t.Fatal(err)
		}
		if err := l.SetCurrentEpoch(e - 1); err != nil {
			t.Fatal(err)
		}
	}
	after := fs.CrashClone(vfs.CrashCloneCfg{})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l, _ = openTestLog(t, after, LogOptions{})
	defer l.Close()
	if l.AcceptedEpoch() != 40 || l.CurrentEpoch() != 39 {
		t.Fatal(l.AcceptedEpoch(), l.CurrentEpoch())
	}
	tables, err := l.db.SSTables()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, level := range tables {
		n += len(level)
	}
	if n > metaTablesMax+2 {
		t.Fatalf("%d tables of meta values", n)
	}
}

func TestLogReportsSyncs(t *testing.T) {
	var mu sync.Mutex
	entries, size := 0, 0
	l, a := openTestLog(t, vfs.NewMem(), LogOptions{OnSync: func(took time.Duration, n, b int) {
		mu.Lock()
		defer mu.Unlock()
		if took < 0 {
			t.Error(took)
		}
		entries, size = entries+n, size+b
	}})
	appendRange(t, l, 1, 1000, 50)
	if err := a.wait(1000); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if entries != 1000 || size != 50_000 {
		t.Fatal(entries, size)
	}
}
