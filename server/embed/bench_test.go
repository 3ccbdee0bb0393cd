package embed_test

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
)

// processCPU is the processor time of this process.
func processCPU(b *testing.B) time.Duration {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		b.Fatal(err)
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

// BenchmarkPipeline is the whole way of a request, 16 connections over loopback with 64 requests in flight
// each, on a disk in memory and on the temporary folder's. The clients send bytes made before and don't
// look into the replies, but their part of the system calls is in the figures: cpu-ns/op is the
// processor time of all, the collector's and the write-behind's too. A ping is what socket, decoding and
// reply take; the others have theirs on top.
func BenchmarkPipeline(b *testing.B) {
	kilobyte := strings.Repeat("x", 1024)
	for _, load := range []struct {
		name string
		op   jute.OpCode
		body func(conn, i int) []byte
	}{
		{"ping", jute.OpPing, func(int, int) []byte { return nil }},
		{"get1k", jute.OpGetData, func(conn, i int) []byte { return read(fmt.Sprintf("/bench/%d-%d", conn, i%64), false) }},
		{"set1k", jute.OpSetData, func(conn, i int) []byte { return setData(fmt.Sprintf("/bench/%d-%d", conn, i%64), kilobyte, -1) }},
		{"create100", jute.OpCreate, func(int, int) []byte { return create("/bench/s-", kilobyte[:100], jute.FlagSequential) }},
	} {
		for _, disk := range []string{"memory", "disk"} {
			b.Run(load.name+"/"+disk, func(b *testing.B) {
				fs, dir := vfs.Default, filepath.Join(b.TempDir(), "data")
				if disk == "memory" {
					fs = vfs.NewMem()
				}
				r := newRig(b, fs, "dataDir="+dir)
				r.open()
				benchPipeline(b, r, load.op, load.body)
				r.close()
			})
		}
	}
}

func benchPipeline(b *testing.B, r *rig, op jute.OpCode, body func(conn, i int) []byte) {
	const conns, inFlight = 16, 64
	first := r.connect()
	first.ok(jute.OpCreate, create("/bench", "", 0))
	type bencher struct {
		c      *client
		chunk  []byte // inFlight requests
		answer int    // bytes of their replies
	}
	all := make([]*bencher, conns)
	for k := range all {
		w := &bencher{c: r.connect()}
		all[k] = w
		for i := range inFlight {
			w.c.ok(jute.OpCreate, create(fmt.Sprintf("/bench/%d-%d", k, i), strings.Repeat("x", 1024), 0))
		}
		for i := range inFlight {
			w.chunk = append(w.chunk, w.c.request(op, body(k, i))...)
		}
		_, _ = w.c.nc.Write(w.chunk) // an error shows at the read
		for range inFlight {
			reply, err := w.c.frame()
			if err != nil {
				b.Fatal(err)
			}
			w.answer += 4 + len(reply)
		}
	}
	rounds := (b.N + conns*inFlight - 1) / (conns * inFlight)
	b.ResetTimer()
	before := processCPU(b)
	together(conns, func(k int) {
		w := all[k]
		buf := bytes.NewBuffer(make([]byte, 0, w.answer+bytes.MinRead))
		for range rounds {
			_, _ = w.c.nc.Write(w.chunk)
			buf.Reset()
			if _, err := io.CopyN(buf, w.c.nc, int64(w.answer)); err != nil {
				b.Error(err)
				return
			}
		}
	})
	ops := float64(rounds * conns * inFlight)
	b.ReportMetric(float64(processCPU(b)-before)/ops, "cpu-ns/op")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/ops, "wall-ns/op")
}
