package auth

import (
	"net/netip"

	"zk/jute"
	"zk/server/secure/x500"
)

// SchemeX509 is the scheme of client certificates.
const SchemeX509 = "x509"

// NewX509 is the scheme x509: an identity is the subject of a certificate that the TLS handshake has accepted.
// superUser, empty for none, is the one who is also granted the super identity
// (X509AuthenticationProvider.superUser). Source: X509AuthenticationProvider.
func NewX509(superUser string) Provider { return x509Provider{superUser} }

type x509Provider struct{ superUser string }

func (x509Provider) Scheme() string { return SchemeX509 }

// HandleAuth fails: the identity comes with the connection, which takes an auth packet for it by itself.
func (x509Provider) HandleAuth(netip.Addr, []byte) ([]jute.ID, bool) { return nil, false }

func (x509Provider) Authenticates() bool { return true }

// ValidID accepts names as Java's X500Principal does.
func (x509Provider) ValidID(id string) bool { return x500.Valid(id) }

func (p x509Provider) Matches(id, expr string) bool {
	return id == expr || p.superUser != "" && id == p.superUser
}

func (x509Provider) UserName(id string) string { return id }

// CertificateIDs are the identities of a client whose certificate has this subject, in Java's form; none when
// the scheme x509 is not there.
func (p *Providers) CertificateIDs(subject string) []jute.ID {
	provider, ok := p.byScheme[SchemeX509].(x509Provider)
	if !ok {
		return nil
	}
	id := jute.ID{Scheme: SchemeX509, ID: subject}
	if provider.superUser != "" && subject == provider.superUser {
		return []jute.ID{{Scheme: schemeSuper, ID: subject}, id}
	}
	return []jute.ID{id}
}
