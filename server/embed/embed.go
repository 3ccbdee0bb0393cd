// Package embed puts a server together: settings, stores, tree, pipeline, listeners, metrics. It is the
// only package that knows all the others; the command and the tests use it alike.
//
// It has no rules of its own but the order in which things start and stop:
//
//	start: files of Java alone are imported -> open stores -> tables and /zookeeper -> redo of the log -> log, state writer, purger
//	       -> listeners -> warm the rest of the tree in the background
//	stop:  listeners and connections -> what was proposed is logged and applied -> state flushed -> stores
//
// A failed sync or write of a store ends the server: Wait returns the error, nothing is retried. A disk that
// fills up does not get there: below the low-water mark writes are refused (space.go).
package embed

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"zk/conf"
	"zk/jute"
	"zk/persistence"
	"zk/persistence/nodestore"
	"zk/quorum"
	"zk/quorum/verifier"
	"zk/server"
	"zk/server/audit"
	"zk/server/auth"
	"zk/server/metrics"
	"zk/server/tree"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Deps are what a server takes from outside. The zero value works.
type Deps struct {
	// Logger gets everything the server has to say; nil is silence.
	Logger *slog.Logger
	// FS is the file system of both stores; nil is the machine's.
	FS vfs.FS
	// Listen opens listeners; nil is net.Listen.
	Listen func(network, address string) (net.Listener, error)
	// Dial connects to other servers; nil is a net.Dialer's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// NodeLimits tune the write-behind; the zero value is the default.
	NodeLimits nodestore.Limits
	// DiskUsage tells how much room there is on the disk of a folder; nil asks FS.
	DiskUsage func(dir string) (persistence.DiskUsage, error)
	// LogOptions and StateOptions tune the stores.
	LogOptions   persistence.LogOptions
	StateOptions persistence.StateOptions
	// Cold leaves the warm-up out: after a start a node comes into memory when it is asked for. It is
	// meant for tests.
	Cold bool
}

// Node is a running server.
type Node struct {
	cfg      *conf.Config
	log      *slog.Logger
	deps     Deps
	met      *metrics.Metrics
	lock     server.TreeLock
	stores   *persistence.Recovered
	nodes    *nodestore.Store
	tree     *tree.Tree
	server   *server.Server
	tls      *tls.Config // nil when no client can connect with TLS
	purger   *persistence.Purger
	audit    *audit.Log // nil without one
	space    *persistence.Space
	squeeze  chan struct{} // holds one call of squeezeLog
	tooSmall treeTooLarge
	ctx      context.Context // ends at Close; immutable after Start
	cancel   context.CancelFunc
	work     sync.WaitGroup // warm-up, metrics endpoint, removal of a state that was replaced
	whole    whole
	failed   chan struct{} // closed with failure set
	once     sync.Once
	failure  error
	closed   sync.Once
	done     chan struct{} // closed when Close is through
	batch    []server.Proposal

	peer    *quorum.Peer     // nil standalone; immutable after Start
	members *verifier.Config // of the ensemble; likewise

	adminAddr    net.Addr     // of the AdminServer, nil without one; immutable after Start
	durableSince atomic.Int64 // when the last state became durable, in seconds of Unix time
	restoring    sync.Mutex   // held by a Restore, and at the end of Close; before whole.mu
}

// Start opens the data, recovers, and serves. When it returns without error clients are served. The
// errors an operator must act on have a method ExitCode.
func Start(ctx context.Context, cfg *conf.Config, deps Deps) (*Node, error) {
	n := &Node{cfg: cfg, log: deps.Logger, deps: deps, failed: make(chan struct{}), done: make(chan struct{}), squeeze: make(chan struct{}, 1)}
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	if n.deps.Listen == nil {
		n.deps.Listen = net.Listen
	}
	if n.deps.Dial == nil {
		n.deps.Dial = new(net.Dialer).DialContext
	}
	n.deps.NodeLimits = limitsOrDefault(n.deps.NodeLimits)
	n.whole.readers = &sync.WaitGroup{}
	starting := ctx
	ctx, n.cancel = context.WithCancel(context.WithoutCancel(ctx))
	n.ctx = ctx
	n.met = metrics.New(time.Now())
	n.durableSince.Store(time.Now().Unix())
	// The ports come first: a server that can't listen must not touch its data.
	ports, err := n.listen()
	if err == nil {
		err = n.importFirst(starting)
	}
	if err == nil {
		err = n.open(ctx, ports)
	}
	if err != nil {
		n.cancel()
		for _, p := range ports {
			_ = p.Close() // the first error counts
		}
		return nil, err
	}
	n.serveMetrics(ctx)
	return n, nil
}

