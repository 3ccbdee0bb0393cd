package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"math"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"zk/conf"
	"zk/jute"
	"zk/server/audit"
	"zk/server/auth"
	"zk/server/auth/digestmd5"
	"zk/server/figures"
	"zk/server/fourletter"
	"zk/server/metrics"
	"zk/server/prep"
	"zk/server/session"
	"zk/server/tree"
	"zk/server/watch"
)

// Proposal is a transaction on its way through a Replicator.
type Proposal struct {
	Zxid  jute.Zxid
	Bytes []byte // as jute.Proposal encodes it
	// Tag is given back with the commit; nil for a transaction of another server, or of an earlier term.
	Tag any
}

// Awaited tells that a client of this server waits for the proposal, and has nothing else on its way.
func (p *Proposal) Awaited() bool {
	r, _ := p.Tag.(*request)
	return r != nil && r.alone
}

// Store is what the server needs of the node store besides tree.Store: see persistence/nodestore.
type Store interface {
	Warmed() bool
	Ensure(path string) error
	EnsureChildren(path string) error
	EnsureTree(path string) error
	// Applied closes a run of transactions, under the tree's write lock.
	Applied(n int, zxid jute.Zxid, meta func([]byte) []byte)
	// Throttle waits while too much is not written yet.
	Throttle() error
}

// TreeLock is the lock over the tree, shared with the node store.
type TreeLock struct{ sync.RWMutex }

// YieldTreeLock lets readers in during the one long step of Tree.Apply; it is tree.Options.Yield.
func (l *TreeLock) YieldTreeLock() {
	l.Unlock()
	l.Lock()
}

// Options are what a Server is made of. All fields but TLS, Secret, Quorum and Audit are needed.
type Options struct {
	Config  *conf.Config
	Logger  *slog.Logger
	Metrics *metrics.Metrics
	Lock    *TreeLock
	Tree    *tree.Tree
	Store   Store
	Auth    *auth.Providers
	// TLS is for ports with TLS; nil when there are none.
	TLS *tls.Config
	// Secret is the key of session passwords; nil takes Java's public function.
	Secret []byte
	// Rand gives unpredictable 64 bits, for session ids.
	Rand func() uint64
	// DirSizes are the bytes on disk of the state and the log.
	DirSizes func() (dataBytes, logBytes int64)
	// Quorum tells of the ensemble, nil standalone; it may be nil itself.
	Quorum func() *figures.Quorum
	// Audit gets a line for every change; nil for none.
	Audit *audit.Log
	// Fatal is told of a failure after which the server must not go on. It must not block.
	Fatal func(error)
}

// Server is one server of the client protocol.
type Server struct {
	cfg     *conf.Config
	log     *slog.Logger
	met     *metrics.Metrics
	auth    *auth.Providers
	store   Store
	watches *watch.Table
	pool    buffers
	opt     Options
	start   time.Time // the zero of the monotonic clock

	lock *TreeLock
	tree *tree.Tree // guarded by lock

	// prepMu guards prep and the order in which proposals reach the replicator.
	prepMu sync.Mutex
	prep   *prep.Preparer

	term atomic.Pointer[term] // nil between terms; changed with mu held

	applied     atomic.Int64 // zxid of the last transaction in the tree
	floor       atomic.Int64 // zxids up to here were given out before the tree was loaded or replaced
	outstanding atomic.Int64 // requests in the pipeline
	limits      atomic.Int32 // a Limits: what is taken while a disk is short of space
	tracker     *session.Tracker
	ids         *session.IDGenerator
	passwords   session.Passwords
	saslUsers   *digestmd5.Users // nil without a SASL login
	whitelist   fourletter.Whitelist
	throttle    connThrottle
	requests    requestThrottle
	turns       turns
	shares      shares       // of long reads
	large       atomic.Int64 // bytes of large requests in flight
	handshakes  atomic.Int64 // TLS handshakes under way
	traceMask   atomic.Int64
	digests     digestLog
	applier     applier // owned by the goroutine that calls Apply

	mu      sync.Mutex
	conns   map[*conn]struct{} // guarded by mu
	perIP   map[string]int     // guarded by mu
	closed  bool               // guarded by mu
	serving atomic.Bool        // a term takes clients
	ports   []Port             // immutable after Start
	ctx     context.Context    // ends at Close
	cancel  context.CancelFunc
	work    sync.WaitGroup // accept loops, readers, long reads
}

// New makes a server over a recovered tree. It serves clients when a term has begun.
func New(o Options) (*Server, error) {
	s := &Server{
		cfg: o.Config, log: o.Logger, met: o.Metrics, auth: o.Auth, store: o.Store, lock: o.Lock, tree: o.Tree,
		opt: o, start: time.Now(), watches: watch.New(), conns: map[*conn]struct{}{}, perIP: map[string]int{},
		tracker:   session.NewTracker(o.Config.TickTime.Milliseconds()),
		passwords: session.JavaPasswords(), saslUsers: saslUsers(o.Config),
		whitelist: fourletter.ParseWhitelist(strings.Join(o.Config.FourLetterWhitelist, ","), o.Config.ReadonlyModeEnabled),
	}
	if o.Secret != nil {
		s.passwords = session.NewPasswords(o.Secret)
	}
	s.traceMask.Store(figures.DefaultTraceMask)
	// A standalone server numbers its sessions as server 1, as Java does.
	s.ids = session.NewIDGenerator(uint8(max(o.Config.ServerID, 1)), time.Now().UnixMilli(), o.Rand)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.applied.Store(int64(o.Tree.LastZxid()))
	s.prep = prep.New(lockedView{s.lock, s.tree}, o.Auth, sessionCheck{s.tracker}, prep.Options{
		ExtendedTypes: o.Config.ExtendedTypesEnabled, NoDigest: !o.Config.DigestEnabled,
		EnforceQuota: o.Config.EnforceQuota, ReconfigEnabled: o.Config.ReconfigEnabled,
		BareCloseSession: !o.Config.CloseSessionTxnEnabled, CloseSessionBytesMax: s.closeSessionBytesMax(),
		OnEphemeralRefused: s.ephemeralRefused,
		OnQuotaExceeded:    func(path string) { s.met.QuotaExceededErrorPerNamespace.Add(namespace(path), 1) },
	})
	s.shares = newShares()
	s.throttle.init(&o.Config.ConnectionThrottle, o.Rand)
	s.requests.init(s)
	s.applier.init(s)
	s.setGauges()
	return s, nil
}

