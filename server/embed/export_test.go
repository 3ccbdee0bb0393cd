package embed_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
	"zk/persistence"
	"zk/persistence/crashdisk"
	"zk/server/embed"
)

func (r *rig) exports(o embed.ExportOptions) (embed.ExportReport, error) {
	r.t.Helper()
	return embed.Export(context.Background(), r.cfg, r.deps, o)
}

func (r *rig) mustExport(o embed.ExportOptions) embed.ExportReport {
	r.t.Helper()
	rep, err := r.exports(o)
	if err != nil {
		r.t.Fatal(err)
	}
	return rep
}

// imported is what a folder of Java's gives when it is imported, on a disk of its own.
func imported(t testing.TB, from vfs.FS, dir string) (figures, embed.ImportReport) {
	t.Helper()
	fs := vfs.NewMem()
	for _, path := range listFiles(t, from, dir) {
		if !strings.HasSuffix(path, "/") {
			putFile(t, fs, path, getFile(t, from, path))
		}
	}
	r := newRig(t, fs)
	r.cfg.ExtendedTypesEnabled = true
	r.cfg.DataDir, r.cfg.DataLogDir = "/again", "/again"
	rep := r.mustImport(embed.ImportOptions{From: dir})
	id := string(getFile(t, from, fs.PathJoin(dir, "myid")))
	r.cfg.ServerID = int64(id[0] - '0')
	return verify(t, r), rep
}

// TestExport goes from Java to us and back to Java and to us again.
func TestExport(t *testing.T) {
	r := javaRig(t, vfs.NewMem(), "main/n1/data")
	r.cfg.ServerID = 1
	r.open()
	r.connect().fill("/more", 200)
	r.close()
	want := verify(t, r)
	rep := r.mustExport(embed.ExportOptions{})
	if rep.SnapshotZxid != want.LastZxid || rep.LastZxid != want.LastZxid || rep.Txns != 0 || rep.AcceptedEpoch != 2 || rep.CurrentEpoch != 2 || rep.Znodes != want.Nodes || len(rep.Notes) != 0 {
		t.Errorf("%+v", rep)
	}
	files := listFiles(t, r.fs, "/data/version-2")
	if !slices.Equal(files, []string{"/data/version-2/acceptedEpoch", "/data/version-2/currentEpoch", fmt.Sprintf("/data/version-2/snapshot.%x", int64(want.LastZxid))}) {
		t.Errorf("files %v", files)
	}
	got, _ := imported(t, r.fs, "/data")
	if got.Counts != want.Counts || got.Sessions != want.Sessions || !slices.Equal(got.dump, want.dump) {
		t.Errorf("%+v, want %+v", got.Figures, want.Figures)
	}

	// Ours is out of use; the note says how to come back, which works.
	if _, err := persistence.Open(persistence.Options{DataDir: "/data", FS: r.fs}); err == nil || !strings.Contains(err.Error(), "exported to /data, as the file /data/zk-log says") {
		t.Error(err)
	}
	if _, err := r.exports(embed.ExportOptions{}); err == nil || !strings.Contains(err.Error(), "it was done already, to /data") {
		t.Error(err)
	}
	note := string(getFile(t, r.fs, "/data/zk-log"))
	line := "rm -r /data/zk-log /data/version-2 && mv /data/zk-log.exported /data/zk-log && mv /data/zk-state-1.exported /data/zk-state-1\n"
	if !strings.Contains(note, line) {
		t.Errorf("the note says\n%s", note)
	}
	fs := r.fs
	if err := errors.Join(fs.Remove("/data/zk-log"), fs.RemoveAll("/data/version-2"), fs.Rename("/data/zk-log.exported", "/data/zk-log"),
		fs.Rename("/data/zk-state-1.exported", "/data/zk-state-1")); err != nil {
		t.Fatal(err)
	}
	if f := verify(t, r); f.Counts != want.Counts {
		t.Errorf("%+v", f.Counts)
	}

	// And so does coming back by the files of Java, which goes as often as one likes.
	r.mustExport(embed.ExportOptions{})
	for range 2 {
		r.open()
		r.close()
		if f := verify(t, r); f.Counts != want.Counts {
			t.Errorf("%+v, want %+v", f.Counts, want.Counts)
		}
		r.mustExport(embed.ExportOptions{})
	}
}

// emptyDigest looks at the digest of a snapshot whose zxid no transaction has: Java starts on no other version, also
// where there is nothing to compare.
func emptyDigest(t *testing.T, snapshot []byte) {
	t.Helper()
	const seal = 8 + 4 + 1
	at := len(snapshot) - (8 + seal) - (jute.SnapshotDigestBytes + seal) // before the last zxid
	var g jute.SnapshotDigest
	d := jute.NewDecoder(snapshot[at:], 0)
	g.Decode(&d)
	if want := (jute.SnapshotDigest{Digest: jute.Digest{Version: jute.DigestVersion}}); g != want {
		t.Errorf("the digest is %+v, want %+v", g, want)
	}
}

