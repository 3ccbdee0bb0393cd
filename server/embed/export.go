package embed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/conf"
	"zk/jute"
	"zk/persistence"
	"zk/persistence/javafile"
	"zk/persistence/nodestore"
	"zk/server/tree"
)

// ExportOptions say where an export goes.
type ExportOptions struct {
	// To and ToLog become dataDir and dataLogDir of a server of Java; empty ones are those of the configuration,
	// ToLog with a To is that.
	To, ToLog string
	// Copy leaves our stores in service. The export must then never be started as a member of the same ensemble.
	Copy bool
}

// ExportReport says what came of an export.
type ExportReport struct {
	Snapshot                    string // the file
	SnapshotZxid, LastZxid      jute.Zxid
	Znodes                      int64
	Txns                        int // in the log, after the snapshot
	AcceptedEpoch, CurrentEpoch int64
	Notes                       []string
	Took                        time.Duration
}

// Export makes a data folder of Java's out of the stores of a server that does not run: a snapshot of the tree as
// the state store has it, the transactions after it as a log, the epochs, myid. In an ensemble the snapshot holds
// what is committed and the log may go on with what is not, as in Java's own folder, so that a leader can have it
// truncated.
//
// Everything is written and synced under another name first; then our stores are put out of use
// (persistence.SealOurs), and only then Java's folder gets its name: at no moment two servers could start with
// one identity. An export that a crash has interrupted between these is finished by the next one.
func Export(ctx context.Context, cfg *conf.Config, deps Deps, o ExportOptions) (ExportReport, error) {
	if o.To == "" {
		o.To, o.ToLog = cfg.DataDir, cfg.DataLogDir
	}
	if o.ToLog == "" {
		o.ToLog = o.To
	}
	x := &exporter{ctx: ctx, cfg: cfg, log: deps.Logger, limits: limitsOrDefault(deps.NodeLimits), fs: deps.FS, o: o, began: time.Now()}
	if x.log == nil {
		x.log = slog.New(slog.DiscardHandler)
	}
	if x.fs == nil {
		x.fs = vfs.Default
	}
	x.told = x.began
	x.dirs = []string{o.To}
	if o.ToLog != o.To {
		x.dirs = append(x.dirs, o.ToLog)
	}
	err := x.run(persistence.Options{
		DataDir: cfg.DataDir, DataLogDir: cfg.DataLogDir, ServerID: cfg.ServerID, NoAutoCreate: true,
		FS: x.fs, Logger: x.log, Log: deps.LogOptions, State: deps.StateOptions,
	})
	x.report.Took = time.Since(x.began)
	return x.report, err
}

// exporter is one export.
type exporter struct {
	ctx    context.Context
	cfg    *conf.Config
	log    *slog.Logger
	limits nodestore.Limits
	fs     vfs.FS
	o      ExportOptions
	dirs   []string // To, and ToLog if it is another
	report ExportReport
	began  time.Time
	told   time.Time // when progress was logged last
}

// refuse makes an operator's message.
func (x *exporter) refuse(remedy, format string, args ...any) error {
	return &persistence.StartError{Reason: "export: " + fmt.Sprintf(format, args...), DataDir: x.cfg.DataDir, DataLogDir: x.cfg.DataLogDir, Remedy: remedy}
}

func (x *exporter) run(stores persistence.Options) error {
	switch to, done, err := persistence.Exported(x.fs, x.cfg.DataDir, x.cfg.DataLogDir); {
	case err != nil:
		return err
	case done && to == x.o.To && x.waiting():
		x.report.Notes = append(x.report.Notes, "an export that was interrupted is finished")
		return persistence.PlaceJava(x.fs, x.dirs)
	case done:
		return x.refuse("", "it was done already, to %s", to)
	}
	if found, err := persistence.Look(stores); err != nil || !found.Ours {
		return errors.Join(err, x.refuse("give the configuration of the server whose data is wanted", "there is no store of this program"))
	}
	if x.o.Copy && x.o.To == x.cfg.DataDir {
		return x.refuse("give another folder", "a copy can't lie beside what it is a copy of")
	}
	r, err := persistence.Open(stores)
	if err != nil {
		return err
	}
	if _, err = sealJava(r, x.cfg, x.log); err == nil {
		err = x.vacant()
	}
	if err == nil {
		err = x.write(r)
	}
	if err = errors.Join(err, r.Close()); err != nil {
		return errors.Join(err, x.discard())
	}
	if !x.o.Copy {
		if err := persistence.SealOurs(x.fs, x.cfg.DataDir, x.cfg.DataLogDir, x.o.To, x.note); err != nil {
			return err
		}
	}
	return persistence.PlaceJava(x.fs, x.dirs)
}

