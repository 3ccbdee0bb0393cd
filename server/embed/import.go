package embed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/conf"
	"zk/jute"
	"zk/persistence"
	"zk/persistence/javafile"
	"zk/persistence/nodestore"
	"zk/quorum/verifier"
	"zk/server/tree"
)

// ImportOptions say what is imported.
type ImportOptions struct {
	// From and FromLog are dataDir and dataLogDir of the server of Java; empty ones are those of the
	// configuration, FromLog with a From is that.
	From, FromLog string
	// Copy leaves Java's files as they are. They must be a copy that no server starts on.
	Copy bool
}

// ImportReport says what came of an import.
type ImportReport struct {
	Snapshot      string   // the file; "" for none
	Skipped       []string // newer snapshots that can't be loaded, with the reason
	SnapshotZxid  jute.Zxid
	LastZxid      jute.Zxid
	Znodes        int64
	Sessions      int
	Txns          int // of the logs, after the snapshot
	Tail          int // those of them that are not in the tree yet, in an ensemble
	AcceptedEpoch int64
	CurrentEpoch  int64
	// DigestChecks is how often the tree was compared with a digest of Java's, DigestMismatches how often it
	// differed, which Java logs and tolerates, too.
	DigestChecks, DigestMismatches int
	Notes                          []string // what was repaired, and what looks wrong
	Kept                           []string // Java's folders as they are named now
	Took                           time.Duration
}

// What stays out of the tree in an ensemble: Java's globalOutstandingLimit, and less of large transactions.
const (
	tailTxnsMax  = 1000
	tailBytesMax = 64 << 20
)

// snapshotTries is how many snapshots Java tries (FileSnap.deserialize).
const snapshotTries = 100

// progressEvery is the time between two lines of progress.
const progressEvery = 5 * time.Second

// Import makes the stores of a configuration out of the files of a server of Java that does not run: the newest
// snapshot that loads, and all transactions of the logs after it, as that server itself would start. The transactions
// stay in the log, so that learners that are a little behind can be brought up to date.
//
// Nothing is changed before everything is there and durable (persistence.Build); then Java's files are put out of
// use (persistence.SealJava). What a crash interrupts begins anew, or is finished at the next start.
//
// In an ensemble the end of the log may hold what was never committed. So its last transactions, as many as a leader
// of Java has under way at most, stay out of the tree until a leader says which of them count (I4).
func Import(ctx context.Context, cfg *conf.Config, deps Deps, o ImportOptions) (ImportReport, error) {
	m := newImporter(ctx, cfg, deps, o)
	if err := m.build(); err != nil {
		return m.report, err
	}
	stores, err := persistence.Open(m.stores)
	if err == nil {
		m.report.Kept, err = sealJava(stores, cfg, m.log)
		err = errors.Join(err, stores.Close())
	}
	return m.report, err
}

// importFirst imports at the first start of a server whose folders hold files of Java and nothing else.
func (n *Node) importFirst(ctx context.Context) error {
	found, err := persistence.Look(n.storeOptions())
	if err != nil || !found.Java || found.Ours {
		return err
	}
	m := newImporter(ctx, n.cfg, n.deps, ImportOptions{})
	return m.build()
}

// importer is one import.
type importer struct {
	ctx    context.Context
	cfg    *conf.Config
	log    *slog.Logger
	limits nodestore.Limits
	fs     vfs.FS
	o      ImportOptions
	stores persistence.Options
	read   javafile.ReadOptions
	report ImportReport
	told   time.Time // when progress was logged last

	folder *javafile.Folder
	b      *persistence.Building
	lock   sync.RWMutex // nobody else's: the store wants one
	state  *persistence.State
	nodes  *nodestore.Store
	tree   *tree.Tree
	// settled says that the tree is exactly that of its last zxid. A snapshot that was taken while clients wrote
	// shows some nodes as they were later, up to digest.Zxid; where it doesn't say so, up to the first digest that
	// is right.
	settled  bool
	digest   jute.SnapshotDigest
	gathered int
	result   tree.Result

	last      jute.Zxid // of the log, or the snapshot's
	tail      [][]byte  // transactions that are not in the tree, oldest first
	tailBytes int
}

