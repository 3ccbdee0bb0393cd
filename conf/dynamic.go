package conf

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

const notEnsemble = "ensembles are not supported by this version: it serves one server alone, without server.N lines or with one"

// resolveServers reads the server, group and weight lines, from the file or from the dynamic file it
// names, and makes sure that they mean a standalone server (QuorumPeerConfig.parseDynamicConfig).
func (l *loader) resolveServers() {
	c := l.cfg
	if s, ok := l.set[l.table.byName["observer.syncEnabled"]]; ok {
		c.SyncEnabled = strings.EqualFold(s.value, "true")
	}
	servers, groups, weights := l.table.find("server.1"), l.table.find("group.1"), l.table.find("weight.1")
	if c.DynamicConfigFile != "" {
		for _, k := range []*key{servers, groups, weights} {
			for _, s := range l.family[k] {
				l.fail(k, s, "must be in the file that dynamicConfigFile names, not in this one")
			}
			delete(l.family, k)
		}
		l.readDynamic()
	}
	for _, s := range l.family[servers] {
		if server, want := parseServer(s.name, s.value, c.MultiAddressEnabled); want != "" {
			l.fail(servers, s, want)
		} else {
			c.Servers = append(c.Servers, server)
		}
	}
	c.Groups, c.Weights = map[int64][]int64{}, map[int64]int64{}
	for _, s := range l.family[groups] {
		l.parseGroup(groups, s)
	}
	for _, s := range l.family[weights] {
		id, err := suffixID(s.name)
		weight, err2 := strconv.ParseInt(s.value, 10, 32)
		if err != nil || err2 != nil || weight < 0 {
			l.fail(weights, s, "must be weight.<server id>=<whole number from 0>")
			continue
		}
		c.Weights[id] = weight
	}
	l.refuseEnsemble(servers)
}

