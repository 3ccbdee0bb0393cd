package digestmd5

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// SeedBytes is how many random bytes a nonce is made of; it is written as 40 characters.
const SeedBytes = 30

func newNonce(seed [SeedBytes]byte) string { return base64.StdEncoding.EncodeToString(seed[:]) }

// What begins the hashed text A2: the client's proof, and the server's, which has nothing there.
const (
	byClient = "AUTHENTICATE"
	byServer = ""
)

// secret is H(user:realm:password), which is all that either end has to know of a password.
type secret [md5.Size]byte

func newSecret(user, realm, password string) secret {
	var b []byte
	b = append(appendLatin(b, user), ':')
	b = append(appendLatin(b, realm), ':')
	return md5.Sum(appendLatin(b, password))
}

// appendLatin appends text in ISO-8859-1 where that has all its letters, else in UTF-8 (RFC 2831,
// section 2.1.2.1).
func appendLatin(b []byte, text string) []byte {
	if strings.IndexFunc(text, func(r rune) bool { return r > 0xff }) >= 0 || !utf8.ValidString(text) {
		return append(b, text...)
	}
	for _, r := range text {
		b = append(b, byte(r))
	}
	return b
}

// exchange is what both ends hash besides the secret.
type exchange struct {
	nonce, cnonce, uri []byte
	authzid            []byte // nil when none was sent, which is not the same as an empty one
}

// responseValue is the hash that proves the knowledge of k (RFC 2831, section 2.1.2.1), with qop auth and
// the nonce used for the first time.
func (x *exchange) responseValue(k secret, from string) []byte {
	a1 := make([]byte, 0, 256)
	a1 = append(append(a1, k[:]...), ':')
	a1 = append(append(a1, x.nonce...), ':')
	a1 = append(a1, x.cnonce...)
	if x.authzid != nil {
		a1 = append(append(a1, ':'), x.authzid...)
	}
	a2 := append([]byte(from+":"), x.uri...)

	kd := make([]byte, 0, 256)
	kd = append(appendHash(kd, a1), ':')
	kd = append(append(kd, x.nonce...), ":00000001:"...)
	kd = append(append(kd, x.cnonce...), ":auth:"...)
	kd = appendHash(kd, a2)
	return appendHash(nil, kd)
}

// appendHash appends the MD5 of text in hexadecimal.
func appendHash(b, text []byte) []byte {
	h := md5.Sum(text)
	return hex.AppendEncode(b, h[:])
}