func newImporter(ctx context.Context, cfg *conf.Config, deps Deps, o ImportOptions) *importer {
	if o.From == "" {
		o.From, o.FromLog = cfg.DataDir, cfg.DataLogDir
	}
	if o.FromLog == "" {
		o.FromLog = o.From
	}
	m := &importer{ctx: ctx, cfg: cfg, log: deps.Logger, limits: limitsOrDefault(deps.NodeLimits), fs: deps.FS, o: o}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	if m.fs == nil {
		m.fs = vfs.Default
	}
	m.read.BytesMax = cfg.JuteMaxBuffer + cfg.JuteMaxBufferExtraSize
	m.stores = persistence.Options{
		DataDir: cfg.DataDir, DataLogDir: cfg.DataLogDir, ServerID: cfg.ServerID, NoAutoCreate: !cfg.DatadirAutocreate,
		FS: m.fs, Logger: m.log, Log: deps.LogOptions, State: deps.StateOptions,
	}
	return m
}

// refuse makes an operator's message.
func (m *importer) refuse(err error, remedy, format string, args ...any) error {
	return &persistence.StartError{Reason: "import: " + fmt.Sprintf(format, args...), DataDir: m.o.From, DataLogDir: m.o.FromLog, Remedy: remedy, Err: err}
}

// build makes the stores.
func (m *importer) build() (err error) {
	began := time.Now()
	if m.folder, err = javafile.OpenFolder(m.fs, m.o.From, m.o.FromLog); err != nil {
		return m.refuse(err, "", "the folders can't be used")
	}
	if m.folder.Empty() {
		return m.refuse(nil, "", "there is neither a snapshot nor a transaction log of Java ZooKeeper in %s and %s", m.folder.SnapDir, m.folder.LogDir)
	}
	if err := m.myID(); err != nil {
		return err
	}
	if m.o.Copy && m.o.From == m.cfg.DataDir {
		return m.refuse(nil, "", "a copy of Java's files can't be this server's own dataDir")
	}
	m.log.Info("importing files of Java ZooKeeper", "snapshots", m.folder.SnapDir, "logs", m.folder.LogDir)
	m.told = began
	if err := persistence.Build(m.stores, m.fill); err != nil {
		return err
	}
	m.report.Took = time.Since(began)
	r := &m.report
	for _, s := range r.Skipped {
		m.log.Warn("a snapshot of Java can't be loaded, an older one was", "err", s)
	}
	for _, note := range r.Notes {
		m.log.Warn("import", "text", note)
	}
	m.log.Info("imported", "snapshot", r.Snapshot, "snapshot_zxid", r.SnapshotZxid, "txns", r.Txns, "txns_not_in_tree", r.Tail, "zxid", r.LastZxid, "znodes", r.Znodes,
		"sessions", r.Sessions, "accepted_epoch", r.AcceptedEpoch, "current_epoch", r.CurrentEpoch, "digests_compared", r.DigestChecks,
		"digest_mismatches", r.DigestMismatches, "ms", r.Took.Milliseconds())
	return nil
}

// myID takes the server's id along when the files are in another folder.
func (m *importer) myID() error {
	if m.o.From == m.cfg.DataDir {
		return nil
	}
	id, ok, err := javafile.ReadMyID(m.fs, m.o.From)
	if err != nil {
		return err
	}
	if ok && m.cfg.ServerID != 0 && id != m.cfg.ServerID {
		return m.refuse(nil, "import the folder of this server", "the files are of server %d, this is server %d", id, m.cfg.ServerID)
	}
	if ok && m.cfg.ServerID == 0 && id != 0 {
		m.stores.ServerID = id
		if err := m.fs.MkdirAll(m.cfg.DataDir, 0o755); err != nil {
			return err
		}
		return javafile.WriteNumber(m.fs, m.cfg.DataDir, javafile.MyIDFile, id)
	}
	return nil
}

