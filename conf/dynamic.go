package conf

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"zk/jute"
	"zk/quorum/verifier"
)

// resolveServers reads the server, group and weight lines, from the file or from the dynamic file it names, and
// decides whether this is a standalone server or one of an ensemble
// (QuorumPeerConfig.parseDynamicConfig, setupPeerType, checkValidity).
func (l *loader) resolveServers() {
	c := l.cfg
	servers := l.table.find("server.1")
	rows := []*key{servers, l.table.find("group.1"), l.table.find("weight.1")}
	if c.DynamicConfigFile != "" {
		for _, k := range rows {
			for _, s := range l.family[k] {
				l.fail(k, s, "must be in the file that dynamicConfigFile names, not in this one")
			}
			delete(l.family, k)
		}
		l.readDynamic()
	}
	var b verifier.Builder
	ok := true
	for _, k := range rows {
		for _, s := range l.family[k] {
			if err := b.Add(s.name, s.value, c.MultiAddressEnabled); err != nil {
				l.fail(k, s, err.Error())
				ok = false
			}
		}
	}
	lines := l.family[servers]
	if !ok || len(lines) == 0 {
		if ok && !c.StandaloneEnabled {
			l.failKey("standaloneEnabled", "must be true without server.N lines")
		}
		return
	}
	members, err := b.Config()
	if err != nil {
		l.fail(servers, lines[0], "the list of servers is wrong: "+err.Error())
		return
	}
	c.Members = members.WithVersion(c.ConfigVersion)
	if len(members.Voters()) == 1 && len(members.Servers()) > 1 && c.StandaloneEnabled {
		l.fail(servers, lines[0], "the only participant is a standalone server and can't have observers; add participants, or standaloneEnabled=false")
		return
	}
	l.resolvePeerType()
	if c.Distributed() {
		l.resolveEnsemble(lines[0])
	}
}

// resolvePeerType takes the role from the list of servers.
func (l *loader) resolvePeerType() {
	c := l.cfg
	role := "participant"
	if me, ok := c.Members.Server(jute.ServerID(c.ServerID)); ok && me.Observer {
		role = "observer"
	}
	if l.isSet("peerType") && c.PeerType != role {
		l.warnKey("peerType", "is "+c.PeerType+", but the list of servers says "+role+", which counts")
	}
	c.PeerType = role
}

// resolveEnsemble checks what a server of an ensemble needs, and turns off what this version has for a server
// alone only.
func (l *loader) resolveEnsemble(line setting) {
	c := l.cfg
	for _, limit := range []struct {
		name  string
		ticks int
	}{{"initLimit", c.InitLimit}, {"syncLimit", c.SyncLimit}} {
		if limit.ticks == 0 {
			l.failKey(limit.name, "is not set, but an ensemble needs it; add a line such as "+limit.name+"=5")
		}
	}
	path := myIDPath(c.DataDir)
	switch _, ok := c.Members.Server(jute.ServerID(c.ServerID)); {
	case c.DataDir == "" || len(l.errs) > 0 && !l.hasMyID:
	case !l.hasMyID:
		l.errs = append(l.errs, &Error{File: path, Key: "myid", Want: "is missing; a server of an ensemble needs this file, with the N of its server.N line"})
	case !ok:
		l.errs = append(l.errs, &Error{File: path, Line: 1, Key: "myid", Value: strconv.FormatInt(c.ServerID, 10), Want: "is no server of this ensemble: there is no line server." + strconv.FormatInt(c.ServerID, 10)})
	}
	switch n := len(c.Members.Voters()); {
	case n <= 2:
		l.warn(line.name, line.line, fmt.Sprintf("with %d participants no server may fail; at least 3 are needed for that", n))
	case n%2 == 0:
		l.warn(line.name, line.line, fmt.Sprintf("%d participants bear no more failures than %d; an odd number is better", n, n-1))
	}
	for _, f := range []struct {
		name string
		on   *bool
		what string
	}{
		{"reconfigEnabled", &c.ReconfigEnabled, "the list of servers can't be changed by clients"},
		{"readonlymode.enabled", &c.ReadonlyModeEnabled, "a server without a quorum serves nobody"},
	} {
		if *f.on {
			*f.on = false
			l.noteOn(f.name, l.set[l.table.byName[f.name]].line, "has no effect in an ensemble in this version: "+f.what)
		}
	}
}