// waiting tells whether there is a whole export that has not got its name.
func (x *exporter) waiting() bool {
	_, err := x.fs.Stat(persistence.NewJavaDir(x.fs, x.o.To))
	return err == nil
}

// vacant refuses to write where there are files of Java's already.
func (x *exporter) vacant() error {
	for _, dir := range x.dirs {
		at := x.fs.PathJoin(dir, javafile.VersionDir)
		info, err := x.fs.Stat(at)
		if errors.Is(err, os.ErrNotExist) || err == nil && !info.IsDir() {
			continue
		}
		var names []string
		if err == nil {
			names, err = x.fs.List(at)
		}
		if err != nil {
			return fmt.Errorf("embed: export: %w", err)
		}
		if len(names) > 0 {
			return x.refuse("move it away, or export to another folder", "there is something already: %s", x.fs.PathJoin(at, names[0]))
		}
	}
	return nil
}

// discard removes what was written, after a failure.
func (x *exporter) discard() (err error) {
	for _, dir := range x.dirs {
		if e := x.fs.RemoveAll(persistence.NewJavaDir(x.fs, dir)); e != nil && !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// write writes all files under their names in the new folders.
func (x *exporter) write(r *persistence.Recovered) error {
	if err := x.discard(); err != nil { // of a crash
		return err
	}
	for _, dir := range x.dirs {
		if err := x.fs.MkdirAll(persistence.NewJavaDir(x.fs, dir), 0o755); err != nil {
			return fmt.Errorf("embed: export: %w", err)
		}
	}
	if err := x.snapshot(r); err != nil {
		return err
	}
	if err := x.txns(r.Log); err != nil {
		return err
	}
	x.report.LastZxid = max(x.report.SnapshotZxid, jute.Zxid(r.Log.LastLogged()))
	x.report.CurrentEpoch = max(r.Log.CurrentEpoch(), int64(x.report.LastZxid.Epoch()))
	x.report.AcceptedEpoch = max(r.Log.AcceptedEpoch(), x.report.CurrentEpoch)
	dir := persistence.NewJavaDir(x.fs, x.o.To)
	err := javafile.WriteNumber(x.fs, dir, javafile.AcceptedEpochFile, x.report.AcceptedEpoch)
	if err == nil {
		err = javafile.WriteNumber(x.fs, dir, javafile.CurrentEpochFile, x.report.CurrentEpoch)
	}
	if err == nil {
		err = x.myID()
	}
	for _, dir := range x.dirs {
		if err == nil {
			err = javafile.SyncDir(x.fs, dir)
		}
	}
	return err
}

// myID writes the server's id where there is none.
func (x *exporter) myID() error {
	id, ok, err := javafile.ReadMyID(x.fs, x.o.To)
	switch {
	case err != nil:
		return err
	case ok && id != x.cfg.ServerID:
		return x.refuse("export to another folder", "%s is of server %d, this is server %d", x.fs.PathJoin(x.o.To, javafile.MyIDFile), id, x.cfg.ServerID)
	case ok || x.cfg.ServerID == 0:
		return nil
	}
	return javafile.WriteNumber(x.fs, x.o.To, javafile.MyIDFile, x.cfg.ServerID)
}

// snapshot writes the tree as the state store has it.
func (x *exporter) snapshot(r *persistence.Recovered) (err error) {
	var lock sync.RWMutex // nobody else's: the store wants one
	nodes, found, fresh, err := nodestore.Open(r.State, &lock, x.limits)
	if err != nil {
		return err
	}
	defer nodes.Drop()
	if fresh { // a server that was killed before its first flush; the log has everything
		t := tree.New(nodes, found, tree.Options{})
		lock.Lock()
		t.Init()
		nodes.Applied(1, t.LastZxid(), func(b []byte) []byte { return tree.AppendCounts(b, t.Counts()) })
		lock.Unlock()
	}
	snap, err := nodes.Snapshot()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	java, err := snap.Java(x.cfg.DigestEnabled, x.cfg.SerializeLastProcessed)
	if err != nil {
		return err
	}
	counts := snap.Counts()
	secret, ok, err := r.State.Meta(metaSecret)
	if err != nil {
		return err
	}
	if ok && len(secret) > 0 && x.cfg.SessionPassword != "java" && !x.cfg.Distributed() {
		x.report.Notes = append(x.report.Notes, "sessions have passwords that Java does not know: clients will get new sessions (zk.sessionPassword)")
	}
	dir, name := persistence.NewJavaDir(x.fs, x.o.To), javafile.SnapshotName(counts.LastZxid)
	x.report.Snapshot, x.report.SnapshotZxid, x.report.Znodes = x.fs.PathJoin(x.o.To, javafile.VersionDir, name), counts.LastZxid, counts.Nodes
	x.log.Info("exporting to a folder of Java ZooKeeper", "snapshot", x.report.Snapshot, "znodes", counts.Nodes, "bytes", java.Size())
	return javafile.WriteFile(x.fs, dir, name, func(w io.Writer) error {
		n, err := javafile.WriteSnapshot(&exportWriter{x, w, 0, java.Size()}, java)
		if err == nil && n != java.Size() {
			err = fmt.Errorf("embed: export: %d bytes announced, %d written", java.Size(), n)
		}
		return err
	})
}

// txns writes the transactions after the snapshot.
func (x *exporter) txns(log *persistence.Log) error {
	after := x.report.SnapshotZxid
	if jute.Zxid(log.LastLogged()) <= after {
		return nil
	}
	c, err := log.Cursor(after)
	if err != nil {
		return err
	}
	defer c.Close()
	first, b, ok, err := c.Next()
	if err != nil || !ok {
		return err
	}
	return javafile.WriteFile(x.fs, persistence.NewJavaDir(x.fs, x.o.ToLog), javafile.LogName(first), func(w io.Writer) error {
		l, err := javafile.NewLogWriter(&exportWriter{x, w, 0, log.BytesAfter(after)})
		for ; err == nil && ok; _, b, ok, err = c.Next() {
			x.report.Txns++
			if err = l.Write(b); err != nil {
				break
			}
		}
		return err
	})
}

// exportWriter tells how far an export is, and ends it when that is wished.
type exportWriter struct {
	x     *exporter
	w     io.Writer
	n, of int64
}

func (e *exportWriter) Write(b []byte) (int, error) {
	if err := e.x.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := e.w.Write(b)
	e.n += int64(n)
	if now := time.Now(); now.Sub(e.x.told) >= progressEvery {
		e.x.told = now
		e.x.log.Info("exporting", "bytes", e.n, "of", e.of)
	}
	return n, err
}

// note is the text in the place of our log.
func (x *exporter) note(logDir string, stateDirs []string) string {
	var moves strings.Builder
	moved := func(kept string) {
		fmt.Fprintf(&moves, " && mv %s %s", kept, persistence.UnkeptName(kept))
	}
	moved(logDir)
	for _, dir := range stateDirs {
		moved(dir)
	}
	return fmt.Sprintf(`This is a file, not a folder, so that zk does not start on the data it had here.
It was exported at %s, up to zxid %v, for Apache ZooKeeper, which may have written since.

To come back with everything that was written: stop Apache ZooKeeper and start zk server on its folders; it
imports them.

To come back to what was here, which is safe only if Apache ZooKeeper was not started on the export:
    rm -r %s %s%s

`, time.Now().UTC().Format(time.RFC3339), x.report.LastZxid, filepath.Join(x.cfg.DataLogDir, "zk-log"), x.fs.PathJoin(x.o.To, javafile.VersionDir), moves.String())
}
