package admin

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"zk/jute"
)

// operations is what one client does whose lines are compared.
func (c *client) operations() {
	acl := jute.ACL{Perms: jute.PermRead, ID: jute.ID{Scheme: "ip", ID: "127.0.0.1"}}
	bogus := jute.ACL{Perms: jute.PermAll, ID: jute.ID{Scheme: "bogus", ID: "x"}}
	for _, p := range []part{
		{jute.OpCreate, create(jute.OpCreate, "/au", "1", 0, open())},
		{jute.OpCreate, create(jute.OpCreate, "/au", "1", 0, open())},
		{jute.OpCreate2, create(jute.OpCreate2, "/au/s-", "1", jute.FlagSequential, open())},
		{jute.OpCreate, create(jute.OpCreate, "/au/e", "1", jute.FlagEphemeral, open())},
		{jute.OpCreate2, create(jute.OpCreate2, "/au/es-", "1", jute.FlagEphemeralSequential, open())},
		{jute.OpCreate, create(jute.OpCreate, "/none/x", "1", 0, open())},
		{jute.OpCreate, create(jute.OpCreate, "/none/s-", "1", jute.FlagSequential, open())},
		{jute.OpCreate, create(jute.OpCreate, "/au/flags", "1", 77, open())},
		{jute.OpCreate, create(jute.OpCreate, "/au/acl", "1", 0, []jute.ACL{bogus})},
		{jute.OpCreate, create(jute.OpCreate, "relative", "1", 0, open())},
		{jute.OpCreateTTL, create(jute.OpCreateTTL, "/au/ttl", "", jute.FlagTTL, open())},
		{jute.OpCreateTTL, create(jute.OpCreateTTL, "/au/ttls-", "", jute.FlagPersistentSeqTTL, open())},
		{jute.OpCreateContainer, create(jute.OpCreateContainer, "/au/c", "", jute.FlagContainer, open())},
		{jute.OpSetData, setData("/au", "2", -1)},
		{jute.OpSetData, setData("/au", "2", 77)},
		{jute.OpSetData, setData("/none", "2", -1)},
		{jute.OpDelete, remove("/au/s-0000000000", -1)},
		{jute.OpDelete, remove("/au", -1)},
		{jute.OpDelete, remove("/none", -1)},
		{jute.OpDelete, remove("/", -1)},
		{jute.OpSetACL, setACL("/au", -1, open()[0], acl)},
		{jute.OpSetACL, setACL("/au", 77, acl)},
		{jute.OpSetACL, setACL("/au", -1, bogus)},
		{jute.OpSetACL, setACL("/none", -1, jute.ACL{Perms: 0x7fffffff, ID: acl.ID})},
		{jute.OpMulti, multi(
			part{jute.OpCreate, create(jute.OpCreate, "/au/m", "", 0, open())},
			part{jute.OpCreate, create(jute.OpCreate, "/au/m/s-", "", jute.FlagSequential, open())},
			part{jute.OpCreate2, create(jute.OpCreate2, "/au/m/e", "", jute.FlagEphemeral, open())},
			part{jute.OpCreateTTL, create(jute.OpCreateTTL, "/au/m/ttl", "", jute.FlagTTL, open())},
			part{jute.OpCreateContainer, create(jute.OpCreateContainer, "/au/m/c", "", jute.FlagContainer, open())},
			part{jute.OpSetData, setData("/au", "3", -1)},
			part{jute.OpCheck, remove("/au", -1)},
			part{jute.OpDelete, remove("/au/m/e", -1)})},
		{jute.OpMulti, multi(part{jute.OpCreate, create(jute.OpCreate, "/au/n", "", 0, open())}, part{jute.OpDelete, remove("/none", -1)})},
		{jute.OpMulti, multi(part{jute.OpCheck, remove("/au", 99)})},
		{jute.OpMulti, multi()},
		{jute.OpSync, jute.AppendString(nil, "/")},
		{jute.OpGetData, read("/au", false)},
		{jute.OpReconfig, jute.AppendInt64(jute.AppendString(jute.AppendString(jute.AppendString(nil, ""), ""), ""), -1)},
		{jute.OpCreate, create(jute.OpCreate, "/au/secret", "", 0, []jute.ACL{{Perms: jute.PermAll, ID: jute.ID{Scheme: "auth"}}})},
	} {
		c.do(p.op, p.body)
	}
}

// compareAudit does the same on both servers and compares the lines. In ours control characters are
// escaped; nothing of the script has any.
func compareAudit(t *testing.T, both [2]*server) {
	var lines [2][]string
	for i, s := range both {
		bob, nobody := s.connect(), s.connect()
		bob.ok(jute.OpAuth, digest("bob:pw"))
		bob.operations()
		for _, p := range []part{
			{jute.OpSetData, setData("/au/secret", "x", -1)},
			{jute.OpSetACL, setACL("/au/secret", -1, open()...)},
			{jute.OpCreate, create(jute.OpCreate, "/au/secret/x", "", 0, open())},
			{jute.OpDelete, remove("/au/secret", -1)},
		} {
			nobody.do(p.op, p.body)
		}
		bob.ok(jute.OpCloseSession, nil)
		nobody.ok(jute.OpCloseSession, nil)
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		lines[i] = s.auditLines()
	}
	if len(lines[0]) < 60 {
		t.Fatalf("Java wrote %d lines only", len(lines[0]))
	}
	if a, b := strings.Join(lines[0], "\n"), strings.Join(lines[1], "\n"); a != b {
		for i := range max(len(lines[0]), len(lines[1])) {
			if i >= len(lines[0]) || i >= len(lines[1]) || lines[0][i] != lines[1][i] {
				t.Fatalf("line %d differs\nJava %q\nours %q", i, lines[0][i:min(i+3, len(lines[0]))], lines[1][i:min(i+3, len(lines[1]))])
			}
		}
	}
}

// auditLines are the lines of a server, with names for its sessions. Java's logger writes them among
// others; it has identities, and the ephemerals of a session, in the order of a hash table.
func (s *server) auditLines() []string {
	s.t.Helper()
	text := s.Log(1 << 20)
	if raw, err := os.ReadFile(s.audit); err == nil {
		text = string(raw)
	}
	for i, c := range s.clients {
		text = strings.ReplaceAll(text, fmt.Sprintf("0x%x\t", uint64(c.sid)), fmt.Sprintf("session-%d\t", i))
	}
	users := regexp.MustCompile(`user=([^\t]*)\t`)
	var list []string
	for line := range strings.SplitSeq(text, "\n") {
		level, line, found := strings.Cut(line, "Slf4jAuditLogger")
		if !found {
			continue
		}
		line = users.ReplaceAllStringFunc(strings.TrimLeft(line, ": "), func(m string) string {
			names := strings.Split(strings.TrimSuffix(strings.TrimPrefix(m, "user="), "\t"), ",")
			slices.Sort(names)
			return "user=" + strings.Join(names, ",") + "\t"
		})
		if strings.Contains(level, "ERROR") {
			line = "ERROR " + line
		}
		list = append(list, line)
	}
	const end = "operation=ephemeralZNodeDeletionOnSessionCloseOrExpire"
	for i := 0; i < len(list); i++ {
		j := i
		for j < len(list) && strings.Contains(list[j], end) {
			j++
		}
		slices.Sort(list[i:j])
		i = max(i, j)
	}
	return list
}
