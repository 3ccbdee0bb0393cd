// Package conf_test reads configurations of ensembles with Apache ZooKeeper's own reader and with this
// project's, and compares what came of them: taken or refused, alone or in an ensemble, role, client port and
// the list of servers.
package conf_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"zk/compat/harness"
	"zk/conf"
	"zk/quorum/verifier"
)

// sample is a zoo.cfg; DIR stands for the folder it is in, and the dataDir with myid.
type sample struct {
	name string
	text string
	myid string // "": no file
	// more are further files in DIR.
	more map[string]string
	// refused says why this project refuses what Java's reader takes: Java refuses it later, when the
	// server is made, or would do worse.
	refused string
	// taken says why this project takes what Java refuses.
	taken string
}

const (
	base   = "dataDir=DIR\nclientPort=2181\n"
	limits = "initLimit=5\nsyncLimit=2\n"
	three  = "server.1=127.0.0.1:1:2\nserver.2=127.0.0.1:3:4\nserver.3=127.0.0.1:5:6\n"
	voters = base + limits + three
)

func samples() []sample {
	return append([]sample{
		{name: "three", text: voters, myid: "1"},
		{name: "observer", text: voters + "server.4=127.0.0.1:7:8:observer\npeerType=observer\n", myid: "4"},
		{name: "observer by the list alone", text: voters + "server.4=127.0.0.1:7:8:observer\n", myid: "4"},
		{name: "peerType against the list", text: voters + "peerType=observer\n", myid: "3"},
		{name: "peerType unknown", text: voters + "peerType=voter\n", myid: "3"},
		{name: "two", text: base + limits + "server.1=127.0.0.1:1:2\nserver.2=127.0.0.1:3:4\n", myid: "1"},
		{name: "four", text: voters + "server.4=127.0.0.1:7:8\n", myid: "1"},
		{name: "one", text: base + "server.1=127.0.0.1:1:2\n", myid: "1"},
		{name: "one without myid", text: base + "server.1=127.0.0.1:1:2\n"},
		{name: "one, not standalone", text: base + limits + "standaloneEnabled=false\nserver.1=127.0.0.1:1:2\n", myid: "1"},
		{name: "one, not standalone, without limits", text: base + "standaloneEnabled=false\nserver.1=127.0.0.1:1:2\n", myid: "1"},
		{name: "one and an observer", text: base + limits + "server.1=127.0.0.1:1:2\nserver.2=127.0.0.1:3:4:observer\n", myid: "1"},
		{name: "one and an observer, not standalone", text: base + limits + "standaloneEnabled=false\nserver.1=127.0.0.1:1:2\nserver.2=127.0.0.1:3:4:observer\n", myid: "2"},
		{name: "observers alone", text: base + limits + "server.1=127.0.0.1:1:2:observer\nserver.2=127.0.0.1:3:4:observer\n", myid: "1"},
		{name: "nobody, not standalone", text: base + limits + "standaloneEnabled=false\n", myid: "1"},
		{name: "no initLimit", text: base + "syncLimit=2\n" + three, myid: "1"},
		{name: "no syncLimit", text: base + "initLimit=2\n" + three, myid: "1"},
		{name: "no myid", text: voters},
		{name: "myid is a word", text: voters, myid: "one"},
		{name: "myid is of nobody", text: voters, myid: "9", refused: "QuorumPeer.start ends with 'My id 9 not in the peer list'"},
		{name: "no clientPort", text: "dataDir=DIR\n" + limits + three, myid: "2"},
		{name: "clientPort of the lines", text: "dataDir=DIR\n" + limits + "server.1=127.0.0.1:1:2;7001\nserver.2=127.0.0.1:3:4;127.0.0.1:7002\nserver.3=127.0.0.1:5:6\n", myid: "2"},
		{name: "clientPort agrees", text: base + limits + "server.1=127.0.0.1:1:2;2181\nserver.2=127.0.0.1:3:4;7002\nserver.3=127.0.0.1:5:6\n", myid: "1"},
		{name: "clientPort contradicts", text: base + limits + "server.1=127.0.0.1:1:2;2182\nserver.2=127.0.0.1:3:4\nserver.3=127.0.0.1:5:6\n", myid: "1"},
		{name: "a server twice", text: voters + "server.1=127.0.0.1:7:8\n", myid: "1"},
		{name: "electionAlg 2", text: voters + "electionAlg=2\n", myid: "1"},
		{name: "two addresses, off", text: base + limits + "server.1=127.0.0.1:1:2|127.0.0.2:1:2\nserver.2=127.0.0.1:3:4\nserver.3=127.0.0.1:5:6\n", myid: "1"},
		{name: "SASL required but off", text: voters + "quorum.auth.learnerRequireSasl=true\n", myid: "1"},
		{name: "TLS between servers", text: voters + "sslQuorum=true\n", myid: "1", refused: "not in this version, and it promises security"},
		{name: "version", text: voters + "version=10000000a\n", myid: "1"},
		{name: "version is no number", text: voters + "version=xyz\n", myid: "1"},
		{
			name: "dynamic file", text: base + limits + "dynamicConfigFile=DIR/zoo.cfg.dynamic.100000003\n", myid: "2",
			more: map[string]string{"zoo.cfg.dynamic.100000003": three},
		},
		{
			name: "dynamic file and lines", text: voters + "dynamicConfigFile=DIR/zoo.cfg.dynamic\n", myid: "2",
			more: map[string]string{"zoo.cfg.dynamic": three},
		},
		{
			name: "dynamic file with a version", text: base + limits + "dynamicConfigFile=DIR/zoo.cfg.dynamic\n", myid: "2",
			more: map[string]string{"zoo.cfg.dynamic": three + "version=1\n"},
		},
		{
			name: "dynamic file with another key", text: base + limits + "dynamicConfigFile=DIR/zoo.cfg.dynamic\n", myid: "2",
			more: map[string]string{"zoo.cfg.dynamic": three + "tickTime=2000\n"},
		},
		{name: "groups", text: voters + "group.1=1:2\ngroup.2=3\n", myid: "1"},
		{name: "groups and weights", text: voters + "server.4=127.0.0.1:7:8:observer\ngroup.1=1:2\ngroup.2=3\nweight.1=2\nweight.3=0\n", myid: "1"},
		{name: "a server without group", text: voters + "group.1=1:2\n", myid: "1"},
		{name: "weights without groups", text: voters + "weight.1=2\n", myid: "1"},
		{name: "a server in two groups", text: voters + "group.1=1:2:3\ngroup.2=3\n", myid: "1"},
		{name: "a stranger in a group", text: voters + "group.1=1:2:3:9\n", myid: "1"},
		{name: "a stranger with weight in a group", text: voters + "group.1=1:2:3:9\nweight.9=1\n", myid: "1"},
		{name: "a group without servers", text: voters + "group.1=1:2:3\ngroup.2=\n", myid: "1"},
		{name: "a negative weight", text: voters + "group.1=1:2:3\nweight.1=-1\n", myid: "1", refused: "such a group has fewer votes than any of its servers"},
	}, lines()...)
}

