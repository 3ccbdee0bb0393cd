package metrics

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"
)

// Collector makes the families readable for client_golang, for a program that embeds the server and has
// a registry of its own. Names are ZooKeeper's, without prefix; the help text is the name.
func (m *Metrics) Collector() prometheus.Collector { return &collector{m: m} }

// collector is "unchecked" (it describes nothing), because which families exist changes with the role.
type collector struct{ m *Metrics }

func (c *collector) Describe(chan<- *prometheus.Desc) {}

func (c *collector) Collect(out chan<- prometheus.Metric) {
	c.m.Rotate(time.Now())
	for i := range c.m.families {
		collectFamily(&c.m.families[i], out)
	}
}

func collectFamily(f *family, out chan<- prometheus.Metric) {
	plain := prometheus.NewDesc(f.name, f.name, nil, nil)
	labelled := prometheus.NewDesc(f.name, f.name, []string{keyLabel}, nil)
	switch f.kind() {
	case kindGauge:
		if v, ok := f.gauge.value(); ok {
			out <- prometheus.MustNewConstMetric(plain, prometheus.GaugeValue, v)
		}
	case kindGaugeSet:
		f.gaugeSet.each(func(key string, v int64) {
			key = strings.ToValidUTF8(key, "?")
			out <- prometheus.MustNewConstMetric(labelled, prometheus.GaugeValue, float64(v), key)
		})
	case kindCounter:
		out <- prometheus.MustNewConstMetric(plain, prometheus.CounterValue, float64(f.counter.Value()))
	case kindCounterSet:
		f.counterSet.each(func(key string, c *Counter) {
			out <- prometheus.MustNewConstMetric(labelled, prometheus.CounterValue, float64(c.Value()), key)
		})
	case kindSummary:
		out <- constSummary(plain, f.summary)
	case kindSummarySet:
		f.summarySet.each(func(key string, s *Summary) { out <- constSummary(labelled, s, key) })
	}
}

func constSummary(desc *prometheus.Desc, s *Summary, labels ...string) prometheus.Metric {
	d := s.windowed()
	quantiles := make(map[float64]float64)
	for _, q := range s.quantiles() {
		quantiles[q] = d.quantile(q)
	}
	b := s.snapshot()
	return prometheus.MustNewConstSummary(desc, uint64(b.count), float64(b.sum), quantiles, labels...)
}

// Handler serves GET /metrics in the text format 0.0.4, and nothing else. "?name[]=x", also repeated,
// keeps only the samples of those names. With runtimeFigures (exportJvmInfo in zoo.cfg) the families of
// the Go runtime and of the process are there too, and jvm_memory_bytes_used and _max{area="heap"},
// which published alert rules divide.
//
// The format is fixed on purpose: OpenMetrics would rename the counters.
func (m *Metrics) Handler(runtimeFigures bool) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(m.Collector())
	if runtimeFigures {
		registry.MustRegister(collectors.NewGoCollector(),
			collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), heapCollector{})
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", &exporter{gatherer: registry})
	return mux
}

// exporter renders what its gatherer finds.
type exporter struct{ gatherer prometheus.Gatherer }

func (e *exporter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	found, err := e.gatherer.Gather()
	if err != nil && len(found) == 0 {
		http.Error(w, fmt.Sprintf("metrics: gathering: %v", err), http.StatusInternalServerError)
		return
	}
	var text bytes.Buffer
	for _, f := range found {
		if _, err := expfmt.MetricFamilyToText(&text, f); err != nil {
			http.Error(w, fmt.Sprintf("metrics: writing %s: %v", f.GetName(), err), http.StatusInternalServerError)
			return
		}
	}
	body := text.Bytes()
	if names := r.URL.Query()["name[]"]; len(names) > 0 {
		body = filterSamples(body, names)
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	// The scraper may be gone; there is nobody to tell.
	_, _ = w.Write(body)
}

// filterSamples keeps the samples with one of the names, and the head lines of families that keep any.
// A name is that of a sample (fsynctime_count), not of a family. Source: filter in
// io.prometheus.client.CollectorRegistry.
func filterSamples(text []byte, names []string) []byte {
	wanted := make(map[string]bool, len(names))
	for _, n := range names {
		wanted[n] = true
	}
	var kept, head []byte
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(line, []byte("# HELP ")) {
			head = head[:0]
		}
		if line[0] == '#' {
			head = append(head, line...)
			continue
		}
		if end := bytes.IndexAny(line, "{ "); end > 0 && wanted[string(line[:end])] {
			kept = append(append(kept, head...), line...)
			head = head[:0]
		}
	}
	return kept
}

// heapCollector gives the Go heap under the names of the Java machine's heap.
type heapCollector struct{}

func (heapCollector) Describe(chan<- *prometheus.Desc) {}

func (heapCollector) Collect(out chan<- prometheus.Metric) {
	samples := []runtimemetrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/total:bytes"},
	}
	runtimemetrics.Read(samples)
	used, total := samples[0].Value.Uint64(), samples[1].Value.Uint64()
	// Without a limit the quotient says how much of what the process holds is in use.
	limit := total
	if set := debug.SetMemoryLimit(-1); set != math.MaxInt64 {
		limit = uint64(set)
	}
	for _, g := range []struct {
		name  string
		bytes uint64
	}{{"jvm_memory_bytes_used", used}, {"jvm_memory_bytes_max", limit}} {
		desc := prometheus.NewDesc(g.name, g.name, []string{"area"}, nil)
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(g.bytes), "heap")
	}
}