// readDynamic adds the lines of the dynamic file, which may hold nothing but servers, groups and
// weights, and takes the version from the end of its name.
func (l *loader) readDynamic() {
	c := l.cfg
	path := c.DynamicConfigFile
	text, err := l.opts.ReadFile(path)
	if err != nil {
		l.failKey("dynamicConfigFile", "can't be read: "+err.Error())
		return
	}
	entries, err := parseProperties(text)
	if err != nil {
		l.errs = append(l.errs, &Error{File: path, Want: err.Error()})
		return
	}
	last := make(map[string]int, len(entries))
	for i, e := range entries {
		last[e.Key] = i
	}
	for i, e := range entries {
		if last[e.Key] != i {
			continue
		}
		s := setting{name: e.Key, value: e.Value, file: path, line: e.Line}
		k := l.table.find(e.Key)
		prefix := ""
		if k != nil {
			prefix, _ = k.pattern()
		}
		switch {
		case prefix == "server." || prefix == "group." || prefix == "weight.":
			l.family[k] = append(l.family[k], s)
		case e.Key == "version":
			l.fail(nil, s, "must not be in this file: the version is the end of the file's name")
		default:
			l.fail(nil, s, "must not be in this file, which may hold server., group. and weight. lines only")
		}
	}
	end := strings.TrimPrefix(filepath.Ext(path), ".")
	if version, err := strconv.ParseInt(end, 16, 64); err == nil {
		c.ConfigVersion = version
	}
}

// resolveClientPort decides where clients are served: by the file's clientPort, or by the part behind
// ';' of this server's own line, which must not contradict it (QuorumPeerConfig.setupClientPort).
func (l *loader) resolveClientPort() {
	c := l.cfg
	if !l.isSet("clientPort") && l.isSet("clientPortAddress") {
		l.failKey("clientPortAddress", "is set but clientPort is not set")
		return
	}
	if own := l.ownServer(); own != nil && own.HasClientPort {
		l.clientPortOfLine(own)
	}
	if l.isSet("clientPort") || c.ClientPort >= 0 || c.SecureClientPort >= 0 {
		return
	}
	noLine := len(l.family[l.table.find("server.1")]) == 0
	switch {
	case c.Distributed() && len(l.errs) == 0:
		l.warn("clientPort", 0, "is not set: no client can connect to this server")
	case len(l.errs) == 0 || noLine:
		l.failKey("clientPort", "is not set; add a line such as clientPort=2181")
	}
}

// ownServer is this server in the list, nil when it is not there. A standalone server with a line of its own
// may have no id.
func (l *loader) ownServer() *verifier.Server {
	c := l.cfg
	if c.Members == nil {
		return nil
	}
	if !c.Distributed() {
		own := &c.Members.Servers()[0]
		if l.hasMyID && own.ID != jute.ServerID(c.ServerID) {
			line := l.family[l.table.find("server.1")][0]
			if own.HasClientPort {
				l.warn(line.name, line.line, fmt.Sprintf("is not this server's line: myid is %d; its client port is not used", c.ServerID))
			}
			return nil
		}
		return own
	}
	own, _ := c.Members.Server(jute.ServerID(c.ServerID))
	return own
}

// clientPortOfLine takes the client's part of this server's own line.
func (l *loader) clientPortOfLine(own *verifier.Server) {
	c := l.cfg
	switch {
	case !l.isSet("clientPort"):
		c.ClientPort, c.ClientPortAddress = own.ClientPort, own.ClientAddress
	case !l.hasMyID:
		// Java does not look at the line of a server without an id.
	default:
		anyAddress := c.ClientPortAddress == "" || c.ClientPortAddress == "0.0.0.0" || c.ClientPortAddress == "::"
		if c.ClientPort != own.ClientPort || !anyAddress && c.ClientPortAddress != own.ClientAddress {
			l.failKey("clientPort", fmt.Sprintf("contradicts the client address behind ';' in server.%v", own.ID))
			return
		}
		c.ClientPortAddress = own.ClientAddress
	}
}