// lines are forms of a server line.
func lines() (all []sample) {
	for value, s := range map[string]sample{
		"127.0.0.1:7:8:PARTICIPANT":        {},
		"127.0.0.1:7:8: observer ":         {},
		"127.0.0.1:7:8:boss":               {},
		"127.0.0.1:7:8:":                   {},
		"127.0.0.1:7:8;":                   {},
		"127.0.0.1:7:8;;":                  {},
		"127.0.0.1:7:8;9;10":               {},
		"127.0.0.1:7:8;127.0.0.1:9:10":     {},
		"127.0.0.1:7:8;x":                  {},
		"127.0.0.1:7:8;[::1]:9":            {},
		"127.0.0.1:7":                      {},
		"127.0.0.1":                        {},
		"127.0.0.1:7:7":                    {},
		"127.0.0.1:7:x":                    {},
		"127.0.0.1:7:65536":                {},
		"127.0.0.1:-7:8":                   {},
		"127.0.0.1:7:8:observer:9":         {},
		"[::1]:7:8":                        {},
		"[2001:db8::a00:1]:7:8:observer":   {},
		"[::ffff:10.0.0.1]:7:8":            {},
		"[::1:7:8":                         {},
		"[::1]:":                           {},
		"127.0.0.1: 7:8":                   {},
		"127.0.0.1:7:8 ":                   {taken: "a blank at the end of a line; it does no harm"},
		":7:8":                             {refused: "no host: Java takes the local one, which the others can't reach"},
		"127.0.0.1:+7:08":                  {},
		"127.0.0.1:7:8|127.0.0.2:7:8":      {},
		"127.0.0.1:7:8|":                   {},
		"127.0.0.1:7:8:observer;":          {},
		"127.0.0.1:7:8:participant;[::]:9": {},
	} {
		s.name, s.text, s.myid = fmt.Sprintf("line %q", value), voters+"server.4="+value+"\n", "1"
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b sample) int { return strings.Compare(a.name, b.name) })
	return all
}

