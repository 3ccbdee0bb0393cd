package auth

import (
	"net/netip"

	"zk/jute"
)

// Options says which schemes there are. The zero value is Java's default but for DigestDisabled's sense.
type Options struct {
	// DigestDisabled turns the digest scheme off (DigestAuthenticationProvider.enabled=false).
	DigestDisabled bool
	// DigestAlg is the hash of digest identities by its Java name, empty for SHA1. All servers of an
	// ensemble must agree on it.
	DigestAlg string
	// SuperDigest is the digest identity ("super:base64") that is also granted the super identity; empty
	// for none.
	SuperDigest string
	// SkipACL turns permission checks off (skipACL=yes); ACLs that are stored are still checked.
	SkipACL bool
	// SASL registers the sasl scheme for ACLs (a sasl authProvider is configured).
	SASL bool
	// LetAnySASLUser is the ACL id that every sasl identity matches (letAnySaslUserDoX); empty for none.
	LetAnySASLUser string
	// EnforceAuth refuses requests of connections that have no identity of EnforcedSchemes.
	EnforceAuth bool
	// EnforcedSchemes are the schemes of which one is needed; each must have a provider.
	EnforcedSchemes []string
	// Extra are further providers; one with the scheme of a built-in one replaces it.
	Extra []Provider
}

// Provider is one authentication scheme.
type Provider interface {
	// Scheme is the scheme's name in identities and ACLs.
	Scheme() string
	// HandleAuth judges the data of an auth packet (nil for a null buffer).
	HandleAuth(remote netip.Addr, data []byte) (ids []jute.ID, ok bool)
	// Authenticates reports whether an identity of this scheme proves who the client is, so that the
	// `auth` id of an ACL stands for it.
	Authenticates() bool
	// ValidID reports whether an ACL may hold this id.
	ValidID(id string) bool
	// Matches reports whether a client with identity id is meant by the ACL id expr.
	Matches(id, expr string) bool
	// UserName is the part of id that names the user, for whoAmI and audit lines.
	UserName(id string) string
}

// Providers is the set of schemes of a server.
type Providers struct{}

// New builds the schemes. It fails for an unknown digest algorithm and for an enforced scheme that has no
// provider, as Java's start does.
func New(o Options) (*Providers, error) { panic("auth: not written yet") }

// InitialIDs is the identity a connection starts with: ip and its address, as Java writes it (an IPv4
// address mapped into IPv6 is IPv4; IPv6 is uncompressed).
func (p *Providers) InitialIDs(remote netip.Addr) []jute.ID { panic("auth: not written yet") }

// HandleAuth judges an auth packet; scheme is nil for a null scheme, data nil for null auth. On success
// the caller adds ids to the connection's (AddIDs); otherwise it answers AuthFailed and closes.
func (p *Providers) HandleAuth(remote netip.Addr, scheme *string, data []byte) (ids []jute.ID, ok bool) {
	panic("auth: not written yet")
}

// AddIDs gives the identities of a connection after more were granted: a new slice, each once. ok is
// false when they would be more than IDsMax.
func AddIDs(have, more []jute.ID) (ids []jute.ID, ok bool) { panic("auth: not written yet") }

// IDsMax bounds the identities of one connection. Java has no bound; each costs memory and the time of
// every later permission check.
const IDsMax = 1024

// MayRequest reports whether a connection with these identities may send requests other than auth and
// sasl; false is answered with SessionClosedRequireSaslAuth and a close. True when nothing is enforced.
func (p *Providers) MayRequest(ids []jute.ID) bool { panic("auth: not written yet") }

// ClientInfos is the reply of whoAmI: scheme and user name of each identity.
func (p *Providers) ClientInfos(ids []jute.ID) []jute.ClientInfo { panic("auth: not written yet") }

// UserName is the user of one identity, empty when its scheme has no provider (super).
func (p *Providers) UserName(id jute.ID) string { panic("auth: not written yet") }
