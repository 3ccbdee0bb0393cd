package embed_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"zk/jute"
	"zk/persistence"
	"zk/persistence/crashdisk"
	"zk/persistence/javafile"
	"zk/persistence/nodestore"
	"zk/server/embed"
	"zk/server/tree"
)

// The last of the transactions in the golden data, the digest of the tree after it, and the session that is open then.
const (
	goldenZxid    jute.Zxid      = 0x200000002
	goldenDigest  int64          = 110177880424
	goldenSession jute.SessionID = 0x200000e3f850000
)

// unpack puts the files of Java under a prefix in the golden data into a folder. See persistence/javafile.
func unpack(t testing.TB, fs vfs.FS, prefix, to string) {
	t.Helper()
	z, err := zip.OpenReader(filepath.Join("..", "..", "persistence", "javafile", "testdata", "java.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = z.Close() }()
	for _, f := range z.File {
		name, ok := strings.CutPrefix(f.Name, prefix+"/")
		if !ok {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		putFile(t, fs, fs.PathJoin(to, name), b)
	}
}

func putFile(t testing.TB, fs vfs.FS, name string, b []byte) {
	t.Helper()
	dir := fs.PathDir(name)
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err == nil {
		_, err = f.Write(b)
		err = errors.Join(err, f.Sync(), f.Close())
	}
	for err == nil {
		var d vfs.File
		if d, err = fs.OpenDir(dir); err == nil {
			err = errors.Join(d.Sync(), d.Close())
		}
		if dir == fs.PathDir(dir) {
			break
		}
		dir = fs.PathDir(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func getFile(t testing.TB, fs vfs.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// list is every file below a folder of a disk, without those of our stores.
func listFiles(t testing.TB, fs vfs.FS, dir string) (all []string) {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	for _, name := range names {
		path := fs.PathJoin(dir, name)
		info, err := fs.Stat(path)
		switch {
		case err != nil:
			t.Fatal(err)
		case !info.IsDir():
			all = append(all, path)
		case strings.HasPrefix(name, "zk-"):
			all = append(all, path+"/")
		default:
			all = append(all, listFiles(t, fs, path)...)
		}
	}
	return all
}

// javaRig is a server whose disk has golden files of Java as its data.
func javaRig(t testing.TB, fs vfs.FS, prefix string, lines ...string) *rig {
	t.Helper()
	unpack(t, fs, prefix, "/data")
	r := newRig(t, fs, lines...)
	r.cfg.ExtendedTypesEnabled = true
	return r
}

func (r *rig) imports(o embed.ImportOptions) (embed.ImportReport, error) {
	r.t.Helper()
	return embed.Import(context.Background(), r.cfg, r.deps, o)
}

func (r *rig) mustImport(o embed.ImportOptions) embed.ImportReport {
	r.t.Helper()
	rep, err := r.imports(o)
	if err != nil {
		r.t.Fatal(err)
	}
	return rep
}

// expected is a tree as an independent reader of Java's files saw it.
type expected struct {
	Last     string `json:"last_zxid"`
	Snapshot string `json:"snapshot_zxid"`
	Digest   int64
	Sessions map[string]int32
	Nodes    map[string]struct {
		Data                        *string `json:"data_base64"`
		Czxid, Mzxid, Pzxid         int64
		Ctime, Mtime                int64
		Version, Cversion, Aversion int32
		Owner                       string `json:"ephemeralOwner_raw"`
		NumChildren                 int32
		ACL                         [][3]any
	}
}

// goldenTree holds the data of a closed server against what it was imported from.
func goldenTree(t *testing.T, r *rig, want *expected) embed.Figures {
	t.Helper()
	seen := 0
	f, err := embed.Check(context.Background(), r.cfg, embed.Deps{FS: r.fs}, func(path string, n *tree.Node, data []byte) {
		w, ok := want.Nodes[path]
		if !ok {
			t.Errorf("%s should not be there", path)
			return
		}
		seen++
		st := n.Stat
		got := fmt.Sprint(int64(st.Czxid), int64(st.Mzxid), int64(st.Pzxid), st.Ctime, st.Mtime, st.Version, st.Cversion, st.Aversion, fmt.Sprintf("%#x", uint64(st.EphemeralOwner)), n.Children)
		if path == tree.ConfigPath { // each server writes it by its own clock
			w.Mtime = st.Mtime
		}
		if s := fmt.Sprint(w.Czxid, w.Mzxid, w.Pzxid, w.Ctime, w.Mtime, w.Version, w.Cversion, w.Aversion, w.Owner, w.NumChildren); s != got {
			t.Errorf("%s: %s, want %s", path, got, s)
		}
		text := "null"
		if data != nil {
			text = base64.StdEncoding.EncodeToString(data)
		}
		wanted := "null"
		if w.Data != nil {
			wanted = *w.Data
		}
		if text != wanted && !strings.HasSuffix(path, "/"+tree.QuotaStatsNode) { // those are counted anew
			t.Errorf("%s: data %s, want %s", path, text, wanted)
		}
	})
	if err != nil {
		t.Error(err)
	}
	if seen != len(want.Nodes) {
		t.Errorf("%d nodes, want %d", seen, len(want.Nodes))
	}
	if f.Digest != want.Digest || fmt.Sprintf("%#x", int64(f.LastZxid)) != want.Last || f.Sessions != len(want.Sessions) {
		t.Errorf("digest %d, zxid %v, %d sessions; want %d, %s, %d", f.Digest, f.LastZxid, f.Sessions, want.Digest, want.Last, len(want.Sessions))
	}
	return f
}

func expectedOf(t testing.TB, name string) *expected {
	t.Helper()
	fs := vfs.NewMem()
	unpack(t, fs, "main", "/")
	var want expected
	if err := json.Unmarshal(getFile(t, fs, "/"+name), &want); err != nil {
		t.Fatal(err)
	}
	return &want
}

// TestImportGolden imports each server of an ensemble, and goes on serving what it had: the open session with its
// password of Java's, its ephemerals, the log that learners need.
func TestImportGolden(t *testing.T) {
	for i := 1; i <= 4; i++ {
		t.Run(fmt.Sprint("n", i), func(t *testing.T) {
			want := expectedOf(t, fmt.Sprintf("replay.n%d.json", i))
			r := javaRig(t, vfs.NewMem(), fmt.Sprintf("main/n%d/data", i))
			r.cfg.ServerID = int64(i)
			rep := r.mustImport(embed.ImportOptions{})
			snapshot, err := strconv.ParseInt(want.Snapshot, 0, 64)
			if err != nil {
				t.Fatal(err)
			}
			if rep.SnapshotZxid != jute.Zxid(snapshot) || rep.LastZxid != goldenZxid || rep.DigestMismatches != 0 || rep.DigestChecks == 0 ||
				rep.AcceptedEpoch != 2 || rep.CurrentEpoch != 2 || len(rep.Notes) != 0 || len(rep.Skipped) != 0 {
				t.Errorf("%+v", rep)
			}
			goldenTree(t, r, want)

			stores, err := persistence.Open(persistence.Options{DataDir: "/data", FS: r.fs})
			if err != nil {
				t.Fatal(err)
			}
			if l := stores.Log; l.CompleteFrom() != jute.Zxid(snapshot) || l.LastLogged() != persistence.Logged(goldenZxid) || l.AcceptedEpoch() != 2 || l.CurrentEpoch() != 2 {
				t.Errorf("log from %v to %v, epochs %d %d", l.CompleteFrom(), jute.Zxid(l.LastLogged()), l.AcceptedEpoch(), l.CurrentEpoch())
			}
			n := 0
			if err := stores.Log.Read(jute.Zxid(snapshot)+1, func(jute.Zxid, []byte) error { n++; return nil }); err != nil || n != rep.Txns {
				t.Errorf("%d entries, %d imported: %v", n, rep.Txns, err)
			}
			if err := stores.Close(); err != nil {
				t.Fatal(err)
			}

			r.open()
			old := &client{sid: goldenSession, passwd: javaPassword(goldenSession)}
			c, ok := r.renew(old)
			if !ok {
				t.Fatal("the session has expired")
			}
			if got := c.ok(jute.OpGetChildren, read("/eph", false)).Strings(); len(got) != 3 {
				t.Errorf("ephemerals %v", got)
			}
			c.ok(jute.OpCreate, create("/ours", "x", 0))
			if c.zxid != goldenZxid+1 {
				t.Errorf("the first zxid is %v", c.zxid)
			}
			r.restart()
			r.close()
			verify(t, r)
		})
	}
}

// javaPassword is the password that servers of Java give to a session (SessionTrackerImpl, ZooKeeperServer.
// generatePasswd): the numbers of java.util.Random with the id as a seed.
func javaPassword(id jute.SessionID) []byte {
	const superSecret, multiplier, mask = 0xB3415C00, 0x5DEECE66D, 1<<48 - 1
	seed := (uint64(id) ^ superSecret ^ multiplier) & mask
	b := make([]byte, 0, 16)
	for len(b) < 16 {
		seed = (seed*multiplier + 0xB) & mask
		n := int32(seed >> 16)
		for range 4 {
			b = append(b, byte(n))
			n >>= 8
		}
	}
	return b
}

// TestImportDamaged holds the outcome for damaged files against Java's, which testdata has from a real server.
func TestImportDamaged(t *testing.T) {
	want := expectedOf(t, "replay.n1.json")
	for name, c := range map[string]struct {
		trustEmpty bool
		last       jute.Zxid
		txns       int
		skipped    string
		reason     string
	}{
		"tail_cut":          {last: goldenZxid - 1, txns: 1},
		"tail_zeroed":       {last: goldenZxid - 1, txns: 1},
		"tail_bad_end_byte": {last: goldenZxid - 1, txns: 1},
		"tail_bad_checksum": {reason: "/data/version-2/log.200000002 at offset 16"},
		"middle_log_torn":   {reason: "/data/version-2/log.100000026 at offset 16 (reading transaction log): zxid 0x100000026 comes after"},
		"snapshot_half":     {last: goldenZxid, txns: 52, skipped: "/data/version-2/snapshot.100000056 is not whole"},
		"snapshot_bitflip":  {last: goldenZxid, txns: 52, skipped: "/data/version-2/snapshot.100000056: "},
		"no_snapshots":      {reason: "zookeeper.snapshot.trust.empty=true"},
		"no_snapshots ":     {trustEmpty: true, last: goldenZxid, txns: 88},
	} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMem()
			r := javaRig(t, fs, "damaged/"+strings.TrimSpace(name))
			r.cfg.SnapshotTrustEmpty = c.trustEmpty
			before := listFiles(t, fs, "/data")
			rep, err := r.imports(embed.ImportOptions{})
			if c.reason != "" {
				if err == nil || !strings.Contains(err.Error(), c.reason) {
					t.Error(err)
				}
				if after := listFiles(t, fs, "/data"); !slices.Equal(after, before) {
					t.Errorf("left behind: %v", after)
				}
				if _, err := embed.Start(context.Background(), r.cfg, r.deps); err == nil || !strings.Contains(err.Error(), c.reason) {
					t.Error("a server:", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if rep.LastZxid != c.last || rep.Txns != c.txns || rep.DigestMismatches != 0 || rep.DigestChecks == 0 || !strings.HasPrefix(strings.Join(rep.Skipped, ""), c.skipped) {
				t.Errorf("%+v", rep)
			}
			if c.last == goldenZxid {
				goldenTree(t, r, want)
			} else {
				verify(t, r)
			}
		})
	}
}

// TestImportCompressed imports snapshots without logs, and without the sections that may be missing.
func TestImportCompressed(t *testing.T) {
	for _, name := range []string{"snapshot.200000002", "snapshot.200000002.gz", "snapshot.200000002.snappy", "neither-section.snapshot.200000002"} {
		fs := vfs.NewMem()
		b, err := os.ReadFile(filepath.Join("..", "..", "persistence", "javafile", "testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		putFile(t, fs, "/data/version-2/"+strings.TrimPrefix(name, "neither-section."), b)
		r := newRig(t, fs)
		r.cfg.ExtendedTypesEnabled = true
		rep := r.mustImport(embed.ImportOptions{})
		if rep.LastZxid != goldenZxid || rep.Txns != 0 || rep.AcceptedEpoch != 2 || rep.CurrentEpoch != 2 {
			t.Errorf("%s: %+v", name, rep)
		}
		if f := verify(t, r); f.Digest != goldenDigest || f.Sessions != 1 {
			t.Errorf("%s: %+v", name, f.Figures)
		}
	}
}

// TestImportRefuses is about what can't be imported; nothing is left behind.
func TestImportRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*rig)
		o      embed.ImportOptions
		reason string
	}{
		"no files":      {change: func(r *rig) { _ = r.fs.RemoveAll("/data/version-2") }, reason: "neither a snapshot nor a transaction log"},
		"no TTL znodes": {change: func(r *rig) { r.cfg.ExtendedTypesEnabled = false }, reason: "zookeeper.extendedTypesEnabled=true"},
		"epochs": {change: func(r *rig) { putFile(r.t, r.fs, "/data/version-2/acceptedEpoch", []byte("1")) },
			reason: "acceptedEpoch holds 1"},
		"all snapshots bad": {change: func(r *rig) {
			for _, s := range []string{"0", "100000024", "100000056"} {
				b := getFile(r.t, r.fs, "/data/version-2/snapshot."+s)
				b[100] ^= 1
				putFile(r.t, r.fs, "/data/version-2/snapshot."+s, b)
			}
		}, reason: "none of the snapshots in /data/version-2 can be loaded"},
		"another server": {change: func(r *rig) { unpack(r.t, r.fs, "main/n2/data", "/other"); r.cfg.ServerID = 1 },
			o: embed.ImportOptions{From: "/other"}, reason: "the files are of server 2, this is server 1"},
	} {
		t.Run(name, func(t *testing.T) {
			r := javaRig(t, vfs.NewMem(), "main/n1/data")
			c.change(r)
			before := listFiles(t, r.fs, "/data")
			_, err := r.imports(c.o)
			var coded interface{ ExitCode() int }
			if err == nil || !strings.Contains(err.Error(), c.reason) || !errors.As(err, &coded) || coded.ExitCode() != 3 {
				t.Error(err)
			}
			if after := listFiles(t, r.fs, "/data"); !slices.Equal(after, before) {
				t.Errorf("left behind: %v", after)
			}
		})
	}
	t.Run("a store", func(t *testing.T) {
		r := start(t)
		r.connect().ok(jute.OpCreate, create("/a", "", 0))
		r.close()
		unpack(t, r.fs, "main/n1/data", "/data")
		if _, err := r.imports(embed.ImportOptions{}); err == nil || !strings.Contains(err.Error(), "there is a store already: /data/zk-log") {
			t.Error(err)
		}
		_, err := embed.Start(context.Background(), r.cfg, r.deps)
		if err == nil || !strings.Contains(err.Error(), "/data/zk-log, up to zxid 0x2") || !strings.Contains(err.Error(), "/data/version-2/") {
			t.Error(err)
		}
	})
	t.Run("ended", func(t *testing.T) {
		r := javaRig(t, vfs.NewMem(), "main/n1/data")
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		before := listFiles(t, r.fs, "/data")
		if _, err := embed.Start(ctx, r.cfg, r.deps); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if after := listFiles(t, r.fs, "/data"); !slices.Equal(after, before) {
			t.Errorf("left behind: %v", after)
		}
	})
}

// TestImportEpochGap: Java refuses for ever to start on a folder whose currentEpoch was not written in time.
func TestImportEpochGap(t *testing.T) {
	r := javaRig(t, vfs.NewMem(), "main/n1/data")
	putFile(t, r.fs, "/data/version-2/currentEpoch", []byte("1"))
	rep := r.mustImport(embed.ImportOptions{})
	if rep.AcceptedEpoch != 2 || rep.CurrentEpoch != 2 || len(rep.Notes) != 1 {
		t.Errorf("%+v", rep)
	}
}

// TestImportFuzzy imports a snapshot that was taken while clients wrote. The tree of the transactions is reached,
// and no digest is missed, though the snapshot shows later changes.
func TestImportFuzzy(t *testing.T) {
	fs := vfs.NewMem()
	r := javaRig(t, fs, "main/n1/data")
	if err := fs.Remove("/data/version-2/snapshot.100000056"); err != nil {
		t.Fatal(err)
	}
	rep := r.mustImport(embed.ImportOptions{})
	if rep.SnapshotZxid != 0x100000024 || rep.DigestMismatches != 0 || rep.DigestChecks == 0 {
		t.Errorf("%+v", rep)
	}
	goldenTree(t, r, expectedOf(t, "replay.n1.json"))
}

// TestImportOneAhead imports a snapshot that shows one transaction more than its digest covers, as Java writes it
// now and then; and, without logs, one whose digest is wrong.
func TestImportOneAhead(t *testing.T) {
	const old = "/data/version-2/snapshot.100000056"
	load := func(t *testing.T) (*rig, vfs.FS, *shot) {
		fs := vfs.NewMem()
		r := javaRig(t, fs, "main/n1/data")
		s := parse(t, getFile(t, fs, old))
		if !s.trailer.HasDigest || s.trailer.Digest.Zxid != 0x100000056 {
			t.Fatalf("%+v", s.trailer)
		}
		return r, fs, s
	}
	t.Run("one ahead", func(t *testing.T) {
		r, fs, s := load(t)
		folder, err := javafile.OpenFolder(fs, "/data", "/data")
		if err != nil {
			t.Fatal(err)
		}
		digest := int64(0)
		err = folder.Entries(0x100000024, javafile.ReadOptions{}, func(p *jute.Proposal, _ []byte, _ javafile.Place) error {
			if p.Header.Zxid == 0x100000055 {
				digest = p.Digest.TreeDigest
			}
			return nil
		})
		if err != nil || digest == 0 || digest == s.trailer.Digest.Digest.TreeDigest {
			t.Fatal(digest, err)
		}
		s.trailer.Digest.Zxid, s.trailer.Digest.Digest.TreeDigest, s.trailer.LastZxid = 0x100000055, digest, 0x100000055
		if err := fs.Remove(old); err != nil {
			t.Fatal(err)
		}
		putFile(t, fs, "/data/version-2/snapshot.100000055", s.write(t))
		rep := r.mustImport(embed.ImportOptions{})
		if rep.SnapshotZxid != 0x100000055 || rep.DigestMismatches != 0 || rep.DigestChecks == 0 || len(rep.Notes) != 0 {
			t.Errorf("%+v", rep)
		}
		goldenTree(t, r, expectedOf(t, "replay.n1.json"))
	})
	t.Run("wrong", func(t *testing.T) {
		r, fs, s := load(t)
		s.trailer.Digest.Digest.TreeDigest++
		putFile(t, fs, old, s.write(t))
		for _, path := range listFiles(t, fs, "/data/version-2") {
			if strings.HasPrefix(fs.PathBase(path), "log.") {
				if err := fs.Remove(path); err != nil {
					t.Fatal(err)
				}
			}
		}
		if rep := r.mustImport(embed.ImportOptions{}); rep.DigestMismatches != 1 || rep.DigestChecks != 1 {
			t.Errorf("%+v", rep)
		}
	})
}

// TestImportAtStart: a server on a folder of Java's imports it by itself, once, and puts Java's files away. What
// they become when they come back depends on what a server of Java did with them.
func TestImportAtStart(t *testing.T) {
	fs := vfs.NewMem()
	r := javaRig(t, fs, "main/n1/data")
	var log bytes.Buffer
	r.deps.Logger = slog.New(slog.NewTextHandler(&log, nil))
	java := listFiles(t, fs, "/data/version-2")
	r.open()
	r.connect().ok(jute.OpCreate, create("/ours", "", 0))
	r.restart()
	r.close()
	for _, want := range []string{`msg="importing files of Java ZooKeeper"`, "msg=imported", "zxid=0x200000002", "Java's files are kept"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, log.String())
		}
	}
	note := string(getFile(t, fs, "/data/version-2"))
	if !strings.Contains(note, "mv version-2.java version-2") || !strings.Contains(note, "up to zxid 0x200000002") {
		t.Errorf("the note says\n%s", note)
	}
	kept := listFiles(t, fs, "/data/version-2.java")
	for i := range java {
		java[i] = strings.Replace(java[i], "version-2", "version-2.java", 1)
	}
	if !slices.Equal(kept, java) {
		t.Errorf("kept %v, want %v", kept, java)
	}
	// By hand, as the note says, without a server of Java having written: they are put away again.
	back := func(from string) {
		t.Helper()
		if err := errors.Join(fs.Remove("/data/version-2"), fs.Rename(from, "/data/version-2")); err != nil {
			t.Fatal(err)
		}
	}
	back("/data/version-2.java")
	r.open()
	r.close()
	back("/data/version-2.java")
	unpack(t, fs, "main/n2/data", "/data")
	p := jute.Proposal{Header: jute.TxnHeader{Zxid: goldenZxid + 1, Type: jute.OpError}, Txn: jute.Txn{Type: jute.OpError}}
	putFile(t, fs, "/data/version-2/log.200000003", logFile(t, p.Append(nil)))
	_, err := embed.Start(context.Background(), r.cfg, r.deps)
	if err == nil || !strings.Contains(err.Error(), "/data/version-2/log.200000003 has zxid 0x200000003, the import ended at 0x200000002, and the log in /data at 0x20000000") {
		t.Error(err)
	}
}

// TestImportElsewhere imports from other folders, the log on its own.
func TestImportElsewhere(t *testing.T) {
	for _, isCopy := range []bool{false, true} {
		fs := vfs.NewMem()
		unpack(t, fs, "main/n3/data", "/java/data")
		for _, path := range listFiles(t, fs, "/java/data/version-2") {
			if name := fs.PathBase(path); strings.HasPrefix(name, "log.") {
				putFile(t, fs, "/java/log/version-2/"+name, getFile(t, fs, path))
				if err := fs.Remove(path); err != nil {
					t.Fatal(err)
				}
			}
		}
		before := listFiles(t, fs, "/java")
		r := newRig(t, fs, "dataLogDir=/wal")
		r.cfg.ExtendedTypesEnabled = true
		rep := r.mustImport(embed.ImportOptions{From: "/java/data", FromLog: "/java/log", Copy: isCopy})
		if rep.LastZxid != goldenZxid || len(rep.Kept) != map[bool]int{false: 2, true: 0}[isCopy] {
			t.Errorf("%+v", rep)
		}
		after := listFiles(t, fs, "/java")
		if isCopy != slices.Equal(before, after) {
			t.Errorf("files of Java: %v", after)
		}
		if !isCopy {
			for _, note := range []string{"/java/data/version-2", "/java/log/version-2"} {
				if !slices.Contains(after, note) {
					t.Errorf("no note %s in %v", note, after)
				}
			}
		}
		if id := string(getFile(t, fs, "/data/myid")); id != "3" {
			t.Errorf("myid %q", id)
		}
		r.cfg.ServerID = 3
		goldenTree(t, r, expectedOf(t, "replay.n3.json"))
	}
}

// TestImportCrash cuts the power at every step of an import. Whatever is on the disk then, the next start has all
// of it, from Java's files or from ours, and no server of Java starts any more.
func TestImportCrash(t *testing.T) {
	want := expectedOf(t, "replay.n1.json")
	stride := 4
	if testing.Short() {
		stride = 40
	}
	for _, unsynced := range []int{0, 50, 100} {
		t.Run(fmt.Sprint("unsynced ", unsynced), func(t *testing.T) {
			disk := crashdisk.New()
			unpack(t, disk, "main/n1/data", "/data")
			c := newCutter(disk, unsynced)
			r := newRig(t, c.fs)
			r.cfg.ExtendedTypesEnabled = true
			r.deps.NodeLimits = nodestore.Limits{FreezeTxns: 20, FreezeBytes: 1 << 20, FreezeAge: patience}
			r.mustImport(embed.ImportOptions{})
			cuts := c.take()
			imported, sealed := 0, 0
			for i, cut := range cuts {
				again := newRig(t, cut)
				again.cfg.ExtendedTypesEnabled = true
				found, err := persistence.Look(persistence.Options{DataDir: "/data", FS: cut})
				if err != nil {
					t.Fatal(err)
				}
				if found.Ours {
					imported++
				}
				if !found.Java {
					sealed++
				}
				if !found.Ours && i%stride != 0 {
					continue
				}
				again.open()
				again.close()
				if info, err := cut.Stat("/data/version-2"); err != nil || info.IsDir() {
					t.Fatalf("cut %d of %d: Java's folder is not sealed: %v", i, len(cuts), err)
				}
				goldenTree(t, again, want)
				if left := listFiles(t, cut, "/data"); slices.ContainsFunc(left, func(s string) bool { return strings.Contains(s, ".new/") }) {
					t.Errorf("cut %d of %d: left behind: %v", i, len(cuts), left)
				}
			}
			t.Logf("%d cuts, %d after the import, %d after the seal", len(cuts), imported, sealed)
			if imported == 0 || imported == len(cuts) || sealed == 0 {
				t.Error("the cuts miss a phase")
			}
		})
	}
}

// cutter makes clones of a disk as it would be after a power cut, before each operation that makes something last.
type cutter struct {
	fs       vfs.FS
	mem      *crashdisk.Disk
	unsynced int
	mu       sync.Mutex
	rng      *rand.Rand
	cuts     []vfs.FS // guarded by mu
}

func newCutter(mem *crashdisk.Disk, unsynced int) *cutter {
	c := &cutter{mem: mem, unsynced: unsynced, rng: rand.New(rand.NewPCG(11, uint64(unsynced)))}
	c.fs = crashdisk.Injected(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if persistPoint(op) != "" || op.Kind == errorfs.OpRemoveAll {
			c.cut()
		}
		return nil
	}))
	return c
}

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cuts = append(c.cuts, c.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: c.unsynced, RNG: c.rng}))
}