// fill does the work between the making and the naming of the stores.
func (m *importer) fill(b *persistence.Building) (o persistence.Origin, err error) {
	m.b = b
	if err := m.ctx.Err(); err != nil {
		return o, err
	}
	before, err := m.folder.Stamp()
	if err != nil {
		return o, err
	}
	defer func() {
		if m.nodes != nil {
			m.nodes.Drop()
		}
	}()
	if err := m.load(); err != nil {
		return o, err
	}
	m.last = m.tree.LastZxid()
	if err := b.Begin(m.last); err != nil {
		return o, err
	}
	if err := m.folder.Entries(m.last, m.read, m.entry); err != nil {
		return o, m.explain(err)
	}
	m.settle()
	m.report.LastZxid, m.report.Znodes, m.report.Sessions, m.report.Tail = m.last, m.tree.Counts().Nodes, m.tree.SessionCount(), len(m.tail)
	if err := m.close(); err != nil {
		return o, err
	}
	epochs, err := m.folder.Epochs(m.last)
	if err != nil {
		return o, m.refuse(err, "", "the epochs can't be taken over")
	}
	m.report.AcceptedEpoch, m.report.CurrentEpoch = epochs.Accepted, epochs.Current
	m.report.Notes = append(append(m.report.Notes, epochs.Notes...), m.members()...)
	after, err := m.folder.Stamp()
	if err != nil {
		return o, err
	}
	if before != after {
		return o, m.refuse(nil, "stop it first", "files in %s or %s have changed meanwhile: a server of Java is running on them", m.folder.SnapDir, m.folder.LogDir)
	}
	o = persistence.Origin{Last: m.last, AcceptedEpoch: epochs.Accepted, CurrentEpoch: epochs.Current}
	if !m.o.Copy {
		o.Seal = []string{m.o.From}
		if m.o.FromLog != m.o.From {
			o.Seal = append(o.Seal, m.o.FromLog)
		}
	}
	return o, nil
}

// members holds the list of servers of zoo.cfg, or of the dynamic file it names, against the one in the tree.
func (m *importer) members() []string {
	r := m.tree.Find(tree.ConfigPath)
	if r == tree.NoRef || !m.cfg.Distributed() {
		return nil
	}
	list, err := verifier.Parse(string(m.tree.Data(r)))
	if err != nil || list.Version() < m.cfg.Members.Version() || list.SameServers(m.cfg.Members) {
		return nil // none was written yet, or an older one
	}
	return []string{fmt.Sprintf("the list of servers in %s (version %x) is not the one in %s (version %x): is it the right file?",
		m.cfg.Path, m.cfg.Members.Version(), tree.ConfigPath, list.Version())}
}

// explain says what to do about an error in the logs.
func (m *importer) explain(err error) error {
	var corrupt *persistence.CorruptionError
	if !errors.As(err, &corrupt) {
		return err
	}
	return m.refuse(err, "Java does not start on these files either; take those of another server of the ensemble, or start this one with empty folders, so that its leader sends it everything",
		"the transaction logs are damaged")
}

// load takes the newest snapshot that loads.
func (m *importer) load() error {
	tried := 0
	for _, s := range m.folder.Snapshots {
		ok, err := m.folder.LooksWhole(s)
		if err != nil {
			return err
		}
		if !ok {
			m.report.Skipped = append(m.report.Skipped, s.Path+" is not whole")
			continue
		}
		if tried++; tried > snapshotTries {
			break
		}
		err = m.loadFrom(s)
		var bad *badSnapshot
		if !errors.As(err, &bad) {
			return err
		}
		m.report.Skipped = append(m.report.Skipped, bad.Error())
	}
	if tried > 0 {
		return m.refuse(nil, "Java does not start on these files either; take those of another server",
			"none of the snapshots in %s can be loaded: %s", m.folder.SnapDir, strings.Join(m.report.Skipped, "; "))
	}
	if last, at, err := m.folder.Last(m.read); err != nil {
		return m.explain(err)
	} else if last != 0 && !m.cfg.SnapshotTrustEmpty {
		return m.refuse(nil, "if the logs go back to the very first transaction set zookeeper.snapshot.trust.empty=true, as for Java",
			"there is no snapshot, but there are transactions in %s", at)
	}
	if err := m.open(); err != nil {
		return err
	}
	m.tree.Init()
	m.settled = true
	return nil
}

