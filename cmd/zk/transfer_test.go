package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTransfer imports a folder of Java's and exports it again, by command lines.
func TestTransfer(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	java := filepath.Join(data, "version-2")
	b, err := os.ReadFile(filepath.Join("..", "..", "persistence", "javafile", "testdata", "snapshot.200000002"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(java, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(java, "snapshot.200000002"), b, 0o644); err != nil {
		t.Fatal(err)
	}
	cfg := filepath.Join(dir, "zoo.cfg")
	if err := os.WriteFile(cfg, []byte("clientPort=0\ndataDir="+data+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	ttl := "-Dzookeeper.extendedTypesEnabled=true"
	r := newRig(t)
	for _, c := range []struct {
		args           string
		code           int
		stdout, stderr string
	}{
		{"import", exitInvocation, "", "Usage: zk import [flags] zoo.cfg"},
		{"export " + cfg + ".none", exitInvocation, "", "Invalid config"},
		{"export " + ttl + " " + cfg, exitDataDir, "", "there is no store of this program"},
		{"import " + cfg, exitDataDir, "", "zookeeper.extendedTypesEnabled=true"},
		{"import " + ttl + " " + cfg, exitDone, "imported up to zxid 0x200000002: 55 znodes, 1 sessions\n", "msg=imported"},
		{"import " + ttl + " " + cfg, exitDataDir, "", "neither a snapshot nor a transaction log"},
		{"export " + cfg + " --copy --to " + filepath.Join(dir, "copy") + " " + ttl, exitDone, "snapshot: " + filepath.Join(dir, "copy", "version-2", "snapshot.200000002"), ""},
		{"export " + ttl + " " + cfg, exitDone, "exported up to zxid 0x200000002: 55 znodes\n", ""},
		{"export " + ttl + " " + cfg, exitDataDir, "", "it was done already, to " + data},
		{"import " + ttl + " " + cfg, exitDone, "Java's files are now in: " + java + ".java.2\n", ""},
	} {
		code, stdout, stderr := r.run(context.Background(), strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) || (stdout == "") != (c.stdout == "") {
			t.Errorf("zk %s: code %d\n%s%s", c.args, code, stdout, stderr)
		}
	}
}
