package bench

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"zk/jute"
)

// Report is what a load has measured.
type Report struct {
	Load       string   `json:"load"`
	Servers    []string `json:"servers"`
	Sessions   int      `json:"sessions"`
	InFlight   int      `json:"in_flight"`
	ValueBytes int      `json:"value_bytes"`
	Rate       float64  `json:"rate_asked,omitempty"`
	// Ops are the replies that came in the measured time.
	Ops       uint64            `json:"ops"`
	OpsPerSec float64           `json:"ops_per_s"`
	Seconds   float64           `json:"seconds"`
	Errors    uint64            `json:"errors"`
	ByCode    map[string]uint64 `json:"errors_by_code,omitempty"`
	// Lost are connections that broke; the first reason beside it.
	Lost        uint64 `json:"connections_lost"`
	FirstReason string `json:"first_reason,omitempty"`
	// Reads and Writes are the latencies of what was sent, or due, in the measured time.
	Reads  *Latency `json:"reads,omitempty"`
	Writes *Latency `json:"writes,omitempty"`
	// AllTold is the time from a change until the last watcher knew.
	AllTold *Latency `json:"all_told,omitempty"`
	// ClientCPU is the processor time that the load generator took in the measured time.
	ClientCPU float64 `json:"client_cpu_s"`
	// ServerCPU and ServerRSS are those of the server processes whose ids were given, together.
	ServerCPU      float64 `json:"server_cpu_s,omitempty"`
	ServerCPUPerOp float64 `json:"server_cpu_us_per_op,omitempty"`
	ServerRSS      int64   `json:"server_rss_bytes,omitempty"`
}

// usage is what processes have used.
type usage struct {
	client, server time.Duration
	rss            int64
}

func (r *run) usage() usage {
	var u usage
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err == nil {
		u.client = time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
	}
	for _, pid := range r.spec.PIDs {
		cpu, rss := processUsage(pid)
		u.server += cpu
		u.rss += rss
	}
	return u
}

func (r *run) result(took time.Duration, before, after usage) *Report {
	s := r.spec
	rep := &Report{
		Load: s.Load, Servers: s.Servers, Sessions: s.Sessions, InFlight: max(s.InFlight, 1), ValueBytes: s.ValueBytes, Rate: s.Rate,
		Ops: r.ops.Load(), Seconds: took.Seconds(), Errors: r.errors.Load(), Lost: r.lost.Load(),
		Reads: r.reads.latency(), Writes: r.writes.latency(), AllTold: r.rounds.latency(),
		ClientCPU: (after.client - before.client).Seconds(),
		ServerCPU: (after.server - before.server).Seconds(), ServerRSS: after.rss,
	}
	rep.OpsPerSec = float64(rep.Ops) / rep.Seconds
	if rep.Ops > 0 {
		rep.ServerCPUPerOp = rep.ServerCPU * 1e6 / float64(rep.Ops)
	}
	if p := r.failure.Load(); p != nil {
		rep.FirstReason = (*p).Error()
	}
	r.failures.Range(func(code, n any) bool {
		if rep.ByCode == nil {
			rep.ByCode = map[string]uint64{}
		}
		rep.ByCode[code.(jute.Code).Error()] = n.(*atomic.Uint64).Load()
		return true
	})
	return rep
}

// Print writes the report for people; histogram adds the distributions.
func (r *Report) Print(w io.Writer, histogram bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d sessions", r.Load, r.Sessions)
	if r.Rate > 0 {
		fmt.Fprintf(&b, ", %.0f/s asked for", r.Rate)
	} else if r.Load != "connect" && r.Load != "watch" && r.Load != "sessions" {
		fmt.Fprintf(&b, ", %d in flight each", r.InFlight)
	}
	fmt.Fprintf(&b, ", values of %d bytes\n", r.ValueBytes)
	fmt.Fprintf(&b, "  %d in %.2f s: %.0f/s, %d errors, %d connections lost\n", r.Ops, r.Seconds, r.OpsPerSec, r.Errors, r.Lost)
	for code, n := range r.ByCode {
		fmt.Fprintf(&b, "  %d x %s\n", n, code)
	}
	if r.FirstReason != "" {
		fmt.Fprintf(&b, "  first lost connection: %s\n", r.FirstReason)
	}
	for _, l := range []struct {
		name string
		of   *Latency
	}{{"reads", r.Reads}, {"writes", r.Writes}, {"all told", r.AllTold}} {
		if l.of != nil {
			l.of.print(&b, l.name, histogram)
		}
	}
	fmt.Fprintf(&b, "  client CPU %.2f s", r.ClientCPU)
	if r.ServerCPU > 0 {
		fmt.Fprintf(&b, ", server CPU %.2f s (%.1f us each), server RSS %d MiB", r.ServerCPU, r.ServerCPUPerOp, r.ServerRSS>>20)
	}
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}

func (l *Latency) print(b *strings.Builder, name string, histogram bool) {
	fmt.Fprintf(b, "  %-8s %9d  mean %s  p50 %s  p90 %s  p99 %s  p99.9 %s  max %s\n", name, l.Count,
		span(l.Mean), span(l.P50), span(l.P90), span(l.P99), span(l.P999), span(l.Max))
	if !histogram {
		return
	}
	var most uint64
	for _, line := range l.Buckets {
		most = max(most, line.Count)
	}
	const width = 50
	for _, line := range l.Buckets {
		bar := strings.Repeat("#", int((line.Count*width+most-1)/most))
		fmt.Fprintf(b, "    <= %8s %10d %s\n", span(float64(line.UpToMicros)), line.Count, bar)
	}
}

func span(micros float64) string {
	switch {
	case micros < 1e3:
		return fmt.Sprintf("%.0f us", micros)
	case micros < 1e6:
		return fmt.Sprintf("%.2f ms", micros/1e3)
	}
	return fmt.Sprintf("%.2f s", micros/1e6)
}
