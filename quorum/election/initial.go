package election

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"zk/jute"
)

// The protocols an InitialMessage may start with. (Java: QuorumCnxManager)
const (
	ProtocolV1   int64 = -65536 // one address
	ProtocolV2   int64 = -65535 // several; only servers from 3.6 on with multiAddress.enabled read it
	ProtocolBare int64 = 0      // a server id alone, as before 3.5
)

// AnonymousObserver is the id by which an observer without one calls itself.
const AnonymousObserver jute.ServerID = math.MaxInt64

// initialBytesMax bounds the addresses in an InitialMessage.
const initialBytesMax = 2048

// HostPort is an address on the election port. The host is not resolved.
type HostPort struct {
	Host string // without the brackets of an IPv6 address
	Port int
}

func (h HostPort) String() string {
	if strings.Contains(h.Host, ":") {
		return "[" + h.Host + "]:" + strconv.Itoa(h.Port)
	}
	return h.Host + ":" + strconv.Itoa(h.Port)
}

// InitialMessage is what the one who dials says first on the election port.
type InitialMessage struct {
	Protocol int64
	ServerID jute.ServerID
	// Addresses are where the sender can be dialled back. Wildcard addresses are left out by
	// ReadInitialMessage, so there may be none.
	Addresses []HostPort
}

// Append appends the message. It must go out in one piece: Java refuses one that is split inside the
// addresses.
func (m *InitialMessage) Append(b []byte) []byte {
	if m.Protocol == ProtocolBare {
		return jute.AppendInt64(b, int64(m.ServerID))
	}
	b = jute.AppendInt64(b, m.Protocol)
	b = jute.AppendInt64(b, int64(m.ServerID))
	at := len(b)
	b = jute.AppendInt32(b, 0)
	for i, a := range m.Addresses {
		if i > 0 {
			b = append(b, '|')
		}
		b = append(b, a.String()...)
	}
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

// InitialError says what is wrong with an InitialMessage.
type InitialError struct {
	ServerID jute.ServerID // of the sender, if it was read
	Reason   string
}

func (e *InitialError) Error() string { return "election: initial message: " + e.Reason }

// ReadInitialMessage reads the message from a new connection and no byte behind it. An error is an
// *InitialError, or the reader's own. (QuorumCnxManager.receiveConnection, InitialMessage.parse)
func ReadInitialMessage(r io.Reader) (InitialMessage, error) {
	var m InitialMessage
	var fixed [20]byte
	if _, err := io.ReadFull(r, fixed[:8]); err != nil {
		return m, fmt.Errorf("election: initial message: %w", err)
	}
	first := int64(binary.BigEndian.Uint64(fixed[:]))
	if first >= 0 {
		m.ServerID = jute.ServerID(first)
		return m, nil
	}
	if m.Protocol = first; first != ProtocolV1 && first != ProtocolV2 {
		return m, &InitialError{Reason: fmt.Sprintf("unknown protocol version %d", first)}
	}
	if _, err := io.ReadFull(r, fixed[8:]); err != nil {
		return m, fmt.Errorf("election: initial message: %w", err)
	}
	m.ServerID = jute.ServerID(binary.BigEndian.Uint64(fixed[8:]))
	n := int32(binary.BigEndian.Uint32(fixed[16:]))
	if n <= 0 || n > initialBytesMax {
		return m, &InitialError{m.ServerID, fmt.Sprintf("%d bytes of addresses", n)}
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return m, fmt.Errorf("election: initial message: %w", err)
	}
	for part := range strings.SplitSeq(string(text), "|") {
		a, err := parseHostPort(part)
		if err != nil {
			return m, &InitialError{m.ServerID, fmt.Sprintf("address %q: %v", part, err)}
		}
		if ip, err := netip.ParseAddr(a.Host); err != nil || !ip.IsUnspecified() {
			m.Addresses = append(m.Addresses, a)
		}
	}
	return m, nil
}

// parseHostPort reads host:port, an IPv6 address in brackets.
func parseHostPort(s string) (a HostPort, err error) {
	at := strings.LastIndexByte(s, ':')
	if at < 0 {
		return a, errors.New("no port")
	}
	host, port := s[:at], s[at+1:]
	if inner, ok := strings.CutPrefix(host, "["); ok {
		if host, ok = strings.CutSuffix(inner, "]"); !ok {
			return a, errors.New("no closing bracket")
		}
	} else if strings.Contains(host, ":") {
		return a, errors.New("an IPv6 address without brackets")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return a, errors.New("no port number")
	}
	if host == "" || strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r == '[' || r == ']' || r == '\x7f' }) {
		return a, errors.New("no host")
	}
	return HostPort{Host: host, Port: int(n)}, nil
}
