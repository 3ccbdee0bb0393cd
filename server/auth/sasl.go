package auth

import (
	"net/netip"
	"slices"
	"strings"

	"zk/jute"
)

// SchemeSASL is the scheme of identities that come from a SASL exchange.
const SchemeSASL = "sasl"

// saslProvider is the scheme sasl as far as ACLs go; the exchange is digestmd5's. Source:
// SASLAuthenticationProvider, KerberosName.
type saslProvider struct{ anyUser string }

func (saslProvider) Scheme() string { return SchemeSASL }

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

// SASLIDs are the identities of a user who has authenticated with SASL: the scheme's, whether or not it is
// registered for ACLs, and super for one of Options.SASLSuperUsers. ok is false for a name that Kerberos
// can't have. (The identity is always the user's whole name. Java lets a client whose name has a realm choose
// its identity by the authorization id it sends.)
func (p *Providers) SASLIDs(user string) (ids []jute.ID, ok bool) {
	if !(saslProvider{}).ValidID(user) {
		return nil, false
	}
	ids = []jute.ID{{Scheme: SchemeSASL, ID: user}}
	if slices.Contains(p.saslSuperUsers, user) {
		ids = append(ids, jute.ID{Scheme: schemeSuper})
	}
	return ids, true
}
