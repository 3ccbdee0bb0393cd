package verifier

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"zk/jute"
)

// String is the text that servers send each other and keep in /zookeeper/config: a line for each server,
// group and weight, and the version in hexadecimal without a newline behind it.
func (c *Config) String() string { return string(c.Append(nil)) }

// Append appends the text.
func (c *Config) Append(b []byte) []byte {
	for i := range c.servers {
		s := &c.servers[i]
		b = append(strconv.AppendInt(append(b, "server."...), int64(s.ID), 10), '=')
		b = append(s.Append(b), '\n')
	}
	for _, number := range slices.Sorted(maps.Keys(c.groups)) {
		b = strconv.AppendInt(append(b, "group."...), number, 10)
		for i, id := range c.groups[number] {
			separator := byte(':')
			if i == 0 {
				separator = '='
			}
			b = strconv.AppendInt(append(b, separator), int64(id), 10)
		}
		b = append(b, '\n')
	}
	for _, id := range slices.Sorted(maps.Keys(c.weights)) {
		b = append(strconv.AppendInt(append(b, "weight."...), int64(id), 10), '=')
		b = append(strconv.AppendInt(b, c.weights[id], 10), '\n')
	}
	return strconv.AppendUint(append(b, "version="...), uint64(c.version), 16)
}

// Append appends what stands behind "server.N=" (QuorumServer.toString).
func (s *Server) Append(b []byte) []byte {
	for i, a := range s.sortedAddresses() {
		if i > 0 {
			b = append(b, '|')
		}
		b = append(appendHost(b, a.Host), ':')
		b = append(strconv.AppendInt(b, int64(a.QuorumPort), 10), ':')
		b = strconv.AppendInt(b, int64(a.ElectionPort), 10)
	}
	if s.Observer {
		b = append(b, ":observer"...)
	} else {
		b = append(b, ":participant"...)
	}
	if s.HasClientPort {
		host := s.ClientAddress
		if host == "" {
			host = "0.0.0.0"
		}
		b = append(appendHost(append(b, ';'), hostString(host)), ':')
		b = strconv.AppendInt(b, int64(s.ClientPort), 10)
	}
	return b
}

// sortedAddresses are the addresses in the order and form in which they are told to others.
func (s *Server) sortedAddresses() []Address {
	sorted := slices.Clone(s.Addresses)
	for i := range sorted {
		sorted[i].Host = hostString(sorted[i].Host)
	}
	slices.SortFunc(sorted, func(a, b Address) int {
		return cmp.Or(strings.Compare(a.Host, b.Host), cmp.Compare(a.QuorumPort, b.QuorumPort), cmp.Compare(a.ElectionPort, b.ElectionPort))
	})
	return sorted
}

// appendHost appends a host in its printed form, in brackets where it has colons.
func appendHost(b []byte, host string) []byte {
	if strings.Contains(host, ":") {
		return append(append(append(b, '['), host...), ']')
	}
	return append(b, host...)
}

// hostString writes a host as Java does (InetSocketAddress.getHostString): an IPv6 address with all its eight
// parts, one that stands for an IPv4 address as that.
func hostString(host string) string {
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Is4() {
		return host
	}
	if addr.Is4In6() {
		return addr.Unmap().String()
	}
	parts := addr.As16()
	b := make([]byte, 0, 48)
	for i := 0; i < len(parts); i += 2 {
		if i > 0 {
			b = append(b, ':')
		}
		b = strconv.AppendUint(b, uint64(parts[i])<<8|uint64(parts[i+1]), 16)
	}
	if zone := addr.Zone(); zone != "" {
		b = append(append(b, '%'), zone...)
	}
	return string(b)
}

// Parse reads the text of a Config. Several addresses of a server are taken always; keys that no Config has
// are an error, as in QuorumPeerConfig.parseDynamicConfig.
func Parse(text string) (*Config, error) {
	var b Builder
	for line := range strings.Lines(text) {
		line = strings.TrimLeft(strings.TrimRight(line, "\r\n"), " \t\f")
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return nil, fmt.Errorf("verifier: %q is no line of a config", shorten(line))
		}
		key = strings.TrimRight(key, " \t\f")
		if err := b.Add(key, strings.TrimLeft(value, " \t\f"), true); err != nil {
			return nil, fmt.Errorf("verifier: %s: %w", shorten(key), err)
		}
	}
	c, err := b.Config()
	if err != nil {
		return nil, fmt.Errorf("verifier: config: %w", err)
	}
	return c, nil
}

// shorten cuts what goes into a message.
func shorten(s string) string {
	if len(s) > 64 {
		return s[:64] + "..."
	}
	return s
}

// Builder puts a Config together from keys and values as they stand in its text, in any order. The zero
// value is ready.
type Builder struct {
	servers []Server
	groups  map[int64][]jute.ServerID
	weights map[jute.ServerID]int64
	version int64
}

