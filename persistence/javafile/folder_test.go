package javafile

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"zk/jute"
	"zk/persistence"
)

// javaFiles is a disk with files that servers of Java wrote, of testdata/java.zip: main/n1 to n4 are a whole ensemble,
// damaged/* copies of n1 with one defect each.
func javaFiles(t testing.TB) vfs.FS {
	t.Helper()
	z, err := zip.OpenReader(filepath.Join("testdata", "java.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = z.Close() }()
	fs := vfs.NewMem()
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		put(t, fs, f.Name, r)
	}
	return fs
}

func put(t testing.TB, fs vfs.FS, name string, r io.Reader) {
	t.Helper()
	if err := fs.MkdirAll(fs.PathDir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err == nil {
		_, err = io.Copy(f, r)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func get(t testing.TB, fs vfs.FS, name string) []byte {
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

func openFolder(t testing.TB, fs vfs.FS, dir string) *Folder {
	t.Helper()
	f, err := OpenFolder(fs, dir, "")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// zxids reads the entries after a zxid.
func zxids(f *Folder, after jute.Zxid) (list []jute.Zxid, err error) {
	err = f.Entries(after, ReadOptions{}, func(p *jute.Proposal, _ []byte, _ Place) error {
		list = append(list, p.Header.Zxid)
		return nil
	})
	return list, err
}

// TestLogGolden compares every entry with an independent reader's view of it, and writes the file again.
func TestLogGolden(t *testing.T) {
	fs := javaFiles(t)
	var want map[string][]struct {
		Offset int64
		Length int
		Hdr    struct {
			ClientID int64
			Cxid     int32
			Zxid     int64
			Time     int64
			Type     int32
		}
		Digest *struct{ TreeDigest int64 }
	}
	if err := json.Unmarshal(get(t, fs, "main/n1.logs.json"), &want); err != nil {
		t.Fatal(err)
	}
	for name, entries := range want {
		file := get(t, fs, "main/n1/data/version-2/"+name)
		r, err := NewLogReader(bytes.NewReader(file), ReadOptions{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		var again bytes.Buffer
		w, err := NewLogWriter(&again)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			b, err := r.Next()
			if err != nil || r.Offset() != e.Offset || len(b) != e.Length {
				t.Fatalf("%s: %d bytes at %d, want %d at %d: %v", name, len(b), r.Offset(), e.Length, e.Offset, err)
			}
			var p jute.Proposal
			d := jute.NewDecoder(b, 0)
			p.Decode(&d)
			h := e.Hdr
			if d.Err() != nil || p.Header != (jute.TxnHeader{ClientID: jute.SessionID(h.ClientID), Cxid: h.Cxid, Zxid: jute.Zxid(h.Zxid), Time: h.Time, Type: jute.OpCode(h.Type)}) ||
				p.HasDigest != (e.Digest != nil) || p.HasDigest && p.Digest.TreeDigest != e.Digest.TreeDigest {
				t.Errorf("%s at %d: %+v, want %+v: %v", name, e.Offset, p, e, d.Err())
			}
			if err := w.Write(b); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.Next(); !errors.Is(err, io.EOF) || r.End() != EndPadding {
			t.Errorf("%s: end %v %v", name, r.End(), err)
		}
		if !bytes.Equal(again.Bytes(), file[:again.Len()]) {
			t.Errorf("%s: written again it differs", name)
		}
	}
}

// TestDamagedLogs holds what is read of damaged logs against what Java 3.9.5 made of them.
func TestDamagedLogs(t *testing.T) {
	fs := javaFiles(t)
	for name, want := range map[string]struct {
		last   jute.Zxid
		reason string
	}{
		"tail_cut":          {last: 0x200000001},
		"tail_zeroed":       {last: 0x200000001},
		"tail_bad_end_byte": {last: 0x200000001},
		"no_snapshots":      {last: 0x200000002},
		"tail_bad_checksum": {reason: "version-2/log.200000002 at offset 16 (reading transaction log): an entry has the checksum"},
		"middle_log_torn":   {reason: "log.100000026 at offset 16 (reading transaction log): zxid 0x100000026 comes after 0x100000022: transactions in between are missing; damaged/middle_log_torn/version-2/log.100000001 ends at offset"},
	} {
		f := openFolder(t, fs, "damaged/"+name)
		list, err := zxids(f, 0)
		if want.reason != "" {
			var ce *persistence.CorruptionError
			if !errors.As(err, &ce) || !strings.Contains(err.Error(), want.reason) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || list[len(list)-1] != want.last {
			t.Errorf("%s: up to %v %v", name, list[len(list)-1], err)
		}
		if last, at, err := f.Last(ReadOptions{}); err != nil || last != want.last {
			t.Errorf("%s: last %v of %s %v", name, last, at, err)
		}
	}
}

// entryBytes is an error transaction, the smallest there is.
func entryBytes(z jute.Zxid) []byte {
	p := jute.Proposal{Header: jute.TxnHeader{Zxid: z, Type: jute.OpError}, Txn: jute.Txn{Type: jute.OpError, Err: jute.CodeNoNode}}
	return p.Append(nil)
}

// logOf is a log file with entries.
func logOf(t testing.TB, zxids ...jute.Zxid) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewLogWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	for _, z := range zxids {
		if err := w.Write(entryBytes(z)); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// TestLogFiles is about which files and entries count.
func TestLogFiles(t *testing.T) {
	cut := func(b []byte, n int) []byte { return b[:len(b)-n] }
	bad := func(b []byte, at int) []byte { b[len(b)+at] ^= 1; return b }
	type files map[string][]byte
	for name, c := range map[string]struct {
		files  files
		after  jute.Zxid
		want   string
		reason string
	}{
		"nothing":                {want: "[]"},
		"one":                    {files: files{"log.1": logOf(t, 1, 2, 3)}, after: 1, want: "[2 3]"},
		"older files are left":   {files: files{"log.1": []byte("broken"), "log.4": logOf(t, 4, 5), "log.6": logOf(t, 6)}, after: 5, want: "[6]"},
		"file before the zxid":   {files: files{"log.1": logOf(t, 1, 2, 3), "log.4": logOf(t, 4)}, after: 2, want: "[3 4]"},
		"order of numbers":       {files: files{"log.9": logOf(t, 9), "log.a": logOf(t, 10), "log.10": logOf(t, 16)}, after: 8, reason: "zxid 0x10 comes after 0xa"},
		"new epoch":              {files: files{"log.1": logOf(t, 1, 2, 1<<32+1, 3<<32+1)}, want: "[1 2 4294967297 12884901889]"},
		"epoch without a start":  {files: files{"log.1": logOf(t, 1, 1<<32+2)}, reason: "zxid 0x100000002 comes after 0x1"},
		"logged twice":           {files: files{"log.1": logOf(t, 1, 2, 3), "log.3": logOf(t, 3, 4)}, want: "[1 2 3 4]"},
		"empty newest":           {files: files{"log.1": logOf(t, 1), "log.2": nil}, want: "[1]"},
		"empty in the middle":    {files: files{"log.1": logOf(t, 1), "log.2": nil, "log.3": logOf(t, 2)}, reason: "log.2 (reading transaction log): it ends too early"},
		"head cut":               {files: files{"log.1": cut(logOf(t), 1)}, reason: "ends too early"},
		"no entry":               {files: files{"log.1": logOf(t)}, want: "[]"},
		"wrong magic":            {files: files{"log.1": []byte("ZKSN000000000000")}, reason: "no transaction log"},
		"cut in the head":        {files: files{"log.1": append(logOf(t, 1), 1, 2, 3)}, want: "[1]"},
		"cut in the body":        {files: files{"log.1": cut(logOf(t, 1, 2), 20)}, want: "[1]"},
		"cut before the end":     {files: files{"log.1": cut(logOf(t, 1, 2), 1)}, want: "[1]"},
		"wrong end":              {files: files{"log.1": bad(logOf(t, 1, 2), -1)}, want: "[1]"},
		"wrong byte":             {files: files{"log.1": bad(logOf(t, 1, 2), -2)}, reason: "at offset 65 (reading transaction log): an entry has the checksum"},
		"torn before more":       {files: files{"log.1": cut(logOf(t, 1, 2), 1), "log.3": logOf(t, 3)}, reason: "log.3 at offset 16 (reading transaction log): zxid 0x3 comes after 0x1: transactions in between are missing; d/version-2/log.1 ends at offset 65 with an entry that is cut off"},
		"torn, then again":       {files: files{"log.1": cut(logOf(t, 1, 2), 1), "log.2": logOf(t, 2)}, want: "[1 2]"},
		"gap behind a snapshot":  {files: files{"log.5": logOf(t, 5)}, after: 3, reason: "zxid 0x5 comes after 0x3"},
		"other files":            {files: files{"log": nil, "log.x": nil, "logs.1": nil, "log.-1": nil, "log.1.swp": logOf(t, 1)}, want: "[1]"},
		"negative length":        {files: files{"log.1": append(logOf(t), 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0)}, reason: "unreasonable length -1"},
		"length above the bound": {files: files{"log.1": append(logOf(t), 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0)}, reason: "unreasonable length 2147483647"},
	} {
		fs := vfs.NewMem()
		for n, b := range c.files {
			put(t, fs, "d/version-2/"+n, bytes.NewReader(b))
		}
		f := openFolder(t, fs, "d")
		list, err := zxids(f, c.after)
		if c.reason != "" {
			if err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		var got []int64
		for _, z := range list {
			got = append(got, int64(z))
		}
		if err != nil || fmt.Sprint(got) != c.want {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
}

// TestWrongFolders: with two folders, each kind of file is where it belongs.
func TestWrongFolders(t *testing.T) {
	fs := vfs.NewMem()
	put(t, fs, "d/version-2/snapshot.1", bytes.NewReader(nil))
	put(t, fs, "l/version-2/log.1", bytes.NewReader(nil))
	f, err := OpenFolder(fs, "d", "l")
	if err != nil || len(f.Snapshots) != 1 || len(f.Logs) != 1 {
		t.Errorf("%+v %v", f, err)
	}
	for _, dirs := range [][2]string{{"l", "d"}, {"x", "d"}, {"l", "x"}} {
		if _, err := OpenFolder(fs, dirs[0], dirs[1]); err == nil || !strings.Contains(err.Error(), "Java refuses that, too") {
			t.Errorf("%v: %v", dirs, err)
		}
	}
	put(t, fs, "sealed/version-2", strings.NewReader("a note"))
	if f, err := OpenFolder(fs, "sealed", ""); err != nil || !f.Empty() {
		t.Errorf("%+v %v", f, err)
	}
}

func TestLooksWhole(t *testing.T) {
	fs := vfs.NewMem()
	whole := golden(t, "snapshot.200000002")
	for name, want := range map[string]bool{
		"snapshot.200000002": true, "snapshot.200000002.gz": true, "snapshot.200000002.snappy": true, "half.snapshot.100000056": false, "bitflip.snapshot.100000056": true,
	} {
		put(t, fs, "d/version-2/"+name, bytes.NewReader(golden(t, name)))
		put(t, fs, "cut/version-2/"+name, bytes.NewReader(golden(t, name)[:1]))
		f := &Folder{FS: fs}
		for dir, want := range map[string]bool{"d": want, "cut": false} {
			path := dir + "/version-2/" + name
			info, err := fs.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if ok, err := f.LooksWhole(File{Path: path, Bytes: info.Size()}); err != nil || ok != want {
				t.Errorf("%s: %t %v", path, ok, err)
			}
		}
	}
	put(t, fs, "o/version-2/snapshot.9", bytes.NewReader(nil))
	put(t, fs, "o/version-2/snapshot.20.gz", bytes.NewReader(whole))
	put(t, fs, "o/version-2/snapshot.100", bytes.NewReader(whole))
	put(t, fs, "o/version-2/snapshot.zz", bytes.NewReader(whole))
	f := openFolder(t, fs, "o")
	if len(f.Snapshots) != 3 || f.Snapshots[0].Zxid != 0x100 || f.Snapshots[1].Zxid != 0x20 || f.Snapshots[2].Zxid != 9 {
		t.Errorf("%+v", f.Snapshots)
	}
}

func TestEpochs(t *testing.T) {
	const last = 3<<32 | 7
	for name, c := range map[string]struct {
		files    map[string]string
		want     [2]int64
		notes    int
		problems string
	}{
		"both":                 {files: map[string]string{"acceptedEpoch": "4", "currentEpoch": "3"}, want: [2]int64{4, 3}},
		"a line":               {files: map[string]string{"acceptedEpoch": "4\n", "currentEpoch": "3\r\nmore"}, want: [2]int64{4, 3}},
		"none":                 {want: [2]int64{3, 3}},
		"no acceptedEpoch":     {files: map[string]string{"currentEpoch": "3"}, want: [2]int64{3, 3}},
		"a crash":              {files: map[string]string{"acceptedEpoch": "3", "currentEpoch": "2"}, want: [2]int64{3, 3}, notes: 1},
		"a crash in a rename":  {files: map[string]string{"acceptedEpoch": "5", "currentEpoch": "2", "currentEpoch.tmp": "4"}, want: [2]int64{5, 4}, notes: 1},
		"an older tmp":         {files: map[string]string{"acceptedEpoch": "3", "currentEpoch": "2", "currentEpoch.tmp": "1"}, want: [2]int64{3, 3}, notes: 1},
		"a crash, both old":    {files: map[string]string{"acceptedEpoch": "2", "currentEpoch": "2"}, want: [2]int64{3, 3}, notes: 2},
		"a tmp not needed":     {files: map[string]string{"acceptedEpoch": "3", "currentEpoch": "3", "currentEpoch.tmp": ""}, want: [2]int64{3, 3}},
		"accepted is older":    {files: map[string]string{"acceptedEpoch": "3", "currentEpoch": "4"}, problems: "acceptedEpoch holds 3 and"},
		"no acceptedEpoch, >":  {files: map[string]string{"currentEpoch": "4"}, problems: "acceptedEpoch holds 3 and"},
		"a blank":              {files: map[string]string{"currentEpoch": "3 "}, problems: `currentEpoch: "3 " is not an epoch`},
		"empty":                {files: map[string]string{"acceptedEpoch": ""}, problems: `acceptedEpoch: "" is not an epoch`},
		"negative":             {files: map[string]string{"acceptedEpoch": "-1"}, problems: "is not an epoch"},
		"a bad tmp":            {files: map[string]string{"acceptedEpoch": "3", "currentEpoch": "2", "currentEpoch.tmp": "x"}, problems: "currentEpoch.tmp"},
		"longer than a number": {files: map[string]string{"acceptedEpoch": strings.Repeat("1", 1000)}, problems: "is not an epoch"},
	} {
		fs := vfs.NewMem()
		for n, text := range c.files {
			put(t, fs, "d/version-2/"+n, strings.NewReader(text))
		}
		e, err := openFolder(t, fs, "d").Epochs(last)
		if c.problems != "" {
			if err == nil || !strings.Contains(err.Error(), c.problems) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || [2]int64{e.Accepted, e.Current} != c.want || len(e.Notes) != c.notes {
			t.Errorf("%s: %+v %v", name, e, err)
		}
	}
}

func TestMyID(t *testing.T) {
	fs := vfs.NewMem()
	if _, ok, err := ReadMyID(fs, "none"); ok || err != nil {
		t.Error(ok, err)
	}
	put(t, fs, "d/myid", strings.NewReader(" 7 \nx"))
	if id, ok, err := ReadMyID(fs, "d"); id != 7 || !ok || err != nil {
		t.Error(id, ok, err)
	}
	put(t, fs, "bad/myid", strings.NewReader("seven"))
	if _, _, err := ReadMyID(fs, "bad"); err == nil {
		t.Error("a bad myid was read")
	}
}

func FuzzLogReader(f *testing.F) {
	f.Add(logOf(f, 1, 2, 3))
	f.Add(append(logOf(f, 1), make([]byte, 100)...))
	for _, name := range []string{"main/n1/data/version-2/log.100000026", "damaged/tail_bad_end_byte/version-2/log.200000002"} {
		f.Add(bytes.TrimRight(get(f, javaFiles(f), name), "\x00"))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewLogReader(bytes.NewReader(b), ReadOptions{Name: "log", BytesMax: 1 << 16})
		var ce *persistence.CorruptionError
		if err != nil {
			if !errors.As(err, &ce) {
				t.Fatal(err)
			}
			return
		}
		var again bytes.Buffer
		w, _ := NewLogWriter(&again)
		for {
			p, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				if !errors.As(err, &ce) || ce.Offset != r.Offset() {
					t.Fatal(err)
				}
				break
			}
			if len(p) > len(b) {
				t.Fatal("more than there is")
			}
			_ = w.Write(p)
		}
		// The head's version and dbid are not judged; the entries are the bytes that were read.
		if n := int(r.Offset()); n > len(b) || !bytes.Equal(again.Bytes()[16:], b[16:n]) {
			t.Fatalf("%d bytes read, written again they differ", n)
		}
	})
}

// FuzzFolder reads a folder whose log and epoch are anything.
func FuzzFolder(f *testing.F) {
	f.Add(logOf(f, 1, 2, 1<<32+1), []byte("1"))
	f.Add(get(f, javaFiles(f), "main/n1/data/version-2/log.100000026")[:2000], []byte("2\n"))
	f.Add([]byte("ZKLG"), []byte(" "))
	f.Fuzz(func(t *testing.T, log, epoch []byte) {
		fs := vfs.NewMem()
		put(t, fs, "d/version-2/log.1", bytes.NewReader(log))
		put(t, fs, "d/version-2/"+CurrentEpochFile, bytes.NewReader(epoch))
		folder := openFolder(t, fs, "d")
		last := jute.Zxid(0)
		err := folder.Entries(0, ReadOptions{BytesMax: 1 << 16}, func(p *jute.Proposal, _ []byte, _ Place) error {
			if !persistence.Follows(last, p.Header.Zxid) {
				t.Fatalf("%v after %v", p.Header.Zxid, last)
			}
			last = p.Header.Zxid
			return nil
		})
		var ce *persistence.CorruptionError
		if err != nil && !errors.As(err, &ce) {
			t.Fatal(err)
		}
		if e, err := folder.Epochs(last); err == nil && (e.Current < int64(last.Epoch()) || e.Accepted < e.Current) {
			t.Fatalf("epochs %+v at %v", e, last)
		}
	})
}
