package persistence

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
)

// BenchmarkAppend is one writer that keeps so many entries of 1 KiB on the way, on the real disk of the
// temp folder. entries/sync tells how many one write carried.
func BenchmarkAppend(b *testing.B) {
	for _, inFlight := range []int{1, 16, 128, 1024} {
		for _, mode := range []string{"pipelined", "plain"} {
			b.Run(fmt.Sprintf("inflight=%d/%s", inFlight, mode), func(b *testing.B) {
				benchAppend(b, inFlight, LogOptions{PlainCommit: mode == "plain"})
			})
		}
	}
}

// BenchmarkAppendMemory is the same on a disk that takes no time: what the pipeline itself costs.
func BenchmarkAppendMemory(b *testing.B) {
	for _, inFlight := range []int{1, 16, 1024} {
		b.Run(fmt.Sprintf("inflight=%d", inFlight), func(b *testing.B) {
			benchAppend(b, inFlight, LogOptions{FS: vfs.NewMem()})
		})
	}
}

func benchAppend(b *testing.B, inFlight int, o LogOptions) {
	o.Dir = filepath.Join(b.TempDir(), "log")
	var writes, entries, fsyncs, fsyncTime atomic.Int64
	o.OnSync = func(_ time.Duration, n, _ int) { writes.Add(1); entries.Add(int64(n)) }
	o.OnFsync = func(d time.Duration) { fsyncs.Add(1); fsyncTime.Add(int64(d)) }
	l, err := OpenLog(o)
	if err != nil {
		b.Fatal(err)
	}
	tokens := make(chan struct{}, inFlight)
	l.Start(func(es []Entry) {
		for range es {
			<-tokens
		}
	}, func(err error) { panic(err) })
	bytes := value(1, 1024)
	z := jute.Zxid(0)
	b.ReportAllocs()
	for b.Loop() {
		tokens <- struct{}{}
		z++
		if err := l.Append(Entry{Zxid: z, Bytes: bytes}); err != nil {
			b.Fatal(err)
		}
	}
	for range inFlight {
		tokens <- struct{}{}
	}
	b.StopTimer()
	b.ReportMetric(float64(entries.Load())/float64(writes.Load()), "entries/write")
	b.ReportMetric(float64(entries.Load())/float64(fsyncs.Load()), "entries/fsync")
	b.ReportMetric(float64(fsyncTime.Load())/float64(fsyncs.Load()), "ns/fsync")
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkFdatasync is what the disk itself takes for one plain write and fdatasync.
func BenchmarkFdatasync(b *testing.B) {
	f, err := vfs.Default.Create(filepath.Join(b.TempDir(), "f"), vfs.WriteCategoryUnspecified)
	if err != nil {
		b.Fatal(err)
	}
	if err := f.Preallocate(0, 64<<20); err != nil {
		b.Fatal(err)
	}
	bytes := value(1, 1024)
	for b.Loop() {
		if _, err := f.Write(bytes); err != nil {
			b.Fatal(err)
		}
		if err := f.SyncData(); err != nil {
			b.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkStateCommit writes batches of 100 nodes of 200 bytes.
func BenchmarkStateCommit(b *testing.B) {
	s, err := OpenState(StateOptions{Dir: filepath.Join(b.TempDir(), "state")})
	if err != nil {
		b.Fatal(err)
	}
	rec := value(1, 200)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		batch := s.NewBatch(0)
		for range 100 {
			n++
			batch.SetNode(fmt.Sprintf("/bench/node-%09d", n), rec)
		}
		if err := batch.Commit(Applied(n)); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
