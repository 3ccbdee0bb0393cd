package auth

import (
	"net/netip"
	"strconv"
	"strings"

	"zk/jute"
)

const schemeIP = "ip"

// ipProvider is the scheme ip: where a client comes from. Source: IPAuthenticationProvider.
type ipProvider struct{}

func (ipProvider) Scheme() string { return schemeIP }

// HandleAuth grants the peer's address once more; the data is ignored, null too.
func (ipProvider) HandleAuth(remote netip.Addr, _ []byte) ([]jute.ID, bool) {
	return []jute.ID{{Scheme: schemeIP, ID: hostAddress(remote)}}, true
}

func (ipProvider) Authenticates() bool { return false }

func (ipProvider) ValidID(id string) bool {
	_, ok := parseRange(id)
	return ok
}

// Matches compares the leading bits of two addresses of the same family.
func (ipProvider) Matches(id, expr string) bool {
	r, ok := parseRange(expr)
	if !ok {
		return false
	}
	a, ok := parseAddr(id)
	return ok && a.bits == r.bits && commonBits(a, r.address) >= r.prefix
}

func (ipProvider) UserName(id string) string { return id }

// hostAddress writes an address as Java's InetAddress.getHostAddress does: IPv6 as eight groups without
// leading zeros, never shortened.
func hostAddress(a netip.Addr) string {
	a = a.Unmap()
	if !a.Is6() {
		return a.String()
	}
	b := make([]byte, 0, 39+len(a.Zone()))
	for i, raw := 0, a.As16(); i < 16; i += 2 {
		if i > 0 {
			b = append(b, ':')
		}
		b = strconv.AppendUint(b, uint64(raw[i])<<8|uint64(raw[i+1]), 16)
	}
	if z := a.Zone(); z != "" {
		b = append(append(b, '%'), z...) // such an address matches no ACL, as in Java
	}
	return string(b)
}

// address is an IPv4 or IPv6 address in the leading bytes of raw; bits is 32 or 128.
type address struct {
	raw  [16]byte
	bits int
}

// addressRange is an address of an ACL with the number of its leading bits that count.
type addressRange struct {
	address
	prefix int
}

// parseRange reads address or address/bits.
func parseRange(s string) (r addressRange, ok bool) {
	addr, bits, slash := strings.Cut(s, "/")
	if r.address, ok = parseAddr(addr); !ok {
		return r, false
	}
	if r.prefix = r.bits; slash {
		r.prefix, ok = parseInt(bits, 10)
		ok = ok && r.prefix >= 0 && r.prefix <= r.bits
	}
	return r, ok
}

// parseAddr reads an address as Java's provider does, which differs from netip: numbers may have leading
// zeros and a sign (a negative group of IPv6 counts as its two's complement), there is no zone and no
// IPv4 inside IPv6. (Java also takes digits of other scripts; here those are no numbers.)
func parseAddr(s string) (address, bool) {
	if strings.Contains(s, ":") {
		return parseV6(s)
	}
	return parseV4(s)
}

func parseV4(s string) (a address, ok bool) {
	a.bits = 32
	for i := range 4 {
		part, rest, more := strings.Cut(s, ".")
		v, ok := parseInt(part, 10)
		if !ok || v < 0 || v > 255 || more != (i < 3) {
			return a, false
		}
		a.raw[i], s = byte(v), rest
	}
	return a, true
}

func parseV6(s string) (a address, ok bool) {
	a.bits = 128
	front, back, gap := strings.Cut(s, "::")
	if strings.Contains(back, "::") {
		return a, false
	}
	n, ok := parseGroups(front, a.raw[:])
	if !ok || !gap {
		return a, ok && n == 8
	}
	var tail [16]byte
	m, ok := parseGroups(back, tail[:])
	if !ok || n+m >= 8 {
		return a, false
	}
	copy(a.raw[16-2*m:], tail[:2*m])
	return a, true
}

// parseGroups reads groups of hex digits between colons into b and returns their number, 0 for an
// empty string; more than eight fail.
func parseGroups(s string, b []byte) (n int, ok bool) {
	for more := s != ""; more; n++ {
		var part string
		part, s, more = strings.Cut(s, ":")
		v, ok := parseInt(part, 16)
		if !ok || len(part) > 4 || n == 8 {
			return n, false
		}
		b[2*n], b[2*n+1] = byte(v>>8), byte(v)
	}
	return n, true
}

// parseInt is Java's Integer.parseInt for ASCII: digits with an optional sign, in the range of an int32.
func parseInt(s string, base int) (int, bool) {
	v, err := strconv.ParseInt(s, base, 32)
	return int(v), err == nil
}

// commonBits is the number of leading bits in which two addresses of the same family agree.
func commonBits(a, b address) int {
	for i := range a.bits / 8 {
		if x := a.raw[i] ^ b.raw[i]; x != 0 {
			n := i * 8
			for ; x&0x80 == 0; x <<= 1 {
				n++
			}
			return n
		}
	}
	return a.bits
}
