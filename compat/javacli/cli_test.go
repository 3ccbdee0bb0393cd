package javacli

import (
	"slices"
	"strings"
	"testing"

	"zk/compat/control"
	"zk/compat/harness"
)

// script is a run of commands in one shell. Later scripts find what earlier
// ones left.
type script struct {
	name     string
	commands []string
}

func scripts() []script {
	return []script{
		{"create", []string{
			"create /a", "create /a/b data", "create /a/c \"two words\"", "create /a", "create /none/x", "create relative",
			"create -s /a/seq- 1", "create -s /a/seq- 2", "create -e /a/eph e", "create -e -s /a/eph- e", "create -c /a/container",
			"create -t 600000 /a/ttl t", "create -t 600000 -s /a/ttl- t", "create -t 600000 -e /a/x t", "create -t 0 /a/x t",
			"create -t -1 /a/x t", "create /a/eph/child", "create /a/container/child", "create -c -s /a/x", "create",
			"create /a/acl d world:anyone:r", "create /a/acl2 d ip:127.0.0.1:cdrwa", "create /a/bad d nonsense", "create /a/bad d world:anyone:q",
			"create /a/bad d sasl", "create /a/bad d auth::r", "create /zookeeper/x", "create /a/", "create //", "create /a/./b",
		}},
		{"ls, stat, get", []string{
			"ls /", "ls /a", "ls -s /a", "ls -R /", "ls -R /a", "ls /none", "ls", "ls a", "ls -x /", "ls / true",
			"stat /a", "stat /a/eph", "stat /a/ttl", "stat /a/container", "stat /none", "stat /", "stat /zookeeper", "stat /zookeeper/quota", "stat",
			"get /a", "get /a/b", "get -s /a/c", "get -b /a/b", "get -x /a/c", "get /none", "get /a/acl", "get /a/b true",
			"getAllChildrenNumber /", "getAllChildrenNumber /a", "getAllChildrenNumber /none", "getAllChildrenNumber",
			"getEphemerals /a/eph-", "getEphemerals /b", "config", "config -s", "get /zookeeper/config", "sync /", "sync /none", "sync",
			"version", "whoami",
		}},
		{"set, delete", []string{
			"set /a x", "set -s /a y", "set -v 1 /a z", "set -v 2 /a z", "set -v 2 /a z", "set /none x", "set /a", "set -b /a eno=", "get /a", "set /a/acl d",
			"set /zookeeper/config x", "delete /a", "delete -v 7 /a/b", "delete -v 0 /a/b", "delete /none", "delete /", "delete /zookeeper", "delete",
			"deleteall /a/container", "ls /a", "create /tree", "create /tree/1", "create /tree/1/2", "create /tree/3", "ls -R /tree", "deleteall /tree -b 2",
			"ls /tree", "deleteall /none", "deleteall", "rmr /a/c",
		}},
		{"watches", []string{
			"create /w", "create /w/x 1", "get -w /w/x", "set /w/x 2", "set /w/x 3", "stat -w /w/x", "ls -w /w", "create /w/y", "delete /w/x", "stat -w /w/later",
			"create /w/later", "get -w /w/none", "addWatch /w", "set /w 1", "create /w/z", "set /w/z 1", "delete /w/z", "addWatch -m PERSISTENT /w/y",
			"set /w/y 1", "set /w/y 2", "addWatch -m NONE /w", "addWatch", "ls -R -w /w", "create /w/y/deep", "delete /w/y/deep",
			"removewatches /w/y -d", "set /w/y 3", "removewatches /w/y", "set /w/y 4", "removewatches /w", "set /w 2", "removewatches /w",
			"removewatches /none -c", "removewatches /w -l", "removewatches", "get -w /w", "set /w 3", "config -w",
		}},
		{"acls", []string{
			"getAcl /", "getAcl -s /a", "getAcl /none", "getAcl", "create /acl", "create /acl/x", "setAcl /acl world:anyone:cdra", "getAcl /acl", "get /acl", "set /acl 1",
			"setAcl -s -v 5 /acl world:anyone:cdrwa", "setAcl -s -v 1 /acl world:anyone:cdrwa", "setAcl -R /acl ip:127.0.0.1:cdrwa,world:anyone:r", "getAcl /acl/x",
			"setAcl /acl auth::cdrwa", "setAcl /acl digest:nocolon:r", "setAcl /acl ip:300.0.0.1:r", "setAcl /acl ip:10.0.0.0/8:r", "getAcl /acl", "set /acl 1", "ls /acl", "setAcl /acl",
			"addauth", "addauth digest joe:secret", "whoami", "create /mine m auth::cdrwa", "getAcl /mine", "getAcl -s /mine", "create /joes m digest:joe:x:r", "getAcl /joes",
			"setAcl /mine digest:joe:9lpJUJF7FSjOKmL5Ov0u7Jm2e+E=:cdrwa,world:anyone:c", "getAcl /mine",
			"connect", "whoami", "get /mine", "set /mine x", "getAcl /mine", "create /mine/x", "delete /mine", "delete /joes", "ls /mine", "stat /mine", "deleteall /mine", "get /joes",
			"addauth digest super:" + control.SuperPassword, "whoami", "get /mine", "getAcl /mine", "set /zookeeper/config x", "reconfig -remove 3", "reconfig -add server.5=h:1:2;3", "reconfig", "getAcl /acl",
			"deleteall /mine", "deleteall /acl", "connect",
		}},
		{"quotas", []string{
			"create /q", "create /q/x 12345", "listquota /q", "delquota /q", "setquota -n 10 /q", "listquota /q", "setquota -b 100 /q", "listquota /q", "setquota -N 4 /q",
			"setquota -B 20 /q", "listquota /q", "create /q/y 1234567890123456", "create /q/y 1", "create /q/z", "create /q/zz", "set /q/z 1234567890123456", "listquota /q",
			"setquota -n 0 /q", "setquota -b x /q", "setquota /q", "setquota -n 3 /none", "setquota -n 3 /zookeeper/quota", "setquota -n 3 /q/x", "setquota -n 3 /",
			"delquota -n /q", "listquota /q", "delquota -N /q", "delquota -B /q", "delquota -b /q", "listquota /q", "set /q/z 1234567890123456", "delquota /q", "listquota /q",
			"ls -R /zookeeper", "delquota", "listquota", "setquota -N 1 /q", "deleteall /q", "ls -R /zookeeper", "listquota /q",
		}},
		{"history, redo, unknown", []string{
			"create /h", "create -s /h/n-", "history", "redo 0", "redo 999", "redo", "no-such-command", "ls /h", "close", "ls /", "connect", "ls /", "ls -R /",
		}},
	}
}

