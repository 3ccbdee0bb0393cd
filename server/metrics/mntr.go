package metrics

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"zk/server/metrics/javatext"
)

// Form says how mntr prints the families: it follows the configured metrics provider.
type Form uint8

const (
	// FormDefault is the one of DefaultMetricsProvider: zk_<name> for gauges and counters, zk_avg_ min_
	// max_ cnt_ sum_ (and p50_ p95_ p99_ p999_) + name for summaries, whole numbers where they are.
	FormDefault Form = iota
	// FormPrometheus is the one of PrometheusMetricsProvider: each sample of the Prometheus text, with
	// its labels, all numbers as floats.
	FormPrometheus
)

// AppendMntr appends the lines "zk_<key>\t<value>\n" of all families that are set: gauges, gauge sets,
// counters, counter sets, summaries, summary sets, each in the order of the table. The two first lines
// of mntr (version and server_state) are not among them. now is a clock that does not run backwards.
func (m *Metrics) AppendMntr(dst []byte, form Form, now time.Time) []byte {
	m.Rotate(now)
	w := mntrWriter{dst: dst}
	appendFamily := w.appendDefault
	if form == FormPrometheus {
		appendFamily = w.appendPrometheus
	}
	for k := kindGauge; k <= kindSummarySet; k++ {
		for i := range m.families {
			if f := &m.families[i]; f.kind() == k {
				appendFamily(f)
			}
		}
	}
	return w.dst
}

// familyKind orders families in the output of mntr.
type familyKind uint8

const (
	kindGauge familyKind = iota
	kindGaugeSet
	kindCounter
	kindCounterSet
	kindSummary
	kindSummarySet
)

func (f *family) kind() familyKind {
	switch {
	case f.gauge != nil:
		return kindGauge
	case f.gaugeSet != nil:
		return kindGaugeSet
	case f.counter != nil:
		return kindCounter
	case f.counterSet != nil:
		return kindCounterSet
	case f.summary != nil:
		return kindSummary
	}
	return kindSummarySet
}

// mntrWriter appends lines.
type mntrWriter struct{ dst []byte }

// key begins a line with prefix and, for a labelled family, "<key>_".
func (w *mntrWriter) key(prefix, key, name string) {
	w.dst = append(w.dst, "zk_"...)
	w.dst = append(w.dst, prefix...)
	if key != "" {
		w.dst = append(w.dst, key...)
		w.dst = append(w.dst, '_')
	}
	w.dst = append(w.dst, name...)
	w.dst = append(w.dst, '\t')
}

func (w *mntrWriter) integer(prefix, key, name string, v int64) {
	w.key(prefix, key, name)
	w.dst = append(strconv.AppendInt(w.dst, v, 10), '\n')
}

func (w *mntrWriter) float(prefix, key, name string, v float64) {
	w.key(prefix, key, name)
	w.dst = append(javatext.AppendDouble(w.dst, v), '\n')
}

func (w *mntrWriter) appendDefault(f *family) {
	switch f.kind() {
	case kindGauge:
		if fn := f.gauge.fn.Load(); fn != nil {
			if fn.integer != nil {
				w.integer("", "", f.name, fn.integer())
			} else {
				w.float("", "", f.name, fn.float())
			}
		}
	case kindGaugeSet:
		f.gaugeSet.each(func(key string, v int64) { w.integer("", key, f.name, v) })
	case kindCounter:
		w.integer("", "", f.name, f.counter.Value())
	case kindCounterSet:
		f.counterSet.each(func(key string, c *Counter) { w.integer("", key, f.name, c.Value()) })
	case kindSummary, kindSummarySet:
		f.eachSummary(func(key string, s *Summary) { w.summaryDefault(key, f.name, s) })
	}
}

func (w *mntrWriter) summaryDefault(key, name string, s *Summary) {
	b := s.snapshot()
	w.float("avg_", key, name, b.average())
	w.integer("min_", key, name, b.min)
	w.integer("max_", key, name, b.max)
	w.integer("cnt_", key, name, b.count)
	w.integer("sum_", key, name, b.sum)
	if !s.advanced {
		return
	}
	d := s.total()
	w.integer("p50_", key, name, d.percentile(0.5))
	w.integer("p95_", key, name, d.percentile(0.95))
	w.integer("p99_", key, name, d.percentile(0.99))
	w.integer("p999_", key, name, d.percentile(0.999))
}

// sample appends one line of the Prometheus form; labels alternate name and value. Values of labels
// are not escaped, as in Java.
func (w *mntrWriter) sample(name string, v float64, labels ...string) {
	w.dst = append(w.dst, "zk_"...)
	w.dst = append(w.dst, name...)
	for i := 0; i+1 < len(labels); i += 2 {
		separator := byte(',')
		if i == 0 {
			separator = '{'
		}
		w.dst = append(w.dst, separator)
		w.dst = append(w.dst, labels[i]...)
		w.dst = append(w.dst, `="`...)
		w.dst = append(w.dst, labels[i+1]...)
		w.dst = append(w.dst, '"')
	}
	if len(labels) > 0 {
		w.dst = append(w.dst, '}')
	}
	w.dst = append(w.dst, '\t')
	w.dst = append(javatext.AppendDouble(w.dst, v), '\n')
}

func (w *mntrWriter) appendPrometheus(f *family) {
	switch f.kind() {
	case kindGauge:
		if v, ok := f.gauge.value(); ok {
			w.sample(f.name, v)
		}
	case kindGaugeSet:
		f.gaugeSet.each(func(key string, v int64) { w.sample(f.name, float64(v), keyLabel, key) })
	case kindCounter:
		w.sample(f.name, float64(f.counter.Value()))
	case kindCounterSet:
		f.counterSet.each(func(key string, c *Counter) { w.sample(f.name, float64(c.Value()), keyLabel, key) })
	case kindSummary, kindSummarySet:
		f.eachSummary(func(key string, s *Summary) { w.summaryPrometheus(key, f.name, s) })
	}
}

func (w *mntrWriter) summaryPrometheus(key, name string, s *Summary) {
	labels := []string{keyLabel, key}
	if key == "" {
		labels = nil
	}
	b, d := s.snapshot(), s.windowed()
	for _, q := range s.quantiles() {
		text := strconv.FormatFloat(q, 'g', -1, 64)
		w.sample(name, d.quantile(q), append(slices.Clip(labels), "quantile", text)...)
	}
	w.sample(name+"_count", float64(b.count), labels...)
	w.sample(name+"_sum", float64(b.sum), labels...)
}

// keyLabel is the name of the only label that families of ZooKeeper have.
const keyLabel = "key"

// quantiles are those that Prometheus sees.
func (s *Summary) quantiles() []float64 {
	if s.advanced {
		return []float64{0.5, 0.9, 0.99}
	}
	return []float64{0.5}
}

// value is what the gauge's function says, as a float; false when it is not set.
func (g *Gauge) value() (float64, bool) {
	fn := g.fn.Load()
	switch {
	case fn == nil:
		return 0, false
	case fn.integer != nil:
		return float64(fn.integer()), true
	}
	return fn.float(), true
}

// each calls do for every entry of the set, in order of the keys and up to the bound.
func (g *GaugeSet) each(do func(key string, v int64)) {
	fn := g.fn.Load()
	if fn == nil {
		return
	}
	values := (*fn)()
	keys := slices.Sorted(maps.Keys(values))
	for _, key := range keys[:min(len(keys), setKeysMax)] {
		do(key, values[key])
	}
}
