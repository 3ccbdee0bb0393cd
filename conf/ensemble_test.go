package conf

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"zk/jute"
)

const (
	limits = "initLimit=5\nsyncLimit=2\n"
	three  = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\n"
)

func parseEnsemble(text, myid string) (*Config, error) {
	disk := map[string]string{}
	if myid != "" {
		disk["/data/myid"] = myid
	}
	return Parse("zoo.cfg", []byte(text), Options{ReadFile: files(disk)})
}

// TestEnsembles has ensembles as real Java 3.9.5 takes them (QuorumPeerConfig was run on each).
func TestEnsembles(t *testing.T) {
	for _, tt := range []struct {
		name, text, myid string
		distributed      bool
		role             string
		members          string // the text of the list, lines joined by blanks
		clientPort       int
		warnings         []string // starts of their texts
	}{
		{
			"three", base + limits + three, "1", true, "participant",
			"server.1=a:1:2:participant server.2=b:1:2:participant server.3=c:1:2:participant version=0", 2181, nil,
		},
		{
			"an observer", base + limits + three + "server.4=d:1:2:observer\npeerType=observer\n", "4", true, "observer",
			"server.1=a:1:2:participant server.2=b:1:2:participant server.3=c:1:2:participant server.4=d:1:2:observer version=0", 2181, nil,
		},
		{
			"the list says observer", base + limits + three + "server.4=d:1:2:observer\n", "4", true, "observer",
			"server.1=a:1:2:participant server.2=b:1:2:participant server.3=c:1:2:participant server.4=d:1:2:observer version=0", 2181, nil,
		},
		{
			"peerType differs", base + limits + three + "peerType=observer\n", "3", true, "participant",
			"server.1=a:1:2:participant server.2=b:1:2:participant server.3=c:1:2:participant version=0", 2181, []string{"is observer, but"},
		},
		{
			"two", base + limits + "server.1=a:1:2\nserver.2=b:1:2\n", "1", true, "participant",
			"server.1=a:1:2:participant server.2=b:1:2:participant version=0", 2181, []string{"with 2 participants no server may fail"},
		},
		{
			"four", base + limits + three + "server.4=d:1:2\n", "1", true, "participant",
			"server.1=a:1:2:participant server.2=b:1:2:participant server.3=c:1:2:participant server.4=d:1:2:participant version=0", 2181,
			[]string{"4 participants bear no more failures than 3"},
		},
		{
			"one, with an observer", base + limits + "standaloneEnabled=false\nserver.1=a:1:2\nserver.2=b:1:2:observer\n", "2", true, "observer",
			"server.1=a:1:2:participant server.2=b:1:2:observer version=0", 2181, []string{"with 1 participants no server may fail"},
		},
		{"one alone", base + "server.1=a:1:2\n", "1", false, "participant", "server.1=a:1:2:participant version=0", 2181, nil},
		{
			"groups and weights",
			base + limits + three + "server.4=d:1:2:observer\ngroup.1=1:2\ngroup.2=3\nweight.1=2\nversion=1f\n", "1", true, "participant",
			"server.1=a:1:2:participant server.2=b:1:2:participant server.3=c:1:2:participant server.4=d:1:2:observer " +
				"group.1=1:2 group.2=3 weight.1=2 weight.2=1 weight.3=1 version=1f", 2181, nil,
		},
		{
			"the port of the own line", "dataDir=/data\n" + limits + "server.1=a:1:2;7\nserver.2=b:1:2;10.0.0.2:8\nserver.3=[::1]:1:2;[::1]:9\n", "2", true, "participant",
			"server.1=a:1:2:participant;0.0.0.0:7 server.2=b:1:2:participant;10.0.0.2:8 server.3=[0:0:0:0:0:0:0:1]:1:2:participant;[0:0:0:0:0:0:0:1]:9 version=0", 8, nil,
		},
		{
			"no port for clients", "dataDir=/data\n" + limits + three, "2", true, "participant",
			"server.1=a:1:2:participant server.2=b:1:2:participant server.3=c:1:2:participant version=0", -1, []string{"is not set: no client can connect"},
		},
		{
			"several addresses", base + limits + "multiAddress.enabled=true\nserver.1=a:1:2|b:3:4\nserver.2=b:1:2\nserver.3=c:1:2\n", "1", true, "participant",
			"server.1=a:1:2|b:3:4:participant server.2=b:1:2:participant server.3=c:1:2:participant version=0", 2181, nil,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := parseEnsemble(tt.text, tt.myid)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.ReplaceAll(c.Members.String(), "\n", " "); got != tt.members {
				t.Errorf("members %s", got)
			}
			if c.Distributed() != tt.distributed || c.PeerType != tt.role || c.ClientPort != tt.clientPort {
				t.Errorf("distributed %v, %s, client port %d", c.Distributed(), c.PeerType, c.ClientPort)
			}
			if !slices.EqualFunc(c.Warnings, tt.warnings, func(n Note, start string) bool { return strings.HasPrefix(n.Text, start) }) {
				t.Errorf("warnings %v", c.Warnings)
			}
		})
	}
}