// TestExportKilled exports what a server left that was killed: the end of its log is not in the tree yet.
func TestExportKilled(t *testing.T) {
	for _, n := range []int{0, 3, 300} {
		mem := crashdisk.New()
		r := newRig(t, mem, "dataLogDir=/wal")
		r.cfg.ServerID = 1
		r.open()
		c := r.connect()
		for i := range n {
			c.ok(jute.OpCreate, create(fmt.Sprintf("/n%d", i), "x", int32(i%3/2)))
		}
		dead := newRig(t, clone(mem), "dataLogDir=/wal")
		r.close()
		dead.cfg.ServerID = 1
		rep := dead.mustExport(embed.ExportOptions{To: "/java", ToLog: "/javalog"})
		if rep.Txns != int(rep.LastZxid-rep.SnapshotZxid) || int(rep.LastZxid) < n {
			t.Errorf("%+v", rep)
		}
		files := listFiles(t, dead.fs, "/javalog")
		if want := rep.Txns > 0; want != slices.Equal(files, []string{fmt.Sprintf("/javalog/version-2/log.%x", int64(rep.SnapshotZxid+1))}) {
			t.Errorf("logs %v of %d transactions", files, rep.Txns)
		}
		if n > 0 && !slices.Equal(rep.Notes, []string{"sessions have passwords that Java does not know: clients will get new sessions (zk.sessionPassword)"}) {
			t.Errorf("notes %q", rep.Notes)
		}
		if rep.SnapshotZxid.Counter() == 0 {
			emptyDigest(t, getFile(t, dead.fs, fmt.Sprintf("/java/version-2/snapshot.%x", int64(rep.SnapshotZxid))))
		} else if n == 0 {
			t.Errorf("a snapshot at %v without a transaction", rep.SnapshotZxid)
		}
		// Back, from there.
		again := newRig(t, dead.fs)
		again.cfg.DataDir, again.cfg.DataLogDir, again.cfg.ServerID = "/again", "/again", 1
		irep := again.mustImport(embed.ImportOptions{From: "/java", FromLog: "/javalog"})
		if f := verify(t, again); irep.LastZxid != rep.LastZxid || irep.Txns != rep.Txns || irep.DigestMismatches != 0 || f.Nodes != int64(4+n) {
			t.Errorf("%+v %+v", irep, f)
		}
	}
}

func TestExportRefuses(t *testing.T) {
	r := start(t)
	r.connect().ok(jute.OpCreate, create("/a", "", 0))
	r.close()
	before := listFiles(t, r.fs, "/data")
	refused := func(o embed.ExportOptions, want string) {
		t.Helper()
		var coded interface{ ExitCode() int }
		if _, err := r.exports(o); err == nil || !strings.Contains(err.Error(), want) || !errors.As(err, &coded) || coded.ExitCode() != 3 {
			t.Error(err)
		}
		if after := listFiles(t, r.fs, "/data"); !slices.Equal(after, before) {
			t.Errorf("files %v", after)
		}
	}
	refused(embed.ExportOptions{Copy: true}, "a copy can't lie beside")
	unpack(t, r.fs, "main/n1/data", "/java")
	refused(embed.ExportOptions{To: "/java"}, "there is something already: /java/version-2/")
	putFile(t, r.fs, "/id/myid", []byte("5"))
	refused(embed.ExportOptions{To: "/id"}, "/id/myid is of server 5, this is server 0")
	if left := listFiles(t, r.fs, "/id"); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	rep := r.mustExport(embed.ExportOptions{To: "/copy", Copy: true})
	if after := listFiles(t, r.fs, "/data"); !slices.Equal(after, before) || rep.LastZxid == 0 {
		t.Errorf("%+v, files %v", rep, after)
	}
	r.open() // ours is still in service
	r.close()
	r.cfg.DataDir, r.cfg.DataLogDir = "/copy", "/none"
	before = nil
	if _, err := r.exports(embed.ExportOptions{}); err == nil || !strings.Contains(err.Error(), "there is no store of this program") {
		t.Error(err)
	}
}

// TestExportCrash cuts the power at every step of an export. What is on the disk then is either ours or Java's, never
// both, and the next export ends what this one has begun.
func TestExportCrash(t *testing.T) {
	stride := 2
	if testing.Short() {
		stride = 12
	}
	for _, unsynced := range []int{0, 100} {
		t.Run(fmt.Sprint("unsynced ", unsynced), func(t *testing.T) {
			mem := crashdisk.New()
			unpack(t, mem, "main/n1/data", "/data")
			r := newRig(t, mem)
			r.cfg.ExtendedTypesEnabled, r.cfg.ServerID = true, 1
			r.open()
			r.connect().fill("/more", 200)
			r.close()
			want := verify(t, r)
			c := newCutter(mem, unsynced)
			r.deps.FS = c.fs
			r.mustExport(embed.ExportOptions{})
			ours, java, neither := 0, 0, 0
			for i, cut := range c.take() {
				v := newRig(t, cut)
				v.cfg.ExtendedTypesEnabled, v.cfg.ServerID = true, 1
				found, err := persistence.Look(persistence.Options{DataDir: "/data", FS: cut})
				if err != nil {
					t.Fatal(err)
				}
				switch {
				case found.Ours && found.Java:
					t.Fatalf("cut %d: both can be started", i)
				case found.Ours:
					ours++
				case found.Java:
					java++
				default:
					neither++
				}
				if found.Ours && i%stride != 0 {
					continue
				}
				if !found.Java {
					v.mustExport(embed.ExportOptions{})
				}
				if got, _ := imported(t, cut, "/data"); got.Counts != want.Counts || !slices.Equal(got.dump, want.dump) {
					t.Fatalf("cut %d: %+v, want %+v", i, got.Counts, want.Counts)
				}
			}
			t.Logf("ours %d, neither %d, Java's %d", ours, neither, java)
			if ours == 0 || java == 0 || neither == 0 {
				t.Error("the cuts miss a phase")
			}
		})
	}
}
