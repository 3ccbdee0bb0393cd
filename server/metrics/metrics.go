package metrics

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// family is one row of the table: exactly one of the pointers is set.
type family struct {
	name       string
	gauge      *Gauge
	gaugeSet   *GaugeSet
	counter    *Counter
	counterSet *CounterSet
	summary    *Summary
	summarySet *SummarySet
	advanced   bool
}

// New makes an empty set of metrics. The gauges that follow from Server and from the process are set,
// all others are the server's to set. now starts the first quantile window.
func New(now time.Time) *Metrics {
	m := &Metrics{start: now, rotatedAt: now}
	v := reflect.ValueOf(m).Elem()
	for i := range v.NumField() {
		tag, ok := v.Type().Field(i).Tag.Lookup("zk")
		if !ok {
			continue
		}
		m.families = append(m.families, m.makeFamily(tag, v.Field(i)))
	}
	m.setOwnGauges()
	return m
}

// makeFamily fills one tagged field.
func (m *Metrics) makeFamily(tag string, field reflect.Value) family {
	name, detail, _ := strings.Cut(tag, ",")
	f := family{name: name, advanced: detail == "p99"}
	newSummary := func() *Summary { return &Summary{clock: &m.clock, advanced: f.advanced} }
	switch target := field.Addr().Interface().(type) {
	case **Gauge:
		f.gauge = new(Gauge)
		*target = f.gauge
	case **GaugeSet:
		f.gaugeSet = new(GaugeSet)
		*target = f.gaugeSet
	case **Counter:
		f.counter = new(Counter)
		*target = f.counter
	case **CounterSet:
		f.counterSet = &CounterSet{keyed[Counter]{make: func() *Counter { return new(Counter) }}}
		*target = f.counterSet
	case **Summary:
		f.summary = newSummary()
		*target = f.summary
	case **SummarySet:
		f.summarySet = &SummarySet{keyed[Summary]{make: newSummary}}
		*target = f.summarySet
	default:
		panic(fmt.Sprintf("metrics: family %s has type %s", name, field.Type()))
	}
	return f
}

func (m *Metrics) setOwnGauges() {
	s := &m.Server
	m.AvgLatency.SetFloat(func() float64 { _, avg, _ := s.RequestLatency.Snapshot(); return avg })
	m.MinLatency.Set(func() int64 { least, _, _ := s.RequestLatency.Snapshot(); return least })
	m.MaxLatency.Set(func() int64 { _, _, most := s.RequestLatency.Snapshot(); return most })
	m.PacketsReceived.Set(s.PacketsReceived.Value)
	m.PacketsSent.Set(s.PacketsSent.Value)
	m.LastClientResponseSize.Set(s.ResponseSizes.Last)
	m.MinClientResponseSize.Set(s.ResponseSizes.Min)
	m.MaxClientResponseSize.Set(s.ResponseSizes.Max)
	m.AuthFailedCount.Set(s.AuthFailed.Value)
	zero := func() int64 { return 0 }
	m.NonMTLSLocalConnCount.Set(s.NonMTLSLocal.Value)
	m.NonMTLSRemoteConnCount.Set(s.NonMTLSRemote.Value)
	m.OutstandingTLSHandshake.Set(zero)
	m.LocalSessions.Set(zero)
	m.ConnectionDropProbability.SetFloat(func() float64 { return 0 })
	m.Uptime.Set(func() int64 { return Millis(time.Since(m.start)) })
	m.OpenFileDescriptorCount.Set(openFiles)
	m.MaxFileDescriptorCount.Set(openFilesMax)
}

// Reset sets counters and summaries back to empty; gauges and Server stay. That is srst with the
// Default provider; with the Prometheus provider srst does not reset metrics, so don't call it then.
// Source: DefaultMetricsProvider.resetAllValues.
func (m *Metrics) Reset() {
	m.rotateMu.Lock()
	defer m.rotateMu.Unlock()
	for i := range m.families {
		f := &m.families[i]
		if f.counter != nil {
			f.counter.reset()
		}
		if f.counterSet != nil {
			f.counterSet.each(func(_ string, c *Counter) { c.reset() })
		}
		f.eachSummary(func(_ string, s *Summary) { s.reset() })
	}
}

// Rotate drops what is older than the quantile window. It is cheap when nothing is due; call it about
// once a minute, with a clock that does not run backwards.
func (m *Metrics) Rotate(now time.Time) {
	const step = quantileWindow / windowParts
	m.rotateMu.Lock()
	defer m.rotateMu.Unlock()
	steps := int64(now.Sub(m.rotatedAt) / step)
	if steps <= 0 {
		return
	}
	m.rotatedAt = m.rotatedAt.Add(time.Duration(steps) * step)
	for range min(steps, windowParts) {
		// The oldest part is emptied before it becomes the one that is filled.
		next := (m.clock.current.Load() + 1) % windowParts
		for i := range m.families {
			m.families[i].eachSummary(func(_ string, s *Summary) { s.retire(next) })
		}
		m.clock.current.Store(next)
	}
}

// eachSummary calls f for the family's summary, with key "", or for those of its set.
func (f *family) eachSummary(do func(key string, s *Summary)) {
	if f.summary != nil {
		do("", f.summary)
	}
	if f.summarySet != nil {
		f.summarySet.each(do)
	}
}