// TestShell runs all scripts in one shell per server.
func TestShell(t *testing.T) {
	control.Need(t)
	ours := transcripts(t, control.StartKind(t, control.Kind()))
	java := transcripts(t, control.StartKind(t, harness.Java))
	for i, s := range scripts() {
		t.Run(s.name, func(t *testing.T) { compare(t, ours[i], java[i]) })
	}
}

// barrier is a znode whose watch event says that all events before it have
// been printed.
const barrier = "/barrier"

// transcripts runs the scripts and returns, for each, what a user saw, and the
// watch events after it. What is printed between two commands and what comes by
// watches is in no order.
func transcripts(t *testing.T, rig *control.Rig) [][]string {
	t.Helper()
	s := startShell(t, rig)
	s.run("create " + barrier)
	var all [][]string
	for _, script := range scripts() {
		var transcript []string
		for _, command := range script.commands {
			printed := normalized(s.run(command))
			if command == "whoami" {
				slices.Sort(printed) // a set in no order
			}
			transcript = append(append(transcript, "> "+command), printed...)
		}
		all = append(all, append(transcript, normalized(s.drain())...))
	}
	for _, transcript := range all {
		t.Logf("%v:\n%s", rig.Server.Kind, strings.Join(transcript, "\n"))
	}
	return all
}

// drain returns the events since the last call, once all have been printed.
func (s *shell) drain() []string {
	s.t.Helper()
	s.run("get -w " + barrier)
	s.run("set " + barrier + " x")
	s.await("the barrier's event", func() bool {
		return slices.ContainsFunc(s.events, func(e string) bool { return strings.Contains(e, "path:"+barrier) })
	})
	// A closed client says so in a thread of its own.
	events := slices.DeleteFunc(s.events, func(e string) bool { return strings.Contains(e, "state:Closed") })
	s.events = nil
	// The client tells of the watches that one command removes in no order.
	removed := func(e string) bool { return strings.Contains(e, "WatchRemoved") }
	for i := 0; i < len(events); i++ {
		end := i
		for end < len(events) && removed(events[end]) {
			end++
		}
		slices.Sort(events[i:end])
		i = max(i, end-1)
	}
	return events
}

// TestOneCommand runs the program for one command, as scripts do.
func TestOneCommand(t *testing.T) {
	control.Need(t)
	rigs := []*control.Rig{control.StartKind(t, control.Kind()), control.StartKind(t, harness.Java)}
	for _, line := range []string{"create /a data", "get -s /a", "ls /none", "delete -v 7 /a", "set /a"} {
		t.Run(line, func(t *testing.T) {
			var seen [2][]string
			for i, rig := range rigs {
				seen[i] = normalized(once(t, rig, strings.Fields(line)...))
			}
			compare(t, seen[0], seen[1])
		})
	}
}

func compare(t *testing.T, got, want []string) {
	t.Helper()
	command := ""
	for i := range max(len(got), len(want)) {
		g, w := at(got, i), at(want, i)
		if strings.HasPrefix(w, "> ") {
			command = w
		}
		if g != w {
			t.Errorf("line %d, in %q:\n got %s\nwant %s", i, command, g, w)
			if strings.HasPrefix(g, "> ") || strings.HasPrefix(w, "> ") {
				t.Fatalf("out of step:\n%s\n\nwanted:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(nothing)"
}
