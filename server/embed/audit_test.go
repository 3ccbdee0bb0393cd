package embed_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zk/jute"
)

// TestAudit: every change has its line, in the order of the commits, and the end of a session too.
func TestAudit(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.log")
	r := start(t, "audit.enable=true", "zk.audit.file="+file)
	c := r.connect()
	c.ok(jute.OpCreate, create("/a", "x", 0))
	c.call(jute.OpCreate, create("/a", "x", 0))
	c.ok(jute.OpCreate, create("/a/e-", "x", jute.FlagEphemeralSequential))
	c.call(jute.OpDelete, remove("/none"))
	c.ok(jute.OpMulti, multi(part{jute.OpSetData, setData("/a", "y", -1)}, part{jute.OpCreate, create("/b", "", 0)}, part{jute.OpDelete, remove("/b")}))
	c.call(jute.OpMulti, multi(part{jute.OpCreate, create("/b", "", 0)}, part{jute.OpDelete, remove("/none")}))
	c.ok(jute.OpGetData, read("/a", false))
	c.fill("/many", 600)
	c.ok(jute.OpCloseSession, nil)
	await(t, "the session has ended", func() bool { return strings.Contains(r.word("mntr"), "zk_ephemerals_count\t0\n") })
	r.close()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSpace(string(text)), "\n")
	who := fmt.Sprintf("session=%s\tuser=127.0.0.1\tip=127.0.0.1\t", c.sid)
	user, _, _ := strings.Cut(strings.SplitN(got[0], "user=", 2)[1], "\t")
	want := []string{
		"user=" + user + "\toperation=serverStart\tresult=success",
		who + "operation=create\tznode=/a\tznode_type=persistent\tresult=success",
		who + "operation=create\tznode=/a\tznode_type=persistent\tresult=failure",
		who + "operation=create\tznode=/a/e-0000000000\tznode_type=ephemeral_sequential\tresult=success",
		who + "operation=delete\tznode=/none\tresult=failure",
		who + "operation=setData\tznode=/a\tresult=success",
		who + "operation=create\tznode=/b\tznode_type=persistent\tresult=success",
		who + "operation=delete\tznode=/b\tresult=success",
		who + "operation=multiOperation\tresult=failure",
		who + "operation=create\tznode=/many\tznode_type=persistent\tresult=success",
	}
	for i := range 600 {
		want = append(want, fmt.Sprintf("%soperation=create\tznode=/many/n%06d\tznode_type=persistent\tresult=success", who, i))
	}
	want = append(want,
		fmt.Sprintf("session=%s\tuser=%s\toperation=ephemeralZNodeDeletionOnSessionCloseOrExpire\tznode=/a/e-0000000000\tresult=success", c.sid, user),
		"user="+user+"\toperation=serverStop\tresult=invoked")
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d", len(got), len(want))
	}
	for i, w := range want {
		if _, line, _ := strings.Cut(got[i], "Logger: "); line != w {
			t.Errorf("line %d: %q\nwant %q", i, line, w)
		}
	}
}