// Start listens on the ports, whose listeners belong to the server from now on. Clients are served during
// terms, operators' words always.
func (s *Server) Start(ports ...Port) {
	s.ports = ports
	ctx := s.ctx
	s.work.Add(1 + len(ports))
	go func() { // ends at Close
		defer s.work.Done()
		s.watchEnds(ctx)
	}()
	for _, l := range ports {
		go func() { // ends when Close closes the listener
			defer s.work.Done()
			s.accept(ctx, l)
		}()
	}
}

// Close stops serving: no more connections, no more requests. What was proposed before may still be
// applied afterwards.
func (s *Server) Close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	conns := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	s.cancel()
	for _, l := range s.ports {
		_ = l.Close() // only tells the accept loop
	}
	for _, c := range conns {
		c.shutdown()
	}
	s.End()
	s.work.Wait()
	s.shares.close()
}

// LastProcessedZxid is the zxid of the last transaction in the tree.
func (s *Server) LastProcessedZxid() jute.Zxid { return jute.Zxid(s.applied.Load()) }

// Addr is the address of the first port for clients with or without TLS; nil when there is none.
func (s *Server) Addr(secure bool) net.Addr {
	for _, p := range s.ports {
		if secure == (p.TLS == TLSAlways) {
			return p.Addr()
		}
	}
	return nil
}

// nowMillis is the server's monotonic clock in milliseconds.
func (s *Server) nowMillis() int64 { return time.Since(s.start).Milliseconds() }

// fail reports a failure of the disk or the replicator.
func (s *Server) fail(err error) {
	s.met.UnrecoverableErrorCount.Inc()
	s.opt.Fatal(err)
}

var _ tree.View = lockedView{}

// lockedView is the tree as prep sees it.
type lockedView struct {
	lock *TreeLock
	tree *tree.Tree
}

func (v lockedView) Lookup(path string, info *tree.NodeInfo) bool {
	v.lock.RLock()
	defer v.lock.RUnlock()
	return v.tree.Lookup(path, info)
}

func (v lockedView) QuotaOf(path string) (tree.Quota, bool) {
	v.lock.RLock()
	defer v.lock.RUnlock()
	return v.tree.QuotaOf(path)
}

// Ephemerals lets writes through now and then. What they change of the session's ephemerals prep has
// prepared and knows of.
func (v lockedView) Ephemerals(id jute.SessionID, dst []string) []string {
	v.lock.RLock()
	defer v.lock.RUnlock()
	eachEphemeral(v.lock, v.tree, id, func(path string) { dst = append(dst, path) }, runtime.Gosched)
	return dst
}

func (v lockedView) EphemeralBytes(id jute.SessionID) int {
	v.lock.RLock()
	defer v.lock.RUnlock()
	return v.tree.EphemeralBytes(id)
}

func (v lockedView) TreeDigest() int64 {
	v.lock.RLock()
	defer v.lock.RUnlock()
	return v.tree.TreeDigest()
}

func (v lockedView) LastZxid() jute.Zxid {
	v.lock.RLock()
	defer v.lock.RUnlock()
	return v.tree.LastZxid()
}

// sessionCheck answers prep's questions about sessions.
type sessionCheck struct{ tracker *session.Tracker }

func (c sessionCheck) CheckSession(id jute.SessionID, owner any) jute.Code {
	ses := c.tracker.Get(id)
	switch {
	case ses == nil || ses.IsClosing():
		return jute.CodeSessionExpired
	case owner != nil && !ses.CheckOwner(owner):
		return jute.CodeSessionMoved
	}
	return jute.CodeOk
}

func (c sessionCheck) SetClosing(id jute.SessionID) {
	if ses := c.tracker.Get(id); ses != nil {
		ses.SetClosing()
	}
}

// errStopping answers proposals when the term is over, or the server closes.
var errStopping = errors.New("server: not serving")

// errExhausted answers proposals when the leader's epoch has no zxid left.
var errExhausted = errors.New("server: the zxids of the epoch are used up")

// errPrep ends the server after a panic in prep, whose stack is in the log.
var errPrep = errors.New("server: preparing a write failed, no further one can be ordered")

// errMoved answers a write whose session belongs to another connection by now.
var errMoved = errors.New("server: session moved")

// clampTimeout is the session timeout granted, in milliseconds.
func (s *Server) clampTimeout(asked int32) int32 {
	low := min(s.cfg.MinSessionTimeout.Milliseconds(), math.MaxInt32)
	high := min(s.cfg.MaxSessionTimeout.Milliseconds(), math.MaxInt32)
	return int32(min(max(int64(asked), low), high))
}