func limitsOrDefault(l nodestore.Limits) nodestore.Limits {
	if l == (nodestore.Limits{}) {
		return nodestore.DefaultLimits()
	}
	return l
}

// open recovers the data and starts the pipeline on it.
func (n *Node) open(ctx context.Context, ports []server.Port) (err error) {
	adminPort, err := n.listenAdmin() // before the data is touched, too
	if err != nil {
		return err
	}
	defer func() {
		if err != nil && adminPort != nil {
			_ = adminPort.Listener.Close() // the first error counts
		}
		if err != nil {
			n.closeAudit()
		}
	}()
	if err := n.openAudit(); err != nil {
		return err
	}
	began := time.Now()
	n.openSpace()
	stores := n.storeOptions()
	stores.Ensemble, stores.Rejoin, stores.NoDBAutoCreate = n.cfg.Distributed(), n.cfg.Rejoin, !n.cfg.DBAutocreate
	if n.stores, err = persistence.Open(stores); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			n.forget(err)
			if n.nodes != nil {
				n.nodes.Abandon() // its writer must not meet a closed store
			}
			err = n.stores.Explain(errors.Join(err, n.stores.Close()))
		}
	}()
	if _, err = sealJava(n.stores, n.cfg, n.log); err != nil {
		return err
	}
	redone, fresh, err := n.recover(!n.cfg.Distributed())
	if err != nil {
		return err
	}
	took := time.Since(began)
	n.met.DBInitTime.ObserveDuration(took)
	secret, err := n.secret()
	if err != nil {
		return err
	}
	providers, err := auth.New(n.authOptions())
	if err != nil {
		return fmt.Errorf("embed: authentication: %w", err)
	}
	n.server, err = server.New(server.Options{
		Config: n.cfg, Logger: n.log, Metrics: n.met, Lock: &n.lock, Tree: n.tree, Store: n.nodes,
		Auth: providers, Audit: n.audit, TLS: n.tls, Secret: secret, Rand: randomBits, DirSizes: n.dirSizes, Quorum: n.quorumFigures, Fatal: n.fail,
	})
	if err != nil {
		return err
	}
	counts, sessions := n.tree.Counts(), n.tree.SessionCount() // a peer may change the tree as soon as it is there
	if n.cfg.Distributed() {
		if err := n.newPeer(); err != nil {
			return err
		}
	}
	n.purger = n.startPurger()
	n.stores.State.Start(n.durable, n.fail)
	n.stores.Log.Start(n.logged, n.fail)
	n.watchSpace(ctx)
	n.serve(ports)
	n.log.Info("recovered", "zxid", counts.LastZxid, "znodes", counts.Nodes, "sessions", sessions, "txns_redone", redone, "fresh", fresh, "ms", took.Milliseconds())
	n.auditOwn(audit.ServerStart, audit.Success)
	n.warm(ctx)
	if adminPort != nil {
		n.serveAdmin(ctx, *adminPort, providers)
	}
	return nil
}

func (n *Node) storeOptions() persistence.Options {
	o := persistence.Options{
		DataDir: n.cfg.DataDir, DataLogDir: n.cfg.DataLogDir, ServerID: n.cfg.ServerID, NoAutoCreate: !n.cfg.DatadirAutocreate,
		FS: n.deps.FS, Logger: n.log, Log: n.deps.LogOptions, State: n.deps.StateOptions,
	}
	o.Log.NoSync = !n.cfg.ForceSync
	o.Log.OnSync = func(took time.Duration, entries, bytes int) {
		n.space.Wrote(bytes)
		n.met.SyncProcessTime.ObserveDuration(took)
		n.met.SyncProcessorQueueFlushTime.ObserveDuration(took)
		n.met.SyncProcessorRequestQueued.Add(int64(entries))
		n.met.SyncProcessorBatchSize.Observe(int64(entries))
	}
	o.Log.OnFsync = func(took time.Duration) {
		n.met.FsyncTime.ObserveDuration(took)
		if limit := n.cfg.FsyncWarningThreshold; limit > 0 && took > limit {
			n.met.Server.FsyncThresholdExceeded.Inc()
			n.log.Warn("slow sync of the transaction log", "took", took, "threshold", limit)
		}
	}
	return o
}