// TestEnsemblesRefused has what real Java 3.9.5 refuses as well.
func TestEnsemblesRefused(t *testing.T) {
	for _, tt := range []struct {
		text, myid, key, want string
	}{
		{base + "syncLimit=2\n" + three, "1", "initLimit", "is not set"},
		{base + "initLimit=2\n" + three, "1", "syncLimit", "is not set"},
		{base + limits + three, "", "myid", "is missing"},
		{base + limits + three, "x", "myid", "whole number"},
		{base + limits + three, "4", "myid", "there is no line server.4"},
		{base + limits + "server.1=a:1:2:observer\nserver.2=b:1:2:observer\n", "1", "server.1", "no participant"},
		{base + limits + "server.1=a:1:2:observer\n", "1", "server.1", "no participant"},
		{base + limits + "server.1=a:1:2\nserver.2=b:1:2:observer\n", "1", "server.1", "can't have observers"},
		{base + "standaloneEnabled=false\n", "1", "standaloneEnabled", "must be true without server.N lines"},
		{base + "standaloneEnabled=false\nserver.1=a:1:2\n", "1", "initLimit", "is not set"},
		{base + limits + three + "server.4=d:1\n", "1", "server.4", "must have the form"},
		{base + limits + three + "group.1=1:2\n", "1", "server.1", "server 3 is not in a group"},
		{base + limits + three + "weight.1=2\n", "1", "server.1", "server 1 is not in a group"},
		{base + limits + three + "group.1=1:2:3\ngroup.2=3\n", "1", "server.1", "several groups"},
		{base + limits + three + "group.1=1:2:3:9\n", "1", "server.1", "no weight"},
		{base + limits + "server.1=a:1:2;7\nserver.2=b:1:2\nserver.3=c:1:2\n", "1", "clientPort", "contradicts"},
		{base + limits + three + "sslQuorum=true\n", "1", "sslQuorum", "is not supported"},
		{base + limits + three + "portUnification=true\n", "1", "portUnification", "is not supported"},
		{base + limits + three + "quorum.auth.enableSasl=true\n", "1", "quorum.auth.enableSasl", "not supported"},
		{base + limits + three + "quorum.auth.learnerRequireSasl=true\n", "1", "quorum.auth.learnerRequireSasl", "not supported"},
	} {
		_, err := parseEnsemble(tt.text, tt.myid)
		var errs Errors
		if !errors.As(err, &errs) || !slices.ContainsFunc(errs, func(e *Error) bool { return e.Key == tt.key && strings.Contains(e.Want, tt.want) }) {
			t.Errorf("%q, myid %q: %v, want %s: %s", tt.text, tt.myid, err, tt.key, tt.want)
		}
	}
}

// TestEnsembleDynamicFile reads the list and its version from the other file.
func TestEnsembleDynamicFile(t *testing.T) {
	disk := map[string]string{"/data/myid": "3", "/c/zoo.cfg.dynamic.100000002": three}
	text := base + limits + "dynamicConfigFile=/c/zoo.cfg.dynamic.100000002\nreconfigEnabled=true\n"
	c, err := Parse("zoo.cfg", []byte(text), Options{ReadFile: files(disk)})
	if err != nil || c.Members.Version() != 1<<32+2 || !c.Members.IsVoter(jute.ServerID(c.ServerID)) || !c.Distributed() {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestEnsembleWithout has what this version accepts and answers as if it were off.
func TestEnsembleWithout(t *testing.T) {
	off := "reconfigEnabled=true\nobserverMasterPort=2191\nlocalSessionsEnabled=true\nlocalSessionsUpgradingEnabled=true\n"
	text := base + limits + three + off
	c, err := Parse("zoo.cfg", []byte(text), Options{
		ReadFile:   files(map[string]string{"/data/myid": "1"}),
		Properties: []Property{{Name: "readonlymode.enabled", Value: "true"}},
	})
	if err != nil || len(c.Warnings) > 0 || c.ReconfigEnabled || c.ReadonlyModeEnabled {
		t.Fatalf("%+v, %v", c, err)
	}
	for _, name := range []string{"reconfigEnabled", "observerMasterPort", "localSessionsEnabled", "localSessionsUpgradingEnabled", "readonlymode.enabled"} {
		if !slices.ContainsFunc(c.Notes, func(n Note) bool { return n.Key == name && strings.Contains(n.Text, "no effect") }) {
			t.Errorf("%s is not noted: %v", name, c.Notes)
		}
	}
	alone, err := parseEnsemble(base+"reconfigEnabled=true\n", "")
	if err != nil || !alone.ReconfigEnabled || alone.Distributed() {
		t.Errorf("a server alone: %+v, %v", alone, err)
	}
}