// badSnapshot is why a snapshot is passed over.
type badSnapshot struct {
	file string
	err  error
}

func (e *badSnapshot) Error() string { return e.file + ": " + e.err.Error() }

// open makes an empty tree.
func (m *importer) open() (err error) {
	if m.nodes != nil {
		m.nodes.Drop()
		m.nodes = nil
	}
	if m.state, err = m.b.NewState(); err != nil {
		return err
	}
	nodes, found, _, err := nodestore.Open(m.state, &m.lock, m.limits)
	if err != nil {
		return err
	}
	m.nodes = nodes
	m.tree = tree.New(nodes, found, tree.Options{ExtendedTypes: m.cfg.ExtendedTypesEnabled, Digest: m.cfg.DigestEnabled})
	return nil
}

// loadFrom loads a snapshot.
func (m *importer) loadFrom(s javafile.File) (err error) {
	if err := m.open(); err != nil {
		return err
	}
	file, err := m.fs.Open(s.Path, vfs.SequentialReadsOption)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	loader := tree.NewLoader(m.tree)
	bad := func(err error) error {
		if err != nil {
			err = &badSnapshot{s.Path, err}
		}
		return err
	}
	nodes := 0
	in := &countingReader{r: file}
	m.read.Name = s.Path
	t, err := javafile.ReadSnapshot(in, m.read, javafile.Visitor{
		Session: loader.Session,
		ACL:     loader.ACL,
		Node: func(n *jute.SnapshotNode) error {
			if err := m.checkOwner(n.Path, n.Stat.EphemeralOwner); err != nil {
				return err
			}
			if err := loader.Node(n); err != nil {
				return bad(err)
			}
			nodes++
			return m.step("reading the snapshot", "file", s.Path, "znodes", nodes, "bytes", in.n, "of", s.Bytes)
		},
	})
	var corrupt *persistence.CorruptionError
	if errors.As(err, &corrupt) {
		return &badSnapshot{s.Path, err}
	}
	if err != nil {
		return err
	}
	if err := loader.Finish(s.Zxid); err != nil {
		return bad(err)
	}
	m.report.Snapshot, m.report.SnapshotZxid = s.Path, s.Zxid
	m.begin(&t, s.Zxid)
	return nil
}

// checkOwner stops at a TTL znode that the settings make an ephemeral of: the server would delete it at once.
func (m *importer) checkOwner(path string, owner int64) error {
	if m.cfg.ExtendedTypesEnabled || owner&^tree.TTLMax != tree.TTLOwnerMask {
		return nil
	}
	return m.refuse(nil, "set zookeeper.extendedTypesEnabled=true, as it was for Java", "%s has a TTL, but TTL znodes are not enabled", path)
}

// checkTxn is checkOwner for what a transaction creates.
func (m *importer) checkTxn(t *jute.Txn) error {
	for i := range t.Subs {
		if err := m.checkTxn(&t.Subs[i]); err != nil {
			return err
		}
	}
	if t.Type != jute.OpCreateTTL {
		return nil
	}
	return m.checkOwner(t.Path, tree.TTLOwnerMask)
}

// begin sets how digests are compared from the snapshot on.
func (m *importer) begin(t *javafile.Trailer, zxid jute.Zxid) {
	g := t.Digest
	m.settled, m.digest = false, jute.SnapshotDigest{}
	if !t.HasDigest || g.Zxid == 0 || g.Digest.Version != jute.DigestVersion || g.Zxid < zxid {
		return
	}
	m.digest = g
	m.compareSnapshot(zxid)
}

// compareSnapshot compares the snapshot's digest, once the tree has come to where that was taken. Java notes a
// digest after a transaction has changed the tree, so the snapshot may show one transaction more than its digest
// covers: where the two differ, the tree counts as exact behind that one.
func (m *importer) compareSnapshot(zxid jute.Zxid) {
	if m.settled || m.digest.Zxid == 0 || zxid < m.digest.Zxid {
		return
	}
	if zxid > m.digest.Zxid {
		m.settled = true
	} else if m.tree.TreeDigest() == m.digest.Digest.TreeDigest {
		m.settled = true
		m.report.DigestChecks++
	}
}