// javaReads reads all folders below dir.
func javaReads(t *testing.T, dir string) map[string][]string {
	t.Helper()
	classes, err := harness.JavaClassPath()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", classes, "testdata/Read.java", dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	results := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		if len(f) > 2 {
			results[f[0]] = f[1:]
		}
	}
	return results
}

// TestAsJava holds each sample against Java; samples say where the two differ on purpose.
func TestAsJava(t *testing.T) {
	if os.Getenv(harness.EnableEnv) != "1" {
		t.Skipf("set %s=1 to compare with Apache ZooKeeper", harness.EnableEnv)
	}
	dir := t.TempDir()
	all := samples()
	for i, s := range all {
		folder := filepath.Join(dir, fmt.Sprint("case", i))
		files := map[string]string{"zoo.cfg": strings.ReplaceAll(s.text, "DIR", folder)}
		if s.myid != "" {
			files["myid"] = s.myid + "\n"
		}
		for name, text := range s.more {
			files[name] = text
		}
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	java := javaReads(t, dir)
	for i, s := range all {
		name := fmt.Sprint("case", i)
		theirs, ok := java[name]
		if !ok {
			t.Fatalf("%s: Java says nothing", s.name)
		}
		ours, err := conf.Load(filepath.Join(dir, name, "zoo.cfg"), conf.Options{})
		compare(t, s, theirs, ours, err)
	}
}

func compare(t *testing.T, s sample, theirs []string, ours *conf.Config, err error) {
	t.Helper()
	taken := theirs[0] == "ok"
	switch {
	case s.refused != "":
		if !taken || err == nil {
			t.Errorf("%s: Java %v, here %v; expected is that only Java takes it", s.name, theirs, err)
		}
		return
	case s.taken != "":
		if taken || err != nil {
			t.Errorf("%s: Java %v, here %v; expected is that only Java refuses it", s.name, theirs, err)
		}
		return
	case taken != (err == nil):
		t.Errorf("%s: Java %v, here %v", s.name, theirs, err)
		return
	case !taken:
		return
	}
	if got := []string{strconv.FormatBool(ours.Distributed()), strings.ToUpper(ours.PeerType), strconv.Itoa(ours.ClientPort)}; strings.Join(got, " ") != strings.Join(theirs[1:4], " ") {
		t.Errorf("%s: Java %v, here %v", s.name, theirs[1:4], got)
	}
	members, err := verifier.Parse(strings.ReplaceAll(theirs[4], " ", "\n"))
	if err != nil {
		t.Errorf("%s: Java's list %q: %v", s.name, theirs[4], err)
		return
	}
	if members.String() != ours.Members.String() {
		t.Errorf("%s: Java's list\n%v\nhere\n%v", s.name, members, ours.Members)
	}
}
