package auth

import (
	"net/netip"
	"strings"

	"zk/jute"
)

// saslProvider is the scheme sasl as far as ACLs go; the identities come from the SASL exchange, which
// isn't here. Source: SASLAuthenticationProvider, KerberosName.
type saslProvider struct{ anyUser string }

func (saslProvider) Scheme() string { return "sasl" }

// HandleAuth fails: sasl has an exchange of its own, not the auth packet.
func (saslProvider) HandleAuth(netip.Addr, []byte) ([]jute.ID, bool) { return nil, false }

func (saslProvider) Authenticates() bool { return true }

// ValidID accepts Kerberos names: service, service@realm or service/host@realm, any part of which may be
// empty. A name without '@' may hold anything.
func (saslProvider) ValidID(id string) bool {
	name, realm, at := strings.Cut(id, "@")
	return !at || strings.Count(name, "/") <= 1 && !strings.ContainsAny(realm, "/@")
}

func (p saslProvider) Matches(id, expr string) bool {
	return id == schemeSuper || id == expr || p.anyUser != "" && expr == p.anyUser
}

func (saslProvider) UserName(id string) string { return id }