// settle ends the comparing: a snapshot's digest that still waits for the transaction behind it is wrong.
func (m *importer) settle() {
	if !m.settled && m.digest.Zxid != 0 && m.tree.LastZxid() == m.digest.Zxid {
		m.settled = true
		m.compare(m.digest.Zxid, m.digest.Digest.TreeDigest)
	}
	if !m.settled {
		m.report.Notes = append(m.report.Notes, "the digests of the transactions do not show whether the snapshot was complete")
	}
}

func (m *importer) compare(zxid jute.Zxid, want int64) {
	m.report.DigestChecks++
	if got := m.tree.TreeDigest(); got != want {
		if m.report.DigestMismatches++; m.report.DigestMismatches == 1 {
			m.log.Error("the digest of the tree is not the one that Java has written", "zxid", zxid, "java", want, "tree", got)
		}
	}
}

// entry takes a transaction of the logs.
func (m *importer) entry(p *jute.Proposal, b []byte, at javafile.Place) error {
	if err := m.checkTxn(&p.Txn); err != nil {
		return err
	}
	b = bytes.Clone(b)
	if err := m.b.Append(p.Header.Zxid, b); err != nil {
		return err
	}
	m.last = p.Header.Zxid
	m.report.Txns++
	if !m.cfg.Distributed() || !m.settled {
		m.apply(p)
	} else if err := m.hold(b); err != nil {
		return err
	}
	return m.step("reading the transaction logs", "file", at.Path, "txns", m.report.Txns, "zxid", p.Header.Zxid)
}

// hold keeps a transaction out of the tree, as long as it is one of the last.
func (m *importer) hold(b []byte) error {
	m.tail = append(m.tail, b)
	m.tailBytes += len(b)
	for len(m.tail) > tailTxnsMax || m.tailBytes > tailBytesMax {
		b = m.tail[0]
		m.tail[0] = nil
		m.tail = m.tail[1:]
		m.tailBytes -= len(b)
		var p jute.Proposal
		d := jute.NewDecoder(b, max(m.read.BytesMax, len(b)))
		if p.Decode(&d); d.Err() != nil {
			return d.Err() // it was decoded before
		}
		m.apply(&p)
	}
	return nil
}

// apply does a transaction, and compares digests.
func (m *importer) apply(p *jute.Proposal) {
	m.tree.Apply(&p.Header, &p.Txn, noEvents{}, &m.result)
	m.compareSnapshot(p.Header.Zxid)
	switch {
	case !p.HasDigest || p.Digest.Version != jute.DigestVersion:
	case m.settled:
		m.compare(p.Header.Zxid, p.Digest.TreeDigest)
	case m.digest.Zxid == 0 && m.tree.TreeDigest() == p.Digest.TreeDigest:
		m.settled = true
		m.report.DigestChecks++
	}
}

// step writes what has gathered, now and then, tells how far the import is, and ends it when that is wished.
func (m *importer) step(what string, args ...any) error {
	if m.gathered++; m.gathered < loadStep {
		return nil
	}
	n := m.gathered
	m.gathered = 0
	if err := m.ctx.Err(); err != nil {
		return err
	}
	if now := time.Now(); now.Sub(m.told) >= progressEvery {
		m.told = now
		m.log.Info(what, args...)
	}
	return m.nodes.Loaded(n, m.counts)
}

func (m *importer) counts(b []byte) []byte { return tree.AppendCounts(b, m.tree.Counts()) }

// close makes the tree durable.
func (m *importer) close() error {
	// Sessions of Java have the passwords of Java's public function.
	b := m.state.NewBatch(0)
	b.SetMeta(metaSecret, nil)
	if err := b.Commit(m.state.Applied()); err != nil {
		return err
	}
	m.lock.Lock()
	m.nodes.Applied(1, m.tree.LastZxid(), m.counts)
	m.lock.Unlock()
	return m.nodes.Flush()
}

// countingReader counts the bytes read.
type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}