// refuseEnsemble accepts no server line, or one participant with standaloneEnabled.
func (l *loader) refuseEnsemble(servers *key) {
	c, lines := l.cfg, l.family[servers]
	switch {
	case len(lines) > 1:
		l.fail(servers, lines[1], notEnsemble)
	case len(lines) == 1 && len(c.Servers) == 1 && c.Servers[0].Observer:
		l.fail(servers, lines[0], "an observer alone is no ensemble; remove :observer")
	case !c.StandaloneEnabled && len(lines) == 1:
		l.failKey("standaloneEnabled", notEnsemble+", and with standaloneEnabled=true")
	case !c.StandaloneEnabled && len(lines) == 0:
		l.failKey("standaloneEnabled", "must be true without server.N lines")
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

func (l *loader) parseGroup(k *key, s setting) {
	const want = "must be group.<number>=<server id>[:<server id>...]"
	group, err := suffixID(s.name)
	if err != nil {
		l.fail(k, s, want)
		return
	}
	for part := range strings.SplitSeq(s.value, ":") {
		id, err := strconv.ParseInt(trimJava(part), 10, 64)
		if err != nil {
			l.fail(k, s, want)
			return
		}
		l.cfg.Groups[group] = append(l.cfg.Groups[group], id)
	}
}

// suffixID reads the number behind the first dot of a key.
func suffixID(name string) (int64, error) {
	_, suffix, _ := strings.Cut(name, ".")
	id, err := strconv.ParseInt(suffix, 10, 64)
	if err != nil || id < 0 {
		return 0, fmt.Errorf("conf: %q has no number", name)
	}
	return id, nil
}

// parseServer reads a server line: host:port:port[:role], several of them separated by '|', then
// optionally ';' and [address:]port for clients. want says what would be right, "" when it is.
// (QuorumPeer.QuorumServer.initializeWithAddressString)
func parseServer(name, value string, multiAddress bool) (server Server, want string) {
	const form = "must have the form host:port:port[:participant or :observer][|...][;[client address:]client port]"
	id, err := suffixID(name)
	if err != nil {
		return server, "must be named server.<id> with a whole number"
	}
	server.ID = id
	peers, client, hasClient := strings.Cut(value, ";")
	if hasClient {
		parts, ok := splitAddress(client)
		if !ok || len(parts) > 2 || strings.Contains(client, ";") {
			return server, form
		}
		port, ok := parsePort(parts[len(parts)-1])
		if !ok {
			return server, "the client port behind ';' must be a number from 0 to 65535"
		}
		server.ClientPort, server.HasClientPort = port, true
		if len(parts) == 2 {
			server.ClientAddress = parts[0]
		}
	}
	addresses := strings.Split(peers, "|")
	if len(addresses) > 1 && !multiAddress {
		return server, "has several addresses; set multiAddress.enabled=true if you mean it"
	}
	roles := map[bool]bool{}
	for _, address := range addresses {
		parts, ok := splitAddress(address)
		if !ok || len(parts) < 3 || len(parts) > 4 {
			return server, form
		}
		quorum, ok1 := parsePort(parts[1])
		election, ok2 := parsePort(parts[2])
		switch {
		case !ok1 || !ok2:
			return server, "the ports must be numbers from 0 to 65535"
		case quorum == election:
			return server, "the quorum port and the election port must be different"
		}
		if len(parts) == 4 {
			switch strings.ToLower(trimJava(parts[3])) {
			case "observer":
				roles[true] = true
			case "participant":
				roles[false] = true
			default:
				return server, "the role must be participant or observer"
			}
		}
		server.Peers = append(server.Peers, PeerAddress{Host: parts[0], QuorumPort: quorum, ElectionPort: election})
	}
	if len(roles) > 1 {
		return server, "all addresses of a server must have the same role"
	}
	server.Observer = roles[true]
	return server, ""
}

// splitAddress cuts "host:a:b" at its colons; an IPv6 host stands in brackets, which are removed.
func splitAddress(s string) ([]string, bool) {
	rest, ok := strings.CutPrefix(s, "[")
	if !ok {
		return strings.Split(s, ":"), true
	}
	host, rest, ok := strings.Cut(rest, "]")
	if !ok || !strings.HasPrefix(rest, ":") {
		return nil, false
	}
	return append([]string{host}, strings.Split(rest[1:], ":")...), true
}

func parsePort(s string) (int, bool) {
	n, err := strconv.ParseInt(trimJava(s), 10, 32)
	return int(n), err == nil && n >= 0 && n <= 65535
}

// resolveClientPort decides where clients are served: by the file's clientPort, or by the part behind
// ';' of this server's own line, which must not contradict it (QuorumPeerConfig.setupClientPort).
func (l *loader) resolveClientPort() {
	c := l.cfg
	if !l.isSet("clientPort") && l.isSet("clientPortAddress") {
		l.failKey("clientPortAddress", "is set but clientPort is not set")
		return
	}
	if len(c.Servers) == 1 && c.Servers[0].HasClientPort {
		l.clientPortOfLine(&c.Servers[0])
	}
	noLine := len(l.family[l.table.find("server.1")]) == 0
	if !l.isSet("clientPort") && c.ClientPort < 0 && c.SecureClientPort < 0 && (len(l.errs) == 0 || noLine) {
		l.failKey("clientPort", "is not set; add a line such as clientPort=2181")
	}
}

func (l *loader) clientPortOfLine(s *Server) {
	c := l.cfg
	line := l.family[l.table.find("server.1")][0]
	switch {
	case l.hasMyID && s.ID != c.ServerID:
		l.warn(line.name, line.line, fmt.Sprintf("is not this server's line: myid is %d; its client port is not used", c.ServerID))
	case !l.isSet("clientPort"):
		c.ClientPort, c.ClientPortAddress = s.ClientPort, s.ClientAddress
	case !l.hasMyID:
		// Java does not look at the line of a server without an id.
	default:
		anyAddress := c.ClientPortAddress == "" || c.ClientPortAddress == "0.0.0.0" || c.ClientPortAddress == "::"
		if c.ClientPort != s.ClientPort || !anyAddress && c.ClientPortAddress != s.ClientAddress {
			l.failKey("clientPort", fmt.Sprintf("contradicts the client address behind ';' in %s (line %d of %s)", line.name, line.line, line.file))
			return
		}
		c.ClientPortAddress = s.ClientAddress
	}
}