// Add takes one key. multiAddress allows several addresses in a server's value. The error says what would be
// right, without the key.
func (b *Builder) Add(key, value string, multiAddress bool) error {
	kind, suffix, dot := strings.Cut(key, ".")
	if !dot && key == "version" {
		v, err := strconv.ParseInt(value, 16, 64)
		if err != nil || v < 0 {
			return errors.New("must be a hexadecimal number")
		}
		b.version = v
		return nil
	}
	if !dot || kind != "server" && kind != "group" && kind != "weight" {
		return errors.New("is no key of a list of servers, which has server., group. and weight. lines and a version only")
	}
	number, err := strconv.ParseInt(suffix, 10, 64)
	if err != nil || number < 0 {
		return errors.New("must be named " + kind + ".<number> with a whole number")
	}
	switch kind {
	case "server":
		if len(b.servers) >= ServersMax {
			return fmt.Errorf("is one server more than the %d that may be", ServersMax)
		}
		s, err := parseServer(jute.ServerID(number), value, multiAddress)
		if err != nil {
			return err
		}
		b.servers = append(b.servers, s)
	case "group":
		return b.addGroup(number, value)
	case "weight":
		weight, err := strconv.ParseInt(value, 10, 64)
		if err != nil || weight < 0 {
			return errors.New("must be weight.<server id>=<whole number from 0>")
		}
		if b.weights == nil {
			b.weights = make(map[jute.ServerID]int64)
		}
		b.weights[jute.ServerID(number)] = weight
	}
	return nil
}

func (b *Builder) addGroup(number int64, value string) error {
	if b.groups == nil {
		b.groups = make(map[int64][]jute.ServerID)
	}
	if b.groups[number] != nil {
		return errors.New("is there twice")
	}
	for _, part := range javaSplit(value, ":") {
		id, err := strconv.ParseInt(part, 10, 64)
		if err != nil {
			return errors.New("must be group.<number>=<server id>[:<server id>...]")
		}
		b.groups[number] = append(b.groups[number], jute.ServerID(id))
	}
	return nil
}

// Config is New of what was added. The Builder must not be used afterwards.
func (b *Builder) Config() (*Config, error) { return New(b.servers, b.groups, b.weights, b.version) }

const serverForm = "must have the form host:port:port[:participant or :observer][|...][;[client address:]client port]"

// parseServer reads what stands behind "server.N=": host:quorum port:election port[:role], several of them
// separated by '|', then optionally ';' and [address:]port for clients. The error says what would be right.
// (QuorumServer.initializeWithAddressString)
func parseServer(id jute.ServerID, value string, multiAddress bool) (Server, error) {
	s := Server{ID: id}
	parts := javaSplit(value, ";")
	if len(parts) > 2 {
		return s, errors.New(serverForm)
	}
	if len(parts) == 2 {
		if err := s.parseClient(parts[1]); err != nil {
			return s, err
		}
	}
	addresses := javaSplit(parts[0], "|")
	if len(addresses) > 1 && !multiAddress {
		return s, errors.New("has several addresses; set multiAddress.enabled=true if you mean it")
	}
	role := ""
	for _, text := range addresses {
		a, r, err := parseAddress(text)
		if err != nil {
			return s, err
		}
		if role != "" && r != "" && role != r {
			return s, errors.New("all addresses of a server must have the same role")
		}
		if r != "" {
			role = r
		}
		s.Addresses = append(s.Addresses, a)
	}
	s.Observer = role == "observer"
	return s, nil
}

func (s *Server) parseClient(text string) error {
	parts, ok := splitAddress(text)
	if !ok || len(parts) > 2 || len(parts) == 2 && !isHost(parts[0]) {
		return errors.New(serverForm)
	}
	port, ok := parsePort(parts[len(parts)-1])
	if !ok {
		return errors.New("the client port behind ';' must be a number from 0 to 65535")
	}
	s.ClientPort, s.HasClientPort = port, true
	if len(parts) == 2 {
		s.ClientAddress = parts[0]
	}
	return nil
}

// parseAddress reads host:port:port[:role].
func parseAddress(text string) (a Address, role string, err error) {
	parts, ok := splitAddress(text)
	if !ok || len(parts) < 3 || len(parts) > 4 || !isHost(parts[0]) {
		return a, "", errors.New(serverForm)
	}
	quorum, ok1 := parsePort(parts[1])
	election, ok2 := parsePort(parts[2])
	switch {
	case !ok1 || !ok2:
		return a, "", errors.New("the ports must be numbers from 0 to 65535")
	case quorum == election:
		return a, "", errors.New("the quorum port and the election port must be different")
	}
	if len(parts) == 4 {
		role = strings.ToLower(strings.TrimSpace(parts[3]))
		if role != "observer" && role != "participant" {
			return a, "", errors.New("the role must be participant or observer")
		}
	}
	return Address{Host: parts[0], QuorumPort: quorum, ElectionPort: election}, role, nil
}

// isHost refuses what can be neither a name nor an address and would not survive being printed. The resolver
// knows the rest.
func isHost(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || strings.ContainsRune("[]\\=|;\x7f", r) })
}

// splitAddress cuts "host:a:b" at its colons; an IPv6 host stands in brackets, which are removed.
// (ConfigUtils.getHostAndPort)
func splitAddress(s string) ([]string, bool) {
	rest, ok := strings.CutPrefix(s, "[")
	if !ok {
		return javaSplit(s, ":"), true
	}
	host, rest, ok := strings.Cut(rest, "]")
	if !ok || !strings.HasPrefix(rest, ":") || rest == ":" {
		return nil, false
	}
	return append([]string{host}, javaSplit(rest[1:], ":")...), true
}

// javaSplit is String.split: empty parts at the end are left out.
func javaSplit(s, separator string) []string {
	parts := strings.Split(s, separator)
	for len(parts) > 1 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	return parts
}

// parsePort reads a port; Java takes no blanks around it.
func parsePort(s string) (int, bool) {
	n, err := strconv.ParseInt(s, 10, 32)
	return int(n), err == nil && n >= 0 && n <= 65535
}
