package auth

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"net/netip"
	"strings"

	"zk/jute"
)

const schemeDigest = "digest"

// digestProvider is the scheme digest: who knows a password, stored in ACLs as user:base64(hash of
// "user:password"). Source: DigestAuthenticationProvider.
type digestProvider struct {
	hash  func(string) []byte
	super string // the identity that is also super; empty for none
}

func newDigest(alg, super string) (digestProvider, error) {
	hash := digestHash(alg)
	if hash == nil {
		return digestProvider{}, fmt.Errorf("auth: unknown digest algorithm %q (DigestAuthenticationProvider.digestAlg);"+
			" known: MD5, SHA1, SHA-224 to SHA-512, SHA-512/224, SHA-512/256, SHA3-224 to SHA3-512", alg)
	}
	return digestProvider{hash: hash, super: super}, nil
}

// digestHash finds a hash by its Java name; nil when there is none. Java ignores case and knows the names
// of the SHA-2 family without the hyphen too. Its MD2 is the only one missing here.
func digestHash(alg string) func(string) []byte {
	switch strings.ToUpper(alg) {
	case "", "SHA1", "SHA-1", "SHA":
		return func(s string) []byte { h := sha1.Sum([]byte(s)); return h[:] }
	case "MD5":
		return func(s string) []byte { h := md5.Sum([]byte(s)); return h[:] }
	case "SHA-224", "SHA224":
		return func(s string) []byte { h := sha256.Sum224([]byte(s)); return h[:] }
	case "SHA-256", "SHA256":
		return func(s string) []byte { h := sha256.Sum256([]byte(s)); return h[:] }
	case "SHA-384", "SHA384":
		return func(s string) []byte { h := sha512.Sum384([]byte(s)); return h[:] }
	case "SHA-512", "SHA512":
		return func(s string) []byte { h := sha512.Sum512([]byte(s)); return h[:] }
	case "SHA-512/224", "SHA512/224":
		return func(s string) []byte { h := sha512.Sum512_224([]byte(s)); return h[:] }
	case "SHA-512/256", "SHA512/256":
		return func(s string) []byte { h := sha512.Sum512_256([]byte(s)); return h[:] }
	case "SHA3-224":
		return func(s string) []byte { h := sha3.Sum224([]byte(s)); return h[:] }
	case "SHA3-256":
		return func(s string) []byte { h := sha3.Sum256([]byte(s)); return h[:] }
	case "SHA3-384":
		return func(s string) []byte { h := sha3.Sum384([]byte(s)); return h[:] }
	case "SHA3-512":
		return func(s string) []byte { h := sha3.Sum512([]byte(s)); return h[:] }
	}
	return nil
}

func (digestProvider) Scheme() string { return schemeDigest }

// HandleAuth takes user:password. Input without a colon is a user without password; only null fails.
func (p digestProvider) HandleAuth(_ netip.Addr, data []byte) (ids []jute.ID, ok bool) {
	if data == nil {
		return nil, false
	}
	s := javaString(data)
	user, _, _ := strings.Cut(s, ":")
	id := user + ":" + base64.StdEncoding.EncodeToString(p.hash(s))
	if id == p.super {
		ids = append(ids, jute.ID{Scheme: schemeSuper})
	}
	return append(ids, jute.ID{Scheme: schemeDigest, ID: id}), true
}

func (digestProvider) Authenticates() bool { return true }

// ValidID accepts what Java's split at ':' gives two parts of: it drops empty parts at the end.
func (digestProvider) ValidID(id string) bool {
	_, rest, ok := strings.Cut(strings.TrimRight(id, ":"), ":")
	return ok && !strings.Contains(rest, ":")
}

func (digestProvider) Matches(id, expr string) bool { return id == expr }

func (digestProvider) UserName(id string) string {
	user, _, _ := strings.Cut(id, ":")
	return user
}

// javaString decodes UTF-8 as Java does; ill-formed bytes become U+FFFD.
func javaString(b []byte) string {
	d := jute.NewDecoder(jute.AppendBuffer(make([]byte, 0, 4+len(b)), b), len(b)+1)
	return d.String()
}