// authOptions translates the settings.
func (n *Node) authOptions() auth.Options {
	c := n.cfg
	o := auth.Options{
		DigestDisabled: !c.DigestAuthEnabled, DigestAlg: c.DigestAlg, SuperDigest: c.SuperDigest, SkipACL: c.SkipACL,
		EnforceAuth: c.EnforceAuthEnabled, EnforcedSchemes: c.EnforceAuthSchemes, ACLBytesMax: c.JuteMaxBuffer,
		LetAnySASLUser: c.SASL.AnyUser, SASLSuperUsers: c.SASL.SuperUsers,
	}
	x509 := c.ServesTLS() // as in Java, without a line for it
	for _, scheme := range c.AuthProviders {
		switch scheme {
		case auth.SchemeEnsemble:
			o.Extra = append(o.Extra, auth.NewEnsemble(c.EnsembleAuthName, n.ensembleChecked))
		case auth.SchemeSASL:
			o.SASL = true
		case auth.SchemeX509:
			x509 = true
		}
	}
	if x509 {
		o.Extra = append(o.Extra, auth.NewX509(c.X509SuperUser))
	}
	return o
}

func (n *Node) ensembleChecked(o auth.EnsembleOutcome) {
	switch o {
	case auth.EnsembleMatched:
		n.met.EnsembleAuthSuccess.Inc()
	case auth.EnsembleRefused:
		n.met.EnsembleAuthFail.Inc()
	default:
		n.met.EnsembleAuthSkip.Inc()
	}
}

func randomBits() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process itself
	return binary.NativeEndian.Uint64(b[:])
}

// solo is the Replicator of a standalone server: what is durable is committed.
type solo struct{ log *persistence.Log }

// Propose implements server.Replicator.
func (r solo) Propose(p server.Proposal) error {
	return r.log.Append(persistence.Entry{Zxid: p.Zxid, Bytes: p.Bytes, Tag: p.Tag, Awaited: p.Awaited()})
}

// serve opens the ports. A server that stands alone serves clients at once, one of an ensemble when its peer
// has found the others.
func (n *Node) serve(ports []server.Port) {
	mode := "ensemble"
	if n.peer == nil {
		mode = "standalone"
		n.server.Begin(server.Term{Role: server.Standalone, Replicator: solo{n.stores.Log}, Zxid: jute.Zxid(n.stores.Log.LastLogged())})
	}
	n.server.Start(ports...)
	for _, p := range ports {
		n.log.Info("serving clients", "addr", p.Addr().String(), "tls", p.TLS.String(), "mode", mode, "data_dir", n.cfg.DataDir, "data_log_dir", n.cfg.DataLogDir)
	}
	if n.peer != nil {
		n.peer.Start()
	}
}

// logged is told of durable entries.
func (n *Node) logged(entries []persistence.Entry) {
	if n.peer != nil {
		n.peer.Durable(entries[len(entries)-1].Zxid)
		return
	}
	n.apply(entries)
}

// apply hands durable entries to the tree.
func (n *Node) apply(entries []persistence.Entry) {
	n.batch = n.batch[:0]
	for _, e := range entries {
		n.batch = append(n.batch, server.Proposal{Zxid: e.Zxid, Bytes: e.Bytes, Tag: e.Tag})
	}
	n.server.Apply(n.batch)
	clear(n.batch)
}

func (n *Node) startPurger() *persistence.Purger {
	if !n.cfg.Purge {
		return nil
	}
	return persistence.StartPurger(n.stores.Log, n.retention(), n.log)
}

