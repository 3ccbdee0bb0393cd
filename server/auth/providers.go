package auth

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"zk/jute"
)

// Scheme names with a meaning of their own.
const (
	schemeWorld = "world"
	schemeAuth  = "auth"
	schemeSuper = "super"
	anyone      = "anyone"
)

// Options says which schemes there are. The zero value is Java's default.
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
	// SASLSuperUsers are the sasl users that are also granted the super identity (superUser).
	SASLSuperUsers []string
	// LetAnySASLUser is the ACL id that every sasl identity matches (letAnySaslUserDoX); empty for none.
	LetAnySASLUser string
	// EnforceAuth refuses requests of connections that have no identity of EnforcedSchemes.
	EnforceAuth bool
	// EnforcedSchemes are the schemes of which one is needed; each must have a provider.
	EnforcedSchemes []string
	// Extra are further providers; one with the scheme of a built-in one replaces it.
	Extra []Provider
	// ACLBytesMax bounds the encoded size of what `auth` in one ACL expands to; 0 takes
	// jute.MaxBufferDefault. Java has no bound, and lets a client make an ACL that no server can send.
	ACLBytesMax int
}

// Provider is one authentication scheme. Its methods may be called from any goroutine.
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

// Providers is the set of schemes of a server. It is immutable.
type Providers struct {
	byScheme map[string]Provider
	skipACL  bool
	enforced []string // nil when nothing is enforced
	aclBytes int

	saslSuperUsers []string
}

// New builds the schemes. It fails for an unknown digest algorithm and for an enforced scheme that has no
// provider, as Java's start does.
func New(o Options) (*Providers, error) {
	p := &Providers{byScheme: map[string]Provider{}, skipACL: o.SkipACL, aclBytes: o.ACLBytesMax, saslSuperUsers: slices.Clone(o.SASLSuperUsers)}
	if p.aclBytes <= 0 {
		p.aclBytes = jute.MaxBufferDefault
	}
	list := []Provider{ipProvider{}}
	if !o.DigestDisabled {
		d, err := newDigest(o.DigestAlg, o.SuperDigest)
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	if o.SASL {
		list = append(list, saslProvider{anyUser: o.LetAnySASLUser})
	}
	for _, x := range append(list, o.Extra...) {
		p.byScheme[x.Scheme()] = x
	}
	if !o.EnforceAuth {
		return p, nil
	}
	if len(o.EnforcedSchemes) == 0 {
		return nil, errors.New("auth: authentication is enforced, but no scheme is named (enforce.auth.schemes)")
	}
	for _, s := range o.EnforcedSchemes {
		if p.byScheme[s] == nil {
			return nil, fmt.Errorf("auth: enforced authentication scheme %q is not available", s)
		}
	}
	p.enforced = slices.Clone(o.EnforcedSchemes)
	return p, nil
}

// InitialIDs is the identity a connection starts with: ip and its address, as Java writes it (an IPv4
// address mapped into IPv6 is IPv4; IPv6 is uncompressed).
func (p *Providers) InitialIDs(remote netip.Addr) []jute.ID {
	return []jute.ID{{Scheme: schemeIP, ID: hostAddress(remote)}}
}

// HandleAuth judges an auth packet; scheme is nil for a null scheme, data nil for null auth. On success
// the caller adds ids to the connection's (AddIDs); otherwise it answers AuthFailed and closes.
func (p *Providers) HandleAuth(remote netip.Addr, scheme *string, data []byte) (ids []jute.ID, ok bool) {
	if scheme == nil {
		return nil, false
	}
	provider := p.byScheme[*scheme]
	if provider == nil {
		return nil, false
	}
	return provider.HandleAuth(remote, data)
}

// IDsMax bounds the identities of one connection. Java has no bound; each costs memory and the time of
// every later permission check.
const IDsMax = 1024

// AddIDs gives the identities of a connection after more were granted: a new slice, each once. ok is
// false when they would be more than IDsMax.
func AddIDs(have, more []jute.ID) (ids []jute.ID, ok bool) {
	ids = slices.Clip(have) // so that append copies: have is shared with requests under way
	for _, id := range more {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, len(ids) <= IDsMax
}

// MayRequest reports whether a connection with these identities may send requests other than auth and
// sasl; false is answered with SessionClosedRequireSaslAuth and a close. True when nothing is enforced.
func (p *Providers) MayRequest(ids []jute.ID) bool {
	return p.enforced == nil || slices.ContainsFunc(ids, func(id jute.ID) bool {
		return slices.Contains(p.enforced, id.Scheme)
	})
}

// Enforces reports whether connections need an identity, and one of this scheme satisfies that.
func (p *Providers) Enforces(scheme string) bool { return slices.Contains(p.enforced, scheme) }

// ClientInfos is the reply of whoAmI: scheme and user name of each identity.
func (p *Providers) ClientInfos(ids []jute.ID) []jute.ClientInfo {
	infos := make([]jute.ClientInfo, len(ids))
	for i, id := range ids {
		infos[i] = jute.ClientInfo{AuthScheme: id.Scheme, User: p.UserName(id)}
	}
	return infos
}

// UserName is the user of one identity, empty when its scheme has no provider (super).
func (p *Providers) UserName(id jute.ID) string {
	provider := p.byScheme[id.Scheme]
	if provider == nil {
		return ""
	}
	return provider.UserName(id.ID)
}

// UsersOf gives what audit lines say of a client: the users of its identities, joined by commas, that of its
// address last, and the address. Source: AuthUtil.getUsers.
func (p *Providers) UsersOf(ids []jute.ID) (users, address string) {
	var names []string
	for _, id := range ids {
		switch name := p.UserName(id); {
		case name == "":
		case id.Scheme == schemeIP && address == "":
			address = name
		default:
			names = append(names, name)
		}
	}
	if address != "" {
		names = append(names, address)
	}
	return strings.Join(names, ","), address
}