// take gives the clones, and one of the end.
func (c *cutter) take() []vfs.FS {
	c.cut()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cuts
}

// logFile is a transaction log of Java's with entries.
func logFile(t testing.TB, entries ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := javafile.NewLogWriter(&b)
	for _, e := range entries {
		err = errors.Join(err, w.Write(e))
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestImportEnsemble: the folders of three voters and an observer of Java become an ensemble of ours, at the first
// start of each. One lacks the last transaction; another comes later, with one that was never committed. Then all go
// back.
func TestImportEnsemble(t *testing.T) {
	g := newGroup(t, 3, 1)
	for i, r := range g.rigs {
		r.cfg.ExtendedTypesEnabled = true
		r.cfg.SkipACL = true // to list the whole tree
		from := fmt.Sprintf("main/n%d/data", i+1)
		if i == 1 {
			from = "damaged/tail_cut"
		}
		unpack(t, r.fs, from, "/data")
	}
	uncommitted := jute.Proposal{Header: jute.TxnHeader{ClientID: goldenSession, Zxid: goldenZxid + 1, Type: jute.OpSetData}, Txn: jute.Txn{Type: jute.OpSetData, Path: "/plain", Data: []byte("never"), Version: 9}}
	putFile(t, g.rigs[2].fs, "/data/version-2/log.200000003", logFile(t, uncommitted.Append(nil)))
	for _, i := range []int{0, 1, 3} {
		g.rigs[i].open()
	}
	for _, i := range []int{0, 1, 3} {
		g.awaitServing(i)
	}
	c, ok := g.rigs[1].renew(&client{sid: goldenSession, passwd: javaPassword(goldenSession)})
	if !ok {
		t.Fatal("the session has expired")
	}
	c.ok(jute.OpSetData, setData("/plain", "committed", -1))
	if c.zxid != 3<<32+1 {
		t.Errorf("the first zxid is %v", c.zxid)
	}
	g.rigs[2].open()
	g.awaitServing(2)
	g.same()
	if c, ok = g.rigs[2].renew(c); !ok {
		t.Fatal("the session has expired")
	}
	if got := string(c.ok(jute.OpGetData, read("/plain", false)).Buffer()); got != "committed" {
		t.Errorf("/plain is %q", got)
	}
	await(t, "the last transaction everywhere", func() bool { // one that is closed before has it in its log alone, or not at all
		var zxids []string
		for _, r := range g.rigs {
			_, after, _ := strings.Cut(r.word("srvr"), "Zxid: ")
			zxid, _, _ := strings.Cut(after, "\n")
			zxids = append(zxids, zxid)
		}
		return len(slices.Compact(zxids)) == 1
	})
	for i := range g.rigs {
		g.rigs[i].close()
	}
	want := verify(t, g.rigs[0])
	for i, r := range g.rigs {
		rep := r.mustExport(embed.ExportOptions{})
		if rep.AcceptedEpoch < 3 || rep.CurrentEpoch != 3 || len(rep.Notes) != 0 {
			t.Errorf("server %d: %+v", i+1, rep)
		}
		if got, _ := imported(t, r.fs, "/data"); got.Digest != want.Digest || got.LastZxid != want.LastZxid || got.Sessions != want.Sessions {
			t.Errorf("server %d: %+v, want %+v", i+1, got.Figures, want.Figures)
		}
	}
}

// TestImportTail: in an ensemble the last transactions stay out of the tree, and in the log, until it is known that
// they count.
func TestImportTail(t *testing.T) {
	r := javaRig(t, vfs.NewMem(), "main/n1/data")
	var entries [][]byte
	for i := range 1500 {
		p := jute.Proposal{
			Header: jute.TxnHeader{ClientID: goldenSession, Zxid: goldenZxid + 1 + jute.Zxid(i), Type: jute.OpSetData},
			Txn:    jute.Txn{Type: jute.OpSetData, Path: "/plain", Data: fmt.Append(nil, i), Version: int32(i)},
		}
		entries = append(entries, p.Append(nil))
	}
	putFile(t, r.fs, "/data/version-2/log.200000003", logFile(t, entries...))
	r.cfg.Members = newGroup(t, 3, 0).members
	r.cfg.ServerID = 1
	const last = goldenZxid + 1500
	rep := r.mustImport(embed.ImportOptions{})
	if rep.Txns != 1502 || rep.Tail != 1000 || rep.LastZxid != last || len(rep.Notes) != 1 ||
		!strings.Contains(rep.Notes[0], "(version 0) is not the one in /zookeeper/config (version 100000055)") {
		t.Errorf("%+v", rep)
	}
	stores, err := persistence.Open(persistence.Options{DataDir: "/data", FS: r.fs})
	if err != nil {
		t.Fatal(err)
	}
	if applied := jute.Zxid(stores.State.Applied()); applied != last-1000 || stores.Log.LastLogged() != persistence.Logged(last) {
		t.Errorf("tree at %v, log at %v", applied, jute.Zxid(stores.Log.LastLogged()))
	}
	if err := stores.Close(); err != nil {
		t.Fatal(err)
	}
	r.cfg.Members = nil // on its own, all of it counts
	if f := recheck(t, r); f.Redone != 1000 || f.LastZxid != last {
		t.Errorf("%+v", f.Figures)
	}
}

// TestImportFailedWrites: a disk that fails ends an import, and an export, with the reason. What was there stays in
// service, and the next one does all of it.
func TestImportFailedWrites(t *testing.T) {
	stride := 5
	if testing.Short() {
		stride = 29
	}
	want := expectedOf(t, "replay.n1.json")
	transfers := map[string]func(*rig) error{
		"import": func(r *rig) error { _, err := r.imports(embed.ImportOptions{}); return err },
		"export": func(r *rig) error { _, err := r.exports(embed.ExportOptions{}); return err },
	}
	for what, transfer := range transfers {
		met := 0
		for at := 1; ; at += stride {
			mem := crashdisk.New()
			unpack(t, mem, "main/n1/data", "/data")
			r := newRig(t, mem)
			r.cfg.ExtendedTypesEnabled, r.cfg.ServerID = true, 1
			if what == "export" {
				r.mustImport(embed.ImportOptions{})
			}
			var ops atomic.Int64
			r.deps.FS = crashdisk.Injected(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
				if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && op.Kind != errorfs.OpFileClose && ops.Add(1) >= int64(at) {
					return &os.PathError{Op: "write", Path: op.Path, Err: syscall.ENOSPC}
				}
				return nil
			}))
			err := transfer(r)
			if ops.Load() < int64(at) {
				if err != nil || met < 3 {
					t.Errorf("%s: %d places, then %v", what, met, err)
				}
				break // fewer operations than that
			}
			met++
			if err == nil {
				continue // the failure came after the end, at the removal of what is not needed
			}
			if !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("%s, operation %d: %v", what, at, err)
			}
			// The process would end here: what it held on the disk is let go of.
			again := newRig(t, clone(mem))
			again.cfg.ExtendedTypesEnabled, again.cfg.ServerID = true, 1
			if what == "import" {
				again.open()
				again.close()
				goldenTree(t, again, want)
				continue
			}
			found, err := persistence.Look(persistence.Options{DataDir: "/data", FS: again.fs})
			if err == nil && !found.Java {
				_, err = again.exports(embed.ExportOptions{})
			}
			if err != nil {
				t.Fatalf("operation %d: %v", at, err)
			}
			if f, _ := imported(t, again.fs, "/data"); f.Digest != want.Digest {
				t.Errorf("operation %d: digest %d", at, f.Digest)
			}
		}
	}
}
