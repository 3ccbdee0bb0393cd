// Package metrics holds every figure that the server counts about itself, under the names of Apache
// ZooKeeper 3.9.5, and prints them in the two forms that monitoring knows: the Prometheus text of
// /metrics and the lines of the four-letter word mntr.
//
// It does not decide when something is counted: the server, the log and the quorum call Add, Observe
// and Set on the fields of one Metrics that is handed to them. There is no process-wide registry, so
// several servers can live in one process.
//
//	hot path -> Counter.Add, Summary.Observe        atomics only, no lock, no clock, no allocation
//	readers  -> Gauge functions, called when somebody asks
//	asking   -> AppendMntr (mntr, AdminServer)  |  Handler (Prometheus)
//
// The struct Metrics is the table of all families: its field tags give the exact name and the
// quantiles, its field types the kind. A family that has no stage in this server (Java's commit
// processor, its Netty buffers) is there all the same and stays empty: dashboards ask for it.
//
// Times are whole milliseconds, sizes are bytes, as in Java. A summary answers in two views: count,
// sum, smallest and largest since the start (or the last Reset), and quantiles. Prometheus reads the
// quantiles of the last ten minutes, in five parts of two minutes; mntr those since the start. Somebody
// must call Rotate about once a minute for the first; every read does it too.
//
// Memory is bounded: a summary grows by chunks of 32 counters only where values fall, to 60 KiB at the
// very most and commonly 4; a keyed family keeps setKeysMax keys and folds all others into one.
//
// Rules and names: org.apache.zookeeper.server.ServerMetrics, metrics.impl.DefaultMetricsProvider,
// metrics.prometheus.PrometheusMetricsProvider and server.metric.*, as described in the metrics
// reference and compared with the output of a running 3.9.5 server (testdata).
package metrics