func (n *Node) durable(mark persistence.Applied) {
	n.durableSince.Store(time.Now().Unix())
	if n.purger != nil {
		n.purger.Durable(mark)
	}
}

// warm brings the rest of the tree into memory while clients are served.
func (n *Node) warm(ctx context.Context) {
	if n.nodes.Warmed() || n.deps.Cold {
		return
	}
	n.work.Add(1)
	go func() { // ends when all is in memory, or at Close
		defer n.work.Done()
		began := time.Now()
		if err := n.nodes.Warm(ctx); err != nil {
			if ctx.Err() == nil {
				n.fail(err)
			}
			return
		}
		n.log.Info("tree is in memory", "bytes", n.memory(), "ms", time.Since(began).Milliseconds())
	}()
}

func (n *Node) memory() int64 {
	n.lock.RLock()
	defer n.lock.RUnlock()
	return n.nodes.MemoryBytes()
}

// serveMetrics opens the Prometheus endpoint if it is configured.
func (n *Node) serveMetrics(ctx context.Context) {
	m := n.cfg.Metrics
	if !m.Prometheus {
		return
	}
	address := net.JoinHostPort(m.HTTPHost, strconv.Itoa(m.HTTPPort))
	l, err := n.deps.Listen("tcp", address)
	if err != nil {
		n.log.Warn("metrics are not served", "addr", address, "err", err)
		return
	}
	n.log.Info("serving metrics", "url", "http://"+l.Addr().String()+"/metrics")
	n.work.Add(1)
	go func() { // ends at Close
		defer n.work.Done()
		if err := n.met.Serve(ctx, l, m.ExportJvmInfo); err != nil {
			n.log.Warn("metrics endpoint stopped", "err", err)
		}
	}()
}

// fail records the failure that ends the server. The first one counts.
func (n *Node) fail(err error) {
	n.once.Do(func() {
		n.failure = err
		n.log.Error("server failed", "err", err)
		n.forget(err)
		close(n.failed)
	})
}

// Addr is the address of clientPort; nil when there is none.
func (n *Node) Addr() net.Addr { return n.server.Addr(false) }

// SecureAddr is the address of secureClientPort; nil when there is none.
func (n *Node) SecureAddr() net.Addr { return n.server.Addr(true) }

// AdminAddr is the address of the AdminServer, nil without one.
func (n *Node) AdminAddr() net.Addr { return n.adminAddr }

// Metrics are the server's figures.
func (n *Node) Metrics() *metrics.Metrics { return n.met }

// Wait returns when the server has failed, with the reason, or was closed, with nil.
func (n *Node) Wait() error {
	select {
	case <-n.failed:
		return n.failure
	case <-n.done:
		return nil
	}
}

// Close stops serving, finishes what was proposed and closes the data. After a failure the data is left
// as it is. It does not give up before it is through: ctx is for a caller that wants to.
func (n *Node) Close(ctx context.Context) error {
	var err error
	finished := make(chan struct{})
	go func() { // ends with the last store
		defer close(finished)
		n.closed.Do(func() { err = n.close() })
	}()
	select {
	case <-finished:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// endWhole waits for a restore and for the readers of snapshots, which see that the server closes.
func (n *Node) endWhole() {
	n.restoring.Lock()
	defer n.restoring.Unlock()
	n.whole.mu.Lock()
	defer n.whole.mu.Unlock()
	n.whole.closed = true
	n.whole.readers.Wait()
}

func (n *Node) close() error {
	defer close(n.done)
	n.auditOwn(audit.ServerStop, audit.Invoked)
	defer n.closeAudit() // after the last transaction
	n.cancel()
	if n.peer != nil {
		n.peer.Close()
	}
	n.server.Close()
	n.space.Close()
	n.endWhole()
	n.work.Wait()
	select {
	case <-n.failed: // a store that failed is not touched again
		return nil
	default:
	}
	if n.purger != nil {
		n.purger.Close() // before the log
	}
	err := n.stores.Log.Close() // all that was proposed is applied when this returns
	err = errors.Join(err, n.nodes.Close())
	n.log.Info("closed", "zxid", n.server.LastProcessedZxid())
	return errors.Join(err, n.stores.Close())
}
